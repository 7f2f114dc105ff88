//! Runs processes in turn and takes medians.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// How to read counts from what a process printed: states and transitions.
pub type Counts = fn(&str) -> Option<(u64, u64)>;

/// One checker on one model.
pub struct Contestant {
    pub name: String,
    pub threads: usize,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// The exit statuses that are no failure.
    pub ends: &'static [i32],
    pub counts: Counts,
}

impl Contestant {
    /// This program, by itself.
    pub fn own(what: &str, name: &str, callers: usize, threads: usize) -> Result<Self, Failure> {
        let arguments = ["--run", what, &callers.to_string(), &threads.to_string()];
        Ok(Self {
            name: name.to_owned(),
            threads,
            program: std::env::current_exe()?,
            arguments: arguments.map(str::to_owned).to_vec(),
            ends: &[0],
            counts: |printed| {
                let (states, transitions) = printed.trim().split_once(' ')?;
                Some((states.parse().ok()?, transitions.parse().ok()?))
            },
        })
    }
}

/// What one checker took.
pub struct Measured {
    pub name: String,
    pub threads: usize,
    /// States and transitions.
    pub counts: (u64, u64),
    /// Seconds of each run, whole process: on the clock, and of processors.
    pub seconds: Vec<f64>,
    pub cpu_seconds: Vec<f64>,
    /// Most bytes resident in any run.
    pub bytes: u64,
}

impl Measured {
    /// Seconds on the clock, in the median.
    pub fn median(&self) -> f64 {
        median(&self.seconds)
    }

    /// Seconds of processors, in the median: what is left of other programs' work in it is what they
    /// do to the caches.
    pub fn cpu(&self) -> f64 {
        median(&self.cpu_seconds)
    }
}

/// The median of an odd number of values, or the lower middle one.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}

/// How often to run, and how long.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// Seconds after which a checker's first run is its only one.
    pub once: u64,
    /// Seconds after which a run is ended.
    pub most: u64,
}

/// Runs all of them in turn. Also returns who was not done in time, in words.
pub fn measure(
    contestants: &[Contestant],
    effort: Effort,
) -> Result<(Vec<Measured>, Vec<String>), Failure> {
    let mut measured: Vec<Option<Measured>> = contestants.iter().map(|_| None).collect();
    let mut late = BTreeMap::new();
    for _ in 0..effort.rounds.max(1) {
        for (i, (contestant, slot)) in contestants.iter().zip(&mut measured).enumerate() {
            let long = slot.as_ref().is_some_and(|m| m.seconds[0] > effort.once as f64);
            if long || late.contains_key(&i) {
                continue;
            }
            let Some(one) = run(contestant, effort.most)? else {
                let Contestant { name, threads, .. } = contestant;
                let most = effort.most;
                late.insert(i, format!("{name}, {threads} threads: not done after {most} s"));
                continue;
            };
            let counts = (contestant.counts)(&one.printed).ok_or_else(|| {
                format!("{}: no counts in what it printed: {}", contestant.name, one.printed)
            })?;
            let m = slot.get_or_insert_with(|| Measured {
                name: contestant.name.clone(),
                threads: contestant.threads,
                counts,
                seconds: Vec::new(),
                cpu_seconds: Vec::new(),
                bytes: 0,
            });
            if m.counts != counts {
                return Err(format!("{}: two runs, two results", contestant.name).into());
            }
            m.seconds.push(one.seconds);
            m.cpu_seconds.push(one.cpu_seconds);
            m.bytes = m.bytes.max(one.bytes);
        }
    }
    Ok((measured.into_iter().flatten().collect(), late.into_values().collect()))
}

/// One run. The most bytes resident and the processor's time are what a look every few milliseconds
/// sees.
struct Run {
    printed: String,
    seconds: f64,
    cpu_seconds: f64,
    bytes: u64,
}

/// Runs once. `None`: it was ended after `most` seconds.
fn run(contestant: &Contestant, most: u64) -> Result<Option<Run>, Failure> {
    let started = Instant::now();
    let mut child = Command::new(&contestant.program)
        .args(&contestant.arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", contestant.program.display()))?;
    let pipe = child.stdout.take();
    // Read all the while: a full pipe would hold the process up.
    let reader = std::thread::spawn(move || {
        let mut printed = String::new();
        pipe.map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut printed)).map(|_| printed)
    });
    let (mut bytes, mut cpu_seconds) = (0, 0.0);
    let status = loop {
        cpu_seconds = cpu(child.id()).unwrap_or(cpu_seconds);
        bytes = bytes.max(resident(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > Duration::from_secs(most) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = started.elapsed().as_secs_f64();
    let printed = reader.join().map_err(|_| "the reader of a pipe panicked")??;
    if !status.code().is_some_and(|code| contestant.ends.contains(&code)) {
        return Err(format!("{} ended with {status}: {printed}", contestant.name).into());
    }
    Ok(Some(Run { printed, seconds, cpu_seconds, bytes }))
}

/// The most bytes that a process had resident until now.
fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Seconds of processors that a process has had, for itself and for the kernel; of an ended one, too,
/// until it is waited for. Linux counts them in hundredths for everybody who reads this file.
fn cpu(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name in brackets, which may hold anything, the 12th and 13th field.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let hundredths: u64 =
        fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(hundredths as f64 / 100.0)
}
