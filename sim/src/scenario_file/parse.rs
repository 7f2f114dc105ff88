//! From text to the tables of [`schema`], past what is wrong: an entry that cannot be read is noted and left
//! out, so that all others are looked at, too.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::error::Finding;
use super::schema;
use crate::suggest;

/// A file, as far as it can be read.
pub(super) struct Parsed {
    /// None if nothing can be said of the rest.
    pub file: Option<schema::File>,
    /// Everything that cannot be read.
    pub findings: Vec<Finding>,
    /// Of which of the file's keys and tables something was left out.
    pub left_out: BTreeSet<String>,
}

/// So many lines that are no TOML are shown each.
const BROKEN: usize = 5;

/// Reads `text`.
pub(super) fn parse(text: &str) -> Parsed {
    let (table, errors) = DeTable::parse_recoverable(text);
    let line =
        |span: &Range<usize>| text[..text.floor_char_boundary(span.start)].matches('\n').count();
    let mut findings: Vec<Finding> = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // What follows on a line that is no TOML is a consequence.
        if findings.iter().all(|before| line(&before.span) != line(&span)) {
            findings.push(Finding::new(span, error.message(), ""));
        }
    }
    let broken: Vec<usize> = findings.iter().map(|finding| line(&finding.span)).collect();
    // A file of another kind has one in each line, and the first ones say so.
    if findings.len() > BROKEN + 1 {
        let more = findings.split_off(BROKEN);
        let title = format!("found {} more lines that are no TOML, this one first", more.len());
        findings.push(Finding::new(more[0].span.clone(), title, "expected a scenario file"));
    }
    let mut left_out = BTreeSet::new();
    // Keys that are there, and not understood.
    let mut read_not: Vec<String> = Vec::new();
    let (span, mut table) = (table.span(), table.into_inner());
    let file = loop {
        let read = Deserializer::from(Spanned::new(span.clone(), table.clone()));
        let error = match schema::File::deserialize(read) {
            Ok(file) => break Some(file),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        let (found, meant) = quoted(error.message());
        let missing = error.message().starts_with("missing field");
        // What is missing may be what could not be read, or on a line that could not.
        let here = read_not.iter().position(|key| missing && key == found);
        let follows = broken.contains(&line(&span)) || (missing && !broken.is_empty());
        if let Some(here) = here {
            read_not.remove(here);
        } else if !follows {
            let help = meant.map(|meant| format!("did you mean '{meant}'?")).or_else(|| {
                let one_of_many = error.message().ends_with("map, expected a sequence");
                one_of_many
                    .then(|| "a table of which there may be several is written [[so]]".to_owned())
            });
            findings.push(Finding::new(span.clone(), error.message(), "").meaning(help));
        }
        let Some(LeftOut { of, key }) = leave_out(&mut table, &span) else { break None };
        left_out.insert(of);
        read_not.extend([Some(key), meant.map(str::to_owned)].into_iter().flatten());
    };
    // Nobody knows what the broken lines would have said.
    Parsed { file: file.filter(|_| broken.is_empty()), findings, left_out }
}

/// What was left out.
struct LeftOut {
    /// The file's key or table that it was in.
    of: String,
    /// Its own key.
    key: String,
}

/// Leaves out the innermost entry that `span` is of.
fn leave_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<LeftOut> {
    let within = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    for (key, value) in table.iter_mut() {
        if let Some(inner) = inside(value.get_mut(), key.get_ref(), &within) {
            return Some(LeftOut { of: key.get_ref().to_string(), key: inner });
        }
    }
    of_table(table, &within).map(|key| LeftOut { of: key.clone(), key })
}

/// Leaves out the innermost entry of a value, which has that key; the key of what was left out.
fn inside(
    value: &mut DeValue<'_>,
    key: &str,
    within: &dyn Fn(Range<usize>) -> bool,
) -> Option<String> {
    match value {
        DeValue::Table(table) => {
            let mut entries = table.iter_mut();
            entries
                .find_map(|(key, value)| inside(value.get_mut(), key.get_ref(), within))
                .or_else(|| of_table(table, within))
        }
        DeValue::Array(array) => {
            let inner = array.iter_mut().find_map(|value| inside(value.get_mut(), key, within));
            if inner.is_some() {
                return inner;
            }
            let before = array.len();
            let values = std::mem::replace(array, DeArray::new());
            *array = values.into_iter().filter(|value| !within(value.span())).collect();
            (array.len() < before).then(|| key.to_owned())
        }
        _ => None,
    }
}

/// Leaves out an entry of a table; its key.
fn of_table(table: &mut DeTable<'_>, within: &dyn Fn(Range<usize>) -> bool) -> Option<String> {
    let is = |(key, value): &(&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        within(key.span()) || within(value.span())
    };
    let found = table.iter().find(is).map(|(key, _)| key.get_ref().to_string())?;
    let entries = std::mem::replace(table, DeTable::new());
    *table = entries.into_iter().filter(|(key, _)| *key.get_ref() != found).collect();
    Some(found)
}

/// Of 'unknown field `kernal`, expected one of `kernel`, ...': what was found, and what is spelled like it.
fn quoted(message: &str) -> (&str, Option<&str>) {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let found = quoted.next().unwrap_or_default();
    (found, suggest::spelled(found, quoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of another kind is not told of line by line; what is wrong in a scenario is, however much it is.
    #[test]
    fn a_file_of_another_kind_is_said_to_be_one() {
        let titles = |text: &str| -> Vec<String> {
            parse(text).findings.into_iter().map(|finding| finding.title).collect()
        };
        let prose = titles(&"This is no scenario, it is prose.\n".repeat(40));
        assert_eq!(prose.len(), 6, "{prose:#?}");
        assert_eq!(prose[5], "found 35 more lines that are no TOML, this one first");
        let six = titles(&"This is no scenario, it is prose.\n".repeat(6));
        assert_eq!(six.len(), 6, "{six:#?}");
        assert!(!six[5].contains("more lines"), "{six:#?}");
        let unknown: String = (0..40).map(|i| format!("unknown-{i} = 1\n")).collect();
        assert!(titles(&unknown).len() >= 40);
    }
}
