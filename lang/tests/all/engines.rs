//! Programs are systems like any other: every engine takes them. And hosts, which answer for functions of theirs.

use kmodcheck_explore::coverability::{Family, Outcome, Question, Setup, Smallest, smallest};
use kmodcheck_explore::liveness::fairness;
use kmodcheck_explore::{
    CountOnly, Effect, Footprint, Kind, Options, Shared, WayOut, explore, explore_counted,
    explore_reduced,
};
use kmodcheck_lang::{External, Failing, Host, HostOutcome, Observation, Program};

use crate::constructs::program;

const SAFE: &str = "DEFINE_MUTEX(m); bool inside;
    P0 ... P2() { while (1) { mutex_lock(&m); assert(!inside); inside = 1; inside = 0; mutex_unlock(&m); } }";

/// Everybody looks whether somebody is inside, and goes in.
const UNSAFE: &str = "bool inside;
    P0 ... P2() { while (1) { if (!inside) { assert(!xchg(&inside, 1)); inside = 0; } } }";

#[test]
fn counted_instead_of_numbered() {
    for text in [SAFE, UNSAFE] {
        for text in [text.to_owned(), text.replace("P2", "P4")] {
            let every = || program(&text).every_access_a_step();
            let symmetric = Options { symmetry: true, ..Options::default() };
            let plain = explore(&every(), &CountOnly, &symmetric).unwrap();
            let counted = explore_counted(&every(), &CountOnly, &Options::default()).unwrap();
            assert_eq!(counted.states, plain.states);
        }
    }
    let many = SAFE.replace("P2", "P99");
    assert!(
        explore_counted(&program(&many), &Failing, &Options::default())
            .unwrap()
            .violations
            .is_empty()
    );
}

/// What a step declares to read and write is what it reads and writes.
#[test]
fn orders_left_out() {
    for (text, fails) in [(SAFE, false), (UNSAFE, true)] {
        let program = program(text).every_access_a_step();
        let reduced = explore_reduced(&program, &Failing, &Options::default()).unwrap();
        assert_eq!(!reduced.violations.is_empty(), fails);
        let plain = explore(&program, &Failing, &Options::default()).unwrap();
        assert_eq!(!plain.violations.is_empty(), fails);
        assert!(reduced.states <= plain.states);
    }
}

#[test]
fn any_number_of_processes() {
    for (text, holds) in [(SAFE, true), (UNSAFE, false)] {
        let program = program(text);
        let family = Family::new(&program, &[Kind(0)], &[]).unwrap();
        let question = Question { monitor: Failing, without_history: 1 };
        let setup = Setup::new(&family, &question, &Options::default()).unwrap();
        let outcome = setup.prove(1, &Options::default()).unwrap();
        assert_eq!(matches!(outcome, Outcome::Holds(_)), holds, "{outcome:?}");
        let found = smallest(&family, &Failing, 0, 3, &Options::default()).unwrap();
        assert_eq!(matches!(found, Smallest::Violated { .. }), !holds, "{found:?}");
    }
}

#[test]
fn who_goes_round_for_ever() {
    let waits =
        "P0(int *x) { while (!READ_ONCE(*x)) cpu_relax(); } P1(int *x) { WRITE_ONCE(*x, 1); }";
    let found = fairness(&program(waits), &Options::default()).unwrap();
    assert!(found.asleep.is_none() && found.overtaken.is_none());
    let never = waits.replace("*x, 1", "*x, 0");
    let found = fairness(&program(&never), &Options::default()).unwrap();
    assert!(found.asleep.is_none() && found.overtaken.is_some());
}

/// Hands out tickets, at most three.
struct Tickets(Vec<External>);

impl Host for Tickets {
    fn externals(&self) -> &[External] {
        &self.0
    }

    fn shared_bits(&self) -> u32 {
        2
    }

    fn initial(&self) -> Shared {
        1
    }

    fn call(
        &self,
        external: usize,
        arguments: &[i64],
        shared: Shared,
        ways: &mut Vec<HostOutcome>,
    ) {
        let way = |shared: Shared, result: i64, way_out| HostOutcome {
            shared,
            result,
            effect: Effect::None,
            way_out,
            footprint: Footprint::EVERYTHING,
        };
        match external {
            // Waits as long as there is none.
            0 if shared < 3 => ways.push(way(shared + 1, shared as i64, WayOut::Ordinary)),
            0 => ways.push(way(shared, -4, WayOut::Killed)),
            _ => ways.push(way(arguments[0] as Shared, 0, WayOut::Ordinary)),
        }
    }
}

fn hosted(body: &str) -> Result<Program, String> {
    let external = |name: &str, parameters: usize, results: &[i64]| External {
        name: name.to_owned(),
        text: None,
        status: false,
        parameters,
        results: results.to_vec(),
        sleeps: true,
    };
    let all = vec![external("take_ticket", 0, &[-4, 1, 2]), external("set_tickets", 1, &[])];
    let text = format!("C hosted\n{{}}\n{body}");
    Program::read_for("hosted", &text, Box::new(Tickets(all))).map_err(|error| error.to_string())
}

#[test]
fn a_host_answers() {
    let text = "int x; P0 ... P2() { int r = take_ticket(); if (r == 2) x = 1; } exists (x=1)";
    let answer = hosted(text).unwrap().answer(&Options::default()).unwrap();
    // The third waits, unless there is a signal.
    assert_eq!(answer.observation, Observation::Always);
    assert!(answer.blocked.is_some());
    let freed = text.replace("if (r == 2) x = 1;", "if (r == 2) x = 1; set_tickets(1);");
    let answer = hosted(&freed).unwrap().answer(&Options::default()).unwrap();
    assert!(answer.blocked.is_none());
    let wrong = hosted("P0() { take_ticket(1); }").err().unwrap();
    assert!(wrong.contains("found 1 arguments"), "{wrong}");
    let wrong = hosted("P0(spinlock_t *s) { spin_lock(s); set_tickets(1); spin_unlock(s); }")
        .err()
        .unwrap();
    assert!(wrong.contains("which may sleep"), "{wrong}");
}
