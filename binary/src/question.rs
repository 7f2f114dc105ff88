//! What a program asks of the kernel's modules, and what it can be answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is below `/sys/module/NAME`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// The directory itself.
    Directory,
    /// What says `live`, `coming` or `going`.
    Initstate,
    /// How many use it.
    Refcnt,
    /// The directory of the modules that use it.
    Holders,
}

impl Entry {
    /// Its path below the directory, with the slash before it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Directory => "",
            Self::Initstate => "/initstate",
            Self::Refcnt => "/refcnt",
            Self::Holders => "/holders",
        }
    }
}

/// By which system call a module is inserted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Insertion {
    /// `finit_module()`.
    Finit,
    /// `init_module()`.
    Init,
}

/// A system call that touches the kernel's modules, or the end.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// `stat()`, `access()` and their like: whether it is there.
    Stat {
        /// The module's name, as it was asked for.
        module: String,
        /// What of it.
        entry: Entry,
    },
    /// `open()`: whether it is there; what is opened stays what it is.
    Open {
        /// The module's name.
        module: String,
        /// What of it.
        entry: Entry,
    },
    /// The first `read()` of an open attribute: what it says.
    Read {
        /// The module's name.
        module: String,
        /// What of it.
        entry: Entry,
    },
    /// `read()` at the end of an open attribute: whether that can still be read.
    ReadEnd {
        /// The module's name.
        module: String,
        /// What of it.
        entry: Entry,
    },
    /// The first `read()` of `/proc/modules`, which shows all of it.
    List,
    /// `finit_module()` or `init_module()`.
    Insert {
        /// The name of the module behind the descriptor, or in the bytes.
        module: String,
        /// Which of them.
        by: Insertion,
        /// `finit_module()`'s flags.
        flags: u32,
        /// The module's parameters.
        options: String,
    },
    /// `delete_module()`.
    Remove {
        /// The module's name.
        module: String,
        /// `O_NONBLOCK` and `O_TRUNC`.
        flags: u32,
    },
    /// It sleeps for so long, in nanoseconds: others go on.
    Sleep {
        /// How long.
        nanoseconds: u64,
    },
    /// It has exited.
    Exit {
        /// Its status.
        status: i32,
    },
    /// It has died of a signal.
    Died {
        /// Its number.
        signal: i32,
    },
}

/// What `initstate` and `/proc/modules` can say.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// `live`; `Live` in the list.
    Live,
    /// `coming`; `Loading`.
    Coming,
    /// `going`; `Unloading`.
    Going,
}

impl State {
    /// In the order in which answers are tried.
    pub const ALL: [Self; 3] = [Self::Live, Self::Coming, Self::Going];

    /// As `initstate` says it.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Coming => "coming",
            Self::Going => "going",
        }
    }

    /// As `/proc/modules` says it.
    #[must_use]
    pub fn listed(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Coming => "Loading",
            Self::Going => "Unloading",
        }
    }
}

/// What the modelled kernel says.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// It is there; the call has succeeded; the sleep is over.
    Yes,
    /// `ENOENT`.
    Absent,
    /// What `initstate` says.
    State(State),
    /// What `refcnt` says.
    Count(u32),
    /// The attribute was removed since it was opened: `ENODEV`.
    Gone,
    /// What `/proc/modules` shows: each module that is listed.
    Listed(Vec<(String, State)>),
    /// The error of an insertion or removal.
    Error(i32),
}

/// The errors by which the modelled kernel refuses an insertion. `EEXIST` comes first: to it programs have answers of
/// their own.
pub const INSERT_ERRORS: [i32; 9] = [
    nix::libc::EEXIST,
    nix::libc::EBUSY,
    nix::libc::ENOENT,
    nix::libc::EINVAL,
    nix::libc::ENOEXEC,
    nix::libc::EPERM,
    nix::libc::EINTR,
    nix::libc::ENODEV,
    nix::libc::ENOMEM,
];

/// The errors by which the modelled kernel refuses a removal.
pub const REMOVE_ERRORS: [i32; 5] = [
    nix::libc::ENOENT,
    nix::libc::EWOULDBLOCK,
    nix::libc::EBUSY,
    nix::libc::EINTR,
    nix::libc::EPERM,
];

impl Question {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_an_end(&self) -> bool {
        matches!(self, Self::Exit { .. } | Self::Died { .. })
    }

    /// The module it is about.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        match self {
            Self::Stat { module, .. }
            | Self::Open { module, .. }
            | Self::Read { module, .. }
            | Self::ReadEnd { module, .. }
            | Self::Insert { module, .. }
            | Self::Remove { module, .. } => Some(module),
            Self::List | Self::Sleep { .. } | Self::Exit { .. } | Self::Died { .. } => None,
        }
    }

    /// Every answer that the modelled kernel can give, whatever it was before. `listed`: the modules that may be in
    /// `/proc/modules`.
    #[must_use]
    pub fn answers(&self, listed: &[String]) -> Vec<Answer> {
        let there = vec![Answer::Absent, Answer::Yes];
        let errors = |errors: &[i32]| {
            std::iter::once(Answer::Yes).chain(errors.iter().map(|e| Answer::Error(*e))).collect()
        };
        match self {
            Self::Stat { .. } | Self::Open { .. } => there,
            Self::Read { entry: Entry::Refcnt, .. } => {
                vec![Answer::Count(0), Answer::Count(1), Answer::Gone]
            }
            Self::Read { .. } => {
                let states = State::ALL.map(Answer::State);
                states.into_iter().chain([Answer::Gone]).collect()
            }
            Self::ReadEnd { .. } => vec![Answer::Yes, Answer::Gone],
            Self::List => lists(listed).into_iter().map(Answer::Listed).collect(),
            Self::Insert { .. } => errors(&INSERT_ERRORS),
            Self::Remove { .. } => errors(&REMOVE_ERRORS),
            Self::Sleep { .. } => vec![Answer::Yes],
            Self::Exit { .. } | Self::Died { .. } => Vec::new(),
        }
    }
}

/// Everything that can be listed of these modules.
fn lists(modules: &[String]) -> Vec<Vec<(String, State)>> {
    let mut all = vec![Vec::new()];
    for module in modules {
        let mut more = Vec::with_capacity(all.len() * 4);
        for list in all {
            for state in State::ALL {
                let mut with = list.clone();
                with.push((module.clone(), state));
                more.push(with);
            }
            more.push(list);
        }
        all = more;
    }
    all
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stat { module, entry } => write!(f, "stat /sys/module/{module}{}", entry.path()),
            Self::Open { module, entry } => write!(f, "open /sys/module/{module}{}", entry.path()),
            Self::Read { module, entry } => write!(f, "read /sys/module/{module}{}", entry.path()),
            Self::ReadEnd { module, entry } => {
                write!(f, "read /sys/module/{module}{} to its end", entry.path())
            }
            Self::List => write!(f, "read /proc/modules"),
            Self::Insert { module, by, flags, options } => {
                let call = if *by == Insertion::Finit { "finit_module" } else { "init_module" };
                write!(f, "{call}({module})")?;
                if *flags != 0 {
                    write!(f, " with flags {flags}")?;
                }
                if options.is_empty() { Ok(()) } else { write!(f, " with \"{options}\"") }
            }
            Self::Remove { module, flags } => {
                write!(f, "delete_module({module}) with flags {flags:#x}")
            }
            Self::Sleep { nanoseconds } => write!(f, "sleep {} ms", nanoseconds / 1_000_000),
            Self::Exit { status } => write!(f, "exit {status}"),
            Self::Died { signal } => write!(f, "death by signal {signal}"),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Yes => write!(f, "yes"),
            Self::Absent => write!(f, "ENOENT"),
            Self::State(state) => write!(f, "{}", state.attribute()),
            Self::Count(count) => write!(f, "{count}"),
            Self::Gone => write!(f, "ENODEV"),
            Self::Error(error) => write!(f, "{:?}", nix::errno::Errno::from_raw(*error)),
            Self::Listed(list) if list.is_empty() => write!(f, "nothing"),
            Self::Listed(list) => {
                let words = list.iter().map(|(name, state)| format!("{name} {}", state.listed()));
                write!(f, "{}", words.collect::<Vec<_>>().join(", "))
            }
        }
    }
}
