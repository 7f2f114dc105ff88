//! Where each field of a packed word is, in one scenario.

use super::{ErrorOf, History, Pc, Ret, Task};
use crate::scenario::{FailsAt, Init, LateDirectory, Scenario, number};
use crate::userspace::modprobe;

/// One field of a packed word.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Field {
    at: u32,
    pub(super) bits: u32,
    /// Its greatest value means 'so many or more'.
    pub(super) or_more: bool,
}

/// How far the processes that are in some place are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// All of the scenario's.
    Exact,
    /// Up to [`COUNTED`], whatever the scenario says: more are taken for any number.
    OrMore,
}

/// How far `Counts::OrMore` counts, at least.
pub const COUNTED: usize = 3;

impl Field {
    /// Whether the scenario needs it.
    pub fn exists(self) -> bool {
        self.bits > 0
    }

    /// Its lowest bit; 0 for a field without bits.
    pub fn shift(self) -> u32 {
        self.at
    }

    /// 1, or 0 for a field without bits.
    pub fn one(self) -> u64 {
        u64::from(self.exists())
    }

    pub fn mask(self) -> u128 {
        ((1_u128 << self.bits) - 1) << self.at
    }

    pub fn get(self, word: u128) -> u64 {
        debug_assert!(self.bits < 64, "a field of {} bits", self.bits);
        #[allow(clippy::cast_possible_truncation, reason = "a field has fewer than 64 bits")]
        let from_here = (word >> self.at) as u64;
        from_here & self.ones()
    }

    /// As [`Field::get`], of a process's word.
    pub fn of(self, word: u64) -> u64 {
        word >> self.at & self.ones()
    }

    /// Puts a value into a process's word that has nothing there yet.
    pub fn put(self, word: &mut u64, value: u64) {
        debug_assert!(value < 1 << self.bits, "{value} does not fit {} bits", self.bits);
        *word |= value << self.at;
    }

    /// As [`Field::put`]; nothing where there is no such field.
    fn note(self, word: &mut u64, value: u64) {
        self.put(word, if self.exists() { value } else { 0 });
    }

    /// Sets bits of a process's word; nothing where there is no such field.
    pub fn raise(self, word: &mut u64, bits: u64) {
        *word |= (bits & self.ones()) << self.at;
    }

    /// Clears a field of a process's word.
    pub fn clear(self, word: &mut u64) {
        *word &= !(self.ones() << self.at);
    }

    fn ones(self) -> u64 {
        (1 << self.bits) - 1
    }

    pub fn set(self, word: &mut u128, value: u64) {
        debug_assert!(value < 1 << self.bits, "{value} does not fit {} bits", self.bits);
        *word = *word & !self.mask() | u128::from(value) << self.at;
        debug_assert_eq!(self.get(*word), value);
    }
}

/// Lays fields out one after the other.
#[derive(Default)]
struct Fields {
    at: u32,
}

impl Fields {
    fn next(&mut self, bits: u32) -> Field {
        // One without bits is at the beginning, so that it can be shifted there.
        let field = Field { at: if bits > 0 { self.at } else { 0 }, bits, or_more: false };
        self.at += bits;
        field
    }

    /// A number of processes: of `processes` at most, or of any, so that `exactly` so many are
    /// counted.
    fn count(&mut self, counts: Counts, processes: usize, exactly: usize) -> Field {
        match counts {
            Counts::Exact => self.next(bits_for(processes)),
            Counts::OrMore => Field { or_more: true, ..self.next(bits_for(exactly.max(COUNTED))) },
        }
    }
}

/// How many bits hold `0..=max`.
fn bits_for(max: usize) -> u32 {
    usize::BITS - max.leading_zeros()
}

/// The shared fields of one module; a field that the scenario does not need has no bits.
#[derive(Clone, Debug)]
pub(crate) struct ModuleFields {
    pub state: Field,
    pub directory: Field,
    pub initstate: Field,
    /// Of a module that registers a file system.
    pub registered: Field,
    /// The reference that a module holds on itself until its init is done; where somebody unloads.
    pub initial_reference: Field,
    /// By dependency: whether this module holds a reference on it; where somebody unloads.
    pub holds: Vec<Field>,
    /// References that `get_fs_type()` took; where somebody unloads.
    pub file_system_references: Field,
    /// Its init has returned 0; where somebody listens.
    pub initialised: Field,
    /// A `finit_module()` of its file runs; where those are idempotent, or exclusive.
    pub in_finit: Field,
    /// References that programs took; where somebody unloads.
    pub program_references: Field,
    /// Programs that are in its code.
    pub inside: Field,
    /// What became of the directory of built-in code of its name: one of [`NOT_YET`], [`MADE`], [`PUT_THERE`]; where it is made
    /// late, and whoever makes it takes part.
    pub built_in: Field,
}

/// The directory of built-in code is not there yet.
pub(crate) const NOT_YET: u64 = 0;
/// It is there.
pub(crate) const MADE: u64 = 1;
/// What is built in was put into a module's directory, with which it goes.
pub(crate) const PUT_THERE: u64 = 2;

/// The shared fields of one requested name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameFields {
    /// There is an entry in `dup_kmod_reqs`.
    pub dup_listed: Field,
    /// Its completion is queued, or done.
    pub dup_queued: Field,
    /// `first_req_done`.
    pub dup_done: Field,
    /// `dup_ret`.
    pub dup_ret: Field,
    /// The directory of built-in code of that name is there; as [`ModuleFields::built_in`].
    pub built_in: Field,
}

/// Some bits of a word, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedField {
    /// What it is of, a dot, and what it is: `ext4.state`.
    pub name: String,
    /// Its lowest bit.
    pub at: u32,
    /// How many bits it has.
    pub bits: u32,
}

/// How many bits programs take.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What they share.
    pub shared: u32,
    /// A process's own.
    pub own: u32,
    /// Those of inits and exits, by depth.
    pub inner: [u32; MAX_DEPTH + 1],
    /// Whether an init may schedule an asynchronous function itself.
    pub schedules: bool,
    /// So many processes may run them.
    pub processes: usize,
    /// The modules of which they take references, by name.
    pub taken: Vec<String>,
    /// The modules whose code they enter.
    pub entered: Vec<String>,
}

impl Frames {
    fn takes(&self, module: &str) -> bool {
        self.taken.iter().any(|name| name == module)
    }

    fn enters(&self, module: &str) -> bool {
        self.entered.iter().any(|name| name == module)
    }
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub modules: Vec<ModuleFields>,
    pub names: Vec<NameFields>,
    /// Running requests (v4.9), or free slots.
    pub slots: Field,
    /// Waiters in the semaphore's queue.
    pub slot_waiters: Field,
    /// What programs share.
    pub programs: Field,
    /// Whether somebody is in a program at some time.
    pub programs_run: bool,
    pub shared_bits: u32,
    pc: Field,
    pos: Field,
    pub index: Field,
    pub ret: Field,
    /// How deep requests of inits can nest.
    pub deep: usize,
    pub depth: Field,
    pub execs: Field,
    outer: [Field; MAX_DEPTH],
    marks: Field,
    outer_marks: [Field; MAX_DEPTH],
    program: Field,
    inner: [Field; MAX_DEPTH + 1],
    pub used_async: Field,
    pub stale: Field,
    unresolved: Field,
    result: Field,
    pub request_live: Field,
    pub modprobe_live: Field,
    pub going_after_live: Field,
    lied: Field,
    slept: Field,
    pub live_since_exit: Field,
    pub live_since_shortcut: Field,
    pub load_failed: Field,
    pub went_going: Field,
    pub attempt_failed: Field,
    pub was_going: Field,
    pub waited_for_init: Field,
    error_of: Field,
    pub local_bits: u32,
    pub remembers: History,
    /// The bits of a caller's word that are history: `request_live` and all that follow it.
    history: u64,
    /// Whether every count is right: in a model that is exact and has no fault.
    pub strict: bool,
}

/// Bits of a [`Ret`].
const RET_BITS: u32 = 5;

const _: () = assert!(Ret::ALL.len() <= 1 << RET_BITS);
const _: () = assert!(Pc::ALL.len() < 1 << 7);

/// How deep a module's init can request a module whose init requests a module.
pub const MAX_DEPTH: usize = 8;

/// A scenario in which requests nest has room for so many, also where they nest less deep: of callers in any number it
/// is not known whose init runs, and a fault may load a module whose init runs already.
pub(crate) const LEAST_DEPTH: usize = 2;

impl Layout {
    /// `plan`: the number of entries of the longest plan of modprobe; `checked`: the most names that
    /// a check looks up; `nesting`: how deep inits request modules.
    pub fn new(
        scenario: &Scenario,
        plan: usize,
        checked: usize,
        counts: Counts,
        remembers: History,
        programs: &Frames,
        nesting: usize,
    ) -> Self {
        use crate::features::{Program, RequestLimit};
        let mut shared = Fields::default();
        let unloads = u32::from(scenario.unloads());
        let listens = u32::from(scenario.listens());
        let processes = scenario.processes();
        let kernel = &scenario.features.kernel;
        let claims_files = kernel.idempotent_finit || kernel.exclusive_finit;
        let late = scenario.late_directories();
        let is_late = |directory| u32::from(late.contains(&directory));
        let modules = (scenario.module_ids().zip(&scenario.modules))
            .map(|(id, module)| ModuleFields {
                state: shared.next(3),
                directory: shared.next(1),
                initstate: shared.next(1),
                registered: shared.next(u32::from(module.registers)),
                initial_reference: shared.next(unloads),
                holds: module.dependencies.iter().map(|_| shared.next(unloads)).collect(),
                file_system_references: if module.registers && unloads > 0 {
                    shared.count(counts, processes, 0)
                } else {
                    shared.next(0)
                },
                initialised: shared.next(listens),
                in_finit: shared.next(u32::from(claims_files)),
                program_references: match unloads > 0 && programs.takes(&module.name) {
                    true => shared.count(counts, programs.processes, 0),
                    false => shared.next(0),
                },
                inside: match programs.enters(&module.name) {
                    true => shared.count(counts, programs.processes, 0),
                    false => shared.next(0),
                },
                built_in: shared.next(2 * is_late(LateDirectory::Module(id))),
            })
            .collect();
        let duplicates = u32::from(kernel.duplicate_requests);
        let names = scenario
            .name_ids()
            .map(|id| NameFields {
                dup_listed: shared.next(duplicates),
                dup_queued: shared.next(duplicates),
                dup_done: shared.next(duplicates),
                dup_ret: shared.next(RET_BITS * duplicates),
                built_in: shared.next(is_late(LateDirectory::Name(id))),
            })
            .collect();
        let limit = scenario.limit.map(usize::from);
        // Everybody counts itself before it looks, once for each request that it is nested in.
        let deep = match nesting {
            0 => 0,
            deep => deep.max(LEAST_DEPTH),
        };
        let levels = 1 + deep;
        let slots = match (limit, kernel.request_limit) {
            (None, _) => shared.next(0),
            (Some(limit), RequestLimit::FailsAtOnce) => {
                let levels = if scenario.exec_requests.is_some() { limit + 2 } else { levels };
                shared.count(counts, processes * levels, limit + 1)
            }
            (Some(limit), _) => shared.next(bits_for(limit)),
        };
        let slot_waiters = match (limit, kernel.request_limit) {
            (Some(_), RequestLimit::Semaphore) => shared.count(counts, processes, 0),
            _ => shared.next(0),
        };
        let programs_shared = shared.next(programs.shared);
        let targets = scenario.names.iter().map(|n| n.targets().len()).max().unwrap_or(0);
        let dependencies = scenario.modules.iter().map(|m| m.dependencies.len()).max();
        let eexist = scenario.modules.iter().any(|m| {
            m.init == Init::MayReturnEexist
                || m.failure.is_some_and(|f| f.eexist || f.at == FailsAt::Codetag)
        });
        let looks = match scenario.features.kmod.modprobe {
            Program::BusyboxSmall => usize::from(modprobe::MOST_LOOKS) - 1,
            _ => 0,
        };
        let pos = bits_for(plan);
        let marks = match scenario.features.kmod.modprobe {
            Program::Kmod => 0,
            Program::BusyboxSmall => 1,
            Program::Busybox | Program::Toybox => 1 + u32::from(number(scenario.modules.len())),
        };
        let loads = u32::from(remembers.loads());
        let failures = u32::from(remembers.failures());
        let target_bits = u32::from(number(targets));
        let mut local = Fields::default();
        let mut layout = Self {
            modules,
            names,
            slots,
            slot_waiters,
            programs: programs_shared,
            programs_run: programs.own > 0 || programs.inner[0] > 0,
            shared_bits: shared.at,
            pc: local.next(7),
            pos: local.next(pos),
            index: local
                .next(bits_for(dependencies.unwrap_or(0).max(checked).max(targets).max(looks))),
            ret: local.next(RET_BITS),
            deep,
            depth: local.next(bits_for(deep)),
            // As many of those requests run as the limit allows, and one more waits; a caller that was killed gives its
            // slot back while its modprobe's exec goes on.
            execs: local
                .next(scenario.exec_requests.map_or(0, |_| bits_for(limit.unwrap_or(0) + 1))),
            outer: std::array::from_fn(|level| local.next(if level < deep { pos } else { 0 })),
            marks: local.next(marks),
            outer_marks: std::array::from_fn(|level| {
                local.next(if level < deep { marks } else { 0 })
            }),
            program: local.next(programs.own),
            inner: std::array::from_fn(|depth| local.next(programs.inner[depth])),
            used_async: local.next(match programs.schedules && !kernel.waits_for_all_async {
                true => 1 + u32::from(number(deep)),
                false => 0,
            }),
            stale: local.next(1),
            unresolved: local.next(u32::from(dependencies > Some(0))),
            result: local.next(if claims_files || eexist { 2 } else { 0 }),
            request_live: local.next(target_bits * loads),
            modprobe_live: local.next(target_bits * loads),
            going_after_live: local.next(loads),
            lied: local.next(loads),
            slept: local.next(loads),
            live_since_exit: local.next(loads),
            live_since_shortcut: local.next(loads),
            load_failed: local.next(loads),
            went_going: local.next(loads),
            attempt_failed: local.next(failures),
            was_going: local.next(failures),
            waited_for_init: local.next(failures),
            error_of: local.next(2 * failures),
            remembers,
            local_bits: local.at,
            history: 0,
            strict: counts == Counts::Exact,
        };
        let history = [
            layout.request_live,
            layout.modprobe_live,
            layout.going_after_live,
            layout.lied,
            layout.slept,
            layout.live_since_exit,
            layout.live_since_shortcut,
            layout.load_failed,
            layout.went_going,
            layout.attempt_failed,
            layout.was_going,
            layout.waited_for_init,
            layout.error_of,
        ];
        // A layout with more bits than there are is refused later.
        let bits = |field: &Field| field.ones().checked_shl(field.at).unwrap_or(0);
        layout.history = history.iter().fold(0, |all, field| all | bits(field));
        layout
    }

    /// The same local state with all history forgotten.
    pub fn without_history(&self, local: u64) -> u64 {
        local & !self.history
    }

    /// The fields of the shared word that this scenario has, by name.
    pub fn shared_fields(&self, scenario: &Scenario) -> Vec<NamedField> {
        let mut named = Vec::new();
        let mut add = |name: String, field: Field| {
            if field.exists() {
                named.push(NamedField { name, at: field.at, bits: field.bits });
            }
        };
        for (fields, module) in self.modules.iter().zip(&scenario.modules) {
            let of = |what: &str| format!("{}.{what}", module.name);
            add(of("state"), fields.state);
            add(of("directory"), fields.directory);
            add(of("initstate"), fields.initstate);
            add(of("registered"), fields.registered);
            add(of("initial_reference"), fields.initial_reference);
            for (holds, dependency) in fields.holds.iter().zip(&module.dependencies) {
                add(of(&format!("holds.{}", scenario.module_name(*dependency))), *holds);
            }
            add(of("file_system_references"), fields.file_system_references);
            add(of("initialised"), fields.initialised);
            add(of("in_finit"), fields.in_finit);
            add(of("program_references"), fields.program_references);
            add(of("inside"), fields.inside);
            add(of("built_in"), fields.built_in);
        }
        for (fields, name) in self.names.iter().zip(&scenario.names) {
            let of = |what: &str| format!("{}.{what}", name.request);
            add(of("dup_listed"), fields.dup_listed);
            add(of("dup_queued"), fields.dup_queued);
            add(of("dup_done"), fields.dup_done);
            add(of("dup_ret"), fields.dup_ret);
            add(of("built_in"), fields.built_in);
        }
        add("slots".to_owned(), self.slots);
        add("slot_waiters".to_owned(), self.slot_waiters);
        let variables = scenario.programs.ready().map(|ready| ready.programs.shared_fields());
        for (name, at, bits) in variables.into_iter().flatten() {
            named.push(NamedField {
                name: format!("programs.{name}"),
                at: self.programs.at + at,
                bits,
            });
        }
        named
    }

    pub fn unpack(&self, local: u64) -> Task {
        let flag = |field: Field| field.of(local) != 0;
        let byte =
            |field: Field| u8::try_from(field.of(local)).expect("a field of 8 bits or fewer");
        let wide =
            |field: Field| u32::try_from(field.of(local)).expect("a field of 32 bits or fewer");
        let (mut program, mut inner) = (0, [0; MAX_DEPTH + 1]);
        if self.programs_run {
            (program, inner) = (wide(self.program), self.inner.map(wide));
        }
        Task {
            pc: Pc::from_bits(self.pc.of(local)),
            pos: byte(self.pos),
            index: byte(self.index),
            ret: Ret::from_bits(self.ret.of(local)),
            depth: byte(self.depth),
            execs: byte(self.execs),
            outer: if self.deep > 0 { self.outer.map(byte) } else { [0; MAX_DEPTH] },
            marks: if self.marks.exists() { wide(self.marks) } else { 0 },
            outer_marks: if self.marks.exists() && self.deep > 0 {
                self.outer_marks.map(wide)
            } else {
                [0; MAX_DEPTH]
            },
            program,
            inner,
            used_async: if self.used_async.exists() {
                u16::try_from(self.used_async.of(local)).expect("a bit for each depth")
            } else {
                0
            },
            result: byte(self.result),
            stale: flag(self.stale),
            unresolved: flag(self.unresolved),
            request_live: u16::from(byte(self.request_live)),
            modprobe_live: u16::from(byte(self.modprobe_live)),
            going_after_live: flag(self.going_after_live),
            lied: flag(self.lied),
            slept: flag(self.slept),
            live_since_exit: flag(self.live_since_exit),
            live_since_shortcut: flag(self.live_since_shortcut),
            load_failed: flag(self.load_failed),
            went_going: flag(self.went_going),
            attempt_failed: flag(self.attempt_failed),
            was_going: flag(self.was_going),
            waited_for_init: flag(self.waited_for_init),
            error_of: ErrorOf::from_bits(self.error_of.of(local)),
        }
    }

    pub fn pack(&self, task: &Task) -> u64 {
        let mut word = 0;
        self.pc.put(&mut word, task.pc as u64);
        self.pos.put(&mut word, u64::from(task.pos));
        self.index.put(&mut word, u64::from(task.index));
        self.ret.put(&mut word, task.ret as u64);
        self.depth.put(&mut word, u64::from(task.depth));
        self.execs.put(&mut word, u64::from(task.execs));
        for (field, pos) in self.outer[..self.deep].iter().zip(task.outer) {
            field.put(&mut word, u64::from(pos));
        }
        if self.marks.exists() {
            self.marks.put(&mut word, u64::from(task.marks));
            for (field, marks) in self.outer_marks[..self.deep].iter().zip(task.outer_marks) {
                field.put(&mut word, u64::from(marks));
            }
        }
        if self.programs_run {
            self.program.put(&mut word, u64::from(task.program));
            for (field, state) in self.inner.iter().zip(task.inner) {
                field.put(&mut word, u64::from(state));
            }
        }
        self.used_async.note(&mut word, u64::from(task.used_async));
        self.result.put(&mut word, u64::from(task.result));
        self.stale.put(&mut word, u64::from(task.stale));
        self.unresolved.put(&mut word, u64::from(task.unresolved));
        self.request_live.note(&mut word, u64::from(task.request_live));
        self.modprobe_live.note(&mut word, u64::from(task.modprobe_live));
        self.going_after_live.note(&mut word, u64::from(task.going_after_live));
        self.lied.note(&mut word, u64::from(task.lied));
        self.slept.note(&mut word, u64::from(task.slept));
        self.live_since_exit.note(&mut word, u64::from(task.live_since_exit));
        self.live_since_shortcut.note(&mut word, u64::from(task.live_since_shortcut));
        self.load_failed.note(&mut word, u64::from(task.load_failed));
        self.went_going.note(&mut word, u64::from(task.went_going));
        self.attempt_failed.note(&mut word, u64::from(task.attempt_failed));
        self.was_going.note(&mut word, u64::from(task.was_going));
        self.waited_for_init.note(&mut word, u64::from(task.waited_for_init));
        self.error_of.note(&mut word, task.error_of as u64);
        debug_assert_eq!(self.unpack(word), task.remembering(self.remembers));
        word
    }

    /// Whether some number of processes is counted up to a limit only.
    pub fn counts_or_more(&self) -> bool {
        let references = self.modules.iter().map(|m| m.file_system_references);
        let of_programs = self.modules.iter().flat_map(|m| [m.program_references, m.inside]);
        let references = references.chain(of_programs);
        references.chain([self.slots, self.slot_waiters]).any(|field| field.or_more)
    }

    /// Whether what a load came to is kept for later.
    pub fn remembers_results(&self) -> bool {
        self.result.exists()
    }

    /// The place alone.
    pub fn pc(&self, local: u64) -> Pc {
        Pc::from_bits(self.pc.of(local))
    }

    /// The same local state at another place.
    pub fn with_pc(&self, local: u64, pc: Pc) -> u64 {
        let mut word = local & !(self.pc.ones() << self.pc.at);
        self.pc.put(&mut word, pc as u64);
        word
    }
}
