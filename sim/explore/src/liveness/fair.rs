//! Does every call return? Liveness under weak fairness.
//!
//! - Paper: O. Lichtenstein, A. Pnueli, 'Checking that finite state concurrent programs satisfy their
//!   linear specification', 1985, whose components are taken apart for strong fairness; strongly
//!   connected components by R. Tarjan, 'Depth-first search and linear graph algorithms', 1972.
//! - Decides: is there a run in which some process never returns, although every process that is
//!   able to step from some moment on without interruption does step? (In LTL, with that as the
//!   assumption: not `G F returned(i)`.) Such a run ends in a loop of states, which may be one in
//!   which nobody can step.
//! - Needs: a finite state space. Scenarios in which callers start over for ever
//!   ([`Restarting`]): otherwise the graph has few loops, and the property says little.
//! - Costs: every state and every transition, stored; a search of the graph for each kind of
//!   process, twice.
//!
//! A process is *obliged* to step where it has not returned and has an ordinary step. A kill may come or
//! not. Time-outs are dealt with twice: as steps that never come, which shows who returns by a time-out
//! only; and as steps that must come, also where a wait goes to sleep again and again, since its clock
//! runs on meanwhile: who never returns and could time out again and again does. (That takes all
//! time-outs of one call for one. A call that can begin time-limited waits for ever would be said to
//! end; the waits of a kernel call are finitely many.) Who sleeps for ever is looked at once more with
//! kills as steps that must come: that shows who returns only if somebody is killed.
//!
//! Who never returns either *sleeps*: in the loop it takes no step, nobody wakes it. Or it is *overtaken*:
//! it steps again and again, and always others were faster.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use foldhash::fast::FixedState;

use super::lasso::{Comes, Lasso};
use crate::ask::{Budget, Clock, End, Full, Options, Progress, Unexplorable};
use crate::system::successor::is_dormant;
use crate::system::{
    Configuration, Effect, MAX_PROCESSES, Product, System, TraceStep, Transition, WayOut,
};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fairness<Label> {
    /// How the search ended; nothing below is a verdict unless this is [`End::Complete`].
    pub end: End,
    /// Distinct states.
    pub states: u64,
    /// Transitions.
    pub transitions: u64,
    /// A process that may sleep for ever although time-outs fire: it takes no step in the loop. If there
    /// is one whom not even a kill of anybody helps, such a one.
    pub asleep: Option<Lasso<Label>>,
    /// Whether in that run, as in every such run, somebody could be killed and then the sleeper would
    /// not sleep for ever.
    pub only_if_killed: bool,
    /// If nobody may: a process that may never return although it steps for ever and time-outs fire.
    pub overtaken: Option<Lasso<Label>>,
    /// If there is none either: a process that may never return when no time-out fires.
    pub by_time_out_only: Option<Lasso<Label>>,
    /// Whether a kill was left out because it would have started a process when all of its kind were
    /// running. Kills may come or not, so what is left are fewer runs, and each of them is one.
    pub kills_left_out: bool,
    /// Whether some step that wakes one process had several to choose from: a queue that is first
    /// come, first served has fewer runs.
    pub chose_whom_to_wake: bool,
}

/// Which runs are looked for.
#[derive(Clone, Copy)]
struct Runs {
    /// It never returns in the loop.
    process: usize,
    comes: Comes,
    /// Whether it may step in the loop.
    steps: bool,
}

#[derive(Clone, Copy)]
struct Edge {
    to: u32,
    ordinal: u32,
    actor: u8,
    way_out: WayOut,
}

/// What loops ask of a state again and again, one bit for each process.
#[derive(Clone, Copy)]
struct Place {
    /// Who is in a call.
    calling: u16,
    /// Who can step, by [`WayOut`].
    able: [u16; 3],
}

impl Place {
    /// Who has a step of such a kind.
    fn able(&self, kinds: impl Fn(WayOut) -> bool) -> u32 {
        let all = [WayOut::Ordinary, WayOut::TimeOut, WayOut::Killed];
        let of = |way_out: &WayOut| u32::from(self.able[*way_out as usize]);
        all.iter().filter(|way_out| kinds(**way_out)).fold(0, |mask, way_out| mask | of(way_out))
    }
}

const _: () = assert!(MAX_PROCESSES <= u16::BITS as usize);

struct Graph<'a, S: System> {
    product: Product<'a, S>,
    states: Vec<Configuration>,
    /// By state.
    places: Vec<Place>,
    /// By state: where its edges begin; one more at the end.
    first: Vec<usize>,
    edges: Vec<Edge>,
    /// By state: the edge by which it was found first, and from where.
    parent: Vec<Option<(u32, Edge)>>,
    kills_left_out: bool,
    chose_whom_to_wake: bool,
}

/// Searches all runs of `system` for one in which a process never returns.
///
/// # Errors
/// Too many processes.
pub fn fairness<S: System>(
    system: &S,
    options: &Options<'_>,
) -> Result<Fairness<S::Label>, Unexplorable> {
    let product = Product::new(system).ok_or_else(|| Unexplorable::too_many(system))?;
    let mut graph = Graph {
        product,
        states: Vec::new(),
        places: Vec::new(),
        first: vec![0],
        edges: Vec::new(),
        parent: Vec::new(),
        kills_left_out: false,
        chose_whom_to_wake: false,
    };
    let end = graph.build(options);
    let mut found = Fairness {
        end,
        states: graph.states.len() as u64,
        transitions: graph.edges.len() as u64,
        asleep: None,
        only_if_killed: false,
        overtaken: None,
        by_time_out_only: None,
        kills_left_out: graph.kills_left_out,
        chose_whom_to_wake: graph.chose_whom_to_wake,
    };
    if end == End::Complete {
        // Of processes that begin alike one stands for all.
        let initial = graph.product.initial();
        let processes: Vec<usize> = (0..graph.product.processes())
            .filter(|i| {
                let alike = |j: &usize| {
                    graph.product.kind(*j) == graph.product.kind(*i)
                        && initial.locals[*j] == initial.locals[*i]
                };
                !(0..*i).any(|j| alike(&j))
            })
            .collect();
        let find = |comes, steps| {
            processes.iter().find_map(|&process| graph.lasso(Runs { process, comes, steps }))
        };
        let any = |way_out| graph.edges.iter().any(|e| e.way_out == way_out);
        found.asleep = find(Comes::TimeOuts, false);
        if found.asleep.is_none() {
            found.overtaken = find(Comes::TimeOuts, true);
        } else if any(WayOut::Killed) {
            let though_killed = find(Comes::TimeOutsAndKills, false);
            found.only_if_killed = though_killed.is_none();
            found.asleep = though_killed.or(found.asleep);
        }
        if found.asleep.is_none() && found.overtaken.is_none() && any(WayOut::TimeOut) {
            found.by_time_out_only = find(Comes::Nothing, true);
        }
    }
    Ok(found)
}

impl<S: System> Graph<'_, S> {
    fn build(&mut self, options: &Options<'_>) -> End {
        let mut index: HashMap<Configuration, u32, FixedState> =
            HashMap::with_hasher(FixedState::with_seed(0));
        let initial = self.product.initial();
        index.insert(initial, 0);
        self.states.push(initial);
        self.parent.push(None);
        let (clock, budget) = (Clock::new(options), Budget::new(options.limits.bytes));
        let most = options.limits.states.unwrap_or(u64::MAX).max(1);
        let mut next = 0;
        while next < self.states.len() {
            let progress = || Progress {
                states: self.states.len() as u64,
                transitions: self.edges.len() as u64,
                queue: (self.states.len() - next) as u64,
                ..Progress::default()
            };
            if let Some(end) = clock.out_of_budget(&budget, progress) {
                return end;
            }
            let before = self.states[next];
            let mut scratch = Vec::new();
            let Self { product, states, edges, parent, chose_whom_to_wake, .. } = self;
            let mut last = None;
            let mut add = |transition: &Transition<'_, S::Label>| {
                budget.room_in_map(&mut index)?;
                let new = states.len() as u32;
                let entry = index.entry(*transition.after);
                let known = match &entry {
                    Entry::Occupied(known) => Some(*known.get()),
                    Entry::Vacant(_) => None,
                };
                let edge = Edge {
                    to: known.unwrap_or(new),
                    ordinal: transition.ordinal,
                    actor: transition.actor as u8,
                    way_out: transition.way_out,
                };
                if known.is_none() {
                    if u64::from(new) >= most {
                        return Err(Full::States);
                    }
                    budget.push(states, *transition.after)?;
                    budget.push(parent, Some((next as u32, edge)))?;
                    entry.or_insert(new);
                }
                budget.push(edges, edge)
            };
            let mut full = None;
            let exhausted = product.successors(&before, &mut scratch, |transition| {
                if let Err(no_room) = add(transition) {
                    full = Some(no_room);
                    return ControlFlow::Break(());
                }
                // Choices that differ in whom they wake follow each other and are alike otherwise.
                if matches!(transition.effect, Effect::WakeOne(_)) {
                    let same =
                        Some((transition.actor, transition.effect, transition.label.clone()));
                    *chose_whom_to_wake |= last == same;
                    last = same;
                }
                ControlFlow::Continue(())
            });
            if let Some(full) = full {
                return full.into();
            }
            if let Err(exhausted) = exhausted {
                if self.must_spawn(&before) {
                    return End::PoolExhausted(exhausted.0);
                }
                self.kills_left_out = true;
            }
            let place = self.place(&before, self.edges.len());
            let pushed = budget
                .push(&mut self.places, place)
                .and_then(|()| budget.push(&mut self.first, self.edges.len()));
            if let Err(full) = pushed {
                return full.into();
            }
            next += 1;
        }
        // What looking for loops takes for each state: a component, two numbers, and two stacks.
        let loops = self.states.len() * (1 + 3 * size_of::<u32>() + 2 * size_of::<(u32, usize)>());
        if budget.take(loops).is_err() { End::MemoryLimit } else { End::Complete }
    }

    /// What is asked of the state whose edges are the last ones, up to `end`.
    fn place(&self, state: &Configuration, end: usize) -> Place {
        let begin = self.first[self.first.len() - 1];
        let in_call = |i: &usize| !self.product.returned(state, *i);
        let calling = (0..self.product.processes()).filter(in_call);
        let mut place = Place { calling: calling.fold(0, |mask, i| mask | 1 << i), able: [0; 3] };
        for edge in &self.edges[begin..end] {
            place.able[edge.way_out as usize] |= 1 << edge.actor;
        }
        place
    }

    /// Whether a step that is no kill starts a process, and none of its kind is dormant.
    fn must_spawn(&self, configuration: &Configuration) -> bool {
        let product = &self.product;
        (0..product.processes()).any(|actor| {
            let (kind, local) = (product.kind(actor), configuration.locals[actor]);
            if is_dormant(product.system, kind, local) {
                return false;
            }
            let mut choices = Vec::new();
            product.system.step(kind, configuration.shared, local, &mut choices);
            choices.iter().any(|choice| {
                let Effect::Spawn(spawned, _) = choice.effect else { return false };
                let free = (0..product.processes()).any(|i| {
                    let local = configuration.locals[i];
                    let dormant = is_dormant(product.system, spawned, local);
                    i != actor && product.kind(i) == spawned && dormant
                });
                choice.way_out != WayOut::Killed && !free
            })
        })
    }

    fn edges_of(&self, state: u32) -> &[Edge] {
        &self.edges[self.first[state as usize]..self.first[state as usize + 1]]
    }

    /// Whether the loop may take the edge.
    fn inside(&self, runs: Runs, edge: &Edge) -> bool {
        runs.comes.allows(edge.way_out)
            && (runs.steps || usize::from(edge.actor) != runs.process)
            && self.in_call(edge.to, runs.process)
    }

    fn in_call(&self, state: u32, process: usize) -> bool {
        self.calling(state) >> process & 1 == 1
    }

    fn everybody(&self) -> u32 {
        (1 << self.product.processes()) - 1
    }

    /// The processes that are in their call in `state`.
    fn calling(&self, state: u32) -> u32 {
        u32::from(self.places[state as usize].calling)
    }

    /// The processes that are not obliged to step in `state`.
    fn free(&self, state: u32, comes: Comes) -> u32 {
        let place = &self.places[state as usize];
        let able = place.able(|way_out| comes.obliges(way_out));
        self.everybody() & !(able & u32::from(place.calling))
    }

    /// The processes that can take a way out in `state`, one that comes.
    fn has_way_out(&self, state: u32, comes: Comes) -> u32 {
        self.places[state as usize].able(|way_out| comes.comes(way_out))
    }

    /// What the loop owes each process, and an edge pays: that it steps or is free to wait, and, in
    /// the upper half, that it returns or takes its way out.
    fn pays(&self, edge: &Edge, comes: Comes) -> u64 {
        let went_out = u32::from(comes.comes(edge.way_out)) << edge.actor;
        let returned = self.everybody() & !self.calling(edge.to);
        let served = 1 << edge.actor | self.free(edge.to, comes);
        u64::from(served) | u64::from(went_out | returned) << 32
    }

    /// The shallowest loop of such runs in which everybody is treated fairly.
    fn lasso(&self, runs: Runs) -> Option<Lasso<S::Label>> {
        let mut alive: Vec<bool> =
            (0..self.states.len() as u32).map(|s| self.in_call(s, runs.process)).collect();
        loop {
            let components = self.components(runs, &alive);
            let count = components.iter().filter(|c| **c != NO_COMPONENT).max();
            let count = count.map_or(0, |c| *c as usize + 1);
            // By component: what its edges and states pay, and who has a way out in it.
            let mut paid = vec![0_u64; count];
            let mut timing = vec![0_u32; count];
            for state in 0..self.states.len() as u32 {
                let component = components[state as usize];
                if component == NO_COMPONENT {
                    continue;
                }
                let here = component as usize;
                let returned = self.everybody() & !self.calling(state);
                paid[here] |= u64::from(self.free(state, runs.comes));
                paid[here] |= u64::from(returned) << 32;
                timing[here] |= self.has_way_out(state, runs.comes);
                for edge in self.edges_of(state).iter().filter(|e| self.inside(runs, e)) {
                    if components[edge.to as usize] == component {
                        paid[here] |= self.pays(edge, runs.comes);
                    }
                }
            }
            let owed = |component: u32| {
                let here = component as usize;
                let (served, ended) = (paid[here] as u32, (paid[here] >> 32) as u32);
                (self.everybody() & !served, timing[here] & !ended)
            };
            // States are numbered breadth first: the first one is a shallowest one.
            let numbers = 0..self.states.len() as u32;
            let start = numbers.clone().find(|state| {
                let component = components[*state as usize];
                component != NO_COMPONENT && owed(component) == (0, 0)
            });
            if let Some(start) = start {
                let all = u64::from(self.everybody());
                let timing = timing[components[start as usize] as usize];
                let owed = all | u64::from(timing) << 32;
                let cycle = self.cycle(start, &components, runs, owed);
                return Some(Lasso { process: runs.process, stem: self.stem(start), cycle });
            }
            // In a component where somebody owes a way out that it cannot take, no loop may come by
            // where it has one; what is left of it may have smaller components.
            let mut changed = false;
            for state in numbers {
                let component = components[state as usize];
                let here = state as usize;
                if component == NO_COMPONENT {
                    continue;
                }
                let (unserved, untimed) = owed(component);
                let forbidden = self.has_way_out(state, runs.comes) & untimed != 0;
                let left = unserved == 0 && !forbidden;
                changed |= unserved == 0 && forbidden;
                alive[here] &= left;
            }
            if !changed {
                return None;
            }
        }
    }

    /// By state that is alive: its strongly connected component.
    fn components(&self, runs: Runs, alive: &[bool]) -> Vec<u32> {
        let states = self.states.len();
        let mut component = vec![NO_COMPONENT; states];
        let mut number = vec![0_u32; states];
        let mut low = vec![0_u32; states];
        let (mut next_number, mut next_component) = (1, 0);
        let mut stack: Vec<u32> = Vec::new();
        let mut open: Vec<(u32, usize)> = Vec::new();
        for root in 0..states as u32 {
            if number[root as usize] != 0 || !alive[root as usize] {
                continue;
            }
            open.push((root, 0));
            while let Some((state, at)) = open.pop() {
                let here = state as usize;
                if number[here] == 0 {
                    (number[here], low[here]) = (next_number, next_number);
                    next_number += 1;
                    stack.push(state);
                }
                let mut deeper = None;
                for (offset, edge) in self.edges_of(state).iter().enumerate().skip(at) {
                    let to = edge.to as usize;
                    let closed = component[to] != NO_COMPONENT;
                    if closed || !alive[to] || !self.inside(runs, edge) {
                        continue;
                    }
                    if number[to] == 0 {
                        deeper = Some((offset, edge.to));
                        break;
                    }
                    low[here] = low[here].min(low[to]);
                }
                if let Some((offset, to)) = deeper {
                    // The same edge again when that is done, for what it has found.
                    open.push((state, offset));
                    open.push((to, 0));
                    continue;
                }
                if low[here] == number[here] {
                    while let Some(member) = stack.pop() {
                        component[member as usize] = next_component;
                        if member == state {
                            break;
                        }
                    }
                    next_component += 1;
                }
            }
        }
        component
    }

    /// A walk from `start` back to it, within its component, that pays what is owed.
    fn cycle(
        &self,
        start: u32,
        components: &[u32],
        runs: Runs,
        owed: u64,
    ) -> Vec<TraceStep<S::Label>> {
        let inside = |edge: &&Edge| self.inside(runs, edge);
        let returned = self.everybody() & !self.calling(start);
        let mut paid = u64::from(self.free(start, runs.comes)) | u64::from(returned) << 32;
        let (mut now, mut walk) = (start, Vec::new());
        while owed & !paid != 0 {
            let wanted = owed & !paid;
            let way = self
                .way(now, components, &inside, |edge| self.pays(edge, runs.comes) & wanted != 0);
            for (from, edge) in way {
                paid |= self.pays(&edge, runs.comes);
                walk.push((from, edge));
                now = edge.to;
            }
        }
        if now != start {
            walk.extend(self.way(now, components, &inside, |edge| edge.to == start));
        }
        walk.into_iter().map(|(from, edge)| self.trace_step(from, &edge)).collect()
    }

    /// A shortest way within a component whose last edge is `wanted`.
    fn way(
        &self,
        from: u32,
        components: &[u32],
        inside: &impl Fn(&&Edge) -> bool,
        wanted: impl Fn(&Edge) -> bool,
    ) -> Vec<(u32, Edge)> {
        let component = components[from as usize];
        let mut reached: HashMap<u32, Option<(u32, Edge)>, FixedState> =
            HashMap::with_hasher(FixedState::with_seed(0));
        reached.insert(from, None);
        let mut queue = VecDeque::from([from]);
        while let Some(state) = queue.pop_front() {
            for edge in self.edges_of(state).iter().filter(inside) {
                if components[edge.to as usize] != component {
                    continue;
                }
                if wanted(edge) {
                    let mut way = vec![(state, *edge)];
                    let mut at = state;
                    while let Some(step) = reached[&at] {
                        way.push(step);
                        at = step.0;
                    }
                    way.reverse();
                    return way;
                }
                if let Entry::Vacant(new) = reached.entry(edge.to) {
                    new.insert(Some((state, *edge)));
                    queue.push_back(edge.to);
                }
            }
        }
        unreachable!("every state of a component reaches every other, and the component has it")
    }

    fn stem(&self, mut state: u32) -> Vec<TraceStep<S::Label>> {
        let mut stem = Vec::new();
        while let Some((from, edge)) = self.parent[state as usize] {
            stem.push(self.trace_step(from, &edge));
            state = from;
        }
        stem.reverse();
        stem
    }

    fn trace_step(&self, from: u32, edge: &Edge) -> TraceStep<S::Label> {
        let mut step = None;
        let before = &self.states[from as usize];
        let _ = self.product.successors(before, &mut Vec::new(), |transition| {
            if (transition.actor, transition.ordinal) == (usize::from(edge.actor), edge.ordinal) {
                step = Some(transition.as_trace_step());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        step.expect("an edge is a transition")
    }
}

/// States that are in no component.
const NO_COMPONENT: u32 = u32::MAX;
