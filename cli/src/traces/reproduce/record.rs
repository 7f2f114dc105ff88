//! `tools/real-kernel/record`, run so that it ends when it has to, and leaves nothing behind.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::input::session;
use crate::output::Failure;

/// Ends all that the recorder has started when this process ends, however it does.
const GUARD: &str = include_str!("guard.sh");

/// The programs that the recorder needs, and the Debian packages that have them.
const NEEDED: [(&str, &str); 8] = [
    ("bash", "bash"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("gcc", "gcc"),
    ("make", "make"),
    ("cpio", "cpio"),
    ("busybox", "busybox"),
    ("modprobe", "kmod"),
    ("dpkg-deb", "dpkg"),
];

/// What is to be recorded.
pub(super) struct Job<'a> {
    pub recorder: &'a Path,
    /// As Debian's package has it.
    pub kernel: &'a str,
    pub plan: &'a Path,
    /// Where the logs go.
    pub out: &'a Path,
    /// For all that is temporary; removed when the recording is ended before its time.
    pub temporary: &'a Path,
    /// When it is ended.
    pub within: Duration,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// The logs are there.
    Done,
    /// It took too long.
    TooLong,
    /// Ctrl-C.
    Interrupted,
}

/// Whether everything that is needed is there.
pub(super) fn is_there(recorder: &Path) -> Result<(), Failure> {
    if !recorder.is_file() {
        return Err(format!(
            "{}: there is no such file, expected the recorder of kmodcheck's source (--recorder FILE)",
            recorder.display()
        )
        .into());
    }
    // Where Debian has modprobe an ordinary user's PATH does not lead.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> =
        std::env::split_paths(&path).chain(path.is_empty().then(PathBuf::new)).collect();
    let found = |name: &str| {
        let sbin = ["/sbin", "/usr/sbin"].map(PathBuf::from);
        let more = if name == "modprobe" { &sbin[..] } else { &[] };
        directories.iter().chain(more).any(|directory| directory.join(name).is_file())
    };
    let missing: Vec<_> = NEEDED.iter().filter(|(name, _)| !found(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    Err(format!(
        "found no {} in PATH, which a real kernel needs to run: apt-get install {}",
        names.join(", "),
        packages.join(" ")
    )
    .into())
}

/// The program that records in the guest.
fn program() -> Result<OsString, Failure> {
    let own = || Ok(std::env::current_exe()?.into_os_string());
    std::env::var_os("KMODCHECK").map_or_else(own, Ok)
}

/// Records. What the recorder says goes to stderr.
pub(super) fn record(job: &Job<'_>) -> Result<Recorded, Failure> {
    let interrupt = session::interrupt();
    let until = Instant::now() + job.within;
    let mut command = Command::new("bash");
    command
        .args([OsStr::new("-c"), OsStr::new(GUARD), OsStr::new("guard"), job.temporary.as_os_str()])
        .arg(job.recorder)
        .args(["--kernel", job.kernel, "--no-accept"])
        .args([
            OsStr::new("--plan"),
            job.plan.as_os_str(),
            OsStr::new("--out"),
            job.out.as_os_str(),
        ])
        .env("TMPDIR", job.temporary)
        // The guest records with this very program, unless somebody has another one in mind.
        .env("KMODCHECK", program()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    // Ctrl-C is for this process, which lets the others end in order.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut guard = command.spawn().map_err(|error| format!("bash: {error}"))?;
    // While it is open the recorder may go on.
    let mut leave = guard.stdin.take();
    let mut ended = Recorded::Done;
    while guard.try_wait()?.is_none() {
        if leave.is_some() {
            if interrupt.load(Ordering::Relaxed) {
                (leave, ended) = (None, Recorded::Interrupted);
            } else if Instant::now() >= until {
                (leave, ended) = (None, Recorded::TooLong);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(leave);
    if ended != Recorded::Done {
        return Ok(ended);
    }
    let mut status = String::new();
    guard.stdout.take().expect("it is piped").read_to_string(&mut status)?;
    match status.trim() {
        "0" => Ok(Recorded::Done),
        status => {
            let recorder = job.recorder.display();
            let status = if status.is_empty() { "no status" } else { status };
            Err(format!("{recorder}: ended with {status}, expected 0: it has said why").into())
        }
    }
}
