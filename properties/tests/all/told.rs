//! The sentences that tell what happened in a run: of every kept trace, of hangs, and of each property.

use std::collections::BTreeSet;

use kmodcheck_explore::{Options, Sleep};
use kmodcheck_model::{Event, Model, ModuleState, Mutant};
use kmodcheck_properties::verdict::{Trace, check_all, confirm};
use kmodcheck_properties::witness::Witness;
use kmodcheck_properties::{Property, Report, Verdict, minimal, told};
use kmodcheck_sim::scenario_file;

use crate::traces::recorded;

fn model(text: &str, mutant: Option<Mutant>) -> Model {
    let names = Property::ALL.map(Property::name);
    let loaded = scenario_file::load("case.toml", text, &names);
    let scenario = loaded.unwrap_or_else(|error| panic!("{error}")).scenario;
    Model::new(scenario, mutant).unwrap()
}

/// With the fewest context switches, so that the numbers of processes do not depend on the explorer.
fn violated(model: &Model, property: Property) -> (Report, Trace) {
    let report = check_all(model, &Options::default()).unwrap();
    let Verdict::Violated(trace) = &report.answer(property).verdict else {
        panic!("{} is not violated", property.name())
    };
    let trace = minimal::with_few_switches(model, property, trace, true, minimal::FEW_NODES);
    (report, trace)
}

/// The same run with the first two processes, which do the same, in each other's place.
fn exchanged(trace: &Trace) -> Trace {
    let exchange = |actor: usize| if actor < 2 { 1 - actor } else { actor };
    let mut trace = trace.clone();
    trace.iter_mut().for_each(|step| step.actor = exchange(step.actor));
    trace
}

/// Who relied on what, and how things stood, of every kept trace; read off its steps, so that it follows them.
#[test]
fn every_kept_trace_is_told() {
    let mut properties = BTreeSet::new();
    for (name, regression) in recorded() {
        let property = Property::from_name(&regression.trace.property).unwrap();
        let model = regression.trace.model(&name).unwrap();
        let trace = regression.trace.resolve(&name, &model).unwrap();
        let story = told::violation(&model, property, &trace).expect("it violates");
        let last = trace.last().unwrap().actor;
        assert!(story.contains(&format!("CPU{last}")) && story.ends_with('.'), "{name}: {story}");
        assert!(!story.contains("nothing told"), "{name}: {story}");
        // What it says of the module is so at the end.
        let shared = trace_end(&model, &trace);
        for module in &model.shared_view(shared).modules {
            for state in ["COMING", "UNFORMED", "GOING"] {
                let says = story.contains(&format!("({state})"));
                assert!(!says || module.state == state, "{name}: {module:?}: {story}");
            }
            // And of what is being loaded or freed then it says so.
            let of_success = ["success", "truth", "catches", "finds-it"];
            let open = ["COMING", "UNFORMED", "GOING"].contains(&module.state);
            let is_told = story.contains(&format!("({})", module.state));
            let of_success = of_success.iter().any(|word| property.name().contains(word));
            assert!(is_told || !open || !of_success, "{name}: {module:?}: {story}");
            let loaded = story.contains(&format!("failed to load {}.", module.name));
            assert!(!loaded || module.state == "absent", "{name}: {story}");
        }
        let mut without = trace.clone();
        without.pop();
        assert_eq!(told::violation(&model, property, &without), None, "{name}");
        let processes = model.processes();
        if processes.len() > 1 && processes[0].0 == processes[1].0 {
            let other = told::violation(&model, property, &exchanged(&trace)).unwrap();
            let back =
                other.replace("CPU0", "CPU?").replace("CPU1", "CPU0").replace("CPU?", "CPU1");
            assert_eq!(back, story, "{name}");
        }
        properties.insert(property);
    }
    assert_eq!(properties.len(), 9, "{properties:?}");
}

fn trace_end(model: &Model, trace: &Trace) -> u128 {
    let system = kmodcheck_sim::Processes { model };
    kmodcheck_explore::concrete::replay(&system, trace, |_, _| {}).unwrap().shared
}

const TWO_MODULES: &str = "[[module]]\nname = \"a\"\nrequests = \"b\"\n\
                           [[module]]\nname = \"b\"\nrequests = \"a\"\n\
                           [[actor]]\ncall = \"request_module\"\nname = \"a\"\n\
                           [[actor]]\ncall = \"request_module\"\nname = \"b\"\n";

/// A name, a scenario, how long somebody sleeps, and what is told of it.
const HANGS: [(&str, &str, Sleep, &str); 7] = [
    (
        "an init that requests its own module",
        "features.kmod = \"v20\"\n[[module]]\nname = \"m\"\nrequests = \"m\"\n\
         [[actor]]\ncall = \"request_module\"\nname = \"m\"\n",
        Sleep::ForEver,
        "CPU0's modprobe sleeps in finit_module(m) until m is LIVE, GOING or off the list. It is CPU0 itself \
         that is loading m: m's init has requested \"m\" and waits for this very modprobe. CPU0's \
         request_module(\"m\") never returns.",
    ),
    (
        "the same where finit_module() joins another",
        "features = { kernel = \"v6.5\", kmod = \"v20\" }\n[[module]]\nname = \"m\"\nrequests = \"m\"\n\
         [[actor]]\ncall = \"request_module\"\nname = \"m\"\n",
        Sleep::ForEver,
        "CPU0's modprobe sleeps until a finit_module(m) that it has joined returns. It is CPU0 itself that is \
         in finit_module(m): m's init has requested \"m\" and waits for this very modprobe. CPU0's \
         request_module(\"m\") never returns.",
    ),
    (
        "somebody else waits for whoever waits for itself",
        "features.kmod = \"v20\"\n[[module]]\nname = \"m\"\nrequests = \"m\"\n\
         [[actor]]\ncall = \"request_module\"\nname = \"m\"\n[[actor]]\ncall = \"modprobe\"\nname = \"m\"\n",
        Sleep::ForEver,
        "CPU0's modprobe sleeps in finit_module(m) until m is LIVE, GOING or off the list. CPU1 is loading m; \
         its modprobe then sleeps in finit_module(m) until m is LIVE, GOING or off the list, too. It is CPU1 \
         itself that is loading m: m's init has requested \"m\" and waits for this very modprobe. CPU0's \
         request_module(\"m\") never returns.",
    ),
    (
        "two inits that request each other's module",
        TWO_MODULES,
        Sleep::ForEver,
        "CPU0's modprobe sleeps in finit_module(b) until b is LIVE, GOING or off the list. CPU1 is loading b; \
         its modprobe then sleeps in finit_module(a) until a is LIVE, GOING or off the list, too. CPU0 is \
         loading a: each waits for the other. CPU0's request_module(\"a\") never returns.",
    ),
    (
        "delete_module() wakes nobody",
        "features.kmod = \"v20\"\n[[module]]\nname = \"m\"\n\
         [[actor]]\ncall = \"modprobe\"\nname = \"m\"\ncount = 2\nkillable = true\n\
         [[actor]]\ncall = \"rmmod\"\nname = \"m\"\n",
        Sleep::UntilKilled,
        "CPU1's modprobe sleeps in finit_module(m) until m is LIVE, GOING or off the list. CPU2, which is \
         unloading m, will bring that about, with free_module (m off the list), without waking CPU1. CPU1's \
         modprobe m returns only if somebody is killed.",
    ),
    (
        "slots",
        "features = { kernel = \"v4.13\", kmod = \"v20\" }\nenvironment.limit = 1\n\
         [[module]]\nname = \"m\"\nrequests = \"n\"\n[[module]]\nname = \"n\"\n\
         [[actor]]\ncall = \"request_module\"\nname = \"m\"\n",
        Sleep::ForEver,
        "CPU0 sleeps in __request_module() until a slot is free. The slots are held by CPU0 itself, in \
         requests that wait for this one. CPU0's request_module(\"m\") never returns.",
    ),
    (
        "slots, and a time limit",
        "features = { kernel = \"v4.13\", kmod = \"v20\" }\nenvironment = { limit = 1, timeouts = true }\n\
         [[module]]\nname = \"m\"\nrequests = \"n\"\n[[module]]\nname = \"n\"\n\
         [[actor]]\ncall = \"request_module\"\nname = \"m\"\n",
        Sleep::UntilTimeOut,
        "CPU0 sleeps in __request_module() until a slot is free. The slots are held by CPU0 itself, in \
         requests that wait for this one. CPU0's request_module(\"m\") returns by a time-out only.",
    ),
];

/// Who waits for whom.
#[test]
fn a_hang_says_who_waits_for_whom() {
    let mut wrong = Vec::new();
    for (name, text, sleep, expected) in HANGS {
        let model = model(text, None);
        let report = check_all(&model, &Options::default()).unwrap();
        let Some(sleeper) = report.asleep(sleep) else {
            wrong.push(format!("{name}: nobody sleeps so: {:?}", report.sleepers));
            continue;
        };
        let (trace, process) = (&sleeper.stuck.trace, sleeper.stuck.process);
        let story = told::sleeper(&model, trace, process, sleep).expect("it sleeps");
        if story != expected {
            wrong.push(format!("{name}: {story}"));
        }
        // The same of the violation, and of the witness.
        if sleep != Sleep::UntilTimeOut {
            let (_, trace) = violated(&model, Property::NobodySleepsForEver);
            let violation = told::violation(&model, Property::NobodySleepsForEver, &trace).unwrap();
            let (told, _) = violation.split_once(". ").unwrap();
            assert!(told.contains(" sleeps "), "{name}: {violation}");
        }
        let actor = usize::from(sleeper.kind.0);
        let result = kmodcheck_properties::results::CallResult::Sleeps(sleep);
        let witness = Witness::Result { actor, result };
        assert_eq!(told::witness(&model, witness, trace).as_ref(), Some(&story), "{name}");
        assert_eq!(told::sleeper(&model, &Vec::new(), process, sleep), None, "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A loader waits for a dependency whose loader waits for a slot that it holds itself: the time limit of either ends it.
#[test]
fn a_dependency_that_does_not_come_up() {
    let text = "features = { kernel = \"v4.13\", kmod = \"v5\" }\nenvironment = { limit = 1, timeouts = true }\n\
                [[module]]\nname = \"lib\"\nrequests = \"n\"\n[[module]]\nname = \"n\"\n\
                [[module]]\nname = \"m\"\ndependencies = [\"lib\"]\n\
                [[actor]]\ncall = \"request_module\"\nname = \"lib\"\n\
                [[actor]]\ncall = \"modprobe\"\nname = \"m\"\n";
    let model = model(text, None);
    let report = check_all(&model, &Options::default()).unwrap();
    let witness = Witness::parse(&model, "2=exit 1", Some(&report)).unwrap();
    let mut trace = witness.find(&model, &report, &Options::default()).unwrap().unwrap();
    let waits = |step: &kmodcheck_explore::TraceStep<Event>| {
        matches!(step.label, Event::ResolveSymbol { state: ModuleState::Coming, .. })
    };
    trace.truncate(trace.iter().position(waits).expect("it waits for its dependency") + 1);
    let story = told::sleeper(&model, &trace, 1, Sleep::UntilTimeOut).unwrap();
    assert_eq!(
        story,
        "CPU1's modprobe sleeps in finit_module(m), in resolve_symbol_wait(), until lib is no longer COMING. \
         CPU0 is loading lib; it then sleeps in __request_module() until a slot is free, too. The slots are \
         held by CPU0 itself, in requests that wait for this one. CPU1's modprobe m returns by a time-out only."
    );
}

/// A modprobe that outlives its caller may have gone to sleep before: it is told of whoever sleeps, whatever it is.
#[test]
fn whoever_sleeps_is_told_of() {
    let text = "features.kmod = \"v20\"\n[[module]]\nname = \"m\"\n\
                [[actor]]\ncall = \"request_module\"\nname = \"m\"\ncount = 2\nkillable = true\n\
                [[actor]]\ncall = \"rmmod\"\nname = \"m\"\n";
    let model = model(text, None);
    let report = check_all(&model, &Options::default()).unwrap();
    let mut orphans = 0;
    for sleeper in &report.sleepers {
        let (trace, process) = (&sleeper.stuck.trace, sleeper.stuck.process);
        let story = told::sleeper(&model, trace, process, sleeper.sleep).expect("it sleeps");
        assert!(
            story.contains(&format!("CPU{process}'s modprobe sleeps in finit_module(m)")),
            "{story}"
        );
        orphans += usize::from(usize::from(sleeper.kind.0) >= model.scenario().actors.len());
    }
    assert!(orphans > 0, "{:?}", report.sleepers.len());
}

const UDEV: &str = "features = { kernel = \"v5.7\", kmod = \"v30\" }\n[[module]]\nname = \"m\"\n\
                    [[actor]]\ncall = \"request_module\"\nname = \"m\"\n\
                    [[actor]]\ncall = \"udev\"\nname = \"m\"\n";

const RMMOD: &str = "features = { kernel = \"v6.5\", kmod = \"v34.2\" }\n[[module]]\nname = \"m\"\n\
                     [[actor]]\ncall = \"request_module\"\nname = \"m\"\ncount = 2\n\
                     [[actor]]\ncall = \"rmmod\"\nname = \"m\"\n";

const MAY_FAIL: &str = "features = { kernel = \"v6.2\", kmod = \"v30\" }\n\
                        [[module]]\nname = \"m\"\ninit = \"may-fail\"\n\
                        [[actor]]\ncall = \"request_module\"\nname = \"m\"\ncount = 2\n";

const RETRIED: &str = "features = { kernel = \"v5.3\", kmod = \"v30\" }\n\
                       [[module]]\nname = \"m\"\ninit = \"may-fail\"\n\
                       [[actor]]\ncall = \"request_module\"\nname = \"m\"\ncount = 2\n";

const RETRIED_AND_ASKS: &str = "features = { kernel = \"v5.3\", kmod = \"v30\" }\n\
                                [[module]]\nname = \"m\"\ninit = \"may-fail\"\nrequests = \"other\"\n\
                                [[module]]\nname = \"other\"\n\
                                [[actor]]\ncall = \"request_module\"\nname = \"m\"\ncount = 2\n";

const BLOCKED: &str = "[[module]]\nname = \"m\"\nblacklisted = true\n\
                       [[actor]]\ncall = \"request_module\"\nname = \"m\"\n";

const NEEDED: &str = "[[module]]\nname = \"m\"\nblacklisted = true\n\
                      [[module]]\nname = \"top\"\ndependencies = [\"m\"]\n\
                      [[actor]]\ncall = \"request_module\"\nname = \"top\"\n";

const BUSYBOX: &str = "[features]\nkernel = \"v7.3\"\nkmod = \"busybox\"\n[[module]]\nname = \"m\"\n\
                       [[actor]]\ncall = \"request_module\"\nname = \"m\"\ncount = 2\n";

const CODETAG: &str = "[features]\nkernel = \"v7.3\"\n[[module]]\nname = \"m\"\nfails-at = \"codetag\"\n\
                       [[actor]]\ncall = \"request_module\"\nname = \"m\"\n";

const SECTIONS: &str = "[features]\nkernel = \"v7.3\"\n[[module]]\nname = \"m\"\nfails-at = \"sections\"\n\
                        fails-with = \"-EEXIST\"\n[[actor]]\ncall = \"request_module\"\nname = \"m\"\n";

/// What has no kept trace: scenarios, one of them with a fault in the model.
#[test]
fn other_violations_are_told() {
    use Property::{
        BlockedIsNeverLoaded, InitRunsOncePerRequest, LifecycleAndSysfs, ModprobeTellsTheTruth,
        NoFalseFailure, NoFalseSuccess, UdevFindsItInitialised,
    };
    let swapped = Mutant::SwapLoad(3);
    let mut wrong = Vec::new();
    for (text, mutant, property, expected) in [
        (
            UDEV,
            None,
            UdevFindsItInitialised,
            "CPU1's rule used m on its ADD uevent, which had been sent by CPU0 before m's init returned 0: m was \
             COMING.",
        ),
        (
            UDEV,
            Some(swapped),
            LifecycleAndSysfs,
            "CPU0's module_add_modinfo_attrs (m/initstate appears) left m/initstate without the directory that \
             it is in.",
        ),
        (
            UDEV,
            Some(Mutant::Skip(kmodcheck_model::Pc::CompleteFormation)),
            LifecycleAndSysfs,
            "CPU0's do_init_module (m is LIVE) made m, which was UNFORMED, LIVE: no kernel does that.",
        ),
        (
            RMMOD,
            None,
            NoFalseSuccess,
            "CPU1's modprobe joined CPU0's finit_module(m), got its 0, and exited 0; __request_module() \
             returned 0, while CPU2 was unloading m (GOING); m had been LIVE only before CPU1's call.",
        ),
        (
            RMMOD,
            None,
            ModprobeTellsTheTruth,
            "CPU1's modprobe joined CPU0's finit_module(m), got its 0, and exited 0, while CPU2 was unloading \
             m (GOING); m had been LIVE only before that modprobe began.",
        ),
        (
            MAY_FAIL,
            None,
            NoFalseFailure,
            "CPU1's finit_module(m) waited for it, found it not on the list and was refused with -EBUSY, after \
             CPU0 had failed to load m; but since CPU1's call nothing that it needs had failed to load or begun \
             to go away.",
        ),
        (
            RETRIED,
            None,
            InitRunsOncePerRequest,
            "CPU1's finit_module(m) had waited for CPU0's until the init of m was over, and then ran that init \
             again.",
        ),
        (
            RETRIED_AND_ASKS,
            None,
            InitRunsOncePerRequest,
            "CPU1's finit_module(m) had waited for CPU0's until the init of m was over, and then ran that init \
             again.",
        ),
        (
            CODETAG,
            None,
            NoFalseSuccess,
            "CPU0's modprobe got 0 from finit_module(m), which codetag_load_module() had made fail, and exited 0; \
             __request_module() returned 0, after CPU0 had failed to load m.",
        ),
        (
            SECTIONS,
            None,
            NoFalseSuccess,
            "CPU0's modprobe got the -EEXIST of add_sect_attrs(), by which m failed to load, and which it takes \
             for success, and exited 0; __request_module() returned 0, after CPU0 had failed to load m.",
        ),
        (
            BUSYBOX,
            None,
            NoFalseSuccess,
            "CPU1's modprobe found m in /proc/modules, COMING there, and exited 0; __request_module() returned 0, \
             while CPU0 was still loading m (COMING).",
        ),
        (
            BLOCKED,
            None,
            BlockedIsNeverLoaded,
            "m is blocked, and CPU0 ran its init, asked for it by \"m\", on which what blocks it does not act.",
        ),
        (
            NEEDED,
            None,
            BlockedIsNeverLoaded,
            "m is blocked, and CPU0 ran its init, asked for it because \"top\" needs it.",
        ),
    ] {
        let model = model(text, mutant);
        let (_, trace) = violated(&model, property);
        let story = told::violation(&model, property, &trace).expect("it violates");
        if story != expected {
            wrong.push(format!("{}: {story}", property.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is shown of a violation is as short as what was found, in the fewest turns.
#[test]
fn a_shown_trace_has_few_switches_and_violates() {
    let race = "[[module]]\nname = \"m\"\naliases = [\"fs-f\"]\n\
                [[actor]]\ncall = \"get_fs_type\"\nname = \"f\"\ncount = 2\n";
    let switches = |trace: &Trace| kmodcheck_explore::fewest_switches::switches(trace);
    let mut fewer = 0;
    for (text, property) in [
        (race, Property::NoFalseSuccess),
        (race, Property::GetFsTypeFindsIt),
        (RMMOD, Property::NoFalseSuccess),
        (MAY_FAIL, Property::NoFalseFailure),
        (HANGS[4].1, Property::NobodySleepsForEver),
    ] {
        let model = model(text, None);
        let report = check_all(&model, &Options::default()).unwrap();
        let Verdict::Violated(found) = &report.answer(property).verdict else { panic!("{text}") };
        let few =
            |shortest, nodes| minimal::with_few_switches(&model, property, found, shortest, nodes);
        let shown = few(true, minimal::FEW_NODES);
        assert_eq!(shown.len(), found.len(), "{text}");
        assert_eq!(confirm(&model, property, &shown), Ok(()), "{text}");
        assert!(switches(&shown) <= switches(found), "{text}");
        fewer += usize::from(switches(&shown) < switches(found));
        assert_eq!(few(false, minimal::FEW_NODES).len(), found.len(), "{text}");
        // Where there is no room to search it is what was found.
        assert_eq!(few(true, 3), *found, "{text}");
    }
    assert!(fewer >= 3, "{fewer}");
}
