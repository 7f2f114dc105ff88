//! `kmodcheck merge`: the parts of a campaign, joined.

use std::collections::BTreeMap;
use std::path::Path;

use kmodcheck_properties::sample::Sampled;

use super::sample::{ended, text};
use super::sample_file::{Head, lines, read};
use crate::args::Arguments;
use crate::args::scale::Merge;
use crate::input::files;
use crate::output::{self, Ended, Failure};

pub(crate) fn run(arguments: &Arguments, asked: &Merge) -> Result<Ended, Failure> {
    asked.out.as_deref().map_or(Ok(()), files::try_file)?;
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
        let all = head.walks();
        if sampled.executions != all {
            lacking.push(format!("{}: {} of {all} walks", path.display(), sampled.executions));
        }
        // No part has more walks than there are, so of all sums only this one can be too large.
        if sum.steps.checked_add(sampled.steps).is_none() {
            return Err(format!(
                "{}: found {} steps, expected fewer: with those of the parts before they are more than \
                 can be counted",
                path.display(),
                sampled.steps
            )
            .into());
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
    let saved = asked.out.as_ref().map_or(Ok(()), |path| files::write(path, &written));
    if arguments.json {
        output::print(written.trim_end());
    } else {
        output::print(&text(&head, &sum));
    }
    saved?;
    Ok(ended(&head, &sum, !complete))
}
