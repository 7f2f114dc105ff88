//! What is wrong with a text, shown where it is wrong.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::syntax::Span;

/// What is wrong, before it is known in which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub span: Span,
    pub found: String,
    pub expected: String,
    pub also: Vec<(Span, String)>,
}

impl Wrong {
    /// In one place.
    pub fn new(span: Span, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { span, found: found.into(), expected: expected.into(), also: Vec::new() }
    }

    /// And what is in another place.
    pub fn and(mut self, span: Span, what: impl Into<String>) -> Self {
        self.also.push((span, what.into()));
        self
    }

    /// In which text.
    pub fn of(self, file: &str, text: &str) -> Box<TextError> {
        let Self { span, found, expected, also } = self;
        let (file, text) = (file.to_owned(), text.to_owned());
        Box::new(TextError { file, text, span, found, expected, also })
    }
}

/// A text that is no program: what was found, where, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// The file.
    pub file: String,
    /// What is in it.
    pub text: String,
    /// The bytes that it is about.
    pub span: Span,
    /// What was found there.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// Other places that have to do with it, each with what is there.
    pub also: Vec<(Span, String)>,
}

impl std::error::Error for TextError {}

impl TextError {
    /// With terminal colours.
    #[must_use]
    pub fn styled(&self) -> String {
        self.render(&Renderer::styled())
    }

    /// Line and column of where it is, both from 1; the column in characters.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        position(&self.text, self.span.start)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let also = self.also.iter().map(|(span, what)| {
            AnnotationKind::Context.span(self.within(*span)).label(what.as_str())
        });
        let snippet = Snippet::source(self.text.as_str())
            .path(self.file.as_str())
            .annotation(
                AnnotationKind::Primary.span(self.within(self.span)).label(self.expected.as_str()),
            )
            .annotations(also);
        renderer.render(&[Level::ERROR.primary_title(self.found.as_str()).element(snippet)])
    }

    /// A span that is inside the text and between characters.
    fn within(&self, span: Span) -> std::ops::Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        start..self.text.ceil_char_boundary(span.end).max(start)
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

/// Line and column of a byte of a text, both from 1; the column in characters.
#[must_use]
pub(crate) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(byte)];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}
