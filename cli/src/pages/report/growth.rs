//! How the number of states grows with the number of callers, with and without symmetry, drawn.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_properties::check;
use kmodcheck_properties::matrix::{Cell, Kmod};
use serde::Serialize;

use crate::input::subject::RACE;

/// Most states of one count: keeps the whole under some seconds.
const MOST: u64 = 400_000;

/// Most callers.
const CALLERS: u8 = 8;

/// One count.
#[derive(Clone, Serialize)]
pub(super) struct Point {
    pub callers: u8,
    pub states: u64,
    /// Milliseconds, if asked for.
    pub milliseconds: Option<u64>,
}

/// One line of the plot.
#[derive(Clone, Serialize)]
pub(super) struct Line {
    pub name: String,
    pub class: &'static str,
    pub points: Vec<Point>,
}

/// The plots.
#[derive(Serialize)]
pub(super) struct Growth {
    pub lines: Vec<Line>,
    pub states: String,
    pub times: Option<String>,
    pub most: u64,
}

/// Counts; `None` if interrupted.
pub(super) fn measure(times: bool, interrupt: &AtomicBool) -> Option<Growth> {
    let mut lines = Vec::new();
    for (kmod, reduced, class) in [
        (Kmod::V19, false, "a"),
        (Kmod::V19, true, "b"),
        (Kmod::V20, false, "c"),
        (Kmod::V20, true, "d"),
    ] {
        let name = format!(
            "kmod {}, {}",
            kmod.name(),
            if reduced { "up to exchanging callers" } else { "every state" }
        );
        let cell = Cell { kmod, ..RACE };
        let mut points = Vec::new();
        for callers in 1..=CALLERS {
            if !worth_trying(&points) {
                break;
            }
            let model = cell.model(callers, None);
            let options = Options {
                symmetry: reduced,
                limits: Limits { states: Some(MOST), ..Limits::default() },
                interrupt: Some(interrupt),
                ..Options::default()
            };
            let started = Instant::now();
            let Ok(found) = check(&model, &options) else { break };
            if interrupt.load(Ordering::Relaxed) {
                return None;
            }
            if found.end != End::Complete {
                break;
            }
            let milliseconds =
                times.then(|| u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
            points.push(Point { callers, states: found.states, milliseconds });
        }
        lines.push(Line { name, class, points });
    }
    let states = plot(&lines, "distinct states", |p| Some(p.states as f64));
    let time = |p: &Point| p.milliseconds.map(|ms| (ms.max(1)) as f64);
    let times = times.then(|| plot(&lines, "milliseconds", time));
    Some(Growth { lines, states, times, most: MOST })
}

/// Whether the next count is likely to stay within the bound: the growth falls a little from count to
/// count.
fn worth_trying(points: &[Point]) -> bool {
    let [.., before, last] = points else { return true };
    last.states * last.states / before.states <= MOST + MOST / 3
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 36.0;

/// A plot with a logarithmic axis.
fn plot(lines: &[Line], unit: &str, value: impl Fn(&Point) -> Option<f64>) -> String {
    let all = || lines.iter().flat_map(|l| &l.points);
    let most = all().filter_map(&value).fold(10.0_f64, f64::max).log10().ceil();
    let last = all().map(|p| p.callers).max().unwrap_or(1).max(2);
    let callers = f64::from(last);
    let x = |n: u8| LEFT + (f64::from(n) - 1.0) / (callers - 1.0) * (WIDTH - LEFT - 12.0);
    let y = |v: f64| HEIGHT - BOTTOM - v.max(1.0).log10() / most * (HEIGHT - BOTTOM - 12.0);
    let mut out = format!(
        r#"<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{unit} by number of callers">"#
    );
    for power in (0_u32..).take_while(|power| f64::from(*power) <= most) {
        let at = y(10_f64.powf(f64::from(power)));
        let _ = write!(
            out,
            r#"<path class="grid" d="M{LEFT} {at:.1}H{}"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
            WIDTH - 12.0,
            LEFT - 6.0,
            at + 4.0,
            10_u64.pow(power)
        );
    }
    for n in 1..=last {
        let _ = write!(
            out,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{n}</text>"#,
            x(n),
            HEIGHT - BOTTOM + 16.0
        );
    }
    let _ = write!(
        out,
        r#"<text x="{}" y="{}" text-anchor="middle">callers</text>"#,
        (LEFT + WIDTH) / 2.0,
        HEIGHT - 4.0
    );
    for line in lines {
        let points: Vec<(f64, f64, String)> = line
            .points
            .iter()
            .filter_map(|p| {
                let v = value(p)?;
                Some((
                    x(p.callers),
                    y(v),
                    format!("{}, {} callers: {v} {unit}", line.name, p.callers),
                ))
            })
            .collect();
        let path: Vec<String> = points.iter().map(|(x, y, _)| format!("{x:.1} {y:.1}")).collect();
        let _ =
            write!(out, r#"<polyline class="line {}" points="{}"/>"#, line.class, path.join(" "));
        for (x, y, title) in points {
            let _ = write!(
                out,
                r#"<circle class="dot {}" cx="{x:.1}" cy="{y:.1}" r="3.5"><title>{title}</title></circle>"#,
                line.class
            );
        }
    }
    out.push_str("</svg>");
    out
}
