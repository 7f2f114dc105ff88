//! What a process can do from a control state, taken from the system's step function once more.

use std::collections::BTreeSet;

use kmodcheck_explore::{DORMANT, Effect, Kind, Local, Queue, Shared, Step, System};

use super::{Anyone, Checker, Place, Rule, Tag};

/// Who steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    Tag,
    Slot(usize),
    One(Anyone),
}

/// Whom a step wakes besides those that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wakes {
    Nobody,
    All(Queue),
    /// It wakes nobody because nobody sleeps there.
    NobodyOn(Queue),
}

/// One way to step.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub(super) from: Shared,
    pub(super) to: Place,
    pub(super) tag: Option<Tag>,
    pub(super) takes: Vec<Anyone>,
    pub(super) puts: Vec<Anyone>,
    pub(super) wakes: Wakes,
}

impl<S, B> Checker<'_, S, B>
where
    S: System,
    B: Fn(&Step<S::Label>, bool) -> bool,
{
    pub(super) fn sees(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        if before == after || local == DORMANT {
            return local;
        }
        self.system.observe(kind, before, after, local)
    }

    pub(super) fn wakes(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        if local == DORMANT { None } else { self.system.wake(kind, local, queue) }
    }

    /// What becomes of somebody who does not take part in a step: `None` if the step cannot be taken
    /// beside him, `Some(None)` if he ends.
    pub(super) fn bystander(&self, who: Anyone, how: &Move) -> Option<Option<Anyone>> {
        let (kind, mut local) = who;
        if self.keeps(Rule::CrowdSees) {
            local = self.sees(kind, how.from, how.to.shared, local);
        }
        match how.wakes {
            Wakes::Nobody => {}
            Wakes::All(_) if !self.keeps(Rule::AllWakesCrowd) => {}
            Wakes::All(queue) => local = self.wakes(kind, local, queue).unwrap_or(local),
            Wakes::NobodyOn(queue) => {
                if self.wakes(kind, local, queue).is_some() {
                    return None;
                }
            }
        }
        Some((local != DORMANT).then(|| (kind, self.anonymous(kind, local))))
    }

    /// Every way in which `actor` can step. `others`: who may be woken alone. `visit` is also told of
    /// the step, and whether there is no place for a process that it spawns.
    pub(super) fn moves(
        &self,
        place: &Place,
        tag: Option<Tag>,
        actor: Actor,
        others: &BTreeSet<Anyone>,
        mut visit: impl FnMut(&Step<S::Label>, bool, Option<Move>),
    ) {
        let (kind, local) = match (actor, tag) {
            (Actor::Tag, Some(tag)) => (tag.kind, tag.local),
            (Actor::Tag, None) => return,
            (Actor::Slot(i), _) => (self.slots[i].0, place.slots[i]),
            (Actor::One(who), _) => who,
        };
        let steps = match actor {
            Actor::Tag => self.keeps(Rule::TagSteps),
            Actor::Slot(_) => self.keeps(Rule::SlotsStep),
            Actor::One(_) => self.keeps(Rule::CrowdSteps),
        };
        if !steps || local == DORMANT {
            return;
        }
        let mut choices = Vec::new();
        self.system.step(kind, place.shared, local, &mut choices);
        for choice in &choices {
            let (before, after) = (place.shared, choice.shared);
            let own = match self.keeps(Rule::ActorSees) {
                true => self.sees(kind, before, after, choice.local),
                false => choice.local,
            };
            let step = Step {
                kind,
                before,
                after,
                effect: choice.effect,
                local_before: local,
                local_after: own,
                label: choice.label.clone(),
                way_out: choice.way_out,
                footprint: choice.footprint,
            };
            let mut to = Place { shared: after, slots: Vec::new() };
            for ((kind, _), local) in self.slots.iter().zip(&place.slots) {
                let seen = match self.keeps(Rule::SlotsSee) {
                    true => self.sees(*kind, before, after, *local),
                    false => *local,
                };
                to.slots.push(self.anonymous(*kind, seen));
            }
            let mut tag = tag;
            if let Some(t) = &mut tag
                && self.keeps(Rule::TagSees)
            {
                t.local = self.sees(t.kind, before, after, t.local);
            }
            let (mut takes, mut puts) = (Vec::new(), Vec::new());
            match actor {
                Actor::Tag => tag = tag.map(|t| Tag { local: own, ..t }),
                Actor::Slot(i) => to.slots[i] = self.anonymous(kind, own),
                Actor::One(who) => {
                    takes.push(who);
                    puts.extend((own != DORMANT).then(|| (kind, self.anonymous(kind, own))));
                }
            }
            let plain = Move { from: before, to, tag, takes, puts, wakes: Wakes::Nobody };
            // What comes after the tagged process's end is of no interest.
            let mut lives = |no_place: bool, how: Move| {
                let ended = how.tag.is_some_and(|t| t.local == DORMANT);
                visit(&step, no_place, (!ended).then_some(how));
            };
            match choice.effect {
                Effect::None => lives(false, plain),
                Effect::WakeAll(queue) => {
                    let mut how = Move { wakes: Wakes::All(queue), ..plain };
                    if let Some(t) = &mut how.tag
                        && self.keeps(Rule::AllWakesTag)
                    {
                        t.local = self.woken_tag(*t, actor, queue).unwrap_or(t.local);
                    }
                    let wakes = self.keeps(Rule::AllWakesSlots);
                    for i in (0..self.slots.len()).filter(|_| wakes) {
                        let now = how.to.slots[i];
                        how.to.slots[i] = self.woken_slot(now, actor, i, queue).unwrap_or(now);
                    }
                    lives(false, how);
                }
                Effect::WakeOne(queue) => {
                    let mut nobody = true;
                    if let Some(t) = plain.tag
                        && let Some(local) = self.woken_tag(t, actor, queue)
                    {
                        nobody = false;
                        if self.keeps(Rule::OneWakesTag) {
                            lives(false, Move { tag: Some(Tag { local, ..t }), ..plain.clone() });
                        }
                    }
                    for i in 0..self.slots.len() {
                        if let Some(local) = self.woken_slot(plain.to.slots[i], actor, i, queue) {
                            nobody = false;
                            let mut how = plain.clone();
                            how.to.slots[i] = local;
                            if self.keeps(Rule::OneWakesSlot) {
                                lives(false, how);
                            }
                        }
                    }
                    for who in others.iter().filter(|_| self.keeps(Rule::OneWakesCrowd)) {
                        let seen = self.sees(who.0, before, after, who.1);
                        if let Some(woken) = self.wakes(who.0, seen, queue) {
                            let mut how = plain.clone();
                            how.takes.push(*who);
                            let woken = (woken != DORMANT).then(|| self.anonymous(who.0, woken));
                            how.puts.extend(woken.map(|local| (who.0, local)));
                            lives(false, how);
                        }
                    }
                    if nobody && self.keeps(Rule::OneWakesNobody) {
                        lives(false, Move { wakes: Wakes::NobodyOn(queue), ..plain });
                    }
                }
                Effect::Spawn(spawned, local) => {
                    self.spawn(kind, actor, own, &plain, spawned, local, &mut lives);
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step, taken apart")]
    fn spawn(
        &self,
        kind: Kind,
        actor: Actor,
        own: Local,
        plain: &Move,
        spawned: Kind,
        local: Local,
        lives: &mut impl FnMut(bool, Move),
    ) {
        let crowd = self.claim.any_number.contains(&spawned);
        let tag_slot = plain.tag.and_then(|t| t.slot);
        let free = (0..self.slots.len()).find(|i| {
            self.slots[*i].0 == spawned
                && plain.to.slots[*i] == DORMANT
                && !(actor == Actor::Slot(*i) && self.keeps(Rule::ActorHoldsSlot))
                && tag_slot != Some(*i)
        });
        if !crowd && free.is_none() {
            return lives(self.keeps(Rule::SpawnHasPlace), plain.clone());
        }
        let follows = !self.forgets(spawned);
        let mut stays = plain.clone();
        let anonymous = self.anonymous(spawned, local);
        match free {
            Some(i) if !crowd => {
                if self.keeps(Rule::SpawnsIntoSlot) {
                    stays.to.slots[i] = anonymous;
                }
            }
            _ => {
                if self.keeps(Rule::SpawnsIntoCrowd) && local != DORMANT {
                    stays.puts.push((spawned, anonymous));
                }
            }
        }
        let lost = follows && self.forgets(kind) && self.keeps(Rule::ForgetfulSpawnsForgetful);
        lives(lost, stays);
        if actor == Actor::Tag && follows && self.keeps(Rule::HeirIsTagged) {
            let slot = if crowd { None } else { free };
            let mut moves = plain.clone();
            moves.tag = Some(Tag { kind: spawned, slot, local });
            let parent = self.anonymous(kind, own);
            match tag_slot {
                Some(i) => {
                    if self.keeps(Rule::ParentStaysInSlot) {
                        moves.to.slots[i] = parent;
                    }
                }
                None => moves.puts.extend((own != DORMANT).then_some((kind, parent))),
            }
            lives(false, moves);
        }
    }

    fn woken_tag(&self, tag: Tag, actor: Actor, queue: Queue) -> Option<Local> {
        let itself = actor == Actor::Tag && self.keeps(Rule::TagSleepsOn);
        if itself { None } else { self.wakes(tag.kind, tag.local, queue) }
    }

    fn woken_slot(&self, local: Local, actor: Actor, i: usize, queue: Queue) -> Option<Local> {
        if actor == Actor::Slot(i) && self.keeps(Rule::SlotSleepsOn) {
            return None;
        }
        let kind = self.slots[i].0;
        self.wakes(kind, local, queue).map(|woken| self.anonymous(kind, woken))
    }
}
