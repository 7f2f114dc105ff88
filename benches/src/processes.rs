//! The distributed search beside the local one, on the reference model: states per second, memory of
//! each process, and what is exchanged. Interleaved runs, each in processes of its own; medians.
//!
//! `cargo run --release -p kmodcheck-benches --bin processes -- --callers 6,7`

/// What went wrong, in words.
type Failure = Box<dyn std::error::Error>;

#[allow(dead_code, reason = "the other benches use the rest")]
mod ours;

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use comfy_table::{Table, presets};
use kmodcheck_explore::Own;
use kmodcheck_explore::distributed::net::{Net, connect, exit_when_a_process_is_gone};

/// Measures the local and the distributed search on the reference model.
#[derive(Parser)]
struct Arguments {
    /// Callers of the model.
    #[arg(long, value_delimiter = ',', default_values_t = [6])]
    callers: Vec<usize>,
    /// Runs of each, of which the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// One process of one run: callers, threads, and for a distributed one its number and the hosts.
    #[arg(long, hide = true, num_args = 2..=4)]
    one: Option<Vec<String>>,
}

/// A way to run it.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// 0: the local search.
    processes: usize,
    threads: usize,
}

const WAYS: [Way; 6] = [
    Way { name: "local, 1 thread", processes: 0, threads: 1 },
    Way { name: "local, 2 threads", processes: 0, threads: 2 },
    Way { name: "timely, 1 process, 1 worker", processes: 1, threads: 1 },
    Way { name: "timely, 1 process, 2 workers", processes: 1, threads: 2 },
    Way { name: "timely, 2 processes, 1 worker each", processes: 2, threads: 1 },
    Way { name: "timely, 4 processes, 1 worker each", processes: 4, threads: 1 },
];

/// What one run came to: counts, seconds, states sent, and the most memory of any process, in MiB.
#[derive(Clone, Copy, Debug)]
struct Measured {
    states: u64,
    transitions: u64,
    seconds: f64,
    sent: u64,
    memory: u64,
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(one) = arguments.one {
        return play(&one);
    }
    for callers in arguments.callers {
        let mut runs: Vec<Vec<Measured>> = vec![Vec::new(); WAYS.len()];
        for _ in 0..arguments.rounds {
            for (way, runs) in WAYS.iter().zip(&mut runs) {
                runs.push(measure(*way, callers));
            }
        }
        print(callers, &runs);
    }
}

fn print(callers: usize, runs: &[Vec<Measured>]) {
    let counts = runs.iter().flatten().map(|run| (run.states, run.transitions));
    let counts: std::collections::BTreeSet<_> = counts.collect();
    assert_eq!(counts.len(), 1, "all count the same: {counts:?}");
    let (states, transitions) = counts.into_iter().next().expect("there is a run");
    println!("N = {callers}: {states} states, {transitions} transitions, counted by all alike");
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "",
        "s",
        "M states/s",
        "MiB of the largest process",
        "states sent, of transitions",
    ]);
    for (way, runs) in WAYS.iter().zip(runs) {
        let mut runs = runs.clone();
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let median = runs[runs.len() / 2];
        table.add_row([
            way.name.to_owned(),
            format!("{:.2}", median.seconds),
            format!("{:.2}", states as f64 / median.seconds / 1e6),
            median.memory.to_string(),
            match way.processes {
                0 => String::new(),
                _ => format!("{:.0} %", 100.0 * median.sent as f64 / transitions as f64),
            },
        ]);
    }
    println!("{table}\n");
}

fn measure(way: Way, callers: usize) -> Measured {
    let me = std::env::current_exe().expect("this program has a file");
    let listeners: Vec<_> = (0..way.processes)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port is free"))
        .collect();
    let hosts: Vec<String> =
        listeners.iter().map(|l| l.local_addr().expect("it is bound").to_string()).collect();
    drop(listeners);
    let start = |process: usize| {
        let mut command = Command::new(&me);
        command.arg("--one").arg(callers.to_string()).arg(way.threads.to_string());
        if way.processes > 0 {
            command.arg(process.to_string()).arg(hosts.join(","));
        }
        command.stdout(Stdio::piped()).spawn().expect("this program can be started")
    };
    let all: Vec<_> = (0..way.processes.max(1)).map(start).collect();
    let lines = all.into_iter().map(|child| {
        let output = child.wait_with_output().expect("it was started");
        assert!(output.status.success(), "{}: {}", way.name, output.status);
        let line = String::from_utf8(output.stdout).expect("numbers");
        line.split_whitespace().map(|n| n.parse::<f64>().expect("numbers")).collect::<Vec<f64>>()
    });
    let lines: Vec<Vec<f64>> = lines.collect();
    Measured {
        states: lines[0][0] as u64,
        transitions: lines[0][1] as u64,
        seconds: lines[0][2],
        sent: lines[0][3] as u64,
        memory: lines.iter().map(|line| line[4] as u64).max().expect("there is one"),
    }
}

/// One process of a run: prints what it measured.
fn play(one: &[String]) {
    let number = |i: usize| one[i].parse::<usize>().expect("a number");
    let (callers, threads) = (number(0), number(1));
    let started;
    let (exploration, sent) = if one.len() == 2 {
        started = Instant::now();
        (Some(ours::run(callers, (false, false), threads, None).expect("it fits")), 0)
    } else {
        let hosts: Vec<String> = one[3].split(',').map(str::to_owned).collect();
        let net = match hosts.len() {
            1 => Net::alone(),
            _ => {
                exit_when_a_process_is_gone(hosts.clone(), 2);
                connect(&hosts, number(2), &[0; 32], None, Duration::from_secs(30))
                    .expect("all are there")
            }
        };
        started = Instant::now();
        let found = ours::run_distributed(callers, threads, net).expect("it fits");
        let sent = match found.as_ref().map(|found| &found.own) {
            Some(Own::Distributed { sent, .. }) => *sent,
            _ => 0,
        };
        (found, sent)
    };
    let seconds = started.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let (states, transitions) = exploration.map_or((0, 0), |e| (e.states, e.transitions));
    println!("{states} {transitions} {seconds} {sent} {}", kib.unwrap_or(0) >> 10);
}
