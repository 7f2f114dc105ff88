//! Checkers that are programs of their own: compiles the model for them.

use std::path::Path;
use std::process::Command;

use crate::Failure;
use crate::measure::Contestant;

const PROMELA: &str = include_str!("../peers/reference.pml");
const MURPHI: &str = include_str!("../peers/reference.m");

/// Runs a command in `folder`. `Err`: why there is nothing to run, in words.
fn call(folder: &Path, program: &str, arguments: &[&str]) -> Result<Result<(), String>, Failure> {
    let output = match Command::new(program).args(arguments).current_dir(folder).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Err(format!("{program} is not installed")));
        }
        Err(error) => return Err(format!("{program}: {error}").into()),
    };
    if output.status.success() {
        return Ok(Ok(()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {} ended with {}: {said}", arguments.join(" "), output.status).into())
}

/// SPIN, depth first, without its partial-order reduction.
pub fn spin(folder: &Path, callers: usize) -> Result<Result<Contestant, String>, Failure> {
    std::fs::write(folder.join("reference.pml"), PROMELA)?;
    let callers_macro = format!("-DN={callers}");
    // Statements are not merged: each is one step of the model.
    if let Err(why) = call(folder, "spin", &["-o3", &callers_macro, "-a", "reference.pml"])? {
        return Ok(Err(why));
    }
    // It prints eight digits, and counts have nine.
    let source = folder.join("pan.c");
    std::fs::write(&source, std::fs::read_to_string(&source)?.replace("%9.8g", "%9.0f"))?;
    let pan = format!("pan{callers}");
    let flags = ["-O3", "-march=native", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=16384", "-o", &pan];
    let arguments = [&flags[..], &["pan.c"]].concat();
    if let Err(why) = call(folder, "gcc", &arguments)? {
        return Ok(Err(format!("SPIN: {why}")));
    }
    Ok(Ok(Contestant {
        name: "SPIN DFS -DNOREDUCE".to_owned(),
        threads: 1,
        program: folder.join(&pan),
        // A stack deep enough, and a hash table that is not the bottleneck.
        arguments: vec!["-m1000000".to_owned(), format!("-w{}", if callers > 6 { 28 } else { 24 })],
        ends: &[0],
        counts: counts_of_spin,
    }))
}

fn counts_of_spin(printed: &str) -> Option<(u64, u64)> {
    // The initial state is counted as reached by a transition.
    Some((before(printed, " states, stored")?, before(printed, " transitions (=")? - 1))
}

/// SPIN, depth first, without its partial-order reduction, on what `program`, a `kmodcheck`, exports of a system. It
/// judges nothing, as whoever only counts; so it goes on to the end.
pub fn spin_of(
    folder: &Path,
    program: &Path,
    system: &[String],
) -> Result<Result<Contestant, String>, Failure> {
    let folder = tempfile::tempdir_in(folder)?.keep();
    let mut export = vec!["export"];
    export.extend(system.iter().map(String::as_str));
    export.extend(["--format", "promela", "--out", "system.pml"]);
    let program = program.display().to_string();
    let output = Command::new(&program).args(&export).current_dir(&folder).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Ok(Err(format!("not exported: {}", said.trim())));
    }
    if let Err(why) = call(&folder, "spin", &["-a", "system.pml"])? {
        return Ok(Err(why));
    }
    // It prints eight digits.
    let source = folder.join("pan.c");
    std::fs::write(&source, std::fs::read_to_string(&source)?.replace("%9.8g", "%9.0f"))?;
    let flags = ["-O3", "-w", "-march=native", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=16384"];
    let arguments = [&flags[..], &["-DVECTORSZ=4096", "-o", "pan", "pan.c"]].concat();
    if let Err(why) = call(&folder, "gcc", &arguments)? {
        return Ok(Err(format!("SPIN: {why}")));
    }
    Ok(Ok(Contestant {
        name: "SPIN DFS -DNOREDUCE".to_owned(),
        threads: 1,
        program: folder.join("pan"),
        arguments: vec!["-m10000000".to_owned(), "-w24".to_owned()],
        ends: &[0],
        counts: counts_of_spin,
    }))
}

/// rumur, on one and several threads.
pub fn rumur(
    folder: &Path,
    callers: usize,
    threads: &[usize],
    symmetry: bool,
) -> Result<Result<Vec<Contestant>, String>, Failure> {
    let model = MURPHI.replace("const N: 2;", &format!("const N: {callers};"));
    std::fs::write(folder.join("reference.m"), model)?;
    let mut contestants = Vec::new();
    for &threads in threads {
        let name = format!("rumur{callers}-{threads}-{symmetry}");
        let source = format!("{name}.c");
        let threads_text = threads.to_string();
        let reduction = if symmetry { "heuristic" } else { "off" };
        let arguments = [
            "--deadlock-detection",
            "off",
            "--symmetry-reduction",
            reduction,
            "--threads",
            &threads_text,
            "--output",
            &source,
            "reference.m",
        ];
        if let Err(why) = call(folder, "rumur", &arguments)? {
            return Ok(Err(why));
        }
        let flags = ["-O3", "-march=native", "-mcx16", "-o", &name, &source, "-lpthread"];
        if let Err(why) = call(folder, "gcc", &flags)? {
            return Ok(Err(format!("rumur: {why}")));
        }
        contestants.push(Contestant {
            name: if symmetry { "rumur, scalarset" } else { "rumur" }.to_owned(),
            threads,
            program: folder.join(&name),
            arguments: Vec::new(),
            ends: &[0],
            counts: |printed| {
                Some((before(printed, " states, ")?, before(printed, " rules fired")?))
            },
        });
    }
    Ok(Ok(contestants))
}

/// This project's command, whole processes: what users wait for. Also what is missing, in words.
pub fn commands() -> Result<(Vec<Contestant>, Option<String>), Failure> {
    let program = std::env::current_exe()?.with_file_name("kmodcheck");
    if !program.exists() {
        let why = format!("{}: not built, so no command was run", program.display());
        return Ok((Vec::new(), Some(why)));
    }
    let command = |line: &str| Contestant {
        name: format!("kmodcheck {line}"),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        program: program.clone(),
        arguments: line.split(' ').map(str::to_owned).collect(),
        ends: &[0],
        counts: |_| Some((0, 0)),
    };
    let lines = ["matrix", "kmod-sh --case 0008 --kernel v4.9"];
    Ok((lines.map(command).into(), None))
}

/// The whole number that stands before the last occurrence of some words.
fn before(text: &str, words: &str) -> Option<u64> {
    text[..text.rfind(words)?].split(char::is_whitespace).next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_others_print() {
        let spin = "    63973 states, stored\n   202421 transitions (= stored+matched)\n";
        assert_eq!(before(spin, " states, stored"), Some(63_973));
        assert_eq!(before(spin, " transitions (="), Some(202_421));
        let rumur = "\t63973 states, 202420 rules fired in 2s.\n";
        assert_eq!(before(rumur, " states, "), Some(63_973));
        assert_eq!(before(rumur, " rules fired"), Some(202_420));
        assert_eq!(before("", " rules fired"), None);
        assert_eq!(before(" rules fired", " rules fired"), None);
        assert_eq!(before("1.5205137e+08 states, stored", " states, stored"), None);
    }
}
