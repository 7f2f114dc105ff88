//! Which commits are in which releases, mainline and stable, so that a release that is no preset has its switches, too.
//!
//! Facts and their sources are in `docs/sources.md`; a stable release is listed where a queue, a changelog or an
//! announcement was seen, so another series may have a commit that is not said to be in it.

use std::fmt;

use crate::features::{Features, KernelFeatures, KmodFeatures};
use crate::presets::{Side, Switch};

/// A commit that others can observe.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// Its abbreviated name.
    pub id: &'static str,
    /// Whose it is.
    pub side: Side,
    /// The first release that has it.
    pub since: [u32; 2],
    /// The first release of each stable series that has it.
    pub stable: &'static [[u32; 3]],
    /// The same, seen as a release candidate only.
    pub unsure: &'static [[u32; 3]],
    /// What it changes.
    pub meaning: &'static str,
    /// The switches that it sets; none: the model does not have it.
    pub sets: &'static [(&'static str, &'static str)],
}

const fn kernel(
    id: &'static str,
    since: [u32; 2],
    stable: &'static [[u32; 3]],
    sets: &'static [(&'static str, &'static str)],
    meaning: &'static str,
) -> Commit {
    Commit { id, side: Side::Kernel, since, stable, unsure: &[], meaning, sets }
}

const fn kmod(
    id: &'static str,
    since: u32,
    sets: &'static [(&'static str, &'static str)],
    meaning: &'static str,
) -> Commit {
    let (side, since) = (Side::Kmod, [since, 0]);
    Commit { id, side, since, stable: &[], unsure: &[], meaning, sets }
}

const fn unsure(commit: Commit, unsure: &'static [[u32; 3]]) -> Commit {
    Commit { unsure, ..commit }
}

/// The first busybox whose modprobe is the model's.
const OLDEST_BUSYBOX: [u32; 2] = [1, 34];

/// The newest busybox that was read.
pub const NEWEST_BUSYBOX: [u32; 2] = [1, 37];

/// Every commit since v4.9, and since kmod v5, oldest first on each side.
pub const COMMITS: &[Commit] = &[
    kernel(
        "885a78d4a5b3",
        [4, 10],
        &[],
        &[("failure-sets-going", "on")],
        "a load that fails once it is COMING sets GOING first",
    ),
    kernel(
        "41124db869b7",
        [4, 13],
        &[],
        &[("sanity-check", "warn-only")],
        "get_fs_type() warns if a request has succeeded and there is no file system",
    ),
    kernel(
        "6d7964a722af",
        [4, 13],
        &[],
        &[("request-limit", "all-waiters-race")],
        "at the limit a request waits, 5 s at most",
    ),
    kernel(
        "6e6de3dee51a",
        [5, 3],
        &[[5, 2, 7], [4, 19, 65], [4, 9, 188]],
        &[("listed-name", "waits-for-going")],
        "who loads waits for a module that is GOING, too",
    ),
    kernel(
        "bc6f2a757d52",
        [5, 3],
        &[[5, 2, 16]],
        &[("undo-removes-attributes", "on")],
        "a failed sysfs set-up removes initstate before the directory",
    ),
    kernel(
        "5d603311615f",
        [5, 5],
        &[[5, 4, 9], [4, 19, 90], [4, 14, 159], [4, 9, 207]],
        &[("delete-module-wakes", "on")],
        "an unload wakes who waits",
    ),
    unsure(
        kernel(
            "d7d27cfc5cf0",
            [5, 7],
            &[[5, 6, 5], [4, 19, 116]],
            &[("empty-path-fails", "on")],
            "an empty modprobe_path is an error",
        ),
        &[[5, 5, 18], [4, 9, 220]],
    ),
    kernel(
        "59cc8e0a906e",
        [5, 10],
        &[],
        &[("notifier-can-fail", "on")],
        "a notifier of COMING can fail a load",
    ),
    kernel(
        "5e8ed280dab9",
        [5, 11],
        &[[5, 10, 5], [5, 4, 87], [4, 19, 165], [4, 9, 250]],
        &[("notifier-failure-sets-going", "on")],
        "a load that a notifier of COMING has failed sets GOING first",
    ),
    unsure(
        kernel(
            "38dc717e9715",
            [5, 11],
            &[[5, 10, 5], [5, 4, 87], [4, 19, 165], [4, 14, 214]],
            &[("uevent-after-init", "on")],
            "the ADD uevent goes out after init",
        ),
        &[[4, 9, 250]],
    ),
    unsure(
        kernel(
            "67d6212afda2",
            [5, 17],
            &[[5, 16, 11], [5, 10, 102], [4, 19, 231]],
            &[("waits-for-all-async", "on")],
            "async_synchronize_full() after LIVE, before the initial reference is dropped, for every module",
        ),
        &[[5, 15, 25]],
    ),
    kernel(
        "96a1a2412acb",
        [6, 2],
        &[],
        &[("late-builtin-directories", "on")],
        "/sys/module/NAME of built-in code appears late in boot",
    ),
    kernel(
        "0254127ab977",
        [6, 2],
        &[[6, 1, 9], [5, 15, 91], [5, 10, 166], [5, 4, 231], [4, 19, 272]],
        &[("listed-name", "waits-once")],
        "who loads waits once, and not for GOING",
    ),
    kernel(
        "25a1b5b518f4",
        [6, 4],
        &[],
        &[("request-limit", "semaphore")],
        "the limit is a semaphore",
    ),
    kernel(
        "064f4536d139",
        [6, 4],
        &[],
        &[("early-mod-check", "on")],
        "the listed name is looked up once more, earlier",
    ),
    kernel(
        "9b9879fc0327",
        [6, 5],
        &[],
        &[("idempotent-finit", "on")],
        "several finit_module() of one file share one result",
    ),
    kernel(
        "d1909c022173",
        [6, 9],
        &[],
        &[("fails-after-live", "on")],
        "a load can fail after LIVE (until 110b1e070f1d)",
    ),
    kernel(
        "2124d84db293",
        [6, 11],
        &[[6, 10, 5], [6, 6, 46]],
        &[("join-interruptible", "on")],
        "a signal ends the wait for a finit_module() that was joined",
    ),
    kernel(
        "ce47f7cbbcad",
        [6, 12],
        &[],
        &[("sections-can-fail", "on")],
        "a load fails, also with -EEXIST, if sections/ or notes/ cannot be made, after initstate said 'coming'",
    ),
    kernel(
        "110b1e070f1d",
        [6, 14],
        &[[6, 13, 2], [6, 12, 13]],
        &[("fails-after-live", "off")],
        "no load fails after LIVE any more",
    ),
    kernel(
        "f95bbfe18512",
        [6, 15],
        &[[6, 14, 6], [6, 12, 28]],
        &[("driver-directories", "on")],
        "/sys/module/NAME of built-in drivers appears early again",
    ),
    kernel(
        "044d2aee6c57",
        [6, 16],
        &[[6, 15, 4]],
        &[("codetag-can-fail", "on")],
        "a load that codetag refuses is torn down and returns 0",
    ),
    kernel(
        "743f8cae549a",
        [7, 1],
        &[],
        &[("eexist-safety-net", "on")],
        "an init's -EEXIST is -EBUSY to modprobe",
    ),
    kernel(
        "d258ed8a86bb",
        [7, 3],
        &[[6, 12, 110]],
        &[("first-result-counts", "on")],
        "of duplicate requests the first result counts",
    ),
    kmod(
        "7cd664fbaead",
        6,
        &[("coming-is-loaded", "off")],
        "a module that is coming is not in the kernel yet",
    ),
    kmod(
        "fd44a98ae2eb",
        20,
        &[("bare-directory", "coming"), ("builtin-index", "before-sysfs")],
        "what is built in says modules.builtin alone",
    ),
    kmod(
        "e2719b32cc5c",
        20,
        &[("failed-lookup", "fails")],
        "a name that no index knows is an error",
    ),
    kmod(
        "b866b2165ae6",
        27,
        &[("builtin-aliases", "on")],
        "aliases of built-in code are looked up",
    ),
    kmod(
        "81dbf2bee644",
        27,
        &[("exit-17-fails", "on")],
        "an install command that exits 17 is no success any more",
    ),
    kmod(
        "4e391ac92d1b",
        30,
        &[("dependencies-not-builtin", "on")],
        "a dependency with a file is none of modules.builtin's",
    ),
    kmod(
        "ea3c8ad",
        30,
        &[("removes-listed-dependencies", "on")],
        "what modprobe -r removes besides, in which order",
    ),
    kmod(
        "09c9f8c5df04",
        31,
        &[("unpacks-itself", "off")],
        "the kernel unpacks a module that it can unpack",
    ),
];

/// The newest releases of which anything is known.
const NEWEST: ([u32; 2], u32) = ([7, 3], 34);

/// A release, as `uname -r` or `modprobe --version` says it, or as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    side: Side,
    version: [u32; 3],
    /// It is a distribution's, and what it is based on is not in its name.
    hidden: bool,
    duplicates: bool,
}

/// Why a release has what a commit changes, or may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// Its mainline release has it.
    Mainline,
    /// That stable release has it.
    Stable([u32; 3]),
    /// The same, which was seen as a release candidate only.
    Unsure([u32; 3]),
    /// From that stable release on; whether this is one of those its name does not say.
    Hidden([u32; 3]),
    /// It has not.
    Not,
}

impl fmt::Display for Has {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dotted = |[major, minor, patch]: [u32; 3]| format!("{major}.{minor}.{patch}");
        match *self {
            Self::Mainline => write!(f, "yes"),
            Self::Stable(first) => write!(f, "since {}", dotted(first)),
            Self::Unsure(first) => write!(f, "since {}, seen as -rc1", dotted(first)),
            Self::Hidden(first) => write!(f, "not known: since {}", dotted(first)),
            Self::Not => write!(f, "no"),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.version;
        match (self.side, patch) {
            (Side::Kmod, _) if minor == 0 => write!(f, "v{major}"),
            (_, 0) => write!(f, "v{major}.{minor}"),
            _ => write!(f, "v{major}.{minor}.{patch}"),
        }
    }
}

impl Release {
    /// Reads a kernel's: `6.12`, `v6.8`, `5.15.131`, `6.12.115+deb12-amd64`, `6.1.0-50-amd64`; `+dup` after it is
    /// CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS.
    ///
    /// # Errors
    /// What was found, and what was expected.
    pub fn kernel(text: &str) -> Result<Self, String> {
        let expected = "expected a release such as 6.12, 5.15.131 or what uname -r says";
        let (version, rest) =
            numbers(text).ok_or_else(|| format!("found kernel '{text}', {expected}"))?;
        let (&[major, minor] | &[major, minor, _]) = &version[..] else {
            return Err(format!("found kernel '{text}', {expected}"));
        };
        if rest.starts_with("-rc") {
            return Err(format!(
                "found kernel '{text}', a release candidate, expected a release: what is in it is not known"
            ));
        }
        // `v4.9+verfy` is a slip of a preset; what a distribution adds stands after three numbers.
        let added = rest.is_empty()
            || rest == "+dup"
            || version.len() == 3 && rest.starts_with(['-', '+', '.', '_', '~']);
        if !added {
            return Err(format!("found kernel '{text}', {expected}"));
        }
        if [major, minor] < [4, 9] {
            return Err(format!("found kernel '{text}', expected v4.9 or a later one"));
        }
        let duplicates = rest.ends_with("+dup");
        let rest = rest.strip_suffix("+dup").unwrap_or(rest);
        let patch = version.get(2).copied().unwrap_or(0);
        // A distribution counts its builds after a 0 that stands there for whatever it is based on.
        let hidden = version.len() == 3 && patch == 0 && !rest.is_empty();
        Ok(Self { side: Side::Kernel, version: [major, minor, patch], hidden, duplicates })
    }

    /// Reads a kmod's: `29`, `v34.2`, `30+20221128-1`.
    ///
    /// # Errors
    /// What was found, and what was expected.
    pub fn kmod(text: &str) -> Result<Self, String> {
        let expected = "expected a release such as 29 or v34.2";
        let wrong = || format!("found kmod '{text}', {expected}");
        let (version, rest) = numbers(text).ok_or_else(wrong)?;
        let (&[major] | &[major, _]) = &version[..] else { return Err(wrong()) };
        if !(rest.is_empty() || rest.starts_with(['-', '+', '~'])) {
            return Err(wrong());
        }
        if major < 5 {
            return Err(format!("found kmod '{text}', expected v5 or a later one"));
        }
        let minor = version.get(1).copied().unwrap_or(0);
        Ok(Self { side: Side::Kmod, version: [major, minor, 0], hidden: false, duplicates: false })
    }

    /// Reads a busybox's, as `busybox-1.35` or `busybox-1.35.0`; none of another name. Its modprobe is the model's from 1.34
    /// on: f99800758e24 (in 1.34.0) takes what modules.builtin names by its file's name, and of what came since, up to
    /// 1.37, only af5277f883e8 touches modutils/modprobe.c's steps: which flag `finit_module()` gets of a file that does
    /// not end in .ko.
    ///
    /// # Errors
    /// What was found, and what was expected.
    pub fn busybox(text: &str) -> Option<Result<[u32; 2], String>> {
        let named = text.strip_prefix("busybox-")?;
        let read = match numbers(named) {
            Some((version, rest)) if !named.starts_with('v') => match &version[..] {
                &[major, minor] | &[major, minor, _] if rest.is_empty() => Some([major, minor]),
                _ => None,
            },
            _ => None,
        };
        Some(match read {
            Some(version) if version >= OLDEST_BUSYBOX => Ok(version),
            Some(_) => Err(format!(
                "found '{text}', expected busybox-1.34 or a later one: older ones take modules.builtin otherwise"
            )),
            None => Err(format!("found '{text}', expected a release such as busybox-1.35")),
        })
    }

    /// Whether it is a distribution's whose name does not say what it is based on.
    pub fn hides_its_base(&self) -> bool {
        self.hidden
    }

    /// Whether it is that release or a later one.
    pub fn is_since(&self, [major, minor]: [u32; 2]) -> bool {
        self.version >= [major, minor, 0]
    }

    /// Whether it has a commit.
    pub fn has(&self, commit: &Commit) -> Has {
        let [major, minor, patch] = self.version;
        if commit.side != self.side {
            return Has::Not;
        }
        if [major, minor] >= commit.since {
            return Has::Mainline;
        }
        let of_series = |all: &[[u32; 3]]| all.iter().copied().find(|of| of[..2] == [major, minor]);
        match (of_series(commit.stable), of_series(commit.unsure)) {
            (Some(first), _) | (None, Some(first)) if self.hidden => Has::Hidden(first),
            (Some(first), _) if patch >= first[2] => Has::Stable(first),
            (None, Some(first)) if patch >= first[2] => Has::Unsure(first),
            _ => Has::Not,
        }
    }

    /// Whether it is newer than all of which anything is known.
    pub fn is_newer_than_known(&self) -> bool {
        let [major, minor, _] = self.version;
        match self.side {
            Side::Kernel => [major, minor] > NEWEST.0,
            Side::Kmod => major > NEWEST.1,
        }
    }

    /// Its commits, with why it has them or may have them.
    pub fn commits(&self) -> impl Iterator<Item = (&'static Commit, Has)> + '_ {
        let all = COMMITS.iter().map(|commit| (commit, self.has(commit)));
        all.filter(|(_, has)| *has != Has::Not)
    }

    /// Sets the switches that its commits set. What its name hides is taken as the mainline release has it.
    fn set(&self, features: &mut Features) {
        for (commit, has) in self.commits() {
            if matches!(has, Has::Hidden(_)) {
                continue;
            }
            for (name, value) in commit.sets {
                let switch = Switch::find(name).expect("a test looks that every switch is one");
                assert!(switch.set(features, value), "{name} has no {value}");
            }
        }
        features.kernel.duplicate_requests |= self.duplicates;
    }

    /// The switches of a kernel.
    pub fn kernel_features(&self) -> KernelFeatures {
        let mut features = Features { kernel: KernelFeatures::V4_9, kmod: KmodFeatures::V5 };
        self.set(&mut features);
        features.kernel
    }

    /// The switches of a kmod.
    pub fn kmod_features(&self) -> KmodFeatures {
        let mut features = Features { kernel: KernelFeatures::V4_9, kmod: KmodFeatures::V5 };
        self.set(&mut features);
        features.kmod
    }

    /// What is to be said of it, each in a few words: which switch is not the mainline release's, and what its name hides.
    pub fn notes(&self) -> Vec<String> {
        let dotted = |[major, minor, patch]: [u32; 3]| format!("{major}.{minor}.{patch}");
        let sets = |commit: &Commit| {
            let all: Vec<String> =
                commit.sets.iter().map(|(name, value)| format!("{name}={value}")).collect();
            all.join(", ")
        };
        let mut notes = Vec::new();
        if self.is_newer_than_known() {
            let newest = match self.side {
                Side::Kernel => format!("v{}.{}", NEWEST.0[0], NEWEST.0[1]),
                Side::Kmod => format!("v{}", NEWEST.1),
            };
            notes.push(format!(
                "{self} is newer than {newest}, the newest of which anything is known"
            ));
        }
        if self.hidden {
            notes.push(format!("a distribution's own, taken as {self}: its name says neither what it is based on nor what was put into it"));
        }
        for (commit, has) in self.commits() {
            let (sets, id) = (sets(commit), commit.id);
            match has {
                Has::Stable(first) => notes.push(format!("{sets}: {id} is in {}", dotted(first))),
                Has::Unsure(first) => notes.push(format!(
                    "{sets}: {id} is in {} (seen as a release candidate only)",
                    dotted(first)
                )),
                Has::Hidden(first) => notes.push(format!(
                    "not known whether {sets}: {id} is in {}; --with says it",
                    dotted(first)
                )),
                Has::Mainline | Has::Not => {}
            }
        }
        notes
    }
}

/// The numbers with which a release begins, and what follows them.
fn numbers(text: &str) -> Option<(Vec<u32>, &str)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        numbers.push(rest[..end].parse().ok()?);
        rest = &rest[end..];
        match rest.strip_prefix('.') {
            Some(after) if numbers.len() < 3 && after.starts_with(|c: char| c.is_ascii_digit()) => {
                rest = after
            }
            _ => return Some((numbers, rest)),
        }
    }
}
