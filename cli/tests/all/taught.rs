//! The pages that teach: what they tell a reader to type is typed here, in order and in a directory that has nothing but the
//! repository's `docs` and `properties`, and prints what they show. `KMODCHECK_RECORD=1` brings them up to date.
//!
//! A block headed `console` has commands, each after `$ ` (`> ` where one goes on), and what they print, errors included;
//! a line `...` stands for any number of lines. A block headed with a language and a name, as `toml my.toml`, is a file
//! that is written at that moment. The exit status of one command is `$?` for the next.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A line that stands for any number of lines.
const LEFT_OUT: &str = "...";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn docs() -> PathBuf {
    root().join("docs")
}

/// A part of a page.
enum Part {
    /// What is only read.
    Words(String),
    /// A file: its name, its text.
    File(String, String),
    /// What is typed and printed, and in which line it begins.
    Console(usize, String),
}

/// The parts of a page; together they are the page, but for the fences.
fn parts(page: &str) -> Vec<(Option<String>, Part)> {
    let mut all = Vec::new();
    let mut words = String::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(head) = line.strip_prefix("```").filter(|head| !head.is_empty()) else {
            words.push_str(line);
            words.push('\n');
            continue;
        };
        let inside: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let text = inside.iter().map(|line| format!("{line}\n")).collect();
        let part = match head.split_once(' ') {
            Some((_, name)) => Part::File(name.to_owned(), text),
            None if head == "console" => Part::Console(at + 1, text),
            None => Part::Words(text),
        };
        all.push((None, Part::Words(std::mem::take(&mut words))));
        all.push((Some(head.to_owned()), part));
    }
    all.push((None, Part::Words(words)));
    all
}

/// What the commands of a block print, each after itself as it was typed.
fn printed(directory: &Path, block: &str) -> String {
    let mut script = String::from("exec 2>&1\n");
    let quoted = |line: &str| format!("printf '%s\\n' '{}'\n", line.replace('\'', r"'\''"));
    let mut lines = block.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(typed) = line.strip_prefix("$ ") else { continue };
        script += &quoted(line);
        let mut command = typed.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("> ")) {
            script += &quoted(more);
            command += &format!("\n{}", &more[2..]);
        }
        script += &format!("(exit $status)\n{command}\nstatus=$?\n");
    }
    let program = Path::new(env!("CARGO_BIN_EXE_kmodcheck"));
    let mut path = OsString::from(program.parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let shell = Command::new("sh")
        .args(["-c", &script])
        .env("PATH", path)
        .env("status", "0")
        .env_remove("CLICOLOR_FORCE")
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(shell.stdout).unwrap()
}

/// Whether a block shows what was printed, but for what it leaves out.
fn shows(block: &str, printed: &str) -> bool {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (block, printed) = (lines(block), lines(printed));
    let mut parts = block.split(|line| line == LEFT_OUT);
    let first = parts.next().unwrap_or_default();
    if !printed.starts_with(first) {
        return false;
    }
    let mut rest = &printed[first.len()..];
    let mut parts: Vec<&[String]> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = (0..=rest.len()).find(|at| rest[*at..].starts_with(part)) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Goes through a page as its reader would.
fn go_through(name: &str) {
    let path = docs().join(name);
    let page = std::fs::read_to_string(&path).unwrap();
    let directory = TempDir::new().unwrap();
    for folder in ["docs", "properties"] {
        std::os::unix::fs::symlink(root().join(folder), directory.path().join(folder)).unwrap();
    }
    let mut again = String::new();
    let mut wrong = Vec::new();
    for (head, part) in parts(&page) {
        let text = match part {
            Part::Words(text) => text,
            Part::File(file, text) => {
                std::fs::write(directory.path().join(file), &text).unwrap();
                text
            }
            Part::Console(line, text) => {
                let found = printed(directory.path(), &text);
                let leaves_out = text.lines().any(|line| line == LEFT_OUT);
                if !shows(&text, &found) && (leaves_out || !is_recorded()) {
                    wrong.push(format!("docs/{name}:{line}: it prints\n{found}"));
                }
                if leaves_out { text } else { found }
            }
        };
        match head {
            Some(head) => again += &format!("```{head}\n{text}```\n"),
            None => again += &text,
        }
    }
    if is_recorded() {
        std::fs::write(path, &again).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(is_recorded() || again == page, "docs/{name}: not what its parts are");
}

fn is_recorded() -> bool {
    std::env::var_os("KMODCHECK_RECORD").is_some()
}

#[test]
fn from_a_failing_mount_to_a_page_for_a_mail() {
    go_through("tutorial.md");
}

#[test]
fn from_a_patch_to_its_review() {
    go_through("tutorial-patch.md");
}

/// No page has commands that nobody types.
#[test]
fn every_page_with_a_console_is_gone_through() {
    let pages = std::fs::read_dir(docs()).unwrap().map(|entry| entry.unwrap().path());
    let has = |path: &PathBuf| {
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        is_page && std::fs::read_to_string(path).unwrap().contains("\n```console\n")
    };
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut found: Vec<String> = pages.filter(has).map(name).collect();
    found.sort();
    assert_eq!(found, ["tutorial-patch.md", "tutorial.md"]);
}

#[test]
fn a_block_shows_what_is_printed_but_for_what_it_leaves_out() {
    let printed = "a\nb\nc\nd\n";
    for (block, is_shown) in [
        ("a\nb\nc\nd\n", true),
        ("a\nb\nc\n", false),
        ("a\n...\n", true),
        ("...\nd\n", true),
        ("a\n...\nd\n", true),
        ("a\n...\nc\n...\nd\n", true),
        ("a\n...\nb\nd\n...\n", false),
        ("b\n...\n", false),
        ("a\n...\nc\n", false),
        ("a\nb\nc\nd\n...\nd\n", false),
    ] {
        assert_eq!(shows(block, printed), is_shown, "{block}");
    }
}
