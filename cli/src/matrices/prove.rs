//! `kmodcheck prove`: the grand matrix for any number of callers.

use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_model::builtin::Naming;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::any_number::{self, AnyNumber, Bound, Effort, Report};
use kmodcheck_properties::asked::Asked as Question;
use kmodcheck_properties::grand::{GrandCell, System};
use kmodcheck_properties::recorded::{self, ANY_NUMBER, Compared};
use kmodcheck_properties::verdict::Trace;
use kmodcheck_properties::witness::Witness;
use kmodcheck_properties::{Property, Verdict, safety};
use kmodcheck_sim::trace::witness::WitnessFile;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::values::are_presets;
use crate::args::{Arguments, Prove};
use crate::input::subject::{Asked, Subject};
use crate::input::{files, session};
use crate::output::layout::{Layout, verdict};
use crate::output::{self, Ended, Failure, bars, presets_table, results, screen};

/// A system and what was found.
struct Found {
    /// What it is called in the record.
    name: String,
    scenario: Scenario,
    /// Which cells of the grand matrix it is; none: a scenario of its own.
    cells: Vec<GrandCell>,
    report: Report,
}

pub(crate) fn run(arguments: &Arguments, asked: &Prove) -> Result<Ended, Failure> {
    let wanted = |cell: &GrandCell| asked.matrix.wants(cell);
    asked.certificates.as_deref().map_or(Ok(()), files::try_directory)?;
    let subject = Asked {
        name: asked.subject.as_deref(),
        indexes: &asked.indexes,
        // They say which cells.
        env: None,
        naming: None,
        kernel: asked.matrix.kernel,
        kmod: asked.matrix.kmod,
        changes: &asked.changes,
        // Any number.
        callers: None,
    };
    let systems: Vec<(String, Scenario, Vec<GrandCell>)> = if subject.is_none() {
        subject.changes_nothing()?;
        are_presets(asked.matrix.kernel, asked.matrix.kmod)?;
        System::of(&GrandCell::all())
            .into_iter()
            .filter(|system| system.cells.iter().any(wanted))
            .map(|system| (system.name(), system.scenario, system.cells))
            .collect()
    } else {
        let Subject { scenario, .. } = Subject::load(&subject)?;
        vec![(scenario.name.clone(), scenario, Vec::new())]
    };
    let scenarios: Vec<_> = systems.iter().map(|s| s.1.clone()).collect();
    let effort = Effort {
        options: Options {
            limits: session::limits(arguments),
            interrupt: Some(session::interrupt()),
            // Of several systems each has a thread.
            threads: if systems.len() == 1 { session::threads(arguments) } else { 1 },
            ..Options::default()
        },
        callers: asked.callers,
        certificate: asked.certificates.is_some() || systems.len() == 1,
    };
    let bar = bars::bar(systems.len(), "systems");
    let threads = session::threads(arguments);
    bars::announce("prove", systems.len(), threads);
    let reports = any_number::prove_all(&scenarios, threads, &effort, &|_| bar.inc(1));
    bar.finish_and_clear();
    let count = systems.len();
    let mut found = Vec::new();
    for ((name, scenario, cells), report) in systems.into_iter().zip(reports) {
        if let Some(report) = report {
            found.push(Found { name, scenario, cells, report: report? });
        }
    }
    let mut saved = Ok(());
    if let Some(directory) = &asked.certificates {
        saved = files::make_directory(directory);
        for Found { name, cells, report, .. } in &found {
            if let Some(certificate) = &report.certificate {
                let name = match cells.first() {
                    Some(first) => format!(
                        "{}_{}_{}_{}.json",
                        first.environment.name(),
                        first.naming.name(),
                        first.kernel,
                        first.kmod
                    ),
                    None => format!("{}.json", name.replace(|c: char| !c.is_alphanumeric(), "-")),
                };
                saved = saved
                    .and_then(|()| files::write(&directory.join(name), &certificate.to_json()));
            }
        }
    }
    let lines = (found.iter().filter(|f| !f.cells.is_empty()))
        .map(|f| recorded::any_number(&f.name, &f.report))
        .filter(|line| matches!(ANY_NUMBER.compare(line), Compared::Differs(_)));
    let differences: Vec<String> = lines.map(|line| line.to_string()).collect();
    let complete = found.iter().filter(|f| f.report.is_complete()).count();
    if arguments.json {
        output::print_json(&json(asked, &found, &differences));
    } else {
        print(asked, &found, &wanted);
        for line in &differences {
            Layout::of(asked.matrix.layout.wide).print(&format!("differs from the record: {line}"));
        }
    }
    saved?;
    Ok(presets_table::ended(count, count - complete, !differences.is_empty()))
}

fn short(answer: &AnyNumber) -> String {
    let bounded = presets_table::short;
    match answer {
        AnyNumber::NotApplicable => "-".to_owned(),
        AnyNumber::Holds { premise_met: true } => "holds".to_owned(),
        AnyNumber::Holds { premise_met: false } => "vacuous".to_owned(),
        AnyNumber::Violated { callers, trace } => format!("from {callers}: {} steps", trace.len()),
        AnyNumber::Bounded { callers, verdict, .. } => {
            format!("{}: {}", explored(*callers), bounded(verdict))
        }
        AnyNumber::NotDecided(_) => "not decided".to_owned(),
    }
}

/// For whom something was explored.
fn explored(callers: u8) -> String {
    if callers == 0 { "these actors".to_owned() } else { format!("N={callers}") }
}

/// Whether something that is to be so at some time is.
fn existence(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds { .. } => "found".to_owned(),
        Verdict::Violated(_) => "not to be found".to_owned(),
        verdict => presets_table::short(verdict),
    }
}

fn print(asked: &Prove, found: &[Found], wanted: &impl Fn(&GrandCell) -> bool) {
    let layout = Layout::of(asked.matrix.layout.wide);
    if asked.subject.is_none() && asked.indexes.modules.is_none() {
        print_tables(layout, asked, found, wanted);
    }
    if let [found] = found {
        print_one(layout, asked, found);
    }
    print_sums(layout, asked, found);
}

fn print_tables(
    layout: Layout,
    asked: &Prove,
    found: &[Found],
    wanted: &impl Fn(&GrandCell) -> bool,
) {
    let environments =
        presets_table::environments(layout, found.iter().map(|f| &f.cells[..]), false);
    layout.print(
        "\nFor any number of callers: 'holds' (an inductive invariant excludes every violation;\n\
         'vacuous': the premise did not occur with the callers explored), or 'from N' callers on, with\n\
         the steps of the shortest trace with N, replayed in the exact model; no fewer callers violate\n\
         it. Sequentially consistent; each caller calls once; wake-ups are exact broadcasts; one rmmod\n\
         where there is one; requests of inits nest 2 deep at most. Where references on a module or\n\
         requests at a limit are counted (rmmod with get_fs_type(), limit-2), they are counted up to 2,\n\
         and more than that are over-approximated. 'N=...': not a safety property, so explored for so\n\
         many callers only. Presets that come to the same share a row.",
    );
    let of = presets_table::by_cell(found.iter().map(|found| (&found.cells[..], found)), wanted);
    for property in asked.matrix.properties() {
        layout.print(&format!("\n{}: {}", property.name(), property.statement()));
        for naming in Naming::ALL {
            let entry = |cell: &GrandCell| Some(short(of.get(cell)?.report.answer(property)));
            if let Some(tables) = presets_table::of_naming(layout, &entry, &environments, naming) {
                output::print(&tables);
            }
        }
    }
}

/// Verdicts, sizes and traces of one system.
fn print_one(layout: Layout, asked: &Prove, found: &Found) {
    let Found { name, scenario, report, .. } = found;
    layout.print(&format!("\n{}, for any number of callers:", scenario.name));
    for property in asked.matrix.properties() {
        let answer = report.answer(property);
        let why = match answer {
            AnyNumber::Bounded { why, .. } => format!(" ({why})"),
            AnyNumber::Holds { .. } => mutant(name, property),
            _ => String::new(),
        };
        let answer = verdict(&short(answer));
        layout.print(&format!("  {:27} {answer}{why}", property.name()));
    }
    for (question, answer) in asked_of(asked, report) {
        let why = match answer {
            AnyNumber::Bounded { why, .. } => format!(" ({why})"),
            _ => String::new(),
        };
        let answer = match answer {
            AnyNumber::Bounded { callers, verdict: found, .. } if question.exists => {
                format!("{}: {}", explored(*callers), existence(found))
            }
            answer => short(answer),
        };
        layout.print(&format!("  {:27} {}{why}", question.name, verdict(&answer)));
    }
    if let Some(sizes) = report.sizes {
        layout.print(&format!(
            "\nThe invariant: {} views of at most two of {} anonymous local states beside {} control\n\
             states; {} control states with a tagged process.",
            sizes.views, sizes.letters, sizes.anonymous_controls, sizes.controls
        ));
    }
    if let Some(certificate) = &report.certificate {
        let (excluded, tagged) = certificate.size();
        layout.print(&format!(
            "Its certificate: {excluded} excluded elements, {tagged} control states with a tagged\n\
             process; digest {}.",
            certificate.digest
        ));
    }
    layout.print(&format!("Assumed: {}.", report.assumes.join("; ")));
    for property in asked.matrix.properties() {
        if let Some((callers, trace)) = violation(report.answer(property)) {
            let scenario = safety::with_callers(scenario, callers);
            let text = output::trace_text(property, &scenario, trace);
            output::print(&format!("\n{}:\n{text}", so_many(callers)));
        }
    }
    for (at, (_, answer)) in asked_of(asked, report).iter().enumerate() {
        if let Some((callers, trace)) = violation(answer) {
            let model = exact(scenario, callers);
            let text = results::text(&model, Witness::Asked(at), trace, screen::width_or(None));
            output::print(&format!("\n{}:\n{text}", so_many(callers)));
        }
    }
}

/// What a scenario asks itself, unless one property is asked for.
fn asked_of<'f>(asked: &Prove, report: &'f Report) -> &'f [(Question, AnyNumber)] {
    match asked.matrix.property {
        Some(_) => &[],
        None => &report.asked,
    }
}

fn so_many(callers: u8) -> String {
    match callers {
        0 => "As it is".to_owned(),
        1 => "1 caller".to_owned(),
        _ => format!("{callers} callers"),
    }
}

/// The number of callers that violate, and how.
fn violation(answer: &AnyNumber) -> Option<(u8, &Trace)> {
    match answer {
        // (That something is at no time so, no run shows.)
        AnyNumber::Violated { callers, trace } => Some((*callers, trace)),
        AnyNumber::Bounded { callers, verdict: Verdict::Violated(trace), why }
            if *why != Bound::AtSomeTime =>
        {
            Some((*callers, trace))
        }
        _ => None,
    }
}

/// The exact model with so many callers, of which there is an answer already.
fn exact(scenario: &Scenario, callers: u8) -> Model {
    Model::new(safety::with_callers(scenario, callers), None).expect("it was explored")
}

/// The recorded fault of the model that makes false what holds.
fn mutant(name: &str, property: Property) -> String {
    let recorded = ANY_NUMBER.mutants(name).find(|(letter, _)| *letter == property.letter());
    match recorded {
        Some((_, recorded::NO_MUTANT)) => {
            ", and under every recorded fault of the model".to_owned()
        }
        Some((_, mutant)) => format!(", and not under the fault {mutant}"),
        None => String::new(),
    }
}

fn print_sums(layout: Layout, asked: &Prove, found: &[Found]) {
    let properties = asked.matrix.properties();
    let answers = || {
        found.iter().flat_map(|f| {
            let safety = properties.iter().filter(|p| p.is_safety());
            safety.map(move |p| (f, *p, f.report.answer(*p)))
        })
    };
    let count = |f: &dyn Fn(&AnyNumber) -> bool| answers().filter(|a| f(a.2)).count();
    layout.print(&format!(
        "\n{} systems: {} times a property holds for any number of callers ({} of them vacuous), {}\n\
         times it is violated, {} times nothing was decided.",
        found.len(),
        count(&|a| matches!(a, AnyNumber::Holds { .. })),
        count(&|a| *a == AnyNumber::Holds { premise_met: false }),
        count(&|a| matches!(a, AnyNumber::Violated { .. })),
        count(&|a| matches!(a, AnyNumber::NotDecided(_)))
    ));
    for least in 3..=u8::MAX {
        let late: Vec<String> = answers()
            .filter(|a| matches!(a.2, AnyNumber::Violated { callers, .. } if *callers == least))
            .map(|(f, property, _)| format!("  {}: {}", f.name, property.name()))
            .collect();
        if !late.is_empty() {
            layout.print(&format!("Violated from {least} callers on only:\n{}", late.join("\n")));
        }
    }
    for (f, property, answer) in answers() {
        if let AnyNumber::NotDecided(why) = answer {
            layout.print(&format!("{}: {}: {why}", f.name, property.name()));
        }
    }
}

/// What holds for any number of callers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ProveJson {
    format: &'static str,
    version: u32,
    systems: Vec<SystemJson>,
    differences_from_the_record: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct SystemJson {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    naming: Option<&'static str>,
    /// The presets, kernel and kmod, that are this system.
    presets: Vec<[&'static str; 2]>,
    assumes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invariant: Option<InvariantJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateJson>,
    properties: Vec<AnswerJson>,
    /// What the scenario asks itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asked: Vec<AskedJson>,
}

#[derive(Serialize, JsonSchema)]
struct AskedJson {
    property: String,
    statement: String,
    verdict: &'static str,
    /// The least number that violates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    callers: Option<u8>,
    /// A shortest run to its violation.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<WitnessFile>,
    /// Why no more is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct InvariantJson {
    control_states: usize,
    anonymous_local_states: usize,
    views: u64,
    tagged_control_states: usize,
}

#[derive(Serialize, JsonSchema)]
struct CertificateJson {
    digest: String,
    excluded: usize,
    tagged: usize,
}

#[derive(Serialize, JsonSchema)]
struct AnswerJson {
    property: &'static str,
    verdict: &'static str,
    /// The least number that violates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    callers: Option<u8>,
    /// A shortest run with so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<kmodcheck_sim::trace::file::TraceFile>,
    /// Why no more is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// The word, for how many callers it is said, and why no more is.
fn words(answer: &AnyNumber) -> (&'static str, Option<u8>, Option<String>) {
    match answer {
        AnyNumber::NotApplicable => ("not applicable", None, None),
        AnyNumber::Holds { premise_met: true } => ("holds", None, None),
        AnyNumber::Holds { premise_met: false } => ("vacuous", None, None),
        AnyNumber::Violated { callers, .. } => ("violated", Some(*callers), None),
        AnyNumber::Bounded { callers, verdict, why } => {
            let why = format!("explored for so many callers only: {why}");
            (output::word(verdict), Some(*callers), Some(why))
        }
        AnyNumber::NotDecided(why) => ("not decided", None, Some(why.to_string())),
    }
}

fn answer_json(scenario: &Scenario, property: Property, answer: &AnyNumber) -> AnswerJson {
    let (verdict, callers, why) = words(answer);
    let trace = violation(answer).map(|(callers, trace)| {
        output::trace_json(property, &safety::with_callers(scenario, callers), trace)
    });
    AnswerJson { property: property.name(), verdict, callers, trace, why }
}

fn asked_json(
    scenario: &Scenario,
    at: usize,
    (question, answer): &(Question, AnyNumber),
) -> AskedJson {
    let (verdict, callers, why) = words(answer);
    let run = violation(answer).map(|(callers, trace)| {
        results::file(&exact(scenario, callers), Witness::Asked(at), trace)
    });
    let (property, statement) = (question.name.clone(), question.statement.clone());
    AskedJson { property, statement, verdict, callers, run, why }
}

fn json(asked: &Prove, found: &[Found], differences: &[String]) -> ProveJson {
    let systems = found
        .iter()
        .map(|Found { name, scenario, cells, report }| SystemJson {
            name: name.clone(),
            environment: cells.first().map(|cell| cell.environment.name()),
            naming: cells.first().map(|cell| cell.naming.name()),
            presets: cells
                .iter()
                .filter(|c| asked.matrix.wants(c))
                .map(|c| [c.kernel, c.kmod])
                .collect(),
            assumes: report.assumes.clone(),
            invariant: report.sizes.map(|sizes| InvariantJson {
                control_states: sizes.anonymous_controls,
                anonymous_local_states: sizes.letters,
                views: sizes.views,
                tagged_control_states: sizes.controls,
            }),
            certificate: report.certificate.as_ref().map(|certificate| {
                let (excluded, tagged) = certificate.size();
                CertificateJson { digest: certificate.digest.clone(), excluded, tagged }
            }),
            properties: asked
                .matrix
                .properties()
                .into_iter()
                .map(|p| answer_json(scenario, p, report.answer(p)))
                .collect(),
            asked: (asked_of(asked, report).iter().enumerate())
                .map(|(at, answer)| asked_json(scenario, at, answer))
                .collect(),
        })
        .collect();
    ProveJson {
        format: "kmodcheck-prove",
        version: 1,
        systems,
        differences_from_the_record: differences.to_vec(),
    }
}
