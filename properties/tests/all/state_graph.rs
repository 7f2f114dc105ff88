//! The whole state graph against the explorer, and against the exact model: as many states and transitions, the same
//! verdicts in as many steps, and each mark where a replayed run says so.

use std::collections::VecDeque;

use kmodcheck_explore::{Options, TraceStep};
use kmodcheck_model::{History, Model};
use kmodcheck_properties::Property;
use kmodcheck_properties::from_here::ahead;
use kmodcheck_properties::state_graph::{NoGraph, Question, StateGraph};
use kmodcheck_properties::verdict::{Trace, check, confirm};
use kmodcheck_properties::witness::{Shown, Witness};
use kmodcheck_sim::scenario_file;

use crate::sample::some_of;
use crate::scenarios::files;

/// More than any of these has.
const MOST: usize = 20_000;

fn model(file: &std::path::Path) -> Model {
    let text = std::fs::read_to_string(file).unwrap();
    let names = Property::ALL.map(Property::name);
    let loaded = scenario_file::load(&file.display().to_string(), &text, &names).unwrap();
    Model::new(loaded.scenario, None).unwrap().remembering(History::Both).unwrap()
}

/// By state: a shortest run to it.
fn runs(graph: &StateGraph) -> Vec<Trace> {
    let mut runs: Vec<Option<Trace>> = vec![None; graph.states.len()];
    runs[0] = Some(Trace::new());
    let mut queue = VecDeque::from([0]);
    while let Some(state) = queue.pop_front() {
        let run = runs[state].clone().unwrap();
        for edge in graph.from(state) {
            if runs[edge.to].is_none() {
                runs[edge.to] = Some([&run[..], &[step(edge)]].concat());
                queue.push_back(edge.to);
            }
        }
    }
    runs.into_iter().map(|run| run.expect("every state can be reached")).collect()
}

fn step(edge: &kmodcheck_properties::state_graph::Edge) -> TraceStep<kmodcheck_model::Event> {
    TraceStep { actor: edge.actor, ordinal: edge.ordinal, label: edge.event }
}

/// By state: in how many steps at least something that shows it is done.
fn distances(graph: &StateGraph, bit: u64) -> Vec<Option<usize>> {
    let states = graph.states.len();
    let mut distances: Vec<Option<usize>> =
        graph.shows.iter().map(|shows| (shows & bit != 0).then_some(0)).collect();
    // (As often as there are states: each is settled by then.)
    for _ in 0..states {
        let mut changed = false;
        for state in (0..states).rev() {
            for edge in graph.from(state) {
                let over = if edge.shows & bit != 0 { Some(0) } else { distances[edge.to] };
                let over = over.map(|steps| steps + 1);
                if over.is_some() && distances[state].is_none_or(|is| over < Some(is)) {
                    distances[state] = over;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    distances
}

fn graph_is_the_explorers(name: &str, model: &Model) {
    let graph = match StateGraph::of(model, MOST) {
        Ok(graph) => graph,
        Err(NoGraph::TooLarge(_)) => return,
        Err(error) => panic!("{name}: {error}"),
    };
    let options = Options { symmetry: false, ..Options::default() };
    let report = check(model, &options).unwrap();
    let counted = (graph.states.len() as u64, graph.edges().len() as u64);
    assert_eq!(counted, (report.states, report.transitions), "{name}");
    let runs = runs(&graph);
    for (at, question) in graph.asked_of.iter().enumerate() {
        let bit = 1 << at;
        let found = distances(&graph, bit)[0];
        let run = match question {
            Question::Property(property) => match &report.answer(*property).verdict {
                kmodcheck_properties::Verdict::Violated(run) => Some(run.len()),
                _ => None,
            },
            Question::Own(asked) => {
                let answer = report.asked.iter().find(|answer| answer.asked.name == asked.name);
                answer.unwrap().run_shown().map(Vec::len)
            }
        };
        assert_eq!(found, run, "{name}: {}", question.name());
        // Each mark, and the lack of one, in a sample of the states.
        let first = graph.asked_of.len() - report.asked.len();
        for state in (0..graph.states.len()).step_by(1 + graph.states.len() / 40) {
            for edge in graph.from(state) {
                let run = [&runs[state][..], &[step(edge)]].concat();
                let shown = match question {
                    Question::Property(property) => confirm(model, *property, &run).is_ok(),
                    Question::Own(_) => {
                        Shown::Witness(Witness::Asked(at - first)).confirm(model, &run).is_ok()
                    }
                };
                let marked = (edge.shows | graph.shows[edge.to]) & bit != 0;
                assert_eq!(marked, shown, "{name}: {} after {run:?}", question.name());
            }
        }
    }
}

/// What the pages compute of the graph, whether it can still go wrong, is what a search from there finds.
fn what_is_ahead_is_what_a_search_finds(name: &str, model: &Model) {
    let Ok(graph) = StateGraph::of(model, MOST) else { return };
    let options = Options { symmetry: false, ..Options::default() };
    for state in (0..graph.states.len()).step_by(1 + graph.states.len() / 7) {
        let ahead = ahead(model, &graph.states[state], &Property::ALL, &options).unwrap();
        for (at, question) in graph.asked_of.iter().enumerate() {
            let Question::Property(property) = question else { continue };
            let found = ahead.violated.iter().find(|(violated, _)| violated == property);
            let steps = found.map(|(_, run)| run.len());
            let here = distances(&graph, 1 << at)[state];
            assert_eq!(here, steps, "{name}: {} from state {state}", question.name());
        }
    }
}

#[test]
fn the_state_graph_is_the_explorers() {
    for file in some_of(4, files()) {
        let name = file.display().to_string();
        graph_is_the_explorers(&name, &model(&file));
        what_is_ahead_is_what_a_search_finds(&name, &model(&file));
    }
}

#[test]
fn a_state_graph_that_is_too_large_is_none() {
    let file = files().into_iter().find(|f| f.ends_with("v19-race.toml")).unwrap();
    let model = model(&file);
    let all = StateGraph::of(&model, MOST).unwrap().edges().len();
    assert!(StateGraph::of(&model, all).is_ok());
    assert!(matches!(StateGraph::of(&model, all - 1), Err(NoGraph::TooLarge(_))));
}
