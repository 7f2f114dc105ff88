//! What a program does, as a finite automaton: at each node a question, and for each answer the node that follows.

use std::collections::{BTreeMap, HashMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::question::{Answer, Question};

/// What a program does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Automaton {
    /// It begins at the first.
    pub nodes: Vec<Node>,
}

/// Where a program waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What it asks.
    pub question: Question,
    /// What follows each answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Edge>,
}

/// What follows an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The answer.
    pub answer: Answer,
    /// The node.
    pub to: usize,
}

/// A question and what was answered.
pub type Told = (Question, Answer);

/// What comparing two programs has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// They ask the same, whatever they are answered.
    Equal {
        /// Pairs of nodes.
        pairs: usize,
    },
    /// They part.
    Part {
        /// A shortest history after which they ask different things.
        history: Vec<Told>,
        /// What the first asks then.
        first: Question,
        /// What the second asks then.
        second: Question,
    },
}

/// Two programs that were not asked with the same answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "only one of them was given the answer '{answer}' to '{question}', expected the same answers for both: nothing can be \
     said of them"
)]
pub struct Unlike {
    /// To what.
    pub question: Question,
    /// Which.
    pub answer: Answer,
}

impl Node {
    /// The node after an answer.
    #[must_use]
    pub fn after(&self, answer: &Answer) -> Option<usize> {
        self.next.iter().find(|edge| edge.answer == *answer).map(|edge| edge.to)
    }
}

impl Automaton {
    /// The least automaton that asks the same after every history, its nodes in the order in which they are met.
    #[must_use]
    pub fn minimal(&self) -> Self {
        let mut class = vec![0; self.nodes.len()];
        let mut classes = 0;
        loop {
            let mut keys = HashMap::new();
            let key = |at: usize| {
                let node = &self.nodes[at];
                let next: Vec<_> = node.next.iter().map(|e| (&e.answer, class[e.to])).collect();
                (&node.question, next)
            };
            let mut now = Vec::with_capacity(class.len());
            for at in 0..self.nodes.len() {
                let fresh = keys.len();
                now.push(*keys.entry(key(at)).or_insert(fresh));
            }
            let found = keys.len();
            class = now;
            if found == classes {
                break;
            }
            classes = found;
        }
        let mut nodes = Vec::new();
        let mut place = BTreeMap::new();
        let mut open = VecDeque::new();
        if !self.nodes.is_empty() {
            place.insert(class[0], 0);
            open.push_back(0);
        }
        while let Some(at) = open.pop_front() {
            let node = &self.nodes[at];
            let next = node
                .next
                .iter()
                .map(|edge| {
                    let fresh = place.len();
                    let to = *place.entry(class[edge.to]).or_insert_with(|| {
                        open.push_back(edge.to);
                        fresh
                    });
                    Edge { answer: edge.answer.clone(), to }
                })
                .collect();
            nodes.push(Node { question: node.question.clone(), next });
        }
        Self { nodes }
    }

    /// Whether two programs ask the same after every history.
    ///
    /// # Errors
    /// Where both ask the same one was given an answer that the other was not: nothing can be said then.
    pub fn compare(&self, other: &Self) -> Result<Compared, Unlike> {
        /// Whence a pair was found first.
        type From = Option<((usize, usize), Answer)>;
        let mut seen: HashMap<(usize, usize), From> = HashMap::new();
        let mut open = VecDeque::from([(0, 0)]);
        seen.insert((0, 0), None);
        while let Some(at) = open.pop_front() {
            let (first, second) = (&self.nodes[at.0], &other.nodes[at.1]);
            if first.question != second.question {
                let mut history = Vec::new();
                let mut back = at;
                while let Some(Some((before, answer))) = seen.get(&back) {
                    history.push((self.nodes[before.0].question.clone(), answer.clone()));
                    back = *before;
                }
                history.reverse();
                let (first, second) = (first.question.clone(), second.question.clone());
                return Ok(Compared::Part { history, first, second });
            }
            let only = |one: &Node, other: &Node| {
                let mut answers = one.next.iter().map(|edge| &edge.answer);
                answers.find(|answer| other.after(answer).is_none()).cloned()
            };
            if let Some(answer) = only(first, second).or_else(|| only(second, first)) {
                return Err(Unlike { question: first.question.clone(), answer });
            }
            for edge in &first.next {
                let Some(to) = second.after(&edge.answer) else { continue };
                let next = (edge.to, to);
                if let std::collections::hash_map::Entry::Vacant(vacant) = seen.entry(next) {
                    vacant.insert(Some((at, edge.answer.clone())));
                    open.push_back(next);
                }
            }
        }
        Ok(Compared::Equal { pairs: seen.len() })
    }
}
