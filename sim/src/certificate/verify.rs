//! Checks a certificate. Shares no code with the prover but [`System`]'s step function and its plain
//! data: everything is tabulated here once more, in ordered maps and as plainly as possible.
//!
//! What is claimed is an invariant of a system with any number of processes of some kinds, of which
//! one is tagged. *Excluded* are upward-closed sets of configurations without a tag, by their minimal
//! elements: no initial configuration is excluded, and no step leads from a configuration that is not
//! excluded into one that is. *Tagged* are the control states with the tagged process and its
//! history: the initial ones are among them, and every step that is possible beside processes that
//! are not excluded leads to another one and violates nothing.

mod enumerate;
mod steps;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;

use kmodcheck_explore::{Choice, DORMANT, Effect, Kind, Local, Shared, Step, System};

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
        Self { system, bad, claim, slots, crowds: crowds.into_iter().collect() }
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The first element that fails.
    pub fn check(&self) -> Result<Verified, Refused> {
        let processes = self.system.initial().processes;
        for kind in &self.claim.any_number {
            let locals: BTreeSet<Local> =
                processes.iter().filter(|p| p.0 == *kind).map(|p| p.1).collect();
            if locals.len() != 1 {
                return refuse("any number", format!("{kind:?} does not begin in one local state"));
            }
        }
        let taggable = |(kind, local): &(Kind, Local)| *local != DORMANT && !self.forgets(*kind);
        if !self.crowds.iter().any(taggable) {
            return refuse("any number", "nobody of whom a property speaks comes in any number");
        }
        let beside = self.tabulate();
        let excluded = self.excluded(&beside)?;
        let predecessors = self.closed(&beside, &excluded)?;
        let steps = self.tagged(&beside, &excluded)?;
        let enumerated = self.enumerate(&beside, &excluded)?;
        let reached = self.explore(&excluded)?;
        let anonymous = beside.values().flatten().collect::<BTreeSet<_>>().len();
        Ok(Verified { places: beside.len(), anonymous, predecessors, steps, enumerated, reached })
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
                    let mut arrive = how.puts.clone();
                    arrive.extend(here.iter().filter_map(|who| self.bystander(*who, &how)?));
                    let new = !beside.contains_key(&how.to);
                    let there = beside.entry(how.to.clone()).or_default();
                    let before = there.len();
                    there.extend(arrive);
                    if (new || there.len() > before) && !queue.contains(&how.to) {
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
            if *at == place && others.iter().all(|who| initial.contains(who)) {
                return refuse(name(), "it contains an initial configuration");
            }
            excluded.entry(at).or_default().push((number, others));
        }
        Ok(excluded)
    }

    /// No step leads into an excluded element from outside: the least configurations from which one
    /// does are excluded, or not in the table.
    fn closed(&self, beside: &Beside, excluded: &Excluded<'_>) -> Result<u64, Refused> {
        let mut into: BTreeMap<Place, Vec<(&Place, Move, Origins)>> = BTreeMap::new();
        for (place, here) in beside {
            let slots = (0..self.slots.len()).map(Actor::Slot);
            for actor in slots.chain(here.iter().map(|who| Actor::One(*who))) {
                self.moves(place, None, actor, here, |_, _, how| {
                    let Some(how) = how else { return };
                    let mut origins = Origins::new();
                    for who in here {
                        if let Some(Some(to)) = self.bystander(*who, &how) {
                            origins.entry(to).or_default().push(*who);
                        }
                    }
                    into.entry(how.to.clone()).or_default().push((place, how, origins));
                });
            }
        }
        let mut predecessors = 0;
        for (place, elements) in excluded {
            for (from, how, origins) in into.get(*place).into_iter().flatten() {
                for (number, element) in elements {
                    let mut rest = element.to_vec();
                    for put in &how.puts {
                        if let Some(at) = rest.iter().position(|who| who == put) {
                            rest.remove(at);
                        }
                    }
                    let mut least = Vec::new();
                    choices(&rest, origins, how.takes.clone(), &mut least);
                    for mut before in least {
                        predecessors += 1;
                        before.sort_unstable();
                        let itself = from == place && includes(&before, element);
                        if !itself && !covered(excluded, from, &before) {
                            return refuse(
                                format!("excluded element {number}"),
                                format!(
                                    "a step leads into it from {from:?} with {before:?}, which is \
                                     not excluded"
                                ),
                            );
                        }
                    }
                }
            }
        }
        Ok(predecessors)
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

    /// The initial control states are there, and every step that is possible leads to another one and
    /// is not bad.
    fn tagged(&self, beside: &Beside, excluded: &Excluded<'_>) -> Result<u64, Refused> {
        let known = self.known();
        let place = self.initial_place();
        for (kind, local) in &self.crowds {
            let tag = Tag { kind: *kind, slot: None, local: *local };
            if *local != DORMANT && !self.forgets(*kind) && !known.contains(&(&place, tag)) {
                return refuse("tagged", format!("the initial {tag:?} is missing"));
            }
        }
        for (slot, (kind, local)) in self.slots.iter().enumerate() {
            let tag = Tag { kind: *kind, slot: Some(slot), local: *local };
            let mut place = place.clone();
            place.slots[slot] = DORMANT;
            if *local != DORMANT && !self.forgets(*kind) && !known.contains(&(&place, tag)) {
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
            let here = beside.get(&at).filter(|here| me.is_none_or(|me| here.contains(&me)));
            let Some(here) = here else {
                return refuse(name, "it is not in the checker's table");
            };
            let with = |others: &[Anyone]| {
                let mut all: Vec<Anyone> = others.iter().copied().chain(me).collect();
                all.sort_unstable();
                all
            };
            let can_stand = |others: &[Anyone]| !covered(excluded, &at, &with(others));
            self.forgetting(place, *tag, &name)?;
            let possible: BTreeSet<Anyone> =
                here.iter().filter(|who| can_stand(&[**who])).copied().collect();
            let slots = (0..self.slots.len()).map(Actor::Slot);
            let crowd = possible.iter().map(|who| Actor::One(*who));
            for actor in [Actor::Tag].into_iter().chain(slots).chain(crowd) {
                let mut fails = None;
                self.moves(place, Some(*tag), actor, &possible, |step, no_place, how| {
                    if how.as_ref().is_some_and(|how| !can_stand(&how.takes)) {
                        return;
                    }
                    steps += 1;
                    let fault = self.fault(&known, actor, step, no_place, how.as_ref());
                    if let Some(why) = fault.or_else(|| self.remembers(*tag, step)) {
                        fails.get_or_insert(why);
                    }
                });
                if let Some(why) = fails {
                    return refuse(name, why);
                }
            }
        }
        Ok(steps)
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
        let asked = actor == Actor::Tag || self.forgets(step.kind);
        if asked && (self.bad)(step, actor == Actor::Tag) {
            return Some(format!("the step {:?} from it is a violation", step.label));
        }
        if no_place {
            return Some(format!("the step {:?} spawns a process without a place", step.label));
        }
        let to = how.map(|how| (&how.to, how.tag.expect("a tag stays until it ends")))?;
        (!known.contains(&to)).then(|| {
            format!("the step {:?} leads from it to {to:?}, which is not listed", step.label)
        })
    }

    /// What the tagged process does is what an anonymous one does, history apart.
    fn forgetting(&self, place: &Place, tag: Tag, name: &str) -> Result<(), Refused> {
        let plain = self.anonymous(tag.kind, tag.local);
        let steps = |local: Local| {
            let mut choices: Vec<Choice<S::Label>> = Vec::new();
            self.system.step(tag.kind, place.shared, local, &mut choices);
            for choice in &mut choices {
                choice.local = self.anonymous(tag.kind, choice.local);
                if let Effect::Spawn(kind, local) = &mut choice.effect {
                    *local = self.anonymous(*kind, *local);
                }
            }
            choices
        };
        if steps(tag.local) != steps(plain) {
            return refuse(name, "a step of its tagged process depends on history");
        }
        Ok(())
    }

    /// What an anonymous process sees of a step is what the tagged one sees, history apart.
    fn remembers(&self, tag: Tag, step: &Step<S::Label>) -> Option<String> {
        let seen = |local| {
            let seen = self.sees(tag.kind, step.before, step.after, local);
            self.anonymous(tag.kind, seen)
        };
        (seen(tag.local) != seen(self.anonymous(tag.kind, tag.local)))
            .then(|| format!("what it sees of the step {:?} depends on history", step.label))
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
