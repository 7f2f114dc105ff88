//! `--modprobe 'PATH ARGUMENTS'`: a program in place of the release's modprobe: learned, and made what the model has a
//! place for.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kmodcheck_binary::automaton::{Automaton, Edge, Node};
use kmodcheck_binary::cache;
use kmodcheck_binary::learn::{Learned, Limits, Progress};
use kmodcheck_binary::question::{Answer, Entry, INSERT_ERRORS, Insertion, Question, State};
use kmodcheck_binary::view::System;
use kmodcheck_binary::{Launcher, Program};
use kmodcheck_model::Model;
use kmodcheck_model::learned::{self, Ask, MAX_LISTED};
use kmodcheck_model::scenario::{ModuleId, NameId, Scenario};

use crate::input::session;
use crate::output::{Failure, bars};

/// By which this command starts a program that is held; see [`kmodcheck_binary::launch`].
pub(crate) const LAUNCH: &str = "held-program";

/// `-EEXIST`, to which modprobes have an answer of their own.
const EEXIST: i32 = INSERT_ERRORS[0];

/// The flag by which `finit_module()` is told that the file is compressed.
const COMPRESSED_FILE: u32 = 4;

/// Where programs are looked at, and what they find there.
pub(crate) struct Place<'a> {
    /// The directory of the indexes.
    pub indexes: PathBuf,
    /// What `uname -r` says.
    pub release: String,
    /// What stands in for `/`.
    pub root: Option<&'a Path>,
    /// What is `/etc/modprobe.d`.
    pub configuration: Option<PathBuf>,
    /// The modules that may be in `/proc/modules`.
    pub modules: Vec<String>,
}

/// What was typed, settings of the environment first, and a name, as the kernel calls modprobe (`call_modprobe()`,
/// `call_usermodehelper_setup()`).
pub(crate) fn program(typed: &str, request: &str) -> Result<Program, Failure> {
    let mut words = typed.split_whitespace().map(str::to_owned).peekable();
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mut environment =
        vec![set("HOME", "/"), set("TERM", "linux"), set("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")];
    let is_setting =
        |word: &String| word.split_once('=').is_some_and(|(key, _)| !key.contains('/'));
    while let Some(setting) = words.next_if(is_setting) {
        environment.extend(setting.split_once('=').map(|(key, value)| set(key, value)));
    }
    let path = words.next().ok_or("found no program, expected 'PATH ARGUMENTS'")?;
    let path = PathBuf::from(path);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let kernels_own = ["-q", "--", request].map(str::to_owned);
    Ok(Program {
        path,
        name: name.unwrap_or_default(),
        arguments: words.chain(kernels_own).collect(),
        environment,
    })
}

/// Where what was learned is kept: `$XDG_CACHE_HOME/kmodcheck`, or `~/.cache/kmodcheck`.
pub(crate) fn kept() -> Option<PathBuf> {
    let absolute = |key| env::var_os(key).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("kmodcheck"))
}

/// What a program does there, and whether it was known already.
pub(crate) fn learn(program: &Program, place: &Place<'_>) -> Result<(Learned, bool), Failure> {
    learn_within(program, place, Limits::default())
}

/// The same, within these limits.
pub(crate) fn learn_within(
    program: &Program,
    place: &Place<'_>,
    limits: Limits,
) -> Result<(Learned, bool), Failure> {
    let launcher = Launcher(vec![env::current_exe()?.into(), LAUNCH.into()]);
    let system = System {
        release: place.release.clone(),
        indexes: place.indexes.canonicalize()?,
        root: place.root.map(Path::to_owned),
        configuration: place.configuration.clone(),
        modules: place.modules.clone(),
        ..System::default()
    };
    let spinner = bars::spinner();
    let mut progress = |progress: Progress| {
        let Progress { states, answers } = progress;
        spinner.set_message(format!("{}: {states} states, {answers} answers", program.called()));
        !session::interrupt().load(std::sync::atomic::Ordering::Relaxed)
    };
    let learned =
        cache::learned(kept().as_deref(), &launcher, program, &system, limits, &mut progress);
    spinner.finish_and_clear();
    Ok(learned?)
}

/// The limits of a command that has flags for them.
pub(crate) fn limits(arguments: &crate::args::Arguments) -> Limits {
    let unless_told = Limits::default();
    let states = arguments.states_limit.and_then(|states| usize::try_from(states).ok());
    Limits {
        states: states.unwrap_or(unless_told.states),
        time: arguments.time_limit.unwrap_or(unless_told.time),
        patience: Duration::from_secs(10),
    }
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// An automaton being made what the model has a place for.
struct Conversion<'a> {
    scenario: &'a Scenario,
    automaton: &'a Automaton,
    request: &'a str,
    program: String,
}

/// What the model has a place for, of a program that is called for that name.
pub(crate) fn for_model(
    learned: &Learned,
    program: &Program,
    scenario: &Scenario,
    name: NameId,
) -> Result<learned::Learned, Failure> {
    let request = &scenario.names[usize::from(name)].request;
    let conversion =
        Conversion { scenario, automaton: &learned.automaton, request, program: program.called() };
    let nodes = conversion.nodes().map_err(|what| format!("{}: {what}", conversion.program))?;
    let learned = learned::Learned { name, program: conversion.program, nodes };
    learned.validate(scenario)?;
    Ok(learned)
}

impl Conversion<'_> {
    /// The node at which it asks something: a sleep is none, for others may go on anywhere.
    fn awake(&self, mut at: usize) -> Result<usize, String> {
        for _ in 0..=self.automaton.nodes.len() {
            let node = &self.automaton.nodes[at];
            match (&node.question, node.after(&Answer::Yes)) {
                (Question::Sleep { .. }, Some(next)) => at = next,
                _ => return Ok(at),
            }
        }
        Err("it sleeps for ever, expected a question or an end".to_owned())
    }

    fn nodes(&self) -> Result<Vec<learned::Node>, String> {
        let first = self.awake(0)?;
        let mut places = BTreeMap::from([(first, 0)]);
        let mut open = VecDeque::from([first]);
        let mut found: Vec<(Ask, Vec<usize>)> = Vec::new();
        while let Some(at) = open.pop_front() {
            let (ask, next) = self.node(&self.automaton.nodes[at])?;
            let mut to = Vec::with_capacity(next.len());
            for next in next {
                let next = self.awake(next)?;
                let fresh = places.len();
                let place = *places.entry(next).or_insert_with(|| {
                    open.push_back(next);
                    fresh
                });
                to.push(place);
            }
            found.push((ask, to));
        }
        if found.len() > learned::MAX_NODES {
            let (found, most) = (found.len(), learned::MAX_NODES);
            return Err(format!("its automaton has {found} nodes, expected at most {most}"));
        }
        let byte = |place: usize| u8::try_from(place).expect("there are at most 255");
        Ok(found
            .into_iter()
            .map(|(ask, next)| learned::Node { ask, next: next.into_iter().map(byte).collect() })
            .collect())
    }

    /// What the node asks, and where each answer of the model leads.
    fn node(&self, node: &Node) -> Result<(Ask, Vec<usize>), String> {
        let question = &node.question;
        let after = |answers: &[Answer]| all_after(node, answers);
        let there = [Answer::Absent, Answer::Yes];
        let of_module = |name: &str| self.module(name);
        Ok(match question {
            Question::Open { module, entry: Entry::Initstate } => match of_module(module)? {
                Some(id) => (Ask::Open(id), after(&there)?),
                None => (Ask::OpenUnknown, after(&there[..1])?),
            },
            Question::Stat { module, entry: Entry::Directory } => match of_module(module)? {
                Some(id) => (Ask::Stat(id), after(&there)?),
                None => (Ask::StatUnknown, after(&there)?),
            },
            Question::Read { module, entry: Entry::Initstate } => {
                let states = State::ALL.map(Answer::State);
                let answers: Vec<Answer> = states.into_iter().chain([Answer::Gone]).collect();
                (Ask::Read(self.known(module)?), after(&answers)?)
            }
            Question::ReadEnd { module, entry: Entry::Initstate } => {
                (Ask::ReadEnd(self.known(module)?), after(&[Answer::Yes, Answer::Gone])?)
            }
            Question::List => (Ask::List, self.listed(node)?),
            Question::Insert { module, by, flags, .. } => {
                let id = self.known(module)?;
                let compressed = self.scenario.modules[usize::from(id)].compressed;
                let ask = match (by, *flags) {
                    (Insertion::Init, _) => Ask::Init(id),
                    (Insertion::Finit, 0) if !compressed => Ask::Finit(id),
                    (Insertion::Finit, COMPRESSED_FILE) if compressed => Ask::Finit(id),
                    _ => {
                        let kind = if compressed { "a compressed" } else { "a plain" };
                        return Err(format!(
                            "'{question}' of {kind} file, which the model has not"
                        ));
                    }
                };
                (ask, results(node)?)
            }
            Question::Exit { status: status @ (0 | 1) } => {
                (Ask::Exit { fails: *status == 1 }, Vec::new())
            }
            Question::Exit { .. } | Question::Died { .. } => {
                return Err(format!("it ends by '{question}', expected exit 0 or 1"));
            }
            _ => return Err(format!("it asks '{question}', which the model has no answer to")),
        })
    }

    /// By what is listed, as [`Ask::List`] counts it.
    fn listed(&self, node: &Node) -> Result<Vec<usize>, String> {
        let by_list: HashMap<&Answer, usize> =
            node.next.iter().map(|edge| (&edge.answer, edge.to)).collect();
        let modules = &self.scenario.modules;
        (0..Ask::List.answers(modules.len()))
            .map(|number| {
                let places = (0..modules.len()).rev();
                let list = modules.iter().zip(places).filter_map(|(module, place)| {
                    let state = State::ALL.get(number >> (2 * place) & 3)?;
                    Some((module.name.clone(), *state))
                });
                let answer = Answer::Listed(list.collect());
                let to = by_list.get(&answer).copied();
                to.ok_or_else(|| format!("'{}' has no answer '{answer}'", node.question))
            })
            .collect()
    }

    fn known(&self, name: &str) -> Result<ModuleId, String> {
        let module = self.module(name)?;
        module.ok_or_else(|| format!("it is at module '{name}', which is not of the system"))
    }

    /// A module of the system, or `None`: the requested name, which is none.
    fn module(&self, name: &str) -> Result<Option<ModuleId>, String> {
        let normal = normal(name);
        let mut modules = self.scenario.module_ids();
        let found = modules.find(|id| self.scenario.module_name(*id) == normal);
        if found.is_none() && normal != self::normal(self.request) {
            return Err(format!("it looks at module '{name}', which is not of the system"));
        }
        Ok(found)
    }
}

/// Where each answer leads.
fn all_after(node: &Node, answers: &[Answer]) -> Result<Vec<usize>, String> {
    let to = |answer: &Answer| {
        let to = node.after(answer);
        to.ok_or_else(|| format!("'{}' has no answer '{answer}'", node.question))
    };
    answers.iter().map(to).collect()
}

/// The three results of the model: every error but EEXIST has to come to the same.
fn results(node: &Node) -> Result<Vec<usize>, String> {
    let errors: Vec<Answer> = INSERT_ERRORS.iter().map(|error| Answer::Error(*error)).collect();
    let failed = all_after(node, &errors[1..])?;
    if let Some(other) = failed.iter().position(|to| *to != failed[0]) {
        return Err(format!(
            "it goes on otherwise after '{}: {}' than after '{}', expected the same: the model \
             does not tell them apart",
            node.question,
            errors[1 + other],
            errors[1]
        ));
    }
    let mut all = all_after(node, &[Answer::Yes, Answer::Error(EEXIST)])?;
    all.push(failed[0]);
    Ok(all)
}

/// What the modelled modprobe of that system asks for that name, as an automaton. It runs no programs.
pub(crate) fn of_model(scenario: &Scenario, name: NameId) -> Result<Automaton, Failure> {
    let model = Model::new(scenario.clone(), None)?;
    let request = normal(&scenario.names[usize::from(name)].request);
    let named = |module: ModuleId| scenario.module_name(module).to_owned();
    let entry = Entry::Initstate;
    let errors = || INSERT_ERRORS[1..].iter().map(|error| Answer::Error(*error));
    let mut nodes = Vec::new();
    for (ask, next) in model.modprobe_for(name) {
        let there = vec![Answer::Absent, Answer::Yes];
        let insert = |module, by| Question::Insert {
            module: named(module),
            by,
            flags: 0,
            options: String::new(),
        };
        let (question, answers) = match ask {
            Ask::Open(module) => (Question::Open { module: named(module), entry }, there),
            Ask::OpenUnknown => {
                (Question::Open { module: request.clone(), entry }, vec![Answer::Absent])
            }
            Ask::Stat(module) => {
                (Question::Stat { module: named(module), entry: Entry::Directory }, there)
            }
            Ask::StatUnknown => {
                (Question::Stat { module: request.clone(), entry: Entry::Directory }, there)
            }
            Ask::Read(module) => {
                let states = State::ALL.map(Answer::State);
                let answers = states.into_iter().chain([Answer::Gone]).collect();
                (Question::Read { module: named(module), entry }, answers)
            }
            Ask::ReadEnd(module) => {
                let answers = vec![Answer::Yes, Answer::Gone];
                (Question::ReadEnd { module: named(module), entry }, answers)
            }
            Ask::List if scenario.modules.len() > MAX_LISTED => {
                return Err(format!(
                    "the modelled modprobe reads /proc/modules, of {} modules here, expected at most {MAX_LISTED}",
                    scenario.modules.len()
                )
                .into());
            }
            Ask::List => (Question::List, Vec::new()),
            Ask::Finit(module) => (insert(module, Insertion::Finit), Vec::new()),
            Ask::Init(module) => (insert(module, Insertion::Init), Vec::new()),
            Ask::Command(module) => {
                return Err(format!(
                    "an install command stands in for module '{}', or it has no file: expected a system whose \
                     modprobe makes system calls only",
                    named(module)
                )
                .into());
            }
            Ask::Exit { fails } => (Question::Exit { status: i32::from(fails) }, Vec::new()),
        };
        let edges: Vec<(Answer, usize)> = match ask {
            Ask::List => lists(scenario).into_iter().zip(next).collect(),
            Ask::Finit(_) | Ask::Init(_) => {
                let all = [(Answer::Yes, next[0]), (Answer::Error(EEXIST), next[1])];
                all.into_iter().chain(errors().map(|error| (error, next[2]))).collect()
            }
            _ => answers.into_iter().zip(next).collect(),
        };
        let next = edges.into_iter().map(|(answer, to)| Edge { answer, to }).collect();
        nodes.push(Node { question, next });
    }
    Ok(Automaton { nodes }.minimal())
}

/// Everything that can be listed, in the order of [`Ask::List`].
fn lists(scenario: &Scenario) -> Vec<Answer> {
    let modules: Vec<String> = scenario.modules.iter().map(|module| module.name.clone()).collect();
    Question::List.answers(&modules)
}
