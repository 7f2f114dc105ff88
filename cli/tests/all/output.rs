//! What is written, and where: files as a user expects them, no result lost for want of a place to write it,
//! and no panic where threads, memory or standard streams cannot be had.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::common::{Run, run};
use tempfile::TempDir;

fn scenario() -> String {
    let file = "../properties/scenarios/v19-race.toml";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file).display().to_string()
}

/// Runs the command in a shell, after `before` and with `after` behind it.
fn in_shell(before: &str, arguments: &[&str], after: &str) -> Run {
    let script = format!("{before}\n\"$0\" \"$@\" {after}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_kmodcheck")]).args(arguments);
    Run::of(shell.output().unwrap())
}

#[track_caller]
fn does_not_panic(run: &Run) {
    assert!(!run.err.contains("panicked"), "{}", run.err);
    assert!(run.status.is_some_and(|status| [0, 1, 2, 3].contains(&status)), "{run:?}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_have_the_permissions_that_new_files_have_or_their_own() {
    let directory = TempDir::new().unwrap();
    let (race, file) = (scenario(), directory.path().join("trace.json"));
    let save = ["check", &race, "--save-trace", file.to_str().unwrap()];
    for (umask, expected) in [("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        in_shell(&format!("umask {umask}"), &save, "").exits(0);
        assert_eq!(mode(&file), expected, "umask {umask}");
        fs::remove_file(&file).unwrap();
    }
    fs::write(&file, "before").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
    in_shell("umask 077", &save, "").exits(0);
    assert_eq!(mode(&file), 0o604, "it was there");
    run(&["replay", file.to_str().unwrap()]).exits(0);
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left beside it");
}

#[test]
fn what_is_no_file_is_written_to_and_stays_what_it_is() {
    let directory = TempDir::new().unwrap();
    let place = |name: &str| directory.path().join(name);
    let race = scenario();
    let save = |file: &Path| run(&["check", &race, "--save-trace", file.to_str().unwrap()]);
    let saved = place("saved.json");
    let verdicts = save(&saved).exits(0).out;
    let text = fs::read_to_string(&saved).unwrap();

    // A link to a file, and one to a file that is not there yet.
    fs::write(place("target"), "a longer text than before: ".repeat(10_000)).unwrap();
    for target in ["target", "new"] {
        let link = place(&format!("link-to-{target}"));
        symlink(target, &link).unwrap();
        save(&link).exits(0);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{target}");
        assert_eq!(fs::read_to_string(place(target)).unwrap(), text, "{target}");
    }

    let fifo = place("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut reader = Command::new("timeout");
    reader.args(["60", "cat"]).arg(&fifo);
    let read = std::thread::scope(|scope| {
        let read = scope.spawn(move || Run::of(reader.output().unwrap()));
        save(&fifo).exits(0);
        assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
        read.join().unwrap()
    });
    assert_eq!(read.exits(0).out, text);

    // A device, by a link so that no fault can replace it. Nothing fits in it; the verdict is there.
    let full = place("full");
    symlink("/dev/full", &full).unwrap();
    let lost = save(&full).exits(2);
    assert!(lost.err.contains(full.to_str().unwrap()), "{}", lost.err);
    assert_eq!(lost.out, verdicts);
    assert!(fs::symlink_metadata(&full).unwrap().is_symlink());
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
}

/// Where it turns out only then that nothing can be written, the result is printed all the same, and the exit
/// status says so. (What can be seen before is refused before: `first_minutes`.)
#[test]
fn what_cannot_be_saved_is_printed_and_is_no_success() {
    // By a name that is not like those of temporary files.
    let directory = tempfile::Builder::new().prefix("places").tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    let (race, saved, part) = (scenario(), place("saved.json"), place("part.jsonl"));
    run(&["check", &race, "--save-trace", &saved]).exits(0);
    let walks = ["sample", "race", "--executions", "30"];
    run(&[&walks[..], &["--out", &part]].concat()).exits(1);
    let commands: [(&[&str], &str); 4] = [
        (&["check", &race], "--save-trace"),
        (&walks, "--out"),
        (&["merge", &part], "--out"),
        (&["trace", &saved], "--save"),
    ];
    for (command, option) in commands {
        let whole = run(command).out;
        let lost = run(&[command, &[option, "/dev/full"]].concat()).exits(2);
        assert!(lost.err.contains("/dev/full: "), "{command:?}: {}", lost.err);
        assert_eq!(lost.out, whole, "{command:?}");
    }
    // A directory stands where the certificate of the race is to be.
    let prove = ["prove", "race", "--kmod", "v20", "--callers", "2"];
    let (whole, certificates) = (run(&prove).out, place("certificates"));
    let prove = [&prove[..], &["--certificates", &certificates]].concat();
    run(&prove).exits(0);
    let file = fs::read_dir(&certificates).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let lost = run(&prove).exits(2);
    assert!(
        lost.err.contains(file.to_str().unwrap()) && !lost.err.contains(".tmp"),
        "{}",
        lost.err
    );
    assert_eq!(lost.out, whole);
}

#[test]
fn streams_that_cannot_be_written_to() {
    let directory = TempDir::new().unwrap();
    let (race, saved) = (scenario(), directory.path().join("saved.json"));
    let save = ["check", &race, "--save-trace", saved.to_str().unwrap()];
    let whole = run(&save).exits(0).out;
    fs::remove_file(&saved).unwrap();
    // What is to be saved is saved, whatever becomes of what is printed.
    let lost = in_shell("", &save, ">/dev/full").exits(2);
    assert!(lost.err.contains("standard output: "), "{}", lost.err);
    assert_eq!(lost.err.lines().count(), 1, "it is said once: {}", lost.err);
    run(&["replay", saved.to_str().unwrap()]).exits(0);

    // What is said on stderr is not needed for what is printed.
    let holds = ["check", &race, "--property", "no-false-alarm", "--save-trace", "/none"];
    let timely = ["check", &race, "--engine", "timely", "--processes", "2"];
    let cut = ["sample", "race", "--time-limit", "0"];
    let none = ["check", "/no/such/file"];
    let commands: [(&[&str], i32); 5] =
        [(&holds, 0), (&timely, 0), (&cut, 3), (&none, 2), (&["--no-such-option"], 2)];
    for (command, status) in commands {
        let expected = run(command).exits(status).out;
        for after in ["2>/dev/full", "2>&-"] {
            let found = in_shell("", command, after).exits(status);
            assert_eq!(found.out, expected, "{command:?} {after}");
        }
        for after in [">&-", ">&- 2>&-", "<&- >&- 2>&-"] {
            does_not_panic(&in_shell("", command, after));
        }
    }
    assert_eq!(in_shell("", &save, "2>/dev/full").exits(0).out, whole);
}

#[test]
fn the_largest_times_are_no_harm() {
    let (directory, race) = (TempDir::new().unwrap(), scenario());
    let whole = run(&["check", &race]).exits(0).out;
    let (longest, kept) = (u64::MAX.to_string(), directory.path().join("kept"));
    let kept = ["--checkpoint", kept.to_str().unwrap(), "--checkpoint-every", &longest];
    assert_eq!(run(&[&["check", &race], &kept[..]].concat()).exits(0).out, whole);
    let ports = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = ports.each_ref().map(|port| port.local_addr().unwrap().to_string());
    drop(ports);
    let hosts = directory.path().join("hosts").display().to_string();
    fs::write(&hosts, addresses.join("\n")).unwrap();
    let timely = ["check", &race, "--engine", "timely", "--connect-timeout", &longest];
    let of = |number| run(&[&timely[..], &["--hosts", &hosts, "--process", number]].concat());
    let [first, second] = std::thread::scope(|scope| {
        let second = scope.spawn(|| of("1"));
        [of("0"), second.join().unwrap()]
    });
    assert_eq!(first.exits(0).out, whole);
    second.exits(0);
    for limit in [&["--memory-limit", longest.as_str()][..], &["--time-limit", "1e19"]] {
        run(&[&["check", &race], limit].concat()).exits(0);
    }
}

/// What a first process tells those that it starts is held against itself.
#[test]
fn a_process_that_there_is_not_is_refused() {
    for process in ["2", "-1", "first"] {
        let before = format!("export KMODCHECK_PROCESSES=a:1,b:2 KMODCHECK_PROCESS={process}");
        let timely = ["check", &scenario(), "--engine", "timely", "--processes", "2"];
        in_shell(&before, &timely, "")
            .refuses(&["KMODCHECK_PROCESS: ", &format!("found '{process}', expected 0 to 1")]);
    }
}

/// The race with more callers, in a file: with four, enough states for several threads.
fn larger(directory: &Path, callers: u32) -> String {
    let text = fs::read_to_string(scenario()).unwrap();
    let more = text.replace("count = 2", &format!("count = {callers}"));
    assert_ne!(text, more);
    let file = directory.join("race.toml").display().to_string();
    fs::write(&file, more).unwrap();
    file
}

/// Those threads that can be had do it all, with the same result; where other processes count on them, it is
/// an error. What a thread takes is made so large that none can be had, or a few.
#[test]
fn threads_that_cannot_be_had_are_not_needed() {
    let directory = TempDir::new().unwrap();
    let (race, larger) = (scenario(), larger(directory.path(), 4));
    let many = ["--threads", "64"];
    let none = "export RUST_MIN_STACK=140737488355328";
    let few = "ulimit -v 4000000; export RUST_MIN_STACK=1073741824";
    for command in [
        &["check", &larger, "--no-symmetry", "--json"][..],
        &["sample", "race", "--executions", "300"],
        &["progress", "--kernel", "v4.9", "--kmod", "v19", "--env", "ok"],
        &["matrix", "--kernel", "v4.9", "--kmod", "v19", "--env", "ok"],
        &["prove", "race", "--callers", "2"],
    ] {
        let expected = run(command);
        for before in [none, few] {
            let found = in_shell(before, &[command, &many].concat(), "");
            let both = (found.status, &found.out) == (expected.status, &expected.out);
            assert!(both, "{before}: {command:?}: {found:?}");
        }
    }
    for (processes, said) in [("1", "no 64 workers"), ("2", "no thread to wait for process 1")] {
        let timely = ["check", &race, "--engine", "timely", "--processes", processes];
        in_shell(none, &[&timely[..], &many].concat(), "").refuses(&[said]);
    }
}

/// Where the memory that there is does not suffice, a search ends out of budget, as at a limit that was asked
/// for, and says what it covered.
#[test]
fn memory_that_cannot_be_had_is_a_limit() {
    let directory = TempDir::new().unwrap();
    let (race, larger) = (scenario(), |callers| larger(directory.path(), callers));
    let within = |kib: u32, race: &str| {
        let check = ["check", race, "--no-symmetry", "--threads", "1"];
        in_shell(&format!("ulimit -v {kib}"), &check, "")
    };
    // What it takes to begin at all; there is no more to be said where that is not there.
    let begins = |kib: &u32| within(*kib, &race).status == Some(0);
    let least = (16..1024).map(|mib| mib << 10).find(begins);
    let least = least.expect("a small search needs less than a GiB");
    // Many a limit, none a multiple of what is allocated: whoever is the first to ask for too much, and what is had
    // without being asked for, as what was learned of steps.
    let four = (3_000..14_000).step_by(400).map(|more| (4, more));
    let five = (3_000..45_000).step_by(1_900).map(|more| (5, more));
    for (callers, more) in four.chain(five) {
        let found = within(least + more, &larger(callers)).exits(3);
        let found = found.says("memory limit: ").says("out of budget");
        let within = format!("{callers} callers, {least} + {more}");
        assert!(!found.out.contains("holds  "), "{within}: {}", found.out);
    }
}
