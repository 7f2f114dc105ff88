//! `kmodcheck check`: systems and litmus tests, one or many, all properties.

use std::path::{Path, PathBuf};

use kmodcheck_model::Model;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::scale::Engine;
use crate::args::{Arguments, Check};
use crate::explore::check_one::{self, CheckJson, One};
use crate::explore::junit::{self, Suite};
use crate::explore::litmus::{self, Litmus, LitmusJson};
use crate::explore::{checked::Checked, engine};
use crate::input::files;
use crate::interrupt;
use crate::output::rows::counted;
use crate::output::{self, Ended, Failure};

/// What `check` has found of several subjects, in their order.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ChecksJson<'a> {
    format: &'static str,
    version: u32,
    subjects: Vec<SubjectJson<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct SubjectJson<'a> {
    /// The file, or the name of a built-in system.
    subject: &'a str,
    /// `as expected`, `differs` or `undecided`.
    ended: &'static str,
    /// Of a system: what `check` of it alone prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<CheckJson<'a>>,
    /// The same of a litmus test.
    #[serde(skip_serializing_if = "Option::is_none")]
    litmus: Option<LitmusJson<'a>>,
}

/// What is to be checked.
enum Subject {
    System(Box<(Checked, Model)>),
    Litmus(Box<Litmus>),
}

/// What was found of it.
enum Found {
    System(Box<One>),
    Litmus(Box<litmus::Found>),
}

pub(crate) fn run(arguments: &Arguments, asked: &Check) -> Result<Ended, Failure> {
    let names = names(&asked.subject.subjects)?;
    // A directory is many, also if it has one.
    let many = names.len() > 1 || names.iter().ne(&asked.subject.subjects);
    if many {
        is_for_many(asked)?;
    }
    let named: Vec<Option<&str>> = match &names[..] {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    let subjects = read(arguments, asked, &named)?;
    asked.save_trace.as_deref().map_or(Ok(()), files::try_file)?;
    asked.junit.as_deref().map_or(Ok(()), files::try_file)?;
    asked.engine.checkpoint.as_deref().map_or(Ok(()), files::try_directory)?;
    let mut all = Vec::new();
    for (name, subject) in named.iter().zip(subjects) {
        let found = match subject {
            Subject::System(system) => match check_one::search(arguments, asked, *system)? {
                Some(one) => Found::System(Box::new(one)),
                // Another process has the result.
                None => return Ok(Ended::AsExpected),
            },
            Subject::Litmus(test) => {
                Found::Litmus(Box::new(litmus::search(arguments, asked, *test)?))
            }
        };
        if !arguments.json {
            print(&found, arguments, asked, many);
        }
        all.push((name.unwrap_or_default(), found));
        if interrupt::is_set() {
            break;
        }
    }
    let left = named.len() - all.len();
    match (&all[..], arguments.json) {
        ([(_, found)], true) if !many => match found {
            Found::System(one) => output::print_json(&check_one::json(one)),
            Found::Litmus(test) => output::print_json(&test.json()),
        },
        (all, true) => output::print_json(&json(all)),
        (all, false) if many => output::print(&summed_up(all, left)),
        (_, false) => {}
    }
    // The verdict was found, whether or not its trace could be saved.
    if let [(_, Found::System(one))] = &all[..] {
        one.save(asked)?;
    }
    if let Some(path) = &asked.junit {
        let suites = all.iter().map(|(name, found)| Suite { name, cases: found.cases() });
        files::write(path, &junit::xml(suites)?)?;
    }
    let differs = all.iter().any(|(_, found)| found.ended() == Ended::Differs);
    let cut = left > 0 || all.iter().any(|(_, found)| found.ended() == Ended::OutOfBudget);
    Ok(Ended::of(differs, cut))
}

/// The subjects, with the files of directories in order of their names.
fn names(given: &[String]) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for name in given {
        if !Path::new(name).is_dir() {
            names.push(name.clone());
            continue;
        }
        let failed = |error: std::io::Error| format!("{name}: {error}");
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(name).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
        let is_ours = |file: &PathBuf| {
            let extension = file.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("toml" | "litmus")) && !file.is_dir()
        };
        files.retain(is_ours);
        files.sort();
        if files.is_empty() {
            return Err(format!(
                "{name}: found a directory without any, expected scenario files (*.toml) or litmus tests \
                 (*.litmus) in it"
            )
            .into());
        }
        names.extend(files.iter().map(|file| file.display().to_string()));
    }
    Ok(names)
}

/// What says something of one subject only.
fn is_for_many(asked: &Check) -> Result<(), Failure> {
    let given = [
        ("--witness", asked.witness.is_some()),
        ("--save-trace", asked.save_trace.is_some()),
        ("--checkpoint", asked.engine.checkpoint.is_some()),
        ("--engine timely", asked.engine.engine == Engine::Timely),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(format!("found {flag} beside several subjects, expected one with it").into())
        }
        None => Ok(()),
    }
}

/// Reads all of them before any is searched, and says of each what is wrong with it.
fn read(
    arguments: &Arguments,
    asked: &Check,
    names: &[Option<&str>],
) -> Result<Vec<Subject>, Failure> {
    let mut subjects = Vec::new();
    let mut wrong: Option<Failure> = None;
    for name in names {
        match read_one(arguments, asked, *name) {
            Ok(subject) => subjects.push(subject),
            Err(failure) => {
                if let Some(before) = wrong.replace(failure) {
                    output::note_failure(&before);
                }
            }
        }
    }
    wrong.map_or(Ok(subjects), Err)
}

fn read_one(arguments: &Arguments, asked: &Check, name: Option<&str>) -> Result<Subject, Failure> {
    if let Some(test) = name.map(|name| litmus::read(asked, name)).transpose()?.flatten() {
        return Ok(Subject::Litmus(Box::new(test)));
    }
    if asked.every_access {
        return Err("found --every-access, expected a litmus test with it".into());
    }
    let given = engine::Given {
        threads: arguments.threads.is_some(),
        no_symmetry: asked.no_symmetry,
        follow_all: asked.follow_all,
        witness: asked.witness.is_some(),
        faults: asked.faults,
    };
    engine::heeds(&asked.engine, &given)?;
    Ok(Subject::System(Box::new(check_one::read(asked, name)?)))
}

impl Found {
    fn ended(&self) -> Ended {
        match self {
            Self::System(one) => one.ended(),
            Self::Litmus(test) => test.ended(),
        }
    }

    fn named(&self) -> String {
        match self {
            Self::System(one) => one.named(),
            Self::Litmus(test) => test.named(),
        }
    }

    fn cases(&self) -> Vec<junit::Case> {
        match self {
            Self::System(one) => one.cases(),
            Self::Litmus(test) => test.cases(),
        }
    }
}

/// Of many only those are told that are not as expected.
fn print(found: &Found, arguments: &Arguments, asked: &Check, many: bool) {
    if many && found.ended() == Ended::AsExpected {
        output::print(&format!("as expected: {}", found.named()));
        return;
    }
    if many {
        output::print(&format!("{}:", word(found.ended())));
    }
    match found {
        Found::System(one) => one.print(arguments, asked),
        Found::Litmus(test) => test.print(asked),
    }
    if many {
        output::print("");
    }
}

fn word(ended: Ended) -> &'static str {
    match ended {
        Ended::AsExpected => "as expected",
        Ended::Differs => "differs",
        Ended::OutOfBudget => "undecided",
    }
}

fn summed_up(all: &[(&str, Found)], left: usize) -> String {
    let count = |ended| all.iter().filter(|(_, found)| found.ended() == ended).count();
    let left = if left > 0 { format!(", {left} not searched") } else { String::new() };
    format!(
        "{}: {} as expected, {} different, {} undecided{left}",
        counted(all.len() as u64, "subject"),
        count(Ended::AsExpected),
        count(Ended::Differs),
        count(Ended::OutOfBudget)
    )
}

fn json<'a>(all: &'a [(&'a str, Found)]) -> ChecksJson<'a> {
    let of = |(subject, found): &'a (&'a str, Found)| SubjectJson {
        subject,
        ended: word(found.ended()),
        check: match found {
            Found::System(one) => Some(check_one::json(one)),
            Found::Litmus(_) => None,
        },
        litmus: match found {
            Found::System(_) => None,
            Found::Litmus(test) => Some(test.json()),
        },
    };
    ChecksJson { format: "kmodcheck-checks", version: 1, subjects: all.iter().map(of).collect() }
}
