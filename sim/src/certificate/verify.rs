//! Checks a certificate. Shares no code with the prover but [`System`]'s step function and its plain
//! data: everything is tabulated here once more, in ordered maps and as plainly as possible.
//!
//! What is claimed is an invariant of a system with any number of processes of some kinds, of which
//! one is tagged. *Excluded* are upward-closed sets of configurations without a tag, by their minimal
//! elements: no initial configuration is excluded, and no step leads from a configuration that is not
//! excluded into one that is. *Tagged* are the control states with the tagged process and its
//! history: the initial ones are among them, and every step that is possible beside processes that
//! are not excluded leads to another one and violates nothing.
//!
//! What that takes is listed in `rules`, one by one, and each rule has a claim that only it refuses.
//! Believed without a check: the system's `step`, `observe` and `wake`, and that no step of a
//! *forgetful* process depends on what [`System::anonymous`] takes from it.

mod enumerate;
mod rules;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;

use kmodcheck_explore::{Choice, DORMANT, Effect, Kind, Local, Shared, Step, System};

use rules::Rule;
use steps::{Actor, Move};

/// A process that nobody follows: its kind, and its local state without history.
pub type Anyone = (Kind, Local);

/// The shared state and the processes that have a slot of their own, without history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The shared state.
    pub shared: Shared,
    /// The local states in the slots; [`DORMANT`] in that of the tagged process.
    pub slots: Vec<Local>,
}

/// The tagged process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// Its kind.
    pub kind: Kind,
    /// Its slot, if it has one.
    pub slot: Option<usize>,
    /// Its local state, with history.
    pub local: Local,
}

/// What is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The kinds that come in any number.
    pub any_number: Vec<Kind>,
    /// The kinds of whose history no property speaks.
    pub forgetful: Vec<Kind>,
    /// Minimal elements of what cannot be reached: a place, and processes beside it (the tagged one
    /// among them, if it has no slot).
    pub excluded: Vec<(Place, Vec<Anyone>)>,
    /// The control states with a tagged process.
    pub tagged: Vec<(Place, Tag)>,
}

/// Why a claim is not believed, and of which element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{element}: {why}")]
pub struct Refused {
    /// Which element.
    pub element: String,
    /// What is wrong with it.
    pub why: String,
}

fn refuse<T>(element: impl Into<String>, why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { element: element.into(), why: why.into() })
}

/// What was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Places of the table.
    pub places: usize,
    /// Anonymous local states of the table.
    pub anonymous: usize,
    /// Pairs of an element and a step that leads into it.
    pub predecessors: u64,
    /// Steps from control states with a tagged process.
    pub steps: u64,
    /// By number of callers, from 1 on, as far as there are not too many: how many configurations the
    /// invariant has, reachable or not, each of whose successors was found in it again.
    pub enumerated: Vec<u64>,
    /// By number of callers, from 1 on, as far as there are not too many: how many configurations are
    /// reached one by one, each of which was found in the invariant.
    pub reached: Vec<u64>,
}

/// Up to how many callers the invariant is enumerated, and explored.
pub const CALLERS: usize = 4;

/// The places, and who can stand beside each, everybody taken for himself.
type Beside = BTreeMap<Place, BTreeSet<Anyone>>;

/// A checker of claims about one system.
pub struct Checker<'s, S: System, B> {
    system: &'s S,
    /// Whether a step is bad; `false`: of a process whose history is not known.
    bad: B,
    claim: &'s Claim,
    slots: Vec<(Kind, Local)>,
    crowds: Vec<(Kind, Local)>,
    /// A rule that is not kept.
    #[cfg(test)]
    without: Option<Rule>,
}

/// What the induction has gone through.
struct Induction<'s> {
    beside: Beside,
    excluded: Excluded<'s>,
    predecessors: u64,
    steps: u64,
}

impl<'s, S, B> Checker<'s, S, B>
where
    S: System,
    B: Fn(&Step<S::Label>, bool) -> bool,
{
    /// A checker of `claim` about `system`, whose steps are `bad` or not. `bad` is also told whether
    /// the history of the process that steps is known.
    pub fn new(system: &'s S, claim: &'s Claim, bad: B) -> Self {
        let processes = system.initial().processes;
        let crowd = |kind: &Kind| claim.any_number.contains(kind);
        let slots = processes.iter().filter(|p| !crowd(&p.0)).copied().collect();
        let crowds: BTreeMap<Kind, Local> =
            processes.iter().filter(|p| crowd(&p.0)).copied().collect();
        Self {
            system,
            bad,
            claim,
            slots,
            crowds: crowds.into_iter().collect(),
            #[cfg(test)]
            without: None,
        }
    }

    /// Whether a rule is kept: each is, but the one that a test takes out.
    #[cfg(not(test))]
    const fn keeps(&self, _: Rule) -> bool {
        true
    }

    #[cfg(test)]
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The first element that fails.
    pub fn check(&self) -> Result<Verified, Refused> {
        let Induction { beside, excluded, predecessors, steps } = self.induction()?;
        let enumerated = self.enumerate(&beside, &excluded)?;
        let reached = self.explore(&excluded)?;
        let anonymous = beside.values().flatten().collect::<BTreeSet<_>>().len();
        Ok(Verified { places: beside.len(), anonymous, predecessors, steps, enumerated, reached })
    }

    /// The proof: what is claimed is an invariant, and no step from it is bad. All else that is
    /// checked follows from this, and is there to find a fault in it.
    fn induction(&self) -> Result<Induction<'s>, Refused> {
        self.crowd()?;
        let beside = self.tabulate();
        let excluded = self.excluded(&beside)?;
        let predecessors = self.closed(&beside, &excluded)?;
        let steps = self.tagged(&beside, &excluded)?;
        Ok(Induction { beside, excluded, predecessors, steps })
    }

    /// Those who come in any number can.
    fn crowd(&self) -> Result<(), Refused> {
        let processes = self.system.initial().processes;
        for kind in &self.claim.any_number {
            let locals: BTreeSet<Local> =
                processes.iter().filter(|p| p.0 == *kind).map(|p| p.1).collect();
            if self.keeps(Rule::BeginsAlike) && locals.len() != 1 {
                return refuse("any number", format!("{kind:?} does not begin in one local state"));
            }
        }
        let waits = |(kind, local): &(Kind, Local)| *local != DORMANT && !self.forgets(*kind);
        if self.keeps(Rule::SomebodyWaits) && !self.crowds.iter().any(waits) {
            return refuse("any number", "nobody of whom a property speaks comes in any number");
        }
        Ok(())
    }

    fn forgets(&self, kind: Kind) -> bool {
        self.claim.forgetful.contains(&kind)
    }

    fn anonymous(&self, kind: Kind, local: Local) -> Local {
        if local == DORMANT { DORMANT } else { self.system.anonymous(kind, local) }
    }

    fn initial_place(&self) -> Place {
        let slots = self.slots.iter().map(|(kind, local)| self.anonymous(*kind, *local)).collect();
        Place { shared: self.system.initial().shared, slots }
    }

    fn initial_beside(&self) -> BTreeSet<Anyone> {
        let there = self.crowds.iter().filter(|c| c.1 != DORMANT);
        there.map(|(kind, local)| (*kind, self.anonymous(*kind, *local))).collect()
    }

    /// The table without a tag: every place, and who can stand beside it, everybody taken for
    /// himself and in any number. What is outside it cannot be reached.
    fn tabulate(&self) -> Beside {
        let first = self.initial_place();
        let mut beside: Beside = BTreeMap::from([(first.clone(), self.initial_beside())]);
        let mut queue = VecDeque::from([first]);
        while let Some(place) = queue.pop_front() {
            let here = beside[&place].clone();
            let slots = (0..self.slots.len()).map(Actor::Slot);
            for actor in slots.chain(here.iter().map(|who| Actor::One(*who))) {
                self.moves(&place, None, actor, &here, |_, _, how| {
                    let Some(how) = how else { return };
                    let mut arrive = Vec::new();
                    if self.keeps(Rule::PutsArrive) {
                        arrive.extend(&how.puts);
                    }
                    if self.keeps(Rule::BystandersArrive) {
                        arrive.extend(here.iter().filter_map(|who| self.bystander(*who, &how)?));
                    }
                    let new = !beside.contains_key(&how.to);
                    let there = beside.entry(how.to.clone()).or_default();
                    let before = there.len();
                    there.extend(arrive);
                    let grew = there.len() > before && self.keeps(Rule::TableIsClosed);
                    if (new || grew) && !queue.contains(&how.to) {
                        queue.push_back(how.to);
                    }
                });
            }
        }
        beside
    }

    /// The excluded elements by place. None is initial, and each is one of the table.
    fn excluded(&self, beside: &Beside) -> Result<Excluded<'s>, Refused> {
        let mut excluded: Excluded<'s> = BTreeMap::new();
        let (place, initial) = (self.initial_place(), self.initial_beside());
        for (number, (at, others)) in self.claim.excluded.iter().enumerate() {
            let name = || format!("excluded element {number}");
            let Some(here) = beside.get(at) else {
                return refuse(name(), "its control state is not in the checker's table");
            };
            if !others.is_sorted() {
                return refuse(name(), "its processes are not in ascending order");
            }
            if let Some(who) = others.iter().find(|who| !here.contains(who)) {
                return refuse(name(), format!("{who:?} is not in the checker's table there"));
            }
            let begins = *at == place && others.iter().all(|who| initial.contains(who));
            if self.keeps(Rule::NotInitial) && begins {
                return refuse(name(), "it contains an initial configuration");
            }
            excluded.entry(at).or_default().push((number, others));
        }
        Ok(excluded)
    }

    /// No step leads into an excluded element from outside: the least configurations from which one
    /// does are excluded, or not in the table.
    fn closed(&self, beside: &Beside, excluded: &Excluded<'_>) -> Result<u64, Refused> {
        let (mut predecessors, mut outside) = (0, None);
        self.predecessors(beside, excluded, |number, from, before| {
            predecessors += 1;
            if outside.is_none() && self.keeps(Rule::Closed) && !covered(excluded, from, &before) {
                outside = Some((number, from.clone(), before));
            }
        });
        match outside {
            None => Ok(predecessors),
            Some((number, from, before)) => refuse(
                format!("excluded element {number}"),
                format!(
                    "a step leads into it from {from:?} with {before:?}, which is not excluded"
                ),
            ),
        }
    }

    /// The least configurations from which a step leads into an excluded element, which is told by its
    /// number; their processes in ascending order.
    fn predecessors(
        &self,
        beside: &Beside,
        excluded: &Excluded<'_>,
        mut visit: impl FnMut(usize, &Place, Vec<Anyone>),
    ) {
        let mut into: BTreeMap<Place, Vec<(&Place, Move, Origins)>> = BTreeMap::new();
        for (place, here) in beside {
            let slots = (0..self.slots.len()).map(Actor::Slot);
            for actor in slots.chain(here.iter().map(|who| Actor::One(*who))) {
                self.moves(place, None, actor, here, |_, _, how| {
                    let Some(how) = how else { return };
                    let mut origins = Origins::new();
                    for who in here {
                        if let Some(Some(to)) = self.bystander(*who, &how) {
                            let all = self.keeps(Rule::EveryOrigin);
                            let known = origins.entry(to).or_default();
                            if all || known.is_empty() {
                                known.push(*who);
                            }
                        }
                    }
                    into.entry(how.to.clone()).or_default().push((place, how, origins));
                });
            }
        }
        for (place, elements) in excluded {
            for (from, how, origins) in into.get(*place).into_iter().flatten() {
                let puts = if self.keeps(Rule::EveryPut) { how.puts.len() } else { 1 };
                for (number, element) in elements {
                    let mut rest = element.to_vec();
                    for put in how.puts.iter().take(puts) {
                        if let Some(at) = rest.iter().position(|who| who == put) {
                            rest.remove(at);
                        }
                    }
                    let mut least = Vec::new();
                    choices(&rest, origins, how.takes.clone(), &mut least);
                    for mut before in least {
                        before.sort_unstable();
                        visit(*number, from, before);
                    }
                }
            }
        }
    }

    /// The tagged process among those beside the place, if it has no slot; and the place without it.
    fn untagged(&self, place: &Place, tag: Tag) -> (Place, Option<Anyone>) {
        let anonymous = self.anonymous(tag.kind, tag.local);
        let mut place = place.clone();
        match tag.slot {
            Some(slot) => {
                place.slots[slot] = anonymous;
                (place, None)
            }
            None => (place, Some((tag.kind, anonymous))),
        }
    }

    fn known(&self) -> BTreeSet<(&Place, Tag)> {
        self.claim.tagged.iter().map(|(place, tag)| (place, *tag)).collect()
    }

    /// The control states in which a tagged process begins.
    fn initial_tagged(&self) -> Vec<(Place, Tag)> {
        let place = self.initial_place();
        let crowd = self.crowds.iter().map(|c| (None, *c));
        let slots = self.slots.iter().enumerate().map(|(i, s)| (Some(i), *s));
        let mut initial = Vec::new();
        for (slot, (kind, local)) in crowd.chain(slots) {
            let begins = match slot {
                None => self.keeps(Rule::InitialOfCrowd),
                Some(_) => self.keeps(Rule::InitialInSlot),
            };
            if begins && local != DORMANT && !self.forgets(kind) {
                let mut place = place.clone();
                slot.into_iter().for_each(|i| place.slots[i] = DORMANT);
                initial.push((place, Tag { kind, slot, local }));
            }
        }
        initial
    }

    /// The initial control states are there, and every step that is possible leads to another one and
    /// is not bad.
    fn tagged(&self, beside: &Beside, excluded: &Excluded<'_>) -> Result<u64, Refused> {
        let known = self.known();
        for (place, tag) in &self.initial_tagged() {
            if !known.contains(&(place, *tag)) {
                return refuse("tagged", format!("the initial {tag:?} is missing"));
            }
        }
        let mut steps = 0;
        for (number, (place, tag)) in self.claim.tagged.iter().enumerate() {
            let name = format!("tagged control state {number}");
            let fits = |i: usize| {
                let slot = self.slots.get(i).is_some_and(|(kind, _)| *kind == tag.kind);
                slot && place.slots[i] == DORMANT
            };
            let shape = place.slots.len() == self.slots.len() && tag.slot.is_none_or(fits);
            if !shape || tag.local == DORMANT || self.forgets(tag.kind) {
                return refuse(name, "it is not of the system's shape");
            }
            let (at, me) = self.untagged(place, *tag);
            if !beside.get(&at).is_some_and(|here| me.is_none_or(|me| here.contains(&me))) {
                return refuse(name, "it is not in the checker's table");
            }
            if let Some(why) = self.forgetting(place, *tag) {
                return refuse(name, why);
            }
            let mut fails = None;
            self.possible(beside, excluded, (place, *tag), |actor, step, no_place, how| {
                steps += 1;
                if fails.is_none() {
                    fails = self
                        .fault(&known, actor, step, no_place, how.as_ref())
                        .or_else(|| self.remembers(*tag, step));
                }
            });
            if let Some(why) = fails {
                return refuse(name, why);
            }
        }
        Ok(steps)
    }

    /// Every step that is possible from a tagged control state of the table beside processes that are
    /// not excluded.
    fn possible(
        &self,
        beside: &Beside,
        excluded: &Excluded<'_>,
        (place, tag): (&Place, Tag),
        mut visit: impl FnMut(Actor, &Step<S::Label>, bool, Option<Move>),
    ) {
        let (at, me) = self.untagged(place, tag);
        let can_stand = |others: &[Anyone]| {
            let mut all: Vec<Anyone> = others.iter().copied().chain(me).collect();
            all.sort_unstable();
            !covered(excluded, &at, &all)
        };
        let here = beside[&at].iter().filter(|who| can_stand(&[**who]));
        let here: BTreeSet<Anyone> = here.copied().collect();
        let slots = (0..self.slots.len()).map(Actor::Slot);
        let crowd = here.iter().map(|who| Actor::One(*who));
        for actor in [Actor::Tag].into_iter().chain(slots).chain(crowd) {
            self.moves(place, Some(tag), actor, &here, |step, no_place, how| {
                if how.as_ref().is_none_or(|how| can_stand(&how.takes)) {
                    visit(actor, step, no_place, how);
                }
            });
        }
    }

    /// What is wrong with a step from a tagged control state.
    fn fault(
        &self,
        known: &BTreeSet<(&Place, Tag)>,
        actor: Actor,
        step: &Step<S::Label>,
        no_place: bool,
        how: Option<&Move>,
    ) -> Option<String> {
        let asked = match actor {
            Actor::Tag => self.keeps(Rule::TagJudged),
            _ => self.forgets(step.kind) && self.keeps(Rule::ForgetfulJudged),
        };
        if asked && (self.bad)(step, actor == Actor::Tag) {
            return Some(format!("the step {:?} from it is a violation", step.label));
        }
        if no_place {
            return Some(format!("the step {:?} spawns a process without a place", step.label));
        }
        let Some(how) = how else {
            let left = actor == Actor::Tag
                || self.claim.forgetful.is_empty()
                || !self.keeps(Rule::EndsByItself);
            return (!left).then(|| {
                format!("the step {:?} of another process ends its tagged process", step.label)
            });
        };
        let to = (&how.to, how.tag.expect("a tag stays until it ends"));
        (self.keeps(Rule::Listed) && !known.contains(&to)).then(|| {
            format!("the step {:?} leads from it to {to:?}, which is not listed", step.label)
        })
    }

    /// What the tagged process does, and what it sees of that, is what an anonymous one does, history
    /// apart; or why not.
    fn forgetting(&self, place: &Place, tag: Tag) -> Option<&'static str> {
        let plain = self.anonymous(tag.kind, tag.local);
        if self.keeps(Rule::AnonymousIsSomebody) && plain == DORMANT {
            return Some("its tagged process is nobody without its history");
        }
        let steps = |local: Local| {
            let mut choices: Vec<Choice<S::Label>> = Vec::new();
            self.system.step(tag.kind, place.shared, local, &mut choices);
            for choice in &mut choices {
                let own = self.sees(tag.kind, place.shared, choice.shared, choice.local);
                choice.local = self.anonymous(tag.kind, own);
                if let Effect::Spawn(kind, local) = &mut choice.effect {
                    *local = self.anonymous(*kind, *local);
                }
            }
            choices
        };
        (self.keeps(Rule::StepForgets) && steps(tag.local) != steps(plain))
            .then_some("a step of its tagged process depends on history")
    }

    /// What an anonymous process sees of a step is what the tagged one sees, history apart, and it is
    /// woken if that one is.
    fn remembers(&self, tag: Tag, step: &Step<S::Label>) -> Option<String> {
        let seen = |local| self.sees(tag.kind, step.before, step.after, local);
        let plain = |local| self.anonymous(tag.kind, local);
        let (after, without) = (seen(tag.local), seen(plain(tag.local)));
        if self.keeps(Rule::SightForgets) && plain(after) != plain(without) {
            return Some(format!("what it sees of the step {:?} depends on history", step.label));
        }
        let (Effect::WakeAll(queue) | Effect::WakeOne(queue)) = step.effect else { return None };
        let woken = |local| self.wakes(tag.kind, local, queue).map(plain);
        (self.keeps(Rule::WakeForgets) && woken(after) != woken(plain(after)))
            .then(|| format!("how the step {:?} wakes it depends on history", step.label))
    }
}

/// The excluded elements with their numbers, by place.
type Excluded<'c> = BTreeMap<&'c Place, Vec<(usize, &'c Vec<Anyone>)>>;

/// Who becomes somebody by a step that he does not take part in.
type Origins = BTreeMap<Anyone, Vec<Anyone>>;

/// Every choice of where those of `rest` came from, each with `before`.
fn choices(rest: &[Anyone], origins: &Origins, before: Vec<Anyone>, found: &mut Vec<Vec<Anyone>>) {
    let Some((first, rest)) = rest.split_first() else {
        found.push(before);
        return;
    };
    for origin in origins.get(first).into_iter().flatten() {
        let mut before = before.clone();
        before.push(*origin);
        choices(rest, origins, before, found);
    }
}

/// Whether `larger` has everybody of `smaller`, each at least as often; both in ascending order.
fn includes(larger: &[Anyone], smaller: &[Anyone]) -> bool {
    let mut rest = larger.iter();
    smaller.iter().all(|who| rest.any(|other| other == who))
}

/// Whether a configuration, its processes in ascending order, is excluded.
fn covered(excluded: &Excluded<'_>, place: &Place, everybody: &[Anyone]) -> bool {
    let elements = excluded.get(place).into_iter().flatten();
    elements.into_iter().any(|(_, element)| includes(everybody, element))
}
