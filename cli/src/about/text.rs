//! `kmodcheck text`: the kernel's functions that are texts.

use kmodcheck_model::text::resolved;

use crate::args::Text;
use crate::input::files;
use crate::output::{self, Ended, Failure};

pub(crate) fn run(asked: &Text) -> Result<Ended, Failure> {
    let texts = files::patched(&asked.patch)?;
    let text = match asked.kernel {
        // What cannot be read is an error also where it is only printed.
        Some(kernel) => {
            texts.decisions(&kernel.features)?;
            resolved(texts.main(), &kernel.features)
        }
        None => texts.main().to_owned(),
    };
    output::print(text.trim_end());
    Ok(Ended::AsExpected)
}
