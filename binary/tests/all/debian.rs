//! The binaries that a Debian machine has: kmod's modprobe and busybox's. Without them these tests fail.

use kmodcheck_binary::Automaton;
use kmodcheck_binary::automaton::Compared;

use crate::common::{learn, program, system};

const KMOD: &str = "/usr/sbin/modprobe";
const BUSYBOX: &str = "/usr/bin/busybox";

fn automaton(path: &str, arguments: &str, listed: &[&str]) -> Automaton {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    learn(&program(path, &arguments), &system(listed)).unwrap().automaton
}

/// The automaton, a line for each node, answers that lead to one node together.
fn lines(automaton: &Automaton) -> String {
    let mut text = String::new();
    for (at, node) in automaton.nodes.iter().enumerate() {
        text += &format!("{at} {}", node.question);
        let mut targets: Vec<usize> = node.next.iter().map(|edge| edge.to).collect();
        targets.dedup();
        for to in targets {
            let answers: Vec<String> = node
                .next
                .iter()
                .filter(|edge| edge.to == to)
                .map(|edge| edge.answer.to_string())
                .collect();
            text += &format!("; {}: {to}", answers.join(" "));
        }
        text.push('\n');
    }
    text
}

const ERRORS: &str = "EBUSY ENOENT EINVAL ENOEXEC EPERM EINTR ENODEV ENOMEM";

#[test]
fn kmod_looks_and_inserts() {
    let learned = learn(&program(KMOD, &["-q", "--", "vfat"]), &system(&[])).unwrap();
    // 105 where this was written; with what is left below the stack 480.
    assert!(learned.states < 250, "{}", learned.states);
    let found = learned.automaton;
    let expected = "\
0 open /sys/module/vfat/initstate; ENOENT: 1; yes: 2
1 stat /sys/module/vfat; ENOENT yes: 3
2 read /sys/module/vfat/initstate; live: 4; coming going: 5; ENODEV: 3
3 open /sys/module/fat/initstate; ENOENT: 6; yes: 7
4 read /sys/module/vfat/initstate to its end; yes: 8; ENODEV: 3
5 read /sys/module/vfat/initstate to its end; yes ENODEV: 3
6 stat /sys/module/fat; ENOENT yes: 9
7 read /sys/module/fat/initstate; live: 10; coming going: 11; ENODEV: 9
8 exit 0
9 finit_module(fat); yes EEXIST: 12; ERRORS: 13
10 read /sys/module/fat/initstate to its end; yes: 12; ENODEV: 9
11 read /sys/module/fat/initstate to its end; yes ENODEV: 9
12 open /sys/module/vfat/initstate; ENOENT: 14; yes: 15
13 exit 1
14 stat /sys/module/vfat; ENOENT yes: 16
15 read /sys/module/vfat/initstate; live: 17; coming going: 18; ENODEV: 16
16 finit_module(vfat); yes EEXIST: 8; ERRORS: 13
17 read /sys/module/vfat/initstate to its end; yes: 8; ENODEV: 16
18 read /sys/module/vfat/initstate to its end; yes ENODEV: 16
";
    assert_eq!(lines(&found), expected.replace("ERRORS", ERRORS));
    // The alias leads to the same; what is said beside changes nothing.
    for other in ["-q -- fs-vfat", "-v -- vfat"] {
        let other = automaton(KMOD, other, &[]);
        assert_eq!(found.compare(&other), Ok(Compared::Equal { pairs: 19 }));
    }
    let first_time = automaton(KMOD, "-q --first-time -- vfat", &[]);
    let Ok(Compared::Part { history, first, second }) = found.compare(&first_time) else {
        panic!()
    };
    let told: Vec<String> = history.iter().map(|(q, a)| format!("{q}: {a}")).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!((first.to_string(), second.to_string()), ("exit 0".into(), "exit 1".into()));
}

#[test]
fn kmod_does_not_know_the_name() {
    assert_eq!(lines(&automaton(KMOD, "-q -- nosuch", &[])), "0 exit 1\n");
    assert_eq!(lines(&automaton(KMOD, "-q -- zswap", &[])), "0 exit 0\n");
}

/// Of answers that only one of two was given nothing is said, least of all that they are equal.
#[test]
fn what_was_asked_otherwise_is_not_compared() {
    let [one, two] = [&["nls_cp437"][..], &["nls_cp437", "fat"]]
        .map(|modules| automaton(BUSYBOX, "-q -- nls_cp437", modules));
    for (first, second) in [(&one, &two), (&two, &one)] {
        let unlike = first.compare(second).expect_err("other lists").to_string();
        assert!(unlike.contains("'nls_cp437 Live, fat Live' to 'read /proc/modules'"), "{unlike}");
    }
}

#[test]
fn busybox_reads_the_list() {
    let found = automaton(BUSYBOX, "-q -- nls_cp437", &["nls_cp437"]);
    let expected = "\
0 read /proc/modules; nls_cp437 Live nls_cp437 Loading nls_cp437 Unloading: 1; nothing: 2
1 exit 0
2 finit_module(nls_cp437); yes: 1; EEXIST ERRORS: 3
3 init_module(nls_cp437); yes EEXIST: 1; ERRORS: 4
4 exit 1
";
    assert_eq!(lines(&found), expected.replace("ERRORS", ERRORS));
}
