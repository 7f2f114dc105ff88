//! `kmodcheck merge`: the parts of a campaign, joined.

use std::collections::BTreeMap;
use std::path::Path;

use kmodcheck_properties::Property;
use kmodcheck_properties::sample::{Part, Sampled};
use serde::de::DeserializeOwned;

use crate::args::Arguments;
use crate::sample::{FORMAT, Head, PropertyLine, Tail, VERSION, ended, lines, text};
use crate::scale_args::Merge;
use crate::{Ended, Failure, options, output};

pub(crate) fn run(arguments: &Arguments, asked: &Merge) -> Result<Ended, Failure> {
    let mut first: Option<(&Path, Head)> = None;
    let mut parts: BTreeMap<u64, &Path> = BTreeMap::new();
    let mut sum = Sampled::default();
    let mut lacking = Vec::new();
    for path in &asked.files {
        let (head, sampled) = read(path)?;
        let whole = Head { shard: [1, head.shard[1]], ..head.clone() };
        match &first {
            None => first = Some((path, whole)),
            Some((other, expected)) if *expected != whole => {
                let (found, expected) =
                    (serde_json::to_string(&whole)?, serde_json::to_string(expected)?);
                return Err(format!(
                    "{}:1: found a part of another campaign than {}: {found}, expected {expected}",
                    path.display(),
                    other.display()
                )
                .into());
            }
            Some(_) => {}
        }
        if let Some(other) = parts.insert(head.shard[0], path) {
            return Err(format!(
                "{}:1: found part {} again, expected another than in {}",
                path.display(),
                head.shard[0],
                other.display()
            )
            .into());
        }
        let all = executions(&head);
        if sampled.executions != all {
            lacking.push(format!("{}: {} of {all} walks", path.display(), sampled.executions));
        }
        sum.add(&sampled);
    }
    let (_, mut head) = first.expect("there is a file");
    // Of how many there are, a file may say anything.
    let (of, there) = (head.shard[1], parts.len() as u64);
    if let Some(part) = (1..=of).find(|part| !parts.contains_key(part)) {
        let others = match of - there {
            1 => String::new(),
            missing => format!(", and {} others", missing - 1),
        };
        lacking.push(format!("part {part} of {of} is missing{others}"));
    }
    let complete = lacking.is_empty();
    if !complete {
        let what = lacking.join("; ");
        if !asked.partial {
            return Err(format!("{what} (--partial joins what is there)").into());
        }
        crate::output::note!("kmodcheck: out of budget: {what}");
    }
    head.shard = [1, 1];
    let written = lines(&head, &sum);
    if let Some(path) = &asked.out {
        options::write(path, &written)?;
    }
    if arguments.json {
        output::print(written.trim_end());
    } else {
        output::print(&text(&head, &sum));
    }
    Ok(ended(&sum, !complete))
}

/// Walks that a part has.
fn executions(head: &Head) -> u64 {
    let [index, of] = head.shard;
    Part { index: index - 1, of }.executions(head.executions)
}

fn read(path: &Path) -> Result<(Head, Sampled), Failure> {
    let name = path.display();
    let text = options::read(path)?;
    let mut numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let mut next = |expected: &str| {
        let count = text.lines().count();
        numbered.next().ok_or_else(|| {
            format!("{name}:{}: found the end of the file, expected {expected}", count + 1)
        })
    };
    let (line, head) = next("what was asked")?;
    let head: Head = parse(&name.to_string(), line, head)?;
    if head.format != FORMAT || head.version != VERSION {
        return Err(format!(
            "{name}:1: found format '{}' version {}, expected '{FORMAT}' version {VERSION}",
            head.format, head.version
        )
        .into());
    }
    if head.shard[0] == 0 || head.shard[0] > head.shard[1] {
        let [index, of] = head.shard;
        return Err(format!("{name}:1: found part {index} of {of}, expected 1 to {of}").into());
    }
    let mut sampled = Sampled::default();
    for (property, slot) in Property::ALL.iter().zip(&mut sampled.violated) {
        let wanted = property.name();
        let (number, line) = next(wanted)?;
        let line: PropertyLine = parse(&name.to_string(), number, line)?;
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
    }
    let (number, tail) = next("what was done")?;
    let tail: Tail = parse(&name.to_string(), number, tail)?;
    let all = executions(&head);
    if tail.done > all {
        return Err(
            format!("{name}:{number}: found {} walks, expected at most {all}", tail.done).into()
        );
    }
    (sampled.executions, sampled.steps) = (tail.done, tail.steps);
    (sampled.cut, sampled.asleep) = (tail.cut, tail.asleep);
    if let Ok((number, _)) = next("") {
        return Err(format!("{name}:{number}: found another line, expected the end").into());
    }
    Ok((head, sampled))
}

fn parse<T: DeserializeOwned>(name: &str, number: usize, line: &str) -> Result<T, Failure> {
    serde_json::from_str(line)
        .map_err(|error| format!("{name}:{number}:{}: {error}", error.column()).into())
}
