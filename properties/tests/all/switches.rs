//! Each switch changes what it says it changes: a scenario in which each of its values shows otherwise.
//! What each value shows was written down before it was run.

use std::collections::BTreeSet;

use kmodcheck_explore::{Asks, Monitor, Tally};
use kmodcheck_explore::{Options, Step, explore};
use kmodcheck_model::presets::{KERNELS, SWITCHES};
use kmodcheck_model::{Event, Model, Pc};
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::Processes;
use kmodcheck_sim::scenario_file::{self, Change, Choice};

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
const BUILT_IN_DRIVER: &str = "
[[module]]
name = 'driver'
built-in = true
listed-builtin = false
driver = true
[[actor]]
call = 'request_module'
name = 'driver'
";

/// What is looked at.
enum Look {
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
struct Case {
    switch: &'static str,
    /// A scenario file without its switches.
    file: &'static str,
    /// Kernel, kmod, and what is changed in them.
    base: (&'static str, &'static str, &'static [&'static str]),
    looks: &'static [Look],
    /// By value: for each look `y` or `n` (a step), `H`olds, `V`iolated, `0` (vacuous), `-` (does not
    /// speak of it).
    shows: &'static [(&'static str, &'static str)],
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

const TWO_REQUESTS: &str = "
[[module]]
name = 'driver'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

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

const TWO_REQUESTS_AND_RMMOD: &str = "
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

const SYSFS_FAILS: &str = "
[[module]]
name = 'driver'
sysfs-may-fail = true
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

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

const INIT_EEXIST: &str = "
[[module]]
name = 'driver'
init = 'may-return-eexist'
[[actor]]
call = 'request_module'
name = 'driver'
";

const LISTED_BUILTIN: &str = "
[[module]]
name = 'driver'
listed-builtin = true
[[actor]]
call = 'request_module'
name = 'driver'
";

const UNLISTED_BUILT_IN: &str = "
[[module]]
name = 'code'
built-in = true
listed-builtin = false
parameters = true
[[actor]]
call = 'request_module'
name = 'code'
";

const COMPRESSED: &str = "
[[module]]
name = 'driver'
compressed = true
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

const ALIAS_OF_BUILT_IN: &str = "
[[module]]
name = 'code'
built-in = true
aliases = ['x']
[[actor]]
call = 'request_module'
name = 'x'
";

const LINKS_FAIL: &str = "
[[module]]
name = 'driver'
fails-at = 'usage-links'
fails-with = 'another error'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

const NOTIFIER_SAYS_EEXIST: &str = "
[[module]]
name = 'driver'
fails-at = 'coming-notifier'
fails-with = '-EEXIST'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

const NOTIFIER_FAILS: &str = "
[[module]]
name = 'driver'
fails-at = 'coming-notifier'
fails-with = 'another error'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

const SECTIONS_SAY_EEXIST: &str = "
[[module]]
name = 'driver'
fails-at = 'sections'
fails-with = '-EEXIST'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

const CODETAG_REFUSES: &str = "
[[module]]
name = 'driver'
fails-at = 'codetag'
fails-with = 'another error'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

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

const READ_ONLY_FAILS: &str = "
[[module]]
name = 'driver'
fails-at = 'read-only'
fails-with = 'another error'
[[actor]]
call = 'request_module'
name = 'driver'
count = 2
";

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

const EXITS_17: &str = "
[[module]]
name = 'driver'
install = 'exit 17'
[[actor]]
call = 'request_module'
name = 'driver'
";

const CASES: &[Case] = &[
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

/// The name of each step.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Tally for Names {
    fn add(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

struct Listens<'m>(&'m Model);

impl Monitor<Event> for Listens<'_> {
    type Tally = Names;
    const ASKS: Asks = Asks::Steps;

    fn record_step(&self, names: &mut Names, step: &Step<Event>, _: u64, _: u64) {
        let what = step.label.describe(self.0.scenario());
        names.0.insert(format!("{}: {what}", step.label.function()));
        let place = |local| self.0.task(local).pc;
        names.0.insert(format!("{:?} to {:?}", place(step.local_before), place(step.local_after)));
    }
}

fn model(file: &str, base: (&str, &str, &[&str]), change: Option<String>) -> Model {
    let mut scenario = scenario_file::load("a case", file, &[]).unwrap().scenario;
    let base_changes = base.2.iter().map(|c| (*c).to_owned());
    scenario.features = Choice {
        kernel: base.0.to_owned(),
        kmod: base.1.to_owned(),
        changes: base_changes.chain(change).map(Change::With).collect(),
    }
    .features()
    .unwrap();
    Model::new(scenario, None).unwrap()
}

fn steps(model: &Model) -> BTreeSet<String> {
    let options = Options { symmetry: true, ..Options::default() };
    explore(&Processes { model }, &Listens(model), &options).unwrap().tally.0
}

fn shown(case: &Case, value: &str) -> String {
    let model = model(case.file, case.base, Some(format!("{}={value}", case.switch)));
    let report = check_all(&model, &Options { symmetry: true, ..Options::default() }).unwrap();
    let steps = steps(&model);
    let look = |look: &Look| match look {
        Does(what) if steps.iter().any(|step| step.contains(what)) => 'y',
        Does(_) => 'n',
        Leads(from, to) => match steps.contains(&format!("{from:?} to {to:?}")) {
            true => 'y',
            false => 'n',
        },
        Says(property) => match report.answer(*property).verdict {
            Verdict::Holds { premise_met: true } => 'H',
            Verdict::Holds { premise_met: false } => '0',
            Verdict::Violated(_) => 'V',
            Verdict::NotApplicable => '-',
            Verdict::OutOfBudget | Verdict::NoneFound | Verdict::NotAsked => {
                unreachable!("no search is bounded")
            }
        },
    };
    case.looks.iter().map(look).collect()
}

#[test]
fn each_value_of_each_switch_shows() {
    let mut wrong = Vec::new();
    for case in CASES {
        for (value, expected) in case.shows {
            let found = shown(case, value);
            if found != *expected {
                wrong.push(format!("{}={value}: {found}, expected {expected}", case.switch));
            }
        }
        let distinct: BTreeSet<&str> = case.shows.iter().map(|(_, shows)| *shows).collect();
        assert_eq!(distinct.len(), case.shows.len(), "{}: two values show alike", case.switch);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_switch_and_no_value_is_left_out() {
    for switch in SWITCHES {
        let case = CASES.iter().find(|case| case.switch == switch.name);
        let case = case.unwrap_or_else(|| panic!("no case for {}", switch.name));
        let values: Vec<&str> = case.shows.iter().map(|(value, _)| *value).collect();
        assert_eq!(values, switch.values, "{}", switch.name);
    }
    assert_eq!(CASES.len(), SWITCHES.len());
}

/// docs/sources.md says of each switch what was read where, and of each commit that it names.
#[test]
fn each_switch_says_what_was_read() {
    let page = include_str!("../../../docs/sources.md");
    for switch in SWITCHES {
        let begin = format!("\n| `{}` |", switch.name);
        let rows =
            page.split_once(&begin).unwrap_or_else(|| panic!("no row for {}", switch.name)).1;
        // Further rows of the same switch have an empty first cell.
        let rows: Vec<&str> = rows
            .lines()
            .enumerate()
            .take_while(|(number, line)| *number == 0 || line.starts_with("| | "))
            .map(|(_, line)| line)
            .collect();
        let commits =
            switch.commit.split(|c: char| !c.is_ascii_hexdigit()).filter(|c| c.len() == 12);
        for commit in commits {
            assert!(rows.iter().any(|row| row.contains(commit)), "{}: no {commit}", switch.name);
        }
        for row in rows {
            let read = row.split('|').rev().nth(2).unwrap_or_default().trim();
            let known = ["diff", "diff of its successor", "source", "mail"];
            assert!(
                known.contains(&read),
                "{}: found read '{read}', expected {known:?}",
                switch.name
            );
        }
    }
}

/// The kernel presets, readings of the RFC aside, that violate a property with kmod v20.
fn violated_in(file: &str, property: Property) -> Vec<&'static str> {
    let violated = |kernel: &&str| {
        let model = model(file, (kernel, "v20", &[]), None);
        let report = check_all(&model, &Options { symmetry: true, ..Options::default() }).unwrap();
        matches!(report.answer(property).verdict, Verdict::Violated(_))
    };
    KERNELS.into_iter().filter(|kernel| !kernel.contains("v4.9+")).filter(violated).collect()
}

/// 6e6de3dee51a (v5.3) waits for a module that is being unloaded; only 5d603311615f (v5.5) wakes who does.
#[test]
fn from_v5_5_on_nobody_sleeps_for_ever_beside_an_rmmod() {
    let violated = violated_in(TWO_REQUESTS_AND_RMMOD, NobodySleepsForEver);
    assert_eq!(violated, ["v4.9", "v4.13", "v5.3"]);
}

/// A failed `mod_sysfs_setup()` shows GOING from 885a78d4a5b3 (v4.10) on, which is -EEXIST, so success for
/// kmod, until 6e6de3dee51a (v5.3).
#[test]
fn between_v4_10_and_v5_3_a_failed_sysfs_set_up_is_taken_for_success() {
    let violated = violated_in(SYSFS_FAILS, NoFalseSuccess);
    assert_eq!(violated, ["v4.13"]);
}

/// An alias line of built-in code comes from the same list as `modules.builtin`, and its own name is no
/// alias: kmod v27 on does not know code that is not listed.
#[test]
fn unlisted_built_in_code_is_not_its_own_alias() {
    for (kmod, vacuous) in [("v19", false), ("v20", true), ("v30", true), ("v34.2", true)] {
        let model = model(UNLISTED_BUILT_IN, ("v6.2", kmod, &[]), None);
        let report = check_all(&model, &Options::default()).unwrap();
        let verdict = &report.answer(NoFalseSuccess).verdict;
        assert_eq!(*verdict, Verdict::Holds { premise_met: !vacuous }, "{kmod}");
    }
}

/// Whether both modules of `RIVALS` are registered at once.
struct BothRegistered<'m>(&'m Model);

impl Monitor<Event> for BothRegistered<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        u64::from((0..2).all(|module| self.0.registered(step.after, module)))
    }
}

/// `register_filesystem()` refuses a name that is registered, whoever loads the second module and under
/// whatever name.
#[test]
fn one_file_system_is_registered_once() {
    let rivals = "
        [[module]]
        name = 'left'
        aliases = ['fs-x']
        [[module]]
        name = 'right'
        aliases = ['fs-x']
        [[actor]]
        call = 'modprobe'
        name = 'left'
        [[actor]]
        call = 'modprobe'
        name = 'right'
        [[actor]]
        call = 'get_fs_type'
        name = 'x'
    ";
    let model = model(rivals, ("v6.2", "v20", &[]), None);
    let processes = Processes { model: &model };
    let found = explore(&processes, &BothRegistered(&model), &Options::default()).unwrap();
    assert!(found.violations.is_empty());
    let steps = steps(&model);
    for expected in ["left's init fails", "right's init fails"] {
        assert!(steps.iter().any(|step| step.contains(expected)), "{expected}");
    }
}

/// docs/sources.md and the table of releases name the same stable releases of a commit; of one that is older than v4.9 the
/// table says nothing, and of one that was seen as a candidate only the page does not.
#[test]
fn the_page_and_the_table_of_releases_agree() {
    use kmodcheck_model::presets::Side;
    use kmodcheck_model::releases::COMMITS;
    let page = include_str!("../../../docs/sources.md");
    let mut compared = 0;
    for commit in COMMITS.iter().filter(|c| c.side == Side::Kernel && !c.sets.is_empty()) {
        let row = page.lines().find(|line| {
            line.starts_with('|')
                && line.split('|').nth(2).is_some_and(|cell| cell.contains(commit.id))
        });
        let row = row.unwrap_or_else(|| panic!("no row for {}", commit.id));
        let cell = row.split('|').nth(3).unwrap();
        let words = cell.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let mut told: Vec<[u32; 3]> = words
            .filter_map(|word| {
                let numbers: Vec<u32> =
                    word.split('.').map(|n| n.parse().ok()).collect::<Option<_>>()?;
                <[u32; 3]>::try_from(numbers).ok()
            })
            .filter(|of| [of[0], of[1]] >= [4, 9])
            .collect();
        let mut known = commit.stable.to_vec();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known, "{}: the page, the table", commit.id);
        let mainline = format!("v{}.{}", commit.since[0], commit.since[1]);
        assert!(cell.contains(&mainline), "{}: {cell}", commit.id);
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}
