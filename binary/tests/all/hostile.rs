//! Programs that do what no modprobe does: none hangs the learner, reaches the machine, or is left behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kmodcheck_binary::learn::{self, Learned, Limits};
use kmodcheck_binary::{HeldError, Question};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::common::{compiled, launcher, program, system};

/// `test`: a program of its own for each test, so that each sees what it has left behind.
fn hostile(test: &str) -> PathBuf {
    compiled("hostile", &["-pthread", &format!("-D{test}")])
}

fn learned(test: &str, mode: &str) -> Result<Learned, HeldError> {
    let path = hostile(test);
    let limits =
        Limits { states: 50, time: Duration::from_secs(20), patience: Duration::from_millis(300) };
    let program = program(path.to_str().unwrap(), &[mode]);
    learn::learn(&launcher(), &program, &system(&[]), limits, &mut |_| true)
}

/// Processes whose file is the hostile program.
fn left(test: &str) -> usize {
    let path = hostile(test);
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let is = |process: &std::fs::DirEntry| {
        std::fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe == path)
    };
    processes.filter(is).count()
}

#[test]
fn what_no_modprobe_does_is_refused_by_name() {
    const TEST: &str = "what_no_modprobe_does_is_refused_by_name";
    for (mode, named) in [
        ("fork", "clone()"),
        ("vfork", "vfork()"),
        ("thread", "clone()"),
        ("exec", "execve()"),
        ("system", "clone()"),
        ("kill-all", "it sends signal 9 to -1"),
        ("kill-parent", "it sends signal 9 to 999"),
        ("write", "it opens /tmp/kmodcheck-hostile for writing"),
        ("unlink", "unlink()"),
        ("mount", "mount()"),
        ("reboot", "reboot()"),
        ("socket", "socket()"),
        ("ptrace", "ptrace()"),
        ("seccomp", "prctl()"),
        ("shared", "it maps memory that it shares"),
        ("shared-open", "it maps memory that it shares"),
        ("proc-mem", "it looks at /proc/self/mem"),
        ("device", "it looks at /dev/urandom"),
        ("sections", "it looks at /sys/module/vfat/sections"),
        ("no-module", "finit_module() that is no module's"),
        ("module-by-int80", "system call of another architecture"),
        ("exit-by-int80", "system call of another architecture"),
        ("x32", "which is none"),
        ("handler", "it handles signal 11"),
        ("alarm", "alarm()"),
    ] {
        let error = learned(TEST, mode).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, HeldError::Refused { .. }), "{mode}: {text}");
        assert!(text.contains(named), "{mode}: {text}");
        assert!(!Path::new("/tmp/kmodcheck-hostile").exists());
    }
    assert_eq!(left(TEST), 0);
}

#[test]
fn who_does_not_come_back_is_out_of_budget() {
    const TEST: &str = "who_does_not_come_back_is_out_of_budget";
    for mode in ["loop", "calls", "sleeps"] {
        let error = learned(TEST, mode).unwrap_err();
        assert!(matches!(error, HeldError::OutOfBudget { .. }), "{mode}: {error}");
    }
    assert_eq!(left(TEST), 0);
}

#[test]
fn death_is_an_end() {
    const TEST: &str = "death_is_an_end";
    for (mode, signal) in [
        ("segfault", Signal::SIGSEGV),
        ("abort", Signal::SIGABRT),
        ("trap", Signal::SIGTRAP),
        ("step", Signal::SIGTRAP),
        ("privileged", Signal::SIGSEGV),
        ("deep", Signal::SIGSEGV),
        // The filter's: calls of that page are no system calls to a tracer.
        ("vsyscall", Signal::SIGSYS),
    ] {
        let learned = learned(TEST, mode).unwrap_or_else(|error| panic!("{mode}: {error}"));
        let found = &learned.automaton.nodes[0].question;
        assert_eq!(*found, Question::Died { signal: signal as i32 }, "{mode}");
    }
    assert_eq!(
        learned(TEST, "memory").unwrap().automaton.nodes[0].question,
        Question::Exit { status: 9 }
    );
    assert_eq!(
        learned(TEST, "").unwrap().automaton.nodes[0].question,
        Question::Exit { status: 7 }
    );
    assert_eq!(left(TEST), 0);
}

#[test]
fn who_draws_lots_is_named() {
    const TEST: &str = "who_draws_lots_is_named";
    let error = learned(TEST, "fickle").unwrap_err();
    assert!(matches!(error, HeldError::Fickle { .. }), "{error}");
    assert!(error.to_string().contains("the second time"), "{error}");
    let error = learned(TEST, "fickle-inside").unwrap_err();
    assert!(error.to_string().contains("its process is another one"), "{error}");
}

#[test]
fn random_system_calls() {
    const TEST: &str = "random_system_calls";
    for seed in 0..40 {
        // Whatever it comes to: an answer or a refusal.
        if let Ok(learned) = learned(TEST, &format!("random-{seed}")) {
            let last = learned.automaton.nodes.last().unwrap();
            assert!(last.question.is_an_end() || !last.next.is_empty());
        }
    }
    assert_eq!(left(TEST), 0);
}

/// A tracer that lets everything pass: the filter stops what is not read-only all the same.
#[test]
fn the_filter_needs_no_tracer() {
    let path = compiled("bare", &["-nostdlib", "-static"]);
    let ends = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmodcheck-launch"));
        command.arg(&path).args(["modprobe", "0", "0"]).args(arguments);
        let pid = Pid::from_raw(command.spawn().unwrap().id().cast_signed());
        loop {
            match waitpid(pid, None).unwrap() {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => ptrace::cont(pid, None).unwrap(),
                WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal).unwrap(),
                WaitStatus::Exited(_, status) => return Ok(status),
                WaitStatus::Signaled(_, signal, _) => return Err(signal),
                other => panic!("{other:?}"),
            }
        }
    };
    // brk() passes; so does openat(), which has nothing to open.
    assert_eq!(ends(&["12"]), Ok(7));
    assert_eq!(ends(&["257"]), Ok(7));
    let unlink = "87";
    let modules = ["175", "176", "313", "246", "320"];
    for number in modules.into_iter().chain([unlink, "101", "41", "62", "165", "169", "272", "435"])
    {
        assert_eq!(ends(&[number]), Err(Signal::SIGSYS), "{number}");
    }
    // finit_module, init_module, delete_module and getpid of the 32-bit interface; finit_module of x32.
    for number in ["350", "128", "129", "20"] {
        assert_eq!(ends(&[number, "32"]), Err(Signal::SIGSYS), "{number}");
    }
    assert_eq!(ends(&["1073742137"]), Err(Signal::SIGSYS));
}
