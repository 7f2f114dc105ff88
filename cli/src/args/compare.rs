//! Arguments of `compare`.

use clap::{Args, ValueHint};

use super::flags::{All, Width};
use super::subject::{Callers, Cell, Changes, Indexes};
use super::values::{Kernel, Kmod, any_kernel, any_kmod};

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// FILE: a scenario (TOML or JSON), a saved trace, a recorded one or a witness; or `race`, or a cell of
    /// the main matrix ('fs-ext4 ok v19 none none'). In its place: --modules DIR, or --env E.
    #[arg(value_name = "SUBJECT", value_hint = ValueHint::FilePath)]
    pub subject: Option<String>,

    #[command(flatten)]
    pub indexes: Indexes,

    #[command(flatten)]
    pub cell: Cell,

    #[command(flatten)]
    pub callers: Callers,

    /// Kernel; given twice, before and after; once with --patch.
    #[arg(long, value_parser = any_kernel())]
    pub kernel: Vec<Kernel>,

    /// kmod release; given twice, before and after.
    #[arg(long, value_parser = any_kmod())]
    pub kmod: Vec<Kmod>,

    #[command(flatten)]
    pub changes: Changes,

    #[command(flatten)]
    pub width: Width,

    #[command(flatten)]
    pub flags: All,
}
