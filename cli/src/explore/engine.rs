//! Where a check is explored: in this process, or in several.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use kmodcheck_explore::checkpoint::Checkpoint;
use kmodcheck_explore::counted::MAX_COUNTED;
use kmodcheck_explore::distributed::DistributedError;
use kmodcheck_explore::distributed::net::{
    Net, NetError, Secret, connect, drawn, exit_when_a_process_is_gone,
};
use kmodcheck_explore::{MAX_PROCESSES, Options, Own, Unexplorable};
use kmodcheck_model::Model;
use kmodcheck_properties::Report;
use kmodcheck_properties::verdict::{self, EngineError, check_by};
use sha2::{Digest, Sha256};

use crate::args::scale::{Engine, EngineArguments};
use crate::input::files;
use crate::output::Failure;
use crate::sources;

/// How a process ends that has lost another.
const GONE: i32 = 2;

/// The processes' addresses, for those that this command starts itself.
const PROCESSES: &str = "KMODCHECK_PROCESSES";
/// Which of them one is.
const PROCESS: &str = "KMODCHECK_PROCESS";
/// What only they know. Other users cannot read the environment of a process.
const SECRET: &str = "KMODCHECK_SECRET";

/// What was given besides, of which not every engine heeds everything.
pub(crate) struct Given {
    pub threads: bool,
    pub no_symmetry: bool,
    pub follow_all: bool,
    pub witness: bool,
    pub faults: bool,
}

/// Whether the engine heeds all that was given.
pub(crate) fn heeds(asked: &EngineArguments, given: &Given) -> Result<(), Failure> {
    use Engine::{Counted, Exhaustive, Timely};
    let flags: [(&str, bool, &[Engine]); 9] = [
        ("--processes", asked.processes.is_some(), &[Timely]),
        ("--hosts", asked.hosts.is_some(), &[Timely]),
        ("--connect-timeout", asked.connect_timeout.is_some(), &[Timely]),
        ("--checkpoint", asked.checkpoint.is_some(), &[Exhaustive]),
        ("--witness", given.witness, &[Exhaustive]),
        ("--faults", given.faults, &[Exhaustive]),
        ("--threads", given.threads, &[Exhaustive, Timely]),
        ("--follow-all", given.follow_all, &[Exhaustive, Counted, Timely]),
        ("--no-symmetry", given.no_symmetry, &[Exhaustive, Timely]),
    ];
    for (flag, is_given, by) in flags {
        if is_given && !by.contains(&asked.engine) {
            let by: Vec<String> = by.iter().map(|e| format!("--engine {}", e.name())).collect();
            let (engine, by) = (asked.engine.name(), by.join(" or "));
            return Err(format!("found {flag} with --engine {engine}, expected {by}").into());
        }
    }
    Ok(())
}

/// The verdicts; none in a process that only helps another.
pub(crate) fn check(
    model: &Model,
    options: &Options<'_>,
    asked: &EngineArguments,
) -> Result<Option<Report>, Failure> {
    let engine = match (asked.engine, &asked.checkpoint) {
        (Engine::Timely, _) => return distributed(model, options, asked),
        (Engine::Exhaustive, Some(directory)) => {
            let checkpoint = Checkpoint {
                directory: directory.clone(),
                every: Duration::from_secs(asked.checkpoint_every),
                build: sources::build(),
                purpose: purpose(model)?,
            };
            let by = verdict::Engine::Checkpointed(&checkpoint);
            return check_by(model, options, by).map(Some).map_err(instead);
        }
        (Engine::Exhaustive, None) => verdict::Engine::Exhaustive,
        (Engine::Counted, _) => verdict::Engine::Counted,
        (Engine::Directed, _) => verdict::Engine::Directed,
    };
    check_by(model, options, engine).map(Some).map_err(instead)
}

/// Why there is no answer, and which engine has one.
fn instead(error: EngineError) -> Failure {
    match error {
        EngineError::Unexplorable(Unexplorable::TooManyProcesses {
            most: MAX_PROCESSES,
            found,
        }) if found <= MAX_COUNTED => format!(
            "{error}: --engine counted takes up to {MAX_COUNTED}, and --engine directed looks for \
                 violations among as many"
        )
        .into(),
        error => error.into(),
    }
}

fn distributed(
    model: &Model,
    options: &Options<'_>,
    asked: &EngineArguments,
) -> Result<Option<Report>, Failure> {
    let (hosts, process, secret, children) = match &asked.hosts {
        Some(file) => {
            let hosts = read_hosts(file)?;
            let process = asked.process.expect("clap asks for it");
            if process >= hosts.len() {
                let (file, lines) = (file.display(), hosts.len());
                return Err(format!(
                    "found --process {process}, expected 0 to {}: {file} has {lines} hosts",
                    lines - 1
                )
                .into());
            }
            let secret = asked.secret_file.as_deref().map(Secret::read).transpose()?;
            (hosts, process, secret, Vec::new())
        }
        None => started_here(usize::from(asked.processes.unwrap_or(1)))?,
    };
    let watchers = watched(children)?;
    if hosts.len() > 1 {
        exit_when_a_process_is_gone(hosts.clone(), GONE);
    }
    let patience = Duration::from_secs(asked.connect_timeout.unwrap_or(60));
    let net = match hosts.len() {
        1 => Net::alone(),
        _ => {
            let purpose = common_purpose(model, options, hosts.len())?;
            connect(&hosts, process, &purpose, secret.as_ref(), patience).map_err(|error| {
                match error {
                    NetError::Different { .. } => {
                        format!("{error} (this is build {})", sources::build_in_words()).into()
                    }
                    _ => Failure::from(error),
                }
            })?
        }
    };
    let report = check_by(model, options, verdict::Engine::OverProcesses(net));
    for watcher in watchers {
        let _ = watcher.join();
    }
    match report {
        Ok(report) => {
            announce(&report, hosts.len(), options.threads);
            Ok(Some(report))
        }
        Err(EngineError::Distributed(DistributedError::Elsewhere)) => Ok(None),
        Err(error) => Err(instead(error)),
    }
}

/// Says how it was explored, and why it ended, where that is not the verdicts' business.
fn announce(report: &Report, processes: usize, workers: usize) {
    let Own::Distributed { because, sent } = &report.own else { return };
    crate::output::note!(
        "kmodcheck: timely: {processes} processes of {workers} workers, {sent} states exchanged, {} B a state",
        report.bytes.div_ceil(report.states.max(1))
    );
    if let Some(because) = because {
        crate::output::note!("kmodcheck: out of budget: {because}");
    }
}

/// What makes a search this one, but for what it was built of.
fn purpose(model: &Model) -> Result<[u8; 32], Failure> {
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(model.scenario())?);
    Ok(digest.finalize().into())
}

/// What all processes have to agree on.
fn common_purpose(
    model: &Model,
    options: &Options<'_>,
    processes: usize,
) -> Result<[u8; 32], Failure> {
    let mut digest = Sha256::new();
    digest.update(sources::build());
    digest.update(purpose(model)?);
    let Options { symmetry, follow_all, threads, limits, stop_when_violated, .. } = options;
    digest.update(format!(
        "{symmetry} {follow_all} {threads} {processes} {:?} {:?} {stop_when_violated}",
        limits.states, limits.time
    ));
    Ok(digest.finalize().into())
}

/// The hosts of a file: one a line, empty lines and those that begin with # aside.
fn read_hosts(file: &std::path::Path) -> Result<Vec<String>, Failure> {
    let text = files::read(file)?;
    let mut hosts = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let port = line.rsplit_once(':').and_then(|(host, port)| {
            port.parse::<u16>().ok().filter(|port| *port > 0 && !host.is_empty())
        });
        if port.is_none() || line.contains(char::is_whitespace) {
            let (file, number) = (file.display(), number + 1);
            return Err(format!("{file}:{number}: found '{line}', expected HOST:PORT").into());
        }
        if let Some(before) = hosts.iter().position(|host| host == line) {
            let (file, number) = (file.display(), number + 1);
            return Err(format!(
                "{file}:{number}: found '{line}' again, expected another than that of process {before}"
            )
            .into());
        }
        hosts.push(line.to_owned());
    }
    if hosts.is_empty() {
        return Err(format!("{}:1: found no host, expected HOST:PORT", file.display()).into());
    }
    Ok(hosts)
}

/// Processes on this machine.
type Here = (Vec<String>, usize, Option<Secret>, Vec<Child>);

/// The processes on this machine: their addresses, which this one is, what only they know, and, in the
/// first, the others.
fn started_here(processes: usize) -> Result<Here, Failure> {
    if let (Ok(hosts), Ok(process)) = (std::env::var(PROCESSES), std::env::var(PROCESS)) {
        let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
        let last = hosts.len() - 1;
        let number = process.parse().ok().filter(|number| *number <= last);
        let number = number.ok_or_else(|| {
            format!("{PROCESS}: found '{process}', expected 0 to {last}, as {PROCESSES} has it")
        })?;
        let secret = std::env::var(SECRET)
            .map_err(|_| format!("{SECRET}: found none, expected what the first process drew"))?;
        return Ok((hosts, number, Some(Secret::of_one_machine(&secret)), Vec::new()));
    }
    // Ports that are free now. Whoever takes one in between does not have the secret.
    let secret = drawn()?;
    let listeners: Vec<TcpListener> =
        (0..processes).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let hosts: Vec<String> = listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.to_string()))
        .collect::<Result<_, std::io::Error>>()?;
    drop(listeners);
    let command = std::env::current_exe()?;
    let mut children = Vec::new();
    for process in 1..processes {
        let child = Command::new(&command)
            .args(std::env::args_os().skip(1))
            .env(PROCESSES, hosts.join(","))
            .env(PROCESS, process.to_string())
            .env(SECRET, &secret)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match child {
            Ok(child) => children.push(child),
            Err(error) => {
                end(&mut children);
                return Err(format!("process {process} cannot be started: {error}").into());
            }
        }
    }
    Ok((hosts, 0, Some(Secret::of_one_machine(&secret)), children))
}

/// Ends processes that would wait for others in vain.
fn end(children: &mut [Child]) {
    for child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// For each process that this one has started, a thread that waits for it.
fn watched(mut children: Vec<Child>) -> Result<Vec<JoinHandle<()>>, Failure> {
    // All threads are there before any child is handed to one.
    let mut watchers = Vec::new();
    let mut tell = Vec::new();
    for number in 1..=children.len() {
        let (to, from) = channel::<Child>();
        let watcher = Builder::new().spawn(move || {
            if let Ok(child) = from.recv() {
                watch(child, number);
            }
        });
        match watcher {
            Ok(watcher) => watchers.push(watcher),
            Err(error) => {
                end(&mut children);
                return Err(format!("no thread to wait for process {number}: {error}").into());
            }
        }
        tell.push(to);
    }
    for (to, child) in tell.iter().zip(children) {
        let _ = to.send(child);
    }
    Ok(watchers)
}

/// Waits for a process that this one has started.
fn watch(mut child: Child, number: usize) {
    let status = match child.wait() {
        Ok(status) if status.success() => return,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    crate::output::note!("kmodcheck: process {number} is gone: {status}; no verdict");
    std::process::exit(GONE);
}
