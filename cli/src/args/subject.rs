//! What a command is about, typed in one way for all of them.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use kmodcheck_model::builtin::{Environment, Naming};

use super::values::{Kernel, Kmod, any_kernel, any_kmod, environment, naming, setting, switch};

/// A system, or a run of one, and what is changed in it.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// FILE: a scenario (TOML or JSON), a saved trace, a recorded one or a witness; `-` for standard input; or `race`, or a cell of
    /// the main matrix ('fs-ext4 ok v19 none none'). In its place: --modules DIR, or --env E.
    #[arg(value_name = "SUBJECT", value_hint = ValueHint::FilePath)]
    pub subject: Option<String>,

    #[command(flatten)]
    pub system: System,

    #[command(flatten)]
    pub callers: Callers,
}

/// Systems, and what is changed in them.
#[derive(Debug, Args)]
pub(crate) struct Subjects {
    /// FILE: a scenario (TOML or JSON), a saved trace, a recorded one, a witness or a litmus test; `-` for standard input; or DIR:
    /// all scenarios (*.toml) and litmus tests in it; or `race`, or a cell of the main matrix ('fs-ext4 ok v19 none none'). Several
    /// may be given. In their place: --modules DIR, or --env E.
    #[arg(id = "subject", value_name = "SUBJECT", value_hint = ValueHint::AnyPath)]
    pub subjects: Vec<String>,

    #[command(flatten)]
    pub system: System,

    #[command(flatten)]
    pub callers: Callers,
}

/// What may stand in place of a SUBJECT or beside it.
#[derive(Debug, Args)]
pub(crate) struct System {
    #[command(flatten)]
    pub indexes: Indexes,

    #[command(flatten)]
    pub cell: Cell,

    #[command(flatten)]
    pub releases: Releases,

    #[command(flatten)]
    pub changes: Changes,
}

/// A name, resolved through the indexes of a real kernel.
#[derive(Debug, Args)]
pub(crate) struct Indexes {
    /// Directory with modules.dep, modules.alias, modules.softdep and modules.builtin; with --fs or
    /// --module.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["subject", "env", "naming"])]
    pub modules: Option<PathBuf>,

    /// Callers call get_fs_type(FS), which requests fs-FS.
    #[arg(long, value_name = "FS", requires = "modules", conflicts_with_all = ["module", "subject", "env", "naming"])]
    pub fs: Option<String>,

    /// Callers call request_module(NAME).
    #[arg(long, value_name = "NAME", requires = "modules", conflicts_with_all = ["subject", "env", "naming"])]
    pub module: Option<String>,

    /// Every init may fail, at every attempt.
    #[arg(long, requires = "modules", conflicts_with_all = ["subject", "env", "naming"])]
    pub init_may_fail: bool,

    #[command(flatten)]
    pub configured: Configured,
}

/// What modprobe's administrator says.
#[derive(Clone, Debug, Args)]
pub(crate) struct Configured {
    /// modprobe's configuration, as `modprobe -C` takes it. Unless given, that of the root which the modules are of:
    /// etc/modprobe.d and the others beside its lib/modules.
    #[arg(long, value_name = "DIR|FILE", value_hint = ValueHint::AnyPath, requires = "modules", conflicts_with_all = ["subject", "env", "naming"])]
    pub config: Option<PathBuf>,

    /// No configuration, whatever the root has.
    #[arg(long, requires = "modules", conflicts_with_all = ["subject", "env", "naming", "config", "cmdline"])]
    pub no_config: bool,

    /// The kernel's command line, for modprobe.blacklist= and module_blacklist=. Unless given, that of the kernel that
    /// runs, if the modules are its own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "modules", conflicts_with_all = ["subject", "env", "naming"])]
    pub cmdline: Option<PathBuf>,
}

/// A cell of the grand matrix, with its releases.
#[derive(Debug, Args)]
pub(crate) struct Cell {
    /// A built-in system with this environment; with --kernel, --kmod and --naming.
    #[arg(long, value_parser = environment(), conflicts_with = "subject")]
    pub env: Option<Environment>,

    /// How a built-in system's callers ask: fs-module unless given.
    #[arg(long, value_parser = naming(), conflicts_with = "subject")]
    pub naming: Option<Naming>,
}

/// The releases in place of the subject's own.
#[derive(Debug, Args)]
pub(crate) struct Releases {
    /// Kernel: a preset, or any release, as people write it or `uname -r` says it; the subject's, or v4.9, unless
    /// given.
    #[arg(long, value_parser = any_kernel())]
    pub kernel: Option<Kernel>,

    /// What modprobe is: a kmod preset, any release of kmod, or busybox-N.M; the subject's, or v19, unless given.
    #[arg(long, visible_alias = "modprobe-is", value_parser = any_kmod())]
    pub kmod: Option<Kmod>,
}

/// What is changed in the subject.
#[derive(Clone, Debug, Args)]
pub(crate) struct Changes {
    /// Set a switch, after the presets and the file; `kmodcheck features` lists them. May be given
    /// several times.
    #[arg(long, value_name = "SWITCH[=VALUE]", value_parser = setting(), hide_possible_values = true)]
    pub with: Vec<String>,

    /// Give a switch its oldest value. May be given several times.
    #[arg(long, value_name = "SWITCH", value_parser = switch(), hide_possible_values = true)]
    pub without: Vec<String>,

    /// The same as --with alias-map=MAP.
    #[arg(long, hide = true, value_name = "MAP", value_parser = ["none", "prefix", "exact"])]
    pub alias_map: Option<String>,

    /// How many requests may run at a time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub limit: Option<u8>,

    /// Waits with a time limit may end by it.
    #[arg(long)]
    pub timeouts: bool,

    /// Apply a unified diff to the texts of the kernel's functions (`kmodcheck text` prints them). May be
    /// given several times.
    #[arg(long, value_name = "DIFF", value_hint = ValueHint::FilePath)]
    pub patch: Vec<PathBuf>,

    /// The texts as this directory has them, in the place of those that are shipped (`kmodcheck text --out`).
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub text: Option<PathBuf>,

    #[command(flatten)]
    pub binary: Binary,
}

/// A program in place of the release's modprobe.
#[derive(Clone, Debug, Args)]
pub(crate) struct Binary {
    /// A program in place of the release's modprobe, as it is: it is run with its system calls held, for every answer.
    /// Called as the kernel calls modprobe: PATH ARGS -q -- NAME. KEY=VALUE before PATH is of its environment.
    #[arg(long, value_name = "'PATH ARGS'", value_hint = ValueHint::CommandString)]
    pub modprobe: Option<String>,

    /// What that program has for /: its libraries and its configuration. This machine's libraries and no configuration
    /// unless given.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "modprobe")]
    pub root: Option<PathBuf>,
}

impl Changes {
    /// Whether texts are others than those that are shipped.
    pub(crate) fn patches(&self) -> bool {
        !self.patch.is_empty() || self.text.is_some()
    }
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Callers {
    /// Callers of a built-in system or with --modules, all asking for the same name; 2 unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub callers: Option<u8>,
}
