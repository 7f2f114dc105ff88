//! Faults in programs, made by machine: statements that are left out.

use std::ops::Range;

use crate::embedded::Sources;
use crate::text::syntax::{Expr, ExprKind, Item, Statement, StatementKind};
use crate::text::{declarations, program};

/// Texts of pieces with something left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// What is left out, in words.
    pub what: String,
    /// The pieces without it, in their order.
    pub pieces: Vec<String>,
}

/// Every statement of some pieces that does something, by piece; calls with what they are called with.
fn all(sources: &Sources<'_>) -> Vec<(usize, Range<usize>, Option<String>)> {
    let macros = sources.macros;
    let mut found = Vec::new();
    for (at, piece) in sources.pieces.iter().enumerate() {
        let whole = 0..piece.text.len();
        let bodies: Vec<Vec<Statement>> = if at == 0 {
            let items = declarations(piece.text, whole, macros).unwrap_or_default();
            let functions = items.into_iter().filter_map(|item| match item {
                Item::Function(function) => Some(function.body),
                _ => None,
            });
            functions.collect()
        } else {
            program(piece.text, whole, at, macros).map(|process| process.body).into_iter().collect()
        };
        for body in &bodies {
            within(body, &mut |statement| {
                let span = statement.span.start..statement.span.end;
                found.push((at, span, object(statement)));
            });
        }
    }
    found
}

fn within(statements: &[Statement], visit: &mut impl FnMut(&Statement)) {
    for statement in statements {
        let inner: Vec<&[Statement]> = match &statement.kind {
            StatementKind::Block(all) | StatementKind::Switch(_, all) => vec![all],
            StatementKind::If(_, yes, no) => {
                let no = no.as_deref().map(std::slice::from_ref);
                std::iter::once(std::slice::from_ref(&**yes)).chain(no).collect()
            }
            StatementKind::While(_, body)
            | StatementKind::DoWhile(body, _)
            | StatementKind::For(.., body) => vec![std::slice::from_ref(&**body)],
            StatementKind::Expression(_) => {
                visit(statement);
                Vec::new()
            }
            _ => Vec::new(),
        };
        inner.into_iter().for_each(|all| within(all, visit));
    }
}

/// What a call is about: `x` of `mutex_lock(&x)`.
fn object(statement: &Statement) -> Option<String> {
    let StatementKind::Expression(Expr { kind: ExprKind::Call(_, arguments), .. }) =
        &statement.kind
    else {
        return None;
    };
    match &arguments.first()?.kind {
        ExprKind::Address(of) => match &of.kind {
            ExprKind::Name(name) => Some(name.clone()),
            _ => None,
        },
        ExprKind::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn without(sources: &Sources<'_>, what: String, left_out: &[(usize, Range<usize>)]) -> Deletion {
    let mut texts: Vec<String> = sources.pieces.iter().map(|piece| piece.text.to_owned()).collect();
    for (piece, span) in left_out {
        // As long as before, so that all else stands where it stood; `if (x) y;` needs a statement.
        let blank = ";".to_owned() + &" ".repeat(span.len().saturating_sub(1));
        texts[*piece].replace_range(span.clone(), &blank);
    }
    Deletion { what, pieces: texts }
}

/// Texts as [`Programs::compile`](crate::Programs::compile) takes them, each time without one statement, or without
/// all calls of one of them that are about the same thing: a lock is taken and given back by two. Not all of these
/// can be compiled.
pub fn deletions(sources: &Sources<'_>) -> Vec<Deletion> {
    let (all, pieces) = (all(sources), &sources.pieces);
    let text = |piece: usize, span: &Range<usize>| {
        let words = pieces[piece].text.get(span.clone()).unwrap_or_default();
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut found: Vec<Deletion> = Vec::new();
    for (piece, span, _) in &all {
        let what = format!("{} without '{}'", pieces[*piece].name, text(*piece, span));
        found.push(without(sources, what, &[(*piece, span.clone())]));
    }
    let mut seen: Vec<(usize, &str)> = Vec::new();
    for (piece, _, object) in &all {
        let Some(object) = object.as_deref() else { continue };
        if seen.contains(&(*piece, object)) {
            continue;
        }
        seen.push((*piece, object));
        let alike = all.iter().filter(|(p, _, o)| p == piece && o.as_deref() == Some(object));
        let left_out: Vec<_> = alike.map(|(piece, span, _)| (*piece, span.clone())).collect();
        if left_out.len() > 1 {
            let what = format!("{} without all that it does with '{object}'", pieces[*piece].name);
            found.push(without(sources, what, &left_out));
        }
    }
    found
}
