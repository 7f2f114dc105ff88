//! What loom explores, and what it does not.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex as PlainMutex};

use kmodcheck_runtime::{
    At, Loom, LoomOptions, Mutex, Queue, Runtime, RwLock, Sched, Stuck, TaskId, explore,
};

/// What two threads write down, in every order that loom explores.
fn orders(step: impl Fn(&Loom, usize) + Send + Sync + Clone + 'static) -> BTreeSet<Vec<usize>> {
    let seen: Arc<PlainMutex<BTreeSet<Vec<usize>>>> = Arc::default();
    let into = Arc::clone(&seen);
    let explored = explore(LoomOptions::default(), move |rt| {
        let log: Arc<PlainMutex<Vec<usize>>> = Arc::default();
        let write = |number: usize| {
            let (rt, log, step, into) = (rt.clone(), log.clone(), step.clone(), into.clone());
            move || {
                step(&rt, number);
                let mut log = log.lock().unwrap();
                log.push(number);
                if log.len() == 2 {
                    into.lock().unwrap().insert(log.clone());
                }
            }
        };
        let _ = rt.spawn(write(1));
        write(0)();
    });
    assert!(explored.exhaustive());
    seen.lock().unwrap().clone()
}

/// Two steps on two locks are independent, so one order stands for both: a property that is decided
/// by their order is lost, unless they share an object that loom tracks.
#[test]
fn the_order_of_independent_steps_is_lost() {
    let independent = |_: &Loom, _: usize| drop(Mutex::<Loom, ()>::new(()).lock());
    assert_eq!(orders(independent).len(), 1);
}

/// The same two steps; one of them takes a lock for reading that the other takes for writing. The
/// object is one of the execution's, so it is made by whoever comes first.
#[test]
fn the_order_of_steps_that_share_an_object_is_explored() {
    let seen: Arc<PlainMutex<BTreeSet<Vec<usize>>>> = Arc::default();
    for (readers, expected) in [(1, 2), (2, 1)] {
        seen.lock().unwrap().clear();
        let into = Arc::clone(&seen);
        let explored = explore(LoomOptions::default(), move |rt| {
            let shared: Arc<RwLock<Loom, ()>> = Arc::new(RwLock::new(2, ()));
            let log: Arc<PlainMutex<Vec<usize>>> = Arc::default();
            let write = |number: usize| {
                let (shared, log, into) = (shared.clone(), log.clone(), into.clone());
                move || {
                    let push = || {
                        let mut log = log.lock().unwrap();
                        log.push(number);
                        if log.len() == 2 {
                            into.lock().unwrap().insert(log.clone());
                        }
                    };
                    if number < readers {
                        let _guard = shared.read(TaskId(number));
                        push();
                    } else {
                        let _guard = shared.write();
                        push();
                    }
                }
            };
            let _ = rt.spawn(write(1));
            write(0)();
        });
        assert!(explored.exhaustive());
        assert_eq!(seen.lock().unwrap().len(), expected, "{readers} readers");
    }
}

/// Each combination of the choices of each thread is a script; a choice that only some executions
/// make is found.
#[test]
fn every_combination_of_choices_is_explored() {
    let seen: Arc<PlainMutex<BTreeSet<(usize, usize)>>> = Arc::default();
    let into = Arc::clone(&seen);
    let explored = explore(LoomOptions::default(), move |rt| {
        let first = rt.choose(At { task: 0, nth: 0 }, 3);
        let second = if first == 2 { rt.choose(At { task: 0, nth: 1 }, 2) } else { 9 };
        into.lock().unwrap().insert((first, second));
    });
    assert_eq!(explored.scripts, 6);
    assert_eq!(*seen.lock().unwrap(), BTreeSet::from([(0, 9), (1, 9), (2, 0), (2, 1)]));
}

/// A bound on preemptions, or on executions, is no exhaustive exploration, and says so.
#[test]
fn a_bounded_exploration_is_not_called_exhaustive() {
    let run = |rt: &Loom| {
        let lock = Arc::new(Mutex::<Loom, usize>::new(0));
        let other = Arc::clone(&lock);
        let thread = rt.spawn(move || *other.lock() += 1);
        *lock.lock() += 1;
        rt.join(thread);
    };
    for options in [
        LoomOptions { preemption_bound: Some(1), max_executions: None },
        LoomOptions { preemption_bound: None, max_executions: Some(1) },
    ] {
        let explored = explore(options, run);
        assert!(!explored.exhaustive());
        assert!(explored.to_string().contains("not exhaustive"), "{explored}");
    }
    let explored = explore(LoomOptions::default(), run);
    assert!(explored.exhaustive() && explored.executions > 1, "{explored}");
}

/// How a sleeper and a waker end, in every execution.
fn sleeper(waker: impl Fn(&Sched<Loom>) + Send + Sync + Clone + 'static) -> BTreeSet<bool> {
    let stuck: Arc<PlainMutex<BTreeSet<bool>>> = Arc::default();
    let into = Arc::clone(&stuck);
    let explored = explore(LoomOptions::default(), move |rt| {
        let sched = Arc::new(Sched::<Loom>::new(2));
        let word = Arc::new(Loom::atomic(0));
        let (in_thread, flag, waker) = (Arc::clone(&sched), Arc::clone(&word), waker.clone());
        let _ = rt.spawn(move || {
            // As `mod->state = MODULE_STATE_LIVE`: a store without a lock, in any order.
            Loom::store(&flag, 1, Relaxed);
            waker(&in_thread);
            in_thread.exit();
        });
        let slept = sched.wait_event(Queue(0), TaskId(0), || Loom::load(&word, Relaxed) == 1);
        into.lock().unwrap().insert(slept == Err(Stuck));
        sched.exit();
    });
    assert!(explored.exhaustive());
    stuck.lock().unwrap().clone()
}

/// Weak memory: a state that is stored without a lock, and a `wake_up_all()` after it, lose no
/// sleeper, because queue and wake-up take the queue's lock.
#[test]
fn a_store_before_a_wake_up_is_seen_by_who_was_woken() {
    let ends = sleeper(|sched| sched.wake_up_all(Queue(0), || {}));
    assert_eq!(ends, BTreeSet::from([false]));
}

/// Nobody wakes: that everybody is asleep is an outcome, and neither a panic nor a hang.
#[test]
fn a_missing_wake_up_leaves_the_sleeper_stuck() {
    assert_eq!(sleeper(|_| {}), BTreeSet::from([false, true]));
}

/// Weak memory, and why `waitqueue_active()` needs a barrier (include/linux/wait.h): a waker that
/// looks whether somebody waits, without one, can miss a sleeper who missed the state.
#[test]
fn looking_for_waiters_without_a_barrier_misses_one() {
    let both_missed = Arc::new(PlainMutex::new(false));
    let into = Arc::clone(&both_missed);
    explore(LoomOptions::default(), move |rt| {
        let (state, waiting) = (Arc::new(Loom::atomic(0)), Arc::new(Loom::atomic(0)));
        let (s, w) = (Arc::clone(&state), Arc::clone(&waiting));
        let waker = rt.spawn(move || {
            Loom::store(&s, 1, Relaxed);
            Loom::load(&w, Relaxed) == 1
        });
        Loom::store(&waiting, 1, Relaxed);
        let seen = Loom::load(&state, Relaxed) == 1;
        let woken = rt.join(waker);
        *into.lock().unwrap() |= !seen && !woken;
    });
    assert!(*both_missed.lock().unwrap());
}
