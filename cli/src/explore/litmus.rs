//! `kmodcheck check FILE.litmus`: a program in the C of the kernel's litmus tests, and what its file asks.

use std::path::Path;

use kmodcheck_explore::{End, Options, Sleep};
use kmodcheck_lang::text::is_litmus;
use kmodcheck_lang::text::syntax::{Quantifier, Stated};
use kmodcheck_lang::{Agreement, Answer, Line, Observation, Program};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::scale::Engine;
use crate::args::{Arguments, Check};
use crate::explore::junit::{Case, Fared};
use crate::input::{files, session};
use crate::output::{self, Ended, Failure, bars, screen};

/// What `check` has found of a litmus test.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LitmusJson<'a> {
    format: &'static str,
    version: u32,
    name: &'a str,
    /// What a file may not take for granted.
    memory: &'static str,
    end: &'static str,
    states: u64,
    transitions: u64,
    depth: u32,
    /// herd's answer.
    observation: &'static str,
    /// Distinct final states that meet the condition.
    positive: u64,
    /// Those that do not.
    negative: u64,
    /// Those that the filter leaves out.
    filtered: u64,
    /// `exists`, `~exists` or `forall`.
    question: Option<&'static str>,
    /// `null`: undecided.
    is_so: Option<bool>,
    /// What the file's `Result:` line says.
    stated: Option<&'static str>,
    /// Whether that `agrees`, `differs` or is `weak memory only`; `null`: nothing is stated, or not all
    /// was found.
    compared: Option<&'static str>,
    /// What final states look like.
    outcomes: Vec<OutcomeJson<'a>>,
    /// A shortest run to a final state that meets the condition.
    to_positive: Option<Vec<LineJson<'a>>>,
    /// A shortest run to one that does not.
    to_negative: Option<Vec<LineJson<'a>>>,
    /// A shortest run in which an assertion fails.
    failure: Option<Vec<LineJson<'a>>>,
    /// A shortest run after which somebody waits for ever.
    blocked: Option<BlockedJson<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct OutcomeJson<'a> {
    /// Each name with its value.
    values: Vec<(&'a str, &'a str)>,
    states: u64,
    /// Whether they meet the condition.
    meets: bool,
}

#[derive(Serialize, JsonSchema)]
struct BlockedJson<'a> {
    /// What such a wait is ended by: `nothing`, `a signal` or `a time limit`.
    ended_by: &'static str,
    /// It goes on until that can be seen.
    trace: Vec<LineJson<'a>>,
    /// Where everybody waits then.
    waits: Vec<LineJson<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct LineJson<'a> {
    process: &'a str,
    line: usize,
    what: &'a str,
}

/// The text of the litmus test of that name, if it is one.
fn text(name: &str) -> Result<Option<String>, Failure> {
    if name == "-" {
        return Ok(Some(files::read_standard_input()?).filter(|text| is_litmus(text)));
    }
    let path = Path::new(name);
    if !path.is_file() {
        return Ok(None);
    }
    let text = files::read(path)?;
    let named = path.extension().is_some_and(|extension| extension == "litmus");
    Ok((named || is_litmus(&text)).then_some(text))
}

/// What says nothing of a litmus test.
fn heeds(asked: &Check) -> Result<(), Failure> {
    let system = &asked.subject.system;
    let changes = &system.changes;
    let engine = &asked.engine;
    let given = [
        ("--kernel", system.releases.kernel.is_some()),
        ("--kmod", system.releases.kmod.is_some()),
        ("--with", !changes.with.is_empty()),
        ("--without", !changes.without.is_empty()),
        ("--alias-map", changes.alias_map.is_some()),
        ("--limit", changes.limit.is_some()),
        ("--timeouts", changes.timeouts),
        ("--patch", !changes.patch.is_empty()),
        ("--text", changes.text.is_some()),
        ("--modprobe", changes.binary.modprobe.is_some()),
        ("--callers", asked.subject.callers.callers.is_some()),
        ("--engine", engine.engine != Engine::Exhaustive),
        ("--processes", engine.processes.is_some()),
        ("--hosts", engine.hosts.is_some()),
        ("--connect-timeout", engine.connect_timeout.is_some()),
        ("--checkpoint", engine.checkpoint.is_some()),
        ("--witness", asked.witness.is_some()),
        ("--save-trace", asked.save_trace.is_some()),
        ("--property", asked.property.is_some()),
        ("--expect", !asked.expect.is_empty()),
        ("--raw-trace", asked.raw_trace),
        ("--faults", asked.faults),
        ("--assumptions", asked.assumptions),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(format!(
            "found {flag} beside a litmus test, expected a system of the model with it: the file says all"
        )
        .into()),
        None => Ok(()),
    }
}

/// A litmus test.
pub(super) struct Litmus {
    file: String,
    /// (Unboxed, so that what is wrong with it is known again where it is printed.)
    program: Program,
}

/// What was found of it.
pub(super) struct Found {
    of: Litmus,
    answer: Answer,
}

/// Reads the litmus test of that name, if it is one.
pub(super) fn read(asked: &Check, name: &str) -> Result<Option<Litmus>, Failure> {
    let Some(text) = text(name)? else { return Ok(None) };
    heeds(asked)?;
    let file = if name == "-" { "standard input" } else { name };
    let mut program = Program::read(file, &text).map_err(|error| *error)?;
    if asked.every_access {
        program = program.every_access_a_step();
    }
    Ok(Some(Litmus { file: file.to_owned(), program }))
}

/// Searches it.
pub(super) fn search(arguments: &Arguments, asked: &Check, of: Litmus) -> Result<Found, Failure> {
    let spinner = bars::spinner();
    let describe = |p| spinner.set_message(bars::describe(p));
    let options = Options {
        symmetry: !asked.no_symmetry,
        follow_all: asked.follow_all,
        limits: session::limits(arguments),
        interrupt: Some(session::interrupt()),
        progress: Some(&describe),
        threads: session::threads(arguments),
        ..Options::default()
    };
    let file = &of.file;
    let answer = of.program.answer(&options).map_err(|error| format!("{file}: {error}"))?;
    spinner.finish_and_clear();
    if let End::PoolExhausted(_) = answer.end {
        return Err(format!(
            "{file}: found more runs of an asynchronous function at a time than async_schedule() stands in the \
             text, expected no call of it in a loop"
        )
        .into());
    }
    Ok(Found { of, answer })
}

impl Found {
    /// For people.
    pub(super) fn print(&self, asked: &Check) {
        let Litmus { file, program } = &self.of;
        print(file, program, &self.answer, screen::width_or(asked.width.width));
    }

    /// For machines.
    pub(super) fn json(&self) -> LitmusJson<'_> {
        json(&self.of.program, &self.answer)
    }

    /// What it is called.
    pub(super) fn named(&self) -> String {
        format!("{}: {}", self.of.file, self.of.program.name)
    }

    pub(super) fn ended(&self) -> Ended {
        ended(&self.of.program, &self.answer)
    }

    /// What it asks, and how that fared.
    pub(super) fn cases(&self) -> Vec<Case> {
        let (program, answer) = (&self.of.program, &self.answer);
        let fared = match self.ended() {
            Ended::AsExpected => Fared::AsExpected,
            Ended::Differs => Fared::Differs,
            Ended::OutOfBudget => Fared::Undecided,
        };
        let question = program.quantifier().map_or("runs to its end", question);
        let stated = program
            .stated
            .map_or(String::new(), |stated| format!(", the file says {}", stated_word(stated)));
        let message = format!("{}{stated}", observed(answer.observation));
        let runs = [&answer.failure, &answer.to_positive, &answer.to_negative];
        let blocked = answer.blocked.as_ref().map(|blocked| &blocked.trace);
        let run = runs.into_iter().flatten().chain(blocked).next().map(|lines| {
            lines.iter().map(|l| format!("{} {}: {}\n", l.process, l.line, l.what)).collect()
        });
        vec![Case { name: question.to_owned(), fared, message, run }]
    }
}

/// What the file says comes out is what is expected; else what it asks.
fn ended(program: &Program, answer: &Answer) -> Ended {
    let hangs = answer.blocked.as_ref().is_some_and(|blocked| !blocked.until_time_out());
    let mut differs = answer.failure.is_some();
    let mut cut = answer.end != End::Complete;
    match program.stated {
        Some(stated) => {
            let compared = answer.compared(stated);
            differs |= compared == Some(Agreement::Differs);
            differs |= hangs && stated != Stated::Deadlock;
            cut |= compared.is_none();
        }
        None => differs |= hangs || answer.is_so() == Some(false),
    }
    Ended::of(differs, cut)
}

fn observed(observation: Observation) -> &'static str {
    match observation {
        Observation::Sometimes => "Sometimes",
        Observation::Always => "Always",
        Observation::Never => "Never",
    }
}

fn end_word(end: End) -> &'static str {
    match end {
        End::PoolExhausted(_) => "too few asynchronous runs",
        end => output::how(end),
    }
}

fn question(quantifier: Quantifier) -> &'static str {
    match quantifier {
        Quantifier::Exists => "exists",
        Quantifier::NotExists => "~exists",
        Quantifier::Forall => "forall",
    }
}

fn stated_word(stated: Stated) -> &'static str {
    match stated {
        Stated::Sometimes => "Sometimes",
        Stated::Always => "Always",
        Stated::Never => "Never",
        Stated::Deadlock => "DEADLOCK",
    }
}

fn compared(agreement: Agreement) -> &'static str {
    match agreement {
        Agreement::Agrees => "agrees",
        Agreement::WeakMemoryOnly => "weak memory only",
        Agreement::Differs => "differs",
    }
}

fn ended_by(sleep: Sleep) -> &'static str {
    match sleep {
        Sleep::ForEver => "nothing",
        Sleep::UntilKilled => "a signal",
        Sleep::UntilTimeOut => "a time limit",
    }
}

fn lines(all: &[Line]) -> Vec<LineJson<'_>> {
    all.iter().map(|l| LineJson { process: &l.process, line: l.line, what: &l.what }).collect()
}

fn json<'a>(program: &'a Program, answer: &'a Answer) -> LitmusJson<'a> {
    LitmusJson {
        format: "kmodcheck-litmus",
        version: 1,
        name: &program.name,
        memory: "sequentially consistent",
        end: end_word(answer.end),
        states: answer.states,
        transitions: answer.transitions,
        depth: answer.depth,
        observation: observed(answer.observation),
        positive: answer.positive,
        negative: answer.negative,
        filtered: answer.filtered,
        question: program.quantifier().map(question),
        is_so: answer.is_so(),
        stated: program.stated.map(stated_word),
        compared: program.stated.and_then(|stated| answer.compared(stated)).map(compared),
        outcomes: (answer.outcomes.iter())
            .map(|outcome| OutcomeJson {
                values: outcome.values.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect(),
                states: outcome.states,
                meets: outcome.meets,
            })
            .collect(),
        to_positive: answer.to_positive.as_deref().map(lines),
        to_negative: answer.to_negative.as_deref().map(lines),
        failure: answer.failure.as_deref().map(lines),
        blocked: answer.blocked.as_ref().map(|blocked| BlockedJson {
            ended_by: ended_by(blocked.sleep),
            trace: lines(&blocked.trace),
            waits: lines(&blocked.waits),
        }),
    }
}

fn print(file: &str, program: &Program, answer: &Answer, width: usize) {
    let say = |text: &str| say(text, width);
    say(&format!("{file}: {}", program.name));
    say(
        "sequentially consistent: what only a weaker memory allows does not come out; signals and time limits \
         may end each wait that has them",
    );
    say(&format!(
        "{}: {} states, {} transitions, depth {}",
        end_word(answer.end),
        answer.states,
        answer.transitions,
        answer.depth
    ));
    if !answer.outcomes.is_empty() && !answer.outcomes[0].values.is_empty() {
        say("final states:");
        for outcome in &answer.outcomes {
            let values: Vec<String> =
                outcome.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let meets = match (program.quantifier(), outcome.meets) {
                (Some(_), true) => "  meets the condition",
                _ => "",
            };
            say(&format!("  {}{meets}", values.join("; ")));
        }
    }
    if answer.filtered > 0 {
        say(&format!("{} more are left out by the filter", answer.filtered));
    }
    if let Some(quantifier) = program.quantifier() {
        let is_so = match answer.is_so() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "undecided",
        };
        say(&format!(
            "{} {} {}; {}: {is_so}",
            observed(answer.observation),
            answer.positive,
            answer.negative,
            question(quantifier)
        ));
    }
    if let Some(stated) = program.stated {
        let says = match answer.compared(stated) {
            Some(Agreement::Agrees) => "so it is",
            Some(Agreement::WeakMemoryOnly) => "weak memory only: not all of it comes out here",
            Some(Agreement::Differs) => "DIFFERS",
            None => "undecided",
        };
        say(&format!("Result: {}, says the file: {says}", stated_word(stated)));
    }
    let run = |what: &str, trace: &Option<Vec<Line>>| {
        if let Some(trace) = trace {
            say(&format!("\n{what}"));
            print_lines(trace, width);
        }
    };
    run("it fails:", &answer.failure);
    if let Some(blocked) = &answer.blocked {
        say(&format!("\nsomebody waits for ever, and {} ends it:", ended_by(blocked.sleep)));
        print_lines(&blocked.trace, width);
        say("and then stand");
        print_lines(&blocked.waits, width);
    }
    match program.quantifier() {
        Some(Quantifier::Forall) => {
            run(
                "a shortest run to a final state that does not meet the condition:",
                &answer.to_negative,
            );
        }
        Some(_) => {
            run("a shortest run to a final state that meets the condition:", &answer.to_positive)
        }
        None => {}
    }
}

fn print_lines(all: &[Line], width: usize) {
    let names = all.iter().map(|line| line.process.len()).max().unwrap_or_default();
    for line in all {
        say(&format!("  {:names$} {:>4}  {}", line.process, line.line, line.what), width);
    }
}

/// Each line of the text in lines of at most that width.
fn say(text: &str, width: usize) {
    for line in text.split('\n') {
        let indent = " ".repeat(line.len() - line.trim_start().len() + 2);
        let folded = screen::fold(line, &indent, width);
        if folded.is_empty() {
            output::print("")
        } else {
            folded.iter().for_each(|l| output::print(l))
        }
    }
}
