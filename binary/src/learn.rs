//! A program's behaviour, all of it: from each state that was held, for each answer, a copy goes on to the next.
//!
//! No conjecture is made: two histories come to the same node only where the process is the same.

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::automaton::{Automaton, Edge, Node};
use crate::calls::Held;
use crate::digest::{self, State};
use crate::process::{HeldError, Launcher, Program};
use crate::question::{Answer, Question};
use crate::view::{System, View};

/// How much may be spent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// States that are held.
    pub states: usize,
    /// Time.
    pub time: Duration,
    /// Time from one system call to the next.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { states: 200_000, time: Duration::from_secs(600), patience: Duration::from_secs(10) }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// States that were found.
    pub states: usize,
    /// Answers that were given.
    pub answers: usize,
}

/// A program's behaviour, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The least automaton.
    pub automaton: Automaton,
    /// States that differ as processes; many ask the same whatever follows.
    pub states: usize,
    /// Answers that were given, each to a copy.
    pub answers: usize,
    /// Histories that were taken once more, from the start.
    pub replayed: usize,
    /// Every file that was read or looked for, with a digest of what it was.
    pub read: Vec<(PathBuf, String)>,
}

/// How many histories are taken once more.
const REPLAYED: usize = 24;

/// How often a process may be another one where it asks the same. On a busy machine one start in some ten thousand
/// differs in a way that nobody has found yet; two states that differ are never taken for one, so what is learned stays
/// right, and a program that draws lots differs each time.
const TRIES: u32 = 4;

/// A held program that has not been given all answers.
struct Open {
    held: Held,
    node: usize,
    answers: Vec<Answer>,
    given: usize,
}

struct Learner<'a> {
    launcher: &'a Launcher,
    program: Rc<Program>,
    view: Rc<View>,
    limits: Limits,
    until: Instant,
    progress: &'a mut dyn FnMut(Progress) -> bool,
    /// The processor that it runs on: programs ask which it is.
    processor: usize,
    /// How long it has slept is a part of its state.
    timed: bool,
    asked_the_time: bool,
    nodes: Vec<Node>,
    states: Vec<State>,
    /// Of each node but the first, whence it was found first.
    found: Vec<Option<(usize, Answer)>>,
    known: HashMap<State, usize>,
    answers: usize,
}

/// Learns what a program does on a system, for every answer that [`Question::answers`] has. `progress` says whether to
/// go on.
///
/// # Errors
/// A program that cannot be started, does what is refused, is not the same the second time, or does not come to an end
/// within the limits.
pub fn learn(
    launcher: &Launcher,
    program: &Program,
    system: &System,
    limits: Limits,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Learned, HeldError> {
    let view = Rc::new(View::new(system.clone(), program.path.clone())?);
    let until = Instant::now() + limits.time;
    let processor = rustix::thread::sched_getcpu();
    let mut timed = false;
    loop {
        let mut learner = Learner {
            launcher,
            program: Rc::new(program.clone()),
            view: view.clone(),
            limits,
            until,
            progress,
            processor,
            timed,
            asked_the_time: false,
            nodes: Vec::new(),
            states: Vec::new(),
            found: Vec::new(),
            known: HashMap::new(),
            answers: 0,
        };
        learner.explore()?;
        // Who sleeps and then asks what time it is may have been taken for one who has slept less.
        let sleeps = |node: &Node| matches!(node.question, Question::Sleep { .. });
        if !timed && learner.asked_the_time && learner.nodes.iter().any(sleeps) {
            timed = true;
            continue;
        }
        let replayed = learner.replay()?;
        let automaton = Automaton { nodes: learner.nodes }.minimal();
        return Ok(Learned {
            automaton,
            states: learner.states.len(),
            answers: learner.answers,
            replayed,
            read: view.read().into_iter().collect(),
        });
    }
}

impl Learner<'_> {
    fn start(&mut self) -> Result<(Held, Question, State), HeldError> {
        let (held, question) = Held::start(
            self.launcher,
            &self.program,
            &self.view,
            self.processor,
            self.limits.patience,
        )?;
        let state = self.state(&held, &question)?;
        Ok((held, question, state))
    }

    fn state(&mut self, held: &Held, question: &Question) -> Result<State, HeldError> {
        self.asked_the_time |= held.asked_the_time;
        match question {
            // Of who has died, or is about to exit, nothing else counts.
            Question::Exit { status } => Ok(end(0, *status)),
            Question::Died { signal } => Ok(end(1, *signal)),
            _ => digest::state(held, question, self.timed),
        }
    }

    fn out_of_budget(&self, what: String) -> HeldError {
        HeldError::OutOfBudget { program: self.program.called(), what }
    }

    /// The number of a state, and whether it is a new one.
    fn node(
        &mut self,
        state: State,
        question: Question,
        from: Option<(usize, Answer)>,
    ) -> Result<(usize, bool), HeldError> {
        if let Some(node) = self.known.get(&state) {
            return Ok((*node, false));
        }
        let node = self.nodes.len();
        if node >= self.limits.states {
            return Err(self.out_of_budget(format!("{node} states")));
        }
        self.known.insert(state, node);
        self.states.push(state);
        self.found.push(from);
        self.nodes.push(Node { question, next: Vec::new() });
        Ok((node, true))
    }

    fn open(&self, held: Held, node: usize) -> Option<Open> {
        let answers = self.nodes[node].question.answers(&self.view.system.modules);
        (!answers.is_empty()).then_some(Open { held, node, answers, given: 0 })
    }

    fn explore(&mut self) -> Result<(), HeldError> {
        let (held, question, state) = self.start()?;
        let mut tries = 0;
        loop {
            let (_, again, second) = self.start()?;
            if question != again {
                let what = format!("it begins with '{again}', not with '{question}',");
                return Err(HeldError::Fickle { program: self.program.called(), what });
            }
            tries += 1;
            if state == second {
                break;
            }
            if tries == TRIES {
                let what = format!("its process is another one at its first question ({question})");
                return Err(HeldError::Fickle { program: self.program.called(), what });
            }
        }
        let (first, _) = self.node(state, question, None)?;
        let mut open: Vec<Open> = self.open(held, first).into_iter().collect();
        while let Some(mut top) = open.pop() {
            if Instant::now() >= self.until {
                return Err(self.out_of_budget(format!("{} s", self.limits.time.as_secs())));
            }
            let at = top.node;
            let answer = top.answers[top.given].clone();
            top.given += 1;
            // The last answer needs no copy.
            let mut held = if top.given == top.answers.len() {
                top.held
            } else {
                let held = top.held.copy()?;
                open.push(top);
                held
            };
            let question = self.nodes[at].question.clone();
            held.answer(&question, &answer)?;
            let next = held.run()?;
            let state = self.state(&held, &next)?;
            self.answers += 1;
            let (to, fresh) = self.node(state, next, Some((at, answer.clone())))?;
            self.nodes[at].next.push(Edge { answer, to });
            if fresh {
                open.extend(self.open(held, to));
            }
            let progress = Progress { states: self.nodes.len(), answers: self.answers };
            if !(self.progress)(progress) {
                return Err(
                    self.out_of_budget(format!("interrupted after {} states", progress.states))
                );
            }
        }
        Ok(())
    }

    /// Takes some of the histories once more, from the start, and compares every state on the way.
    fn replay(&mut self) -> Result<usize, HeldError> {
        // Where no other was found from: the histories to these have all the others in them.
        let mut inner = vec![false; self.nodes.len()];
        for (from, _) in self.found.iter().flatten() {
            inner[*from] = true;
        }
        let ends: Vec<usize> = (0..self.nodes.len()).filter(|node| !inner[*node]).collect();
        let step = ends.len().div_ceil(REPLAYED).max(1);
        let chosen: Vec<usize> = ends.into_iter().step_by(step).collect();
        for end in &chosen {
            let mut way = Vec::new();
            let mut at = *end;
            while let Some((from, answer)) = &self.found[at] {
                way.push((answer.clone(), at));
                at = *from;
            }
            way.reverse();
            let mut tries = 0;
            while let Some(other) = self.again(&way)? {
                tries += 1;
                if tries == TRIES {
                    let asked = &self.nodes[other].question;
                    let what = format!("its process is another one where it asks '{asked}'");
                    return Err(HeldError::Fickle { program: self.program.called(), what });
                }
            }
        }
        Ok(chosen.len())
    }

    /// Takes a history from the start. A node at which the process is another one, if there is such a node; that it asks
    /// something else is refused.
    fn again(&mut self, way: &[(Answer, usize)]) -> Result<Option<usize>, HeldError> {
        let (mut held, mut question, mut state) = self.start()?;
        let mut node = 0;
        let mut other = None;
        for (answer, to) in way {
            self.same(node, &question)?;
            if self.states[node] != state {
                other = other.or(Some(node));
            }
            held.answer(&question, answer)?;
            question = held.run()?;
            state = self.state(&held, &question)?;
            node = *to;
        }
        self.same(node, &question)?;
        Ok(other.or_else(|| (self.states[node] != state).then_some(node)))
    }

    fn same(&self, node: usize, question: &Question) -> Result<(), HeldError> {
        let before = &self.nodes[node].question;
        if before == question {
            return Ok(());
        }
        let what = format!("it asks '{question}', not '{before}',");
        Err(HeldError::Fickle { program: self.program.called(), what })
    }
}

fn end(kind: u8, number: i32) -> State {
    let mut state = [0; 32];
    state[0] = kind;
    state[1..5].copy_from_slice(&number.to_le_bytes());
    state
}
