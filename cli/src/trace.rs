//! `kmodcheck trace FILE`.

use std::path::Path;

use kmodcheck_model::Model;
use kmodcheck_properties::Property;
use kmodcheck_properties::check::{Unconfirmed, confirm};
use kmodcheck_properties::{minimal, regressions};
use kmodcheck_sim::trace::file::TraceFile;
use kmodcheck_sim::trace::regression::{self, Regression};
use kmodcheck_sim::trace::story::{Story, Violated};
use kmodcheck_sim::trace::{self, columns, dot, mermaid, neighbourhood, svg};
use serde::Serialize;

use crate::args::Arguments;
use crate::evidence_args::{Trace, TraceFormat};
use crate::{Ended, Failure, options, output};

#[derive(Serialize)]
struct StoryJson<'a> {
    format: &'static str,
    version: u32,
    story: &'a Story,
    context_switches: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    avoided_if: Vec<String>,
}

/// A trace from a file: what it violates, its model, its steps.
pub(crate) struct Loaded {
    pub property: Property,
    pub model: Model,
    pub trace: trace::Trace,
}

/// Reads a trace, or a regression with one in it. `Ok(Err)`: it is well formed and fits no more.
pub(crate) fn load(path: &Path) -> Result<Result<Loaded, String>, Failure> {
    let name = path.display().to_string();
    let text = options::read(path)?;
    let is_regression = serde_json::from_str::<serde_json::Value>(&text)
        .is_ok_and(|value| value.get("format").is_some_and(|f| f == regression::FORMAT));
    let file = if is_regression {
        Regression::parse(&name, &text)?.trace
    } else {
        TraceFile::parse(&name, &text)?
    };
    let property = Property::from_name(&file.property).ok_or_else(|| {
        let names = Property::ALL.map(Property::name).join(", ");
        format!("{name}: found property '{}', expected one of {names}", file.property)
    })?;
    let model = file.model(&name)?;
    let trace = match file.resolve(&name, &model) {
        Ok(trace) => trace,
        Err(error) if error.no_longer_fits() => return Ok(Err(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    Ok(match confirm(&model, property, &trace) {
        Ok(()) => Ok(Loaded { property, model, trace }),
        Err(Unconfirmed::NotViolated) => Err(format!(
            "{name}: all {} steps can be taken, and the last one does not violate {}",
            trace.len(),
            property.name()
        )),
        Err(Unconfirmed::Impossible(step)) => {
            Err(format!("{name}: step {} is impossible", step.step + 1))
        }
    })
}

/// What a violation violates, for readers.
pub(crate) fn violated(property: Property) -> Violated {
    Violated { property: property.name().to_owned(), statement: property.statement().to_owned() }
}

/// A trace that replays, told.
pub(crate) fn tell(model: &Model, property: Property, trace: &trace::Trace) -> Story {
    Story::tell(model, trace, Some(violated(property))).expect("a confirmed trace replays")
}

pub(crate) fn run(arguments: &Arguments, asked: &Trace) -> Result<Ended, Failure> {
    let Loaded { property, model, mut trace } = match load(&asked.file)? {
        Ok(loaded) => loaded,
        Err(differs) => {
            anstream::eprintln!("kmodcheck: {differs}");
            return Ok(Ended::Differs);
        }
    };
    if asked.minimise || asked.add {
        let reduced = minimal::minimal(&model, property, &trace, minimal::NODES)
            .ok_or("the trace is no violation")?;
        anstream::eprintln!(
            "kmodcheck: {} steps, {} context switch{}{}",
            reduced.trace.len(),
            reduced.switches,
            if reduced.switches == 1 { "" } else { "es" },
            if reduced.proved {
                "; no trace is shorter, none as short has fewer switches"
            } else {
                "; the search was cut, so there may be shorter ones"
            }
        );
        trace = reduced.trace;
    }
    let story = tell(&model, property, &trace);
    let why: Vec<String> = if asked.why {
        let found = minimal::why(&model, property, &trace);
        found.iter().map(|r| minimal::in_words(&model, &trace, r)).collect()
    } else {
        Vec::new()
    };
    if let Some(path) = &asked.save {
        let file = output::trace_json(property, model.scenario(), &trace);
        options::write(path, &file.to_json())?;
    }
    if asked.add {
        add(asked, &model, property, &trace)?;
    }
    let format = if arguments.json { TraceFormat::Json } else { asked.format };
    let drawn = match format {
        TraceFormat::Text => columns::render_story(&story),
        TraceFormat::Mermaid => mermaid::render(&story),
        TraceFormat::Svg => svg::render(&story),
        TraceFormat::Dot => {
            let graph = neighbourhood::around(&model, &trace).expect("a confirmed trace replays");
            dot::render(&story, &graph)
        }
        TraceFormat::Json => {
            let json = StoryJson {
                format: "kmodcheck-story",
                version: 1,
                story: &story,
                context_switches: story.switches(),
                avoided_if: why.clone(),
            };
            serde_json::to_string_pretty(&json).expect("nothing in it that JSON lacks") + "\n"
        }
    };
    output::print(drawn.trim_end());
    if asked.why && format == TraceFormat::Text {
        output::print("");
        if why.is_empty() {
            output::print("No single reordering of two steps would have avoided it.");
        }
        for line in why {
            let options = textwrap::Options::new(columns::WIDTH).subsequent_indent("  ");
            output::print(&textwrap::fill(&line, options));
        }
    }
    Ok(Ended::AsExpected)
}

fn add(
    asked: &Trace,
    model: &Model,
    property: Property,
    trace: &trace::Trace,
) -> Result<(), Failure> {
    let directory = &asked.traces;
    if !directory.is_dir() {
        return Err(format!(
            "{}: expected the directory of recorded traces (--traces DIR)",
            directory.display()
        )
        .into());
    }
    let recorded = regressions::record(model, property, trace, asked.shows.clone(), Vec::new())?;
    let path = directory.join(regressions::file_name(&recorded));
    if path.exists() {
        anstream::eprintln!("kmodcheck: {} is recorded already", path.display());
        return Ok(());
    }
    options::write(&path, &recorded.to_json())?;
    anstream::eprintln!(
        "kmodcheck: {} added: possible under {} changes of a switch, impossible under {}",
        path.display(),
        recorded.possible.len(),
        recorded.impossible.len()
    );
    Ok(())
}
