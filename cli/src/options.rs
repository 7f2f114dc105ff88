//! What all commands share: limits, threads, Ctrl-C, files.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use kmodcheck_explore::Limits;
use kmodcheck_model::userspace::index::{IndexText, ModuleIndex, SourceFile};

use crate::Failure;
use crate::args::Arguments;

/// The bounds that the arguments set.
pub(crate) fn limits(arguments: &Arguments) -> Limits {
    Limits {
        states: arguments.states_limit,
        bytes: arguments.memory_limit.map(|mib| mib.saturating_mul(1 << 20)),
        time: arguments.time_limit,
    }
}

/// The bounds in words, for what a verdict assumed.
pub(crate) fn limits_in_words(limits: &Limits) -> String {
    let mut words = Vec::new();
    words.extend(limits.states.map(|n| format!("{n} states")));
    words.extend(limits.bytes.map(|n| format!("{} MiB", n >> 20)));
    words.extend(limits.time.map(|t| format!("{} s", t.as_secs_f64())));
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// How many worker threads.
pub(crate) fn threads(arguments: &Arguments) -> usize {
    arguments.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        usize::from,
    )
}

/// Set by Ctrl-C.
pub(crate) fn interrupt() -> &'static AtomicBool {
    static INTERRUPT: AtomicBool = AtomicBool::new(false);
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // Without a handler Ctrl-C ends the process at once, which is no worse.
        let _ = ctrlc::set_handler(|| {
            // Who presses it twice does not want to wait for what was covered.
            if INTERRUPT.swap(true, Ordering::Relaxed) {
                std::process::exit(3);
            }
        });
    });
    &INTERRUPT
}

/// Reads a text file; the error names it.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|b| **b == b'\n').count() + 1;
        format!("{}:{line}: expected UTF-8 text, found other bytes", path.display()).into()
    })
}

/// Reads the module indexes in a directory.
pub(crate) fn read_index(modules: &Path) -> Result<ModuleIndex, Failure> {
    let files: Vec<(String, String)> =
        ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"]
            .into_iter()
            .map(|name| {
                let path = modules.join(name);
                Ok((path.display().to_string(), read(&path)?))
            })
            .collect::<Result<_, Failure>>()?;
    let file = |i: usize| SourceFile { name: &files[i].0, text: &files[i].1 };
    let text = IndexText { dep: file(0), alias: file(1), softdep: file(2), builtin: file(3) };
    Ok(ModuleIndex::parse(&text)?)
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::from(format!("{}: {error}", path.display()));
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(fail)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}
