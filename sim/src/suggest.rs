//! What was likely meant by a name that is none: of releases by what they are, of all else by how they are
//! spelled.

use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures};
use kmodcheck_model::presets::{self, KERNELS, KMODS, SWITCHES, Side};
use kmodcheck_model::releases::Release;

/// How much alike two names are at least that are taken for one another (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// The one of `names` that is spelled most like `found`, if any is like it.
pub fn spelled<'n>(found: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let alike = |name: &&'n str| strsim::jaro_winkler(found, name);
    let like = names.into_iter().filter(|name| alike(name) >= ALIKE);
    like.max_by(|a, b| alike(a).total_cmp(&alike(b)))
}

/// [`spelled`], as a question.
pub fn did_you_mean<'n>(found: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    spelled(found, names).map(|name| format!("did you mean '{name}'?"))
}

/// What to take for a kernel that is no preset, in a sentence.
pub fn kernel(found: &str) -> Option<String> {
    let features =
        |name: &str| Some(Features { kernel: presets::kernel(name)?, kmod: KmodFeatures::V19 });
    release(found, &KERNELS, Side::Kernel, features)
}

/// What to take for a kmod that is no preset, in a sentence.
pub fn kmod(found: &str) -> Option<String> {
    if let Some(Err(why)) = Release::busybox(found) {
        return Some(why);
    }
    let features =
        |name: &str| Some(Features { kernel: KernelFeatures::V4_9, kmod: presets::kmod(name)? });
    release(found, &KMODS, Side::Kmod, features)
}

/// The nearest older preset, and in what the next one differs: what lies between them may have either.
fn release(
    found: &str,
    names: &[&'static str],
    side: Side,
    features: impl Fn(&str) -> Option<Features>,
) -> Option<String> {
    let Some((version, more)) = version(found) else {
        return did_you_mean(found, names.iter().copied());
    };
    // Each with its version; before those of the same version the one without more to its name.
    let mut all: Vec<(Vec<u32>, &str, &'static str)> = names
        .iter()
        .filter_map(|name| self::version(name).map(|(version, more)| (version, more, *name)))
        .collect();
    all.sort_by_key(|(version, more, _)| (version.clone(), !more.is_empty()));
    // `v4.9+verfy`: the version is known, what follows is a slip.
    if !more.is_empty() && all.iter().any(|(known, ..)| *known == version) {
        let same = all.iter().filter(|(known, ..)| *known == version).map(|(.., name)| *name);
        if let Some(meant) = did_you_mean(found, same) {
            return Some(meant);
        }
    }
    let older = all.iter().rfind(|(known, ..)| *known <= version).map(|(known, ..)| known);
    let Some(older) = older else {
        return Some(format!("the oldest preset is '{}'", all.first()?.2));
    };
    let (.., older) = all.iter().find(|(known, ..)| known == older)?;
    let next = all.iter().find(|(known, ..)| *known > version);
    let Some((.., next)) = next else {
        return Some(format!("the nearest older preset is '{older}', the newest there is"));
    };
    let (before, after) = (features(older)?, features(next)?);
    let of_side = SWITCHES.iter().filter(|switch| switch.side == side);
    let differs = of_side.filter(|switch| switch.get(&before) != switch.get(&after));
    let differs: Vec<&str> = differs.map(|switch| switch.name).collect();
    let differs = match &differs[..] {
        [] => "does the same".to_owned(),
        differs => format!("differs from it in {}", differs.join(", ")),
    };
    Some(format!("the nearest older preset is '{older}'; '{next}', the next, {differs}"))
}

/// The numbers of a release, and what follows them: of `v6.5+dup` 6, 5 and `+dup`.
fn version(name: &str) -> Option<(Vec<u32>, &str)> {
    let name = name.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
    let end = name.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(name.len());
    let (numbers, more) = name.split_at(end);
    let numbers: Option<Vec<u32>> =
        numbers.split('.').filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect();
    numbers.filter(|numbers| !numbers.is_empty()).map(|numbers| (numbers, more))
}
