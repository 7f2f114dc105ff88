//! docs/theorems.md says what is proved, and no more: its lists are written from the theorems, the
//! certificates and the claims themselves.
//!
//! `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test all theorems::` rewrites them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::common::recording;
use crate::sample::{for_all, some_of};
use kmodcheck_explore::Options;
use kmodcheck_model::Mutant;
use kmodcheck_properties::any_number::{self, AnyNumber, Effort};
use kmodcheck_properties::certified::{CERTIFIED, Certified};
use kmodcheck_properties::hard_cases::{HARD_CASES, HardCase};
use kmodcheck_properties::matrix::Cell;
use kmodcheck_properties::theorem::{CLAIMS, Claim};
use kmodcheck_sim::certificate::Certificate;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn effort() -> Effort<'static> {
    let options = Options { symmetry: true, ..Options::default() };
    Effort { options, callers: 4, certificate: false }
}

fn certified(number: usize, certified: &Certified) -> String {
    let Certified { words, file: (file, text), cell, property, mutant } = certified;
    let certificate = Certificate::parse(file, text).expect("a recorded certificate");
    let (excluded, tagged) = certificate.size();
    let path = format!("properties/certificates/{file}");
    assert!(root().join(&path).is_file(), "{path} is not there");
    let mut assumed = vec![cell.environment.assumes().to_owned()];
    assumed.extend(certificate.assumes);
    format!(
        "{}. **{words}.** `{}`: {}\n   - Assumes: {}.\n   - Any number of callers: [certificate](../{path}) \
         of {excluded} excluded elements and {tagged} control states.\n   - Falls under the fault \
         `{mutant}`.\n\n         kmodcheck verify {path}\n         kmodcheck prove --kernel {} --kmod {} \
         --env {} --naming {} --property {}\n",
        number + 1,
        property.name(),
        property.statement(),
        assumed.join("; "),
        cell.kernel,
        cell.kmod,
        cell.environment.name(),
        cell.naming.name(),
        property.name()
    )
}

fn claim(claim: &Claim) -> String {
    let cells = Cell::all().into_iter().filter(claim.covers);
    let first = cells.clone().next().expect("a claim covers something");
    let mut text = format!(
        "- **{}.** `{}`, each of {} cells.\n\n      kmodcheck prove '{first}' --property {}\n",
        claim.words.split_whitespace().collect::<Vec<_>>().join(" "),
        claim.property.name(),
        cells.count(),
        claim.property.name()
    );
    for assumption in claim.assumptions {
        let (cell, property) = (assumption.needed_in, assumption.property.name());
        write!(
            text,
            "\n  Needs that {}; without it:\n\n      kmodcheck prove '{cell}' --property {property}\n",
            assumption.words
        )
        .expect("writing to a string succeeds");
    }
    text
}

fn hard_case(case: &HardCase) -> String {
    let HardCase { name, words, cell, mutant, expected, .. } = case;
    let verdict = match *expected {
        "returns" => "every call returns",
        "asleep" => "a call may sleep for ever",
        "overtaken" => "a call may be overtaken for ever",
        "time-out" => "every call returns, some by a time-out only",
        other => panic!("{name}: unknown verdict {other}"),
    };
    let fault = mutant.map_or(String::new(), |mutant: Mutant| format!(", fault `{mutant}`"));
    let callers: u8 = case.scenario().actors.iter().map(|a| a.count).sum();
    format!(
        "| `{name}` | {words} | {}, kmod {}, `{}`{fault} | {callers} | {verdict} |\n",
        cell.kernel,
        cell.kmod,
        cell.environment.name()
    )
}

/// `document` with what is between the two comments replaced.
fn with(document: &str, name: &str, lines: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
    format!("{before}{begin}\n{lines}\n{end}{after}")
}

#[test]
fn the_page_says_what_is_proved() {
    let path = root().join("docs/theorems.md");
    let page = std::fs::read_to_string(&path).expect("docs/theorems.md is there");
    let numbered = CERTIFIED.iter().enumerate();
    let theorems: Vec<String> = numbered.map(|(i, c)| certified(i, c)).collect();
    let claims: Vec<String> = CLAIMS.iter().map(claim).collect();
    let head = "| case | what | system | actors | verdict |\n|---|---|---|---|---|\n";
    let cases: String = HARD_CASES.iter().map(hard_case).collect();
    let mut expected = with(&page, "certified", theorems.join("\n").trim_end());
    expected = with(&expected, "claims", claims.join("\n").trim_end());
    expected = with(&expected, "hard cases", format!("{head}{cases}").trim_end());
    if recording() {
        std::fs::write(&path, &expected).expect("the page can be written");
        return;
    }
    for (line, (found, expected)) in page.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "docs/theorems.md:{}", line + 1);
    }
    assert_eq!(page, expected);
}

/// Each certificate in the repository belongs to a theorem.
#[test]
fn no_certificate_is_left_over() {
    let files = std::fs::read_dir(root().join("properties/certificates")).expect("it is there");
    for file in files {
        let name = file.expect("it can be read").file_name();
        let name = name.to_str().expect("a plain name");
        assert!(CERTIFIED.iter().any(|c| c.file.0 == name), "{name} is no theorem's");
    }
}

/// The main job's theorem, which it shows for two and three callers, holds for any number of them; and
/// so is each of its assumptions needed.
#[test]
fn claims_hold_for_any_number_of_callers() {
    let covered = |claim: &'static Claim| {
        let cells = Cell::all().into_iter().filter(claim.covers);
        cells.map(move |cell| (claim, cell))
    };
    let holds: Vec<_> = CLAIMS.iter().flat_map(covered).collect();
    let needed: Vec<_> =
        CLAIMS.iter().flat_map(|claim| claim.assumptions.iter().map(move |a| (claim, a))).collect();
    assert!(holds.len() > 100 && needed.len() > 8);
    for_all(&some_of(40, holds), |(claim, cell)| {
        let model = cell.model(2, None);
        let report = any_number::prove(model.scenario(), None, &effort()).expect("provable");
        let answer = report.answer(claim.property);
        let holds = matches!(answer, AnyNumber::Holds { .. });
        assert!(holds, "{}: {cell}: {answer:?}", claim.words);
    });
    for_all(&needed, |(claim, assumption)| {
        let model = assumption.needed_in.model(2, None);
        let report = any_number::prove(model.scenario(), None, &effort()).expect("provable");
        let answer = report.answer(assumption.property);
        assert!(matches!(answer, AnyNumber::Violated { .. }), "{}: {answer:?}", claim.words);
    });
}

/// What holds for any number of callers does not hold whatever the model does: under the recorded
/// fault, two callers (three at a limit) violate it. That they do, the tests of the grand matrix run.
#[test]
fn each_recorded_holds_names_a_fault() {
    use kmodcheck_model::builtin::Environment;
    use kmodcheck_properties::grand::{GrandCell, System};
    use kmodcheck_properties::{Property, recorded};
    let (mut named, mut built_in) = (0, 0);
    for system in System::of(&GrandCell::all()) {
        let name = system.name();
        let line = recorded::ANY_NUMBER.find(&name).expect("it is recorded");
        let words = line.split(' ').filter_map(|word| word.strip_suffix('+')?.chars().next());
        for letter in words {
            let mutant = recorded::ANY_NUMBER.mutants(&name).find(|(l, _)| *l == letter);
            let (_, mutant) = mutant.unwrap_or_else(|| panic!("{name}: no fault for {letter}"));
            if mutant != recorded::NO_MUTANT {
                named += 1;
                continue;
            }
            // A request for built-in code may return 0 whatever modprobe does.
            let environment = system.cells[0].environment;
            let built = matches!(environment, Environment::BuiltinDir | Environment::BuiltinNodir);
            assert!(built || letter == Property::NobodySleepsForEver.letter(), "{name}: {letter}");
            built_in += 1;
        }
    }
    println!("{named} times a fault is named, {built_in} times there is none");
    assert!(named > 4_000 && built_in > 100);
}
