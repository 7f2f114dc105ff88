//! `kmodcheck aliases`: how much of a real index's aliases each alias map covers.

use kmodcheck_indexes::coverage::{Coverage, coverage};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Aliases, Arguments};
use crate::input::files;
use crate::output::{self, Ended, Failure};

/// How many aliases each alias map covers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AliasesJson {
    format: &'static str,
    version: u32,
    aliases: usize,
    with_wildcard: usize,
    right_without_map: usize,
    right_by_prefix: usize,
    wrong_by_prefix: usize,
    right_in_a_map: usize,
    served_by_several: usize,
}

pub(crate) fn run(arguments: &Arguments, aliases: &Aliases) -> Result<Ended, Failure> {
    let c: Coverage = coverage(&files::read_index(&aliases.modules)?);
    if arguments.json {
        output::print_json(&AliasesJson {
            format: "kmodcheck-aliases",
            version: 1,
            aliases: c.aliases,
            with_wildcard: c.with_wildcard,
            right_without_map: c.right_without_map,
            right_by_prefix: c.right_by_prefix,
            wrong_by_prefix: c.wrong_by_prefix,
            right_in_a_map: c.right_in_a_map,
            served_by_several: c.served_by_several,
        });
        return Ok(Ended::AsExpected);
    }
    let share = |n: usize| format!("{n:6} ({:.1} %)", 100.0 * n as f64 / c.aliases.max(1) as f64);
    let fs = c.right_by_prefix + c.wrong_by_prefix;
    for line in [
        format!("distinct aliases                          {:6}", c.aliases),
        format!("no map (the alias is the module's name)   {}", share(c.right_without_map)),
        format!("prefix (fs- stripped gives the module)    {}", share(c.right_by_prefix)),
        format!("    of the aliases that begin with fs-    {:6} of {fs}", c.right_by_prefix),
        format!("exact, a map of names                     {}", share(c.right_in_a_map)),
        format!("    names that several modules serve      {}", share(c.served_by_several)),
        format!("exact, only by matching patterns          {}", share(c.with_wildcard)),
    ] {
        output::print(&line);
    }
    Ok(Ended::AsExpected)
}
