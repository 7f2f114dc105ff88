//! The race itself, on v4.9: how short it is, and its shape.

use kmodcheck_explore::Options;
use kmodcheck_explore::TraceStep;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_model::{Event, Mutant, Pc};
use kmodcheck_properties::matrix::{Cell, Kmod};
use kmodcheck_properties::verdict::{Trace, Unconfirmed, confirm};
use kmodcheck_properties::{Property, Report, Verdict, check};

const RACE: Cell = Cell {
    naming: Naming::FsAndModule,
    environment: Environment::Ok,
    kmod: Kmod::V19,
    check: SanityCheck::None,
    map: AliasMap::None,
};

fn explored(cell: Cell) -> Report {
    check(&cell.model(2, None), &Options::default()).unwrap()
}

fn violation(report: &Report, property: Property) -> &Trace {
    match &report.answer(property).verdict {
        Verdict::Violated(trace) => trace,
        other => panic!("{property:?}: {other:?}"),
    }
}

/// The steps as a reader sees them: who, in which function, what.
fn shown(cell: Cell, trace: &Trace) -> Vec<(usize, &'static str, String)> {
    let model = cell.model(2, None);
    trace
        .iter()
        .map(|step| {
            let words = step.label.describe(model.scenario()).to_string();
            (step.actor, step.label.function(), words)
        })
        .collect()
}

#[test]
fn get_fs_type_returns_null_while_the_module_loads() {
    let trace = violation(&explored(RACE), Property::GetFsTypeFindsIt).clone();
    let expected = [
        (0, "caller", "get_fs_type(\"ext4\")"),
        (0, "__get_fs_type", "no such file system yet"),
        (0, "__request_module", "\"fs-ext4\" is requested"),
        (0, "call_usermodehelper_exec_async", "execs modprobe -q -- fs-ext4"),
        // The look before anything else, and the one in the probe list.
        (0, "modprobe", "open ext4/initstate: ENOENT"),
        (0, "modprobe", "stat /sys/module/ext4: ENOENT"),
        (0, "modprobe", "open ext4/initstate: ENOENT"),
        (0, "modprobe", "stat /sys/module/ext4: ENOENT"),
        (0, "add_unformed_module", "ext4 listed, UNFORMED"),
        (0, "complete_formation", "ext4 is COMING"),
        (0, "mod_sysfs_init", "/sys/module/ext4 appears"),
        // The window: the directory is there and initstate is not.
        (1, "caller", "get_fs_type(\"ext4\")"),
        (1, "__get_fs_type", "no such file system yet"),
        (1, "__request_module", "\"fs-ext4\" is requested"),
        (1, "call_usermodehelper_exec_async", "execs modprobe -q -- fs-ext4"),
        (1, "modprobe", "open ext4/initstate: ENOENT"),
        (1, "modprobe", "stat /sys/module/ext4: exists: 'built in'"),
        (1, "modprobe", "exits 0"),
        (1, "call_usermodehelper_exec", "returns 0"),
        (1, "__request_module", "returns 0"),
        (1, "__get_fs_type", "no file system: returns NULL"),
    ];
    let found = shown(RACE, &trace);
    let found: Vec<_> = found.iter().map(|(actor, f, w)| (*actor, *f, w.as_str())).collect();
    assert_eq!(found, expected);
}

/// Each property is violated at its own moment of the same story.
#[test]
fn shortest_traces_with_kmod_v19() {
    for (naming, truth) in
        [(Naming::Plain, 16), (Naming::FsAndModule, 18), (Naming::FsAndOther, 18)]
    {
        // Without the shortcut. A plain request has no look-up before it.
        let cell = Cell { naming, ..RACE };
        let report = explored(cell);
        let steps = |property| violation(&report, property).len();
        assert_eq!(steps(Property::ModprobeTellsTheTruth), truth, "{naming:?}");
        // Then the helper returns, then the request.
        assert_eq!(steps(Property::NoFalseSuccess), truth + 2, "{naming:?}");
        assert_eq!(steps(Property::NoFalseSuccessStrong), truth + 2, "{naming:?}");
        assert_eq!(steps(Property::TheCheckCatchesIt), truth + 2, "{naming:?}");
        if naming != Naming::Plain {
            assert_eq!(steps(Property::GetFsTypeFindsIt), truth + 3, "{naming:?}");
        }
    }
}

#[test]
fn kmod_v20_does_not_have_it() {
    for naming in Naming::ALL {
        let report = explored(Cell { naming, kmod: Kmod::V20, ..RACE });
        for answer in &report.answers {
            assert!(!matches!(answer.verdict, Verdict::Violated(_)), "{naming:?} {answer:?}");
        }
        let truth = report.answer(Property::ModprobeTellsTheTruth);
        assert_eq!(truth.verdict, Verdict::Holds { premise_met: true }, "{naming:?}");
    }
}

/// In every shortest trace of a lie of v19, where no init fails, the liar stats between the two steps
/// of the loader that make the directory and the file.
#[test]
fn the_liar_looks_into_the_window() {
    let cells = Cell::all().into_iter().filter(|c| c.environment == Environment::Ok);
    let mut lies = 0;
    for cell in cells.filter(|c| c.kmod == Kmod::V19) {
        let report = explored(cell);
        let trace = violation(&report, Property::ModprobeTellsTheTruth);
        let at = |wanted: &dyn Fn(&TraceStep<Event>) -> bool| trace.iter().position(wanted);
        let directory = at(&|s| matches!(s.label, Event::SysfsInit { made: true, .. })).unwrap();
        let stat = at(&|s| matches!(s.label, Event::Stat { found: true, .. })).unwrap();
        let exit = at(&|s| matches!(s.label, Event::Exit { .. })).unwrap();
        assert!(directory < stat && stat < exit && exit + 1 == trace.len(), "{cell}");
        assert_eq!(at(&|s| matches!(s.label, Event::AddModinfoAttrs { .. })), None, "{cell}");
        assert_ne!(trace[directory].actor, trace[stat].actor, "{cell}");
        assert_eq!(trace[stat].actor, trace[exit].actor, "{cell}");
        lies += 1;
    }
    assert_eq!(lies, 7 + 21 + 21, "every reading under every alias map");
}

/// With initstate there before the second look the story cannot be told: the step that reads a bare
/// directory is impossible.
#[test]
fn one_step_of_the_loader_closes_the_window() {
    let mut trace = violation(&explored(RACE), Property::GetFsTypeFindsIt).clone();
    let window = trace.iter().position(|s| s.actor == 1).unwrap();
    let module = 0;
    trace.insert(
        window,
        TraceStep { actor: 0, ordinal: 0, label: Event::AddModinfoAttrs { module, made: true } },
    );
    let model = RACE.model(2, None);
    match confirm(&model, Property::GetFsTypeFindsIt, &trace) {
        Err(Unconfirmed::Impossible(impossible)) => {
            assert!(matches!(trace[impossible.step].label, Event::Open { found: false, .. }));
            assert_eq!(trace[impossible.step].actor, 1);
        }
        other => panic!("{other:?}"),
    }
}

/// A kernel that made directory and initstate in one step would not be enough: modprobe of v19 looks
/// in two system calls, and both can appear between them. Only then does it need the kernel to be
/// slow; with a look in one step, it is the kernel's window again.
#[test]
fn the_window_is_in_modprobe_too() {
    let whole_directory = RACE.model(2, Some(Mutant::Merge(Pc::SysfsInit)));
    let report = check(&whole_directory, &Options::default()).unwrap();
    let trace = violation(&report, Property::GetFsTypeFindsIt);
    assert_eq!(trace.len(), 21, "as short as through the kernel's window");
    let at = |wanted: &dyn Fn(&TraceStep<Event>) -> bool| trace.iter().position(wanted).unwrap();
    // What is left of the two steps is the second one's event.
    let both = at(&|s| matches!(s.label, Event::AddModinfoAttrs { .. }));
    let stat = at(&|s| matches!(s.label, Event::Stat { found: true, .. }));
    let liar = trace[stat].actor;
    let open = trace[..stat].iter().rposition(|s| s.actor == liar).unwrap();
    assert!(matches!(trace[open].label, Event::Open { found: false, .. }));
    assert!(open < both && both < stat, "{open} {both} {stat}");

    let whole_look = RACE.model(2, Some(Mutant::Merge(Pc::Open)));
    let report = check(&whole_look, &Options::default()).unwrap();
    let trace = violation(&report, Property::GetFsTypeFindsIt);
    assert!(!trace.iter().any(|s| matches!(s.label, Event::AddModinfoAttrs { .. })));
}
