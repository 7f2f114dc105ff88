//! The binary indexes, which are what kmod asks: `modules.dep.bin` and the like (`libkmod/libkmod-index.c`).
//!
//! A file is a magic, a version and a trie. Here it is taken apart, and given as the text that `depmod` writes beside it, so
//! that one parser reads both.

use std::fmt::Write;

/// `INDEX_MAGIC`, and the version whose first half has to be this (`INDEX_VERSION_MAJOR`).
const MAGIC: u32 = 0xB007_F457;
const VERSION_MAJOR: u32 = 2;

const PREFIX: u32 = 0x8000_0000;
const VALUES: u32 = 0x4000_0000;
const CHILDREN: u32 = 0x2000_0000;
const OFFSET: u32 = 0x0FFF_FFFF;

/// kmod's buffers for keys are of this size (`PATH_MAX`).
const LONGEST_KEY: usize = 4096;

/// Which index a file is: how its entries are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `modules.dep.bin`: the value is the line.
    Dep,
    /// `modules.alias.bin` and `modules.symbols.bin`: `alias KEY VALUE`.
    Alias,
    /// `modules.builtin.bin`: the key is the module.
    Builtin,
    /// `modules.builtin.alias.bin`, as `modules.builtin.modinfo`.
    BuiltinAlias,
}

/// What is wrong with a binary index, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: expected {expected}, found {found}")]
pub struct BinaryError {
    /// Counted from 0.
    pub at: usize,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: &'static str,
}

/// The text of a binary index: its entries by their priorities, which are the places of the modules.
///
/// # Errors
/// What is no such file, or ends too early, or has offsets that lead in a circle.
pub fn as_text(bytes: &[u8], kind: Kind) -> Result<String, BinaryError> {
    let mut entries = entries(bytes)?;
    entries.sort_by_key(|(priority, ..)| *priority);
    let mut text = String::new();
    for (_, key, value) in entries {
        match kind {
            Kind::Dep => writeln!(text, "{value}"),
            Kind::Alias => writeln!(text, "alias {key} {value}"),
            Kind::Builtin => writeln!(text, "kernel/{key}.ko"),
            Kind::BuiltinAlias => write!(text, "{value}.alias={key}\0"),
        }
        .expect("a string takes everything");
    }
    Ok(text)
}

/// A node that is still to be read: where it is, and the key that leads there.
type Open = Vec<(u32, Vec<u8>)>;

fn entries(bytes: &[u8]) -> Result<Vec<(u32, String, String)>, BinaryError> {
    let mut reader = Reader { bytes, at: 0 };
    let magic = reader.number()?;
    if magic != MAGIC {
        return Err(wrong(0, format!("{magic:#x}"), "the magic of a module index, 0xb007f457"));
    }
    let version = reader.number()?;
    if version >> 16 != VERSION_MAJOR {
        return Err(wrong(4, format!("version {version:#x}"), "version 2 of the format"));
    }
    let mut found = Vec::new();
    let mut open: Open = vec![(reader.number()?, Vec::new())];
    // Every node has a byte of its own at least.
    let mut left = bytes.len();
    while let Some((node, mut key)) = open.pop() {
        if node & OFFSET == 0 {
            continue;
        }
        let at = (node & OFFSET) as usize;
        left = left
            .checked_sub(1)
            .ok_or_else(|| wrong(at, "a node again".to_owned(), "a tree, without a circle"))?;
        reader.at = at;
        if node & PREFIX != 0 {
            key.extend(reader.string()?);
        }
        if key.len() > LONGEST_KEY {
            let expected = "a key shorter than a path may be";
            return Err(wrong(at, format!("one of {} bytes", key.len()), expected));
        }
        if node & CHILDREN != 0 {
            let (first, last) = (reader.byte()?, reader.byte()?);
            for byte in first..=last {
                let mut key = key.clone();
                key.push(byte);
                open.push((reader.number()?, key));
            }
        }
        if node & VALUES != 0 {
            for _ in 0..reader.number()? {
                let priority = reader.number()?;
                let value = reader.string()?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                found.push((priority, text(&key), text(value)));
            }
        }
    }
    Ok(found)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, BinaryError> {
        let byte = self.bytes.get(self.at).copied();
        let byte = byte.ok_or_else(|| wrong(self.at, "the end".to_owned(), "a byte"))?;
        self.at += 1;
        Ok(byte)
    }

    fn number(&mut self) -> Result<u32, BinaryError> {
        let mut number = 0;
        for _ in 0..4 {
            number = number << 8 | u32::from(self.byte()?);
        }
        Ok(number)
    }

    /// Up to a NUL.
    fn string(&mut self) -> Result<&'a [u8], BinaryError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == 0);
        let length = length.ok_or_else(|| wrong(self.at, "the end".to_owned(), "a final NUL"))?;
        self.at += length + 1;
        Ok(&rest[..length])
    }
}

fn wrong(at: usize, found: String, expected: &'static str) -> BinaryError {
    BinaryError { at, found, expected }
}
