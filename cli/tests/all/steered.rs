//! Counterexamples that a real kernel was made to follow: the trace, the plan that is made of it, and
//! the log that was recorded.
//!
//! With `KMODCHECK_BLESS=1` in the environment traces and plans are written anew; the logs are
//! recorded by `tools/real-kernel/record --plan`.

use std::path::{Path, PathBuf};

use kmodcheck_explore::Options;
use kmodcheck_explore::Step;
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{
    Action, Actor, Helper, Init, Insert, Module, Name, Probe, Resolution, Scenario, Target,
};
use kmodcheck_model::{Event, Model, presets};
use kmodcheck_properties::property::View;
use kmodcheck_properties::verdict::{check, confirm};
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::trace::file::TraceFile;
use kmodcheck_sim::trace::ftrace::{About, Recording};
use kmodcheck_sim::trace::steer;

/// A finding.
struct Finding {
    name: &'static str,
    kmod: &'static str,
    property: Property,
    module: &'static str,
    init: Init,
    blacklisted: bool,
    callers: u8,
    /// Holds in its plan.
    holds: usize,
}

const FINDINGS: [Finding; 3] = [
    Finding {
        name: "race",
        kmod: "v19",
        property: Property::GetFsTypeFindsIt,
        module: "minix",
        init: Init::Succeeds,
        blacklisted: false,
        callers: 2,
        holds: 4,
    },
    Finding {
        name: "eexist",
        kmod: "v30",
        property: Property::NoFalseSuccess,
        module: "kmodcheck_eexist",
        init: Init::MayReturnEexist,
        blacklisted: false,
        callers: 1,
        holds: 0,
    },
    Finding {
        name: "blacklist",
        kmod: "v30",
        property: Property::NoFalseSuccess,
        module: "minix",
        init: Init::Succeeds,
        blacklisted: true,
        callers: 1,
        holds: 0,
    },
];

impl Finding {
    fn features(&self) -> Features {
        Features {
            kernel: presets::kernel("6.1-debian").unwrap(),
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
                ..Module::default()
            }],
            names: vec![Name {
                request: format!("fs-{}", self.module),
                resolution: Resolution::Modules(vec![target]),
                builtin: None,
            }],
            actors: vec![Actor {
                action: Action::GetFsType(0),
                count: self.callers,
                killable: false,
            }],
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
        let report = check(&model, &Options { symmetry: true, ..Options::default() }).unwrap();
        let answer = report.answers.iter().find(|a| a.property == finding.property).unwrap();
        let Verdict::Violated(trace) = &answer.verdict else { panic!("{} holds", finding.name) };
        let property = finding.property;
        let file = TraceFile::new(property.name(), property.statement(), model.scenario(), trace);
        saved(&finding.file("trace.json"), &file.to_json());

        // Fewer changes from one process to another, and the same violation.
        let gathered = steer::gather(&model, trace).unwrap();
        assert_eq!(gathered.len(), trace.len());
        confirm(&model, property, &gathered).unwrap();
        let changes = |trace: &[kmodcheck_explore::TraceStep<Event>]| {
            trace.windows(2).filter(|pair| pair[0].actor != pair[1].actor).count()
        };
        assert!(changes(&gathered) <= changes(trace));
        let plan = steer::plan(&model, &gathered, 20_000).unwrap();
        assert_eq!(plan.holds.len(), finding.holds, "{plan}");
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
        let watch = |step: &Step<Event>| {
            u64::from(View::of(recording.model(), step).violates([&finding.property]) != 0)
        };
        let answer = recording.decide_watching(1_000_000, &watch).unwrap();
        assert!(answer.is_accepted(), "{}", answer.text(&recording, true));
        assert_eq!(answer.watched().0, 1, "{}", answer.text(&recording, true));
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
