//! The line that an error points at, underlined: for errors that begin with `FILE:LINE:COLUMN: ` or
//! `FILE:LINE: `.

use std::fmt::Write;
use std::path::Path;

/// Most characters of a line that are shown.
const MOST: usize = 120;

/// The line and the mark under it; `None` if the message points nowhere.
pub(crate) fn shown(message: &str) -> Option<String> {
    if message.contains('\n') {
        return None; // It shows the line itself.
    }
    let (at, _) = message.split_once(": ")?;
    let (rest, last) = at.rsplit_once(':')?;
    let last: usize = last.parse().ok()?;
    let with_column =
        rest.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    let (file, line, column): (&str, usize, Option<usize>) = match with_column {
        Some((file, line)) => (file, line, Some(last)),
        None => (rest, last, None),
    };
    let text = std::fs::read_to_string(Path::new(file)).ok()?;
    let found = text.lines().nth(line.checked_sub(1)?)?;
    // Far to the right the beginning says nothing.
    let skip = column.map_or(0, |c| c.saturating_sub(MOST / 2));
    let part: String =
        found.chars().skip(skip).take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let number = line.to_string();
    let mut out = format!("{number} | {part}\n{} | ", " ".repeat(number.len()));
    let mark = match column {
        Some(column) => {
            let before = column.saturating_sub(1 + skip).min(MOST);
            let here: String = part.chars().skip(before).collect();
            " ".repeat(before) + &"^".repeat(long(&here))
        }
        None => "^".repeat(part.trim_end().chars().count().max(1)),
    };
    let _ = write!(out, "{mark}");
    Some(out)
}

/// How many characters are meant where something begins: a number or a string is meant whole.
fn long(here: &str) -> usize {
    match here.strip_prefix('"') {
        Some(inside) => inside.find('"').map_or(1, |end| inside[..end].chars().count() + 2),
        None => here.chars().take_while(char::is_ascii_digit).count().max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn points_at_the_column() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\n  \"a\": tru,\n}\n").unwrap();
        let name = file.path().display();
        let message = format!("{name}:2:8: expected ident");
        assert_eq!(shown(&message).unwrap(), "2 |   \"a\": tru,\n  |        ^");
        std::fs::write(file.path(), "{\n  \"a\": \"b c\", 123,\n}\n").unwrap();
        for (column, mark) in [(8, "^^^^^"), (15, "^^^"), (3, "^^^"), (1, "^"), (18, "^")] {
            let found = shown(&format!("{name}:2:{column}: what")).unwrap();
            assert_eq!(
                found.lines().nth(1).unwrap().trim_start_matches(['|', ' ']),
                mark,
                "{column}"
            );
        }
        std::fs::write(file.path(), "{\n  \"a\": tru,\n}\n").unwrap();
        let message = format!("{name}:2: expected another line");
        let marks = "^".repeat("  \"a\": tru,".len());
        assert_eq!(shown(&message).unwrap(), format!("2 |   \"a\": tru,\n  | {marks}"));
    }

    #[test]
    fn says_nothing_where_there_is_nothing_to_show() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one line\n").unwrap();
        let name = file.path().display();
        for message in [
            "no place at all".to_owned(),
            format!("{name}:7:1: beyond its end"),
            format!("{name}:0:0: before its beginning"),
            "/no/such/file:1:1: what".to_owned(),
            format!("{name}:1:1: two\nlines"),
        ] {
            assert_eq!(shown(&message), None, "{message}");
        }
        // A column beyond the line's end is no reason to panic.
        assert!(shown(&format!("{name}:1:99999: far")).is_some());
    }
}
