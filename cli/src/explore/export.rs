//! `kmodcheck export SUBJECT --format promela`: the system for somebody else's checker.

use kmodcheck_properties::Property;
use kmodcheck_properties::property::View;
use kmodcheck_sim::export::promela::Heading;
use kmodcheck_sim::export::{promela, table};

use crate::args::Export;
use crate::input::files;
use crate::input::subject::{Asked, Subject};
use crate::output::{self, Ended, Failure, assumed};

pub(crate) fn run(asked: &Export) -> Result<Ended, Failure> {
    asked.out.as_deref().map_or(Ok(()), files::try_file)?;
    let subject = &asked.subject;
    let system = Asked::of(subject.subject.as_deref(), &subject.system, subject.callers.callers);
    let subject = Subject::load(&system.or_race())?;
    let model = subject.small_model()?;
    let asks = |property: &Property| {
        property.is_safety() && property.applies(&model) && property.is_remembered(&model)
    };
    let judged: Vec<Property> = Property::ALL.into_iter().filter(asks).collect();
    let most = usize::try_from(asked.states_limit).unwrap_or(usize::MAX);
    let table = table(&model, most, &|step| View::of(&model, step).violates(&judged))
        .map_err(|error| format!("{}: {error}", subject.from))?;
    let mut about = vec![subject.named(), subject.releases()];
    about.extend(assumed::actors(&subject.scenario));
    let properties = Property::ALL.map(|property| {
        judged.contains(&property).then(|| (property.name(), property.statement()))
    });
    let heading = Heading { about: &about, properties: &properties };
    let text = promela::text(&table, &heading);
    match &asked.out {
        Some(out) => {
            files::write(out, &text)?;
            output::note!(
                "kmodcheck: {}: {} states, {} transitions",
                out.display(),
                table.states,
                table.transitions
            );
        }
        None => output::print(&text),
    }
    Ok(Ended::of(false, false))
}
