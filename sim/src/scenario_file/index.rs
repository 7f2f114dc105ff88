//! The module indexes that `depmod` would write for the modules of a scenario file.

use std::fmt::Write;

use kmodcheck_indexes::config::Reader;
use kmodcheck_indexes::{Configuration, IndexError, IndexText, ModuleIndex, SourceFile};

/// A module as `depmod` sees it; names are normalised.
pub(super) struct Entry<'a> {
    pub name: &'a str,
    pub compressed: bool,
    /// What it needs, directly or not, in the order of loading.
    pub needs: Vec<&'a str>,
    pub aliases: Vec<&'a str>,
    pub pre: Vec<&'a str>,
    pub post: Vec<&'a str>,
}

fn path(entry: &Entry<'_>) -> String {
    format!("kernel/{}.ko{}", entry.name, if entry.compressed { ".xz" } else { "" })
}

/// The indexes of `modules` and of what `modules.builtin` lists.
pub(super) fn index(modules: &[Entry<'_>], builtin: &[&str]) -> Result<ModuleIndex, IndexError> {
    let (mut dep, mut alias, mut softdep) = (String::new(), String::new(), String::new());
    for module in modules {
        write!(dep, "{}:", path(module)).expect("a string takes everything");
        // What is needed by others comes last.
        for needed in module.needs.iter().rev() {
            let needed = modules.iter().find(|m| m.name == *needed);
            let needed = needed.expect("what is needed is a module");
            write!(dep, " {}", path(needed)).expect("a string takes everything");
        }
        dep.push('\n');
        for pattern in &module.aliases {
            writeln!(alias, "alias {pattern} {}", module.name).expect("a string takes everything");
        }
        if !module.pre.is_empty() || !module.post.is_empty() {
            write!(softdep, "softdep {}", module.name).expect("a string takes everything");
            for (when, words) in [("pre:", &module.pre), ("post:", &module.post)] {
                if !words.is_empty() {
                    write!(softdep, " {when} {}", words.join(" "))
                        .expect("a string takes everything");
                }
            }
            softdep.push('\n');
        }
    }
    let builtin: String = builtin.iter().map(|name| format!("kernel/{name}.ko\n")).collect();
    ModuleIndex::parse(&IndexText::of([&dep, &alias, &softdep, &builtin]))
}

/// What a machine's configuration would say of the modules: `(name, whether it is blacklisted, its install command)`.
pub(super) fn configuration<'a>(
    modules: impl Iterator<Item = (&'a str, bool, Option<&'a str>)>,
) -> Configuration {
    let mut text = String::new();
    for (name, blacklisted, command) in modules {
        if blacklisted {
            writeln!(text, "blacklist {name}").expect("a string takes everything");
        }
        if let Some(command) = command {
            writeln!(text, "install {name} {command}").expect("a string takes everything");
        }
    }
    let file = SourceFile { name: "scenario.conf", text: &text };
    Configuration::read(&[vec![file]], None, Reader::default())
}
