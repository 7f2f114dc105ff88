//! The second verifier, `tools/verify/verify.py`, on the claims that only one rule refuses. A copy of it without
//! that rule believes them.

use std::path::{Path, PathBuf};
use std::process::Command;

use kmodcheck_explore::{Kind, Local, Step};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::presets;

use super::refuted::{Label, REFUTED, Refuted};
use super::sample::{for_all, some_of};
use super::{Rule, bad};
use crate::certificate::steps::{Met, Steps, met};
use crate::certificate::verify::Claim;
use crate::certificate::{About, Certificate, Proved, invariant};

/// Where it is.
fn verifier() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/verify/verify.py")
}

/// A directory of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("kmodcheck-second-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a directory for temporary files");
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a temporary file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it does no harm.
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// Its exit status and what it says: accepted is 0, refused is 1.
fn run(verifier: &Path, certificate: &Path, steps: &Path) -> (i32, String) {
    let output = Command::new("python3")
        .args([verifier, certificate, steps])
        .output()
        .unwrap_or_else(|error| panic!("python3: {error}; expected Debian's package python3"));
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    (output.status.code().expect("it ends by itself"), said.concat())
}

impl Refuted {
    fn about(&self) -> About {
        let kinds = |kinds: &[u8]| kinds.iter().map(|kind| Kind(*kind)).collect();
        let [name, statement] = ["good", "Nobody takes a bad step."].map(str::to_owned);
        About {
            properties: vec![Proved { name, statement }],
            assumes: Vec::new(),
            any_number: kinds(self.any_number),
            forgetful: kinds(self.forgetful),
        }
    }

    /// Every state that there could be: so that a verifier that is wrong finds what it looks for.
    fn everything(&self) -> Met {
        let locals = |kind: u8| (1..16).map(move |local: Local| (Kind(kind), local));
        let kinds = self.processes.iter().map(|(kind, _)| *kind);
        let all: std::collections::BTreeSet<_> = kinds.flat_map(locals).collect();
        (0..4).map(|shared| (shared, all.clone())).collect()
    }

    /// A certificate of a claim, and two files of steps: of what can be met, and of everything.
    fn files(&self, claim: Claim) -> [String; 3] {
        // Nothing is read of the scenario but that it is the same in both.
        let presets = (presets::kernel("v4.9").unwrap(), presets::kmod("v20").unwrap());
        let features = kmodcheck_model::features::Features { kernel: presets.0, kmod: presets.1 };
        let scenario = scenario(Naming::Plain, Environment::Ok, features, 2);
        let about = self.about();
        let steps = |met: &Met| {
            let violates = |step: &Step<Label>, _| u64::from(bad(step));
            Steps::new(self, met, &scenario, &about, violates).to_json()
        };
        let met = met(self).expect("a small system");
        let certificate = Certificate::new(&scenario, &about, &invariant(claim));
        [certificate.to_json(), steps(&met), steps(&self.everything())]
    }
}

#[test]
fn the_second_verifier_needs_each_rule_too() {
    let text = std::fs::read_to_string(verifier()).expect("the second verifier");
    let kept = "    return True\n";
    assert_eq!(text.matches(kept).count(), 1, "one line says that every rule is kept");
    let shows = |number: &usize| {
        let (case, folder) = (&REFUTED[*number], Folder::new(&number.to_string()));
        let rule = case.broken();
        if !text.contains(&format!("\"{rule:?}\"")) {
            return Some(format!("case {number}: it has no rule {rule:?}"));
        }
        let [certificate, steps, all] = case.files(case.claim(Some(rule)));
        let certificate = folder.write("certificate.json", &certificate);
        let steps = folder.write("steps.json", &steps);
        // The number of an element is another one where all stand in order.
        let says =
            case.says.trim_start_matches("excluded element 0: ").replace("Kind(0)", "kind 0");
        let says = says.split(" Place").next().expect("a beginning");
        let (exit, said) = run(&verifier(), &certificate, &steps);
        if exit != 1 || !said.contains(says) || said.contains("inductive") {
            return Some(format!("case {number}, {rule:?}: {exit}, {said}, expected: {says}"));
        }
        let without = text.replace(kept, &format!("    return rule != \"{rule:?}\"\n"));
        let without = folder.write("without.py", &without);
        let (exit, said) = run(&without, &certificate, &folder.write("all.json", &all));
        // Nobody without history has no steps to compare with.
        let believed = said.contains("inductive: ") || rule == Rule::AnonymousIsSomebody;
        if believed && !said.contains(&format!("refused: {}", case.says)) {
            return None;
        }
        Some(format!("case {number}: not believed without {rule:?}: {exit}, {said}"))
    };
    let cases: Vec<usize> = some_of(16, 0..REFUTED.len());
    let faults: Vec<String> = for_all(&cases, shows).into_iter().flatten().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is true of these systems where no step is bad, both believe.
#[test]
fn the_second_verifier_is_short_and_reads_what_ours_believes() {
    let text = std::fs::read_to_string(verifier()).expect("the second verifier");
    let lines = text.lines().count();
    assert!(lines <= 400, "found {lines} lines, expected at most 400: it is to be read");
    let folder = Folder::new("true");
    let [certificate, steps, _] = super::MUTUAL.files(super::MUTUAL.claim(None));
    let certificate = folder.write("true.json", &certificate);
    let (exit, said) = run(&verifier(), &certificate, &folder.write("true-steps.json", &steps));
    assert_eq!(exit, 0, "{said}");
}
