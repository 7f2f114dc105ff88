//! Recorded traces: the shortest one behind every distinct violation of the main matrix, and every
//! one added since. `properties/traces/` holds them; a test replays each.

use std::collections::{BTreeMap, HashMap};

use kmodcheck_explore::map_on_threads;
use kmodcheck_explore::reduce::Reduced;
use kmodcheck_model::presets::{self, SWITCHES};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Event, Model};
use kmodcheck_sim::trace::Trace;
use kmodcheck_sim::trace::file::{TraceError, TraceFile};
use kmodcheck_sim::trace::regression::{FORMAT, Impossible, Regression, VERSION};

use crate::judge::verdict::{Unconfirmed, Verdict, confirm};
use crate::property::Property;
use crate::runs::minimal::{NODES, minimal};
use crate::systems::grand::normal;
use crate::systems::matrix::CellReport;

/// What makes two violations the same for a reader: the property, and who goes through which
/// functions in which order.
pub type Shape = (Property, Vec<(usize, &'static str)>);

/// The shape of a trace.
pub fn shape(property: Property, trace: &Trace) -> Shape {
    (property, trace.iter().map(|step| (step.actor, step.label.function())).collect())
}

/// Every single change of a switch of `scenario`: its name and value, and the changed scenario.
pub fn changes(scenario: &Scenario) -> Vec<(String, Scenario)> {
    let mut changes = Vec::new();
    for switch in SWITCHES {
        for value in switch.values.iter().filter(|v| **v != switch.get(&scenario.features)) {
            let setting = format!("{}={value}", switch.name);
            let mut changed = scenario.clone();
            presets::with(&mut changed.features, &setting).expect("the switch has that value");
            changes.push((setting, changed));
        }
    }
    changes
}

/// Whether the very steps of a saved trace end in its violation in another scenario; if not, at which
/// step (from 1) it differs, as [`Impossible::differs_at`] counts.
///
/// # Errors
/// A scenario that cannot be modelled, or an unknown property.
pub fn fits(
    name: &str,
    file: &TraceFile,
    scenario: &Scenario,
) -> Result<Result<(), usize>, String> {
    let property = property_of(name, file)?;
    let model = Model::new(scenario.clone(), None).map_err(|e| format!("{name}: {e}"))?;
    let other = TraceFile { scenario: scenario.clone(), ..file.clone() };
    match other.resolve(name, &model) {
        Err(TraceError::Impossible { step, .. }) => Ok(Err(step)),
        Err(error) => Err(error.to_string()),
        Ok(trace) if property.applies(&model) => match confirm(&model, property, &trace) {
            Ok(()) => Ok(Ok(())),
            Err(Unconfirmed::NotViolated) => Ok(Err(trace.len() + 1)),
            Err(Unconfirmed::Impossible(step)) => Ok(Err(step.step + 1)),
        },
        Ok(trace) => Ok(Err(trace.len() + 1)),
    }
}

fn property_of(name: &str, file: &TraceFile) -> Result<Property, String> {
    Property::from_name(&file.property).ok_or_else(|| {
        let names = Property::ALL.map(Property::name).join(", ");
        format!("{name}: found property '{}', expected one of {names}", file.property)
    })
}

/// A regression of a violation: made minimal, tried under every single change of a switch.
///
/// # Errors
/// Not a violation.
pub fn record(
    model: &Model,
    property: Property,
    trace: &Trace,
    shows: Option<String>,
    seen_in: Vec<String>,
) -> Result<Regression, String> {
    let reduced = minimal(model, property, trace, NODES)
        .ok_or_else(|| format!("the trace does not violate {}", property.name()))?;
    record_minimal(model, property, &reduced, shows, seen_in)
}

fn record_minimal(
    model: &Model,
    property: Property,
    reduced: &Reduced<Event>,
    shows: Option<String>,
    seen_in: Vec<String>,
) -> Result<Regression, String> {
    let scenario = model.scenario();
    let file = TraceFile::new(property.name(), property.statement(), scenario, &reduced.trace);
    let (mut possible, mut impossible) = (Vec::new(), Vec::new());
    for (setting, changed) in changes(scenario) {
        match fits("the trace", &file, &changed)? {
            Ok(()) => possible.push(setting),
            Err(differs_at) => impossible.push(Impossible { with: setting, differs_at }),
        }
    }
    let shows = shows.unwrap_or_else(|| {
        let last = reduced.trace.last().expect("a violation takes a step");
        format!(
            "{}: after {} steps and {} context switch{} CPU{} comes to its {} ({}){}.",
            scenario.name,
            reduced.trace.len(),
            reduced.switches,
            if reduced.switches == 1 { "" } else { "es" },
            last.actor,
            last.label.function(),
            last.label.describe(scenario),
            if reduced.proved { "; no trace is shorter" } else { "" }
        )
    });
    Ok(Regression {
        format: FORMAT.to_owned(),
        version: VERSION,
        shows,
        seen_in,
        possible,
        impossible,
        trace: file,
    })
}

/// A name for the file of a regression: the property, its steps, and a number that depends on the
/// shape alone.
pub fn file_name(regression: &Regression) -> String {
    // FNV-1a: small, and the same everywhere.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for step in &regression.trace.steps {
        for byte in format!("{} {}\n", step.actor, step.function).bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let steps = regression.trace.steps.len();
    format!("{}-{steps}-{:06x}.json", regression.trace.property, hash & 0xff_ffff)
}

/// One shape of violation: the first cell's model and minimal trace, and all cells.
pub type Found = (Model, Reduced<Event>, Vec<String>);

/// The distinct violations of a run of the matrix, two callers each, by shape, on `threads` threads. The
/// result does not depend on their number.
pub fn distinct(reports: &[CellReport], threads: usize) -> BTreeMap<Shape, Found> {
    // Cells whose systems are one and the same have the same traces: each is made minimal once.
    let mut jobs: Vec<(&CellReport, u8, Property, &Trace)> = Vec::new();
    let mut known: HashMap<(Scenario, Property), usize> = HashMap::new();
    let mut cells: Vec<Vec<String>> = Vec::new();
    for report in reports {
        let Some((callers, found)) = report.reports.first() else { continue };
        let scenario = normal(report.cell.model(*callers, None).scenario());
        for answer in &found.answers {
            let Verdict::Violated(trace) = &answer.verdict else { continue };
            let key = (scenario.clone(), answer.property);
            let job = *known.entry(key).or_insert_with(|| {
                jobs.push((report, *callers, answer.property, trace));
                cells.push(Vec::new());
                jobs.len() - 1
            });
            cells[job].push(report.cell.to_string());
        }
    }
    let reduce = |_, (report, callers, property, trace): &(&CellReport, u8, Property, &Trace)| {
        let model = report.cell.model(*callers, None);
        minimal(&model, *property, trace, NODES).expect("a violation is one")
    };
    let mut reduced = map_on_threads(threads, &jobs, || false, reduce);
    let mut shapes: BTreeMap<Shape, Found> = BTreeMap::new();
    for (number, (report, callers, property, _)) in jobs.iter().enumerate() {
        let reduced = reduced[number].take().expect("each job has its result");
        let shape = shape(*property, &reduced.trace);
        let model = report.cell.model(*callers, None);
        let entry = shapes.entry(shape).or_insert_with(|| (model, reduced, Vec::new()));
        entry.2.append(&mut cells[number]);
    }
    // In the order of the matrix.
    let place: HashMap<String, usize> =
        reports.iter().enumerate().map(|(i, r)| (r.cell.to_string(), i)).collect();
    for (_, _, cells) in shapes.values_mut() {
        cells.sort_by_key(|cell| place[cell]);
    }
    shapes
}

/// The regressions of the distinct violations of a run of the matrix.
pub fn of_matrix(reports: &[CellReport]) -> Vec<Regression> {
    distinct(reports, std::thread::available_parallelism().map_or(1, usize::from))
        .into_iter()
        .map(|((property, _), (model, reduced, cells))| {
            record_minimal(&model, property, &reduced, None, cells)
                .expect("a found violation is one")
        })
        .collect()
}

/// Replays a regression: the trace itself, and under every recorded change of a switch. Each entry
/// says what differs from the record.
///
/// # Errors
/// A trace that cannot be replayed at all: an unknown property, a scenario that cannot be modelled.
pub fn differences(name: &str, regression: &Regression) -> Result<Vec<String>, String> {
    let file = &regression.trace;
    let mut differences = Vec::new();
    let property = property_of(name, file)?;
    let model = file.model(name).map_err(|e| e.to_string())?;
    match file.resolve(name, &model) {
        // Says which step, what was recorded there and what the model allows.
        Err(error) => differences.push(error.to_string()),
        Ok(trace) => {
            if confirm(&model, property, &trace).is_err() {
                differences.push(format!(
                    "{name}: all {} steps can be taken, and the last one does not violate {}",
                    trace.len(),
                    property.name()
                ));
            }
        }
    }
    let mut known = Vec::new();
    for (setting, changed) in changes(&file.scenario) {
        let recorded = if regression.possible.contains(&setting) {
            Some(Ok(()))
        } else {
            let closed = regression.impossible.iter().find(|i| i.with == setting);
            closed.map(|i| Err(i.differs_at))
        };
        known.push(setting.clone());
        // A switch that the record does not know yet is not compared: it was made later.
        let Some(recorded) = recorded else { continue };
        let found = fits(name, file, &changed)?;
        if found != recorded {
            let words = |fits: Result<(), usize>| match fits {
                Ok(()) => "possible".to_owned(),
                Err(step) => format!("impossible from step {step} on"),
            };
            differences.push(format!(
                "{name}: with {setting}: recorded {}, found {}",
                words(recorded),
                words(found)
            ));
        }
    }
    let settings = regression.possible.iter().chain(regression.impossible.iter().map(|i| &i.with));
    for setting in settings.filter(|setting| !known.contains(setting)) {
        differences.push(format!("{name}: '{setting}' changes no switch of its scenario"));
    }
    Ok(differences)
}
