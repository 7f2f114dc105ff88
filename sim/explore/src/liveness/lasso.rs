//! A run in which somebody never returns, and whether it is one.

use std::ops::ControlFlow;

use crate::system::{Configuration, Product, System, TraceStep, WayOut, replay};

/// A run in which a process never returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasso<Label> {
    /// Which process.
    pub process: usize,
    /// A shortest way to the loop.
    pub stem: Vec<TraceStep<Label>>,
    /// The loop, which leads back to where it begins. Empty: nobody is obliged to step there.
    pub cycle: Vec<TraceStep<Label>>,
}

/// Which ways out come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comes {
    /// No time-out fires any more, once the loop is reached.
    Nothing,
    /// Who never returns and could time out again and again does.
    TimeOuts,
    /// And who never returns and could be killed again and again is.
    TimeOutsAndKills,
}

impl Comes {
    /// Whether a step of that kind is one that must come.
    pub(super) fn obliges(self, way_out: WayOut) -> bool {
        match way_out {
            WayOut::Ordinary => true,
            WayOut::TimeOut => self >= Self::TimeOuts,
            WayOut::Killed => self == Self::TimeOutsAndKills,
        }
    }

    /// Whether it is a way out that comes at last to whom it could come to again and again.
    pub(super) fn comes(self, way_out: WayOut) -> bool {
        way_out != WayOut::Ordinary && self.obliges(way_out)
    }

    /// Whether a step of that kind may be taken: a kill may come or not.
    pub(super) fn allows(self, way_out: WayOut) -> bool {
        way_out != WayOut::TimeOut || self >= Self::TimeOuts
    }
}

/// Takes every step of a lasso and looks whether it is one: the cycle leads back to where it begins,
/// its process never returns in it, whoever does not step in it is somewhere in it not obliged to, and
/// who never returns in it and could take a way out that comes does.
pub fn is_lasso<S: System>(system: &S, lasso: &Lasso<S::Label>, comes: Comes) -> bool {
    let Some(product) = Product::new(system) else { return false };
    let Ok(start) = replay(&product, &lasso.stem, |_, _| {}) else { return false };
    let everybody = (1_u32 << product.processes()) - 1;
    let mut scratch = Vec::new();
    // Who is obliged to step, who has a way out, who is in its call.
    let mut look = |configuration: &Configuration| {
        let (mut obliged, mut timing, mut calling) = (0_u32, 0_u32, 0_u32);
        let _ = product.successors(configuration, &mut scratch, |t| {
            if comes.obliges(t.way_out) && !product.returned(configuration, t.actor) {
                obliged |= 1 << t.actor;
            }
            timing |= u32::from(comes.comes(t.way_out)) << t.actor;
            ControlFlow::Continue(())
        });
        for i in 0..product.processes() {
            calling |= u32::from(!product.returned(configuration, i)) << i;
        }
        (everybody & !obliged, timing, calling)
    };
    let (mut served, mut timing, mut calling) = look(&start);
    let (mut timed_out, mut kept) = (0_u32, true);
    let whole: Vec<TraceStep<S::Label>> = lasso.stem.iter().chain(&lasso.cycle).cloned().collect();
    let end = replay(&product, &whole, |number, taken| {
        if number >= lasso.stem.len() {
            let (free, could, still) = look(taken.after);
            served |= 1 << taken.actor | free;
            timing |= could;
            calling &= still;
            timed_out |= u32::from(comes.comes(taken.way_out)) << taken.actor;
            kept &= comes.allows(taken.way_out);
        }
    });
    let never = calling >> lasso.process & 1 == 1;
    end == Ok(start) && kept && never && served == everybody && timing & calling & !timed_out == 0
}
