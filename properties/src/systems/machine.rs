//! A whole machine: every name that its kernel may request, on its releases, with its indexes and its configuration. Which
//! requests can go wrong, and why.
//!
//! Names whose systems differ only in what modules are called are one system, explored once. Modules are called by
//! their numbers in it, and what is asked for by what it has to do with them: it is a module's name, or is that but for
//! dashes, or is neither; that is all that any step compares.

use std::collections::HashMap;

use kmodcheck_explore::{End, Options, Unexplorable, map_on_threads};
use kmodcheck_indexes::{Modprobe, Resolved};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{Init, MODULE_NAME_LEN, Scenario};
use kmodcheck_model::{Model, ModelError};
use kmodcheck_sim::scenario_file::closure::{self, ClosureError, Setting};
use kmodcheck_sim::trace::Trace;

use crate::judge::verdict::{Report, Verdict, check_all};
use crate::property::Property;

/// What is asked of every name.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// modprobe, with the indexes and the configuration.
    pub modprobe: Modprobe<'a>,
    /// The switches.
    pub features: Features,
    /// How many ask for the name at once.
    pub callers: u8,
    /// How every init can end.
    pub init: Init,
    /// Whether waits with a time limit may end by it.
    pub timeouts: bool,
}

/// What stands behind a name.
#[derive(Clone, Debug)]
pub enum Behind {
    /// Code of the kernel image: nothing has to be loaded.
    BuiltIn,
    /// One of the systems, by its place.
    System(usize),
    /// Nothing that can be explored: why.
    Refused(ClosureError),
}

/// The names, and the systems that they come to.
#[derive(Clone, Debug, Default)]
pub struct Systems {
    /// Each name, and what stands behind it.
    pub names: Vec<(String, Behind)>,
    /// Each distinct system, modules and name by their numbers.
    pub systems: Vec<Scenario>,
}

/// What can go wrong for who asks for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrong {
    /// The request returns 0, and what was asked for is not there.
    NothingLoaded,
    /// It fails, though nothing failed and nothing is configured to.
    Fails,
    /// It never returns.
    Hangs,
    /// What the configuration says is not to be loaded is loaded.
    Blocked,
}

impl Wrong {
    /// Each.
    pub const ALL: [Self; 4] = [Self::NothingLoaded, Self::Fails, Self::Hangs, Self::Blocked];

    /// The property that is then violated.
    #[must_use]
    pub fn property(self) -> Property {
        match self {
            Self::NothingLoaded => Property::NoFalseSuccess,
            Self::Fails => Property::NoFalseFailure,
            Self::Hangs => Property::NobodySleepsForEver,
            Self::Blocked => Property::BlockedIsNeverLoaded,
        }
    }

    /// In words, of a request.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::NothingLoaded => "may return 0 with nothing loaded",
            Self::Fails => "may fail though nothing fails",
            Self::Hangs => "may never return",
            Self::Blocked => "may load what is blocked",
        }
    }

    /// A word for it, for machines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NothingLoaded => "nothing-loaded",
            Self::Fails => "fails",
            Self::Hangs => "hangs",
            Self::Blocked => "loads-what-is-blocked",
        }
    }
}

/// How a system fared.
#[derive(Debug)]
pub struct Fared {
    /// What can go wrong, each with a shortest run to it.
    pub wrong: Vec<(Wrong, Trace)>,
    /// Whether a request fails by what is configured: a command fails in a module's stead, there is no file, or the kernel
    /// refuses it.
    pub made_to_fail: bool,
    /// Whether every state was seen; of what was not, nothing is said to be fine.
    pub complete: bool,
    /// States.
    pub states: u64,
}

/// Why a system has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// It is beyond the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its states are beyond the explorer.
    #[error(transparent)]
    Search(#[from] Unexplorable),
}

/// The scenario of one name: `fs-FS` is asked for by `get_fs_type()`, any other by `request_module()`.
///
/// # Errors
/// As [`closure::scenario`].
pub fn scenario(asked: &Asked<'_>, name: &str) -> Result<Scenario, ClosureError> {
    let setting = Setting {
        get_fs_type: name.starts_with("fs-"),
        request: name.to_owned(),
        callers: asked.callers,
        init: asked.init,
        timeouts: asked.timeouts,
        features: asked.features,
    };
    closure::scenario(asked.modprobe, &setting)
}

/// The systems of these names.
pub fn systems(asked: &Asked<'_>, names: &[String]) -> Systems {
    let mut found = Systems::default();
    let mut known: HashMap<Scenario, usize> = HashMap::new();
    for name in names {
        let behind = match asked.modprobe.resolve(name) {
            // The kernel finds that without a request, or modprobe answers for it at once.
            Resolved::Builtin(_) | Resolved::BuiltinAlias(_) => Behind::BuiltIn,
            Resolved::NotFound if asked.modprobe.index.builtin_alias(name).is_some() => {
                Behind::BuiltIn
            }
            Resolved::NotFound | Resolved::Modules(_) => match scenario(asked, name) {
                Err(error) => Behind::Refused(error),
                Ok(scenario) if scenario.names[0].targets().is_empty() => Behind::BuiltIn,
                Ok(scenario) => {
                    let scenario = by_numbers(scenario);
                    Behind::System(*known.entry(scenario).or_insert_with_key(|scenario| {
                        found.systems.push(scenario.clone());
                        found.systems.len() - 1
                    }))
                }
            },
        };
        found.names.push((name.clone(), behind));
    }
    found
}

/// The same system, modules called by their numbers.
fn by_numbers(mut scenario: Scenario) -> Scenario {
    let request = &scenario.names[0].request;
    // What is too long a name for a request stays that.
    if request.len() + 1 >= MODULE_NAME_LEN {
        return scenario;
    }
    let (prefix, rest) = match request.strip_prefix("fs-") {
        Some(file_system) => ("fs-", file_system),
        None => ("", request.as_str()),
    };
    let as_is = scenario.modules.iter().position(|m| m.name == rest);
    let but_for_dashes = scenario.modules.iter().position(|m| m.name == rest.replace('-', "_"));
    // Of a name that is asked for as fs-FS a module could be called just that.
    let whole = scenario.modules.iter().position(|m| m.name == request.replace('-', "_"));
    let rest = match (as_is, but_for_dashes, whole) {
        (_, _, Some(_)) if !prefix.is_empty() => return scenario,
        (Some(module), ..) => format!("m_{module}"),
        (None, Some(module), _) => format!("m-{module}"),
        (None, None, _) => "other-name".to_owned(),
    };
    scenario.names[0].request = format!("{prefix}{rest}");
    scenario.name.clone_from(&scenario.names[0].request);
    for (number, module) in scenario.modules.iter_mut().enumerate() {
        module.name = format!("m_{number}");
    }
    scenario
}

/// How each system fared, on so many threads; `None`: it was not begun when `over` said that it is. `done` hears of each.
pub fn explore(
    systems: &[Scenario],
    threads: usize,
    over: &(dyn Fn() -> bool + Sync),
    options: &Options<'_>,
    done: &(dyn Fn() + Sync),
) -> Vec<Option<Result<Fared, Unanswered>>> {
    map_on_threads(threads, systems, over, |_, scenario| {
        let fared = fared(scenario, options);
        done();
        fared
    })
}

fn fared(scenario: &Scenario, options: &Options<'_>) -> Result<Fared, Unanswered> {
    let model = Model::new(scenario.clone(), None)?;
    let report: Report = check_all(&model, options)?;
    let traces = |wrong: Wrong| match &report.answer(wrong.property()).verdict {
        Verdict::Violated(trace) => Some((wrong, trace.clone())),
        _ => None,
    };
    Ok(Fared {
        wrong: Wrong::ALL.into_iter().filter_map(traces).collect(),
        made_to_fail: model.made_to_fail(0),
        complete: report.end == End::Complete,
        states: report.states,
    })
}

/// A sentence about one system, as it is of all that go wrong in the same way: whatever modules are called and of whichever
/// state it was read.
#[must_use]
pub fn kind_of(sentence: &str, scenario: &Scenario) -> String {
    let mut names: Vec<&str> = scenario.modules.iter().map(|m| m.name.as_str()).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut kind = String::new();
    let mut rest = sentence;
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut before = ' ';
    while let Some(character) = rest.chars().next() {
        let name = names.iter().find(|name| {
            !is_of_a_name(before)
                && rest.starts_with(**name)
                && !rest[name.len()..].starts_with(is_of_a_name)
        });
        match name {
            Some(name) => {
                kind += "MODULE";
                rest = &rest[name.len()..];
                before = 'M';
            }
            None => {
                kind.push(character);
                before = character;
                rest = &rest[character.len_utf8()..];
            }
        }
    }
    kind
}
