//! Proofs for any number of callers: against exhaustive exploration, against the record, and the
//! recorded certificates, whole and tampered with.
//!
//! `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test all prove::` rewrites the record and the
//! certificates. Never without a reason, which belongs into the commit.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use crate::common::recording;
use crate::sample::{for_all, long_sample, long_some_of, sample, some_of};
use kmodcheck_explore::coverability::{Family, Minimal, Question, Setup};
use kmodcheck_explore::{End, Kind, Limits, Local, Options, Product, System as _};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::{Model, Mutant};
use kmodcheck_properties::any_number::{self, AnyNumber, Effort};
use kmodcheck_properties::certified::{CERTIFIED, Certified};
use kmodcheck_properties::generate::Space;
use kmodcheck_properties::grand::{GrandCell, System};
use kmodcheck_properties::recorded::{self, ANY_NUMBER, Compared, GRAND};
use kmodcheck_properties::safety::{self, Safety};
use kmodcheck_properties::{Property, Verdict, certificate as checker, check};
use kmodcheck_sim::Processes;
use kmodcheck_sim::certificate::{Certificate, verify};
use kmodcheck_sim::scenario_file;

fn effort() -> Effort<'static> {
    let options = Options { symmetry: true, ..Options::default() };
    Effort { options, callers: 4, certificate: false }
}

fn file(directory: &str, name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(name)
}

fn cell(
    environment: Environment,
    naming: Naming,
    kernel: &'static str,
    kmod: &'static str,
) -> GrandCell {
    GrandCell { environment, naming, kernel, kmod }
}

/// What the counted form reaches with so many callers.
fn counted(model: &Model, callers: usize) -> BTreeSet<Minimal> {
    let system = Processes { model };
    let family = Family::new(&system, &[Kind(0)], &[]).expect("callers are alike");
    let question = Question { monitor: Safety::new(model, Property::ALL), without_history: 0 };
    let setup = Setup::new(&family, &question, &Options::default()).expect("no limits");
    setup.configurations(callers - 1, 10_000_000).expect("few configurations")
}

/// What exhaustive exploration of the exact model reaches, in the counted form.
fn exhaustive(cell: GrandCell, callers: u8) -> BTreeSet<Minimal> {
    let scenario = safety::with_callers(&cell.scenario(), callers);
    let model = Model::new(scenario, None).expect("a built-in scenario");
    let system = Processes { model: &model };
    let product = Product::new(&system).expect("few callers");
    let mut initial = product.initial();
    product.canonicalize(&mut initial);
    let mut seen = BTreeSet::from([initial]);
    let mut queue = vec![initial];
    let mut scratch = Vec::new();
    while let Some(state) = queue.pop() {
        product
            .successors(&state, &mut scratch, |transition| {
                let mut after = *transition.after;
                product.canonicalize(&mut after);
                if seen.insert(after) {
                    queue.push(after);
                }
                ControlFlow::Continue(())
            })
            .expect("nobody is spawned");
    }
    let n = usize::from(callers);
    let mut found = BTreeSet::new();
    for state in seen {
        for tagged in 0..n {
            let mut others: Vec<(Kind, Local)> = (0..n)
                .filter(|i| *i != tagged)
                .map(|i| (Kind(0), system.anonymous(Kind(0), state.locals[i])))
                .collect();
            others.sort_unstable();
            found.insert(Minimal {
                shared: state.shared,
                tag_kind: Kind(0),
                tag_slot: None,
                tag: state.locals[tagged],
                slots: Vec::new(),
                others,
            });
        }
    }
    found
}

#[test]
fn counted_form_reaches_what_one_to_five_callers_reach() {
    let cells = [
        (cell(Environment::Ok, Naming::Plain, "v4.9", "v19"), 5),
        (cell(Environment::Fail, Naming::Plain, "v4.9+exact-builtin", "v20"), 4),
        (cell(Environment::Fail, Naming::FsAndOther, "v4.9+author-tree", "v19"), 3),
        (cell(Environment::DepFails, Naming::Plain, "v4.9", "v20"), 3),
        (cell(Environment::Ok, Naming::FsAndModule, "v6.5", "v19"), 3),
        (cell(Environment::SelfRequest, Naming::Plain, "v5.3", "v20"), 3),
    ];
    for (cell, most) in cells {
        let most = sample(2, most).seeds().end as u8;
        let model = Model::for_any_number(cell.scenario(), None).expect("a built-in scenario");
        assert_eq!(model.counts_up_to(), None);
        for callers in 1..=most {
            let (found, expected) =
                (counted(&model, usize::from(callers)), exhaustive(cell, callers));
            assert!(found.len() > usize::from(callers), "{cell:?}");
            let differs = found.symmetric_difference(&expected).next();
            assert_eq!(differs, None, "{cell:?} with {callers} callers");
        }
    }
}

/// Systems of every environment, some of each.
fn a_few(systems: &[System]) -> Vec<&System> {
    let wanted = |(i, system): &(usize, &System)| {
        let environment = system.cells[0].environment;
        let large = matches!(environment, Environment::LimitTwo | Environment::FailRmmod);
        i.is_multiple_of(if large { 61 } else { 23 })
    };
    systems.iter().enumerate().filter(wanted).map(|(_, s)| s).collect()
}

#[test]
fn verdicts_are_as_recorded() {
    let systems = System::of(&GrandCell::all());
    if recording() {
        let lines = for_all(&systems, |system| {
            let report = any_number::prove(&system.scenario, None, &effort()).expect("provable");
            recorded::any_number(&system.name(), &report).to_string()
        });
        std::fs::write(file("recorded", "any-number.txt"), lines.join("\n") + "\n").unwrap();
        return;
    }
    assert_eq!(ANY_NUMBER.names().count(), systems.len());
    let systems = a_few(&systems);
    assert!(systems.len() > 50, "{}", systems.len());
    for_all(&some_of(15, systems), |system| {
        let report = any_number::prove(&system.scenario, None, &effort()).expect("provable");
        let line = recorded::any_number(&system.name(), &report);
        assert_eq!(ANY_NUMBER.compare(&line), Compared::AsRecorded);
    });
}

/// What needs nobody's history is found once for both histories: the same as if it were found anew.
#[test]
fn both_histories_share_what_nobody_remembers() {
    let compared = for_all(&long_some_of(8, 40, System::of(&GrandCell::all())), |system| {
        let model = Model::for_any_number(system.scenario.clone(), None).expect("built in");
        let failures = Property::NoFalseFailure.remembering(&model);
        let (loads, failing) = (Processes { model: &model }, Processes { model: &failures });
        let families =
            [Family::new(&loads, &[Kind(0)], &[]), Family::new(&failing, &[Kind(0)], &[])];
        let [Ok(of_loads), Ok(of_failures)] = families else { return 0 };
        let question = |model| Question {
            monitor: Safety::new(model, Property::ALL).with_asked(),
            without_history: 0,
        };
        let (about, about_failures) = (question(&model), question(&failures));
        let options = Options::default();
        let setup = Setup::new(&of_loads, &about, &options).expect("no limits");
        let told = |setup: &Setup<'_, '_, _, _>| {
            let possible = (setup.possibly_violated(), setup.lacks_place());
            (possible, setup.sizes(), setup.invariant(&options))
        };
        let anew = Setup::new(&of_failures, &about_failures, &options).expect("no limits");
        let beside = setup.remembering(&of_failures, &about_failures, &options);
        let beside = beside.expect("no limits");
        assert_eq!(told(&beside), told(&anew), "{}", system.name());
        1
    });
    let compared: usize = compared.into_iter().sum();
    println!("{compared} systems compared");
    assert!(compared > 3);
}

/// What two callers violate any number violates, and what holds for any number holds for two.
#[test]
fn record_agrees_with_that_of_two_callers() {
    let (mut holds, mut violated, mut later) = (0, 0, 0);
    for system in System::of(&GrandCell::all()) {
        let name = system.name();
        let any = ANY_NUMBER.find(&name).unwrap_or_else(|| panic!("{name}: nothing recorded"));
        let bounded = GRAND.find(&name).expect("it is recorded");
        let callers = system.cells[0].environment.callers();
        for property in Property::ALL.into_iter().filter(|p| p.is_safety()) {
            let letter = property.letter();
            let find = |line: &'static str| {
                let verdicts = line.rsplit(" | ").next().expect("a line has an end");
                verdicts.split(' ').find_map(|word| word.strip_prefix(letter))
            };
            let Some(any) = find(any) else { panic!("{name}: no {letter}") };
            let Some(bounded) = find(bounded) else { continue };
            match (any, bounded) {
                ("-", "-") => {}
                ("+" | "0", "+" | "0") => holds += 1,
                (any, bounded) => {
                    let (least, steps) = any
                        .split_once('x')
                        .unwrap_or_else(|| panic!("{name}: {letter}{any} and {letter}{bounded}"));
                    let least: u8 = least.parse().unwrap();
                    violated += 1;
                    if bounded == "+" || bounded == "0" {
                        assert!(least > callers, "{name}: {letter}{any}");
                        later += 1;
                    } else {
                        assert!(least <= callers, "{name}: {letter}{any}");
                        assert!(least < callers || steps == bounded, "{name}: {letter}{any}");
                    }
                }
            }
        }
    }
    println!("{holds} hold, {violated} are violated, {later} of them by more callers only");
    assert!(holds > 3_000 && violated > 2_000 && later > 0);
}

fn certificate(certified: &Certified) -> Certificate {
    Certificate::parse(certified.file.0, certified.file.1).expect("a recorded certificate")
}

fn made(certified: &Certified) -> Certificate {
    let effort = Effort { certificate: true, ..effort() };
    let report = any_number::prove(&certified.cell.scenario(), None, &effort).expect("provable");
    report.certificate.expect("something holds")
}

#[test]
fn recorded_certificates_verify() {
    if recording() {
        for certified in &CERTIFIED {
            let path = file("certificates", certified.file.0);
            std::fs::write(path, made(certified).to_json()).unwrap();
        }
        return;
    }
    for certified in &CERTIFIED {
        let (name, words) = (certified.file.0, certified.words);
        let certificate = certificate(certified);
        assert_eq!(certificate.scenario, certified.cell.scenario(), "{name}");
        let proves = certificate.properties.iter().any(|p| p.name == certified.property.name());
        assert!(proves, "{name} does not prove: {words}");
    }
    for_all(&long_some_of(2, 3, distinct()), |certified| {
        let (name, certificate) = (certified.file.0, certificate(certified));
        let verified = checker::verify(name, &certificate).expect("it can be read");
        let verified = verified.unwrap_or_else(|refused| panic!("{name}: {refused}")).verified;
        println!("{name}: {verified:?}");
        assert!(verified.predecessors > 0 && verified.steps > 0, "{name}: {verified:?}");
        assert!(verified.enumerated.len() > 1, "{name}: {verified:?}");
        assert_eq!(verified.reached.len(), verify::CALLERS, "{name}: {verified:?}");
    });
}

/// One theorem of each certificate.
fn distinct() -> Vec<&'static Certified> {
    let first = |c: &&Certified| CERTIFIED.iter().find(|d| d.file.0 == c.file.0) == Some(*c);
    CERTIFIED.iter().filter(first).collect()
}

/// The prover makes the recorded certificates, byte for byte.
#[test]
fn certificates_are_made_again() {
    if !recording() {
        for_all(&distinct(), |certified| {
            assert_eq!(made(certified).to_json(), certified.file.1, "{}", certified.file.0);
        });
    }
}

#[test]
fn mutants_make_the_theorems_false() {
    for certified in &CERTIFIED {
        let scenario = certified.cell.scenario();
        let faithful = any_number::prove(&scenario, None, &effort()).expect("provable");
        let answer = faithful.answer(certified.property);
        assert_eq!(*answer, AnyNumber::Holds { premise_met: true }, "{}", certified.words);
        let faulty =
            any_number::prove(&scenario, Some(certified.mutant), &effort()).expect("provable");
        let answer = faulty.answer(certified.property);
        assert!(
            matches!(answer, AnyNumber::Violated { .. }),
            "{} under {}: {answer:?}",
            certified.words,
            certified.mutant
        );
    }
}

/// What the checker says of a certificate that somebody has changed and sealed anew.
fn said(change: impl FnOnce(&mut Certificate)) -> Option<String> {
    let mut certificate = certificate(&CERTIFIED[0]);
    change(&mut certificate);
    certificate.seal();
    let verdict = checker::verify("tampered", &certificate).expect("it can be read");
    verdict.err().map(|refused| refused.to_string())
}

/// The same, of a change that must not be believed.
fn refused(change: impl FnOnce(&mut Certificate)) -> String {
    said(change).expect("the change is not believed")
}

#[test]
fn tampered_certificates_are_refused() {
    // Almost each excluded element is there because another one, or the tagged part, needs it; the
    // rest is still a proof without the others.
    let count = certificate(&CERTIFIED[0]).places.iter().map(|p| p.excluded.len()).sum::<usize>();
    let (mut needed, taken) = (0, some_of(8, 0..count));
    let count = taken.len();
    for number in taken {
        let said = said(|c| {
            let mut at = number;
            for place in &mut c.places {
                if at < place.excluded.len() {
                    place.excluded.remove(at);
                    return;
                }
                at -= place.excluded.len();
            }
        });
        let Some(said) = said else { continue };
        assert!(said.starts_with("excluded element ") || said.starts_with("tagged "), "{said}");
        needed += 1;
    }
    assert!(needed * 10 > count * 8, "{needed} of {count} elements are needed");
    // Each tagged control state is.
    let count = certificate(&CERTIFIED[0]).places.iter().map(|p| p.tagged.len()).sum::<usize>();
    for number in some_of(2, (0..count).step_by(count / 20 + 1)) {
        let said = refused(|c| {
            let mut at = number;
            for place in &mut c.places {
                if at < place.tagged.len() {
                    place.tagged.remove(at);
                    return;
                }
                at -= place.tagged.len();
            }
        });
        assert!(said.starts_with("tagged"), "{said}");
        assert!(said.contains("is not listed") || said.contains("missing"), "{said}");
    }
    // An element that takes in an initial configuration, and one that takes in everything.
    let said = refused(|c| {
        let initial = c.places.iter_mut().find(|p| p.shared == "0x0").expect("nothing is loaded");
        initial.excluded = vec![Vec::new()];
    });
    assert!(said.contains("contains an initial configuration"), "{said}");
    // An element that claims too much: somebody gets in.
    let said = refused(|c| {
        let place = c.places.iter_mut().find(|p| p.shared != "0x0" && !p.excluded.is_empty());
        place.expect("something is excluded").excluded.push(Vec::new());
    });
    assert!(said.contains("a step leads into it from"), "{said}");
    // Another system: the same claim with the old rule, under which it is false.
    let said = refused(|c| {
        c.scenario.features.kmod = kmodcheck_model::presets::kmod("v19").expect("a preset");
    });
    assert!(said.starts_with("excluded element ") || said.starts_with("tagged"), "{said}");
    // More than was proved.
    let said = refused(|c| {
        c.scenario.modules[0].init = kmodcheck_model::scenario::Init::MayFail;
    });
    assert!(said.starts_with("excluded element ") || said.starts_with("tagged"), "{said}");
    // Words that are no states.
    let said = refused(|c| c.tags.last_mut().expect("somebody is tagged").word = u64::MAX);
    assert!(said.starts_with("tagged control state"), "{said}");
    let said = refused(|c| c.tags.last_mut().expect("somebody is tagged").kind = 200);
    assert!(said.starts_with("tagged control state"), "{said}");
    let said = refused(|c| c.anonymous[0].word ^= 1 << 40);
    assert!(said.starts_with("excluded element"), "{said}");
    // Who forgets, and who comes in any number, is not for the certificate to say.
    let said = refused(|c| c.forgetful.push(0));
    assert_eq!(said, "forgetful[0]: found 0, expected nothing");
    let said = refused(|c| c.any_number.clear());
    assert_eq!(said, "any_number[0]: found nothing, expected 0");
    // Changed and not sealed anew, where the change itself proves nothing wrong.
    let mut changed = certificate(&CERTIFIED[0]);
    changed.scenario.name.push('!');
    let said =
        checker::verify("tampered", &changed).expect("it can be read").unwrap_err().to_string();
    assert!(said.starts_with("digest: found"), "{said}");
}

#[test]
fn bad_certificates_are_errors() {
    let text = CERTIFIED[0].file.1;
    let parse = |text: &str| Certificate::parse("file", text).unwrap_err().to_string();
    assert!(parse("").starts_with("file:1:1: EOF"), "{}", parse(""));
    assert!(parse("{}").contains("missing field `format`"));
    let other = text.replacen("kmodcheck-certificate", "kmodcheck-trace", 1);
    assert!(parse(&other).contains("found format 'kmodcheck-trace' version 2, expected"));
    let unknown = text.replacen("\"digest\"", "\"digset\"", 1);
    assert!(parse(&unknown).contains("unknown field `digset`"), "{}", parse(&unknown));
    let error = |change: &dyn Fn(&mut Certificate)| {
        let mut certificate = certificate(&CERTIFIED[0]);
        change(&mut certificate);
        checker::verify("file", &certificate).unwrap_err().to_string()
    };
    let said = error(&|c| c.places[0].shared = "zero".to_owned());
    assert_eq!(said, "file: place 0: found shared state 'zero', expected a hexadecimal number");
    let said = error(&|c| c.properties[0].name = "peace".to_owned());
    assert!(said.starts_with("file: found property 'peace', expected one of no-false"), "{said}");
    let said = error(&|c| {
        let place = c.places.iter_mut().find(|p| !p.tagged.is_empty()).expect("somebody is tagged");
        place.tagged[0].0 = 1_000_000;
    });
    assert!(said.contains("found local state of a tagged process 1000000, expected"), "{said}");
    let said =
        error(&|c| c.scenario.actors[0].action = kmodcheck_model::scenario::Action::GetFsType(9));
    assert!(said.starts_with("file: scenario '"), "{said}");
}

/// Three callers show what two do not: while one fails for want of a dependency and is taken off the
/// list, the author's readings wait for it and answer 0.
#[test]
fn author_tree_needs_three_callers_to_be_wrong_about_a_failing_dependency() {
    let cell = cell(Environment::DepFails, Naming::Plain, "v4.9+author-tree", "v20");
    let report = any_number::prove(&cell.scenario(), None, &effort()).expect("provable");
    let answer = report.answer(Property::NoFalseSuccess);
    let AnyNumber::Violated { callers: 3, trace } = answer else { panic!("{answer:?}") };
    let scenario = safety::with_callers(&cell.scenario(), 3);
    let model = Model::new(scenario, None).expect("a built-in scenario");
    let confirmed = kmodcheck_properties::verdict::confirm(&model, Property::NoFalseSuccess, trace);
    assert_eq!(confirmed, Ok(()));
    let two = safety::with_callers(&cell.scenario(), 2);
    let two = Model::new(two, None).expect("a built-in scenario");
    let options = Options { symmetry: true, ..Options::default() };
    let two = kmodcheck_properties::check(&two, &options).expect("a small state");
    assert!(matches!(two.answer(Property::NoFalseSuccess).verdict, Verdict::Holds { .. }));
}

/// The model of a certificate does not remember what this property reads, so it would never be violated.
#[test]
fn no_certificate_speaks_of_what_its_model_does_not_remember() {
    let mut forged = certificate(&CERTIFIED[0]);
    forged.properties[0].name = Property::NoFalseFailure.name().to_owned();
    forged.seal();
    let error = checker::verify("forged", &forged).expect_err("it is refused").to_string();
    assert!(error.contains("found property 'no-false-failure'"), "{error}");
}

/// Under a fault that breaks mutual exclusion on the module list, nothing is proved that is false.
#[test]
fn faults_are_not_proved_away() {
    let cell = cell(Environment::Ok, Naming::Plain, "v4.9", "v20");
    for mutant in [Mutant::OldRule, Mutant::ModprobeExitsZero, Mutant::NoModprobe] {
        let report =
            any_number::prove(&cell.scenario(), Some(mutant), &effort()).expect("provable");
        let holds: Vec<Property> = Property::ALL
            .into_iter()
            .filter(|p| matches!(report.answer(*p), AnyNumber::Holds { .. }))
            .collect();
        for callers in 1..=3 {
            let scenario = safety::with_callers(&cell.scenario(), callers);
            let model = Model::new(scenario, Some(mutant)).expect("a built-in scenario");
            let options = Options { symmetry: true, ..Options::default() };
            let exact = kmodcheck_properties::check(&model, &options).expect("a small state");
            for property in &holds {
                let verdict = &exact.answer(*property).verdict;
                assert!(!matches!(verdict, Verdict::Violated(_)), "{property:?} under {mutant}");
            }
        }
    }
}

/// A drawn file beside a program, with questions of its own; also about a result of its first actor.
fn with_questions(seed: u64, about_results: bool) -> String {
    let drawn = Space::of(1 + seed as usize % 2).draw_text(seed);
    let (keys, rest) = drawn.split_at(drawn.find("\n[").expect("there are tables") + 1);
    let modules = drawn.split("[[module]]\nname = \"").skip(1);
    let modules = modules.filter(|table| table.contains("built-in = false"));
    let modules: Vec<&str> = modules.filter_map(|table| table.split('"').next()).collect();
    let module = modules[seed as usize % modules.len()];
    let state = ["UNFORMED", "COMING", "LIVE", "GOING"][seed as usize / 2 % 4];
    // Of the first actor.
    let actor = rest.split("[[actor]]\n").nth(1).expect("there is one");
    let call = actor.lines().find_map(|line| line.strip_prefix("call = "));
    let result = match call {
        _ if !about_results => "",
        Some("\"get_fs_type\"") => "results = [\"found\"]\n",
        Some("\"request_module\"") => "results = [\"0\"]\n",
        _ => "",
    };
    let rest = rest.replacen("[[actor]]\n", &format!("[[actor]]\n{result}"), 1);
    format!(
        "{keys}shared = 'int x;'\n{rest}\n[[actor]]\nprogram = '''\n    x = 1;\n    if (enter(\"{module}\")) {{\n        \
         x = 2;\n        leave(\"{module}\");\n    }}\n    x = 3 + module_is_live(\"{module}\");\n'''\n\
         [[property]]\nname = \"early\"\nnever = 'x == {} && state(\"{module}\") == {state}'\n\
         [[property]]\nname = \"late\"\nalways = 'x != 4 || state(\"{module}\") == LIVE'\n\
         [[property]]\nname = \"some-time\"\nexists = 'x == 4'\n",
        1 + seed / 8 % 4
    )
}

/// What a file asks itself, decided for any number of callers, is as exploring so many says.
#[test]
fn what_a_file_asks_is_as_explored() {
    let systems = long_sample(8, 10, 300);
    let seeds: Vec<u64> = systems.seeds().collect();
    let met = for_all(&seeds, |seed| {
        let load = |about_results| {
            let text = with_questions(*seed, about_results);
            scenario_file::load("a drawn file", &text, &[])
        };
        // Of one of two actors that do the same no results are asked.
        let loaded = load(true).or_else(|_| load(false));
        let loaded = loaded.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let limits = Limits { states: Some(20_000), ..Limits::default() };
        let options = Options { symmetry: true, limits, ..Options::default() };
        let effort = Effort { options, callers: 4, certificate: false };
        // (Some states are too wide to be explored.)
        let Ok(report) = any_number::prove(&loaded.scenario, None, &effort) else { return [0; 4] };
        let mut met = [0_usize; 4];
        for callers in 1..=4 {
            let scenario = safety::with_callers(&loaded.scenario, callers);
            let Ok(model) = Model::new(scenario, None) else { continue };
            let Ok(explored) = check(&model, &options) else { continue };
            if explored.end != End::Complete {
                continue;
            }
            for (explored, (asked, answer)) in explored.asked.iter().zip(&report.asked) {
                assert_eq!(explored.asked.name, asked.name);
                let violated = matches!(explored.verdict, Verdict::Violated(_));
                let what = format!("seed {seed}: {} with {callers}", asked.name);
                match answer {
                    AnyNumber::Holds { .. } => {
                        assert!(!violated, "{what}: holds, and is violated");
                        met[0] += 1;
                    }
                    AnyNumber::Violated { callers: from, trace } => {
                        assert_eq!(violated, callers >= *from, "{what}: from {from} on");
                        if let (true, Verdict::Violated(shortest)) =
                            (callers == *from, &explored.verdict)
                        {
                            assert_eq!(trace.len(), shortest.len(), "{what}");
                        }
                        met[1] += 1;
                    }
                    AnyNumber::Bounded { .. } => met[2] += 1,
                    AnyNumber::NotDecided(_) => met[3] += 1,
                    AnyNumber::NotApplicable => panic!("{what}: it is asked"),
                }
            }
        }
        met
    });
    let sum = |i: usize| met.iter().map(|met| met[i]).sum::<usize>();
    println!("{} hold, {} violated, {} bounded, {} undecided", sum(0), sum(1), sum(2), sum(3));
    assert!(systems.met_enough(sum(0), 60) && systems.met_enough(sum(1), 15));
}

/// Of callers in any number it is not known whose init runs: what only that makes possible, an init that loads its own
/// module once more and nests deeper than there is room for, is no run, and no panic either.
#[test]
fn inits_that_nest_are_proved_without_a_panic() {
    let limits = Limits { states: Some(4_000), ..Limits::default() };
    let options = Options { symmetry: true, limits, ..Options::default() };
    let effort = Effort { options, callers: 1, certificate: false };
    for seed in long_some_of(2, 2, [146, 218, 287, 384, 490]) {
        let text = with_questions(seed, false);
        let loaded = scenario_file::load("a drawn file", &text, &[]).expect("it was drawn");
        assert!(loaded.scenario.modules.iter().any(|module| module.requests.is_some()));
        let report = any_number::prove(&loaded.scenario, None, &effort).expect("it fits");
        assert!(!report.asked.is_empty());
    }
}
