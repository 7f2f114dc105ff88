//! Each command is found under its name.

use std::path::Path;

use crate::common::run;

#[test]
fn each_command_is_found_under_its_name() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let help = run(&["--help"]).exits(0).out;
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let lines = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for command in lines.filter_map(|line| line.split_whitespace().next()) {
        // Both are made from the arguments, in one file.
        let name = match command {
            "help" => continue,
            "man" => "completions".to_owned(),
            command => command.replace('-', "_"),
        };
        let folders = ["about", "explore", "matrices", "pages", "traces"].map(|f| source.join(f));
        let is_in = |folder: &&std::path::PathBuf| {
            let (file, own) =
                (folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs"));
            file.is_file() || own.is_file()
        };
        assert_eq!(
            folders.iter().filter(is_in).count(),
            1,
            "'{command}' is not in one of {folders:?}"
        );
    }
}
