//! What was measured, as tables for `docs/performance.md`.

use comfy_table::{CellAlignment, Table, presets};

use crate::measure::Measured;

/// On which machine, when, and how.
pub fn print_head() {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    println!(
        "{}, {cores} cores, {}, load before: {load}\n{}\n",
        model.unwrap_or("unknown processor"),
        date(seconds / 86_400),
        std::env::args().collect::<Vec<_>>().join(" "),
    );
}

/// A day since 1970-01-01, as year, month and day.
fn date(mut days: u64) -> String {
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

/// Prints one table; returns whether all counts agree that must. The first one measured is what the
/// others are compared with: a ratio above 1 means that it is faster.
pub fn print(callers: usize, symmetry: bool, measured: &[Measured], missing: &[String]) -> bool {
    let Some(own) = measured.first() else { return true };
    println!("{callers} callers{}", if symmetry { ", up to exchanging them" } else { "" });
    let mut table = numbers([
        "checker",
        "threads",
        "runs",
        "states",
        "transitions",
        "seconds",
        "ratio",
        "CPU seconds",
        "ratio",
        "million states/CPU s",
        "MiB",
        "B/state",
    ]);
    let mut same = true;
    for m in measured {
        // Up to symmetry, a checker may count transitions before or after representatives are taken.
        let agrees = m.counts.0 == own.counts.0 && (symmetry || m.counts.1 == own.counts.1);
        same &= agrees;
        let mark = if agrees { "" } else { " DIFFERS" };
        table.add_row([
            m.name.clone(),
            m.threads.to_string(),
            m.seconds.len().to_string(),
            format!("{}{mark}", m.counts.0),
            m.counts.1.to_string(),
            format!("{:.2}", m.median()),
            quotient(m.median(), own.median()),
            format!("{:.2}", m.cpu()),
            quotient(m.cpu(), own.cpu()),
            quotient(m.counts.0 as f64 / 1e6, m.cpu()),
            (m.bytes >> 20).to_string(),
            format!("{:.1}", m.bytes as f64 / m.counts.0 as f64),
        ]);
    }
    println!("{table}");
    for why in missing {
        println!("missing: {why}");
    }
    println!();
    same
}

/// A quotient, if the divisor was long enough for the clock.
fn quotient(dividend: f64, divisor: f64) -> String {
    if divisor > 0.0 { format!("{:.2}", dividend / divisor) } else { "-".to_owned() }
}

/// Prints how long the first counterexample took, by number of callers, which is the name.
pub fn print_first(measured: &[Measured]) {
    println!("The first counterexample, whole process, with symmetry");
    let mut table = numbers(["callers", "steps of the trace", "runs", "milliseconds"]);
    for m in measured {
        let milliseconds = format!("{:.1}", m.median() * 1e3);
        table.add_row([
            m.name.clone(),
            m.counts.1.to_string(),
            m.seconds.len().to_string(),
            milliseconds,
        ]);
    }
    println!("{table}\n");
}

/// Prints how long commands took.
pub fn print_commands<'s>(measured: &[Measured], missing: impl Iterator<Item = &'s String>) {
    println!("Commands, whole processes");
    let mut table = numbers(["command", "threads", "runs", "seconds", "CPU seconds", "MiB"]);
    for m in measured {
        table.add_row([
            m.name.clone(),
            m.threads.to_string(),
            m.seconds.len().to_string(),
            format!("{:.2}", m.median()),
            format!("{:.2}", m.cpu()),
            (m.bytes >> 20).to_string(),
        ]);
    }
    println!("{table}");
    missing.for_each(|why| println!("missing: {why}"));
}

/// A table of numbers, except for its first column.
pub fn numbers<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(head);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        let days = [0, 58, 59, 789, 790, 11_016, 11_017, 20_781];
        let dates = days.map(super::date);
        let expected = [
            "1970-01-01",
            "1970-02-28",
            "1970-03-01",
            "1972-02-29",
            "1972-03-01",
            "2000-02-29",
            "2000-03-01",
            "2026-11-24",
        ];
        assert_eq!(dates, expected);
    }
}
