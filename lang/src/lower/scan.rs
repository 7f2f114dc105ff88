//! Which functions a text calls, before anything is made of it.

use std::collections::{BTreeSet, HashMap};

use crate::text::syntax::{Expr, ExprKind, Function, Initial, Statement, StatementKind};

/// The functions of a file.
pub(super) struct Scan<'s, 'f> {
    pub functions: &'s HashMap<&'f str, &'f Function>,
}

impl Scan<'_, '_> {
    /// Whether the statements call such a function, directly or through functions of the file.
    pub fn calls(&self, body: &[Statement], such: &dyn Fn(&str) -> bool) -> bool {
        let mut called = BTreeSet::new();
        statements(body, &mut called);
        let mut open: Vec<String> = called.iter().cloned().collect();
        while let Some(name) = open.pop() {
            if let Some(function) = self.functions.get(name.as_str()) {
                let mut more = BTreeSet::new();
                statements(&function.body, &mut more);
                open.extend(more.into_iter().filter(|name| called.insert(name.clone())));
            }
        }
        called.iter().any(|name| such(name))
    }

    /// The same of the function of that name.
    pub fn function_calls(&self, name: &str, such: &dyn Fn(&str) -> bool) -> bool {
        self.functions.get(name).is_some_and(|function| self.calls(&function.body, such))
    }
}

fn statements(all: &[Statement], called: &mut BTreeSet<String>) {
    use StatementKind as S;
    for statement in all {
        match &statement.kind {
            S::Block(all) => statements(all, called),
            S::Declare(all) => {
                for declaration in all {
                    if let Some(Initial::Value(value)) = &declaration.initial {
                        expression(value, called);
                    }
                }
            }
            S::Expression(value) | S::Return(Some(value)) => expression(value, called),
            S::If(condition, then, otherwise) => {
                expression(condition, called);
                statements(std::slice::from_ref(&**then), called);
                if let Some(otherwise) = otherwise {
                    statements(std::slice::from_ref(&**otherwise), called);
                }
            }
            S::While(condition, body) | S::DoWhile(body, condition) => {
                expression(condition, called);
                statements(std::slice::from_ref(&**body), called);
            }
            S::For(begin, condition, turn, body) => {
                if let Some(begin) = begin {
                    statements(std::slice::from_ref(&**begin), called);
                }
                condition.iter().chain(turn).for_each(|e| expression(e, called));
                statements(std::slice::from_ref(&**body), called);
            }
            S::Switch(value, body) => {
                expression(value, called);
                statements(body, called);
            }
            _ => {}
        }
    }
}

fn expression(of: &Expr, called: &mut BTreeSet<String>) {
    match &of.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => {}
        // Also the name of a function that is handed on.
        ExprKind::Name(name) => {
            called.insert(name.clone());
        }
        ExprKind::Call(name, arguments) => {
            called.insert(name.text.clone());
            arguments.iter().for_each(|argument| expression(argument, called));
        }
        ExprKind::Unary(_, a)
        | ExprKind::Field(a, _)
        | ExprKind::Arrow(a, _)
        | ExprKind::Dereference(a)
        | ExprKind::Address(a)
        | ExprKind::Cast(_, a)
        | ExprKind::Increment { place: a, .. } => expression(a, called),
        ExprKind::Binary(_, a, b)
        | ExprKind::Index(a, b)
        | ExprKind::Comma(a, b)
        | ExprKind::Assign(_, a, b) => {
            expression(a, called);
            expression(b, called);
        }
        ExprKind::Conditional(a, b, c) => {
            [Some(a), b.as_ref(), Some(c)]
                .into_iter()
                .flatten()
                .for_each(|e| expression(e, called));
        }
    }
}
