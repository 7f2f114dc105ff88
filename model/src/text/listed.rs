//! What is done about a name that is on the list of modules, and of what an init returns: kernel/module/main.c as tables.

use super::code::{Made, Wrong};
use super::rules::STATES;
use super::run::{At, Run, Stop};
use crate::event::Claim;

/// What it says of each state.
pub(super) fn finished_loading(run: &Run<'_>) -> Made<[bool; 5]> {
    let first = run.begins()?;
    let mut finished = [false; 5];
    for (state, finished) in STATES.into_iter().zip(&mut finished) {
        let end = match &first {
            Stop::Looks(at) => run.looks(at, state)?,
            Stop::Returns { value, .. } => Stop::Returns { value: *value, listed: false },
            Stop::Waits(at, _) => return Err(waits(run, at)),
        };
        *finished = match end {
            Stop::Returns { value, listed: false } => value != 0,
            Stop::Returns { .. } => {
                return Err(Wrong::new(
                    run.code.ops[0].1,
                    "found a test that lists a module",
                    "expected a look",
                ));
            }
            Stop::Looks(at) | Stop::Waits(at, _) => return Err(waits(run, &at)),
        };
    }
    Ok(finished)
}

fn waits(run: &Run<'_>, at: &At) -> Wrong {
    Wrong::new(
        run.span(at),
        format!("found a wait in {}()", run.code.name),
        "expected one look, and what it says",
    )
}

/// Its table, and the one after a wait, if that is another place.
pub(super) fn add_unformed_module(run: &Run<'_>) -> Made<([Claim; 5], Option<[Claim; 5]>)> {
    let begin = |at: &At| run.span(at);
    let first = match run.begins()? {
        Stop::Looks(at) => at,
        Stop::Waits(at, _) => {
            return Err(Wrong::new(
                begin(&at),
                "found a wait before any look",
                "expected a look first",
            ));
        }
        Stop::Returns { .. } => {
            let found = "found a function that never looks at the list";
            return Err(Wrong::new(run.code.ops[0].1, found, "expected a look"));
        }
    };
    let (claim, next) = table(run, &first)?;
    let again = match next {
        None => None,
        Some(Next::Looks(at)) if at == first => None,
        Some(Next::Looks(at)) => {
            let (again, next) = table(run, &at)?;
            match next {
                Some(Next::Looks(third)) if third != at => {
                    return Err(Wrong::new(
                        begin(&third),
                        "found a third place at which it looks at the list",
                        "expected two at most: one at first and one after waiting",
                    ));
                }
                Some(Next::Returns(_)) => {
                    return Err(Wrong::new(
                        begin(&at),
                        "found another end after a second wait",
                        "expected the same look",
                    ));
                }
                _ => {}
            }
            Some(again)
        }
        Some(Next::Returns(claim)) => Some([claim; 5]),
    };
    Ok((claim, again))
}

/// Where it goes on after a wait that nothing has interrupted.
#[derive(PartialEq)]
enum Next {
    Looks(At),
    Returns(Claim),
}

/// What it makes of each state, and where it goes on when it has waited.
fn table(run: &Run<'_>, at: &At) -> Made<([Claim; 5], Option<Next>)> {
    let (mut table, mut next) = ([Claim::Busy; 5], None);
    for (state, claim) in STATES.into_iter().zip(&mut table) {
        *claim = match run.looks(at, state)? {
            Stop::Returns { value, listed } => returned(run, at, value, listed)?,
            Stop::Looks(other) => {
                return Err(Wrong::new(
                    run.span(&other),
                    "found a look without a wait before",
                    "expected a wait",
                ));
            }
            Stop::Waits(slept, to) => {
                let woken = match run.goes_on(&slept, to, 0)? {
                    Stop::Looks(at) => Next::Looks(at),
                    Stop::Returns { value, listed } => {
                        Next::Returns(returned(run, &slept, value, listed)?)
                    }
                    Stop::Waits(..) => {
                        return Err(Wrong::new(
                            run.span(&slept),
                            "found a wait after a wait",
                            "expected a look",
                        ));
                    }
                };
                if next.as_ref().is_some_and(|next| *next != woken) {
                    return Err(Wrong::new(
                        run.span(&slept),
                        format!("found that it goes on otherwise when it has seen {state}"),
                        "expected the same after each wait: the model does not remember what was seen before",
                    ));
                }
                next = Some(woken);
                // -ERESTARTSYS: a signal has ended the wait.
                match run.goes_on(&slept, to, -512)? {
                    Stop::Returns { value, listed: false } if value < 0 && value != -17 => {}
                    _ => {
                        return Err(Wrong::new(
                            run.span(&slept),
                            "found no error where a signal has ended the wait",
                            "expected a return of that error, before anything else",
                        ));
                    }
                }
                Claim::Wait
            }
        };
    }
    Ok((table, next))
}

fn returned(run: &Run<'_>, at: &At, value: i64, listed: bool) -> Made<Claim> {
    match (listed, value) {
        (true, 0) => Ok(Claim::Free),
        (false, -17) => Ok(Claim::Exists),
        (false, ..0) => Ok(Claim::Busy),
        _ => Err(Wrong::new(
            run.span(at),
            format!(
                "found that it returns {value} from here, the module {}listed",
                if listed { "" } else { "not " }
            ),
            "expected 0 with the module listed, or an error without",
        )),
    }
}
