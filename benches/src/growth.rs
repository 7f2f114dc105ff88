//! How states and seconds grow with the number of callers: the full search and each reduction.

use std::fmt::Write as _;
use std::path::Path;

use crate::Failure;
use crate::measure::{Contestant, Effort, measure};
use crate::table;

/// Each search, as `--run` and a reader call it, and its colour.
const SEARCHES: [(&str, &str, &str); 5] = [
    ("kmodcheck", "full", "#222222"),
    ("kmodcheck-symmetry", "sorted", "#8a5a00"),
    ("kmodcheck-counted", "counted", "#0060b0"),
    ("kmodcheck-reduced", "partial order", "#b02050"),
    ("kmodcheck-reduced-symmetry", "counted, partial order", "#107040"),
];

/// Most callers that are tried. A product has at most 16 processes; a search that cannot go on says so
/// by failing, and ends there.
const MOST: usize = 24;

/// Of one search with so many callers: states, transitions, seconds of the processor, bytes.
struct Point {
    callers: usize,
    states: u64,
    transitions: u64,
    seconds: f64,
    bytes: u64,
}

/// Runs every search with more and more callers, each until a run takes more than `most` seconds.
pub fn grow(file: &Path, most: u64) -> Result<bool, Failure> {
    table::print_head();
    let mut curves = Vec::new();
    for (what, name, colour) in SEARCHES {
        let mut points = Vec::new();
        let mut why = format!("none was tried with more than {MOST}");
        for callers in 2..=MOST {
            let contestant = Contestant::own(what, name, callers, 1)?;
            match measure(&[contestant], Effort { rounds: 1, once: 0, most }) {
                Ok((measured, late)) => match measured.first() {
                    Some(m) => points.push(Point {
                        callers,
                        states: m.counts.0,
                        transitions: m.counts.1,
                        seconds: m.cpu(),
                        bytes: m.bytes,
                    }),
                    None => {
                        why = format!("{callers} callers: {}", late.join(", "));
                        break;
                    }
                },
                Err(error) => {
                    why = format!("{callers} callers: {error}");
                    break;
                }
            }
        }
        print(name, &points, &why);
        curves.push((name, colour, points));
    }
    std::fs::write(file, svg(&curves)).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(true)
}

fn print(name: &str, points: &[Point], why: &str) {
    println!("{name}, one thread");
    let mut table =
        table::numbers(["callers", "states", "transitions", "CPU seconds", "MiB", "B/state"]);
    for p in points {
        table.add_row([
            p.callers.to_string(),
            p.states.to_string(),
            p.transitions.to_string(),
            format!("{:.3}", p.seconds),
            (p.bytes >> 20).to_string(),
            format!("{:.1}", p.bytes as f64 / p.states as f64),
        ]);
    }
    println!("{table}\nno further: {why}\n");
}

/// Width of one of the two pictures side by side, their height, and the margin round them.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 56.0;

type Curve<'a> = (&'a str, &'a str, Vec<Point>);

/// States, and seconds, over callers, on logarithmic scales.
fn svg(curves: &[Curve<'_>]) -> String {
    let whole = (2.0 * (WIDTH + 2.0 * MARGIN), HEIGHT + 2.0 * MARGIN + 24.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        whole.0, whole.1
    );
    panel(&mut svg, MARGIN, "distinct states", curves, |p| p.states as f64);
    panel(&mut svg, 3.0 * MARGIN + WIDTH, "CPU seconds", curves, |p| p.seconds);
    let mut x = MARGIN;
    let y = HEIGHT + 2.0 * MARGIN + 6.0;
    for (name, colour, _) in curves {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{y}\">{name}</text>",
            y - 7.0,
            x + 18.0
        );
        x += 44.0 + 6.6 * name.len() as f64;
    }
    svg + "</svg>\n"
}

/// One picture, whose left side is at `left`. What was too short for the clock is left out.
fn panel(svg: &mut String, left: f64, what: &str, curves: &[Curve<'_>], of: fn(&Point) -> f64) {
    let all = || curves.iter().flat_map(|(_, _, points)| points);
    let shown = || all().map(of).filter(|value| *value > 0.0).map(f64::log10);
    let low = shown().fold(f64::MAX, f64::min).floor();
    let high = shown().fold(f64::MIN, f64::max).ceil();
    let most = all().map(|p| p.callers).max().unwrap_or(3).max(3);
    let x = |callers: usize| left + (callers - 2) as f64 / (most - 2) as f64 * WIDTH;
    let y = |value: f64| MARGIN + (high - value) / (high - low).max(1.0) * HEIGHT;
    let bottom = MARGIN + HEIGHT;
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\">{what}</text>", MARGIN - 16.0);
    if low > high {
        return;
    }
    for exponent in low as i32..=high as i32 {
        let at = y(f64::from(exponent));
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {at:.1}h{WIDTH}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">1e{exponent}</text>",
            left - 6.0,
            at + 4.0
        );
    }
    for callers in (2..=most).step_by(2) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{callers}</text>",
            x(callers),
            bottom + 18.0
        );
    }
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\">callers</text>", bottom + 34.0);
    for (_, colour, points) in curves {
        let mut path = String::new();
        for p in points.iter().filter(|p| of(p) > 0.0) {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let (x, y) = (x(p.callers), y(of(p).log10()));
            let _ = write!(path, "{letter}{x:.1} {y:.1}");
            let _ =
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
        }
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_every_point_inside() {
        let point =
            |callers, states, seconds| Point { callers, states, transitions: 0, seconds, bytes: 0 };
        let curves = [
            ("full", "#222222", vec![point(2, 300, 0.001), point(3, 4_000, 0.01)]),
            ("counted", "#0060b0", vec![point(2, 200, 0.0), point(12, 5_000_000, 30.0)]),
        ];
        let drawn = svg(&curves);
        let after = |rest: &str, key: &str| -> f64 {
            rest.split_once(key).unwrap().1.split('"').next().unwrap().parse().unwrap()
        };
        let circles: Vec<(f64, f64)> = (drawn.split("<circle").skip(1))
            .map(|circle| (after(circle, "cx=\""), after(circle, "cy=\"")))
            .collect();
        assert_eq!(circles.len(), 7, "four points in two pictures, but one took no time");
        for (x, y) in &circles {
            assert!((MARGIN..=3.0 * MARGIN + 2.0 * WIDTH).contains(x), "{x}");
            assert!((MARGIN..=MARGIN + HEIGHT).contains(y), "{y}");
        }
        // More states are drawn higher, more callers further right.
        assert!(circles[1].1 < circles[0].1 && circles[3].0 > circles[1].0);
    }
}
