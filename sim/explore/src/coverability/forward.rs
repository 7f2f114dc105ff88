//! The counted form for a fixed number of anonymous processes, explored forward.
//!
//! - Decides: every configuration that the tagged processes and so many anonymous ones reach.
//! - Needs: the table of the family.
//! - Costs: each configuration, in an ordered set: for small numbers, to hold the counted form
//!   against exhaustive exploration, and what the proofs say against both.

use std::collections::BTreeSet;

use super::table::{BLOCKS, GONE, Letter, NONE, Rule, Table};

/// A control state and the letters beside it, in ascending order.
pub(crate) type Configuration = (u32, Vec<Letter>);

/// Everything that `initial` reaches; `None` if that is
/// more than `most` configurations.
pub(crate) fn reachable(
    table: &Table,
    initial: &[Configuration],
    most: usize,
) -> Option<BTreeSet<Configuration>> {
    let mut seen: BTreeSet<Configuration> = initial.iter().cloned().collect();
    let mut queue: Vec<Configuration> = initial.to_vec();
    while let Some(configuration) = queue.pop() {
        for configuration in successors(table, &configuration) {
            if seen.insert(configuration.clone()) {
                queue.push(configuration);
            }
        }
        if seen.len() > most {
            return None;
        }
    }
    Some(seen)
}

/// Where a configuration can be after one step.
pub(crate) fn successors(table: &Table, (control, letters): &Configuration) -> Vec<Configuration> {
    let shared = table.controls[*control as usize].shared as usize;
    let mut found = Vec::new();
    for inner in &table.inner[shared] {
        if let Some(mut others) = without(letters, inner.takes) {
            others.extend(Some(inner.puts).filter(|l| *l != NONE));
            found.push((*control, others));
        }
    }
    for rule in &table.rules[*control as usize] {
        found.extend(apply(table, rule, letters).map(|letters| (rule.to, letters)));
    }
    found.iter_mut().for_each(|(_, letters)| letters.sort_unstable());
    found
}

/// The letters with one less of `letter`.
fn without(letters: &[Letter], letter: Letter) -> Option<Vec<Letter>> {
    let at = letters.binary_search(&letter).ok()?;
    let mut rest = letters.to_vec();
    rest.remove(at);
    Some(rest)
}

fn apply(table: &Table, rule: &Rule, letters: &[Letter]) -> Option<Vec<Letter>> {
    let mut others = letters.to_vec();
    for taken in rule.takes.into_iter().filter(|l| *l != NONE) {
        others = without(&others, taken)?;
    }
    let image = &table.transfers[rule.transfer as usize];
    let mut after = Vec::with_capacity(others.len() + 2);
    for letter in others {
        match image[usize::from(letter)] {
            BLOCKS => return None,
            GONE => {}
            to => after.push(to),
        }
    }
    after.extend(rule.puts.into_iter().filter(|l| *l != NONE));
    Some(after)
}
