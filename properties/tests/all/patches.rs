//! Patches of the kernel's functions as texts: a commit as a diff makes of the release before it what the release after it
//! is recorded to be.

use std::path::Path;

use crate::sample::{for_all, some_of};
use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_model::presets;
use kmodcheck_properties::grand::{GrandCell, System, SystemReport};
use kmodcheck_properties::recorded::{self, Compared, GRAND};
use kmodcheck_properties::verdict::check_all;
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
        let rules = patched(commit).listed(&kernel).unwrap_or_else(|error| panic!("{error}"));
        let rules = rules.expect("it changes something there");
        let next = presets::kernel(after).unwrap();
        assert_eq!(rules, next.listed_name.rules(), "{commit}");
        assert!(patched(commit).listed(&next).unwrap().is_none(), "{commit} is in {after}");
        for system in System::of(&GrandCell::all()) {
            let Some(cell) = system.cells.iter().find(|cell| cell.kernel == after) else {
                continue;
            };
            let mut scenario = GrandCell { kernel: before, ..*cell }.scenario();
            scenario.listed = Some(rules.clone());
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

/// No patch here only says that a commit is there: each changes the lines that do something.
#[test]
fn a_patch_changes_code() {
    for (commit, ..) in COMMITS {
        let shipped = Texts::default();
        let texts = patched(commit);
        let asks = |text: &str| text.matches(&format!("since(\"{commit}\")")).count();
        assert!(asks(texts.main()) < asks(shipped.main()), "{commit}: asks for itself");
    }
}
