//! The kernel's side, file by file as in the kernel: `kmod` (kernel/kmod.c), `dups`
//! (kernel/module/dups.c), `module` (kernel/module/main.c), `params` (kernel/params.c), `filesystems`
//! (fs/filesystems.c), and `check`, the RFC's check after modprobe.

pub(crate) mod check;
pub(crate) mod dups;
pub(crate) mod filesystems;
pub(crate) mod kmod;
pub(crate) mod module;
pub(crate) mod params;
pub(crate) mod program;

use crate::model::Step;
use crate::mutant::Mutant;
use crate::scenario::Scenario;
use crate::state::Pc;
use crate::text::{OrderRules, Part};
use crate::userspace::modprobe;

/// The order of loading, as others can see it (`load_module()`, `do_init_module()`). Where the
/// scenario needs them, `Orders` adds the uevent, init's own request and the initial reference.
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

/// The order after a failed init (`do_init_module()`'s error path, `free_module()`). Where the
/// scenario needs it, `Orders` adds the references on dependencies.
pub const FREE_ORDER: [Pc; 6] = [
    Pc::SetGoing,
    Pc::RemoveModinfoAttrs,
    Pc::SysfsFini,
    Pc::SetUnformed,
    Pc::ListDel,
    Pc::WakeFreed,
];

/// Both orders, as the scenario needs them and a mutant may have them.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub load: Vec<Pc>,
    pub free: Vec<Pc>,
    /// Whether freeing after an init that has failed wakes.
    pub failure_wakes: bool,
}

impl Orders {
    pub fn new(scenario: &Scenario, mutant: Option<Mutant>) -> Self {
        let OrderRules { load, free, failure_wakes } = scenario.order_rules();
        let swapped = |at: u8, order: &[Pc]| (order[usize::from(at)], order[usize::from(at) + 1]);
        let (in_load, in_free) = match mutant {
            Some(Mutant::SwapLoad(at)) => (Some(swapped(at, &LOAD_ORDER)), None),
            Some(Mutant::SwapFree(at)) => (None, Some(swapped(at, &FREE_ORDER))),
            _ => (None, None),
        };
        let (mut load, mut free) =
            (order(&load, scenario, in_load), order(&free, scenario, in_free));
        if scenario.nests()
            && let Some(at) = load.iter().position(|p| *p == Pc::Init)
        {
            load.insert(at, Pc::InitRequest);
        }
        if let Some(Mutant::Swap(a, b)) = mutant {
            swap(&mut load, a, b);
            swap(&mut free, a, b);
        }
        Self { load, free, failure_wakes }
    }
}

/// The steps that every scenario has, two of them exchanged by a fault, and before what follows them those that this
/// one needs.
fn order(parts: &[Part], scenario: &Scenario, swapped: Option<(Pc, Pc)>) -> Vec<Pc> {
    let extra = |part: &Part| {
        [Part::Uevent, Part::AsyncSynchronize, Part::DropInitial, Part::UnloadFree].contains(part)
            || part.fails_at().is_some()
    };
    let mut order: Vec<Pc> =
        parts.iter().filter(|part| !extra(part)).map(|part| part.pc()).collect();
    if let Some((a, b)) = swapped {
        swap(&mut order, a, b);
    }
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| extra(part)) {
        let needed = match (part, part.fails_at()) {
            (_, Some(place)) => scenario.may_fail_at(place),
            (Part::Uevent, None) => scenario.listens(),
            (Part::AsyncSynchronize, None) => scenario.is_asynchronous(),
            (_, None) => scenario.unloads(),
        };
        if needed {
            let next = parts[at..].iter().find(|part| !extra(part)).map(|part| part.pc());
            let place = next.and_then(|next| order.iter().position(|pc| *pc == next));
            order.insert(place.unwrap_or(order.len()), part.pc());
        }
    }
    order
}

/// Exchanges two steps, where both are.
fn swap(order: &mut [Pc], a: Pc, b: Pc) {
    let place = |pc: Pc| order.iter().position(|p| *p == pc);
    if let (Some(i), Some(j)) = (place(a), place(b)) {
        order.swap(i, j);
    }
}

/// What follows `pc` in `order`.
pub(crate) fn after(order: &[Pc], pc: Pc) -> Option<Pc> {
    let at = order.iter().position(|p| *p == pc).expect("the place is in its order");
    order.get(at + 1).copied()
}

/// The function that takes the step at hand.
pub(crate) fn dispatch(step: Step<'_>) {
    match step.task.pc {
        Pc::NotStarted | Pc::Done => {}
        Pc::Program => program::step(step),
        Pc::Idle => kmod::call(step),
        Pc::LookupFirst => filesystems::lookup_first(step),
        Pc::LookupSecond => filesystems::lookup_second(step),
        Pc::PutFilesystem => filesystems::put_filesystem(step),
        Pc::RequestModule => kmod::request_module(step),
        Pc::LimitCount => kmod::limit_count(step),
        Pc::LimitLook => kmod::limit_look(step),
        Pc::LimitBack => kmod::limit_back(step),
        Pc::TakeSlot => kmod::take_slot(step),
        Pc::SlotAsleep => kmod::slot_asleep(step),
        Pc::GiveSlot => kmod::give_slot(step),
        Pc::WakeSlot => kmod::wake_slot(step),
        Pc::AlreadyLive => kmod::already_live(step),
        Pc::PreExists => kmod::pre_exists(step),
        Pc::PreFinished => kmod::pre_finished(step),
        Pc::Duplicate => dups::exists_wait(step),
        Pc::DuplicateAsleep => dups::asleep(step),
        Pc::DuplicateRead => dups::read(step),
        Pc::Announce => dups::announce(step),
        Pc::DuplicateQueue => dups::queue_delete(step),
        Pc::DuplicateComplete => dups::complete(step),
        Pc::DuplicateDelete => dups::delete(step),
        Pc::Exec => kmod::exec(step),
        Pc::Open => modprobe::open(step),
        Pc::Stat => modprobe::stat(step),
        Pc::Read => modprobe::read(step),
        Pc::ReadEnd => modprobe::read_end(step),
        Pc::ReadEndOther => modprobe::read_end_other(step),
        Pc::OpenUnknown => modprobe::open_unknown(step),
        Pc::StatUnknown => modprobe::stat_unknown(step),
        Pc::ProcModules => modprobe::proc_modules(step),
        Pc::ProcLook => modprobe::proc_look(step),
        Pc::RefcntOpen => modprobe::refcnt_open(step),
        Pc::RefcntRead => modprobe::refcnt_read(step),
        Pc::InitModule => modprobe::init_module(step),
        Pc::Install => modprobe::install_command(step),
        Pc::Idempotent => module::idempotent(step),
        Pc::IdempotentAsleep => module::idempotent_asleep(step),
        Pc::IdempotentComplete => module::idempotent_complete(step),
        Pc::EarlyCheck => module::early_mod_check(step),
        Pc::EarlyWait | Pc::AddWait => module::finished_loading(step),
        Pc::EarlyRecheck | Pc::AddRecheck => module::recheck(step),
        Pc::AddUnformed => module::add_unformed_module(step),
        Pc::EarlyAsleep | Pc::AddAsleep => module::interrupted(step),
        Pc::Resolve => module::resolve_symbol(step),
        Pc::ResolveAsleep => module::resolve_asleep(step),
        Pc::FailGoing => module::fail_going(step),
        Pc::FailUnloadFree => module::fail_unload_free(step),
        Pc::Unlink => module::unlink_mod(step),
        Pc::CompleteFormation => module::complete_formation(step),
        Pc::ComingNotifier | Pc::ParseArgs | Pc::UsageLinks | Pc::SectAttrs | Pc::Codetag => {
            module::may_fail(step)
        }
        Pc::FailRemoveAttrs => module::fail_remove_attrs(step),
        Pc::ReadOnly => module::module_enable_rodata_ro(step),
        Pc::SysfsInit => module::mod_sysfs_init(step),
        Pc::AddModinfoAttrs => module::module_add_modinfo_attrs(step),
        Pc::SysfsUndo => module::mod_sysfs_undo(step),
        Pc::Uevent => module::kobject_uevent(step),
        Pc::InitRequest => module::init_request(step),
        Pc::Init => module::do_one_initcall(step),
        Pc::Unregister => module::unregister_filesystem(step),
        Pc::SetLive => module::set_live(step),
        Pc::AsyncSynchronize | Pc::UnloadSynchronize => module::async_synchronize_full(step),
        Pc::DropInitial => module::drop_initial_reference(step),
        Pc::WakeLive => module::wake_live(step),
        Pc::SetGoing => module::set_going(step),
        Pc::RemoveModinfoAttrs => module::module_remove_modinfo_attrs(step),
        Pc::SysfsFini => module::mod_sysfs_fini(step),
        Pc::SetUnformed => module::set_unformed(step),
        Pc::UnloadFree => module::module_unload_free(step),
        Pc::ListDel => module::list_del(step),
        Pc::WakeFreed => module::wake_freed(step),
        Pc::DeleteModule => module::delete_module(step),
        Pc::ModuleExit => module::module_exit(step),
        Pc::UdevUse => module::udev_use(step),
        Pc::LateInitcalls => params::param_sysfs_builtin_init(step),
        Pc::Exit => modprobe::exit(step),
        Pc::HelperReturn => kmod::helper_return(step),
        Pc::CheckExists => check::exists(step),
        Pc::CheckFinished => check::finished(step),
        Pc::CheckLook => check::look(step),
        Pc::RequestReturn => kmod::request_return(step),
        // Asleep until woken, or until an event comes.
        Pc::PreAsleep | Pc::CheckAsleep | Pc::UdevIdle => {}
    }
}
