//! What each system call comes to that is not made.

use nix::libc;
use syscalls::Sysno;

use super::{
    Asks, CHUNK, EPOCH, Held, Is, LARGEST, LONGEST, Open, Outcome, PID, Pending, error, int,
};
use crate::arch::Registers;
use crate::process::HeldError;
use crate::question::{Insertion, Question};
use crate::view::{self, Found};

impl Held {
    /// What is behind a descriptor that is handed to `finit_module()`.
    pub(super) fn module_of(&self, descriptor: u64) -> Option<String> {
        match self.open(descriptor)? {
            Open::File { path, .. } => Some(view::module_name(path)),
            _ => None,
        }
    }

    pub(super) fn time(&mut self) -> (u64, u64) {
        self.asked_the_time = true;
        (EPOCH + self.local.clock / 1_000_000_000, self.local.clock % 1_000_000_000)
    }

    pub(super) fn pair(&self, to: u64, (first, second): (u64, u64)) -> i64 {
        let bytes = [first.to_le_bytes(), second.to_le_bytes()].concat();
        if to == 0 || self.process.write(to, &bytes) { 0 } else { error(libc::EFAULT) }
    }

    pub(super) fn sleeps(&self, at: u64, scale: u64) -> Result<Outcome, HeldError> {
        let mut bytes = [0; 16];
        if self.process.read(at, &mut bytes) != bytes.len() {
            return Ok(Is(error(libc::EFAULT)));
        }
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let nanoseconds =
            word(0).saturating_mul(1_000_000_000).saturating_add(word(8).saturating_mul(scale));
        Ok(Asks(Question::Sleep { nanoseconds }, Pending::Result))
    }

    /// What a call comes to that is not made; it stands at its exit.
    pub(super) fn answered(
        &mut self,
        call: Sysno,
        registers: &Registers,
    ) -> Result<Outcome, HeldError> {
        let a = |place| registers.argument(place);
        let here = i64::from(libc::AT_FDCWD).cast_unsigned();
        Ok(match call {
            Sysno::openat => return self.opens(a(0), a(1), a(2)),
            Sysno::open => return self.opens(here, a(0), a(1)),
            Sysno::newfstatat => match self.path(a(0), a(1), a(3) & 0x1000 != 0) {
                Ok(_) if self.string(a(1)).is_some_and(|path| path.is_empty()) => {
                    return self.stats_open(a(0), a(2), false);
                }
                Ok(path) => return self.stats(&path, a(2), false),
                Err(error) => Is(error),
            },
            Sysno::statx => match self.path(a(0), a(1), a(2) & 0x1000 != 0) {
                Ok(_) if self.string(a(1)).is_some_and(|path| path.is_empty()) => {
                    return self.stats_open(a(0), a(4), true);
                }
                Ok(path) => return self.stats(&path, a(4), true),
                Err(error) => Is(error),
            },
            Sysno::stat | Sysno::lstat => match self.path(here, a(0), false) {
                Ok(path) => return self.stats(&path, a(1), false),
                Err(error) => Is(error),
            },
            Sysno::fstat => return self.stats_open(a(0), a(1), false),
            Sysno::access => {
                let path = self.path(here, a(0), false);
                return self.accesses(path, a(1));
            }
            Sysno::faccessat | Sysno::faccessat2 => {
                let path = self.path(a(0), a(1), false);
                return self.accesses(path, a(2));
            }
            Sysno::readlink | Sysno::readlinkat => {
                let (folder, at, to, most) = match call {
                    Sysno::readlink => (here, a(0), a(1), a(2)),
                    _ => (a(0), a(1), a(2), a(3)),
                };
                match self.path(folder, at, false) {
                    Err(error) => Is(error),
                    Ok(path) if path == "/proc/self/exe" => {
                        let mut path = format!("/sbin/{}", self.program.name).into_bytes();
                        path.truncate(usize::try_from(most).unwrap_or_default());
                        match self.process.write(to, &path) {
                            true => Is(path.len().cast_signed() as i64),
                            false => Is(error(libc::EFAULT)),
                        }
                    }
                    Ok(path) => match self.view.find(&path) {
                        Found::Absent => Is(error(libc::ENOENT)),
                        Found::Unknown | Found::Module(..) => return Err(self.unknown(&path)),
                        // What is found here is found where the links lead.
                        _ => Is(error(libc::EINVAL)),
                    },
                }
            }
            Sysno::read => return self.reads(a(0), a(1), a(2), None),
            Sysno::pread64 => return self.reads(a(0), a(1), a(2), Some(a(3))),
            Sysno::lseek => Is(self.seeks(a(0), a(1).cast_signed(), a(2))?),
            Sysno::getdents64 => Is(self.lists(a(0), a(1), a(2))),
            Sysno::close | Sysno::fcntl => Is(error(libc::EBADF)),
            Sysno::write => {
                let mut text = vec![0; usize::try_from(a(2).min(CHUNK)).unwrap_or_default()];
                let got = self.process.read(a(1), &mut text);
                text.truncate(got);
                Is(self.writes(a(0), &text)?)
            }
            Sysno::writev => {
                let mut text = Vec::new();
                for vector in 0..a(2).min(64) {
                    let mut bytes = [0; 16];
                    self.process.read(a(1) + 16 * vector, &mut bytes);
                    let word = |at: usize| {
                        u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
                    };
                    let mut part = vec![0; usize::try_from(word(8).min(CHUNK)).unwrap_or_default()];
                    let got = self.process.read(word(0), &mut part);
                    text.extend_from_slice(&part[..got]);
                }
                Is(self.writes(a(0), &text)?)
            }
            Sysno::chdir => match self.path(here, a(0), false) {
                Err(error) => Is(error),
                Ok(path) => match self.view.find(&path) {
                    Found::Directory(_) | Found::Bare => {
                        self.local.folder = path;
                        Is(0)
                    }
                    Found::Unknown | Found::Module(..) => return Err(self.unknown(&path)),
                    Found::Absent => Is(error(libc::ENOENT)),
                    _ => Is(error(libc::ENOTDIR)),
                },
            },
            Sysno::getcwd => {
                let mut path = self.local.folder.clone().into_bytes();
                path.push(0);
                match (path.len() as u64 <= a(1)) && self.process.write(a(0), &path) {
                    true => Is(path.len().cast_signed() as i64),
                    false => Is(error(libc::ERANGE)),
                }
            }
            Sysno::finit_module => {
                let Some(module) = self.module_of(a(0)) else {
                    return Err(
                        self.refused("it hands a descriptor to finit_module() that is no module's")
                    );
                };
                let options = self.string(a(1)).unwrap_or_default();
                let flags = int(a(2)).cast_unsigned();
                Asks(
                    Question::Insert { module, by: Insertion::Finit, flags, options },
                    Pending::Result,
                )
            }
            Sysno::init_module => {
                let mut bytes = vec![0; usize::try_from(a(1).min(LARGEST)).unwrap_or_default()];
                let got = self.process.read(a(0), &mut bytes);
                let Some(module) = view::name_in(&bytes[..got]) else {
                    return Err(
                        self.refused("it hands bytes to init_module() that are no module's")
                    );
                };
                let options = self.string(a(2)).unwrap_or_default();
                Asks(
                    Question::Insert { module, by: Insertion::Init, flags: 0, options },
                    Pending::Result,
                )
            }
            Sysno::delete_module => match self.string(a(0)) {
                Some(module) => Asks(
                    Question::Remove { module, flags: int(a(1)).cast_unsigned() },
                    Pending::Result,
                ),
                None => Is(error(libc::EFAULT)),
            },
            Sysno::nanosleep => return self.sleeps(a(0), 1),
            // TIMER_ABSTIME would need the clock's own time.
            Sysno::clock_nanosleep if a(1) == 0 => return self.sleeps(a(2), 1),
            Sysno::select if a(0) == 0 && a(4) != 0 => return self.sleeps(a(4), 1000),
            Sysno::poll if a(1) == 0 => {
                let nanoseconds = (a(2) & 0xffff_ffff).saturating_mul(1_000_000);
                Asks(Question::Sleep { nanoseconds }, Pending::Result)
            }
            Sysno::sched_yield => Asks(Question::Sleep { nanoseconds: 0 }, Pending::Result),
            Sysno::clock_gettime => {
                let time = self.time();
                Is(self.pair(a(1), time))
            }
            Sysno::gettimeofday => {
                let (seconds, nanoseconds) = self.time();
                Is(self.pair(a(0), (seconds, nanoseconds / 1000)))
            }
            Sysno::time => {
                let seconds = self.time().0;
                let written = a(0) == 0 || self.process.write(a(0), &seconds.to_le_bytes());
                Is(if written { seconds.cast_signed() } else { error(libc::EFAULT) })
            }
            Sysno::clock_getres => Is(self.pair(a(1), (0, 1))),
            Sysno::uname => {
                let mut bytes = Vec::new();
                let words =
                    ["Linux", "kmodcheck", &self.view.system.release, "#1 SMP", "x86_64", "(none)"];
                for (word, place) in words.iter().zip(1..) {
                    bytes.extend(word.bytes().take(64));
                    bytes.resize(65 * place, 0);
                }
                Is(if self.process.write(a(0), &bytes) { 0 } else { error(libc::EFAULT) })
            }
            Sysno::getrandom => {
                let bytes =
                    vec![0x2a; usize::try_from(a(1).min(LONGEST as u64)).unwrap_or_default()];
                match self.process.write(a(0), &bytes) {
                    true => Is(bytes.len().cast_signed() as i64),
                    false => Is(error(libc::EFAULT)),
                }
            }
            Sysno::getpid | Sysno::gettid | Sysno::set_tid_address | Sysno::getpgrp => Is(PID),
            Sysno::getppid => Is(PID - 1),
            Sysno::getuid | Sysno::geteuid | Sysno::getgid | Sysno::getegid => Is(0),
            Sysno::umask => Is(0o22),
            Sysno::set_robust_list => Is(0),
            Sysno::rseq | Sysno::clone3 => Is(error(libc::ENOSYS)),
            Sysno::arch_prctl => Is(error(libc::EINVAL)),
            Sysno::ioctl => match self.open(a(0)) {
                Some(_) => Is(error(libc::ENOTTY)),
                None => Is(error(libc::EBADF)),
            },
            Sysno::prlimit64 | Sysno::getrlimit => {
                let (resource, new, old) = match call {
                    Sysno::prlimit64 => (a(1), a(2), a(3)),
                    _ => (a(0), 0, a(1)),
                };
                if new != 0 {
                    return Err(self.refused("it changes its limits"));
                }
                let soft = match resource {
                    3 => 8 << 20,
                    7 => 1024,
                    _ => u64::MAX,
                };
                Is(self.pair(old, (soft, u64::MAX)))
            }
            Sysno::rt_sigprocmask => {
                let mut set = [0; 8];
                let given = a(1) != 0 && self.process.read(a(1), &mut set) == set.len();
                let before = self.local.mask;
                let set = u64::from_le_bytes(set);
                if given {
                    self.local.mask = match a(0) {
                        0 => before | set,
                        1 => before & !set,
                        _ => set,
                    };
                }
                let written = a(2) == 0 || self.process.write(a(2), &before.to_le_bytes());
                Is(if written { 0 } else { error(libc::EFAULT) })
            }
            Sysno::rt_sigaction => self.signals(a(0), a(1), a(2))?,
            Sysno::tgkill | Sysno::tkill | Sysno::kill => {
                let (process, signal) = match call {
                    Sysno::tgkill => (a(1), a(2)),
                    _ => (a(0), a(1)),
                };
                let itself = i64::from(int(process)) == PID;
                if itself
                    && signal == u64::from(libc::SIGABRT.cast_unsigned())
                    && self.local.actions.is_empty()
                {
                    return Ok(Asks(Question::Died { signal: libc::SIGABRT }, Pending::None));
                }
                return Err(self.refused(format!("it sends signal {signal} to {}", int(process))));
            }
            call => {
                let what = match call {
                    Sysno::clone | Sysno::fork | Sysno::vfork => " (another process)",
                    Sysno::execve | Sysno::execveat => " (another program)",
                    _ => "",
                };
                return Err(self.refused(format!("it calls {}(){what}", call.name())));
            }
        })
    }

    /// What it wants done about a signal. None is ever sent to it; what it makes itself, by a fault, would come.
    pub(super) fn signals(
        &mut self,
        signal: u64,
        new: u64,
        old: u64,
    ) -> Result<Outcome, HeldError> {
        let before = self.local.actions.get(&signal).cloned().unwrap_or_else(|| vec![0; 32]);
        if new != 0 {
            let mut action = vec![0; 32];
            self.process.read(new, &mut action);
            let faults = [
                libc::SIGSEGV,
                libc::SIGBUS,
                libc::SIGILL,
                libc::SIGFPE,
                libc::SIGTRAP,
                libc::SIGSYS,
            ];
            let handled = action[..8] != [0; 8] && action[..8] != [1, 0, 0, 0, 0, 0, 0, 0];
            if handled && faults.iter().any(|fault| u64::from(fault.cast_unsigned()) == signal) {
                return Err(self.refused(format!("it handles signal {signal}")));
            }
            self.local.actions.insert(signal, action);
        }
        let written = old == 0 || self.process.write(old, &before);
        Ok(Is(if written { 0 } else { error(libc::EFAULT) }))
    }
}
