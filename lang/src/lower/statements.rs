//! Statements, and calls of functions of the file: each is expanded where it stands.

use std::collections::HashMap;

use super::builder::{Binding, Builder, Frame, Label, Value, binary};
use super::expressions::{At, Place, number_value};
use super::memory::{Made, Type};
use crate::graph::code::{Instr, Term};
use crate::text::syntax::{
    Binary, Declaration, Expr, ExprKind, Function, Initial, Name, Span, Statement, StatementKind,
};
use crate::text::wrong::Wrong;

/// How deep calls may nest.
const DEEPEST: usize = 32;

impl Builder<'_, '_> {
    pub fn statements(&mut self, all: &[Statement]) -> Made<()> {
        self.frame().scopes.push(HashMap::new());
        all.iter().try_for_each(|statement| self.statement(statement))?;
        self.frame().scopes.pop();
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Made<()> {
        use StatementKind as S;
        let span = statement.span;
        match &statement.kind {
            S::Nothing => {}
            S::Block(all) => self.statements(all)?,
            S::Declare(all) => all.iter().try_for_each(|one| self.declaration(one))?,
            S::Expression(value) => drop(self.value(value)?),
            S::If(condition, then, otherwise) => {
                let (yes, no, end) = (self.label(), self.label(), self.label());
                self.branch(condition, yes, no)?;
                self.place(yes);
                self.scoped(then)?;
                self.jump(end, then.span)?;
                self.place(no);
                if let Some(otherwise) = otherwise {
                    self.scoped(otherwise)?;
                }
                self.place(end);
            }
            S::While(condition, body) => {
                let (again, turn, end) = (self.label(), self.label(), self.label());
                self.place(again);
                self.turn(condition.span)?;
                self.branch(condition, turn, end)?;
                self.place(turn);
                self.turns(body, again, end)?;
                self.jump(again, span)?;
                self.place(end);
            }
            S::DoWhile(body, condition) => {
                let (again, check, end) = (self.label(), self.label(), self.label());
                self.place(again);
                self.turn(span)?;
                self.turns(body, check, end)?;
                self.place(check);
                self.branch(condition, again, end)?;
                self.place(end);
            }
            S::For(begin, condition, turn, body) => {
                self.frame().scopes.push(HashMap::new());
                if let Some(begin) = begin {
                    self.statement(begin)?;
                }
                let (again, inside) = (self.label(), self.label());
                let (after, end) = (self.label(), self.label());
                self.place(again);
                self.turn(span)?;
                if let Some(condition) = condition {
                    self.branch(condition, inside, end)?;
                }
                self.place(inside);
                self.turns(body, after, end)?;
                self.place(after);
                if let Some(turn) = turn {
                    self.value(turn)?;
                }
                self.jump(again, span)?;
                self.place(end);
                self.frame().scopes.pop();
            }
            S::Switch(value, body) => self.switch(value, body, span)?,
            S::Case(_) | S::Default => {
                return Err(Wrong::new(
                    span,
                    "found 'case' or 'default'",
                    "expected it directly in the braces of a switch",
                ));
            }
            S::Break => {
                let to = self.frame().breaks.last().copied();
                self.leaves(to, "break", span)?;
            }
            S::Continue => {
                let to = self.frame().continues.last().copied();
                self.leaves(to, "continue", span)?;
            }
            S::Goto(name) => {
                let label = self.named_label(name, false)?;
                self.jump(label, span)?;
            }
            S::Label(name) => {
                let label = self.named_label(name, true)?;
                self.place(label);
                // Whoever jumps back to it goes round.
                self.turn(span)?;
            }
            S::Return(value) => {
                let (result, returns, end) = {
                    let frame = self.frame();
                    (frame.result.clone(), frame.returns.clone(), frame.end)
                };
                match (value, result) {
                    (None, None) => {}
                    (Some(value), Some((to, of))) => {
                        let value = self.value(value)?;
                        let term = self.converted(value, &of, span)?;
                        self.set(to, term, span)?;
                    }
                    (value, _) => {
                        let found = if value.is_some() { "a value" } else { "no value" };
                        let words = self.memory().in_words(&returns);
                        let expected = format!("expected what a function of {words} returns");
                        return Err(Wrong::new(span, format!("found {found}"), expected));
                    }
                }
                self.jump(end, span)?;
            }
        }
        Ok(())
    }

    /// A statement with a scope of its own.
    fn scoped(&mut self, one: &Statement) -> Made<()> {
        self.frame().scopes.push(HashMap::new());
        self.statement(one)?;
        self.frame().scopes.pop();
        Ok(())
    }

    /// The body of a loop.
    fn turns(&mut self, body: &Statement, again: Label, end: Label) -> Made<()> {
        self.frame().breaks.push(end);
        self.frame().continues.push(again);
        self.scoped(body)?;
        self.frame().breaks.pop();
        self.frame().continues.pop();
        Ok(())
    }

    fn leaves(&mut self, to: Option<Label>, word: &str, span: Span) -> Made<()> {
        match to {
            Some(to) => self.jump(to, span),
            None => Err(Wrong::new(span, format!("found '{word}'"), "expected it in a loop")),
        }
    }

    /// The label of that name in this function; `here`: it stands here.
    fn named_label(&mut self, name: &Name, here: bool) -> Made<Label> {
        if let Some((label, span, placed)) = self.frame().labels.get_mut(&name.text) {
            if here && std::mem::replace(placed, true) {
                return Err(super::memory::again("label", name).and(*span, "it stands here"));
            }
            if here {
                *span = name.span;
            }
            return Ok(*label);
        }
        let label = self.label();
        self.frame().labels.insert(name.text.clone(), (label, name.span, here));
        Ok(label)
    }

    fn declaration(&mut self, one: &Declaration) -> Made<()> {
        let of = self.memory().declared(one)?;
        if of == Type::Void {
            return Err(Wrong::new(
                one.of.span,
                "found a variable of type void",
                "expected a type",
            ));
        }
        match &one.initial {
            None if one.of.constant => Err(Wrong::new(
                one.name.span,
                "found a constant without a value",
                "expected '=' and its value",
            )),
            None => {
                // Its value is 0, also when it is declared again in the next turn of a loop.
                if self.memory().domain(&of).is_some_and(|domain| !domain.contains(0)) {
                    return Err(Wrong::new(
                        one.name.span,
                        format!("found '{}' without a value", one.name.text),
                        "expected one: 0 is not in its range",
                    ));
                }
                let first = self.declare(&one.name, of.clone())?;
                for i in 0..self.memory().size(&of) {
                    self.set(first + i, Term::Const(0), one.name.span)?;
                }
                Ok(())
            }
            Some(Initial::Value(value)) if of.is_scalar() => {
                let span = value.span;
                let value = self.value(value)?;
                let term = self.converted(value, &of, span)?;
                if let (true, Term::Const(value)) = (one.of.constant, &term) {
                    return self.bind(&one.name, Binding::Constant(*value, of));
                }
                let to = self.declare(&one.name, of)?;
                self.set(to, term, span)
            }
            Some(initial) => {
                let span = match initial {
                    Initial::Value(value) => value.span,
                    Initial::List(_, span) => *span,
                };
                Err(Wrong::new(
                    span,
                    "found an initial value for all of it",
                    "expected its parts to be assigned one by one",
                ))
            }
        }
    }

    fn switch(&mut self, value: &Expr, body: &[Statement], span: Span) -> Made<()> {
        let number = self.number(value)?;
        let number = self.kept(number, value.span)?;
        let end = self.label();
        let mut cases: Vec<(i64, Label, Span)> = Vec::new();
        let mut default = None;
        let mut labels = Vec::new();
        for statement in body {
            let label = match &statement.kind {
                StatementKind::Case(of) => {
                    let constant = self.memory().constant(of)?;
                    if let Some((_, _, before)) =
                        cases.iter().find(|(other, ..)| *other == constant)
                    {
                        let found = format!("found the case {constant} again");
                        let wrong = Wrong::new(statement.span, found, "expected another value");
                        return Err(wrong.and(*before, "it stands here"));
                    }
                    let label = self.label();
                    cases.push((constant, label, statement.span));
                    Some(label)
                }
                StatementKind::Default => {
                    let label = self.label();
                    if default.replace(label).is_some() {
                        let found = "found 'default' again";
                        return Err(Wrong::new(statement.span, found, "expected it once"));
                    }
                    Some(label)
                }
                _ => None,
            };
            labels.push(label);
        }
        for (constant, label, at) in &cases {
            let next = self.label();
            let same = binary(Binary::Equal, number.term.clone(), Term::Const(*constant));
            match same {
                Term::Const(0) => {}
                Term::Const(_) => self.jump(*label, *at)?,
                same => self.emit(Instr::Branch(same, *label, next), *at)?,
            }
            self.place(next);
        }
        self.jump(default.unwrap_or(end), span)?;
        self.frame().breaks.push(end);
        self.frame().scopes.push(HashMap::new());
        for (statement, label) in body.iter().zip(labels) {
            match label {
                Some(label) => self.place(label),
                None => self.statement(statement)?,
            }
        }
        self.frame().scopes.pop();
        self.frame().breaks.pop();
        self.place(end);
        Ok(())
    }

    /// Begins a call, or a process.
    pub fn enter(&mut self, name: &str, returns: Type, span: Span) -> Made<()> {
        if self.frames.iter().any(|frame| frame.name == name) {
            let path: Vec<&str> = self.frames.iter().map(|frame| frame.name.as_str()).collect();
            let found = format!("found a call of '{name}' in itself ({})", path.join(", "));
            return Err(Wrong::new(span, found, "expected a loop: recursion has no bound here"));
        }
        if self.frames.len() > DEEPEST {
            let found = format!("found calls nested {DEEPEST} deep");
            return Err(Wrong::new(span, found, "expected fewer"));
        }
        let end = self.label();
        let result = match returns.is_scalar() {
            true => {
                let domain = self.memory().domain(&returns);
                let least = domain.as_ref().and_then(crate::graph::domain::Domain::bounds);
                let zero = domain.as_ref().is_none_or(|domain| domain.contains(0));
                let to = self.register("", domain);
                let first = if zero { 0 } else { least.map_or(0, |(least, _)| least) };
                self.set(to, Term::Const(first), span)?;
                Some((to, returns.clone()))
            }
            false => None,
        };
        self.frames.push(Frame {
            name: name.to_owned(),
            scopes: vec![HashMap::new()],
            labels: HashMap::new(),
            result,
            returns,
            end,
            breaks: Vec::new(),
            continues: Vec::new(),
        });
        Ok(())
    }

    /// Ends it; what it came to.
    pub fn leave(&mut self) -> Made<Value> {
        let frame = self.frames.pop().expect("it was entered");
        let nowhere = frame.labels.iter().filter(|(_, (.., placed))| !placed);
        if let Some((name, (_, span, _))) = nowhere.min_by_key(|(_, (_, span, _))| span.start) {
            let found = format!("found 'goto {name}'");
            return Err(Wrong::new(*span, found, "expected a label of this function"));
        }
        self.place(frame.end);
        Ok(match frame.result {
            Some((to, of)) => Value { term: Term::Reg(to), of },
            None => Value { term: Term::Const(0), of: Type::Void },
        })
    }

    /// A call of a function of the file.
    pub fn expand(&mut self, function: &Function, arguments: &[Expr], span: Span) -> Made<Value> {
        let wanted = function.parameters.len();
        if arguments.len() != wanted {
            let found = format!("found {} arguments", arguments.len());
            let wrong = Wrong::new(span, found, format!("expected {wanted}"));
            return Err(wrong.and(function.name.span, "it is defined here"));
        }
        let mut values = Vec::new();
        for (i, (parameter, argument)) in function.parameters.iter().zip(arguments).enumerate() {
            let of = self.memory().declared(parameter)?;
            let mut value = self.value(argument)?;
            if arguments[i + 1..].iter().any(super::expressions::assigns) {
                value = self.kept(value, argument.span)?;
            }
            // What `void *` points to is known where it comes from.
            let of = if of == Type::AnyPointer { value.of.clone() } else { of };
            let term = self.converted(value, &of, argument.span)?;
            values.push((&parameter.name, of, term));
        }
        self.world.called.insert(function.name.text.clone());
        let returns = self.memory().named(&function.returns)?;
        self.enter(&function.name.text, returns, span)?;
        for (name, of, term) in values {
            match term {
                Term::Const(constant) if !changes(&function.body, &name.text) => {
                    self.bind(name, Binding::Constant(constant, of))?;
                }
                term => {
                    let to =
                        Place { at: At::Local(self.declare(name, of.clone())?), of: of.clone() };
                    self.assign(&to, Value { term, of }, span)?;
                }
            }
        }
        self.statements(&function.body)?;
        self.leave()
    }

    /// The body of a function that runs as a process of its own.
    pub fn run_as_process(&mut self, function: &Function, given: Option<(Term, Type)>) -> Made<()> {
        self.world.called.insert(function.name.text.clone());
        self.enter(&function.name.text, Type::Void, function.span)?;
        for (i, parameter) in function.parameters.iter().enumerate() {
            let declared = self.memory().declared(parameter)?;
            let given = if i == 0 { given.clone() } else { None };
            let (term, of) = given.unwrap_or((Term::Const(0), declared.clone()));
            let of = if declared == Type::AnyPointer { of } else { declared };
            match term {
                Term::Const(constant) if !changes(&function.body, &parameter.name.text) => {
                    self.bind(&parameter.name, Binding::Constant(constant, of))?;
                }
                term => {
                    let to = self.declare(&parameter.name, of)?;
                    self.set(to, term, function.span)?;
                }
            }
        }
        self.statements(&function.body)?;
        self.leave()?;
        Ok(())
    }
}

/// Whether something in the statements may change the variable of that name.
fn changes(all: &[Statement], name: &str) -> bool {
    use StatementKind as S;
    let one = |statement: &Statement| changes(std::slice::from_ref(statement), name);
    let in_expr = |of: &Expr| changed_in(of, name);
    all.iter().any(|statement| match &statement.kind {
        S::Block(all) => changes(all, name),
        S::Declare(all) => all.iter().any(|declaration| match &declaration.initial {
            Some(Initial::Value(value)) => in_expr(value),
            _ => false,
        }),
        S::Expression(value) | S::Return(Some(value)) => in_expr(value),
        S::If(condition, then, otherwise) => {
            in_expr(condition) || one(then) || otherwise.as_deref().is_some_and(one)
        }
        S::While(condition, body) | S::DoWhile(body, condition) => in_expr(condition) || one(body),
        S::For(begin, condition, turn, body) => {
            begin.as_deref().is_some_and(one)
                || condition.as_ref().is_some_and(in_expr)
                || turn.as_ref().is_some_and(in_expr)
                || one(body)
        }
        S::Switch(value, body) => in_expr(value) || changes(body, name),
        _ => false,
    })
}

fn changed_in(of: &Expr, name: &str) -> bool {
    let is = |place: &Expr| matches!(&place.kind, ExprKind::Name(other) if other == name);
    match &of.kind {
        ExprKind::Number(_) | ExprKind::Name(_) | ExprKind::Text(_) => false,
        ExprKind::Assign(_, place, value) => {
            is(place) || changed_in(place, name) || changed_in(value, name)
        }
        ExprKind::Increment { place, .. } => is(place) || changed_in(place, name),
        ExprKind::Unary(_, a)
        | ExprKind::Field(a, _)
        | ExprKind::Arrow(a, _)
        | ExprKind::Dereference(a)
        | ExprKind::Cast(_, a) => changed_in(a, name),
        ExprKind::Address(a) => is(a) || changed_in(a, name),
        ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) | ExprKind::Comma(a, b) => {
            changed_in(a, name) || changed_in(b, name)
        }
        ExprKind::Conditional(a, b, c) => {
            [Some(a), b.as_ref(), Some(c)].into_iter().flatten().any(|e| changed_in(e, name))
        }
        // Macros that write what they are given.
        ExprKind::Call(called, arguments) => {
            let writes = ["WRITE_ONCE", "rcu_assign_pointer"].contains(&called.text.as_str());
            (writes && arguments.first().is_some_and(is))
                || arguments.iter().any(|argument| changed_in(argument, name))
        }
    }
}

/// A value that nobody needs.
pub(super) fn nothing() -> Value {
    Value { of: Type::Void, ..number_value(0) }
}
