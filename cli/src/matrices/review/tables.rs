//! What texts decide, before a patch and after it, as a table: only what differs.

use kmodcheck_model::event::Claim;
use kmodcheck_model::presets::SWITCHES;
use kmodcheck_model::text::{Decisions, Looked, OfCaller, Part, STATES, Then};

/// A table of what is decided otherwise.
pub(super) fn decided(before: &Decisions, after: &Decisions) -> String {
    let mut lines = Vec::new();
    let mut row = |what: String, was: String, is: String| {
        if was != is {
            lines.push(format!("  {what:28}{was:21}{is}\n"));
        }
    };
    listed(before, after, &mut row);
    check(before, after, &mut row);
    look(before, after, &mut row);
    orders(before, after, &mut row);
    for switch in SWITCHES {
        let of = |decisions: &Decisions| switch.get(&decisions.features).to_owned();
        row(switch.name.to_owned(), of(before), of(after));
    }
    let head = format!("{:30}{:21}after\n", "what is decided", "before");
    if lines.is_empty() { String::new() } else { head + &lines.concat() }
}

type Row<'r> = dyn FnMut(String, String, String) + 'r;

fn listed(before: &Decisions, after: &Decisions, row: &mut Row<'_>) {
    let claim = |claim: Claim| match claim {
        Claim::Free => "lists its module",
        Claim::Wait => "waits",
        Claim::Exists => "-EEXIST",
        Claim::Busy => "-EBUSY",
    };
    let waited = |of: &Decisions, at: usize| match &of.listed.again {
        None => "as at first".to_owned(),
        Some(again) => claim(again[at]).to_owned(),
    };
    let over = |finished: bool| if finished { "over" } else { "goes on" }.to_owned();
    for (at, state) in STATES.into_iter().enumerate() {
        let of = |of: &Decisions| claim(of.listed.claim[at]).to_owned();
        row(format!("{state}"), of(before), of(after));
    }
    for (at, state) in STATES.into_iter().enumerate() {
        row(format!("{state}, after a wait"), waited(before, at), waited(after, at));
    }
    for (at, state) in STATES.into_iter().enumerate() {
        let of = |of: &Decisions| over(of.listed.finished[at]);
        row(format!("the wait for {state}"), of(before), of(after));
    }
}

fn check(before: &Decisions, after: &Decisions, row: &mut Row<'_>) {
    let then = |then: Then| match then {
        Then::Accept => "0".to_owned(),
        Then::Error(ret) => ret.to_string(),
        Then::Exists | Then::Looks => "looks".to_owned(),
        Then::Waits => "waits".to_owned(),
    };
    let first = |of: &OfCaller| of.first.map_or("nothing".to_owned(), then);
    let before_modprobe =
        |of: &Decisions| if of.check.before { "waits for it" } else { "nothing" }.to_owned();
    row("listed, before modprobe".to_owned(), before_modprobe(before), before_modprobe(after));
    let kinds = [
        (true, false, ""),
        (true, true, ", built in"),
        (false, false, ", nowait"),
        (false, true, ", nowait, built in"),
    ];
    for (waits, built_in, of) in kinds {
        let sides = [before, after].map(|side| *side.check.of(waits, built_in));
        // What is no other than of the first kind is said once.
        let firsts = [before, after].map(|side| *side.check.of(true, false));
        if !of.is_empty() && sides == firsts {
            continue;
        }
        let mut both = |what: String, said: &dyn Fn(&OfCaller) -> String| {
            row(what + of, said(&sides[0]), said(&sides[1]));
        };
        both("after modprobe's 0".to_owned(), &first);
        for (at, state) in STATES.into_iter().enumerate() {
            let table = |of: &OfCaller, which: Then, table: &[Then; 5]| {
                if reaches(of, which) { then(table[at]) } else { "-".to_owned() }
            };
            both(format!("look: {state}"), &|of| table(of, Then::Looks, &of.looks));
            both(format!("first look: {state}"), &|of| table(of, Then::Exists, &of.exists));
        }
        let waited =
            |of: &OfCaller| if reaches(of, Then::Waits) { then(of.over) } else { "-".to_owned() };
        both("has finished loading".to_owned(), &waited);
        let forming = |of: &OfCaller| match of.forming {
            _ if !reaches(of, Then::Waits) => "-".to_owned(),
            None => "sleeps".to_owned(),
            Some(forming) => then(forming),
        };
        both("is still loading".to_owned(), &forming);
    }
}

/// Whether a check comes to that place.
fn reaches(of: &OfCaller, place: Then) -> bool {
    let mut seen = Vec::new();
    let mut left: Vec<Then> = of.first.into_iter().collect();
    while let Some(at) = left.pop() {
        if seen.contains(&at) {
            continue;
        }
        seen.push(at);
        match at {
            Then::Exists => left.extend(of.exists),
            Then::Looks => left.extend(of.looks),
            Then::Waits => left.extend([Some(of.over), of.forming].into_iter().flatten()),
            Then::Accept | Then::Error(_) => {}
        }
    }
    seen.contains(&place)
}

fn look(before: &Decisions, after: &Decisions, row: &mut Row<'_>) {
    let word = |looked: Looked| match looked {
        Looked::Builtin => "built in",
        Looked::Live => "live",
        Looked::Coming => "coming",
        Looked::Going => "going",
        Looked::Nothing => "not there",
    };
    let bare = |of: &Decisions| word(of.look.bare).to_owned();
    row("no initstate yet".to_owned(), bare(before), bare(after));
    for looked in Looked::ALL {
        let of = |of: &Decisions| {
            if of.look.in_kernel(looked) { "in the kernel" } else { "is inserted" }.to_owned()
        };
        row(format!("to modprobe: {}", word(looked)), of(before), of(after));
    }
}

fn orders(before: &Decisions, after: &Decisions, row: &mut Row<'_>) {
    // Each step with the one before it, where that is another one.
    let follows = |order: &[Part], part: Part| match order.iter().position(|p| *p == part) {
        None => "never".to_owned(),
        Some(0) => "first".to_owned(),
        Some(at) => format!("after {}", order[at - 1].pc()),
    };
    let lists = |of: &Decisions| [of.orders.load.clone(), of.orders.free.clone()];
    for (was, is) in lists(before).iter().zip(&lists(after)) {
        let mut parts = was.clone();
        parts.extend(is.iter().filter(|part| !was.contains(part)));
        for part in parts {
            row(format!("{}", part.pc()), follows(was, part), follows(is, part));
        }
    }
    let wakes =
        |of: &Decisions| if of.orders.failure_wakes { "wakes" } else { "wakes nobody" }.to_owned();
    row("an init that fails".to_owned(), wakes(before), wakes(after));
}
