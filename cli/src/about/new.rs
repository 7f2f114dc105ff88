//! `kmodcheck new`.

use kmodcheck_properties::generate::Space;
use kmodcheck_properties::programs;
use kmodcheck_sim::scenario_file::EXAMPLE;

use super::schema;
use crate::args::{Kind, New};
use crate::input::files;
use crate::output::{self, Ended, Failure};

/// A file to begin with.
fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Race => include_str!("new/race.toml"),
        Kind::Hang => include_str!("new/hang.toml"),
        Kind::Script => include_str!("new/script.toml"),
        Kind::ModuleInit => include_str!("new/module-init.toml"),
    }
}

pub(crate) fn run(new: &New) -> Result<Ended, Failure> {
    let text = match new.drawn {
        Some(seed) if new.programs => &programs::draw_text(&Space::of(2), seed),
        Some(seed) => &Space::of(2).draw_text(seed),
        None => new.kind.map_or(EXAMPLE, example),
    };
    // By which editors know what may stand in the file.
    let text = format!("#:schema {}\n\n{text}", schema::of_scenarios());
    match &new.file {
        None => output::print(text.trim_end()),
        Some(file) if file.exists() => {
            let file = file.display();
            return Err(format!("{file}: found a file, expected none: it is left alone").into());
        }
        Some(file) => {
            files::write(file, &text)?;
            let name = file.display();
            output::print(&format!("wrote {name}; now: kmodcheck check {name}"));
            let page = file.with_extension("html");
            let words = format!("or kmodcheck report {} --out {}", file.display(), page.display());
            output::print(&format!("{words}: a page for a browser, or a mail"));
        }
    }
    Ok(Ended::AsExpected)
}
