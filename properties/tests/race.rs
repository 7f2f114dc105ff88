//! The race itself, on v4.9.

use kmodcheck_explore::Options;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures};
use kmodcheck_model::{Model, Mutant};
use kmodcheck_properties::{Property, Report, Verdict, check};

fn explored(naming: Naming, kmod: KmodFeatures, callers: u8, mutant: Option<Mutant>) -> Report {
    let features = Features { kernel: KernelFeatures::V4_9, kmod };
    let scenario = scenario(naming, Environment::Ok, features, callers);
    let model = Model::new(scenario, mutant).unwrap();
    check(&model, &Options::default()).unwrap()
}

#[test]
fn show() {
    for naming in Naming::ALL {
        for (kmod, name) in [(KmodFeatures::V19, "v19"), (KmodFeatures::V20, "v20")] {
            let start = std::time::Instant::now();
            let report = explored(naming, kmod, 2, None);
            println!(
                "{naming:?} {name} states {} transitions {} depth {} {:?} {:?}",
                report.states,
                report.transitions,
                report.depth,
                report.decisions,
                start.elapsed()
            );
            for a in &report.answers {
                let v = match &a.verdict {
                    Verdict::Violated(t) => format!("violated({})", t.len()),
                    v => format!("{v:?}"),
                };
                println!("   {:26} {v} {:?}", a.property.name(), a.branches);
            }
            if let Verdict::Violated(t) = &report.answer(Property::NoFalseSuccess).verdict {
                let features = Features { kernel: KernelFeatures::V4_9, kmod };
                let s = scenario(naming, Environment::Ok, features, 2);
                for step in t {
                    println!("     {}{}", " ".repeat(40 * step.actor), step.label.describe(&s));
                }
            }
        }
    }
}
