//! The kernel's side, file by file as in the kernel: `kmod` (kernel/kmod.c), `dups`
//! (kernel/module/dups.c), `module` (kernel/module/main.c), `filesystems` (fs/filesystems.c), and
//! `check`, the RFC's check after modprobe.

pub(crate) mod check;
pub(crate) mod dups;
pub(crate) mod filesystems;
pub(crate) mod kmod;
pub(crate) mod module;
pub(crate) mod program;

use crate::model::Step;
use crate::mutant::Mutant;
use crate::scenario::Scenario;
use crate::state::Pc;
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
}

impl Orders {
    pub fn new(scenario: &Scenario, mutant: Option<Mutant>) -> Self {
        let (mut load, mut free) = (LOAD_ORDER.to_vec(), FREE_ORDER.to_vec());
        match mutant {
            Some(Mutant::SwapLoad(i)) => load.swap(usize::from(i), usize::from(i) + 1),
            Some(Mutant::SwapFree(i)) => free.swap(usize::from(i), usize::from(i) + 1),
            _ => {}
        }
        let put_before = |order: &mut Vec<Pc>, place: Pc, new: Pc| {
            let at = order.iter().position(|p| *p == place).expect("the place is in its order");
            order.insert(at, new);
        };
        if scenario.listens() {
            let after_init = scenario.features.kernel.uevent_after_init;
            put_before(&mut load, if after_init { Pc::WakeLive } else { Pc::Init }, Pc::Uevent);
        }
        if scenario.nests() {
            put_before(&mut load, Pc::Init, Pc::InitRequest);
        }
        if scenario.unloads() {
            put_before(&mut load, Pc::WakeLive, Pc::DropInitial);
            put_before(&mut free, Pc::ListDel, Pc::UnloadFree);
        }
        if let Some(Mutant::Swap(a, b)) = mutant {
            for order in [&mut load, &mut free] {
                let place = |pc: Pc| order.iter().position(|p| *p == pc);
                if let (Some(i), Some(j)) = (place(a), place(b)) {
                    order.swap(i, j);
                }
            }
        }
        Self { load, free }
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
        Pc::SysfsInit => module::mod_sysfs_init(step),
        Pc::AddModinfoAttrs => module::module_add_modinfo_attrs(step),
        Pc::SysfsUndo => module::mod_sysfs_undo(step),
        Pc::Uevent => module::kobject_uevent(step),
        Pc::InitRequest => module::init_request(step),
        Pc::Init => module::do_one_initcall(step),
        Pc::Unregister => module::unregister_filesystem(step),
        Pc::SetLive => module::set_live(step),
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
