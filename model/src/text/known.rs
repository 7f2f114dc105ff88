//! Functions of which the model has only what some release does: a text is one of these, each a value of switches, or is
//! refused.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::code::{Code, Made, Wrong};
use super::graph::{File, Graph, Parted, Word};
use super::{TEXTS, since};
use crate::features::Features;

/// The functions of the texts as they are shipped, read once.
static SHIPPED: LazyLock<Vec<Vec<Code>>> = LazyLock::new(|| {
    let read = |(path, text)| {
        let functions =
            kmodcheck_lang::text::functions(path, text).unwrap_or_else(|error| panic!("{error}"));
        let codes = functions.iter().map(|function| Code::of(function, true));
        codes.collect::<Made<_>>().unwrap_or_else(|wrong| panic!("{path}: {}", wrong.found))
    };
    TEXTS.into_iter().map(read).collect()
});

/// A function of the texts as they are shipped, of a system.
pub(super) fn graph(
    file: usize,
    words: &[Word],
    features: &Features,
    name: &str,
    arguments: &[Option<i64>],
) -> Made<Graph> {
    let since = |commit: &_| since(features, commit);
    File::of(words, Cow::Borrowed(&SHIPPED[file]), &since).graph(name, arguments)
}

/// Which of these systems does in a function what a text has there, the system's own first.
pub(super) fn like(
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
        let known = graph(number, words, features, name, arguments)?;
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
