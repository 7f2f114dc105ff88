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
    // (Where that line ends is up to the path.)
    assert!(found.words().contains("on kernel v5.11: 42 of 42 systems"), "{}", found.out);
    for line in [
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
    assert_eq!((&json["format"], &json["version"]), (&"kmodcheck-review".into(), &2.into()));
    let change =
        json["changes"].as_array().unwrap().iter().find(|c| c["property"] == "no-false-failure");
    assert_eq!(change.unwrap()["steps"], 27);
    assert_eq!(json["decisions"][0]["after"]["listed"]["claim"][4], "busy");

    // On a kernel that has it, it is none, and nothing is worse.
    let none = run(&["review", &patch, "--kernel", "v6.2", "--kmod", "v30"]).exits(0);
    none.says_words("The patch changes nothing that these releases do");
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
    patched.says_words("no signals");
    run(&["replay", &trace]).exits(0);
    run(&["replay", &trace, "--kernel", "v6.2"]).exits(0);
    run(&["replay", &trace, "--kernel", "v5.11"]).exits(1);
    // What no release does is a table of its own, and no second patch is put onto it.
    let own = diff(&directory, "own.diff", &live_is("-EBUSY"));
    let with = ["--patch", &own, "--expect", "no-false-failure=violated", "--save-trace", &trace];
    run(&[&["check"], &words[..], &property, &with].concat())
        .exits(0)
        .says_words("as a patch has it: add_unformed_module() and finished_loading()");
    run(&["replay", &trace]).exits(0);
    run(&["replay", &trace, "--kernel", "v5.11"]).exits(1);
    for second in [&patch, &own] {
        run(&["replay", &trace, "--patch", second])
            .refuses(&["beside a system that a patch has changed"]);
    }
    run(&["fixes", "--env", "fail", "--kernel", "v5.11", "--patch", &own])
        .refuses(&["found a system that a patch has changed"]);
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
        .says_words("(which changes nothing that these releases do here)");
}

#[test]
fn what_is_no_patch_of_the_texts_is_refused() {
    let directory = TempDir::new().unwrap();
    let good = shipped("0254127ab977");
    let at = |name: &str, text: &str| diff(&directory, name, text);
    let review = |patch: &str| run(&["review", patch, "--kernel", "v6.2"]);
    review(&at("words", "a mail without a diff\n"))
        .refuses(&["no valid patches found, expected a unified diff"]);
    review(&at("other", "--- a/fs/super.c\n+++ b/fs/super.c\n@@ -1 +1 @@\n-a\n+b\n"))
        .refuses(&["found a patch of 'b/fs/super.c'", "expected one of kernel/module/main.c"]);
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
        .refuses(&["kernel/module/main.c:70:", "without module_mutex"]);
    review(&at("zero", &live_is("0"))).refuses(&["returns 0 from here, the module not listed"]);
    review(&at("name", &live_is("-EWHAT"))).refuses(&["found 'EWHAT'"]);
    // Where it is not heeded it is refused.
    run(&["prove", "--patch", &good]).refuses(&["found --patch and no SUBJECT"]);
    let two =
        ["compare", "--env", "fail", "--kernel", "v5.11", "--kernel", "v6.2", "--patch", &good];
    run(&two).refuses(&["found --patch beside two releases"]);
    run(&["sample", "--generated", "--patch", &good]).refuses(&["--patch"]);
    run(&["review"]).refuses(&["<DIFF>"]);
    run(&["review", &shipped("rfc-verify"), "--kernel", "v4.9+verify"])
        .refuses(&["kernel/module/kmod.c:", "a kernel with a check that is in no text"]);
}

#[test]
fn the_text_is_printed_as_it_is_patched_and_as_a_release_has_it() {
    let plain = run(&["text", "kernel/module/main.c"]).exits(0);
    assert!(
        plain.out.contains("if (!since(\"0254127ab977\"))\n\t\t\tgoto again;"),
        "{}",
        plain.out
    );
    let release = run(&["text", "kernel/module/main.c", "--kernel", "v5.11"]);
    assert!(release.out.contains("if (!false)\n\t\t\tgoto again;"), "{}", release.out);
    assert!(!release.out.contains("!since("), "{}", release.out);
    let patched = run(&["text", "--patch", &shipped("0254127ab977")]);
    // The other is that of the finit_module() that was joined.
    assert_eq!(patched.out.matches("goto again").count(), 1, "{}", patched.out);
    for path in ["kernel/module/kmod.c", "libkmod/libkmod-module.c", "tools/modprobe.c"] {
        assert!(patched.out.contains(&format!("==> {path} <==")), "{}", patched.out);
    }
    let kmod = run(&["text", "tools/modprobe.c", "--kmod", "v30"]).says("if (!true)");
    assert!(!kmod.out.contains("since(\"e2719b32cc5c\")"), "{}", kmod.out);
    run(&["text", "kernel/kmod.c"]).refuses(&["found text 'kernel/kmod.c'", "tools/modprobe.c"]);
}

/// The texts are written, edited in place and read again: the same as a diff of them; what is not there is as shipped.
#[test]
fn texts_are_edited_where_they_were_written() {
    let directory = TempDir::new().unwrap();
    let text = directory.path().display().to_string();
    run(&["text", "--out", &text]).exits(0);
    let words = ["--env", "fail", "--naming", "plain", "--kernel", "v5.11", "--kmod", "v30"];
    let nothing = run(&[&["check", "--text", &text], &words[..]].concat());
    nothing.says_words("(which changes nothing that these releases do here)");
    let main = directory.path().join("kernel/module/main.c");
    let shipped_text = std::fs::read_to_string(&main).unwrap();
    let edited = run(&["text", "kernel/module/main.c", "--patch", &shipped("0254127ab977")]);
    std::fs::write(&main, &edited.out).unwrap();
    for other in ["kernel/module/kmod.c", "libkmod/libkmod-module.c"] {
        std::fs::remove_file(directory.path().join(other)).unwrap();
    }
    let by_text = run(&[&["compare", "--text", &text], &words[..]].concat()).exits(1);
    let by_patch = run(&[&["compare", "--patch", &shipped("0254127ab977")], &words[..]].concat());
    let verdicts = |run: &crate::common::Run| run.out.split("verdicts:").nth(1).unwrap().to_owned();
    assert_eq!(verdicts(&by_text), verdicts(&by_patch));
    // What cannot be read is said of the text, by line and column.
    let broken = shipped_text.replacen("goto again", "goto agian", 1);
    std::fs::write(&main, broken).unwrap();
    run(&[&["check", "--text", &text], &words[..]].concat())
        .refuses(&["found goto 'agian'", "kernel/module/main.c:"]);
    let empty = TempDir::new().unwrap();
    let empty = empty.path().display().to_string();
    run(&[&["check", "--text", &empty], &words[..]].concat())
        .refuses(&["found no text in it", "kernel/module/main.c"]);
    run(&["prove", "--text", &text]).refuses(&["found --text and no SUBJECT"]);
}

/// Without a release it is asked of all; what gets worse comes first; the page for a browser says the same.
#[test]
fn a_review_of_every_release_with_what_calls_come_to() {
    let directory = TempDir::new().unwrap();
    let html = directory.path().join("review.html").display().to_string();
    let patch = shipped("rfc-verify");
    let found = run(&["review", &patch, "--kmod", "v19", "--html", &html]).exits(1);
    let worse = found.out.find("What is violated with the patch and was not:").unwrap();
    let better = found.out.find("What was violated and is not with the patch:").unwrap();
    let results = found.out.find("What calls can come to:").unwrap();
    assert!(worse < better && better < results, "{}", found.out);
    let found = found.says_words("request_module comes to: -EBUSY: never -> possible");
    let found = found.says_words("no-false-failure: holds -> violated");
    let found = found.says("look: GOING                 -                    -EBUSY");
    let page = std::fs::read_to_string(&html).unwrap();
    for part in [
        "<h1>What the patch changes</h1>",
        "never -&gt; possible",
        "<h2 id=\"run1\">",
        "violates no-false",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(
        page.matches("<li>").count(),
        found.out.lines().filter(|l| l.starts_with('[') && l.contains(" -> ")).count()
    );
    let json = run(&["review", &patch, "--kmod", "v19", "--json"]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let result = |c: &&Value| c["call"] == "request_module" && c["result"] == "-EBUSY";
    let result = json["changes"].as_array().unwrap().iter().find(result).unwrap();
    assert_eq!((&result["before"], &result["after"]), (&"never".into(), &"possible".into()));
    assert!(result["steps"].as_u64().is_some_and(|steps| steps > 10));
    // A reading of the RFC is in no text: none of those that have one is asked of itself.
    assert!(
        json["kernels"]
            .as_array()
            .unwrap()
            .iter()
            .all(|k| !k.as_str().unwrap().contains('+') || k.as_str().unwrap().ends_with("+dup"))
    );
    run(&["review", &patch, "--html", "/nowhere/page.html"]).refuses(&["/nowhere/page.html"]);
    // Of any release, each once.
    let net = shipped("743f8cae549a");
    let any =
        ["--kernel", "6.12.117+deb12-amd64", "--kernel", "6.12.117+deb12-amd64", "--kmod", "31"];
    let found = run(&[&["review", &net], &any[..]].concat()).exits(1);
    let found = found.says_words("on kernel 6.12.117+deb12-amd64: 42 of 42 systems");
    let found = found.says_words("42 cells, kmod 31");
    let found = found.says_words("no-false-success: violated -> holds");
    found.says_words("--kernel 6.12.117+deb12-amd64 --kmod 31");
    run(&["review", &net, "--kernel", "7.1"]).exits(0).says_words("The patch changes nothing");
}

/// Faults that a machine makes: a wake-up that is left out is seen, what is no place of the model's is refused, and what
/// nobody sees is listed as such.
#[test]
fn faults_of_the_texts_by_machine() {
    let words = ["mutants", "kernel/module/main.c", "--kernel", "v6.2", "--kmod", "v30", "--json"];
    let json = run(&words).exits(0);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let all = json["mutants"].as_array().unwrap();
    assert_eq!(json["tried"], all.len());
    assert_eq!(json["faults"], all.len());
    let of = |what: &str, how: &str| {
        let is = |m: &&Value| m["how"] == how && m["what"].as_str().unwrap().starts_with(what);
        all.iter().filter(is).collect::<Vec<_>>()
    };
    // The second one is that of an init that fails.
    let woken = of("wake_up_all", "left out");
    let hangs = |m: &&Value| {
        let changes = m["changes"].as_array().unwrap();
        changes.iter().any(|c| {
            (&c["property"], &c["after"]) == (&"nobody-sleeps-for-ever".into(), &"violated".into())
        })
    };
    assert!(woken.iter().filter(|m| hangs(m)).count() >= 2, "{woken:#?}");
    assert!(of("mutex_unlock", "left out").iter().all(|m| m["outcome"] == "refused"));
    assert!(
        of("mutex_unlock", "left out")
            .iter()
            .all(|m| m["refused"].as_str().unwrap().contains("module_mutex"))
    );
    let same = of("mod->state = MODULE_STATE_UNFORMED", "left out");
    assert!(same.iter().any(|m| m["outcome"] == "same"), "{same:#?}");
    // A text whose release it is not decides what another one does.
    let going = of("since(\"0254127ab977\")", "never");
    assert!(going.iter().any(|m| m["outcome"] == "seen"), "{going:#?}");
    let text =
        run(&["mutants", "tools/modprobe.c", "--kernel", "v4.9", "--kmod", "v19", "--every"]);
    let text = text.exits(0).says_words("cells: kernel v4.9, kmod v19");
    assert!(text.out.contains("refused: "), "{}", text.out);
    let brief = run(&["mutants", "tools/modprobe.c", "--kernel", "v4.9", "--kmod", "v19"]);
    assert!(
        !brief.out.contains("refused: ") && brief.out.contains("none of these"),
        "{}",
        brief.out
    );
    run(&["mutants", "kernel/kmod.c"]).refuses(&["found text 'kernel/kmod.c'"]);
}

/// The kernel's own stress cases with a patch: at the limit v4.9 fails at once, and with 6d7964a722af a request waits.
#[test]
fn the_kernel_s_own_cases_with_a_patch() {
    let words = ["kmod-sh", "--kernel", "v4.9", "--kmod", "v19", "--case", "0001", "--json"];
    let outcomes = |words: &[&str]| {
        let json: Value = serde_json::from_str(&run(words).out).unwrap();
        (json["with"].clone(), json["results"].clone())
    };
    let (none, without) = outcomes(&words);
    assert_eq!(none, Value::Null);
    let patch = shipped("6d7964a722af");
    let limit = [
        "kmod-sh",
        "--kernel",
        "v4.9",
        "--kmod",
        "v19",
        "--case",
        "0008",
        "--states-limit",
        "2000",
        "--json",
    ];
    let (_, fails) = outcomes(&limit);
    let (with, waits) = outcomes(&[&limit[..], &["--patch", &patch]].concat());
    assert_eq!(with, patch.as_str());
    assert_ne!(fails, waits, "at the limit a request waits and does not fail");
    let nothing = shipped("0254127ab977");
    let (_, same) = outcomes(&[&words[..], &["--patch", &nothing]].concat());
    assert_eq!(same, without, "in this case nobody waits for a name that is listed");
    run(&["kmod-sh", "--kernel", "v4.9+verify", "--patch", &shipped("rfc-verify")])
        .refuses(&["a kernel with a check that is in no text"]);
}

/// For any number of callers, too: what holds without the patch and not with it, and the other way round.
#[test]
fn a_review_for_any_number_of_callers() {
    let patch = shipped("0254127ab977");
    let words = ["review", &patch, "--kernel", "v5.11", "--kmod", "v30"];
    let found = run(&[&words[..], &["--any-number"]].concat()).exits(1);
    let found = found.says_words(
        "For any number of callers: what is violated with the patch and was not: no-false-failure: holds -> violated",
    );
    found.says_words("init-runs-once-per-request: violated -> holds");
    let json = run(&[&words[..], &["--any-number", "--json"]].concat());
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let all = json["any_number"].as_array().unwrap();
    let worse = all.iter().find(|c| c["property"] == "no-false-failure").unwrap();
    assert_eq!((&worse["before"], &worse["after"]), (&"holds".into(), &"violated".into()));
    assert_eq!(worse["callers"], 2);
    assert!(worse["cells"].as_array().unwrap().len() > 5);
    let without = run(&[&words[..], &["--json"]].concat());
    assert!(!without.out.contains("any_number"), "{}", without.out);
}

/// What has been compared has a run: also to a premise that only another exploration remembers.
#[test]
fn what_a_patch_changes_has_a_run() {
    let report = "../properties/scenarios/reports/a-init-asks-for-itself.toml";
    let report = Path::new(env!("CARGO_MANIFEST_DIR")).join(report).display().to_string();
    let patch = shipped("2124d84db293");
    let out = run(&["compare", &report, "--kernel", "v6.5", "--patch", &patch]).exits(1).out;
    assert!(!out.contains("Out of budget"), "{out}");
    let premise = ["--witness", "no-false-failure:an attempt failed"];
    run(&[&["check", "--env", "fail", "--kernel", "v6.2"], &premise[..]].concat())
        .exits(1)
        .says_words("the premise of no-false-failure is met, 'an attempt failed'");
}
