//! Every behaviour that differs between kernels or kmod releases is one named switch here, with the
//! commit that introduced it. The model and the simulation read switches, never version numbers.

use serde::{Deserialize, Serialize};

/// What libkmod makes of `/sys/module/NAME/` without an `initstate` file in it
/// (`kmod_module_get_initstate()`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BareDirectory {
    /// Taken for built in, so for 'in the kernel': up to kmod v19.
    Builtin,
    /// Taken for coming: kmod fd44a98ae2eb, in v20.
    Coming,
}

/// When libkmod asks `modules.builtin` about a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltinIndex {
    /// Only as the last look-up of `kmod_module_new_from_lookup()`: up to kmod v19.
    LastLookup,
    /// First thing in `kmod_module_get_initstate()` (`kmod_module_is_builtin()`): kmod fd44a98ae2eb,
    /// in v20.
    BeforeSysfs,
}

/// What modprobe does about a name that no index knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailedLookup {
    /// Looks under /sys/module, and exits 0 if that looks built in (`handle_failed_lookup()`): up
    /// to kmod v19.
    LooksInSysfs,
    /// Exits 1: kmod e2719b32cc5c, in v20.
    Fails,
}

/// The switches of userspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KmodFeatures {
    /// What a directory without initstate means.
    pub bare_directory: BareDirectory,
    /// When modules.builtin is asked.
    pub builtin_index: BuiltinIndex,
    /// What becomes of an unknown name.
    pub failed_lookup: FailedLookup,
}

impl KmodFeatures {
    /// kmod v19, the last release with the old rule.
    pub const V19: Self = Self {
        bare_directory: BareDirectory::Builtin,
        builtin_index: BuiltinIndex::LastLookup,
        failed_lookup: FailedLookup::LooksInSysfs,
    };
    /// kmod v20, the first release with commit fd44a98ae2eb.
    pub const V20: Self = Self {
        bare_directory: BareDirectory::Coming,
        builtin_index: BuiltinIndex::BeforeSysfs,
        failed_lookup: FailedLookup::Fails,
    };
}

/// How the kernel would map a requested name to module names (RFC 'kmod: add a sanity check on
/// module loading', 8 Dec 2016; its patch keeps the map in the kernel).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AliasMap {
    /// No map: the requested name is taken for the module's name. v4.9.
    None,
    /// `fs-` is stripped and the rest taken for the module's name.
    Prefix,
    /// The indexes' own mapping.
    Exact,
}

/// What the kernel does after modprobe returned 0: the readings of the RFC, and what was merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SanityCheck {
    /// Nothing. v4.9.
    None,
    /// `finished_kmod_load()` of the author's tree, before and after modprobe: not listed is
    /// `-ENOENT` (before: go on), listed and finished loading (LIVE or GOING) is 0, else wait until
    /// finished and return 0 without another look.
    AuthorTree,
    /// The same, but after modprobe a name that is not listed is taken for built in, as the mail
    /// says.
    AuthorMail,
    /// One look: absent is accepted as built in, LIVE is accepted, anything else is an error.
    Verify,
    /// Waits on `module_wq` for a forming module first, then as [`SanityCheck::Verify`].
    WaitAndVerify,
    /// As [`SanityCheck::Verify`], but absent is accepted only for a name that is in a table of
    /// what is really built in.
    ExactBuiltin,
    /// What v4.13 merged (41124db869b7): changes no result; `get_fs_type()` warns when a request
    /// succeeded and there is still no file system.
    WarnOnly,
}

/// The switches of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelFeatures {
    /// The check after modprobe.
    pub sanity_check: SanityCheck,
    /// The map that the check and the shortcut use.
    pub alias_map: AliasMap,
    /// The RFC's shortcut: a (mapped) name that is LIVE returns 0 before modprobe is started.
    pub already_live: bool,
}

impl KernelFeatures {
    /// Linux v4.9.
    pub const V4_9: Self =
        Self { sanity_check: SanityCheck::None, alias_map: AliasMap::None, already_live: false };
}

/// All switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// The kernel's.
    pub kernel: KernelFeatures,
    /// kmod's.
    pub kmod: KmodFeatures,
}

/// The names of the kernels on the command line.
pub const KERNELS: [&str; 7] = [
    "v4.9",
    "v4.9+author-tree",
    "v4.9+author-mail",
    "v4.9+verify",
    "v4.9+wait-and-verify",
    "v4.9+exact-builtin",
    "v4.9+warn-only",
];

/// The names of the kmod releases on the command line.
pub const KMODS: [&str; 2] = ["v19", "v20"];

/// The kernel of that name: v4.9, or v4.9 with one reading of the RFC, its shortcut and an exact
/// alias map. `v4.9+warn-only` has the warning alone, as it was merged.
pub fn kernel(name: &str) -> Option<KernelFeatures> {
    let reading = |sanity_check| KernelFeatures {
        sanity_check,
        alias_map: AliasMap::Exact,
        already_live: true,
    };
    Some(match name {
        "v4.9" => KernelFeatures::V4_9,
        "v4.9+author-tree" => reading(SanityCheck::AuthorTree),
        "v4.9+author-mail" => reading(SanityCheck::AuthorMail),
        "v4.9+verify" => reading(SanityCheck::Verify),
        "v4.9+wait-and-verify" => reading(SanityCheck::WaitAndVerify),
        "v4.9+exact-builtin" => reading(SanityCheck::ExactBuiltin),
        "v4.9+warn-only" => {
            KernelFeatures { sanity_check: SanityCheck::WarnOnly, ..KernelFeatures::V4_9 }
        }
        _ => return None,
    })
}

/// The kmod of that name.
pub fn kmod(name: &str) -> Option<KmodFeatures> {
    match name {
        "v19" => Some(KmodFeatures::V19),
        "v20" => Some(KmodFeatures::V20),
        _ => None,
    }
}
