//! Where everything is in the words of a state. Of a process a local state has where it is, and those local
//! variables that somebody may still read there.

use std::collections::BTreeSet;

use crate::graph::code::{Body, Cell, Held, Instr, Pc, Reg, Runs};
use crate::graph::domain::Domain;
use crate::graph::{Live, Mover};
use crate::text::syntax::Span;
use crate::text::wrong::Wrong;

/// A local state of nobody: the process was not started.
pub(crate) const DORMANT: u64 = 0;
/// A local state of who has failed.
pub(crate) const FAILED: u64 = 1;
/// The first of those in which a process is somewhere.
const FIRST: u64 = 2;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    pub shift: u32,
    pub width: u32,
    pub domain: Domain,
}

/// Where a process may stand between two steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub pc: Pc,
    pub registers: Vec<(Reg, Bits)>,
    /// It evaluates the condition of a wait and has begun to: the queue, and who tells that it was woken.
    pub evaluates: Option<(u8, Reg)>,
    /// It need not go on.
    pub returned: bool,
}

/// A body with its local states.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub body: Body,
    pub movers: Vec<Mover>,
    /// The locks that are held at each instruction.
    pub held: Vec<Option<BTreeSet<Held>>>,
    pub rests: Vec<Rest>,
    by_pc: Vec<Option<usize>>,
    pc_bits: u32,
    pub bits: u32,
}

impl Compiled {
    pub fn new(
        body: Body,
        live: &Live,
        movers: Vec<Mover>,
        held: Vec<Option<BTreeSet<Held>>>,
    ) -> Self {
        let reachable = reachable(&body);
        let at_rest = |pc: &Pc| reachable[*pc] && body.code[*pc].is_rest();
        let pcs: Vec<Pc> = (0..body.code.len()).filter(at_rest).collect();
        let begun = begun(&body);
        let pc_bits = u64::BITS - (FIRST + pcs.len() as u64).leading_zeros();
        let mut by_pc = vec![None; body.code.len()];
        let mut bits = pc_bits;
        let mut rests = Vec::new();
        for (number, pc) in pcs.into_iter().enumerate() {
            by_pc[pc] = Some(number);
            let mut shift = pc_bits;
            let mut registers = Vec::new();
            for reg in live.at(pc) {
                let domain = body.registers[reg].domain.clone();
                let width = domain.bits();
                // What can have one value only is known.
                registers.push((reg, Bits { shift, width, domain }));
                shift += width;
            }
            bits = bits.max(shift);
            let evaluates = (body.evaluations.iter().zip(&begun))
                .find(|(_, begun)| begun[pc])
                .map(|(evaluation, _)| (evaluation.queue, evaluation.how));
            let idle = matches!(body.runs, Runs::Worker(_)) && pc == 0;
            let returned = idle || matches!(body.code[pc], Instr::Exit | Instr::End);
            rests.push(Rest { pc, registers, evaluates, returned });
        }
        Self { body, movers, held, rests, by_pc, pc_bits, bits }
    }

    /// The local state of a process at an instruction.
    pub fn encode(&self, pc: Pc, registers: &[i64]) -> u64 {
        if matches!(self.body.code[pc], Instr::End) {
            return DORMANT;
        }
        let number = self.by_pc[pc].expect("a process stands where one can");
        let here = FIRST + number as u64;
        self.rests[number].registers.iter().fold(here, |word, (reg, bits)| {
            if bits.width == 0 {
                word
            } else {
                word | bits.domain.encode(registers[*reg]) << bits.shift
            }
        })
    }

    /// Where a process is that is somewhere.
    pub fn rest(&self, local: u64) -> Option<&Rest> {
        let here = local & low(self.pc_bits);
        self.rests.get(usize::try_from(here.checked_sub(FIRST)?).ok()?)
    }

    /// Its variables; 0, of what nobody will read.
    pub fn registers(&self, rest: &Rest, local: u64) -> Vec<i64> {
        let mut all = vec![0; self.body.registers.len()];
        for (reg, bits) in &rest.registers {
            let number = if bits.width == 0 { 0 } else { local >> bits.shift & low(bits.width) };
            all[*reg] = bits.domain.decode(number);
        }
        all
    }
}

fn low(bits: u32) -> u64 {
    if bits >= u64::BITS { u64::MAX } else { (1 << bits) - 1 }
}

/// The instructions that somebody can come to.
fn reachable(body: &Body) -> Vec<bool> {
    let mut seen = vec![false; body.code.len()];
    let mut open = vec![0];
    while let Some(pc) = open.pop() {
        if pc < seen.len() && !std::mem::replace(&mut seen[pc], true) {
            body.code[pc].next(pc, &mut |next| open.push(next));
        }
    }
    seen
}

/// Of each evaluation: the instructions in it that are come to after a first step of it.
fn begun(body: &Body) -> Vec<Vec<bool>> {
    let all = body.evaluations.iter().map(|evaluation| {
        let (from, to) = evaluation.code;
        let inside = |pc: Pc| (from..to).contains(&pc);
        let mut begun = vec![false; body.code.len()];
        let mut open = Vec::new();
        for pc in (from..to).filter(|pc| matches!(body.code[*pc], Instr::Act(_))) {
            body.code[pc].next(pc, &mut |next| open.push(next));
        }
        while let Some(pc) = open.pop() {
            if inside(pc) && !std::mem::replace(&mut begun[pc], true) {
                body.code[pc].next(pc, &mut |next| open.push(next));
            }
        }
        begun
    });
    all.collect()
}

/// Lays out shared cells; how many bits they take.
///
/// # Errors
/// They are more than there are.
pub(crate) fn shared(cells: &[Cell], most: u32) -> Result<(Vec<Bits>, u32), Wrong> {
    let mut shift = 0;
    let mut all = Vec::new();
    for cell in cells {
        let width = cell.domain.bits();
        all.push(Bits { shift, width, domain: cell.domain.clone() });
        shift += width;
    }
    if shift > most {
        let mut widest: Vec<&Cell> = cells.iter().collect();
        widest.sort_by_key(|cell| std::cmp::Reverse(cell.domain.bits()));
        let named: Vec<String> = widest
            .iter()
            .take(3)
            .map(|cell| format!("'{}' {}", cell.name, cell.domain.bits()))
            .collect();
        let found = format!("found shared variables of {shift} bits ({})", named.join(", "));
        let expected =
            format!("expected at most {most}: declare narrower ones, as 'int __range(0, 3) x'");
        return Err(Wrong::new(Span::default(), found, expected));
    }
    Ok((all, shift))
}
