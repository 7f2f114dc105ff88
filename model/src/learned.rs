//! A modprobe that is a program as it is: what it asks and does, as an automaton, in place of what a release of kmod
//! does. Its local state is a node of that; the steps are the model's own, `userspace` takes them.
//!
//! And the other way round: what the modelled modprobe asks and does, as such an automaton, so that both can be compared.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Event, Finit};
use crate::model::{Model, Outcome, Role, Who};
use crate::scenario::{Action, ModuleId, NameId, Scenario, number};
use crate::state::{ModuleState, Pc, Ret, Task, World};
use crate::userspace::modprobe;

/// What a program does when it is called as modprobe for a name.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Learned {
    /// The name that is requested.
    pub name: NameId,
    /// The program, for people.
    pub program: String,
    /// It begins at the first.
    pub nodes: Vec<Node>,
}

/// Where a program waits for an answer.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Node {
    /// What it asks or does.
    pub ask: Ask,
    /// By answer, the node that follows; see [`Ask::answers`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<u8>,
}

/// What a modprobe asks or does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// `open("/sys/module/NAME/initstate")`: not there, there.
    Open(ModuleId),
    /// `stat("/sys/module/NAME")`: not there, there.
    Stat(ModuleId),
    /// The first `read()` of what has just been opened: live, coming, going, or an error.
    Read(ModuleId),
    /// `read()` at its end: its end, or an error.
    ReadEnd(ModuleId),
    /// Reads `/proc/modules`; its answers are numbers in base 4, whose digits are the modules in the scenario's order:
    /// live, coming, going, not listed.
    List,
    /// `finit_module()`: 0, `-EEXIST`, another error.
    Finit(ModuleId),
    /// `init_module()`: the same.
    Init(ModuleId),
    /// `open()` of the initstate of the requested name, which is no module's: it is not there.
    OpenUnknown,
    /// `stat()` of its directory: not there, there.
    StatUnknown,
    /// An `install` command that does nothing, in place of a module: it is done.
    Command(ModuleId),
    /// It exits: with 0, or with 1.
    Exit {
        /// With 1.
        fails: bool,
    },
}

/// The most nodes that an automaton may have: the number of one is a process's place in its plan.
pub const MAX_NODES: usize = 255;

/// The most modules of which `/proc/modules` is read.
pub const MAX_LISTED: usize = 6;

impl Ask {
    /// How many answers there are. `modules`: those of the scenario.
    pub fn answers(self, modules: usize) -> usize {
        match self {
            Self::Open(_) | Self::Stat(_) | Self::ReadEnd(_) | Self::StatUnknown => 2,
            Self::Read(_) => 4,
            Self::List => 1 << (2 * modules.min(MAX_LISTED)),
            Self::Finit(_) | Self::Init(_) => 3,
            Self::OpenUnknown | Self::Command(_) => 1,
            Self::Exit { .. } => 0,
        }
    }

    /// The module that it is about.
    pub fn module(self) -> Option<ModuleId> {
        match self {
            Self::Open(module)
            | Self::Stat(module)
            | Self::Read(module)
            | Self::ReadEnd(module)
            | Self::Finit(module)
            | Self::Init(module)
            | Self::Command(module) => Some(module),
            Self::List | Self::OpenUnknown | Self::StatUnknown | Self::Exit { .. } => None,
        }
    }

    /// Whether it hands its module to the kernel.
    pub fn inserts(self) -> bool {
        matches!(self, Self::Finit(_) | Self::Init(_))
    }
}

impl Learned {
    /// Whether it can be run in that scenario.
    ///
    /// # Errors
    /// What was found, and what was expected.
    pub fn validate(&self, scenario: &Scenario) -> Result<(), String> {
        let Self { name, program, nodes } = self;
        let wrong = |what: String| Err(format!("{program}: {what}"));
        if usize::from(*name) >= scenario.names.len() {
            return wrong(format!(
                "is called for name number {name}, expected a number below {}",
                scenario.names.len()
            ));
        }
        let (count, modules) = (nodes.len(), scenario.modules.len());
        if count == 0 || count > MAX_NODES {
            return wrong(format!("{count} nodes, expected 1 to {MAX_NODES}"));
        }
        // Of what is open a process remembers one thing: that it is not there any more.
        let mut before: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
        for (at, node) in nodes.iter().enumerate() {
            if let Some(module) = node.ask.module().filter(|m| usize::from(*m) >= modules) {
                return wrong(format!(
                    "asks for module number {module}, expected a number below {modules}"
                ));
            }
            if node.ask == Ask::List && modules > MAX_LISTED {
                return wrong(format!(
                    "reads /proc/modules of {modules} modules, expected at most {MAX_LISTED}"
                ));
            }
            if let Ask::Command(_) = node.ask {
                return wrong("runs a command, expected system calls only".to_owned());
            }
            let (found, expected) = (node.next.len(), node.ask.answers(modules));
            if found != expected {
                return wrong(format!("{found} answers to {:?}, expected {expected}", node.ask));
            }
            for (answer, to) in node.next.iter().enumerate() {
                match before.get_mut(usize::from(*to)) {
                    Some(before) => before.push((at, answer)),
                    None => return wrong(format!("goes on at node {to} of {count}")),
                }
            }
        }
        for (at, node) in nodes.iter().enumerate() {
            let expected = |(from, answer): &(usize, usize)| match (nodes[*from].ask, node.ask) {
                (Ask::Open(of), Ask::Read(module)) => of == module && *answer == 1,
                (Ask::Read(of), Ask::ReadEnd(module)) => of == module && *answer < 3,
                (Ask::ReadEnd(of), Ask::ReadEnd(module)) => of == module && *answer == 0,
                (_, Ask::Read(_) | Ask::ReadEnd(_)) => false,
                _ => true,
            };
            let begins = at == 0 && matches!(node.ask, Ask::Read(_) | Ask::ReadEnd(_));
            if begins || !before[at].iter().all(expected) {
                return wrong(
                    "does something between opening an initstate and reading it, expected the one \
                     right after the other"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}

/// Whose modprobe it is, if the release's is replaced.
fn of<'a>(who: &Who<'a>, task: &Task) -> Option<&'a Learned> {
    match who.role {
        Role::Actor { action: Action::ModprobeRemove(_) | Action::Insmod(_), .. }
            if task.depth == 0 =>
        {
            None
        }
        _ => who.name_model(task).learned.as_ref(),
    }
}

/// At its first node.
pub(crate) fn begin(who: &Who<'_>, task: Task) -> Option<Task> {
    let learned = of(who, &task)?;
    Some(at(who, learned, 0, Task { ret: Ret::Zero, ..task }))
}

/// At the node after an answer.
pub(crate) fn after(who: &Who<'_>, answer: usize, task: Task) -> Option<Task> {
    let learned = of(who, &task)?;
    Some(at(who, learned, learned.nodes[usize::from(task.pos)].next[answer], task))
}

/// Whether what is called is `init_module()`; `None`: the release's modprobe runs.
pub(crate) fn calls_init_module(who: &Who<'_>, task: &Task) -> Option<bool> {
    let learned = of(who, task)?;
    Some(matches!(learned.nodes[usize::from(task.pos)].ask, Ask::Init(_)))
}

/// What finds `finit_module()`'s and `init_module()`'s results in an automaton.
pub(crate) fn result(result: Finit) -> usize {
    match result {
        Finit::Loaded => 0,
        Finit::Exists => 1,
        Finit::Failed => 2,
    }
}

/// What `/proc/modules` shows of a module, as a digit.
pub(crate) fn listed(state: ModuleState) -> usize {
    match state {
        ModuleState::Live => 0,
        ModuleState::Coming => 1,
        ModuleState::Going => 2,
        _ => 3,
    }
}

/// Goes to a node.
fn at(who: &Who<'_>, learned: &Learned, pos: u8, task: Task) -> Task {
    let ask = learned.nodes[usize::from(pos)].ask;
    let stale = task.stale && matches!(ask, Ask::ReadEnd(_));
    let task = Task { pos, stale, index: 0, result: 0, ..task };
    let pc = match ask {
        Ask::Open(_) => Pc::Open,
        Ask::Stat(_) => Pc::Stat,
        Ask::Read(_) => Pc::Read,
        Ask::ReadEnd(_) => Pc::ReadEnd,
        Ask::List => Pc::ProcModules,
        Ask::Finit(_) => return crate::kernel::module::finit_module(who, task),
        Ask::Init(_) => Pc::InitModule,
        Ask::OpenUnknown => Pc::OpenUnknown,
        Ask::StatUnknown => Pc::StatUnknown,
        Ask::Command(_) => Pc::Install,
        Ask::Exit { fails } => {
            let ret = if fails { Ret::Status256 } else { Ret::Zero };
            return Task { pc: Pc::Exit, ret, pos: 0, marks: 0, ..task };
        }
    };
    Task { pc, ..task }
}

impl Model {
    /// What the modelled modprobe asks and does for that name, by its own steps: at each place, what it asks, and the
    /// place that follows each answer. It begins at the first.
    ///
    /// # Panics
    /// If there is no such name, or nobody requests it: a caller's own steps are taken.
    pub fn modprobe_for(&self, name: NameId) -> Vec<(Ask, Vec<usize>)> {
        // Whether a directory is there the answer says, not the system.
        let mut asked = self.clone();
        asked.scenario.modules.iter_mut().for_each(|module| module.name_taken = false);
        asked.all_answers(name)
    }

    fn all_answers(&self, name: NameId) -> Vec<(Ask, Vec<usize>)> {
        let role = |kind: &u8| self.role(*kind).name() == Some(name) && self.role(*kind).may_fail();
        let kind =
            (0..number(self.scenario.actors.len())).find(role).expect("somebody requests it");
        let who = Who { model: self, role: self.role(kind) };
        let first = self.layout.pack(&modprobe::begin(&who, Task { pc: Pc::Exec, ..Task::IDLE }));
        let mut places = BTreeMap::from([(first, 0)]);
        let mut open = VecDeque::from([first]);
        let mut nodes: Vec<(Ask, Vec<u64>)> = Vec::new();
        while let Some(local) = open.pop_front() {
            let found = self.asked(kind, &who, local);
            for next in &found.1 {
                let fresh = places.len();
                places.entry(*next).or_insert_with(|| {
                    open.push_back(*next);
                    fresh
                });
            }
            nodes.push(found);
        }
        nodes
            .into_iter()
            .map(|(ask, next)| (ask, next.iter().map(|next| places[next]).collect()))
            .collect()
    }

    /// What a modprobe asks that is in that state, and where each answer leads.
    fn asked(&self, kind: u8, who: &Who<'_>, local: u64) -> (Ask, Vec<u64>) {
        let task = self.layout.unpack(local);
        let empty = || World::new(&self.layout, 0);
        // Its own step, in a world that is made to answer so.
        let step = |world: World<'_>, local: u64| -> Outcome {
            let mut outcomes = Vec::new();
            self.step(kind, world.word, local, &mut outcomes);
            outcomes.swap_remove(0)
        };
        let state = |module: ModuleId, state: ModuleState, directory: bool, initstate: bool| {
            let mut world = empty();
            world.set_state(module, state);
            world.set_directory(module, directory);
            world.set_initstate(module, initstate);
            world
        };
        let stale = self.layout.pack(&Task { stale: true, ..task });
        let results = |local: u64| {
            [Finit::Loaded, Finit::Exists, Finit::Failed]
                .map(|result| self.answer_finit(kind, local, result))
                .to_vec()
        };
        const STATES: [ModuleState; 3] =
            [ModuleState::Live, ModuleState::Coming, ModuleState::Going];
        match task.pc {
            Pc::Open => {
                let module = who.module(&task);
                let next = [false, true]
                    .map(|there| step(state(module, ModuleState::Live, there, there), local).local);
                (Ask::Open(module), next.to_vec())
            }
            Pc::Stat => {
                let module = who.module(&task);
                let next = [false, true].map(|there| {
                    step(state(module, ModuleState::Coming, there, false), local).local
                });
                (Ask::Stat(module), next.to_vec())
            }
            Pc::Read => {
                let module = who.module(&task);
                let mut next: Vec<u64> =
                    STATES.map(|says| step(state(module, says, true, true), local).local).to_vec();
                next.push(step(empty(), stale).local);
                (Ask::Read(module), next)
            }
            Pc::ReadEnd | Pc::ReadEndOther => {
                let module = who.module(&task);
                let end = step(state(module, ModuleState::Live, true, true), local).local;
                (Ask::ReadEnd(module), vec![end, step(empty(), stale).local])
            }
            Pc::ProcModules => {
                let modules = self.scenario.modules.len();
                let next = (0..Ask::List.answers(modules)).map(|answer| {
                    let mut world = empty();
                    for (place, module) in self.scenario.module_ids().enumerate() {
                        let digit = answer >> (2 * (modules - 1 - place)) & 3;
                        if let Some(says) = STATES.get(digit) {
                            world.set_state(module, *says);
                        }
                    }
                    step(world, local).local
                });
                (Ask::List, next.collect())
            }
            Pc::InitModule => {
                let outcome = step(empty(), local);
                let Event::InitModule { module } = outcome.event else {
                    unreachable!("a step of init_module() says {:?}", outcome.event)
                };
                (Ask::Init(module), results(outcome.local))
            }
            Pc::Install => {
                let next = step(empty(), local).local;
                (Ask::Command(who.module(&task)), vec![next])
            }
            Pc::OpenUnknown => (Ask::OpenUnknown, vec![step(empty(), local).local]),
            Pc::StatUnknown => {
                // Whether it is there the system says, and of what comes late the world, too.
                let made = self.layout.names.iter().fold(0, |all, name| all | name.built_in.mask());
                let there = |there: bool| {
                    let mut other = self.clone();
                    other.names.iter_mut().for_each(|name| name.unknown_directory = there);
                    let mut outcomes = Vec::new();
                    other.step(kind, made, local, &mut outcomes);
                    outcomes[0].local
                };
                (Ask::StatUnknown, vec![there(false), there(true)])
            }
            Pc::Exit => (Ask::Exit { fails: task.ret != Ret::Zero }, Vec::new()),
            pc if pc.in_finit_module() => (Ask::Finit(who.module(&task)), results(local)),
            pc => unreachable!("a modprobe is at {pc}"),
        }
    }
}
