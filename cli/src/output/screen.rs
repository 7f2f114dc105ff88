//! The terminal: how wide it is, and words in colour.

use anstyle::Style;
use textwrap::{Options, WordSeparator, WordSplitter};

/// Columns of a screen that is not a terminal, and of a mail.
const USUAL: usize = 80;

/// Columns to fill: the terminal's, between 60 and 200; 80 where there is none.
pub(crate) fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    let columns = terminal.map(|(columns, _)| usize::from(columns.0));
    columns.map_or(USUAL, |columns| columns.clamp(60, 200))
}

/// As wide as that, and as high as the terminal, where there is one.
pub(crate) fn size() -> (usize, Option<usize>) {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    (width(), terminal.map(|(_, rows)| usize::from(rows.0)))
}

/// Columns to fill: as many as were asked for, or [`width`].
pub(crate) fn width_or(asked: Option<u16>) -> usize {
    asked.map_or_else(width, usize::from)
}

/// `text` in lines of at most `width`; each but the first begins with `indent`.
pub(crate) fn fold(text: &str, indent: &str, width: usize) -> Vec<String> {
    // `wait-and-verify` is one word, and a path that is wider than the screen is still one to be copied.
    let options = Options::new(width)
        .break_words(false)
        .subsequent_indent(indent)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(Into::into).collect()
}

/// `text` in a style. What prints takes it away again where it would not be seen.
pub(crate) fn styled(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}
