//! A walk over the syntax tree.

use std::collections::BTreeMap;

use kmodcheck_lang::text::syntax::{
    Binary, Declaration, Expr, ExprKind, Function, Initial, Name, Statement, StatementKind, Unary,
};

use super::answers::changed;
use super::{Holds, Naive, POINTERS, Request, Stop, Walk};

/// Somebody walks over the tree.
pub(super) struct Walker<'n, 'f> {
    pub naive: &'n Naive<'f>,
    pub answers: &'n [i64],
    pub number: Option<i64>,
    pub frames: Vec<Vec<BTreeMap<String, (i64, Holds)>>>,
}

enum Place {
    Local(String),
    Shared(String),
}

impl Walker<'_, '_> {
    pub fn ask(&mut self, request: Request) -> Walk<i64> {
        match self.answers.split_first() {
            Some((answer, rest)) => {
                self.answers = rest;
                Ok(*answer)
            }
            None => Err(Stop::Wants(request)),
        }
    }

    /// The statements of a process or a function, up to a return.
    pub fn body(&mut self, all: &[Statement]) -> Walk<i64> {
        match self.statements(all) {
            Ok(()) => Ok(0),
            Err(Stop::Return(value)) => Ok(value),
            Err(stop) => Err(stop),
        }
    }

    pub fn call_function(&mut self, function: &Function, arguments: &[i64]) -> Walk<i64> {
        let parameter = |(parameter, value): (&Declaration, &i64)| {
            (parameter.name.text.clone(), (*value, self.naive.holds_of(parameter)))
        };
        let scope = function.parameters.iter().zip(arguments).map(parameter).collect();
        self.frames.push(vec![scope, BTreeMap::new()]);
        let value = self.body(&function.body)?;
        self.frames.pop();
        Ok(value)
    }

    fn block(&mut self, all: &[Statement]) -> Walk<()> {
        self.frames.last_mut().unwrap().push(BTreeMap::new());
        let depth = self.frames.last().unwrap().len();
        let done = self.statements(all);
        self.frames.last_mut().unwrap().truncate(depth - 1);
        done
    }

    /// From the first one on; a jump to a label among them goes on there.
    fn statements(&mut self, all: &[Statement]) -> Walk<()> {
        let mut at = 0;
        while at < all.len() {
            match self.statement(&all[at]) {
                Ok(()) => at += 1,
                Err(Stop::Goto(label)) => {
                    let is = |s: &Statement| matches!(&s.kind, StatementKind::Label(l) if l.text == label);
                    at = all.iter().position(is).ok_or(Stop::Goto(label))?;
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// A turn of a loop; whether it goes on.
    fn turn(&mut self, body: &Statement) -> Walk<bool> {
        match self.block(std::slice::from_ref(body)) {
            Ok(()) | Err(Stop::Continue) => Ok(true),
            Err(Stop::Break) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    fn statement(&mut self, statement: &Statement) -> Walk<()> {
        use StatementKind as S;
        match &statement.kind {
            S::Nothing | S::Label(_) | S::Case(_) | S::Default => {}
            S::Block(all) => self.block(all)?,
            S::Declare(all) => {
                for declaration in all {
                    let value = match &declaration.initial {
                        Some(Initial::Value(value)) => self.value(value)?,
                        _ => 0,
                    };
                    let holds = self.naive.holds_of(declaration);
                    let value = held(holds, value)?;
                    let scope = self.frames.last_mut().unwrap().last_mut().unwrap();
                    scope.insert(declaration.name.text.clone(), (value, holds));
                }
            }
            S::Expression(value) => drop(self.value(value)?),
            S::If(condition, then, otherwise) => {
                if self.value(condition)? != 0 {
                    self.block(std::slice::from_ref(&**then))?;
                } else if let Some(otherwise) = otherwise {
                    self.block(std::slice::from_ref(&**otherwise))?;
                }
            }
            S::While(condition, body) => while self.value(condition)? != 0 && self.turn(body)? {},
            S::DoWhile(body, condition) => while self.turn(body)? && self.value(condition)? != 0 {},
            S::For(begin, condition, turn, body) => {
                self.frames.last_mut().unwrap().push(BTreeMap::new());
                if let Some(begin) = begin {
                    self.statement(begin)?;
                }
                loop {
                    if let Some(condition) = condition
                        && self.value(condition)? == 0
                    {
                        break;
                    }
                    if !self.turn(body)? {
                        break;
                    }
                    if let Some(turn) = turn {
                        self.value(turn)?;
                    }
                }
                self.frames.last_mut().unwrap().pop();
            }
            S::Switch(value, body) => {
                let value = self.value(value)?;
                let case = |s: &Statement| match &s.kind {
                    S::Case(of) => self.naive.constant(of) == value,
                    _ => false,
                };
                let default = |s: &Statement| matches!(s.kind, S::Default);
                let from = body.iter().position(case).or(body.iter().position(default));
                match from.map_or(Ok(()), |from| self.block(&body[from..])) {
                    Err(Stop::Break) => {}
                    other => other?,
                }
            }
            S::Break => return Err(Stop::Break),
            S::Continue => return Err(Stop::Continue),
            S::Goto(label) => return Err(Stop::Goto(label.text.clone())),
            S::Return(value) => {
                let value = value.as_ref().map_or(Ok(0), |value| self.value(value))?;
                return Err(Stop::Return(value));
            }
        }
        Ok(())
    }

    fn variable(&mut self, name: &str) -> Option<&mut (i64, Holds)> {
        self.frames.last_mut()?.iter_mut().rev().find_map(|scope| scope.get_mut(name))
    }

    fn place(&mut self, of: &Expr) -> Walk<Place> {
        Ok(match &of.kind {
            ExprKind::Name(name) if self.variable(name).is_some() => Place::Local(name.clone()),
            ExprKind::Name(name) => Place::Shared(name.clone()),
            ExprKind::Dereference(pointer) => Place::Shared(self.pointed(pointer)?),
            ExprKind::Index(array, index) => {
                let ExprKind::Name(name) = &array.kind else { unreachable!() };
                let cell = format!("{name}[{}]", self.value(index)?);
                if !self.naive.initial.contains_key(&cell) {
                    return Err(Stop::Fails);
                }
                Place::Shared(cell)
            }
            _ => unreachable!("no other places are generated"),
        })
    }

    /// The cell that a pointer points to.
    fn pointed(&mut self, pointer: &Expr) -> Walk<String> {
        match self.value(pointer)? {
            0 => Err(Stop::Fails),
            value => Ok(self.naive.cells[(value - POINTERS) as usize].clone()),
        }
    }

    fn read(&mut self, place: &Place) -> Walk<i64> {
        match place {
            Place::Local(name) => Ok(self.variable(name).unwrap().0),
            Place::Shared(cell) => self.ask(Request::Read(cell.clone())),
        }
    }

    fn write(&mut self, place: &Place, value: i64) -> Walk<i64> {
        match place {
            Place::Local(name) => {
                let variable = self.variable(name).unwrap();
                variable.0 = held(variable.1, value)?;
                Ok(variable.0)
            }
            Place::Shared(cell) => {
                let value = held(self.naive.holds[cell], value)?;
                self.ask(Request::Write(cell.clone(), value))?;
                Ok(value)
            }
        }
    }

    fn value(&mut self, of: &Expr) -> Walk<i64> {
        match &of.kind {
            ExprKind::Number(number) => Ok(*number),
            ExprKind::Name(name) => {
                if let Some((value, _)) = self.variable(name) {
                    return Ok(*value);
                }
                match self.naive.constants.get(name) {
                    Some(value) => Ok(*value),
                    None => self.ask(Request::Read(name.clone())),
                }
            }
            ExprKind::Dereference(_) | ExprKind::Index(..) => {
                let place = self.place(of)?;
                self.read(&place)
            }
            ExprKind::Address(of) => match self.place(of)? {
                Place::Shared(cell) => {
                    let at = self.naive.cells.iter().position(|other| *other == cell);
                    Ok(POINTERS + at.unwrap() as i64)
                }
                Place::Local(_) => unreachable!(),
            },
            ExprKind::Unary(operator, of) => {
                let value = self.value(of)?;
                Ok(match operator {
                    Unary::Minus => -value,
                    Unary::Not => i64::from(value == 0),
                    Unary::Complement => !value,
                })
            }
            ExprKind::Binary(Binary::AndThen, left, right) => {
                Ok(i64::from(self.value(left)? != 0 && self.value(right)? != 0))
            }
            ExprKind::Binary(Binary::OrElse, left, right) => {
                Ok(i64::from(self.value(left)? != 0 || self.value(right)? != 0))
            }
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                computed(*operator, left, right)
            }
            ExprKind::Conditional(condition, yes, no) => {
                let whether = self.value(condition)?;
                match yes {
                    Some(yes) if whether != 0 => self.value(yes),
                    None if whether != 0 => Ok(whether),
                    _ => self.value(no),
                }
            }
            ExprKind::Comma(first, second) => {
                self.value(first)?;
                self.value(second)
            }
            ExprKind::Assign(operator, to, value) => {
                let place = self.place(to)?;
                let old = match operator {
                    Some(_) => self.read(&place)?,
                    None => 0,
                };
                let value = self.value(value)?;
                let value =
                    operator.map_or(Ok(value), |operator| computed(operator, old, value))?;
                self.write(&place, value)
            }
            ExprKind::Increment { place, by, after } => {
                let place = self.place(place)?;
                let old = self.read(&place)?;
                let new = self.write(&place, old + by)?;
                Ok(if *after { old } else { new })
            }
            ExprKind::Cast(_, of) => self.value(of),
            ExprKind::Call(name, arguments) => self.call(name, arguments),
            _ => unreachable!("no other expressions are generated"),
        }
    }

    /// What a pointer argument points to.
    fn object(&mut self, of: &Expr) -> Walk<String> {
        match &of.kind {
            ExprKind::Address(inner) => match &inner.kind {
                ExprKind::Name(name) => Ok(name.clone()),
                _ => self.pointed(of),
            },
            ExprKind::Name(name) if self.variable(name).is_none() => Ok(name.clone()),
            _ => self.pointed(of),
        }
    }

    fn call(&mut self, name: &Name, arguments: &[Expr]) -> Walk<i64> {
        let name = name.text.as_str();
        if let Some(function) = self.naive.functions.get(name).copied() {
            let mut values = Vec::new();
            for argument in arguments {
                values.push(self.value(argument)?);
            }
            return self.call_function(function, &values);
        }
        let signal = name.contains("interruptible") || name.contains("killable");
        let time = name.ends_with("timeout");
        match name {
            "smp_mb" | "smp_rmb" | "smp_wmb" | "barrier" => Ok(0),
            "smp_processor_id" => Ok(self.number.unwrap()),
            "READ_ONCE" => self.value(&arguments[0]),
            "WRITE_ONCE" => {
                let place = self.place(&arguments[0])?;
                let value = self.value(&arguments[1])?;
                self.write(&place, value)
            }
            "smp_load_acquire" => {
                let cell = self.pointed(&arguments[0])?;
                self.ask(Request::Read(cell))
            }
            "smp_store_release" => {
                let cell = self.pointed(&arguments[0])?;
                let value = self.value(&arguments[1])?;
                self.ask(Request::Write(cell, value))
            }
            "assert" | "BUG_ON" => {
                let is = self.value(&arguments[0])? != 0;
                if is == (name == "assert") { Ok(0) } else { Err(Stop::Fails) }
            }
            "choose" => {
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.value(argument)?);
                }
                self.ask(Request::Choose(values))
            }
            "wait_event"
            | "wait_event_interruptible"
            | "wait_event_killable"
            | "wait_event_timeout"
            | "wait_event_interruptible_timeout"
            | "wait_event_killable_timeout" => {
                let queue = self.object(&arguments[0])?;
                let mut how = 0;
                loop {
                    // A signal or the end of the time has taken it off the queue; the condition is looked at once more.
                    if how == 0 {
                        self.ask(Request::Enqueue(queue.clone()))?;
                    }
                    if self.value(&arguments[1])? != 0 {
                        return Ok(i64::from(time));
                    }
                    match how {
                        0 => how = self.ask(Request::Sleep { signal, time })?,
                        2 => return Ok(0),
                        _ => return Ok(-512),
                    }
                }
            }
            "queue_work" | "schedule_work" => {
                let work = self.object(arguments.last().unwrap())?;
                self.ask(Request::Queue(work))
            }
            "flush_work" | "cancel_work_sync" => {
                let work = self.object(&arguments[0])?;
                let cancels = name == "cancel_work_sync";
                let ask = if cancels { Request::Cancel } else { Request::Flush };
                let answer = self.ask(ask(work.clone()))?;
                if answer != 0 || cancels {
                    self.ask(Request::FlushEnds(work))?;
                }
                Ok(answer)
            }
            "async_schedule" => {
                let ExprKind::Name(function) = &arguments[0].kind else { unreachable!() };
                let data = self.value(&arguments[1])?;
                self.ask(Request::Schedule(function.clone(), data))
            }
            "async_synchronize_full" => self.ask(Request::AllAsynchronous),
            "rcu_read_lock" => self.ask(Request::ReadSection(true)),
            "rcu_read_unlock" => self.ask(Request::ReadSection(false)),
            "synchronize_rcu" => {
                self.ask(Request::GracePeriodBegins)?;
                self.ask(Request::GracePeriodEnds)
            }
            _ => self.primitive(name, arguments, signal, time),
        }
    }

    fn primitive(&mut self, name: &str, arguments: &[Expr], signal: bool, time: bool) -> Walk<i64> {
        if let Some(rest) = name.strip_prefix("atomic_") {
            return self.atomic(rest, arguments);
        }
        if name == "cmpxchg" || name == "xchg" {
            let cell = self.pointed(&arguments[0])?;
            let mut with = Vec::new();
            for argument in &arguments[1..] {
                with.push(self.value(argument)?);
            }
            return self.ask(Request::Change(cell, name.to_owned(), with));
        }
        let object = self.object(&arguments[0])?;
        let request = match name {
            "mutex_lock" | "spin_lock" | "mutex_lock_interruptible" | "mutex_lock_killable" => {
                Request::Lock { lock: object, signal }
            }
            "mutex_trylock" | "spin_trylock" => Request::TryLock(object),
            "mutex_unlock" | "spin_unlock" => Request::Unlock(object),
            "mutex_is_locked" | "spin_is_locked" => Request::IsLocked(object),
            "down_read" | "down_read_killable" | "down_read_interruptible" => {
                Request::ReadLock { lock: object, signal }
            }
            "down_read_trylock" => Request::TryReadLock(object),
            "up_read" => Request::ReadUnlock(object),
            "down_write" | "down_write_killable" => {
                if self.ask(Request::WriteLock { lock: object.clone() })? == 1 {
                    return Ok(0);
                }
                Request::WriteLockInLine { lock: object, signal }
            }
            "down_write_trylock" => Request::TryWriteLock(object),
            "up_write" => Request::WriteUnlock(object),
            "downgrade_write" => Request::Downgrade(object),
            "down" | "down_interruptible" | "down_killable" | "down_timeout" => {
                Request::Down { semaphore: object, signal, time }
            }
            "down_trylock" => Request::TryDown(object),
            "up" => Request::Up(object),
            "complete" => Request::Complete(object),
            "complete_all" => Request::CompleteAll(object),
            "reinit_completion" => Request::Reinit(object),
            "completion_done" => Request::Completed(object),
            "try_wait_for_completion" => Request::TryComplete(object),
            "wait_for_completion"
            | "wait_for_completion_interruptible"
            | "wait_for_completion_killable" => {
                let request = Request::WaitCompletion { completion: object, signal, time: false };
                // 0, not 1: there is no time that could be left.
                return Ok(self.ask(request)?.min(0));
            }
            "wait_for_completion_timeout"
            | "wait_for_completion_interruptible_timeout"
            | "wait_for_completion_killable_timeout" => {
                Request::WaitCompletion { completion: object, signal, time: true }
            }
            "wake_up" | "wake_up_all" => Request::Wake(object),
            _ => unreachable!("{name} is not generated"),
        };
        self.ask(request)
    }

    fn atomic(&mut self, name: &str, arguments: &[Expr]) -> Walk<i64> {
        let (how, pointer, with): (&str, &Expr, Vec<&Expr>) = match (name, arguments) {
            ("read", [pointer]) => {
                let cell = self.pointed(pointer)?;
                return self.ask(Request::Read(cell));
            }
            ("set", [pointer, value]) => {
                let cell = self.pointed(pointer)?;
                let value = self.value(value)?;
                return self.ask(Request::Write(cell, value));
            }
            ("xchg" | "cmpxchg" | "add_unless", [pointer, with @ ..]) => {
                (name, pointer, with.iter().collect())
            }
            (_, [pointer]) => ("", pointer, Vec::new()),
            (_, [value, pointer]) => ("", pointer, vec![value]),
            _ => unreachable!(),
        };
        if !how.is_empty() {
            let cell = self.pointed(pointer)?;
            let mut values = Vec::new();
            for with in with {
                values.push(self.value(with)?);
            }
            let old = self.ask(Request::Change(cell, how.to_owned(), values.clone()))?;
            return Ok(if how == "add_unless" { i64::from(old != values[1]) } else { old });
        }
        let value = match with[..] {
            [value] => self.value(value)?,
            _ => 1,
        };
        let cell = self.pointed(pointer)?;
        let operator = ["add", "sub", "and", "or", "xor", "inc", "dec"];
        let operator = name.split('_').find(|part| operator.contains(part)).unwrap();
        let operator = match operator {
            "inc" => "add",
            "dec" => "sub",
            operator => operator,
        };
        let old = self.ask(Request::Change(cell, operator.to_owned(), vec![value]))?;
        let new = changed(operator, old, &[value]).unwrap();
        Ok(if name.starts_with("fetch_") {
            old
        } else if name.ends_with("_and_test") {
            i64::from(new == 0)
        } else {
            new
        })
    }
}

fn held(holds: Holds, value: i64) -> Walk<i64> {
    match holds {
        Holds::Any => Ok(value),
        Holds::Bool => Ok(i64::from(value != 0)),
        Holds::Range(least, most) if (least..=most).contains(&value) => Ok(value),
        Holds::Range(..) => Err(Stop::Fails),
    }
}

fn computed(operator: Binary, a: i64, b: i64) -> Walk<i64> {
    let is = |truth: bool| Ok(i64::from(truth));
    match operator {
        Binary::Add => Ok(a + b),
        Binary::Subtract => Ok(a - b),
        Binary::Multiply => Ok(a * b),
        Binary::Divide => a.checked_div(b).ok_or(Stop::Fails),
        Binary::Remainder => a.checked_rem(b).ok_or(Stop::Fails),
        Binary::ShiftLeft => Ok(a << b),
        Binary::ShiftRight => Ok(a >> b),
        Binary::And => Ok(a & b),
        Binary::Or => Ok(a | b),
        Binary::Xor => Ok(a ^ b),
        Binary::Equal => is(a == b),
        Binary::NotEqual => is(a != b),
        Binary::Less => is(a < b),
        Binary::LessOrEqual => is(a <= b),
        Binary::Greater => is(a > b),
        Binary::GreaterOrEqual => is(a >= b),
        Binary::AndThen | Binary::OrElse => unreachable!(),
    }
}
