//! How the commands about many systems print: fitted to the screen, or as wide as it is, with verdicts in colour.

use anstyle::{AnsiColor, Style};

use super::say::print;
use super::screen;

/// How wide what is printed may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As wide as it is: for files, and for who scrolls sideways.
    Wide,
    /// At most so many columns.
    Fitted(usize),
}

impl Layout {
    /// The screen's, unless `wide`.
    pub(crate) fn of(wide: bool) -> Self {
        if wide { Self::Wide } else { Self::Fitted(screen::width()) }
    }

    /// Prints a text. Lines that follow one another are one paragraph, unless they are indented or are those
    /// of a list.
    pub(crate) fn print(self, text: &str) {
        match self {
            Self::Wide => print(text),
            Self::Fitted(width) => print(&folded(text, width)),
        }
    }
}

/// `text` in lines of at most `width`.
fn folded(text: &str, width: usize) -> String {
    let mut items: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let goes_on = !line.is_empty() && !line.starts_with([' ', '-', '\u{1b}']);
        match items.last_mut() {
            Some(last) if goes_on && !last.is_empty() => {
                last.push(' ');
                last.push_str(line);
            }
            _ => items.push(line.to_owned()),
        }
    }
    let fold = |item: &String| screen::fold(item, &" ".repeat(hanging(item)), width);
    items.iter().flat_map(fold).collect::<Vec<_>>().join("\n")
}

/// By how much the lines that follow the first one of an item are indented: to where its text begins, in a list
/// with names before it.
fn hanging(item: &str) -> usize {
    let text = item.trim_start();
    let before = item.len() - text.len();
    if before == 0 {
        return if text.starts_with("- ") { 2 } else { 0 };
    }
    let name = text.find("  ").map(|end| end + text[end..].len() - text[end..].trim_start().len());
    match name {
        Some(name) if before + name <= 30 => before + name,
        _ => before + 2,
    }
}

/// A verdict in the colour of what it says; what it says it says in words.
pub(crate) fn verdict(words: &str) -> String {
    // `N=2: holds`, `from 2: 18 steps`.
    let (_, said) = words.split_once(": ").unwrap_or(("", words));
    let begins = |with: &[&str]| with.iter().any(|with| said.starts_with(with));
    let style = if said.ends_with("(allowed)")
        || begins(&["vacuous", "holds vacuously", "time-out", "ok to"])
    {
        AnsiColor::Yellow.on_default()
    } else if begins(&["FAILS", "STUCK", "asleep", "killed", "overtaken", "violated"])
        || said.ends_with(" steps")
    {
        AnsiColor::Red.on_default().bold()
    } else if begins(&["holds", "ok", "returns"]) {
        AnsiColor::Green.on_default()
    } else if begins(&["?", "not decided"]) {
        Style::new().bold()
    } else {
        return words.to_owned();
    };
    screen::styled(words, style)
}

/// A table with verdicts, from its third column on, in colour.
pub(crate) fn coloured(table: &str) -> String {
    let cell = |(column, cell): (usize, &str)| match cell.trim() {
        // Before the first bar there is nothing, then the presets.
        text if column > 2 && !text.is_empty() => cell.replacen(text, &verdict(text), 1),
        _ => cell.to_owned(),
    };
    let heads = table.lines().position(|line| line.starts_with("|-")).unwrap_or(0);
    let row = |(number, line): (usize, &str)| match number {
        _ if number <= heads => line.to_owned(),
        _ => line.split('|').enumerate().map(cell).collect::<Vec<_>>().join("|"),
    };
    table.lines().enumerate().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{coloured, folded, verdict};

    #[test]
    fn what_is_folded_stays_what_it_was() {
        let text = "A text that was folded\nby hand.\n\n  name       what it is, in a few words\n\
                    - an item of a list\n    and what it needs: more";
        let expected = "A text that was folded\nby hand.\n\n  name       what it is,\n             in a few\n             words\n\
                        - an item of a list\n    and what it needs:\n      more";
        assert_eq!(folded(text, 24), expected);
        assert_eq!(folded(&folded(text, 200), 24), expected);
    }

    #[test]
    fn only_colours_are_added() {
        let table = "| kernel | kmod | ok |\n|---|---|---|\n| v4.9   | v19  | holds |\n|        |      | 3 steps |";
        let painted = coloured(table);
        assert_eq!(painted.matches('\u{1b}').count(), 5, "{painted}");
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), table);
        for words in
            ["N=2: vacuous", "from 2: 18 steps", "FAILS T=58 <=156 (allowed)", "?", "ok to 6"]
        {
            let painted = verdict(words);
            assert!(painted.len() > words.len(), "{words}");
            assert_eq!(anstream::adapter::strip_str(&painted).to_string(), words);
        }
        assert_eq!(verdict("-"), "-");
    }
}
