//! What one build has saved or says, another does not believe: a changed step is another build.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::common::{Run, run};
use tempfile::TempDir;

/// Copies a folder with all that is below it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// The same sources anywhere have the same digest, which this build has; any change has another.
#[test]
fn the_digest_is_of_the_sources_and_of_nothing_else() {
    let directory = TempDir::new().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lock = directory.path().join("elsewhere.lock");
    fs::copy(root.join("Cargo.lock"), &lock).unwrap();
    let digest = |sources: &Path| crate::build::digest(sources, Some(&lock));
    for (of, found) in [
        ("indexes", kmodcheck_indexes::SOURCES),
        ("lang", kmodcheck_lang::SOURCES),
        ("model", kmodcheck_model::SOURCES),
        ("sim", kmodcheck_sim::SOURCES),
        ("sim/explore", kmodcheck_explore::SOURCES),
        ("properties", kmodcheck_properties::SOURCES),
    ] {
        assert_eq!(digest(&root.join(of).join("src")), found, "{of}");
    }
    let sources = directory.path().join("sources");
    copy(&root.join("model/src"), &sources);
    let before = digest(&sources);
    assert_eq!(before, kmodcheck_model::SOURCES, "the place does not matter");

    // One step, changed: init that has failed is told to nobody.
    let step = sources.join("kernel/module.rs");
    let text = fs::read_to_string(&step).unwrap();
    let changed = text.replacen("ModuleState::Coming", "ModuleState::Live", 1);
    assert_ne!(text, changed);
    fs::write(&step, &changed).unwrap();
    assert_ne!(digest(&sources), before, "a step was changed");
    fs::write(&step, &text).unwrap();
    assert_eq!(digest(&sources), before, "restored");

    fs::rename(&step, sources.join("kernel/modules.rs")).unwrap();
    assert_ne!(digest(&sources), before, "a file has another name");
    fs::rename(sources.join("kernel/modules.rs"), &step).unwrap();
    fs::write(sources.join("more.rs"), "").unwrap();
    assert_ne!(digest(&sources), before, "one more file");
    fs::remove_file(sources.join("more.rs")).unwrap();
    fs::write(&lock, "another version of something").unwrap();
    assert_ne!(digest(&sources), before, "other versions of what it depends on");
}

/// This executable, but for one digit of what it says of the model's sources.
fn another_build(path: &Path) {
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_kmodcheck")).unwrap();
    let digest = kmodcheck_model::SOURCES.as_bytes();
    let places: Vec<_> =
        (0..bytes.len() - digest.len()).filter(|at| bytes[*at..].starts_with(digest)).collect();
    assert!(!places.is_empty(), "the digest is not in the executable");
    for at in places {
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    }
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::metadata(env!("CARGO_BIN_EXE_kmodcheck")).unwrap().permissions())
        .unwrap();
}

/// The digest that an executable says it is of.
fn build_of(executable: &Path) -> String {
    let version = Run::of(Command::new(executable).arg("--version").output().unwrap()).exits(0);
    let build = version.out.trim_end().rsplit_once("(build ").unwrap().1;
    let build = build.strip_suffix(')').unwrap().to_owned();
    assert!(build.len() == 32 && build.chars().all(|c| c.is_ascii_hexdigit()), "{build}");
    build
}

#[test]
fn another_build_is_refused_by_name_wherever_two_meet() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    let other = directory.join("another-kmodcheck");
    another_build(&other);
    let builds = [build_of(env!("CARGO_BIN_EXE_kmodcheck").as_ref()), build_of(&other)];
    assert_ne!(builds[0], builds[1]);
    let builds = builds.each_ref().map(String::as_str);
    let by_other =
        |arguments: &[&str]| Run::of(Command::new(&other).args(arguments).output().unwrap());
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../properties/scenarios/v19-race.toml")
        .display()
        .to_string();

    // A checkpoint. The other build is as good as this one, so it goes on from its own.
    let checkpoint = directory.join("checkpoint").display().to_string();
    let kept = ["check", &scenario, "--checkpoint", &checkpoint, "--checkpoint-every", "0"];
    let whole = by_other(&kept).exits(0).out;
    assert_eq!(by_other(&kept).exits(0).out, whole);
    run(&kept).refuses(&["sums: found a checkpoint of another build", builds[0], builds[1]]);

    // Two processes of one search.
    let ports = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = ports.each_ref().map(|port| port.local_addr().unwrap().to_string());
    drop(ports);
    let hosts = directory.join("hosts").display().to_string();
    fs::write(&hosts, addresses.join("\n")).unwrap();
    let search = ["check", &scenario, "--engine", "timely", "--hosts", &hosts, "--process"];
    let [first, second] = std::thread::scope(|scope| {
        let second = scope.spawn(|| by_other(&[&search[..], &["1"]].concat()));
        [run(&[&search[..], &["0"]].concat()), second.join().unwrap()]
    });
    first.refuses(&["process 1", &addresses[1], "of another build", builds[0]]);
    second.refuses(&["process 0", &addresses[0], "of another build", builds[1]]);

    // Parts of a campaign.
    let part = |of: &str, file: &str| {
        let file = directory.join(file).display().to_string();
        let asked = ["sample", "race", "--executions", "20", "--shard", of, "--out", &file];
        (asked.map(str::to_owned), file.clone())
    };
    let (mine, one) = part("1/2", "one.jsonl");
    let (theirs, two) = part("2/2", "two.jsonl");
    run(&mine.each_ref().map(String::as_str));
    by_other(&theirs.each_ref().map(String::as_str));
    let refused = ["two.jsonl:1:", "found a part of build", builds[0], builds[1]];
    run(&["merge", &one, &two]).refuses(&refused);
    run(&["merge", &two, "--partial"]).refuses(&refused);
    by_other(&["merge", &one, &two]).refuses(&["one.jsonl:1:", "found a part of build"]);
}
