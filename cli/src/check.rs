//! `kmodcheck check --modules DIR`.

use kmodcheck_explore::{End, Options};
use kmodcheck_model::Model;
use kmodcheck_model::features::{AliasMap, Features};
use kmodcheck_model::presets;
use kmodcheck_model::scenario::{Init, Resolution, Scenario};
use kmodcheck_model::userspace::closure::{Setting, scenario};
use kmodcheck_properties::check::check;
use kmodcheck_properties::{Property, Report, Verdict};
use serde::Serialize;

use crate::args::{Arguments, Check};
use crate::output::{self, word};
use crate::{Ended, Failure, options, progress};

#[derive(Serialize)]
struct CheckJson<'a> {
    format: &'static str,
    version: u32,
    scenario: &'a Scenario,
    report: output::ReportJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<kmodcheck_sim::trace::file::TraceFile>,
}

pub(crate) fn run(arguments: &Arguments, check_args: &Check) -> Result<Ended, Failure> {
    let index = options::read_index(&check_args.modules)?;
    let setting = setting(check_args);
    let directory = check_args.modules.display();
    let scenario = scenario(&index, &setting).map_err(|error| format!("{directory}: {error}"))?;
    let model = Model::new(scenario, None)?;
    let limits = options::limits(arguments);
    let spinner = progress::spinner();
    let report = check(
        &model,
        &Options {
            symmetry: !check_args.no_symmetry,
            limits,
            interrupt: Some(options::interrupt()),
            progress: Some(&|p| spinner.set_message(progress::describe(p))),
            threads: options::threads(arguments),
            ..Options::default()
        },
    )?;
    spinner.finish_and_clear();
    let shown = shown(check_args, &report);
    match (&check_args.save_trace, &shown) {
        (Some(path), Some((property, trace))) => {
            let file = output::trace_json(*property, model.scenario(), trace);
            options::write(path, &file.to_json())?;
        }
        (Some(path), None) => {
            anstream::eprintln!("kmodcheck: no violation to save: {} not written", path.display());
        }
        (None, _) => {}
    }
    if arguments.json {
        output::print_json(&CheckJson {
            format: "kmodcheck-check",
            version: 1,
            scenario: model.scenario(),
            report: output::report_json(&report, model.scenario().callers() as u8, |_| None),
            trace: shown.map(|(p, trace)| output::trace_json(p, model.scenario(), &trace)),
        });
    } else {
        print(check_args, &model, &report, &limits);
        if let Some((property, trace)) = shown {
            output::print(&format!("\n{}", output::trace_text(property, model.scenario(), &trace)));
        }
    }
    Ok(ended(check_args, &report))
}

/// The trace to show and save.
fn shown(
    arguments: &Check,
    report: &Report,
) -> Option<(Property, kmodcheck_properties::check::Trace)> {
    report.answers.iter().filter(|a| arguments.property.is_none_or(|p| p == a.property)).find_map(
        |a| match &a.verdict {
            Verdict::Violated(trace) => Some((a.property, trace.clone())),
            _ => None,
        },
    )
}

fn ended(arguments: &Check, report: &Report) -> Ended {
    let differs = report.answers.iter().any(|answer| {
        let expected =
            arguments.expect.iter().rev().find(|e| e.0 == answer.property).is_none_or(|e| e.1);
        match answer.verdict {
            Verdict::Violated(_) => expected,
            Verdict::Holds { .. } | Verdict::NotApplicable => !expected,
            Verdict::OutOfBudget => false,
        }
    });
    if differs {
        Ended::Differs
    } else if report.end == End::Complete {
        Ended::AsExpected
    } else {
        Ended::OutOfBudget
    }
}

fn setting(arguments: &Check) -> Setting {
    let (get_fs_type, request) = match (&arguments.name.fs, &arguments.name.module) {
        (Some(fs), _) => (true, format!("fs-{fs}")),
        (None, module) => (false, module.clone().unwrap_or_default()),
    };
    let mut kernel = presets::kernel(&arguments.kernel).expect("the argument is one of KERNELS");
    kernel.alias_map = match arguments.alias_map.as_deref() {
        None => kernel.alias_map,
        Some("none") => AliasMap::None,
        Some("prefix") => AliasMap::Prefix,
        Some(_) => AliasMap::Exact,
    };
    let kmod = presets::kmod(&arguments.kmod).expect("the argument is one of KMODS");
    Setting {
        get_fs_type,
        request,
        callers: arguments.callers,
        init: if arguments.init_may_fail { Init::MayFail } else { Init::Succeeds },
        timeouts: arguments.timeouts,
        features: Features { kernel, kmod },
    }
}

fn print(arguments: &Check, model: &Model, report: &Report, limits: &kmodcheck_explore::Limits) {
    let scenario = model.scenario();
    let names = |ids: &mut dyn Iterator<Item = u8>| {
        let names: Vec<&str> =
            ids.map(|id| scenario.modules[usize::from(id)].name.as_str()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let name = &scenario.names[0];
    let resolved = match &name.resolution {
        Resolution::NotFound => "nothing in the indexes".to_owned(),
        Resolution::Builtin => "an entry of modules.builtin".to_owned(),
        Resolution::Modules(targets) => names(&mut targets.iter().map(|t| t.module)),
    };
    output::print(&format!("{} resolves to {resolved}", name.request));
    for target in name.targets() {
        output::print(&format!(
            "modprobe tries, in order: {}",
            names(&mut target.probe.iter().map(|p| p.module))
        ));
    }
    output::print(&format!(
        "kernel {}{}, kmod {}, {} caller{}{}",
        arguments.kernel,
        arguments.alias_map.as_ref().map_or(String::new(), |map| format!(" (alias map {map})")),
        arguments.kmod,
        scenario.callers(),
        if scenario.callers() == 1 { "" } else { "s" },
        if report.symmetry { ", counted up to exchanging them" } else { "" }
    ));
    output::print(&format!(
        "assumed: {}; {}; nothing is unloaded; no module's init requests a module; no signals; \
         sequential consistency; limits: {}",
        if arguments.init_may_fail {
            "every init may fail at every attempt"
        } else {
            "every init succeeds"
        },
        if arguments.timeouts {
            "the 30 s of resolve_symbol_wait() may be over at any moment"
        } else {
            "no wait lasts 30 s"
        },
        options::limits_in_words(limits)
    ));
    if let Some(builtin) = &name.builtin {
        output::print(&format!(
            "assumed: built-in {} has a directory under /sys/module",
            builtin.name
        ));
    }
    output::print(&format!(
        "{}: {} states, {} transitions, depth {}, {} not expanded, {} words a state\n",
        output::end_word(report),
        report.states,
        report.transitions,
        report.depth,
        report.queue,
        report.words
    ));
    for answer in &report.answers {
        let steps = match &answer.verdict {
            Verdict::Violated(trace) => format!(" ({} steps)", trace.len()),
            _ => String::new(),
        };
        let met: Vec<String> = answer
            .property
            .branches()
            .iter()
            .zip(&answer.branches)
            .map(|(branch, met)| format!("{branch}: {met}"))
            .collect();
        output::print(&format!(
            "{:26} {:22} premise met: {}",
            answer.property.name(),
            format!("{}{steps}", word(&answer.verdict)),
            met.join(", ")
        ));
    }
    if report.answers.iter().any(|a| matches!(a.verdict, Verdict::Holds { .. })) {
        output::print(
            "No fault in the model is recorded for this scenario: unlike those of the main job, a\n\
             'holds' here was not seen to fail.",
        );
    }
    if let Some(trace) = &report.by_time_out_only {
        output::print(&format!("somebody returns by time-out only, after {} steps", trace.len()));
    }
}
