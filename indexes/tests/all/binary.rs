//! Binary indexes, as depmod writes them, say what its texts say: see `fixtures/small-bin/ORIGIN.md`.

use kmodcheck_indexes::binary::{Kind, as_text};
use kmodcheck_indexes::{
    Found, IndexText, Lookup, Modprobe, ModuleIndex, Resolved, Rules, SourceFile, config,
};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/small-bin/modules.", $name))
    };
}

const PAIRS: [(&[u8], &[u8], Kind); 5] = [
    (fixture!("dep"), fixture!("dep.bin"), Kind::Dep),
    (fixture!("alias"), fixture!("alias.bin"), Kind::Alias),
    (fixture!("symbols"), fixture!("symbols.bin"), Kind::Alias),
    (fixture!("builtin"), fixture!("builtin.bin"), Kind::Builtin),
    (fixture!("builtin.modinfo"), fixture!("builtin.alias.bin"), Kind::BuiltinAlias),
];

fn index(texts: [&str; 5]) -> ModuleIndex {
    let [dep, alias, symbols, builtin, modinfo] =
        texts.map(|text| SourceFile { name: "index", text });
    let softdep =
        SourceFile { name: "softdep", text: include_str!("../fixtures/small-bin/modules.softdep") };
    let (symbols, builtin_modinfo) = (Some(symbols), Some(modinfo));
    ModuleIndex::parse(&IndexText { dep, alias, softdep, builtin, symbols, builtin_modinfo })
        .expect("depmod's")
}

/// What is said, whatever the order of lines of one module.
fn said(text: &str, kind: Kind) -> Vec<String> {
    let lines: Box<dyn Iterator<Item = &str>> = match kind {
        // The text has every key of modinfo, paths, and dashes in names, which the binary index has not.
        Kind::BuiltinAlias => Box::new(text.split('\0').filter(|entry| entry.contains(".alias="))),
        _ => Box::new(text.lines().filter(|line| !line.starts_with('#'))),
    };
    let word = |line: &str| match kind {
        Kind::Builtin => line.rsplit('/').next().unwrap_or(line).replace('-', "_"),
        Kind::BuiltinAlias => line.replace('-', "_"),
        Kind::Dep | Kind::Alias => line.replace('-', "_"),
    };
    let mut said: Vec<String> = lines.map(word).collect();
    said.sort();
    said
}

#[test]
fn binary_indexes_say_what_the_texts_say() {
    for (text, binary, kind) in PAIRS {
        let written = as_text(binary, kind).unwrap();
        let text = std::str::from_utf8(text).unwrap();
        assert_eq!(said(&written, kind), said(text, kind), "{kind:?}");
    }
    let by_text = index(PAIRS.map(|(text, ..)| std::str::from_utf8(text).unwrap()));
    let written = PAIRS.map(|(_, binary, kind)| as_text(binary, kind).unwrap());
    let by_binary = index([0, 1, 2, 3, 4].map(|at| written[at].as_str()));
    for name in
        ["fat", "vfat", "fs-vfat", "nls-cp437", "nls_cp437x", "usb:d1", "usb:d3", "ext4", "crc-16"]
    {
        assert_eq!(by_text.lookup(name), by_binary.lookup(name), "{name}");
    }
    for index in [&by_text, &by_binary] {
        assert!(
            matches!(index.lookup("symbol:fat_x"), Lookup::Served(modules) if modules.len() == 1)
        );
        assert_eq!(index.builtin_alias("fs-ext3"), Some("ext4"));
        assert_eq!(index.builtin_alias("fs-ext2"), None);
        let vfat = index.id_of("vfat").unwrap();
        assert_eq!(index.dependencies(vfat), [index.id_of("fat").unwrap()]);
        for (rules, expected) in [
            (Rules::KmodV27, Resolved::BuiltinAlias("ext4".into())),
            (Rules::Kmod, Resolved::NotFound),
        ] {
            let modprobe = Modprobe { index, config: &config::NONE, rules };
            assert_eq!(modprobe.resolve("fs-ext4"), expected);
        }
        let modprobe = Modprobe { index, config: &config::NONE, rules: Rules::KmodV27 };
        let found = Found { name: "vfat".into(), module: Some(vfat), alias: None };
        let list = modprobe.probe_list(&found, false);
        let names: Vec<&str> = list.iter().map(|step| step.found.name.as_str()).collect();
        assert_eq!(names, ["fat", "nls_cp437", "vfat"]);
    }
}

#[test]
fn what_is_no_index_is_told_and_nothing_makes_it_panic() {
    for (bytes, expected) in [
        (&b""[..], "byte 0: expected a byte, found the end"),
        (b"text", "byte 0: expected the magic of a module index, 0xb007f457, found 0x74657874"),
        (
            &[0xb0, 0x07, 0xf4, 0x57, 0, 1, 0, 0, 0, 0, 0, 0],
            "byte 4: expected version 2 of the format, found version 0x10000",
        ),
        // The root is its own child.
        (
            &[0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1, 0x20, 0, 0, 12, b'a', b'a', 0x20, 0, 0, 12],
            "byte 12: expected a tree, without a circle, found a node again",
        ),
    ] {
        assert_eq!(as_text(bytes, Kind::Dep).unwrap_err().to_string(), expected);
    }
    for (_, binary, kind) in PAIRS {
        for at in 0..binary.len() {
            let _ = as_text(&binary[..at], kind);
            for value in [0, 1, 0x20, 0x7f, 0x80, 0xff] {
                let mut damaged = binary.to_vec();
                damaged[at] = value;
                let _ = as_text(&damaged, kind);
            }
        }
    }
}
