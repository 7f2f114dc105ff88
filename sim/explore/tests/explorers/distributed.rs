//! The distributed search against the local one, to the last digit: on random systems, on one and
//! several workers, in one process and over sockets on loopback.

use std::net::TcpListener;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::common::erased::{InNumbers, explore, explore_distributed};
use crate::common::random_system::RandomSystem;
use crate::common::reference_model::ReferenceModel;
use crate::common::same::{Properties, same};
use crate::common::sample::sample;
use kmodcheck_explore::distributed::net::{Net, Secret, connect};
use kmodcheck_explore::{CountOnly, Exploration, Monitor, Own};
use kmodcheck_explore::{End, Limits, Options, System};

/// Ports that were free a moment ago.
fn hosts(processes: usize) -> Vec<String> {
    let listeners: Vec<_> =
        (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|l| l.local_addr().unwrap().to_string()).collect()
}

const PATIENCE: Duration = Duration::from_secs(30);

/// The search by several processes, each played by a thread: all that they share is sockets.
fn over_sockets<S: System<Label: InNumbers>, M: Monitor<S::Label, Tally: 'static>>(
    (system, monitor): (&S, &M),
    processes: usize,
    options: &Options<'_>,
    secret: Option<&Secret>,
) -> Exploration<S::Label, M::Tally> {
    let hosts = &hosts(processes);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..processes)
            .map(|process| {
                scope.spawn(move || {
                    let net = connect(hosts, process, &[7; 32], secret, PATIENCE).unwrap();
                    explore_distributed(system, monitor, options, net).expect("it fits")
                })
            })
            .collect();
        let mut found: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(found[1..].iter().all(Option::is_none), "the first has the result");
        found.swap_remove(0).expect("the first has the result")
    })
}

#[test]
fn as_the_local_search_on_random_systems() {
    let mut violated = 0;
    let mut stuck = 0;
    let systems = sample(40, 300);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let options = Options { symmetry: seed % 2 == 0, ..Options::default() };
        let expected = explore(&system, &Properties(&system), &options).expect("it fits");
        // Of a search that ends early the counts depend on when.
        if expected.end != End::Complete {
            continue;
        }
        violated += expected.violations.len();
        stuck += usize::from(expected.stuck.is_some());
        for threads in [1, 3] {
            let options = Options { threads, ..options };
            let found = explore_distributed(&system, &Properties(&system), &options, Net::alone());
            let found = found.expect("it fits").expect("this is the first");
            same(&format!("seed {seed}, {threads} workers"), &found, &expected);
            assert!(matches!(found.own, Own::Distributed { because: None, .. }));
        }
        if seed % 10 == 0 {
            let options = Options { threads: 1 + seed as usize / 10 % 2, ..options };
            let monitor = Properties(&system);
            for processes in [2, 4] {
                let found = over_sockets((&system, &monitor), processes, &options, None);
                let what = format!("seed {seed}, {processes} processes");
                same(&what, &found, &expected);
            }
        }
    }
    let enough = systems.met_enough(violated, 200) && systems.met_enough(stuck, 20);
    assert!(enough, "{violated} violations, {stuck} stuck");
}

#[test]
fn the_reference_model_over_sockets() {
    let system = ReferenceModel { callers: 4, v19: true };
    let expected = explore(&system, &CountOnly, &Options::default()).expect("it fits");
    assert_eq!(expected.states, 63_973);
    // Once more with all that is said coded.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a secret of thirty-two bytes, or more").unwrap();
    let secret = Secret::read(file.path()).unwrap();
    for (processes, threads) in [(1, 2), (2, 1), (2, 2), (4, 1)] {
        let options = Options { threads, ..Options::default() };
        for secret in [None, Some(&secret)] {
            let found = over_sockets((&system, &CountOnly), processes, &options, secret);
            same("N = 4", &found, &expected);
            let Own::Distributed { sent, .. } = found.own else { panic!("{:?}", found.own) };
            assert!(sent > 10_000, "{sent} states were sent");
        }
    }
}

#[test]
fn a_limit_of_one_worker_stops_all_without_a_verdict() {
    let system = ReferenceModel { callers: 5, v19: true };
    let stop = AtomicBool::new(true);
    let limited =
        |limits, interrupt| Options { threads: 1, limits, interrupt, ..Options::default() };
    let memory = Limits { bytes: Some(200_000), ..Limits::default() };
    let states = Limits { states: Some(1_000), ..Limits::default() };
    let time = Limits { time: Some(Duration::ZERO), ..Limits::default() };
    for (options, end, why) in [
        (limited(memory, None), End::MemoryLimit, "no room for more states"),
        (limited(states, None), End::StatesLimit, "states"),
        (limited(time, None), End::TimeLimit, "0 s are over"),
        (limited(Limits::default(), Some(&stop)), End::Interrupted, "interrupted"),
    ] {
        let found = over_sockets((&system, &CountOnly), 2, &options, None);
        assert_eq!(found.end, end);
        assert!(found.states < 878_304);
        let Own::Distributed { because: Some(because), .. } = found.own else {
            panic!("{:?} does not say why", found.own)
        };
        assert!(because.contains(why), "{because}");
    }
}
