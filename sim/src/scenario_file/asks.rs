//! What a file asks besides the built-in properties: `[[property]]`, and `results` of an actor.

use super::spanned::Spanned;
use kmodcheck_model::Model;
use kmodcheck_model::model::MAX_ASKS;
use kmodcheck_model::scenario::{Ask, Scenario, When};

use super::error::Finding;
use super::programs::start;
use super::schema;

/// The scenario with what the file asks of it. `text`: the file. `known`: the names of the built-in properties.
pub(super) fn asked(
    text: &str,
    file: &schema::File,
    mut scenario: Scenario,
    known: &[&str],
) -> Result<Scenario, Vec<Finding>> {
    let mut findings = Vec::new();
    let model =
        (!file.property.is_empty()).then(|| Model::new(scenario.clone(), None).ok()).flatten();
    for property in &file.property {
        let name = property.name.get_ref();
        let twice = scenario.asks.iter().any(|ask| ask.name == *name);
        if known.contains(&name.as_str()) || twice || !is_name(name) {
            findings.push(Finding::new(
                property.name.span(),
                format!("found property '{name}'"),
                "expected a name of its own, of small letters, digits and '-'",
            ));
        }
        let conditions = [
            (When::Never, &property.never),
            (When::Always, &property.always),
            (When::Exists, &property.exists),
        ];
        let mut given = conditions.into_iter().filter_map(|(when, of)| Some((when, of.as_ref()?)));
        let (Some((when, condition)), None) = (given.next(), given.next()) else {
            findings.push(Finding::new(
                property.name.span(),
                "found a property without one condition",
                "expected one of 'never', 'always' and 'exists'",
            ));
            continue;
        };
        if let Some(wrong) = model.as_ref().and_then(|m| m.wrong_with(condition.get_ref())) {
            let at = start(text, condition.get_ref(), &condition.span());
            let span = at.map_or(condition.span(), |at| at + wrong.span.start..at + wrong.span.end);
            findings.push(Finding::new(span, wrong.found, &wrong.expected));
        }
        scenario.asks.push(Ask {
            name: name.clone(),
            statement: property
                .statement
                .as_ref()
                .map_or_else(String::new, |s| s.get_ref().clone()),
            when,
            condition: condition.get_ref().clone(),
            actor: 0,
            results: Vec::new(),
        });
    }
    let mut programs = 0;
    for (number, actor) in (0_u8..).zip(&file.actor) {
        programs += usize::from(actor.program.is_some());
        let Some(results) = &actor.results else { continue };
        let Some(place) = place_of(&scenario, actor, programs) else {
            findings.push(Finding::new(
                results.span(),
                "found 'results' of one of several actors that do the same",
                "expected them in one [[actor]], with a count",
            ));
            continue;
        };
        scenario.asks.push(Ask {
            name: format!("results-of-{}", number + 1),
            statement: String::new(),
            when: When::Returns,
            condition: String::new(),
            actor: place,
            results: results.get_ref().iter().map(|r| r.get_ref().clone()).collect(),
        });
    }
    if scenario.asks.len() > MAX_ASKS {
        let span = file.property.first().map_or(0..0, |property| property.name.span());
        let found = format!("found {} properties and actors with results", scenario.asks.len());
        findings.push(Finding::new(span, found, &format!("expected at most {MAX_ASKS}")));
    }
    if findings.is_empty() { Ok(scenario) } else { Err(findings) }
}

fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.chars().all(letter)
}

/// The place of an actor of the file among those of the scenario, where those that do the same are one.
fn place_of(scenario: &Scenario, actor: &schema::Actor, programs: usize) -> Option<u8> {
    use kmodcheck_model::Event;
    use kmodcheck_model::scenario::Action;
    let killable = actor.killable.as_ref().is_some_and(|killable| *killable.get_ref());
    let count = actor.count.as_ref().map_or(1, |count| *count.get_ref());
    let is = |candidate: &kmodcheck_model::scenario::Actor| {
        let same = match (candidate.action, &actor.program) {
            (Action::Program(program), Some(_)) => usize::from(program) + 1 == programs,
            (Action::Program(_), None) | (_, Some(_)) => false,
            (action, None) => {
                let words = Event::Call { action }.describe(scenario).to_string();
                let name = actor.name.as_ref().map_or("", |name| Spanned::get_ref(name).as_str());
                actor.call.as_ref().is_some_and(|call| call.get_ref().in_words(name) == words)
            }
        };
        same && candidate.killable == killable
    };
    let place = scenario.actors.iter().position(is)?;
    (i64::from(scenario.actors[place].count) == count).then(|| u8::try_from(place).ok()).flatten()
}
