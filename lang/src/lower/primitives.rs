//! The kernel's primitives that have somebody wait: locks, semaphores, completions, wait queues, RCU.

use kmodcheck_explore::WayOut;

use super::builder::{Builder, Value, binary, unary};
use super::memory::{COMPLETED, Made, Type};
use super::statements::nothing;
use crate::graph::code::{Action, ActionKind, Alternative, EffectTerm, Held, Holding, Instr, Term};
use crate::graph::domain::Domain;
use crate::text::syntax::{Binary, Expr, ExprKind, Span, Unary};
use crate::text::wrong::Wrong;

/// `-ERESTARTSYS`: a signal has ended a wait.
const RESTART: i64 = -512;
/// `-EINTR`: a signal has ended a wait for a lock.
const INTERRUPTED: i64 = -4;
/// `-ETIME`: the time for a semaphore is over.
const TIME: i64 = -62;

/// The primitives, to say which of them was likely meant. A test holds that each is known.
pub const PRIMITIVES: &[&str] = &[
    "async_schedule",
    "async_synchronize_full",
    "cancel_work_sync",
    "complete",
    "complete_all",
    "completion_done",
    "down",
    "down_interruptible",
    "down_killable",
    "down_read",
    "down_read_interruptible",
    "down_read_killable",
    "down_read_trylock",
    "down_timeout",
    "down_trylock",
    "down_write",
    "down_write_killable",
    "down_write_trylock",
    "downgrade_write",
    "flush_work",
    "msleep",
    "mutex_is_locked",
    "mutex_lock",
    "mutex_lock_interruptible",
    "mutex_lock_killable",
    "mutex_trylock",
    "mutex_unlock",
    "queue_work",
    "raw_spin_lock",
    "raw_spin_unlock",
    "rcu_read_lock",
    "rcu_read_unlock",
    "reinit_completion",
    "rwsem_is_locked",
    "schedule_timeout_uninterruptible",
    "schedule_work",
    "spin_is_locked",
    "spin_lock",
    "spin_trylock",
    "spin_unlock",
    "synchronize_rcu",
    "synchronize_rcu_expedited",
    "try_wait_for_completion",
    "up",
    "up_read",
    "up_write",
    "wait_event",
    "wait_event_interruptible",
    "wait_event_interruptible_timeout",
    "wait_event_killable",
    "wait_event_killable_timeout",
    "wait_event_timeout",
    "wait_for_completion",
    "wait_for_completion_interruptible",
    "wait_for_completion_interruptible_timeout",
    "wait_for_completion_killable",
    "wait_for_completion_killable_timeout",
    "wait_for_completion_timeout",
    "wake_up",
    "wake_up_all",
    "wake_up_interruptible",
    "wake_up_interruptible_all",
];

/// How a wait may end otherwise.
#[derive(Clone, Copy, Default)]
struct Ways {
    /// What a signal makes of it.
    signal: Option<i64>,
    /// What the end of the time makes of it.
    time: Option<i64>,
}

pub(super) fn is(left: Term, right: i64) -> Term {
    binary(Binary::Equal, left, Term::Const(right))
}

pub(super) fn not(of: Term) -> Term {
    unary(Unary::Not, of)
}

pub(super) fn plus(left: Term, right: i64) -> Term {
    binary(Binary::Add, left, Term::Const(right))
}

pub(super) fn both(left: Term, right: Term) -> Term {
    binary(Binary::And, left, right)
}

impl Builder<'_, '_> {
    /// The value of a call of a primitive, if it is one.
    pub fn primitive(
        &mut self,
        called: &str,
        arguments: &[Expr],
        span: Span,
    ) -> Made<Option<Value>> {
        Ok(Some(match called {
            "spin_lock" | "raw_spin_lock" | "spin_trylock" | "spin_unlock" | "raw_spin_unlock"
            | "spin_is_locked" => {
                let [lock] = self.arguments(arguments, span)?;
                let lock = self.object(lock, &Type::Spinlock)?;
                let called = called.trim_start_matches("raw_").trim_start_matches("spin_");
                self.lock(called, lock, Holding::Spinning, span)?
            }
            "mutex_lock"
            | "mutex_lock_interruptible"
            | "mutex_lock_killable"
            | "mutex_trylock"
            | "mutex_unlock"
            | "mutex_is_locked" => {
                let [lock] = self.arguments(arguments, span)?;
                let lock = self.object(lock, &Type::Mutex)?;
                self.lock(called.trim_start_matches("mutex_"), lock, Holding::Mutex, span)?
            }
            "down_read"
            | "down_read_interruptible"
            | "down_read_killable"
            | "down_read_trylock"
            | "up_read"
            | "down_write"
            | "down_write_killable"
            | "down_write_trylock"
            | "up_write"
            | "downgrade_write"
            | "rwsem_is_locked" => {
                let [lock] = self.arguments(arguments, span)?;
                let lock = self.object(lock, &Type::RwSemaphore)?;
                self.reader_writer(called, lock, span)?
            }
            "down" | "down_interruptible" | "down_killable" | "down_trylock" | "up" => {
                let [semaphore] = self.arguments(arguments, span)?;
                let semaphore = self.object(semaphore, &Type::Semaphore)?;
                self.semaphore(called, semaphore, span)?
            }
            "down_timeout" => {
                let [semaphore, limit] = self.arguments(arguments, span)?;
                let semaphore = self.object(semaphore, &Type::Semaphore)?;
                self.limit(limit)?;
                self.semaphore(called, semaphore, span)?
            }
            "wait_for_completion"
            | "wait_for_completion_interruptible"
            | "wait_for_completion_killable"
            | "try_wait_for_completion"
            | "complete"
            | "complete_all"
            | "reinit_completion"
            | "completion_done" => {
                let [completion] = self.arguments(arguments, span)?;
                let completion = self.object(completion, &Type::Completion)?;
                self.completion(called, completion, span)?
            }
            "wait_for_completion_timeout"
            | "wait_for_completion_interruptible_timeout"
            | "wait_for_completion_killable_timeout" => {
                let [completion, limit] = self.arguments(arguments, span)?;
                let completion = self.object(completion, &Type::Completion)?;
                self.limit(limit)?;
                self.completion(called, completion, span)?
            }
            "wait_event" | "wait_event_interruptible" | "wait_event_killable" => {
                let [queue, condition] = self.arguments(arguments, span)?;
                self.wait_event(called, queue, condition, span)?
            }
            "wait_event_timeout"
            | "wait_event_interruptible_timeout"
            | "wait_event_killable_timeout" => {
                let [queue, condition, limit] = self.arguments(arguments, span)?;
                self.limit(limit)?;
                self.wait_event(called, queue, condition, span)?
            }
            "wake_up" | "wake_up_all" | "wake_up_interruptible" | "wake_up_interruptible_all" => {
                // Who waits for an event is no exclusive waiter: wake_up() wakes all of them.
                let [queue] = self.arguments(arguments, span)?;
                let queue = self.queue_of(queue)?;
                let mut wakes = Alternative::always();
                wakes.effect = EffectTerm::WakeAll(queue);
                self.act(Action::new(ActionKind::Other, vec![wakes]), span)?;
                nothing()
            }
            "rcu_read_lock"
            | "rcu_read_unlock"
            | "synchronize_rcu"
            | "synchronize_rcu_expedited" => {
                self.takes(arguments, 0, span)?;
                self.rcu(called, span)?;
                nothing()
            }
            "queue_work" => {
                let [_, work] = self.arguments(arguments, span)?;
                self.queue_work(work, span)?
            }
            "schedule_work" => {
                let [work] = self.arguments(arguments, span)?;
                self.queue_work(work, span)?
            }
            "flush_work" | "cancel_work_sync" => {
                let [work] = self.arguments(arguments, span)?;
                self.flush_work(called, work, span)?
            }
            "async_schedule" => {
                let [function, data] = self.arguments(arguments, span)?;
                self.async_schedule(function, data, span)?
            }
            "async_synchronize_full" => {
                self.takes(arguments, 0, span)?;
                let running = self.world.asynchronous.expect("it is there where this is called");
                let ended = Alternative::when(is(Term::cell(running), 0));
                self.sleep("async_synchronize_full", vec![ended], span)?;
                nothing()
            }
            "msleep" | "schedule_timeout_uninterruptible" => {
                let [time] = self.arguments(arguments, span)?;
                self.limit(time)?;
                self.sleep("a sleep", vec![Alternative::always()], span)?;
                nothing()
            }
            _ => return Ok(None),
        }))
    }

    /// An action that may put whoever takes it to sleep.
    pub(super) fn sleep(
        &mut self,
        what: &'static str,
        ways: Vec<Alternative>,
        span: Span,
    ) -> Made<()> {
        let mut action = Action::new(ActionKind::Other, ways);
        action.sleeps = Some(what);
        self.act(action, span)
    }

    /// A time limit. How long it is has no meaning: it may be over at any moment of a wait.
    fn limit(&mut self, of: &Expr) -> Made<()> {
        match self.number(of)?.term {
            Term::Const(number) if number > 0 => Ok(()),
            _ => Err(Wrong::new(
                of.span,
                "found a time that depends on what happens, or is over at once",
                "expected a constant above 0: a wait may then end at any moment",
            )),
        }
    }

    /// Mutexes and spinlocks.
    fn lock(&mut self, called: &str, lock: i64, how: Holding, span: Span) -> Made<Value> {
        let held = || Term::cell(lock);
        let taken = || {
            let mut way = Alternative::when(is(held(), 0)).writes(lock, Term::Const(1));
            way.takes = Some(Held { lock, how });
            way
        };
        let sleeps = (how == Holding::Mutex).then_some("a mutex");
        match called {
            "lock" => {
                let mut action = Action::new(ActionKind::Acquire(lock), vec![taken()]);
                action.sleeps = sleeps;
                self.act(action, span)?;
                Ok(nothing())
            }
            "unlock" => {
                let mut way = Alternative::always().writes(lock, Term::Const(0));
                way.gives = Some(Held { lock, how });
                self.act(Action::new(ActionKind::Release(lock), vec![way]), span)?;
                Ok(nothing())
            }
            "is_locked" => {
                let (to, value) = self.result();
                let way = Alternative::always().gives_value(Some(to), held());
                self.act(Action::new(ActionKind::Look(lock), vec![way]), span)?;
                Ok(Value { of: Type::Bool, ..value })
            }
            "trylock" => {
                let (to, value) = self.result();
                let not_taken = Alternative::when(not(is(held(), 0)));
                let ways = vec![
                    taken().gives_value(Some(to), Term::Const(1)),
                    not_taken.gives_value(Some(to), Term::Const(0)),
                ];
                self.act(Action::new(ActionKind::Look(lock), ways), span)?;
                Ok(value)
            }
            _ => {
                let (to, value) = self.result();
                let mut signal = Alternative::when(not(is(held(), 0)));
                signal.way_out = WayOut::Killed;
                let ways = vec![
                    taken().gives_value(Some(to), Term::Const(0)),
                    signal.gives_value(Some(to), Term::Const(INTERRUPTED)),
                ];
                let mut action = Action::new(ActionKind::Look(lock), ways);
                action.sleeps = sleeps;
                self.act(action, span)?;
                Ok(value)
            }
        }
    }

    /// A wait for a guard, which a signal or the end of a time may end as long as the guard is not true.
    fn guarded(
        &mut self,
        what: &'static str,
        ways: Vec<Alternative>,
        out: Ways,
        good: Option<i64>,
        span: Span,
    ) -> Made<Value> {
        let result = good.map(|_| self.result());
        let blocked = ways.iter().fold(Term::TRUE, |all, way| both(all, not(way.guard.clone())));
        let mut all: Vec<Alternative> = ways;
        for way in &mut all {
            way.results
                .extend(result.as_ref().zip(good).map(|((to, _), good)| (*to, Term::Const(good))));
        }
        for (way_out, comes_to) in [(WayOut::Killed, out.signal), (WayOut::TimeOut, out.time)] {
            if let (Some(comes_to), Some((to, _))) = (comes_to, &result) {
                let mut way = Alternative::when(blocked.clone());
                way.way_out = way_out;
                all.push(way.gives_value(Some(*to), Term::Const(comes_to)));
            }
        }
        self.sleep(what, all, span)?;
        Ok(result.map_or_else(nothing, |(_, value)| value))
    }

    /// Cells: whether a writer has it, how many readers have it, how many writers wait. A writer that cannot
    /// have it at once stands in line, and no reader passes it: so a reader who takes it a second time may wait
    /// for ever.
    fn reader_writer(&mut self, called: &str, lock: i64, span: Span) -> Made<Value> {
        let (writer, readers, line) = (lock, lock + 1, lock + 2);
        let none = |cell: i64| is(Term::cell(cell), 0);
        let add = |cell: i64, by: i64| plus(Term::cell(cell), by);
        let held = |how| Some(Held { lock, how });
        let reads = || {
            let mut way = Alternative::when(both(none(writer), none(line)));
            way = way.writes(readers, add(readers, 1));
            way.takes = held(Holding::Reading);
            way
        };
        let free = || both(none(writer), none(readers));
        let writes = || {
            let mut way = Alternative::when(free()).writes(writer, Term::Const(1));
            way.takes = held(Holding::Writing);
            way
        };
        let what = "a rw_semaphore";
        match called {
            "down_read" => self.guarded(what, vec![reads()], Ways::default(), None, span),
            "down_read_interruptible" | "down_read_killable" => {
                let out = Ways { signal: Some(INTERRUPTED), time: None };
                self.guarded(what, vec![reads()], out, Some(0), span)
            }
            "down_read_trylock" | "down_write_trylock" => {
                let (to, value) = self.result();
                // Who only tries passes nobody who waits, either.
                let way = if called == "down_read_trylock" {
                    reads()
                } else {
                    Alternative { guard: both(free(), none(line)), ..writes() }
                };
                let other = Alternative::when(not(way.guard.clone()));
                let ways = vec![
                    way.gives_value(Some(to), Term::Const(1)),
                    other.gives_value(Some(to), Term::Const(0)),
                ];
                self.act(Action::new(ActionKind::Other, ways), span)?;
                Ok(value)
            }
            "down_write" | "down_write_killable" => {
                let killable = called == "down_write_killable";
                let result = killable.then(|| self.result());
                let to = result.as_ref().map(|(to, _)| *to);
                let end = self.label();
                let mut at_once = writes().gives_value(to, Term::Const(0));
                at_once.then = Some(end);
                let waits = Alternative::when(not(free())).writes(line, add(line, 1));
                self.sleep(what, vec![at_once, waits], span)?;
                let mut at_last = writes().writes(line, add(line, -1));
                at_last = at_last.gives_value(to, Term::Const(0));
                let mut ways = vec![at_last];
                if killable {
                    let mut signal = Alternative::when(not(free())).writes(line, add(line, -1));
                    signal.way_out = WayOut::Killed;
                    ways.push(signal.gives_value(to, Term::Const(INTERRUPTED)));
                }
                self.sleep(what, ways, span)?;
                self.place(end);
                Ok(result.map_or_else(nothing, |(_, value)| value))
            }
            "rwsem_is_locked" => {
                let (to, value) = self.result();
                let way = Alternative::always().gives_value(Some(to), not(free()));
                self.act(Action::new(ActionKind::Other, vec![way]), span)?;
                Ok(Value { of: Type::Bool, ..value })
            }
            _ => {
                let (writes, how) = match called {
                    "up_read" => (vec![(readers, add(readers, -1))], Holding::Reading),
                    "up_write" => (vec![(writer, Term::Const(0))], Holding::Writing),
                    _ => {
                        let down = vec![(writer, Term::Const(0)), (readers, add(readers, 1))];
                        (down, Holding::Writing)
                    }
                };
                let mut way = Alternative::always();
                for (cell, value) in writes {
                    way = way.writes(cell, value);
                }
                way.gives = held(how);
                way.takes = if called == "downgrade_write" { held(Holding::Reading) } else { None };
                self.act(Action::new(ActionKind::Other, vec![way]), span)?;
                Ok(nothing())
            }
        }
    }

    fn semaphore(&mut self, called: &str, semaphore: i64, span: Span) -> Made<Value> {
        let count = || Term::cell(semaphore);
        let down = || {
            let above = binary(Binary::Greater, count(), Term::Const(0));
            Alternative::when(above).writes(semaphore, plus(count(), -1))
        };
        let what = "a semaphore";
        let signal = Some(INTERRUPTED);
        match called {
            "down" => self.guarded(what, vec![down()], Ways::default(), None, span),
            "down_timeout" => {
                let out = Ways { signal: None, time: Some(TIME) };
                self.guarded(what, vec![down()], out, Some(0), span)
            }
            // 0 if it was had: the other way round than mutex_trylock().
            "down_trylock" => {
                let (to, value) = self.result();
                let other = Alternative::when(is(count(), 0));
                let ways = vec![
                    down().gives_value(Some(to), Term::Const(0)),
                    other.gives_value(Some(to), Term::Const(1)),
                ];
                self.act(Action::new(ActionKind::Other, ways), span)?;
                Ok(value)
            }
            "up" => {
                let way = Alternative::always().writes(semaphore, plus(count(), 1));
                self.act(Action::new(ActionKind::Other, vec![way]), span)?;
                Ok(nothing())
            }
            _ => self.guarded(what, vec![down()], Ways { signal, time: None }, Some(0), span),
        }
    }

    fn completion(&mut self, called: &str, completion: i64, span: Span) -> Made<Value> {
        let done = || Term::cell(completion);
        let some = || binary(Binary::Greater, done(), Term::Const(0));
        let all = || is(done(), COMPLETED);
        // complete_all() is for all who ever wait.
        let waited = || {
            let left = plus(done(), -1);
            let one = both(some(), not(all()));
            vec![Alternative::when(one).writes(completion, left), Alternative::when(all())]
        };
        let what = "a completion";
        let out = Ways {
            signal: ["interruptible", "killable"]
                .iter()
                .any(|way| called.contains(way))
                .then_some(RESTART),
            time: called.ends_with("_timeout").then_some(0),
        };
        match called {
            "complete" => {
                // One more than can be told from all of them is a value that does not fit.
                let more = binary(Binary::Add, plus(done(), 1), is(done(), COMPLETED - 1));
                let one = Alternative::when(not(all())).writes(completion, more);
                self.act(
                    Action::new(ActionKind::Other, vec![one, Alternative::when(all())]),
                    span,
                )?;
                Ok(nothing())
            }
            "complete_all" | "reinit_completion" => {
                let value = if called == "complete_all" { COMPLETED } else { 0 };
                let way = Alternative::always().writes(completion, Term::Const(value));
                self.act(Action::new(ActionKind::Other, vec![way]), span)?;
                Ok(nothing())
            }
            "completion_done" => {
                let (to, value) = self.result();
                let way = Alternative::always().gives_value(Some(to), some());
                self.act(Action::new(ActionKind::Other, vec![way]), span)?;
                Ok(Value { of: Type::Bool, ..value })
            }
            "try_wait_for_completion" => {
                let (to, value) = self.result();
                let mut ways: Vec<Alternative> = waited()
                    .into_iter()
                    .map(|way| way.gives_value(Some(to), Term::Const(1)))
                    .collect();
                ways.push(Alternative::when(not(some())).gives_value(Some(to), Term::Const(0)));
                self.act(Action::new(ActionKind::Other, ways), span)?;
                Ok(Value { of: Type::Bool, ..value })
            }
            "wait_for_completion" => self.guarded(what, waited(), out, None, span),
            // What is left of the time, of which nothing is known but that it is more than none.
            _ => {
                let good = i64::from(out.time.is_some());
                self.guarded(what, waited(), out, Some(good), span)
            }
        }
    }

    fn queue_of(&mut self, of: &Expr) -> Made<u8> {
        // The macros take the queue itself, the functions its address: as both are written, both are read.
        let address = match &of.kind {
            ExprKind::Address(_) | ExprKind::Cast(..) => self.object(of, &Type::WaitQueue)?,
            _ => match self.place_of(of) {
                Ok(super::expressions::Place {
                    at: super::expressions::At::Shared(Term::Const(address)),
                    of: Type::WaitQueue,
                }) => address,
                _ => self.object(of, &Type::WaitQueue)?,
            },
        };
        self.world.queue(address, of.span)
    }

    /// As `___wait_event()`: on the queue first, then the condition, then asleep if it was false and nobody has
    /// woken the process since. A signal or the end of the time ends the wait if the condition is false then.
    fn wait_event(
        &mut self,
        called: &str,
        queue: &Expr,
        condition: &Expr,
        span: Span,
    ) -> Made<Value> {
        let queue = self.queue_of(queue)?;
        let limited = called.ends_with("_timeout");
        let signal = called.contains("interruptible") || called.contains("killable");
        let result = (limited || signal).then(|| self.result());
        let how = self.temporary();
        let [fresh, again, from, to] = std::array::from_fn(|_| self.label());
        let [yes, no, out, asleep, end] = std::array::from_fn(|_| self.label());
        self.place(fresh);
        self.set(how, Term::Const(0), span)?;
        self.place(again);
        self.turn(span)?;
        self.place(from);
        if std::mem::replace(&mut self.in_condition, true) {
            let found = "found a wait for an event in the condition of another one";
            return Err(Wrong::new(
                span,
                found,
                "expected a condition that does not wait for events",
            ));
        }
        self.branch(condition, yes, no)?;
        self.in_condition = false;
        self.place(to);
        self.evaluation(from, to, queue, how);
        self.place(no);
        let woken = is(Term::Reg(how), 1);
        let [not_woken, late, in_time, over, by_signal] = std::array::from_fn(|_| self.label());
        self.emit(Instr::Branch(woken, fresh, not_woken), span)?;
        self.place(not_woken);
        self.emit(Instr::Branch(is(Term::Reg(how), 0), asleep, out), span)?;
        self.place(asleep);
        let timed_out = limited.then_some(late);
        let signalled = signal.then_some(in_time);
        self.emit(Instr::Asleep { wakes: vec![(queue, fresh)], timed_out, signalled }, span)?;
        self.place(late);
        if limited {
            self.set(how, Term::Const(2), span)?;
        }
        self.jump(again, span)?;
        self.place(in_time);
        if signal {
            self.set(how, Term::Const(3), span)?;
        }
        self.jump(again, span)?;
        self.place(out);
        self.emit(Instr::Branch(is(Term::Reg(how), 2), over, by_signal), span)?;
        for (label, comes_to) in [(over, 0), (by_signal, RESTART)] {
            self.place(label);
            if let Some((to, _)) = &result {
                self.set(*to, Term::Const(comes_to), span)?;
            }
            self.jump(end, span)?;
        }
        self.place(yes);
        if let Some((to, _)) = &result {
            self.set(*to, Term::Const(i64::from(limited)), span)?;
        }
        self.place(end);
        Ok(result.map_or_else(nothing, |(_, value)| value))
    }

    /// A reader is told by every grace period that begins while it reads, and tells each when it ends. Where
    /// nobody waits for a grace period nobody can see a reader.
    fn rcu(&mut self, called: &str, span: Span) -> Made<()> {
        let Some(rcu) = &self.world.rcu else { return Ok(()) };
        let readers = rcu.readers;
        let slots: Vec<(i64, i64, u8)> =
            rcu.slots.iter().map(|slot| (slot.taken, slot.waits_for, slot.queue)).collect();
        if !called.starts_with("rcu_read") {
            let (to, slot) = self.result();
            let mut others_taken = Term::TRUE;
            let mut begins = Vec::new();
            for (number, (taken, waits_for, queue)) in slots.iter().enumerate() {
                let guard = both(others_taken.clone(), is(Term::cell(*taken), 0));
                others_taken = both(others_taken, is(Term::cell(*taken), 1));
                let mut way = Alternative::when(guard)
                    .writes(*taken, Term::Const(1))
                    .writes(*waits_for, Term::cell(readers))
                    .gives_value(Some(to), Term::Const(number as i64));
                way.effect = EffectTerm::WakeAll(*queue);
                begins.push(way);
            }
            self.sleep("synchronize_rcu", begins, span)?;
            let ends = slots.iter().enumerate().map(|(number, (taken, waits_for, _))| {
                let mine = is(slot.term.clone(), number as i64);
                Alternative::when(both(mine, is(Term::cell(*waits_for), 0)))
                    .writes(*taken, Term::Const(0))
            });
            let ends = ends.collect();
            return self.sleep("synchronize_rcu", ends, span);
        }
        let (depth, marks) = match self.rcu {
            Some(registers) => registers,
            None => {
                let depth = self.register("", Some(Domain::Range(0, 3)));
                let marks = self.register("", Some(Domain::Range(0, (1 << slots.len()) - 1)));
                *self.rcu.insert((depth, marks))
            }
        };
        let held = Some(Held { lock: readers, how: Holding::Rcu });
        let [outermost, inner, end] = std::array::from_fn(|_| self.label());
        if called == "rcu_read_lock" {
            self.emit(Instr::Branch(is(Term::Reg(depth), 0), outermost, inner), span)?;
            self.place(outermost);
            let mut way = Alternative::always()
                .writes(readers, plus(Term::cell(readers), 1))
                .gives_value(Some(marks), Term::Const(0));
            way.takes = held;
            self.act(Action::new(ActionKind::Other, vec![way]), span)?;
            self.place(inner);
            self.set(depth, plus(Term::Reg(depth), 1), span)?;
        } else {
            self.emit(Instr::Branch(is(Term::Reg(depth), 1), outermost, inner), span)?;
            self.place(outermost);
            let mut way = Alternative::always().writes(readers, plus(Term::cell(readers), -1));
            for (number, (_, waits_for, _)) in slots.iter().enumerate() {
                let mark = binary(
                    Binary::And,
                    binary(Binary::ShiftRight, Term::Reg(marks), Term::Const(number as i64)),
                    Term::Const(1),
                );
                let less = binary(Binary::Subtract, Term::cell(*waits_for), mark);
                way = way.writes(*waits_for, less);
            }
            way.gives = held;
            self.act(Action::new(ActionKind::Other, vec![way]), span)?;
            self.place(inner);
            self.set(depth, plus(Term::Reg(depth), -1), span)?;
        }
        self.place(end);
        Ok(())
    }
}
