//! What released modprobe binaries do, as it was observed: run as `modprobe -q -- NAME` in a root of
//! its own, with the module system calls answered by the observer. The model's modprobe, in the same
//! state of sysfs and with the same indexes, makes the same calls and exits the same.
//!
//! v19 and the commit before fd44a98ae2eb were seen to behave alike ('old'), and so were fd44a98ae2eb,
//! v20, v30 and v34.2 ('new'). `tools/real-kernel/modprobe-table` asks the modprobe that is installed, or a busybox: Debian's
//! 1.35.0 was seen to do what is here of it, in each of that tool's 40 rows.

use kmodcheck_model::event::Finit;
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{
    Action, Actor, BuiltIn, Helper, Insert, Module, Name, Probe, Resolution, Scenario, Target,
};
use kmodcheck_model::{Event, Model, ModuleState, Pc, Ret, presets};

const OLD: &[&str] = &["v19"];
const NEW: &[&str] = &["v20", "v30", "v34.2"];

/// What is in `/sys/module/NAME/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sysfs {
    Absent,
    Bare,
    /// initstate is empty or says something that no module state is.
    Junk,
    Says(ModuleState),
}
use Sysfs::{Absent, Bare, Junk};
const COMING: Sysfs = Sysfs::Says(ModuleState::Coming);
const GOING: Sysfs = Sysfs::Says(ModuleState::Going);
const LIVE: Sysfs = Sysfs::Says(ModuleState::Live);

/// One observation.
struct Case<'a> {
    /// Name, what sysfs has, what it depends on (by number; modprobe loads in this order).
    modules: &'a [(&'a str, Sysfs)],
    request: &'a str,
    resolution: Resolution,
    listed_builtin: bool,
    builtin: Option<BuiltIn>,
    /// `modprobe -r`.
    removes: bool,
    /// What each `finit_module()` comes to.
    answers: &'a [Finit],
}

/// The calls that modprobe makes, and how it exits; `None`: it does not come to that, because what
/// `delete_module()` returns was not observed.
fn run(case: &Case<'_>, kmod: &str) -> (Vec<String>, Option<Ret>) {
    let modules: Vec<Module> = case
        .modules
        .iter()
        .enumerate()
        .map(|(number, (name, _))| Module {
            name: (*name).to_owned(),
            dependencies: (0..number as u8).collect(),
            listed_builtin: case.listed_builtin,
            ..Module::default()
        })
        .collect();
    let action = if case.removes { Action::ModprobeRemove(0) } else { Action::Modprobe(0) };
    let model = Model::new(
        Scenario {
            name: "observed".to_owned(),
            modules,
            names: vec![Name {
                request: case.request.to_owned(),
                resolution: case.resolution.clone(),
                builtin: case.builtin.clone(),
            }],
            actors: vec![Actor { action, count: 1, killable: false }],
            helper: Helper::Present,
            lsm_refuses: false,
            exec_requests: None,
            patched: Default::default(),
            modprobe_killable: false,
            programs: kmodcheck_model::scenario::Programs::default(),
            asks: Vec::new(),
            limit: None,
            timeouts: false,
            features: Features {
                kernel: presets::kernel("v4.9").unwrap(),
                kmod: presets::kmod(kmod).unwrap(),
            },
        },
        None,
    )
    .unwrap();
    let mut shared = model.initial_shared();
    for (number, (_, sysfs)) in case.modules.iter().enumerate() {
        let (state, files) = match sysfs {
            Absent => continue,
            Bare => (ModuleState::Coming, (true, false)),
            // `show_initstate()` has no word for a module that is not listed.
            Junk => (ModuleState::Absent, (true, true)),
            Sysfs::Says(state) => (*state, (true, true)),
        };
        shared = model.with_module(shared, number as u8, state, files);
    }
    let (kind, mut local) = model.processes()[0];
    let mut calls = Vec::new();
    let mut answers = case.answers.iter();
    let mut again = false;
    for _ in 0..100 {
        let mut outcomes = Vec::new();
        model.step(kind, shared, local, &mut outcomes);
        match model.task(local).pc {
            Pc::AddUnformed => {
                let Event::AddUnformed { module, .. } = outcomes[0].event else { panic!() };
                let name = case.modules[usize::from(module)].0;
                // The observer of busybox sees of init_module() no name.
                calls.push(if again { "init".to_owned() } else { format!("finit {name}") });
                again = false;
                let answer = *answers.next().unwrap_or(&Finit::Loaded);
                local = model.answer_finit(kind, local, answer);
            }
            Pc::DeleteModule => {
                let Event::DeleteModule { module, .. } = outcomes[0].event else { panic!() };
                calls.push(format!("delete {}", case.modules[usize::from(module)].0));
                return (calls, None);
            }
            Pc::InitModule => {
                again = true;
                local = outcomes[0].local;
            }
            Pc::Done => return (calls, Some(model.task(local).ret)),
            _ => {
                // Nothing else runs, so nothing but a system call that is answered above may change.
                assert_eq!(outcomes.len(), 1);
                assert_eq!(outcomes[0].shared, shared);
                local = outcomes[0].local;
            }
        }
    }
    panic!("modprobe does not come to an end: {calls:?}")
}

/// A target whose probe list is all modules, in order, itself last.
fn target(modules: usize) -> Resolution {
    let probe = (0..modules as u8).map(|module| Probe::new(module, true, Insert::Finit)).collect();
    Resolution::Modules(vec![Target { module: modules as u8 - 1, probe, blacklisted: false }])
}

fn expect(case: &Case<'_>, kmods: &[&str], status: u32, calls: &[&str]) {
    for kmod in kmods {
        let wanted = match status {
            0 => Ret::Zero,
            _ => Ret::Status256,
        };
        let what = format!("{} with {:?}, kmod {kmod}", case.request, case.modules);
        assert_eq!(
            run(case, kmod),
            (calls.iter().map(|c| (*c).to_owned()).collect(), Some(wanted)),
            "{what}"
        );
    }
}

fn plain<'a>(modules: &'a [(&'a str, Sysfs)], answers: &'a [Finit]) -> Case<'a> {
    Case {
        modules,
        request: modules.last().unwrap().0,
        resolution: target(modules.len()),
        listed_builtin: false,
        builtin: None,
        removes: false,
        answers,
    }
}

const FINIT: &[&str] = &["finit nls_cp437"];

#[test]
fn not_listed_as_built_in() {
    for (sysfs, old, new) in [
        (Absent, FINIT, FINIT),
        // The row that all is about.
        (Bare, &[][..], FINIT),
        (Junk, FINIT, FINIT),
        (COMING, FINIT, FINIT),
        (GOING, FINIT, FINIT),
        (LIVE, &[][..], &[][..]),
    ] {
        let modules = [("nls_cp437", sysfs)];
        let case = plain(&modules, &[]);
        expect(&case, OLD, 0, old);
        expect(&case, NEW, 0, new);
    }
}

#[test]
fn listed_as_built_in_although_there_is_a_module() {
    for (sysfs, old) in [
        (Absent, FINIT),
        (Junk, FINIT),
        (COMING, FINIT),
        (GOING, FINIT),
        (Bare, &[][..]),
        (LIVE, &[][..]),
    ] {
        let modules = [("nls_cp437", sysfs)];
        let case = Case { listed_builtin: true, ..plain(&modules, &[]) };
        expect(&case, OLD, 0, old);
        expect(&case, NEW, 0, &[]);
    }
}

#[test]
fn listed_as_built_in_without_a_module() {
    let case = Case {
        modules: &[],
        request: "nls_cp437",
        resolution: Resolution::Builtin,
        listed_builtin: false,
        builtin: Some(BuiltIn { name: "nls_cp437".to_owned(), directory: true, driver: false }),
        removes: false,
        answers: &[],
    };
    expect(&case, OLD, 0, &[]);
    expect(&case, NEW, 0, &[]);
}

#[test]
fn dependencies() {
    const BOTH: &[&str] = &["finit fat", "finit vfat"];
    // The dependency has a directory only: v19 skips it, and the module that needs it fails.
    let modules = [("fat", Bare), ("vfat", Absent)];
    expect(&plain(&modules, &[]), OLD, 0, &["finit vfat"]);
    expect(&plain(&modules, &[]), NEW, 0, BOTH);
    for sysfs in [COMING, GOING, Junk] {
        let modules = [("fat", sysfs), ("vfat", Absent)];
        expect(&plain(&modules, &[]), OLD, 0, BOTH);
        expect(&plain(&modules, &[]), NEW, 0, BOTH);
    }
    // Through an alias, the module itself has a directory only: v19 makes no call at all.
    for sysfs in [Absent, Bare] {
        let modules = [("fat", sysfs), ("vfat", Bare)];
        let case = Case { request: "fs-vfat", ..plain(&modules, &[]) };
        expect(&case, OLD, 0, &[]);
        expect(&case, NEW, 0, BOTH);
    }
    let modules = [("fat", Absent), ("vfat", Absent)];
    for kmods in [OLD, NEW] {
        // EEXIST goes on; EBUSY and ENOENT, like any other error, end the list.
        expect(&plain(&modules, &[Finit::Exists]), kmods, 0, BOTH);
        expect(&plain(&modules, &[Finit::Failed]), kmods, 1, &["finit fat"]);
    }
}

#[test]
fn errors_of_finit_module() {
    let modules = [("nls_cp437", Absent)];
    for kmods in [OLD, NEW] {
        expect(&plain(&modules, &[Finit::Exists]), kmods, 0, FINIT);
        // EBUSY, ENOENT, EAGAIN, EINTR, EINVAL, ENOEXEC: no retry.
        expect(&plain(&modules, &[Finit::Failed]), kmods, 1, FINIT);
    }
}

#[test]
fn names_that_the_indexes_do_not_know() {
    let case = |builtin| Case {
        modules: &[],
        request: "unknown",
        resolution: Resolution::NotFound,
        listed_builtin: false,
        builtin,
        removes: false,
        answers: &[],
    };
    expect(&case(None), OLD, 1, &[]);
    expect(&case(None), NEW, 1, &[]);
    // A directory of that name, which the model has of built-in code only.
    let directory = Some(BuiltIn { name: "unknown".to_owned(), directory: true, driver: false });
    expect(&case(directory.clone()), OLD, 0, &[]);
    // From v27 on the index of built-in code's aliases would know such code; the observed directory
    // was nobody's, and v20 and later do not look (above).
    expect(&case(directory), &["v20"], 1, &[]);
}

#[test]
fn removal() {
    for kmods in [OLD, NEW] {
        deletes(kmods, &[LIVE, COMING, GOING]);
    }
    // A directory only: 'is builtin' for v19.
    let modules = [("nls_cp437", Bare)];
    expect(&Case { removes: true, ..plain(&modules, &[]) }, OLD, 1, &[]);
    deletes(NEW, &[Bare]);
}

/// Of a module that is asked for through an alias: blacklisted, and with an `install` command; what is called then. Exit 0.
fn configured(kmods: &[&str], blacklisted: &[&str], command: &[&str]) {
    let modules = [("vfat", Absent)];
    for (is_blacklisted, insert, calls) in
        [(true, Insert::Finit, blacklisted), (false, Insert::NoopCommand, command)]
    {
        let probe = vec![Probe::new(0, true, insert)];
        let target = Target { module: 0, probe, blacklisted: is_blacklisted };
        let resolution = Resolution::Modules(vec![target]);
        let case = Case { request: "fs-vfat", resolution, ..plain(&modules, &[]) };
        expect(&case, kmods, 0, calls);
    }
}

/// Of a name that resolves so, and is no module's: it is an error.
fn no_module(kmods: &[&str], resolution: Resolution) {
    let modules = [("unknown", Absent)];
    let case = Case { modules: &[], request: "unknown", resolution, ..plain(&modules, &[]) };
    expect(&case, kmods, 1, &[]);
}

/// `modprobe -r` of a module in these states is a `delete_module()`.
fn deletes(kmods: &[&str], states: &[Sysfs]) {
    for state in states {
        let modules = [("nls_cp437", *state)];
        let case = Case { removes: true, ..plain(&modules, &[]) };
        for kmod in kmods {
            assert_eq!(run(&case, kmod), (vec!["delete nls_cp437".to_owned()], None), "{kmod}");
        }
    }
}

const BUSYBOX: &[&str] = &["busybox"];

/// busybox looks at /proc/modules, where each state counts, and not at sysfs; after any error of `finit_module()` it calls
/// `init_module()`, of which EEXIST is success.
#[test]
fn what_busybox_does() {
    use Finit::{Exists, Failed, Loaded};
    for (sysfs, calls) in [
        (Absent, FINIT),
        // Nothing of that name is listed, whatever sysfs has.
        (Junk, FINIT),
        (COMING, &[]),
        (GOING, &[]),
        (LIVE, &[]),
    ] {
        expect(&plain(&[("nls_cp437", sysfs)], &[]), BUSYBOX, 0, calls);
    }
    let modules = [("nls_cp437", Absent)];
    const AGAIN: &[&str] = &["finit nls_cp437", "init"];
    for (answers, status) in [
        (&[Exists, Exists][..], 0),
        (&[Failed, Loaded], 0),
        (&[Failed, Exists], 0),
        (&[Exists, Failed], 1),
        (&[Failed, Failed], 1),
    ] {
        expect(&plain(&modules, answers), BUSYBOX, status, AGAIN);
    }
    let listed = Case { listed_builtin: true, ..plain(&modules, &[]) };
    expect(&listed, BUSYBOX, 0, &[]);
    for request in ["vfat", "fs-vfat"] {
        const BOTH: &[&str] = &["finit fat", "finit vfat"];
        let observed = |fat, vfat, answers: &[Finit], status, calls: &[&str]| {
            let modules = [("fat", fat), ("vfat", vfat)];
            expect(&Case { request, ..plain(&modules, answers) }, BUSYBOX, status, calls);
        };
        observed(Absent, Absent, &[], 0, BOTH);
        let calls = ["finit fat", "init", "finit vfat"];
        observed(Absent, Absent, &[Exists, Exists, Loaded], 0, &calls);
        observed(Absent, Absent, &[Failed, Failed], 1, &["finit fat", "init"]);
        for state in [LIVE, COMING, GOING] {
            observed(state, Absent, &[], 0, &["finit vfat"]);
            observed(Absent, state, &[], 0, &[]);
        }
    }
    // A blacklist acts through an alias, and an install command not at all.
    configured(BUSYBOX, &[], &["finit vfat"]);
    no_module(BUSYBOX, Resolution::NotFound);
    let modules = [("nls_cp437", Absent)];
    expect(&Case { removes: true, ..plain(&modules, &[]) }, BUSYBOX, 0, &[]);
    deletes(BUSYBOX, &[LIVE, COMING, GOING]);
}

const SMALL: &[&str] = &["busybox-small"];
const TOYBOX: &[&str] = &["toybox"];

/// busybox's small modprobe looks for one module at a time in /proc/modules, where 'Live' alone is loaded at once; any error of
/// `init_module()` is one, but none of a dependency's.
#[test]
fn what_the_small_busybox_does() {
    use Finit::{Exists, Failed, Loaded};
    const AGAIN: &[&str] = &["finit nls_cp437", "init"];
    for (sysfs, calls) in
        [(Absent, FINIT), (Junk, FINIT), (COMING, FINIT), (GOING, FINIT), (LIVE, &[][..])]
    {
        expect(&plain(&[("nls_cp437", sysfs)], &[]), SMALL, 0, calls);
    }
    let modules = [("nls_cp437", Absent)];
    for (answers, status) in [
        (&[Exists, Exists][..], 1),
        (&[Failed, Loaded], 0),
        (&[Failed, Exists], 1),
        (&[Exists, Failed], 1),
        (&[Failed, Failed], 1),
    ] {
        expect(&plain(&modules, answers), SMALL, status, AGAIN);
    }
    // modules.builtin is not read.
    let listed = Case { listed_builtin: true, ..plain(&modules, &[]) };
    expect(&listed, SMALL, 0, FINIT);
    for request in ["vfat", "fs-vfat"] {
        const BOTH: &[&str] = &["finit fat", "finit vfat"];
        let observed = |fat, vfat, answers: &[Finit], status, calls: &[&str]| {
            let modules = [("fat", fat), ("vfat", vfat)];
            expect(&Case { request, ..plain(&modules, answers) }, SMALL, status, calls);
        };
        observed(Absent, Absent, &[], 0, BOTH);
        let calls = ["finit fat", "init", "finit vfat"];
        observed(Absent, Absent, &[Exists, Exists, Loaded], 0, &calls);
        observed(Absent, Absent, &[Failed, Failed, Loaded], 0, &calls);
        let calls = ["finit fat", "finit vfat", "init"];
        observed(Absent, Absent, &[Loaded, Failed, Failed], 1, &calls);
        observed(LIVE, Absent, &[], 0, &["finit vfat"]);
        observed(COMING, Absent, &[], 0, BOTH);
        // Of the name, and not of a module that an alias stands for, it asks whether it is loaded.
        observed(Absent, LIVE, &[], 0, if request == "vfat" { &[] } else { BOTH });
        observed(Absent, GOING, &[], 0, BOTH);
    }
    configured(SMALL, &["finit vfat"], &["finit vfat"]);
    no_module(SMALL, Resolution::NotFound);
    no_module(SMALL, Resolution::Builtin);
    deletes(SMALL, &[Absent, LIVE, COMING, GOING]);
}

/// toybox reads /proc/modules once, as busybox does, and calls `finit_module()` once.
#[test]
fn what_toybox_does() {
    use Finit::{Exists, Failed};
    for (sysfs, calls) in
        [(Absent, FINIT), (Junk, FINIT), (COMING, &[][..]), (GOING, &[]), (LIVE, &[])]
    {
        expect(&plain(&[("nls_cp437", sysfs)], &[]), TOYBOX, 0, calls);
    }
    let modules = [("nls_cp437", Absent)];
    expect(&plain(&modules, &[Exists]), TOYBOX, 0, FINIT);
    expect(&plain(&modules, &[Failed]), TOYBOX, 1, FINIT);
    let listed = Case { listed_builtin: true, ..plain(&modules, &[]) };
    expect(&listed, TOYBOX, 0, FINIT);
    for request in ["vfat", "fs-vfat"] {
        const BOTH: &[&str] = &["finit fat", "finit vfat"];
        let observed = |fat, vfat, answers: &[Finit], status, calls: &[&str]| {
            let modules = [("fat", fat), ("vfat", vfat)];
            expect(&Case { request, ..plain(&modules, answers) }, TOYBOX, status, calls);
        };
        observed(Absent, Absent, &[], 0, BOTH);
        observed(Absent, Absent, &[Exists], 0, BOTH);
        observed(Absent, Absent, &[Failed], 1, &["finit fat"]);
        for state in [LIVE, COMING, GOING] {
            observed(state, Absent, &[], 0, &["finit vfat"]);
            observed(Absent, state, &[], 0, &[]);
        }
    }
    configured(TOYBOX, &[], &["finit vfat"]);
    // A shell's is not called with -q.
    no_module(TOYBOX, Resolution::NotFound);
    no_module(TOYBOX, Resolution::Builtin);
    let modules = [("nls_cp437", Absent)];
    expect(&Case { removes: true, ..plain(&modules, &[]) }, TOYBOX, 0, &[]);
    deletes(TOYBOX, &[LIVE, COMING, GOING]);
}
