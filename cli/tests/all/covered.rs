//! What logs of real kernels have shown of the model's steps.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::run;

fn logs(folder: &str) -> Vec<String> {
    let folder = Path::new("../sim/tests/fixtures/real-logs").join(folder);
    let mut logs: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.sort();
    logs.iter().map(|log| log.display().to_string()).collect()
}

fn covered(logs: &[String], more: &[&str]) -> crate::common::Run {
    let mut all = vec!["covered", "--modules", "../sim/tests/fixtures/real-logs/6.12-modules"];
    all.extend(logs.iter().map(String::as_str));
    all.extend(["--kernel", "6.12-debian", "--kmod", "v30"]);
    all.extend(more);
    run(&all)
}

#[test]
fn logs_show_steps_and_ways_out_of_them() {
    let logs = logs("6.12-kmod30");
    let value: Value = serde_json::from_str(&covered(&logs, &["--json"]).exits(0).out).unwrap();
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
    let text = covered(&logs, &["--wide"]).exits(0);
    let in_systems = ways.iter().filter(|way| way["system"].is_string());
    let both = in_systems.clone().filter(|way| way["shown"].is_string()).count();
    let said = format!("of {} pairs of a step and a way out of it", in_systems.count());
    assert!(
        text.out.contains(&said) && text.out.contains(&format!("{both} are shown")),
        "{}",
        text.out
    );
    assert!(seen > 15, "{seen}");
    // What docs/reality.md says of them.
    let page = std::fs::read_to_string("../docs/reality.md").unwrap();
    let (of_logs, _) = text.out.split_once('\n').unwrap();
    let page = page.replace('\n', " ");
    assert!(page.contains(of_logs), "{of_logs}");
}

/// A log that another kernel wrote counts for nothing.
#[test]
fn a_log_that_is_refused_is_not_counted() {
    let logs =
        [logs("v4.9-kmod19").into_iter().find(|log| log.ends_with("fail-going.log")).unwrap()];
    covered(&logs, &[])
        .exits(3)
        .says_words("fail-going.log: refused")
        .says_words("0 are shown by a line of 0 logs");
}
