//! What each system call of a held program comes to: made as it is, answered here, asked as a question, or refused.

mod answered;
mod files;
mod stat;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::rc::Rc;

use nix::libc;
use nix::sys::signal::Signal;
use syscalls::Sysno;

use crate::arch::{self, Registers};
use crate::process::{HeldError, Launcher, Process, Program, Stop};
use crate::question::{Answer, Entry, Question};
use crate::view::View;
use files::part;
use stat::Stat;

/// What is behind a descriptor.
#[derive(Clone, Debug)]
pub(crate) enum Open {
    /// A standard descriptor, or `/dev/null`.
    Null,
    /// A file that is read for real, and how far it was.
    File { path: String, file: Rc<File>, at: u64 },
    /// A directory, and how many of its entries were read.
    Directory { path: String, names: Rc<Vec<(String, u8)>>, at: u64 },
    /// A text: one that does not change, or what an attribute or the list said when it was first read.
    Text { path: String, text: Rc<Vec<u8>>, at: u64 },
    /// An attribute of a module: what it said when it was read, and how far that was read.
    Module { module: String, entry: Entry, text: Option<Rc<Vec<u8>>>, at: u64 },
    /// `/proc/modules`, the same.
    List { text: Option<Rc<Vec<u8>>>, at: u64 },
}

impl Open {
    /// Everything that the future may depend on.
    pub fn bytes(&self) -> String {
        let said = |text: &Option<Rc<Vec<u8>>>| text.as_ref().map(|text| text.as_ref().clone());
        match self {
            Self::Null => "null".to_owned(),
            Self::File { path, at, .. } => format!("file {path} {at}"),
            Self::Directory { path, at, .. } => format!("directory {path} {at}"),
            Self::Text { path, text, at } => format!("text {path} {at} {text:?}"),
            Self::Module { module, entry, text, at } => {
                format!("module {module} {entry:?} {at} {:?}", said(text))
            }
            Self::List { text, at } => format!("list {at} {:?}", said(text)),
        }
    }

    fn path(&self) -> Option<String> {
        match self {
            Self::File { path, .. } | Self::Directory { path, .. } | Self::Text { path, .. } => {
                Some(path.clone())
            }
            Self::Module { module, entry, .. } => {
                Some(format!("/sys/module/{module}{}", entry.path()))
            }
            Self::List { .. } => Some("/proc/modules".to_owned()),
            Self::Null => None,
        }
    }
}

/// What of a process the kernel, or this, remembers for it.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub descriptors: BTreeMap<i32, Open>,
    pub folder: String,
    /// How long it has slept, in nanoseconds.
    pub clock: u64,
    /// Its signal mask, and what it wants done about signals.
    pub mask: u64,
    pub actions: BTreeMap<u64, Vec<u8>>,
    pub brk: i64,
    /// A page for arguments of calls that it makes for us.
    pub scratch: u64,
    pub said: String,
    /// How the answer to the question that it is at is given.
    pending: Pending,
}

#[derive(Clone, Debug)]
enum Pending {
    /// No question.
    None,
    /// By the result alone.
    Result,
    /// What `stat()` and its like write.
    Stat { to: u64, extended: bool, entry: Entry },
    /// A descriptor.
    Open { flags: u64 },
    /// What a `read()` of so much gives.
    Read { descriptor: i32, to: u64, most: u64, at: Option<u64> },
}

/// A program that is held at a question.
pub(crate) struct Held {
    pub process: Process,
    pub local: Local,
    pub view: Rc<View>,
    pub program: Rc<Program>,
    /// Whether it has ever asked what time it is.
    pub asked_the_time: bool,
}

/// How many system calls a program may make from one question to the next.
const CALLS: u32 = 200_000;
/// The longest path or text that is looked at.
const LONGEST: usize = 4096;
/// The largest part of a file that is read at once.
const CHUNK: u64 = 1 << 20;
/// The largest module that is looked into, to see which it is.
const LARGEST: u64 = 256 << 20;
/// The second in which every program starts: 2024-01-01.
const EPOCH: u64 = 1_704_067_200;
/// Of every process.
const PID: i64 = 1000;

const fn error(errno: i32) -> i64 {
    -(errno as i64)
}

/// The `int` that is in a register: the kernel reads its lower half.
#[allow(clippy::cast_possible_truncation, reason = "as the kernel does")]
fn int(register: u64) -> i32 {
    register as i32
}

/// What a call comes to.
enum Outcome {
    Is(i64),
    Asks(Question, Pending),
}

use Outcome::{Asks, Is};

impl Held {
    /// Starts a program and runs it up to its first question.
    pub fn start(
        launcher: &Launcher,
        program: &Rc<Program>,
        view: &Rc<View>,
        processor: usize,
        patience: std::time::Duration,
    ) -> Result<(Self, Question), HeldError> {
        let process = Process::start(launcher, program, processor, patience)?;
        let standard = (0..3).map(|number| (number, Open::Null)).collect();
        let local = Local {
            descriptors: standard,
            folder: "/".to_owned(),
            clock: 0,
            mask: 0,
            actions: BTreeMap::new(),
            brk: 0,
            scratch: 0,
            said: String::new(),
            pending: Pending::None,
        };
        let (view, program) = (view.clone(), program.clone());
        let mut held = Self { process, local, view, program, asked_the_time: false };
        held.settle()?;
        let question = held.run()?;
        Ok((held, question))
    }

    /// A second one that is where this one is.
    pub fn copy(&mut self) -> Result<Self, HeldError> {
        let process = self.process.copy()?;
        let Self { local, view, program, asked_the_time, .. } = self;
        let (local, view, program) = (local.clone(), view.clone(), program.clone());
        Ok(Self { process, local, view, program, asked_the_time: *asked_the_time })
    }

    pub fn refused(&self, what: impl Into<String>) -> HeldError {
        HeldError::Refused {
            program: self.program.called(),
            what: what.into(),
            said: self.local.said.clone(),
        }
    }

    fn out_of_budget(&self, what: &str) -> HeldError {
        HeldError::OutOfBudget { program: self.program.called(), what: what.to_owned() }
    }

    /// Takes away, before its first instruction, what makes one start differ from another.
    fn settle(&mut self) -> Result<(), HeldError> {
        self.plain_stack()?;
        // At its first system call, which is made after this.
        let Some(stop) = self.stop()? else {
            return Ok(());
        };
        let first = match stop {
            Stop::Entry { native: true } => self.process.registers()?,
            _ => return Err(self.refused("it makes a system call of another architecture")),
        };
        self.process.set_registers(&first.making_none())?;
        self.exit_stop()?;
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let arguments =
            [0, 4096, rights.cast_unsigned().into(), private.cast_unsigned().into(), u64::MAX, 0];
        self.local.scratch = self.process.call(Sysno::mmap, arguments)?.cast_unsigned();
        for (from, to) in self.kernels_own()? {
            self.process.call(Sysno::munmap, [from, to - from, 0, 0, 0, 0])?;
        }
        self.process.set_registers(&first.before_the_call())
    }

    /// The mappings by which a program reads clocks without a system call.
    fn kernels_own(&self) -> Result<Vec<(u64, u64)>, HeldError> {
        let maps = fs::read_to_string(self.process.folder().join("maps"))?;
        let own = maps.lines().filter(|line| line.ends_with("[vdso]") || line.contains("[vvar"));
        Ok(own
            .filter_map(|line| {
                let (from, to) = line.split_once(' ')?.0.split_once('-')?;
                Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
            })
            .collect())
    }

    /// The vector of what the kernel tells a program at its start: no vDSO, and random bytes that are not.
    fn plain_stack(&self) -> Result<(), HeldError> {
        let mut at = self.process.registers()?.stack();
        let word = |at: u64| {
            let mut bytes = [0; 8];
            self.process.read(at, &mut bytes);
            u64::from_le_bytes(bytes)
        };
        at += 8 * (word(at) + 2);
        while word(at) != 0 {
            at += 8;
        }
        at += 8;
        loop {
            match word(at) {
                libc::AT_NULL => return Ok(()),
                libc::AT_SYSINFO_EHDR => {
                    self.process.write(at, &libc::AT_IGNORE.to_le_bytes());
                }
                libc::AT_RANDOM => {
                    self.process.write(word(at + 8), &[0x2a; 16]);
                }
                // A process of a user without privileges and one of root's learn the same.
                libc::AT_UID | libc::AT_EUID | libc::AT_GID | libc::AT_EGID => {
                    self.process.write(at + 8, &0_u64.to_le_bytes());
                }
                _ => {}
            }
            at += 16;
        }
    }

    /// Lets it go on to a system call; `None`: there is none, it has ended.
    fn stop(&mut self) -> Result<Option<Stop>, HeldError> {
        let mut signal = None;
        loop {
            let Some(stop) = self.process.go_on(signal.take())? else {
                let patience = self.process.patience();
                return Err(self.out_of_budget(&format!("{patience:?} without a system call")));
            };
            match stop {
                Stop::Entry { .. } | Stop::Exit => return Ok(Some(stop)),
                Stop::Ended(_) | Stop::Died(_) => return Ok(Some(stop)),
                Stop::Copied(_) => return Err(self.refused("it copied itself")),
                Stop::Signal(Signal::SIGSEGV) => {
                    let registers = self.process.registers()?;
                    let mut instruction = [0; 3];
                    self.process.read(registers.instruction(), &mut instruction);
                    match registers.past_the_clock(instruction) {
                        Some(past) => {
                            self.asked_the_time = true;
                            self.process.set_registers(&past)?;
                        }
                        None => signal = Some(Signal::SIGSEGV),
                    }
                }
                Stop::Signal(other) => signal = Some(other),
            }
        }
    }

    fn exit_stop(&mut self) -> Result<(), HeldError> {
        match self.stop()? {
            Some(Stop::Exit) => Ok(()),
            other => Err(self.refused(format!("its system call did not return: {other:?}"))),
        }
    }

    /// Runs it to its next question.
    pub fn run(&mut self) -> Result<Question, HeldError> {
        for _ in 0..CALLS {
            match self.stop()? {
                Some(Stop::Entry { native: true }) => {}
                Some(Stop::Entry { native: false }) => {
                    return Err(self.refused("it makes a system call of another architecture"));
                }
                Some(Stop::Ended(status)) => return Ok(Question::Exit { status }),
                Some(Stop::Died(signal)) => return Ok(Question::Died { signal: signal as i32 }),
                other => return Err(self.refused(format!("it stopped unexpectedly: {other:?}"))),
            }
            let registers = self.process.registers()?;
            let number = registers.number();
            let call = usize::try_from(number)
                .ok()
                .filter(|_| number & arch::X32 == 0)
                .and_then(Sysno::new)
                .ok_or_else(|| {
                    self.refused(format!("it makes system call {number}, which is none"))
                })?;
            if let Sysno::exit | Sysno::exit_group = call {
                let status = int(registers.argument(0) & 0xff);
                return Ok(Question::Exit { status });
            }
            if self.is_made(call, &registers)? {
                self.exit_stop()?;
                self.made(call, &registers)?;
                continue;
            }
            self.process.set_registers(&registers.making_none())?;
            self.exit_stop()?;
            match self.answered(call, &registers)? {
                Is(result) => {
                    let now = self.process.registers()?;
                    self.process.set_registers(&now.returning(result))?;
                }
                Asks(question, pending) => {
                    self.local.pending = pending;
                    let now = self.process.registers()?;
                    self.process.set_registers(&now.returning(0))?;
                    return Ok(question);
                }
            }
        }
        Err(self.out_of_budget("200000 system calls without a question"))
    }

    /// Whether the call is made as it is.
    fn is_made(&self, call: Sysno, registers: &Registers) -> Result<bool, HeldError> {
        Ok(match call {
            Sysno::brk | Sysno::munmap | Sysno::mprotect | Sysno::mremap | Sysno::madvise => true,
            Sysno::mmap => {
                let anonymous = registers.argument(3) & 0x20 != 0;
                let shared = registers.argument(3) & 0x0f != 2;
                let writable = registers.argument(2) & 2 != 0;
                if shared && writable {
                    return Err(self.refused("it maps memory that it shares"));
                }
                match self.open(registers.argument(4)) {
                    _ if anonymous => true,
                    None | Some(Open::File { .. }) => true,
                    Some(open) => {
                        let path = open.path().unwrap_or_default();
                        return Err(self.refused(format!("it maps {path}, which is no file")));
                    }
                }
            }
            // ARCH_SET_FS, ARCH_SET_GS; of others it is told that there are none.
            Sysno::arch_prctl => matches!(registers.argument(0), 0x1001 | 0x1002),
            Sysno::close => self.open(registers.argument(0)).is_some(),
            Sysno::fcntl => self.open(registers.argument(0)).is_some() && self.known(registers)?,
            _ => false,
        })
    }

    fn known(&self, registers: &Registers) -> Result<bool, HeldError> {
        let command = int(registers.argument(1));
        let known =
            [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD, libc::F_DUPFD_CLOEXEC];
        if known.contains(&command) {
            return Ok(true);
        }
        Err(self.refused(format!("it calls fcntl({command})")))
    }

    /// What is remembered of a call that was made.
    fn made(&mut self, call: Sysno, registers: &Registers) -> Result<(), HeldError> {
        let result = self.process.registers()?.result();
        let descriptor = int(registers.argument(0));
        match call {
            Sysno::brk => self.local.brk = result,
            Sysno::close => {
                self.local.descriptors.remove(&descriptor);
            }
            Sysno::fcntl
                if matches!(int(registers.argument(1)), libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) =>
            {
                let open = self.local.descriptors.get(&descriptor);
                // Two descriptors of one open file share how far it was read.
                match open {
                    Some(Open::Null) if result >= 0 => {
                        self.local.descriptors.insert(int(result.cast_unsigned()), Open::Null);
                    }
                    _ if result < 0 => {}
                    _ => return Err(self.refused("it duplicates a descriptor")),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Answers the question that it is at. It has not gone on yet.
    pub fn answer(&mut self, question: &Question, answer: &Answer) -> Result<(), HeldError> {
        let pending = std::mem::replace(&mut self.local.pending, Pending::None);
        if let Question::Sleep { nanoseconds } = question {
            self.local.clock = self.local.clock.saturating_add(*nanoseconds);
        }
        let result = match (pending, answer) {
            (_, Answer::Absent) => error(libc::ENOENT),
            (_, Answer::Error(errno)) => error(*errno),
            (_, Answer::Gone) => error(libc::ENODEV),
            (Pending::None | Pending::Result, _) => 0,
            (Pending::Stat { to, extended, entry }, _) => {
                let (mode, size) = match entry {
                    Entry::Directory | Entry::Holders => (libc::S_IFDIR | 0o755, 0),
                    Entry::Initstate | Entry::Refcnt => (libc::S_IFREG | 0o444, 4096),
                };
                self.write_stat(to, extended, &Stat { mode, size, ..Stat::default() })
            }
            (Pending::Open { flags }, _) => {
                let Question::Open { module, entry } = question.clone() else {
                    return Err(self.refused("a descriptor is no answer to that"));
                };
                let open = Open::Module { module, entry, text: None, at: 0 };
                self.opened(Path::new("/dev/null"), flags, open)?
            }
            (Pending::Read { descriptor, to, most, at }, answer) => {
                let text = match answer {
                    Answer::State(state) => format!("{}\n", state.attribute()),
                    Answer::Count(count) => format!("{count}\n"),
                    Answer::Listed(list) => list
                        .iter()
                        .map(|(name, state)| {
                            format!("{name} 16384 0 - {} 0x0000000000000000\n", state.listed())
                        })
                        .collect(),
                    _ => String::new(),
                };
                let text = Rc::new(text.into_bytes());
                let end = matches!(question, Question::ReadEnd { .. });
                if let (
                    false,
                    Some(Open::Module { text: said, .. } | Open::List { text: said, .. }),
                ) = (end, self.local.descriptors.get_mut(&descriptor))
                {
                    *said = Some(text.clone());
                }
                let bytes = part(&text, at.unwrap_or(0), most);
                self.gives(descriptor, to, &bytes, at.is_none())
            }
        };
        let now = self.process.registers()?;
        self.process.set_registers(&now.returning(result))
    }
}
