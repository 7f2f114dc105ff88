//! Calls: of functions of the file, of what the host answers for, and of the kernel's primitives.

use super::builder::{Binding, Builder, Value, binary, unary};
use super::expressions::{At, assigns, number_value};
use super::memory::{Made, Type};
use super::statements::nothing;
use crate::graph::code::{Action, ActionKind, Alternative, Failure, Reg, Term};
use crate::text::syntax::{Binary, Expr, ExprKind, Name, Span, Unary};
use crate::text::wrong::Wrong;

/// What orders accesses, or passes time, and does nothing else under sequential consistency.
const NOTHING: [&str; 14] = [
    "smp_mb",
    "smp_rmb",
    "smp_wmb",
    "smp_mb__before_atomic",
    "smp_mb__after_atomic",
    "smp_mb__after_spinlock",
    "smp_mb__after_unlock_lock",
    "smp_mb__after_srcu_read_unlock",
    "barrier",
    "cpu_relax",
    "cond_resched",
    "mb",
    "rmb",
    "wmb",
];

impl<'f> Builder<'_, 'f> {
    /// The value of a call.
    pub fn call(&mut self, name: &Name, arguments: &[Expr], span: Span) -> Made<Value> {
        if let Some(function) = self.function(&name.text) {
            return self.expand(function, arguments, span);
        }
        let called = name.text.as_str();
        if NOTHING.contains(&called) {
            self.takes(arguments, 0, span)?;
            return Ok(nothing());
        }
        match called {
            "READ_ONCE" | "rcu_dereference" | "rcu_access_pointer" | "data_race" => {
                let [place] = self.arguments(arguments, span)?;
                match &place.kind {
                    ExprKind::Name(name)
                        if matches!(self.bound(name), Some(Binding::Constant(..))) =>
                    {
                        self.value(place)
                    }
                    ExprKind::Name(_)
                    | ExprKind::Dereference(_)
                    | ExprKind::Index(..)
                    | ExprKind::Field(..)
                    | ExprKind::Arrow(..) => {
                        let place = self.place_of(place)?;
                        self.read_place(&place, span)
                    }
                    _ => self.value(place),
                }
            }
            "WRITE_ONCE" | "rcu_assign_pointer" => {
                let [place, value] = self.arguments(arguments, span)?;
                let to = self.place_of(place)?;
                let value = self.value(value)?;
                self.assign(&to, value, span)?;
                Ok(nothing())
            }
            "smp_load_acquire" => {
                let [pointer] = self.arguments(arguments, span)?;
                let (address, of) = self.variable_at(pointer)?;
                self.load(address, &of, span)
            }
            "smp_store_release" | "smp_store_mb" => {
                let [pointer, value] = self.arguments(arguments, span)?;
                let (address, of) = match called {
                    // The macro takes the variable itself.
                    "smp_store_mb" => match self.place_of(pointer)? {
                        super::expressions::Place { at: At::Shared(address), of } => (address, of),
                        _ => return self.shared_wanted(pointer.span),
                    },
                    _ => self.variable_at(pointer)?,
                };
                let value = self.value(value)?;
                let value = self.converted(value, &of, span)?;
                self.store(address, value, span)?;
                Ok(nothing())
            }
            "assert" | "BUG_ON" => {
                let [condition] = self.arguments(arguments, span)?;
                let (good, bad) = (self.label(), self.label());
                let (yes, no) = if called == "assert" { (good, bad) } else { (bad, good) };
                self.branch(condition, yes, no)?;
                self.place(bad);
                self.emit(crate::graph::code::Instr::Fail(Failure::Assertion), span)?;
                self.place(good);
                Ok(nothing())
            }
            "choose" => self.choose(arguments, span),
            "smp_processor_id" => {
                self.takes(arguments, 0, span)?;
                match self.number {
                    Some(number) => Ok(number_value(number as i64)),
                    None => Err(Wrong::new(
                        span,
                        "found smp_processor_id() where any process may run",
                        "expected it in a process P0, P1 and so on, whose number it is",
                    )),
                }
            }
            "xchg" | "xchg_relaxed" | "xchg_acquire" | "xchg_release" => {
                let [pointer, value] = self.arguments(arguments, span)?;
                let (address, of) = self.variable_at(pointer)?;
                let value = self.value(value)?;
                let value = self.converted(value, &of, span)?;
                self.exchange(&address, vec![(Term::TRUE, Some(value))], &of, span)
            }
            "cmpxchg" | "cmpxchg_relaxed" | "cmpxchg_acquire" | "cmpxchg_release" => {
                let [pointer, old, new] = self.arguments(arguments, span)?;
                let (address, of) = self.variable_at(pointer)?;
                self.compare_and_exchange(&address, &of, old, new, span)
            }
            _ if called.starts_with("atomic_") => self.atomic(called, arguments, span),
            _ => match self.primitive(called, arguments, span)? {
                Some(value) => Ok(value),
                None => self.external(name, arguments, span),
            },
        }
    }

    /// A call that the host answers.
    fn external(&mut self, name: &Name, arguments: &[Expr], span: Span) -> Made<Value> {
        let (number, arguments) = self.external_called(name, arguments, span)?;
        let external = &self.world.externals[number];
        self.takes(arguments, external.parameters, span)?;
        let mut terms = Vec::new();
        for (i, argument) in arguments.iter().enumerate() {
            let mut value = self.number(argument)?;
            if arguments[i + 1..].iter().any(assigns) {
                value = self.kept(value, argument.span)?;
            }
            terms.push(value.term);
        }
        let domain = crate::graph::domain::Domain::of(external.results.iter().copied());
        let to = (!external.results.is_empty()).then(|| self.register("", Some(domain)));
        let mut action = Action::new(ActionKind::External(number, terms, to), Vec::new());
        action.sleeps = external.sleeps.then_some("a call that may sleep");
        self.act(action, span)?;
        Ok(to.map_or_else(nothing, |to| Value { term: Term::Reg(to), of: Type::Int }))
    }

    /// Which of the host's functions it is, and what it is called with besides the text that says so.
    fn external_called<'e>(
        &self,
        name: &Name,
        arguments: &'e [Expr],
        span: Span,
    ) -> Made<(usize, &'e [Expr])> {
        let externals = self.world.externals;
        let mut called = (0..externals.len()).filter(|i| externals[*i].name == name.text);
        let Some(first) = called.clone().next() else {
            let found = format!("found a call of '{}'", name.text);
            let expected = "expected a function of this file, or one that the language knows";
            return Err(Wrong::new(name.span, found, expected));
        };
        let text = arguments.first().and_then(|argument| match &argument.kind {
            ExprKind::Text(text) => Some((text, argument.span)),
            _ => None,
        });
        match (text, &externals[first].text) {
            (None, None) => Ok((first, arguments)),
            (None, Some(_)) => {
                let found = format!("found no text in quotes in a call of '{}'", name.text);
                Err(Wrong::new(span, found, "expected a name in quotes, first"))
            }
            (Some((text, at)), _) => {
                match called.find(|i| externals[*i].text.as_ref() == Some(text)) {
                    Some(number) => Ok((number, &arguments[1..])),
                    None => {
                        let expected = format!("expected what '{}' can be called with", name.text);
                        Err(Wrong::new(at, format!("found \"{text}\""), expected))
                    }
                }
            }
        }
    }

    /// Refuses the exit status of a command where a condition is expected.
    pub fn is_no_status(&self, of: &Expr) -> Made<()> {
        let ExprKind::Call(name, _) = &of.kind else { return Ok(()) };
        if self.world.externals.iter().any(|e| e.status && e.name == name.text) {
            let found = format!("found the exit status of '{}' as a condition", name.text);
            let expected = "expected '== 0' or '!= 0' after it: a status of 0 is the good one";
            return Err(Wrong::new(of.span, found, expected));
        }
        Ok(())
    }

    pub fn takes(&self, arguments: &[Expr], wanted: usize, span: Span) -> Made<()> {
        if arguments.len() == wanted {
            return Ok(());
        }
        let found = format!("found {} arguments", arguments.len());
        Err(Wrong::new(span, found, format!("expected {wanted}")))
    }

    pub fn arguments<'e, const N: usize>(
        &self,
        all: &'e [Expr],
        span: Span,
    ) -> Made<[&'e Expr; N]> {
        self.takes(all, N, span)?;
        Ok(std::array::from_fn(|i| &all[i]))
    }

    fn shared_wanted<T>(&self, span: Span) -> Made<T> {
        Err(Wrong::new(span, "found a local variable", "expected a shared one"))
    }

    /// What a pointer points to, as one value.
    fn variable_at(&mut self, pointer: &Expr) -> Made<(Term, Type)> {
        let value = self.value(pointer)?;
        match value.of {
            Type::Pointer(of)
                if (of.is_scalar() || *of == Type::Atomic) && value.term != Term::Const(0) =>
            {
                Ok((value.term, *of))
            }
            of => {
                let found = format!("found {}", self.memory().in_words(&of));
                Err(Wrong::new(pointer.span, found, "expected a pointer to a number or a pointer"))
            }
        }
    }

    /// The address of a primitive, which has to be known.
    pub fn object(&mut self, pointer: &Expr, wanted: &Type) -> Made<i64> {
        let value = self.value(pointer)?;
        let words = self.memory().in_words(wanted);
        match (&value.term, &value.of) {
            (Term::Const(address), Type::Pointer(of)) if **of == *wanted && *address != 0 => {
                Ok(*address)
            }
            (_, Type::Pointer(of)) if **of == *wanted => Err(Wrong::new(
                pointer.span,
                format!("found {words} that depends on what happens"),
                "expected one that is known when compiled: a shared variable, or a parameter or a constant \
                 that names one",
            )),
            (_, of) => {
                let found = format!("found {}", self.memory().in_words(of));
                Err(Wrong::new(pointer.span, found, format!("expected a pointer to {words}")))
            }
        }
    }

    /// Any of the values, and nobody else decides which.
    fn choose(&mut self, arguments: &[Expr], span: Span) -> Made<Value> {
        if arguments.len() < 2 {
            let found = format!("found {} values", arguments.len());
            return Err(Wrong::new(span, found, "expected at least two to choose from"));
        }
        let mut values = Vec::new();
        for (i, argument) in arguments.iter().enumerate() {
            let mut value = self.value(argument)?;
            if arguments[i + 1..].iter().any(assigns) {
                value = self.kept(value, argument.span)?;
            }
            values.push(value);
        }
        let to = self.temporary();
        let of = match values[0].of.is_number() {
            true => Type::Int,
            false => values[0].of.clone(),
        };
        let mut ways = Vec::new();
        for (value, argument) in values.into_iter().zip(arguments) {
            let term = self.converted(value, &of, argument.span)?;
            ways.push(Alternative::always().gives_value(Some(to), term));
        }
        self.act(Action::new(ActionKind::Choose, ways), span)?;
        Ok(Value { term: Term::Reg(to), of })
    }

    /// One access that reads and, by the guard that is true, may write; its value is the old one.
    fn exchange(
        &mut self,
        address: &Term,
        ways: Vec<(Term, Option<Term>)>,
        of: &Type,
        span: Span,
    ) -> Made<Value> {
        let old = Term::At(Box::new(address.clone()));
        let to = self.temporary();
        let ways = ways.into_iter().map(|(guard, new)| {
            let mut way = Alternative::when(guard).gives_value(Some(to), old.clone());
            way.updates.extend(new.map(|new| (address.clone(), new)));
            way
        });
        self.act(Action::new(ActionKind::Access, ways.collect()), span)?;
        let of = if *of == Type::Atomic { Type::Int } else { of.clone() };
        Ok(Value { term: Term::Reg(to), of })
    }

    fn compare_and_exchange(
        &mut self,
        address: &Term,
        of: &Type,
        old: &Expr,
        new: &Expr,
        span: Span,
    ) -> Made<Value> {
        let mut wanted = self.value(old)?;
        if assigns(new) {
            wanted = self.kept(wanted, old.span)?;
        }
        let wanted = self.converted(wanted, of, old.span)?;
        let given = self.value(new)?;
        let given = self.converted(given, of, new.span)?;
        let now = || Term::At(Box::new(address.clone()));
        let same = binary(Binary::Equal, now(), wanted.clone());
        let other = binary(Binary::NotEqual, now(), wanted);
        self.exchange(address, vec![(same, Some(given)), (other, None)], of, span)
    }

    /// `atomic_...()`, in whichever order with others.
    fn atomic(&mut self, called: &str, arguments: &[Expr], span: Span) -> Made<Value> {
        let name = called.replacen("atomic_long_", "atomic_", 1);
        let name = ["_relaxed", "_acquire", "_release"]
            .iter()
            .fold(name.as_str(), |name, order| name.strip_suffix(order).unwrap_or(name));
        let name = &name["atomic_".len().min(name.len())..];
        let unknown = || {
            let expected = "expected a function of atomics that the language knows";
            Err(Wrong::new(span, format!("found a call of '{called}'"), expected))
        };
        match name {
            "read" => {
                let [pointer] = self.arguments(arguments, span)?;
                let (address, _) = self.variable_at(pointer)?;
                return self.load(address, &Type::Int, span);
            }
            "set" => {
                let [pointer, value] = self.arguments(arguments, span)?;
                let (address, of) = self.variable_at(pointer)?;
                let value = self.value(value)?;
                let value = self.converted(value, &of, span)?;
                self.store(address, value, span)?;
                return Ok(nothing());
            }
            "xchg" => {
                let [pointer, value] = self.arguments(arguments, span)?;
                let (address, of) = self.variable_at(pointer)?;
                let value = self.number(value)?.term;
                return self.exchange(&address, vec![(Term::TRUE, Some(value))], &of, span);
            }
            "cmpxchg" => {
                let [pointer, old, new] = self.arguments(arguments, span)?;
                let (address, of) = self.variable_at(pointer)?;
                return self.compare_and_exchange(&address, &of, old, new, span);
            }
            _ => {}
        }
        // Conditional ones: unless the value is this, or only while it is so.
        let unless = match name {
            "add_unless" | "fetch_add_unless" => {
                let [pointer, add, not] = self.arguments(arguments, span)?;
                let (address, _) = self.variable_at(pointer)?;
                let mut add_value = self.number(add)?;
                if assigns(not) {
                    add_value = self.kept(add_value, add.span)?;
                }
                let not = self.number(not)?.term;
                Some((address, add_value.term, Binary::NotEqual, not))
            }
            "inc_not_zero" | "inc_unless_negative" | "dec_unless_positive" | "dec_if_positive" => {
                let [pointer] = self.arguments(arguments, span)?;
                let (address, _) = self.variable_at(pointer)?;
                let (by, how) = match name {
                    "inc_not_zero" => (1, Binary::NotEqual),
                    "inc_unless_negative" => (1, Binary::GreaterOrEqual),
                    "dec_unless_positive" => (-1, Binary::LessOrEqual),
                    _ => (-1, Binary::Greater),
                };
                Some((address, Term::Const(by), how, Term::Const(0)))
            }
            _ => None,
        };
        if let Some((address, by, how, with)) = unless {
            let old = || Term::At(Box::new(address.clone()));
            let is = binary(how, old(), with);
            let new = binary(Binary::Add, old(), by);
            let ways = vec![(is.clone(), Some(new)), (unary(Unary::Not, is.clone()), None)];
            let given = self.exchange(&address, ways, &Type::Atomic, span)?;
            // The old value says whether it was changed.
            let changed = |old: Term| match &is {
                Term::Binary(how, _, with) => binary(*how, old, (**with).clone()),
                _ => is.clone(),
            };
            return Ok(match name {
                "fetch_add_unless" => given,
                // Its value is the old one less 1, whether or not it was changed.
                "dec_if_positive" => Value {
                    term: binary(Binary::Subtract, given.term, Term::Const(1)),
                    of: Type::Int,
                },
                _ => Value { term: changed(given.term), of: Type::Bool },
            });
        }
        let (fetch, rest) = match name.strip_prefix("fetch_") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let (gives, rest) = match rest {
            _ if fetch => ("old", rest),
            _ => match rest.split_once('_') {
                Some((operator, "return")) => ("new", operator),
                Some((operator, "and_test")) => ("zero", operator),
                Some((operator, "negative")) => ("negative", operator),
                Some(_) => return unknown(),
                None => ("nothing", rest),
            },
        };
        let operator = match rest {
            "add" | "inc" => Binary::Add,
            "sub" | "dec" => Binary::Subtract,
            "and" | "andnot" => Binary::And,
            "or" => Binary::Or,
            "xor" => Binary::Xor,
            _ => return unknown(),
        };
        let by_one = matches!(rest, "inc" | "dec");
        let (operand, pointer) = if by_one {
            let [pointer] = self.arguments(arguments, span)?;
            (Term::Const(1), pointer)
        } else {
            let [value, pointer] = self.arguments(arguments, span)?;
            let mut operand = self.number(value)?;
            if assigns(pointer) {
                operand = self.kept(operand, value.span)?;
            }
            let complement = rest == "andnot";
            let term = operand.term;
            (if complement { unary(Unary::Complement, term) } else { term }, pointer)
        };
        let (address, _) = self.variable_at(pointer)?;
        let old = Term::At(Box::new(address.clone()));
        let new = binary(operator, old, operand.clone());
        let given = self.exchange(&address, vec![(Term::TRUE, Some(new))], &Type::Atomic, span)?;
        let now = binary(operator, given.term.clone(), operand);
        Ok(match gives {
            "old" => given,
            "new" => Value { term: now, of: Type::Int },
            "zero" => Value { term: binary(Binary::Equal, now, Term::Const(0)), of: Type::Bool },
            "negative" => Value { term: binary(Binary::Less, now, Term::Const(0)), of: Type::Bool },
            _ => nothing(),
        })
    }

    /// A register for a result.
    pub fn result(&mut self) -> (Reg, Value) {
        let to = self.temporary();
        (to, Value { term: Term::Reg(to), of: Type::Int })
    }

    /// The name of the function that an argument is.
    pub fn function_named(&self, of: &Expr) -> Made<String> {
        match &of.kind {
            ExprKind::Name(name) if self.function(name).is_some() => Ok(name.clone()),
            _ => {
                Err(Wrong::new(of.span, "found something else", "expected the name of a function"))
            }
        }
    }
}
