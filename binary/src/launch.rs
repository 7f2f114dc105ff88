//! How a program is started: what its process gives up before it becomes the program.
//!
//! This runs in a process of its own, which has one thread and is about to be the program: so nothing here needs what
//! may not be called between `fork()` and `exec()`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::personality::{self, Persona};
use nix::sys::ptrace;
use rustix::process::{Resource, Rlimit, Signal, TimeStampCounterReadability};
use rustix::thread::CpuSet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::arch::REALLY_MADE;

/// The status with which a launch ends that came to nothing.
pub const FAILED: i32 = 126;

/// Becomes the program: `PATH NAME PROCESSOR SETTINGS SETTING... ARGUMENT...`, where NAME is its argument 0, PROCESSOR the
/// only one that it may run on, and SETTINGS how many settings of the environment follow. Returns only if that came to nothing.
#[must_use]
pub fn launch(arguments: impl Iterator<Item = OsString>) -> i32 {
    let _ = become_it(arguments);
    FAILED
}

fn become_it(mut arguments: impl Iterator<Item = OsString>) -> Option<()> {
    let (path, name) = (arguments.next()?, arguments.next()?);
    let processor = arguments.next()?.to_str()?.parse().ok()?;
    let settings = arguments.next()?.to_str()?.parse().ok()?;
    let mut command = Command::new(path);
    command.arg0(name).env_clear();
    for _ in 0..settings {
        let setting = arguments.next()?.into_string().ok()?;
        let (key, value) = setting.split_once('=')?;
        command.env(key, value);
    }
    command.args(arguments);
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).ok()?;
    personality::set(Persona::ADDR_NO_RANDOMIZE).ok()?;
    rustix::process::set_time_stamp_counter_readability(TimeStampCounterReadability::RaiseSIGSEGV)
        .ok()?;
    // What it learns of the processor, such as its number, is the same at each start.
    let mut processors = CpuSet::new();
    processors.set(processor);
    rustix::thread::sched_setaffinity(None, &processors).ok()?;
    // Its memory is read at every question.
    limit(Resource::As, MEMORY)?;
    limit(Resource::Core, 0)?;
    rustix::thread::set_no_new_privs(true).ok()?;
    let filter = filter()?;
    ptrace::traceme().ok()?;
    seccompiler::apply_filter(&filter).ok()?;
    let _error = command.exec();
    None
}

/// How much memory a program may have.
const MEMORY: u64 = 1 << 30;

fn limit(resource: Resource, most: u64) -> Option<()> {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(resource, limit).ok()
}

/// The filter: first that the call is one of x86-64, then that it reads. (The first `exec` has to pass; of a later one,
/// and of `clone`, the tracer is the judge, and what comes of them has this filter, too.)
fn filter() -> Option<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REALLY_MADE.iter().map(|call| (i64::from(call.id()), Vec::new())).collect();
    // A call that the tracer has taken away.
    rules.insert(u32::MAX.into(), Vec::new());
    // What `exec` of Rust's library does before.
    for call in [syscalls::Sysno::rt_sigaction, syscalls::Sysno::rt_sigprocmask] {
        rules.insert(call.id().into(), Vec::new());
    }
    let is = |argument, mask, value| {
        let masked = SeccompCmpOp::MaskedEq(mask);
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, masked, value).ok()
    };
    // Reading only, and of descriptors only what makes or asks for none but the program's own.
    let flags =
        nix::libc::O_ACCMODE | nix::libc::O_CREAT | nix::libc::O_TRUNC | nix::libc::O_APPEND;
    let reading = is(2, u64::from(flags.cast_unsigned()), 0)?;
    rules.insert(syscalls::Sysno::openat.id().into(), vec![SeccompRule::new(vec![reading]).ok()?]);
    let commands = [
        nix::libc::F_GETFD,
        nix::libc::F_SETFD,
        nix::libc::F_GETFL,
        nix::libc::F_DUPFD,
        nix::libc::F_DUPFD_CLOEXEC,
    ];
    let commands = commands.iter().map(|command| {
        let command = is(1, u64::from(u32::MAX), u64::from(command.cast_unsigned()))?;
        SeccompRule::new(vec![command]).ok()
    });
    rules.insert(syscalls::Sysno::fcntl.id().into(), commands.collect::<Option<Vec<_>>>()?);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        TargetArch::x86_64,
    );
    filter.ok()?.try_into().ok()
}
