//! `kmodcheck export SUBJECT --format promela`: the system for somebody else's checker.

use kmodcheck_properties::Property;
use kmodcheck_properties::property::View;
use kmodcheck_sim::export::promela::Heading;
use kmodcheck_sim::export::{ExportError, promela, table};

use crate::args::{Arguments, Export};
use crate::input::files;
use crate::input::subject::{Asked, Subject};
use crate::output::{self, Ended, Failure, assumed};

/// Most states of a system: the model is asked in every one.
const MOST: u64 = 1_000_000;

pub(crate) fn run(arguments: &Arguments, asked: &Export) -> Result<Ended, Failure> {
    asked.out.as_deref().map_or(Ok(()), files::try_file)?;
    let subject = &asked.subject;
    let system = Asked::of(subject.subject.as_deref(), &subject.system, subject.callers.callers);
    let subject = Subject::load(&system.or_race())?;
    let model = subject.small_model()?;
    let model = match asked.property {
        Some(property) if !property.is_safety() => {
            return Err(format!(
                "found --property {}, expected one of single steps: of a run after which nobody can step \
                 the text speaks in its heading",
                property.name()
            )
            .into());
        }
        Some(property) => property.remembering(&model).into_owned(),
        None => model,
    };
    let asks = |property: &Property| {
        let asked = asked.property.is_none_or(|asked| asked == *property);
        asked && property.is_safety() && property.applies(&model) && property.is_remembered(&model)
    };
    let judged: Vec<Property> = Property::ALL.into_iter().filter(asks).collect();
    let most = arguments.states_limit.unwrap_or(MOST);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let table = match table(&model, most, &|step| View::of(&model, step).violates(&judged)) {
        Ok(table) => table,
        Err(error @ ExportError::TooManyStates { .. }) => {
            output::note!("kmodcheck: {}: {error}; nothing was written", subject.from);
            return Ok(Ended::OutOfBudget);
        }
        Err(error) => return Err(format!("{}: {error}", subject.from).into()),
    };
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
