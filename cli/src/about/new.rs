//! `kmodcheck new`.

use kmodcheck_properties::generate::Space;
use kmodcheck_sim::scenario_file::EXAMPLE;

use crate::args::New;
use crate::input::files;
use crate::output::{self, Ended, Failure};

pub(crate) fn run(new: &New) -> Result<Ended, Failure> {
    let text = match new.drawn {
        Some(seed) => &Space::of(2).draw_text(seed),
        None => EXAMPLE,
    };
    match &new.file {
        None => output::print(text.trim_end()),
        Some(file) if file.exists() => {
            let file = file.display();
            return Err(format!("{file}: found a file, expected none: it is left alone").into());
        }
        Some(file) => {
            files::write(file, text)?;
            let file = file.display();
            output::print(&format!("wrote {file}; now: kmodcheck check {file}"));
        }
    }
    Ok(Ended::AsExpected)
}
