//! From names to a [`Scenario`]: features, expectations, requests, actors.

use std::collections::BTreeSet;
use std::ops::Range;

use super::spanned::Spanned;
use kmodcheck_model::model::MAX_ACTORS;
use kmodcheck_model::presets::{self, Switch};
use kmodcheck_model::releases::Release;

use super::error::Finding;
use super::modules::{UNDEFINED, modules};
use super::names::Names;
use super::schema::{self, Call};
use super::{
    Change, Choice, DEFAULT_KERNEL, DEFAULT_KMOD, Expected, Loaded, asks, meant, programs,
};
use crate::suggest;

/// The file's scenario, or everything that is wrong with the file. `left_out`: the keys and tables of which
/// something could not be read; nothing is said that may only follow from that.
pub(super) fn resolve(
    file_name: &str,
    text: &str,
    file: &schema::File,
    properties: &[&str],
    left_out: &BTreeSet<String>,
) -> Result<Loaded, Vec<Finding>> {
    let whole = |keys: &[&str]| !keys.iter().any(|key| left_out.contains(*key));
    let mut findings = Vec::new();
    let choice = choice(&file.features, &mut findings);
    let (judged, expect) = expectations(file, properties, &mut findings);
    if !whole(&["properties"]) {
        findings.retain(|finding| !finding.title.starts_with("found an expectation"));
    }
    let limit = limit(&file.environment, &mut findings);
    let before = findings.len();
    let modules = modules(file, &mut findings);
    // Names are resolved through modules that are right.
    let modules_are = findings.len() == before && whole(&["module"]);
    if !whole(&["module"]) {
        // What a module that could not be read would have been called, nobody knows.
        findings.retain(|finding| !finding.title.ends_with(UNDEFINED));
    }
    let counts = counts(file, !whole(&["actor"]), &mut findings);
    let features = choice.features().ok();
    let actors_are = whole(&["actor"]) && !file.actor.is_empty();
    if !modules_are || !actors_are || !whole(&["unknown-names"]) {
        return Err(findings);
    }
    let mut names =
        Names::new(file, &modules).map_err(|more| [&findings[..], &more[..]].concat())?;
    let mut programs = programs::Written::of(text, file, &modules, &mut names.findings);
    names.called(&programs);
    names.asked_about(file);
    let actors = names.actors(&counts);
    if let Some(word) = &file.environment.exec_requests {
        names.requested(word.get_ref(), word);
    }
    names.nested();
    programs.keep(&names.included());
    names.unknown();
    findings.append(&mut names.findings);
    let Some(features) = features.filter(|_| findings.is_empty()) else {
        return Err(findings);
    };
    let notes = names.notes(&actors);
    let scenario = names.scenario(file_name, actors, limit, features, &programs)?;
    let scenario = asks::asked(text, file, scenario, properties)?;
    Ok(Loaded { scenario, choice, properties: judged, expect, notes })
}

fn choice(features: &schema::Features, findings: &mut Vec<Finding>) -> Choice {
    let mut preset = |key: &Option<Spanned<String>>, default: &str, names: &[&str], what: &str| {
        let Some(name) = key else { return default.to_owned() };
        let release = match what {
            "kernel" => Release::kernel(name.get_ref()),
            _ => Release::kmod(name.get_ref()),
        };
        if let (false, Err(why)) = (names.contains(&name.get_ref().as_str()), release) {
            let (found, release) = why.rsplit_once(", expected").unwrap_or((&why, " a release"));
            let title = found.to_owned();
            let expected = format!("expected{release}, or one of {}", names.join(", "));
            let meant = match what {
                "kernel" => suggest::kernel(name.get_ref()),
                _ => suggest::kmod(name.get_ref()),
            };
            findings.push(Finding::new(name.span(), title, &expected).meaning(meant));
        }
        name.get_ref().clone()
    };
    let kernel = preset(&features.kernel, DEFAULT_KERNEL, &presets::KERNELS, "kernel");
    let kmod = preset(&features.kmod, DEFAULT_KMOD, &presets::KMODS, "kmod");
    let with = features.with.iter().map(|s| (s, Change::With(s.get_ref().clone())));
    let without = features.without.iter().map(|s| (s, Change::Without(s.get_ref().clone())));
    let mut seen: Vec<(&str, Range<usize>)> = Vec::new();
    let mut changes = Vec::new();
    for (text, change) in with.chain(without) {
        let name = text.get_ref().split_once('=').map_or(text.get_ref().as_str(), |(name, _)| name);
        let one = Choice {
            kernel: DEFAULT_KERNEL.to_owned(),
            kmod: DEFAULT_KMOD.to_owned(),
            changes: vec![change.clone()],
        };
        if let Err(error) = one.features() {
            let (found, expected) = error.split_once(", expected").unwrap_or((&error, ""));
            let expected = expected.split_once("; ").map_or(expected, |(expected, _)| expected);
            let expected = format!("expected{expected}");
            findings.push(Finding::new(text.span(), found, &expected).meaning(meant(&change)));
        } else if let Some((_, first)) = seen.iter().find(|(seen, _)| *seen == name) {
            findings.push(Finding {
                also: vec![(first.clone(), "set here".to_owned())],
                ..Finding::new(
                    text.span(),
                    format!("found switch '{name}' twice"),
                    "expected each switch once in 'with' and 'without' together",
                )
            });
        } else if Switch::find(name).is_some() {
            seen.push((name, text.span()));
        }
        changes.push(change);
    }
    Choice { kernel, kmod, changes }
}

/// What is asked of every scenario with programs.
const ASKED: [&str; 2] = ["assertions-hold", "nobody-is-inside-when-freed"];

/// Which properties are judged, and what is expected of them.
type Expectations = (Option<Vec<String>>, Vec<(String, Expected)>);

fn expectations(
    file: &schema::File,
    properties: &[&str],
    findings: &mut Vec<Finding>,
) -> Expectations {
    let own = file.property.iter().map(|p| p.name.get_ref().clone());
    let results = file.actor.iter().enumerate().filter(|(_, actor)| actor.results.is_some());
    let results = results.map(|(at, _)| format!("results-of-{}", at + 1));
    let own: Vec<String> = own.chain(results).chain(ASKED.map(str::to_owned)).collect();
    let mut known = |name: &Spanned<String>, may_be_own: bool| {
        let is = properties.contains(&name.get_ref().as_str())
            || may_be_own && own.contains(name.get_ref());
        if !is {
            let title = format!("found property '{}'", name.get_ref());
            let expected = format!("expected one of {}", properties.join(", "));
            let meant = suggest::did_you_mean(name.get_ref(), properties.iter().copied());
            findings.push(Finding::new(name.span(), title, &expected).meaning(meant));
        }
        is
    };
    let judged: Option<Vec<String>> = file.properties.as_ref().map(|names| {
        names.iter().filter(|n| known(n, false)).map(|n| n.get_ref().clone()).collect()
    });
    let named: Vec<_> = file.expect.iter().filter(|(name, _)| known(name, true)).collect();
    let mut expect = Vec::new();
    for (name, verdict) in named {
        let is_judged =
            |judged: &Vec<String>| judged.contains(name.get_ref()) || own.contains(name.get_ref());
        if judged.as_ref().is_some_and(|judged| !is_judged(judged)) {
            findings.push(Finding::new(
                name.span(),
                format!("found an expectation of '{}'", name.get_ref()),
                "expected a property that 'properties' lists: others are not judged",
            ));
        }
        match Expected::from_name(verdict.get_ref()) {
            Some(expected) => expect.push((name.get_ref().clone(), expected)),
            None => findings.push(Finding::new(
                verdict.span(),
                format!("found verdict '{}'", verdict.get_ref()),
                &format!("expected one of {}", Expected::ALL.map(Expected::name).join(", ")),
            )),
        }
    }
    (judged, expect)
}

fn limit(environment: &schema::Environment, findings: &mut Vec<Finding>) -> Option<u8> {
    let limit = environment.limit.as_ref()?;
    match u8::try_from(*limit.get_ref()) {
        Ok(limit) if limit > 0 => Some(limit),
        _ => {
            findings.push(Finding::new(
                limit.span(),
                format!("found a limit of {}", limit.get_ref()),
                "expected a number of running requests from 1 to 255",
            ));
            None
        }
    }
}

/// How many of each actor. `more`: there are actors that could not be read.
fn counts(file: &schema::File, more: bool, findings: &mut Vec<Finding>) -> Vec<u8> {
    let mut counts = Vec::new();
    let mut total = 0;
    let boots = |actor: &&schema::Actor| {
        actor.call.as_ref().is_some_and(|call| *call.get_ref() == Call::LateInitcalls)
    };
    for again in file.actor.iter().filter(boots).skip(1) {
        findings.push(Finding::new(
            again.span(),
            "found late initcalls a second time",
            "expected them once: the kernel boots once",
        ));
    }
    for actor in &file.actor {
        let count = actor.count.as_ref().map_or(1, |count| *count.get_ref());
        let span = actor.count.as_ref().map_or_else(|| actor.span(), Spanned::span);
        if boots(&actor) && count != 1 {
            findings.push(Finding::new(
                span.clone(),
                format!("found late initcalls {count} times"),
                "expected them once: the kernel boots once",
            ));
        }
        match u8::try_from(count).ok().filter(|c| (1..=MAX_ACTORS).contains(&usize::from(*c))) {
            Some(count) => {
                total += usize::from(count);
                if total > MAX_ACTORS && total - usize::from(count) <= MAX_ACTORS {
                    findings.push(too_many(span, total));
                }
                counts.push(count);
            }
            None => {
                findings.push(Finding::new(
                    span,
                    format!("found a count of {count}"),
                    &format!("expected a number from 1 to {MAX_ACTORS}"),
                ));
                // As many as there are actors; what they ask for is looked at, too.
                counts.push(1);
            }
        }
        let never_waits = match actor.call.as_ref().map(Spanned::get_ref) {
            Some(Call::Rmmod | Call::Udev | Call::ModprobeRemove | Call::LateInitcalls) => {
                Some("has no wait that a kill ends")
            }
            _ => None,
        };
        if let (Some(killable), Some(why)) = (&actor.killable, never_waits)
            && *killable.get_ref()
        {
            findings.push(Finding::new(
                killable.span(),
                "found 'killable' of an actor that is not killed in this model",
                why,
            ));
        }
    }
    if file.actor.is_empty() && !more {
        findings.push(Finding::new(0..0, "found no [[actor]]", "expected at least one"));
    }
    counts
}

fn too_many(span: Range<usize>, total: usize) -> Finding {
    Finding::new(
        span,
        format!("found {total} actors in all"),
        &format!("expected at most {MAX_ACTORS}"),
    )
}
