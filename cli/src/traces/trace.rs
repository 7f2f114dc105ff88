//! `kmodcheck trace FILE`.

use kmodcheck_model::Model;
use kmodcheck_properties::Property;
use kmodcheck_properties::minimal::Why;
use kmodcheck_properties::witness::{Shown, Witness};
use kmodcheck_properties::{minimal, regressions, told};
use kmodcheck_sim::trace::{self, Story, columns};

use crate::args::Arguments;
use crate::args::evidence::{Trace, TraceFormat};
use crate::input::files;
use crate::input::subject::{Asked, Subject, is_small};
use crate::input::trace::{Taken, shown, tell};
use crate::output::rows::counted;
use crate::output::{self, Ended, Failure, drawn, results, screen};

pub(crate) fn run(arguments: &Arguments, asked: &Trace) -> Result<Ended, Failure> {
    if asked.add && !asked.traces.is_dir() {
        let directory = asked.traces.display();
        let expected = "expected the directory of recorded traces (--traces DIR)";
        return Err(format!("{directory}: {expected}").into());
    }
    asked.save.as_deref().map_or(Ok(()), files::try_file)?;
    if asked.add {
        files::try_directory(&asked.traces)?;
    }
    let subject = Asked::from(&asked.subject);
    let Taken { shown, model, mut trace } = match Subject::load_run(&subject)? {
        Ok(taken) => taken,
        Err(differs) => {
            crate::output::note!("kmodcheck: {differs}");
            return Ok(Ended::Differs);
        }
    };
    let format = if arguments.json { TraceFormat::Json } else { asked.format };
    if asked.width.width.is_some() && format != TraceFormat::Text {
        return Err("found --width with --format, expected it with text".into());
    }
    let width = screen::width_or(asked.width.width);
    let is_dot = format == TraceFormat::Dot;
    if asked.minimise || asked.add || asked.why || is_dot {
        is_small(subject.name.unwrap_or_default(), &model)?;
    }
    let property = match shown {
        Shown::Violation(property) => property,
        Shown::Witness(witness) => return draw_witness(arguments, asked, &model, witness, &trace),
    };
    if asked.minimise || asked.add || asked.why {
        let reduced = minimal::minimal(&model, property, &trace, minimal::NODES)
            .ok_or("the trace is no violation")?;
        crate::output::note!(
            "kmodcheck: {}, {} context switch{}{}",
            counted(reduced.trace.len() as u64, "step"),
            reduced.switches,
            if reduced.switches == 1 { "" } else { "es" },
            if reduced.proved {
                "; no trace is shorter, none as short has fewer switches"
            } else {
                "; the search was cut, so there may be shorter ones"
            }
        );
        trace = reduced.trace;
    }
    let story = tell(&model, property, &trace);
    let why = asked.why.then(|| minimal::what_avoids(&model, property, &trace));
    let ways = why.as_ref().map_or_else(Vec::new, |why| why.ways(&model, &trace));
    let saved = asked.save.as_ref().map_or(Ok(()), |path| {
        let file = output::trace_json(property, model.scenario(), &trace);
        files::write(path, &file.to_json())
    });
    let added = if asked.add { add(asked, &model, property, &trace) } else { Ok(()) };
    if format == TraceFormat::Text {
        let told = told::violation(&model, property, &trace).unwrap_or_default();
        print_text(&told, &story, width);
        let remark = why.as_ref().and_then(Why::remark).map(str::to_owned);
        if why.is_some() {
            output::print("");
        }
        for line in remark.iter().chain(&ways) {
            output::print(&screen::fold(line, "  ", width).join("\n"));
        }
    } else {
        output::print(drawn(format, &story, &model, &trace, &ways).trim_end());
    }
    saved.and(added)?;
    Ok(Ended::AsExpected)
}

/// What happens in it, in a sentence, and its columns.
fn print_text(told: &str, story: &Story, width: usize) {
    if !told.is_empty() {
        output::print(&format!("{}\n", screen::fold(told, "", width).join("\n")));
    }
    output::print(columns::render_story(story, width).trim_end());
}

/// A run that shows what can happen: nothing in it is to be avoided.
fn draw_witness(
    arguments: &Arguments,
    asked: &Trace,
    model: &Model,
    witness: Witness,
    trace: &trace::Trace,
) -> Result<Ended, Failure> {
    for (flag, given) in
        [("--minimise", asked.minimise), ("--why", asked.why), ("--add", asked.add)]
    {
        if given {
            let file = asked.subject.subject.as_deref().unwrap_or_default();
            return Err(format!("{file}: found a witness, expected a violation with {flag}").into());
        }
    }
    if let Some(path) = &asked.save {
        files::write(path, &results::file(model, witness, trace).to_json())?;
    }
    let story = shown(model, witness, trace);
    let format = if arguments.json { TraceFormat::Json } else { asked.format };
    if format == TraceFormat::Text {
        let told = told::witness(model, witness, trace).unwrap_or_default();
        print_text(&told, &story, screen::width_or(asked.width.width));
    } else {
        output::print(drawn(format, &story, model, trace, &[]).trim_end());
    }
    Ok(Ended::AsExpected)
}

fn add(
    asked: &Trace,
    model: &Model,
    property: Property,
    trace: &trace::Trace,
) -> Result<(), Failure> {
    let directory = &asked.traces;
    let recorded = regressions::record(model, property, trace, asked.shows.clone(), Vec::new())?;
    let path = directory.join(regressions::file_name(&recorded));
    if path.exists() {
        crate::output::note!("kmodcheck: {} is recorded already", path.display());
        return Ok(());
    }
    files::write(&path, &recorded.to_json())?;
    crate::output::note!(
        "kmodcheck: {} added: possible under {} changes of a switch, impossible under {}",
        path.display(),
        recorded.possible.len(),
        recorded.impossible.len()
    );
    Ok(())
}
