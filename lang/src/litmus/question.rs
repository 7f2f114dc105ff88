//! What a file asks of final states, with every name looked up.

use kmodcheck_explore::{Kind, Local, Shared};

use crate::graph::domain;
use crate::lower::Names;
use crate::machine::Machine;
use crate::text::syntax::{Binary, ExprKind, File, Location, Name, Proposition, Quantifier};
use crate::text::wrong::Wrong;

/// A value of a final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Cell(usize),
    /// The process, its kind and the register.
    Local(usize, usize, usize),
}

/// What is so or not.
pub(super) enum Asked {
    Constant(bool),
    Compare(Place, Binary, i64),
    Not(Box<Asked>),
    And(Box<Asked>, Box<Asked>),
    Or(Box<Asked>, Box<Asked>),
}

/// What is shown of a final state.
pub(super) struct Shown {
    pub name: String,
    pub place: Place,
    /// Its value is an address.
    pub pointer: bool,
}

/// All that is asked.
pub(super) struct Question {
    pub quantifier: Option<Quantifier>,
    pub condition: Asked,
    pub filter: Asked,
    pub shown: Vec<Shown>,
}

/// The local variables that are asked about, by process.
pub(super) fn observed(file: &File) -> Result<Vec<(usize, Name)>, Wrong> {
    let mut all = Vec::new();
    for location in locations(file) {
        if let Some(process) = location.process {
            let ExprKind::Name(text) = &location.place.kind else {
                let found = "found a part of a local variable";
                return Err(Wrong::new(location.place.span, found, "expected a variable"));
            };
            all.push((process, Name { text: text.clone(), span: location.place.span }));
        }
    }
    Ok(all)
}

/// All locations, of what is shown first.
fn locations(file: &File) -> Vec<&Location> {
    fn of<'p>(proposition: &'p Proposition, all: &mut Vec<&'p Location>) {
        match proposition {
            Proposition::Constant(_) => {}
            Proposition::Compare(location, ..) => all.push(location),
            Proposition::Not(inner) => of(inner, all),
            Proposition::And(a, b) | Proposition::Or(a, b) => {
                of(a, all);
                of(b, all);
            }
        }
    }
    let mut all: Vec<&Location> = file.locations.iter().collect();
    file.condition.iter().for_each(|(_, proposition)| of(proposition, &mut all));
    file.filter.iter().for_each(|proposition| of(proposition, &mut all));
    all
}

impl Question {
    pub fn new(file: &File, machine: &Machine, names: &Names) -> Result<Self, Wrong> {
        let place = |location: &Location| place(location, machine, names);
        let mut shown: Vec<Shown> = Vec::new();
        for location in locations(file) {
            let place = place(location)?;
            if shown.iter().all(|other| other.place != place) {
                let (name, pointer) = match place {
                    Place::Cell(cell) => {
                        (machine.cells[cell].name.clone(), machine.cells[cell].pointer)
                    }
                    Place::Local(process, kind, reg) => {
                        let named = &machine.kinds[kind].body.named;
                        let name = named.iter().find(|(_, other, _)| *other == reg);
                        let (name, pointer) =
                            name.map_or(("", false), |(name, _, pointer)| (name, *pointer));
                        (format!("{process}:{name}"), pointer)
                    }
                };
                shown.push(Shown { name, place, pointer });
            }
        }
        let asked = |proposition: Option<&Proposition>| match proposition {
            Some(proposition) => asked(proposition, &place, names),
            None => Ok(Asked::Constant(true)),
        };
        Ok(Self {
            quantifier: file.condition.as_ref().map(|(quantifier, _)| *quantifier),
            condition: asked(file.condition.as_ref().map(|(_, proposition)| proposition))?,
            filter: asked(file.filter.as_ref())?,
            shown,
        })
    }
}

fn place(location: &Location, machine: &Machine, names: &Names) -> Result<Place, Wrong> {
    let Some(process) = location.process else {
        let address = names.cell(&location.place)?;
        return Ok(Place::Cell(usize::try_from(address - 1).unwrap_or_default()));
    };
    let ExprKind::Name(text) = &location.place.kind else {
        let found = "found a part of a local variable";
        return Err(Wrong::new(location.place.span, found, "expected a variable"));
    };
    let name = Name { text: text.clone(), span: location.place.span };
    let kind = *machine.processes.get(process).ok_or_else(|| {
        Wrong::new(name.span, format!("found process {process}"), "expected one of this file")
    })?;
    Ok(Place::Local(process, kind, machine.kinds[kind].body.local(&name)?))
}

fn asked(
    proposition: &Proposition,
    place: &dyn Fn(&Location) -> Result<Place, Wrong>,
    names: &Names,
) -> Result<Asked, Wrong> {
    let boxed = |inner: &Proposition| asked(inner, place, names).map(Box::new);
    Ok(match proposition {
        Proposition::Constant(value) => Asked::Constant(*value),
        Proposition::Compare(location, how, value) => {
            Asked::Compare(place(location)?, *how, names.value(value)?)
        }
        Proposition::Not(inner) => Asked::Not(boxed(inner)?),
        Proposition::And(a, b) => Asked::And(boxed(a)?, boxed(b)?),
        Proposition::Or(a, b) => Asked::Or(boxed(a)?, boxed(b)?),
    })
}

impl Place {
    /// Its value; 0, of what was never come to.
    pub fn value(self, machine: &Machine, shared: Shared, local: impl Fn(usize) -> Local) -> i64 {
        match self {
            Self::Cell(cell) => machine.value(cell, shared),
            Self::Local(process, kind, reg) => {
                machine.local_value(kind, reg, local(process)).unwrap_or_default()
            }
        }
    }
}

impl Asked {
    /// Whether it is so.
    pub fn is(&self, machine: &Machine, shared: Shared, local: &dyn Fn(usize) -> Local) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Compare(place, how, with) => {
                let value = place.value(machine, shared, local);
                domain::binary(*how, value, *with).is_some_and(|is| is != 0)
            }
            Self::Not(inner) => !inner.is(machine, shared, local),
            Self::And(a, b) => a.is(machine, shared, local) && b.is(machine, shared, local),
            Self::Or(a, b) => a.is(machine, shared, local) || b.is(machine, shared, local),
        }
    }
}

/// The kinds of all processes.
pub(super) fn kinds(machine: &Machine) -> impl Iterator<Item = Kind> {
    machine.processes.iter().map(|kind| Kind(u8::try_from(*kind).unwrap_or(u8::MAX)))
}
