//! What `modprobe --show-depends NAME` prints, as this crate understands it: `show_depends MODULES CONFIG... -- NAME...`. Each
//! name's lines follow a line `= NAME`. `tools/modprobe-config/compare` holds it against the installed modprobe.

use std::fmt::Write;
use std::path::Path;

use kmodcheck_indexes::config::{Reader, is_read};
use kmodcheck_indexes::{
    Configuration, IndexText, Modprobe, ModuleIndex, Resolved, Rules, SourceFile,
};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let modules = arguments.next().expect("expected MODULES CONFIG... -- NAME...");
    let configs: Vec<String> = arguments.by_ref().take_while(|argument| argument != "--").collect();
    let configs: Vec<&Path> = configs.iter().map(Path::new).collect();
    print!("{}", show_depends(Path::new(&modules), &configs, arguments));
}

/// The lines of each name, after a line `= NAME`.
fn show_depends(modules: &Path, configs: &[&Path], names: impl Iterator<Item = String>) -> String {
    let texts = IndexText::FILES.map(|name| read(&modules.join(name)));
    let index = ModuleIndex::parse(&IndexText::of(texts.each_ref().map(String::as_str)))
        .unwrap_or_else(|error| panic!("{error}"));
    let directories: Vec<Vec<(String, String)>> = configs
        .iter()
        .map(|directory| {
            let entries = std::fs::read_dir(directory).expect("a directory");
            let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
            files.retain(|path| path.file_name().and_then(|n| n.to_str()).is_some_and(is_read));
            files.iter().map(|path| (path.display().to_string(), read(path))).collect()
        })
        .collect();
    let sources: Vec<Vec<SourceFile<'_>>> = directories
        .iter()
        .map(|files| files.iter().map(|(name, text)| SourceFile { name, text }).collect())
        .collect();
    let config = Configuration::read(&sources, None, Reader::default());
    let modprobe = Modprobe { index: &index, config: &config, rules: Rules::KmodV27 };
    let mut shown = String::new();
    for name in names {
        writeln!(shown, "= {name}").expect("a string takes everything");
        let Resolved::Modules(targets) = modprobe.resolve(&name) else { continue };
        for target in targets.iter().filter(|target| target.blacklisted.is_none()) {
            for step in &target.list {
                let options = modprobe.options(&step.found).join(" ");
                match (&step.command, step.found.module) {
                    (Some(line), _) => writeln!(shown, "install {} {options}", line.value),
                    (None, Some(id)) => writeln!(shown, "insmod {} {options}", index.path(id)),
                    // Without a file it prints nothing.
                    (None, None) => continue,
                }
                .expect("a string takes everything");
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn it_prints_what_modprobe_prints() {
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/small-bin");
        let names = ["fs-vfat", "nothing"].map(str::to_owned);
        assert_eq!(
            super::show_depends(&modules, &[], names.into_iter()),
            "= fs-vfat\ninsmod kernel/fat.ko \ninsmod kernel/nls_cp437.ko \ninsmod kernel/vfat.ko \n= nothing\n"
        );
    }
}
