//! An instance of tracefs of our own: everything in it is set, read, and taken away again. What the machine
//! traces besides is left alone.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use kmodcheck_sim::trace::ftrace::parse::cpu_of;

use super::probes::{Chosen, EVENTS};
use crate::output::{self, Failure};

/// What instances are called, before the number of the process; groups of probes have an underscore.
const NAME: &str = "kmodcheck";

/// Where tracefs may be.
const ROOTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// What was recorded.
pub(super) struct Trace {
    pub text: String,
    /// Why something is missing in it, if something is.
    pub lost: Vec<String>,
}

/// An instance, and the probes that belong to it. Taken away when it is dropped.
pub(super) struct Instance {
    root: PathBuf,
    path: PathBuf,
    group: String,
    probes: Vec<&'static str>,
    /// Hits of probes that were missed before ours were set, by event.
    missed: Vec<u64>,
}

/// Where tracefs is, if everything that is needed is there and allowed.
///
/// # Errors
/// What is missing, or not allowed.
pub(super) fn root() -> Result<PathBuf, Failure> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let user = user.and_then(|ids| ids.split_whitespace().nth(1)).unwrap_or("unknown");
    if user != "0" {
        return Err(format!(
            "found user {user}, expected root: only root may set probes (--print writes them down)"
        )
        .into());
    }
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    if lockdown.contains("[confidentiality]") {
        return Err(
            "/sys/kernel/security/lockdown: found confidentiality, expected none or integrity: \
                    a kernel that is locked down so far sets no probes"
                .into(),
        );
    }
    let mounted = ROOTS.map(PathBuf::from).into_iter().find(|root| root.join("events").is_dir());
    let Some(root) = mounted else {
        return Err(format!(
            "{}: found no tracefs there, expected it: mount -t tracefs tracefs {0}, of a kernel with \
             CONFIG_FTRACE",
            ROOTS[0]
        )
        .into());
    };
    let at = root.display();
    if !root.join("kprobe_events").is_file() {
        return Err(format!(
            "{at}: found no kprobe_events, expected a kernel with CONFIG_KPROBE_EVENTS"
        )
        .into());
    }
    if !root.join("events/syscalls").is_dir() {
        return Err(format!(
            "{at}: found no events/syscalls, expected a kernel with CONFIG_FTRACE_SYSCALLS"
        )
        .into());
    }
    Ok(root)
}

/// Writes to a file of tracefs, which is there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let file = fs::OpenOptions::new().append(true).open(path);
    // One write is one command.
    let written = file.and_then(|mut file| file.write_all(format!("{text}\n").as_bytes()));
    written.map_err(|error| format!("{}: cannot write '{text}': {error}", path.display()).into())
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Hits that were missed, of each probe.
fn missed(root: &Path, probes: &[&'static str]) -> Vec<u64> {
    let profile = fs::read_to_string(root.join("kprobe_profile")).unwrap_or_default();
    missed_in(&profile, probes)
}

/// The same of the text of kprobe_profile: event, hits, misses. Others may have probes of the same name.
fn missed_in(profile: &str, probes: &[&'static str]) -> Vec<u64> {
    let words = |line: &str| -> Option<(String, u64)> {
        let mut words = line.split_whitespace();
        let event = words.next()?.to_owned();
        Some((event, words.nth(1)?.parse().ok()?))
    };
    let all: Vec<(String, u64)> = profile.lines().filter_map(words).collect();
    let of = |probe: &&str| all.iter().filter(|(event, _)| event == probe).map(|(_, n)| n).sum();
    probes.iter().map(of).collect()
}

impl Instance {
    /// Makes an instance, with buffers of `buffer` KiB for each CPU, that records nothing yet.
    ///
    /// # Errors
    /// The kernel does not allow it.
    pub(super) fn new(root: PathBuf, buffer: u32) -> Result<Self, Failure> {
        let own = std::process::id();
        let path = root.join("instances").join(format!("{NAME}-{own}"));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let group = format!("{NAME}_{own}");
        let instance = Self { root, path, group, probes: Vec::new(), missed: Vec::new() };
        instance.write("tracing_on", "0")?;
        instance.write("trace_clock", "mono")?;
        // What came first stays: a log that ends too early can be decided up to there.
        instance.write("options/overwrite", "0")?;
        instance.write("buffer_size_kb", &buffer.to_string())?;
        Ok(instance)
    }

    fn write(&self, file: &str, text: &str) -> Result<(), Failure> {
        write(&self.path.join(file), text)
    }

    /// Sets the probes and events; gives what the kernel does not take, with why.
    ///
    /// # Errors
    /// Something is refused without which nothing can be said.
    pub(super) fn set(&mut self, chosen: &Chosen) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut refused = Vec::new();
        for probe in &chosen.probes {
            let event = probe.event;
            let set = write(&self.root.join("kprobe_events"), &probe.line(&self.group));
            match set {
                Ok(()) => self.probes.push(event),
                Err(error) => {
                    let error = format!("{error}{}", self.said());
                    if probe.needed {
                        return Err(format!(
                            "cannot probe {} ({event}), without which nobody knows who is where: {error}",
                            probe.function
                        )
                        .into());
                    }
                    refused.push((event, error));
                    continue;
                }
            }
            let of_event = format!("events/{}/{event}", self.group);
            if let Some(filter) = probe.filter() {
                self.write(&format!("{of_event}/filter"), filter)?;
            }
            self.write(&format!("{of_event}/enable"), "1")?;
        }
        for (event, needed) in EVENTS {
            match self.write(&format!("events/{event}/enable"), "1") {
                Ok(()) => {}
                Err(error) if needed => return Err(error),
                Err(error) => refused.push((event, error.to_string())),
            }
        }
        // What the module in tools/real-kernel/steer tells, where it is loaded.
        let steer = "events/kmodcheck_steer";
        if self.path.join(steer).is_dir() {
            self.write(&format!("{steer}/enable"), "1")?;
        }
        self.missed = missed(&self.root, &self.probes);
        Ok(refused)
    }

    /// What the kernel has said of the last command.
    fn said(&self) -> String {
        let log = fs::read_to_string(self.root.join("error_log")).unwrap_or_default();
        let last = log.lines().rfind(|line| line.contains(": error: "));
        last.and_then(|line| line.split_once(": error: "))
            .map_or(String::new(), |(_, what)| format!(" ({what})"))
    }

    pub(super) fn start(&self) -> Result<(), Failure> {
        self.write("tracing_on", "1")
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// What was recorded cannot be read.
    pub(super) fn stop(&self) -> Result<Trace, Failure> {
        self.write("tracing_on", "0")?;
        let now = missed(&self.root, &self.probes);
        let missed: Vec<(&'static str, u64)> = (self.probes.iter().zip(now).zip(&self.missed))
            .map(|((probe, now), before)| (*probe, now.saturating_sub(*before)))
            .filter(|(_, missed)| *missed > 0)
            .collect();
        let mut holes = Vec::new();
        let mut cpus: Vec<PathBuf> = fs::read_dir(self.path.join("per_cpu"))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        cpus.sort();
        for cpu in cpus {
            let name = cpu.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(number) = name.strip_prefix("cpu").and_then(|number| number.parse().ok())
            else {
                continue;
            };
            holes.push((number, Stats::parse(&read(&cpu.join("stats"))?)));
        }
        Ok(with_holes(&read(&self.path.join("trace"))?, &holes, &missed))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        for error in take_away(&self.root, &self.path, &self.group) {
            output::note!("kmodcheck: {error}");
        }
    }
}

/// What a CPU's buffer says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stats {
    /// Events for which there was no room any more.
    dropped: u64,
    /// Events that were overwritten, or that interrupted others too deep: nobody knows where.
    overrun: u64,
}

impl Stats {
    fn parse(text: &str) -> Self {
        let value = |name: &str| -> u64 {
            let values = text.lines().filter_map(|line| line.split_once(": "));
            values
                .filter(|(key, _)| *key == name)
                .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
                .sum()
        };
        Self {
            dropped: value("dropped events"),
            overrun: value("overrun") + value("commit overrun"),
        }
    }
}

/// The trace with a line of the tracer's own words where events are missing: what a CPU had no room for
/// comes after its last one; of what else was missed nobody knows where it was.
fn with_holes(trace: &str, cpus: &[(u32, Stats)], missed: &[(&'static str, u64)]) -> Trace {
    let mut lost = Vec::new();
    let mut lines: Vec<String> = trace.lines().map(str::to_owned).collect();
    let said = |cpu: u32, n: u64| format!("CPU:{cpu} [LOST {n} EVENTS]");
    for (cpu, stats) in cpus {
        if stats.dropped > 0 {
            let last = lines.iter().rposition(|line| cpu_of(line) == Some(*cpu));
            lines.insert(last.map_or(0, |last| last + 1), said(*cpu, stats.dropped));
            lost.push(format!("{} events of CPU {cpu} found no room in its buffer", stats.dropped));
        }
    }
    for (cpu, stats) in cpus {
        if stats.overrun > 0 {
            lines.insert(0, said(*cpu, stats.overrun));
            lost.push(format!("{} events of CPU {cpu} were overwritten", stats.overrun));
        }
    }
    for (event, missed) in missed {
        lines.insert(0, said(0, *missed));
        lost.push(format!("{missed} hits of the probe {event} were missed"));
    }
    Trace { text: lines.join("\n") + "\n", lost }
}

/// Takes an instance away, and a group of probes; what that meets.
fn take_away(root: &Path, instance: &Path, group: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let mut note = |result: Result<(), Failure>| {
        errors.extend(result.err().map(|error| error.to_string()));
    };
    if instance.is_dir() {
        note(write(&instance.join("tracing_on"), "0"));
        note(write(&instance.join("events/enable"), "0"));
        note(
            fs::remove_dir(instance)
                .map_err(|error| format!("{}: {error}", instance.display()).into()),
        );
    }
    let events = root.join("kprobe_events");
    match read(&events) {
        Ok(text) => {
            for (of, event) in text.lines().filter_map(event_of).filter(|(of, _)| *of == group) {
                note(write(&events, &format!("-:{of}/{event}")));
            }
        }
        Err(error) => note(Err(error)),
    }
    errors
}

/// Group and event of a line of kprobe_events.
fn event_of(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_whitespace().next()?.split_once('/')
}

/// Takes away what recorders have left behind that are gone. What was taken away, in words, and how often
/// something could not be.
pub(super) fn clean(root: &Path) -> Result<(Vec<String>, Vec<String>), Failure> {
    let number = |name: &str, between: char| -> Option<u32> {
        name.strip_prefix(NAME)?.strip_prefix(between)?.parse().ok()
    };
    let mut left: Vec<u32> = Vec::new();
    for entry in fs::read_dir(root.join("instances"))? {
        left.extend(entry?.file_name().to_str().and_then(|name| number(name, '-')));
    }
    let events = read(&root.join("kprobe_events"))?;
    left.extend(events.lines().filter_map(event_of).filter_map(|(group, _)| number(group, '_')));
    left.sort_unstable();
    left.dedup();
    let (mut done, mut errors) = (Vec::new(), Vec::new());
    for process in left {
        let command = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        if command.trim_end() == NAME {
            errors.push(format!("process {process} is still recording, so it is left alone"));
            continue;
        }
        let instance = root.join("instances").join(format!("{NAME}-{process}"));
        let met = take_away(root, &instance, &format!("{NAME}_{process}"));
        match met.is_empty() {
            true => done.push(format!("took away what process {process} had left behind")),
            false => errors.extend(met),
        }
    }
    Ok((done, errors))
}

#[cfg(test)]
mod tests {
    use super::{Stats, event_of, missed_in, with_holes};

    const TRACE: &str = "\
# tracer: nop
        modprobe-712     [001] .....   101.1: do_init: (do_init_module+0x0/0x270) name=\"fat\" st=1
   [003] odd-713         [000] .....   101.2: do_init: (do_init_module+0x0/0x270) name=\"vfat\" st=1
        modprobe-712     [001] .....   101.3: do_init_ret: (a <- do_init_module) ret=0
        modprobe-713     [000] .....   101.4: do_init_ret: (a <- do_init_module) ret=0
";

    fn lines(text: &str) -> Vec<&str> {
        text.lines().map(|line| line.split(':').next().unwrap().trim()).collect()
    }

    #[test]
    fn what_found_no_room_is_missing_after_the_last_line_of_its_cpu() {
        let full = Stats { dropped: 7, ..Stats::default() };
        let trace = with_holes(TRACE, &[(0, Stats::default()), (1, full)], &[]);
        assert_eq!(trace.text.lines().nth(4), Some("CPU:1 [LOST 7 EVENTS]"));
        assert_eq!(trace.lost, ["7 events of CPU 1 found no room in its buffer"]);
        // A CPU of which nothing was kept, whatever a process is called.
        let trace = with_holes(TRACE, &[(3, full)], &[]);
        assert_eq!(trace.text.lines().next(), Some("CPU:3 [LOST 7 EVENTS]"));
        assert_eq!(lines(&trace.text).len(), lines(TRACE).len() + 1);
    }

    #[test]
    fn what_was_missed_nobody_knows_where_is_missing_from_the_beginning() {
        let over = Stats { overrun: 3, ..Stats::default() };
        let trace = with_holes(TRACE, &[(1, over)], &[("load_module_ret", 2)]);
        assert_eq!(
            trace.text.lines().take(2).collect::<Vec<_>>(),
            ["CPU:0 [LOST 2 EVENTS]", "CPU:1 [LOST 3 EVENTS]"]
        );
        assert_eq!(trace.lost.len(), 2);
        let whole = with_holes(TRACE, &[(0, Stats::default())], &[]);
        assert_eq!((whole.text.as_str(), whole.lost.len()), (TRACE, 0));
    }

    #[test]
    fn a_cpu_s_numbers() {
        let text = "entries: 10\noverrun: 2\ncommit overrun: 3\nbytes: 100\noldest event ts: 5.5\n\
                    now ts: 6.6\ndropped events: 4\nread events: 0\n";
        assert_eq!(Stats::parse(text), Stats { dropped: 4, overrun: 5 });
    }

    #[test]
    fn misses_are_told_by_the_event_s_name() {
        let text = "  load_module_ret       12      3\n  load_module       12      0\n  open    1   9\n\
                    \x20 load_module_ret       5      1\n";
        assert_eq!(missed_in(text, &["load_module", "load_module_ret", "mkdir"]), [0, 4, 0]);
    }

    #[test]
    fn whose_a_probe_is() {
        assert_eq!(
            event_of("p:kmodcheck_12/mkdir sysfs_create_dir_ns a=1"),
            Some(("kmodcheck_12", "mkdir"))
        );
        assert_eq!(event_of("r256:g/e f"), Some(("g", "e")));
        assert_eq!(event_of(""), None);
    }
}
