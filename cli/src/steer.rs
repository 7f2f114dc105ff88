//! `kmodcheck steer TRACE`.

use kmodcheck_properties::Property;
use kmodcheck_properties::check::confirm;
use kmodcheck_sim::trace::file::TraceFile;
use kmodcheck_sim::trace::steer;

use crate::args::Steer;
use crate::{Ended, Failure, options, output};

pub(crate) fn run(steer_args: &Steer) -> Result<Ended, Failure> {
    let name = steer_args.file.display().to_string();
    let file = TraceFile::parse(&name, &options::read(&steer_args.file)?)?;
    let model = file.model(&name)?;
    let trace = match file.resolve(&name, &model) {
        Ok(trace) => trace,
        Err(error) if error.no_longer_fits() => {
            anstream::eprintln!("kmodcheck: {error}");
            return Ok(Ended::Differs);
        }
        Err(error) => return Err(error.into()),
    };
    let property = Property::from_name(&file.property);
    // With fewer changes from one process to another there is less to be held; but what somebody
    // remembers, and so the property, may depend on the order of steps that are else independent.
    let trace = steer::gather(&model, &trace)
        .filter(|gathered| property.is_some_and(|p| confirm(&model, p, gathered).is_ok()))
        .unwrap_or(trace);
    let plan = steer::plan(&model, &trace, steer_args.longest)
        .map_err(|error| format!("{name}: {error}"))?;
    output::print(plan.to_string().trim_end());
    Ok(Ended::AsExpected)
}
