//! How the reference model grows with the number of callers, and what each search leaves of it:
//! `cargo run --release -p kmodcheck-explore --example growth -- counted 12`.
//!
//! - `full`, `sorted`: the product, without and with symmetry;
//! - `counted`: how many callers are where;
//! - `reduced`, `reduced-counted`: with partial order, without and with symmetry;
//! - `limit`: so many processes at a semaphore of 50, by directed search.

#[allow(dead_code)]
#[path = "../tests/common/reference_model.rs"]
mod reference_model;
#[allow(dead_code)]
#[path = "../tests/common/semaphore.rs"]
mod semaphore;

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use kmodcheck_explore::bfs::CountOnly;
use kmodcheck_explore::{
    Limits, Options, Shared, Step, Watch, WatchNothing, explore, explore_counted, explore_directed,
    explore_reduced,
};
use reference_model::{At, FAILED, ReferenceModel};
use semaphore::{Place, Semaphore};

/// The reference model's property.
struct Fooled;

impl Watch<At> for Fooled {
    fn violated(&self, step: &Step<At>) -> u64 {
        u64::from(At::of(step.local_after) == At::DoneNull && step.after & FAILED == 0)
    }

    fn looks_at(&self, _: &Step<At>) -> Shared {
        FAILED
    }
}

struct Refused;

impl Watch<Place> for Refused {
    fn violated(&self, step: &Step<Place>) -> u64 {
        u64::from(step.label == Place::Refused)
    }
}

fn run(how: &str, callers: usize) -> Result<(), Box<dyn Error>> {
    let model = ReferenceModel { callers, v19: true };
    let limits = Limits { bytes: Some(8 << 30), ..Limits::default() };
    let symmetry = matches!(how, "sorted" | "reduced-counted");
    let options = Options { limits, symmetry, ..Options::default() };
    let started = Instant::now();
    let (end, states, transitions, bytes) = match how {
        "full" | "sorted" => {
            let found = explore(&model, &CountOnly, &options)?;
            (format!("{:?}", found.end), found.states, found.transitions, found.bytes)
        }
        "counted" => {
            let found = explore_counted(&model, &mut WatchNothing, &options)?;
            (format!("{:?}", found.end), found.states, found.transitions, found.bytes)
        }
        "reduced" | "reduced-counted" => {
            let found = explore_reduced(&model, &Fooled, &options)?;
            (format!("{:?}", found.end), found.states, found.transitions, found.bytes)
        }
        "limit" => {
            let (limit, steps) = (50, (20, 20));
            let system = Semaphore { processes: callers, limit, door: true, counter: true, steps };
            let found = explore_directed(&system, &Refused, 1, &options)?;
            (format!("{:?}", found.stopped), found.states, 0, found.bytes)
        }
        _ => return Err(format!("'{how}' is not a search").into()),
    };
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{how} N={callers} {end} states={states} transitions={transitions} seconds={seconds:.3} \
         M/s={:.2} bytes/state={:.1}",
        states as f64 / seconds / 1e6,
        bytes as f64 / states as f64
    );
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let how = arguments.next();
    let callers: Option<usize> = arguments.next().and_then(|callers| callers.parse().ok());
    let (Some(how), Some(callers)) = (how, callers) else {
        eprintln!("usage: growth full|sorted|counted|reduced|reduced-counted|limit N");
        return ExitCode::from(2);
    };
    if let Err(error) = run(&how, callers) {
        eprintln!("growth: {error}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
