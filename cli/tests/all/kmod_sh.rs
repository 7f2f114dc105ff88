//! `kmodcheck kmod-sh --observed`: what real kernels did in their own stress cases is what the model says they can do.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::common::{Run, run};

const SERIES: [&str; 2] = ["6.1", "6.12"];
/// What the kernel's helper was, and how the model calls it.
const WAYS: [(&str, &str); 6] = [
    ("kmod", "v30"),
    ("old", "v19"),
    ("busybox", "busybox"),
    ("kmod-delayed", "v30"),
    ("old-delayed", "v19"),
    ("busybox-delayed", "busybox"),
];

fn log(series: &str, way: &str) -> PathBuf {
    let logs = Path::new("../properties/tests/fixtures/kmod-sh");
    logs.join(format!("{series}-{way}.log"))
}

fn asked(series: &str, kmod: &str, log: &Path) -> Run {
    let kernel = format!("{series}-debian");
    let log = log.display().to_string();
    let few = ["--states-limit", "3000"];
    run(&[&["kmod-sh", "--kernel", &kernel, "--kmod", kmod, "--observed", &log][..], &few].concat())
}

#[test]
fn what_real_kernels_did_a_model_can_do() {
    for series in SERIES {
        for (way, kmod) in WAYS {
            let run = asked(series, kmod, &log(series, way)).exits(0);
            assert!(run.out.contains("Every answer is one that a call"), "{series} {way}: {run:?}");
            // The race, where the second request comes while the first one's initstate is delayed.
            let races = way.ends_with("-delayed") && kmod != "v30";
            let case = run.out.lines().find(|line| line.contains("| 0004 F |")).unwrap();
            assert_eq!(case.contains("NULL: "), races, "{series} {way}: {case}");
        }
    }
}

#[test]
fn what_no_call_can_come_to_is_said() {
    let said = "0004 F: NULL: no call of the model comes to it";
    for way in ["old-delayed", "busybox-delayed"] {
        assert!(asked("6.12", "v30", &log("6.12", way)).exits(1).out.contains(said), "{way}");
    }
    // v19 knows no empty name.
    let said = "0001 D: 0: no call of the model comes to it";
    assert!(asked("6.1", "v20", &log("6.1", "old")).exits(1).out.contains(said));
    // Nobody has to wait for five seconds where the kernel did not say so.
    let text = std::fs::read_to_string(log("6.12", "kmod")).unwrap();
    let directory = TempDir::new().unwrap();
    let altered = directory.path().join("altered.log");
    let changed = text.replace(
        "50 misc test_kmod0: Sync thread return status: 0\n",
        "\
        49 misc test_kmod0: Sync thread return status: 0\n\
        1 misc test_kmod0: Sync thread return status: -62\n",
    );
    assert_ne!(changed, text);
    std::fs::write(&altered, changed).unwrap();
    let said = "0005 D: -ETIME: no call of the model comes to it";
    assert!(asked("6.12", "v30", &altered).exits(1).out.contains(said));
}

#[test]
fn a_file_that_is_none_is_refused() {
    let text = std::fs::read_to_string(log("6.12", "kmod")).unwrap();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("rounds.log");
    let refuses = |text: &str, parts: &[&str]| {
        std::fs::write(&file, text).unwrap();
        asked("6.12", "v30", &file).refuses(&[&["rounds.log"], parts].concat());
    };
    refuses("", &["found no round, expected at least one"]);
    refuses("what is this\n", &[":1: found 'what is this'", "expected round NUMBER"]);
    refuses("round 0004 1 exit\n", &[":1:", "expected round NUMBER ROUND exit STATUS"]);
    refuses("round 0004 1 exit 0\nwhat is this\n", &[":2: found 'what is this'"]);
    refuses("round 0014 1 exit 0\n", &["found '0014'", "from 0001 to 0013"]);
    refuses("round 0004 1 exit 0\n", &["found '0 runs'", "expected 1, or fewer"]);
    let replaced = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let threads = "misc test_kmod0: Number of threads to run: 58";
    let fewer = replaced(threads, "misc test_kmod0: Number of threads to run: 57");
    refuses(&fewer, &["found '57 threads'", "58 threads, as case 0008 has them"]);
    let lost = replaced("58 misc test_kmod0: Sync thread", "57 misc test_kmod0: Sync thread");
    refuses(&lost, &["found '57 answers'", "one of each of 58 threads"]);
    let other = replaced(
        "misc test_kmod0: Sync thread return status: 256",
        "misc test_kmod0: Sync thread return status: 3",
    );
    refuses(&other, &["Sync thread return status: 3", "expected a status: 0, 256"]);
    let unsaid = replaced("kmod_test_0004: OK! - Return value", "kmod_test_0004: Return value");
    refuses(&unsaid, &["1 runs of test_kmod and 0 results"]);
    for flag in [&["--case", "0004"][..], &["--limit", "50"], &["--wide"]] {
        let path = log("6.12", "kmod").display().to_string();
        let words = ["kmod-sh", "--kernel", "6.12-debian", "--kmod", "v30", "--observed", &path];
        run(&[&words[..], flag].concat()).refuses(&[flag[0], "cannot be used with"]);
    }
    let path = log("6.12", "kmod").display().to_string();
    run(&["kmod-sh", "--kernel", "6.12-debian", "--observed", &path]).refuses(&["--kmod"]);
}
