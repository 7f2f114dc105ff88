//! Each format of JSON has a schema, made of the types that write it and kept in docs/schemas, and whatever the commands print
//! in these tests is held against it (`common::Run::of`). `KMODCHECK_RECORD=1` writes the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{fixture, run};
use crate::flags::COMMANDS;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas")
}

/// By name, the formats that `schema` lists: the version, and what has it.
fn listed() -> BTreeMap<String, (String, String)> {
    let list = run(&["schema"]).exits(0).out;
    let row = |line: &str| {
        let (name, rest) = line.split_once(' ').unwrap();
        let (version, of) = rest.trim_start().split_once("  ").unwrap();
        (name.to_owned(), (version.to_owned(), of.to_owned()))
    };
    list.lines().map(row).collect()
}

/// The value, if it is one that says its format.
pub fn of_a_format(text: &str) -> Option<Value> {
    if !text.starts_with("{") {
        return None;
    }
    // Of lines the first one says it.
    let first = serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()?;
    first["format"].as_str()?.starts_with("kmodcheck-").then_some(first)
}

/// Where schemas find what they refer to: beside themselves.
struct Kept;

impl jsonschema::Retrieve for Kept {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let (_, file) = uri.as_str().rsplit_once('/').unwrap();
        Ok(serde_json::from_str(&std::fs::read_to_string(folder().join(file))?)?)
    }
}

/// By file; none has changed while tests run.
static VALIDATORS: LazyLock<Mutex<BTreeMap<String, &'static Validator>>> =
    LazyLock::new(Mutex::default);

fn validator(file: &str) -> &'static Validator {
    let mut all = VALIDATORS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    all.entry(file.to_owned()).or_insert_with(|| {
        let path = folder().join(file);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let schema: Value = serde_json::from_str(&text).unwrap();
        let validator = (jsonschema::options().with_retriever(Kept).build(&schema))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Box::leak(Box::new(validator))
    })
}

/// Asserts that a value is what the schema of its format says.
#[track_caller]
pub fn fits(value: &Value) {
    let (format, version) = (value["format"].as_str().unwrap(), &value["version"]);
    let file = format!("{}-v{version}.json", format.strip_prefix("kmodcheck-").unwrap());
    let wrong: Vec<String> = (validator(&file).iter_errors(value))
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "not what docs/schemas/{file} says: {wrong:#?}");
}

#[test]
fn the_schemas_are_those_of_the_code() {
    let mut files = BTreeSet::new();
    for (name, (version, _)) in listed() {
        let file = format!("{name}-{version}.json");
        let schema = run(&["schema", &name]).exits(0).out;
        let path = folder().join(&file);
        if std::env::var_os("KMODCHECK_RECORD").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == schema, "docs/schemas/{file} is not what `kmodcheck schema {name}` prints");
        let parsed: Value = serde_json::from_str(&schema).unwrap();
        jsonschema::meta::validate(&parsed).unwrap_or_else(|error| panic!("{file}: {error}"));
        files.insert(file);
    }
    let there = std::fs::read_dir(folder()).unwrap();
    let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, there, "what `schema` lists on the left");
    run(&["schema", "chek"]).refuses(&["did you mean 'check'?", "modprobe-compared"]);
}

/// A command that gets `--json` has its row there.
#[test]
fn every_command_that_prints_json_has_a_schema() {
    let listed = listed();
    let of: Vec<String> = listed.values().map(|(_, of)| of.replace(',', "")).collect();
    for (command, flags) in COMMANDS.iter().filter(|(name, _)| !name.contains(' ')) {
        let name = if command.is_empty() { "kmodcheck" } else { command };
        let has =
            of.iter().any(|of| of.split(' ').any(|word| word == name) && of.contains("--json"));
        assert_eq!(has, flags.starts_with('x'), "{name}: {of:?}");
    }
}

/// What each of them prints, or writes, fits. (`reproduce` has a test of its own, which looks, too.)
#[test]
fn what_is_printed_is_what_the_schemas_say() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = |name: &str| root.join(name).display().to_string();
    let indexes = fixture().display().to_string();
    let log = "sim/tests/fixtures/real-logs/kernel-6.1-kmod-19-delayed-vfat-ENODEV.log";
    let log = file(log);
    let rounds = file("properties/tests/fixtures/kmod-sh/6.1-old-delayed.log");
    let program = "C hangs\n{}\nDEFINE_MUTEX(a);\nDEFINE_MUTEX(b);\n\
                   P0() { mutex_lock(&a); mutex_lock(&b); mutex_unlock(&b); mutex_unlock(&a); }\n\
                   P1() { mutex_lock(&b); mutex_lock(&a); mutex_unlock(&a); mutex_unlock(&b); }\n";
    std::fs::write(at("hangs.litmus"), program).unwrap();
    let scenario = |name: &str| file(&format!("properties/scenarios/reports/{name}.toml"));
    let asks = scenario("l-script-after-settle");
    let own = scenario("a-init-asks-for-itself");
    let certificate = file("properties/certificates/ok_plain_v4.9_v20.json");
    let patch = file("docs/patches/0254127ab977.diff");
    let (trace, witness, litmus, steps, image) =
        (at("trace.json"), at("witness.json"), at("hangs.litmus"), at("steps.json"), at("image"));
    let uses: [(&str, &[&str]); 29] = [
        ("checks", &["check", "race", &asks, &litmus]),
        ("check", &["check", "race", "--faults", "--save-trace", &trace]),
        ("check", &["check", &asks]),
        ("check", &["check", "race", "--witness", "1=NULL", "--save-trace", &witness]),
        ("check", &["check", &own, "--engine", "counted", "--kernel", "v6.2"]),
        ("trace", &["replay", &trace]),
        ("witness", &["replay", &witness]),
        ("story", &["trace", &trace, "--why"]),
        ("litmus", &["check", &litmus]),
        ("compare", &["compare", &own, "--kernel", "v6.2", "--kernel", "v6.5"]),
        ("features", &["features"]),
        ("releases", &["features", "--kernel", "6.1.192", "--kmod", "30"]),
        ("review", &["review", &patch, "--kernel", "v5.11", "--kmod", "v30"]),
        ("mutants", &["mutants", "tools/modprobe.c"]),
        ("grand-matrix", &["matrix", "--kernel", "v4.9", "--kmod", "v19", "--env", "ok"]),
        ("prove", &["prove", "race"]),
        ("prove", &["prove", &asks]),
        ("verify", &["verify", &certificate, "--steps", &steps]),
        ("progress", &["progress", "race"]),
        ("fixes", &["fixes", "race", "--max-size", "1"]),
        ("kmod-sh", &["kmod-sh", "--kernel", "v4.9", "--kmod", "v19", "--case", "0009"]),
        (
            "kmod-sh-observed",
            &["kmod-sh", "--kernel", "6.1-debian", "--kmod", "v19", "--observed", &rounds],
        ),
        (
            "machine",
            &["machine", "--root", &image, "--kernel", "6.1.0", "--kmod", "v30", "--family", "fs-"],
        ),
        (
            "modprobe-compared",
            &["modprobe", "compare", "v19", "v20", "--modules", &indexes, "--fs", "vfat"],
        ),
        ("aliases", &["aliases", "--modules", &indexes]),
        ("accept", &["accept", &log, "--format", "ftrace", "--kmod", "v19"]),
        ("covered", &["covered", &log, "--kernel", "6.1-debian", "--kmod", "v19"]),
        ("matrix", &["--states-limit", "300"]),
        ("sample", &["sample", "race", "--executions", "30"]),
    ];
    let modules = directory.path().join("image/lib/modules/6.1.0");
    std::fs::create_dir_all(&modules).unwrap();
    for index in ["dep", "alias", "softdep", "builtin"] {
        let name = format!("modules.{index}");
        std::fs::copy(fixture().join(&name), modules.join(&name)).unwrap();
    }
    let mut seen = BTreeSet::new();
    for (format, words) in uses {
        let run = run(&[words, &["--json"]].concat());
        let value = of_a_format(&run.out).unwrap_or_else(|| panic!("{words:?}: {run:?}"));
        assert_eq!(value["format"], format!("kmodcheck-{format}"), "{words:?}");
        if format == "sample" {
            let sample = validator("sample-v2.json");
            let lines = run.out.lines().map(|line| serde_json::from_str(line).unwrap());
            lines.for_each(|line: Value| assert!(sample.is_valid(&line), "{line}"));
            assert!(!sample.is_valid(&serde_json::json!({ "property": 1 })));
        }
        seen.insert(format.to_owned());
    }
    // What is kept in files.
    let recorded = std::fs::read_dir(root.join("properties/traces")).unwrap();
    let recorded = recorded.map(|entry| entry.unwrap().path().display().to_string());
    let recorded = recorded.filter(|path| path.ends_with(".json"));
    for path in recorded.chain([trace, witness, certificate, steps]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let value = of_a_format(&text).unwrap_or_else(|| panic!("{path}"));
        fits(&value);
        seen.insert(value["format"].as_str().unwrap().replace("kmodcheck-", ""));
    }
    let events = validator("events-v1.json");
    for (line, fits) in [
        (r#"{"format":"kmodcheck-events","version":1,"hidden":["modprobe"]}"#, true),
        (r#"{"actor":0,"function":"caller","what":"get_fs_type(\"ext4\")"}"#, true),
        (r#"{"format":"kmodcheck-events","version":2}"#, false),
    ] {
        assert_eq!(events.is_valid(&serde_json::from_str(line).unwrap()), fits, "{line}");
    }
    let elsewhere = ["events", "modprobe", "reproduce", "scenario"].map(str::to_owned);
    let all: BTreeSet<String> = listed().into_keys().collect();
    assert_eq!(seen.into_iter().chain(elsewhere).collect::<BTreeSet<_>>(), all);
}

/// A value of another type, a key that is missing and a verdict of another version are seen.
#[test]
fn what_does_not_fit_is_seen() {
    let check: Value = serde_json::from_str(&run(&["check", "race", "--json"]).out).unwrap();
    let schema = validator("check-v1.json");
    assert!(schema.is_valid(&check));
    let changes: [fn(&mut Value); 5] = [
        |value| value["version"] = 2.into(),
        |value| value["report"]["states"] = "many".into(),
        |value| value["trace"]["steps"][0]["choice"] = (-1).into(),
        |value| value["scenario"]["features"]["kmod"]["bare_directory"] = "nothing".into(),
        |value| drop(value.as_object_mut().unwrap().remove("results")),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut wrong = check.clone();
        change(&mut wrong);
        assert!(!schema.is_valid(&wrong), "{number}");
    }
}

/// A text in TOML as editors hold it against a schema.
fn toml(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_value(table).unwrap()
}

/// Scenario files below a folder.
fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "toml"));
    files.chain(folders.iter().flat_map(|folder| scenarios(folder))).collect()
}

/// What `check` takes editors do not underline, and some of what it refuses they do.
#[test]
fn editors_know_scenario_files() {
    let schema = validator("scenario-v1.json");
    let files = scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties/scenarios"));
    assert!(files.len() > 40, "{}", files.len());
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let kinds = ["race", "hang", "script", "module-init"].map(|kind| vec!["new", "--kind", kind]);
    let drawn =
        [vec!["new"], vec!["new", "--drawn", "1"], vec!["new", "--drawn", "2", "--programs"]];
    let made = kinds.iter().chain(&drawn).map(|words| run(words).exits(0).out);
    for text in files.iter().map(read).chain(made) {
        let wrong: Vec<String> = (schema.iter_errors(&toml(&text)))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?} in {text}");
    }
    let text = run(&["new"]).exits(0).out;
    for (from, to) in [
        ("aliases =", "alias ="),
        ("\"get_fs_type\"", "\"get_fs\""),
        ("count = 2", "count = 0"),
        ("helper = \"present\"", "helper = \"there\""),
        ("nobody-sleeps-for-ever = \"holds\"", "nobody-sleeps-for-ever = \"hold\""),
        ("properties = [", "properties = [\"no-false-sucess\", "),
        ("kmod = \"v19\"", "kmod = \"v19\"\nwith = [\"alias-mop=exact\"]"),
        ("kmod = \"v19\"", "kmod = 19"),
        ("[[actor]]", "[[caller]]"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(!schema.is_valid(&toml(&text.replacen(from, to, 1))), "{to}");
    }
    // Any release can be said.
    for (from, to) in [
        ("\"v4.9\"", "\"6.12.115+deb12-amd64\""),
        ("kmod = \"v19\"", "kmod = \"v19\"\nwith = [\"already-live\", \"alias-map=exact\"]"),
    ] {
        assert!(schema.is_valid(&toml(&text.replacen(from, to, 1))), "{to}");
    }
}

/// `new` says in the first line where that schema is: the one that is kept, and that says the same of itself.
#[test]
fn a_new_file_says_which_schema_it_has() {
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(folder().join("scenario-v1.json")).unwrap())
            .unwrap();
    for words in [&["new"][..], &["new", "--kind", "hang"], &["new", "--drawn", "3"]] {
        let text = run(words).exits(0).out;
        let (first, rest) = text.split_once('\n').unwrap();
        assert_eq!(first, format!("#:schema {}", kept["$id"].as_str().unwrap()));
        assert!(
            rest.starts_with('\n') && first.ends_with("/docs/schemas/scenario-v1.json"),
            "{text}"
        );
    }
}
