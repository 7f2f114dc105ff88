//! `kmodcheck modprobe`: what a program asks and does that is called as modprobe, and whether two do the same.

use kmodcheck_binary::automaton::{Automaton, Compared};
use kmodcheck_binary::cache::VERSION;
use kmodcheck_indexes::Modprobe as Indexed;
use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_model::scenario::{Init, Scenario};
use kmodcheck_sim::scenario_file::{DEFAULT_KERNEL, closure, rules};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Arguments;
use crate::args::modprobe::{Modprobe, What};
use crate::args::subject::Configured;
use crate::input::binary::{self, Place};
use crate::input::{config, files};
use crate::output::{self, Ended, Failure};

/// What a program asks and does, as an automaton.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LearnedJson<'a> {
    format: &'static str,
    version: u32,
    program: String,
    request: &'a str,
    /// Processes that differ.
    states: usize,
    answers: usize,
    /// Histories that were taken once more.
    replayed: usize,
    automaton: &'a Automaton,
}

/// Whether two programs do the same.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ComparedJson<'a> {
    format: &'static str,
    version: u32,
    request: &'a str,
    programs: [String; 2],
    equal: bool,
    /// Pairs of nodes that were compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs: Option<usize>,
    /// A shortest history on which they part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<ToldJson>,
    /// What each does then.
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<[String; 2]>,
}

#[derive(Serialize, JsonSchema)]
struct ToldJson {
    asks: String,
    answer: String,
}

/// What is behind a name: the request, and the system in which the modelled modprobe answers it.
struct Request {
    name: String,
    modules: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Modprobe) -> Result<Ended, Failure> {
    let directory = &asked.modules;
    let request = request(asked)?;
    let whole =
        directory.canonicalize().map_err(|error| format!("{}: {error}", directory.display()))?;
    let release = whole.file_name().map(|name| name.to_string_lossy().into_owned());
    let place = Place {
        indexes: whole.clone(),
        release: release.unwrap_or_default(),
        root: asked.root.as_deref(),
        configuration: asked.config.clone(),
        modules: request.modules.clone(),
    };
    match (asked.what, &asked.programs[..]) {
        (What::Learn, [program]) => learn(arguments, program, &request, &place),
        (What::Compare, [first, second]) => {
            compare(arguments, asked, [first, second], &request, &place)
        }
        (What::Learn, _) => Err("found two programs to learn, expected one".into()),
        (What::Compare, _) => Err("found one program to compare, expected two".into()),
    }
}

fn request(asked: &Modprobe) -> Result<Request, Failure> {
    let of_fs = asked.fs.as_ref().map(|fs| format!("fs-{fs}"));
    // clap asks for one of them.
    let name = of_fs.or_else(|| asked.module.clone()).unwrap_or_default();
    // The modules that a modelled release comes to; of programs alone those of a kmod.
    let releases = asked.programs.iter().map(String::as_str);
    let release = releases.into_iter().find(|typed| presets::kmod(typed).is_some());
    let modules = match modelled(asked, &name, release.unwrap_or("v30"))? {
        Ok(scenario) => scenario.modules.iter().map(|module| module.name.clone()).collect(),
        Err(_) => {
            let index = files::read_index(&asked.modules)?;
            index.id_of(&name).map(|id| index.name(id).to_owned()).into_iter().collect()
        }
    };
    Ok(Request { name, modules })
}

/// What a modelled release makes of the name, with what it reads of the configuration; the inner error: it comes to nothing
/// that could be modelled.
fn modelled(
    asked: &Modprobe,
    name: &str,
    release: &str,
) -> Result<Result<Scenario, String>, Failure> {
    let kmod = presets::kmod(release).ok_or_else(|| {
        format!(
            "found '{release}', expected a program, by its path, or one of {}",
            presets::KMODS.join(", ")
        )
    })?;
    let kernel = presets::kernel(DEFAULT_KERNEL).expect("it is a preset");
    let index = files::read_index(&asked.modules)?;
    let setting = closure::Setting {
        get_fs_type: false,
        request: name.to_owned(),
        callers: 1,
        init: Init::Succeeds,
        timeouts: false,
        features: Features { kernel, kmod },
    };
    // It reads what the programs find.
    let configured = Configured {
        config: asked.config.clone(),
        no_config: asked.config.is_none() && asked.root.is_none(),
        cmdline: None,
    };
    let root = asked.root.as_deref();
    let config::Read { config, .. } = config::read(&configured, root, &asked.modules, release)?;
    let modprobe = Indexed { index: &index, config: &config, rules: rules(&kmod) };
    Ok(closure::scenario(modprobe, &setting).map_err(|error| error.to_string()))
}

fn learn(
    arguments: &Arguments,
    typed: &str,
    request: &Request,
    place: &Place<'_>,
) -> Result<Ended, Failure> {
    let program = binary::program(typed, &request.name)?;
    let (learned, known) = binary::learn_within(&program, place, binary::limits(arguments))?;
    let automaton = &learned.automaton;
    if arguments.json {
        output::print_json(&LearnedJson {
            format: "kmodcheck-modprobe",
            version: VERSION,
            program: program.called(),
            request: &request.name,
            states: learned.states,
            answers: learned.answers,
            replayed: learned.replayed,
            automaton,
        });
        return Ok(Ended::AsExpected);
    }
    output::print(&format!(
        "{}: {} states of the process, {} answers, {} nodes; {} histories taken once more{}",
        program.called(),
        learned.states,
        learned.answers,
        automaton.nodes.len(),
        learned.replayed,
        if known { "; kept from an earlier run" } else { "" }
    ));
    for (at, node) in automaton.nodes.iter().enumerate() {
        output::print(&format!("{at}  {}", node.question));
        let mut shown = Vec::new();
        for edge in &node.next {
            if shown.contains(&edge.to) {
                continue;
            }
            shown.push(edge.to);
            let same = node.next.iter().filter(|other| other.to == edge.to);
            let answers: Vec<String> = same.map(|other| other.answer.to_string()).collect();
            let answers = match answers.len() {
                ..=16 => answers.join(" | "),
                many => format!("{} | ... ({many} answers)", answers[..4].join(" | ")),
            };
            output::print(&format!("       {answers}: {}", edge.to));
        }
    }
    Ok(Ended::AsExpected)
}

/// What was typed: a program, or a release that is modelled.
fn automaton(
    arguments: &Arguments,
    asked: &Modprobe,
    typed: &str,
    request: &Request,
    place: &Place<'_>,
) -> Result<(String, Automaton), Failure> {
    if typed.contains('/') {
        let program = binary::program(typed, &request.name)?;
        let (learned, _) = binary::learn_within(&program, place, binary::limits(arguments))?;
        return Ok((program.called(), learned.automaton));
    }
    let scenario = modelled(asked, &request.name, typed)??;
    Ok((format!("the modelled {typed}"), binary::of_model(&scenario, 0)?))
}

fn compare(
    arguments: &Arguments,
    asked: &Modprobe,
    typed: [&String; 2],
    request: &Request,
    place: &Place<'_>,
) -> Result<Ended, Failure> {
    let [first, second] = typed;
    let (first, one) = automaton(arguments, asked, first, request, place)?;
    let (second, other) = automaton(arguments, asked, second, request, place)?;
    let compared =
        one.compare(&other).map_err(|unlike| format!("{first} and {second}: {unlike}"))?;
    let equal = matches!(compared, Compared::Equal { .. });
    if arguments.json {
        let (pairs, history, then) = match compared {
            Compared::Equal { pairs } => (Some(pairs), Vec::new(), None),
            Compared::Part { history, first, second } => {
                (None, history, Some([first.to_string(), second.to_string()]))
            }
        };
        let told = |(question, answer): (kmodcheck_binary::Question, kmodcheck_binary::Answer)| {
            ToldJson { asks: question.to_string(), answer: answer.to_string() }
        };
        output::print_json(&ComparedJson {
            format: "kmodcheck-modprobe-compared",
            version: 1,
            request: &request.name,
            programs: [first, second],
            equal,
            pairs,
            history: history.into_iter().map(told).collect(),
            then,
        });
        return Ok(Ended::of(!equal, false));
    }
    match compared {
        Compared::Equal { pairs } => output::print(&format!(
            "equal for {}: {first} and {second} ask and do the same whatever they are answered ({pairs} pairs of states)",
            request.name
        )),
        Compared::Part { history, first: a, second: b } => {
            output::print(&format!("{first} and {second} part for {}:", request.name));
            for (question, answer) in history {
                output::print(&format!("  {question}: {answer}"));
            }
            output::print(&format!("  then {first}: {a}"));
            output::print(&format!("  and {second}: {b}"));
        }
    }
    Ok(Ended::of(!equal, false))
}
