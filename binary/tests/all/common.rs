//! What several tests use.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use kmodcheck_binary::learn::{self, Learned, Limits};
use kmodcheck_binary::view::System;
use kmodcheck_binary::{HeldError, Launcher, Program};

pub(crate) fn launcher() -> Launcher {
    Launcher(vec![env!("CARGO_BIN_EXE_kmodcheck-launch").into()])
}

pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../indexes/tests/fixtures/debian-6.1")
}

pub(crate) fn system(modules: &[&str]) -> System {
    System {
        release: "6.1.0-56-amd64".to_owned(),
        indexes: fixture(),
        modules: modules.iter().map(ToString::to_string).collect(),
        ..System::default()
    }
}

pub(crate) fn program(path: &str, arguments: &[&str]) -> Program {
    Program {
        path: PathBuf::from(path),
        name: "modprobe".to_owned(),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        environment: vec![("PATH".to_owned(), "/sbin:/usr/sbin:/bin:/usr/bin".to_owned())],
    }
}

pub(crate) fn learn(program: &Program, system: &System) -> Result<Learned, HeldError> {
    learn::learn(&launcher(), program, system, Limits::default(), &mut |_| true)
}

/// A program of `tests/programs/`, compiled once for each way of compiling.
pub(crate) fn compiled(name: &str, how: &[&str]) -> PathBuf {
    static COMPILED: Mutex<()> = Mutex::new(());
    let _one_at_a_time = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let path = folder.join(format!("{name}{}", how.concat()));
    let newer = |file: &Path| file.metadata().and_then(|found| found.modified()).ok();
    if newer(&path) <= newer(&source) {
        let written = path.with_extension(format!("new-{}", std::process::id()));
        let status = Command::new("gcc")
            .args(["-O1", "-w"])
            .args(how)
            .arg("-o")
            .arg(&written)
            .arg(&source)
            .status()
            .expect("gcc is needed");
        assert!(status.success());
        std::fs::rename(written, &path).unwrap();
    }
    path.canonicalize().unwrap()
}
