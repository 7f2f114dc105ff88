//! Small tables for people: a row a line, the last cell folded below itself where a line would be too wide.

use anstyle::Style;

use super::screen;

/// A cell, and how it is styled.
pub(crate) type Cell = (String, Style);

/// A cell without a style.
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    (text.into(), Style::new())
}

/// Between columns.
const GAP: usize = 2;

/// Least width of the last column; where there is less room it begins on a line of its own.
const LEAST: usize = 16;

/// Lines of at most `width`, but for words that are wider: the head, underlined, and the rows. `least`: widths of the
/// first columns that they have in any case.
pub(crate) fn rows<const N: usize>(
    head: [&str; N],
    rows: &[[Cell; N]],
    least: &[usize],
    width: usize,
) -> Vec<String> {
    let columns: Vec<usize> = (0..N - 1)
        .map(|at| {
            let words = rows.iter().map(|row| row[at].0.chars().count());
            let least = least.get(at).copied().unwrap_or(0);
            words.chain([head[at].chars().count(), least]).max().unwrap_or(0)
        })
        .collect();
    let before: usize = columns.iter().map(|column| column + GAP).sum();
    let below = before + LEAST > width;
    let indent = " ".repeat(if below { 2 * GAP } else { before });
    let mut lines = Vec::new();
    let underlined = head.map(|word| (word.to_owned(), Style::new().underline()));
    for row in std::iter::once(&underlined).chain(rows) {
        let mut line = String::new();
        for ((text, style), column) in row.iter().zip(&columns) {
            line.push_str(&styled(text, *style));
            line.push_str(&" ".repeat(column + GAP - text.chars().count()));
        }
        let (text, style) = &row[N - 1];
        let folded = screen::fold(text, "", width.saturating_sub(indent.len()).max(LEAST));
        let mut last = folded.iter().map(|text| styled(text, *style));
        if !below {
            line.push_str(&last.next().unwrap_or_default());
        }
        lines.push(line.trim_end().to_owned());
        lines.extend(last.filter(|text| !text.is_empty()).map(|text| format!("{indent}{text}")));
    }
    lines
}

/// Nothing has no style.
fn styled(text: &str, style: Style) -> String {
    if text.is_empty() { String::new() } else { screen::styled(text, style) }
}

/// So many of something, in the singular or the plural.
pub(crate) fn counted(number: impl Into<u64>, one: &str) -> String {
    let number = number.into();
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cell_is_folded_below_itself() {
        let row = |a: &str, b: &str| [plain(a), plain(b)];
        let table = [row("one", "a few words that do not fit"), row("twenty", "")];
        let lines = rows(["what", "how"], &table, &[], 30);
        let bare: Vec<String> =
            lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(
            bare,
            ["what    how", "one     a few words that do", "        not fit", "twenty"]
        );
        // No room beside it.
        let lines = rows(["what", "how"], &table, &[20], 30);
        let bare: Vec<String> =
            lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(bare[2..], ["one", "    a few words that do not", "    fit", "twenty"]);
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0_u64, 1, 2].map(|n| counted(n, "step")), ["0 steps", "1 step", "2 steps"]);
    }
}
