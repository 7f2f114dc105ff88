//! `kmodcheck check FILE.litmus`.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Run, run};

/// A file of that text.
struct File {
    directory: TempDir,
    name: &'static str,
}

impl File {
    fn new(name: &'static str, text: &str) -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join(name), text).unwrap();
        Self { directory, name }
    }

    fn path(&self) -> String {
        self.directory.path().join(self.name).display().to_string()
    }

    fn check(&self, arguments: &[&str]) -> Run {
        run(&[&["check", &self.path()], arguments].concat())
    }
}

/// What only a weaker memory allows.
const STORES: &str = "C stores
{}
P0(int *x, int *y) { int r0; WRITE_ONCE(*x, 1); r0 = READ_ONCE(*y); }
P1(int *x, int *y) { int r0; WRITE_ONCE(*y, 1); r0 = READ_ONCE(*x); }
";

const HANGS: &str = "C hangs
{}
DEFINE_MUTEX(a);
DEFINE_MUTEX(b);
P0() { mutex_lock(&a); mutex_lock(&b); mutex_unlock(&b); mutex_unlock(&a); }
P1() { mutex_lock(&b); mutex_lock(&a); mutex_unlock(&a); mutex_unlock(&b); }
";

#[test]
fn the_exit_status_is_of_what_is_asked_or_stated() {
    for (ends, status, says) in [
        ("exists (0:r0=0 /\\ 1:r0=0)", 1, "Never 0 3; exists: no"),
        ("exists (0:r0=1)", 0, "Sometimes 1 1; exists: yes"),
        ("~exists (0:r0=0 /\\ 1:r0=0)", 0, "~exists: yes"),
        ("~exists (0:r0=1)", 1, "~exists: no"),
        ("forall (x=1)", 0, "Always 1 0; forall: yes"),
        ("forall (0:r0=1)", 1, "Sometimes 1 1; forall: no"),
        ("locations [0:r0]", 0, "  0:r0=1"),
        ("(* Result: Never *) exists (0:r0=0 /\\ 1:r0=0)", 0, "says the file: so it is"),
        ("(* Result: Sometimes *) exists (0:r0=0 /\\ 1:r0=0)", 0, "weak memory only"),
        ("(* Result: Always *) exists (0:r0=1)", 1, "DIFFERS"),
        ("(* Result: DEADLOCK *) exists (0:r0=1)", 1, "DIFFERS"),
        ("(* Result: DEADLOCK *) filter (0:r0=7) exists (0:r0=1)", 0, "left out by the filter"),
    ] {
        let file =
            File::new("stores.litmus", &format!("{STORES}{}", ends.replace("(* ", "(*\n * ")));
        file.check(&[]).exits(status).says(says);
        file.check(&["--every-access"]).exits(status).says(says);
    }
    File::new("x.litmus", HANGS).check(&[]).exits(1).says("mutex_lock(&b): held by P1 (mutex 'b')");
    let stated = format!("(*\n * Result: DEADLOCK\n *)\n{HANGS}");
    File::new("x.litmus", &stated).check(&[]).exits(1).says("somebody waits for ever");
    let fails = "C fails\n{}\nP0(int *x) { assert(READ_ONCE(*x)); }\nexists (x=0)";
    File::new("x.litmus", fails).check(&[]).exits(1).says("the assertion fails");
    File::new("x.litmus", STORES).check(&["--states-limit", "3"]).exits(3).says("states limit");
}

/// It is known by its content; where it is no program it is shown where.
#[test]
fn what_is_no_program_is_refused() {
    File::new("no-suffix", STORES).check(&[]).exits(0);
    let srcu = STORES.replace("WRITE_ONCE(*y, 1);", "srcu_read_lock(y);");
    File::new("x.litmus", &srcu).check(&[]).refuses(&[
        "found a call of 'srcu_read_lock'",
        "x.litmus:4:",
        "one that the language knows",
    ]);
    File::new("x.litmus", "[actors]").check(&[]).refuses(&["expected 'C NAME'"]);
    let loops = "C t\n{}\nvoid f(int a, async_cookie_t c) {}\n\
                 P0() { for (int i = 0; i < 3; i++) async_schedule(f, 1); }";
    File::new("x.litmus", loops).check(&[]).refuses(&["asynchronous function"]);
    let file = File::new("x.litmus", STORES);
    for command in ["compare", "prove", "progress", "fixes", "sample", "step", "replay"] {
        let more: &[&str] =
            if command == "compare" { &["--kmod", "v19", "--kmod", "v20"] } else { &[] };
        run(&[&[command, &file.path()], more].concat())
            .refuses(&["found a litmus test", "`kmodcheck check FILE` alone"]);
    }
}

/// What says nothing of a litmus test.
const REFUSED: [&[&str]; 21] = [
    &["--modprobe", "x"],
    &["--patch", "x"],
    &["--text", "x"],
    &["--faults"],
    &["--kernel", "v4.9"],
    &["--kmod", "v19"],
    &["--with", "alias-map=exact"],
    &["--without", "alias-map"],
    &["--limit", "1"],
    &["--timeouts"],
    &["--callers", "2"],
    &["--engine", "counted"],
    &["--processes", "2"],
    &["--connect-timeout", "1"],
    &["--checkpoint", "d"],
    &["--witness", "1=0"],
    &["--save-trace", "f"],
    &["--property", "no-false-success"],
    &["--expect", "no-false-success=holds"],
    &["--raw-trace"],
    &["--assumptions"],
];

/// What stands in place of a file, or beside something that is refused.
const IN_PLACE: [&[&str]; 14] = [
    &["--root", "d"],
    &["--modules", "d"],
    &["--config", "d"],
    &["--no-config"],
    &["--cmdline", "f"],
    &["--fs", "ext4"],
    &["--module", "ext4"],
    &["--init-may-fail"],
    &["--env", "ok"],
    &["--naming", "plain"],
    &["--hosts", "h"],
    &["--process", "1"],
    &["--secret-file", "f"],
    &["--checkpoint-every", "1"],
];

const HEEDED: [&[&str]; 10] = [
    &["--follow-all"],
    &["--no-symmetry"],
    &["--every-access"],
    &["--json"],
    &["--threads", "1"],
    &["--time-limit", "60"],
    &["--states-limit", "100"],
    &["--memory-limit", "100"],
    &["--width", "60"],
    &["--junit", "/dev/null"],
];

/// Every flag of `check` is in one of these lists: one that comes later is not forgotten.
#[test]
fn flags_that_say_nothing_of_it_are_refused() {
    let file = File::new("x.litmus", STORES);
    for flag in REFUSED {
        file.check(flag).refuses(&[flag[0], "beside a litmus test"]);
    }
    for flag in IN_PLACE {
        file.check(flag).refuses(&[flag[0]]);
    }
    run(&["check", "race", "--every-access"]).refuses(&["--every-access", "a litmus test"]);
    for flag in HEEDED {
        file.check(flag).exits(0);
    }
    let help = run(&["check", "--help"]).exits(0).out;
    let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let flags: Vec<&str> = flags.map(|flag| flag.split([' ', '=', ',']).next().unwrap()).collect();
    assert!(flags.len() > 30, "{flags:?}");
    for flag in flags {
        let flag = format!("--{flag}");
        let mut listed = REFUSED.iter().chain(&IN_PLACE).chain(&HEEDED);
        assert!(listed.any(|known| known[0] == flag), "{flag} is in no list");
    }
}

/// As wide as the terminal, or as is asked for.
#[test]
fn lines_are_as_wide_as_told() {
    let file = File::new("x.litmus", HANGS);
    for (arguments, most) in [(&[][..], 80), (&["--width", "50"], 50), (&["--width", "200"], 200)] {
        let text = file.check(arguments).exits(1).out;
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= most && (most < 200 || longest > 80), "{arguments:?}: {text}");
    }
}

#[test]
fn as_json() {
    let text = format!("{STORES}exists (0:r0=1 /\\ 1:r0=1)");
    let file = File::new("x.litmus", &text);
    let out = file.check(&["--json"]).exits(0).out;
    assert_eq!(out, file.check(&["--json", "--threads", "1"]).exits(0).out);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["format"], &json["version"]), (&"kmodcheck-litmus".into(), &1.into()));
    assert_eq!(json["observation"], "Sometimes");
    assert_eq!(json["to_positive"].as_array().unwrap().len(), 4);
    assert_eq!(json["outcomes"].as_array().unwrap().len(), 3);
    let hangs = File::new("x.litmus", HANGS).check(&["--json"]).exits(1).out;
    let json: Value = serde_json::from_str(&hangs).unwrap();
    assert_eq!(json["blocked"]["waits"].as_array().unwrap().len(), 2);
}
