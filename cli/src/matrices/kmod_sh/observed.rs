//! `kmodcheck kmod-sh --observed`: what the threads of real runs got, beside what the model says that they can get.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use kmodcheck_explore::{Options, map_on_threads};
use kmodcheck_model::Ret;
use kmodcheck_model::text::Decisions;
use kmodcheck_properties::kmod_sh::{self, CASES, Call, Case, Effort, LIMIT, Outcome};
use schemars::JsonSchema;
use serde::Serialize;

use super::words::{half, short};
use crate::args::Arguments;
use crate::args::values::{Kernel, Kmod};
use crate::input::{files, session};
use crate::output::rows::counted;
use crate::output::{self, Ended, Failure};

/// The cases of the script that test who may see addresses, which no system of the model has.
const OF_ADDRESSES: [&str; 2] = ["0012", "0013"];

/// One half of a round: one run of test_kmod.
#[derive(Debug, Default)]
struct Run {
    case: usize,
    line: usize,
    threads: u8,
    /// How many threads got which answer.
    answers: BTreeMap<Ret, u64>,
    /// How often the kernel said that it gave up waiting for a place.
    gave_up: u64,
    /// What the script says of it.
    passed: bool,
}

/// What a file has.
#[derive(Debug, Default)]
struct Observed {
    runs: Vec<Run>,
    /// Rounds, and how many passed, of the cases that are not in the model.
    others: BTreeMap<&'static str, (u64, u64)>,
}

/// A round that is being read.
struct Round {
    number: String,
    line: usize,
    runs: Vec<Run>,
    verdicts: Vec<bool>,
    passed: bool,
}

fn read(path: &Path) -> Result<Observed, Failure> {
    let text = files::read(path)?;
    let name = path.display();
    let fail = |line: usize, found: &str, expected: &str| -> Failure {
        format!("{name}:{line}: found '{found}', expected {expected}").into()
    };
    let mut observed = Observed::default();
    let mut open: Option<Round> = None;
    let lines: Vec<&str> = text.lines().collect();
    for (line, text) in (1..).zip(&lines) {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("round ") {
            let words: Vec<&str> = rest.split(' ').collect();
            let [number, _, "exit", status] = words[..] else {
                return Err(fail(line, text, "round NUMBER ROUND exit STATUS"));
            };
            if let Some(round) = open.take() {
                close(round, &mut observed, &fail)?;
            }
            let (number, passed) = (number.to_owned(), status == "0");
            open = Some(Round { number, line, runs: Vec::new(), verdicts: Vec::new(), passed });
            continue;
        }
        let Some(round) = &mut open else {
            if text.is_empty() {
                continue;
            }
            return Err(fail(line, text, "round NUMBER ROUND exit STATUS"));
        };
        if let Some(said) = text.strip_prefix("said: ") {
            if said.contains(": OK! - Return value: ") {
                round.verdicts.push(true);
            } else if said.contains(": FAIL, test expects ") {
                round.verdicts.push(false);
            }
            continue;
        }
        if text.is_empty() || text == "said:" {
            continue;
        }
        let unknown = || fail(line, text, "what the script said, or a line of test_kmod's");
        let (count, words) = text.split_once(' ').ok_or_else(unknown)?;
        let count: u64 = count.parse().map_err(|_| unknown())?;
        if let Some(words) = words.strip_prefix("request_module: ") {
            let run =
                round.runs.last_mut().ok_or_else(|| fail(line, text, "'Test case:' first"))?;
            // Up to v6.3 it says, too, that somebody begins to wait.
            let begins = words.starts_with("kmod_concurrent_max ");
            if !begins && !words.contains(", kmod busy with ") {
                return Err(unknown());
            }
            run.gave_up += if begins { 0 } else { count };
            continue;
        }
        let words = words.strip_prefix("misc test_kmod0: ").ok_or_else(unknown)?;
        let (what, value) = words.split_once(": ").ok_or_else(unknown)?;
        if what == "Test case" {
            let call = match value {
                "TEST_KMOD_DRIVER (1)" => Call::Driver,
                "TEST_KMOD_FS_TYPE (2)" => Call::FileSystem,
                _ => return Err(fail(line, text, "TEST_KMOD_DRIVER (1) or TEST_KMOD_FS_TYPE (2)")),
            };
            let is = |case: &Case| case.number == round.number && case.call == call;
            let case = CASES.iter().position(is);
            let case = case.ok_or_else(|| fail(line, text, "a call that this case has"))?;
            round.runs.push(Run { case, line, ..Run::default() });
            continue;
        }
        let run = round.runs.last_mut().ok_or_else(|| fail(line, text, "'Test case:' first"))?;
        match what {
            "Number of threads to run" => {
                run.threads = value.parse().map_err(|_| fail(line, text, "a number of threads"))?;
            }
            "Sync thread return status" => {
                let expected = "a status: 0, 256, -2, -12, -62 or -512";
                let answer = match value {
                    "0" => Ret::Zero,
                    "256" => Ret::Status256,
                    "-2" => Ret::Enoent,
                    "-12" => Ret::Enomem,
                    "-62" => Ret::Etime,
                    "-512" => Ret::Erestartsys,
                    _ => return Err(fail(line, text, expected)),
                };
                *run.answers.entry(answer).or_default() += count;
            }
            "Sync thread fs" => {
                let answer = if value == "NULL" { Ret::Null } else { Ret::Found };
                *run.answers.entry(answer).or_default() += count;
            }
            "General test result" => {}
            _ => return Err(unknown()),
        }
    }
    match open.take() {
        Some(round) => close(round, &mut observed, &fail)?,
        None => return Err(format!("{name}: found no round, expected at least one").into()),
    }
    Ok(observed)
}

/// A round is over: it has what its case has to have.
fn close(
    round: Round,
    observed: &mut Observed,
    fail: &impl Fn(usize, &str, &str) -> Failure,
) -> Result<(), Failure> {
    let Round { number, line, mut runs, verdicts, passed } = round;
    if let Some(number) = OF_ADDRESSES.into_iter().find(|other| *other == number) {
        let (rounds, good) = observed.others.entry(number).or_default();
        *rounds += 1;
        *good += u64::from(passed);
        return Ok(());
    }
    let halves = CASES.iter().filter(|case| case.number == number).count();
    if halves == 0 {
        return Err(fail(line, &number, "a case from 0001 to 0013"));
    }
    if runs.len() != verdicts.len() {
        let found = format!("{} runs of test_kmod and {} results", runs.len(), verdicts.len());
        return Err(fail(line, &found, "a result of each run"));
    }
    // The script ends where the first half of a case fails.
    let all = verdicts.iter().all(|good| *good);
    if runs.is_empty() || runs.len() > halves || (all && runs.len() < halves) || all != passed {
        let found = counted(runs.len() as u64, "run");
        let expected = format!("{halves}, or fewer after one that failed");
        return Err(fail(line, &found, &expected));
    }
    for (run, good) in runs.iter_mut().zip(verdicts) {
        run.passed = good;
        let threads = CASES[run.case].threads;
        if run.threads != threads {
            let expected = format!("{threads} threads, as case {number} has them");
            return Err(fail(run.line, &counted(run.threads, "thread"), &expected));
        }
        let answers = run.answers.values().sum::<u64>();
        if answers != u64::from(threads) {
            let expected = format!("one of each of {threads} threads");
            return Err(fail(run.line, &counted(answers, "answer"), &expected));
        }
    }
    observed.runs.append(&mut runs);
    Ok(())
}

/// A case, or one half of it, in all rounds.
#[derive(Serialize, JsonSchema)]
struct CaseJson {
    case: &'static str,
    call: &'static str,
    threads: u8,
    rounds: u64,
    /// How many of them the script called good.
    passed: u64,
    answers: Vec<AnswerJson>,
    /// How often the kernel said that it gave up waiting for a place.
    gave_up: u64,
    /// What `kmod-sh` says of the case: 'ok', or 'FAILS'.
    model: String,
}

#[derive(Serialize, JsonSchema)]
struct AnswerJson {
    answer: Ret,
    threads: u64,
    /// Whether that was in rounds in which the kernel said that it gave up waiting: of the model with time-outs.
    gave_up: bool,
    /// Whether a call of the model can come to it; null if that is undecided.
    possible: Option<bool>,
    /// With how many threads it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    possible_from: Option<u8>,
}

/// Real runs of the kernel's own stress cases.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ObservedJson {
    format: &'static str,
    version: u32,
    kernel: &'static str,
    kmod: &'static str,
    cases: Vec<CaseJson>,
    /// Whether every answer is one that a call of the model can come to; null if that is undecided.
    possible: Option<bool>,
}

/// A question to the model: what `kmod-sh` says of a case, or whether its calls can come to an answer.
struct Asked {
    case: usize,
    /// The answer, whether the kernel gave up waiting in that round, and how many threads got it.
    answer: Option<(Ret, bool, u64)>,
}

pub(super) fn run(
    arguments: &Arguments,
    path: &Path,
    kernel: &Kernel,
    kmod: &Kmod,
    does: &Decisions,
    effort: Effort,
) -> Result<Ended, Failure> {
    let observed = read(path)?;
    let mut asked = Vec::new();
    for case in 0..CASES.len() {
        let mut answers: BTreeMap<(Ret, bool), u64> = BTreeMap::new();
        for run in observed.runs.iter().filter(|run| run.case == case) {
            for (answer, threads) in &run.answers {
                *answers.entry((*answer, run.gave_up > 0)).or_default() += threads;
            }
        }
        if !answers.is_empty() {
            asked.push(Asked { case, answer: None });
        }
        asked.extend(answers.into_iter().map(|((answer, gave_up), threads)| Asked {
            case,
            answer: Some((answer, gave_up, threads)),
        }));
    }
    let interrupt = session::interrupt();
    let over = || interrupt.load(Ordering::Relaxed);
    let found = map_on_threads(session::threads(arguments), &asked, over, |_, asked| {
        let options = Options { interrupt: Some(interrupt), ..Options::default() };
        let case = &CASES[asked.case];
        match asked.answer {
            Some((answer, gave_up, _)) => {
                kmod_sh::comes_to(case, does, answer, gave_up, effort, &options)
            }
            None => kmod_sh::run(case, does, LIMIT, effort, None, &options),
        }
    });
    let mut cases: Vec<CaseJson> = Vec::new();
    for (asked, found) in asked.iter().zip(found) {
        // Whoever pressed Ctrl-C has no answer.
        let found = found.filter(|_| !over()).unwrap_or(Outcome::OutOfBudget);
        let Some((answer, gave_up, threads)) = asked.answer else {
            let case = &CASES[asked.case];
            let runs = || observed.runs.iter().filter(|run| run.case == asked.case);
            cases.push(CaseJson {
                case: case.number,
                call: half(case),
                threads: case.threads,
                rounds: runs().count() as u64,
                passed: runs().filter(|run| run.passed).count() as u64,
                answers: Vec::new(),
                gave_up: runs().map(|run| run.gave_up).sum(),
                model: short(case, &found),
            });
            continue;
        };
        let (possible, possible_from) = match found {
            Outcome::Fails { threads, .. } => (Some(true), Some(threads)),
            Outcome::Passes { .. } => (Some(false), None),
            Outcome::Stuck { .. } | Outcome::OutOfBudget => (None, None),
        };
        let case = cases.last_mut().expect("each case is asked about first");
        case.answers.push(AnswerJson { answer, threads, gave_up, possible, possible_from });
    }
    let all = || cases.iter().flat_map(|case| &case.answers);
    let impossible = all().any(|answer| answer.possible == Some(false));
    let undecided = all().any(|answer| answer.possible.is_none());
    if arguments.json {
        let possible = match (impossible, undecided) {
            (true, _) => Some(false),
            (false, true) => None,
            (false, false) => Some(true),
        };
        let (format, version) = ("kmodcheck-kmod-sh-observed", 1);
        let (kernel, kmod) = (kernel.name, kmod.name);
        output::print_json(&ObservedJson { format, version, kernel, kmod, cases, possible });
        return Ok(Ended::of(impossible, undecided));
    }
    print(&observed, &cases, kernel, kmod);
    Ok(Ended::of(impossible, undecided))
}

fn print(observed: &Observed, cases: &[CaseJson], kernel: &Kernel, kmod: &Kmod) {
    let mut table =
        output::table(["case", "T", "good rounds", "answers of the threads", "kmod-sh says"]);
    let mut strange = Vec::new();
    for case in cases {
        // Whether it gave up in that round is for the question, and for JSON.
        let mut by_answer: BTreeMap<Ret, (u64, &str)> = BTreeMap::new();
        for answer in &case.answers {
            let (threads, mark) = by_answer.entry(answer.answer).or_default();
            *threads += answer.threads;
            match answer.possible {
                Some(true) => {}
                Some(false) => *mark = " (!)",
                None => *mark = " (?)",
            }
        }
        let words = by_answer.iter().map(|(answer, (n, mark))| format!("{answer}: {n}{mark}"));
        let mut words = words.collect::<Vec<_>>().join(", ");
        if case.gave_up > 0 {
            words += &format!("; gave up: {}", case.gave_up);
        }
        table.add_row(vec![
            format!("{} {}", case.case, case.call),
            case.threads.to_string(),
            format!("{} of {}", case.passed, case.rounds),
            words,
            case.model.clone(),
        ]);
        for answer in case.answers.iter().filter(|answer| answer.possible != Some(true)) {
            let what = match answer.possible {
                Some(_) => "no call of the model comes to it",
                None => "undecided",
            };
            strange.push(format!("{} {}: {}: {what}", case.case, case.call, answer.answer));
        }
    }
    output::print(&format!("kernel {}, kmod {}\n\n{table}", kernel.name, kmod.name));
    for (number, (rounds, good)) in &observed.others {
        output::print(&format!("{number}, not in the model: {good} of {rounds} rounds good"));
    }
    if strange.is_empty() {
        output::print("\nEvery answer is one that a call of the model can come to.");
    } else {
        output::print(&format!("\n{}", strange.join("\n")));
    }
}
