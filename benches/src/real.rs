//! Systems as users have them, checked by `kmodcheck` itself: how many states a second, on one thread and on
//! all, beside another build of it, and beside SPIN where the whole system can be exported.
//!
//! The same systems are read here, too: for the bytes of a state in the tables, which `check` does not say, and so
//! that what is measured is known to be what is meant.

use std::path::{Path, PathBuf};

use kmodcheck_explore::{CountOnly, Limits, Options, explore, explore_counted};
use kmodcheck_indexes::{IndexText, Modprobe, ModuleIndex, config};
use kmodcheck_model::Model;
use kmodcheck_model::scenario::{Init, Scenario};
use kmodcheck_properties::verdict;
use kmodcheck_sim::Processes;
use kmodcheck_sim::scenario_file::closure::{self, Setting};
use kmodcheck_sim::scenario_file::{self, Choice, rules};

use crate::measure::{Contestant, Effort, Measured, measure, median};
use crate::{Failure, external, table};

/// The indexes of Debian's 6.1, as far as file systems need them.
const INDEXES: &str = "indexes/tests/fixtures/debian-6.1";

/// A kernel and a kmod of this year.
const KERNEL: &str = "6.12-debian";
const KMOD: &str = "v30";

/// What a system is made of.
enum Of {
    /// A file system and all that it needs: that many callers mount one of it; inits succeed, or may fail.
    Closure(&'static str, u8, Init),
    /// A scenario file, and what is replaced in it.
    File(&'static str, Option<(&'static str, &'static str)>),
}

/// How it is searched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Up to exchanging callers, as `check` does.
    Sorted,
    /// Each caller has a number.
    Numbered,
    /// Callers are counted.
    Counted,
}

struct System {
    name: &'static str,
    of: Of,
    how: How,
}

const fn system(name: &'static str, of: Of, how: How) -> System {
    System { name, of, how }
}

const MAY_FAIL: System =
    system("ext4, 3 callers, inits may fail", Of::Closure("ext4", 3, Init::MayFail), How::Numbered);

const FIVE: System = system("ext4, 5 callers", Of::Closure("ext4", 5, Init::Succeeds), How::Sorted);

const DRIVERS: System = system(
    "symbol_request(), 5 drivers",
    Of::File("properties/scenarios/symbol-request.toml", Some(("count = 2", "count = 5"))),
    How::Numbered,
);

/// Those that are compared.
const SYSTEMS: [System; 10] = [
    system("ext4, 3 callers", Of::Closure("ext4", 3, Init::Succeeds), How::Numbered),
    FIVE,
    MAY_FAIL,
    system("btrfs, 3 callers", Of::Closure("btrfs", 3, Init::Succeeds), How::Numbered),
    system("btrfs, 4 callers", Of::Closure("btrfs", 4, Init::Succeeds), How::Sorted),
    system("xfs, 3 callers", Of::Closure("xfs", 3, Init::Succeeds), How::Numbered),
    system(
        "ext4, 2 callers, an rmmod",
        Of::File("benches/systems/ext4-and-rmmod.toml", None),
        How::Numbered,
    ),
    system("kmod.sh 0009", Of::File("benches/systems/kmod-sh-0009.toml", None), How::Counted),
    DRIVERS,
    system(
        "a nowait request among 4",
        Of::File(
            "properties/scenarios/candidates/4-a-nowait-request-announces.toml",
            Some(("name = \"later\"\n", "name = \"later\"\ncount = 3\n")),
        ),
        How::Numbered,
    ),
];

/// Those of which it is measured what a state costs in the tables: of two to eight words, and all but the first with more
/// than 10,000,000 states, the last two with far more.
const LARGE: [System; 6] = [
    MAY_FAIL,
    DRIVERS,
    FIVE,
    system(
        "btrfs, 3 callers, inits may fail",
        Of::Closure("btrfs", 3, Init::MayFail),
        How::Numbered,
    ),
    system("ext4, 8 callers", Of::Closure("ext4", 8, Init::Succeeds), How::Numbered),
    system("xfs, 12 callers", Of::Closure("xfs", 12, Init::Succeeds), How::Numbered),
];

/// The repository, where the files are.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl System {
    fn named(name: &str) -> Result<&'static Self, Failure> {
        let found = SYSTEMS.iter().chain(&LARGE).find(|system| system.name == name);
        Ok(found.ok_or_else(|| format!("no system is called '{name}'"))?)
    }

    /// Whether its name contains one of these words, if there are any.
    fn is_wanted(&self, only: &[String]) -> bool {
        only.is_empty() || only.iter().any(|word| self.name.contains(word))
    }

    /// The text of its scenario file; none for what comes from indexes.
    fn text(&self) -> Result<Option<String>, Failure> {
        let Of::File(file, change) = &self.of else { return Ok(None) };
        let text =
            std::fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))?;
        let Some((was, is)) = change else { return Ok(Some(text)) };
        if text.matches(was).count() != 1 {
            return Err(format!("{file}: expected '{was}' in one place").into());
        }
        Ok(Some(text.replace(was, is)))
    }

    /// It, read here.
    fn scenario(&self) -> Result<Scenario, Failure> {
        let (fs, callers, init) = match &self.of {
            Of::File(file, _) => {
                let text = self.text()?.expect("a file has a text");
                let properties = kmodcheck_properties::Property::ALL.map(|p| p.name());
                return Ok(scenario_file::load(file, &text, &properties)?.scenario);
            }
            Of::Closure(fs, callers, init) => (fs, *callers, *init),
        };
        let choice =
            Choice { kernel: KERNEL.to_owned(), kmod: KMOD.to_owned(), changes: Vec::new() };
        let features = choice.features()?;
        let folder = root().join(INDEXES);
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let texts = [
            read("modules.dep")?,
            read("modules.alias")?,
            read("modules.softdep")?,
            read("modules.builtin")?,
        ];
        let index = ModuleIndex::parse(&IndexText::of(texts.each_ref().map(String::as_str)))?;
        let setting = Setting {
            get_fs_type: true,
            request: format!("fs-{fs}"),
            callers,
            init,
            timeouts: false,
            features,
        };
        let rules = rules(&features.kmod);
        Ok(closure::scenario(Modprobe { index: &index, config: &config::NONE, rules }, &setting)?)
    }

    /// What `kmodcheck check` and `export` are told of it; a file that is changed is written into `folder`.
    fn arguments(&self, folder: &Path) -> Result<Vec<String>, Failure> {
        let words = match &self.of {
            Of::Closure(fs, callers, init) => {
                let (callers, indexes) = (callers.to_string(), root().join(INDEXES));
                let indexes = indexes.display().to_string();
                let mut words = vec!["--modules", &indexes, "--no-config", "--fs", fs];
                words.extend(["--callers", &callers, "--kernel", KERNEL, "--kmod", KMOD]);
                words.extend((*init == Init::MayFail).then_some("--init-may-fail"));
                words.into_iter().map(str::to_owned).collect()
            }
            Of::File(..) => {
                let number = SYSTEMS.iter().position(|system| system.name == self.name);
                let file = folder.join(format!("{}.toml", number.unwrap_or(SYSTEMS.len())));
                std::fs::write(&file, self.text()?.unwrap_or_default())?;
                vec![file.display().to_string()]
            }
        };
        Ok(words)
    }

    /// `program`, which is a `kmodcheck`, on it.
    fn contestant(
        &self,
        (name, program): (&str, &Path),
        (how, threads): (How, usize),
        limit: u64,
        folder: &Path,
    ) -> Result<Contestant, Failure> {
        let mut arguments = vec!["check".to_owned()];
        arguments.extend(self.arguments(folder)?);
        let (threads_text, limit) = (threads.to_string(), limit.to_string());
        let how: &[&str] = match how {
            How::Sorted => &["--threads", &threads_text],
            How::Numbered => &["--threads", &threads_text, "--no-symmetry"],
            How::Counted => &["--engine", "counted"],
        };
        let more = ["--json", "--states-limit", &limit];
        arguments.extend(more.iter().chain(how).map(|word| (*word).to_owned()));
        Ok(Contestant {
            name: name.to_owned(),
            threads,
            program: program.to_owned(),
            arguments,
            // Something is violated, or a limit was met.
            ends: &[0, 1, 3],
            counts: |printed| {
                let printed: serde_json::Value = serde_json::from_str(printed).ok()?;
                let report = &printed["report"];
                Some((report["states"].as_u64()?, report["transitions"].as_u64()?))
            },
        })
    }

    fn options(&self, limit: u64) -> Options<'static> {
        let limits = Limits { states: Some(limit), ..Limits::default() };
        Options { symmetry: self.how == How::Sorted, threads: 1, limits, ..Options::default() }
    }

    /// States, transitions, words of a packed state, and bytes of the tables (counted: of all that grows), of a
    /// search here.
    fn explored(&self, limit: u64) -> Result<[u64; 4], Failure> {
        let model = Model::new(self.scenario()?, None)?;
        let options = self.options(limit);
        let system = Processes { model: &model };
        let found = match self.how {
            How::Counted => explore_counted(&system, &CountOnly, &options)?,
            _ => explore(&system, &CountOnly, &options)?,
        };
        let bytes = if found.tables > 0 { found.tables } else { found.bytes };
        Ok([found.states, found.transitions, found.words as u64, bytes])
    }
}

/// One search of one system, as `check` makes it, and nothing besides: what a profiler is to look at.
pub fn search(name: &str, limit: u64) -> Result<bool, Failure> {
    let system = System::named(name)?;
    let model = Model::new(system.scenario()?, None)?;
    let options = system.options(limit);
    let by = match system.how {
        How::Counted => verdict::Engine::Counted,
        _ => verdict::Engine::Exhaustive,
    };
    let report = verdict::check_by(&model, &options, by)?;
    println!("{} states, {} transitions", report.states, report.transitions);
    Ok(true)
}

/// Prints what a state of large systems costs in the tables. `only`: systems whose names contain one of these words; all, if
/// there are none.
pub fn memory(limit: u64, only: &[String]) -> Result<bool, Failure> {
    table::print_head();
    let mut rows =
        table::numbers(["system", "words", "states", "transitions", "MiB of tables", "B/state"]);
    for system in LARGE.iter().filter(|system| system.is_wanted(only)) {
        let [states, transitions, words, bytes] = system.explored(limit)?;
        let all = if states < limit { " (all)" } else { "" };
        rows.add_row([
            system.name.to_owned(),
            words.to_string(),
            format!("{states}{all}"),
            transitions.to_string(),
            format!("{:.1}", bytes as f64 / f64::from(1 << 20)),
            format!("{:.2}", bytes as f64 / states as f64),
        ]);
    }
    println!("{rows}");
    Ok(true)
}

/// What is compared.
pub struct Compared<'a> {
    /// States after which a search ends.
    pub limit: u64,
    /// Only systems whose names contain one of these words; all, if there are none.
    pub only: &'a [String],
    /// Another build.
    pub other: Option<&'a Path>,
    /// Whether SPIN is asked, too.
    pub spin: bool,
    pub effort: Effort,
}

/// Measures and prints; whether all have counted the same.
pub fn compare(asked: &Compared<'_>) -> Result<bool, Failure> {
    table::print_head();
    let program = std::env::current_exe()?.with_file_name("kmodcheck");
    if !program.exists() {
        return Err(format!("{}: not built, expected it beside this", program.display()).into());
    }
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let folder = tempfile::tempdir()?;
    let mut rows = table::numbers([
        "system",
        "kmodcheck",
        "threads",
        "states",
        "transitions",
        "words",
        "B/state in tables",
        "seconds",
        "ratio",
        "CPU seconds",
        "ratio",
        "thousand states/CPU s",
    ]);
    // By build and threads, of each system: seconds and seconds of processors, to those of this one on one thread.
    let mut quotients: Vec<(String, usize, [Vec<f64>; 2])> = Vec::new();
    let mut same = true;
    for system in SYSTEMS.iter().filter(|system| system.is_wanted(asked.only)) {
        let mut contestants = Vec::new();
        for threads in if all > 1 && system.how != How::Counted { vec![1, all] } else { vec![1] } {
            let builds = [("this", Some(&*program)), ("other", asked.other)];
            for (name, program) in builds {
                let Some(program) = program else { continue };
                let limit = asked.limit;
                let how = (system.how, threads);
                contestants.push(system.contestant((name, program), how, limit, folder.path())?);
            }
        }
        let (measured, late) = measure(&contestants, asked.effort)?;
        let [states, transitions, words, bytes] = system.explored(asked.limit)?;
        let own = measured.first().ok_or("nothing was done in time")?;
        for m in &measured {
            // Which states a limit cuts off depends on what is judged; here nothing is.
            let whole = states < asked.limit;
            let agrees = m.counts == own.counts && (!whole || m.counts == (states, transitions));
            same &= agrees;
            let mark = if agrees { "" } else { " DIFFERS" };
            let ratios = [m.median() / own.median(), m.cpu() / own.cpu().max(0.01)];
            let is_of =
                |(name, threads, _): &(String, usize, _)| (name, threads) == (&m.name, &m.threads);
            let at = quotients.iter().position(is_of).unwrap_or_else(|| {
                quotients.push((m.name.clone(), m.threads, [Vec::new(), Vec::new()]));
                quotients.len() - 1
            });
            quotients[at].2.iter_mut().zip(ratios).for_each(|(all, ratio)| all.push(ratio));
            rows.add_row([
                system.name.to_owned(),
                m.name.clone(),
                m.threads.to_string(),
                format!("{}{mark}", m.counts.0),
                m.counts.1.to_string(),
                words.to_string(),
                format!("{:.1}", bytes as f64 / states as f64),
                format!("{:.2}", m.median()),
                format!("{:.2}", ratios[0]),
                format!("{:.2}", m.cpu()),
                format!("{:.2}", ratios[1]),
                format!("{:.0}", m.counts.0 as f64 / m.cpu().max(0.01) / 1e3),
            ]);
        }
        late.iter().for_each(|why| println!("missing: {}: {why}", system.name));
    }
    println!("{rows}\n");
    println!("To this one on one thread, in the median of the systems:");
    for (name, threads, ratios) in &quotients {
        let [seconds, cpu] = ratios.each_ref().map(|ratios| median(ratios));
        println!(
            "{name}, {threads} threads: {seconds:.2} of the seconds, {cpu:.2} of the CPU seconds"
        );
    }
    Ok(same & (!asked.spin || beside_spin(&program, asked.effort, folder.path())?))
}

/// Most states of a system that is exported: each of them is asked of.
const EXPORTED: u64 = 1_000_000;

/// The systems that are small enough to be exported whole, each caller with a number, here and in SPIN.
fn beside_spin(program: &Path, effort: Effort, folder: &Path) -> Result<bool, Failure> {
    let mut rows =
        table::numbers(["system", "checker", "states", "transitions", "seconds", "ratio"]);
    let (mut same, mut missing) = (true, Vec::new());
    for system in SYSTEMS.iter().filter(|system| system.how != How::Counted) {
        let how = (How::Numbered, 1);
        let ours = system.contestant(("kmodcheck", program), how, EXPORTED, folder)?;
        let arguments = system.arguments(folder)?;
        let theirs = match external::spin_of(folder, program, &arguments)? {
            Ok(theirs) => theirs,
            Err(why) => {
                missing.push(format!("{}: {why}", system.name));
                continue;
            }
        };
        let (measured, late) = measure(&[ours, theirs], effort)?;
        missing.extend(late);
        let own = measured.first().map_or(0.0, Measured::median);
        same &= measured.iter().all(|m| m.counts == measured[0].counts);
        for m in &measured {
            let differs = if m.counts == measured[0].counts { "" } else { " DIFFERS" };
            rows.add_row([
                system.name.to_owned(),
                m.name.clone(),
                format!("{}{differs}", m.counts.0),
                m.counts.1.to_string(),
                format!("{:.3}", m.median()),
                format!("{:.2}", m.median() / own),
            ]);
        }
    }
    println!("\n{rows}");
    missing.iter().for_each(|why| println!("missing: {why}"));
    Ok(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is read, here and as the command reads it, and has states.
    #[test]
    fn every_system_can_be_searched() {
        let folder = tempfile::tempdir().unwrap();
        for system in SYSTEMS.iter().chain(&LARGE) {
            let [states, transitions, words, bytes] = system.explored(1_000).unwrap();
            assert!(states >= 300 && transitions > states / 2, "{}: {states}", system.name);
            assert_eq!(words > 0, system.how != How::Counted, "{}", system.name);
            assert!(bytes > states, "{}", system.name);
            let arguments = system.arguments(folder.path()).unwrap();
            assert_eq!(arguments.len() > 1, matches!(system.of, Of::Closure(..)), "{arguments:?}");
            assert_eq!(System::named(system.name).unwrap().name, system.name);
        }
        assert!(System::named("nothing").is_err());
    }
}
