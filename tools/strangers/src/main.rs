//! The naive explorer on a scenario file, for who compares it with others (`tools/strangers/run`): how many
//! states and transitions there are, and how many steps to the nearest violation of each property.
//!
//! `cargo run --release --bin naive -- scenario.toml`
//!
//! It is the explorer of the tests, which shares nothing with ours but the model's steps: whole states in
//! ordered maps, each process with a number, the graph edge by edge.

/// What went wrong, in words.
type Failure = Box<dyn std::error::Error>;

#[path = "../../../sim/explore/tests/common/naive.rs"]
#[allow(dead_code, clippy::pedantic, missing_docs, reason = "the tests use the rest")]
mod naive;

use std::io::Write;

use kmodcheck_model::{Event, Model};
use kmodcheck_properties::property::Says;
use kmodcheck_properties::{Property, View};
use kmodcheck_sim::{Processes, scenario_file};
use naive::{Graph, Naive};

/// Of more states it is not asked who sleeps for ever: each sleeper is followed by a search of its own.
const MOST_FOLLOWED: usize = 3_000;

type Explored<'a, 'm> = (Naive<'a, Processes<'m>>, Graph<Event>);

fn explored<'a, 'm>(system: &'a Processes<'m>) -> Explored<'a, 'm> {
    let naive = Naive::new(system);
    let graph = naive.graph(false);
    (naive, graph)
}

/// The steps to the nearest transition that violates a property, if one does.
fn violated((naive, graph): &Explored<'_, '_>, property: Property) -> Option<usize> {
    let mut nearest: Option<usize> = None;
    for ((state, distance), moves) in graph.states.iter().zip(&graph.moves) {
        for (taken, _) in moves {
            let view = View::new(
                naive.system.model,
                (naive.kinds[taken.actor].0, state.1[taken.actor]),
                (state.0, taken.after.0),
                taken.label,
            );
            if matches!(property.says(&view), Says::Violated(_)) {
                nearest = Some(nearest.map_or(distance + 1, |old| old.min(distance + 1)));
            }
        }
    }
    nearest
}

/// The steps to the nearest state in which somebody never runs again, unless somebody is killed.
fn sleeps((naive, graph): &Explored<'_, '_>) -> Option<usize> {
    let stuck = naive.stuck(graph);
    let states = graph.states.iter().zip(&stuck).filter(|(_, stuck)| !stuck[1].is_empty());
    states.map(|((_, distance), _)| *distance).min()
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), None) = (arguments.next(), arguments.next()) else {
        return Err("expected one scenario file".into());
    };
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    let loaded = scenario_file::load(&file, &text, &Property::ALL.map(Property::name))?;
    let model = Model::new(loaded.scenario, None)?;
    let system = Processes { model: &model };
    let whole = explored(&system);
    let graph = &whole.1;
    let mut nearest = serde_json::Map::new();
    for property in Property::ALL.into_iter().filter(|property| property.applies(&model)) {
        let steps = if property != Property::NobodySleepsForEver {
            // What reads more of the past has more states: it is decided by itself.
            let remembering = property.remembering(&model);
            match property.is_remembered(&model) {
                true => violated(&whole, property),
                false => violated(&explored(&Processes { model: &remembering }), property),
            }
        } else if graph.states.len() > MOST_FOLLOWED {
            continue;
        } else {
            sleeps(&whole)
        };
        nearest.insert(property.name().to_owned(), steps.into());
    }
    let found = serde_json::json!({
        "states": graph.states.len(),
        "transitions": graph.transitions(),
        "exhausted": !graph.exhausted.is_empty(),
        "nearest": nearest,
    });
    writeln!(std::io::stdout(), "{found}")?;
    Ok(())
}
