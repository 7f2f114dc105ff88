//! What is of x86-64: its registers, how a system call is made, and the one thing that no safe interface reads.

use nix::libc;
use nix::unistd::Pid;
use syscalls::Sysno;

/// `AUDIT_ARCH_X86_64`.
pub(crate) const AUDIT_ARCH: u32 = 0xc000_003e;
/// The bit by which a system call is one of the x32 interface.
pub(crate) const X32: u64 = 0x4000_0000;
/// How long the instruction is that makes a system call.
const SYSCALL: u64 = 2;
/// How far below the stack pointer what is there still belongs to the program.
pub(crate) const RED_ZONE: u64 = 128;

/// The registers of a stopped program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registers(pub libc::user_regs_struct);

impl Registers {
    pub(crate) fn number(&self) -> u64 {
        self.0.orig_rax
    }

    pub(crate) fn argument(&self, place: usize) -> u64 {
        let r = &self.0;
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9][place]
    }

    pub(crate) fn stack(&self) -> u64 {
        self.0.rsp
    }

    pub(crate) fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    /// At the entry of a system call: that the kernel makes none.
    pub(crate) fn making_none(mut self) -> Self {
        self.0.orig_rax = u64::MAX;
        self
    }

    /// After a system call: that it has returned this.
    pub(crate) fn returning(mut self, result: i64) -> Self {
        self.0.rax = result.cast_unsigned();
        self.0.orig_rax = u64::MAX;
        self
    }

    /// After a system call: on the way into another one by the same instruction.
    pub(crate) fn making(mut self, call: Sysno, arguments: [u64; 6]) -> Self {
        let r = &mut self.0;
        r.rip -= SYSCALL;
        r.rax = call.id().cast_unsigned().into();
        r.orig_rax = u64::MAX;
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9] = arguments;
        self
    }

    /// At the entry of a system call: before the instruction that made it.
    pub(crate) fn before_the_call(mut self) -> Self {
        self.0.rip -= SYSCALL;
        self.0.rax = self.0.orig_rax;
        self.0.orig_rax = u64::MAX;
        self
    }

    /// `rdtsc` and `rdtscp`, which the program may not execute, as if the counter stood at 0; `None` if the
    /// instruction is another one.
    pub(crate) fn past_the_clock(mut self, instruction: [u8; 3]) -> Option<Self> {
        let length = match instruction {
            [0x0f, 0x31, _] => 2,
            [0x0f, 0x01, 0xf9] => {
                self.0.rcx = 0;
                3
            }
            _ => return None,
        };
        (self.0.rax, self.0.rdx) = (0, 0);
        self.0.rip += length;
        Some(self)
    }

    pub(crate) fn instruction(&self) -> u64 {
        self.0.rip
    }

    /// All of them, as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let r = &self.0;
        [
            r.r15, r.r14, r.r13, r.r12, r.rbp, r.rbx, r.r11, r.r10, r.r9, r.r8, r.rcx, r.rdx,
            r.rsi, r.rdi, r.rip, r.cs, r.eflags, r.rsp, r.ss, r.fs_base, r.gs_base, r.ds, r.es,
            r.fs, r.gs,
        ]
        .iter()
        .flat_map(|register| register.to_le_bytes())
        .collect()
    }
}

/// Where the state of the vector units says which of them are in use: what is not is zero all the same, and whether it
/// counts as in use may depend on what else the processor did.
const IN_USE: std::ops::Range<usize> = 512..520;

/// The state of the floating point and vector units.
pub(crate) fn vectors(pid: Pid) -> nix::Result<Vec<u8>> {
    const NT_X86_XSTATE: usize = 0x202;
    let mut state = vec![0_u8; 16 << 10];
    let mut buffer = libc::iovec { iov_base: state.as_mut_ptr().cast(), iov_len: state.len() };
    // nix has no name for this set of registers.
    #[allow(
        unsafe_code,
        reason = "the kernel writes at most iov_len bytes into the buffer, and says how many"
    )]
    let result = unsafe {
        libc::ptrace(libc::PTRACE_GETREGSET, pid.as_raw(), NT_X86_XSTATE, &raw mut buffer)
    };
    nix::errno::Errno::result(result)?;
    state.truncate(buffer.iov_len);
    if let Some(in_use) = state.get_mut(IN_USE) {
        in_use.fill(0);
    }
    Ok(state)
}

/// What a program may really do, its first `exec` included: read, and manage its own memory. Everything else it is
/// answered, or it is refused.
pub(crate) const REALLY_MADE: [Sysno; 15] = [
    Sysno::arch_prctl,
    Sysno::brk,
    Sysno::clone,
    Sysno::close,
    Sysno::execve,
    Sysno::exit,
    Sysno::exit_group,
    Sysno::fcntl,
    Sysno::madvise,
    Sysno::mmap,
    Sysno::mprotect,
    Sysno::mremap,
    Sysno::munmap,
    Sysno::openat,
    Sysno::rt_sigreturn,
];
