//! A system as plain guarded commands, for other people's checkers: what each process may do where, as
//! tests and assignments of named fields.
//!
//! A step is asked of the model in every reachable state. Of what it was asked, only what the step says it
//! has read guards the command; so commands are few, and speak of what a reader expects. That a guard is
//! enough is not believed: the finished table is run from every reachable state beside the model, and where
//! the two differ the guard of that local state becomes the whole shared state.

pub mod promela;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::{ControlFlow, Range};

use kmodcheck_explore::{Configuration, Effect, Kind, Local, Product, Shared, Step, System};
use kmodcheck_model::scenario::Action;
use kmodcheck_model::{Event, Model, NamedField, Role, Task};

use crate::Processes;

/// Why a system cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// More processes than a product has room for.
    #[error("found more than {most} processes, expected at most {most} for an export")]
    TooManyProcesses {
        /// How many there may be.
        most: usize,
    },
    /// Programs with work items or asynchronous functions.
    #[error(
        "found a work item or an asynchronous function, expected none for an export: a worker at rest is told by \
         its kind there"
    )]
    Works,
    /// More states than it was allowed to look at.
    #[error(
        "found more than {most} states, expected at most {most}: an export asks in every one of them"
    )]
    TooManyStates {
        /// How many there may be.
        most: usize,
    },
}

/// A field of the shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is of, a dot, and what it is.
    pub name: String,
    /// How many bits it has.
    pub bits: u32,
    /// Its value at first.
    pub initial: u64,
}

/// Processes that do the same; they stand side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindOf {
    /// Who they are, in words.
    pub words: String,
    /// Which processes.
    pub processes: Range<usize>,
    /// What one of them may do.
    pub commands: Vec<Command>,
}

/// What a step does to others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Affects {
    /// Only what is in [`Command::others`].
    Nobody,
    /// One process of those asleep is woken besides; nobody, if nobody is. By kind and by the local state in
    /// which [`Command::others`] leaves it: the one once it is awake.
    WakesOne(BTreeMap<(usize, usize), usize>),
    /// The first dormant process of that kind begins in that local state.
    Spawns(usize, usize),
}

/// One way to step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// From that local state.
    pub from: usize,
    /// Where these fields have these values.
    pub guard: Vec<(usize, u64)>,
    /// Gives these fields these values.
    pub assigns: Vec<(usize, u64)>,
    /// Its local state afterwards.
    pub to: usize,
    /// By kind and local state: what others remember of the step, or are woken to.
    pub others: BTreeMap<(usize, usize), usize>,
    /// What else happens to others.
    pub affects: Affects,
    /// The properties that it violates, one bit each.
    pub violates: u64,
    /// The function and what it does, in words.
    pub words: String,
}

/// A system as guarded commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The shared state.
    pub fields: Vec<Field>,
    /// The local states, in words; 0 is that of a process that has not been started.
    pub locals: Vec<String>,
    /// Those in which nobody waits for the process to step.
    pub at_rest: BTreeSet<usize>,
    /// By process: its local state at first.
    pub initial: Vec<usize>,
    /// By kind.
    pub kinds: Vec<KindOf>,
    /// Reachable states, in which each process has its number.
    pub states: usize,
    /// Their transitions.
    pub transitions: usize,
}

/// A whole state of a [`Table`]: the fields, and where everybody is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Whole {
    fields: Vec<u64>,
    at: Vec<usize>,
}

/// What makes a command one: everything but what others remember.
type Key = (usize, Vec<(usize, u64)>, Vec<(usize, u64)>, usize, Effect, String);

/// Local states, numbered as they are met; 0 is that of a process that has not been started.
struct Numbers {
    of: HashMap<Local, usize>,
    words: Vec<Local>,
}

impl Numbers {
    fn of(&mut self, local: Local) -> usize {
        let next = self.words.len();
        let number = *self.of.entry(local).or_insert(next);
        if number == next {
            self.words.push(local);
        }
        number
    }
}

struct Builder<'m> {
    model: &'m Model,
    system: Processes<'m>,
    product: Product<'m, Processes<'m>>,
    fields: Vec<NamedField>,
    /// By kind as the model has it: which of those that there are.
    kinds: BTreeMap<Kind, usize>,
    locals: Numbers,
    /// Local states of which what was read is not enough.
    whole: HashSet<(usize, usize)>,
}

/// The table of `model`, which asks in at most `most` states. `violates`: the properties that a step
/// violates, one bit each.
///
/// # Errors
/// A system that is too large.
///
/// # Panics
/// If the table does not do what the model does: a fault of this module, never of the input.
pub fn table(
    model: &Model,
    most: usize,
    violates: &dyn Fn(&Step<Event>) -> u64,
) -> Result<Table, ExportError> {
    let system = Processes { model };
    let mut builder = Builder::new(model, &system)?;
    let states = reachable(&builder.product, most)?;
    loop {
        let table = builder.build(&states, violates);
        let differ = builder.differences(&table, &states);
        if differ.is_empty() {
            return Ok(table);
        }
        let before = builder.whole.len();
        builder.whole.extend(differ);
        assert!(builder.whole.len() > before, "with the whole state as guard nothing can differ");
    }
}

fn reachable<S: System>(
    product: &Product<'_, S>,
    most: usize,
) -> Result<Vec<Configuration>, ExportError> {
    let mut states = vec![product.initial()];
    let mut seen: HashSet<Configuration> = states.iter().copied().collect();
    let (mut next, mut scratch) = (0, Vec::new());
    while next < states.len() {
        let state = states[next];
        let _ = product.successors(&state, &mut scratch, |t| {
            if seen.insert(*t.after) {
                states.push(*t.after);
            }
            ControlFlow::Continue(())
        });
        if states.len() > most {
            return Err(ExportError::TooManyStates { most });
        }
        next += 1;
    }
    Ok(states)
}

impl<'m> Builder<'m> {
    fn new(model: &'m Model, system: &'m Processes<'m>) -> Result<Self, ExportError> {
        if model.scenario().programs.ready().is_some_and(|r| !r.programs.started().is_empty()) {
            return Err(ExportError::Works);
        }
        let too_many = ExportError::TooManyProcesses { most: kmodcheck_explore::MAX_PROCESSES };
        let product = Product::new(system).ok_or(too_many)?;
        let mut kinds = BTreeMap::new();
        for i in 0..product.processes() {
            let next = kinds.len();
            kinds.entry(product.kind(i)).or_insert(next);
        }
        Ok(Self {
            model,
            system: *system,
            product,
            fields: model.shared_fields(),
            kinds,
            locals: Numbers { of: HashMap::from([(0, 0)]), words: vec![0] },
            whole: HashSet::new(),
        })
    }

    fn value(&self, field: usize, shared: Shared) -> u64 {
        let NamedField { at, bits, .. } = self.fields[field];
        let value = shared >> at & ((1 << bits) - 1);
        u64::try_from(value).expect("a field has fewer than 64 bits")
    }

    /// The fields that have some of these bits, with their values.
    fn values(&self, bits: Shared, shared: Shared) -> Vec<(usize, u64)> {
        let some = |field: &usize| {
            let NamedField { at, bits: many, .. } = self.fields[*field];
            bits & (((1 << many) - 1) << at) != 0
        };
        let fields = (0..self.fields.len()).filter(some);
        fields.map(|field| (field, self.value(field, shared))).collect()
    }

    fn build(&mut self, states: &[Configuration], violates: &dyn Fn(&Step<Event>) -> u64) -> Table {
        let mut commands: Vec<BTreeMap<Key, Command>> = vec![BTreeMap::new(); self.kinds.len()];
        let (mut transitions, mut scratch) = (0, Vec::new());
        let system = self.system;
        let product = Product::new(&system).expect("it was one");
        for state in states {
            let _ = product.successors(state, &mut scratch, |t| {
                transitions += 1;
                self.add(&mut commands, state, t.actor, &t.step, violates);
                ControlFlow::Continue(())
            });
        }
        let initial = self.product.initial();
        let fields = self.fields.iter().enumerate().map(|(i, field)| Field {
            name: field.name.clone(),
            bits: field.bits,
            initial: self.value(i, initial.shared),
        });
        let fields = fields.collect();
        let begin = &initial.locals[..product.processes()];
        let begin = begin.iter().map(|local| self.locals.of(*local)).collect();
        // A worker that waits for work is refused: of all else, the state says whether it is at rest.
        let at_rest = |number: &usize| {
            let word = self.locals.words[*number];
            *number == 0 || self.kinds.keys().any(|kind| self.model.returned(kind.0, word))
        };
        let kinds = self.kinds.iter().map(|(kind, at)| {
            let of = |i: &usize| self.product.kind(*i) == *kind;
            let mut these = (0..product.processes()).filter(of);
            let first = these.next().expect("a kind has somebody");
            KindOf {
                words: self.who(*kind),
                processes: first..these.next_back().unwrap_or(first) + 1,
                commands: commands[*at].values().cloned().collect(),
            }
        });
        Table {
            fields,
            locals: self.locals.words.iter().map(|local| self.local(*local)).collect(),
            at_rest: (0..self.locals.words.len()).filter(at_rest).collect(),
            initial: begin,
            kinds: kinds.collect(),
            states: states.len(),
            transitions,
        }
    }

    fn add(
        &mut self,
        commands: &mut [BTreeMap<Key, Command>],
        state: &Configuration,
        actor: usize,
        step: &Step<Event>,
        violates: &dyn Fn(&Step<Event>) -> u64,
    ) {
        let kind = self.kinds[&step.kind];
        let (from, to) = (self.locals.of(step.local_before), self.locals.of(step.local_after));
        let all = self.whole.contains(&(kind, from));
        let reads = if all { Shared::MAX } else { step.footprint.reads };
        let guard = self.values(reads, step.before);
        let changed = step.footprint.writes | (step.before ^ step.after);
        let assigns = self.values(changed, step.after);
        // What is given the value that it is known to have is not said.
        let assigns: Vec<_> = assigns.into_iter().filter(|one| !guard.contains(one)).collect();
        let scenario = self.model.scenario();
        let words = format!("{}: {}", step.label.function(), step.label.describe(scenario));
        let key = (from, guard, assigns, to, step.effect, words);
        let spawns = match step.effect {
            Effect::Spawn(kind, local) => Some((self.kinds[&kind], self.locals.of(local))),
            _ => None,
        };
        let known = commands[kind].entry(key);
        let command =
            known.or_insert_with_key(|(from, guard, assigns, to, effect, words)| Command {
                from: *from,
                guard: guard.clone(),
                assigns: assigns.clone(),
                to: *to,
                others: BTreeMap::new(),
                affects: match (effect, spawns) {
                    (Effect::WakeOne(_), _) => Affects::WakesOne(BTreeMap::new()),
                    (_, Some((kind, local))) => Affects::Spawns(kind, local),
                    _ => Affects::Nobody,
                },
                violates: violates(step),
                words: words.clone(),
            });
        for i in (0..self.product.processes()).filter(|i| *i != actor) {
            let (other, local) = (self.product.kind(i), state.locals[i]);
            if local == 0 {
                continue;
            }
            let seen = match step.before == step.after {
                true => local,
                false => self.system.observe(other, step.before, step.after, local),
            };
            let awake = match step.effect {
                Effect::WakeAll(queue) | Effect::WakeOne(queue) => {
                    self.system.wake(other, seen, queue)
                }
                _ => None,
            };
            let (local, seen, awake) = (
                self.locals.of(local),
                self.locals.of(seen),
                awake.map(|local| self.locals.of(local)),
            );
            let other = self.kinds[&other];
            let after = match (&mut command.affects, awake) {
                (Affects::WakesOne(wakes), Some(awake)) => {
                    wakes.insert((other, seen), awake);
                    seen
                }
                (_, Some(awake)) => awake,
                (_, None) => seen,
            };
            if after != local {
                command.others.insert((other, local), after);
            }
        }
    }

    /// Who steps otherwise by the table than by the model: kinds and local states.
    fn differences(&self, table: &Table, states: &[Configuration]) -> HashSet<(usize, usize)> {
        let mut differ = HashSet::new();
        let mut scratch = Vec::new();
        for state in states {
            let mut by_model: Vec<Vec<Whole>> = vec![Vec::new(); self.product.processes()];
            let _ = self.product.successors(state, &mut scratch, |t| {
                by_model[t.actor].push(self.whole(t.after));
                ControlFlow::Continue(())
            });
            let whole = self.whole(state);
            for (actor, mut by_model) in by_model.into_iter().enumerate() {
                let mut by_table = table.successors(&whole, actor);
                by_table.sort_unstable();
                by_model.sort_unstable();
                if by_table != by_model {
                    differ.insert((self.kinds[&self.product.kind(actor)], whole.at[actor]));
                }
            }
        }
        differ
    }

    fn whole(&self, state: &Configuration) -> Whole {
        let at = &state.locals[..self.product.processes()];
        Whole {
            fields: (0..self.fields.len()).map(|f| self.value(f, state.shared)).collect(),
            at: at.iter().map(|local| self.locals.of[local]).collect(),
        }
    }

    fn who(&self, kind: Kind) -> String {
        let scenario = self.model.scenario();
        let name = |name: u8| &scenario.names[usize::from(name)].request;
        match self.model.role(kind.0) {
            Role::Actor { action: Action::Udev(module), .. } => {
                format!("udev {}", scenario.module_name(module))
            }
            Role::Actor { action, killable } => {
                let call = Event::Call { action };
                let killable = if killable { ", killable" } else { "" };
                format!("{}{killable}", call.describe(scenario))
            }
            Role::Orphan(of) => format!("modprobe {} that nobody waits for", name(of)),
            Role::Kworker(of) => format!("kworker of the duplicate requests of {}", name(of)),
            Role::Started(_) => crate::trace::story::role(self.model, kind.0),
        }
    }

    /// A local state: what it has that one before its call has not.
    fn local(&self, local: Local) -> String {
        if local == 0 {
            return "not started".to_owned();
        }
        let (here, before) =
            (self.model.task(local), Task { pc: kmodcheck_model::Pc::NotStarted, ..Task::IDLE });
        let (here, before) = (format!("{here:#?}"), format!("{before:#?}"));
        let differ = here.lines().zip(before.lines()).filter(|(here, before)| here != before);
        let differ: Vec<&str> = differ.map(|(here, _)| here.trim().trim_end_matches(',')).collect();
        differ.join(", ")
    }
}

impl Table {
    /// What a process may do in a state: the states afterwards. A step that wants a dormant process where
    /// none is left is none.
    fn successors(&self, state: &Whole, actor: usize) -> Vec<Whole> {
        let kind_of = |i: usize| {
            let of = self.kinds.iter().position(|kind| kind.processes.contains(&i));
            of.expect("a process has a kind")
        };
        let mut found = Vec::new();
        for command in &self.kinds[kind_of(actor)].commands {
            let holds = |(field, value): &(usize, u64)| state.fields[*field] == *value;
            if command.from != state.at[actor] || !command.guard.iter().all(holds) {
                continue;
            }
            let mut after = state.clone();
            for (field, value) in &command.assigns {
                after.fields[*field] = *value;
            }
            for i in (0..state.at.len()).filter(|i| *i != actor) {
                if let Some(to) = command.others.get(&(kind_of(i), state.at[i])) {
                    after.at[i] = *to;
                }
            }
            after.at[actor] = command.to;
            match &command.affects {
                Affects::Nobody => found.push(after),
                Affects::Spawns(kind, local) => {
                    let mut pool = self.kinds[*kind].processes.clone();
                    if let Some(free) = pool.find(|i| *i != actor && after.at[*i] == 0) {
                        after.at[free] = *local;
                        found.push(after);
                    }
                }
                Affects::WakesOne(wakes) => {
                    let woken = (0..state.at.len()).filter(|i| *i != actor).filter_map(|i| {
                        let mut after = after.clone();
                        after.at[i] = *wakes.get(&(kind_of(i), after.at[i]))?;
                        Some(after)
                    });
                    let before = found.len();
                    found.extend(woken);
                    if found.len() == before {
                        found.push(after);
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
