//! How much of a real index's aliases each map of the RFC would cover.

use std::collections::BTreeMap;

use crate::index::{ModuleId, ModuleIndex};

/// Counts over all aliases of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Aliases: distinct patterns.
    pub aliases: usize,
    /// Of these, those with a wildcard: no map of names has them, the kernel would have to match
    /// patterns.
    pub with_wildcard: usize,
    /// Without a wildcard, and the pattern is the module's own name: right without any map.
    pub right_without_map: usize,
    /// Without a wildcard, of the form `fs-MODULE`: right when `fs-` is stripped (`Prefix`).
    pub right_by_prefix: usize,
    /// Without a wildcard, of the form `fs-` and anything else: wrong when `fs-` is stripped.
    pub wrong_by_prefix: usize,
    /// Without a wildcard, served by one module: right in a map of names (`Exact`).
    pub right_in_a_map: usize,
    /// Without a wildcard, served by several modules: such a map needs a list.
    pub served_by_several: usize,
}

/// Counts over the aliases of `index`.
pub fn coverage(index: &ModuleIndex) -> Coverage {
    let mut modules: BTreeMap<&str, Vec<ModuleId>> = BTreeMap::new();
    for (pattern, module) in index.aliases() {
        let served = modules.entry(pattern).or_default();
        if !served.contains(&module) {
            served.push(module);
        }
    }
    let mut counts = Coverage::default();
    for (pattern, served) in modules {
        counts.aliases += 1;
        if pattern.contains(['*', '?', '[']) {
            counts.with_wildcard += 1;
            continue;
        }
        let is = |name: &str| served.len() == 1 && index.name(served[0]) == name;
        counts.right_without_map += usize::from(is(pattern));
        // Aliases are normalised, so a dash is an underscore.
        if let Some(rest) = pattern.strip_prefix("fs_") {
            if is(rest) {
                counts.right_by_prefix += 1;
            } else {
                counts.wrong_by_prefix += 1;
            }
        }
        if served.len() == 1 {
            counts.right_in_a_map += 1;
        } else {
            counts.served_by_several += 1;
        }
    }
    counts
}
