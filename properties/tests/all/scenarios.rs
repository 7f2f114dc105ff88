//! The scenario files: each one's verdicts are those that were written into it before it was run.

use std::path::{Path, PathBuf};

use kmodcheck_explore::Monitor;
use kmodcheck_explore::{Asks, Options, Step, explore};
use kmodcheck_model::{Event, Model, Ret};
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::Processes;
use kmodcheck_sim::scenario_file::{self, Change, Expected, Loaded};

/// All scenario files, those of reports among them.
pub fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let (reports, candidates) = (directory.join("reports"), directory.join("candidates"));
    let all = |of: &Path| std::fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        [&directory, &reports, &candidates].into_iter().flat_map(|of| all(of)).collect();
    files.retain(|file| *file != reports && *file != candidates);
    files.sort();
    assert!(files.len() >= 44 && files.iter().all(|f| f.extension().is_some_and(|e| e == "toml")));
    files
}

fn load(name: &str, text: &str) -> Loaded {
    let names = Property::ALL.map(Property::name);
    scenario_file::load(name, text, &names).unwrap_or_else(|error| panic!("{error}"))
}

fn found(verdict: &Verdict) -> Expected {
    verdict.fared().expect("no search was bounded")
}

/// With and without symmetry: every verdict is the same, and is the expected one.
fn verdicts_are_as_expected(name: &str, loaded: &Loaded) {
    let Loaded { scenario, properties, expect, .. } = loaded;
    let model = Model::new(scenario.clone(), None).unwrap();
    for symmetry in [true, false] {
        let report = check_all(&model, &Options { symmetry, ..Options::default() }).unwrap();
        for (property, expected) in expect {
            let asked = report.asked.iter().find(|answer| answer.asked.name == *property);
            let verdict = match asked {
                Some(answer) => &answer.verdict,
                None => &report.answer(Property::from_name(property).unwrap()).verdict,
            };
            assert_eq!(found(verdict), *expected, "{name}: {property}");
        }
        for answer in &report.asked {
            let listed = expect.iter().any(|(name, _)| *name == answer.asked.name);
            let violated = found(&answer.verdict) == Expected::Violated;
            assert!(listed || !violated, "{name}: {} is violated", answer.asked.name);
        }
        // What has to be asked for is judged where it is listed.
        let judged = |p: &Property| match properties {
            Some(judged) => judged.contains(&p.name().into()),
            None => !p.reads_failures(),
        };
        for property in Property::ALL.into_iter().filter(judged) {
            let listed = expect.iter().any(|(name, _)| name == property.name());
            let violated = found(&report.answer(property).verdict) == Expected::Violated;
            assert!(listed || !violated, "{name}: {} is violated", property.name());
        }
    }
}

/// What the command line makes of a file, as the command itself does.
fn overridden(mut loaded: Loaded, options: &[&str]) -> Loaded {
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut value = || (*options.next().unwrap()).to_owned();
        let choice = &mut loaded.choice;
        match *option {
            "--kernel" => choice.kernel = value(),
            "--kmod" => choice.kmod = value(),
            "--with" => choice.changes.push(Change::With(value())),
            "--without" => choice.changes.push(Change::Without(value())),
            "--limit" => loaded.scenario.limit = Some(value().parse().unwrap()),
            "--timeouts" => loaded.scenario.timeouts = true,
            "--expect" => {
                let value = value();
                let (property, expected) = value.split_once('=').unwrap();
                let expected = Expected::from_name(expected).unwrap();
                loaded.expect.retain(|(name, _)| name != property);
                loaded.expect.push((property.to_owned(), expected));
            }
            other => panic!("unknown option {other}"),
        }
    }
    loaded.scenario.features = loaded.choice.features().unwrap();
    loaded
}

#[test]
fn every_file_is_as_expected() {
    for path in files() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{name}: expected a comment that says what it shows");
        let loaded = load(name, &text);
        assert!(!loaded.expect.is_empty(), "{name}: expected expectations");
        verdicts_are_as_expected(name, &loaded);
        // The commands that its comment shows.
        for command in text.lines().filter_map(|l| l.strip_prefix("#     kmodcheck check ")) {
            let mut words = command.split(' ');
            assert_eq!(words.next(), Some(name), "{name}: a command about another file");
            let options: Vec<&str> = words.collect();
            verdicts_are_as_expected(command, &overridden(loaded.clone(), &options));
        }
    }
}

#[test]
fn the_example_that_is_written_for_a_beginner_is_as_expected() {
    verdicts_are_as_expected("example.toml", &load("example.toml", scenario_file::EXAMPLE));
}

/// Looks for steps by their events.
struct Looks(fn(&Event) -> bool);

impl Monitor<Event> for Looks {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        u64::from((self.0)(&step.label))
    }
}

/// What duplicates-and-a-kill.toml says of its second caller, whom nobody can kill.
#[test]
fn a_killed_callers_error_is_handed_to_others() {
    let path = files().into_iter().find(|f| f.ends_with("duplicates-and-a-kill.toml")).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let handed = |text: &str| {
        let model = Model::new(load("kill", text).scenario, None).unwrap();
        let killed =
            |event: &Event| matches!(event, Event::DuplicateResult { ret: Ret::Erestartsys, .. });
        let found = explore(&Processes { model: &model }, &Looks(killed), &Options::default());
        !found.unwrap().violations.is_empty()
    };
    assert!(handed(&text));
    assert!(!handed(&text.replace("killable = true", "killable = false")));
}

/// A command that only runs `modprobe --ignore-install` changes no verdict; one that may do anything may load nothing and
/// exit 0, or fail, which is then its own doing.
#[test]
fn what_commands_do_decides_verdicts() {
    let verdicts = |kmod: &str, install: &str| {
        let text = format!(
            "[features]\nkernel = 'v4.9'\nkmod = '{kmod}'\n\
             [[module]]\nname = 'vfat'\ndependencies = ['fat']\naliases = ['fs-vfat']\n{install}\n\
             [[module]]\nname = 'fat'\n\
             [[actor]]\ncall = 'get_fs_type'\nname = 'vfat'\ncount = 2\n"
        );
        let model = Model::new(load("commands", &text).scenario, None).unwrap();
        let report = check_all(&model, &Options::default()).unwrap();
        let violated = |p: Property| found(&report.answer(p).verdict) == Expected::Violated;
        [Property::NoFalseSuccess, Property::NoFalseFailure, Property::NobodySleepsForEver]
            .map(violated)
    };
    for kmod in ["v19", "v20"] {
        let plain = verdicts(kmod, "");
        // With v19 get_fs_type() returns NULL though nothing fails.
        assert_eq!(plain, [kmod == "v19", kmod == "v19", false]);
        assert_eq!(verdicts(kmod, "install = '/sbin/modprobe --ignore-install vfat'"), plain);
        // What is configured is a reason to fail, or to find nothing.
        let forgiven = verdicts(kmod, "install = '/sbin/modprobe -i vfat || true'");
        assert_eq!(forgiven, [kmod == "v19", false, false]);
        assert_eq!(verdicts(kmod, "install = '/sbin/set-up'"), [true, false, false]);
        assert_eq!(verdicts(kmod, "install = '/bin/true'"), [true, false, false]);
    }
}

/// A command that fails in a module's stead is a reason to fail; in a softdep's stead it is none.
#[test]
fn only_a_command_of_what_is_required_is_made_to_fail() {
    let file = |softdep: &str, driver: &str| {
        format!(
            "[[module]]\nname = 'driver'\n{driver}\nsoftdeps = {{ pre = ['helper'] }}\n\
             [[module]]\nname = 'helper'\n{softdep}\n\
             [[module]]\nname = 'lib'\ninstall = '/bin/false'\n\
             [[actor]]\ncall = 'request_module'\nname = 'driver'\n"
        )
    };
    let fails =
        |text: &str| Model::new(load("commands", text).scenario, None).unwrap().made_to_fail(0);
    assert!(!fails(&file("install = '/bin/false'", "")));
    assert!(fails(&file("", "dependencies = ['lib']")));
    assert!(!fails(&file("install = '/bin/true'", "")));
}
