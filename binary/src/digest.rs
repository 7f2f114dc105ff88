//! What a held process is, all of it that its future depends on, as a digest.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use crate::arch::RED_ZONE;
use crate::calls::Held;
use crate::process::HeldError;
use crate::question::Question;

/// A digest of a state. Two states with the same digest are taken for the same: SHA-256 has no known collision.
pub(crate) type State = [u8; 32];

const PAGE: u64 = 4096;

/// A line of `/proc/PID/maps`.
struct Mapping<'a> {
    from: u64,
    to: u64,
    /// Rights, offset, device and inode.
    what: &'a str,
    named: &'a str,
    of_a_file: bool,
}

/// Reads one.
fn mapping(line: &str) -> Option<Mapping<'_>> {
    let (range, rest) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    // Rights, offset, device, inode, and maybe a name after many spaces.
    let end = rest.match_indices(' ').nth(3).map_or(rest.len(), |(at, _)| at);
    let (what, named) = rest.split_at(end);
    let of_a_file = what.trim_end().rsplit(' ').next()? != "0";
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(Mapping { from: number(from)?, to: number(to)?, what, named: named.trim(), of_a_file })
}

/// The digest of a program that is held at this question. What is below its stack, which is nobody's, is cleared:
/// what cannot be seen makes no difference. `timed`: how long it has slept is a part of its state.
pub(crate) fn state(held: &Held, question: &Question, timed: bool) -> Result<State, HeldError> {
    let process = &held.process;
    let registers = process.registers()?;
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(format!("{question:?}").as_bytes());
    add(&registers.bytes());
    add(&process.vectors()?);
    let local = &held.local;
    for (number, open) in &local.descriptors {
        add(format!("{number} {}", open.bytes()).as_bytes());
    }
    let clock = if timed { local.clock } else { 0 };
    let kernels = (&local.folder, local.mask, &local.actions, local.brk, clock);
    add(format!("{kernels:?}").as_bytes());
    let maps = fs::read_to_string(process.folder().join("maps"))?;
    let pagemap = File::open(process.folder().join("pagemap"))?;
    let mut page = [0; 4096];
    for line in maps.lines() {
        let Some(mapping) = mapping(line) else {
            return Err(held.refused(format!("its memory is not understood: {line}")));
        };
        if mapping.named == "[vsyscall]" {
            continue;
        }
        // A stack grows by itself.
        let is_stack = mapping.named == "[stack]";
        let from = if is_stack { 0 } else { mapping.from };
        add(format!("{from:x} {:x} {}", mapping.to, mapping.what).as_bytes());
        if mapping.what.as_bytes().get(3) == Some(&b's') {
            // Shared mappings are read-only here, and their files do not change.
            continue;
        }
        let pages = usize::try_from((mapping.to - mapping.from) / PAGE).unwrap_or_default();
        let mut entries = vec![0; pages * 8];
        pagemap.read_exact_at(&mut entries, mapping.from / PAGE * 8)?;
        for (number, entry) in (0..).zip(entries.as_chunks::<8>().0) {
            let entry = u64::from_le_bytes(*entry);
            let (present, swapped, of_a_file) = (entry >> 63 & 1, entry >> 62 & 1, entry >> 61 & 1);
            if present | swapped == 0 || of_a_file == 1 {
                continue;
            }
            let at = mapping.from + number * PAGE;
            if process.read(at, &mut page) != page.len() {
                return Err(held.refused(format!("its memory at {at:x} cannot be read")));
            }
            if is_stack {
                let live = registers.stack().saturating_sub(RED_ZONE).saturating_sub(at).min(PAGE);
                let dead = &mut page[..usize::try_from(live).unwrap_or_default()];
                if dead.iter().any(|byte| *byte != 0) {
                    dead.fill(0);
                    if !process.write(at, dead) {
                        return Err(held.refused("its stack cannot be written"));
                    }
                }
            }
            // What was never touched reads as this, too.
            if mapping.of_a_file || page.iter().any(|byte| *byte != 0) {
                add(&at.to_le_bytes());
                add(&page);
            }
        }
    }
    Ok(hash.finalize().into())
}
