//! The scenarios, and what each value of each switch shows in them.

use kmodcheck_model::Pc;
use kmodcheck_properties::Property;

/// What is looked at.
pub enum Look {
    /// Whether some step is called this, its function included.
    Step(&'static str),
    /// How a property fares.
    Verdict(Property),
    /// Whether somebody goes from the first place to the second in one step.
    Leads(Pc, Pc),
}

use Look::{Leads, Step as Does, Verdict as Says};
use Property::{
    NoFalseFailure, NoFalseSuccess, NoNeedlessUserspace, NobodySleepsForEver,
    UdevFindsItInitialised,
};

/// One switch, in one scenario.
pub struct Case {
    pub switch: &'static str,
    /// A scenario file without its switches.
    pub file: &'static str,
    /// Kernel, kmod, and what is changed in them.
    pub base: (&'static str, &'static str, &'static [&'static str]),
    pub looks: &'static [Look],
    /// By value: for each look `y` or `n` (a step), `H`olds, `V`iolated, `0` (vacuous), `-` (does not
    /// speak of it).
    pub shows: &'static [(&'static str, &'static str)],
}

/// A scenario file of one module with these keys, and so many requests of it.
macro_rules! driver {
    ($keys:literal, $requests:literal) => {
        concat!(
            "[[module]]\nname = 'driver'\n",
            $keys,
            "[[actor]]\ncall = 'request_module'\nname = 'driver'\ncount = ",
            $requests,
            "\n"
        )
    };
}

const TWO_MOUNTS_MAY_FAIL: &str = "
[[module]]
name = 'ext4'
aliases = ['fs-ext4']
init = 'may-fail'
[[actor]]
call = 'get_fs_type'
name = 'ext4'
count = 2
";

const TWO_MOUNTS_OF_EXT3: &str = "
[[module]]
name = 'ext4'
aliases = ['fs-ext3']
[[actor]]
call = 'get_fs_type'
name = 'ext3'
count = 2
";

/// Its dependency is in modules.builtin, too.
const LISTED_DEPENDENCY: &str = "
[[module]]
name = 'driver'
dependencies = ['lib']
[[module]]
name = 'lib'
listed-builtin = true
[[actor]]
call = 'request_module'
name = 'driver'
";

const TWO_REQUESTS: &str = driver!("", 2);

const TWO_REQUESTS_AND_KILLERS: &str = "
[environment]
modprobe-killable = true
[[module]]
name = 'driver'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

pub const TWO_REQUESTS_AND_RMMOD: &str = "
[[module]]
name = 'driver'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
[[actor]]
call = 'rmmod'
name = 'driver'
";

const THREE_REQUESTS_ONE_SLOT: &str = "
[environment]
limit = 1
[[module]]
name = 'driver'
[[actor]]
call = 'request_module'
name = 'driver'
count = 3
";

const EMPTY_PATH: &str = "
[environment]
helper = 'empty-path'
[[module]]
name = 'driver'
[[actor]]
call = 'request_module'
name = 'driver'
";

pub const SYSFS_FAILS: &str = driver!("sysfs-may-fail = true\n", 2);

const UDEV: &str = "
[[module]]
name = 'driver'
[[actor]]
call = 'request_module'
name = 'driver'
[[actor]]
call = 'udev'
name = 'driver'
";

const INIT_EEXIST: &str = driver!("init = 'may-return-eexist'\n", 1);

const LISTED_BUILTIN: &str = driver!("listed-builtin = true\n", 1);

pub const UNLISTED_BUILT_IN: &str = "
[[module]]
name = 'code'
built-in = true
listed-builtin = false
parameters = true
[[actor]]
call = 'request_module'
name = 'code'
";

const COMPRESSED: &str = driver!("compressed = true\n", 2);

const ALIAS_OF_BUILT_IN: &str = "
[[module]]
name = 'code'
built-in = true
aliases = ['x']
[[actor]]
call = 'request_module'
name = 'x'
";

const LINKS_FAIL: &str = driver!("fails-at = 'usage-links'\nfails-with = 'another error'\n", 2);

const NOTIFIER_SAYS_EEXIST: &str =
    driver!("fails-at = 'coming-notifier'\nfails-with = '-EEXIST'\n", 2);

const NOTIFIER_FAILS: &str =
    driver!("fails-at = 'coming-notifier'\nfails-with = 'another error'\n", 2);

const SECTIONS_SAY_EEXIST: &str = driver!("fails-at = 'sections'\nfails-with = '-EEXIST'\n", 2);

const CODETAG_REFUSES: &str = driver!("fails-at = 'codetag'\nfails-with = 'another error'\n", 2);

/// An asynchronous function that an init has scheduled requests a module.
const ASYNC_REQUESTS: &str = r#"
shared = '''
void probe(int disk)
{
    request_module("iosched");
}
'''
[[module]]
name = 'driver'
init = '''
    async_schedule(probe, 0);
    return 0;
'''
[[module]]
name = 'iosched'
[[actor]]
call = 'modprobe'
name = 'driver'
"#;

/// Each needs the one after it.
const REMOVES_WITH_DEPENDENCIES: &str = "
[[module]]
name = 'driver'
dependencies = ['near']
[[module]]
name = 'near'
dependencies = ['far']
[[module]]
name = 'far'
[[actor]]
name = 'shell'
program = '''
    modprobe(\"driver\");
    modprobe_remove(\"driver\");
'''
";

const TWO_REMOVE: &str = "
[[module]]
name = 'driver'
[[actor]]
call = 'modprobe'
name = 'driver'
[[actor]]
call = 'modprobe -r'
name = 'driver'
count = 2
";

const READ_ONLY_FAILS: &str = driver!("fails-at = 'read-only'\nfails-with = 'another error'\n", 2);

const NOWAIT_AND_DUPLICATES: &str = "
[[module]]
name = 'driver'
[[actor]]
call = 'request_module_nowait'
name = 'driver'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

const EXITS_17: &str = driver!("install = 'exit 17'\n", 1);

const NAME_TAKEN_WHILE_BOOTING: &str = "
[[module]]
name = 'driver'
name-taken = true
[[actor]]
call = 'request_module'
name = 'driver'
[[actor]]
call = 'udev'
name = 'driver'
[[actor]]
call = 'late_initcalls'
";

/// In no modules.builtin, and without parameters.
const BUILT_IN_DRIVER: &str =
    driver!("built-in = true\nlisted-builtin = false\ndriver = true\n", 1);

pub const CASES: &[Case] = &[
    Case {
        switch: "sanity-check",
        file: TWO_MOUNTS_MAY_FAIL,
        base: ("v4.9", "v19", &["alias-map=exact"]),
        looks: &[
            Says(NoFalseSuccess),
            Does("returns NULL; warns"),
            Does("kmod_exists(ext4)"),
            Does("sanity check (RFC): ext4 on the list: absent: accepted"),
            Does("sanity check (RFC): ext4 on the list: absent: rejected"),
            Does("sanity check (RFC): finished_loading(ext4): COMING: sleeps"),
        ],
        shows: &[
            ("none", "Vnnnnn"),
            ("warn-only", "Vynnnn"),
            ("author-tree", "Vnynyy"),
            ("author-mail", "Vnyyny"),
            ("verify", "Vnnynn"),
            ("wait-and-verify", "Vnnyny"),
            ("exact-builtin", "Hnnnyn"),
        ],
    },
    Case {
        switch: "alias-map",
        file: TWO_MOUNTS_OF_EXT3,
        base: ("v4.9", "v19", &["sanity-check=verify"]),
        looks: &[
            Says(NoFalseSuccess),
            Does("sanity check (RFC): fs-ext3 on the list"),
            Does("sanity check (RFC): ext3 on the list"),
            Does("sanity check (RFC): ext4 on the list"),
        ],
        shows: &[("none", "Vynn"), ("prefix", "Vnyn"), ("exact", "Hnny")],
    },
    Case {
        switch: "already-live",
        file: TWO_REQUESTS,
        base: ("v4.9", "v20", &[]),
        looks: &[Says(NoNeedlessUserspace), Does("driver on the list: LIVE")],
        shows: &[("off", "-n"), ("on", "Hy")],
    },
    Case {
        switch: "listed-name",
        file: TWO_REQUESTS_AND_RMMOD,
        base: ("v4.9", "v20", &[]),
        looks: &[
            Says(NoFalseSuccess),
            Says(NobodySleepsForEver),
            Does("add_unformed_module: driver is GOING: -EEXIST"),
            Does("add_unformed_module: driver is GOING: has to wait"),
            Does("add_unformed_module: driver is GOING: -EBUSY"),
        ],
        // What it does about GOING wakes nobody: whoever waits beside an rmmod may sleep for ever.
        shows: &[("going-exists", "VVynn"), ("waits-for-going", "HVnyn"), ("waits-once", "HVnny")],
    },
    Case {
        switch: "delete-module-wakes",
        file: TWO_REQUESTS_AND_RMMOD,
        base: ("v5.3", "v20", &[]),
        looks: &[
            Says(NobodySleepsForEver),
            Says(NoFalseSuccess),
            Does("add_unformed_module: driver is GOING: has to wait"),
            Does("delete_module: wake_up_all; driver is unloaded"),
        ],
        shows: &[("off", "VHyn"), ("on", "HHyy")],
    },
    Case {
        switch: "request-limit",
        file: THREE_REQUESTS_ONE_SLOT,
        base: ("v4.9", "v20", &[]),
        looks: &[
            Does("__request_module: returns -ENOMEM"),
            Does("wake_up(&kmod_wq)"),
            Does("hands its slot to a waiter"),
        ],
        shows: &[("fails-at-once", "ynn"), ("all-waiters-race", "nyn"), ("semaphore", "nny")],
    },
    Case {
        switch: "empty-path-fails",
        file: EMPTY_PATH,
        base: ("v4.9", "v20", &[]),
        looks: &[Says(NoFalseSuccess), Does("__request_module: returns -ENOENT")],
        shows: &[("off", "Vn"), ("on", "0y")],
    },
    Case {
        switch: "failure-sets-going",
        file: SYSFS_FAILS,
        base: ("v4.9", "v20", &[]),
        // v4.9's -EEXIST for GOING is what makes it matter.
        looks: &[Says(NoFalseSuccess), Does("driver failed to load: GOING")],
        shows: &[("off", "Hn"), ("on", "Vy")],
    },
    Case {
        switch: "uevent-after-init",
        file: UDEV,
        base: ("v4.9", "v20", &[]),
        looks: &[Says(UdevFindsItInitialised)],
        shows: &[("off", "V"), ("on", "H")],
    },
    Case {
        switch: "early-mod-check",
        file: TWO_REQUESTS,
        base: ("v6.2", "v20", &[]),
        looks: &[Does("early_mod_check: driver is not listed")],
        shows: &[("off", "n"), ("on", "y")],
    },
    Case {
        switch: "idempotent-finit",
        file: TWO_REQUESTS,
        base: ("v6.2", "v20", &[]),
        looks: &[Does("finit_module(driver) runs already: joins it")],
        shows: &[("off", "n"), ("on", "y")],
    },
    Case {
        switch: "duplicate-requests",
        file: TWO_REQUESTS_AND_RMMOD,
        base: ("v6.2", "v20", &[]),
        looks: &[Says(NoFalseSuccess), Does("the first request's result: 0")],
        shows: &[("off", "Hn"), ("on", "Vy")],
    },
    Case {
        switch: "eexist-safety-net",
        file: INIT_EEXIST,
        base: ("v6.2", "v20", &[]),
        looks: &[Says(NoFalseSuccess), Does("driver's init returns -EEXIST")],
        shows: &[("off", "Vy"), ("on", "Hy")],
    },
    Case {
        switch: "exclusive-finit",
        file: TWO_REQUESTS,
        base: ("v6.2", "v20", &[]),
        looks: &[
            Says(NoFalseFailure),
            Does("finit_module(driver): another loads the file, -ETXTBSY"),
        ],
        shows: &[("off", "Hn"), ("on", "Vy")],
    },
    Case {
        switch: "join-interruptible",
        file: TWO_REQUESTS_AND_KILLERS,
        base: ("v6.5", "v20", &[]),
        looks: &[Does("ends the wait")],
        shows: &[("off", "n"), ("on", "y")],
    },
    Case {
        switch: "undo-removes-attributes",
        file: LINKS_FAIL,
        base: ("v4.9", "v20", &[]),
        looks: &[Does("driver/initstate disappears"), Does("/sys/module/driver disappears")],
        shows: &[("off", "ny"), ("on", "yy")],
    },
    Case {
        switch: "notifier-can-fail",
        file: NOTIFIER_SAYS_EEXIST,
        base: ("v5.7", "v20", &[]),
        looks: &[Says(NoFalseSuccess), Does("prepare_coming_module: driver: -EEXIST")],
        shows: &[("off", "Hn"), ("on", "Vy")],
    },
    // v4.9's -EEXIST for GOING is what makes it matter.
    Case {
        switch: "notifier-failure-sets-going",
        file: NOTIFIER_FAILS,
        base: ("v4.9", "v20", &["notifier-can-fail"]),
        looks: &[Says(NoFalseSuccess), Does("driver failed to load: GOING")],
        shows: &[("off", "Hn"), ("on", "Vy")],
    },
    Case {
        switch: "sections-can-fail",
        file: SECTIONS_SAY_EEXIST,
        base: ("v6.11", "v20", &[]),
        looks: &[Says(NoFalseSuccess), Does("add_sect_attrs: driver: -EEXIST")],
        shows: &[("off", "Hn"), ("on", "Vy")],
    },
    Case {
        switch: "waits-for-all-async",
        file: ASYNC_REQUESTS,
        base: ("v5.11", "v30", &[]),
        looks: &[Says(NobodySleepsForEver), Does("nothing asynchronous is scheduled")],
        shows: &[("off", "Hy"), ("on", "Vn")],
    },
    Case {
        switch: "late-builtin-directories",
        file: NAME_TAKEN_WHILE_BOOTING,
        base: ("v5.17", "v20", &[]),
        // Where it is early, the name is taken: nothing is ever loaded.
        looks: &[
            Says(UdevFindsItInitialised),
            Leads(Pc::LateInitcalls, Pc::LateInitcalls),
            Does("mod_sysfs_init: /sys/module/driver appears"),
            Does("mod_sysfs_init: /sys/module/driver is taken: -EINVAL"),
        ],
        shows: &[("off", "0nny"), ("on", "Vyyy")],
    },
    Case {
        switch: "driver-directories",
        file: BUILT_IN_DRIVER,
        base: ("v6.12", "v19", &[]),
        // A failure for a name that no index has is none of those that are false.
        looks: &[Says(NoFalseFailure), Does("modprobe: stat /sys/module/driver: exists")],
        shows: &[("off", "Hn"), ("on", "Hy")],
    },
    Case {
        switch: "fails-after-live",
        file: READ_ONLY_FAILS,
        base: ("v6.5", "v20", &[]),
        looks: &[
            Says(NoFalseSuccess),
            Does("module_enable_rodata_ro: driver: an error"),
            Does("do_init_module: driver is GOING"),
        ],
        shows: &[("off", "Hnn"), ("on", "Hyy")],
    },
    Case {
        switch: "codetag-can-fail",
        file: CODETAG_REFUSES,
        base: ("v6.12", "v20", &[]),
        looks: &[Says(NoFalseSuccess), Does("codetag_load_module: driver: an error")],
        shows: &[("off", "Hn"), ("on", "Vy")],
    },
    Case {
        switch: "first-result-counts",
        file: NOWAIT_AND_DUPLICATES,
        base: ("v6.5+dup", "v20", &[]),
        looks: &[Does("complete_all for"), Does("no entry that waits for a result")],
        shows: &[("off", "yn"), ("on", "ny")],
    },
    Case {
        switch: "codetag-error-counts",
        file: CODETAG_REFUSES,
        base: ("v6.16", "v20", &[]),
        looks: &[Says(NoFalseSuccess)],
        shows: &[("off", "V"), ("on", "H")],
    },
    Case {
        switch: "load-eexist-is-busy",
        file: SECTIONS_SAY_EEXIST,
        base: ("v6.12", "v20", &[]),
        looks: &[Says(NoFalseSuccess)],
        shows: &[("off", "V"), ("on", "H")],
    },
    Case {
        switch: "joiners-try-again",
        file: TWO_REQUESTS_AND_RMMOD,
        base: ("v6.5", "v20", &[]),
        looks: &[Says(NoFalseSuccess), Does("finit_module(driver) runs already: joins it")],
        shows: &[("off", "Vy"), ("on", "Hy")],
    },
    Case {
        switch: "nowait-announces-nothing",
        file: NOWAIT_AND_DUPLICATES,
        base: ("v6.5+dup", "v20", &[]),
        looks: &[Says(NoFalseSuccess)],
        shows: &[("off", "V"), ("on", "H")],
    },
    Case {
        switch: "bare-directory",
        file: TWO_REQUESTS,
        base: ("v4.9", "v19", &[]),
        looks: &[Says(NoFalseSuccess)],
        shows: &[("builtin", "V"), ("coming", "H")],
    },
    Case {
        switch: "builtin-index",
        file: LISTED_BUILTIN,
        base: ("v4.9", "v19", &[]),
        looks: &[Says(NoFalseSuccess), Does("open driver/initstate")],
        shows: &[("last-lookup", "Hy"), ("before-sysfs", "Vn")],
    },
    Case {
        switch: "failed-lookup",
        file: UNLISTED_BUILT_IN,
        base: ("v4.9", "v19", &[]),
        looks: &[Says(NoFalseSuccess), Does("stat /sys/module/code: exists")],
        shows: &[("looks-in-sysfs", "Hy"), ("fails", "0n")],
    },
    Case {
        switch: "coming-is-loaded",
        file: TWO_REQUESTS,
        base: ("v4.9", "v20", &[]),
        looks: &[Says(NoFalseSuccess)],
        shows: &[("off", "H"), ("on", "V")],
    },
    Case {
        switch: "unpacks-itself",
        file: COMPRESSED,
        base: ("v6.5", "v20", &[]),
        looks: &[Does("finit_module(driver) runs already: joins it")],
        shows: &[("off", "y"), ("on", "n")],
    },
    Case {
        switch: "exit-17-fails",
        file: EXITS_17,
        base: ("v6.2", "v20", &[]),
        looks: &[Says(NoFalseSuccess), Does("__request_module: returns 256")],
        shows: &[("off", "Vn"), ("on", "0y")],
    },
    Case {
        switch: "dependencies-not-builtin",
        file: LISTED_DEPENDENCY,
        base: ("v6.2", "v20", &[]),
        looks: &[Does("modprobe: open lib/initstate: ENOENT")],
        shows: &[("off", "n"), ("on", "y")],
    },
    Case {
        switch: "modprobe",
        file: TWO_REQUESTS,
        base: ("v6.2", "v34.2", &[]),
        looks: &[
            Says(NoFalseSuccess),
            Does("modprobe: read /proc/modules: driver"),
            Does("tries init_module(driver)"),
        ],
        shows: &[("kmod", "Hnn"), ("busybox", "Vyy"), ("busybox-small", "Hyy"), ("toybox", "Vyn")],
    },
    Case {
        switch: "removes-listed-dependencies",
        file: REMOVES_WITH_DEPENDENCIES,
        base: ("v6.2", "v20", &[]),
        looks: &[Does("delete_module: near is GOING"), Does("delete_module: far is GOING")],
        shows: &[("off", "yy"), ("on", "yn")],
    },
    Case {
        switch: "looks-before-removing",
        file: TWO_REMOVE,
        base: ("v6.2", "v34.2", &[]),
        looks: &[Leads(Pc::RefcntRead, Pc::DeleteModule), Leads(Pc::RefcntRead, Pc::RefcntOpen)],
        shows: &[("off", "yn"), ("on", "yy")],
    },
    Case {
        switch: "builtin-aliases",
        file: ALIAS_OF_BUILT_IN,
        base: ("v4.9", "v20", &[]),
        looks: &[Says(NoFalseSuccess)],
        shows: &[("off", "0"), ("on", "H")],
    },
];
