//! Which values variables can have: declared, or found by going through all assignments until nothing new
//! comes. What keeps growing is cut to the numbers of 8 bits, and leaving these is a fault.

use super::code::{Body, Cell, EffectTerm, Instr, Register, Term};
use super::domain::Domain;
use super::liveness::Live;

/// So often may a variable grow before it is cut.
const GROWTH: u32 = 24;

/// What is cut is cut to this, and to what it has been found to hold.
const CUT: (i64, i64) = (-128, 127);

/// What a term can come to.
pub(crate) fn possible(term: &Term, registers: &[Register], cells: &[Cell]) -> Domain {
    match term {
        Term::Const(value) => Domain::one(*value),
        Term::Reg(reg) => registers[*reg].domain.clone(),
        Term::At(address) => {
            let all = addresses(address, registers, cells);
            let none = Domain::none();
            all.into_iter().fold(none, |sum, cell| sum.union(&cells[cell].domain))
        }
        Term::Unary(operator, of) => possible(of, registers, cells).unary(*operator),
        Term::Binary(operator, left, right) => {
            let left = possible(left, registers, cells);
            left.binary(*operator, &possible(right, registers, cells))
        }
    }
}

/// The cells that may be at an address, by index.
pub(crate) fn addresses(address: &Term, registers: &[Register], cells: &[Cell]) -> Vec<usize> {
    let domain = possible(address, registers, cells);
    let index = |address: i64| usize::try_from(address - 1).ok().filter(|i| *i < cells.len());
    match domain.values() {
        Some(values) => values.into_iter().filter_map(index).collect(),
        None => (0..cells.len()).filter(|i| domain.contains(*i as i64 + 1)).collect(),
    }
}

/// And no further.
const FAR: (i64, i64) = (-32_768, 32_767);

/// Something that grows.
struct Growing<'a> {
    changed: &'a mut bool,
    rounds: &'a mut u32,
}

impl Growing<'_> {
    fn add(self, domain: &mut Domain, fixed: &mut bool, more: &Domain) {
        if *fixed {
            return;
        }
        let sum = domain.union(more);
        if sum == *domain {
            return;
        }
        *self.changed = true;
        *self.rounds += 1;
        *domain = sum;
        if *self.rounds > GROWTH {
            let (least, most) = domain.bounds().unwrap_or_default();
            *domain = Domain::Range(least.clamp(FAR.0, CUT.0), most.clamp(CUT.1, FAR.1));
            *fixed = true;
        }
    }
}

/// Finds the domains of all registers and cells that have none declared. `live`: of each body; `functions`:
/// the body of each asynchronous function.
pub(crate) fn infer(bodies: &mut [Body], cells: &mut [Cell], live: &[Live], functions: &[usize]) {
    for cell in cells.iter_mut() {
        if !cell.fixed {
            cell.domain = Domain::one(cell.initial);
        }
    }
    for (body, live) in bodies.iter_mut().zip(live) {
        // What may be read before it is written is 0.
        for (reg, register) in body.registers.iter_mut().enumerate() {
            if !register.fixed && live.is(0, reg) && body.argument != Some(reg) {
                register.domain = Domain::one(0);
            }
        }
        for evaluation in body.evaluations.clone() {
            let (from, to) = evaluation.code;
            if body.code[from..to].iter().filter(|instr| instr.is_rest()).count() > 1 {
                let how = &mut body.registers[evaluation.how].domain;
                *how = how.union(&Domain::one(1));
            }
        }
    }
    let mut rounds_of_cells = vec![0; cells.len()];
    let mut rounds: Vec<Vec<u32>> = bodies.iter().map(|b| vec![0; b.registers.len()]).collect();
    let mut changed = true;
    while changed {
        changed = false;
        for number in 0..bodies.len() {
            let body = &bodies[number];
            let mut to_registers: Vec<(usize, usize, Domain)> = Vec::new();
            let mut to_cells: Vec<(usize, Domain)> = Vec::new();
            for instr in &body.code {
                let possible = |term: &Term| possible(term, &body.registers, cells);
                match instr {
                    Instr::Set(to, term) => to_registers.push((number, *to, possible(term))),
                    Instr::Act(action) => {
                        for way in &action.alternatives {
                            for (to, term) in &way.results {
                                to_registers.push((number, *to, possible(term)));
                            }
                            for (address, term) in &way.updates {
                                let value = possible(term);
                                let all = addresses(address, &body.registers, cells);
                                to_cells.extend(all.into_iter().map(|cell| (cell, value.clone())));
                            }
                            if let EffectTerm::Start(function, term) = &way.effect {
                                let body = functions[*function];
                                if let Some(argument) = bodies[body].argument {
                                    to_registers.push((body, argument, possible(term)));
                                }
                            }
                        }
                    }
                    _ => {}
                }
            }
            for (body, reg, more) in to_registers {
                let register = &mut bodies[body].registers[reg];
                let growing = Growing { changed: &mut changed, rounds: &mut rounds[body][reg] };
                growing.add(&mut register.domain, &mut register.fixed, &more);
            }
            for (cell, more) in to_cells {
                let growing = Growing { changed: &mut changed, rounds: &mut rounds_of_cells[cell] };
                let cell = &mut cells[cell];
                growing.add(&mut cell.domain, &mut cell.fixed, &more);
            }
        }
    }
    for cell in cells.iter_mut().filter(|cell| !cell.hidden) {
        cell.domain = cell.domain.union(&Domain::one(cell.initial));
    }
    for (body, live) in bodies.iter_mut().zip(live) {
        for (reg, register) in body.registers.iter_mut().enumerate() {
            if live.is(0, reg) && body.argument != Some(reg) {
                register.domain = register.domain.union(&Domain::one(0));
            }
        }
    }
}
