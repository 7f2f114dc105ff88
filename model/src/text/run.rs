//! What a function of a text does, from one look at the list of modules to the next.

use kmodcheck_lang::text::syntax::{Expr, ExprKind, Span};

use super::Since;
use super::code::{Code, Made, Op, Wrong};
use super::value::{NULL, evaluate, null, number, unlocked, unset};
use crate::state::ModuleState;

/// The values of pointers: the module that is listed, the one that is loaded.
const LISTED: i64 = 1;
const OWN: i64 = 2;

/// More operations are a loop.
const MOST: usize = 10_000;

/// Where it is, and what is in its variables; of those that nothing reads any more, nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At {
    op: usize,
    variables: Vec<Option<i64>>,
}

/// Where it stops.
pub(super) enum Stop {
    /// Before it looks at the list.
    Looks(At),
    /// It sleeps, and goes on from there with the result of the wait.
    Waits(At, Option<usize>),
    /// It returns, and has put its module on the list, or not.
    Returns { value: i64, listed: bool },
}

/// A function, of one kernel.
pub(super) struct Run<'c> {
    pub code: &'c Code,
    pub since: &'c Since<'c>,
}

impl Run<'_> {
    /// At its beginning.
    pub fn begins(&self) -> Made<Stop> {
        self.go(self.beginning(), None)
    }

    /// From where it looks, at a name in that state.
    pub fn looks(&self, at: &At, state: ModuleState) -> Made<Stop> {
        self.go(at.clone(), Some(state))
    }

    /// From where it has slept.
    pub fn goes_on(&self, at: &At, to: Option<usize>, result: i64) -> Made<Stop> {
        let mut at = at.clone();
        if let Some(to) = to {
            at.variables[to] = Some(result);
        }
        self.go(at, None)
    }

    /// Before its first operation.
    fn beginning(&self) -> At {
        let mut variables = vec![None; self.code.variables.len()];
        variables[..self.code.parameters].fill(Some(OWN));
        At { op: 0, variables }
    }

    /// Takes an operation that nobody else sees, on to the next one; what the function returns, if it is its end.
    fn local(&self, at: &mut At, state: Option<ModuleState>) -> Made<Option<i64>> {
        let (op, span) = &self.code.ops[at.op];
        let next = match op {
            Op::Do(to, value) => {
                let value = self.value(at, value, state)?;
                if let Some(to) = to {
                    at.variables[*to] = Some(value);
                }
                at.op + 1
            }
            Op::Test(condition, other) => match self.value(at, condition, state)? {
                0 => *other,
                _ => at.op + 1,
            },
            Op::Jump(to) => *to,
            Op::Return(Some(value)) => return self.value(at, value, state).map(Some),
            Op::Return(None) => {
                let expected = "expected a return with one";
                return Err(Wrong::new(*span, "found an end without a value", expected));
            }
            _ => unreachable!("others see it"),
        };
        at.op = next;
        Ok(None)
    }

    fn endless(&self, at: &At) -> Wrong {
        let found = "found a loop that neither waits nor returns";
        Wrong::new(self.span(at), found, "expected an end")
    }

    /// Where an operation is in the text.
    pub fn span(&self, at: &At) -> Span {
        self.code.ops[at.op].1
    }

    fn go(&self, mut at: At, seen: Option<ModuleState>) -> Made<Stop> {
        let (mut inside, mut looked, mut listed) = (false, false, false);
        for _ in 0..MOST {
            let (op, span) = &self.code.ops[at.op];
            let state = if inside { seen } else { None };
            match op {
                Op::Lock if inside => {
                    return Err(Wrong::new(
                        *span,
                        "found module_mutex taken twice",
                        "expected it free",
                    ));
                }
                Op::Lock if seen.is_none() => {
                    let live = self.code.live[at.op];
                    for (i, variable) in at.variables.iter_mut().enumerate() {
                        *variable = variable.filter(|_| live >> i & 1 != 0);
                    }
                    return Ok(Stop::Looks(at));
                }
                Op::Lock if looked => {
                    return Err(Wrong::new(
                        *span,
                        "found a second look at the list without a wait before it",
                        "expected one: two looks are two steps, and the model has no place for the second",
                    ));
                }
                Op::Lock => (inside, looked) = (true, true),
                Op::Unlock if !inside => {
                    return Err(Wrong::new(
                        *span,
                        "found module_mutex given back",
                        "expected it taken",
                    ));
                }
                Op::Unlock => inside = false,
                Op::List => {
                    if state != Some(ModuleState::Absent) || listed {
                        return Err(Wrong::new(
                            *span,
                            match state {
                                None => "found a module listed without module_mutex".to_owned(),
                                Some(state) => format!("found a name listed that is {state}"),
                            },
                            "expected it under module_mutex, of a name that is not listed",
                        ));
                    }
                    listed = true;
                }
                Op::Wait(_) if inside => {
                    return Err(Wrong::new(
                        *span,
                        "found a wait under module_mutex",
                        "expected it given back",
                    ));
                }
                Op::Wait(to) => {
                    if listed {
                        return Err(Wrong::new(
                            *span,
                            "found a wait after the module was listed",
                            "expected a return",
                        ));
                    }
                    at.op += 1;
                    return Ok(Stop::Waits(at, *to));
                }
                Op::OwnState(value) => {
                    let value = self.value(&at, value, state)?;
                    if value != number(ModuleState::Unformed) || listed {
                        return Err(Wrong::new(
                            *span,
                            "found another state of its own module",
                            "expected MODULE_STATE_UNFORMED, before it is listed",
                        ));
                    }
                }
                Op::Return(_) if inside => {
                    return Err(Wrong::new(
                        *span,
                        "found a return under module_mutex",
                        "expected it given back",
                    ));
                }
                Op::Do(..) | Op::Test(..) | Op::Jump(_) | Op::Return(_) => {
                    if let Some(value) = self.local(&mut at, state)? {
                        return Ok(Stop::Returns { value, listed });
                    }
                    continue;
                }
            }
            at.op += 1;
        }
        Err(self.endless(&at))
    }

    fn value(&self, at: &At, of: &Expr, state: Option<ModuleState>) -> Made<i64> {
        evaluate(of, &mut |of| self.leaf(at, of, state))
    }

    /// What an expression is that names something, looks at something or calls something.
    fn leaf(&self, at: &At, of: &Expr, state: Option<ModuleState>) -> Made<Option<i64>> {
        let value = |of: &Expr| self.value(at, of, state);
        match &of.kind {
            ExprKind::Name(name) => {
                let Some(variable) = self.code.variables.iter().position(|v| v == name) else {
                    return Ok(None);
                };
                at.variables[variable].map(Some).ok_or_else(|| unset(of.span, name))
            }
            ExprKind::Arrow(pointer, field) if field.text == "name" => match value(pointer)? {
                NULL => Err(null(pointer.span)),
                _ => Ok(Some(OWN)),
            },
            ExprKind::Arrow(pointer, field) if field.text == "state" => {
                match (value(pointer)?, state) {
                    (NULL, _) => Err(null(pointer.span)),
                    (LISTED, Some(state)) => Ok(Some(number(state))),
                    (LISTED, None) => Err(unlocked(of.span)),
                    _ => Err(Wrong::new(
                        of.span,
                        "found a look at its own module",
                        "expected one that is listed",
                    )),
                }
            }
            ExprKind::Call(name, arguments) => match (name.text.as_str(), &arguments[..]) {
                ("since", [commit]) => (self.since)(commit).map(Some),
                ("find_module_all" | "find_module", [_, ..]) => match state {
                    Some(ModuleState::Absent) => Ok(Some(NULL)),
                    Some(_) => Ok(Some(LISTED)),
                    None => Err(Wrong::new(
                        of.span,
                        "found a look at the list without module_mutex",
                        "expected it under the lock",
                    )),
                },
                _ => Err(Wrong::new(
                    name.span,
                    format!("found a call of '{}'", name.text),
                    "expected find_module_all(), since(), module_mutex, list_add_rcu() or \
                     wait_event_interruptible(module_wq, finished_loading(...))",
                )),
            },
            _ => Ok(None),
        }
    }
}
