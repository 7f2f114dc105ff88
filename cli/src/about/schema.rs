//! `kmodcheck schema`: what each format of JSON looks like, made of the types that write it.

use std::collections::BTreeSet;

use kmodcheck_properties::Property;
use kmodcheck_sim::certificate::{self, Certificate, steps};
use kmodcheck_sim::scenario_file;
use kmodcheck_sim::suggest;
use kmodcheck_sim::trace::{events, file, regression, witness};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::{aliases, features};
use crate::args::Schema as Asked;
use crate::explore::{check, check_one, compare, litmus, modprobe, sample_file};
use crate::matrices::{
    fixes, kmod_sh, machine, main_job, matrix, mutants, progress, prove, review, verify,
};
use crate::output::{self, Ended, Failure};
use crate::traces::{accept, covered, reproduce};

/// A format: its name without `kmodcheck-`, its version, and what has it.
struct Format {
    name: &'static str,
    version: u32,
    of: &'static str,
    schema: fn(SchemaGenerator) -> Schema,
}

/// What `T` is written as.
const fn format<T: JsonSchema>(name: &'static str, version: u32, of: &'static str) -> Format {
    Format { name, version, of, schema: SchemaGenerator::into_root_schema_for::<T> }
}

/// The scenario file, which is no JSON and says no format.
const SCENARIO: &str = "scenario";

/// Most of what is written has a scenario in it, or a trace, which has one.
const TRACE: &str = "trace";

/// All of them.
const FORMATS: [Format; 32] = [
    format::<accept::AcceptJson>("accept", 2, "accept, record --json"),
    format::<aliases::AliasesJson>("aliases", 1, "aliases --json"),
    format::<Certificate>("certificate", certificate::VERSION, "prove --certificates DIR"),
    format::<check_one::CheckJson<'_>>("check", 1, "check --json"),
    format::<check::ChecksJson<'_>>("checks", 1, "check --json of several subjects"),
    format::<compare::CompareJson<'_>>("compare", 1, "compare --json"),
    format::<covered::CoveredJson<'_>>("covered", 1, "covered --json"),
    format::<events::Line>(
        "events",
        events::VERSION,
        "a log for accept --format events, each line",
    ),
    format::<features::FeaturesJson>("features", 1, "features --json"),
    format::<fixes::FixesJson>("fixes", 2, "fixes --json"),
    format::<matrix::GrandJson>("grand-matrix", 1, "matrix --json"),
    format::<kmod_sh::KmodShJson>("kmod-sh", 1, "kmod-sh --json"),
    format::<kmod_sh::observed::ObservedJson>(
        "kmod-sh-observed",
        1,
        "kmod-sh --observed FILE --json",
    ),
    format::<litmus::LitmusJson<'_>>("litmus", 1, "check --json of a litmus test"),
    format::<machine::MachineJson<'_>>("machine", 1, "machine --json"),
    format::<main_job::MainJson>("matrix", 1, "kmodcheck --json"),
    format::<modprobe::LearnedJson<'_>>("modprobe", 1, "modprobe learn --json"),
    format::<modprobe::ComparedJson<'_>>("modprobe-compared", 1, "modprobe compare --json"),
    format::<mutants::MutantsJson<'_>>("mutants", 1, "mutants --json"),
    format::<progress::ProgressJson>("progress", 2, "progress --json"),
    format::<prove::ProveJson>("prove", 1, "prove --json"),
    format::<regression::Regression>("regression", regression::VERSION, "trace --add"),
    format::<features::ReleasesJson>("releases", 1, "features --kernel RELEASE --json"),
    format::<reproduce::ReproduceJson>("reproduce", 1, "reproduce --json"),
    format::<review::ReviewJson<'_>>("review", 2, "review --json"),
    format::<sample_file::Line>("sample", sample_file::VERSION, "sample, merge --json, each line"),
    format::<steps::Steps>("steps", steps::VERSION, "verify --steps FILE"),
    format::<output::StoryJson<'_>>("story", 1, "trace --json"),
    format::<file::TraceFile>("trace", file::VERSION, "check --save-trace, replay --json"),
    format::<verify::VerifyJson>("verify", 2, "verify --json"),
    format::<witness::WitnessFile>("witness", witness::VERSION, "check --witness --save-trace"),
    Format { name: SCENARIO, version: 1, of: "a scenario file", schema: |_| scenario() },
];

fn scenario() -> Schema {
    let names = Property::ALL.map(Property::name);
    let schema = scenario_file::schema(&names);
    schema.try_into().expect("it is an object")
}

impl Format {
    /// What its schema's file is called.
    fn file(&self) -> String {
        format!("{}-v{}.json", self.name, self.version)
    }

    /// The schema; what that of traces has, too, refers to there.
    fn schema(&self) -> Value {
        let mut schema = self.whole();
        let traces = FORMATS.iter().find(|format| format.name == TRACE);
        if let Some(traces) = traces.filter(|traces| traces.name != self.name) {
            refer(&mut schema, &traces.file(), &traces.whole());
        }
        schema
    }

    fn whole(&self) -> Value {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schema = (self.schema)(settings.into_generator()).to_value();
        schema["$id"] = address(&self.file()).into();
        tidy(&mut schema);
        if self.name == SCENARIO {
            return schema;
        }
        schema["title"] = format!("kmodcheck-{}, version {}", self.name, self.version).into();
        // Of lines the first one says it.
        let head =
            if schema.get("anyOf").is_some() { &mut schema["$defs"]["Head"] } else { &mut schema };
        head["properties"]["format"] = json!({ "const": format!("kmodcheck-{}", self.name) });
        head["properties"]["version"] = json!({ "const": self.version });
        schema
    }
}

/// Where that of scenario files is to be found.
pub(super) fn of_scenarios() -> String {
    let scenario = FORMATS.iter().find(|format| format.name == SCENARIO);
    address(&scenario.expect("it is one of them").file())
}

/// Where a schema is to be found.
fn address(file: &str) -> String {
    format!("{}/raw/main/docs/schemas/{file}", env!("CARGO_PKG_REPOSITORY"))
}

/// Takes out of a schema what is defined in another file, too.
fn refer(schema: &mut Value, file: &str, other: &Value) {
    let Some(Value::Object(own)) = schema.get("$defs").cloned() else { return };
    let same = |name: &str| name == "TraceFile" || other["$defs"].get(name) == own.get(name);
    let mut shared: BTreeSet<&str> =
        own.keys().map(String::as_str).filter(|name| same(name)).collect();
    // What refers to something of its own is its own.
    loop {
        let refers = |name: &str| {
            let mut names = Vec::new();
            references(&mut own[name].clone(), &mut |to| names.push(to.clone()));
            names.iter().all(|to| to.strip_prefix(DEFS).is_none_or(|to| shared.contains(to)))
        };
        let kept: BTreeSet<&str> = shared.iter().copied().filter(|name| refers(name)).collect();
        if kept.len() == shared.len() {
            break;
        }
        shared = kept;
    }
    let left = own.iter().filter(|(name, _)| !shared.contains(name.as_str()));
    schema["$defs"] = Value::Object(left.map(|(name, of)| (name.clone(), of.clone())).collect());
    references(schema, &mut |to| match to.strip_prefix(DEFS) {
        Some("TraceFile") => file.clone_into(to),
        Some(name) if shared.contains(name) => *to = format!("{file}{DEFS}{name}"),
        _ => {}
    });
}

/// How a definition is referred to.
const DEFS: &str = "#/$defs/";

/// Every reference in a schema.
fn references(schema: &mut Value, each: &mut dyn FnMut(&mut String)) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get_mut("$ref") {
                each(to);
            }
            object.values_mut().for_each(|value| references(value, each));
        }
        Value::Array(array) => array.iter_mut().for_each(|value| references(value, each)),
        _ => {}
    }
}

/// Comments of code as a reader has them: in one line, and without links into the code.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace('\n', " ").replace("[`", "`").replace("`]", "`");
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(array) => array.iter_mut().for_each(tidy),
        _ => {}
    }
}

pub(crate) fn run(asked: &Asked) -> Result<Ended, Failure> {
    let Some(name) = &asked.name else {
        for format in &FORMATS {
            output::print(&format!("{:17} v{}  {}", format.name, format.version, format.of));
        }
        return Ok(Ended::AsExpected);
    };
    let short = name.strip_prefix("kmodcheck-").unwrap_or(name);
    match FORMATS.iter().find(|format| format.name == short) {
        Some(format) => output::print_json(&format.schema()),
        None => {
            let names = FORMATS.iter().map(|format| format.name);
            let meant = suggest::did_you_mean(short, names.clone());
            let meant = meant.map_or(String::new(), |meant| format!("; {meant}"));
            let names: Vec<&str> = names.collect();
            return Err(format!(
                "found format '{name}', expected one of {}{meant}",
                names.join(", ")
            )
            .into());
        }
    }
    Ok(Ended::AsExpected)
}
