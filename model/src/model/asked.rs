//! What is asked of a scenario and of a shared state: where modules are, and what requested names come to.

use super::Model;
use crate::features::{BuiltinIndex, Program};
use crate::scenario::{ModuleId, NameId};
use crate::state::{MADE, ModuleState, World};
use crate::userspace::modprobe::PlanEntry;

impl Model {
    /// The state of a module.
    pub fn module_state(&self, shared: u128, module: ModuleId) -> ModuleState {
        World::new(&self.layout, shared).state(module)
    }

    /// Whether `/sys/module/NAME/` and the initstate in it are there. Built-in code of that name
    /// has the directory, too.
    pub fn sysfs(&self, shared: u128, module: ModuleId) -> (bool, bool) {
        let mut world = World::new(&self.layout, shared);
        (self.has_directory(&mut world, module), world.initstate(module))
    }

    /// Whether built-in code has made `/sys/module/NAME/` of a module's name.
    pub fn taken_by_builtin(&self, shared: u128, module: ModuleId) -> bool {
        self.name_taken(&mut World::new(&self.layout, shared), module)
    }

    /// Whether `/sys/module/NAME/` is there, made by the module or by built-in code of its name.
    pub(crate) fn has_directory(&self, world: &mut World<'_>, module: ModuleId) -> bool {
        world.directory(module) || self.name_taken(world, module)
    }

    /// Whether built-in code has made `/sys/module/NAME/`.
    pub(crate) fn name_taken(&self, world: &mut World<'_>, module: ModuleId) -> bool {
        let field = world.fields(module).built_in;
        self.scenario.modules[usize::from(module)].name_taken
            && (!field.exists() || world.get(field) == MADE)
    }

    /// Whether `/sys/module/NAME/` of a name that the indexes do not know is there.
    pub(crate) fn unknown_directory(&self, world: &mut World<'_>, name: NameId) -> bool {
        let field = world.name(name).built_in;
        self.names[usize::from(name)].unknown_directory && (!field.exists() || world.flag(field))
    }

    /// The shared word with a module in that state, with or without its directory and its initstate:
    /// where a test or a log begins that does not begin with nothing loaded.
    pub fn with_module(
        &self,
        shared: u128,
        module: ModuleId,
        state: ModuleState,
        sysfs: (bool, bool),
    ) -> u128 {
        let mut world = World::new(&self.layout, shared);
        world.set_state(module, state);
        world.set_directory(module, sysfs.0);
        world.set_initstate(module, sysfs.1);
        let spec = &self.scenario.modules[usize::from(module)];
        if spec.registers {
            world.set_registered(module, state == ModuleState::Live);
        }
        let fields = world.fields(module);
        if state == ModuleState::Live {
            for holds in &fields.holds {
                world.set(*holds, holds.one());
            }
        }
        world.word
    }

    /// Whether the module has registered its file system.
    pub fn registered(&self, shared: u128, module: ModuleId) -> bool {
        World::new(&self.layout, shared).registered(module)
    }

    /// The modules that a name resolves to.
    pub fn targets(&self, name: NameId) -> &[ModuleId] {
        &self.names[usize::from(name)].targets
    }

    /// Whether what is configured may make modprobe fail: a command that fails stands in for a module, there is no file
    /// of it, or the kernel refuses it by its command line.
    pub fn made_to_fail(&self, name: NameId) -> bool {
        self.names[usize::from(name)].plan.iter().any(PlanEntry::fails_by_configuration)
    }

    /// Whether what is configured may keep modprobe, which exits 0, from loading what the name resolves
    /// to: a target is blacklisted, or a command stands in for it.
    pub fn kept_away(&self, name: NameId) -> bool {
        self.scenario.names[usize::from(name)].targets().iter().any(|t| t.blacklisted)
            || self.names[usize::from(name)].plan.iter().any(PlanEntry::keeps_away)
    }

    /// Whether modprobe, asked for the name, hands `module` to the kernel unless that has it.
    pub fn inserts(&self, name: NameId, module: ModuleId) -> bool {
        let spec = &self.scenario.modules[usize::from(module)];
        let inserts = |p: &PlanEntry| p.module == module && p.inserts();
        let taken = spec.name_taken && !self.layout.modules[usize::from(module)].built_in.exists();
        let built_in = taken || spec.listed_builtin;
        !built_in && self.names[usize::from(name)].plan.iter().any(inserts)
    }

    /// Whether a target of the name registers a file system.
    pub fn registers(&self, name: NameId) -> bool {
        let modules = &self.scenario.modules;
        self.targets(name).iter().any(|target| modules[usize::from(*target)].registers)
    }

    /// The other modules that register a file system that `module` registers.
    pub(crate) fn rivals(&self, module: ModuleId) -> &[ModuleId] {
        &self.rivals[usize::from(module)]
    }

    /// Whether the name is served by built-in code and by no module.
    pub fn built_in(&self, name: NameId) -> bool {
        self.scenario.names[usize::from(name)].builtin.is_some() && self.targets(name).is_empty()
    }

    /// Whether every module that the name resolves to is LIVE; `false` if it resolves to none.
    pub fn all_live(&self, name: NameId, shared: u128) -> bool {
        !self.targets(name).is_empty() && self.live(name, shared) == self.all_targets(name)
    }

    /// One bit for each target: all of them.
    pub fn all_targets(&self, name: NameId) -> u16 {
        (1 << self.targets(name).len()) - 1
    }

    /// One bit for each target: those that are LIVE.
    pub fn live(&self, name: NameId, shared: u128) -> u16 {
        self.targets_in(name, &mut World::new(&self.layout, shared), ModuleState::Live)
    }

    pub(crate) fn targets_in(
        &self,
        name: NameId,
        world: &mut World<'_>,
        state: ModuleState,
    ) -> u16 {
        let mut mask = 0;
        for (bit, target) in self.targets(name).iter().enumerate() {
            mask |= u16::from(world.state(*target) == state) << bit;
        }
        mask
    }

    /// Bits of the shared word that hold the states of the name's targets and what sysfs shows of
    /// them: what the properties of its callers read.
    pub fn visible_bits(&self) -> u128 {
        let modules = &self.layout.modules;
        modules.iter().fold(0, |mask, m| {
            let sysfs = m.directory.mask() | m.initstate.mask() | m.built_in.mask();
            mask | m.state.mask() | sysfs | m.initialised.mask()
        })
    }

    /// Whether modprobe knows from the index, without a look, that `module` is built in.
    pub(crate) fn index_says_builtin(&self, module: ModuleId) -> bool {
        self.scenario.modules[usize::from(module)].listed_builtin
            && self.scenario.features.kmod.builtin_index == BuiltinIndex::BeforeSysfs
    }

    /// Whether busybox's modprobe unpacks the module's file itself, because `finit_module()` refuses it at once.
    pub(crate) fn reads_file_itself(&self, module: ModuleId) -> bool {
        self.scenario.modules[usize::from(module)].compressed
            && self.scenario.features.kmod.modprobe.tries_init_module()
    }

    /// Whether `finit_module()` of this module asks first whether another loads the file: by `idempotent()`, or by
    /// `exclusive_deny_write_access()`. `init_module()` knows no file.
    pub(crate) fn claims_file(&self, module: ModuleId) -> bool {
        let crate::features::Features { kernel, kmod } = &self.scenario.features;
        let compressed = self.scenario.modules[usize::from(module)].compressed;
        // busybox passes no MODULE_INIT_COMPRESSED_FILE: of such a file finit_module() says -ENOEXEC, and init_module() follows.
        let unpacked = kmod.unpacks_itself || kmod.modprobe != Program::Kmod;
        (kernel.idempotent_finit || kernel.exclusive_finit) && !(compressed && unpacked)
    }

    /// Whether a concerned module of the name is GOING.
    pub(crate) fn concerned_going(&self, name: NameId, world: &mut World<'_>) -> bool {
        let concerned = &self.names[usize::from(name)].concerned;
        self.history().failures()
            && concerned
                .iter()
                .fold(false, |going, m| going | (world.state(*m) == ModuleState::Going))
    }

    /// Whether modprobe may say 0 for `name`, having seen the targets of `live` LIVE.
    pub(crate) fn truthful(&self, name: NameId, live: u16) -> bool {
        if self.targets(name).is_empty() {
            self.scenario.names[usize::from(name)].builtin.is_some()
        } else {
            live == self.all_targets(name)
        }
    }
}
