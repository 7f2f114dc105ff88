//! What `record` says where it cannot record, or may not: no test pretends that this machine has kprobes. That it
//! takes away what it sets is checked in a guest (tools/real-kernel/guest/record-check).

use std::fs;
use std::path::Path;

use crate::common::run;

/// What is wrong with the type information is said, with the file; nothing is written.
#[test]
fn type_information_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("btf");
    let name = file.to_str().unwrap();
    run(&["record", "--print", "--btf", name]).refuses(&[name, "there is no such file"]);
    for bytes in [&b""[..], b"no type information", &[0x9f, 0xeb, 1, 0], &[0xff; 64]] {
        fs::write(&file, bytes).unwrap();
        let found = run(&["record", "--print", "--btf", name]).refuses(&[name]);
        assert_eq!(found.out, "", "half a script");
    }
}

/// Either it records, or it says what is missing, and then there is no log and nothing was run.
#[test]
fn what_is_missing_is_named_before_anything_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let (log, witness) = (directory.path().join("log"), directory.path().join("ran"));
    let [log_name, witness_name] = [&log, &witness].map(|path| path.to_str().unwrap());
    let found = run(&["record", "--no-accept", "--out", log_name, "--", "touch", witness_name]);
    match found.status {
        Some(0 | 3) => assert!(log.exists() && witness.exists(), "{found:?}"),
        Some(2) => {
            let known = [
                "expected root",
                "found no tracefs there",
                "found no kprobe_events",
                "found no events/syscalls",
                "found confidentiality",
                "BTF",
                "btf",
                "expected x86_64",
                "/proc/kallsyms",
            ];
            assert!(known.iter().any(|known| found.err.contains(known)), "{}", found.err);
            assert!(!log.exists() && !witness.exists(), "{found:?}");
        }
        _ => panic!("{found:?}"),
    }
    let left = fs::read_dir("/sys/kernel/tracing/instances").into_iter().flatten().flatten();
    let ours = |name: &str| name.starts_with("kmodcheck-");
    assert!(
        !left.into_iter().any(|entry| ours(&entry.file_name().to_string_lossy())),
        "left behind"
    );
}

/// What cannot be heeded beside each other is refused.
#[test]
fn flags_that_exclude_each_other() {
    for arguments in [
        &["record", "--clean", "--print"][..],
        &["record", "--clean", "--", "true"],
        &["record", "--print", "--", "true"],
        &["record", "--clean", "--out", "log"],
        &["record", "--print", "--show"],
        &["record", "--clean", "--kernel", "v6.5"],
        &["record", "--no-accept", "--kmod", "v30", "--", "true"],
    ] {
        run(arguments).refuses(&["cannot be used with"]);
    }
    assert!(!Path::new("log").exists());
}
