//! Patches of the texts: unified diffs, and what they make of the model.

use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};
use kmodcheck_lang::text::TextError;
use kmodcheck_model::features::Features;
use kmodcheck_model::text::{Decisions, TEXTS};

/// The texts of the kernel's functions and kmod's, as they are shipped or as patches have made them.
#[derive(Clone, Debug)]
pub struct Texts {
    /// In the order of [`TEXTS`].
    all: [String; TEXTS.len()],
}

/// Where the texts stand, in one line.
fn known() -> String {
    TEXTS.map(|(path, _)| path).join(", ")
}

/// A patch that cannot be read, or that is of other texts.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// No unified diff.
    #[error("{file}: {what}, expected a unified diff")]
    Diff {
        /// The patch.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// There is nothing in it.
    #[error("{file}: found no change of a file, expected a unified diff of one of {of}", of = known())]
    Nothing {
        /// The patch.
        file: String,
    },
    /// It is of a file that is no text of the model.
    #[error("{file}: found a patch of '{path}', expected one of {of} (`kmodcheck text` prints them)", of = known())]
    Path {
        /// The patch.
        file: String,
        /// Of what it is.
        path: String,
    },
    /// What a hunk changes is not there.
    #[error(
        "{file}:{line}: hunk {number} of {path} does not apply: found no such lines in the text, expected \
         those that it changes (`kmodcheck text` prints it)"
    )]
    Hunk {
        /// The patch.
        file: String,
        /// Where the hunk begins in it, from 1.
        line: usize,
        /// Which hunk of the file, from 1.
        number: usize,
        /// The file.
        path: String,
    },
}

/// The line of the `number`th hunk of a diff, both from 1.
fn hunk_line(diff: &str, number: usize) -> usize {
    let mut hunks = (1..).zip(diff.lines()).filter(|(_, line)| line.starts_with("@@ "));
    hunks.nth(number - 1).map_or(1, |(line, _)| line)
}

impl Default for Texts {
    fn default() -> Self {
        Self { all: TEXTS.map(|(_, text)| text.to_owned()) }
    }
}

impl Texts {
    /// Where each stands, and what it is.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        TEXTS.into_iter().zip(&self.all).map(|((path, _), text)| (path, text.as_str()))
    }

    /// One of them, by where it stands.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.all().find(|(known, _)| *known == path).map(|(_, text)| text)
    }

    /// Puts another text in the place of one; `false`: none stands there.
    pub fn set(&mut self, path: &str, text: String) -> bool {
        match TEXTS.iter().position(|(known, _)| *known == path) {
            Some(at) => {
                self.all[at] = text;
                true
            }
            None => false,
        }
    }

    /// Applies a patch, of one file or several. `file`: how it is called in errors.
    ///
    /// # Errors
    /// No unified diff, one of something else, one that does not apply; nothing is changed then.
    pub fn apply(&mut self, file: &str, diff: &str) -> Result<(), PatchError> {
        let file = || file.to_owned();
        let mut all = self.all.clone();
        let mut changes = 0;
        for part in PatchSet::parse(diff, ParseOptions::unidiff()) {
            let part =
                part.map_err(|error| PatchError::Diff { file: file(), what: error.to_string() })?;
            let path = match part.operation() {
                FileOperation::Modify { modified: path, .. }
                | FileOperation::Create(path)
                | FileOperation::Delete(path)
                | FileOperation::Rename { to: path, .. }
                | FileOperation::Copy { to: path, .. } => path.to_string(),
            };
            let modifies = matches!(part.operation(), FileOperation::Modify { .. });
            let is = |known: &str| path == known || path.ends_with(&format!("/{known}"));
            let at = TEXTS.iter().position(|(known, _)| is(known));
            let (true, Some(at), Some(patch)) = (modifies, at, part.patch().as_text()) else {
                return Err(PatchError::Path { file: file(), path });
            };
            all[at] = diffy::apply(&all[at], patch).map_err(|error| {
                // It says the hunk's number last, and in no other way.
                let said = error.to_string();
                let number = said.rsplit('#').next().and_then(|n| n.parse().ok()).unwrap_or(1);
                let line = hunk_line(diff, changes + number);
                PatchError::Hunk { file: file(), line, number, path: path.clone() }
            })?;
            changes += patch.hunks().len();
        }
        if changes == 0 {
            return Err(PatchError::Nothing { file: file() });
        }
        self.all = all;
        Ok(())
    }

    /// What they decide of a system.
    ///
    /// # Errors
    /// A text that cannot be read, or with what has no place in the model.
    pub fn decisions(&self, features: &Features) -> Result<Decisions, Box<TextError>> {
        Decisions::of(&self.all, features)
    }
}
