//! What a variable can hold: a few values, or all from one to another.

use crate::text::syntax::{Binary, Unary};

/// So many values are listed; more are a range.
const LISTED: usize = 16;

/// The least and the greatest number that is computed with.
pub(crate) const NUMBERS: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);

/// A set of values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Domain {
    /// These, in ascending order.
    Listed(Vec<i64>),
    /// From the first to the last.
    Range(i64, i64),
}

impl Domain {
    pub const fn none() -> Self {
        Self::Listed(Vec::new())
    }

    pub fn one(value: i64) -> Self {
        Self::Listed(vec![value])
    }

    pub fn of(values: impl IntoIterator<Item = i64>) -> Self {
        let mut values: Vec<i64> = values.into_iter().collect();
        values.sort_unstable();
        values.dedup();
        match values[..] {
            [first, .., last] if values.len() > LISTED => Self::Range(first, last),
            _ => Self::Listed(values),
        }
    }

    /// The least and the greatest value, if there is any.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        match self {
            Self::Listed(values) => Some((*values.first()?, *values.last()?)),
            Self::Range(least, most) => Some((*least, *most)),
        }
    }

    pub fn contains(&self, value: i64) -> bool {
        match self {
            Self::Listed(values) => values.binary_search(&value).is_ok(),
            Self::Range(least, most) => (*least..=*most).contains(&value),
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Listed(values) => values.len() as u64,
            Self::Range(least, most) => most.abs_diff(*least) + 1,
        }
    }

    /// Bits that tell its values apart.
    pub fn bits(&self) -> u32 {
        u64::BITS - self.count().saturating_sub(1).leading_zeros()
    }

    /// The number of one of its values.
    pub fn encode(&self, value: i64) -> u64 {
        match self {
            Self::Listed(values) => values.binary_search(&value).unwrap_or_default() as u64,
            Self::Range(least, _) => value.abs_diff(*least),
        }
    }

    /// The value of that number; the last one, of a number that none has.
    pub fn decode(&self, number: u64) -> i64 {
        match self {
            Self::Listed(values) => {
                let at = usize::try_from(number).unwrap_or(usize::MAX).min(values.len().max(1) - 1);
                values.get(at).copied().unwrap_or_default()
            }
            Self::Range(least, most) => least.saturating_add_unsigned(number).min(*most),
        }
    }

    /// All values, if they are not too many to go through.
    pub fn values(&self) -> Option<Vec<i64>> {
        match self {
            Self::Listed(values) => Some(values.clone()),
            Self::Range(least, most) if self.count() <= 64 => Some((*least..=*most).collect()),
            Self::Range(..) => None,
        }
    }

    /// What is in one or the other.
    pub fn union(&self, other: &Self) -> Self {
        let (Some((a, b)), Some((c, d))) = (self.bounds(), other.bounds()) else {
            return if self.bounds().is_none() { other.clone() } else { self.clone() };
        };
        match (self, other) {
            (Self::Listed(mine), Self::Listed(others)) => {
                Self::of(mine.iter().chain(others).copied())
            }
            _ => Self::Range(a.min(c), b.max(d)),
        }
    }

    /// What an operator makes of it.
    pub fn unary(&self, operator: Unary) -> Self {
        match self.values() {
            Some(values) => Self::of(values.into_iter().filter_map(|v| unary(operator, v))),
            None => match (operator, self.bounds()) {
                (_, None) => Self::none(),
                (Unary::Not, _) => Self::of([0, 1]),
                (Unary::Minus, Some((a, b))) => Self::within(-b, -a),
                (Unary::Complement, Some((a, b))) => Self::within(!b, !a),
            },
        }
    }

    /// What an operator makes of two.
    pub fn binary(&self, operator: Binary, other: &Self) -> Self {
        if let (Some(mine), Some(others)) = (self.values(), other.values()) {
            let pairs = mine.iter().flat_map(|a| others.iter().map(move |b| (*a, *b)));
            return Self::of(pairs.filter_map(|(a, b)| binary(operator, a, b)));
        }
        let (Some((a, b)), Some((c, d))) = (self.bounds(), other.bounds()) else {
            return Self::none();
        };
        match operator {
            Binary::Add => Self::within(a + c, b + d),
            Binary::Subtract => Self::within(a - d, b - c),
            Binary::Multiply => {
                let corners = [a * c, a * d, b * c, b * d];
                let least = corners.iter().min().copied().unwrap_or_default();
                Self::within(least, corners.iter().max().copied().unwrap_or_default())
            }
            Binary::Divide => Self::within(-a.abs().max(b.abs()), a.abs().max(b.abs())),
            Binary::Remainder => {
                let most = c.abs().max(d.abs()).max(1) - 1;
                Self::within(if a < 0 { -most } else { 0 }, most)
            }
            Binary::And if c >= 0 => Self::within(0, d),
            Binary::And if a >= 0 => Self::within(0, b),
            Binary::And | Binary::Or | Binary::Xor | Binary::ShiftLeft | Binary::ShiftRight => {
                Self::Range(NUMBERS.0, NUMBERS.1)
            }
            _ => Self::of([0, 1]),
        }
    }

    /// A range, cut to the numbers that there are: what is beyond is a fault when it is computed.
    fn within(least: i64, most: i64) -> Self {
        Self::Range(least.clamp(NUMBERS.0, NUMBERS.1), most.clamp(NUMBERS.0, NUMBERS.1))
    }
}

/// The value, unless it is no number that is computed with.
fn fits(value: i64) -> Option<i64> {
    (NUMBERS.0..=NUMBERS.1).contains(&value).then_some(value)
}

/// What an operator makes of a number.
pub(crate) fn unary(operator: Unary, of: i64) -> Option<i64> {
    fits(match operator {
        Unary::Minus => -of,
        Unary::Not => i64::from(of == 0),
        Unary::Complement => !of,
    })
}

/// What an operator makes of two numbers; nothing where C leaves it undefined.
pub(crate) fn binary(operator: Binary, a: i64, b: i64) -> Option<i64> {
    let is = |truth: bool| Some(i64::from(truth));
    match operator {
        Binary::Add => fits(a + b),
        Binary::Subtract => fits(a - b),
        Binary::Multiply => fits(a * b),
        Binary::Divide => a.checked_div(b).and_then(fits),
        Binary::Remainder => a.checked_rem(b).and_then(fits),
        Binary::ShiftLeft if (0..32).contains(&b) => fits(a << b),
        Binary::ShiftRight if (0..32).contains(&b) => fits(a >> b),
        Binary::ShiftLeft | Binary::ShiftRight => None,
        Binary::And => fits(a & b),
        Binary::Or => fits(a | b),
        Binary::Xor => fits(a ^ b),
        Binary::Equal => is(a == b),
        Binary::NotEqual => is(a != b),
        Binary::Less => is(a < b),
        Binary::LessOrEqual => is(a <= b),
        Binary::Greater => is(a > b),
        Binary::GreaterOrEqual => is(a >= b),
        Binary::AndThen => is(a != 0 && b != 0),
        Binary::OrElse => is(a != 0 || b != 0),
    }
}
