//! What a process is compiled to: straight code with jumps, in which every access to what is shared is an
//! action of its own.

use kmodcheck_explore::WayOut;

use super::domain::Domain;
use crate::text::syntax::{Binary, Span, Unary};

/// A local variable, or a value that an expression needs in between.
pub(crate) type Reg = usize;

/// An index into the code.
pub(crate) type Pc = usize;

/// What is computed. Only the terms of actions read what is shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Term {
    Const(i64),
    Reg(Reg),
    /// The value of the shared variable at an address.
    At(Box<Term>),
    Unary(Unary, Box<Term>),
    Binary(Binary, Box<Term>, Box<Term>),
}

/// One of the ways in which an action goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alternative {
    /// When it can be taken.
    pub guard: Term,
    /// Addresses, and what is written there. All terms are of the state before.
    pub updates: Vec<(Term, Term)>,
    pub results: Vec<(Reg, Term)>,
    /// Where it goes on; behind the action unless said otherwise.
    pub then: Option<Pc>,
    pub effect: EffectTerm,
    pub way_out: WayOutTerm,
    /// The lock that is held from here on.
    pub takes: Option<Held>,
    /// The lock that is not held any more.
    pub gives: Option<Held>,
}

/// [`WayOut`], which cannot be hashed together with the rest by itself.
pub(crate) type WayOutTerm = WayOut;

/// What an action does to others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EffectTerm {
    None,
    WakeAll(u8),
    /// Starts an asynchronous function, by its number, with an argument.
    Start(usize, Term),
}

/// A lock, by the address of its first cell, and how it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Held {
    pub lock: i64,
    pub how: Holding,
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Holding {
    Mutex,
    Spinning,
    Reading,
    Writing,
    /// Not a lock: inside an RCU read-side critical section.
    Rcu,
}

/// One thing that others can observe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Action {
    pub alternatives: Vec<Alternative>,
    pub kind: ActionKind,
    /// What may put the process to sleep here, as it is called.
    pub sleeps: Option<&'static str>,
}

/// What an action is, for those who ask with what it commutes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ActionKind {
    /// Reads or writes variables, in any state.
    Access,
    /// Picks a value; nobody else sees that.
    Choose,
    /// Waits for a lock and takes it.
    Acquire(i64),
    /// Gives a lock back.
    Release(i64),
    /// Looks at a lock, or takes it unless it is held, or waits for it in a way that can end otherwise.
    Look(i64),
    /// Nothing, so that a loop without accesses has a step each turn.
    Turn,
    /// A call that the host answers: its number and the arguments.
    External(usize, Vec<Term>, Option<Reg>),
    /// Anything else.
    Other,
}

/// Why a process cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Failure {
    /// What was asserted is not so.
    Assertion,
    /// An index beyond the array.
    Index(usize),
}

/// One instruction. Those that are no action touch nothing but the process's own variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Instr {
    Set(Reg, Term),
    Branch(Term, Pc, Pc),
    Jump(Pc),
    Act(Action),
    /// Asleep, until a queue is woken, or by a way out.
    Asleep {
        wakes: Vec<(u8, Pc)>,
        timed_out: Option<Pc>,
        signalled: Option<Pc>,
    },
    Fail(Failure),
    /// Has returned.
    Exit,
    /// Is dormant again.
    End,
}

/// A wait whose condition takes several steps to evaluate: whoever is woken meanwhile evaluates it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Evaluation {
    /// The code that evaluates the condition.
    pub code: (Pc, Pc),
    pub queue: u8,
    /// How the evaluation came about: 0 nobody has woken it since it began, 1 somebody has, 2 the time limit
    /// is over, 3 there is a signal.
    pub how: Reg,
}

/// A local variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Register {
    /// As it is called in the text; nothing for what is only in between.
    pub name: String,
    /// What it can hold, as far as that is declared or found.
    pub domain: Domain,
    /// It was declared, or stopped growing at a bound: what does not fit is a fault.
    pub fixed: bool,
    /// What it holds at the end is asked about.
    pub observed: bool,
}

/// A shared variable, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub name: String,
    pub domain: Domain,
    pub fixed: bool,
    pub initial: i64,
    /// Never shown: a part of a lock, say.
    pub hidden: bool,
    /// Its values are addresses.
    pub pointer: bool,
}

/// Who runs a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// A process of the text, by its number.
    Process(usize),
    /// Whoever runs a work item.
    Worker(String),
    /// A pool that runs an asynchronous function, so many at a time.
    Async(String, usize),
}

/// The code of a process.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub runs: Runs,
    pub code: Vec<Instr>,
    /// Where each instruction comes from.
    pub spans: Vec<Span>,
    pub registers: Vec<Register>,
    pub evaluations: Vec<Evaluation>,
    /// How deep it is in RCU read-side critical sections, and which grace periods wait for it.
    pub rcu: Option<(Reg, Reg)>,
    /// What an asynchronous function is started with.
    pub argument: Option<Reg>,
    /// What a program of a host comes to.
    pub result: Option<Reg>,
    /// The local variables of its own text, and whether their values are addresses.
    pub named: Vec<(String, Reg, bool)>,
}

impl Term {
    pub const TRUE: Self = Self::Const(1);

    /// Of a shared variable at a known address.
    pub fn cell(address: i64) -> Self {
        Self::At(Box::new(Self::Const(address)))
    }

    /// Calls `visit` with each register that it reads.
    pub fn registers(&self, visit: &mut impl FnMut(Reg)) {
        match self {
            Self::Const(_) => {}
            Self::Reg(reg) => visit(*reg),
            Self::At(of) | Self::Unary(_, of) => of.registers(visit),
            Self::Binary(_, left, right) => {
                left.registers(visit);
                right.registers(visit);
            }
        }
    }

    /// Calls `visit` with each address that it reads.
    pub fn addresses<'t>(&'t self, visit: &mut impl FnMut(&'t Self)) {
        match self {
            Self::Const(_) | Self::Reg(_) => {}
            Self::At(of) => {
                visit(of);
                of.addresses(visit);
            }
            Self::Unary(_, of) => of.addresses(visit),
            Self::Binary(_, left, right) => {
                left.addresses(visit);
                right.addresses(visit);
            }
        }
    }
}

impl Alternative {
    /// It can always be taken, and does nothing yet.
    pub fn always() -> Self {
        Self {
            guard: Term::TRUE,
            updates: Vec::new(),
            results: Vec::new(),
            then: None,
            effect: EffectTerm::None,
            way_out: WayOut::Ordinary,
            takes: None,
            gives: None,
        }
    }

    pub fn when(guard: Term) -> Self {
        Self { guard, ..Self::always() }
    }

    pub fn writes(mut self, address: i64, value: Term) -> Self {
        self.updates.push((Term::Const(address), value));
        self
    }

    pub fn gives_value(mut self, to: Option<Reg>, value: Term) -> Self {
        self.results.extend(to.map(|to| (to, value)));
        self
    }

    /// All terms, those of addresses that are written included.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        let argument = match &self.effect {
            EffectTerm::Start(_, argument) => Some(argument),
            _ => None,
        };
        let updates = self.updates.iter().flat_map(|(address, value)| [address, value]);
        let results = self.results.iter().map(|(_, value)| value);
        std::iter::once(&self.guard).chain(updates).chain(results).chain(argument)
    }
}

impl Action {
    pub fn new(kind: ActionKind, alternatives: Vec<Alternative>) -> Self {
        Self { alternatives, kind, sleeps: None }
    }

    /// All terms.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        let arguments: &[Term] = match &self.kind {
            ActionKind::External(_, arguments, _) => arguments,
            _ => &[],
        };
        self.alternatives.iter().flat_map(Alternative::terms).chain(arguments)
    }

    /// All registers that some alternative writes.
    pub fn written(&self) -> impl Iterator<Item = Reg> {
        let result = match &self.kind {
            ActionKind::External(_, _, result) => *result,
            _ => None,
        };
        let results = self.alternatives.iter().flat_map(|a| a.results.iter().map(|(reg, _)| *reg));
        results.chain(result)
    }

    /// The locks that it may take or give back, or that it looks at.
    pub fn lock(&self) -> Option<i64> {
        match self.kind {
            ActionKind::Acquire(lock) | ActionKind::Release(lock) | ActionKind::Look(lock) => {
                Some(lock)
            }
            _ => None,
        }
    }
}

impl Instr {
    /// Whether what an action comes to is the value of a pointer.
    pub fn gives_address(&self, cells: &[Cell]) -> bool {
        let Self::Act(action) = self else { return false };
        let of_pointer = |term: &Term| match term {
            Term::At(address) => match **address {
                Term::Const(address) => usize::try_from(address - 1)
                    .is_ok_and(|i| cells.get(i).is_some_and(|c| c.pointer)),
                _ => false,
            },
            _ => false,
        };
        let first = action.alternatives.first().and_then(|way| way.results.first());
        first.is_some_and(|(_, term)| of_pointer(term))
    }

    /// The instructions that may come next, of one at `pc`; of who is asleep, once awake.
    pub fn next(&self, pc: Pc, visit: &mut impl FnMut(Pc)) {
        match self {
            Self::Set(..) => visit(pc + 1),
            Self::Branch(_, yes, no) => {
                visit(*yes);
                visit(*no);
            }
            Self::Jump(to) => visit(*to),
            Self::Act(action) => {
                if action.alternatives.is_empty() {
                    visit(pc + 1);
                }
                for alternative in &action.alternatives {
                    visit(alternative.then.unwrap_or(pc + 1));
                }
            }
            Self::Asleep { wakes, timed_out, signalled } => {
                wakes.iter().for_each(|(_, to)| visit(*to));
                timed_out.iter().chain(signalled).for_each(|to| visit(*to));
            }
            Self::Fail(_) | Self::Exit | Self::End => {}
        }
    }

    /// Whether a process may stand here between two steps.
    pub fn is_rest(&self) -> bool {
        !matches!(self, Self::Set(..) | Self::Branch(..) | Self::Jump(_) | Self::Fail(_))
    }
}
