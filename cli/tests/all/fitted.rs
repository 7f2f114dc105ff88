//! The commands about many systems fit the terminal, and say the same however wide it is.

use std::collections::BTreeMap;
use std::process::Command;

use kmodcheck_model::presets::{KERNELS, KMODS};

use crate::common::{Run, in_terminal, plain, run};
use crate::sample::long_some_of;

/// Each command, on so many systems that it has tables with all columns or all presets, and lists. What is said of
/// them need not be all that there is to be said, so that it is said soon.
const COMMANDS: [&str; 8] = [
    "matrix --kernel v6.5 --states-limit 500",
    "matrix --kmod v19 --property no-false-success --states-limit 300",
    "kmod-sh --kmod v20 --states-limit 300",
    "kmod-sh --kernel v4.9 --kmod v19 --states-limit 300",
    "prove --kernel v4.9 --kmod v19 --states-limit 300",
    "progress --kernel v6.5 --kmod v20 --states-limit 1000",
    "fixes --env fail --max-size 2",
    "progress --hard-cases",
];

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

/// A line of a trace, which takes 80 columns wherever it is printed.
fn is_of_a_trace(command: &str) -> bool {
    command.contains("--hard-cases")
}

/// What it says; it may be cut.
fn said(run: Run) -> String {
    assert!(matches!(run.status, Some(0 | 3)), "{run:?}");
    run.out
}

/// No line is longer than the terminal is wide, whatever its width; there is colour there and none on a pipe,
/// unless somebody wants it otherwise; the words are the same.
#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    for command in COMMANDS {
        let on_a_pipe = said(run(&words(command)));
        assert!(!on_a_pipe.contains('\u{1b}'), "{command}: colour on a pipe");
        // Of traces the width is the same.
        let widths: &[usize] = if is_of_a_trace(command) { &[80] } else { &[60, 80, 120, 200] };
        for columns in long_some_of(2, 2, widths.iter().copied()) {
            let found = said(in_terminal(columns, "", command));
            let text = plain(&found);
            for line in text.lines() {
                let most = if is_of_a_trace(command) { columns.max(80) } else { columns };
                assert!(line.chars().count() <= most, "{columns}: {command}: {line}");
            }
            assert!(found.contains("\u{1b}["), "{command}: no colour: {found}");
            if columns == 80 {
                assert_eq!(text, on_a_pipe, "{command}");
                let without = said(in_terminal(columns, "NO_COLOR=1", command));
                assert_eq!(without.replace('\r', ""), text, "{command}");
            }
        }
        let mut forced = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
        let forced = forced.args(words(command)).env("CLICOLOR_FORCE", "1").output().unwrap();
        let forced = said(Run::of(forced));
        assert!(forced.contains("\u{1b}[") && plain(&forced) == on_a_pipe, "{command}: {forced}");
    }
}

/// The switches, too; on a pipe they are as wide as they are.
#[test]
fn switches_fit_the_terminal() {
    let on_a_pipe = run(&["features"]).exits(0).out;
    for columns in [60, 80, 120, 200] {
        let text = plain(&in_terminal(columns, "", "features").exits(0).out);
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(columns), "{columns}: {text}");
        // Of narrow columns words are broken.
        let words = ["bare-directory", "waits-for-going", "v5.3 .. v5.17", "fd44a98ae2eb"];
        for word in words.iter().filter(|_| columns > 80) {
            assert!(text.contains(word) && on_a_pipe.contains(word), "{columns}: {word}: {text}");
        }
    }
}

/// What is said of a system: below which headings, of which presets, in which column.
type Entries = BTreeMap<(String, [String; 3]), String>;

/// The presets that a cell of a table names.
fn presets(cell: &str, all: &[&'static str]) -> Vec<&'static str> {
    let place = |name: &str| all.iter().position(|known| *known == name).expect(name);
    let mut found = Vec::new();
    for part in cell.split(", ") {
        let (first, last) = part.split_once(" .. ").unwrap_or((part, part));
        found.extend(&all[place(first)..=place(last)]);
    }
    found
}

/// Below which headings, in which column, the same is said of all presets.
type Everywhere = Vec<(String, String, String)>;

/// What is said to be the same everywhere.
fn everywhere(text: &str) -> Everywhere {
    let (mut above, mut found) = (Vec::new(), Vec::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        heading(&mut above, line);
        let Some(rest) = line.strip_prefix("everywhere '") else { continue };
        let mut line = rest.to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with("  ")) {
            line += " ";
            line += more.trim();
        }
        let (says, names) = line.split_once("': ").expect(rest);
        let of = |name: &str| (above.join("; "), name.to_owned(), says.to_owned());
        found.extend(names.split(", ").map(of));
    }
    found
}

/// What stands before tables, as far as its first word tells it apart.
fn heading(above: &mut Vec<String>, line: &str) {
    let word = line.split_whitespace().next().unwrap_or_default();
    if kmodcheck_properties::Property::from_name(word.trim_end_matches(':')).is_some() {
        *above = vec![word.to_owned()];
    } else if word.starts_with("request_module(\"") || word.starts_with("get_fs_type(\"") {
        above.truncate(1);
        above.push(word.to_owned());
    }
}

/// Every entry of every table. Headings are what stands before tables, as far as its first word tells it apart.
fn entries(text: &str) -> Entries {
    let (mut above, mut found) = (Vec::new(), Entries::new());
    let mut columns: Vec<Vec<String>> = Vec::new();
    let mut in_heads = false;
    // Kernels, kmods, entries, each of several lines.
    let mut rows: Vec<Vec<Vec<String>>> = Vec::new();
    let mut take = |above: &[String], columns: &[Vec<String>], rows: &mut Vec<Vec<Vec<String>>>| {
        for row in rows.drain(..) {
            let join = |cell: &[String]| {
                let names: Vec<&str> =
                    cell.iter().map(String::as_str).filter(|n| !n.is_empty()).collect();
                // One a line, or ranges that were folded.
                let folded = names.iter().any(|name| {
                    name.ends_with(',') || name.ends_with("..") || name.starts_with("..")
                });
                names.join(if folded { " " } else { ", " })
            };
            for kernel in presets(&join(&row[0]), &KERNELS) {
                for kmod in presets(&join(&row[1]), &KMODS) {
                    for (names, entry) in columns.iter().zip(&row[2..]) {
                        // Columns that say the same are one.
                        for column in names.iter().filter(|name| !name.is_empty()) {
                            let of = [kernel, kmod, column.as_str()].map(str::to_owned);
                            let key = (above.join("; "), of);
                            let said = entry.join(" ").trim_end().to_owned();
                            assert_eq!(found.insert(key.clone(), said), None, "{key:?} twice");
                        }
                    }
                }
            }
        }
    };
    for line in text.lines() {
        let Some(inside) = line.strip_prefix('|') else {
            take(&above, &columns, &mut rows);
            heading(&mut above, line);
            continue;
        };
        let cells: Vec<String> =
            inside.trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        if cells[0] == "kernel" {
            columns = cells[2..].iter().map(|name| vec![name.clone()]).collect();
            in_heads = true;
        } else if cells[0].starts_with('-') {
            in_heads = false;
        } else if in_heads {
            columns.iter_mut().zip(&cells[2..]).for_each(|(names, name)| names.push(name.clone()));
        } else if cells[2].is_empty() {
            for (cell, line) in rows.last_mut().expect("a row has begun").iter_mut().zip(cells) {
                cell.push(line);
            }
        } else {
            rows.push(cells.into_iter().map(|cell| vec![cell]).collect());
        }
    }
    take(&above, &columns, &mut rows);
    found
}

/// However the tables are grouped, they say the same of every system as the wide ones.
#[test]
fn fitted_tables_say_what_the_wide_ones_say() {
    let commands = COMMANDS
        .into_iter()
        .filter(|command| !command.contains("hard") && !command.contains("fixes"));
    for command in commands {
        let wide = said(run(&[&words(command)[..], &["--wide"]].concat()));
        let expected = entries(&wide);
        assert!(expected.len() > 13, "{command}: {wide}");
        for columns in [80, 120, 200] {
            let text = plain(&said(in_terminal(columns, "", command)));
            let mut found = entries(&text);
            for (above, column, says) in everywhere(&text) {
                let of = |key: &&(String, [String; 3])| key.0 == above && key.1[2] == column;
                let all: Vec<_> = expected.keys().filter(of).cloned().collect();
                assert!(all.len() > 1, "{columns}: {command}: {above}, {column}");
                for key in all {
                    assert_eq!(found.insert(key.clone(), says.clone()), None, "{key:?} twice");
                }
            }
            assert!(found == expected, "{columns}: {command}: {text}\n{wide}");
        }
    }
}

/// JSON is not laid out, and what is as wide as it is does not depend on the terminal.
#[test]
fn wide_is_wide_everywhere() {
    for command in ["matrix --kernel v6.5 --states-limit 500", "fixes --env fail --max-size 2"] {
        let wide = said(run(&words(&format!("{command} --wide"))));
        let longest = wide.lines().map(|line| line.chars().count()).max();
        assert!(longest > Some(200), "{command}: {wide}");
        let there = said(in_terminal(60, "", &format!("{command} --wide")));
        assert_eq!(plain(&there), wide, "{command}");
        run(&words(&format!("{command} --wide --json"))).refuses(&["cannot be used with"]);
    }
}
