//! Drawing, keeping and running again.

use std::sync::Arc;

use kmodcheck_runtime::{
    At, Mutex, Queue, Runtime, Sched, Schedule, Scheduler, Shuttle, Stuck, TaskId, draw, replay,
};

/// Whether the other thread got in between two critical sections of this one, and a choice was 2.
fn torn(rt: &Shuttle) -> bool {
    let word = Arc::new(Mutex::<Shuttle, usize>::new(0));
    let other = Arc::clone(&word);
    let thread = rt.spawn(move || *other.lock() += 1);
    let before = *word.lock();
    let after = *word.lock();
    rt.join(thread);
    before != after && rt.choose(At { task: 0, nth: 0 }, 3) == 2
}

#[test]
fn what_ended_a_drawing_replays() {
    for scheduler in [Scheduler::Random, Scheduler::Pct { depth: 2 }] {
        let drawn = draw(scheduler, 1, 10_000, torn);
        let schedule = drawn.ended_by.expect("found");
        let saved = schedule.to_string();
        assert_eq!(saved.parse::<Schedule>().unwrap(), schedule);
        assert!(replay(&schedule, torn));
        assert_eq!(draw(scheduler, 1, 10_000, torn).ended_by, Some(schedule), "the same seed");
    }
}

#[test]
fn a_bad_schedule_is_an_error_with_its_line() {
    for (text, line) in [
        ("", 1),
        ("kmodcheck-schedule 2\nseed 1\n0", 1),
        ("kmodcheck-schedule 1\nsed 1\n0", 2),
        ("kmodcheck-schedule 1\nseed -1\n0", 2),
        ("kmodcheck-schedule 1\nseed 1\n0 one", 3),
        ("kmodcheck-schedule 1\nseed 1\n0x99999999999", 3),
        ("kmodcheck-schedule 1\nseed 1\n0x", 3),
    ] {
        assert_eq!(text.parse::<Schedule>().unwrap_err().line, line, "{text}");
    }
}

#[test]
fn everybody_asleep_is_an_outcome() {
    let drawn = draw(Scheduler::Random, 1, 100, |rt| {
        let sched = Arc::new(Sched::<Shuttle>::new(2));
        let other = Arc::clone(&sched);
        let sleep = move |task| other.wait_event(Queue(task), TaskId(task), || false);
        let first = sleep.clone();
        let thread = rt.spawn(move || first(1));
        let slept = sleep(0);
        assert_eq!((slept, rt.join(thread)), (Err(Stuck), Err(Stuck)));
        false
    });
    assert_eq!(drawn.executions, 100);
}
