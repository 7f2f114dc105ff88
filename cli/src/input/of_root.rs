//! What a root says of its machine: which kernel's modules it has, and which modprobe. Nothing of it is executed.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use kmodcheck_model::releases::Release;

use super::root::inside;
use crate::output::Failure;

/// What was found.
pub(crate) struct Found {
    /// The directory of the kernel's modules.
    pub modules: PathBuf,
    pub kernel: String,
    pub kmod: String,
    /// Where that was found.
    pub notes: Vec<String>,
}

/// The machine of a root. `kernel`: which of several kernels, or what its release is; `kmod`: which modprobe it is.
pub(crate) fn find(
    root: &Path,
    kernel: Option<&str>,
    kmod: Option<&str>,
) -> Result<Found, Failure> {
    let mut notes = Vec::new();
    let shown = root.display();
    let lib = ["lib/modules", "usr/lib/modules"];
    let releases = lib.iter().find_map(|lib| inside(root, Path::new(lib)));
    let Some(releases) = releases else {
        return Err(format!("{shown}: found no lib/modules in it, expected a root with one").into());
    };
    let mut there: Vec<String> = fs::read_dir(&releases)
        .map_err(|error| format!("{}: {error}", releases.display()))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Release::kernel(name).is_ok() && releases.join(name).is_dir())
        .collect();
    there.sort();
    let running = || {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
        (root == Path::new("/")).then(|| release.trim().to_owned())
    };
    let named = match (kernel, &there[..]) {
        (Some(kernel), _) if there.iter().any(|name| name == kernel) => kernel.to_owned(),
        (_, [one]) => one.clone(),
        (None, several) => match running().filter(|name| several.contains(name)) {
            Some(name) => {
                notes.push(format!("kernel {name}, which runs"));
                name
            }
            None if several.is_empty() => {
                return Err(format!(
                    "{}: found no kernel's modules, expected a directory that is called as its release",
                    releases.display()
                )
                .into());
            }
            None => {
                let several = several.join(", ");
                return Err(format!(
                    "{}: found the modules of {several}, expected --kernel with one of them",
                    releases.display()
                )
                .into());
            }
        },
        (Some(kernel), several) => {
            return Err(format!(
                "{}: found no modules of kernel '{kernel}', expected one of {}",
                releases.display(),
                several.join(", ")
            )
            .into());
        }
    };
    let kmod = match kmod {
        Some(kmod) => kmod.to_owned(),
        None => {
            let (kmod, file) = modprobe(root).ok_or_else(|| {
                format!(
                    "{shown}: found no modprobe whose release can be read, expected --kmod RELEASE"
                )
            })?;
            notes.push(format!("kmod {kmod}, as {} says", file.display()));
            kmod
        }
    };
    // What is asked of a kernel whose directory is called otherwise is what was asked for.
    let is_there = kernel.is_none_or(|kernel| kernel == named);
    let release = match base(root, &named).filter(|_| is_there) {
        Some((base, file)) => {
            notes.push(format!("{named} is built from {base}, as {} says", file.display()));
            base
        }
        None => kernel.unwrap_or(&named).to_owned(),
    };
    let release = match duplicates(root, &named) {
        true if !release.contains("+dup") && Release::kernel(&format!("{release}+dup")).is_ok() => {
            notes.push("its configuration has CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS".to_owned());
            format!("{release}+dup")
        }
        _ => release,
    };
    Ok(Found { modules: modules_directory(root, &releases, &named), kernel: release, kmod, notes })
}

/// The directory as whoever looks for its root has to see it.
fn modules_directory(root: &Path, releases: &Path, named: &str) -> PathBuf {
    let as_usual = root.join("lib/modules").join(named);
    if as_usual.is_dir() { as_usual } else { releases.join(named) }
}

/// The release of the root's modprobe, and the file that says it: kmod's programs have their version in them, busybox its own.
pub(crate) fn modprobe(root: &Path) -> Option<(String, PathBuf)> {
    for name in ["sbin/modprobe", "usr/sbin/modprobe", "bin/kmod", "usr/bin/kmod", "bin/busybox"] {
        let Some(file) = inside(root, Path::new(name)) else { continue };
        let Ok(bytes) = fs::read(&file) else { continue };
        if let Some(version) = word_after(&bytes, b"kmod version ")
            && Release::kmod(&version).is_ok()
        {
            return Some((version, file));
        }
        if let Some(version) = word_after(&bytes, b"BusyBox v") {
            return Some((format!("busybox-{version}"), file));
        }
    }
    None
}

/// What stands after these bytes, up to whatever ends a word.
fn word_after(bytes: &[u8], before: &[u8]) -> Option<String> {
    let mut places =
        bytes.windows(before.len()).enumerate().filter(|(_, window)| *window == before);
    places.find_map(|(at, _)| {
        let word = bytes[at + before.len()..].iter().take_while(|byte| byte.is_ascii_graphic());
        let word: Vec<u8> = word.take(40).copied().collect();
        word.first()?.is_ascii_digit().then(|| String::from_utf8_lossy(&word).into_owned())
    })
}

/// The stable release that a distribution's kernel is built from, where its name does not say it, and the file that does:
/// the image in /boot, which has its version in its header, `... #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (...)`
/// (`kernel_version` of Documentation/arch/x86/boot.rst).
pub(crate) fn base(root: &Path, release: &str) -> Option<(String, PathBuf)> {
    if !Release::kernel(release).is_ok_and(|release| release.hides_its_base()) {
        return None;
    }
    let file = inside(root, &Path::new("boot").join(format!("vmlinuz-{release}")))?;
    let mut header = Vec::new();
    fs::File::open(&file).ok()?.take(HEADER).read_to_end(&mut header).ok()?;
    if header.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let at = usize::from(u16::from_le_bytes([header[0x20e], header[0x20f]])) + 0x200;
    let text = header.get(at..)?.split(|byte| *byte == 0).next()?;
    let text = String::from_utf8_lossy(text);
    // The package's version begins with the release; a name that the image does not begin with is of another one.
    let base = debian(text.strip_prefix(release)?)?;
    let is_a_release = Release::kernel(base).is_ok_and(|base| !base.hides_its_base());
    is_a_release.then(|| (base.to_owned(), file))
}

/// The upstream release in the words of a distribution's kernel: `#1 SMP Debian 6.1.192-2 (2026-..)`.
pub(crate) fn debian(version: &str) -> Option<&str> {
    let (_, after) = version.split_once("Debian ")?;
    let release = after.split(['-', '~', '+', ' ']).next()?;
    release.starts_with(|c: char| c.is_ascii_digit()).then_some(release)
}

/// How much of an image holds its header and what that points to.
const HEADER: u64 = 1 << 17;

/// Whether the kernel was built with CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS, as the file in /boot says.
fn duplicates(root: &Path, release: &str) -> bool {
    let file = inside(root, &Path::new("boot").join(format!("config-{release}")));
    let text = file.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    text.lines().any(|line| line == "CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS=y")
}
