//! A second explorer, written from the documentation of [`System`] alone and as plainly as possible:
//! states are vectors in ordered maps, the graph is stored edge by edge, stuck processes are found
//! by one forward search each. It shares nothing with the crate but the trait and its plain data.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kmodcheck_explore::{Choice, Effect, Initial, Kind, Local, Queue, Shared, System, WayOut};

/// The shared state and the local state of each process.
pub type State = (Shared, Vec<Local>);

/// One transition.
#[derive(Clone, Debug)]
pub struct Move<Label> {
    pub actor: usize,
    pub ordinal: u32,
    pub label: Label,
    pub way_out: WayOut,
    pub effect: Effect,
    /// How many processes were asleep where the effect looked for them.
    pub sleepers: usize,
    pub after: State,
}

/// A system and the processes that its initial state names.
pub struct Naive<'a, S: System> {
    pub system: &'a S,
    pub kinds: Vec<Kind>,
    pub initial: State,
}

impl<'a, S: System> Naive<'a, S> {
    pub fn new(system: &'a S) -> Self {
        let Initial { shared, processes } = system.initial();
        let (kinds, locals) = processes.into_iter().unzip();
        Self { system, kinds, initial: (shared, locals) }
    }

    /// Whether process `i` has not been started, in such a local state.
    pub fn dormant(&self, i: usize, local: Local) -> bool {
        self.system.dormant(self.kinds[i]) == Some(local)
    }

    fn choices(&self, state: &State, i: usize) -> Vec<Choice<S::Label>> {
        let mut choices = Vec::new();
        if !self.dormant(i, state.1[i]) {
            self.system.step(self.kinds[i], state.0, state.1[i], &mut choices);
        }
        choices
    }

    fn sleepers(&self, locals: &[Local], actor: usize, queue: Queue) -> Vec<(usize, Local)> {
        let others = (0..locals.len()).filter(|i| *i != actor && !self.dormant(*i, locals[*i]));
        others
            .filter_map(|i| Some((i, self.system.wake(self.kinds[i], locals[i], queue)?)))
            .collect()
    }

    /// Every transition from `state`, and the kinds of which a process was wanted and none was left.
    pub fn moves(&self, state: &State) -> (Vec<Move<S::Label>>, Vec<Kind>) {
        let (mut moves, mut exhausted) = (Vec::new(), Vec::new());
        for actor in 0..self.kinds.len() {
            let mut ordinal = 0;
            for choice in self.choices(state, actor) {
                let mut locals = state.1.clone();
                locals[actor] = choice.local;
                if choice.shared != state.0 {
                    for (i, local) in locals.iter_mut().enumerate() {
                        if !self.dormant(i, *local) {
                            let kind = self.kinds[i];
                            *local = self.system.observe(kind, state.0, choice.shared, *local);
                        }
                    }
                }
                let mut sleepers = Vec::new();
                let mut outcomes = vec![locals.clone()];
                match choice.effect {
                    Effect::None => {}
                    Effect::WakeAll(queue) => {
                        sleepers = self.sleepers(&locals, actor, queue);
                        sleepers.iter().for_each(|(i, woken)| outcomes[0][*i] = *woken);
                    }
                    Effect::WakeOne(queue) => {
                        sleepers = self.sleepers(&locals, actor, queue);
                        if !sleepers.is_empty() {
                            outcomes = vec![locals; sleepers.len()];
                            for (outcome, (i, woken)) in outcomes.iter_mut().zip(&sleepers) {
                                outcome[*i] = *woken;
                            }
                        }
                    }
                    Effect::Spawn(kind, local) => {
                        let mut pool = (0..locals.len()).filter(|i| *i != actor);
                        match pool.find(|i| self.kinds[*i] == kind && self.dormant(*i, locals[*i]))
                        {
                            Some(i) => outcomes[0][i] = local,
                            None => {
                                exhausted.push(kind);
                                continue;
                            }
                        }
                    }
                }
                for locals in outcomes {
                    moves.push(Move {
                        actor,
                        ordinal,
                        label: choice.label.clone(),
                        way_out: choice.way_out,
                        effect: choice.effect,
                        sleepers: sleepers.len(),
                        after: (choice.shared, locals),
                    });
                    ordinal += 1;
                }
            }
        }
        (moves, exhausted)
    }

    /// Whether process `i` has something to do and nothing but a way out to do it.
    pub fn blocked(&self, state: &State, i: usize) -> bool {
        !self.dormant(i, state.1[i])
            && !self.system.returned(self.kinds[i], state.1[i])
            && self.choices(state, i).iter().all(|choice| choice.way_out != WayOut::Ordinary)
    }

    /// The state with the processes of each kind in ascending order of local state.
    pub fn sorted(&self, state: &State) -> State {
        let mut sorted = state.clone();
        for kind in self.kinds.iter().collect::<BTreeSet<_>>() {
            let places: Vec<usize> =
                (0..self.kinds.len()).filter(|i| self.kinds[*i] == *kind).collect();
            let mut locals: Vec<Local> = places.iter().map(|i| state.1[*i]).collect();
            locals.sort_unstable();
            places.into_iter().zip(locals).for_each(|(i, local)| sorted.1[i] = local);
        }
        sorted
    }

    /// The whole graph, with processes of one kind taken as interchangeable or not.
    pub fn graph(&self, symmetry: bool) -> Graph<S::Label> {
        let canonical = |state: &State| if symmetry { self.sorted(state) } else { state.clone() };
        let mut graph = Graph { states: Vec::new(), moves: Vec::new(), exhausted: BTreeSet::new() };
        let mut index = BTreeMap::from([(canonical(&self.initial), 0)]);
        let mut queue = VecDeque::from([(canonical(&self.initial), 0)]);
        while let Some((state, distance)) = queue.pop_front() {
            let (moves, exhausted) = self.moves(&state);
            graph.exhausted.extend(exhausted.into_iter().map(|kind| (distance, kind)));
            let mut edges = Vec::new();
            for taken in moves {
                let after = canonical(&taken.after);
                let fresh = index.len();
                let target = *index.entry(after.clone()).or_insert(fresh);
                if target == fresh {
                    queue.push_back((after, distance + 1));
                }
                edges.push((taken, target));
            }
            graph.states.push((state, distance));
            graph.moves.push(edges);
        }
        graph
    }

    /// By state of a graph without symmetry: the processes that never run again, whoever is killed;
    /// those that do not unless somebody is killed; and those that do not by ordinary steps alone.
    pub fn stuck(&self, graph: &Graph<S::Label>) -> Vec<[BTreeSet<usize>; 3]> {
        let mut blocked: Vec<Vec<bool>> = Vec::new();
        for (state, _) in &graph.states {
            blocked.push((0..self.kinds.len()).map(|i| self.blocked(state, i)).collect());
        }
        let never_runs = |from: usize, i: usize, counts: &[WayOut]| {
            let mut seen = vec![false; graph.states.len()];
            let mut open = vec![from];
            while let Some(now) = open.pop() {
                if !blocked[now][i] {
                    return false;
                }
                if std::mem::replace(&mut seen[now], true) {
                    continue;
                }
                for (taken, target) in &graph.moves[now] {
                    if counts.contains(&taken.way_out) {
                        if taken.actor == i {
                            return false;
                        }
                        open.push(*target);
                    }
                }
            }
            true
        };
        let counts = [
            &[WayOut::Ordinary, WayOut::TimeOut, WayOut::Killed][..],
            &[WayOut::Ordinary, WayOut::TimeOut],
            &[WayOut::Ordinary],
        ];
        let of = |state: usize| {
            counts.map(|c| (0..self.kinds.len()).filter(|i| never_runs(state, *i, c)).collect())
        };
        (0..graph.states.len()).map(of).collect()
    }
}

/// A reachable state graph.
pub struct Graph<Label> {
    /// In the order found, with their distance from the initial state.
    pub states: Vec<(State, usize)>,
    /// By state: its transitions and where they lead.
    pub moves: Vec<Vec<(Move<Label>, usize)>>,
    /// The distances at which the pool of a kind was empty.
    pub exhausted: BTreeSet<(usize, Kind)>,
}

impl<Label: Clone> Graph<Label> {
    pub fn transitions(&self) -> usize {
        self.moves.iter().map(Vec::len).sum()
    }

    pub fn depth(&self) -> usize {
        self.states.iter().map(|(_, distance)| *distance).max().unwrap_or(0)
    }

    /// Compares by distance, then as packed states: the last process is the most significant.
    fn compare(&self, a: usize, b: usize) -> Ordering {
        let ((a, near), (b, far)) = (&self.states[a], &self.states[b]);
        near.cmp(far).then_with(|| a.1.iter().rev().cmp(b.1.iter().rev())).then(a.0.cmp(&b.0))
    }

    /// Of the shallowest of these states the least.
    pub fn least(&self, states: impl Iterator<Item = usize>) -> Option<usize> {
        states.min_by(|a, b| self.compare(*a, *b))
    }

    /// By state: the least of its predecessors that are one step nearer to the initial state.
    pub fn least_predecessors(&self) -> Vec<Option<usize>> {
        let mut least = vec![None; self.states.len()];
        for (from, moves) in self.moves.iter().enumerate() {
            for (_, target) in moves {
                if self.states[*target].1 == self.states[from].1 + 1 {
                    least[*target] = self.least(least[*target].into_iter().chain([from]));
                }
            }
        }
        least
    }

    /// The states of the path from the initial state that takes the least predecessor each time.
    pub fn least_path(&self, predecessors: &[Option<usize>], mut state: usize) -> Vec<State> {
        let mut path = vec![self.states[state].0.clone()];
        while let Some(before) = predecessors[state] {
            state = before;
            path.push(self.states[state].0.clone());
        }
        path.reverse();
        path
    }

    /// The least state and transition that `violates`, among those with a shortest trace.
    pub fn least_violation(
        &self,
        violates: impl Fn(&State, &Move<Label>) -> bool,
    ) -> Option<(usize, &Move<Label>)> {
        let found = |state: &usize| {
            self.moves[*state].iter().find(|(taken, _)| violates(&self.states[*state].0, taken))
        };
        let state = self.least((0..self.states.len()).filter(|state| found(state).is_some()))?;
        found(&state).map(|(taken, _)| (state, taken))
    }
}
