//! What a function does and asks, as a graph: a node is a call that others see, or that asks something of the world; from
//! it lead the answers that it may get, to the next node or to what is returned. Functions of the same file are part of
//! whoever calls them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_lang::text::syntax::{Expr, ExprKind, Name, Span, StatementKind};

use super::Since;
use super::code::{Code, Made, Op, Wrong};
use super::value::{NULL, evaluate, null, number, unlocked, unset};
use crate::state::ModuleState;

/// A value of which only is known that it is there; several are told from each other by what is added.
pub const OBJECT: i64 = 1 << 40;
/// A pointer to a module that is listed; its state, as a number, is added.
const LISTED: i64 = 1 << 41;
/// More operations are a loop, more calls in each other a recursion.
const MOST: usize = 10_000;
const DEEPEST: usize = 16;

/// What `find_module_all()` answers: no module, or one in that state.
pub(super) fn found(state: ModuleState) -> i64 {
    match state {
        ModuleState::Absent => NULL,
        state => LISTED + number(state),
    }
}

/// A call that is a node, and what it may be answered. In a pattern `_` is any argument, whose value is told; everything
/// else has to be as it is written there.
pub(super) struct Word {
    pub pattern: &'static str,
    pub answers: &'static [i64],
}

/// The words of a file, and its functions.
pub(super) struct File<'c> {
    words: Vec<(&'c Word, Expr)>,
    functions: Cow<'c, [Code]>,
    since: &'c Since<'c>,
}

/// Where something leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// To that node.
    Node(usize),
    /// Out of the function, with that value.
    Returns(i64),
}

/// A call, with its arguments' values.
#[derive(Debug)]
pub struct Node {
    /// The call, as the vocabulary has it: `_` is an argument whose value is told.
    pub pattern: &'static str,
    /// Those values, in their order.
    pub arguments: Vec<i64>,
    /// Where it is in the text.
    pub(super) span: Span,
    /// What it may be answered, and where that leads.
    pub next: Vec<(i64, Next)>,
}

/// A function.
#[derive(Debug)]
pub struct Graph {
    /// Its nodes, by number.
    pub nodes: Vec<Node>,
    /// Where it begins.
    pub first: Next,
}

/// Where the evaluation is: by function, from the outermost one, the operation, the values that are read later, and what
/// has been answered in that operation.
type Place = Vec<(usize, usize, Vec<Option<i64>>, Vec<i64>)>;

/// One call of a function.
struct Frame {
    function: usize,
    op: usize,
    variables: Vec<Option<i64>>,
    answered: Vec<i64>,
}

/// Why an evaluation stops before its end.
enum Stopped {
    Wrong(Wrong),
    /// It asks something that has not been answered yet.
    Asks {
        place: Place,
        word: usize,
        arguments: Vec<i64>,
        span: Span,
    },
}

impl From<Wrong> for Stopped {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// One run, with the answers that it is given.
struct Run<'f, 'c> {
    file: &'f File<'c>,
    given: &'f [i64],
    used: usize,
    frames: Vec<Frame>,
    taken: usize,
    /// Whether module_mutex is held.
    locked: bool,
}

impl<'c> File<'c> {
    pub fn of(words: &'c [Word], functions: Cow<'c, [Code]>, since: &'c Since<'c>) -> Self {
        let parsed = |word: &'c Word| {
            let text = format!("void f(void) {{ {}; }}", word.pattern);
            let mut functions = kmodcheck_lang::text::functions(word.pattern, &text)
                .unwrap_or_else(|error| panic!("{error}"));
            match functions.remove(0).body.remove(0).kind {
                StatementKind::Expression(of) => (word, of),
                _ => panic!("{}: no expression", word.pattern),
            }
        };
        Self { words: words.iter().map(parsed).collect(), functions, since }
    }

    /// The function, called with these arguments; `None`: all that is known of it is that it is there.
    ///
    /// # Errors
    /// What the evaluation cannot do, and a function that is not there.
    pub fn graph(&self, name: &str, arguments: &[Option<i64>]) -> Made<Graph> {
        let Some(function) = self.functions.iter().position(|f| f.name == name) else {
            let at = self
                .functions
                .last()
                .map_or(Span::default(), |last| last.ops.last().expect("it ends").1);
            return Err(Wrong::new(
                at,
                format!("found no {name}()"),
                "expected it, which the model asks",
            ));
        };
        let arguments: Vec<i64> =
            (0..).zip(arguments).map(|(i, value)| value.unwrap_or(OBJECT + i)).collect();
        let code = &self.functions[function];
        if code.parameters != arguments.len() {
            return Err(Wrong::new(
                code.span,
                format!("found {} parameters of {name}()", code.parameters),
                format!("expected {}", arguments.len()),
            ));
        }
        let mut graph = Graph { nodes: Vec::new(), first: Next::Returns(0) };
        let mut places = BTreeMap::new();
        graph.first =
            self.explore(&mut graph, &mut places, function, &arguments, &mut Vec::new())?;
        Ok(graph)
    }

    fn explore(
        &self,
        graph: &mut Graph,
        places: &mut BTreeMap<Place, usize>,
        function: usize,
        arguments: &[i64],
        given: &mut Vec<i64>,
    ) -> Made<Next> {
        let mut run =
            Run { file: self, given, used: 0, frames: Vec::new(), taken: 0, locked: false };
        let (place, word, arguments_of_it, span) = match run.call(function, arguments) {
            Ok(value) if run.locked => {
                let end = self.functions[function].span;
                return Err(Wrong::new(
                    end,
                    format!("found module_mutex held where it returns {value}"),
                    "expected it given back",
                ));
            }
            Ok(value) => return Ok(Next::Returns(value)),
            Err(Stopped::Wrong(wrong)) => return Err(wrong),
            Err(Stopped::Asks { place, word, arguments, span }) => (place, word, arguments, span),
        };
        if let Some(known) = places.get(&place) {
            return Ok(Next::Node(*known));
        }
        let number = graph.nodes.len();
        places.insert(place, number);
        let (pattern, answers) = (self.words[word].0.pattern, self.words[word].0.answers);
        graph.nodes.push(Node { pattern, arguments: arguments_of_it, span, next: Vec::new() });
        for answer in answers {
            given.push(*answer);
            let next = self.explore(graph, places, function, arguments, given)?;
            graph.nodes[number].next.push((*answer, next));
            given.pop();
        }
        Ok(Next::Node(number))
    }
}

impl Run<'_, '_> {
    /// Calls a function and goes on to its end.
    fn call(&mut self, function: usize, arguments: &[i64]) -> Result<i64, Stopped> {
        let code = &self.file.functions[function];
        let wrong =
            |span, found: &str, expected: &str| Err(Wrong::new(span, found, expected).into());
        if self.frames.len() == DEEPEST {
            return wrong(
                code.span,
                "found functions that call each other without an end",
                "expected an end",
            );
        }
        let mut variables: Vec<Option<i64>> = arguments.iter().copied().map(Some).collect();
        variables.resize(code.variables.len(), None);
        self.frames.push(Frame { function, op: 0, variables, answered: Vec::new() });
        loop {
            self.taken += 1;
            if self.taken > MOST {
                return wrong(
                    code.span,
                    "found a loop that asks nothing and does not return",
                    "expected an end",
                );
            }
            let frame = self.frames.last_mut().expect("it was pushed");
            frame.answered.clear();
            let at = frame.op;
            let (op, span) = &code.ops[at];
            let next = match op {
                Op::Do(to, value) => {
                    let value = self.value(value)?;
                    if let Some(to) = to {
                        self.frame().variables[*to] = Some(value);
                    }
                    at + 1
                }
                Op::Test(condition, other) => match self.value(condition)? {
                    0 => *other,
                    _ => at + 1,
                },
                Op::Jump(to) => *to,
                Op::Return(Some(value)) => {
                    let value = self.value(value)?;
                    self.frames.pop();
                    return Ok(value);
                }
                Op::Return(None) if code.is_void => {
                    self.frames.pop();
                    return Ok(0);
                }
                Op::Return(None) => {
                    return wrong(
                        *span,
                        "found an end without a value",
                        "expected a return with one",
                    );
                }
                _ => return wrong(*span, "found what this function does not do", "expected calls"),
            };
            self.frame().op = next;
        }
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("it is in a function")
    }

    fn value(&mut self, of: &Expr) -> Result<i64, Stopped> {
        evaluate(of, &mut |of| self.leaf(of))
    }

    fn leaf(&mut self, of: &Expr) -> Result<Option<i64>, Stopped> {
        let file = self.file;
        for (word, (_, pattern)) in file.words.iter().enumerate() {
            let mut arguments = Vec::new();
            if matches(pattern, of, &mut arguments) {
                let arguments =
                    arguments.into_iter().map(|of| self.value(of)).collect::<Result<_, _>>()?;
                return self.asks(word, arguments, of.span).map(Some);
            }
        }
        match &of.kind {
            ExprKind::Name(name) => {
                let frame = self.frames.last().expect("it is in a function");
                let code = &file.functions[frame.function];
                let Some(variable) = code.variables.iter().position(|v| v == name) else {
                    return Ok(None);
                };
                Ok(Some(frame.variables[variable].ok_or_else(|| unset(of.span, name))?))
            }
            // Whoever is given a variable's address may write to it.
            ExprKind::Address(place) => {
                if let ExprKind::Name(name) = &place.kind {
                    let frame = self.frames.last_mut().expect("it is in a function");
                    let code = &file.functions[frame.function];
                    if let Some(variable) = code.variables.iter().position(|v| v == name) {
                        frame.variables[variable] = Some(OBJECT);
                    }
                }
                Ok(Some(OBJECT))
            }
            ExprKind::Arrow(pointer, field) if field.text == "state" => {
                match self.value(pointer)? {
                    NULL => Err(null(pointer.span).into()),
                    state if (LISTED..LISTED + 4).contains(&state) && self.locked => {
                        Ok(Some(state - LISTED))
                    }
                    state if (LISTED..LISTED + 4).contains(&state) => Err(unlocked(of.span).into()),
                    _ => Err(Wrong::new(
                        of.span,
                        "found the state of another module",
                        "expected one that is listed",
                    )
                    .into()),
                }
            }
            ExprKind::Arrow(pointer, field) if field.text == "name" => match self.value(pointer)? {
                NULL => Err(null(pointer.span).into()),
                value => Ok(Some(value)),
            },
            ExprKind::Call(Name { text, .. }, arguments)
                if text == "since" && arguments.len() == 1 =>
            {
                Ok(Some((file.since)(&arguments[0])?))
            }
            ExprKind::Call(name, arguments) => {
                let Some(function) = file.functions.iter().position(|f| f.name == name.text) else {
                    let known: BTreeSet<&str> = file
                        .words
                        .iter()
                        .filter_map(|(word, _)| word.pattern.split_once('('))
                        .map(|(name, _)| name)
                        .collect();
                    let known: Vec<String> =
                        known.into_iter().map(|name| format!("{name}()")).collect();
                    return Err(Wrong::new(
                        name.span,
                        format!("found a call of '{}', with these arguments", name.text),
                        format!("expected a function of this file, since(), or as the text has them: {}", known.join(", ")),
                    )
                    .into());
                };
                let code = &file.functions[function];
                if code.parameters != arguments.len() {
                    let found = format!("found {} arguments of {}()", arguments.len(), name.text);
                    return Err(Wrong::new(
                        of.span,
                        found,
                        format!("expected {}", code.parameters),
                    )
                    .into());
                }
                let arguments =
                    arguments.iter().map(|of| self.value(of)).collect::<Result<Vec<i64>, _>>()?;
                self.call(function, &arguments).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The next answer, or that there is none yet.
    fn asks(&mut self, word: usize, arguments: Vec<i64>, span: Span) -> Result<i64, Stopped> {
        let pattern = self.file.words[word].0.pattern;
        let wrong =
            |found: &str, expected: &str| Err(Stopped::Wrong(Wrong::new(span, found, expected)));
        match pattern {
            "mutex_lock(&module_mutex)" if self.locked => {
                return wrong("found module_mutex taken twice", "expected it free");
            }
            "mutex_unlock(&module_mutex)" if !self.locked => {
                return wrong("found module_mutex given back", "expected it taken");
            }
            "find_module_all(_)" | "find_module(_)" if !self.locked => {
                return wrong(
                    "found a look at the list without module_mutex",
                    "expected it under the lock",
                );
            }
            "wait_event(module_wq, finished_loading(_))" | "finished_loading(_)" if self.locked => {
                return wrong(
                    "found module_mutex held",
                    "expected it free: finished_loading() takes it",
                );
            }
            _ => {}
        }
        let Some(answer) = self.given.get(self.used) else {
            let files = self.file;
            let place = self.frames.iter().map(|frame| {
                let live = files.functions[frame.function].live[frame.op];
                let variables = (0..)
                    .zip(&frame.variables)
                    .map(|(i, value)| value.filter(|_| live >> i & 1 != 0));
                (frame.function, frame.op, variables.collect(), frame.answered.clone())
            });
            return Err(Stopped::Asks { place: place.collect(), word, arguments, span });
        };
        self.used += 1;
        self.locked = match pattern {
            "mutex_lock(&module_mutex)" => true,
            "mutex_unlock(&module_mutex)" => false,
            _ => self.locked,
        };
        self.frame().answered.push(*answer);
        Ok(*answer)
    }
}

/// Whether an expression is as a pattern has it; what stands where that has `_`.
fn matches<'e>(pattern: &Expr, of: &'e Expr, arguments: &mut Vec<&'e Expr>) -> bool {
    let mut both = |a: &Expr, b: &'e Expr| matches(a, b, arguments);
    match (&pattern.kind, &of.kind) {
        (ExprKind::Name(any), _) if any == "_" => {
            arguments.push(of);
            true
        }
        (ExprKind::Name(a), ExprKind::Name(b)) => a == b,
        (ExprKind::Number(a), ExprKind::Number(b)) => a == b,
        (ExprKind::Text(a), ExprKind::Text(b)) => a == b,
        (ExprKind::Address(a), ExprKind::Address(b)) => both(a, b),
        (ExprKind::Binary(one, a, b), ExprKind::Binary(other, c, d)) => {
            one == other && both(a, c) && both(b, d)
        }
        (ExprKind::Index(a, b), ExprKind::Index(c, d)) => both(a, c) && both(b, d),
        (ExprKind::Assign(None, a, b), ExprKind::Assign(None, c, d)) => both(a, c) && both(b, d),
        (ExprKind::Field(a, one), ExprKind::Field(b, other)) => {
            one.text == other.text && both(a, b)
        }
        (ExprKind::Arrow(a, one), ExprKind::Arrow(b, other)) => {
            one.text == other.text && both(a, b)
        }
        (ExprKind::Call(one, a), ExprKind::Call(other, b)) => {
            one.text == other.text && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| both(a, b))
        }
        _ => false,
    }
}

impl Graph {
    /// What is there; `None`: it has returned.
    pub fn node(&self, next: Next) -> Option<&Node> {
        match next {
            Next::Node(node) => Some(&self.nodes[node]),
            Next::Returns(_) => None,
        }
    }

    /// Where the answers lead on which two graphs part, from there and from there on; `None`: they do the same. `ends`:
    /// where, after that node and that answer, nobody looks any more.
    pub(super) fn parts(
        &self,
        from: Next,
        other: &Self,
        other_from: Next,
        ends: &dyn Fn(&Node, i64) -> bool,
    ) -> Option<Parted> {
        let mut seen = BTreeSet::new();
        let mut left = vec![(from, other_from, self.node(from).map(|node| node.span))];
        while let Some((here, there, before)) = left.pop() {
            if !seen.insert((here, there)) {
                continue;
            }
            match (self.node(here), other.node(there)) {
                (None, None) if here == there => {}
                (Some(a), Some(b)) if a.pattern == b.pattern && a.arguments == b.arguments => {
                    let both = a.next.iter().zip(&b.next).rev();
                    left.extend(
                        both.filter(|((answer, _), _)| !ends(a, *answer))
                            .map(|((_, x), (_, y))| (*x, *y, Some(a.span))),
                    );
                }
                (node, _) => {
                    let span = node.map(|node| node.span).or(before).unwrap_or_default();
                    return Some(Parted {
                        span,
                        found: self.in_words(here),
                        expected: other.in_words(there),
                    });
                }
            }
        }
        None
    }

    /// What stands there, in words.
    pub(super) fn in_words(&self, next: Next) -> String {
        match next {
            Next::Returns(value) if value >= OBJECT => {
                "a return of a value that is not known".to_owned()
            }
            Next::Returns(value) => format!("a return of {value}"),
            Next::Node(node) => {
                let Node { pattern, arguments, .. } = &self.nodes[node];
                let numbers: Vec<String> = arguments
                    .iter()
                    .filter(|value| **value < OBJECT)
                    .map(ToString::to_string)
                    .collect();
                match numbers[..] {
                    [] => (*pattern).to_owned(),
                    _ => format!("{pattern} with {}", numbers.join(", ")),
                }
            }
        }
    }
}

/// Where two graphs part.
pub(super) struct Parted {
    /// In the text of the first: there, or of what comes before.
    pub span: Span,
    /// What stands there.
    pub found: String,
    /// What stands there in the second.
    pub expected: String,
}
