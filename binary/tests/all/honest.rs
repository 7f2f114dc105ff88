//! Small programs whose automata are known.

use kmodcheck_binary::Question;
use kmodcheck_binary::learn::Learned;
use kmodcheck_binary::question::Answer;

use crate::common::{compiled, learn, program, system};

fn learned(mode: &str, how: &[&str]) -> Learned {
    let path = compiled("honest", how);
    learn(&program(path.to_str().unwrap(), &[mode]), &system(&[])).unwrap()
}

/// What it exits with after these answers.
fn ends(learned: &Learned, answers: &[Answer]) -> Option<i32> {
    let nodes = &learned.automaton.nodes;
    let end = answers.iter().try_fold(0, |at: usize, answer| nodes[at].after(answer))?;
    match nodes[end].question {
        Question::Exit { status } => Some(status),
        _ => None,
    }
}

#[test]
fn equal_processes_have_one_node() {
    for how in [&[] as &[&str], &["-static"]] {
        let learned = learned("forgets", how);
        // Two looks, each at one node, but for what the first one has left in memory; the last; two ends.
        assert_eq!(learned.automaton.nodes.len(), 5);
        assert!(learned.states <= 7, "{}", learned.states);
    }
}

#[test]
fn what_is_remembered_makes_states() {
    let learned = learned("counts", &["-static"]);
    // After n answers it has counted 0 to n: 1 + 2 + ... + 6, and seven ends.
    assert_eq!(learned.automaton.nodes.len(), 21 + 7);
    for there in 0..=6_usize {
        let mut answers = vec![Answer::Absent; 6];
        answers[..there].fill(Answer::Yes);
        assert_eq!(ends(&learned, &answers), i32::try_from(there).ok());
    }
}

#[test]
fn a_loop_is_a_loop() {
    let learned = learned("polls", &["-static"]);
    assert_eq!(learned.automaton.nodes.len(), 3);
    let answers = [Answer::Absent, Answer::Yes, Answer::Absent, Answer::Yes, Answer::Yes];
    assert_eq!(ends(&learned, &answers), Some(0));
}

#[test]
fn time_passes_by_sleeping() {
    let learned = learned("waits", &["-static"]);
    // Five sleeps of 10 ms, then it gives up.
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.extend([Answer::Absent, Answer::Yes]);
    }
    assert_eq!(ends(&learned, &answers), Some(3));
    assert_eq!(ends(&learned, &answers[..8]), None);
}

#[test]
fn clocks_and_addresses_are_the_same_at_each_start() {
    for how in [&[] as &[&str], &["-static"], &["-static-pie"]] {
        let learned = learned("clocks", how);
        let Question::Stat { module, .. } = &learned.automaton.nodes[0].question else { panic!() };
        assert!(module.starts_with("m0_0_0_0x7ff"), "{module}");
        assert!(module.ends_with("_1000"), "{module}");
    }
}

#[test]
fn an_attribute_byte_by_byte() {
    let learned = learned("bytes", &["-static"]);
    let questions: Vec<String> =
        learned.automaton.nodes.iter().map(|node| node.question.to_string()).collect();
    let expected = [
        "open /sys/module/fat/initstate",
        "exit 2",
        "read /sys/module/fat/initstate",
        "read /sys/module/fat/initstate to its end",
        "exit 1",
        "exit 0",
    ];
    assert_eq!(questions, expected);
}
