//! Every behaviour that differs between kernels or kmod releases is one named switch here, with the
//! commit that introduced it. The model and the simulation read switches, never version numbers;
//! [`crate::presets`] says which releases have which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What libkmod makes of `/sys/module/NAME/` without an `initstate` file in it
/// (`kmod_module_get_initstate()`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum BareDirectory {
    /// Taken for built in, so for 'in the kernel': up to kmod v19.
    Builtin,
    /// Taken for coming: kmod fd44a98ae2eb, in v20.
    Coming,
}

/// When libkmod asks `modules.builtin` about a module.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltinIndex {
    /// Only as the last look-up of `kmod_module_new_from_lookup()`: up to kmod v19.
    LastLookup,
    /// First thing in `kmod_module_get_initstate()` (`kmod_module_is_builtin()`): kmod fd44a98ae2eb,
    /// in v20.
    BeforeSysfs,
}

/// What modprobe does about a name that no index knows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum FailedLookup {
    /// Looks under /sys/module, and exits 0 if that looks built in (`handle_failed_lookup()`): up
    /// to kmod v19.
    LooksInSysfs,
    /// Exits 1: kmod e2719b32cc5c, in v20.
    Fails,
}

/// Which program modprobe is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    JsonSchema,
    Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// kmod's.
    #[default]
    Kmod,
    /// busybox's (modutils/modprobe.c, modutils/modutils.c; read in 1.35.0): it reads /proc/modules once, takes every module
    /// in it for loaded, whatever its state, and after any error of `finit_module()` calls `init_module()`. It knows no softdeps
    /// and no `install` commands.
    Busybox,
    /// busybox's small one (CONFIG_MODPROBE_SMALL, modutils/modprobe-small.c; read in 1.35.0), with a modprobe.dep.bb: it looks
    /// for a module in /proc/modules when it comes to it, where 'Live' alone is loaded and any other state is looked at up to
    /// five times, 20 ms apart; of a name that is an alias it takes no look. What becomes of dependencies it does not heed, and
    /// after any error of `finit_module()` it calls `init_module()`, of which every error is one. It knows no configuration of
    /// modprobe's and nothing that is built in.
    BusyboxSmall,
    /// toybox's (toys/pending/modprobe.c; read in 0.8.9 and its git of May 2026): it reads /proc/modules once, as busybox's does, and calls
    /// `finit_module()` once, with no flag, so that the kernel refuses a compressed file. It knows nothing that is built in, no
    /// softdeps and no `install` commands, and asked quietly for a name that it does not know it exits 0.
    Toybox,
}

impl Program {
    /// Whether it reads /proc/modules once, before it looks at anything, and takes what is in it for loaded.
    pub fn reads_the_list(self) -> bool {
        matches!(self, Self::Busybox | Self::Toybox)
    }

    /// Whether it calls `init_module()` after any error of `finit_module()`.
    pub fn tries_init_module(self) -> bool {
        matches!(self, Self::Busybox | Self::BusyboxSmall)
    }
}

/// The switches of userspace.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct KmodFeatures {
    /// What a directory without initstate means.
    pub bare_directory: BareDirectory,
    /// When modules.builtin is asked.
    pub builtin_index: BuiltinIndex,
    /// What becomes of an unknown name.
    pub failed_lookup: FailedLookup,
    /// `coming` counts as 'in the kernel', too: up to kmod v5 (ended by 7cd664fbaead, in v6).
    pub coming_is_loaded: bool,
    /// A compressed module is handed to the kernel with `init_module()`, unpacked: up to kmod v30
    /// (ended by 09c9f8c5df04, in v31).
    pub unpacks_itself: bool,
    /// Aliases of built-in code are looked up, too (`modules.builtin.alias`): from kmod v27 on.
    pub builtin_aliases: bool,
    /// An `install` command that exits 17 makes modprobe fail; before, its exit status was taken for an error number, and that
    /// one for 'there already'. 81dbf2bee644, in v27.
    #[serde(default, skip_serializing_if = "is_off")]
    pub exit_17_fails: bool,
    /// A dependency that `modules.builtin` lists, too, is looked at and inserted all the same, because it was found by the path of
    /// its file. 4e391ac92d1b, in v30.
    #[serde(default, skip_serializing_if = "is_off")]
    pub dependencies_not_builtin: bool,
    /// `modprobe -r` removes of the modules that it needed those that nobody uses any more, in the order of `modules.dep`, and
    /// only if it has removed the module itself; before, also those that these needed in turn, and whatever became of the
    /// module. ea3c8ad, in v30.
    #[serde(default, skip_serializing_if = "is_off")]
    pub removes_listed_dependencies: bool,
    /// `modprobe -r` looks once more whether the module has a refcnt before it removes it; if not, it is gone, which is
    /// success. 327c587a0bfe, after v34.2.
    #[serde(default, skip_serializing_if = "is_off")]
    pub looks_before_removing: bool,
    /// Which program it is: the other switches are kmod's.
    #[serde(default, skip_serializing_if = "is_kmod")]
    pub modprobe: Program,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_kmod(modprobe: &Program) -> bool {
    *modprobe == Program::Kmod
}

impl KmodFeatures {
    /// kmod v19, the last release with the old rule.
    pub const V19: Self = Self {
        bare_directory: BareDirectory::Builtin,
        builtin_index: BuiltinIndex::LastLookup,
        failed_lookup: FailedLookup::LooksInSysfs,
        coming_is_loaded: false,
        unpacks_itself: true,
        builtin_aliases: false,
        exit_17_fails: false,
        dependencies_not_builtin: false,
        removes_listed_dependencies: false,
        looks_before_removing: false,
        modprobe: Program::Kmod,
    };
    /// kmod v5, the last release that took `coming` for loaded (the parent of 7cd664fbaead).
    pub const V5: Self = Self { coming_is_loaded: true, ..Self::V19 };
    /// kmod v20, the first release with commit fd44a98ae2eb.
    pub const V20: Self = Self {
        bare_directory: BareDirectory::Coming,
        builtin_index: BuiltinIndex::BeforeSysfs,
        failed_lookup: FailedLookup::Fails,
        ..Self::V19
    };
    /// kmod v27.
    pub const V27: Self = Self { builtin_aliases: true, exit_17_fails: true, ..Self::V20 };
    /// kmod v30.
    pub const V30: Self =
        Self { dependencies_not_builtin: true, removes_listed_dependencies: true, ..Self::V27 };
    /// kmod v34.2.
    pub const V34_2: Self = Self { unpacks_itself: false, ..Self::V30 };
    /// kmod after v34.2, as of July 2026.
    pub const AFTER_V34_2: Self = Self { looks_before_removing: true, ..Self::V34_2 };
    /// busybox: what kmod's switches say is not read.
    pub const BUSYBOX: Self = Self { modprobe: Program::Busybox, ..Self::V34_2 };
    /// busybox's small one, likewise.
    pub const BUSYBOX_SMALL: Self = Self { modprobe: Program::BusyboxSmall, ..Self::V34_2 };
    /// toybox, likewise.
    pub const TOYBOX: Self = Self { modprobe: Program::Toybox, ..Self::V34_2 };
}

/// How the kernel would map a requested name to module names (RFC 'kmod: add a sanity check on
/// module loading', 8 Dec 2016; its patch keeps the map in the kernel).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
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

/// What `add_unformed_module()` does about a name that is listed already.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ListedName {
    /// Waits for UNFORMED and COMING until gone, LIVE or GOING, then looks again; GOING is
    /// `-EEXIST` at once. v4.9.
    GoingExists,
    /// Waits for GOING, too, until gone or LIVE, then looks again. 6e6de3dee51a, in v5.3. That commit
    /// wakes nobody ([`KernelFeatures::delete_module_wakes`] came later).
    WaitsForGoing,
    /// Waits once, for UNFORMED and COMING, until gone, LIVE or GOING; then LIVE is `-EEXIST` and
    /// anything else `-EBUSY`. 0254127ab977, in v6.2 (also in older stable series).
    WaitsOnce,
}

/// What `__request_module()` does when as many requests run as may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RequestLimit {
    /// Counts itself, looks, and fails with `-ENOMEM` at once. v4.9.
    FailsAtOnce,
    /// Waits up to 5 s on `kmod_wq`; each completion wakes all waiters, who race. 6d7964a722af and
    /// its follow-up, in v4.13.
    AllWaitersRace,
    /// A semaphore: waits up to 5 s, each completion hands over to one waiter. 25a1b5b518f4, in v6.4.
    Semaphore,
}

/// The switches of the kernel.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct KernelFeatures {
    /// The check after modprobe.
    pub sanity_check: SanityCheck,
    /// The map that the check and the shortcut use.
    pub alias_map: AliasMap,
    /// The RFC's shortcut: a (mapped) name that is LIVE returns 0 before modprobe is started.
    pub already_live: bool,
    /// A name that is listed already.
    pub listed_name: ListedName,
    /// `delete_module()` wakes `module_wq` at its end. 5d603311615f, in v5.5; until then whoever waits
    /// for a module that is being unloaded is woken by nobody.
    pub delete_module_wakes: bool,
    /// The limit of running requests.
    pub request_limit: RequestLimit,
    /// An empty `modprobe_path` makes a request fail with `-ENOENT`; before that it returned 0.
    /// d7d27cfc5cf0, in v5.7.
    pub empty_path_fails: bool,
    /// A load that fails once its notifiers were called sets GOING, without a lock, before it leaves the list:
    /// 885a78d4a5b3, in v4.10 (`coming_cleanup:`).
    pub failure_sets_going: bool,
    /// The ADD uevent goes out after init. 38dc717e9715, in v5.11.
    pub uevent_after_init: bool,
    /// The listed name is looked up once more, before the module is laid out (`early_mod_check()`).
    /// v6.4.
    pub early_mod_check: bool,
    /// Concurrent `finit_module()` calls of one file are one: 9b9879fc0327, in v6.5.
    pub idempotent_finit: bool,
    /// Duplicate requests of one name wait for the first one's result, which is kept for 60 s:
    /// 8660484ed1cf, in v6.4, a debug option.
    pub duplicate_requests: bool,
    /// An init that returns `-EEXIST` is turned into `-EBUSY`: 743f8cae549a, in v7.1.
    pub eexist_safety_net: bool,
    /// While a file is being loaded, another `finit_module()` of it is `-ETXTBSY` at once: 9828ed3f695a, in v6.4-rc4,
    /// reverted before v6.4. Where [`KernelFeatures::idempotent_finit`] is on, that is asked instead.
    #[serde(default, skip_serializing_if = "is_off")]
    pub exclusive_finit: bool,
    /// Who has joined a `finit_module()` waits interruptibly: 2124d84db293, in v6.11.
    #[serde(default, skip_serializing_if = "is_off")]
    pub join_interruptible: bool,
    /// Every load waits until no asynchronous function is scheduled, before its module's initial reference is dropped; before,
    /// only one whose init had scheduled some itself. 67d6212afda2, in v5.17.
    #[serde(default, skip_serializing_if = "is_off")]
    pub waits_for_all_async: bool,
    /// `/sys/module/NAME/` of built-in code with parameters or a version is made by a late initcall
    /// (`param_sysfs_builtin_init()`), when helpers may run already; before, by a subsys initcall. 96a1a2412acb, in v6.2.
    #[serde(default, skip_serializing_if = "is_off")]
    pub late_builtin_directories: bool,
    /// `/sys/module/NAME/` of a built-in driver is made when the driver is registered, also without parameters and version
    /// (`module_add_driver()`): f95bbfe18512, in v6.15.
    #[serde(default, skip_serializing_if = "is_off")]
    pub driver_directories: bool,
    /// A sysfs set-up that fails after initstate was made takes initstate away before the directory; before, the
    /// two went together. bc6f2a757d52, in v5.3.
    #[serde(default, skip_serializing_if = "is_off")]
    pub undo_removes_attributes: bool,
    /// A notifier of COMING can fail a load; before, what it returned was ignored. 59cc8e0a906e, in v5.10.
    #[serde(default, skip_serializing_if = "is_off")]
    pub notifier_can_fail: bool,
    /// A load that a notifier of COMING has failed sets GOING, without a lock, before it leaves the list
    /// (`bug_cleanup:`). 5e8ed280dab9, in v5.11.
    #[serde(default, skip_serializing_if = "is_off")]
    pub notifier_failure_sets_going: bool,
    /// A load fails if `sections/` or `notes/` cannot be made; before, it went on without. ce47f7cbbcad, in v6.12.
    #[serde(default, skip_serializing_if = "is_off")]
    pub sections_can_fail: bool,
    /// A load fails if its init data cannot be made read-only, which is after LIVE and after the initial reference was
    /// dropped. d1909c022173, in v6.9, until 110b1e070f1d, in v6.14.
    #[serde(default, skip_serializing_if = "is_off")]
    pub fails_after_live: bool,
    /// A load that `codetag_load_module()` refuses is torn down, and returns 0, for nothing sets the error. 044d2aee6c57,
    /// in v6.16.
    #[serde(default, skip_serializing_if = "is_off")]
    pub codetag_can_fail: bool,
    /// Of duplicate requests the first result that is announced counts, and whoever announces it completes who waits;
    /// before, each overwrote the one before, and a kworker completed. d258ed8a86bb, in v7.3.
    #[serde(default, skip_serializing_if = "is_off")]
    pub first_result_counts: bool,
    /// What `codetag_load_module()` says is what `load_module()` returns. Proposed here: in no kernel.
    #[serde(default, skip_serializing_if = "is_off")]
    pub codetag_error_counts: bool,
    /// A load that fails with `-EEXIST` when its name was claimed already returns `-EBUSY`, as a failing init does from
    /// 743f8cae549a on. Proposed here: in no kernel.
    #[serde(default, skip_serializing_if = "is_off")]
    pub load_eexist_is_busy: bool,
    /// Who has joined a `finit_module()` does not take its result over, but begins again when it is done. Proposed here:
    /// in no kernel.
    #[serde(default, skip_serializing_if = "is_off")]
    pub joiners_try_again: bool,
    /// A request that does not wait announces nothing to duplicates. Proposed here: in no kernel.
    #[serde(default, skip_serializing_if = "is_off")]
    pub nowait_announces_nothing: bool,
}

/// A switch that came when there were files that do not say it: off is not written, so that these stay what they are.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_off(switch: &bool) -> bool {
    !switch
}

impl KernelFeatures {
    /// Linux v4.9.
    pub const V4_9: Self = Self {
        sanity_check: SanityCheck::None,
        alias_map: AliasMap::None,
        already_live: false,
        listed_name: ListedName::GoingExists,
        delete_module_wakes: false,
        request_limit: RequestLimit::FailsAtOnce,
        empty_path_fails: false,
        failure_sets_going: false,
        uevent_after_init: false,
        early_mod_check: false,
        idempotent_finit: false,
        duplicate_requests: false,
        eexist_safety_net: false,
        exclusive_finit: false,
        join_interruptible: false,
        waits_for_all_async: false,
        late_builtin_directories: false,
        driver_directories: false,
        undo_removes_attributes: false,
        notifier_can_fail: false,
        notifier_failure_sets_going: false,
        sections_can_fail: false,
        fails_after_live: false,
        codetag_can_fail: false,
        first_result_counts: false,
        codetag_error_counts: false,
        load_eexist_is_busy: false,
        joiners_try_again: false,
        nowait_announces_nothing: false,
    };
}

/// All switches.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// The kernel's.
    pub kernel: KernelFeatures,
    /// kmod's.
    pub kmod: KmodFeatures,
}
