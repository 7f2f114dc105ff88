//! Checks in several processes and with checkpoints, as a user runs them: the same answers to the byte,
//! and never one when something went wrong.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::common::{Run, run};
use tempfile::TempDir;

fn scenario(name: &str) -> String {
    let directory = "../properties/scenarios";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(name);
    path.to_str().unwrap().to_owned()
}

/// The race with so many callers.
fn race(directory: &Path, callers: u32) -> String {
    let text = fs::read_to_string(scenario("v19-race.toml")).unwrap();
    let more = text.replace("count = 2", &format!("count = {callers}"));
    assert_ne!(text, more);
    let path = directory.join("race.toml");
    fs::write(&path, more).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn several_processes_answer_as_one_does() {
    for (name, more) in [
        ("v19-race.toml", &[][..]),
        ("rmmod-beside-get-fs-type.toml", &["--json"]),
        ("duplicates-and-rmmod.toml", &["--no-symmetry"]),
    ] {
        let file = scenario(name);
        let check = [&["check", &file], more].concat();
        let local = run(&check);
        for processes in ["1", "2", "4"] {
            for threads in ["1", "2"] {
                let several =
                    ["--engine", "timely", "--processes", processes, "--threads", threads];
                let found = run(&[&check[..], &several].concat());
                assert_eq!(found.status, local.status, "{name}: {}", found.err);
                assert_eq!(found.out, local.out, "{name}, {processes} processes");
            }
        }
    }
}

#[test]
fn a_limit_of_one_process_ends_all_without_a_verdict() {
    let directory = TempDir::new().unwrap();
    let file = race(directory.path(), 4);
    let check = ["check", &file, "--engine", "timely", "--processes", "2", "--threads", "1"];
    let cut = run(&[&check[..], &["--memory-limit", "1", "--no-symmetry"]].concat()).exits(3);
    assert!(cut.err.contains("no room for more states in 1 MiB"), "{}", cut.err);
    assert!(!cut.out.contains("holds  "), "{}", cut.out);
    let cut = run(&[&check[..], &["--time-limit", "0"]].concat()).exits(3);
    assert!(cut.err.contains("out of budget: process "), "{}", cut.err);
}

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kmodcheck"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Asks until it is so. What is asked here is sure to come, or the code is wrong: a test that hangs on a
/// fault would be of no use, so it gives up after some thousand questions. That says nothing of speed.
fn comes_to_pass(what: &str, mut asked: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if asked() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not come: {what}");
}

/// The end of a process.
fn end_of(mut child: Child) -> Run {
    comes_to_pass("the end of the process", || child.try_wait().unwrap().is_some());
    let output: Output = child.wait_with_output().unwrap();
    Run::of(output)
}

fn kill(process: u32) {
    assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
}

/// The processes that a process has started.
#[cfg(target_os = "linux")]
fn children(process: u32) -> Vec<u32> {
    let file = format!("/proc/{process}/task/{process}/children");
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

#[cfg(target_os = "linux")]
fn is_there(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // One that is dead and not waited for has ended, too.
    state.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Each of the two processes, killed in the midst of a search that takes minutes.
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_dies_ends_the_others_by_name() {
    let directory = TempDir::new().unwrap();
    let file = race(directory.path(), 7);
    let check = [
        "check",
        &file,
        "--no-symmetry",
        "--engine",
        "timely",
        "--processes",
        "2",
        "--threads",
        "1",
    ];
    for kill_the_first in [false, true] {
        let first = start(&check);
        let mut others = Vec::new();
        comes_to_pass("a second process", || {
            others = children(first.id());
            !others.is_empty()
        });
        std::thread::sleep(Duration::from_millis(700));
        if kill_the_first {
            kill(first.id());
            end_of(first);
            comes_to_pass("the end of the other one", || !is_there(others[0]));
        } else {
            kill(others[0]);
            let ended = end_of(first).exits(2);
            assert!(
                ended.err.contains("process 1") && ended.err.contains("is gone"),
                "{}",
                ended.err
            );
            assert_eq!(ended.out, "", "no verdict");
        }
    }
}

#[test]
fn hosts_are_read_and_named() {
    let directory = TempDir::new().unwrap();
    let file = scenario("v19-race.toml");
    let hosts = directory.path().join("hosts");
    let check = |more: &[&str]| {
        let hosts = hosts.to_str().unwrap();
        run(&[&["check", &file, "--engine", "timely", "--hosts", hosts], more].concat())
    };
    let ports: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = ports.iter().map(|l| l.local_addr().unwrap().to_string()).collect();
    drop(ports);
    let text = format!("# two\n{}\n\n{}\n", addresses[0], addresses[1]);
    fs::write(&hosts, &text).unwrap();
    let both = std::thread::scope(|scope| {
        let second = scope.spawn(|| check(&["--process", "1"]));
        [check(&["--process", "0"]), second.join().unwrap()]
    });
    let [first, second] = both.map(|run| run.exits(0));
    assert_eq!(first.out, run(&["check", &file]).exits(0).out);
    assert_eq!(second.out, "", "the first has the result");

    check(&["--process", "0", "--connect-timeout", "1"]).refuses(&[
        "process 1",
        &addresses[1],
        "cannot be reached",
    ]);
    check(&["--process", "1", "--connect-timeout", "1"]).refuses(&[
        "process 0",
        &addresses[0],
        "cannot be reached",
    ]);
    check(&["--process", "2"]).refuses(&["found --process 2, expected 0 to 1"]);
    check(&[]).refuses(&["--process"]);
    for (line, expected) in
        [("localhost", "found 'localhost', expected HOST:PORT"), ("a:0", "found 'a:0'")]
    {
        fs::write(&hosts, format!("{}\n{line}\n", addresses[0])).unwrap();
        check(&["--process", "0"]).refuses(&["hosts:2:", expected]);
    }
    fs::write(&hosts, format!("{0}\n{0}\n", addresses[0])).unwrap();
    check(&["--process", "0"]).refuses(&["hosts:2:", "again"]);
    run(&["check", &file, "--processes", "2"]).refuses(&["expected --engine timely"]);
}

/// What a file has to be to hold a secret, and that none is needed among addresses of this machine only.
#[cfg(unix)]
#[test]
fn processes_show_each_other_a_secret() {
    use std::os::unix::fs::PermissionsExt;

    let directory = TempDir::new().unwrap();
    let file = scenario("v19-race.toml");
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let hosts = at("hosts");
    let secret = |name: &str, text: &str, mode: u32| {
        fs::write(at(name), text).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        at(name)
    };
    let check = |process: &str, more: &[&str]| {
        let several = ["--engine", "timely", "--hosts", &hosts, "--process", process];
        run(&[&["check", &file], &several[..], more].concat())
    };
    let ports: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = ports.iter().map(|l| l.local_addr().unwrap().to_string()).collect();
    drop(ports);
    fs::write(&hosts, format!("{}\n{}\n", addresses[0], addresses[1])).unwrap();

    let good = secret("good", "0123456789 0123456789 0123456789\n", 0o600);
    let other = secret("other", "0123456789 0123456789 012345678_\n", 0o400);
    let both = |first: &[&str], second: &[&str]| {
        std::thread::scope(|scope| {
            let one = scope.spawn(|| check("0", &[first, &["--connect-timeout", "3"]].concat()));
            let two = check("1", second);
            (one.join().unwrap(), two)
        })
    };
    fn with(file: &str) -> [&str; 2] {
        ["--secret-file", file]
    }
    let (first, second) = both(&with(&good), &with(&good));
    assert_eq!(first.exits(0).out, run(&["check", &file]).exits(0).out);
    second.exits(0);
    for (first, second) in [(&with(&good)[..], &with(&other)[..]), (&with(&good), &[])] {
        let (first, second) = both(first, second);
        let named = format!("process 0 ({}) has another secret, or none", addresses[0]);
        second.refuses(&[&named]);
        let named = format!("process 1 ({}) cannot be reached", addresses[1]);
        first.refuses(&[&named, "has not shown the secret"]);
    }

    let hundred = "0123456789".repeat(10);
    for (name, text, mode, why) in [
        ("world", hundred.as_str(), 0o644, "found mode 0644, expected 0600 or 0400"),
        ("group", &hundred, 0o640, "found mode 0640"),
        (
            "short",
            "0123456789 0123456789 012345678\n\n",
            0o600,
            "a secret of 31 bytes, expected 32",
        ),
        ("empty", "", 0o600, "a secret of 0 bytes"),
        ("long", &"x".repeat(5_000), 0o600, "expected 32 to 4096"),
    ] {
        let path = secret(name, text, mode);
        check("0", &with(&path)).refuses(&[&path, why]);
    }
    check("0", &with(&at("none"))).refuses(&[&at("none"), "No such file"]);
    check("0", &with(directory.path().to_str().unwrap())).refuses(&["expected a file"]);
    run(&["check", &file, "--engine", "timely", "--processes", "2", "--secret-file", &good])
        .refuses(&["--hosts"]);

    // Before anything listens: the port is taken, and that is not what is said.
    let taken = TcpListener::bind(&addresses[0]).unwrap();
    fs::write(&hosts, format!("{}\n192.0.2.1:7000\n", addresses[0])).unwrap();
    check("0", &[]).refuses(&["process 1: found 192.0.2.1:7000", "--secret-file"]);
    check("0", &with(&good)).refuses(&["process 0", "in use"]);
    drop(taken);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

/// Killed again and again, each time a little later, until it comes to its end.
#[test]
fn a_search_that_is_killed_goes_on_from_its_checkpoint() {
    let directory = TempDir::new().unwrap();
    let file = race(directory.path(), 4);
    let check = ["check", &file, "--no-symmetry", "--json"];
    let whole = run(&check).exits(0);
    let checkpoint = directory.path().join("checkpoint");
    let kept = ["--checkpoint", checkpoint.to_str().unwrap(), "--checkpoint-every", "0"];
    let all = [&check[..], &kept].concat();
    let mut kills = 0;
    for wait in 1.. {
        let mut one = start(&all);
        std::thread::sleep(Duration::from_millis(40 * wait));
        if one.try_wait().unwrap().is_some() {
            let found = Run::of(one.wait_with_output().unwrap());
            assert_eq!(found.exits(0).out, whole.out, "after {kills} kills");
            break;
        }
        one.kill().unwrap();
        one.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0 && checkpoint.join("sums").exists(), "{kills}");

    // Gone on with once more, on other threads, and with other limits.
    let again = run(&[&all[..], &["--threads", "1", "--memory-limit", "1000"]].concat()).exits(0);
    assert_eq!(again.out, whole.out);

    let other = scenario("rmmod-beside-get-fs-type.toml");
    run(&[&["check", &other], &kept[..]].concat()).refuses(&["a checkpoint of another scenario"]);
    // The same, but for one switch that nothing here reads.
    run(&[&all[..], &["--with", "delete-module-wakes"]].concat())
        .refuses(&["a checkpoint of another scenario"]);
    let level = files(&checkpoint).remove(3);
    let mut bytes = fs::read(&level).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&level, bytes).unwrap();
    run(&all).refuses(&[level.to_str().unwrap(), "damaged"]);
    run(&[&all[..], &["--engine", "timely"]].concat()).refuses(&["expected --engine exhaustive"]);
}
