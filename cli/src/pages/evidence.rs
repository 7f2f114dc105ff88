//! `kmodcheck evidence --out DIR`: Markdown for a design review. The same bytes each time.

use std::fmt::Write;
use std::path::Path;

use kmodcheck_explore::reduce::Reduced;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Event, Model};
use kmodcheck_properties::matrix::{CHECKS, Cell, CellReport, Kmod, check_name, map_name};
use kmodcheck_properties::regressions::{Shape, distinct};
use kmodcheck_properties::theorem::{Needed, Outcome};
use kmodcheck_properties::witness::Witness;
use kmodcheck_properties::{Property, Verdict, minimal, recorded, theorem};
use sha2::{Digest, Sha256};

use crate::args::Arguments;
use crate::args::evidence::{Evidence, TraceFormat};
use crate::input::subject::Asked;
use crate::input::{files, session, trace};
use crate::matrices::main_job;
use crate::output::{self, Ended, Failure, results};
use crate::pages::one_system::{self, AnswerView, OneSystem, View};
use crate::sources;

pub(crate) fn run(arguments: &Arguments, asked: &Evidence) -> Result<Ended, Failure> {
    files::try_directory(&asked.out)?;
    let subject = Asked::from(&asked.subject);
    if !subject.is_none() {
        let found = one_system::judge(arguments, &subject)?;
        save(&asked.out, &of_one_system(&found, &found.view(arguments)))?;
        return Ok(found.ended());
    }
    subject.says_nothing()?;
    let reports = match main_job::explored(arguments, "evidence") {
        Ok(reports) => reports,
        Err(ended) => return Ok(ended),
    };
    let differences = recorded::differences(&reports).len();
    let files = files(&reports, differences, session::threads(arguments));
    save(&asked.out, &files)?;
    Ok(Ended::of(main_job::differs(&reports), false))
}

/// Writes them all, below the directory.
fn save(directory: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    files::make_directory(&directory.join("traces"))?;
    for (name, text) in files {
        files::write(&directory.join(name), text)?;
    }
    output::print(&format!("{}: {} files", directory.display(), files.len()));
    Ok(())
}

/// Every file of one system: a page, the scenario, and each violation to replay and to read.
fn of_one_system(found: &OneSystem, view: &View) -> Vec<(String, String)> {
    let scenario = found.model.scenario();
    let json = serde_json::to_string_pretty(scenario).expect("nothing in it that JSON lacks");
    let mut text = format!("# {}\n\n{}: {}.\n\n", view.name, view.releases, view.actors.join(", "));
    let _ = writeln!(text, "{}. Limits: {}.\n", view.searched, view.limits);
    for note in &view.notes {
        let _ = writeln!(text, "Note: {note}\n");
    }
    text.push_str("| property | verdict | premise met |\n|---|---|---|\n");
    for answer in &view.answers {
        let steps = answer.steps.map_or(String::new(), |steps| {
            let (property, page) = (&answer.property, name_of(&answer.property, steps));
            format!(", [in {steps} steps](traces/{page}.md \"{property}\")")
        });
        let expected = answer.expected.map_or(String::new(), |said| format!(" (expected: {said})"));
        let AnswerView { property, verdict, premise, judged, .. } = answer;
        let expected = if *judged { expected } else { " (not judged)".to_owned() };
        let _ = writeln!(text, "| {property} | {verdict}{steps}{expected} | {premise} |");
    }
    let so_far = if view.all_results { "" } else { ", seen so far" };
    let _ = writeln!(text, "\n## What each call can come to{so_far}\n");
    for result in &view.results {
        let _ = writeln!(text, "- {}", result.in_words());
    }
    let _ = writeln!(text, "\n## Assumed\n\n- {}", view.assumed.join("\n- "));
    let _ = writeln!(text, "\nNot modelled:\n\n- {}", view.not_modelled.join("\n- "));
    let (digest, version) = (scenario_digest(scenario), view.version);
    let _ = writeln!(text, "\n`scenario.json`: SHA-256 `{digest}`. kmodcheck {version}.");
    let mut files = vec![("README.md".to_owned(), text), ("scenario.json".to_owned(), json + "\n")];
    // (The run of a file is in that file.)
    let own = view.violations.iter().filter(|run| !run.given);
    for (run, (at, trace)) in own.zip(&found.asked) {
        let name = name_of(&run.property, run.steps);
        let file = results::file(&found.model, Witness::Asked(*at), trace);
        let told = run.told.as_ref().map_or(String::new(), |told| format!("{told}\n\n"));
        let text = format!(
            "# {}, {} steps\n\n{}\n\n{told}```\n{}\n```\n",
            run.property,
            run.steps,
            run.statement,
            run.text.trim_end()
        );
        files.push((format!("traces/{name}.json"), file.to_json()));
        files.push((format!("traces/{name}.md"), text));
    }
    for (property, reduced) in &found.violations {
        let name = name_of(property.name(), reduced.trace.len());
        files.extend(trace_files(*property, &found.model, reduced, &name, &[]));
    }
    files
}

fn name_of(property: &str, steps: usize) -> String {
    format!("{property}-{steps}")
}

/// Every file: its name and text.
fn files(reports: &[CellReport], differences: usize, threads: usize) -> Vec<(String, String)> {
    let shapes = distinct(reports, threads);
    let names: Vec<(&Shape, String)> = shapes
        .iter()
        .enumerate()
        .map(|(i, (shape, (_, reduced, _)))| {
            (shape, format!("{:03}-{}-{}", i + 1, shape.0.name(), reduced.trace.len()))
        })
        .collect();
    let mut files = vec![
        ("README.md".to_owned(), readme(reports, differences)),
        ("findings.md".to_owned(), findings(reports, &shapes, &names)),
        ("theorems.md".to_owned(), theorems(reports, &shapes, &names)),
    ];
    for ((shape, (model, reduced, cells)), (_, name)) in shapes.iter().zip(&names) {
        files.extend(trace_files(shape.0, model, reduced, name, cells));
    }
    files
}

/// A violation to replay, and to read.
fn trace_files(
    property: Property,
    model: &Model,
    reduced: &Reduced<Event>,
    name: &str,
    cells: &[String],
) -> [(String, String); 2] {
    let file = output::trace_json(property, model.scenario(), &reduced.trace);
    let story = trace::tell(model, property, &reduced.trace);
    let draw = |format| output::drawn(format, &story, model, &reduced.trace, &[]);
    let mut text = format!(
        "# {}, {} steps\n\n{}\n\nSource: {}.\n\n",
        property.name(),
        reduced.trace.len(),
        property.statement(),
        property.source()
    );
    let _ = writeln!(
        text,
        "{} context switch{}{}. Scenario `{}`, SHA-256 `{}`.\n",
        reduced.switches,
        if reduced.switches == 1 { "" } else { "es" },
        if reduced.proved { "; no trace is shorter, none as short has fewer" } else { "" },
        model.scenario().name,
        scenario_digest(model.scenario())
    );
    let _ = writeln!(text, "```\n{}```\n", draw(TraceFormat::Text));
    let why = minimal::why(model, property, &reduced.trace);
    if why.is_empty() {
        text.push_str("No single reordering of two steps would have avoided it.\n\n");
    }
    for reordering in &why {
        let _ = writeln!(text, "- {}", minimal::in_words(model, &reduced.trace, reordering));
    }
    let _ = writeln!(text, "\nAgain: `kmodcheck replay traces/{name}.json`");
    if !cells.is_empty() {
        text.push_str("\nSeen in:\n\n");
    }
    for cell in cells {
        let _ = writeln!(text, "- {cell}");
    }
    let _ = writeln!(text, "\n```mermaid\n{}```", draw(TraceFormat::Mermaid));
    [(format!("traces/{name}.json"), file.to_json()), (format!("traces/{name}.md"), text)]
}

/// Of the scenario as a trace file holds it.
fn scenario_digest(scenario: &Scenario) -> String {
    let text = serde_json::to_string(scenario).expect("nothing in it that JSON lacks");
    kmodcheck_explore::hex(&Sha256::digest(text))
}

/// Of every transition of every cell with two callers: who steps, in which function, what happens,
/// and the state before and after. Any change of what the model does changes it.
fn model_digest(reports: &[CellReport]) -> String {
    use std::collections::{HashSet, VecDeque};
    use std::ops::ControlFlow;

    use kmodcheck_explore::Product;
    use kmodcheck_sim::Processes;

    let mut digest = Sha256::new();
    for report in reports {
        let model = report.cell.model(2, None);
        let system = Processes { model: &model };
        let product = Product::new(&system).expect("two callers");
        digest.update(report.cell.to_string());
        let mut seen = HashSet::from([product.initial()]);
        let mut queue = VecDeque::from([product.initial()]);
        let mut scratch = Vec::new();
        while let Some(state) = queue.pop_front() {
            let _ = product.successors(&state, &mut scratch, |t| {
                for state in [t.before, t.after] {
                    digest.update(state.shared.to_le_bytes());
                    for local in &state.locals[..product.processes()] {
                        digest.update(local.to_le_bytes());
                    }
                }
                digest.update([u8::try_from(t.actor).expect("two callers")]);
                digest.update(t.label.function());
                digest.update(t.label.describe(model.scenario()).to_string());
                if seen.insert(*t.after) {
                    queue.push_back(*t.after);
                }
                ControlFlow::Continue(())
            });
        }
    }
    kmodcheck_explore::hex(&digest.finalize())
}

fn readme(reports: &[CellReport], differences: usize) -> String {
    let states: u64 = reports.iter().flat_map(|r| &r.reports).map(|(_, r)| r.states).sum();
    let mut text = String::from(
        "# The module loading race: evidence\n\n\
         Kernel v4.9 with kmod v19 and v20, under every reading of the kernel check that was proposed \
         against the race ('kmod: add a sanity check on module loading', 8 Dec 2016).\n\n\
         - [Findings](findings.md): the matrix, and every distinct violation with its shortest trace.\n\
         - [Theorems](theorems.md): what holds, under which assumptions, and why each is needed.\n\n\
         | what | value |\n|---|---|\n",
    );
    let record = kmodcheck_explore::hex(&Sha256::digest(recorded::MAIN.text));
    let rows = [
        ("tool", format!("kmodcheck {}", sources::version())),
        ("made by", "`kmodcheck evidence --out DIR`".to_owned()),
        ("cells", reports.len().to_string()),
        ("distinct states explored", states.to_string()),
        ("cells that differ from the record", differences.to_string()),
        (
            "SHA-256 of the model (every transition of every cell, two callers)",
            format!("`{}`", model_digest(reports)),
        ),
        ("SHA-256 of the recorded verdicts", format!("`{record}`")),
    ];
    for (what, value) in rows {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    text.push_str(
        "\nTwo callers: every state. Three: up to exchanging them. Assumed throughout: sequential \
         consistency; one module; nothing unloaded, nobody killed, the limit of running requests not \
         met. Every 'violated' was replayed in the exact model.\n",
    );
    text
}

fn findings(
    reports: &[CellReport],
    shapes: &std::collections::BTreeMap<Shape, kmodcheck_properties::regressions::Found>,
    names: &[(&Shape, String)],
) -> String {
    let mut text = String::from("# Findings\n\nCommand: `kmodcheck` (or `cargo run --release`).\n");
    for naming in Naming::ALL {
        let _ = writeln!(
            text,
            "\n## No false success, requested name `{}`\n\nFor two and three callers: steps of the \
             shortest violating trace, or states explored.\n",
            naming.request()
        );
        let environments: Vec<Environment> = Environment::ALL
            .into_iter()
            .filter(|e| reports.iter().any(|r| r.cell.environment == *e))
            .collect();
        let heads: Vec<&str> = environments.iter().map(|e| e.name()).collect();
        let _ = writeln!(text, "| kmod | check | alias map | {} |", heads.join(" | "));
        let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(heads.len()));
        for kmod in Kmod::ALL {
            for check in CHECKS {
                let mut maps: Vec<_> = reports
                    .iter()
                    .filter(|r| (r.cell.naming, r.cell.kmod, r.cell.check) == (naming, kmod, check))
                    .map(|r| r.cell.map)
                    .collect();
                maps.sort();
                maps.dedup();
                for map in maps {
                    let entries = environments.iter().map(|e| {
                        let cell = Cell { naming, environment: *e, kmod, check, map };
                        let found = reports.iter().find(|r| r.cell == cell);
                        found.map_or("not modelled".to_owned(), entry)
                    });
                    let _ = writeln!(
                        text,
                        "| {} | {} | {} | {} |",
                        kmod.name(),
                        check_name(check),
                        map_name(map),
                        entries.collect::<Vec<_>>().join(" | ")
                    );
                }
            }
        }
    }
    text.push_str("\n## Every distinct violation\n");
    for property in Property::ALL {
        let mine: Vec<_> = shapes.iter().zip(names).filter(|((s, _), _)| s.0 == property).collect();
        if mine.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "\n### {}\n\n{}\n\n| trace | steps | switches | cells | the first of them |\n|---|---|---|---|---|",
            property.name(),
            property.statement()
        );
        for ((_, (_, reduced, cells)), (_, name)) in mine {
            let _ = writeln!(
                text,
                "| [{name}](traces/{name}.md) | {} | {} | {} | {} |",
                reduced.trace.len(),
                reduced.switches,
                cells.len(),
                cells[0]
            );
        }
    }
    text
}

fn entry(report: &CellReport) -> String {
    let of = |(callers, r): &(u8, kmodcheck_properties::Report)| {
        let verdict = &r.answer(Property::NoFalseSuccess).verdict;
        match verdict {
            Verdict::Violated(trace) => format!("{callers}: violated ({})", trace.len()),
            _ => format!("{callers}: {} ({})", output::word(verdict), r.states),
        }
    };
    report.reports.iter().map(of).collect::<Vec<_>>().join(", ")
}

fn theorems(
    reports: &[CellReport],
    shapes: &std::collections::BTreeMap<Shape, kmodcheck_properties::regressions::Found>,
    names: &[(&Shape, String)],
) -> String {
    let mut text = String::from(
        "# Theorems\n\nFor two and three callers on v4.9, decided by exhaustive search in every cell \
         that the claim covers. Command: `kmodcheck`.\n",
    );
    for (number, standing) in theorem::standings(reports).iter().enumerate() {
        let claim = standing.claim;
        let _ = writeln!(
            text,
            "\n## {}. {}\n\n{}: {} cells, {} of them vacuous. Property: {}: {}",
            number + 1,
            claim.words,
            match standing.outcome() {
                Outcome::Stands => "Stands",
                Outcome::Falls => "Falls",
                Outcome::Undecided => "Not decided",
            },
            standing.cells,
            standing.vacuous,
            claim.property.name(),
            claim.property.statement()
        );
        for cell in &standing.against {
            let _ = writeln!(text, "\nAgainst it: {cell}");
        }
        if !claim.assumptions.is_empty() {
            text.push_str("\nAssumes:\n\n");
        }
        for (assumption, needed) in claim.assumptions.iter().zip(&standing.needed) {
            let cell = assumption.needed_in.to_string();
            let named = shapes.iter().zip(names).find(|((shape, (_, _, cells)), _)| {
                shape.0 == assumption.property && cells.contains(&cell)
            });
            let shown = match (needed, named) {
                (Needed::Shown(_), Some((_, (_, name)))) => {
                    format!("needed: without it, [{cell}](traces/{name}.md)")
                }
                (Needed::Shown(trace), None) => {
                    format!("needed: without it, {cell}, {} steps", trace.len())
                }
                (Needed::No, _) => "NOT needed: no trace violates it without".to_owned(),
                (Needed::Undecided, _) => "not decided whether it is needed".to_owned(),
            };
            let _ = writeln!(text, "- {}; {shown}", assumption.words);
        }
    }
    text.push_str("\n## Faults behind each 'holds'\n\nThe same cell is violated under the named fault in the model.\n\n| cell | property and fault |\n|---|---|\n");
    for report in reports {
        let cell = report.cell.to_string();
        let pairs: Vec<String> = recorded::MAIN
            .mutants(&cell)
            .map(|(letter, mutant)| format!("{letter} {mutant}"))
            .collect();
        let _ = writeln!(text, "| {cell} | {} |", pairs.join(", "));
    }
    text
}
