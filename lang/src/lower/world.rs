//! What all processes of a program have in common while they are compiled.

use std::collections::{BTreeSet, HashMap};

use super::memory::{Made, Memory, Type};
use crate::graph::domain::Domain;
use crate::host::External;
use crate::text::syntax::{Function, Span};
use crate::text::wrong::Wrong;

/// The cells of RCU: how many are in read-side critical sections, and a slot for each grace period that may
/// be waited for at once.
pub(super) struct Rcu {
    pub readers: i64,
    pub slots: Vec<Slot>,
}

/// A grace period that is waited for.
pub(super) struct Slot {
    pub taken: i64,
    /// How many it waits for.
    pub waits_for: i64,
    /// Woken when it begins: whoever reads then is waited for.
    pub queue: u8,
}

/// The wait queues of a work item.
#[derive(Clone, Copy)]
pub(super) struct WorkQueues {
    /// Woken when it begins to run.
    pub begins: u8,
    /// Woken when it has run.
    pub ends: u8,
    /// Woken when it is cancelled before it could run.
    pub cancelled: u8,
}

/// All that is known of a program.
pub(super) struct World<'f> {
    pub memory: Memory,
    pub functions: HashMap<&'f str, &'f Function>,
    /// Those that somebody calls.
    pub called: BTreeSet<String>,
    pub externals: &'f [External],
    /// By address of a wait queue.
    pub queues: HashMap<i64, u8>,
    next_queue: u32,
    /// By address of a work item.
    pub works: HashMap<i64, WorkQueues>,
    pub rcu: Option<Rcu>,
    /// How many asynchronous functions are scheduled and have not ended.
    pub asynchronous: Option<i64>,
    /// The asynchronous functions, and how often the text schedules each.
    pub started: Vec<(String, Span, usize)>,
    /// What each of them is given.
    pub async_types: HashMap<String, Type>,
}

impl<'f> World<'f> {
    pub fn new(memory: Memory, externals: &'f [External]) -> Self {
        Self {
            memory,
            externals,
            functions: HashMap::new(),
            called: BTreeSet::new(),
            queues: HashMap::new(),
            next_queue: 0,
            works: HashMap::new(),
            rcu: None,
            asynchronous: None,
            started: Vec::new(),
            async_types: HashMap::new(),
        }
    }

    /// A queue of its own.
    pub fn new_queue(&mut self, span: Span) -> Made<u8> {
        let queue = u8::try_from(self.next_queue)
            .map_err(|_| Wrong::new(span, "found more than 256 wait queues", "expected fewer"))?;
        self.next_queue += 1;
        Ok(queue)
    }

    /// The queue at an address.
    pub fn queue(&mut self, address: i64, span: Span) -> Made<u8> {
        if let Some(queue) = self.queues.get(&address) {
            return Ok(*queue);
        }
        let queue = self.new_queue(span)?;
        self.queues.insert(address, queue);
        Ok(queue)
    }

    /// The queues of the work item at an address.
    pub fn work(&mut self, address: i64, span: Span) -> Made<WorkQueues> {
        if let Some(queues) = self.works.get(&address) {
            return Ok(*queues);
        }
        let (begins, ends) = (self.new_queue(span)?, self.new_queue(span)?);
        let queues = WorkQueues { begins, ends, cancelled: self.new_queue(span)? };
        self.works.insert(address, queues);
        Ok(queues)
    }

    /// Another hidden cell; its address.
    pub fn hidden(&mut self, name: &str, most: i64) -> i64 {
        self.memory.hidden(name, Domain::Range(0, most));
        self.memory.cells.len() as i64
    }
}
