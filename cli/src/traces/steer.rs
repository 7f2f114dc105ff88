//! `kmodcheck steer TRACE`.

use kmodcheck_model::Model;
use kmodcheck_properties::witness::Shown;
use kmodcheck_sim::trace::steer::{self, Plan};

use crate::args::Steer;
use crate::input::subject::{Asked, Subject, is_small};
use crate::input::trace::Taken;
use crate::output::{self, Ended, Failure};

/// The model of a saved trace, and how a real kernel is made to follow it.
pub(crate) struct Planned {
    pub model: Model,
    pub plan: Plan,
}

/// Makes the plan of a saved trace, if it shows what is wanted; none if the trace no longer fits, which
/// is said.
pub(crate) fn planned(
    asked: &Asked<'_>,
    longest: u32,
    wanted: impl FnOnce(&Model, Shown) -> Result<(), Failure>,
) -> Result<Option<Planned>, Failure> {
    let name = asked.name.unwrap_or_default();
    let Taken { shown, model, trace } = match Subject::load_run(asked)? {
        Ok(taken) => taken,
        Err(differs) => {
            output::note!("kmodcheck: {differs}");
            return Ok(None);
        }
    };
    is_small(name, &model)?;
    wanted(&model, shown)?;
    // With fewer changes from one process to another there is less to be held; but what somebody
    // remembers, and so the property, may depend on the order of steps that are else independent.
    let trace = steer::gather(&model, &trace)
        .filter(|gathered| shown.confirm(&model, gathered).is_ok())
        .unwrap_or(trace);
    let plan = steer::plan(&model, &trace, longest).map_err(|error| format!("{name}: {error}"))?;
    Ok(Some(Planned { model, plan }))
}

pub(crate) fn run(asked: &Steer) -> Result<Ended, Failure> {
    let Some(planned) = planned(&(&asked.subject).into(), asked.longest, |_, _| Ok(()))? else {
        return Ok(Ended::Differs);
    };
    output::print(planned.plan.to_string().trim_end());
    Ok(Ended::AsExpected)
}
