//! How the reference model grows with the number of callers, as far as each search gets:
//! `cargo run --release -p kmodcheck-explore --example growth -- counted 12`.

#[allow(dead_code)]
#[path = "../tests/common/reference_model.rs"]
mod reference_model;

use std::process::ExitCode;
use std::time::Instant;

use kmodcheck_explore::{Limits, Options, WatchNothing, explore_counted};
use reference_model::ReferenceModel;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let how = arguments.next();
    let callers: Option<usize> = arguments.next().and_then(|callers| callers.parse().ok());
    let (Some(how), Some(callers)) = (how, callers) else {
        eprintln!("usage: growth counted CALLERS");
        return ExitCode::from(2);
    };
    let model = ReferenceModel { callers, v19: true };
    let limits = Limits { bytes: Some(4 << 30), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let started = Instant::now();
    let (end, states, transitions, bytes) = match how.as_str() {
        "counted" => match explore_counted(&model, &mut WatchNothing, &options) {
            Ok(found) => (found.end, found.states, found.transitions, found.bytes),
            Err(error) => {
                eprintln!("growth: {error}");
                return ExitCode::from(2);
            }
        },
        _ => {
            eprintln!("growth: '{how}' is not a search: counted");
            return ExitCode::from(2);
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{how} N={callers} {end:?} states={states} transitions={transitions} seconds={seconds:.2} \
         M/s={:.2} bytes/state={:.1}",
        states as f64 / seconds / 1e6,
        bytes as f64 / states as f64
    );
    ExitCode::SUCCESS
}
