//! Which releases have which switches, and the table of switches by name: what `--kernel`, `--kmod`,
//! `--with` and `--without` mean. A preset is a list of switches; the model never asks for a release.

use crate::features::{
    AliasMap, BareDirectory, BuiltinIndex, FailedLookup, Features, KernelFeatures, KmodFeatures,
    ListedName, Program, RequestLimit, SanityCheck,
};
use crate::releases::Release;

/// The kernel presets, oldest first, then a distribution's, then those with CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS; `v4.9+...` is
/// v4.9 with a reading of the RFC's patch.
pub const KERNELS: [&str; 28] = [
    "v4.9",
    "v4.9+author-tree",
    "v4.9+author-mail",
    "v4.9+verify",
    "v4.9+wait-and-verify",
    "v4.9+exact-builtin",
    "v4.13",
    "v5.3",
    "v5.5",
    "v5.7",
    "v5.10",
    "v5.11",
    "v5.17",
    "v6.2",
    "v6.5",
    "v6.11",
    "v6.12",
    "v6.16",
    "v7.1",
    "v7.3",
    "6.1-debian",
    "6.12-debian",
    "v6.5+dup",
    "v6.11+dup",
    "v6.12+dup",
    "v6.16+dup",
    "v7.1+dup",
    "v7.3+dup",
];

/// The kmod presets, oldest first, then other modprobes.
pub const KMODS: [&str; 11] = [
    "v5",
    "v19",
    "v20",
    "v27",
    "v30",
    "v31",
    "v34.2",
    "after-v34.2",
    "busybox",
    "busybox-small",
    "toybox",
];

/// The switches of a kernel preset, or of any other release ([`crate::releases`]).
pub fn kernel(name: &str) -> Option<KernelFeatures> {
    let v4_9 = KernelFeatures::V4_9;
    let patched = |sanity_check| KernelFeatures {
        sanity_check,
        alias_map: AliasMap::Exact,
        already_live: true,
        ..v4_9
    };
    let v4_13 = KernelFeatures {
        sanity_check: SanityCheck::WarnOnly,
        request_limit: RequestLimit::AllWaitersRace,
        failure_sets_going: true,
        ..v4_9
    };
    let v5_3 = KernelFeatures {
        listed_name: ListedName::WaitsForGoing,
        undo_removes_attributes: true,
        ..v4_13
    };
    let v5_5 = KernelFeatures { delete_module_wakes: true, ..v5_3 };
    let v5_7 = KernelFeatures { empty_path_fails: true, ..v5_5 };
    let v5_10 = KernelFeatures { notifier_can_fail: true, ..v5_7 };
    let v5_11 =
        KernelFeatures { uevent_after_init: true, notifier_failure_sets_going: true, ..v5_10 };
    let v5_17 = KernelFeatures { waits_for_all_async: true, ..v5_11 };
    let v6_1 = KernelFeatures { listed_name: ListedName::WaitsOnce, ..v5_17 };
    let v6_2 = KernelFeatures { late_builtin_directories: true, ..v6_1 };
    let v6_5 = KernelFeatures {
        request_limit: RequestLimit::Semaphore,
        early_mod_check: true,
        idempotent_finit: true,
        ..v6_2
    };
    let v6_11 = KernelFeatures { join_interruptible: true, fails_after_live: true, ..v6_5 };
    let v6_12 = KernelFeatures { sections_can_fail: true, ..v6_11 };
    let v6_16 = KernelFeatures {
        fails_after_live: false,
        driver_directories: true,
        codetag_can_fail: true,
        ..v6_12
    };
    let v7_1 = KernelFeatures { eexist_safety_net: true, ..v6_16 };
    let v7_3 = KernelFeatures { first_result_counts: true, ..v7_1 };
    let with_duplicates = |kernel| KernelFeatures { duplicate_requests: true, ..kernel };
    Some(match name {
        "v4.9" => v4_9,
        "v4.9+author-tree" => patched(SanityCheck::AuthorTree),
        "v4.9+author-mail" => patched(SanityCheck::AuthorMail),
        "v4.9+verify" => patched(SanityCheck::Verify),
        "v4.9+wait-and-verify" => patched(SanityCheck::WaitAndVerify),
        "v4.9+exact-builtin" => patched(SanityCheck::ExactBuiltin),
        "v4.13" => v4_13,
        "v5.3" => v5_3,
        "v5.5" => v5_5,
        "v5.7" => v5_7,
        "v5.10" => v5_10,
        "v5.11" => v5_11,
        "v5.17" => v5_17,
        // Debian's 6.1.192-2: 0254127ab977 came with stable 6.1.9.
        "6.1-debian" => v6_1,
        "v6.2" => v6_2,
        "v6.5" => v6_5,
        "v6.5+dup" => with_duplicates(v6_5),
        "v6.11" => v6_11,
        "v6.11+dup" => with_duplicates(v6_11),
        "v6.12" => v6_12,
        "v6.12+dup" => with_duplicates(v6_12),
        "v6.16" => v6_16,
        "v6.16+dup" => with_duplicates(v6_16),
        "v7.1" => v7_1,
        "v7.1+dup" => with_duplicates(v7_1),
        "v7.3" => v7_3,
        "v7.3+dup" => with_duplicates(v7_3),
        // Debian's 6.12.117-1: 110b1e070f1d came with stable 6.12.13, f95bbfe18512 with 6.12.28, d258ed8a86bb with
        // 6.12.110; it does not have CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS.
        "6.12-debian" => KernelFeatures {
            fails_after_live: false,
            driver_directories: true,
            first_result_counts: true,
            ..v6_12
        },
        other => Release::kernel(other).ok()?.kernel_features(),
    })
}

/// The switches of a kmod preset, or of any other release, kmod's or busybox's ([`Release::busybox`]).
pub fn kmod(name: &str) -> Option<KmodFeatures> {
    Some(match name {
        "v5" => KmodFeatures::V5,
        "v19" => KmodFeatures::V19,
        "v20" => KmodFeatures::V20,
        "v27" => KmodFeatures::V27,
        "v30" => KmodFeatures::V30,
        "v31" | "v34.2" => KmodFeatures::V34_2,
        "after-v34.2" => KmodFeatures::AFTER_V34_2,
        "busybox" => KmodFeatures::BUSYBOX,
        "busybox-small" => KmodFeatures::BUSYBOX_SMALL,
        "toybox" => KmodFeatures::TOYBOX,
        other => match Release::busybox(other) {
            Some(release) => release.ok().map(|_| KmodFeatures::BUSYBOX)?,
            None => Release::kmod(other).ok()?.kmod_features(),
        },
    })
}

/// Whose switch it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The kernel's.
    Kernel,
    /// kmod's.
    Kmod,
}

/// One switch by name.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// The name used on the command line and in scenario files.
    pub name: &'static str,
    /// Whose it is.
    pub side: Side,
    /// The commit or proposal that it stands for.
    pub commit: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// Its values, the oldest behaviour first; `off` and `on` for a switch that is either.
    pub values: &'static [&'static str],
    get: fn(&Features) -> usize,
    set: fn(&mut Features, usize),
}

impl Switch {
    /// The value that it has in `features`.
    pub fn get(&self, features: &Features) -> &'static str {
        self.values[(self.get)(features)]
    }

    /// Sets it; `false` if there is no such value.
    pub fn set(&self, features: &mut Features, value: &str) -> bool {
        let Some(index) = self.values.iter().position(|v| *v == value) else { return false };
        (self.set)(features, index);
        true
    }

    /// The switch of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SWITCHES.iter().find(|switch| switch.name == name)
    }
}

const ON_OFF: &[&str] = &["off", "on"];

macro_rules! on_off {
    ($name:literal, $side:ident, $part:ident . $field:ident, $commit:literal, $meaning:literal) => {
        Switch {
            name: $name,
            side: Side::$side,
            commit: $commit,
            meaning: $meaning,
            values: ON_OFF,
            get: |f| usize::from(f.$part.$field),
            set: |f, value| f.$part.$field = value == 1,
        }
    };
}

macro_rules! one_of {
    ($name:literal, $side:ident, $part:ident . $field:ident : $($text:literal = $value:expr),+;
     $commit:literal, $meaning:literal) => {
        Switch {
            name: $name,
            side: Side::$side,
            commit: $commit,
            meaning: $meaning,
            values: &[$($text),+],
            get: |f| {
                let all = [$($value),+];
                all.iter().position(|v| *v == f.$part.$field).expect("every value is listed")
            },
            set: |f, value| {
                let all = [$($value),+];
                f.$part.$field = all[value];
            },
        }
    };
}

/// Every switch, the kernel's first.
pub const SWITCHES: &[Switch] = &[
    one_of!("sanity-check", Kernel, kernel.sanity_check:
        "none" = SanityCheck::None, "warn-only" = SanityCheck::WarnOnly,
        "author-tree" = SanityCheck::AuthorTree, "author-mail" = SanityCheck::AuthorMail,
        "verify" = SanityCheck::Verify, "wait-and-verify" = SanityCheck::WaitAndVerify,
        "exact-builtin" = SanityCheck::ExactBuiltin;
        "RFC of 8 Dec 2016; warn-only: 41124db869b7 (v4.13)",
        "what the kernel does after modprobe returned 0"),
    one_of!("alias-map", Kernel, kernel.alias_map:
        "none" = AliasMap::None, "prefix" = AliasMap::Prefix, "exact" = AliasMap::Exact;
        "RFC of 8 Dec 2016", "how the check and the shortcut map a requested name to modules"),
    on_off!(
        "already-live",
        Kernel,
        kernel.already_live,
        "RFC of 8 Dec 2016",
        "a (mapped) name that is LIVE returns 0 without modprobe"
    ),
    one_of!("listed-name", Kernel, kernel.listed_name:
        "going-exists" = ListedName::GoingExists, "waits-for-going" = ListedName::WaitsForGoing,
        "waits-once" = ListedName::WaitsOnce;
        "6e6de3dee51a (v5.3), 0254127ab977 (v6.2, stable 6.1.9)",
        "what add_unformed_module() does about a listed name"),
    on_off!(
        "delete-module-wakes",
        Kernel,
        kernel.delete_module_wakes,
        "5d603311615f (v5.5, stable 5.4.9)",
        "delete_module() wakes who waits for a module that is being unloaded"
    ),
    one_of!("request-limit", Kernel, kernel.request_limit:
        "fails-at-once" = RequestLimit::FailsAtOnce,
        "all-waiters-race" = RequestLimit::AllWaitersRace, "semaphore" = RequestLimit::Semaphore;
        "6d7964a722af (v4.13), 25a1b5b518f4 (v6.4)",
        "what __request_module() does when as many requests run as may"),
    on_off!(
        "empty-path-fails",
        Kernel,
        kernel.empty_path_fails,
        "d7d27cfc5cf0 (v5.7)",
        "an empty modprobe_path is -ENOENT, not 0"
    ),
    on_off!(
        "failure-sets-going",
        Kernel,
        kernel.failure_sets_going,
        "885a78d4a5b3 (v4.10)",
        "a load whose sysfs set-up fails sets GOING before it is unlinked"
    ),
    on_off!(
        "uevent-after-init",
        Kernel,
        kernel.uevent_after_init,
        "38dc717e9715 (v5.11, stable 5.10.5)",
        "the ADD uevent goes out after init, not before"
    ),
    on_off!(
        "early-mod-check",
        Kernel,
        kernel.early_mod_check,
        "064f4536d139 (v6.4)",
        "the listed name is looked up once more, earlier"
    ),
    on_off!(
        "idempotent-finit",
        Kernel,
        kernel.idempotent_finit,
        "9b9879fc0327 (v6.5)",
        "concurrent finit_module() of one file share one result"
    ),
    on_off!(
        "duplicate-requests",
        Kernel,
        kernel.duplicate_requests,
        "8660484ed1cf (v6.4, CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS)",
        "requests of one name wait for the first one's result, kept for 60 s"
    ),
    on_off!(
        "eexist-safety-net",
        Kernel,
        kernel.eexist_safety_net,
        "743f8cae549a (v7.1)",
        "an init that returns -EEXIST is reported as -EBUSY"
    ),
    on_off!(
        "exclusive-finit",
        Kernel,
        kernel.exclusive_finit,
        "9828ed3f695a (v6.4-rc4, reverted in v6.4: ac2263b588df)",
        "finit_module() of a file that is being loaded is -ETXTBSY"
    ),
    on_off!(
        "join-interruptible",
        Kernel,
        kernel.join_interruptible,
        "2124d84db293 (v6.11, stable 6.10.5, 6.6.46)",
        "a signal ends the wait for a finit_module() that was joined"
    ),
    on_off!(
        "waits-for-all-async",
        Kernel,
        kernel.waits_for_all_async,
        "67d6212afda2 (v5.17, stable 5.16.11, 5.10.102, 4.19.231)",
        "every load waits for all that is asynchronous, not only one that has scheduled some"
    ),
    on_off!(
        "late-builtin-directories",
        Kernel,
        kernel.late_builtin_directories,
        "96a1a2412acb (v6.2)",
        "/sys/module/NAME of built-in code appears at a late initcall"
    ),
    on_off!(
        "driver-directories",
        Kernel,
        kernel.driver_directories,
        "f95bbfe18512 (v6.15, stable 6.14.6, 6.12.28)",
        "/sys/module/NAME of a built-in driver appears when it is registered"
    ),
    on_off!(
        "undo-removes-attributes",
        Kernel,
        kernel.undo_removes_attributes,
        "bc6f2a757d52 (v5.3, stable 5.2.16)",
        "a sysfs set-up that fails late takes initstate away before the directory"
    ),
    on_off!(
        "notifier-can-fail",
        Kernel,
        kernel.notifier_can_fail,
        "59cc8e0a906e (v5.10)",
        "a notifier of COMING can fail a load"
    ),
    on_off!(
        "notifier-failure-sets-going",
        Kernel,
        kernel.notifier_failure_sets_going,
        "5e8ed280dab9 (v5.11, stable 5.10.5)",
        "a load that a notifier of COMING has failed sets GOING before it is unlinked"
    ),
    on_off!(
        "sections-can-fail",
        Kernel,
        kernel.sections_can_fail,
        "ce47f7cbbcad (v6.12)",
        "a load fails if sections/ or notes/ cannot be made, after initstate was"
    ),
    on_off!(
        "fails-after-live",
        Kernel,
        kernel.fails_after_live,
        "d1909c022173 (v6.9), ended by 110b1e070f1d (v6.14, stable 6.13.2, 6.12.13)",
        "a load fails after LIVE if its data cannot be made read-only"
    ),
    on_off!(
        "codetag-can-fail",
        Kernel,
        kernel.codetag_can_fail,
        "044d2aee6c57 (v6.16, stable 6.15.4)",
        "a load that codetag_load_module() refuses is torn down and returns 0"
    ),
    on_off!(
        "first-result-counts",
        Kernel,
        kernel.first_result_counts,
        "d258ed8a86bb (v7.3, stable 6.12.110)",
        "of duplicate requests the first result counts, and completes who waits at once"
    ),
    on_off!(
        "codetag-error-counts",
        Kernel,
        kernel.codetag_error_counts,
        "proposed here",
        "a load that codetag_load_module() refuses returns its error"
    ),
    on_off!(
        "load-eexist-is-busy",
        Kernel,
        kernel.load_eexist_is_busy,
        "proposed here",
        "a load that fails with -EEXIST after its name was claimed returns -EBUSY"
    ),
    on_off!(
        "joiners-try-again",
        Kernel,
        kernel.joiners_try_again,
        "proposed here",
        "who has joined a finit_module() begins again when it is done"
    ),
    on_off!(
        "nowait-announces-nothing",
        Kernel,
        kernel.nowait_announces_nothing,
        "proposed here",
        "a request that does not wait announces nothing to duplicates"
    ),
    one_of!("bare-directory", Kmod, kmod.bare_directory:
        "builtin" = BareDirectory::Builtin, "coming" = BareDirectory::Coming;
        "fd44a98ae2eb (v20)", "what a directory without initstate is taken for"),
    one_of!("builtin-index", Kmod, kmod.builtin_index:
        "last-lookup" = BuiltinIndex::LastLookup, "before-sysfs" = BuiltinIndex::BeforeSysfs;
        "fd44a98ae2eb (v20)", "when modules.builtin is asked"),
    one_of!("failed-lookup", Kmod, kmod.failed_lookup:
        "looks-in-sysfs" = FailedLookup::LooksInSysfs, "fails" = FailedLookup::Fails;
        "e2719b32cc5c (v20)", "what becomes of a name that no index knows"),
    on_off!(
        "coming-is-loaded",
        Kmod,
        kmod.coming_is_loaded,
        "ended by 7cd664fbaead (v6)",
        "initstate 'coming' counts as in the kernel"
    ),
    on_off!(
        "unpacks-itself",
        Kmod,
        kmod.unpacks_itself,
        "ended by 09c9f8c5df04 (v31)",
        "a compressed module goes through init_module()"
    ),
    on_off!(
        "builtin-aliases",
        Kmod,
        kmod.builtin_aliases,
        "b866b2165ae6 (v27), a965641625da (v30)",
        "aliases of built-in code are looked up, too"
    ),
    on_off!(
        "exit-17-fails",
        Kmod,
        kmod.exit_17_fails,
        "81dbf2bee644 (v27)",
        "an install command that exits 17 is an error, not 'there already'"
    ),
    on_off!(
        "dependencies-not-builtin",
        Kmod,
        kmod.dependencies_not_builtin,
        "4e391ac92d1b (v30)",
        "a dependency with a file is looked at whatever modules.builtin says"
    ),
    on_off!(
        "removes-listed-dependencies",
        Kmod,
        kmod.removes_listed_dependencies,
        "ea3c8ad (v30)",
        "modprobe -r removes unused ones of the dependencies that modules.dep lists, not those of those"
    ),
    on_off!(
        "looks-before-removing",
        Kmod,
        kmod.looks_before_removing,
        "327c587a0bfe (after v34.2)",
        "modprobe -r looks once more before it removes: what is gone by then is success"
    ),
    one_of!("modprobe", Kmod, kmod.modprobe:
        "kmod" = Program::Kmod, "busybox" = Program::Busybox, "busybox-small" = Program::BusyboxSmall,
        "toybox" = Program::Toybox;
        "busybox 1.35.0, modutils/modprobe.c, modprobe-small.c; toybox 0.8.9, toys/pending/modprobe.c", "which program modprobe is; the other switches are kmod's"),
];

/// Applies `--with NAME`, `--with NAME=VALUE`: sets a switch.
///
/// # Errors
/// An unknown switch or value, with what was expected.
pub fn with(features: &mut Features, setting: &str) -> Result<(), String> {
    let (name, value) = setting.split_once('=').unwrap_or((setting, "on"));
    let switch = find(name)?;
    if switch.set(features, value) {
        return Ok(());
    }
    let values = switch.values.join(", ");
    Err(format!("switch '{name}': found value '{value}', expected one of {values}"))
}

/// Applies `--without NAME`: gives a switch its oldest value.
///
/// # Errors
/// An unknown switch, with what was expected.
pub fn without(features: &mut Features, name: &str) -> Result<(), String> {
    let switch = find(name)?;
    (switch.set)(features, 0);
    Ok(())
}

fn find(name: &str) -> Result<&'static Switch, String> {
    Switch::find(name).ok_or_else(|| {
        let names: Vec<&str> = SWITCHES.iter().map(|s| s.name).collect();
        format!("found switch '{name}', expected one of {}", names.join(", "))
    })
}
