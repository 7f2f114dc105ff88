//! What the processes of one search know and nobody else does, and how they show it without telling it.
//!
//! Challenge and response: each side sends a number drawn for this connection, and then a code of both
//! numbers, of who is who and of what is said, made with the secret (HMAC with SHA-256: H. Krawczyk,
//! M. Bellare and R. Canetti, RFC 2104). What was recorded of one connection proves nothing on another.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Shortest secret, in bytes: half of it guessed, 128 bits are left.
const SHORTEST: usize = 32;
/// Longest secret, in bytes. A file that is larger is none.
const LONGEST: usize = 4096;

/// A keyed code in the making.
pub(super) type Code = Hmac<Sha256>;

/// A secret that all processes of a search share.
#[derive(Clone)]
pub struct Secret {
    key: Vec<u8>,
    /// Whether it protects what is said after the handshake, too.
    pub(super) seals: bool,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Why a file is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("{}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A pipe or a device, perhaps one without an end.
    #[error("{}: expected a file with a secret, found something else", file.display())]
    NoFile {
        /// What it is instead.
        file: PathBuf,
    },
    /// Others can read it.
    #[error(
        "{}: found mode {mode:04o}, expected 0600 or 0400: others can read the secret", file.display()
    )]
    Readable {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Too short to be a secret, or too long.
    #[error("{}: found a secret of {bytes} bytes, expected {SHORTEST} to {LONGEST}", file.display())]
    Length {
        /// The file.
        file: PathBuf,
        /// Its length, without white space at its end; more than the longest if it is longer.
        bytes: usize,
    },
}

impl Secret {
    /// Reads it from a file: its bytes but for white space at its end, so that an editor's last line end
    /// makes no difference.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let file = path.to_owned();
        let unreadable = |error| SecretError::Unreadable { file: path.to_owned(), error };
        // To open a pipe would wait for who writes to it.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(SecretError::NoFile { file });
        }
        let opened = File::open(path).map_err(unreadable)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = opened.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
            if mode & 0o077 != 0 {
                return Err(SecretError::Readable { file, mode });
            }
        }
        let mut key = Vec::new();
        opened.take(LONGEST as u64 + 2).read_to_end(&mut key).map_err(unreadable)?;
        key.truncate(key.trim_ascii_end().len());
        if !(SHORTEST..=LONGEST).contains(&key.len()) {
            return Err(SecretError::Length { file, bytes: key.len() });
        }
        Ok(Self { key, seals: true })
    }

    /// That of processes on one machine which one of them has started. It shows who they are; what they
    /// say afterwards only root could alter there, and is not protected.
    #[must_use]
    pub fn of_one_machine(text: &str) -> Self {
        Self { key: text.as_bytes().to_vec(), seals: false }
    }

    /// Nobody's: whoever connects is believed.
    pub(super) fn none() -> Self {
        Self { key: Vec::new(), seals: false }
    }

    /// A code of `parts`, whose lengths the first one tells.
    pub(super) fn code(&self, parts: &[&[u8]]) -> Code {
        let mut code = keyed(&self.key);
        parts.iter().for_each(|part| code.update(part));
        code
    }
}

/// A code of nothing yet.
pub(super) fn keyed(key: &[u8]) -> Code {
    Code::new_from_slice(key).expect("a key may have any length")
}

/// A number that was never there before, and that nobody foresees: from the operating system.
pub(super) fn nonce() -> std::io::Result<[u8; 32]> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
    Ok(nonce)
}

/// A fresh secret as text, for [`Secret::of_one_machine`].
///
/// # Errors
/// If the operating system gives no random numbers.
pub fn drawn() -> std::io::Result<String> {
    Ok(crate::hex(&nonce()?))
}
