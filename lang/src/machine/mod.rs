//! Compiled programs as a [`System`]: what one step is, and what it did.

mod layout;
mod parts;
mod run;

use std::collections::BTreeSet;

use kmodcheck_explore::{Choice, Initial, Kind, Local, Queue, Shared, System};

pub(crate) use layout::FAILED;
use layout::{Compiled, DORMANT};
pub use parts::Label;
pub(crate) use parts::Machine;
use run::{Stepper, decoded};
pub(crate) use run::{Tale, Told};

use crate::graph::code::{Body, Held, Instr, Runs};
use crate::graph::locks::held;
use crate::graph::{infer, live, movers, without_needless_turns};
use crate::host::Host;
use crate::lower::{Lowered, lower};
use crate::text::syntax::{File, Name, Span};
use crate::text::wrong::Wrong;

impl Machine {
    /// Compiles a file. `observed`: the local variables that are asked about in the end, by process.
    pub fn new(
        file: &File,
        observed: &[(usize, Name)],
        host: Box<dyn Host>,
    ) -> Result<(Self, crate::lower::Names), Wrong> {
        let Lowered { mut cells, mut bodies, names, grace_periods, asynchronous } =
            lower(file, host.externals(), host.processes())?;
        for (process, name) in observed {
            let is = |body: &&mut Body| body.runs == Runs::Process(*process);
            let Some(body) = bodies.iter_mut().find(is) else {
                let found = format!("found process {process}");
                return Err(Wrong::new(name.span, found, "expected a process of this file"));
            };
            let reg = body.local(name)?;
            body.registers[reg].observed = true;
        }
        for body in &mut bodies {
            without_needless_turns(&mut body.code);
        }
        let lives: Vec<_> = bodies.iter().map(live).collect();
        let first_function = bodies.iter().position(|body| matches!(body.runs, Runs::Async(..)));
        let functions: Vec<usize> =
            (first_function.unwrap_or(bodies.len())..bodies.len()).collect();
        infer(&mut bodies, &mut cells, &lives, &functions);
        let held: Result<Vec<_>, Wrong> =
            bodies.iter().zip(&lives).map(|(body, live)| held(body, live, &cells)).collect();
        let held = held?;
        let movers = movers(&bodies, &cells, &held);
        let most = Shared::BITS.saturating_sub(host.shared_bits());
        let (shared, own_bits) = layout::shared(&cells, most)?;
        let mut kinds: Vec<Compiled> = Vec::new();
        let (mut processes, mut spans) = (Vec::new(), Vec::new());
        let mut functions = Vec::new();
        for (((body, live), movers), held) in bodies.into_iter().zip(&lives).zip(movers).zip(held) {
            let runs = body.runs_at_once();
            spans.extend(std::iter::repeat_n(body.spans.clone(), runs));
            let is_function = matches!(body.runs, Runs::Async(..));
            let compiled = Compiled::new(body, live, movers, held);
            if compiled.bits > Local::BITS {
                let span = compiled.body.spans.first().copied().unwrap_or_default();
                let found = format!("found a process whose variables take {} bits", compiled.bits);
                let expected =
                    "expected at most 64: declare narrower ones, as 'int __range(0, 3) x'";
                return Err(Wrong::new(span, found, expected));
            }
            let known = kinds.iter().position(|other| alike(&other.body, &compiled.body));
            let kind = known.unwrap_or_else(|| {
                kinds.push(compiled);
                kinds.len() - 1
            });
            processes.extend(std::iter::repeat_n(kind, runs));
            functions.extend(is_function.then_some(kind));
        }
        if kinds.len() > 256 {
            let expected = "expected at most 256 kinds of processes";
            return Err(Wrong::new(Span::default(), "found too many processes", expected));
        }
        let machine = Self {
            cells,
            shared,
            own_bits,
            kinds,
            processes,
            spans,
            grace_periods,
            asynchronous,
            functions,
            host,
            merges: true,
        };
        Ok((machine, names))
    }

    fn stepper(&self, kind: usize, tells: bool) -> Stepper<'_> {
        Stepper { machine: self, of: &self.kinds[kind], tells, ways: Vec::new() }
    }

    /// The cells at first.
    pub fn initial_cells(&self) -> Shared {
        let cells = self.cells.iter().zip(&self.shared).filter(|(_, bits)| bits.width > 0);
        cells.fold(0, |shared, (cell, bits)| {
            shared | Shared::from(bits.domain.encode(cell.initial)) << bits.shift
        })
    }

    /// Where a process of a kind begins that nobody gives an argument.
    pub fn begins(&self, kind: usize) -> u64 {
        self.stepper(kind, false).begins(None)
    }

    /// All steps of a process, each with what it did.
    pub fn ways(&self, kind: usize, shared: Shared, local: Local) -> Vec<run::Way> {
        let mut stepper = self.stepper(kind, true);
        stepper.step(shared, local);
        stepper.ways
    }

    /// Where a process goes on that was at a call of the host.
    pub fn answered(&self, kind: usize, local: Local, result: i64) -> Local {
        self.stepper(kind, false).answered(local, result)
    }

    /// Where a process goes on that a queue has woken; `None`: it does not sleep there.
    pub fn woken(&self, kind: usize, local: Local, queue: u8) -> Option<Local> {
        self.stepper(kind, false).woken(local, queue)
    }

    pub fn is_function(&self, kind: usize) -> bool {
        matches!(self.kinds[kind].body.runs, Runs::Async(..))
    }

    /// The value of a cell, by index.
    pub fn value(&self, cell: usize, shared: Shared) -> i64 {
        decoded(&self.shared[cell], shared)
    }

    /// Where a cell is.
    pub fn bits(&self, cell: usize) -> Shared {
        run::mask(&self.shared[cell])
    }

    /// The value of a local variable of a process that is somewhere.
    pub fn local_value(&self, kind: usize, reg: usize, local: Local) -> Option<i64> {
        let of = &self.kinds[kind];
        let rest = of.rest(local)?;
        rest.registers
            .iter()
            .any(|(other, _)| *other == reg)
            .then(|| of.registers(rest, local)[reg])
    }

    /// What one step did.
    pub fn told(&self, kind: Kind, shared: Shared, local: Local, label: Label) -> Vec<Told> {
        let mut stepper = self.stepper(usize::from(kind.0), true);
        stepper.step(shared, local);
        stepper.ways.into_iter().nth(label.way as usize).map_or_else(Vec::new, |way| way.told)
    }

    /// The locks that a process holds.
    pub fn held(&self, kind: usize, local: Local) -> Option<&BTreeSet<Held>> {
        let of = &self.kinds[kind];
        of.held[of.rest(local)?.pc].as_ref()
    }

    /// Whether a process need not go on.
    pub fn is_at_rest(&self, kind: usize, local: Local) -> bool {
        self.kinds[kind].rest(local).is_some_and(|rest| rest.returned)
    }

    /// The instruction at which a process is, with where it comes from.
    pub fn at(&self, process: usize, local: Local) -> Option<(&Instr, Span)> {
        let of = &self.kinds[self.processes[process]];
        let pc = of.rest(local)?.pc;
        Some((&of.body.code[pc], self.spans[process][pc]))
    }
}

/// Whether two processes do the same, and nothing that is asked tells them apart.
fn alike(a: &Body, b: &Body) -> bool {
    let asked = |body: &Body| body.registers.iter().any(|register| register.observed);
    matches!((&a.runs, &b.runs), (Runs::Process(_), Runs::Process(_)))
        && !asked(a)
        && !asked(b)
        && a.code == b.code
        && a.registers == b.registers
        && a.evaluations == b.evaluations
        && a.rcu == b.rcu
}

impl System for Machine {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        self.own_bits + self.host.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.kinds.iter().map(|kind| kind.bits).max().unwrap_or_default()
    }

    fn initial(&self) -> Initial {
        let mut shared = self.initial_cells();
        if self.own_bits < Shared::BITS {
            shared |= self.host.initial() << self.own_bits;
        }
        let begin = |kind: &usize| {
            let local = match self.is_function(*kind) {
                true => DORMANT,
                false => self.begins(*kind),
            };
            (Kind(*kind as u8), local)
        };
        Initial::new(shared, self.processes.iter().map(begin).collect::<Vec<_>>())
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        let mut stepper = self.stepper(usize::from(kind.0), false);
        stepper.step(shared, local);
        let at = stepper.of.rest(local).map_or(0, |rest| rest.pc as u32);
        for (way, taken) in stepper.ways.into_iter().enumerate() {
            choices.push(Choice {
                shared: taken.shared,
                local: taken.local,
                effect: taken.effect,
                way_out: taken.way_out,
                footprint: taken.footprint,
                label: Label { at, way: way as u32 },
            });
        }
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.is_function(usize::from(kind.0)).then_some(DORMANT)
    }

    fn wake(&self, kind: Kind, local: Local, Queue(queue): Queue) -> Option<Local> {
        self.woken(usize::from(kind.0), local, queue)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        let of = &self.kinds[usize::from(kind.0)];
        local == FAILED || of.rest(local).is_some_and(|rest| rest.returned)
    }
}

impl Machine {
    /// Whether all have come to an end: what is so now is so for ever.
    pub fn is_final(&self, shared: Shared, locals: impl Iterator<Item = (Kind, Local)>) -> bool {
        let mut ways = Vec::new();
        locals.into_iter().all(|(kind, local)| {
            if self.dormant(kind) == Some(local) {
                return true;
            }
            if local == FAILED || !self.returned(kind, local) {
                return false;
            }
            self.step(kind, shared, local, &mut ways);
            ways.is_empty()
        })
    }
}
