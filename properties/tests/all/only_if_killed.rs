//! A kill that may come ends no sleep for sure: `check` and `progress`, which share nothing but the
//! model, say the same of who sleeps for ever, who sleeps until somebody is killed, and who does not.

use kmodcheck_explore::Options;
use kmodcheck_explore::Sleep;
use kmodcheck_model::Model;
use kmodcheck_properties::progress::{Progress, progress};
use kmodcheck_properties::verdict::confirm;
use kmodcheck_properties::{Property, Verdict, check};
use kmodcheck_sim::scenario_file;

/// The actors, and what is expected with the kernel of v4.9 and of v5.5, written before the first run.
const CASES: [(&str, &str, [Option<Sleep>; 2]); 5] = [
    (
        "each loader may be killed",
        "modprobe m killable; modprobe m killable; rmmod m",
        [Some(Sleep::UntilKilled), None],
    ),
    (
        "one of them may not: a kill of the other does not help it",
        "modprobe m killable; modprobe m; rmmod m",
        [Some(Sleep::ForEver), None],
    ),
    ("nobody may be killed", "modprobe m; modprobe m; rmmod m", [Some(Sleep::ForEver), None]),
    ("nothing is unloaded", "modprobe m killable; modprobe m killable", [None, None]),
    ("callers, and nothing is unloaded", "request_module m killable; get_fs_type f", [None, None]),
];

fn model(kernel: &str, actors: &str) -> Model {
    let mut text = format!(
        "[features]\nkernel = \"{kernel}\"\nkmod = \"v20\"\n\
         [[module]]\nname = \"m\"\naliases = [\"fs-f\"]\n"
    );
    for actor in actors.split("; ") {
        let words: Vec<&str> = actor.split(' ').collect();
        text += &format!("[[actor]]\ncall = \"{}\"\nname = \"{}\"\n", words[0], words[1]);
        text += if words.len() > 2 { "killable = true\n" } else { "" };
    }
    let names = Property::ALL.map(Property::name);
    let loaded = scenario_file::load("case.toml", &text, &names);
    Model::new(loaded.unwrap_or_else(|error| panic!("{error}")).scenario, None).unwrap()
}

#[test]
fn both_searches_say_who_can_end_a_sleep() {
    for (name, actors, expected) in CASES {
        for (kernel, expected) in ["v4.9", "v5.5"].into_iter().zip(expected) {
            let model = model(kernel, actors);
            let report = check(&model, &Options::default()).unwrap();
            let verdict = &report.answer(Property::NobodySleepsForEver).verdict;
            let asleep = [Sleep::ForEver, Sleep::UntilKilled].map(|sleep| report.asleep(sleep));
            let found = asleep.into_iter().flatten().next().map(|sleeper| sleeper.sleep);
            println!("{name}, {kernel}: {asleep:?}");
            assert_eq!(found, expected, "{name}, {kernel}");
            assert_eq!(
                matches!(verdict, Verdict::Violated(_)),
                found.is_some(),
                "{name}, {kernel}"
            );
            for sleeper in asleep.into_iter().flatten() {
                let confirmed =
                    confirm(&model, Property::NobodySleepsForEver, &sleeper.stuck.trace);
                assert_eq!(confirmed, Ok(()), "{name}, {kernel}");
            }
            let found = match progress(&model, &Options::default()).unwrap().progress {
                Progress::Asleep(_) => Some(Sleep::ForEver),
                Progress::OnlyIfKilled(_) => Some(Sleep::UntilKilled),
                Progress::OutOfBudget(end) => panic!("{end:?}"),
                _ => None,
            };
            assert_eq!(found, expected, "progress, {name}, {kernel}");
        }
    }
}
