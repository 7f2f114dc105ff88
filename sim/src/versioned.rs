//! Files of JSON that begin with their format and version; a reader refuses what it does not know.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why such a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not the expected JSON.
    #[error("{file}:{line}:{column}: {what}")]
    Malformed {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What was found and expected.
        what: String,
    },
    /// Another format or version.
    #[error(
        "{file}:{line}:{column}: found format '{format}' version {version}, expected '{expected}' version \
         {known}; a file of another version may mean something else: make it again with this kmodcheck"
    )]
    Version {
        /// The file.
        file: String,
        /// Where it says what is wrong, from 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What it says.
        format: String,
        /// What it says.
        version: u32,
        /// What was expected.
        expected: &'static str,
        /// The only version that is read.
        known: u32,
    },
}

impl FileError {
    /// Of JSON that begins on that line of the file.
    pub(crate) fn malformed(file: &str, from: usize, error: &serde_json::Error) -> Self {
        Self::Malformed {
            file: file.to_owned(),
            line: from - 1 + error.line(),
            // At the end of an empty line serde_json says 0.
            column: error.column().max(1),
            what: error.to_string(),
        }
    }
}

/// Reads `text`, the content of `file`.
///
/// # Errors
/// Malformed JSON, or another format or version.
pub(crate) fn read<T: DeserializeOwned>(
    file: &str,
    text: &str,
    expected: &'static str,
    known: u32,
) -> Result<T, FileError> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
        version: u32,
    }
    let malformed = |error: serde_json::Error| FileError::malformed(file, 1, &error);
    let Head { format, version } = serde_json::from_str(text).map_err(malformed)?;
    if (format.as_str(), version) != (expected, known) {
        let (line, column) = wrong_at(text, &format, expected);
        let file = file.to_owned();
        return Err(FileError::Version { file, line, column, format, version, expected, known });
    }
    serde_json::from_str(text).map_err(malformed)
}

/// Line and column, both from 1, of what is wrong with the head of a file: of its version, if the format is
/// the expected one, or else of its format.
pub fn wrong_at(text: &str, format: &str, expected: &str) -> (usize, usize) {
    let key = if format == expected { "\"version\"" } else { "\"format\"" };
    let Some(at) = text.find(key) else { return (1, 1) };
    let after = &text[at + key.len()..];
    // Behind the colon.
    let value = after.find(|c: char| !c.is_whitespace() && c != ':').unwrap_or(0);
    let before = &text[..at + key.len() + value];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}
