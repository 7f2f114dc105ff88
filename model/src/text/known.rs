//! Functions of which the model has only what some release does: a text is one of these, each a value of switches, or is
//! refused.

use super::code::{Made, Wrong};
use super::graph::{File, Graph, Parted, Word};
use super::{Parsed, TEXTS, since};
use crate::features::Features;

/// A function of the texts as they are shipped, of a system.
pub(super) fn graph(
    shipped: &[String; TEXTS.len()],
    file: usize,
    words: &[Word],
    features: &Features,
    name: &str,
    arguments: &[Option<i64>],
) -> Made<Graph> {
    let since = |commit: &_| since(features, commit);
    let parsed = Parsed::of(shipped, &since).unwrap_or_else(|error| panic!("{error}"));
    parsed.plain(file, words)?.graph(name, arguments)
}

/// Which of these systems does in a function what a text has there, the system's own first.
pub(super) fn like(
    shipped: &[String; TEXTS.len()],
    number: usize,
    words: &[Word],
    file: &File<'_>,
    (name, arguments): (&str, &[Option<i64>]),
    own: &Features,
    all: &[Features],
) -> Made<Features> {
    let text = file.graph(name, arguments)?;
    let mut parted = None;
    for features in std::iter::once(own).chain(all) {
        let known = graph(shipped, number, words, features, name, arguments)?;
        match text.parts(text.first, &known, known.first, &|_, _| false) {
            None => return Ok(*features),
            Some(other) => parted.get_or_insert(other),
        };
    }
    let Parted { span, found, expected } = parted.expect("its own differs");
    Err(Wrong::new(
        span,
        format!("found that {name}() comes to {found}"),
        format!(
            "expected {expected}, as this system's, or all that another release does there: for anything else the model has no steps"
        ),
    ))
}
