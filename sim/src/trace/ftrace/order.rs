//! The order in which one process comes past the probes: the kernel's own text, as far as it is
//! probed. A line that is missing, or out of its place within its process, is seen here; everything
//! between processes is the model's to decide.

use std::collections::BTreeSet;

use super::parse::What;

/// A place in the kernel's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// In no call.
    #[default]
    Outside,
    GetFsType,
    Request,
    Requested,
    StartsHelper,
    HelperReturns,
    RequestReturns,
    Pinned,
    MountReturns,
    Finit,
    LoadModule,
    Tests,
    Tested,
    Listed,
    Resolved,
    Coming,
    SysfsSetup,
    MakesDirectory,
    MakesInitstate,
    SysfsReturns,
    SetUp,
    Inits,
    Registers,
    Live,
    DropsInitial,
    InitReturns,
    LoadReturns,
    FinitReturns,
    Delete,
    Going,
    Frees,
    Freed,
    TearsDown,
    GivesBack,
    DeleteReturns,
    Exit,
}

impl Place {
    /// Where a line is; `None`: nowhere that has an order.
    pub fn of(what: &What) -> Option<Self> {
        Some(match what {
            What::Lost | What::Unrelated | What::Exec { .. } => return None,
            What::Exit => Self::Exit,
            What::GetFsType { .. } => Self::GetFsType,
            What::RequestModule => Self::Request,
            What::ModuleRequest { .. } => Self::Requested,
            What::Helper { .. } => Self::StartsHelper,
            What::HelperReturns(_) => Self::HelperReturns,
            What::RequestReturns { .. } => Self::RequestReturns,
            What::MountReturns(_) => Self::MountReturns,
            What::FinitFile(_)
            | What::InitstateGone(_)
            | What::InitstateRead(_)
            | What::Unformed(_) => return None,
            What::Finit { .. } => Self::Finit,
            What::FinitReturns(_) => Self::FinitReturns,
            What::LoadModule => Self::LoadModule,
            What::LoadModuleReturns(_) => Self::LoadReturns,
            What::Listed(_) => Self::Listed,
            What::FinishedLoading(_) => Self::Tests,
            What::FinishedLoadingReturns(_) => Self::Tested,
            What::Get { site, .. } => match site.as_str() {
                "resolve_symbol" | "ref_module" => Self::Resolved,
                "__get_fs_type" => Self::Pinned,
                _ => return None,
            },
            What::Put { site, .. } => match site.as_str() {
                "do_init_module" => Self::DropsInitial,
                "module_unload_free" => Self::GivesBack,
                _ => return None,
            },
            What::Notified { state, .. } => match state {
                0 => Self::Live,
                1 => Self::Coming,
                2 => Self::Going,
                _ => return None,
            },
            What::SysfsSetup(_) => Self::SysfsSetup,
            What::SysfsSetupReturns(_) => Self::SysfsReturns,
            What::MakesDirectory(_) => Self::MakesDirectory,
            What::MakesInitstate(_) => Self::MakesInitstate,
            What::Loaded(_) => Self::SetUp,
            What::DoInit(_) => Self::Inits,
            What::DoInitReturns(_) => Self::InitReturns,
            What::Registers { .. } => Self::Registers,
            What::FreeModule(_) => Self::Frees,
            What::Freed(_) => Self::Freed,
            What::SysfsTeardown(_) => Self::TearsDown,
            What::DeleteModule(_) => Self::Delete,
            What::DeleteModuleReturns(_) => Self::DeleteReturns,
        })
    }

    /// What may come right before it in the same process. Everything is of kernel/module/main.c and
    /// kernel/module/kmod.c of v6.1, fs/filesystems.c and fs/namespace.c.
    fn after(self) -> &'static [Self] {
        use Place::*;
        match self {
            Outside => &[],
            // `mount()` looks its file system up at most once; other callers come from anywhere.
            GetFsType | Delete | Finit => {
                &[Outside, MountReturns, FinitReturns, DeleteReturns, RequestReturns]
            }
            // A module's init may request a module, and so may `mount()` once it has its file system.
            Request => {
                &[Outside, GetFsType, Pinned, RequestReturns, FinitReturns, Inits, Registers]
            }
            Requested => &[Request],
            StartsHelper => &[Requested],
            HelperReturns => &[StartsHelper],
            RequestReturns => &[HelperReturns, Request],
            Pinned => &[RequestReturns, GetFsType],
            MountReturns => &[Outside, RequestReturns, Pinned, GetFsType],
            LoadModule => &[Finit],
            Tests => &[LoadModule, Tested],
            Tested => &[Tests],
            Listed => &[LoadModule, Tested],
            Resolved => &[Listed, Resolved],
            Coming => &[Listed, Resolved],
            SysfsSetup => &[Coming],
            MakesDirectory => &[SysfsSetup],
            MakesInitstate => &[MakesDirectory],
            SysfsReturns => &[MakesInitstate, MakesDirectory, SysfsSetup],
            SetUp => &[SysfsReturns],
            Inits => &[SetUp],
            Registers => &[Inits, Registers, RequestReturns],
            Live => &[Inits, Registers, RequestReturns],
            // The error path drops it, too.
            DropsInitial => &[Live, Inits, Registers, RequestReturns],
            InitReturns => &[DropsInitial, TearsDown, GivesBack],
            LoadReturns => &[
                InitReturns,
                Tested,
                LoadModule,
                Listed,
                Resolved,
                Coming,
                SysfsReturns,
                Going,
                GivesBack,
            ],
            FinitReturns => &[LoadReturns, Finit],
            Going => &[Delete, DropsInitial, Coming, SysfsReturns],
            Frees => &[Going],
            Freed => &[Frees],
            TearsDown => &[Freed],
            GivesBack => &[TearsDown, GivesBack, Going, Listed, Resolved],
            DeleteReturns => &[Delete, TearsDown, GivesBack],
            Exit => &[Outside, MountReturns, FinitReturns, DeleteReturns, RequestReturns],
        }
    }

    /// Whether a process that was last seen at `before` can be seen here next, where only the places
    /// of `probed` are seen at all.
    pub fn follows(self, before: Self, probed: &BTreeSet<Self>) -> bool {
        let mut open = vec![self];
        let mut seen = BTreeSet::new();
        while let Some(place) = open.pop() {
            for previous in place.after() {
                if *previous == before {
                    return true;
                }
                // What nobody would have seen may have been passed.
                if *previous != Self::Outside
                    && !probed.contains(previous)
                    && seen.insert(*previous)
                {
                    open.push(*previous);
                }
            }
        }
        false
    }
}
