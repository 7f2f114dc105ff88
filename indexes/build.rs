//! Hands this crate a digest of its own sources, as `KMODCHECK_SOURCES`. One file for all crates that a
//! verdict depends on: the others link to it, so that each can be packaged by itself.
//!
//! What was saved or sent by one build is believed by another only if all these digests are the same. So
//! they are of what decides, and of nothing else: not of paths, dates, the profile or the compiler, for
//! two machines that build the same sources must agree.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    // Beside the workspace; a crate that was packaged by itself may have none.
    let lock = root.ancestors().map(|folder| folder.join("Cargo.lock")).find(|lock| lock.exists());
    println!("cargo::rerun-if-changed=src");
    if let Some(lock) = &lock {
        println!("cargo::rerun-if-changed={}", lock.display());
    }
    println!("cargo::rustc-env=KMODCHECK_SOURCES={}", digest(&root.join("src"), lock.as_deref()));
}

/// The digest of every source file of a folder, with its path in there, and of the versions of what they
/// depend on: 32 hexadecimal digits. (FNV-1a of 128 bits, RFC 9923: against mistakes, not against malice.)
pub(crate) fn digest(sources: &Path, lock: Option<&Path>) -> String {
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let mut add = |name: &str, file: &Path| {
        let content = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let ends = [name.len() as u64, content.len() as u64].map(u64::to_le_bytes);
        for byte in ends.as_flattened().iter().chain(name.as_bytes()).chain(&content) {
            hash = (hash ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
        }
    };
    for (name, file) in files(sources) {
        add(&name, &file);
    }
    if let Some(lock) = lock {
        add("Cargo.lock", lock);
    }
    format!("{hash:032x}")
}

/// All Rust files below a folder: how they are called from there, in the order of these names.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let (mut found, mut open) = (Vec::new(), vec![(String::new(), folder.to_owned())]);
    while let Some((prefix, folder)) = open.pop() {
        let entries = fs::read_dir(&folder);
        for entry in entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder can be read to its end").path();
            let name = path.file_name().expect("it is in a folder").to_string_lossy();
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                open.push((name + "/", path));
            } else if name.ends_with(".rs") {
                found.push((name, path));
            }
        }
    }
    found.sort();
    found
}
