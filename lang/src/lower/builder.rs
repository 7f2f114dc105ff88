//! The code of one process while it is made: instructions, labels, registers, scopes.

use std::collections::HashMap;

use super::memory::{Made, Memory, Type, folded};
use super::world::World;
use crate::graph::code::{
    Action, ActionKind, Alternative, Body, Evaluation, Failure, Instr, Pc, Reg, Register, Runs,
    Term,
};
use crate::graph::domain::{self, Domain};
use crate::text::syntax::{Binary, Function, Name, Span, Unary};
use crate::text::wrong::Wrong;

/// Most instructions of one process, functions that it calls included.
const MOST_CODE: usize = 8_000;

/// A place in the code that is not known yet.
pub(super) type Label = usize;

/// What an expression comes to.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub term: Term,
    pub of: Type,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    /// Registers from this one on.
    Local(Reg, Type),
    /// What never changes.
    Constant(i64, Type),
}

/// A call, or the process itself.
pub(super) struct Frame {
    /// What it is called.
    pub name: String,
    pub scopes: Vec<HashMap<String, Binding>>,
    pub labels: HashMap<String, (Label, Span, bool)>,
    /// Where its value goes.
    pub result: Option<(Reg, Type)>,
    pub returns: Type,
    pub end: Label,
    pub breaks: Vec<Label>,
    pub continues: Vec<Label>,
}

/// The code of one process, while it is made.
pub(super) struct Builder<'w, 'f> {
    pub world: &'w mut World<'f>,
    /// `smp_processor_id()`, of a process of the text.
    pub number: Option<usize>,
    code: Vec<Instr>,
    spans: Vec<Span>,
    registers: Vec<Register>,
    labels: Vec<Option<Pc>>,
    pub frames: Vec<Frame>,
    evaluations: Vec<(Label, Label, u8, Reg)>,
    /// How deep it is in read-side critical sections, and who waits for it.
    pub rcu: Option<(Reg, Reg)>,
    pub argument: Option<Reg>,
    /// The condition of a wait is being made.
    pub in_condition: bool,
    named: Vec<(String, Reg, bool)>,
}

impl<'w, 'f> Builder<'w, 'f> {
    pub fn new(world: &'w mut World<'f>, number: Option<usize>) -> Self {
        Self {
            world,
            number,
            code: Vec::new(),
            spans: Vec::new(),
            registers: Vec::new(),
            labels: Vec::new(),
            frames: Vec::new(),
            evaluations: Vec::new(),
            rcu: None,
            argument: None,
            in_condition: false,
            named: Vec::new(),
        }
    }

    pub fn memory(&self) -> &Memory {
        &self.world.memory
    }

    /// The functions of the file live longer than what is made of them.
    pub fn function(&self, name: &str) -> Option<&'f Function> {
        self.world.functions.get(name).copied()
    }

    pub fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("code is made in a frame")
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        self.labels.len() - 1
    }

    /// The label is here.
    pub fn place(&mut self, label: Label) {
        self.labels[label] = Some(self.code.len());
    }

    pub fn emit(&mut self, instr: Instr, span: Span) -> Made<()> {
        if self.code.len() >= MOST_CODE {
            let found = format!("found more than {MOST_CODE} instructions in one process");
            return Err(Wrong::new(
                span,
                found,
                "expected fewer: every call is expanded where it stands",
            ));
        }
        self.code.push(instr);
        self.spans.push(span);
        Ok(())
    }

    pub fn jump(&mut self, to: Label, span: Span) -> Made<()> {
        self.emit(Instr::Jump(to), span)
    }

    pub fn set(&mut self, to: Reg, value: Term, span: Span) -> Made<()> {
        self.emit(Instr::Set(to, value), span)
    }

    pub fn act(&mut self, action: Action, span: Span) -> Made<()> {
        self.emit(Instr::Act(action), span)
    }

    /// A register of a variable, or one in between, without a name.
    pub fn register(&mut self, name: &str, declared: Option<Domain>) -> Reg {
        self.registers.push(Register {
            name: name.to_owned(),
            fixed: declared.is_some(),
            domain: declared.unwrap_or(Domain::none()),
            observed: false,
        });
        self.registers.len() - 1
    }

    pub fn temporary(&mut self) -> Reg {
        self.register("", None)
    }

    /// A value that stays, whatever is assigned later.
    pub fn kept(&mut self, value: Value, span: Span) -> Made<Value> {
        if matches!(value.term, Term::Const(_)) {
            return Ok(value);
        }
        let to = self.temporary();
        self.set(to, value.term, span)?;
        Ok(Value { term: Term::Reg(to), of: value.of })
    }

    /// Declares a variable here, in the innermost scope.
    pub fn declare(&mut self, name: &Name, of: Type) -> Made<Reg> {
        let outermost = self.frames.len() == 1;
        let size = self.memory().size(&of);
        let domains = self.domains(&of, name.span)?;
        let first = self.registers.len();
        for (i, domain) in domains.into_iter().enumerate() {
            let called = if size == 1 { name.text.clone() } else { format!("{}+{i}", name.text) };
            self.register(&called, domain);
        }
        if outermost && size == 1 {
            self.named.push((name.text.clone(), first, of.is_pointer()));
        }
        self.bind(name, Binding::Local(first, of))?;
        Ok(first)
    }

    /// What each register of a variable can hold, if that is declared.
    fn domains(&self, of: &Type, span: Span) -> Made<Vec<Option<Domain>>> {
        match of {
            Type::Array(of, elements) => {
                let one = self.domains(of, span)?;
                Ok(std::iter::repeat_n(one, *elements).flatten().collect())
            }
            Type::Struct(id) => {
                let fields = self.memory().structures[*id].fields.clone();
                let all: Made<Vec<_>> = fields.iter().map(|f| self.domains(&f.of, span)).collect();
                Ok(all?.into_iter().flatten().collect())
            }
            of if of.is_scalar() => Ok(vec![self.memory().domain(of)]),
            of => {
                let found = format!("found a local variable of {}", self.memory().in_words(of));
                Err(Wrong::new(span, found, "expected a shared variable: others have to see it"))
            }
        }
    }

    pub fn bind(&mut self, name: &Name, binding: Binding) -> Made<()> {
        let scopes = &mut self.frame().scopes;
        let scope = scopes.last_mut().expect("a frame has a scope");
        if scope.insert(name.text.clone(), binding).is_some() {
            return Err(super::memory::again("name", name));
        }
        Ok(())
    }

    /// What a name stands for, of what is local.
    pub fn bound(&self, name: &str) -> Option<Binding> {
        let frame = self.frames.last()?;
        frame.scopes.iter().rev().find_map(|scope| scope.get(name)).cloned()
    }

    /// Code that evaluates the condition of a wait: from one label to the other.
    pub fn evaluation(&mut self, from: Label, to: Label, queue: u8, how: Reg) {
        self.evaluations.push((from, to, queue, how));
    }

    /// Fails unless the term is true.
    pub fn demand(&mut self, term: Term, failure: Failure, span: Span) -> Made<()> {
        let (good, bad) = (self.label(), self.label());
        self.emit(Instr::Branch(term, good, bad), span)?;
        self.place(bad);
        self.emit(Instr::Fail(failure), span)?;
        self.place(good);
        Ok(())
    }

    /// A step of its own, of a loop that has no other; it is taken out where there is one.
    pub fn turn(&mut self, span: Span) -> Made<()> {
        self.act(Action::new(ActionKind::Turn, vec![Alternative::always()]), span)
    }

    /// The value at an address that others may change.
    pub fn load(&mut self, address: Term, of: &Type, span: Span) -> Made<Value> {
        let to = self.temporary();
        let read = Alternative::always().gives_value(Some(to), Term::At(Box::new(address)));
        self.act(Action::new(ActionKind::Access, vec![read]), span)?;
        Ok(Value { term: Term::Reg(to), of: of.clone() })
    }

    pub fn store(&mut self, address: Term, value: Term, span: Span) -> Made<()> {
        let mut write = Alternative::always();
        write.updates.push((address, value));
        self.act(Action::new(ActionKind::Access, vec![write]), span)
    }

    /// With all labels known.
    pub fn finish(self, runs: Runs) -> Body {
        let known = |label: Label| self.labels[label].expect("every label has been placed");
        let mut code = self.code;
        for instr in &mut code {
            match instr {
                Instr::Branch(_, yes, no) => (*yes, *no) = (known(*yes), known(*no)),
                Instr::Jump(to) => *to = known(*to),
                Instr::Act(action) => {
                    for alternative in &mut action.alternatives {
                        alternative.then = alternative.then.map(known);
                    }
                }
                Instr::Asleep { wakes, timed_out, signalled } => {
                    wakes.iter_mut().for_each(|(_, to)| *to = known(*to));
                    *timed_out = timed_out.map(known);
                    *signalled = signalled.map(known);
                }
                _ => {}
            }
        }
        let evaluations = self.evaluations.iter().map(|(from, to, queue, how)| Evaluation {
            code: (known(*from), known(*to)),
            queue: *queue,
            how: *how,
        });
        Body {
            runs,
            evaluations: evaluations.collect(),
            code,
            spans: self.spans,
            registers: self.registers,
            rcu: self.rcu,
            argument: self.argument,
            result: None,
            named: self.named,
        }
    }
}

/// An operator applied, at once if what it is applied to is known.
pub(super) fn unary(operator: Unary, of: Term) -> Term {
    if let Term::Const(value) = of
        && let Some(value) = domain::unary(operator, value)
    {
        return Term::Const(value);
    }
    Term::Unary(operator, Box::new(of))
}

/// The same of two.
pub(super) fn binary(operator: Binary, left: Term, right: Term) -> Term {
    if let (Term::Const(left), Term::Const(right)) = (&left, &right)
        && let Some(value) = folded(operator, *left, *right)
    {
        return Term::Const(value);
    }
    Term::Binary(operator, Box::new(left), Box::new(right))
}
