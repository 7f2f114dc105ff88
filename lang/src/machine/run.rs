//! One step of one process: its first action, what the process then does by itself, and, if steps are merged,
//! what follows without being seen.

use kmodcheck_explore::{Effect, Footprint, Kind, Shared, WayOut};

use super::layout::{Bits, Compiled, FAILED};
use super::parts::Machine;
use crate::graph::Mover;
use crate::graph::code::{
    Action, ActionKind, Alternative, EffectTerm, Failure, Instr, Pc, Reg, Term,
};
use crate::graph::domain;
use crate::host::Outcome;

/// So often may a step pick values, lest it have too many ways.
const CHOICES: u32 = 2;

/// A step that somebody can take.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub shared: Shared,
    pub local: u64,
    pub effect: Effect,
    pub way_out: WayOut,
    pub footprint: Footprint,
    /// What happened, if it is told.
    pub told: Vec<Told>,
}

/// Something that a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The instruction.
    pub pc: Pc,
    pub what: Tale,
}

/// What it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tale {
    /// An action, and the value that it came to, if it came to one.
    Did(Option<i64>),
    /// It was woken by the end of a time, or by a signal.
    Ended(WayOut),
    /// It fell asleep.
    Sleeps,
    /// It failed.
    Failed(String),
}

/// Where a step is.
#[derive(Clone)]
struct Now {
    registers: Vec<i64>,
    shared: Shared,
    effect: Effect,
    way_out: WayOut,
    footprint: Footprint,
    /// Something has happened that has its moment, or that only what may be taken earlier may follow.
    committed: bool,
    /// Actions taken.
    taken: Vec<Pc>,
    choices: u32,
    told: Vec<Told>,
}

impl Now {
    /// Nothing has happened yet.
    fn before(registers: Vec<i64>, shared: Shared) -> Self {
        Self {
            registers,
            shared,
            effect: Effect::None,
            way_out: WayOut::Ordinary,
            footprint: Footprint::default(),
            committed: false,
            taken: Vec::new(),
            choices: 0,
            told: Vec::new(),
        }
    }
}

/// Why a step cannot be taken as it is written.
pub(super) struct Wrongly(String);

pub(super) struct Stepper<'m> {
    pub machine: &'m Machine,
    pub of: &'m Compiled,
    pub tells: bool,
    pub ways: Vec<Way>,
}

impl Stepper<'_> {
    /// All steps of a process in a local state.
    pub fn step(&mut self, shared: Shared, local: u64) {
        let Some(rest) = self.of.rest(local) else { return };
        let now = Now::before(self.of.registers(rest, local), shared);
        match &self.of.body.code[rest.pc] {
            Instr::Act(action) => self.act(&now, action, rest.pc),
            Instr::Asleep { timed_out, signalled, .. } => {
                let out = [(timed_out, WayOut::TimeOut), (signalled, WayOut::Killed)];
                for (to, way_out) in out {
                    if let Some(to) = to {
                        let mut now = Now { way_out, committed: true, ..now.clone() };
                        self.tell(&mut now, rest.pc, || Tale::Ended(way_out));
                        now.taken.push(rest.pc);
                        self.goes_on(now, *to, false);
                    }
                }
            }
            _ => {}
        }
    }

    fn tell(&self, now: &mut Now, pc: Pc, what: impl FnOnce() -> Tale) {
        if self.tells {
            now.told.push(Told { pc, what: what() });
        }
    }

    /// Takes an action, each way.
    fn act(&mut self, now: &Now, action: &Action, pc: Pc) {
        if let ActionKind::External(number, arguments, result) = &action.kind {
            self.external(now, *number, arguments, *result, pc);
            return;
        }
        let mut reads = 0;
        let mut open = Vec::new();
        for way in &action.alternatives {
            match self.value(&way.guard, now, &mut reads) {
                Ok(0) => {}
                Ok(_) => open.push(way),
                Err(wrong) => return self.fails(now.clone(), pc, wrong),
            }
        }
        for way in open {
            let mut next = now.clone();
            next.footprint.reads |= reads;
            next.taken.push(pc);
            next.choices += u32::from(action.kind == ActionKind::Choose);
            next.committed |= !matches!(self.of.movers[pc], Mover::Both | Mover::Right);
            match self.take(&mut next, now, way) {
                Ok(()) => {
                    let came_to = way.results.first().map(|(to, _)| next.registers[*to]);
                    if way.way_out == WayOut::Ordinary {
                        self.tell(&mut next, pc, || Tale::Did(came_to));
                    } else {
                        self.tell(&mut next, pc, || Tale::Ended(way.way_out));
                    }
                    self.goes_on(next, way.then.unwrap_or(pc + 1), true);
                }
                Err(wrong) => self.fails(next, pc, wrong),
            }
        }
    }

    /// What one way of an action changes. All terms are of the state before.
    fn take(&self, next: &mut Now, before: &Now, way: &Alternative) -> Result<(), Wrongly> {
        let mut reads = 0;
        for (address, term) in &way.updates {
            let address = self.value(address, before, &mut reads)?;
            let value = self.value(term, before, &mut reads)?;
            let (bits, name) = self.cell(address)?;
            if !bits.domain.contains(value) {
                return Err(Wrongly(beyond(name, value, &bits.domain)));
            }
            let mask = mask(bits);
            if bits.width > 0 {
                let coded = Shared::from(bits.domain.encode(value)) << bits.shift;
                next.shared = next.shared & !mask | coded;
            }
            next.footprint.writes |= mask;
        }
        for (to, term) in &way.results {
            let value = self.value(term, before, &mut reads)?;
            self.assign(next, *to, value)?;
        }
        match &way.effect {
            EffectTerm::None => {}
            EffectTerm::WakeAll(queue) => {
                next.effect = Effect::WakeAll(kmodcheck_explore::Queue(*queue));
            }
            EffectTerm::Start(function, term) => {
                let argument = self.value(term, before, &mut reads)?;
                next.effect = self.starts(self.machine.functions[*function], argument);
            }
        }
        next.way_out = if way.way_out == WayOut::Ordinary { next.way_out } else { way.way_out };
        next.footprint.reads |= reads;
        Ok(())
    }

    fn external(&mut self, now: &Now, number: usize, arguments: &[Term], to: Option<Reg>, pc: Pc) {
        let mut reads = 0;
        let values: Result<Vec<i64>, Wrongly> =
            arguments.iter().map(|term| self.value(term, now, &mut reads)).collect();
        let values = match values {
            Ok(values) => values,
            Err(wrong) => return self.fails(now.clone(), pc, wrong),
        };
        let bits = self.machine.own_bits;
        let above = |word: Shared| if bits >= 128 { 0 } else { word << bits };
        let mut outcomes: Vec<Outcome> = Vec::new();
        let of_host = if bits >= 128 { 0 } else { now.shared >> bits };
        self.machine.host.call(number, &values, of_host, &mut outcomes);
        for outcome in outcomes {
            let mut next = now.clone();
            let own = now.shared & !above(Shared::MAX);
            next.shared = own | above(outcome.shared);
            next.effect = outcome.effect;
            next.way_out = outcome.way_out;
            next.footprint.reads |= reads | above(outcome.footprint.reads);
            next.footprint.writes |= above(outcome.footprint.writes);
            next.committed = true;
            next.taken.push(pc);
            self.tell(&mut next, pc, || Tale::Did(to.map(|_| outcome.result)));
            match to.map_or(Ok(()), |to| self.assign(&mut next, to, outcome.result)) {
                Ok(()) => self.goes_on(next, pc + 1, true),
                Err(wrong) => self.fails(next, pc, wrong),
            }
        }
    }

    /// What the process does by itself, until it is at an action; and that one too, if nobody can tell.
    fn goes_on(&mut self, mut now: Now, pc: Pc, may_merge: bool) {
        let pc = match self.alone(&mut now, pc) {
            Ok(pc) => pc,
            Err((pc, wrong)) => return self.fails(now, pc, wrong),
        };
        if may_merge
            && self.machine.merges
            && let Instr::Act(action) = &self.of.body.code[pc]
            && self.merges(&now, action, pc)
        {
            return self.act(&now, action, pc);
        }
        if matches!(self.of.body.code[pc], Instr::Asleep { .. }) {
            self.tell(&mut now, pc, || Tale::Sleeps);
        }
        let local = self.of.encode(pc, &now.registers);
        self.arrives(now, local);
    }

    /// Whether an action may belong to the same step as those before it: right movers, at most one that has
    /// its moment, left movers (R* N? L*). Nothing that may wait for others.
    fn merges(&self, now: &Now, action: &Action, pc: Pc) -> bool {
        let waits = action.sleeps.is_some() || matches!(action.kind, ActionKind::Acquire(_));
        let external = matches!(action.kind, ActionKind::External(..));
        if waits || external || now.taken.contains(&pc) || now.way_out != WayOut::Ordinary {
            return false;
        }
        if action.kind == ActionKind::Choose && now.choices >= CHOICES {
            return false;
        }
        match self.of.movers[pc] {
            Mover::Both | Mover::Left => true,
            Mover::None => !now.committed,
            Mover::Right => false,
        }
    }

    /// Instructions that are no action, until one is. Every loop has one.
    fn alone(&self, now: &mut Now, mut pc: Pc) -> Result<Pc, (Pc, Wrongly)> {
        loop {
            match &self.of.body.code[pc] {
                Instr::Set(to, term) => {
                    let value = self.value(term, now, &mut 0).map_err(|wrong| (pc, wrong))?;
                    self.assign(now, *to, value).map_err(|wrong| (pc, wrong))?;
                    pc += 1;
                }
                Instr::Branch(term, yes, no) => {
                    let value = self.value(term, now, &mut 0).map_err(|wrong| (pc, wrong))?;
                    pc = if value != 0 { *yes } else { *no };
                }
                Instr::Jump(to) => pc = *to,
                Instr::Fail(failure) => {
                    let words = match failure {
                        Failure::Assertion => "the assertion fails".to_owned(),
                        Failure::Index(elements) => {
                            format!("an index beyond an array of {elements}")
                        }
                    };
                    return Err((pc, Wrongly(words)));
                }
                _ => return Ok(pc),
            }
        }
    }

    fn fails(&mut self, mut now: Now, pc: Pc, Wrongly(words): Wrongly) {
        self.tell(&mut now, pc, || Tale::Failed(words));
        self.arrives(now, FAILED);
    }

    fn arrives(&mut self, now: Now, local: u64) {
        let Now { shared, effect, way_out, footprint, told, .. } = now;
        self.ways.push(Way { shared, local, effect, way_out, footprint, told });
    }

    fn assign(&self, now: &mut Now, to: Reg, value: i64) -> Result<(), Wrongly> {
        let register = &self.of.body.registers[to];
        if !register.domain.contains(value) {
            return Err(Wrongly(beyond(&register.name, value, &register.domain)));
        }
        now.registers[to] = value;
        Ok(())
    }

    fn cell(&self, address: i64) -> Result<(&Bits, &str), Wrongly> {
        let index = usize::try_from(address - 1).ok();
        match index.and_then(|i| Some((self.machine.shared.get(i)?, &self.machine.cells[i].name))) {
            Some((bits, name)) => Ok((bits, name)),
            None => Err(Wrongly("a pointer that is NULL is followed".to_owned())),
        }
    }

    fn value(&self, term: &Term, now: &Now, reads: &mut Shared) -> Result<i64, Wrongly> {
        Ok(match term {
            Term::Const(value) => *value,
            Term::Reg(reg) => now.registers[*reg],
            Term::At(address) => {
                let address = self.value(address, now, reads)?;
                let (bits, _) = self.cell(address)?;
                *reads |= mask(bits);
                decoded(bits, now.shared)
            }
            Term::Unary(operator, of) => {
                let of = self.value(of, now, reads)?;
                domain::unary(*operator, of).ok_or_else(undefined)?
            }
            Term::Binary(operator, left, right) => {
                let left = self.value(left, now, reads)?;
                let right = self.value(right, now, reads)?;
                domain::binary(*operator, left, right).ok_or_else(undefined)?
            }
        })
    }

    /// Where a process goes on that was at a call of the host, which has come to a value.
    pub fn answered(&self, local: u64, result: i64) -> u64 {
        let Some(rest) = self.of.rest(local) else { return FAILED };
        let Instr::Act(Action { kind: ActionKind::External(_, _, to), .. }) =
            &self.of.body.code[rest.pc]
        else {
            return FAILED;
        };
        let mut now = Now::before(self.of.registers(rest, local), 0);
        let assigned = to.map_or(Ok(()), |to| self.assign(&mut now, to, result));
        match assigned.map(|()| self.alone(&mut now, rest.pc + 1)) {
            Ok(Ok(pc)) => self.of.encode(pc, &now.registers),
            Ok(Err(_)) | Err(_) => FAILED,
        }
    }

    /// Where a process goes on that somebody has woken, and what it has in mind then.
    pub fn woken(&self, local: u64, queue: u8) -> Option<u64> {
        let rest = self.of.rest(local)?;
        let mut registers = self.of.registers(rest, local);
        if let Some(slot) = self.machine.grace_periods.iter().position(|q| *q == queue) {
            let (depth, marks) = self.of.body.rcu?;
            let reads = rest.registers.iter().any(|(reg, _)| *reg == depth) && registers[depth] > 0;
            if !reads {
                return None;
            }
            registers[marks] |= 1 << slot;
            return Some(self.of.encode(rest.pc, &registers));
        }
        if let Some((its, how)) = rest.evaluates
            && its == queue
        {
            if registers[how] != 0 {
                return None;
            }
            registers[how] = 1;
            return Some(self.of.encode(rest.pc, &registers));
        }
        let Instr::Asleep { wakes, .. } = &self.of.body.code[rest.pc] else { return None };
        let (_, to) = wakes.iter().find(|(its, _)| *its == queue)?;
        let mut now = Now { committed: true, ..Now::before(registers, 0) };
        Some(match self.alone(&mut now, *to) {
            Ok(pc) => self.of.encode(pc, &now.registers),
            Err(_) => FAILED,
        })
    }

    /// A run of an asynchronous function begins, which is of that kind.
    fn starts(&self, kind: usize, argument: i64) -> Effect {
        let of = &self.machine.kinds[kind];
        let stepper = Stepper { machine: self.machine, of, tells: false, ways: Vec::new() };
        let begins = stepper.begins(of.body.argument.map(|reg| (reg, argument)));
        Effect::Spawn(Kind(u8::try_from(kind).unwrap_or(u8::MAX)), begins)
    }

    /// The local state in which a process begins.
    pub fn begins(&self, argument: Option<(Reg, i64)>) -> u64 {
        let registers = vec![0; self.of.body.registers.len()];
        let mut now = Now { committed: true, ..Now::before(registers, 0) };
        if let Some((reg, value)) = argument {
            now.registers[reg] = value;
        }
        match self.alone(&mut now, 0) {
            Ok(pc) => self.of.encode(pc, &now.registers),
            Err(_) => FAILED,
        }
    }
}

/// The bits of a cell.
pub(super) fn mask(bits: &Bits) -> Shared {
    ((1 << bits.width) - 1) << bits.shift
}

/// The value of a cell.
pub(super) fn decoded(bits: &Bits, shared: Shared) -> i64 {
    if bits.width == 0 {
        return bits.domain.decode(0);
    }
    let number = shared >> bits.shift & ((1 << bits.width) - 1);
    bits.domain.decode(u64::try_from(number).unwrap_or(u64::MAX))
}

fn undefined() -> Wrongly {
    Wrongly("a value that C leaves undefined, or beyond 32 bits".to_owned())
}

/// What is wrong with a value that a variable cannot hold.
fn beyond(name: &str, value: i64, domain: &crate::graph::domain::Domain) -> String {
    let name = if name.is_empty() { "a value".to_owned() } else { format!("'{name}'") };
    let (least, most) = domain.bounds().unwrap_or_default();
    format!("{name} becomes {value}, beyond its range from {least} to {most}")
}
