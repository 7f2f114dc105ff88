//! Which local variables somebody may still read. The others are not there in a local state: so states that
//! differ only in what nobody will read are one.

use super::code::{Body, Instr, Pc, Reg};

/// By instruction: the registers whose value may be read from there on.
pub(crate) struct Live {
    words: usize,
    live: Vec<u64>,
}

impl Live {
    /// Whether the register may be read from the instruction on.
    pub fn is(&self, pc: Pc, reg: Reg) -> bool {
        self.live[pc * self.words + reg / 64] >> (reg % 64) & 1 != 0
    }

    /// All of them.
    pub fn at(&self, pc: Pc) -> impl Iterator<Item = Reg> {
        (0..self.words * 64).filter(move |reg| self.is(pc, *reg))
    }
}

/// Backwards, until nothing is added.
pub(crate) fn live(body: &Body) -> Live {
    let words = body.registers.len().div_ceil(64).max(1);
    let mut before: Vec<Vec<Pc>> = vec![Vec::new(); body.code.len()];
    for (pc, instr) in body.code.iter().enumerate() {
        instr.next(pc, &mut |next| before[next].push(pc));
    }
    let mut live = vec![0_u64; body.code.len() * words];
    let mut open: Vec<Pc> = (0..body.code.len()).collect();
    let mut queued = vec![true; body.code.len()];
    while let Some(pc) = open.pop() {
        queued[pc] = false;
        let mut mine = vec![0_u64; words];
        body.code[pc].next(pc, &mut |next| {
            for (word, theirs) in mine.iter_mut().zip(&live[next * words..(next + 1) * words]) {
                *word |= theirs;
            }
        });
        let add = |mine: &mut [u64], reg: Reg| mine[reg / 64] |= 1 << (reg % 64);
        match &body.code[pc] {
            Instr::Set(to, term) => {
                mine[to / 64] &= !(1 << (to % 64));
                term.registers(&mut |reg| add(&mut mine, reg));
            }
            Instr::Branch(term, ..) => term.registers(&mut |reg| add(&mut mine, reg)),
            Instr::Act(action) => {
                // What only some ways write keeps its value in the others.
                let all = |reg: Reg| {
                    !action.alternatives.is_empty()
                        && action
                            .alternatives
                            .iter()
                            .all(|a| a.results.iter().any(|(to, _)| *to == reg))
                };
                let external = action.alternatives.is_empty();
                let written: Vec<Reg> = action.written().filter(|r| external || all(*r)).collect();
                for to in written {
                    mine[to / 64] &= !(1 << (to % 64));
                }
                for term in action.terms() {
                    term.registers(&mut |reg| add(&mut mine, reg));
                }
            }
            Instr::Exit => {
                for (reg, register) in body.registers.iter().enumerate() {
                    if register.observed {
                        add(&mut mine, reg);
                    }
                }
            }
            Instr::Jump(_) | Instr::Asleep { .. } | Instr::Fail(_) | Instr::End => {}
        }
        let old = &mut live[pc * words..(pc + 1) * words];
        if old.iter().zip(&mine).any(|(old, new)| old | new != *old) {
            for (old, new) in old.iter_mut().zip(&mine) {
                *old |= new;
            }
            for earlier in &before[pc] {
                if !std::mem::replace(&mut queued[*earlier], true) {
                    open.push(*earlier);
                }
            }
        }
    }
    Live { words, live }
}
