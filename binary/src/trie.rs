//! The binary indexes that kmod reads, made from the text that `depmod` writes beside them.
//!
//! Faithful to kmod v30 `tools/depmod.c`: `index_write()`, `index_write__node()`, `output_deps_bin()`,
//! `output_aliases_bin()`, `output_builtin_bin()`; and to `libkmod/libkmod-index.c`, which reads them. The text of
//! modules.alias has lost the modules' priorities: the order of modules.dep is the order of its lines there.

use std::collections::BTreeMap;

/// A node of the trie.
#[derive(Default)]
struct Node {
    values: Vec<(u32, String)>,
    children: BTreeMap<u8, Node>,
}

const MAGIC: u32 = 0xb007_f457;
const VERSION: u32 = 0x0002_0001;
const HAS_PREFIX: u32 = 0x8000_0000;
const HAS_VALUES: u32 = 0x4000_0000;
const HAS_CHILDREN: u32 = 0x2000_0000;

impl Node {
    fn insert(&mut self, key: &str, value: &str, priority: u32) {
        let mut node = self;
        for byte in key.bytes() {
            node = node.children.entry(byte).or_default();
        }
        let place = node.values.partition_point(|(other, _)| *other < priority);
        // `index_add_value()`: in front of those of the same priority.
        if !node.values.iter().any(|(other, text)| *other == priority && text == value) {
            node.values.insert(place, (priority, value.to_owned()));
        }
    }

    /// Writes the children, then itself; where it is, with what it has.
    fn write(&self, out: &mut Vec<u8>) -> u32 {
        // What has one child and no value is a part of the prefix.
        let (mut node, mut prefix) = (self, Vec::new());
        while node.values.is_empty() && node.children.len() == 1 {
            let Some((byte, child)) = node.children.first_key_value() else { break };
            prefix.push(*byte);
            node = child;
        }
        let places: BTreeMap<u8, u32> =
            node.children.iter().map(|(byte, child)| (*byte, child.write(out))).collect();
        let mut place = u32::try_from(out.len()).unwrap_or(u32::MAX);
        if !prefix.is_empty() {
            out.extend(&prefix);
            out.push(0);
            place |= HAS_PREFIX;
        }
        if let (Some((first, _)), Some((last, _))) =
            (places.first_key_value(), places.last_key_value())
        {
            out.extend([*first, *last]);
            for byte in *first..=*last {
                out.extend(places.get(&byte).copied().unwrap_or(0).to_be_bytes());
            }
            place |= HAS_CHILDREN;
        }
        if !node.values.is_empty() {
            out.extend(u32::try_from(node.values.len()).unwrap_or(u32::MAX).to_be_bytes());
            for (priority, value) in &node.values {
                out.extend(priority.to_be_bytes());
                out.extend(value.bytes());
                out.push(0);
            }
            place |= HAS_VALUES;
        }
        place
    }

    fn file(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC.to_be_bytes());
        out.extend(VERSION.to_be_bytes());
        out.extend([0; 4]);
        let root = self.write(&mut out);
        out[8..12].copy_from_slice(&root.to_be_bytes());
        out
    }
}

fn name_of(path: &str) -> String {
    crate::view::module_name(path)
}

fn lines(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    (0..).zip(lines)
}

/// `modules.dep.bin`.
pub(crate) fn dependencies(text: &str) -> Vec<u8> {
    let mut root = Node::default();
    for (priority, line) in lines(text) {
        if let Some((path, _)) = line.split_once(':') {
            root.insert(&name_of(path), line.trim_end(), priority);
        }
    }
    root.file()
}

/// `modules.alias.bin` and `modules.symbols.bin`.
pub(crate) fn aliases(text: &str) -> Vec<u8> {
    let mut root = Node::default();
    for (priority, line) in lines(text) {
        let mut words = line.split_whitespace();
        if let (Some("alias"), Some(alias), Some(module)) =
            (words.next(), words.next(), words.next())
            && let Some(alias) = underscores(alias)
        {
            root.insert(&alias, module, priority);
        }
    }
    root.file()
}

/// `modules.builtin.bin`.
pub(crate) fn builtin(text: &str) -> Vec<u8> {
    let mut root = Node::default();
    for (_, line) in lines(text) {
        root.insert(&name_of(line.trim()), "", 0);
    }
    root.file()
}

/// `alias_normalize()`: `-` is `_`, except within brackets; one with an unmatched bracket is left out.
fn underscores(alias: &str) -> Option<String> {
    let mut text = String::with_capacity(alias.len());
    let mut inside = false;
    for letter in alias.chars() {
        match letter {
            '[' => inside = true,
            ']' if !inside => return None,
            ']' => inside = false,
            _ => {}
        }
        text.push(if letter == '-' && !inside { '_' } else { letter });
    }
    (!inside).then_some(text)
}
