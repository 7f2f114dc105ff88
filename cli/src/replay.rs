//! `kmodcheck replay FILE`.

use kmodcheck_properties::Property;
use kmodcheck_properties::check::{Unconfirmed, confirm};
use kmodcheck_sim::trace::file::TraceFile;

use crate::args::{Arguments, Replay};
use crate::{Ended, Failure, options, output};

pub(crate) fn run(arguments: &Arguments, replay: &Replay) -> Result<Ended, Failure> {
    let name = replay.file.display().to_string();
    let file = TraceFile::parse(&name, &options::read(&replay.file)?)?;
    let property = Property::from_name(&file.property).ok_or_else(|| {
        let names = Property::ALL.map(Property::name).join(", ");
        format!("{name}: found property '{}', expected one of {names}", file.property)
    })?;
    let model = file.model(&name)?;
    let trace = match file.resolve(&name, &model) {
        Ok(trace) => trace,
        Err(error) if error.no_longer_fits() => {
            anstream::eprintln!("kmodcheck: {error}");
            return Ok(Ended::Differs);
        }
        Err(error) => return Err(error.into()),
    };
    match confirm(&model, property, &trace) {
        Ok(()) => {
            if arguments.json {
                output::print_json(&output::trace_json(property, model.scenario(), &trace));
            } else {
                output::print(&output::trace_text(property, model.scenario(), &trace));
                output::print(&format!("replayed: {} steps, the violation is there", trace.len()));
            }
            Ok(Ended::AsExpected)
        }
        Err(Unconfirmed::NotViolated) => {
            anstream::eprintln!(
                "kmodcheck: {name}: all {} steps can be taken, and the last one does not violate {}",
                trace.len(),
                property.name()
            );
            Ok(Ended::Differs)
        }
        Err(Unconfirmed::Impossible(step)) => {
            anstream::eprintln!("kmodcheck: {name}: step {} is impossible", step.step + 1);
            Ok(Ended::Differs)
        }
    }
}
