//! Logs of a real kernel against the model.

use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_model::scenario::{Action, Resolution};
use kmodcheck_sim::trace::ftrace::{About, Answer, FtraceError, Recording};

const LIMIT: u64 = 4_000_000;

const ENODEV: &str = "19-delayed-vfat-ENODEV";
const PARMOUNT: &str = "30-parmount4-vfat";
const NOSUCHFS: &str = "30-nosuchfs";
const RMMOD: &str = "30-rmmod";

/// A recorded log, by the end of its name.
fn log(name: &str) -> (String, String) {
    let file = format!("tests/fixtures/real-logs/kernel-6.1-kmod-{name}.log");
    let text = std::fs::read_to_string(&file).unwrap();
    (file, text)
}

fn features(kernel: &str, kmod: &str) -> Features {
    Features { kernel: presets::kernel(kernel).unwrap(), kmod: presets::kmod(kmod).unwrap() }
}

fn decide(name: &str, kernel: &str, kmod: &str) -> (Recording, Answer) {
    let (file, text) = log(name);
    let recording = Recording::new(&file, &text, features(kernel, kmod), About::default()).unwrap();
    let answer = recording.decide(LIMIT).unwrap();
    (recording, answer)
}

#[test]
fn undelayed_logs_are_behaviours_of_every_later_kmod() {
    for name in [PARMOUNT, NOSUCHFS, RMMOD] {
        for kmod in ["v20", "v30", "v34.2"] {
            let (recording, answer) = decide(name, "6.1-debian", kmod);
            assert!(answer.is_accepted(), "{}", answer.text(&recording, true));
            // Everybody has come back, so nothing is open at the end.
            assert_eq!(answer.states(), 1, "{name} {kmod}");
        }
    }
}

#[test]
fn the_race_is_a_behaviour_of_v19() {
    let (recording, answer) = decide(ENODEV, "6.1-debian", "v19");
    assert!(answer.is_accepted(), "{}", answer.text(&recording, true));
    let text = answer.text(&recording, true);
    // The look that nobody saw is put where it must have been: after the directory of vfat was made
    // and before its initstate, and it is the stand-in's reason to exit.
    let lie = text.find("+ modprobe-711: modprobe: stat /sys/module/vfat: exists: 'built in'");
    let mkfile = text.find("kobj=\"vfat\" attr=\"initstate\"").unwrap();
    let exit = text.find("sched_process_exit: comm=modprobe pid=711").unwrap();
    assert!(mkfile < lie.unwrap() && lie.unwrap() < exit, "{text}");
}

/// Line 105: process 711 is gone and has not called `finit_module()` for vfat.
#[test]
fn the_race_is_no_behaviour_of_v20() {
    for kmod in ["v20", "v30", "v34.2"] {
        let (recording, answer) = decide(ENODEV, "6.1-debian", kmod);
        assert_eq!(answer.refused_line(&recording), Some(105), "{kmod}");
        let (_, text) = log(ENODEV);
        let line = text.lines().nth(104).unwrap();
        assert!(line.contains("sched_process_exit") && line.contains("pid=711"), "{line}");
        let allowed = answer.allowed(&recording);
        let mine: Vec<&str> =
            allowed.iter().filter(|(a, _)| a == "modprobe-711").map(|(_, s)| &**s).collect();
        assert_eq!(mine, ["add_unformed_module: vfat is COMING: has to wait"]);
    }
}

#[test]
fn who_plays_whom() {
    let (recording, _) = decide(ENODEV, "6.1-debian", "v19");
    let cast = recording.cast();
    let tasks: Vec<&str> = cast.players.iter().map(|p| &*p.task).collect();
    assert_eq!(tasks, ["parmount-710", "parmount-707", "parmount-709", "parmount-708"]);
    assert!(cast.players.iter().all(|p| p.action == Action::GetFsType(0)));
    assert_eq!(cast.helpers.len(), 4);
    assert!(cast.loaded.is_empty());
    let scenario = recording.model().scenario();
    let modules: Vec<&str> = scenario.modules.iter().map(|m| &*m.name).collect();
    assert_eq!(modules, ["fat", "vfat"]);
    assert_eq!(scenario.modules[1].dependencies, [0]);
    let Resolution::Modules(targets) = &scenario.names[0].resolution else { panic!() };
    assert_eq!(targets[0].module, 1);
    assert_eq!(targets[0].probe.iter().map(|p| p.module).collect::<Vec<_>>(), [0, 1]);

    let (recording, _) = decide(RMMOD, "6.1-debian", "v30");
    let actions: Vec<Action> = recording.cast().players.iter().map(|p| p.action).collect();
    let scenario = recording.model().scenario();
    let unloaded: Vec<&str> = actions
        .iter()
        .map(|action| &*scenario.modules[usize::from(action.module().unwrap())].name)
        .collect();
    assert_eq!(unloaded, ["vfat", "fat", "xfs"]);
    // libcrc32c is never unloaded, but xfs gives a reference on it back.
    assert_eq!(recording.cast().loaded.len(), 4);

    let (recording, _) = decide(NOSUCHFS, "6.1-debian", "v30");
    assert_eq!(recording.model().scenario().names[0].resolution, Resolution::NotFound);
}

#[test]
fn what_cannot_be_read_is_an_error_with_its_line() {
    let read = |text: &str| {
        Recording::new("x.log", text, features("6.1-debian", "v30"), About::default())
            .map(|_| ())
            .unwrap_err()
    };
    let line = |error: FtraceError, wanted: usize| match error {
        FtraceError::Line { file, line, .. } => assert_eq!((&*file, line), ("x.log", wanted)),
        other => panic!("{other}"),
    };
    line(read("# comment\n\nhello\n"), 3);
    line(read("modprobe-1 [000] ..... 1.0: mod_tree_insert: (x+0x0/0x1) st=3\n"), 1);
    line(read("modprobe-1 [000] ..... 1.0: load_module_ret: (x) ret=many\n"), 1);
    // The kernel's results are of 32 bits.
    line(read("modprobe-1 [000] ..... 1.0: load_module_ret: (x) ret=4294967296\n"), 1);
    line(read("modprobe-1 [000] ..... 1.0: sys_finit_module -> 0xfffffff7fffffff0\n"), 1);
    line(read("modprobe-1 [000] ..... soon: module_load: fat\n"), 1);
    // A module is listed by a process whose finit_module() is not in the log.
    let other = "modprobe-2 [000] ..... 1.0: sys_finit_module(fd: 0)\n\
                 modprobe-2 [000] ..... 1.0: load_module: (x)\n";
    let listed = "modprobe-1 [000] ..... 1.0: mod_tree_insert: (x) name=\"fat\" st=3\n";
    line(read(&format!("{other}{listed}")), 3);
    assert!(matches!(read(listed), FtraceError::Missing { event: "load_module", .. }));
    assert!(matches!(read("# nothing\n"), FtraceError::Nothing { .. }));
    let other = "cat-1 [000] ..... 1.0: sched_process_exec: filename=/bin/cat pid=1 old_pid=1\n";
    assert!(matches!(read(other), FtraceError::Nothing { .. }));
    let mut calls = String::new();
    for pid in 1..=300 {
        calls += &format!("m-{pid} [000] ..... 1.0: get_fs_type: (x) fs=\"vfat\"\n");
    }
    assert!(matches!(read(&calls), FtraceError::TooMany { found: 300, most: 128, .. }));
    let mut modules = String::from("m-1 [000] ..... 1.0: sys_finit_module(fd: 0)\n");
    modules += "m-1 [000] ..... 1.0: load_module: (x)\n";
    for number in 1..=300 {
        modules +=
            &format!("m-1 [000] ..... 1.0: module_get: m{number} call_site=resolve_symbol\n");
    }
    assert!(matches!(read(&modules), FtraceError::TooMany { what: "modules", found: 22, .. }));
    let mut names = String::new();
    for pid in 1..=17 {
        names += &format!("m-{pid} [000] ..... 1.0: get_fs_type: (x) fs=\"fs{pid}\"\n");
    }
    let error = read(&names);
    assert!(matches!(error, FtraceError::TooMany { what: "requested names", found: 17, .. }));
}

/// Unrelated lines anywhere change nothing; lost events end what can be decided.
#[test]
fn unrelated_lines_and_lost_events() {
    let (_, text) = log(PARMOUNT);
    let noise = [
        "  kworker/u4:2-ev-31      [001] d..2.    11.000000: sched_switch: prev_comm=a b [x] prev_pid=1",
        "          <idle>-0       (-------) [000] 11.0: console: [ 1.0] text: with: colons",
        "            bash-77      [000] .....    11.0: sys_openat(dfd: ffffff9c, filename: 7ffc)",
    ];
    let mut noisy = String::new();
    for (number, line) in text.lines().enumerate() {
        noisy += line;
        noisy += "\n";
        noisy += noise[number % noise.len()];
        noisy += "\n";
    }
    let decide = |text: &str| {
        let features = features("6.1-debian", "v30");
        let recording = Recording::new("x.log", text, features, About::default()).unwrap();
        let answer = recording.decide(LIMIT).unwrap();
        (recording, answer)
    };
    let (plain, _) = decide(&text);
    let (recording, answer) = decide(&noisy);
    assert!(answer.is_accepted(), "{}", answer.text(&recording, true));
    assert_eq!(recording.cast().observations.len(), plain.cast().observations.len());

    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(60, "CPU:1 [LOST 23 EVENTS]");
    // What follows makes no sense without what was lost, and is not looked at.
    lines.drain(61..70);
    let (recording, answer) = decide(&lines.join("\n"));
    assert!(answer.is_accepted());
    assert_eq!(recording.lost_at(), Some(61));
    assert!(answer.text(&recording, false).contains("x.log:61: the tracer lost events"));
}
