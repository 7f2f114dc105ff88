//! What can be typed of `modprobe`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::flags::Learning;

#[derive(Debug, Args)]
pub(crate) struct Modprobe {
    /// What is wanted.
    #[arg(value_enum)]
    pub what: What,

    /// One program to learn, two to compare: 'PATH ARGS', called as the kernel calls modprobe (PATH ARGS -q -- NAME);
    /// KEY=VALUE before PATH is of its environment. To compare, one may be a release of kmod (v30, busybox), which is
    /// the modelled one.
    #[arg(value_name = "PROGRAM", required = true, num_args = 1..=2, value_hint = ValueHint::CommandString)]
    pub programs: Vec<String>,

    /// Directory with modules.dep, modules.alias, modules.softdep and modules.builtin; its name is the kernel's release.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub modules: PathBuf,

    /// modprobe is called for fs-FS.
    #[arg(long, value_name = "FS", required_unless_present = "module", conflicts_with = "module")]
    pub fs: Option<String>,

    /// modprobe is called for NAME.
    #[arg(long, value_name = "NAME")]
    pub module: Option<String>,

    /// What is in /etc/modprobe.d; nothing unless given.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub config: Option<PathBuf>,

    /// What programs have for /: their libraries and their configuration. This machine's libraries and no configuration
    /// unless given.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "config")]
    pub root: Option<PathBuf>,

    #[command(flatten)]
    pub flags: Learning,
}

/// What is wanted of programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Print what a program asks and does, whatever it is answered.
    Learn,
    /// Say whether two ask and do the same, or the shortest history on which they part.
    Compare,
}
