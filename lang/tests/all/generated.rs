//! Generated programs: the compiler against an interpreter that shares no code with it, and merged steps against
//! every access as a step.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::generate::programs;
use crate::naive::{Found, Naive};
use crate::sample::{for_all, long_sample};
use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_lang::text::parse;
use kmodcheck_lang::{Answer, Program};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// What the generator draws; each has to be drawn often.
const CONSTRUCTS: [&str; 64] = [
    "READ_ONCE(",
    "WRITE_ONCE(",
    "smp_load_acquire(",
    "smp_store_release(",
    "smp_mb(",
    "atomic_inc_return(",
    "atomic_inc(",
    "atomic_read(",
    "cmpxchg(",
    "xchg(",
    "atomic_add_unless(",
    "atomic_dec_and_test(",
    "choose(",
    "wake_up(",
    "wake_up_all(",
    "complete(",
    "complete_all(",
    "reinit_completion(",
    "completion_done(",
    "try_wait_for_completion(",
    "wait_for_completion(",
    "wait_for_completion_interruptible(",
    "wait_for_completion_timeout(",
    "up(&sem",
    "down(",
    "down_interruptible(",
    "down_timeout(",
    "down_trylock(",
    "twice(",
    "assert(",
    "narrow =",
    "queue_work(",
    "flush_work(",
    "cancel_work_sync(",
    "async_schedule(",
    "async_synchronize_full(",
    "= *n",
    "= *p",
    "is_locked(",
    "mutex_lock(",
    "mutex_trylock(",
    "mutex_lock_interruptible(",
    "mutex_lock_killable(",
    "spin_lock(",
    "spin_trylock(",
    "down_read(",
    "down_write(",
    "downgrade_write(",
    "down_read_trylock(",
    "down_write_trylock(",
    "down_write_killable(",
    "down_read_killable(",
    "rcu_read_lock(",
    "synchronize_rcu(",
    "wait_event(",
    "wait_event_interruptible(",
    "wait_event_killable(",
    "wait_event_timeout(",
    "wait_event_interruptible_timeout(",
    "switch (",
    "goto ",
    "return;",
    " ?: ",
    ", r0 + 1)",
];

/// So many states may the plain search of one program go through.
const MOST: usize = 6_000;

/// What both say.
fn said(answer: &Answer) -> Found {
    let blocked = answer.blocked.as_ref();
    Found {
        outcomes: (answer.outcomes.iter())
            .map(|outcome| outcome.values.iter().map(|(_, value)| value.clone()).collect())
            .collect(),
        blocked: blocked.is_some_and(|blocked| !blocked.until_time_out()),
        blocked_until_time_out: blocked.is_some(),
        fails: answer.failure.is_some(),
        states: 0,
    }
}

/// How often something was met.
type Counts = BTreeMap<&'static str, u64>;

/// Programs that are drawn from one seed.
const EACH: u64 = 50;

/// Draws [`EACH`] programs and compares; what was met, and which constructs were drawn.
fn compare(seed: u64) -> Result<(Counts, Counts), String> {
    let config = Config {
        cases: u32::try_from(EACH).unwrap(),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let drawn: RefCell<Counts> = RefCell::default();
    let told: RefCell<Counts> = RefCell::default();
    let count = |what: &'static str, is: bool| {
        *told.borrow_mut().entry(what).or_default() += u64::from(is);
    };
    let result = runner.run(&programs(), |program| {
        let text = program.text();
        let fail = |what: String| TestCaseError::fail(format!("{what}\n{text}"));
        let program = Program::read("generated", &text).map_err(|error| fail(error.to_string()))?;
        let file = parse("generated", &text).unwrap();
        let Some(mut naive) = Naive::new(&file).search(MOST) else {
            count("too large", true);
            return Ok(());
        };
        let states = naive.states;
        naive.states = 0;
        for construct in CONSTRUCTS {
            *drawn.borrow_mut().entry(construct).or_default() += u64::from(text.contains(construct));
        }
        let limits = Limits { states: Some(200_000), ..Limits::default() };
        let options = Options { limits, symmetry: true, ..Options::default() };
        let merged = program.answer(&options).map_err(|error| fail(error.to_string()))?;
        let all = program.every_access_a_step().answer(&options).unwrap();
        if matches!((merged.end, all.end), (End::PoolExhausted(_), End::PoolExhausted(_))) {
            count("more asynchronous runs than there may be", true);
            return Ok(());
        }
        for (how, answer) in [("merged", &merged), ("every access a step", &all)] {
            if answer.end != End::Complete {
                return Err(fail(format!("{how}: {:?}", answer.end)));
            }
            let said = said(answer);
            if said != naive {
                let more: BTreeSet<_> = said.outcomes.difference(&naive.outcomes).collect();
                let less: BTreeSet<_> = naive.outcomes.difference(&said.outcomes).collect();
                return Err(fail(format!(
                    "{how}: more {more:?}, less {less:?}; {:?}; blocked {} {}, fails {}; expected {} {}, {}",
                    answer.failure, said.blocked, said.blocked_until_time_out, said.fails, naive.blocked,
                    naive.blocked_until_time_out, naive.fails
                )));
            }
        }
        count("compared", true);
        count("blocked", naive.blocked);
        count("blocked until a time-out", naive.blocked_until_time_out && !naive.blocked);
        count("fails", naive.fails);
        count("several outcomes", naive.outcomes.len() > 1);
        count("fewer states when merged", merged.states < all.states);
        count("states, plainly", false);
        *told.borrow_mut().get_mut("states, plainly").unwrap() += states as u64;
        *told.borrow_mut().entry("states, every access a step").or_default() += all.states;
        *told.borrow_mut().entry("states, merged").or_default() += merged.states;
        Ok(())
    });
    result.map_err(|error| format!("seed {seed}: {error}"))?;
    Ok((told.into_inner(), drawn.into_inner()))
}

#[test]
fn as_an_interpreter_that_shares_nothing() {
    let seeds: Vec<u64> = long_sample(200 / EACH, 400 / EACH, 10_000 / EACH).seeds().collect();
    let (mut told, mut drawn) = (Counts::new(), Counts::new());
    for found in for_all(&seeds, |seed| compare(*seed)) {
        let found = found.unwrap_or_else(|error| panic!("{error}"));
        for (sums, more) in [(&mut told, found.0), (&mut drawn, found.1)] {
            more.into_iter().for_each(|(what, times)| *sums.entry(what).or_default() += times);
        }
    }
    println!("{told:#?}\n{drawn:#?}");
    assert!(told["compared"] * 2 > seeds.len() as u64 * EACH, "{told:?}");
    for what in [
        "blocked",
        "blocked until a time-out",
        "fails",
        "several outcomes",
        "fewer states when merged",
    ] {
        assert!(told[what] * 50 > told["compared"], "{what}: {told:?}");
    }
    for construct in CONSTRUCTS {
        let times = drawn[construct];
        assert!(times * 200 > told["compared"], "{construct} was drawn in {times}");
    }
}
