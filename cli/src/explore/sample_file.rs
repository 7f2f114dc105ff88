//! What `kmodcheck sample` writes and `kmodcheck merge` reads: a result as lines of JSON. What is read is
//! compared with everything else that the file says.

use std::path::Path;

use kmodcheck_properties::Property;
use kmodcheck_properties::sample::{Part, Sampled};
use kmodcheck_sim::versioned::wrong_at;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::input::{files, kind};
use crate::output::Failure;
use crate::sources;

pub(crate) const FORMAT: &str = "kmodcheck-sample";
pub(crate) const VERSION: u32 = 2;

/// The first line: what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub format: String,
    pub version: u32,
    /// The version of this command.
    pub tool: String,
    /// What it was built of: another build may walk otherwise.
    pub build: String,
    pub scenario: String,
    /// Of the scenario.
    pub digest: String,
    pub schedule: String,
    pub seed: u64,
    /// Walks of the whole campaign.
    pub executions: u64,
    pub longest: u32,
    /// Which part this is, from 1, and of how many; the whole is 1 of 1.
    pub shard: [u64; 2],
    /// What the scenario asks itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Question>,
}

/// Something that a scenario asks itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// What it is called.
    pub name: String,
    /// Whether it is to be so at some time: that it is, is no violation.
    pub exists: bool,
}

impl Head {
    /// Which walks are in it.
    pub fn part(&self) -> Part {
        let [index, of] = self.shard;
        Part { index: index - 1, of }
    }

    /// What is looked for: the properties, then what the scenario asks itself.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Property::ALL.into_iter().map(Property::name).collect();
        names.extend(self.asked.iter().map(|question| question.name.as_str()));
        names
    }

    /// How many walks are in it.
    pub fn walks(&self) -> u64 {
        self.part().executions(self.executions)
    }
}

/// A line for each property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PropertyLine {
    property: String,
    /// In how many walks; of what is to be so at some time, in how many it was.
    violated: u64,
    /// The number of the first of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
}

/// The last line: what was done. Without it a file is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tail {
    /// Walks taken; fewer than the part has if it was cut.
    done: u64,
    steps: u64,
    /// Walks that met the bound on steps.
    cut: u64,
    /// Walks that ended with somebody asleep.
    asleep: u64,
}

/// A line, for the schema: what was asked; a property for each that is looked for; what was done.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "lines are written and read in their order")]
pub(crate) enum Line {
    Head(Head),
    Property(PropertyLine),
    Tail(Tail),
}

/// What is looked for, and what came of it: the properties, then what the scenario asks itself.
pub(crate) fn named<'h>(head: &'h Head, sampled: &Sampled) -> Vec<(&'h str, (u64, Option<u64>))> {
    let met = sampled.violated.iter().chain(&sampled.asked).copied();
    // Where no walk was taken, nothing was met.
    head.names().into_iter().zip(met.chain(std::iter::repeat((0, None)))).collect()
}

/// A result as lines of JSON.
pub(crate) fn lines(head: &Head, sampled: &Sampled) -> String {
    let mut text = line(head);
    for (property, (violated, first)) in named(head, sampled) {
        let property = property.to_owned();
        text.push_str(&line(&PropertyLine { property, violated, first }));
    }
    let Sampled { executions, steps, cut, asleep, .. } = *sampled;
    text.push_str(&line(&Tail { done: executions, steps, cut, asleep }));
    text
}

fn line(value: &impl Serialize) -> String {
    format!("{}\n", serde_json::to_string(value).expect("strings and numbers"))
}

/// Reads a result, and believes nothing that its other lines contradict.
pub(crate) fn read(path: &Path) -> Result<(Head, Sampled), Failure> {
    let name = path.display().to_string();
    let text = files::read(path)?;
    parse_part(&name, &text)
        .map_err(|error| kind::instead(&name, &text, &["a part of a campaign"], error))
}

fn parse_part(name: &str, text: &str) -> Result<(Head, Sampled), Failure> {
    let mut numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let mut next = |expected: &str| {
        let count = text.lines().count();
        numbered.next().ok_or_else(|| {
            format!("{name}:{}: found the end of the file, expected {expected}", count + 1)
        })
    };
    let (_, line) = next("what was asked")?;
    let head = read_head(name, line)?;
    let asked = vec![(0, None); head.asked.len()];
    let mut sampled = Sampled { asked, ..Sampled::default() };
    let mut last = 1;
    let names = head.names().into_iter();
    for (wanted, slot) in names.zip(sampled.violated.iter_mut().chain(&mut sampled.asked)) {
        let (number, line) = next(wanted)?;
        let line: PropertyLine = parse(name, number, line)?;
        if line.property != wanted || (line.violated > 0) != line.first.is_some() {
            let found = line.property;
            return Err(format!(
                "{name}:{number}: found {found}, {} times, first {:?}, expected {wanted}, with a first \
                 walk if there is one",
                line.violated, line.first
            )
            .into());
        }
        *slot = (line.violated, line.first);
        last = number;
    }
    let (number, tail) = next("what was done")?;
    let tail: Tail = parse(name, number, tail)?;
    (sampled.executions, sampled.steps) = (tail.done, tail.steps);
    (sampled.cut, sampled.asleep) = (tail.cut, tail.asleep);
    if let Ok((number, _)) = next("") {
        return Err(format!("{name}:{number}: found another line, expected the end").into());
    }
    let first = last + 1 - Property::ALL.len() - head.asked.len();
    for ((of, met), number) in named(&head, &sampled).into_iter().zip(first..) {
        possible(of, met, &head, &sampled).map_err(|what| format!("{name}:{number}: {what}"))?;
    }
    done(&head, &sampled).map_err(|what| format!("{name}:{number}: {what}"))?;
    Ok((head, sampled))
}

fn read_head(name: &str, line: &str) -> Result<Head, Failure> {
    // The version says what else there is.
    #[derive(Deserialize)]
    struct Version {
        format: String,
        version: u32,
    }
    let Version { format, version } = parse(name, 1, line)?;
    if (format.as_str(), version) != (FORMAT, VERSION) {
        let (_, column) = wrong_at(line, &format, FORMAT);
        return Err(format!(
            "{name}:1:{column}: found format '{format}' version {version}, expected '{FORMAT}' version {VERSION}"
        )
        .into());
    }
    let head: Head = parse(name, 1, line)?;
    let build = sources::build_in_words();
    if head.build != build {
        // Where its quotes begin.
        let column = line.find(&head.build).unwrap_or(1);
        return Err(format!(
            "{name}:1:{column}: found a part of build {}, expected one of this build, {build}: another may walk \
             otherwise, or count otherwise",
            head.build
        )
        .into());
    }
    let [index, of] = head.shard;
    if index == 0 || index > of {
        return Err(format!("{name}:1: found part {index} of {of}, expected 1 to {of}").into());
    }
    for (what, number) in [("walks", head.executions), ("steps at most", head.longest.into())] {
        if number == 0 {
            return Err(format!("{name}:1: found 0 {what}, expected 1 or more").into());
        }
    }
    Ok(head)
}

fn parse<T: DeserializeOwned>(name: &str, number: usize, line: &str) -> Result<T, Failure> {
    serde_json::from_str(line)
        .map_err(|error| format!("{name}:{number}:{}: {error}", error.column()).into())
}

/// Whether so many walks of the part can have violated a property, and first that one.
fn possible(
    property: &str,
    (violated, first): (u64, Option<u64>),
    head: &Head,
    sampled: &Sampled,
) -> Result<(), String> {
    if violated > sampled.executions {
        let done = sampled.executions;
        return Err(format!("found {violated} violating walks, expected at most the {done} taken"));
    }
    if property == Property::NobodySleepsForEver.name() && violated != sampled.asleep {
        let asleep = sampled.asleep;
        return Err(format!("found {violated} violating walks, expected the {asleep} asleep"));
    }
    let Some(first) = first else { return Ok(()) };
    let Part { index, of } = head.part();
    if first >= head.executions || first % of != index {
        let [part, of] = head.shard;
        return Err(format!(
            "found walk {first} as the first, expected one of part {part} of {of} of {} walks",
            head.executions
        ));
    }
    let left = head.walks() - first / of;
    if violated > left {
        return Err(format!(
            "found {violated} violating walks, expected at most the {left} from number {first} on"
        ));
    }
    Ok(())
}

/// Whether so much can have been done.
fn done(head: &Head, sampled: &Sampled) -> Result<(), String> {
    let Sampled { executions, steps, cut, asleep, .. } = *sampled;
    let (all, longest) = (head.walks(), u128::from(head.longest));
    if executions > all {
        return Err(format!("found {executions} walks, expected at most {all}"));
    }
    // A walk that was cut is as long as there may be, and nobody knows who would have slept.
    if u128::from(cut) + u128::from(asleep) > u128::from(executions) {
        return Err(format!(
            "found {cut} walks cut and {asleep} that ended asleep, expected at most the {executions} \
             taken"
        ));
    }
    let (least, most) = (u128::from(cut) * longest, u128::from(executions) * longest);
    // Every other violation takes a step.
    let steps_of = |(property, (violated, _)): (&Property, &(u64, _))| match property {
        Property::NobodySleepsForEver => 0,
        _ => *violated,
    };
    let violating = Property::ALL.iter().zip(&sampled.violated).map(steps_of).max();
    let least = least.max(violating.unwrap_or(0).into());
    if !(least..=most).contains(&steps.into()) {
        return Err(format!(
            "found {steps} steps, expected {least} to {most}: {executions} walks, {cut} of them cut after \
             {longest}"
        ));
    }
    Ok(())
}
