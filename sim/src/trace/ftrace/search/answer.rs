//! What is said of the states that a search came to: how many they are, what every run did, one of the runs.

use super::*;

impl Search<'_> {
    pub(super) fn decided(&mut self, refused: Option<usize>, level: &[usize]) -> Decided {
        let shown = self.with_few_hidden_steps(level);
        Decided {
            refused,
            states: self.count(level),
            watched: self.watched(level),
            run: self.run(shown),
            whose: self.whose(shown),
            possible: if refused.is_some() { self.possible(level) } else { Vec::new() },
            cost: self.cost,
        }
    }

    /// How many states of the model these stand for.
    fn count(&self, level: &[usize]) -> usize {
        let mut known: HashSet<(Shared, Vec<(Kind, Local)>)> = HashSet::new();
        for node in level {
            let state = &self.nodes[*node].state;
            let mut partial: HashSet<Vec<(Kind, Local)>> = HashSet::from([Vec::new()]);
            for process in &state.processes {
                let mut more = HashSet::new();
                for some in &partial {
                    for key in process.keys.iter() {
                        let mut some = some.clone();
                        let local = (process.kind, key.0);
                        some.insert(some.partition_point(|other| *other < local), local);
                        more.insert(some);
                    }
                    if more.len() >= COUNTED_STATES {
                        return COUNTED_STATES;
                    }
                }
                partial = more;
            }
            known.extend(partial.into_iter().map(|locals| (state.shared, locals)));
            if known.len() >= COUNTED_STATES {
                return COUNTED_STATES;
            }
        }
        known.len()
    }

    /// What every run violates, and what some do: in every choice of one element from each set some
    /// process must have it, so one process must have it in all of its.
    fn watched(&self, level: &[usize]) -> (u64, u64) {
        level.iter().fold((u64::MAX, 0), |(every, some), node| {
            let mut here = (0, 0);
            for process in &self.nodes[*node].state.processes {
                let all = process.keys.iter().fold(u64::MAX, |bits, key| bits & key.2);
                let any = process.keys.iter().fold(0, |bits, key| bits | key.2);
                here = (here.0 | all, here.1 | any);
            }
            (every & here.0, some | here.1)
        })
    }

    /// The process in the words of the log.
    fn name(&self, state: &State, process: usize) -> String {
        match state.processes[process].helper {
            Some(helper) => self.cast.helpers[usize::from(helper)].task.clone(),
            None => self.caller(state, process),
        }
    }

    /// The same, of one that may be in a modprobe of its own.
    fn caller(&self, state: &State, process: usize) -> String {
        let call = state.processes[process].calls.trailing_zeros() as usize;
        let player = self.cast.players.get(call);
        player.map_or_else(|| format!("process {process}"), |player| player.task.clone())
    }

    /// Of these states one to which a run leads that has few hidden steps.
    fn with_few_hidden_steps(&self, level: &[usize]) -> usize {
        let hidden = |node: &usize| {
            let node = &self.nodes[*node];
            let own = node.state.processes.iter().map(|p| u64::from(p.least().1.hidden));
            u64::from(node.hidden) + own.sum::<u64>()
        };
        *level.iter().min_by_key(|node| hidden(node)).expect("there is a state")
    }

    /// Whose modprobe each one is in the run to this state: what is known of a process at the end held all the time.
    fn whose(&self, mut number: usize) -> Vec<u128> {
        let last = &self.nodes[number].state;
        let mut whose = vec![0; self.cast.helpers.len()];
        while number != 0 {
            let Node { state, parent, process: acting, .. } = &self.nodes[number];
            let before = &self.nodes[*parent].state;
            for (at, process) in state.processes.iter().enumerate() {
                // Here it begins.
                if let Some(helper) =
                    process.helper.filter(|_| before.processes[at].helper.is_none())
                {
                    // modprobe is the caller's process, or one that nobody waits for, which the caller starts here.
                    let caller = if process.calls == 0 { *acting } else { at };
                    whose[usize::from(helper)] = last.processes[caller].calls;
                }
            }
            number = *parent;
        }
        whose
    }

    /// The run to this state.
    fn run(&self, mut number: usize) -> Vec<Entry> {
        let processes = &self.nodes[number].state.processes;
        let mut chosen: Vec<usize> = processes.iter().map(|p| p.least().0).collect();
        // Backwards: in each state what was hidden there, then what led to it.
        let mut run = Vec::new();
        loop {
            let Node { state, parent, process: actor, observation, .. } = &self.nodes[number];
            let before = &self.nodes[*parent].state;
            let root = number == 0;
            let mut led = None;
            for (at, process) in state.processes.iter().enumerate() {
                let unchanged = Rc::ptr_eq(&process.elements, &before.processes[at].elements);
                if unchanged && !root {
                    continue;
                }
                loop {
                    match process.elements[chosen[at]].origin {
                        Origin::Hidden(from, event) => {
                            chosen[at] = from;
                            let actor = self.name(state, at);
                            run.push(Entry { actor, step: Some(event), observation: None });
                        }
                        Origin::Was(from) => {
                            chosen[at] = from;
                            break;
                        }
                        Origin::Took(from, event) => {
                            chosen[at] = from;
                            led = Some(event);
                            break;
                        }
                    }
                }
            }
            if root {
                break;
            }
            let actor = match led {
                // Who is killed is the caller, not its modprobe.
                Some(Event::Killed) => self.caller(before, *actor),
                _ => self.name(before, *actor),
            };
            run.push(Entry { actor, step: led, observation: *observation });
            number = *parent;
        }
        run.reverse();
        run
    }

    /// What could have been noticed in these states.
    fn possible(&mut self, level: &[usize]) -> Vec<(String, Event)> {
        let mut possible: Vec<(usize, String, Event)> = Vec::new();
        for node in level {
            let state = self.nodes[*node].state.clone();
            for (at, process) in state.processes.iter().enumerate() {
                for element in process.elements.iter().filter(|e| e.local != DORMANT) {
                    let mut choices = Vec::new();
                    self.system.step(process.kind, state.shared, element.local, &mut choices);
                    for choice in choices {
                        let Choice { shared, local, label, .. } = choice;
                        let after = self.observed(process.kind, state.shared, shared, local);
                        let step = taken(process.kind, state.shared, element.local, &choice, after);
                        let mut inside = element.inside;
                        let entry = (at, self.name(&state, at), label);
                        if self.play.step(None, &step, &mut inside).is_none()
                            && !possible.contains(&entry)
                        {
                            possible.push(entry);
                        }
                    }
                }
            }
        }
        possible.sort_by_key(|(at, ..)| *at);
        possible.into_iter().map(|(_, actor, event)| (actor, event)).collect()
    }
}
