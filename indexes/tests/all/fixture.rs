//! The indexes of a Debian kernel, trimmed: see `fixtures/debian-6.1/ORIGIN.md`.
//!
//! The probe lists below are in the order in which `modprobe --show-depends` prints them on the
//! untrimmed indexes: kmod v19, v20, v34.2 and Debian's 30+20221128-1, all with the same result. The
//! lists of all 4,023 modules, of all aliases without a wildcard, and of 3,000 names made from
//! aliases with one were compared in the same way: they differ only in modprobe's lines for softdeps
//! that are built in, which a probe list here does not have.

use std::sync::LazyLock;

use kmodcheck_indexes::{
    Found, IndexText, Lookup, Modprobe, ModuleId, ModuleIndex, Rules, Step, config,
};
use proptest::prelude::*;

const FILES: [(&str, &str); 4] = [
    ("modules.dep", include_str!("../fixtures/debian-6.1/modules.dep")),
    ("modules.alias", include_str!("../fixtures/debian-6.1/modules.alias")),
    ("modules.softdep", include_str!("../fixtures/debian-6.1/modules.softdep")),
    ("modules.builtin", include_str!("../fixtures/debian-6.1/modules.builtin")),
];

pub static DEBIAN: LazyLock<ModuleIndex> =
    LazyLock::new(|| ModuleIndex::parse(&IndexText::of(FILES.map(|(_, text)| text))).unwrap());

/// A `?` stands after a module whose failure is ignored; `--show-depends` does not tell those.
fn shown(list: &[Step]) -> String {
    let entry =
        |step: &Step| format!("{}{}", step.found.name, if step.required { "" } else { "?" });
    list.iter().map(entry).collect::<Vec<_>>().join(" ")
}

/// What modprobe goes through for a module, found by its name or by an alias, with no configuration.
fn probe_list(module: ModuleId, alias: Option<&str>) -> Vec<Step> {
    let name = DEBIAN.name(module).to_owned();
    let found = Found { name, module: Some(module), alias: alias.map(|a| a.replace('-', "_")) };
    Modprobe { index: &DEBIAN, config: &config::NONE, rules: Rules::Kmod }.probe_list(&found, false)
}

fn is_required(step: &Step, module: ModuleId) -> bool {
    step.required && step.found.module == Some(module)
}

fn served(name: &str) -> Vec<ModuleId> {
    match DEBIAN.lookup(name) {
        Lookup::Served(modules) => modules,
        other => panic!("'{name}' is {other:?}"),
    }
}

#[test]
fn modules_are_found_by_their_names() {
    for (name, expected) in [
        ("ext4", "crc32c_intel? crc32c_generic? jbd2 mbcache crc16 ext4"),
        ("vfat", "fat vfat"),
        ("nls_cp437", "nls_cp437"),
        ("nls-cp437", "nls_cp437"),
        ("xfs", "crc32c_intel? crc32c_generic? libcrc32c xfs"),
        ("loop", "loop"),
        ("dummy", "dummy"),
    ] {
        let Lookup::Module(module) = DEBIAN.lookup(name) else { panic!("{name}") };
        assert_eq!(shown(&probe_list(module, None)), expected, "{name}");
    }
}

#[test]
fn file_systems_are_found_by_their_aliases() {
    for (name, expected) in [
        ("fs-ext4", "crc32c_intel? crc32c_generic? jbd2 mbcache crc16 ext4"),
        ("fs-ext3", "crc32c_intel? crc32c_generic? jbd2 mbcache crc16 ext4"),
        ("ext3", "crc32c_intel? crc32c_generic? jbd2 mbcache crc16 ext4"),
        ("fs-ext2", "crc32c_intel? crc32c_generic? jbd2 mbcache crc16 ext4"),
        ("fs-vfat", "fat vfat"),
        ("fs-xfs", "crc32c_intel? crc32c_generic? libcrc32c xfs"),
        (
            "fs-btrfs",
            "crc32c_intel? crc32c_generic? libcrc32c zstd_compress raid6_pq xor blake2b_generic? btrfs",
        ),
        ("fs-nfs", "netfs fscache sunrpc grace lockd nfs"),
        ("fs-nfs4", "netfs fscache sunrpc grace lockd nfs"),
        ("fs-fuse", "fuse"),
        ("fs-iso9660", "cdrom isofs"),
        ("fs-udf", "cdrom crc_itu_t udf"),
        ("fs-overlay", "overlay"),
        ("fs-9p", "netfs fscache 9pnet 9p"),
    ] {
        let modules = served(name);
        assert_eq!(modules.len(), 1, "{name}");
        assert_eq!(shown(&probe_list(modules[0], Some(name))), expected, "{name}");
    }
}

#[test]
fn several_modules_are_tried_in_the_order_of_modules_dep() {
    for (name, expected) in [
        ("crypto-crc32c", "crc32c_intel | crc32c_generic"),
        ("crc32c", "crc32c_intel | crc32c_generic"),
        (
            "net-pf-40",
            "vmw_vmci vsock vmw_vsock_vmci_transport | hv_vmbus vsock hv_sock | vsock vmw_vsock_virtio_transport_common vsock_loopback",
        ),
        (
            "crypto-serpent",
            "cryptd crypto_simd serpent_generic serpent_sse2_x86_64 | cryptd crypto_simd serpent_generic serpent_avx_x86_64 | cryptd crypto_simd serpent_generic serpent_avx_x86_64 serpent_avx2 | serpent_generic",
        ),
    ] {
        let lists: Vec<_> =
            served(name).into_iter().map(|module| shown(&probe_list(module, Some(name)))).collect();
        assert_eq!(lists.join(" | "), expected, "{name}");
    }
}

#[test]
fn built_in_and_unknown_names() {
    assert_eq!(DEBIAN.lookup("md5"), Lookup::Builtin("md5".into()));
    assert!(DEBIAN.is_builtin("md5") && !DEBIAN.is_builtin("ext4"));
    // An alias of built-in md5: v27 and later find it in modules.builtin.alias.bin.
    assert_eq!(DEBIAN.lookup("crypto-md5"), Lookup::NotFound);
    assert_eq!(DEBIAN.lookup("fs-nosuch"), Lookup::NotFound);
    assert_eq!(DEBIAN.lookup("ext"), Lookup::NotFound);
}

#[test]
fn without_post_softdeps_the_list_ends_with_what_was_asked_for() {
    for module in DEBIAN.modules() {
        let list = probe_list(module, None);
        assert!(list.last().is_some_and(|last| is_required(last, module)));
        for dependency in DEBIAN.dependencies(module) {
            assert!(list.iter().any(|step| is_required(step, *dependency)));
        }
    }
}

proptest! {
    /// A few characters of a real index replaced: an error that points into the file, or an index
    /// that answers.
    #[test]
    fn a_damaged_index_is_parsed_or_located(
        file in 0..4_usize,
        at: prop::sample::Index,
        length in 0..40_usize,
        put in r"([ \n\t:#*?\[\]]|\.ko|alias|pre:|\PC){0,4}",
    ) {
        let mut texts = FILES.map(|(_, text)| text);
        let text = texts[file];
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        let damaged = format!("{}{put}{}", &text[..start], &text[end..]);
        texts[file] = &damaged;
        match ModuleIndex::parse(&IndexText::of(texts)) {
            Ok(index) => {
                for module in index.modules() {
                    let found = Found { name: index.name(module).to_owned(), module: Some(module), alias: None };
                    let modprobe = Modprobe { index: &index, config: &config::NONE, rules: Rules::Kmod };
                    prop_assert!(!modprobe.probe_list(&found, false).is_empty());
                    prop_assert_eq!(index.lookup(index.name(module)), Lookup::Module(module));
                }
            }
            Err(error) => {
                let file = FILES.iter().position(|(name, _)| *name == error.file).unwrap();
                let line = texts[file].split('\n').nth(error.line - 1).unwrap();
                prop_assert!((1..=line.chars().count() + 1).contains(&error.column));
            }
        }
    }
}

/// What `kmodcheck aliases` counts, here on the trimmed indexes.
#[test]
fn coverage_of_the_alias_maps() {
    let counts = kmodcheck_indexes::coverage::coverage(&DEBIAN);
    let distinct: std::collections::BTreeSet<&str> = DEBIAN.aliases().map(|a| a.0).collect();
    assert_eq!(counts.aliases, distinct.len());
    let parts = [counts.with_wildcard, counts.right_in_a_map, counts.served_by_several];
    assert_eq!(parts.iter().sum::<usize>(), counts.aliases);
    // fs-ext3 and fs-iso9660 are served by modules called otherwise, fs-ext4 and fs-vfat are not.
    assert!(counts.right_by_prefix > 0 && counts.wrong_by_prefix > 0);
    let fs = distinct.iter().filter(|a| a.starts_with("fs_")).count();
    assert_eq!(counts.right_by_prefix + counts.wrong_by_prefix, fs);
}
