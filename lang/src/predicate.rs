//! Conditions about states, as a host asks them: expressions of C without effects, over what the host names.

use crate::graph::domain;
use crate::text::syntax::{Binary, Expr, ExprKind};
use crate::text::wrong::Wrong;
use crate::text::{TextError, condition};

/// A condition.
#[derive(Clone, Debug)]
pub struct Predicate {
    of: Expr,
}

/// What a condition is about.
pub trait Naming {
    /// The value of a name: a variable (`x`, `a[1]`, `s.f`) or a constant; `None`: there is none.
    fn value(&self, name: &str) -> Option<i64>;

    /// The value of a function of a name in quotes: `state("ext4")`; `None`: there is none.
    fn called(&self, function: &str, name: &str) -> Option<i64>;
}

impl Predicate {
    /// Reads a condition that speaks of what `naming` knows. `name`: what it is called in errors.
    ///
    /// # Errors
    /// The first thing that is wrong, where it is, and what was expected.
    pub fn read(name: &str, text: &str, naming: &dyn Naming) -> Result<Self, Box<TextError>> {
        let read = || {
            let of = condition(text)?;
            value(&of, naming)?;
            Ok(Self { of })
        };
        read().map_err(|wrong: Wrong| wrong.of(name, text))
    }

    /// Whether it is so; what has no value is not.
    pub fn holds(&self, naming: &dyn Naming) -> bool {
        value(&self.of, naming).is_ok_and(|value| value != 0)
    }
}

/// The name of a variable with its fields and indices, as programs call it.
fn place(of: &Expr) -> Option<String> {
    match &of.kind {
        ExprKind::Name(name) => Some(name.clone()),
        ExprKind::Field(whole, field) => Some(format!("{}.{}", place(whole)?, field.text)),
        ExprKind::Index(array, index) => match index.kind {
            ExprKind::Number(number) => Some(format!("{}[{number}]", place(array)?)),
            _ => None,
        },
        _ => None,
    }
}

fn value(of: &Expr, naming: &dyn Naming) -> Result<i64, Wrong> {
    let undefined =
        || Wrong::new(of.span, "found a value that is not defined", "expected a number");
    match &of.kind {
        ExprKind::Number(number) => Ok(*number),
        ExprKind::Name(_) | ExprKind::Field(..) | ExprKind::Index(..) => {
            let name = place(of).unwrap_or_default();
            let known = naming.value(&name).or_else(|| crate::lower::constant(&name));
            known.ok_or_else(|| {
                let expected = "expected a variable that programs share, or a constant";
                Wrong::new(of.span, format!("found '{name}'"), expected)
            })
        }
        ExprKind::Call(function, arguments) => {
            let [Expr { kind: ExprKind::Text(name), span }] = &arguments[..] else {
                let found = format!("found a call of '{}'", function.text);
                return Err(Wrong::new(of.span, found, "expected one name in quotes in it"));
            };
            naming.called(&function.text, name).ok_or_else(|| {
                let found = format!("found {}(\"{name}\")", function.text);
                Wrong::new(*span, found, "expected state(MODULE) or inside(MODULE), of this file")
            })
        }
        ExprKind::Unary(operator, inner) => {
            let inner = value(inner, naming)?;
            domain::unary(*operator, inner).ok_or_else(undefined)
        }
        // Both sides are looked at, so that what is wrong with one is found at once.
        ExprKind::Binary(Binary::AndThen, left, right) => {
            let (left, right) = (value(left, naming)?, value(right, naming)?);
            Ok(i64::from(left != 0 && right != 0))
        }
        ExprKind::Binary(Binary::OrElse, left, right) => {
            let (left, right) = (value(left, naming)?, value(right, naming)?);
            Ok(i64::from(left != 0 || right != 0))
        }
        ExprKind::Binary(operator, left, right) => {
            let (left, right) = (value(left, naming)?, value(right, naming)?);
            domain::binary(*operator, left, right).ok_or_else(undefined)
        }
        _ => Err(Wrong::new(
            of.span,
            "found what is no condition about a state",
            "expected names, numbers, state(\"MODULE\"), and operators without an effect",
        )),
    }
}
