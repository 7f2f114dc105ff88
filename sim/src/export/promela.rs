//! The table as SPIN reads it: Promela, one proctype for each kind of process.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Affects, Command, Table};

/// How the text says what it is, and how to run it.
#[derive(Clone, Debug)]
pub struct Heading<'a> {
    /// The system, a line each.
    pub about: &'a [String],
    /// The properties that can be judged, in the order of their bits: name and statement; `None`: a bit that
    /// no property has.
    pub properties: &'a [Option<(&'a str, &'a str)>],
}

/// The text. The states that SPIN stores of it are the reachable states of the system, processes numbered;
/// its transitions are theirs.
pub fn text(table: &Table, heading: &Heading<'_>) -> String {
    let writer = Writer { table, names: names(table), index: index(table.locals.len()) };
    let mut out = String::new();
    writer.header(heading, &mut out).expect("a string takes everything");
    writer.state(&mut out).expect("a string takes everything");
    for kind in 0..table.kinds.len() {
        writer.kind(kind, &mut out).expect("a string takes everything");
    }
    writer.sleepers(&mut out).expect("a string takes everything");
    out
}

struct Writer<'t> {
    table: &'t Table,
    /// Of the fields.
    names: Vec<String>,
    /// What a process's place is kept in.
    index: &'static str,
}

/// The smallest type that holds the numbers of so many local states.
fn index(locals: usize) -> &'static str {
    match locals {
        0..=0x100 => "byte",
        0x101..=0x8000 => "short",
        _ => "int",
    }
}

/// A name that Promela takes: letters, digits, underscores, and no word of the language.
fn word(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut word: String = text.chars().map(plain).collect();
    if !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        word.insert(0, 'm');
    }
    word
}

/// Words of the language that a field's name could be: it has an underscore.
const WORDS: [&str; 8] =
    ["c_code", "c_decl", "c_expr", "c_state", "c_track", "d_proctype", "d_step", "np_"];

/// The fields' names, none twice and none that is something else here.
fn names(table: &Table) -> Vec<String> {
    let mut taken: BTreeSet<String> = WORDS.map(str::to_owned).into();
    let fields = table.fields.iter().map(|field| {
        let mut name = word(&field.name);
        if !name.contains('_') {
            name.push_str("_of_all");
        }
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        name
    });
    fields.collect()
}

/// Text that may stand within a comment.
fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace("/*", "/ *")
}

impl Writer<'_> {
    fn header(&self, heading: &Heading<'_>, out: &mut String) -> std::fmt::Result {
        let Table { states, transitions, .. } = self.table;
        writeln!(out, "/*")?;
        for line in heading.about {
            writeln!(out, " * {}", comment(line))?;
        }
        writeln!(out, " *\n * {states} states, {transitions} transitions. To count them:")?;
        writeln!(out, " *     spin -a FILE && cc -O1 -DSAFETY -o pan pan.c && ./pan -m1000000")?;
        writeln!(
            out,
            " * A shortest run to a violation (JUDGED: the sum of the properties' numbers):"
        )?;
        writeln!(out, " *     spin -DJUDGED=1 -a FILE && cc -O1 -DBFS -o pan pan.c && ./pan")?;
        writeln!(out, " *     spin -DJUDGED=1 -t -p FILE")?;
        writeln!(out, " * A run after which nobody can step and somebody has not returned:")?;
        writeln!(out, " *     spin -DSLEEPERS -a FILE && cc -O1 -DBFS -o pan pan.c && ./pan\n *")?;
        for (bit, property) in heading.properties.iter().enumerate() {
            if let Some((name, statement)) = property {
                writeln!(out, " * {:>5}  {name}: {}", 1_u64 << bit, comment(statement))?;
            }
        }
        writeln!(out, " */\n#ifndef JUDGED\n#define JUDGED 0\n#endif")?;
        writeln!(out, "#define violates(properties) assert(((properties) & (JUDGED)) == 0)\n")
    }

    fn state(&self, out: &mut String) -> std::fmt::Result {
        let Table { fields, locals, initial, at_rest, .. } = self.table;
        for (field, name) in fields.iter().zip(&self.names) {
            let of = match field.bits {
                1 => "bit",
                2..=8 => "byte",
                _ => "int",
            };
            writeln!(out, "{of} {name} = {}; /* {} */", field.initial, comment(&field.name))?;
        }
        let begin: Vec<String> = initial.iter().map(usize::to_string).collect();
        writeln!(out, "\n/* Where each process is. */")?;
        writeln!(out, "{} at[{}] = {{ {} }};", self.index, initial.len(), begin.join(", "))?;
        for (number, words) in locals.iter().enumerate() {
            writeln!(out, "/* {number}: {} */", comment(words))?;
        }
        let rests = at_rest.iter().map(|local| format!("at[p] == {local}"));
        let rests = rests.collect::<Vec<_>>().join(" || ");
        writeln!(out, "\n/* Nobody waits for it to step. */\n#define rests(p) ({rests})")
    }

    fn kind(&self, kind: usize, out: &mut String) -> std::fmt::Result {
        let of = &self.table.kinds[kind];
        writeln!(out, "\n/* {} */", comment(&of.words))?;
        let (count, name) = (of.processes.len(), word(&of.words));
        writeln!(out, "active [{count}] proctype k{kind}_{name}() {{")?;
        if of.commands.is_empty() {
            return writeln!(out, "end:\n  false\n}}");
        }
        writeln!(out, "end:\n  do")?;
        let mut from = None;
        for command in &of.commands {
            if from != Some(command.from) {
                let words = comment(&self.table.locals[command.from]);
                writeln!(out, "  /* {}: {words} */", command.from)?;
                from = Some(command.from);
            }
            match &command.affects {
                Affects::WakesOne(wakes) => {
                    for i in 0..self.table.initial.len() {
                        self.wakes_one(command, wakes, i, out)?;
                    }
                    let all: Vec<String> = (0..self.table.initial.len())
                        .filter_map(|i| self.asleep(command, wakes, i))
                        .collect();
                    let nobody = match all.is_empty() {
                        true => String::new(),
                        false => format!(" && !({})", all.join(" || ")),
                    };
                    self.option(command, &nobody, "", out)?;
                }
                Affects::Nobody => self.option(command, "", "", out)?,
                Affects::Spawns(kind, local) => {
                    let pool = self.table.kinds[*kind].processes.clone();
                    let free = |i: usize| format!("(at[{i}] == 0 && _pid != {i})");
                    let begins = pool.clone().rev().fold("assert(false)".to_owned(), |rest, i| {
                        format!("if :: {} -> at[{i}] = {local} :: else -> {rest} fi", free(i))
                    });
                    self.option(command, "", &begins, out)?;
                }
            }
        }
        writeln!(out, "  od\n}}")
    }

    /// Whether process `i`, another one, is asleep where a command wakes one: by where it was before.
    fn asleep(
        &self,
        command: &Command,
        wakes: &std::collections::BTreeMap<(usize, usize), usize>,
        i: usize,
    ) -> Option<String> {
        let kind = self.kind_of(i);
        let seen = |local: usize| *command.others.get(&(kind, local)).unwrap_or(&local);
        let here = (1..self.table.locals.len()).filter(|l| wakes.contains_key(&(kind, seen(*l))));
        let here: Vec<String> = here.map(|local| format!("at[{i}] == {local}")).collect();
        (!here.is_empty()).then(|| format!("(_pid != {i} && ({}))", here.join(" || ")))
    }

    fn wakes_one(
        &self,
        command: &Command,
        wakes: &std::collections::BTreeMap<(usize, usize), usize>,
        i: usize,
        out: &mut String,
    ) -> std::fmt::Result {
        let Some(asleep) = self.asleep(command, wakes, i) else { return Ok(()) };
        let kind = self.kind_of(i);
        let to: Vec<(usize, usize)> =
            wakes.iter().filter(|((of, _), _)| *of == kind).map(|((_, l), to)| (*l, *to)).collect();
        let wakes = self.becomes(i, &to);
        self.option(command, &format!(" && {asleep}"), &wakes, out)
    }

    fn kind_of(&self, i: usize) -> usize {
        let kinds = self.table.kinds.iter();
        kinds.enumerate().find(|(_, kind)| kind.processes.contains(&i)).expect("each has one").0
    }

    /// Process `i` goes from the first of each pair to the second.
    fn becomes(&self, i: usize, pairs: &[(usize, usize)]) -> String {
        let stays = format!("at[{i}]");
        let to = pairs
            .iter()
            .rev()
            .fold(stays, |rest, (from, to)| format!("(at[{i}] == {from} -> {to} : {rest})"));
        format!("at[{i}] = {to}")
    }

    /// One way to step. `also`: what else must be so; `then`: what else happens, after others have seen it.
    fn option(
        &self,
        command: &Command,
        also: &str,
        then: &str,
        out: &mut String,
    ) -> std::fmt::Result {
        let guard = command.guard.iter().map(|(field, value)| {
            let name = &self.names[*field];
            format!(" && {name} == {value}")
        });
        let guard: String = guard.collect();
        writeln!(out, "  :: d_step {{ /* {} */", comment(&command.words))?;
        writeln!(out, "       at[_pid] == {}{guard}{also} ->", command.from)?;
        if command.violates != 0 {
            writeln!(out, "       violates({});", command.violates)?;
        }
        for (field, value) in &command.assigns {
            writeln!(out, "       {} = {value};", self.names[*field])?;
        }
        for i in 0..self.table.initial.len() {
            let kind = self.kind_of(i);
            let others = command.others.iter().filter(|((of, _), _)| *of == kind);
            let pairs: Vec<(usize, usize)> = others.map(|((_, from), to)| (*from, *to)).collect();
            if !pairs.is_empty() {
                writeln!(out, "       {};", self.becomes(i, &pairs))?;
            }
        }
        if !then.is_empty() {
            writeln!(out, "       {then};")?;
        }
        // What others see may look like what happens to whoever steps: this is the last word.
        writeln!(out, "       at[_pid] = {}\n     }}", command.to)
    }

    fn sleepers(&self, out: &mut String) -> std::fmt::Result {
        let rest: Vec<String> =
            (0..self.table.initial.len()).map(|i| format!("rests({i})")).collect();
        writeln!(out, "\n#ifdef SLEEPERS\nactive proctype sleepers() {{\nend:\n  do")?;
        let rest = rest.join(" && ");
        writeln!(out, "  :: atomic {{ timeout && SLEEPERS && !({rest}) -> assert(false) }}")?;
        writeln!(out, "  od\n}}\n#endif")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Field;
    use super::*;

    #[test]
    fn numbers_fit_their_type() {
        for (locals, of) in
            [(1, "byte"), (256, "byte"), (257, "short"), (32_768, "short"), (32_769, "int")]
        {
            assert_eq!(index(locals), of, "{locals}");
        }
    }

    #[test]
    fn names_are_names_and_none_is_twice() {
        let field = |name: &str| Field { name: name.to_owned(), bits: 1, initial: 0 };
        let fields = ["c.state", "d.step", "a-b.state", "a_b.state", "8021q.state", "slots"];
        let table = Table {
            fields: fields.map(field).into(),
            locals: Vec::new(),
            at_rest: BTreeSet::new(),
            initial: Vec::new(),
            kinds: Vec::new(),
            states: 0,
            transitions: 0,
        };
        let found = names(&table);
        let expected =
            ["c_state_", "d_step_", "a_b_state", "a_b_state_", "m8021q_state", "slots_of_all"];
        assert_eq!(found, expected);
    }
}
