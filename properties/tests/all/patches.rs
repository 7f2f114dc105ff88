//! Patches of the kernel's functions as texts: a commit as a diff makes of the release before it what the release after it
//! is recorded to be.

use std::path::Path;

use crate::sample::{for_all, long_some_of};
use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{Features, KernelFeatures};
use kmodcheck_model::presets;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::text::Decisions;
use kmodcheck_properties::grand::{GrandCell, System, SystemReport};
use kmodcheck_properties::recorded::{self, Compared, GRAND};
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::patch::Texts;

/// Diffs, the release that they are applied on, and the one that they make of it: a kernel, or a kmod.
const DIFFS: [(&[&str], &str, &str); 20] = [
    (&["6d7964a722af", "885a78d4a5b3", "41124db869b7"], "v4.9", "v4.13"),
    (&["6e6de3dee51a", "bc6f2a757d52"], "v4.13", "v5.3"),
    (&["5d603311615f"], "v5.3", "v5.5"),
    (&["d7d27cfc5cf0"], "v5.5", "v5.7"),
    (&["59cc8e0a906e"], "v5.7", "v5.10"),
    (&["38dc717e9715", "5e8ed280dab9"], "v5.10", "v5.11"),
    (&["67d6212afda2"], "v5.11", "v5.17"),
    (&["0254127ab977"], "v5.17", "v6.2"),
    (&["064f4536d139", "25a1b5b518f4", "9b9879fc0327"], "v6.2", "v6.5"),
    (&["2124d84db293", "d1909c022173"], "v6.5", "v6.11"),
    (&["ce47f7cbbcad"], "v6.11", "v6.12"),
    (&["110b1e070f1d", "044d2aee6c57"], "v6.12", "v6.16"),
    (&["743f8cae549a"], "v6.16", "v7.1"),
    (&["rfc-author-tree"], "v4.9", "v4.9+author-tree"),
    (&["rfc-author-mail"], "v4.9", "v4.9+author-mail"),
    (&["rfc-verify"], "v4.9", "v4.9+verify"),
    (&["rfc-wait-and-verify"], "v4.9", "v4.9+wait-and-verify"),
    (&["rfc-exact-builtin"], "v4.9", "v4.9+exact-builtin"),
    (&["7cd664fbaead"], "v5", "v19"),
    (&["fd44a98ae2eb", "e2719b32cc5c"], "v19", "v20"),
];

fn patched(diffs: &[&str]) -> Texts {
    let mut texts = Texts::default();
    for name in diffs {
        let path = format!("../docs/patches/{name}.diff");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        texts.apply(name, &std::fs::read_to_string(file).unwrap()).unwrap();
    }
    texts
}

/// That release's kernel, or that kmod's, in the place of a system's.
fn with(features: &Features, release: &str) -> Features {
    match presets::KMODS.contains(&release) {
        true => Features { kmod: presets::kmod(release).unwrap(), ..*features },
        // What is built in is in none of the texts.
        false => Features {
            kernel: KernelFeatures {
                late_builtin_directories: features.kernel.late_builtin_directories,
                driver_directories: features.kernel.driver_directories,
                ..presets::kernel(release).unwrap()
            },
            ..*features
        },
    }
}

#[test]
fn a_commit_makes_the_next_release_of_the_one_before() {
    let mut systems = Vec::new();
    for (diffs, before, after) in DIFFS {
        let mut changes = false;
        let texts = patched(diffs);
        let mut known: Vec<(Features, Decisions)> = Vec::new();
        // Of each release once: most systems differ in something else.
        let mut decided = |features: &Features| match known.iter().find(|(of, _)| of == features) {
            Some((_, decisions)) => decisions.clone(),
            None => {
                let decisions = texts.decisions(features).unwrap_or_else(|e| panic!("{e}"));
                known.push((*features, decisions.clone()));
                decisions
            }
        };
        for system in System::of(&GrandCell::all()) {
            let Some(cell) =
                system.cells.iter().find(|cell| cell.kernel == after || cell.kmod == after)
            else {
                continue;
            };
            let next = cell.features();
            let was = with(&next, before);
            let decisions = decided(&was);
            changes |= decisions != Decisions::of_features(&was);
            assert_eq!(decisions, Decisions::of_features(&next), "{diffs:?}");
            // An RFC's check is not in the texts, so it is put into none that has it.
            if !next.kernel.already_live {
                assert_eq!(decided(&next), decisions, "{diffs:?} is in {after}");
            }
            let mut scenario = match presets::KMODS.contains(&before) {
                true => GrandCell { kmod: before, ..*cell }.scenario(),
                false => GrandCell { kernel: before, ..*cell }.scenario(),
            };
            decisions.apply(&mut scenario);
            systems.push((system.clone(), scenario));
        }
        assert!(changes, "{diffs:?} changes {before}");
    }
    for_all(&long_some_of(60, 200, systems), |(system, scenario)| {
        let model = Model::new(scenario.clone(), None).unwrap();
        let options = Options { symmetry: true, ..Options::default() };
        let report = check_all(&model, &options).unwrap();
        let line = recorded::system(&SystemReport { system: system.clone(), report });
        assert_eq!(GRAND.compare(&line), Compared::AsRecorded, "{}", system.name());
    });
}

/// Diffs of one switch alone, the release that they are applied on, and the switch.
const SWITCHES: [(&str, &str, &str); 6] = [
    ("743f8cae549a", "v6.5", "eexist-safety-net"),
    ("2124d84db293", "v6.5", "join-interruptible"),
    ("codetag-error-counts", "v6.16", "codetag-error-counts"),
    ("load-eexist-is-busy", "v7.3", "load-eexist-is-busy"),
    ("joiners-try-again", "v7.3", "joiners-try-again"),
    ("nowait-announces-nothing", "v7.3+dup", "nowait-announces-nothing"),
];

#[test]
fn a_diff_makes_its_switch() {
    for (commit, before, switch) in SWITCHES {
        for kmod in presets::KMODS {
            let features = Features {
                kernel: presets::kernel(before).unwrap(),
                kmod: presets::kmod(kmod).unwrap(),
            };
            let mut with = features;
            presets::with(&mut with, switch).unwrap();
            let decisions = patched(&[commit]).decisions(&features).unwrap();
            assert_ne!(decisions, Decisions::of_features(&features), "{commit}");
            assert_eq!(decisions, Decisions::of_features(&with), "{commit}");
        }
    }
}

/// A reading of the RFC beside the warning of get_fs_type(), which is a value of the same switch: neither is lost, in
/// whichever order they are applied.
#[test]
fn a_check_and_the_warning_stand_beside_each_other() {
    use kmodcheck_model::features::SanityCheck;
    let (kernel, kmod) = (presets::kernel("v4.9").unwrap(), presets::kmod("v30").unwrap());
    for diffs in [["rfc-verify", "41124db869b7"], ["41124db869b7", "rfc-verify"]] {
        let decisions = patched(&diffs).decisions(&Features { kernel, kmod }).unwrap();
        assert_eq!(decisions.features.kernel.sanity_check, SanityCheck::WarnOnly);
        assert_eq!(decisions.check, SanityCheck::Verify.rules());
    }
}

/// What 743f8cae549a (v7.1) is for holds with it.
#[test]
fn an_init_s_eexist_is_no_success_any_more() {
    let texts = patched(&["743f8cae549a"]);
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
        texts.decisions(&scenario.features).unwrap().apply(&mut scenario);
        assert!(!violated(&scenario), "{naming:?}");
    }
}

/// No patch here only says that a commit is there: each changes the lines that do something; and each file there is one
/// that is tested.
#[test]
fn a_patch_changes_code() {
    let all = DIFFS.iter().flat_map(|(diffs, ..)| diffs.iter().copied());
    let all = all.chain(SWITCHES.iter().map(|(commit, ..)| *commit));
    for name in all.clone() {
        let shipped = Texts::default();
        let texts = patched(&[name]);
        let asks = |texts: &Texts| {
            // What ends another is asked for by that one's name.
            let of = if name == "110b1e070f1d" { "d1909c022173" } else { name };
            let since = format!("since(\"{of}\")");
            texts.all().map(|(_, text)| text.matches(&since).count()).sum::<usize>()
        };
        assert!(
            asks(&texts) < asks(&shipped) || name.starts_with("rfc-"),
            "{name}: asks for itself"
        );
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/patches");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(all.clone().any(|tested| tested == name), "{name} is tested");
    }
}
