//! The second verifier of certificates, `tools/verify/verify.py`: it accepts the recorded ones, and refuses what
//! ours refuses of those that were altered.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sample::{for_all, long_sample, long_some_of};
use kmodcheck_model::scenario::Init;
use kmodcheck_properties::certificate as checker;
use kmodcheck_properties::certified::CERTIFIED;
use kmodcheck_sim::certificate::Certificate;

fn write(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("second-{name}"));
    std::fs::write(&path, text).expect("a temporary file");
    path
}

/// The exit status of the second verifier, and all that it says.
fn second(name: &str, certificate: &str, steps: &str) -> (i32, String) {
    let files = [
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/verify/verify.py"),
        write(&format!("{name}.json"), certificate),
        write(&format!("{name}.steps.json"), steps),
    ];
    let output = Command::new("python3")
        .args(&files)
        .output()
        .unwrap_or_else(|error| panic!("python3: {error}; expected Debian's package python3"));
    for file in &files[1..] {
        std::fs::remove_file(file).expect("it was written");
    }
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    (output.status.code().expect("it ends by itself"), said.concat())
}

fn certificate(number: usize) -> Certificate {
    Certificate::parse(CERTIFIED[number].file.0, CERTIFIED[number].file.1).expect("a recorded one")
}

/// The steps of a certificate's system, or why there are none.
fn steps(certificate: &Certificate) -> Result<String, String> {
    let steps = checker::steps("file", certificate).map_err(|error| error.to_string())?;
    steps.map(|steps| steps.to_json()).map_err(|refused| refused.to_string())
}

#[test]
fn recorded_certificates_are_accepted() {
    let first = |n: &usize| {
        let same = |other: &usize| CERTIFIED[*other].file.0 == CERTIFIED[*n].file.0;
        (0..CERTIFIED.len()).find(same) == Some(*n)
    };
    let mut all: Vec<usize> = (0..CERTIFIED.len()).filter(first).collect();
    // The smallest first: they are the sample.
    all.sort_by_key(|n| CERTIFIED[*n].file.1.len());
    let taken = long_sample(3, 3, all.len() as u64).seeds().count();
    for_all(&all[..taken], |number| {
        let name = CERTIFIED[*number].file.0;
        let certificate = certificate(*number);
        let steps = steps(&certificate).unwrap_or_else(|why| panic!("{name}: {why}"));
        let (exit, said) = second(&format!("whole-{number}"), CERTIFIED[*number].file.1, &steps);
        println!("{name}: {} bytes of steps; {said}", steps.len());
        assert_eq!(exit, 0, "{name}: {said}");
        // By number of callers it enumerates and reaches what ours does, as far as it goes.
        let ours = checker::verify(name, &certificate).expect("it can be read");
        let ours = ours.unwrap_or_else(|refused| panic!("{name}: {refused}")).verified;
        for (what, counts) in [("callers: [", &ours.enumerated), ("reached: [", &ours.reached)] {
            let list = said.split(what).nth(1).and_then(|rest| rest.split(']').next());
            let list = list.expect("a list of counts").split(", ");
            let list: Vec<u64> = list.map(|count| count.parse().expect("a count")).collect();
            assert!(counts.starts_with(&list), "{name}: {what}{list:?}, ours: {counts:?}");
        }
        for property in &certificate.properties {
            assert!(said.contains(&property.name), "{name}: {said}");
        }
    });
}

/// What was altered, and how.
type Alteration = (String, Box<dyn Fn(&mut Certificate) + Sync>);

/// The place of the `at`th of what places have.
fn nth(c: &Certificate, mut at: usize, len: impl Fn(usize) -> usize) -> (usize, usize) {
    for place in 0..c.places.len() {
        if at < len(place) {
            return (place, at);
        }
        at -= len(place);
    }
    panic!("there are not so many")
}

/// Those that the tests of our verifier make, and some more.
fn alterations() -> Vec<Alteration> {
    let whole = certificate(0);
    let mut all: Vec<Alteration> = Vec::new();
    let (excluded, tagged) = whole.size();
    let mut add = |name: &str, change: Box<dyn Fn(&mut Certificate) + Sync>| {
        all.push((name.to_owned(), change));
    };
    for number in 0..excluded {
        let remove = move |c: &mut Certificate| {
            let (place, at) = nth(c, number, |place| c.places[place].excluded.len());
            c.places[place].excluded.remove(at);
        };
        add(&format!("without excluded element {number}"), Box::new(remove));
    }
    for number in 0..tagged {
        let remove = move |c: &mut Certificate| {
            let (place, at) = nth(c, number, |place| c.places[place].tagged.len());
            c.places[place].tagged.remove(at);
        };
        add(&format!("without tagged control state {number}"), Box::new(remove));
    }
    add("nothing", Box::new(|_| {}));
    add(
        "initial excluded",
        Box::new(|c| {
            c.places.iter_mut().find(|p| p.shared == "0x0").unwrap().excluded = vec![Vec::new()];
        }),
    );
    add(
        "all excluded at a place",
        Box::new(|c| {
            let place = c.places.iter_mut().find(|p| p.shared != "0x0" && !p.excluded.is_empty());
            place.unwrap().excluded.push(Vec::new());
        }),
    );
    add(
        "another kmod",
        Box::new(|c| {
            c.scenario.features.kmod = kmodcheck_model::presets::kmod("v19").unwrap();
        }),
    );
    add("inits may fail", Box::new(|c| c.scenario.modules[0].init = Init::MayFail));
    add("no such word", Box::new(|c| c.tags.last_mut().unwrap().word = u64::MAX));
    add("no such kind", Box::new(|c| c.tags.last_mut().unwrap().kind = 200));
    add("another anonymous word", Box::new(|c| c.anonymous[0].word ^= 1 << 40));
    add("somebody forgets", Box::new(|c| c.forgetful.push(0)));
    add("nobody in any number", Box::new(|c| c.any_number.clear()));
    add("another name", Box::new(|c| c.scenario.name.push('!')));
    add("another statement", Box::new(|c| c.properties[0].statement.push('!')));
    add("a property less", Box::new(|c| drop(c.properties.pop())));
    add("no property", Box::new(|c| c.properties.clear()));
    add("a property twice", Box::new(|c| c.properties.push(c.properties[0].clone())));
    add("properties in another order", Box::new(|c| c.properties.reverse()));
    add("an assumption less", Box::new(|c| drop(c.assumes.pop())));
    add("an assumption more", Box::new(|c| c.assumes.push("peace".to_owned())));
    add("places in another order", Box::new(|c| c.places.reverse()));
    add("a place twice", Box::new(|c| c.places.push(c.places[0].clone())));
    add(
        "an empty place",
        Box::new(|c| {
            c.places[0].excluded.clear();
            c.places[0].tagged.clear();
        }),
    );
    add("leading zeros", Box::new(|c| c.places[1].shared.insert(2, '0')));
    add("a slot more", Box::new(|c| c.places[0].slots.push(1)));
    add("words in another order", Box::new(|c| c.anonymous.reverse()));
    add("tags in another order", Box::new(|c| c.tags.reverse()));
    add("an unused word", Box::new(|c| c.anonymous.push(c.tags[0])));
    add(
        "elements in another order",
        Box::new(|c| c.places.iter_mut().for_each(|p| p.excluded.reverse())),
    );
    add(
        "an element twice",
        Box::new(|c| {
            let place = c.places.iter_mut().find(|p| !p.excluded.is_empty()).unwrap();
            place.excluded.push(place.excluded[0].clone());
        }),
    );
    add(
        "an element in another order",
        Box::new(|c| {
            let all = c.places.iter_mut().flat_map(|p| &mut p.excluded);
            all.filter(|e| e.len() > 1).for_each(|e| e.reverse());
        }),
    );
    add(
        "tagged in another order",
        Box::new(|c| c.places.iter_mut().for_each(|p| p.tagged.reverse())),
    );
    add(
        "tagged in a slot",
        Box::new(|c| {
            c.places.iter_mut().find(|p| !p.tagged.is_empty()).unwrap().tagged[0].1 = Some(0);
        }),
    );
    add(
        "no such anonymous",
        Box::new(|c| {
            c.places.iter_mut().find(|p| !p.excluded.is_empty()).unwrap().excluded[0] =
                vec![1_000_000];
        }),
    );
    add(
        "no such tag",
        Box::new(|c| {
            c.places.iter_mut().find(|p| !p.tagged.is_empty()).unwrap().tagged[0].0 = 1_000_000;
        }),
    );
    add("no hexadecimal number", Box::new(|c| c.places[0].shared = "zero".to_owned()));
    add("another format", Box::new(|c| c.format.push('!')));
    add("another version", Box::new(|c| c.version += 1));
    add("another digest", Box::new(|c| c.digest.replace_range(..1, "x")));
    all
}

/// With the steps that ours takes, it says what ours says; with those of what was there before it accepts nothing
/// that ours refuses.
#[test]
fn altered_certificates_are_refused_where_ours_refuses() {
    let original = steps(&certificate(0)).expect("a recorded one");
    let (removed, others): (Vec<_>, Vec<_>) =
        alterations().into_iter().partition(|(name, _)| name.starts_with("without "));
    let both = |alteration| [true, false].map(|sealed| (sealed, alteration));
    let all: Vec<(bool, &Alteration)> = others.iter().flat_map(both).collect();
    let all_others = all.len();
    let others = long_some_of(8, 12, all);
    let is_whole = others.len() == all_others;
    let removed = long_some_of(2, 3, removed.iter()).into_iter().map(|one| (true, one));
    let cases: Vec<_> = removed.chain(others).enumerate().collect();
    let both = for_all(&cases, |(number, (sealed, (name, change)))| {
        let mut altered = certificate(0);
        change(&mut altered);
        // Sealed, this one is whole.
        if *sealed && name != "another digest" {
            altered.seal();
        }
        let text = altered.to_json();
        let ours = match Certificate::parse("file", &text) {
            Err(error) => Err(error.to_string()),
            Ok(read) => match checker::verify("file", &read) {
                Err(error) => Err(error.to_string()),
                Ok(verdict) => verdict.map(drop).map_err(|refused| refused.to_string()),
            },
        };
        let case = number.to_string();
        let with_original = second(&case, &text, &original);
        let with_own = match steps(&altered) {
            Err(_) => None,
            Ok(steps) if steps == original => Some(with_original.clone()),
            Ok(steps) => Some(second(&case, &text, &steps)),
        };
        (format!("{name}, sealed: {sealed}"), ours, with_original, with_own)
    });
    let (mut refused, mut accepted) = (0, 0);
    for (name, ours, with_original, with_own) in both {
        let verdicts = [Some(&with_original), with_own.as_ref()].into_iter().flatten();
        for (exit, said) in verdicts {
            assert!([0, 1, 2].contains(exit) && !said.contains("Traceback"), "{name}: {said}");
        }
        match &ours {
            Err(why) => {
                refused += 1;
                for (exit, said) in [Some(with_original), with_own].into_iter().flatten() {
                    assert_ne!(exit, 0, "{name}: ours: {why}; the second: {said}");
                }
            }
            Ok(()) => {
                accepted += 1;
                let (exit, said) = with_own.expect("it is about a system");
                assert_eq!(exit, 0, "{name}: ours accepts; the second: {said}");
            }
        }
    }
    println!("{refused} refused, {accepted} accepted by both");
    if is_whole {
        assert!(refused > 60 && accepted > 2, "{refused}, {accepted}");
    }
}
