//! Every command heeds the flags that it has, and refuses the others.

use crate::common::run;

/// The flags that several commands have, with a value.
const FLAGS: [&[&str]; 5] = [
    &["--json"],
    &["--time-limit", "1"],
    &["--states-limit", "10"],
    &["--memory-limit", "1"],
    &["--threads", "1"],
];

/// Each command, and which of [`FLAGS`] it has, `x` or `-`.
const COMMANDS: [(&str, &str); 27] = [
    ("check", "xxxxx"),
    ("compare", "xxxxx"),
    ("new", "-----"),
    ("features", "x----"),
    ("matrix", "xxxxx"),
    ("prove", "xxxxx"),
    ("verify", "x----"),
    ("progress", "xxxxx"),
    ("fixes", "xxxxx"),
    ("kmod-sh", "xxxxx"),
    ("aliases", "x----"),
    ("replay", "x----"),
    ("accept", "x-x--"),
    ("steer", "-----"),
    ("reproduce", "xxx--"),
    ("trace", "x----"),
    ("report", "-xxxx"),
    ("step", "-xxx-"),
    ("serve", "-xxx-"),
    ("evidence", "-xxxx"),
    ("completions", "-----"),
    ("man", "-----"),
    ("sample", "xx--x"),
    ("merge", "x----"),
    ("", "xxxxx"),
    // Not in every use of it.
    ("progress race", "xxxx-"),
    ("progress --hard-cases", "xxxx-"),
];

#[test]
fn a_command_refuses_the_flags_that_it_does_not_have() {
    let help = run(&["--help"]).exits(0).out;
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    for line in list.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   ")) {
        let command = line.split_whitespace().next().unwrap();
        let listed = command == "help" || COMMANDS.iter().any(|(name, _)| *name == command);
        assert!(listed, "'{command}' is not in the table");
    }
    for (command, has) in COMMANDS {
        let words: Vec<&str> = command.split_whitespace().collect();
        let help = run(&[&words[..], &["--help"]].concat()).exits(0).out;
        for (flag, has) in FLAGS.iter().zip(has.chars()) {
            let told = help.lines().any(|line| line.trim_start().starts_with(flag[0]));
            assert!(told || has == '-', "'{command}' does not tell of {}", flag[0]);
            if has == 'x' {
                continue;
            }
            let refused = run(&[&words[..], flag].concat()).exits(2);
            let unexpected = format!("unexpected argument '{}'", flag[0]);
            let conflicts = refused.err.contains("cannot be used with");
            let refuses = refused.err.contains(&unexpected) || (words.len() > 1 && conflicts);
            assert!(refuses, "{command} {flag:?}: {}", refused.err);
        }
    }
}

/// A flag before the command would be the main job's.
#[test]
fn flags_follow_their_command() {
    for flag in FLAGS {
        run(&[flag, &["features"]].concat()).refuses(&["cannot be used with"]);
    }
    run(&["sample", "race", "--only", "0", "--json"]).refuses(&["cannot be used with"]);
    run(&["trace", "t.json", "--format", "svg", "--json"]).refuses(&["cannot be used with"]);
}
