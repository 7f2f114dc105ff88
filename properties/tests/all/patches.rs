//! Patches of the kernel's functions as texts: a commit as a diff makes of the release before it what the release after it
//! is recorded to be.

use std::path::Path;

use crate::sample::{for_all, some_of};
use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::KernelFeatures;
use kmodcheck_model::presets;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::text::Decisions;
use kmodcheck_properties::grand::{GrandCell, System, SystemReport};
use kmodcheck_properties::recorded::{self, Compared, GRAND};
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::patch::Texts;

/// A commit, the release that it is applied on, and the one that it makes of it.
const COMMITS: [(&str, &str, &str); 2] =
    [("6e6de3dee51a", "v4.13", "v5.3"), ("0254127ab977", "v5.11", "v6.2")];

fn patched(commit: &str) -> Texts {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/patches/{commit}.diff"));
    let mut texts = Texts::default();
    texts.apply(commit, &std::fs::read_to_string(file).unwrap()).unwrap();
    texts
}

#[test]
fn a_commit_makes_the_next_release_of_the_one_before() {
    let mut systems = Vec::new();
    for (commit, before, after) in COMMITS {
        let kernel = presets::kernel(before).unwrap();
        let decided = |kernel| patched(commit).decisions(kernel).unwrap_or_else(|e| panic!("{e}"));
        let decisions = decided(&kernel);
        let next = presets::kernel(after).unwrap();
        assert_ne!(decisions, Decisions::of_kernel(&kernel), "{commit} changes {before}");
        assert_eq!(decisions, Decisions::of_kernel(&next), "{commit}");
        assert_eq!(decided(&next), Decisions::of_kernel(&next), "{commit} is in {after}");
        for system in System::of(&GrandCell::all()) {
            let Some(cell) = system.cells.iter().find(|cell| cell.kernel == after) else {
                continue;
            };
            let mut scenario = GrandCell { kernel: before, ..*cell }.scenario();
            decisions.apply(&mut scenario);
            systems.push((system.clone(), scenario));
        }
    }
    for_all(&some_of(60, systems), |(system, scenario)| {
        let model = Model::new(scenario.clone(), None).unwrap();
        let options = Options { symmetry: true, ..Options::default() };
        let report = check_all(&model, &options).unwrap();
        let line = recorded::system(&SystemReport { system: system.clone(), report });
        assert_eq!(GRAND.compare(&line), Compared::AsRecorded, "{}", system.name());
    });
}

/// 743f8cae549a (v7.1) as whoever has read it writes it, as one that asks for no commit. It is in no preset: it makes its switch
/// of any kernel, and what it is for holds with it.
#[test]
fn an_init_s_eexist_is_no_success_any_more() {
    let diff = "--- a/kernel/module/main.c\n+++ b/kernel/module/main.c\n@@ -81,5 +81,5 @@\n\
                \x20\tif (ret < 0) {\n\
                \x20\t\t/* To modprobe -EEXIST would be success. */\n\
                -\t\tif (ret == -EEXIST && since(\"743f8cae549a\"))\n\
                +\t\tif (ret == -EEXIST)\n\
                \x20\t\t\tret = -EBUSY;\n\
                \x20\t\tgoto fail;\n";
    let mut texts = Texts::default();
    texts.apply("743f8cae549a", diff).unwrap();
    for name in presets::KERNELS {
        let kernel = presets::kernel(name).unwrap();
        let decisions = texts.decisions(&kernel).unwrap();
        let with = KernelFeatures { eexist_safety_net: true, ..kernel };
        assert_eq!(decisions, Decisions::of_kernel(&with), "{name}");
    }
    for naming in Naming::ALL {
        let environment = Environment::InitEexist;
        let cell = GrandCell { environment, naming, kernel: "v6.5", kmod: "v34.2" };
        let mut scenario = cell.scenario();
        let violated = |scenario: &Scenario| {
            let model = Model::new(scenario.clone(), None).unwrap();
            let report = check_all(&model, &Options::default()).unwrap();
            let answer = report.answer(Property::NoFalseSuccess);
            matches!(answer.verdict, Verdict::Violated(_))
        };
        assert!(violated(&scenario), "{naming:?}");
        texts.decisions(&scenario.features.kernel).unwrap().apply(&mut scenario);
        assert!(!violated(&scenario), "{naming:?}");
    }
}

/// No patch here only says that a commit is there: each changes the lines that do something.
#[test]
fn a_patch_changes_code() {
    for commit in ["6e6de3dee51a", "0254127ab977"] {
        let shipped = Texts::default();
        let texts = patched(commit);
        let asks = |text: &str| text.matches(&format!("since(\"{commit}\")")).count();
        assert!(asks(texts.main()) < asks(shipped.main()), "{commit}: asks for itself");
    }
}
