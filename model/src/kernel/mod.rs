//! The kernel's side, file by file as in the kernel: `kmod` (kernel/kmod.c), `module`
//! (kernel/module.c), `filesystems` (fs/filesystems.c), and `check`, the RFC's check after modprobe.

pub(crate) mod check;
pub(crate) mod filesystems;
pub(crate) mod kmod;
pub(crate) mod module;

use crate::mutant::Mutant;
use crate::state::Pc;

/// The order of loading, as others can see it (`load_module()`, `do_init_module()`).
pub const LOAD_ORDER: [Pc; 8] = [
    Pc::AddUnformed,
    Pc::Resolve,
    Pc::CompleteFormation,
    Pc::SysfsInit,
    Pc::AddModinfoAttrs,
    Pc::Init,
    Pc::SetLive,
    Pc::WakeLive,
];

/// The order after a failed init (`do_init_module()`'s error path, `free_module()`).
pub const FREE_ORDER: [Pc; 6] = [
    Pc::SetGoing,
    Pc::RemoveModinfoAttrs,
    Pc::SysfsFini,
    Pc::SetUnformed,
    Pc::ListDel,
    Pc::WakeFreed,
];

/// Both orders, as a mutant may have them.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub load: [Pc; 8],
    pub free: [Pc; 6],
}

impl Orders {
    pub fn new(mutant: Option<Mutant>) -> Self {
        let (mut load, mut free) = (LOAD_ORDER, FREE_ORDER);
        match mutant {
            Some(Mutant::SwapLoad(i)) => load.swap(usize::from(i), usize::from(i) + 1),
            Some(Mutant::SwapFree(i)) => free.swap(usize::from(i), usize::from(i) + 1),
            _ => {}
        }
        Self { load, free }
    }
}

/// What follows `pc` in `order`.
pub(crate) fn after(order: &[Pc], pc: Pc) -> Option<Pc> {
    let at = order.iter().position(|p| *p == pc).expect("the place is in its order");
    order.get(at + 1).copied()
}
