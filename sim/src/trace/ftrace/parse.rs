//! The text of tracefs (`/sys/kernel/tracing/trace`), of `trace-cmd report`, or of `perf script`: one event a line,
//! with task, CPU and time.
//!
//! ```text
//!         modprobe-712     [001] .....   101.961751: mod_tree_insert: (mod_tree_insert+0x0/0x40) name="fat" st=3
//!         modprobe-712   [001]   101.961751: mod_tree_insert:      (ffffffff811aae04) name="fat" st=3
//!         modprobe   712 [001]   101.961751:      kmodcheck:mod_tree_insert: (ffffffff811aae04) name="fat" st=3
//! ```
//!
//! Any event is taken; those that nobody here knows are kept as [`What::Unrelated`]. Comments (`#`), empty lines
//! and trace-cmd's heading are skipped. `CPU:1 [LOST 23 EVENTS]`, by which the tracer says that it overwrote
//! events, is an event of its own; so is what the others say then.

use std::borrow::Cow;

use super::FtraceError;

/// `-EEXIST`, as a positive number; likewise the others.
pub(super) const EEXIST: i32 = 17;
pub(super) const ENOENT: i32 = 2;
pub(super) const EBUSY: i32 = 16;
pub(super) const ENODEV: i32 = 19;
pub(super) const ENOMEM: i32 = 12;
pub(super) const ETIME: i32 = 62;
pub(super) const EINTR: i32 = 4;
/// The kernel's own, which no process is told.
pub(super) const ERESTARTSYS: i32 = 512;

/// The events that are read, by the names that `tools/real-kernel` gives to its probes.
pub const EVENTS: [&str; 36] = [
    "delete_module",
    "do_init",
    "do_init_ret",
    "finished_loading",
    "finished_loading_ret",
    "finit_file",
    "free_module",
    "get_fs_type",
    "initstate_read",
    "load_module",
    "load_module_ret",
    "mkdir",
    "mkfile",
    "mod_sysfs_setup",
    "mod_sysfs_setup_ret",
    "mod_tree_insert",
    "module_free",
    "module_get",
    "module_load",
    "module_put",
    "module_request",
    "notify",
    "notify_robust",
    "register_fs",
    "request_module",
    "request_module_ret",
    "sched_process_exec",
    "sched_process_exit",
    "sys_delete_module",
    "sys_finit_module",
    "sys_init_module",
    "sys_mount",
    "sysfs_teardown",
    "umh_exec",
    "umh_exec_ret",
    "unformed",
];

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// The line without blanks around it.
    pub text: String,
    /// The command of the process.
    pub command: String,
    /// The process.
    pub pid: u32,
    /// What happened.
    pub what: What,
}

/// What a line says. Events of the module tracepoints, of sched, of system calls, and of the probes
/// that `tools/real-kernel` sets, by the names that it gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The tracer lost events here.
    Lost,
    /// An event that says nothing about modules.
    Unrelated,
    /// `sched_process_exec`.
    Exec {
        /// The file that is run.
        file: String,
    },
    /// `sched_process_exit`.
    Exit,
    /// `get_fs_type()` is called.
    GetFsType {
        /// The file system.
        fs: String,
    },
    /// `__request_module()` is called.
    RequestModule,
    /// Tracepoint `module_request`.
    ModuleRequest {
        /// The requested name.
        name: String,
        /// Whether the caller waits for modprobe.
        wait: bool,
    },
    /// `call_usermodehelper_exec()` is called.
    Helper {
        /// The helper.
        path: String,
        /// Its third argument: what modprobe is asked for.
        name: String,
    },
    /// `call_usermodehelper_exec()` returns.
    HelperReturns(i32),
    /// `__request_module()` returns.
    RequestReturns {
        /// This.
        ret: i32,
        /// To `get_fs_type()`, as far as the probe says where to.
        to_get_fs_type: bool,
    },
    /// `mount()` returns.
    MountReturns(i32),
    /// `finit_module()` or `init_module()` is called.
    Finit {
        /// `init_module()`.
        from_memory: bool,
    },
    /// `idempotent_init_module()` is called, of this module's file.
    FinitFile(String),
    /// It returns.
    FinitReturns(i32),
    /// `load_module()` is called.
    LoadModule,
    /// It returns.
    LoadModuleReturns(i32),
    /// `mod_tree_insert()` of a module that is UNFORMED.
    Listed(String),
    /// `finished_loading()` is called.
    FinishedLoading(String),
    /// It returns.
    FinishedLoadingReturns(bool),
    /// Tracepoint `module_get`.
    Get {
        /// The module of which a reference is taken.
        module: String,
        /// By which function.
        site: String,
    },
    /// Tracepoint `module_put`.
    Put {
        /// The module of which a reference is given back.
        module: String,
        /// By which function.
        site: String,
    },
    /// The module notifiers are called.
    Notified {
        /// The module.
        module: String,
        /// The state that they are told: 0 LIVE, 1 COMING, 2 GOING.
        state: i32,
    },
    /// `mod_sysfs_setup()` is called.
    SysfsSetup(String),
    /// It returns.
    SysfsSetupReturns(i32),
    /// `sysfs_create_dir_ns()` of a directory below /sys/module is called.
    MakesDirectory(String),
    /// `sysfs_create_file_ns()` of an initstate is called.
    MakesInitstate(String),
    /// `read()` of an initstate says that there is no such file any more. The module in `tools/real-kernel/steer`
    /// writes it, which no probe could.
    InitstateGone(String),
    /// `read()` of an initstate gives what it says. Of the same module.
    InitstateRead(String),
    /// The module that is being loaded, or freed, is on the list and UNFORMED. Of the same module.
    Unformed(String),
    /// Tracepoint `module_load`.
    Loaded(String),
    /// `do_init_module()` is called.
    DoInit(String),
    /// It returns.
    DoInitReturns(i32),
    /// `register_filesystem()` is called.
    Registers {
        /// The file system.
        fs: String,
    },
    /// `free_module()` is called.
    FreeModule(String),
    /// Tracepoint `module_free`.
    Freed(String),
    /// `mod_sysfs_teardown()` is called.
    SysfsTeardown(String),
    /// `delete_module()` is called; of which module, if a probe says it.
    DeleteModule(Option<String>),
    /// It returns.
    DeleteModuleReturns(i32),
}

/// Reads `text`, the content of `file`; the events that `without` names are taken for unrelated.
///
/// # Errors
/// A line that is none of tracefs, or an event of ours without a field that it must have.
pub fn parse(file: &str, text: &str, without: &[String]) -> Result<Vec<Line>, FtraceError> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let heading = ["#", "cpus=", "version ="].iter().any(|begins| line.starts_with(begins));
        if line.is_empty() || heading {
            continue;
        }
        let error = |found: &str, expected: &str| FtraceError::Line {
            file: file.to_owned(),
            line: index + 1,
            found: shortened(found),
            expected: expected.to_owned(),
        };
        lines.push(parse_line(index + 1, line, without, &error)?);
    }
    Ok(lines)
}

/// Enough of a line to recognise it.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

type Error<'e> = &'e dyn Fn(&str, &str) -> FtraceError;

fn parse_line(
    number: usize,
    line: &str,
    without: &[String],
    error: Error<'_>,
) -> Result<Line, FtraceError> {
    let whole = |command: &str, pid, what| Line {
        number,
        text: line.to_owned(),
        command: command.to_owned(),
        pid,
        what,
    };
    let lost =
        line.starts_with("CPU:") && (line.contains("[LOST") || line.ends_with("EVENTS DROPPED]"));
    if lost || line.contains(": PERF_RECORD_LOST") {
        return Ok(whole("", 0, What::Lost));
    }
    let shape = "a line of tracefs, 'TASK-PID [CPU] FLAGS TIME: EVENT: ...', of `trace-cmd report` or of `perf script`";
    // The command may contain blanks, brackets and dashes; the first '[' with digits and ']' is the
    // CPU, and what comes right before it the process.
    let (before, _, after) = split_at_cpu(line).ok_or_else(|| error(line, shape))?;
    // With the option record-tgid, the thread group's leader in parentheses comes in between.
    let before = match before.rfind('(') {
        Some(at) if before.ends_with(')') => before[..at].trim_end(),
        _ => before,
    };
    let (command, pid) = task(before).ok_or_else(|| error(line, shape))?;
    // Flags may be off (option irq-info); the time ends in a colon.
    let (time, rest) = after.split_once(": ").ok_or_else(|| error(line, shape))?;
    let time = time.split_whitespace().next_back().unwrap_or("");
    if time.is_empty() || !time.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(error(line, shape));
    }
    let rest = rest.trim_start();
    let (event, fields) = match rest.split_once(": ") {
        // What has no fields ends in the colon.
        None if rest.ends_with(':') && !rest.contains([' ', '(']) => (&rest[..rest.len() - 1], ""),
        Some((event, fields)) if !event.contains([' ', '(']) => (event, fields),
        // A system call's name is followed by its arguments or by ' -> '.
        _ => {
            let end = rest.find(['(', ' ', ':']).unwrap_or(rest.len());
            rest.split_at(end)
        }
    };
    // perf writes the event's group before it.
    let event = event.rsplit(':').next().unwrap_or(event);
    let (event, fields) = system_call(event, fields);
    let what = match without.iter().any(|name| *name == event) {
        true => What::Unrelated,
        false => what(&event, &fields, error)?,
    };
    Ok(whole(command.trim(), pid, what))
}

/// Command and process, as `TASK-PID` or, in perf's way, as `TASK PID` or `TASK PID/TID`.
fn task(before: &str) -> Option<(&str, u32)> {
    let joined = before.rsplit_once('-').and_then(|(task, pid)| Some((task, pid.parse().ok()?)));
    joined.or_else(|| {
        let (task, pid) = before.rsplit_once(char::is_whitespace)?;
        let thread = pid.rsplit('/').next()?;
        Some((task.trim_end(), thread.parse().ok()?))
    })
}

/// What tracefs writes as `sys_NAME(...)` and `sys_NAME -> RESULT`, the others write as the events `sys_enter_NAME` and
/// `sys_exit_NAME`.
fn system_call<'l>(event: &'l str, fields: &'l str) -> (Cow<'l, str>, Cow<'l, str>) {
    if let Some(name) = event.strip_prefix("sys_enter_") {
        (Cow::Owned(format!("sys_{name}")), Cow::Borrowed(fields))
    } else if let Some(name) = event.strip_prefix("sys_exit_") {
        (Cow::Owned(format!("sys_{name}")), Cow::Owned(format!("-> {}", fields.trim_start())))
    } else {
        (Cow::Borrowed(event), Cow::Borrowed(fields))
    }
}

/// The CPU of a line of tracefs; none of a comment, or of what is no such line.
pub fn cpu_of(line: &str) -> Option<u32> {
    let (_, cpu, _) = split_at_cpu(line)?;
    if line.starts_with('#') { None } else { cpu.parse().ok() }
}

/// What comes before the CPU, the CPU, and what comes after it.
fn split_at_cpu(line: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = line[from..].find(" [") {
        let open = from + open;
        let close = open + line[open..].find(']')?;
        let inside = &line[open + 2..close];
        // A command may be called so, too: before the CPU stands a process's number, or its leader's in parentheses.
        let after_a_process =
            line[..open].trim_end().ends_with(|c: char| c.is_ascii_digit() || c == ')');
        if after_a_process && !inside.is_empty() && inside.bytes().all(|b| b.is_ascii_digit()) {
            return Some((line[..open].trim(), inside, &line[close + 1..]));
        }
        from = open + 2;
    }
    None
}

/// The fields of one event.
struct Fields<'f> {
    event: &'f str,
    text: &'f str,
    error: Error<'f>,
}

impl<'f> Fields<'f> {
    /// What follows `NAME=`, up to the next blank, or between quotation marks.
    fn raw(&self, name: &str) -> Option<&'f str> {
        let mut from = 0;
        loop {
            let at = from + self.text[from..].find(name)?;
            let after = &self.text[at + name.len()..];
            let begins = at == 0 || self.text.as_bytes()[at - 1] == b' ';
            if begins && let Some(value) = after.strip_prefix('=') {
                return Some(match value.strip_prefix('"') {
                    Some(quoted) => quoted.split('"').next().unwrap_or(""),
                    None => value.split_whitespace().next().unwrap_or(""),
                });
            }
            from = at + name.len();
        }
    }

    fn missing(&self, name: &str) -> FtraceError {
        let expected = format!("'{name}=' in an event '{}'", self.event);
        (self.error)(self.text, &expected)
    }

    fn string(&self, name: &str) -> Result<String, FtraceError> {
        let value = self.raw(name).ok_or_else(|| self.missing(name))?;
        Ok(value.to_owned())
    }

    /// A module's name; the kernel's strings have no dashes, file names may.
    fn module(&self, name: &str) -> Result<String, FtraceError> {
        Ok(self.string(name)?.replace('-', "_"))
    }

    /// The module of a file's name, `NAME.ko` or `NAME.ko.xz`.
    fn stem(&self, name: &str) -> Result<String, FtraceError> {
        let file = self.module(name)?;
        Ok(file.split('.').next().unwrap_or("").to_owned())
    }

    fn number(&self, name: &str) -> Result<i32, FtraceError> {
        let value = self.raw(name).ok_or_else(|| self.missing(name))?;
        number(value).ok_or_else(|| {
            let expected = format!("a number of 32 bits after '{name}=' in '{}'", self.event);
            (self.error)(value, &expected)
        })
    }

    /// The first word, as the module tracepoints have it.
    fn first(&self) -> Result<String, FtraceError> {
        let word = self.text.split_whitespace().next();
        word.map(str::to_owned).ok_or_else(|| {
            (self.error)(self.text, &format!("a module's name in an event '{}'", self.event))
        })
    }

    /// The result after `->`.
    fn result(&self) -> Result<i32, FtraceError> {
        let value = self.text.split("->").nth(1).unwrap_or("").trim();
        number(value).ok_or_else(|| {
            (self.error)(self.text, &format!("a number of 32 bits after '->' in '{}'", self.event))
        })
    }
}

/// Decimal, or hexadecimal as the unsigned 64-bit pattern of a negative number. Whatever is read here
/// is an `int` of the kernel.
fn number(text: &str) -> Option<i32> {
    match text.strip_prefix("0x") {
        Some(hexadecimal) => {
            let bits = u64::from_str_radix(hexadecimal, 16).ok()?;
            i32::try_from(bits.cast_signed()).ok()
        }
        None => text.parse().ok(),
    }
}

fn what(event: &str, fields: &str, error: Error<'_>) -> Result<What, FtraceError> {
    let f = Fields { event, text: fields, error };
    let returns = fields.trim_start().starts_with("->");
    Ok(match event {
        "sched_process_exec" => What::Exec { file: f.string("filename")? },
        "sched_process_exit" => What::Exit,
        "get_fs_type" => What::GetFsType { fs: f.string("fs")? },
        "request_module" => What::RequestModule,
        "module_request" => What::ModuleRequest { name: f.first()?, wait: f.number("wait")? != 0 },
        "umh_exec" => What::Helper { path: f.string("path")?, name: f.string("argv3")? },
        "umh_exec_ret" => What::HelperReturns(f.number("ret")?),
        "request_module_ret" => What::RequestReturns {
            ret: f.number("ret")?,
            to_get_fs_type: fields.trim_start().starts_with("(get_fs_type+"),
        },
        "sys_mount" if returns => What::MountReturns(f.result()?),
        "sys_finit_module" | "sys_init_module" if returns => What::FinitReturns(f.result()?),
        "sys_finit_module" => What::Finit { from_memory: false },
        "sys_init_module" => What::Finit { from_memory: true },
        "finit_file" => What::FinitFile(f.stem("file")?),
        "load_module" => What::LoadModule,
        "load_module_ret" => What::LoadModuleReturns(f.number("ret")?),
        "mod_tree_insert" => What::Listed(f.module("name")?),
        "finished_loading" => What::FinishedLoading(f.module("name")?),
        "finished_loading_ret" => What::FinishedLoadingReturns(f.number("ret")? & 0xff != 0),
        "module_get" => What::Get { module: f.first()?, site: f.string("call_site")? },
        "module_put" => What::Put { module: f.first()?, site: f.string("call_site")? },
        "notify" | "notify_robust" => {
            What::Notified { module: f.module("name")?, state: f.number("val")? }
        }
        "mod_sysfs_setup" => What::SysfsSetup(f.module("name")?),
        "mod_sysfs_setup_ret" => What::SysfsSetupReturns(f.number("ret")?),
        "mkdir" if f.string("parent")? == "module" => What::MakesDirectory(f.module("kobj")?),
        "mkfile" if f.string("attr")? == "initstate" => What::MakesInitstate(f.module("kobj")?),
        "initstate_read" => match f.number("ret")? {
            ret if ret == -ENODEV => What::InitstateGone(f.module("name")?),
            1.. => What::InitstateRead(f.module("name")?),
            _ => What::Unrelated,
        },
        "unformed" => What::Unformed(f.module("name")?),
        "module_load" => What::Loaded(f.first()?),
        "do_init" => What::DoInit(f.module("name")?),
        "do_init_ret" => What::DoInitReturns(f.number("ret")?),
        "register_fs" => What::Registers { fs: f.string("fs")? },
        "free_module" => What::FreeModule(f.module("name")?),
        "module_free" => What::Freed(f.first()?),
        "sysfs_teardown" => What::SysfsTeardown(f.module("name")?),
        "delete_module" => What::DeleteModule(Some(f.module("name")?)),
        "sys_delete_module" if returns => What::DeleteModuleReturns(f.result()?),
        "sys_delete_module" => What::DeleteModule(None),
        _ => What::Unrelated,
    })
}
