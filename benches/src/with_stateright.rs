//! The reference model for stateright.

use std::hash::Hash;

use stateright::{Checker, Model, Property, Representative};

/// Most callers.
const MOST: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    Idle,
    Check,
    Open,
    Stat,
    Read,
    Add,
    Wait,
    SetComing,
    MkDir,
    MkInitstate,
    RunInit,
    SetLive,
    SetGoing,
    RmInitstate,
    RmDir,
    RmList,
    Exit0,
    Exit1,
    DoneOk,
    DoneNull,
    DoneErr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Module {
    Absent,
    Unformed,
    Coming,
    Live,
    Going,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    module: Module,
    dir: bool,
    ini: bool,
    fs: bool,
    failed: bool,
    callers: usize,
    at: [Place; MOST],
}

impl Hash for State {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.module, self.dir, self.ini, self.fs, self.failed).hash(state);
        self.at[..self.callers].hash(state);
    }
}

impl Representative for State {
    fn representative(&self) -> Self {
        let mut sorted = self.clone();
        sorted.at[..self.callers].sort_unstable();
        sorted
    }
}

/// A caller, and whether a failing init is meant.
type Action = (usize, bool);

struct Reference {
    callers: usize,
}

impl Model for Reference {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            module: Module::Absent,
            dir: false,
            ini: false,
            fs: false,
            failed: false,
            callers: self.callers,
            at: [Place::Idle; MOST],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for caller in 0..self.callers {
            match state.at[caller] {
                Place::DoneOk | Place::DoneNull | Place::DoneErr => {}
                Place::Wait if !matches!(state.module, Module::Live | Module::Absent) => {}
                Place::RunInit => actions.extend([(caller, false), (caller, true)]),
                _ => actions.push((caller, false)),
            }
        }
    }

    fn next_state(&self, last: &State, (caller, fails): Action) -> Option<State> {
        let mut s = last.clone();
        let either = |condition, then, otherwise| if condition { then } else { otherwise };
        s.at[caller] = match last.at[caller] {
            Place::Idle => Place::Check,
            Place::Check => either(s.fs, Place::DoneOk, Place::Open),
            Place::Open => either(s.ini, Place::Read, Place::Stat),
            Place::Stat => either(s.dir, Place::Exit0, Place::Add),
            Place::Read => either(s.module == Module::Live, Place::Exit0, Place::Add),
            Place::Add => match s.module {
                Module::Absent => {
                    s.module = Module::Unformed;
                    Place::SetComing
                }
                Module::Live | Module::Going => Place::Exit0,
                Module::Unformed | Module::Coming => Place::Wait,
            },
            Place::Wait => Place::Add,
            Place::SetComing => {
                s.module = Module::Coming;
                Place::MkDir
            }
            Place::MkDir => {
                s.dir = true;
                Place::MkInitstate
            }
            Place::MkInitstate => {
                s.ini = true;
                Place::RunInit
            }
            Place::RunInit if fails => {
                s.failed = true;
                Place::SetGoing
            }
            Place::RunInit => {
                s.fs = true;
                Place::SetLive
            }
            Place::SetLive => {
                s.module = Module::Live;
                Place::Exit0
            }
            Place::SetGoing => {
                s.module = Module::Going;
                Place::RmInitstate
            }
            Place::RmInitstate => {
                s.ini = false;
                Place::RmDir
            }
            Place::RmDir => {
                s.dir = false;
                Place::RmList
            }
            Place::RmList => {
                s.module = Module::Absent;
                Place::Exit1
            }
            Place::Exit0 => either(s.fs, Place::DoneOk, Place::DoneNull),
            Place::Exit1 => Place::DoneErr,
            Place::DoneOk | Place::DoneNull | Place::DoneErr => return None,
        };
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // It needs one, and would stop where one is violated.
        vec![Property::always("counted", |_, _| true)]
    }
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub enum Strategy {
    Bfs,
    Dfs,
    DfsSymmetry,
}

/// Counts states and transitions. Up to symmetry, it generates from states as they are found, not
/// from representatives, so that the transitions are others' than of the quotient.
pub fn count(callers: usize, strategy: Strategy, threads: usize) -> (u64, u64) {
    let builder = Reference { callers }.checker().threads(threads);
    let (unique, generated) = match strategy {
        Strategy::Bfs => counts(builder.spawn_bfs().join()),
        Strategy::Dfs => counts(builder.spawn_dfs().join()),
        Strategy::DfsSymmetry => counts(builder.symmetry().spawn_dfs().join()),
    };
    // The initial state was generated by no transition.
    (unique, generated - 1)
}

fn counts(checker: impl Checker<Reference>) -> (u64, u64) {
    (checker.unique_state_count() as u64, checker.state_count() as u64)
}
