//! A function of a text as operations one after the other, with jumps, and which variables are read later.

use kmodcheck_lang::text::syntax::{
    Base, Expr, ExprKind, Function, Initial, Name, Span, Statement, StatementKind,
};

/// What is wrong with a text: where, what was found, what was expected.
pub(super) struct Wrong {
    pub span: Span,
    pub found: String,
    pub expected: String,
}

impl Wrong {
    pub fn new(span: Span, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { span, found: found.into(), expected: expected.into() }
    }
}

/// Or what is wrong.
pub(super) type Made<T> = Result<T, Wrong>;

/// One operation.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// `mutex_lock(&module_mutex)`: whoever looks looks from here on.
    Lock,
    /// `mutex_unlock(&module_mutex)`
    Unlock,
    /// `list_add_rcu(mod)`
    List,
    /// `wait_event_interruptible(module_wq, FUNCTION(mod->name))`, and the variable that it is assigned to.
    Wait(Option<usize>),
    /// An expression without a value, or assigned to a variable.
    Do(Option<usize>, Expr),
    /// `mod->state = VALUE`
    OwnState(Expr),
    /// Goes on elsewhere if it is 0.
    Test(Expr, usize),
    /// Goes on elsewhere.
    Jump(usize),
    /// `return`
    Return(Option<Expr>),
}

/// A function.
#[derive(Clone)]
pub(super) struct Code {
    pub name: String,
    /// Its name in the text.
    pub span: Span,
    /// Whether it returns nothing.
    pub is_void: bool,
    pub ops: Vec<(Op, Span)>,
    /// What its variables are called, the parameters first.
    pub variables: Vec<String>,
    pub parameters: usize,
    /// By operation: the variables that it, or what follows it, reads before they are assigned to.
    pub live: Vec<u64>,
}

/// The queue on which loaders wait for each other.
const QUEUE: &str = "module_wq";
/// The lock of the list of modules.
const LOCK: &str = "module_mutex";

struct Builder {
    ops: Vec<(Op, Span)>,
    variables: Vec<String>,
    labels: Vec<(String, usize)>,
    gotos: Vec<(usize, Name)>,
    /// Where `break` and `continue` are to be put in.
    loops: Vec<(Vec<usize>, Vec<usize>)>,
    /// Whether no call is more than that.
    plain: bool,
}

impl Code {
    /// `plain`: no call is an operation of its own kind.
    pub fn of(function: &Function, plain: bool) -> Made<Self> {
        let variables: Vec<String> =
            function.parameters.iter().map(|parameter| parameter.name.text.clone()).collect();
        let (parameters, loops) = (variables.len(), Vec::new());
        let (labels, gotos) = (Vec::new(), Vec::new());
        let mut builder = Builder { ops: Vec::new(), variables, labels, gotos, loops, plain };
        for statement in &function.body {
            builder.statement(statement)?;
        }
        let end = Span { start: function.span.end.saturating_sub(1), end: function.span.end };
        builder.ops.push((Op::Return(None), end));
        for (at, name) in std::mem::take(&mut builder.gotos) {
            let label = builder.labels.iter().find(|(label, _)| *label == name.text);
            let Some((_, to)) = label else {
                let found = format!("found goto '{}'", name.text);
                return Err(Wrong::new(name.span, found, "expected a label of this function"));
            };
            builder.ops[at].0 = Op::Jump(*to);
        }
        let Builder { ops, variables, .. } = builder;
        if variables.len() > 64 {
            let found = format!("found {} variables", variables.len());
            return Err(Wrong::new(function.name.span, found, "expected at most 64"));
        }
        let live = live(&ops, &variables);
        let name = function.name.text.clone();
        let (span, is_void) = (
            function.name.span,
            matches!(function.returns.base, Base::Void) && function.returns.pointers == 0,
        );
        Ok(Self { name, span, is_void, ops, variables, parameters, live })
    }
}

/// By operation, what is read from it on; until nothing is added any more.
fn live(ops: &[(Op, Span)], variables: &[String]) -> Vec<u64> {
    let mut live = vec![0_u64; ops.len() + 1];
    loop {
        let mut added = false;
        for (at, (op, _)) in ops.iter().enumerate().rev() {
            let follows = match op {
                Op::Jump(to) => live[*to],
                Op::Test(_, to) => live[*to] | live[at + 1],
                Op::Return(_) => 0,
                _ => live[at + 1],
            };
            let writes = match op {
                Op::Wait(Some(to)) | Op::Do(Some(to), _) => 1 << to,
                _ => 0,
            };
            let reads = match op {
                Op::Do(_, of) | Op::Test(of, _) | Op::Return(Some(of)) | Op::OwnState(of) => {
                    reads(of, variables)
                }
                _ => 0,
            };
            let here = follows & !writes | reads;
            added |= here != live[at];
            live[at] = here;
        }
        if !added {
            return live;
        }
    }
}

fn reads(of: &Expr, variables: &[String]) -> u64 {
    let all = |parts: &[&Expr]| parts.iter().fold(0, |all, part| all | reads(part, variables));
    match &of.kind {
        ExprKind::Name(name) => {
            variables.iter().position(|v| v == name).map_or(0, |variable| 1 << variable)
        }
        ExprKind::Unary(_, a) | ExprKind::Arrow(a, _) | ExprKind::Address(a) => all(&[a]),
        ExprKind::Binary(_, a, b) | ExprKind::Assign(_, a, b) => all(&[a, b]),
        ExprKind::Conditional(a, b, c) => {
            all(&[a, c]) | b.as_ref().map_or(0, |b| reads(b, variables))
        }
        ExprKind::Call(_, arguments) => {
            arguments.iter().fold(0, |all, part| all | reads(part, variables))
        }
        _ => 0,
    }
}

/// Whether an expression is the address of that, or that itself.
fn names(of: &Expr, name: &str) -> bool {
    match &of.kind {
        ExprKind::Address(inner) => names(inner, name),
        ExprKind::Name(found) => found == name,
        _ => false,
    }
}

impl Builder {
    fn push(&mut self, op: Op, span: Span) -> usize {
        self.ops.push((op, span));
        self.ops.len() - 1
    }

    fn land(&mut self, at: usize) {
        let here = self.ops.len();
        match &mut self.ops[at].0 {
            Op::Test(_, to) | Op::Jump(to) => *to = here,
            _ => unreachable!("only jumps are put in later"),
        }
    }

    fn statement(&mut self, statement: &Statement) -> Made<()> {
        let span = statement.span;
        match &statement.kind {
            StatementKind::Nothing => {}
            StatementKind::Block(all) => {
                for statement in all {
                    self.statement(statement)?;
                }
            }
            StatementKind::Declare(all) => {
                for declared in all {
                    let name = &declared.name;
                    if self.variables.contains(&name.text) {
                        let found = format!("found a second '{}'", name.text);
                        return Err(Wrong::new(name.span, found, "expected one of each name"));
                    }
                    self.variables.push(name.text.clone());
                    match &declared.initial {
                        None => {}
                        Some(Initial::Value(value)) => {
                            let to = self.variables.len() - 1;
                            self.assign(Some(to), value, span)?;
                        }
                        Some(Initial::List(_, span)) => {
                            return Err(Wrong::new(*span, "found a list", "expected a value"));
                        }
                    }
                }
            }
            StatementKind::Expression(of) => self.expression(of)?,
            StatementKind::If(condition, then, other) => {
                let test = self.test(condition)?;
                self.statement(then)?;
                if let Some(other) = other {
                    let over = self.push(Op::Jump(0), span);
                    self.land(test);
                    self.statement(other)?;
                    self.land(over);
                } else {
                    self.land(test);
                }
            }
            StatementKind::While(condition, body) => {
                let begin = self.ops.len();
                let test = self.test(condition)?;
                self.looped(body, begin, Some(test))?;
            }
            StatementKind::DoWhile(body, condition) => {
                let begin = self.ops.len();
                self.loops.push((Vec::new(), Vec::new()));
                self.statement(body)?;
                let (breaks, continues) = self.loops.pop().expect("it was pushed");
                for at in continues {
                    self.land(at);
                }
                let test = self.test(condition)?;
                self.push(Op::Jump(begin), span);
                self.land(test);
                for at in breaks {
                    self.land(at);
                }
            }
            StatementKind::For(first, condition, step, body) if step.is_none() => {
                if let Some(first) = first {
                    self.statement(first)?;
                }
                let begin = self.ops.len();
                let test = condition.as_ref().map(|condition| self.test(condition)).transpose()?;
                self.looped(body, begin, test)?;
            }
            StatementKind::Break | StatementKind::Continue => {
                let at = self.push(Op::Jump(0), span);
                let Some((breaks, continues)) = self.loops.last_mut() else {
                    return Err(Wrong::new(
                        span,
                        "found it in no loop",
                        "expected a loop around it",
                    ));
                };
                match statement.kind {
                    StatementKind::Break => breaks.push(at),
                    _ => continues.push(at),
                }
            }
            StatementKind::Goto(name) => {
                let at = self.push(Op::Jump(0), span);
                self.gotos.push((at, name.clone()));
            }
            StatementKind::Label(name) => self.labels.push((name.text.clone(), self.ops.len())),
            StatementKind::Return(value) => {
                self.push(Op::Return(value.clone()), span);
            }
            _ => {
                return Err(Wrong::new(
                    span,
                    "found a statement that the texts do not know",
                    "expected if, while, do, goto, return, a declaration or an assignment",
                ));
            }
        }
        Ok(())
    }

    /// A test; a condition that assigns does that first.
    fn test(&mut self, condition: &Expr) -> Made<usize> {
        let tested = match &condition.kind {
            ExprKind::Assign(None, place, _) if matches!(place.kind, ExprKind::Name(_)) => {
                self.expression(condition)?;
                place
            }
            _ => condition,
        };
        Ok(self.push(Op::Test(tested.clone(), 0), condition.span))
    }

    fn looped(&mut self, body: &Statement, begin: usize, test: Option<usize>) -> Made<()> {
        self.loops.push((Vec::new(), Vec::new()));
        self.statement(body)?;
        let (breaks, continues) = self.loops.pop().expect("it was pushed");
        for at in continues {
            self.ops[at].0 = Op::Jump(begin);
        }
        self.push(Op::Jump(begin), body.span);
        for at in breaks.into_iter().chain(test) {
            self.land(at);
        }
        Ok(())
    }

    fn expression(&mut self, of: &Expr) -> Made<()> {
        match &of.kind {
            ExprKind::Assign(None, place, value) => match &place.kind {
                ExprKind::Name(name) => {
                    let Some(to) = self.variables.iter().position(|v| v == name) else {
                        let found = format!("found '{name}'");
                        return Err(Wrong::new(
                            place.span,
                            found,
                            "expected a variable of this function",
                        ));
                    };
                    self.assign(Some(to), value, of.span)
                }
                ExprKind::Arrow(_, field) if field.text == "state" => {
                    let op = match self.plain {
                        true => Op::Do(None, of.clone()),
                        false => Op::OwnState((**value).clone()),
                    };
                    self.push(op, of.span);
                    Ok(())
                }
                _ => Err(Wrong::new(
                    place.span,
                    "found an assignment to what is shared",
                    "expected one to a variable, or to the state of the module that is loaded",
                )),
            },
            _ => self.assign(None, of, of.span),
        }
    }

    /// What has an effect is an operation of its own.
    fn assign(&mut self, to: Option<usize>, value: &Expr, span: Span) -> Made<()> {
        let op = match &value.kind {
            ExprKind::Call(name, arguments) if !self.plain => {
                match (name.text.as_str(), &arguments[..], to) {
                    ("mutex_lock", [lock], None) if names(lock, LOCK) => Op::Lock,
                    ("mutex_unlock", [lock], None) if names(lock, LOCK) => Op::Unlock,
                    ("list_add_rcu", [_], None) => Op::List,
                    ("wait_event_interruptible", [queue, condition], _) if names(queue, QUEUE) => {
                        match &condition.kind {
                            ExprKind::Call(called, _) if called.text == "finished_loading" => {
                                Op::Wait(to)
                            }
                            _ => {
                                return Err(Wrong::new(
                                    condition.span,
                                    "found another condition",
                                    "expected finished_loading(mod->name)",
                                ));
                            }
                        }
                    }
                    _ => Op::Do(to, value.clone()),
                }
            }
            _ => Op::Do(to, value.clone()),
        };
        self.push(op, span);
        Ok(())
    }
}
