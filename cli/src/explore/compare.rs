//! `kmodcheck compare SUBJECT --kernel A --kernel B`: what changes between two releases.

use std::collections::BTreeMap;

use kmodcheck_explore::{End, Options};
use kmodcheck_model::presets::SWITCHES;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::compare::{
    self, Change, Compared, Judged, ResultOf, Side, results, verdict,
};
use kmodcheck_properties::results::call;
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::witness::Shown;
use kmodcheck_properties::{Property, Report, Verdict};
use kmodcheck_sim::trace::file::TraceFile;
use kmodcheck_sim::trace::witness::WitnessFile;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Arguments;
use crate::args::compare::Compare;
use crate::args::subject::{Binary, Changes};
use crate::input::session;
use crate::input::subject::{Asked, Subject};
use crate::output::{self, Ended, Failure, assumed, bars, results as said, screen, word};

/// Both systems, and how they compare.
struct Found {
    subjects: [Subject; 2],
    systems: [Judged; 2],
    verdicts: Vec<(Property, Compared)>,
    /// What the scenario asks itself, in its order.
    asked: Vec<Compared>,
    results: Vec<ResultOf>,
}

/// What changes from one system to another.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CompareJson<'a> {
    format: &'static str,
    version: u32,
    scenario: &'a str,
    before: SideJson<'a>,
    after: SideJson<'a>,
    /// Of each property.
    verdicts: Vec<VerdictJson<'a>>,
    /// What the scenario asks itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asked: Vec<VerdictJson<'a>>,
    /// Of each actor and result of its call.
    results: Vec<ResultJson>,
}

#[derive(Serialize, JsonSchema)]
struct SideJson<'a> {
    kernel: &'a str,
    kmod: &'a str,
    /// Every switch and its value.
    switches: BTreeMap<&'static str, &'static str>,
    assumed: Vec<String>,
    report: output::ReportJson,
}

#[derive(Serialize, JsonSchema)]
struct VerdictJson<'a> {
    property: &'a str,
    /// The verdict; of what the scenario asks at some time, `holds` says that it is so.
    before: &'static str,
    after: &'static str,
    /// `null`: undecided, a search was cut.
    changes: Option<bool>,
    #[serde(flatten)]
    run: Option<RunJson>,
}

#[derive(Serialize, JsonSchema)]
struct ResultJson {
    /// From 1.
    actor: usize,
    call: String,
    result: String,
    /// `null`: a search was cut that had not seen it.
    before: Option<bool>,
    after: Option<bool>,
    /// `null`: undecided.
    changes: Option<bool>,
    #[serde(flatten)]
    run: Option<RunJson>,
}

/// A shortest run to what only one of them can do.
#[derive(Serialize, JsonSchema)]
struct RunJson {
    /// On which side it can happen.
    only: &'static str,
    /// A shortest run there to a violation.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<TraceFile>,
    /// A shortest run there to a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessFile>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Compare) -> Result<Ended, Failure> {
    let bare = Changes { patch: Vec::new(), text: None, ..asked.changes.clone() };
    let none = Binary { modprobe: None, root: None };
    let released = Changes { binary: none, ..asked.changes.clone() };
    let sides = sides(asked, &bare, &released)?;
    let [before, after] = sides.map(|side| Subject::load(&side));
    let subjects = [before?, after?];
    let spinner = bars::spinner();
    let describe = |p| spinner.set_message(bars::describe(p));
    let search = Options {
        symmetry: true,
        limits: session::limits(arguments),
        interrupt: Some(session::interrupt()),
        threads: session::threads(arguments),
        ..Options::default()
    };
    let judged = |subject: &Subject| -> Result<Judged, Failure> {
        let model = subject.small_model()?;
        let report = check_all(&model, &Options { progress: Some(&describe), ..search })?;
        Ok(Judged { model, report })
    };
    let systems = [judged(&subjects[0])?, judged(&subjects[1])?];
    spinner.finish_and_clear();
    let mut verdicts = Vec::new();
    for property in Property::ALL {
        verdicts.push((property, verdict(property, &systems, &search)?));
    }
    let results = results(&systems, &search)?;
    let asked_too = compare::asked(&systems);
    let found = Found { subjects, systems, verdicts, asked: asked_too, results };
    if arguments.json {
        output::print_json(&found.json());
    } else {
        found.print(screen::width_or(asked.width.width));
    }
    Ok(found.ended())
}

/// The two systems: the same, but for one release, for patches, or for the program that is modprobe. `bare`: the changes
/// without patches; `released`: without a program.
fn sides<'a>(
    asked: &'a Compare,
    bare: &'a Changes,
    released: &'a Changes,
) -> Result<[Asked<'a>; 2], Failure> {
    let one = Asked {
        name: asked.subject.as_deref(),
        indexes: &asked.indexes,
        env: asked.cell.env,
        naming: asked.cell.naming,
        kernel: asked.kernel.first().copied(),
        kmod: asked.kmod.first().copied(),
        changes: &asked.changes,
        callers: asked.callers.callers,
    };
    if asked.changes.patches() {
        if asked.kernel.len() > 1 || asked.kmod.len() > 1 {
            let found = "found --patch beside two releases";
            return Err(
                format!("{found}, expected one kernel and one kmod, before and after it").into()
            );
        }
        return Ok([Asked { changes: bare, ..one }, one]);
    }
    if asked.changes.binary.modprobe.is_some() {
        if asked.kmod.len() > 1 {
            let found = "found --modprobe beside two releases of kmod";
            return Err(
                format!("{found}, expected the one that the program is compared with").into()
            );
        }
        if asked.kernel.len() <= 1 {
            return Ok([Asked { changes: released, ..one }, one]);
        }
    }
    match (&asked.kernel[..], &asked.kmod[..]) {
        ([_, kernel], [] | [_]) => Ok([one, Asked { kernel: Some(*kernel), ..one }]),
        ([] | [_], [_, kmod]) => Ok([one, Asked { kmod: Some(*kmod), ..one }]),
        (kernels, kmods) => Err(format!(
            "found --kernel {} times and --kmod {} times, expected one of them twice, before and after, \
             and the other once at most",
            kernels.len(),
            kmods.len()
        )
        .into()),
    }
}

impl Found {
    fn compared(&self) -> impl Iterator<Item = &Compared> {
        let verdicts = self.verdicts.iter().map(|(_, compared)| compared);
        verdicts.chain(&self.asked).chain(self.results.iter().map(|result| &result.compared))
    }

    /// Whether a search was cut: what neither of them has seen may be a change.
    fn cut(&self) -> bool {
        self.systems.iter().any(|system| system.report.end != End::Complete)
    }

    fn ended(&self) -> Ended {
        let changes = self.compared().any(|c| matches!(c, Compared::Changes(_)));
        let undecided = self.compared().any(|c| *c == Compared::Undecided);
        Ended::of(changes, undecided || self.cut())
    }

    fn scenario(&self, side: Side) -> &Scenario {
        self.systems[side as usize].model.scenario()
    }

    /// `width`: of what is drawn.
    fn print(&self, width: usize) {
        let [before, after] = &self.subjects;
        output::print(&before.named());
        output::print(&format!("before: {}", before.releases()));
        output::print(&format!("after:  {}", after.releases()));
        let actors = assumed::actors(&before.scenario).join(", ");
        output::print(&format!("N = {}: {actors}", before.scenario.processes()));
        let assumed = [Side::Before, Side::After]
            .map(|side| assumed::assumptions(self.scenario(side)).join("; "));
        if assumed[0] == assumed[1] {
            output::print(&format!("assumed: {}", assumed[0]));
        } else {
            output::print(&format!(
                "assumed before: {}\nassumed after: {}",
                assumed[0], assumed[1]
            ));
        }
        for (name, system) in ["before", "after"].into_iter().zip(&self.systems) {
            let report = &system.report;
            let (end, states, depth) = (output::end_word(report), report.states, report.depth);
            output::print(&format!("{name}: {end}, {states} states, depth {depth}"));
        }
        let mut runs = Vec::new();
        self.print_verdicts(&mut runs);
        self.print_results(&mut runs);
        if self.cut() {
            output::print("Out of budget: more states may show more changes.");
        }
        for (number, change) in runs.iter().enumerate() {
            output::print(&format!("\n[{}] {}:\n", number + 1, side_in_words(change.side)));
            match &change.trace {
                Some(trace) => output::print(&self.drawn(change, trace, width)),
                None => output::print("Out of budget: no run to it was found again."),
            }
        }
    }

    fn print_verdicts<'f>(&'f self, runs: &mut Vec<&'f Change>) {
        output::print("\nverdicts:");
        let mut same = Vec::new();
        let verdicts = self.verdicts.iter().map(|(property, compared)| {
            let words = self
                .systems
                .each_ref()
                .map(|s| word_with_steps(&s.report, &s.report.answer(*property).verdict));
            (property.name(), words, compared)
        });
        let asked = self.asked.iter().enumerate().map(|(at, compared)| {
            let words = self.systems.each_ref().map(|s| answer_in_words(s, at));
            (self.systems[0].report.asked[at].asked.name.as_str(), words, compared)
        });
        for (name, [before, after], compared) in verdicts.chain(asked) {
            match compared {
                Compared::Same => same.push(name),
                Compared::Undecided => {
                    output::print(&format!("  {name:26} {before} -> {after}: undecided"));
                }
                Compared::Changes(change) => {
                    runs.push(change);
                    output::print(&format!("  {name:26} {before} -> {after} [{}]", runs.len()));
                }
            }
        }
        if !same.is_empty() {
            output::print(&format!("  the same: {}", same.join(", ")));
        }
    }

    fn print_results<'f>(&'f self, runs: &mut Vec<&'f Change>) {
        output::print("what each call can come to:");
        let scenario = self.scenario(Side::Before);
        for (actor, asks) in scenario.actors.iter().enumerate() {
            output::print(&format!("  {}: {} x {}", actor + 1, asks.count, call(scenario, actor)));
            for result in self.results.iter().filter(|result| result.actor == actor) {
                let words = result.result.in_words(asks.action);
                let how = match &result.compared {
                    Compared::Same => "the same".to_owned(),
                    Compared::Undecided => {
                        let seen = match result.can {
                            [Some(true), _] => "seen before",
                            _ => "seen after",
                        };
                        format!("{seen}; undecided whether it is the same")
                    }
                    Compared::Changes(change) => {
                        runs.push(change);
                        format!("{} [{}]", side_in_words(change.side), runs.len())
                    }
                };
                output::print(&format!("     {words}: {how}"));
            }
        }
    }

    fn drawn(
        &self,
        change: &Change,
        trace: &kmodcheck_properties::verdict::Trace,
        width: usize,
    ) -> String {
        let model = &self.systems[change.side as usize].model;
        let text = match change.shown {
            Shown::Violation(property) => output::told_text(model, property, trace, width),
            Shown::Witness(witness) => said::text(model, witness, trace, width),
        };
        text.trim_end().to_owned()
    }

    fn json(&self) -> CompareJson<'_> {
        let side = |side: Side| {
            let Subject { scenario, choice, .. } = &self.subjects[side as usize];
            let switches = SWITCHES.iter().map(|s| (s.name, s.get(&scenario.features)));
            let report = &self.systems[side as usize].report;
            SideJson {
                kernel: &choice.kernel,
                kmod: &choice.kmod,
                switches: switches.collect(),
                assumed: assumed::assumptions(scenario),
                report: output::report_json(report, scenario.callers(), |_| None),
            }
        };
        let verdicts = self.verdicts.iter().map(|(property, compared)| {
            let [before, after] =
                self.systems.each_ref().map(|s| word(&s.report.answer(*property).verdict));
            let (changes, run) = self.changes(compared);
            VerdictJson { property: property.name(), before, after, changes, run }
        });
        let asked = self.asked.iter().enumerate().map(|(at, compared)| {
            let [before, after] =
                self.systems.each_ref().map(|s| word(&s.report.asked[at].verdict));
            let (changes, run) = self.changes(compared);
            let property = self.systems[0].report.asked[at].asked.name.as_str();
            VerdictJson { property, before, after, changes, run }
        });
        let scenario = self.scenario(Side::Before);
        let results = self.results.iter().map(|result| {
            let (changes, run) = self.changes(&result.compared);
            ResultJson {
                actor: result.actor + 1,
                call: call(scenario, result.actor),
                result: result.result.in_words(scenario.actors[result.actor].action),
                before: result.can[0],
                after: result.can[1],
                changes,
                run,
            }
        });
        CompareJson {
            format: "kmodcheck-compare",
            version: 1,
            scenario: &self.subjects[0].scenario.name,
            before: side(Side::Before),
            after: side(Side::After),
            verdicts: verdicts.collect(),
            asked: asked.collect(),
            results: results.collect(),
        }
    }

    fn changes(&self, compared: &Compared) -> (Option<bool>, Option<RunJson>) {
        let change = match compared {
            Compared::Same => return (Some(false), None),
            Compared::Undecided => return (None, None),
            Compared::Changes(change) => change,
        };
        let model = &self.systems[change.side as usize].model;
        let only = match change.side {
            Side::Before => "before",
            Side::After => "after",
        };
        let mut run = RunJson { only, trace: None, witness: None };
        match (change.shown, &change.trace) {
            (Shown::Violation(property), Some(trace)) => {
                run.trace = Some(output::trace_json(property, model.scenario(), trace));
            }
            (Shown::Witness(witness), Some(trace)) => {
                run.witness = Some(said::file(model, witness, trace));
            }
            (_, None) => {}
        }
        (Some(true), Some(run))
    }
}

fn side_in_words(side: Side) -> &'static str {
    match side {
        Side::Before => "only before",
        Side::After => "only after",
    }
}

/// What became of a question of the scenario's own.
fn answer_in_words(system: &Judged, at: usize) -> String {
    let answer = &system.report.asked[at];
    match (&answer.verdict, answer.asked.exists, answer.run_shown()) {
        (Verdict::Violated(_), true, _) => "not to be found".to_owned(),
        (Verdict::Holds { .. }, true, Some(run)) => format!("found ({} steps)", run.len()),
        (verdict, ..) => word_with_steps(&system.report, verdict),
    }
}

fn word_with_steps(report: &Report, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Violated(trace) => {
            format!("violated ({} steps)", trace.len())
        }
        verdict => output::said(report, verdict).to_owned(),
    }
}
