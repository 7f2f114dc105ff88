//! Patches of the kernel's functions: `--patch`, `review`, `text`.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::run;

fn shipped(commit: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/patches/{commit}.diff"));
    path.display().to_string()
}

/// A diff in a file of its own.
fn diff(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A patch whose only hunk says of a name that is LIVE something else.
fn live_is(what: &str) -> String {
    format!(
        "--- a/kernel/module/main.c\n+++ b/kernel/module/main.c\n@@ -69,4 +69,4 @@\n \t\treturn -EBUSY;\n \t}}\n\
         \tmutex_unlock(&module_mutex);\n-\treturn -EEXIST;\n+\treturn {what};\n"
    )
    .replace("\n\tmutex", "\n \tmutex")
}

#[test]
fn a_review_says_what_changes_and_in_a_mail_s_width() {
    let patch = shipped("0254127ab977");
    let found = run(&["review", &patch, "--kernel", "v5.11", "--kmod", "v30"]).exits(1);
    for line in [
        "on kernel v5.11",
        "  GOING                       waits                -EBUSY",
        "] no-false-failure: holds -> violated",
        "] init-runs-once-per-request: violated -> holds",
        "was refused with -EBUSY",
        "--env fail --naming plain --kernel v5.11 --kmod v30",
    ] {
        assert!(found.out.contains(line), "{line}: {}", found.out);
    }
    let widest =
        found.out.lines().filter(|line| !line.contains(&patch)).map(|line| line.chars().count());
    assert!(widest.max().unwrap() <= 72, "{}", found.out);
    // The trace is that of `compare`.
    let words = [
        "--env", "fail", "--naming", "plain", "--kernel", "v5.11", "--kmod", "v30", "--patch",
        &patch,
    ];
    let compared = run(&[&["compare"], &words[..]].concat()).exits(1);
    assert!(
        compared.out.contains("no-false-failure           holds -> violated (27 steps)"),
        "{}",
        compared.out
    );

    let json = run(&["review", &patch, "--kernel", "v5.11", "--kmod", "v30", "--json"]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["format"], &json["version"]), (&"kmodcheck-review".into(), &1.into()));
    let change =
        json["changes"].as_array().unwrap().iter().find(|c| c["property"] == "no-false-failure");
    assert_eq!(change.unwrap()["steps"], 27);
    assert_eq!(json["after"]["listed"]["claim"][4], "busy");

    // On a kernel that has it, it is none, and nothing is worse.
    let none = run(&["review", &patch, "--kernel", "v6.2", "--kmod", "v30"]).exits(0);
    assert!(none.out.contains("The patch changes nothing that this kernel does"), "{}", none.out);
}

/// A patched system is explored, saved, taken again without the patch's file, and is a release's again where one is
/// asked for.
#[test]
fn a_patched_system_is_a_system() {
    let directory = TempDir::new().unwrap();
    let (patch, trace) = (shipped("0254127ab977"), directory.path().join("run.json"));
    let trace = trace.display().to_string();
    let words = ["--env", "fail", "--kernel", "v5.11", "--kmod", "v30"];
    let property = ["--property", "no-false-failure"];
    run(&[&["check"], &words[..], &property].concat()).exits(0);
    let with = ["--patch", &patch, "--expect", "no-false-failure=violated", "--save-trace", &trace];
    let patched = run(&[&["check"], &words[..], &property, &with].concat()).exits(0);
    let patched = patched.says_words(&format!("kernel v5.11, kmod v30, with {patch}"));
    patched.says_words("finished_loading() as a patch has them");
    run(&["replay", &trace]).exits(0);
    run(&["replay", &trace, "--kernel", "v6.2"]).exits(0);
    run(&["replay", &trace, "--kernel", "v5.11"]).exits(1);
    run(&["replay", &trace, "--patch", &patch])
        .refuses(&["beside a system that a patch has changed"]);
    // For any number of callers, too, with a certificate that is believed without the prover.
    let certificates = directory.path().join("certificates").display().to_string();
    let file = diff(
        &directory,
        "system.toml",
        "[features]\nkernel = 'v5.11'\nkmod = 'v30'\n[[module]]\nname = 'driver'\ninit = 'may-fail'\n\
         [[actor]]\ncall = 'request_module'\nname = 'driver'\ncount = 2\n",
    );
    let proved = run(&["prove", &file, "--patch", &patch, "--certificates", &certificates]);
    assert!(proved.out.contains("violated") && proved.out.contains("holds"), "{}", proved.out);
    let mut checked = 0;
    for entry in std::fs::read_dir(&certificates).unwrap() {
        run(&["verify", &entry.unwrap().path().display().to_string()]).exits(0);
        checked += 1;
    }
    assert!(checked > 0);
    run(&["check", "--env", "fail", "--kernel", "v6.2", "--patch", &patch])
        .says_words("(which changes nothing that this kernel does here)");
}

#[test]
fn what_is_no_patch_of_the_texts_is_refused() {
    let directory = TempDir::new().unwrap();
    let good = shipped("0254127ab977");
    let at = |name: &str, text: &str| diff(&directory, name, text);
    let review = |patch: &str| run(&["review", patch, "--kernel", "v6.2"]);
    review(&at("words", "a mail without a diff\n"))
        .refuses(&["no valid patches found, expected a unified diff"]);
    review(&at("other", "--- a/fs/filesystems.c\n+++ b/fs/filesystems.c\n@@ -1 +1 @@\n-a\n+b\n"))
        .refuses(&[
            "found a patch of 'b/fs/filesystems.c'",
            "expected one of kernel/module/main.c",
        ]);
    let text = std::fs::read_to_string(&good).unwrap();
    let broken = text.replace("-again:", "-once_more:");
    let line = 1 + text.lines().position(|line| line.starts_with("@@ -36")).unwrap();
    review(&at("hunk", &broken))
        .refuses(&[&format!("hunk:{line}: hunk 2 of b/kernel/module/main.c does not apply")]);
    review(&at(
        "cut",
        "--- a/kernel/module/main.c\n+++ b/kernel/module/main.c\n@@ -1,9 +1,9 @@\n-a\n",
    ))
    .refuses(&["expected a unified diff"]);
    // What the texts then say is read as they are: by file, line and what was expected.
    review(&at("look", &live_is("old->state")))
        .refuses(&["kernel/module/main.c:71:", "without module_mutex"]);
    review(&at("zero", &live_is("0"))).refuses(&["returns 0 from here, the module not listed"]);
    review(&at("name", &live_is("-EWHAT"))).refuses(&["found 'EWHAT'"]);
    // Where it is not heeded it is refused.
    run(&["prove", "--patch", &good]).refuses(&["found --patch and no SUBJECT"]);
    let two =
        ["compare", "--env", "fail", "--kernel", "v5.11", "--kernel", "v6.2", "--patch", &good];
    run(&two).refuses(&["found --patch beside two releases"]);
    run(&["fixes", "--env", "fail", "--kernel", "v5.11", "--patch", &good])
        .refuses(&["found a system that a patch has changed"]);
    run(&["review", &good]).refuses(&["--kernel"]);
}

#[test]
fn the_text_is_printed_as_it_is_patched_and_as_a_release_has_it() {
    let plain = run(&["text"]).exits(0);
    assert!(
        plain.out.contains("if (!since(\"0254127ab977\"))\n\t\t\tgoto again;"),
        "{}",
        plain.out
    );
    let release = run(&["text", "--kernel", "v5.11"]);
    assert!(release.out.contains("if (!false)\n\t\t\tgoto again;"), "{}", release.out);
    assert!(!release.out.contains("!since("), "{}", release.out);
    let patched = run(&["text", "--patch", &shipped("0254127ab977")]);
    assert!(!patched.out.contains("goto again"), "{}", patched.out);
}
