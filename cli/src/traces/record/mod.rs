//! `kmodcheck record`: from the running machine to a log that has been held against the model.
//!
//! `btf` knows where the members of the kernel's structures are, `probes` which probes that makes,
//! `tracefs` sets them and takes them away again. The log is in the text of tracefs; whatever is missing
//! in it is said in the tracer's own words, so that whoever reads it later stops there, too.

mod btf;
mod probes;
mod tracefs;

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_sim::trace::ftrace::About;

use crate::args::{Arguments, Record};
use crate::input::of_root::debian;
use crate::input::{files, session};
use crate::interrupt;
use crate::output::{self, Ended, Failure};
use crate::traces::accept;
use btf::Btf;
use probes::Symbols;
use tracefs::{Instance, Trace};

/// How long a command may go on after Ctrl-C, unless it is pressed once more.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where the kernel says what it is called.
const SYMBOLS: &str = "/proc/kallsyms";

/// The machine that is recorded.
struct Machine {
    /// `uname -r`.
    release: String,
    /// The release that it is based on: a distribution's name does not say which stable release it has.
    base: String,
    /// `modprobe --version`, without the words.
    kmod: Option<String>,
    /// What modprobe's configuration blacklists.
    blacklist: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Record) -> Result<Ended, Failure> {
    if asked.clean {
        return clean();
    }
    if std::env::consts::ARCH != "x86_64" {
        return Err(format!(
            "found a machine of {}, expected x86_64: the probes name its registers",
            std::env::consts::ARCH
        )
        .into());
    }
    if asked.print {
        let btf = Btf::read(&asked.btf)?;
        let from = asked.btf.display().to_string();
        let script = probes::script(&from, asked.buffer, &|member| btf.offset(member))?;
        output::print(script.trim_end());
        return Ok(Ended::AsExpected);
    }
    interrupt::tidies_up();
    let root = tracefs::root()?;
    let btf = Btf::read(&asked.btf)?;
    files::try_file(&asked.out)?;
    let symbols = Symbols::parse(SYMBOLS, &files::read(Path::new(SYMBOLS))?)?;
    let chosen = probes::choose(&symbols, &|member| btf.offset(member))?;
    let machine = Machine::of_this()?;
    // What nobody can answer is better known before anything is recorded.
    let features = if asked.no_accept { None } else { Some(machine.features(asked)?) };

    let mut not_probed = chosen.left_out.clone();
    let mut instance = Instance::new(root, asked.buffer)?;
    not_probed.extend(instance.set(&chosen)?);
    for (event, why) in &not_probed {
        output::note!("kmodcheck: not probed: {event}: {why}");
    }
    instance.start()?;
    let ran = observed(&asked.command);
    let trace = instance.stop();
    drop(instance);
    let (ran, trace) = (ran?, trace?);
    let name = asked.out.display().to_string();
    let text = machine.heading(&not_probed) + &trace.text;
    files::write(&asked.out, &text)?;
    say(&name, &asked.command, &ran, &trace);
    let ended = match features {
        Some(features) => judged(arguments, asked, &machine, features, &name, &text)?,
        None if trace.lost.is_empty() => Ended::AsExpected,
        None => Ended::OutOfBudget,
    };
    // Whoever records until Ctrl-C has not cut anything.
    let cut = ran.interrupted && !asked.command.is_empty();
    Ok(if cut && ended == Ended::AsExpected { Ended::OutOfBudget } else { ended })
}

fn clean() -> Result<Ended, Failure> {
    let (done, errors) = tracefs::clean(&tracefs::root()?)?;
    if done.is_empty() && errors.is_empty() {
        output::print("nothing was left behind");
    }
    for done in &done {
        output::print(done);
    }
    for error in &errors {
        output::note!("kmodcheck: {error}");
    }
    Ok(if errors.is_empty() { Ended::AsExpected } else { Ended::Differs })
}

/// How the command ended.
struct Ran {
    status: Option<ExitStatus>,
    interrupted: bool,
}

/// Runs the command, or waits for Ctrl-C.
fn observed(command: &[std::ffi::OsString]) -> Result<Ran, Failure> {
    let interrupted = session::interrupt();
    let is_interrupted = || interrupted.load(Ordering::Relaxed);
    let nap = || std::thread::sleep(Duration::from_millis(20));
    let Some((program, rest)) = command.split_first() else {
        output::note!("kmodcheck: recording; Ctrl-C ends it");
        while !is_interrupted() {
            nap();
        }
        return Ok(Ran { status: None, interrupted: true });
    };
    let mut child: Child = Command::new(program)
        .args(rest)
        .spawn()
        .map_err(|error| format!("{}: {error}", Path::new(program).display()))?;
    let mut until = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ran { status: Some(status), interrupted: is_interrupted() });
        }
        if is_interrupted() {
            let until = *until.get_or_insert_with(|| Instant::now() + PATIENCE);
            if interrupt::is_set_twice() || Instant::now() >= until {
                child.kill()?;
            }
        }
        nap();
    }
}

/// What is to be known of a recording before it is judged.
fn say(name: &str, command: &[std::ffi::OsString], ran: &Ran, trace: &Trace) {
    if let (Some(status), Some(program)) = (ran.status, command.first())
        && !status.success()
    {
        output::note!("kmodcheck: {}: {status}", Path::new(program).display());
    }
    if ran.interrupted && !command.is_empty() {
        output::note!("kmodcheck: interrupted; the log has what happened until then");
    }
    for lost in &trace.lost {
        output::note!("kmodcheck: {name}: incomplete: {lost}");
    }
}

/// Holds the log against the model.
fn judged(
    arguments: &Arguments,
    asked: &Record,
    machine: &Machine,
    features: Features,
    name: &str,
    text: &str,
) -> Result<Ended, Failure> {
    let own = Path::new("/lib/modules").join(&machine.release);
    let directory =
        asked.modules.clone().or_else(|| own.join("modules.dep").is_file().then_some(own));
    let index = directory.as_deref().map(files::read_index).transpose()?;
    let about = About { index: index.as_ref(), blacklist: &machine.blacklist, ..About::default() };
    let log = accept::Log { name, text, features, about, show: asked.show };
    let limit = arguments.states_limit.unwrap_or(accept::STATES);
    accept::decide(&log, limit, arguments.json)
}

/// The upstream release of Ubuntu's /proc/version_signature: `Ubuntu 6.8.0-31.31-generic 6.8.1`.
fn ubuntu(signature: &str) -> Option<&str> {
    signature.strip_prefix("Ubuntu ")?.split_whitespace().nth(1)
}

impl Machine {
    fn of_this() -> Result<Self, Failure> {
        let release = files::read(Path::new("/proc/sys/kernel/osrelease"))?.trim().to_owned();
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let version = text("/proc/sys/kernel/version");
        let signature = text("/proc/version_signature");
        let base = debian(&version).or_else(|| ubuntu(&signature)).unwrap_or(&release).to_owned();
        let said = |program: &str, flag: &str| -> String {
            let output = Command::new(program).arg(flag).output();
            output.map_or(String::new(), |output| {
                String::from_utf8_lossy(&output.stdout).into_owned()
            })
        };
        // Where Debian has modprobe not every PATH leads, and busybox has one that says no version.
        let version = |program| {
            let said = said(program, "--version");
            let version = said.strip_prefix("kmod version ")?.split_whitespace().next()?;
            Some((program, version.to_owned()))
        };
        let found =
            ["modprobe", "/sbin/modprobe", "/usr/sbin/modprobe"].into_iter().find_map(version);
        let (modprobe, kmod) = found.unzip();
        let config = modprobe.map_or(String::new(), |program| said(program, "--showconfig"));
        let blacklist = config
            .lines()
            .filter_map(|line| line.strip_prefix("blacklist "))
            .map(|module| module.trim().replace('-', "_"))
            .collect();
        Ok(Self { release, base, kmod, blacklist })
    }

    /// The switches of what runs here, said where they are not given.
    fn features(&self, asked: &Record) -> Result<Features, Failure> {
        let kernel = match asked.kernel {
            Some(kernel) => kernel.features,
            None => presets::kernel(&self.base).ok_or_else(|| {
                format!(
                    "found kernel '{}', which the model does not know, expected --kernel",
                    self.base
                )
            })?,
        };
        let kmod = match (asked.kmod, &self.kmod) {
            (Some(kmod), _) => kmod.features,
            (None, Some(kmod)) => presets::kmod(kmod).ok_or_else(|| {
                format!("found kmod '{kmod}', which the model does not know, expected --kmod")
            })?,
            (None, None) => {
                return Err("found no kmod that is installed, expected --kmod RELEASE".into());
            }
        };
        let named = asked.kernel.map_or(self.base.as_str(), |kernel| kernel.name);
        let kmod_named =
            asked.kmod.map(|kmod| kmod.name).or(self.kmod.as_deref()).unwrap_or_default();
        output::note!("kmodcheck: held against the model of kernel {named} and kmod {kmod_named}");
        Ok(Features { kernel, kmod })
    }

    /// Comments that say what was recorded.
    fn heading(&self, not_probed: &[(&'static str, String)]) -> String {
        let kmod = self.kmod.as_deref().unwrap_or("unknown");
        let mut text = format!(
            "# kmodcheck record: kernel {}, which is {}; kmod {kmod}\n",
            self.release, self.base
        );
        for (event, why) in not_probed {
            text += &format!("# not probed: {event}: {}\n", why.replace('\n', " "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{debian, ubuntu};

    #[test]
    fn a_distribution_s_kernel_says_what_it_is_based_on() {
        let version = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-3 (2026-11-20)";
        assert_eq!(debian(version), Some("6.1.192"));
        assert_eq!(
            debian("#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1~deb12u1 (2026-11-20)"),
            Some("6.12.117")
        );
        assert_eq!(debian("#1 SMP PREEMPT_DYNAMIC @0"), None);
        assert_eq!(debian("#1 built by Debian users"), None);
        assert_eq!(ubuntu("Ubuntu 6.8.0-31.31-generic 6.8.1\n"), Some("6.8.1"));
        assert_eq!(ubuntu(""), None);
    }
}
