//! Work items and asynchronous functions: what runs as a process of its own.

use super::builder::{Builder, Value};
use super::expressions::number_value;
use super::memory::{Made, Type};
use super::primitives::{both, is, not, plus};
use crate::graph::code::{Action, ActionKind, Alternative, EffectTerm, Instr, Term};
use crate::text::syntax::{Expr, Span};
use crate::text::wrong::Wrong;

impl Builder<'_, '_> {
    /// 1 if it was not pending.
    pub(super) fn queue_work(&mut self, work: &Expr, span: Span) -> Made<Value> {
        let pending = self.object(work, &Type::Work)?;
        let (to, value) = self.result();
        let queued = Alternative::when(is(Term::cell(pending), 0))
            .writes(pending, Term::Const(1))
            .gives_value(Some(to), Term::Const(1));
        let already = Alternative::when(not(is(Term::cell(pending), 0)));
        let ways = vec![queued, already.gives_value(Some(to), Term::Const(0))];
        self.act(Action::new(ActionKind::Other, ways), span)?;
        Ok(Value { of: Type::Bool, ..value })
    }

    /// `flush_work()` waits for the run that was asked for last, not for one that is asked for meanwhile;
    /// `cancel_work_sync()` takes it back if it has not begun, and waits for one that has.
    pub(super) fn flush_work(&mut self, called: &str, work: &Expr, span: Span) -> Made<Value> {
        let pending = self.object(work, &Type::Work)?;
        let running = pending + 1;
        let queues = self.world.work(pending, span)?;
        let (to, value) = self.result();
        let [begun, runs, over, end] = std::array::from_fn(|_| self.label());
        let waits =
            |guard: Term, label| Alternative { then: Some(label), ..Alternative::when(guard) };
        let at_rest = is(Term::cell(running), 0);
        let idle = is(Term::cell(pending), 0);
        if called == "flush_work" {
            let nothing_to_do = waits(both(idle.clone(), at_rest.clone()), end);
            let ways = vec![
                nothing_to_do.gives_value(Some(to), Term::Const(0)),
                waits(not(idle.clone()), begun).gives_value(Some(to), Term::Const(1)),
                waits(both(idle, not(at_rest)), runs).gives_value(Some(to), Term::Const(1)),
            ];
            self.sleep("flush_work", ways, span)?;
            self.place(begun);
            let wakes = vec![(queues.begins, runs), (queues.cancelled, over)];
            self.emit(Instr::Asleep { wakes, timed_out: None, signalled: None }, span)?;
        } else {
            let cancels = |guard: Term, label| {
                let mut way = waits(guard, label)
                    .writes(pending, Term::Const(0))
                    .gives_value(Some(to), Term::cell(pending));
                way.effect = EffectTerm::WakeAll(queues.cancelled);
                way
            };
            let ways = vec![cancels(at_rest.clone(), end), cancels(not(at_rest), runs)];
            self.sleep("cancel_work_sync", ways, span)?;
            self.place(begun);
        }
        self.place(runs);
        let wakes = vec![(queues.ends, over)];
        self.emit(Instr::Asleep { wakes, timed_out: None, signalled: None }, span)?;
        self.place(over);
        self.place(end);
        Ok(Value { of: Type::Bool, ..value })
    }

    /// Whoever runs a work item: for ever, whenever it is pending.
    pub fn worker(&mut self, pending: i64, function: &str, span: Span) -> Made<()> {
        let queues = self.world.work(pending, span)?;
        let again = self.label();
        self.place(again);
        let mut begins = Alternative::when(not(is(Term::cell(pending), 0)))
            .writes(pending, Term::Const(0))
            .writes(pending + 1, Term::Const(1));
        begins.effect = EffectTerm::WakeAll(queues.begins);
        self.sleep("an idle worker", vec![begins], span)?;
        let work = (Term::Const(pending), Type::Pointer(Box::new(Type::Work)));
        let function = self.function(function).expect("it was looked up");
        self.run_as_process(function, Some(work))?;
        let mut ends = Alternative::always().writes(pending + 1, Term::Const(0));
        ends.effect = EffectTerm::WakeAll(queues.ends);
        self.act(Action::new(ActionKind::Other, vec![ends]), span)?;
        self.jump(again, span)
    }

    pub(super) fn async_schedule(
        &mut self,
        function: &Expr,
        data: &Expr,
        span: Span,
    ) -> Made<Value> {
        let name = self.function_named(function)?;
        let value = self.value(data)?;
        if !value.of.is_scalar() {
            let found = format!("found {}", self.memory().in_words(&value.of));
            return Err(Wrong::new(data.span, found, "expected a number or a pointer"));
        }
        let known = self.world.started.iter().position(|(other, ..)| *other == name);
        let number = known.unwrap_or_else(|| {
            self.world.started.push((name.clone(), span, 0));
            self.world.started.len() - 1
        });
        self.world.started[number].2 += 1;
        let of = self.world.async_types.entry(name).or_insert_with(|| value.of.clone());
        if *of != value.of && !(of.is_number() && value.of.is_number()) {
            let found = "found an argument of another type than where it was scheduled before";
            return Err(Wrong::new(data.span, found, "expected the same"));
        }
        let running = self.world.asynchronous.expect("it is there where this is called");
        let mut way = Alternative::always().writes(running, plus(Term::cell(running), 1));
        way.effect = EffectTerm::Start(number, value.term);
        self.act(Action::new(ActionKind::Other, vec![way]), span)?;
        Ok(number_value(0))
    }

    /// A run of an asynchronous function.
    pub fn asynchronous(&mut self, name: &str, of: &Type, span: Span) -> Made<()> {
        let argument = self.temporary();
        self.argument = Some(argument);
        let function = self.function(name).expect("it was looked up");
        self.run_as_process(function, Some((Term::Reg(argument), of.clone())))?;
        let running = self.world.asynchronous.expect("it is there where it is scheduled");
        let way = Alternative::always().writes(running, plus(Term::cell(running), -1));
        self.act(Action::new(ActionKind::Other, vec![way]), span)?;
        self.emit(Instr::End, span)
    }
}
