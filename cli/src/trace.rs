//! `kmodcheck trace FILE`.

use std::path::Path;

use kmodcheck_model::Model;
use kmodcheck_properties::Property;
use kmodcheck_properties::verdict::Unconfirmed;
use kmodcheck_properties::witness::{Shown, Witness};
use kmodcheck_properties::{minimal, regressions};
use kmodcheck_sim::trace::file::TraceFile;
use kmodcheck_sim::trace::regression::{self, Regression};
use kmodcheck_sim::trace::story::{Story, Violated};
use kmodcheck_sim::trace::witness::{self, WitnessFile};
use kmodcheck_sim::trace::{self, columns, dot, mermaid, neighbourhood, svg};
use serde::Serialize;

use crate::args::Arguments;
use crate::evidence_args::{Trace, TraceFormat};
use crate::scenario_arg::is_small;
use crate::{Ended, Failure, options, output, results};

#[derive(Serialize)]
struct StoryJson<'a> {
    format: &'static str,
    version: u32,
    story: &'a Story,
    context_switches: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    avoided_if: Vec<String>,
}

/// A trace from a file: what it shows, its model, its steps.
pub(crate) struct Loaded {
    pub shown: Shown,
    pub model: Model,
    pub trace: trace::Trace,
}

/// Reads a trace, a regression with one in it, or a witness. `Ok(Err)`: it is well formed and fits no
/// more.
pub(crate) fn load(path: &Path) -> Result<Result<Loaded, String>, Failure> {
    let name = path.display().to_string();
    let text = options::read(path)?;
    let says = serde_json::from_str::<serde_json::Value>(&text).ok();
    let says = says.as_ref().and_then(|value| value.get("format")?.as_str());
    let (shown, model, trace) = match says {
        Some(witness::FORMAT) => {
            let file = WitnessFile::parse(&name, &text)?;
            let model = file.model(&name)?;
            let asked = Witness::parse(&model, &file.witness, None)
                .map_err(|error| format!("{name}: {error}"))?;
            let shows = asked.sentence(&model);
            if file.shows != shows {
                return Err(format!("{name}: found '{}', expected '{shows}'", file.shows).into());
            }
            let trace = file.resolve(&name, &model);
            (Shown::Witness(asked), model, trace)
        }
        says => {
            let file = if says == Some(regression::FORMAT) {
                Regression::parse(&name, &text)?.trace
            } else {
                TraceFile::parse(&name, &text)?
            };
            let property = Property::from_name(&file.property).ok_or_else(|| {
                let names = Property::ALL.map(Property::name).join(", ");
                format!("{name}: found property '{}', expected one of {names}", file.property)
            })?;
            let model = file.model(&name)?;
            let trace = file.resolve(&name, &model);
            (Shown::Violation(property), model, trace)
        }
    };
    let trace = match trace {
        Ok(trace) => trace,
        Err(error) if error.no_longer_fits() => return Ok(Err(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    Ok(match shown.confirm(&model, &trace) {
        Ok(()) => Ok(Loaded { shown, model, trace }),
        Err(Unconfirmed::NotViolated) => Err(format!(
            "{name}: all {} steps can be taken, and the last one does not {}",
            trace.len(),
            match shown {
                Shown::Violation(property) => format!("violate {}", property.name()),
                Shown::Witness(witness) => format!("come to '{}'", witness.asked(&model)),
            }
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
    if asked.add && !asked.traces.is_dir() {
        let directory = asked.traces.display();
        let expected = "expected the directory of recorded traces (--traces DIR)";
        return Err(format!("{directory}: {expected}").into());
    }
    let Loaded { shown, model, mut trace } = match load(&asked.file)? {
        Ok(loaded) => loaded,
        Err(differs) => {
            crate::output::note!("kmodcheck: {differs}");
            return Ok(Ended::Differs);
        }
    };
    let is_dot = asked.format == TraceFormat::Dot && !arguments.json;
    if asked.minimise || asked.add || asked.why || is_dot {
        is_small(&asked.file.display().to_string(), &model)?;
    }
    let property = match shown {
        Shown::Violation(property) => property,
        Shown::Witness(witness) => return draw_witness(arguments, asked, &model, witness, &trace),
    };
    if asked.minimise || asked.add {
        let reduced = minimal::minimal(&model, property, &trace, minimal::NODES)
            .ok_or("the trace is no violation")?;
        crate::output::note!(
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
    let saved = asked.save.as_ref().map_or(Ok(()), |path| {
        let file = output::trace_json(property, model.scenario(), &trace);
        options::write(path, &file.to_json())
    });
    let added = if asked.add { add(asked, &model, property, &trace) } else { Ok(()) };
    let format = if arguments.json { TraceFormat::Json } else { asked.format };
    output::print(drawn(format, &story, &model, &trace, &why).trim_end());
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
    saved.and(added)?;
    Ok(Ended::AsExpected)
}

/// A run that shows what can happen: nothing in it is to be avoided.
fn draw_witness(
    arguments: &Arguments,
    asked: &Trace,
    model: &Model,
    witness: Witness,
    trace: &trace::Trace,
) -> Result<Ended, Failure> {
    for (flag, given) in
        [("--minimise", asked.minimise), ("--why", asked.why), ("--add", asked.add)]
    {
        if given {
            let file = asked.file.display();
            return Err(format!("{file}: found a witness, expected a violation with {flag}").into());
        }
    }
    if let Some(path) = &asked.save {
        options::write(path, &results::file(model, witness, trace).to_json())?;
    }
    let told = Story::tell(model, trace, None).expect("a confirmed trace replays");
    let story = Story { shows: Some(witness.sentence(model)), ..told };
    let format = if arguments.json { TraceFormat::Json } else { asked.format };
    output::print(drawn(format, &story, model, trace, &[]).trim_end());
    Ok(Ended::AsExpected)
}

fn drawn(
    format: TraceFormat,
    story: &Story,
    model: &Model,
    trace: &trace::Trace,
    why: &[String],
) -> String {
    match format {
        TraceFormat::Text => columns::render_story(story),
        TraceFormat::Mermaid => mermaid::render(story),
        TraceFormat::Svg => svg::render(story),
        TraceFormat::Dot => {
            let graph = neighbourhood::around(model, trace).expect("a confirmed trace replays");
            dot::render(story, &graph)
        }
        TraceFormat::Json => {
            let json = StoryJson {
                format: "kmodcheck-story",
                version: 1,
                story,
                context_switches: story.switches(),
                avoided_if: why.to_vec(),
            };
            serde_json::to_string_pretty(&json).expect("nothing in it that JSON lacks") + "\n"
        }
    }
}

fn add(
    asked: &Trace,
    model: &Model,
    property: Property,
    trace: &trace::Trace,
) -> Result<(), Failure> {
    let directory = &asked.traces;
    let recorded = regressions::record(model, property, trace, asked.shows.clone(), Vec::new())?;
    let path = directory.join(regressions::file_name(&recorded));
    if path.exists() {
        crate::output::note!("kmodcheck: {} is recorded already", path.display());
        return Ok(());
    }
    options::write(&path, &recorded.to_json())?;
    crate::output::note!(
        "kmodcheck: {} added: possible under {} changes of a switch, impossible under {}",
        path.display(),
        recorded.possible.len(),
        recorded.impossible.len()
    );
    Ok(())
}
