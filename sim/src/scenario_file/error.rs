//! What is wrong with a scenario file, shown where it is wrong.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub title: String,
    /// Bytes of the file that it is about.
    pub span: Range<usize>,
    /// What was expected there.
    pub expected: String,
    /// Other places that have to do with it, each with what is there.
    pub also: Vec<(Range<usize>, String)>,
    /// What was likely meant, or what to write, where that can be said.
    pub help: Option<String>,
}

impl Finding {
    /// Something wrong in one place.
    pub(super) fn new(span: Range<usize>, title: impl Into<String>, expected: &str) -> Self {
        let (expected, also, help) = (expected.to_owned(), Vec::new(), None);
        Self { title: title.into(), span, expected, also, help }
    }

    /// With what was likely meant.
    pub(super) fn meaning(self, help: Option<String>) -> Self {
        Self { help, ..self }
    }
}

/// A file that is no scenario: everything found, each with the line it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file.
    pub file: String,
    /// What is in it.
    pub text: String,
    /// What is wrong, in the order of the file; never empty.
    pub findings: Vec<Finding>,
}

impl std::error::Error for ScenarioError {}

impl ScenarioError {
    /// With terminal colours.
    pub fn styled(&self) -> String {
        self.render(&Renderer::styled())
    }

    /// Line and column of a byte of the file, both from 1; the column in characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(byte)];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[start..].chars().count() + 1)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut out = String::new();
        for (number, finding) in self.findings.iter().enumerate() {
            if number > 0 {
                out.push_str("\n\n");
            }
            let also = finding.also.iter().map(|(span, what)| {
                AnnotationKind::Context.span(self.within(span)).label(what.as_str())
            });
            let snippet = Snippet::source(self.text.as_str())
                .path(self.file.as_str())
                .annotation(
                    AnnotationKind::Primary
                        .span(self.within(&finding.span))
                        .label(finding.expected.as_str()),
                )
                .annotations(also);
            let mut group = Level::ERROR.primary_title(finding.title.as_str()).element(snippet);
            if let Some(help) = &finding.help {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
        }
        out
    }

    /// A span that is inside the file and between characters.
    fn within(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        start..self.text.ceil_char_boundary(span.end).max(start)
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}
