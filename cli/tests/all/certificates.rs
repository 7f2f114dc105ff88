//! A certificate cannot say anything that the checker does not say itself: each field of a real one is
//! altered, and what the command prints is its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::run;
use crate::sample::{for_all, long_sample, long_some_of, some_of};
use kmodcheck_explore::Options;
use kmodcheck_model::presets::SWITCHES;
use kmodcheck_properties::Property;
use kmodcheck_properties::any_number::{AnyNumber, Effort, prove};
use kmodcheck_properties::certificate::{Confirmed, verify};
use kmodcheck_properties::certified::CERTIFIED;
use kmodcheck_sim::certificate::Certificate;
use serde_json::{Value, json};

fn certificate() -> Certificate {
    Certificate::parse(CERTIFIED[0].file.0, CERTIFIED[0].file.1).expect("a recorded certificate")
}

fn confirmed(certificate: &Certificate) -> Result<Confirmed, String> {
    let verdict = verify("file", certificate).map_err(|error| error.to_string())?;
    verdict.map_err(|refused| refused.to_string())
}

/// What could stand in a value's place.
fn instead(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!(0)],
        Value::Bool(value) => vec![json!(!value)],
        Value::Number(number) => {
            let number = number.as_u64().expect("a count");
            vec![json!(number + 1), json!(number.saturating_sub(1)), Value::Null]
        }
        Value::String(text) => vec![json!(format!("{text}!")), json!("")],
        Value::Array(values) => {
            let mut shorter = values.clone();
            shorter.pop();
            let mut longer = values.clone();
            longer.push(values.first().cloned().unwrap_or(json!(0)));
            let mut turned = values.clone();
            turned.reverse();
            vec![json!(shorter), json!(longer), json!(turned), json!([])]
        }
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("more".to_owned(), json!(0));
            let less = fields.keys().map(|name| {
                let mut less = fields.clone();
                less.remove(name);
                Value::Object(less)
            });
            less.chain([Value::Object(more)]).collect()
        }
    }
}

/// Every value with its JSON pointer, and that with stars for the places in lists; of long lists some.
fn places(value: &Value, at: &str, kind: &str, found: &mut Vec<(String, String)>) {
    found.push((at.to_owned(), kind.to_owned()));
    match value {
        Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                if values.len() <= 6 || i.is_multiple_of(values.len() / 3) {
                    places(value, &format!("{at}/{i}"), &format!("{kind}/*"), found);
                }
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                places(value, &format!("{at}/{name}"), &format!("{kind}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// What is believed of a changed scenario, the prover says of it, too.
fn prover_agrees(certificate: &Certificate, confirmed: &Confirmed) {
    let effort = Effort { options: Options::default(), callers: 3, certificate: false };
    let report = prove(&certificate.scenario, None, &effort).expect("it was modelled");
    for (property, _) in &confirmed.properties {
        let answer = report.answer(*property);
        assert!(matches!(answer, AnyNumber::Holds { .. }), "{property:?}: {answer:?}");
    }
}

#[test]
fn each_field_is_derived_compared_or_refused() {
    let whole: Value = serde_json::from_str(CERTIFIED[0].file.1).expect("JSON");
    let same = certificate();
    let original = confirmed(&same).expect("a recorded certificate");
    let mut found = Vec::new();
    places(&whole, "", "", &mut found);
    // Two of a kind tell what a third one would; and mostly one what the other.
    let alike = long_sample(1, 1, 2).seeds().count();
    let mut of_kind: BTreeMap<String, usize> = BTreeMap::new();
    found.retain(|(_, kind)| {
        let times = of_kind.entry(kind.clone()).or_default();
        *times += 1;
        *times <= alike
    });
    let all = found.len();
    let found = long_some_of(40, all / 8, found);
    let is_whole = found.len() == all;
    let mut believed: BTreeMap<String, usize> = BTreeMap::new();
    let (mut refused, mut unsealed, mut altered) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (at, kind) in &found {
        for new in instead(whole.pointer(at).expect("it is there")) {
            let mut value = whole.clone();
            let place = value.pointer_mut(at).expect("it is there");
            if *place == new {
                continue;
            }
            *place = new;
            altered += 1;
            let Ok(mut certificate) = Certificate::parse("file", &value.to_string()) else {
                refused.insert(kind.as_str());
                continue;
            };
            // A field that may be left out says the same when it is.
            if certificate == same {
                continue;
            }
            if kind == "/digest" {
                confirmed(&certificate).expect_err(at);
                refused.insert(kind);
                continue;
            }
            // Not sealed anew, it is refused whatever was altered.
            if unsealed.insert(kind) {
                confirmed(&certificate).expect_err(at);
            }
            certificate.seal();
            match confirmed(&certificate) {
                Err(_) => drop(refused.insert(kind)),
                Ok(confirmed) => {
                    *believed.entry(kind.clone()).or_default() += 1;
                    if kind.starts_with("/scenario") {
                        prover_agrees(&certificate, &confirmed);
                    } else {
                        // What else it proves, it says, too.
                        assert_eq!(confirmed.properties.len(), certificate.properties.len());
                        assert_eq!(confirmed.assumes, original.assumes);
                    }
                }
            }
        }
    }
    println!("{altered} alterations of {} values; believed: {believed:?}", found.len());
    // Another scenario, of which it is a proof, too; fewer properties; other elements that do as well.
    for kind in believed.keys() {
        let may = ["/scenario", "/places/*/excluded", "/anonymous"];
        assert!(kind == "/properties" || may.iter().any(|m| kind.starts_with(m)), "{kind}");
    }
    if !is_whole {
        return;
    }
    let fields = whole.as_object().expect("a struct");
    for name in fields.keys().filter(|name| *name != "scenario") {
        assert!(refused.contains(format!("/{name}").as_str()), "{name} may be anything");
    }
    assert!(altered > 100 * alike && refused.len() > 25, "{altered}, {refused:?}");
}

/// A proof for other switches is believed only if it is one.
#[test]
fn what_is_believed_with_other_switches_is_so() {
    let values = SWITCHES.iter().flat_map(|switch| switch.values.iter().map(move |v| (switch, *v)));
    let now = certificate().scenario.features;
    let others: Vec<_> = values.filter(|(switch, value)| switch.get(&now) != *value).collect();
    assert!(others.len() > 20);
    let refused = for_all(&long_some_of(8, others.len() / 4, others), |(switch, value)| {
        let mut certificate = certificate();
        assert!(switch.set(&mut certificate.scenario.features, value));
        certificate.seal();
        match confirmed(&certificate) {
            Ok(confirmed) => prover_agrees(&certificate, &confirmed),
            Err(_) => return true,
        }
        false
    });
    let number = refused.iter().filter(|refused| **refused).count();
    assert!(number * 4 >= refused.len(), "{number} of {} refused", refused.len());
}

/// What is changed, and how what is said of it begins.
type Change = (&'static (dyn Fn(&mut Certificate) + Sync), &'static str);

#[test]
fn what_a_certificate_says_of_itself_is_compared() {
    const CHANGES: &[Change] = &[
        (
            &|c| c.properties[0].statement = "Everything is fine, for ever.".to_owned(),
            "properties[0].statement: found \"Everything is fine, for ever.\", expected \"A \
             waiting request_module() that returns 0: every module",
        ),
        (
            &|c| c.properties[0].statement = c.properties[1].statement.clone(),
            "properties[0].statement: found \"A waiting",
        ),
        (&|c| c.assumes.clear(), "assumes[0]: found nothing, expected \"sequentially consistent\""),
        (
            &|c| c.assumes.push("good will".to_owned()),
            "assumes[3]: found \"good will\", expected nothing",
        ),
        (&|c| c.assumes.swap(0, 1), "assumes[0]: found \"any number of callers"),
        (&|c| c.properties.clear(), "properties: found none, expected at least one that is proved"),
        (
            &|c| c.properties.push(c.properties[0].clone()),
            "properties: found no-false-success twice, expected each at most once",
        ),
        (&|c| c.properties.swap(0, 1), "properties[0].name: found \"no-false-success-strong\""),
        (
            &|c| says(c, Property::GetFsTypeFindsIt),
            "properties: found get-fs-type-finds-it, expected only what speaks of something that",
        ),
        (
            &|c| says(c, Property::NoNeedlessUserspace),
            "properties: found no-needless-userspace, expected only what speaks of something that",
        ),
        (
            &|c| says(c, Property::UdevFindsItInitialised),
            "properties: found udev-finds-it-initialised, expected only what speaks of something",
        ),
        (
            &|c| says(c, Property::NobodySleepsForEver),
            "file: found property 'nobody-sleeps-for-ever', expected",
        ),
        // There is one way to write a proof down.
        (&|c| c.places[0].shared = "00".to_owned(), "places[0].shared: found \"00\", expected"),
        (&|c| c.places.swap(0, 1), "places[0]"),
        (&|c| c.tags.push(c.tags[0]), "tags["),
        (&|c| c.format = "other".to_owned(), "format: found \"other\", expected \"kmodcheck-cer"),
        (&|c| c.version += 1, "version: found 3, expected 2"),
    ];
    for_all(&some_of(6, CHANGES), |(change, begins)| {
        let mut certificate = certificate();
        change(&mut certificate);
        certificate.seal();
        let said = confirmed(&certificate).expect_err("the change is not believed");
        assert!(said.starts_with(begins), "{said}");
    });
}

/// The first property of a certificate becomes another one.
fn says(certificate: &mut Certificate, property: Property) {
    certificate.properties[0].name = property.name().to_owned();
    certificate.properties[0].statement = property.statement().to_owned();
}

/// What is written has every field.
#[test]
fn a_saved_certificate_has_every_field() {
    for certified in &CERTIFIED {
        let certificate =
            Certificate::parse(certified.file.0, certified.file.1).expect("a recorded certificate");
        let value = serde_json::to_value(&certificate).expect("JSON");
        let saved = certificate.to_json();
        assert_eq!(serde_json::from_str::<Value>(&saved).expect("JSON"), value);
        assert_eq!(saved, certified.file.1);
    }
}

/// Without a step that meets a property's premise, it says nothing; the prover finds none, either.
#[test]
fn what_is_vacuous_is_told() {
    let certificate = certificate();
    let proved = confirmed(&certificate).expect("a recorded certificate");
    let effort = Effort { options: Options::default(), callers: 3, certificate: false };
    let report = prove(&certificate.scenario, None, &effort).expect("provable");
    let mut vacuous = 0;
    for (property, met) in &proved.properties {
        assert_eq!(
            *report.answer(*property),
            AnyNumber::Holds { premise_met: *met },
            "{property:?}"
        );
        vacuous += usize::from(!met);
    }
    assert!(vacuous > 0 && vacuous < proved.properties.len(), "{:?}", proved.properties);
}

#[test]
fn the_command_prints_what_it_has_checked_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("certificate.json");
    let save = |change: &dyn Fn(&mut Certificate)| {
        let mut certificate = certificate();
        change(&mut certificate);
        certificate.seal();
        std::fs::write(&path, certificate.to_json()).unwrap();
    };
    let name = path.to_str().unwrap();
    save(&|c| c.scenario.name = "any kernel".to_owned());
    run(&["verify", name])
        .exits(0)
        .says("proves of the scenario that it calls 'any kernel':")
        .says(&format!("  no-false-success: {}", Property::NoFalseSuccess.statement()))
        .says("switches: kernel v4.9; kmod v20")
        .says("actors, of whom callers come in any number: 2 x request_module(\"ext4\")")
        .says("assumed: sequentially consistent; any number of callers, each calls once;")
        .says("; every init succeeds; no wait lasts 30 s;")
        .says("(vacuous: no step that is possible meets its premise)")
        .says("verified");
    save(&|c| c.scenario.features.kernel.eexist_safety_net = true);
    run(&["verify", name]).exits(0).says("switches: kernel like no preset: sanity-check=none");
    let json = run(&["verify", name, "--json"]).exits(0);
    let value: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&value["format"], &value["version"]), (&json!("kmodcheck-verify"), &json!(2)));
    let proves = &value["certificates"][0]["proves"];
    assert_eq!(proves["properties"][0]["name"], "no-false-success");
    assert_eq!(proves["properties"][0]["vacuous"], false);
    assert_eq!(proves["assumes"][0], "sequentially consistent");
    save(&|c| c.properties[0].statement = "Everything is fine, for ever.".to_owned());
    let refused = run(&["verify", name]).exits(1);
    assert_eq!(refused.out, "");
    let why = "refused: properties[0].statement: found \"Everything is fine, for ever.\", expected";
    assert!(refused.err.contains(why), "{}", refused.err);
    let json = run(&["verify", name, "--json"]).exits(1);
    let value: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["certificates"][0]["verified"], false);
    assert_eq!(value["certificates"][0]["proves"], Value::Null);
    save(&|c| c.properties.clear());
    let refused = run(&["verify", name]).exits(1);
    assert!(refused.err.contains("refused: properties: found none, expected"), "{}", refused.err);
}
