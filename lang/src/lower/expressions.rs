//! Expressions: every shared variable that one reads is an action of its own, from left to right.

use super::builder::{Binding, Builder, Label, Value, binary, unary};
use super::constants::constant;
use super::memory::{Made, Type};
use crate::graph::code::{Failure, Instr, Reg, Term};
use crate::graph::domain;
use crate::text::syntax::{Binary, Expr, ExprKind, Name, Span, Unary};
use crate::text::wrong::Wrong;

/// Where a value is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub at: At,
    pub of: Type,
}

#[derive(Clone, Debug)]
pub(super) enum At {
    Local(Reg),
    Shared(Term),
}

impl Builder<'_, '_> {
    /// The value of an expression.
    pub fn value(&mut self, of: &Expr) -> Made<Value> {
        match &of.kind {
            ExprKind::Number(number) => Ok(number_value(*number)),
            ExprKind::Text(text) => Err(Wrong::new(
                of.span,
                format!("found \"{text}\""),
                "expected a number or a variable: only functions of the host take a text",
            )),
            ExprKind::Name(name) if self.bound(name).is_none() && !self.is_global(name) => {
                if name == "NULL" {
                    return Ok(Value { term: Term::Const(0), of: Type::AnyPointer });
                }
                match self.memory().constants.get(name).copied().or(constant(name)) {
                    Some(value) => Ok(number_value(value)),
                    None => Err(Wrong::new(
                        of.span,
                        format!("found '{name}'"),
                        "expected a variable, a parameter or a constant that is declared",
                    )),
                }
            }
            ExprKind::Name(name) => {
                if let Some(Binding::Constant(value, of)) = self.bound(name) {
                    return Ok(Value { term: Term::Const(value), of });
                }
                self.read(of)
            }
            ExprKind::Index(..)
            | ExprKind::Field(..)
            | ExprKind::Arrow(..)
            | ExprKind::Dereference(_) => self.read(of),
            ExprKind::Address(place) => {
                let place = self.place_of(place)?;
                match place.at {
                    At::Shared(term) => Ok(Value { term, of: Type::Pointer(Box::new(place.of)) }),
                    At::Local(_) => Err(Wrong::new(
                        of.span,
                        "found the address of a local variable",
                        "expected that of a shared one: no process knows another one's variables",
                    )),
                }
            }
            ExprKind::Cast(to, inner) => {
                let value = self.value(inner)?;
                let to = self.memory().named(to)?;
                let fits = (to == Type::Void)
                    || (to.is_number() && value.of.is_number())
                    || (to.is_pointer()
                        && (value.of.is_pointer() || value.term == Term::Const(0))
                        && (value.of == to
                            || to == Type::AnyPointer
                            || value.of == Type::AnyPointer
                            || value.term == Term::Const(0)));
                if !fits {
                    let found = format!("found a cast of {}", self.memory().in_words(&value.of));
                    let expected = format!("expected what can be {}", self.memory().in_words(&to));
                    return Err(Wrong::new(of.span, found, expected));
                }
                Ok(Value { term: value.term, of: to })
            }
            ExprKind::Unary(Unary::Not, inner) => {
                let value = self.truth(inner)?;
                Ok(Value { term: unary(Unary::Not, value), of: Type::Int })
            }
            ExprKind::Unary(operator, inner) => {
                let value = self.number(inner)?;
                Ok(Value { term: unary(*operator, value.term), of: Type::Int })
            }
            ExprKind::Binary(Binary::AndThen | Binary::OrElse, ..) => self.decided(of),
            ExprKind::Binary(operator, left, right) => {
                self.operate(*operator, left, right, of.span)
            }
            ExprKind::Conditional(condition, yes, no) if self.known(condition).is_some() => {
                let is = self.known(condition).is_some_and(|value| value != 0);
                self.value(if is { yes.as_deref().unwrap_or(condition) } else { no })
            }
            ExprKind::Conditional(condition, yes, no) => {
                let (to, end) = (self.temporary(), self.label());
                let (if_yes, if_no) = (self.label(), self.label());
                let first = if let Some(yes) = yes {
                    self.branch(condition, if_yes, if_no)?;
                    self.place(if_yes);
                    let first = self.value(yes)?;
                    self.set(to, first.term, yes.span)?;
                    self.jump(end, yes.span)?;
                    first.of
                } else {
                    let first = self.true_value(condition)?;
                    self.set(to, first.term, condition.span)?;
                    self.emit(Instr::Branch(Term::Reg(to), end, if_no), condition.span)?;
                    first.of
                };
                self.place(if_no);
                let second = self.value(no)?;
                self.set(to, second.term, no.span)?;
                self.place(end);
                let of = match (&first, &second.of) {
                    (a, b) if a == b => first,
                    (a, b) if a.is_number() && b.is_number() => Type::Int,
                    (a, _) if a.is_pointer() && *a != Type::AnyPointer => first,
                    _ => second.of,
                };
                Ok(Value { term: Term::Reg(to), of })
            }
            ExprKind::Comma(first, second) => {
                self.value(first)?;
                self.value(second)
            }
            ExprKind::Assign(None, place, value) => {
                let to = self.place_of(place)?;
                self.variable(&to, place.span)?;
                let value = self.value(value)?;
                self.assign(&to, value, of.span)
            }
            ExprKind::Assign(Some(operator), place, value) => {
                let to = self.place_of(place)?;
                self.variable(&to, place.span)?;
                let mut old = self.read_place(&to, place.span)?;
                self.is_number(&old, place.span)?;
                if assigns(value) {
                    old = self.kept(old, place.span)?;
                }
                let value = self.number(value)?;
                let term = binary(*operator, old.term, value.term);
                self.assign(&to, Value { term, of: Type::Int }, of.span)
            }
            ExprKind::Increment { place, by, after } => {
                let to = self.place_of(place)?;
                self.variable(&to, place.span)?;
                let mut old = self.read_place(&to, place.span)?;
                self.is_number(&old, place.span)?;
                old = self.kept(old, place.span)?;
                let term = binary(Binary::Add, old.term.clone(), Term::Const(*by));
                let new = self.assign(&to, Value { term, of: Type::Int }, of.span)?;
                Ok(if *after { old } else { new })
            }
            ExprKind::Call(name, arguments) => self.call(name, arguments, of.span),
        }
    }

    /// The value of an expression of constants.
    fn known(&self, of: &Expr) -> Option<i64> {
        match &of.kind {
            ExprKind::Name(name) => match self.bound(name) {
                Some(Binding::Constant(value, _)) => Some(value),
                Some(Binding::Local(..)) => None,
                None => self.memory().constant(of).ok(),
            },
            ExprKind::Unary(operator, of) => domain::unary(*operator, self.known(of)?),
            ExprKind::Binary(operator, left, right) => {
                domain::binary(*operator, self.known(left)?, self.known(right)?)
            }
            _ => self.memory().constant(of).ok(),
        }
    }

    fn is_global(&self, name: &str) -> bool {
        self.memory().globals.contains_key(name)
    }

    /// A number.
    pub fn number(&mut self, of: &Expr) -> Made<Value> {
        let value = self.value(of)?;
        self.is_number(&value, of.span)?;
        Ok(value)
    }

    fn is_number(&self, value: &Value, span: Span) -> Made<()> {
        if value.of.is_number() {
            return Ok(());
        }
        let found = format!("found {}", self.memory().in_words(&value.of));
        Err(Wrong::new(span, found, "expected a number"))
    }

    /// A number or a pointer, of which only matters whether it is 0.
    fn truth(&mut self, of: &Expr) -> Made<Term> {
        Ok(self.true_value(of)?.term)
    }

    /// The same, of which the value is wanted, too.
    fn true_value(&mut self, of: &Expr) -> Made<Value> {
        self.is_no_status(of)?;
        let value = self.value(of)?;
        if value.of.is_scalar() {
            return Ok(value);
        }
        let found = format!("found {}", self.memory().in_words(&value.of));
        Err(Wrong::new(of.span, found, "expected a number or a pointer"))
    }

    fn operate(&mut self, operator: Binary, left: &Expr, right: &Expr, span: Span) -> Made<Value> {
        let mut first = self.value(left)?;
        if assigns(right) {
            first = self.kept(first, left.span)?;
        }
        let second = self.value(right)?;
        let null = |value: &Value| value.term == Term::Const(0);
        let compared = matches!(operator, Binary::Equal | Binary::NotEqual);
        let pointers = first.of.is_pointer() || second.of.is_pointer();
        let alike = first.of == second.of
            || [&first, &second].iter().any(|v| v.of == Type::AnyPointer || null(v));
        if compared && pointers && alike && first.of.is_scalar() && second.of.is_scalar() {
            return Ok(Value { term: binary(operator, first.term, second.term), of: Type::Int });
        }
        self.is_number(&first, left.span)?;
        self.is_number(&second, right.span)?;
        let term = binary(operator, first.term, second.term);
        if let Term::Binary(Binary::Divide | Binary::Remainder, _, by) = &term
            && **by == Term::Const(0)
        {
            return Err(Wrong::new(span, "found a division by 0", "expected another number"));
        }
        Ok(Value { term, of: Type::Int })
    }

    /// The value of what is decided by branches.
    fn decided(&mut self, of: &Expr) -> Made<Value> {
        let (to, end) = (self.temporary(), self.label());
        let (yes, no) = (self.label(), self.label());
        self.branch(of, yes, no)?;
        self.place(yes);
        self.set(to, Term::Const(1), of.span)?;
        self.jump(end, of.span)?;
        self.place(no);
        self.set(to, Term::Const(0), of.span)?;
        self.place(end);
        Ok(Value { term: Term::Reg(to), of: Type::Int })
    }

    /// Goes one way if the expression is true, and the other if not.
    pub fn branch(&mut self, of: &Expr, yes: Label, no: Label) -> Made<()> {
        match &of.kind {
            ExprKind::Unary(Unary::Not, inner) => self.branch(inner, no, yes),
            ExprKind::Binary(Binary::AndThen, left, right) => {
                let both = self.label();
                self.branch(left, both, no)?;
                self.place(both);
                self.branch(right, yes, no)
            }
            ExprKind::Binary(Binary::OrElse, left, right) => {
                let other = self.label();
                self.branch(left, yes, other)?;
                self.place(other);
                self.branch(right, yes, no)
            }
            // It is true if one of them is.
            ExprKind::Conditional(left, None, right) => {
                let other = self.label();
                self.branch(left, yes, other)?;
                self.place(other);
                self.branch(right, yes, no)
            }
            ExprKind::Comma(first, second) => {
                self.value(first)?;
                self.branch(second, yes, no)
            }
            _ => match self.truth(of)? {
                Term::Const(0) => self.jump(no, of.span),
                Term::Const(_) => self.jump(yes, of.span),
                term => self.emit(Instr::Branch(term, yes, no), of.span),
            },
        }
    }

    /// Where an expression is.
    pub fn place_of(&mut self, of: &Expr) -> Made<Place> {
        match &of.kind {
            ExprKind::Name(name) => match self.bound(name) {
                Some(Binding::Local(reg, of)) => Ok(Place { at: At::Local(reg), of }),
                Some(Binding::Constant(..)) => Err(Wrong::new(
                    of.span,
                    format!("found '{name}', which is constant"),
                    "expected a variable",
                )),
                None => match self.memory().globals.get(name) {
                    Some(global) => Ok(Place {
                        at: At::Shared(Term::Const(global.address)),
                        of: global.of.clone(),
                    }),
                    None => Err(Wrong::new(
                        of.span,
                        format!("found '{name}'"),
                        "expected a variable that is declared",
                    )),
                },
            },
            ExprKind::Dereference(inner) => {
                let pointer = self.value(inner)?;
                self.pointed(pointer, inner.span)
            }
            ExprKind::Arrow(whole, name) => {
                let pointer = self.value(whole)?;
                let place = self.pointed(pointer, whole.span)?;
                self.field(place, name)
            }
            ExprKind::Field(whole, name) => {
                let place = self.place_of(whole)?;
                self.field(place, name)
            }
            ExprKind::Index(whole, index) => {
                let place = self.place_of(whole)?;
                self.element(&place, index, of.span)
            }
            _ => Err(Wrong::new(
                of.span,
                "found something that has no place",
                "expected a variable, a field, an element or what a pointer points to",
            )),
        }
    }

    fn pointed(&self, pointer: Value, span: Span) -> Made<Place> {
        match pointer.of {
            Type::Pointer(of) if pointer.term != Term::Const(0) => {
                Ok(Place { at: At::Shared(pointer.term), of: *of })
            }
            of => {
                let null = pointer.term == Term::Const(0);
                let words = if null { "NULL".to_owned() } else { self.memory().in_words(&of) };
                Err(Wrong::new(span, format!("found {words}"), "expected a pointer to something"))
            }
        }
    }

    fn field(&self, place: Place, name: &Name) -> Made<Place> {
        let field = self.memory().field(&place.of, name)?;
        let (offset, of) = (field.offset, field.of.clone());
        let at = match place.at {
            At::Local(reg) => At::Local(reg + offset),
            At::Shared(Term::Const(address)) => At::Shared(Term::Const(address + offset as i64)),
            At::Shared(term) if offset == 0 => At::Shared(term),
            // NULL plus an offset would be the address of something else.
            At::Shared(term) => At::Shared(binary(
                Binary::Multiply,
                binary(Binary::NotEqual, term.clone(), Term::Const(0)),
                binary(Binary::Add, term, Term::Const(offset as i64)),
            )),
        };
        Ok(Place { at, of })
    }

    fn element(&mut self, place: &Place, index: &Expr, span: Span) -> Made<Place> {
        let Type::Array(of, elements) = &place.of else {
            let found = format!("found an index into {}", self.memory().in_words(&place.of));
            return Err(Wrong::new(span, found, "expected one into an array"));
        };
        let value = self.number(index)?;
        let size = self.memory().size(of) as i64;
        let inside = |number: i64| number >= 0 && number < *elements as i64;
        let at = match (&place.at, &value.term) {
            (_, Term::Const(number)) if !inside(*number) => {
                let found = format!("found element {number}");
                let expected = format!("expected 0 to {}", elements - 1);
                return Err(Wrong::new(index.span, found, expected));
            }
            (At::Local(reg), Term::Const(number)) => {
                At::Local(reg + usize::try_from(number * size).unwrap_or_default())
            }
            (At::Local(_), _) => {
                return Err(Wrong::new(
                    index.span,
                    "found an index into a local array that depends on what happens",
                    "expected a constant, or a shared array",
                ));
            }
            (At::Shared(first), term) => {
                if !matches!(term, Term::Const(_)) {
                    let least = binary(Binary::GreaterOrEqual, term.clone(), Term::Const(0));
                    let most = binary(Binary::Less, term.clone(), Term::Const(*elements as i64));
                    let fits = binary(Binary::And, least, most);
                    self.demand(fits, Failure::Index(*elements), index.span)?;
                }
                let offset = binary(Binary::Multiply, term.clone(), Term::Const(size));
                At::Shared(binary(Binary::Add, first.clone(), offset))
            }
        };
        Ok(Place { at, of: (**of).clone() })
    }

    fn read(&mut self, of: &Expr) -> Made<Value> {
        let place = self.place_of(of)?;
        self.read_place(&place, of.span)
    }

    /// The value of a place; its type says whether others see that it is read.
    pub fn read_place(&mut self, place: &Place, span: Span) -> Made<Value> {
        // The name of an array is the address of its first element, but nothing is done with these.
        self.variable(place, span)?;
        match &place.at {
            At::Local(reg) => Ok(Value { term: Term::Reg(*reg), of: place.of.clone() }),
            At::Shared(address) => self.load(address.clone(), &place.of, span),
        }
    }

    /// What is read and written as one value.
    fn variable(&self, place: &Place, span: Span) -> Made<()> {
        if place.of.is_scalar() {
            return Ok(());
        }
        let found = format!("found {}", self.memory().in_words(&place.of));
        let expected = match place.of {
            Type::Atomic => "expected atomic_read(), atomic_set() or another function of atomics",
            _ => "expected a number or a pointer",
        };
        Err(Wrong::new(span, found, expected))
    }

    /// Writes a value to a place, as the type there wants it.
    pub fn assign(&mut self, to: &Place, value: Value, span: Span) -> Made<Value> {
        let term = self.converted(value, &to.of, span)?;
        match &to.at {
            At::Local(reg) => {
                self.set(*reg, term, span)?;
                Ok(Value { term: Term::Reg(*reg), of: to.of.clone() })
            }
            At::Shared(address) => {
                self.store(address.clone(), term.clone(), span)?;
                Ok(Value { term, of: to.of.clone() })
            }
        }
    }

    /// A value as a type wants it.
    pub fn converted(&self, value: Value, to: &Type, span: Span) -> Made<Term> {
        let wrong = || {
            let found = format!("found {}", self.memory().in_words(&value.of));
            let expected = format!("expected {}", self.memory().in_words(to));
            Err(Wrong::new(span, found, expected))
        };
        let atomic = *to == Type::Atomic;
        if *to == Type::Bool && value.of.is_scalar() {
            return Ok(match value.of {
                Type::Bool => value.term,
                _ => binary(Binary::NotEqual, value.term, Term::Const(0)),
            });
        }
        if (to.is_number() || atomic) && value.of.is_number() {
            if let (Term::Const(constant), Some(domain)) = (&value.term, self.memory().domain(to))
                && !domain.contains(*constant)
            {
                let words = self.memory().in_words(to);
                let found = format!("found {constant}");
                let expected = format!("expected a value of {words} in its range");
                return Err(Wrong::new(span, found, expected));
            }
            return Ok(value.term);
        }
        if to.is_pointer() {
            let any = [to, &value.of].contains(&&Type::AnyPointer) && value.of.is_pointer();
            if value.term == Term::Const(0) || any || *to == value.of {
                return Ok(value.term);
            }
        }
        wrong()
    }
}

pub(super) fn number_value(number: i64) -> Value {
    Value { term: Term::Const(number), of: Type::Int }
}

/// Whether evaluating it assigns to a variable of whoever evaluates it.
pub(super) fn assigns(of: &Expr) -> bool {
    match &of.kind {
        ExprKind::Number(_) | ExprKind::Name(_) | ExprKind::Text(_) => false,
        ExprKind::Assign(..) | ExprKind::Increment { .. } => true,
        ExprKind::Unary(_, a)
        | ExprKind::Field(a, _)
        | ExprKind::Arrow(a, _)
        | ExprKind::Dereference(a)
        | ExprKind::Address(a)
        | ExprKind::Cast(_, a) => assigns(a),
        ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) | ExprKind::Comma(a, b) => {
            assigns(a) || assigns(b)
        }
        ExprKind::Conditional(a, b, c) => {
            assigns(a) || b.as_deref().is_some_and(assigns) || assigns(c)
        }
        ExprKind::Call(_, arguments) => arguments.iter().any(assigns),
    }
}
