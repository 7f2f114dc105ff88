//! What the player of a page reads: the whole state graph of each small system, with numbers in the place of words.

use std::collections::HashMap;
use std::hash::Hash;

use kmodcheck_explore::{Product, WayOut};
use kmodcheck_model::event::Place;
use kmodcheck_model::releases::Release;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::view::SharedView;
use kmodcheck_model::{Event, History, Model};
use kmodcheck_properties::state_graph::{NoGraph, Question, StateGraph};
use kmodcheck_properties::verdict::Trace;
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::{file, story};
use serde::Serialize;

use crate::output::Failure;
use crate::output::rows::counted;

/// Most transitions of all graphs of a page together: each takes about nine bytes of it.
pub(super) const MOST_TRANSITIONS: usize = 60_000;

/// The script that the player is, and what it shares with the others.
pub(super) const PARTS: &str = include_str!("../../templates/parts.js");
pub(super) const SCRIPT: &str = include_str!("../../templates/player.js");

/// The systems of a page.
#[derive(Serialize)]
pub(super) struct Player {
    version: u32,
    systems: Vec<System>,
}

impl Player {
    /// Of those systems, each of which has a name of its own.
    pub(super) fn new(systems: Vec<System>) -> Self {
        Self { version: 1, systems }
    }

    /// What the systems are called.
    pub(super) fn names(&self) -> Vec<String> {
        self.systems.iter().map(|system| system.name.clone()).collect()
    }

    /// In words: how much of what there is.
    pub(super) fn in_words(&self) -> String {
        let of = |system: &System| {
            let (states, steps) = (system.states.len() / 2, system.edges.len() / 2);
            let name =
                if self.systems.len() > 1 { format!("{}: ", system.name) } else { String::new() };
            format!(
                "{name}{}, {}",
                counted(states as u64, "state"),
                counted(steps as u64, "transition")
            )
        };
        self.systems.iter().map(of).collect::<Vec<_>>().join("; ")
    }
}

/// A run to begin with.
#[derive(Serialize)]
pub(super) struct Run {
    what: String,
    /// What it shows, by its name.
    shows: String,
    /// By step: who, and which of its alternatives.
    steps: Vec<(usize, u32)>,
}

impl Run {
    pub(super) fn new(what: String, shows: String, trace: &Trace) -> Self {
        Self { what, shows, steps: trace.iter().map(|step| (step.actor, step.ordinal)).collect() }
    }
}

/// What is asked of every step.
#[derive(Serialize)]
struct Asked {
    name: String,
    statement: String,
    /// Whether it is that some state is so: what shows it violates nothing.
    exists: bool,
    /// Whether the scenario asks it itself.
    own: bool,
}

/// A file, the function in it, and its line, if that is known.
type InFile = (&'static str, &'static str, Option<u32>);

/// One system.
#[derive(Serialize)]
pub(super) struct System {
    /// What it is, where a page has several.
    name: String,
    kernel: String,
    kmod: String,
    /// By process: what it is there for.
    actors: Vec<String>,
    /// How many of them, the first, are there from the beginning.
    callers: usize,
    asked: Vec<Asked>,
    /// Functions, and where each is.
    functions: Vec<(&'static str, Option<InFile>)>,
    /// What a step does: function, words, and which way out it is, if it is one.
    texts: Vec<(usize, String, Option<&'static str>)>,
    /// Who takes which of its alternatives: actor, alternative, text.
    labels: Vec<(usize, u32, usize)>,
    /// Every shared state that occurs, once.
    views: Vec<SharedView>,
    /// From which view to which: what changes, in words.
    changes: Vec<(usize, usize, String)>,
    /// A view, and which processes are at rest: a bit each.
    places: Vec<(usize, u32)>,
    /// By state its place, and how many transitions it has, one after the other.
    states: Vec<usize>,
    /// By transition its label, and the number of the state it leads to less that of the state it comes from.
    edges: Vec<isize>,
    /// Transitions that show something: their number, and what of `asked`.
    shows: Vec<(usize, Vec<usize>)>,
    /// Likewise states.
    wrong: Vec<(usize, Vec<usize>)>,
    runs: Vec<Run>,
    scenario: Scenario,
    /// What a saved trace begins with.
    format: &'static str,
    format_version: u32,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum NoPlayer {
    /// There are more transitions than that.
    TooLarge(usize),
    /// The search comes to an end before its end.
    Unfinished(String),
}

impl NoPlayer {
    /// In a sentence.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::TooLarge(most) => format!(
                "Its state graph is too large for a page: more than {most} transitions, those who do the same told apart"
            ),
            Self::Unfinished(why) => format!("Its state graph is not known to its end: {why}"),
        }
    }
}

/// Numbers things in the order in which they occur.
struct Numbered<T> {
    all: Vec<T>,
    by: HashMap<T, usize>,
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn new() -> Self {
        Self { all: Vec::new(), by: HashMap::new() }
    }

    fn number(&mut self, thing: T) -> usize {
        let all = &mut self.all;
        *self.by.entry(thing).or_insert_with_key(|thing| {
            all.push(thing.clone());
            all.len() - 1
        })
    }
}

/// Of which releases a system is.
pub(super) struct Releases<'a> {
    pub kernel: &'a str,
    pub kmod: &'a str,
}

impl Releases<'_> {
    /// Where a step is in its sources.
    fn place(&self, model: &Model, event: &Event) -> Option<Place> {
        let scenario = model.scenario();
        if event.function() == "modprobe" && !scenario.patched.binaries.is_empty() {
            return None;
        }
        // A preset is called after the release that it is made of (v4.9+verify), but for a distribution's.
        let release = match self.kernel {
            "6.1-debian" => "6.1.192",
            "6.12-debian" => "6.12.117",
            kernel => kernel.split(['+', '-']).next().unwrap_or_default(),
        };
        let kmod = Release::kmod(self.kmod).ok();
        event.place(&Release::kernel(release).ok()?, kmod.as_ref())
    }
}

impl System {
    /// That of `model`, if it has at most `most` transitions.
    ///
    /// # Errors
    /// A system that cannot be searched.
    pub(super) fn of(
        model: &Model,
        name: String,
        releases: &Releases<'_>,
        runs: Vec<Run>,
        most: usize,
    ) -> Result<Result<Self, NoPlayer>, Failure> {
        let model = model.remembering(History::Both)?;
        Ok(match StateGraph::of(&model, most) {
            Ok(graph) => Ok(Self::told(&model, &graph, name, releases, runs)),
            Err(NoGraph::TooLarge(most)) => Err(NoPlayer::TooLarge(most)),
            Err(NoGraph::Unexplorable(error)) => return Err(error.into()),
            Err(none) => Err(NoPlayer::Unfinished(none.to_string())),
        })
    }

    fn told(
        model: &Model,
        graph: &StateGraph,
        name: String,
        releases: &Releases<'_>,
        runs: Vec<Run>,
    ) -> Self {
        let scenario = model.scenario();
        let system = Processes { model };
        let product = Product::new(&system).expect("it has a graph");
        let mut functions = Numbered::new();
        let (mut texts, mut labels) = (Numbered::new(), Numbered::new());
        let (mut shared, mut places) = (Numbered::new(), Numbered::new());
        let mut states = Vec::new();
        for (at, state) in graph.states.iter().enumerate() {
            // (What is remembered is not seen: as many views as there are different ones.)
            let view = shared.number(model.shared_view(state.shared));
            let rest = (0..product.processes()).filter(|i| product.returned(state, *i));
            let place = places.number((view, rest.fold(0u32, |bits, i| bits | 1 << i)));
            states.push((place, graph.numbers(at).len()));
        }
        let mut edges = Vec::new();
        let mut changes = Numbered::new();
        for from in 0..graph.states.len() {
            for edge in graph.from(from) {
                let place = releases.place(model, &edge.event);
                let place = place.map(|place| (place.file, place.function, place.line));
                let function = functions.number((edge.event.function(), place));
                let what = edge.event.describe(scenario).to_string();
                let way_out = match edge.way_out {
                    WayOut::Ordinary => None,
                    WayOut::TimeOut => Some("time-out"),
                    WayOut::Killed => Some("killed"),
                };
                let text = texts.number((function, what, way_out));
                let label = labels.number((edge.actor, edge.ordinal, text));
                let by = edge.to.cast_signed() - from.cast_signed();
                edges.extend([label.cast_signed(), by]);
                let view = |state: usize| places.all[states[state].0].0;
                let (was, is) = (view(from), view(edge.to));
                if was != is {
                    let words = story::changes(&shared.all[was], &shared.all[is]);
                    changes.number((was, is, words.join(", ")));
                }
            }
        }
        let shown = |bits: u64| -> Vec<usize> {
            (0..graph.asked_of.len()).filter(|at| bits >> at & 1 == 1).collect()
        };
        let numbered = |all: &mut dyn Iterator<Item = u64>| -> Vec<(usize, Vec<usize>)> {
            all.enumerate().filter(|(_, bits)| *bits != 0).map(|(at, b)| (at, shown(b))).collect()
        };
        let asked = |question: &Question| Asked {
            name: question.name().to_owned(),
            statement: question.statement().to_owned(),
            exists: question.exists(),
            own: matches!(question, Question::Own(_)),
        };
        Self {
            name,
            kernel: releases.kernel.to_owned(),
            kmod: releases.kmod.to_owned(),
            actors: model.processes().iter().map(|(kind, _)| story::role(model, *kind)).collect(),
            callers: scenario.processes(),
            asked: graph.asked_of.iter().map(asked).collect(),
            functions: functions.all,
            texts: texts.all,
            labels: labels.all,
            views: shared.all,
            changes: changes.all,
            places: places.all,
            states: states.into_iter().flat_map(|(place, steps)| [place, steps]).collect(),
            edges,
            shows: numbered(&mut graph.edges().iter().map(|edge| edge.shows)),
            wrong: numbered(&mut graph.shows.iter().copied()),
            runs,
            scenario: scenario.clone(),
            format: file::FORMAT,
            format_version: file::VERSION,
        }
    }
}
