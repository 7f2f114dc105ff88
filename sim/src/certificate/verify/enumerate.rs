//! The invariant once more for few callers, configuration by configuration.

use std::collections::BTreeSet;

use kmodcheck_explore::{DORMANT, Step, System};

use super::steps::Actor;
use super::{Anyone, Beside, CALLERS, Checker, Excluded, Place, Refused, Tag, covered, refuse};

/// Most configurations that are enumerated for one number of callers.
const MOST_ENUMERATED: usize = 400_000;

/// Most configurations that are explored for one number of callers.
const MOST_REACHED: usize = 1_500_000;

/// The place, the tagged process, and the others in ascending order.
type Configuration = (Place, Tag, Vec<Anyone>);

impl<S, B> Checker<'_, S, B>
where
    S: System,
    B: Fn(&Step<S::Label>, bool) -> bool,
{
    /// By number of callers: every configuration of the invariant, and that all its successors are
    /// in it again and no step is bad. Ends before a number that has too many.
    pub(super) fn enumerate(
        &self,
        beside: &Beside,
        excluded: &Excluded<'_>,
    ) -> Result<Vec<u64>, Refused> {
        let known = self.known();
        let mut enumerated = Vec::new();
        // Configurations with one process less: each grows at its end, so that none comes twice.
        let mut all: Vec<(usize, Vec<Anyone>)> =
            (0..self.claim.tagged.len()).map(|number| (number, Vec::new())).collect();
        for _ in 0..CALLERS {
            for (number, others) in &all {
                let (place, tag) = &self.claim.tagged[*number];
                let name = || format!("tagged control state {number}");
                self.successors(&known, excluded, (place, *tag, others), name, |_| {})?;
            }
            enumerated.push(all.len() as u64);
            let mut more = Vec::new();
            for (number, others) in &all {
                let (place, tag) = &self.claim.tagged[*number];
                let (at, me) = self.untagged(place, *tag);
                for who in &beside[&at] {
                    if others.last().is_some_and(|last| last > who) {
                        continue;
                    }
                    let mut larger = others.clone();
                    larger.push(*who);
                    let mut everybody: Vec<Anyone> = larger.iter().copied().chain(me).collect();
                    everybody.sort_unstable();
                    if !covered(excluded, &at, &everybody) {
                        more.push((*number, larger));
                    }
                }
                if more.len() > MOST_ENUMERATED {
                    return Ok(enumerated);
                }
            }
            all = more;
        }
        Ok(enumerated)
    }

    /// By number of callers: everything that is reached from the initial configurations is in the
    /// invariant. Ends before a number with which too much is.
    pub(super) fn explore(&self, excluded: &Excluded<'_>) -> Result<Vec<u64>, Refused> {
        let known = self.known();
        let there = || self.crowds.iter().filter(|c| c.1 != DORMANT);
        let mut counts = Vec::new();
        for callers in 1..=CALLERS {
            let mut seen: BTreeSet<Configuration> = BTreeSet::new();
            for (place, tag) in self.initial_tagged() {
                let mut others = Vec::new();
                for (kind, local) in there() {
                    let itself = tag.slot.is_none() && *kind == tag.kind;
                    let who = (*kind, self.anonymous(*kind, *local));
                    others.extend(std::iter::repeat_n(who, callers - usize::from(itself)));
                }
                others.sort_unstable();
                seen.insert((place, tag, others));
            }
            let mut queue: Vec<Configuration> = seen.iter().cloned().collect();
            while let Some((place, tag, others)) = queue.pop() {
                let name = || format!("{tag:?} with {others:?} at {place:?}");
                self.successors(&known, excluded, (&place, tag, &others), name, |next| {
                    if seen.insert(next.clone()) {
                        queue.push(next);
                    }
                })?;
                if seen.len() > MOST_REACHED {
                    return Ok(counts);
                }
            }
            counts.push(seen.len() as u64);
        }
        Ok(counts)
    }

    /// Takes every step of one configuration with everybody in it.
    fn successors(
        &self,
        known: &BTreeSet<(&Place, Tag)>,
        excluded: &Excluded<'_>,
        (place, tag, others): (&Place, Tag, &[Anyone]),
        name: impl Fn() -> String,
        mut found: impl FnMut(Configuration),
    ) -> Result<(), Refused> {
        let slots = (0..self.slots.len()).map(Actor::Slot);
        let distinct: BTreeSet<Anyone> = others.iter().copied().collect();
        let crowd = distinct.iter().map(|who| Actor::One(*who));
        for actor in [Actor::Tag].into_iter().chain(slots).chain(crowd) {
            let mut fails = None;
            self.moves(place, Some(tag), actor, &distinct, |step, no_place, how| {
                let mut rest = others.to_vec();
                if let Some(how) = &how {
                    for taken in &how.takes {
                        match rest.iter().position(|who| who == taken) {
                            Some(at) => drop(rest.remove(at)),
                            None => return,
                        }
                    }
                    let seen: Option<Vec<Option<Anyone>>> =
                        rest.iter().map(|who| self.bystander(*who, how)).collect();
                    let Some(seen) = seen else { return };
                    rest = seen.into_iter().flatten().chain(how.puts.iter().copied()).collect();
                    rest.sort_unstable();
                }
                let mut why = self.fault(known, actor, step, no_place, how.as_ref());
                if let (None, Some(how)) = (&why, how) {
                    let tag = how.tag.expect("a tag stays until it ends");
                    let (at, me) = self.untagged(&how.to, tag);
                    let mut everybody: Vec<Anyone> = rest.iter().copied().chain(me).collect();
                    everybody.sort_unstable();
                    if covered(excluded, &at, &everybody) {
                        why = Some(format!(
                            "with {others:?} the step {:?} leads to an excluded configuration",
                            step.label
                        ));
                    } else {
                        found((how.to, tag, rest));
                    }
                }
                if let Some(why) = why {
                    fails.get_or_insert(why);
                }
            });
            if let Some(why) = fails {
                return refuse(name(), why);
            }
        }
        Ok(())
    }
}
