//! What a step sees and changes of the shared state.

use super::layout::{ModuleFields, NameFields};
use super::{Field, Layout, ModuleState};
use crate::scenario::{ModuleId, NameId, Scenario};

/// The shared state as a step sees it; notes what the step reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'m> {
    pub layout: &'m Layout,
    pub word: u128,
    pub reads: u128,
    pub writes: u128,
}

impl<'m> World<'m> {
    pub fn new(layout: &'m Layout, word: u128) -> Self {
        Self { layout, word, reads: 0, writes: 0 }
    }

    pub fn get(&mut self, field: Field) -> u64 {
        self.reads |= field.mask();
        field.get(self.word)
    }

    pub fn set(&mut self, field: Field, value: u64) {
        self.writes |= field.mask();
        field.set(&mut self.word, value);
    }

    /// One more, in a field that counts processes.
    pub fn one_more(&mut self, field: Field) {
        let now = self.get(field);
        let most = (1 << field.bits) - 1;
        self.set(field, if field.or_more { most.min(now + 1) } else { now + 1 });
    }

    /// Whether one more is more than a field can count.
    pub fn is_full(&mut self, field: Field) -> bool {
        !field.or_more && self.get(field) == (1 << field.bits) - 1
    }

    /// What one less is, in a field that counts processes: of many and more, either as many and more
    /// or one less than many. Below 0 only in a model with a fault, or where more were counted.
    pub fn one_less(&mut self, field: Field) -> impl Iterator<Item = u64> + use<> {
        let now = self.get(field);
        debug_assert!(now > 0 || !self.layout.strict, "below 0");
        let many = field.or_more && now == (1 << field.bits) - 1;
        [Some(now.saturating_sub(1)), many.then_some(now)].into_iter().flatten()
    }

    /// What programs share; a step of theirs notes by itself what it reads and writes of it.
    pub fn programs(&self) -> u128 {
        (self.word & self.layout.programs.mask()) >> self.layout.programs.shift()
    }

    pub fn set_programs(&mut self, shared: u128) {
        let field = self.layout.programs;
        self.word = self.word & !field.mask() | shared << field.shift();
    }

    /// Bits of what programs share, where they are here.
    pub fn of_programs(&self, bits: u128) -> u128 {
        bits << self.layout.programs.shift()
    }

    pub fn state(&mut self, module: ModuleId) -> ModuleState {
        ModuleState::from_bits(self.get(self.layout.modules[usize::from(module)].state))
    }

    pub fn set_state(&mut self, module: ModuleId, state: ModuleState) {
        self.set(self.layout.modules[usize::from(module)].state, state as u64);
    }

    pub fn directory(&mut self, module: ModuleId) -> bool {
        self.get(self.layout.modules[usize::from(module)].directory) != 0
    }

    pub fn set_directory(&mut self, module: ModuleId, there: bool) {
        self.set(self.layout.modules[usize::from(module)].directory, u64::from(there));
    }

    pub fn initstate(&mut self, module: ModuleId) -> bool {
        self.get(self.layout.modules[usize::from(module)].initstate) != 0
    }

    pub fn set_initstate(&mut self, module: ModuleId, there: bool) {
        self.set(self.layout.modules[usize::from(module)].initstate, u64::from(there));
    }

    pub fn registered(&mut self, module: ModuleId) -> bool {
        self.get(self.layout.modules[usize::from(module)].registered) != 0
    }

    pub fn set_registered(&mut self, module: ModuleId, there: bool) {
        self.set(self.fields(module).registered, u64::from(there));
    }

    pub fn name(&self, name: NameId) -> NameFields {
        self.layout.names[usize::from(name)]
    }

    pub fn flag(&mut self, field: Field) -> bool {
        self.get(field) != 0
    }

    pub fn set_flag(&mut self, field: Field, value: bool) {
        self.set(field, u64::from(value));
    }

    pub fn fields(&self, module: ModuleId) -> &'m ModuleFields {
        &self.layout.modules[usize::from(module)]
    }

    /// Whether a module other than `module` holds a reference on it.
    pub fn has_dependents(&mut self, scenario: &Scenario, module: ModuleId) -> bool {
        let mut held = false;
        for (dependent, fields) in scenario.modules.iter().zip(&self.layout.modules) {
            for (dependency, holds) in dependent.dependencies.iter().zip(&fields.holds) {
                held |= *dependency == module && self.get(*holds) != 0;
            }
        }
        held
    }

    /// `module_unload_free()`: gives back every reference that `module` holds.
    pub fn release_dependencies(&mut self, module: ModuleId) {
        for holds in &self.fields(module).holds {
            self.set(*holds, 0);
        }
    }
}
