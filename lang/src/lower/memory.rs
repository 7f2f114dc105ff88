//! What is shared: types, variables with their addresses, constants. An address is the number of a cell,
//! from 1; 0 is NULL.

use std::collections::HashMap;

use super::constants::constant;
use crate::graph::code::Cell;
use crate::graph::domain::{self, Domain};
use crate::text::syntax::{
    Base, Binary, Declaration, Defined, Expr, ExprKind, Initial, Name, Span, TypeName,
};
use crate::text::wrong::Wrong;

/// Most shared cells.
const MOST_CELLS: usize = 512;

/// `complete_all()` has been called: as many completions as anybody may wait for.
pub(super) const COMPLETED: i64 = 7;

/// What a value or a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Void,
    Bool,
    Int,
    Ranged(i64, i64),
    Enum(usize),
    Pointer(Box<Type>),
    /// `void *`, or NULL.
    AnyPointer,
    Struct(usize),
    Array(Box<Type>, usize),
    Atomic,
    Mutex,
    Spinlock,
    RwSemaphore,
    Semaphore,
    Completion,
    WaitQueue,
    Work,
}

impl Type {
    /// Whether it is computed with.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Ranged(..) | Self::Enum(_))
    }

    pub fn is_pointer(&self) -> bool {
        matches!(self, Self::Pointer(_) | Self::AnyPointer)
    }

    /// Whether a variable of it is one cell with one value.
    pub fn is_scalar(&self) -> bool {
        self.is_number() || self.is_pointer()
    }
}

/// A field: its name, type and offset in cells.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: String,
    pub of: Type,
    pub offset: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Structure {
    pub name: String,
    pub fields: Vec<Field>,
    pub size: usize,
}

/// A shared variable.
#[derive(Clone, Debug)]
pub(super) struct Global {
    pub address: i64,
    pub of: Type,
    pub span: Span,
}

/// All that is shared.
#[derive(Default)]
pub(super) struct Memory {
    pub structures: Vec<Structure>,
    pub enums: Vec<(String, Domain)>,
    pub constants: HashMap<String, i64>,
    pub globals: HashMap<String, Global>,
    /// In the order of declaration.
    pub order: Vec<String>,
    pub cells: Vec<Cell>,
}

/// Or what is wrong.
pub(super) type Made<T> = Result<T, Wrong>;

impl Memory {
    /// A type or the constants of one.
    pub fn define(&mut self, defined: &Defined) -> Made<()> {
        match defined {
            Defined::Struct(name, fields) => {
                if self.structures.iter().any(|s| s.name == name.text) {
                    return Err(again("struct", name));
                }
                let id = self.structures.len();
                let name = name.text.clone();
                self.structures.push(Structure { name, fields: Vec::new(), size: 0 });
                let mut size = 0;
                for field in fields {
                    let of = self.declared(field)?;
                    if self.structures[id].fields.iter().any(|f| f.name == field.name.text) {
                        return Err(again("field", &field.name));
                    }
                    if self.size(&of) == 0 {
                        return Err(Wrong::new(
                            field.of.span,
                            "found a field of a type that is not whole yet",
                            "expected a type that is defined above",
                        ));
                    }
                    let name = field.name.text.clone();
                    let offset = size;
                    size += self.size(&of);
                    self.structures[id].fields.push(Field { name, of, offset });
                }
                if size == 0 || size > MOST_CELLS {
                    let span = fields.first().map_or(Span::default(), |f| f.name.span);
                    return Err(Wrong::new(
                        span,
                        format!("found a struct of {size} cells"),
                        format!("expected 1 to {MOST_CELLS}"),
                    ));
                }
                self.structures[id].size = size;
            }
            Defined::Enum(name, members) => {
                let mut next = 0;
                let mut values = Vec::new();
                for (member, value) in members {
                    if let Some(value) = value {
                        next = self.constant(value)?;
                    }
                    if self.constants.insert(member.text.clone(), next).is_some() {
                        return Err(again("constant", member));
                    }
                    values.push(next);
                    next += 1;
                }
                if let Some(name) = name {
                    if self.enums.iter().any(|(other, _)| *other == name.text) {
                        return Err(again("enum", name));
                    }
                    self.enums.push((name.text.clone(), Domain::of(values)));
                }
            }
        }
        Ok(())
    }

    /// The type of what is declared.
    pub fn declared(&self, declaration: &Declaration) -> Made<Type> {
        let of = self.named(&declaration.of)?;
        let Some(elements) = &declaration.elements else { return Ok(of) };
        let number = self.constant(elements)?;
        match usize::try_from(number) {
            Ok(number) if (1..=MOST_CELLS).contains(&number) => {
                Ok(Type::Array(Box::new(of), number))
            }
            _ => Err(Wrong::new(
                elements.span,
                format!("found {number} elements"),
                format!("expected 1 to {MOST_CELLS}"),
            )),
        }
    }

    /// The type of that name.
    pub fn named(&self, name: &TypeName) -> Made<Type> {
        let missing = |what: &str, name: &TypeName| {
            Err(Wrong::new(
                name.span,
                format!("found {what}"),
                "expected one that is defined above",
            ))
        };
        let mut of = match &name.base {
            Base::Void if name.pointers == 1 => return Ok(Type::AnyPointer),
            Base::Void => Type::Void,
            Base::Bool => Type::Bool,
            Base::Int(None) => Type::Int,
            Base::Int(Some((least, most))) => {
                let (first, last) = (self.constant(least)?, self.constant(most)?);
                if first > last {
                    let found = format!("found a range from {first} to {last}");
                    return Err(Wrong::new(least.span, found, "expected the least number first"));
                }
                Type::Ranged(first, last)
            }
            Base::Bounded(least, most) => Type::Ranged(*least, *most),
            Base::Enum(wanted) => match self.enums.iter().position(|(n, _)| n == wanted) {
                Some(id) => Type::Enum(id),
                None => return missing(&format!("enum {wanted}"), name),
            },
            Base::Struct(wanted) => match self.structures.iter().position(|s| s.name == *wanted) {
                Some(id) => Type::Struct(id),
                None => return missing(&format!("struct {wanted}"), name),
            },
            Base::Atomic => Type::Atomic,
            Base::Mutex => Type::Mutex,
            Base::Spinlock => Type::Spinlock,
            Base::RwSemaphore => Type::RwSemaphore,
            Base::Semaphore => Type::Semaphore,
            Base::Completion => Type::Completion,
            Base::WaitQueue => Type::WaitQueue,
            Base::Work => Type::Work,
        };
        for _ in 0..name.pointers {
            of = Type::Pointer(Box::new(of));
        }
        Ok(of)
    }

    /// How many cells it takes; 0, of what is not whole.
    pub fn size(&self, of: &Type) -> usize {
        match of {
            Type::Void => 0,
            Type::Struct(id) => self.structures[*id].size,
            Type::Array(of, elements) => (self.size(of) * elements).min(MOST_CELLS + 1),
            Type::RwSemaphore => 3,
            Type::Work => 2,
            _ => 1,
        }
    }

    /// What a value of it can be, if that is declared.
    pub fn domain(&self, of: &Type) -> Option<Domain> {
        match of {
            Type::Bool => Some(Domain::of([0, 1])),
            Type::Ranged(least, most) => Some(Domain::Range(*least, *most)),
            Type::Enum(id) => Some(self.enums[*id].1.clone()),
            _ => None,
        }
    }

    /// How it is called in errors.
    pub fn in_words(&self, of: &Type) -> String {
        match of {
            Type::Void => "void".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Int | Type::Ranged(..) => "a number".to_owned(),
            Type::Enum(id) => format!("enum {}", self.enums[*id].0),
            Type::Pointer(to) => format!("a pointer to {}", self.in_words(to)),
            Type::AnyPointer => "a pointer".to_owned(),
            Type::Struct(id) => format!("struct {}", self.structures[*id].name),
            Type::Array(of, elements) => {
                format!("an array of {elements}, each {}", self.in_words(of))
            }
            Type::Atomic => "atomic_t".to_owned(),
            Type::Mutex => "struct mutex".to_owned(),
            Type::Spinlock => "spinlock_t".to_owned(),
            Type::RwSemaphore => "struct rw_semaphore".to_owned(),
            Type::Semaphore => "struct semaphore".to_owned(),
            Type::Completion => "struct completion".to_owned(),
            Type::WaitQueue => "wait_queue_head_t".to_owned(),
            Type::Work => "struct work_struct".to_owned(),
        }
    }

    /// Makes room for a shared variable. Its initial value is for later: it may name what follows.
    pub fn allocate(&mut self, name: &Name, of: Type) -> Made<i64> {
        if self.globals.contains_key(&name.text) || self.constants.contains_key(&name.text) {
            return Err(again("name", name));
        }
        if of == Type::Void {
            return Err(Wrong::new(name.span, "found a variable of type void", "expected a type"));
        }
        let address = self.cells.len() as i64 + 1;
        self.add(&name.text, &of, name.span)?;
        let global = Global { address, of, span: name.span };
        self.globals.insert(name.text.clone(), global);
        self.order.push(name.text.clone());
        Ok(address)
    }

    /// The cells of a variable.
    fn add(&mut self, name: &str, of: &Type, span: Span) -> Made<()> {
        if self.cells.len() >= MOST_CELLS {
            let found = format!("found more than {MOST_CELLS} shared cells");
            return Err(Wrong::new(span, found, "expected fewer"));
        }
        let count = Domain::Range(0, 15);
        match of {
            Type::Struct(id) => {
                for field in self.structures[*id].fields.clone() {
                    self.add(&format!("{name}.{}", field.name), &field.of, span)?;
                }
            }
            Type::Array(of, elements) => {
                for element in 0..*elements {
                    self.add(&format!("{name}[{element}]"), of, span)?;
                }
            }
            Type::Mutex | Type::Spinlock => self.hidden(name, Domain::of([0, 1])),
            Type::RwSemaphore => {
                self.hidden(&format!("{name} (writer)"), Domain::of([0, 1]));
                self.hidden(&format!("{name} (readers)"), count.clone());
                self.hidden(&format!("{name} (writers that wait)"), count);
            }
            Type::Semaphore => self.hidden(name, count),
            Type::Completion => self.hidden(name, Domain::Range(0, COMPLETED)),
            Type::WaitQueue => self.hidden(name, Domain::one(0)),
            Type::Work => {
                self.hidden(&format!("{name} (pending)"), Domain::of([0, 1]));
                self.hidden(&format!("{name} (running)"), Domain::of([0, 1]));
            }
            of => {
                let declared = self.domain(of);
                let fixed = declared.is_some();
                let domain = declared.unwrap_or(Domain::none());
                let (name, pointer) = (name.to_owned(), of.is_pointer());
                self.cells.push(Cell { name, domain, fixed, initial: 0, hidden: false, pointer });
            }
        }
        Ok(())
    }

    /// A cell that is no variable.
    pub fn hidden(&mut self, name: &str, domain: Domain) {
        let name = name.to_owned();
        let cell = Cell { name, domain, fixed: true, initial: 0, hidden: true, pointer: false };
        self.cells.push(cell);
    }

    /// Gives the variable at an address its initial value.
    pub fn initialise(&mut self, address: i64, of: &Type, initial: &Initial) -> Made<()> {
        let (value, span) = match (initial, of) {
            (Initial::List(values, span), Type::Array(element, elements)) => {
                if values.len() > *elements {
                    let found = format!("found {} values", values.len());
                    return Err(Wrong::new(*span, found, format!("expected at most {elements}")));
                }
                let size = self.size(element) as i64;
                for (i, value) in values.iter().enumerate() {
                    self.initialise(address + i as i64 * size, element, value)?;
                }
                return Ok(());
            }
            (Initial::List(values, span), Type::Struct(id)) => {
                let fields = self.structures[*id].fields.clone();
                if values.len() > fields.len() {
                    let found = format!("found {} values", values.len());
                    let expected = format!("expected at most {}, one for each field", fields.len());
                    return Err(Wrong::new(*span, found, expected));
                }
                for (field, value) in fields.iter().zip(values) {
                    self.initialise(address + field.offset as i64, &field.of, value)?;
                }
                return Ok(());
            }
            (Initial::List(_, span), _) => {
                let expected = format!("expected a value of {}", self.in_words(of));
                return Err(Wrong::new(*span, "found a list", expected));
            }
            (Initial::Value(value), of) => (self.initial_value(value, of)?, value.span),
        };
        let at = (address - 1) as usize;
        let cell = &self.cells[at];
        if cell.fixed && !cell.domain.contains(value) {
            let found = format!("found {value}");
            return Err(Wrong::new(span, found, "expected a value that the variable can have"));
        }
        self.cells[at].initial = value;
        Ok(())
    }

    fn initial_value(&self, value: &Expr, of: &Type) -> Made<i64> {
        if let ExprKind::Call(name, arguments) = &value.kind
            && let ("ATOMIC_INIT", Type::Atomic, [value]) = (name.text.as_str(), of, &arguments[..])
        {
            return self.constant(value);
        }
        match of {
            Type::Pointer(to) => {
                let (address, found) = self.address(value)?;
                let fits = found == Type::AnyPointer || **to == found;
                let expected = format!("expected the address of {}", self.in_words(to));
                let found = format!("found the address of {}", self.in_words(&found));
                if fits { Ok(address) } else { Err(Wrong::new(value.span, found, expected)) }
            }
            of if of.is_scalar() || *of == Type::Atomic || *of == Type::Semaphore => {
                self.constant(value)
            }
            of => {
                let expected = format!("expected none for {}", self.in_words(of));
                Err(Wrong::new(value.span, "found an initial value", expected))
            }
        }
    }

    /// What is known to be at an address, and its type: `&x`, `&a[1]`, or, as herd has it, `x`.
    pub fn address(&self, value: &Expr) -> Made<(i64, Type)> {
        let expected = "expected the address of a shared variable, or NULL";
        match &value.kind {
            ExprKind::Number(0) => Ok((0, Type::AnyPointer)),
            ExprKind::Name(name) if name == "NULL" => Ok((0, Type::AnyPointer)),
            ExprKind::Address(of) | ExprKind::Cast(_, of) => self.address(of),
            ExprKind::Name(name) => match self.globals.get(name) {
                Some(global) => Ok((global.address, global.of.clone())),
                None => Err(Wrong::new(value.span, format!("found '{name}'"), expected)),
            },
            ExprKind::Index(array, index) => {
                let (address, of) = self.address(array)?;
                let Type::Array(of, elements) = of else {
                    return Err(Wrong::new(
                        value.span,
                        "found an index",
                        "expected one of an array",
                    ));
                };
                let number = self.constant(index)?;
                if number < 0 || number >= elements as i64 {
                    let found = format!("found element {number}");
                    let expected = format!("expected 0 to {}", elements - 1);
                    return Err(Wrong::new(index.span, found, expected));
                }
                Ok((address + number * self.size(&of) as i64, *of))
            }
            ExprKind::Field(whole, name) => {
                let (address, of) = self.address(whole)?;
                let field = self.field(&of, name)?;
                Ok((address + field.offset as i64, field.of.clone()))
            }
            _ => Err(Wrong::new(value.span, "found something else", expected)),
        }
    }

    /// A field of a struct.
    pub fn field(&self, of: &Type, name: &Name) -> Made<&Field> {
        let Type::Struct(id) = of else {
            let found = format!("found a field of {}", self.in_words(of));
            return Err(Wrong::new(name.span, found, "expected one of a struct"));
        };
        let fields = &self.structures[*id].fields;
        fields.iter().find(|field| field.name == name.text).ok_or_else(|| {
            let all: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            let expected = format!("expected one of {}", all.join(", "));
            Wrong::new(name.span, format!("found the field '{}'", name.text), expected)
        })
    }

    /// The value of a constant expression.
    pub fn constant(&self, of: &Expr) -> Made<i64> {
        let not = |found: String| Err(Wrong::new(of.span, found, "expected a constant"));
        let undefined = || {
            let found = "found a value that is not defined";
            Wrong::new(of.span, found, "expected a number of 32 bits")
        };
        match &of.kind {
            ExprKind::Number(number) => Ok(*number),
            ExprKind::Name(name) => match self.constants.get(name).copied().or(constant(name)) {
                Some(value) => Ok(value),
                None => not(format!("found '{name}'")),
            },
            ExprKind::Unary(operator, of) => {
                domain::unary(*operator, self.constant(of)?).ok_or_else(undefined)
            }
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.constant(left)?, self.constant(right)?);
                domain::binary(*operator, left, right).ok_or_else(undefined)
            }
            ExprKind::Conditional(condition, yes, no) => {
                let is = self.constant(condition)? != 0;
                self.constant(if is { yes.as_deref().unwrap_or(condition) } else { no })
            }
            _ => not("found something that is computed as the program runs".to_owned()),
        }
    }
}

/// Not a second time.
pub(super) fn again(what: &str, name: &Name) -> Wrong {
    Wrong::new(
        name.span,
        format!("found the {what} '{}' again", name.text),
        "expected another name",
    )
}

/// The value that an operator makes of two constants is looked up where code is made, too.
pub(super) fn folded(operator: Binary, left: i64, right: i64) -> Option<i64> {
    domain::binary(operator, left, right)
}
