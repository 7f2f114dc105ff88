//! One process that is held: started, let go to its next system call, copied, read, written, and ended.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use syscalls::Sysno;

use crate::arch::{self, Registers};
use crate::launch;

/// Why a program is not learned any further.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// It did something that nothing here answers.
    #[error("{program}: {what}, which is refused{}", had_said(.said))]
    Refused {
        /// The program.
        program: String,
        /// What it did, as the end of a sentence.
        what: String,
        /// What it has written to its standard descriptors.
        said: String,
    },
    /// It was slower than it may be, or somebody has lost patience.
    #[error("{program}: {what}: out of budget")]
    OutOfBudget {
        /// The program.
        program: String,
        /// How much was spent on what.
        what: String,
    },
    /// It answers otherwise the second time.
    #[error(
        "{program}: {what} the second time, expected the same as before: it is no function of what it is answered"
    )]
    Fickle {
        /// The program.
        program: String,
        /// What was otherwise.
        what: String,
    },
    /// It could not be started.
    #[error("{program}: {what}")]
    NotStarted {
        /// The program.
        program: String,
        /// What was found, what was expected.
        what: String,
    },
    /// The machine.
    #[error("{0}")]
    System(#[from] io::Error),
}

fn had_said(said: &str) -> String {
    match said.trim() {
        "" => String::new(),
        said => format!("; it had said: {said}"),
    }
}

impl From<nix::Error> for HeldError {
    fn from(error: nix::Error) -> Self {
        Self::System(error.into())
    }
}

/// A program, with all that its process is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// Its argument 0.
    pub name: String,
    /// Its other arguments.
    pub arguments: Vec<String>,
    /// Its environment, all of it.
    pub environment: Vec<(String, String)>,
}

impl Program {
    /// How it is called in messages.
    #[must_use]
    pub fn called(&self) -> String {
        let mut words = self.path.display().to_string();
        for argument in &self.arguments {
            words.push(' ');
            words.push_str(argument);
        }
        words
    }
}

/// By which a program is started: a command whose further arguments are [`launch::launch`]'s.
#[derive(Clone, Debug)]
pub struct Launcher(pub Vec<OsString>);

/// How long a process may take for what is done in a moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a process has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At the entry of a system call, of this architecture's interface or another's.
    Entry { native: bool },
    /// At its exit.
    Exit,
    /// A signal is about to be delivered.
    Signal(Signal),
    /// It has made a copy of itself.
    Copied(Pid),
    /// It has ended.
    Ended(i32),
    /// It has died of a signal.
    Died(Signal),
}

/// A process that is stopped. Dropped, it is dead and nothing of it is left.
pub(crate) struct Process {
    pid: Pid,
    memory: File,
    alive: bool,
    /// How long it may go on from one system call to the next.
    patience: Duration,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.alive {
            let _ = signal::kill(self.pid, Signal::SIGKILL);
            // SIGKILL ends a stopped process, too; it is not ours to be waited for for ever.
            let until = Instant::now() + PATIENCE;
            while Instant::now() < until {
                match waitpid(self.pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(_) => break,
                    Ok(_) => std::thread::sleep(Duration::from_micros(20)),
                }
            }
        }
    }
}

impl Process {
    /// Starts a program on one processor, up to its first instruction.
    pub fn start(
        launcher: &Launcher,
        program: &Program,
        processor: usize,
        patience: Duration,
    ) -> Result<Self, HeldError> {
        let not = |what: String| HeldError::NotStarted { program: program.called(), what };
        let found = fs::metadata(&program.path);
        if !found.as_ref().is_ok_and(fs::Metadata::is_file) {
            let found = found.map_or_else(|error| error.to_string(), |_| "no file".to_owned());
            return Err(not(format!("found {found}, expected a program")));
        }
        let (by, arguments) = launcher.0.split_first().ok_or_else(|| not("no launcher".into()))?;
        let mut command = Command::new(by);
        command.args(arguments).arg(&program.path).arg(&program.name);
        command.arg(processor.to_string()).arg(program.environment.len().to_string());
        command.args(program.environment.iter().map(|(key, value)| format!("{key}={value}")));
        command.args(&program.arguments).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn()?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut process = Self { pid, memory: File::open("/dev/null")?, alive: true, patience };
        match process.wait(PATIENCE)? {
            Some(Stop::Signal(Signal::SIGTRAP)) => {}
            // What comes after an exec that has failed is not on the filter's list.
            Some(Stop::Ended(launch::FAILED) | Stop::Died(Signal::SIGSYS)) => {
                return Err(not(
                    "found nothing that can be executed, expected a program of x86-64".into(),
                ));
            }
            found => return Err(not(format!("it did not start: {found:?}"))),
        }
        ptrace::setoptions(
            pid,
            Options::PTRACE_O_TRACESYSGOOD
                | Options::PTRACE_O_EXITKILL
                | Options::PTRACE_O_TRACECLONE
                | Options::PTRACE_O_TRACEFORK
                | Options::PTRACE_O_TRACEVFORK,
        )?;
        process.memory = memory(pid)?;
        Ok(process)
    }

    pub fn registers(&self) -> Result<Registers, HeldError> {
        Ok(Registers(ptrace::getregs(self.pid)?))
    }

    pub fn set_registers(&self, registers: &Registers) -> Result<(), HeldError> {
        Ok(ptrace::setregs(self.pid, registers.0)?)
    }

    pub fn vectors(&self) -> Result<Vec<u8>, HeldError> {
        Ok(arch::vectors(self.pid)?)
    }

    pub fn patience(&self) -> Duration {
        self.patience
    }

    pub fn folder(&self) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string())
    }

    /// Fills the buffer from there; how much there was.
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            match self.memory.read_at(&mut buffer[done..], at.wrapping_add(done as u64)) {
                Ok(0) | Err(_) => break,
                Ok(more) => done += more,
            }
        }
        done
    }

    /// Whether all of it was written.
    pub fn write(&self, at: u64, bytes: &[u8]) -> bool {
        self.memory.write_all_at(bytes, at).is_ok()
    }

    /// A C string, of at most this many bytes.
    pub fn string(&self, at: u64, most: usize) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        while text.len() <= most {
            // Page by page, for the next one may not be there.
            let from = at.wrapping_add(text.len() as u64);
            let mut page = vec![0; 4096 - (from % 4096) as usize];
            let got = self.read(from, &mut page);
            if let Some(end) = page[..got].iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&page[..end]);
                return (text.len() <= most).then_some(text);
            }
            if got < page.len() {
                return None;
            }
            text.extend_from_slice(&page);
        }
        None
    }

    /// Lets it go on to its next stop; `None`: it took too long.
    pub fn go_on(&mut self, signal: Option<Signal>) -> Result<Option<Stop>, HeldError> {
        ptrace::syscall(self.pid, signal)?;
        self.wait(self.patience)
    }

    fn wait(&mut self, patience: Duration) -> Result<Option<Stop>, HeldError> {
        let mut tries = 0_u32;
        let until = Instant::now() + patience;
        loop {
            let status = waitpid(self.pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG))?;
            let stop = match status {
                WaitStatus::StillAlive => {
                    tries += 1;
                    // Nearly all stops are a moment away.
                    match tries {
                        ..200 => std::thread::yield_now(),
                        200..1000 => std::thread::sleep(Duration::from_micros(20)),
                        _ if Instant::now() >= until => return Ok(None),
                        _ => std::thread::sleep(Duration::from_millis(1)),
                    }
                    continue;
                }
                WaitStatus::PtraceSyscall(_) => {
                    let info = ptrace::syscall_info(self.pid)?;
                    match info.op {
                        libc::PTRACE_SYSCALL_INFO_ENTRY => {
                            Stop::Entry { native: info.arch == arch::AUDIT_ARCH }
                        }
                        _ => Stop::Exit,
                    }
                }
                WaitStatus::PtraceEvent(..) => {
                    let pid = ptrace::getevent(self.pid)?;
                    Stop::Copied(Pid::from_raw(i32::try_from(pid).unwrap_or_default()))
                }
                WaitStatus::Stopped(_, signal) => Stop::Signal(signal),
                WaitStatus::Exited(_, status) => {
                    self.alive = false;
                    Stop::Ended(status)
                }
                WaitStatus::Signaled(_, signal, _) => {
                    self.alive = false;
                    Stop::Died(signal)
                }
                _ => continue,
            };
            return Ok(Some(stop));
        }
    }

    /// At the exit of a system call: makes another one, and is where it was. What it gave.
    pub fn call(&mut self, call: Sysno, arguments: [u64; 6]) -> Result<i64, HeldError> {
        let before = self.registers()?;
        self.set_registers(&before.making(call, arguments))?;
        self.expect(Stop::Entry { native: true })?;
        self.expect(Stop::Exit)?;
        let result = self.registers()?.result();
        self.set_registers(&before)?;
        Ok(result)
    }

    fn expect(&mut self, expected: Stop) -> Result<(), HeldError> {
        match self.go_on(None)? {
            Some(stop) if stop == expected => Ok(()),
            stop => Err(lost(stop)),
        }
    }

    /// At the exit of a system call: a second process that is where this one is.
    pub fn copy(&mut self) -> Result<Self, HeldError> {
        let before = self.registers()?;
        // A child of whoever started this process: so it is ours to wait for.
        let flags = (libc::CLONE_PARENT | libc::SIGCHLD).cast_unsigned();
        self.set_registers(&before.making(Sysno::clone, [flags.into(), 0, 0, 0, 0, 0]))?;
        self.expect(Stop::Entry { native: true })?;
        let pid = match self.go_on(None)? {
            Some(Stop::Copied(pid)) => pid,
            stop => return Err(lost(stop)),
        };
        let mut copy =
            Self { pid, memory: File::open("/dev/null")?, alive: true, patience: self.patience };
        self.expect(Stop::Exit)?;
        self.set_registers(&before)?;
        match copy.wait(PATIENCE)? {
            Some(Stop::Signal(Signal::SIGSTOP)) => {}
            stop => return Err(lost(stop)),
        }
        copy.memory = memory(pid)?;
        copy.set_registers(&before)?;
        Ok(copy)
    }
}

fn lost(stop: Option<Stop>) -> HeldError {
    HeldError::System(io::Error::other(format!(
        "a held process did what nobody asked for: {stop:?}"
    )))
}

fn memory(pid: Pid) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"))
}
