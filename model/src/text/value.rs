//! Expressions of texts, and what names in them stand for.

use kmodcheck_lang::text::syntax::{Binary, Expr, ExprKind, Span, Unary};

use super::code::{Made, Wrong};
use crate::state::ModuleState;

/// No pointer.
pub(super) const NULL: i64 = 0;

/// What an expression comes to. `leaf`: what it is where it names something, looks at something or calls something, if
/// that is more than a constant's name.
pub(super) fn evaluate<E: From<Wrong>>(
    of: &Expr,
    leaf: &mut dyn FnMut(&Expr) -> Result<Option<i64>, E>,
) -> Result<i64, E> {
    if let Some(value) = leaf(of)? {
        return Ok(value);
    }
    Ok(match &of.kind {
        ExprKind::Number(number) => *number,
        ExprKind::Name(name) => return Ok(constant(name, of.span)?),
        ExprKind::Unary(Unary::Minus, inner) => -evaluate(inner, leaf)?,
        ExprKind::Unary(Unary::Not, inner) => i64::from(evaluate(inner, leaf)? == 0),
        ExprKind::Binary(Binary::AndThen, left, right) => {
            i64::from(evaluate(left, leaf)? != 0 && evaluate(right, leaf)? != 0)
        }
        ExprKind::Binary(Binary::OrElse, left, right) => {
            i64::from(evaluate(left, leaf)? != 0 || evaluate(right, leaf)? != 0)
        }
        ExprKind::Binary(operator, left, right) => {
            let (left, right) = (evaluate(left, leaf)?, evaluate(right, leaf)?);
            i64::from(match operator {
                Binary::Equal => left == right,
                Binary::NotEqual => left != right,
                Binary::Less => left < right,
                Binary::LessOrEqual => left <= right,
                Binary::Greater => left > right,
                Binary::GreaterOrEqual => left >= right,
                _ => {
                    let expected = "expected a comparison";
                    return Err(Wrong::new(of.span, "found arithmetic", expected).into());
                }
            })
        }
        ExprKind::Conditional(condition, then, other) => {
            let tested = evaluate(condition, leaf)?;
            match (tested != 0, then) {
                (true, Some(then)) => evaluate(then, leaf)?,
                (true, None) => tested,
                (false, _) => evaluate(other, leaf)?,
            }
        }
        _ => {
            return Err(Wrong::new(
                of.span,
                "found what the texts do not know",
                "expected variables, comparisons, states and errors",
            )
            .into());
        }
    })
}

pub(super) fn null(span: Span) -> Wrong {
    Wrong::new(
        span,
        "found NULL here, of a name that is not listed",
        "expected a look whether it is NULL before",
    )
}

pub(super) fn unset(span: Span, name: &str) -> Wrong {
    let found = format!("found '{name}', which has no value here");
    Wrong::new(span, found, "expected an assignment before")
}

pub(super) fn unlocked(span: Span) -> Wrong {
    Wrong::new(
        span,
        "found a look at a listed module without module_mutex",
        "expected it under the lock: without it is another step, for which the model has no place",
    )
}

/// `enum module_state`, by its numbers; a name that is not listed has none.
pub(super) fn number(state: ModuleState) -> i64 {
    match state {
        ModuleState::Live | ModuleState::Absent => 0,
        ModuleState::Coming => 1,
        ModuleState::Going => 2,
        ModuleState::Unformed | ModuleState::UnformedAgain => 3,
    }
}

/// What a name stands for that is no variable's.
fn constant(name: &str, span: Span) -> Made<i64> {
    let known = match name {
        "NULL" => Some(NULL),
        "MODULE_STATE_LIVE" => Some(number(ModuleState::Live)),
        "MODULE_STATE_COMING" => Some(number(ModuleState::Coming)),
        "MODULE_STATE_GOING" => Some(number(ModuleState::Going)),
        "MODULE_STATE_UNFORMED" => Some(number(ModuleState::Unformed)),
        // include/linux/umh.h
        "UMH_WAIT_EXEC" => Some(1),
        "UMH_WAIT_PROC" => Some(2),
        // libkmod/libkmod.h, `enum kmod_module_initstate`
        "KMOD_MODULE_BUILTIN" => Some(0),
        "KMOD_MODULE_LIVE" => Some(1),
        "KMOD_MODULE_COMING" => Some(2),
        "KMOD_MODULE_GOING" => Some(3),
        _ => kmodcheck_lang::constant(name),
    };
    known.ok_or_else(|| {
        let expected = "expected a variable, a state, or an error's name";
        Wrong::new(span, format!("found '{name}'"), expected)
    })
}
