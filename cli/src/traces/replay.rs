//! `kmodcheck replay FILE`.

use kmodcheck_properties::witness::Shown;

use crate::args::{Arguments, Replay};
use crate::input::subject::Subject;
use crate::input::trace::Taken;
use crate::output::rows::counted;
use crate::output::{self, Ended, Failure, results, screen};

pub(crate) fn run(arguments: &Arguments, replay: &Replay) -> Result<Ended, Failure> {
    let Taken { shown, model, trace } = match Subject::load_run(&(&replay.subject).into())? {
        Ok(taken) => taken,
        Err(differs) => {
            crate::output::note!("kmodcheck: {differs}");
            return Ok(Ended::Differs);
        }
    };
    let steps = counted(trace.len() as u64, "step");
    let width = screen::width_or(replay.width.width);
    match shown {
        Shown::Violation(property) if arguments.json => {
            output::print_json(&output::trace_json(property, model.scenario(), &trace));
        }
        Shown::Violation(property) => {
            output::print(&output::told_text(&model, property, &trace, width));
            output::print(&format!("replayed: {steps}, the violation is there"));
        }
        Shown::Witness(witness) if arguments.json => {
            output::print_json(&results::file(&model, witness, &trace));
        }
        Shown::Witness(witness) => {
            output::print(&results::text(&model, witness, &trace, width));
            output::print(&format!("replayed: {steps}, it comes to that"));
        }
    }
    Ok(Ended::AsExpected)
}
