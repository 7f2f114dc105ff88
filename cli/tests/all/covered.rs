//! What logs of real kernels have shown of the model's steps.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::run;

const LOGS: &str = "../sim/tests/fixtures/real-logs";

/// Logs of one kernel: of folders, and of the top those that begin so.
struct Series {
    kernel: &'static str,
    modules: &'static str,
    folders: &'static [&'static str],
    top: &'static [&'static str],
}

const SERIES: [Series; 2] = [
    Series {
        kernel: "6.12-debian",
        modules: "6.12-modules",
        folders: &["6.12-kmod30", "6.12-other-tracers", "6.12-cover"],
        top: &["steered-joined", "steered-argument", "steered-notifier", "steered-s"],
    },
    Series {
        kernel: "6.1-debian",
        modules: "6.1-modules",
        folders: &["6.1-kmod30", "6.1-cover"],
        top: &["kernel-6.1-kmod-30-", "steered-eexist", "steered-busy"],
    },
];

fn logs(folder: &str) -> Vec<String> {
    let folder = Path::new(LOGS).join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "log")).collect();
    logs.sort();
    logs.iter().map(|log| log.display().to_string()).collect()
}

impl Series {
    fn logs(&self) -> Vec<String> {
        let top = logs(".").into_iter().filter(|log| {
            let name = log.rsplit('/').next().unwrap();
            self.top.iter().any(|begins| name.starts_with(begins))
        });
        self.folders.iter().flat_map(|folder| logs(folder)).chain(top).collect()
    }

    fn covered(&self, logs: &[String], more: &[&str]) -> crate::common::Run {
        let (modules, config) =
            (format!("{LOGS}/{}", self.modules), format!("{LOGS}/modprobe.conf"));
        let mut all = vec!["covered", "--modules", &modules, "--config", &config];
        all.extend(logs.iter().map(String::as_str));
        all.extend(["--kernel", self.kernel, "--kmod", "v30"]);
        all.extend(more);
        run(&all)
    }
}

/// What docs/reality.md says that was seen is what the logs show, and nine of ten pairs are.
#[test]
fn nine_of_ten_ways_out_were_seen_of_each_kernel() {
    let page = std::fs::read_to_string("../docs/reality.md").unwrap().replace('\n', " ");
    for series in SERIES {
        let text = series.covered(&series.logs(), &["--wide"]).exits(0);
        let (of_logs, _) = text.out.split_once('\n').unwrap();
        assert!(page.contains(of_logs), "{of_logs}");
        let value: Value =
            serde_json::from_str(&series.covered(&series.logs(), &["--json"]).exits(0).out)
                .unwrap();
        let ways = value["ways_out"].as_array().unwrap();
        let pairs: Vec<&Value> = ways.iter().filter(|way| way["system"].is_string()).collect();
        let never = |way: &&&Value| way["shown"].is_null() && way["filled_in"].is_null();
        let never: Vec<&&Value> = pairs.iter().filter(never).collect();
        assert!(10 * never.len() <= pairs.len(), "{}: {never:?}", series.kernel);
        // The page has each of them, with the reason.
        for way in never {
            let (function, how) = (way["function"].as_str().unwrap(), way["how"].as_str().unwrap());
            assert!(page.contains(&format!("`{function}`: `{how}`")), "{function}: {how}");
        }
    }
}

#[test]
fn logs_show_steps_and_ways_out_of_them() {
    let [series, _] = SERIES;
    let logs = logs("6.12-kmod30");
    let covered = |more: &[&str]| series.covered(&logs, more).exits(0);
    let value: Value = serde_json::from_str(&covered(&["--json"]).out).unwrap();
    let ways = value["ways_out"].as_array().unwrap();
    let of = |function: &str, how: &str| {
        ways.iter().find(|way| way["function"] == function && way["how"] == how).unwrap()
    };
    // That a modprobe was started a line tells; who joins another's finit_module() is hidden.
    assert!(of("call_usermodehelper_exec_async", "Exec")["shown"].is_string());
    for joined in ["Idempotent: joined: true", "Idempotent: joined: false"] {
        let joined = of("idempotent", joined);
        assert!(joined["shown"].is_null() && joined["filled_in"].is_string(), "{joined}");
    }
    let hidden = of("modprobe", "Stat: found: false");
    assert!(hidden["shown"].is_null() && hidden["filled_in"].is_string(), "{hidden}");
    let never = of("mod_sysfs_setup", "SysfsUndo");
    assert!(never["shown"].is_null() && never["filled_in"].is_null(), "{never}");
    assert!(never["system"].as_str().unwrap().starts_with("sysfs-fails "), "{never}");
    let seen = ways.iter().filter(|way| way["shown"].is_string()).count();
    let text = covered(&["--wide"]);
    let in_systems = ways.iter().filter(|way| way["system"].is_string());
    let both = in_systems.clone().filter(|way| way["shown"].is_string()).count();
    let said = format!("of {} pairs of a step and a way out of it", in_systems.count());
    assert!(
        text.out.contains(&said) && text.out.contains(&format!("{both} are shown")),
        "{}",
        text.out
    );
    assert!(seen > 15, "{seen}");
}

/// A log that another kernel wrote counts for nothing.
#[test]
fn a_log_that_is_refused_is_not_counted() {
    let logs =
        [logs("v4.9-kmod19").into_iter().find(|log| log.ends_with("fail-going.log")).unwrap()];
    let [series, _] = SERIES;
    series
        .covered(&logs, &[])
        .exits(3)
        .says_words("fail-going.log: refused")
        .says_words("0 are shown by a line of 0 logs");
}
