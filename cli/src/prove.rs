//! `kmodcheck prove`: the grand matrix for any number of callers.

use kmodcheck_explore::Options;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_properties::grand::{GrandCell, System};
use kmodcheck_properties::prove::{self, AnyNumber, Effort, Report};
use kmodcheck_properties::{Property, Verdict};
use serde::Serialize;

use crate::args::{Arguments, Prove};
use crate::{Ended, Failure, grand, options, output, progress};

/// A system and what was found.
struct Found {
    system: System,
    report: Report,
}

pub(crate) fn run(arguments: &Arguments, asked: &Prove) -> Result<Ended, Failure> {
    let wanted = |cell: &GrandCell| grand::wants(&asked.matrix, cell);
    let systems: Vec<System> = System::of(&GrandCell::all())
        .into_iter()
        .filter(|system| system.cells.iter().any(wanted))
        .collect();
    let scenarios: Vec<_> = systems.iter().map(|s| s.scenario.clone()).collect();
    let effort = Effort {
        options: Options {
            limits: options::limits(arguments),
            interrupt: Some(options::interrupt()),
            ..Options::default()
        },
        callers: asked.callers,
        certificate: asked.certificates.is_some(),
    };
    let bar = progress::bar(systems.len());
    let threads = options::threads(arguments);
    let reports = prove::prove_all(&scenarios, threads, &effort, &|_| bar.inc(1));
    bar.finish_and_clear();
    let count = systems.len();
    let mut found = Vec::new();
    for (system, report) in systems.into_iter().zip(reports) {
        if let Some(report) = report {
            found.push(Found { system, report: report? });
        }
    }
    if found.len() < count {
        anstream::eprintln!("kmodcheck: interrupted after {} of {count} systems", found.len());
    }
    if let Some(directory) = &asked.certificates {
        for Found { system, report } in &found {
            if let Some(certificate) = &report.certificate {
                let first = system.cells[0];
                let name = format!(
                    "{}_{}_{}_{}.json",
                    first.environment.name(),
                    first.naming.name(),
                    first.kernel,
                    first.kmod
                );
                options::write(&directory.join(name), &certificate.to_json())?;
            }
        }
    }
    let differences: Vec<String> = found
        .iter()
        .map(|f| (f.system.name(), prove::summary(&f.report)))
        .filter(|(name, line)| prove::recorded(name) != Some(line.as_str()))
        .map(|(name, line)| format!("{name} | {line}"))
        .collect();
    let cut = found.len() < count || !found.iter().all(|f| prove::is_complete(&f.report));
    if arguments.json {
        output::print_json(&json(asked, &found, &differences));
    } else {
        print(asked, &found, &wanted);
        for line in &differences {
            output::print(&format!("differs from the record: {line}"));
        }
    }
    Ok(if cut {
        Ended::OutOfBudget
    } else if differences.is_empty() {
        Ended::AsExpected
    } else {
        Ended::Differs
    })
}

fn short(answer: &AnyNumber) -> String {
    let bounded = |verdict: &Verdict| match verdict {
        Verdict::NotApplicable => "-".to_owned(),
        Verdict::Holds { premise_met: true } => "holds".to_owned(),
        Verdict::Holds { premise_met: false } => "vacuous".to_owned(),
        Verdict::Violated(trace) => format!("{} steps", trace.len()),
        Verdict::OutOfBudget => "?".to_owned(),
    };
    match answer {
        AnyNumber::NotApplicable => "-".to_owned(),
        AnyNumber::Holds { premise_met: true } => "holds".to_owned(),
        AnyNumber::Holds { premise_met: false } => "vacuous".to_owned(),
        AnyNumber::Violated { callers, trace } => format!("from {callers}: {} steps", trace.len()),
        AnyNumber::Bounded { callers, verdict } => format!("N={callers}: {}", bounded(verdict)),
        AnyNumber::NotDecided(_) => "not decided".to_owned(),
    }
}

fn print(asked: &Prove, found: &[Found], wanted: &impl Fn(&GrandCell) -> bool) {
    let environments: Vec<Environment> = Environment::ALL
        .into_iter()
        .filter(|e| found.iter().any(|f| f.system.cells[0].environment == *e))
        .collect();
    output::print("The environments, and what each assumes:");
    for environment in &environments {
        output::print(&format!("  {:13} {}", environment.name(), environment.assumes()));
    }
    output::print(
        "\nFor any number of callers: 'holds' (an inductive invariant excludes every violation;\n\
         'vacuous': the premise did not occur with the callers explored), or 'from N' callers on, with\n\
         the steps of the shortest trace with N, replayed in the exact model; no fewer callers violate\n\
         it. Sequentially consistent; each caller calls once; wake-ups are exact broadcasts; one rmmod\n\
         where there is one; requests of inits nest 2 deep at most. Where references on a module or\n\
         requests at a limit are counted (rmmod with get_fs_type(), limit-2), they are counted up to 2,\n\
         and more than that are over-approximated. 'N=...': not a safety property, so explored for so\n\
         many callers only. Presets that come to the same share a row.",
    );
    for property in grand::properties(&asked.matrix) {
        output::print(&format!("\n{}: {}", property.name(), property.statement()));
        for naming in Naming::ALL {
            let entry = |cell: &GrandCell| {
                let found = found.iter().find(|f| f.system.cells.contains(cell))?;
                wanted(cell).then(|| short(found.report.answer(property)))
            };
            let rows = grand::rows(&entry, &environments, naming);
            if !rows.is_empty() {
                output::print(&grand::table(rows, &environments, naming));
            }
        }
    }
    if let [Found { system, report }] = found {
        print_one(asked, system, report);
    }
    print_sums(asked, found);
}

/// Sizes and traces of one system.
fn print_one(asked: &Prove, system: &System, report: &Report) {
    if let Some(sizes) = report.sizes {
        output::print(&format!(
            "\nThe invariant: {} views of at most two of {} anonymous local states beside {} control\n\
             states; {} control states with a tagged process.",
            sizes.views, sizes.letters, sizes.anonymous_controls, sizes.controls
        ));
    }
    if let Some(certificate) = &report.certificate {
        let (excluded, tagged) = certificate.size();
        output::print(&format!(
            "Its certificate: {excluded} excluded elements, {tagged} control states with a tagged\n\
             process; digest {}.",
            certificate.digest
        ));
    }
    output::print(&format!("Assumed: {}.", report.assumes.join("; ")));
    for property in grand::properties(&asked.matrix) {
        if let AnyNumber::Violated { callers, trace } = report.answer(property) {
            let scenario = prove::with_callers(&system.scenario, *callers);
            let text = output::trace_text(property, &scenario, trace);
            output::print(&format!("\n{callers} callers:\n{text}"));
        }
    }
}

fn print_sums(asked: &Prove, found: &[Found]) {
    let properties = grand::properties(&asked.matrix);
    let answers = || {
        found.iter().flat_map(|f| {
            let safety = properties.iter().filter(|p| prove::is_safety(**p));
            safety.map(move |p| (f, *p, f.report.answer(*p)))
        })
    };
    let count = |f: &dyn Fn(&AnyNumber) -> bool| answers().filter(|a| f(a.2)).count();
    output::print(&format!(
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
            .map(|(f, property, _)| format!("  {}: {}", f.system.name(), property.name()))
            .collect();
        if !late.is_empty() {
            output::print(&format!("Violated from {least} callers on only:\n{}", late.join("\n")));
        }
    }
    for (f, property, answer) in answers() {
        if let AnyNumber::NotDecided(why) = answer {
            output::print(&format!("{}: {}: {why}", f.system.name(), property.name()));
        }
    }
}

#[derive(Serialize)]
struct ProveJson {
    format: &'static str,
    version: u32,
    systems: Vec<SystemJson>,
    differences_from_the_record: Vec<String>,
}

#[derive(Serialize)]
struct SystemJson {
    environment: &'static str,
    naming: &'static str,
    /// The presets, kernel and kmod, that are this system.
    presets: Vec<[&'static str; 2]>,
    assumes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invariant: Option<InvariantJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateJson>,
    properties: Vec<AnswerJson>,
}

#[derive(Serialize)]
struct InvariantJson {
    control_states: usize,
    anonymous_local_states: usize,
    views: u64,
    tagged_control_states: usize,
}

#[derive(Serialize)]
struct CertificateJson {
    digest: String,
    excluded: usize,
    tagged: usize,
}

#[derive(Serialize)]
struct AnswerJson {
    property: &'static str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    callers: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<kmodcheck_sim::trace::file::TraceFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

fn answer_json(system: &System, property: Property, answer: &AnyNumber) -> AnswerJson {
    let trace = |callers, trace| {
        let scenario = prove::with_callers(&system.scenario, callers);
        Some(output::trace_json(property, &scenario, trace))
    };
    let json = |verdict, callers, trace, why| AnswerJson {
        property: property.name(),
        verdict,
        callers,
        trace,
        why,
    };
    match answer {
        AnyNumber::NotApplicable => json("not applicable", None, None, None),
        AnyNumber::Holds { premise_met: true } => json("holds", None, None, None),
        AnyNumber::Holds { premise_met: false } => json("vacuous", None, None, None),
        AnyNumber::Violated { callers, trace: steps } => {
            json("violated", Some(*callers), trace(*callers, steps), None)
        }
        AnyNumber::Bounded { callers, verdict } => {
            let trace = match verdict {
                Verdict::Violated(steps) => trace(*callers, steps),
                _ => None,
            };
            let why = "not a safety property: explored for so many callers only".to_owned();
            json(output::word(verdict), Some(*callers), trace, Some(why))
        }
        AnyNumber::NotDecided(why) => json("not decided", None, None, Some(why.to_string())),
    }
}

fn json(asked: &Prove, found: &[Found], differences: &[String]) -> ProveJson {
    let systems = found
        .iter()
        .map(|Found { system, report }| SystemJson {
            environment: system.cells[0].environment.name(),
            naming: system.cells[0].naming.name(),
            presets: system
                .cells
                .iter()
                .filter(|c| grand::wants(&asked.matrix, c))
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
            properties: grand::properties(&asked.matrix)
                .into_iter()
                .map(|p| answer_json(system, p, report.answer(p)))
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
