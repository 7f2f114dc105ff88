//! The messages of docs/upstream say what the commands in them say.

use std::path::Path;

/// The standard output of a command line, run in the repository's root.
fn said(root: &Path, command: &str) -> String {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    program.args(command.split_whitespace()).current_dir(root);
    let run = crate::common::Run::of(program.output().unwrap());
    assert!(!run.out.is_empty(), "{command}: {}", run.err);
    run.out
}

#[test]
fn what_is_quoted_is_what_the_commands_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut messages = 0;
    for entry in std::fs::read_dir(root.join("docs/upstream")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "README.md" {
            continue;
        }
        let page = std::fs::read_to_string(&path).unwrap();
        let (mut out, mut quoted, mut fenced) = (String::new(), 0, false);
        for line in page.lines() {
            if let Some(command) = line.strip_prefix("    kmodcheck ") {
                out = said(&root, command);
                assert!(command.starts_with("accept") == out.contains("accepted"), "{name}: {out}");
            } else if line.starts_with("```") {
                fenced = !fenced;
            } else if fenced {
                let line = line.trim();
                assert!(
                    out.lines().any(|of| of.trim() == line),
                    "{name}: '{line}' is not in: {out}"
                );
                quoted += 1;
            }
        }
        assert!(quoted > 15, "{name}: {quoted} lines");
        // What it tells to run besides.
        for command in page.split('`').filter_map(|word| word.strip_prefix("kmodcheck ")) {
            if !command.contains('\n') && command.contains(' ') {
                said(&root, command);
            }
        }
        let index = std::fs::read_to_string(root.join("docs/upstream/README.md")).unwrap();
        assert!(index.contains(&format!("({name})")), "{name} is in the list");
        messages += 1;
    }
    assert_eq!(messages, 4);
}
