//! `kmodcheck text`: the functions of the kernel and of kmod that are texts.

use kmodcheck_model::features::Features;
use kmodcheck_model::presets::{kernel, kmod};
use kmodcheck_model::text::{TEXTS, resolved};

use crate::args::Text;
use crate::input::files;
use crate::output::{self, Ended, Failure};

pub(crate) fn run(asked: &Text) -> Result<Ended, Failure> {
    let texts = files::texts(asked.text.as_deref(), &asked.patch)?;
    let oldest = Features {
        kernel: kernel("v4.9").expect("it is a preset"),
        kmod: kmod("v19").expect("it is a preset"),
    };
    let features = Features {
        kernel: asked.kernel.map_or(oldest.kernel, |kernel| kernel.features),
        kmod: asked.kmod.map_or(oldest.kmod, |kmod| kmod.features),
    };
    // What cannot be read is an error also where it is only printed.
    texts.decisions(&features)?;
    let of = |path: &str, text: &str| {
        let is_kernels = path.starts_with("kernel/");
        let asked = if is_kernels { asked.kernel.is_some() } else { asked.kmod.is_some() };
        if asked { resolved(text, &features) } else { text.to_owned() }
    };
    if let Some(directory) = &asked.out {
        files::try_directory(directory)?;
        for (path, text) in texts.all() {
            let file = directory.join(path);
            files::make_directory(file.parent().expect("it is in a directory"))?;
            files::write(&file, &of(path, text))?;
        }
        return Ok(Ended::AsExpected);
    }
    match &asked.file {
        Some(path) => {
            let Some(text) = texts.get(path) else {
                let known = TEXTS.map(|(path, _)| path).join(", ");
                return Err(format!("found text '{path}', expected one of {known}").into());
            };
            output::print(of(path, text).trim_end());
        }
        None => {
            for (path, text) in texts.all() {
                output::print(&format!("==> {path} <==\n{}", of(path, text)));
            }
        }
    }
    Ok(Ended::AsExpected)
}
