//! `kmodcheck kmod-sh`: the kernel's own stress cases over the presets.

pub(crate) mod observed;
mod words;

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use kmodcheck_explore::{Options, map_on_threads};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::text::Decisions;
use kmodcheck_properties::kmod_sh::{self, CASES, Effort, Outcome};
use schemars::JsonSchema;
use serde::Serialize;

use self::words::{half, short};
use crate::args::values::{Kernel, Kmod, kernels, kmods};
use crate::args::{Arguments, KmodSh};
use crate::input::{files, session};
use crate::output::layout::{Layout, coloured};
use crate::output::{self, Ended, Failure, bars, presets_table};

/// States of one exhaustive search, and of one directed search, unless told.
const EFFORT: u64 = 20_000;

struct Job {
    case: usize,
    does: Decisions,
}

pub(crate) fn run(arguments: &Arguments, asked: &KmodSh) -> Result<Ended, Failure> {
    let texts = files::texts(asked.text.as_deref(), &asked.patch)?;
    let patched = !asked.patch.is_empty() || asked.text.is_some();
    // A reading of the RFC is in no text that could be patched.
    let unpatched = |kernel: &Kernel| !(patched && kernel.features.already_live);
    let all = || kernels().into_iter().filter(unpatched).collect();
    let kernels = asked.kernel.map_or_else(all, |kernel| vec![kernel]);
    let kmods = asked.kmod.map_or_else(kmods, |kmod| vec![kmod]);
    let cases: Vec<usize> = (0..CASES.len())
        .filter(|case| asked.case.is_none_or(|number| number == CASES[*case].number))
        .collect();
    let effort = Effort {
        exhaustive: arguments.states_limit.unwrap_or(EFFORT),
        directed: arguments.states_limit.unwrap_or(EFFORT),
        time: arguments.time_limit,
        bytes: session::limits(arguments).bytes,
    };
    let interrupt = session::interrupt();
    if let (Some(path), [kernel], [kmod]) = (&asked.observed, &kernels[..], &kmods[..]) {
        let features = Features { kernel: kernel.features, kmod: kmod.features };
        let does = texts.decisions(&features)?;
        return observed::run(arguments, path, kernel, kmod, &does, effort);
    }
    // Presets that are one system are run once.
    let mut jobs: Vec<Job> = Vec::new();
    let mut known: HashMap<(usize, Scenario), usize> = HashMap::new();
    let mut cells: HashMap<(&str, &str, usize), usize> = HashMap::new();
    for kernel in &kernels {
        for kmod in &kmods {
            let features = Features { kernel: kernel.features, kmod: kmod.features };
            let does = texts.decisions(&features)?;
            for &case in &cases {
                let key = (case, kmod_sh::key(&CASES[case], &does, asked.limit));
                let job = *known.entry(key).or_insert_with(|| {
                    jobs.push(Job { case, does: does.clone() });
                    jobs.len() - 1
                });
                cells.insert((kernel.name, kmod.name, case), job);
            }
        }
    }
    let bar = bars::bar(jobs.len(), "cases");
    bars::announce("kmod-sh", jobs.len(), session::threads(arguments));
    let over = || interrupt.load(Ordering::Relaxed);
    let outcomes = map_on_threads(session::threads(arguments), &jobs, over, |_, job| {
        let options = Options { interrupt: Some(interrupt), ..Options::default() };
        let case = &CASES[job.case];
        let outcome = kmod_sh::run(case, &job.does, asked.limit, effort, None, &options);
        bar.inc(1);
        outcome
    });
    let covered = bar.position();
    bar.finish_and_clear();
    let outcomes: Option<Vec<Outcome>> = outcomes.into_iter().collect();
    let Some(outcomes) = outcomes.filter(|_| !interrupt.load(Ordering::Relaxed)) else {
        crate::output::note!("kmodcheck: interrupted after {covered} of {} cases", jobs.len());
        return Ok(Ended::OutOfBudget);
    };
    let cell = |kernel, kmod, case| &outcomes[cells[&(kernel, kmod, case)]];
    if arguments.json {
        output::print_json(&json(asked, &kernels, &kmods, &cases, &cell));
    } else {
        print(asked, &kernels, &kmods, &cases, effort, &cell);
    }
    let cut = outcomes.iter().any(|o| matches!(o, Outcome::OutOfBudget));
    Ok(Ended::of(false, cut))
}

/// What the texts are called, if they are others than those that are shipped.
fn with(asked: &KmodSh) -> Option<String> {
    let named = files::named(asked.text.as_deref(), &asked.patch);
    (!named.is_empty()).then_some(named)
}

fn print<'o>(
    asked: &KmodSh,
    kernels: &[Kernel],
    kmods: &[Kmod],
    cases: &[usize],
    effort: Effort,
    cell: &impl Fn(&'static str, &'static str, usize) -> &'o Outcome,
) {
    let layout = Layout::of(asked.layout.wide);
    layout.print(&format!(
        "kmod.sh, limit {}: every call of a case has to come to what a healthy system answers.\n\
         D is request_module(), F get_fs_type(); T the threads. Callers are counted, not numbered.\n\
         'ok': every state of T = 1 up to the case's own T. 'ok to k': every state up to T = k; at the\n\
         case's own T no violation was found in {} states. 'FAILS T=t n': with t threads, after n\n\
         steps, the fewest threads and steps there are; '<=n': found, not proved shortest.\n\
         Assumed: every init succeeds, no wait lasts 5 s, nothing is unloaded during a round.\n",
        asked.limit, effort.directed
    ));
    if let Some(with) = with(asked) {
        layout.print(&format!("With {with}.\n"));
    }
    for &case in cases {
        let case = &CASES[case];
        layout.print(&format!(
            "  {} {} T={:2}, {:3} rounds: {}; expected: {}",
            case.number,
            half(case),
            case.threads,
            case.rounds,
            case.words,
            case.expected
        ));
    }
    match layout {
        Layout::Wide => output::print(&format!("\n{}", wide_table(kernels, kmods, cases, cell))),
        Layout::Fitted(width) => {
            let column = |&case: &usize| {
                presets_table::column(|kernel, kmod| {
                    let asked = kernels.iter().any(|k| k.name == kernel);
                    let asked = asked && kmods.iter().any(|k| k.name == kmod);
                    asked.then(|| short(&CASES[case], cell(kernel, kmod, case)))
                })
            };
            let columns: Vec<_> = cases.iter().map(column).collect();
            let columns: Vec<_> = columns.iter().collect();
            let names = headings(cases);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            layout.print(
                "\nIn the tables 'a .. b' is every preset from a to b, as `kmodcheck features` lists them.",
            );
            for table in presets_table::fitted(&columns, &names, width) {
                output::print(&format!("\n{table}"));
            }
        }
    }
    if let ([kernel], [kmod]) = (kernels, kmods) {
        for &case in cases {
            let outcome = cell(kernel.name, kmod.name, case);
            if let Outcome::Fails { trace, threads, .. } | Outcome::Stuck { trace, threads } =
                outcome
            {
                let scenario = CASES[case].scenario(
                    &Decisions::of_features(&Features {
                        kernel: kernel.features,
                        kmod: kmod.features,
                    }),
                    *threads,
                    asked.limit,
                );
                layout.print(&format!("\n{} {}:", CASES[case].number, half(&CASES[case])));
                for step in trace {
                    let what = step.label.describe(&scenario);
                    layout.print(&format!(
                        "  thread {:2}  {}: {what}",
                        step.actor,
                        step.label.function()
                    ));
                }
            }
        }
    } else {
        layout.print("\nFor the traces: --kernel K --kmod M [--case NUMBER]");
    }
}

/// The cases, as the tables call them.
fn headings(cases: &[usize]) -> Vec<String> {
    cases.iter().map(|c| format!("{} {}", CASES[*c].number, half(&CASES[*c]))).collect()
}

/// All of them in one table.
fn wide_table<'o>(
    kernels: &[Kernel],
    kmods: &[Kmod],
    cases: &[usize],
    cell: &impl Fn(&'static str, &'static str, usize) -> &'o Outcome,
) -> String {
    let mut header = vec!["kernel".to_owned(), "kmod".to_owned()];
    header.extend(headings(cases));
    let mut table = output::table(header);
    let mut rows: Vec<(Vec<&str>, Vec<&str>, Vec<String>)> = Vec::new();
    for kernel in kernels {
        let mut of_kernel: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
        for kmod in kmods {
            let entries: Vec<String> =
                cases.iter().map(|c| short(&CASES[*c], cell(kernel.name, kmod.name, *c))).collect();
            match of_kernel.iter_mut().find(|(_, e)| *e == entries) {
                Some((kmods, _)) => kmods.push(kmod.name),
                None => of_kernel.push((vec![kmod.name], entries)),
            }
        }
        for (kmods, entries) in of_kernel {
            match rows.iter_mut().find(|(_, m, e)| *m == kmods && *e == entries) {
                Some((kernels, ..)) => kernels.push(kernel.name),
                None => rows.push((vec![kernel.name], kmods, entries)),
            }
        }
    }
    for (kernels, kmods, entries) in rows {
        let mut row = vec![kernels.join("\n"), kmods.join("\n")];
        row.extend(entries);
        table.add_row(row);
    }
    coloured(&table.to_string())
}

/// The kernel's own stress cases.
#[derive(Serialize, JsonSchema)]
pub(crate) struct KmodShJson {
    format: &'static str,
    version: u32,
    limit: u8,
    /// The patches, or the directory of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<String>,
    results: Vec<ResultJson>,
}

#[derive(Serialize, JsonSchema)]
struct ResultJson {
    case: &'static str,
    call: &'static str,
    threads: u8,
    kernel: &'static str,
    kmod: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exhaustive_to: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_threads: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortest: Option<bool>,
    may_fail: bool,
}

fn json<'o>(
    asked: &KmodSh,
    kernels: &[Kernel],
    kmods: &[Kmod],
    cases: &[usize],
    cell: &impl Fn(&'static str, &'static str, usize) -> &'o Outcome,
) -> KmodShJson {
    let mut results = Vec::new();
    for &case in cases {
        for kernel in kernels {
            for kmod in kmods {
                let spec = &CASES[case];
                let mut result = ResultJson {
                    case: spec.number,
                    call: half(spec),
                    threads: spec.threads,
                    kernel: kernel.name,
                    kmod: kmod.name,
                    outcome: "passes",
                    exhaustive_to: None,
                    failing_threads: None,
                    steps: None,
                    shortest: None,
                    may_fail: spec.may_fail,
                };
                match cell(kernel.name, kmod.name, case) {
                    Outcome::Passes { exhaustive_to, .. } => {
                        result.exhaustive_to = Some(*exhaustive_to);
                    }
                    Outcome::Fails { threads, trace, shortest } => {
                        result.outcome = "fails";
                        result.failing_threads = Some(*threads);
                        result.steps = Some(trace.len());
                        result.shortest = Some(*shortest);
                    }
                    Outcome::Stuck { threads, trace } => {
                        result.outcome = "stuck";
                        result.failing_threads = Some(*threads);
                        result.steps = Some(trace.len());
                    }
                    Outcome::OutOfBudget => result.outcome = "out of budget",
                }
                results.push(result);
            }
        }
    }
    KmodShJson {
        format: "kmodcheck-kmod-sh",
        version: 1,
        limit: asked.limit,
        with: with(asked),
        results,
    }
}
