//! Counterexamples that a real kernel was made to follow: the trace, the plan that is made of it, and
//! the log that was recorded.
//!
//! With `KMODCHECK_BLESS=1` in the environment traces and plans are written anew; the logs are
//! recorded by `tools/real-kernel/record --plan`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kmodcheck_explore::{Options, Product, Step, TraceStep};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{
    Action, Actor, FailsAt, Failure, Helper, Init, Insert, Module, Name, Probe, Resolution,
    Scenario, Target,
};
use kmodcheck_model::{Event, Model, presets};
use kmodcheck_properties::property::View;
use kmodcheck_properties::verdict::{check_all, confirm};
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::file::TraceFile;
use kmodcheck_sim::trace::ftrace::{About, Recording};
use kmodcheck_sim::trace::steer;

/// A finding.
struct Finding {
    name: &'static str,
    kernel: &'static str,
    kmod: &'static str,
    property: Property,
    module: &'static str,
    init: Init,
    blacklisted: bool,
    /// Where its load fails with `-EEXIST`, besides in its init.
    fails: Option<FailsAt>,
    callers: u8,
    /// What others do, once each.
    others: &'static [Action],
    /// Who goes on until before which step, where the shortest trace is of something else.
    by_hand: Option<&'static [(usize, Until)]>,
    /// Whether an insmod is killed.
    killed: bool,
    /// Holds in its plan.
    holds: usize,
}

/// The step before which somebody stops; `None`: goes on as long as possible.
type Until = Option<fn(&Event) -> bool>;

const LEAVES_THE_LIST: Until = Some(|event| matches!(event, Event::ListDel { .. }));
const COMPLETES: Until = Some(|event| matches!(event, Event::IdempotentComplete { .. }));

/// A finding of which nothing is special.
const PLAIN: Finding = Finding {
    name: "",
    kernel: "6.12-debian",
    kmod: "v30",
    property: Property::NoFalseSuccess,
    module: "minix",
    init: Init::Succeeds,
    blacklisted: false,
    fails: None,
    callers: 1,
    others: &[],
    by_hand: None,
    killed: false,
    holds: 0,
};

const FINDINGS: [Finding; 10] = [
    Finding {
        name: "race",
        kernel: "6.1-debian",
        kmod: "v19",
        property: Property::GetFsTypeFindsIt,
        callers: 2,
        holds: 4,
        ..PLAIN
    },
    Finding {
        name: "eexist",
        kernel: "6.1-debian",
        module: "kmodcheck_eexist",
        init: Init::MayReturnEexist,
        ..PLAIN
    },
    Finding { name: "blacklist", kernel: "6.1-debian", blacklisted: true, ..PLAIN },
    // The candidates of properties/scenarios/candidates, by their numbers: 1.
    Finding { name: "joined", callers: 2, others: &[Action::Rmmod(0)], holds: 10, ..PLAIN },
    // 2: the load is over, an insmod is told -EEXIST, and a mount joins that.
    Finding {
        name: "joined-eexist",
        callers: 2,
        others: &[Action::Insmod(0), Action::Rmmod(0)],
        by_hand: Some(&[(0, None), (2, COMPLETES), (3, None), (1, None), (2, None), (1, None)]),
        holds: 9,
        ..PLAIN
    },
    // 5a, 5b, 5c.
    Finding {
        name: "argument",
        module: "kmodcheck_argument",
        fails: Some(FailsAt::Arguments),
        ..PLAIN
    },
    Finding {
        name: "notifier",
        module: "kmodcheck_notifier",
        fails: Some(FailsAt::ComingNotifier),
        ..PLAIN
    },
    Finding {
        name: "sections",
        module: "kmodcheck_sections",
        fails: Some(FailsAt::Sections),
        ..PLAIN
    },
    // 7.
    Finding {
        name: "busy",
        kernel: "6.1-debian",
        property: Property::NoFalseFailure,
        callers: 2,
        others: &[Action::Rmmod(0)],
        holds: 8,
        ..PLAIN
    },
    // 6: an insmod waits for an rmmod to be done with the name and is killed, and a mount has joined it.
    Finding {
        name: "signalled",
        property: Property::NoFalseFailure,
        callers: 2,
        others: &[Action::Rmmod(0), Action::Insmod(0)],
        by_hand: Some(&[
            (0, None),
            (2, LEAVES_THE_LIST),
            (3, COMPLETES),
            (1, None),
            (3, None),
            (1, None),
        ]),
        killed: true,
        holds: 10,
        ..PLAIN
    },
];

impl Finding {
    fn features(&self) -> Features {
        Features {
            kernel: presets::kernel(self.kernel).unwrap(),
            kmod: presets::kmod(self.kmod).unwrap(),
        }
    }

    fn scenario(&self) -> Scenario {
        let probe = vec![Probe::new(0, true, Insert::Finit)];
        let target = Target { module: 0, probe, blacklisted: self.blacklisted };
        Scenario {
            name: self.name.to_owned(),
            modules: vec![Module {
                name: self.module.to_owned(),
                init: self.init,
                registers: true,
                failure: self.fails.map(|at| Failure { at, eexist: true }),
                ..Module::default()
            }],
            names: vec![Name {
                request: format!("fs-{}", self.module),
                resolution: Resolution::Modules(vec![target]),
                builtin: None,
            }],
            actors: std::iter::once((Action::GetFsType(0), self.callers))
                .chain(self.others.iter().map(|other| (*other, 1)))
                .map(|(action, count)| {
                    let killable = self.killed && matches!(action, Action::Insmod(_));
                    Actor { action, count, killable }
                })
                .collect(),
            helper: Helper::Present,
            lsm_refuses: false,
            exec_requests: None,
            patched: Default::default(),
            modprobe_killable: false,
            programs: kmodcheck_model::scenario::Programs::default(),
            asks: Vec::new(),
            limit: None,
            timeouts: false,
            features: self.features(),
        }
    }

    /// The shortest trace that violates the property, or the one that was chosen by hand.
    fn trace(&self, model: &Model) -> Vec<TraceStep<Event>> {
        let Some(chosen) = self.by_hand else {
            let options = Options { symmetry: true, ..Options::default() };
            let report = check_all(model, &options).unwrap();
            let answer = report.answers.into_iter().find(|a| a.property == self.property).unwrap();
            let Verdict::Violated(trace) = answer.verdict else { panic!("{} holds", self.name) };
            return trace;
        };
        let system = Processes { model };
        let product = Product::new(&system).unwrap();
        let (mut now, mut trace) = (product.initial(), Vec::new());
        for (actor, until) in chosen {
            // The last step is the one that violates it.
            while confirm(model, self.property, &trace).is_err() {
                let mut taken = None;
                let _ = product.successors(&now, &mut Vec::new(), |t| {
                    if t.actor != *actor {
                        return ControlFlow::Continue(());
                    }
                    let (ordinal, label) = (t.ordinal, t.label);
                    taken = Some((TraceStep { actor: *actor, ordinal, label }, *t.after));
                    ControlFlow::Break(())
                });
                let stops = |step: &TraceStep<Event>| until.is_some_and(|stop| stop(&step.label));
                let Some((step, after)) = taken.filter(|(step, _)| !stops(step)) else { break };
                trace.push(step);
                now = after;
            }
        }
        confirm(model, self.property, &trace).unwrap();
        trace
    }

    fn file(&self, end: &str) -> PathBuf {
        let directory = Path::new("../sim/tests/fixtures/real-logs");
        directory.join(format!("steered-{}.{end}", self.name))
    }
}

/// Compares with what is saved, or saves it.
fn saved(path: &Path, text: &str) {
    if std::env::var_os("KMODCHECK_BLESS").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let saved = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(saved, text, "{}", path.display());
}

#[test]
fn the_traces_and_their_plans_are_what_the_model_finds() {
    for finding in &FINDINGS {
        let model = Model::new(finding.scenario(), None).unwrap();
        let trace = &finding.trace(&model);
        let property = finding.property;
        let file = TraceFile::new(property.name(), property.statement(), model.scenario(), trace);
        saved(&finding.file("trace.json"), &file.to_json());

        // Fewer changes from one process to another, and the same violation.
        let gathered = steer::gather(&model, trace).unwrap();
        assert_eq!(gathered.len(), trace.len());
        confirm(&model, property, &gathered).unwrap();
        let changes = |trace: &[TraceStep<Event>]| {
            trace.windows(2).filter(|pair| pair[0].actor != pair[1].actor).count()
        };
        assert!(changes(&gathered) <= changes(trace));
        let plan = steer::plan(&model, &gathered, 20_000).unwrap();
        assert_eq!(plan.holds.len(), finding.holds, "{plan}");
        assert_eq!(plan.kills.len(), usize::from(finding.killed), "{plan}");
        saved(&finding.file("plan"), &plan.to_string());
    }
}

/// What the real kernel did under the plan is a behaviour of the model, and every run of the model
/// that gives this log violates the property.
#[test]
fn the_real_kernel_showed_each_of_them() {
    for finding in &FINDINGS {
        let path = finding.file("log");
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        let blacklist =
            if finding.blacklisted { vec![finding.module.to_owned()] } else { Vec::new() };
        let about = About { blacklist: &blacklist, ..About::default() };
        let recording = Recording::new(&name, &text, finding.features(), about).unwrap();
        // The acceptor keeps no history of failures.
        let judged = !finding.property.reads_failures();
        let watch = |step: &Step<Event>| {
            let view = View::of(recording.model(), step);
            u64::from(judged && view.violates([&finding.property]) != 0)
        };
        let answer = recording.decide_watching(1_000_000, &watch).unwrap();
        assert!(answer.is_accepted(), "{}", answer.text(&recording, true));
        assert_eq!(answer.watched().0, u64::from(judged), "{}", answer.text(&recording, true));
        // The caller was told NULL although its request returned 0.
        assert!(text.contains("request_module_ret") && text.contains("-> 0xffffffffffffffed"));
    }
}

/// The stand-in for kmod v19 does not behave as v20 does.
#[test]
fn the_race_is_refused_under_v20() {
    let race = &FINDINGS[0];
    let path = race.file("log");
    let text = std::fs::read_to_string(&path).unwrap();
    let features = Features { kmod: presets::kmod("v20").unwrap(), ..race.features() };
    let recording = Recording::new("race", &text, features, About::default()).unwrap();
    let answer = recording.decide(1_000_000).unwrap();
    let line = answer.refused_line(&recording).unwrap();
    assert!(text.lines().nth(line - 1).unwrap().contains("sched_process_exit: comm=old-rule"));
}

/// What a kernel did that has what a finding needs was not done by one that lacks it.
#[test]
fn kernels_without_the_cause_are_told_apart() {
    let refused = |name: &str, kernel: &str| {
        let finding = FINDINGS.iter().find(|finding| finding.name == name).unwrap();
        let path = finding.file("log");
        let text = std::fs::read_to_string(&path).unwrap();
        let features = Features { kernel: presets::kernel(kernel).unwrap(), ..finding.features() };
        let recording = Recording::new(name, &text, features, About::default()).unwrap();
        let answer = recording.decide(1_000_000).unwrap();
        let line = answer.refused_line(&recording);
        let line = line.and_then(|line| text.lines().nth(line - 1));
        line.unwrap_or_else(|| panic!("{name}: accepted of {kernel}")).to_owned()
    };
    // Nobody joins before v6.5.
    for name in ["joined", "joined-eexist", "signalled"] {
        refused(name, "6.1-debian");
    }
    // Whoever has waited tries again up to v6.1: 0254127ab977.
    refused("busy", "v5.11");
    // Heeded since 59cc8e0a906e (v5.10), ce47f7cbbcad (v6.12).
    refused("notifier", "v5.7");
    refused("sections", "v6.11");
}
