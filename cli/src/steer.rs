//! `kmodcheck steer TRACE`.

use kmodcheck_sim::trace::steer;

use crate::args::Steer;
use crate::trace::{Loaded, load};
use crate::{Ended, Failure, output};

pub(crate) fn run(steer_args: &Steer) -> Result<Ended, Failure> {
    let name = steer_args.file.display().to_string();
    let Loaded { shown, model, trace } = match load(&steer_args.file)? {
        Ok(loaded) => loaded,
        Err(differs) => {
            crate::output::note!("kmodcheck: {differs}");
            return Ok(Ended::Differs);
        }
    };
    // With fewer changes from one process to another there is less to be held; but what somebody
    // remembers, and so the property, may depend on the order of steps that are else independent.
    let trace = steer::gather(&model, &trace)
        .filter(|gathered| shown.confirm(&model, gathered).is_ok())
        .unwrap_or(trace);
    let plan = steer::plan(&model, &trace, steer_args.longest)
        .map_err(|error| format!("{name}: {error}"))?;
    output::print(plan.to_string().trim_end());
    Ok(Ended::AsExpected)
}
