//! Scenario files with programs, as a user meets them.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::common::run;

fn said(arguments: &[&str], status: i32) -> String {
    let run = run(arguments).exits(status);
    run.out + &run.err
}

fn report(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties/scenarios/reports");
    folder.join(name).display().to_string()
}

/// Who waits for whom, which locks they hold, and the run until it can be seen.
#[test]
fn a_hang_says_who_holds_what_and_is_seen() {
    let text = said(&["check", &report("g-request-under-a-mutex.toml"), "--width", "120"], 0);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "CPU1 waits for the lock at mutex_lock(&registry).",
        "CPU0 is holding mutex 'registry'; it then waits for the lock at mutex_lock(&device) in the init of driver",
        "CPU1 is holding mutex 'device': each waits for the other.",
        "CPU1's hotplug never returns.",
        "It cannot be undone from step 2 on",
        "module_add_modinfo_attrs: driver/initstate appears",
    ] {
        assert!(words.contains(part), "{part}\n{words}");
    }
}

#[test]
fn what_a_file_asks_is_answered_shown_saved_and_taken_again() {
    let directory = TempDir::new().unwrap();
    let saved = directory.path().join("run.json").display().to_string();
    let file = report("l-script-before-udev.toml");
    let text = said(&["check", &file, "--save-trace", &saved], 0);
    assert!(
        text.contains("results-of-2               violated (15 steps)    as expected"),
        "{text}"
    );
    assert!(
        text.contains("device-is-used             found (14 steps)       as expected"),
        "{text}"
    );
    assert!(
        text.contains("shows: results-of-2 is violated: script comes to nothing but 0"),
        "{text}"
    );
    let again = said(&["replay", &saved], 0);
    assert!(again.contains("program: READ_ONCE(device) == 0"), "{again}");
    let other = said(&["check", &file, "--witness", "device-is-used"], 0);
    assert!(other.contains("program: WRITE_ONCE(device, true)"), "{other}");
    let result = said(&["check", &file, "--witness", "script=-ENODEV"], 0);
    assert!(result.contains("script comes to '-ENODEV'"), "{result}");

    let json: serde_json::Value =
        serde_json::from_str(&said(&["check", &file, "--json"], 0)).unwrap();
    let asked = json["asked"].as_array().unwrap();
    let of = |name: &str| asked.iter().find(|a| a["property"] == name).unwrap();
    assert_eq!(of("results-of-2")["verdict"], "violated");
    assert_eq!(of("results-of-2")["as_expected"], true);
    assert_eq!(of("device-is-used")["steps"], 14);
    assert_eq!(of("assertions-hold")["verdict"], "holds");
}

/// An unexpected answer to what the file asks ends with 1, one that a limit cut with 3.
#[test]
fn what_a_file_asks_counts() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("asks.toml");
    let text = fs::read_to_string(report("l-script-before-udev.toml")).unwrap();
    fs::write(&file, text.replace("results-of-2 = \"violated\"\n", "")).unwrap();
    let file = file.display().to_string();
    assert!(said(&["check", &file], 1).contains("DIFFERS: expected not violated"));
    assert!(said(&["check", &file, "--states-limit", "5"], 3).contains("out of budget"));
}

#[test]
fn an_assertion_and_a_range_are_violations() {
    let directory = TempDir::new().unwrap();
    for (program, shown) in [
        ("int r = choose(0, 1); assert(r == 0); return 0;", "assert(r == 0): fails"),
        ("if (module_is_live(\"m\") == 0) x++; x++; return 0;", "x++: fails"),
        (
            "modprobe(\"m\"); while (try_module_get(\"m\")) ; rmmod(\"m\"); return 0;",
            "try_module_get(\"m\"): fails",
        ),
        ("modprobe(\"m\"); while (enter(\"m\")) ; return 0;", "enter(\"m\"): fails"),
        ("module_put(\"m\"); rmmod(\"m\"); return 0;", "module_put(\"m\"): fails"),
        ("leave(\"m\"); return 0;", "leave(\"m\"): fails"),
    ] {
        let file = directory.path().join("fails.toml");
        let text = format!(
            "shared = 'int __range(0, 1) x;'\n[[module]]\nname = 'm'\n[[actor]]\nprogram = '''{program}'''\n"
        );
        fs::write(&file, text).unwrap();
        let text = said(&["check", &file.display().to_string()], 1);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("assertions-hold violated"), "{text}");
        assert!(text.contains(shown), "{text}");
    }
}

/// `symbol_request()` is what include/linux/kmod.h makes of it, whichever part of it is written out; and a symbol is
/// had of a module that is LIVE, with a reference.
#[test]
fn symbols_are_asked_for_requested_and_asked_for_again() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties/scenarios/symbol-request.toml");
    let text = fs::read_to_string(&file).unwrap();
    let directory = TempDir::new().unwrap();
    let written = directory.path().join("written-out.toml");
    let in_json = |file: &Path, more: &[&str], exit| -> serde_json::Value {
        let name = file.display().to_string();
        let found = said(&[&["check", &name, "--json"], more].concat(), exit);
        serde_json::from_str(&found).unwrap()
    };
    let found = in_json(&file, &[], 0);
    for instead in [
        "try_then_request_module(symbol_get(\"tuner_attach\"), \"symbol:\" \"tuner_attach\")",
        "(symbol_get(\"tuner_attach\") ?: (request_module(\"symbol:tuner_attach\"), symbol_get(\"tuner_attach\")))",
    ] {
        let text = text.replace("symbol_request(\"tuner_attach\")", instead);
        assert!(text.contains(instead));
        fs::write(&written, text).unwrap();
        let same = in_json(&written, &[], 0);
        for key in ["/report/states", "/report/transitions", "/asked", "/results"] {
            assert!(found.pointer(key).is_some(), "{key}");
            assert_eq!(same.pointer(key), found.pointer(key), "{instead}: {key}");
        }
    }
    // The next release finds it, whoever is first.
    let after = in_json(&file, &["--kmod", "v20"], 1);
    let of = |name: &str| {
        let asked = after["asked"].as_array().unwrap();
        asked.iter().find(|asked| asked["property"] == name).unwrap()["verdict"].clone()
    };
    assert_eq!(of("results-of-1"), "holds");

    for (program, verdict) in [
        ("if (symbol_get(\"s\")) { assert(module_is_live(\"m\")); symbol_put(\"s\"); }", "holds"),
        (
            "if (try_module_get(\"m\")) { assert(module_is_live(\"m\")); module_put(\"m\"); }",
            "violated",
        ),
        ("if (symbol_get(\"s\")) { assert(rmmod(\"m\") == 1); symbol_put(\"s\"); }", "holds"),
        ("if (symbol_get(\"s\")) { symbol_put(\"s\"); assert(rmmod(\"m\") == 1); }", "violated"),
    ] {
        let text = format!(
            "[[module]]\nname = 'm'\naliases = ['symbol:s']\n\
             [[actor]]\nprogram = '''{program} return 0;'''\n\
             [[actor]]\ncall = 'modprobe'\nname = 'm'\n\
             [[actor]]\ncall = 'rmmod'\nname = 'm'\n[expect]\nassertions-hold = '{verdict}'\n"
        );
        fs::write(&written, text).unwrap();
        let found = in_json(&written, &[], 0);
        let all = found["asked"].as_array().unwrap();
        let of = all.iter().find(|asked| asked["property"] == "assertions-hold").unwrap();
        assert_eq!(of["verdict"], verdict, "{program}");
    }
}

/// `insmod` hands one file to the kernel: what is there already is an error, and so is what it needs and is not there.
#[test]
fn insmod_inserts_one_file_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("insmod.toml");
    let name = file.display().to_string();
    let modules = "[[module]]\nname = 'a-b'\ndependencies = ['d']\n[[module]]\nname = 'd'\n";
    for (kernel, actors) in [
        (
            "v4.9",
            "[[actor]]\nprogram = '''\n  assert(insmod(\"a-b\") == 1);\n  assert(insmod(\"d\") == 0);\n  \
             assert(insmod(\"a_b\") == 0);\n  assert(insmod(\"a-b\") == 1);\n  assert(modprobe(\"a-b\") == 0);\n  \
             return 0;\n'''\nresults = ['0']\n[expect]\nassertions-hold = 'holds'\nresults-of-1 = 'holds'\n",
        ),
        // Of two at once one comes too late, whatever the kernel makes of the second call.
        (
            "v4.9",
            "[[actor]]\ncall = 'insmod'\nname = 'd'\ncount = 2\nresults = ['exit 0', 'exit 1']\n[expect]\nresults-of-1 = 'holds'\n",
        ),
        (
            "v4.9",
            "[[actor]]\ncall = 'insmod'\nname = 'd'\ncount = 2\nresults = ['exit 0']\n[expect]\nresults-of-1 = 'violated'\n",
        ),
        (
            "v4.9",
            "[[actor]]\nprogram = '''\n  if (insmod(\"d\") == 0) loaded++;\n  return 0;\n'''\ncount = 2\n\
             [[property]]\nname = 'both'\nexists = 'loaded == 2'\n[expect]\nboth = 'violated'\n",
        ),
        // Who joins an earlier call gets its result (9b9879fc0327).
        (
            "v6.5",
            "[[actor]]\nprogram = '''\n  if (insmod(\"d\") == 0) loaded++;\n  return 0;\n'''\ncount = 2\n\
             [[property]]\nname = 'both'\nexists = 'loaded == 2'\n[expect]\nboth = 'holds'\n",
        ),
        // Its module's init asks for another one, through modprobe.
        (
            "v4.9",
            "[[module]]\nname = 'asks'\ninit = '''\n  return request_module(\"d\") == 0 ? 0 : -ENOENT;\n'''\n\
             [[actor]]\nprogram = '''\n  assert(insmod(\"asks\") == 0);\n  assert(module_is_live(\"d\"));\n  \
             return 0;\n'''\n[expect]\nassertions-hold = 'holds'\n",
        ),
    ] {
        let shared =
            if actors.contains("loaded") { "shared = 'int __range(0, 2) loaded;'\n" } else { "" };
        let text =
            format!("{shared}[features]\nkernel = '{kernel}'\nkmod = 'v20'\n{modules}{actors}");
        fs::write(&file, &text).unwrap();
        let found = said(&["check", &name, "--json"], 0);
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        let asked = found["asked"].as_array().unwrap();
        assert!(asked.iter().any(|a| a["as_expected"] == true), "{text}");
    }
}

/// The user's own faults, each where it stands.
#[test]
fn what_is_wrong_with_a_program_is_shown_in_the_file() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("wrong.toml");
    let name = file.display().to_string();
    for (rest, at, found) in [
        (
            "[[actor]]\nprogram = '''\n  return requst_module(\"m\");\n'''",
            ":5:10",
            "a call of 'requst_module'",
        ),
        ("[[actor]]\nprogram = '''\n  return request_module(\"n\");\n'''", ":5:25", "found 'n'"),
        (
            "[[actor]]\nprogram = '''\n  if (modprobe(\"m\"))\n    return 1;\n'''",
            ":5:7",
            "exit status",
        ),
        ("[[actor]]\nprogram = '''\n  rmmod(\"n\");\n'''", ":5:9", "'n'"),
        (
            "[[actor]]\nprogram = '''\n  symbol_request(\"s\");\n'''",
            ":5:18",
            "found 'symbol:s', which no module exports",
        ),
        (
            "[[actor]]\nprogram = '''\n  symbol_request(s, 1);\n'''",
            ":5:3",
            "found 2 arguments of 'symbol_request'",
        ),
        ("[[actor]]\nprogram = \"\\treturn 0;\"", ":4:11", "escapes"),
        ("[[actor]]\nprogram = 'return 0;'\ncall = 'modprobe'", ":5:8", "'call' beside 'program'"),
        ("[[actor]]\nname = 'm'", ":4:8", "an actor that does nothing"),
        (
            "init = '''\n  return modprobe(\"m\");\n'''\n[[actor]]\nprogram = 'return 0;'",
            "",
            "found modprobe() in an init or exit",
        ),
        (
            "init = '''\n  mutex_lock(&m);\n  return 0;\n'''\n[[actor]]\ncall = 'modprobe'\nname = 'm'",
            ":4:15",
            "'m'",
        ),
        (
            "[[actor]]\nprogram = 'return 0;'\n[[property]]\nname = 'x'\nnever = 'y == 1'",
            ":7:10",
            "found 'y'",
        ),
        (
            "[[actor]]\nprogram = 'return 0;'\n[[property]]\nname = 'x'",
            ":6:8",
            "without one condition",
        ),
        (
            "[[actor]]\nprogram = 'return 0;'\n[[property]]\nname = 'no-false-success'\nnever = '1'",
            ":6:8",
            "'no-false-success'",
        ),
        (
            "[[actor]]\nprogram = 'return 0;'\n[[property]]\nname = 'x'\nnever = 'state(\"n\") == LIVE'",
            ":7:16",
            "state(\"n\")",
        ),
    ] {
        fs::write(&file, format!("[[module]]\nname = 'm'\n{rest}\n")).unwrap();
        let text = said(&["check", &name], 2);
        assert!(text.contains(found), "{found}: {text}");
        assert!(text.contains(&format!("{name}{at}")), "{at}: {text}");
    }
    fs::write(
        &file,
        "shared = 'int x;'\n[[module]]\nname = 'm'\n[[actor]]\ncall = 'modprobe'\nname = 'm'\n",
    )
    .unwrap();
    assert!(said(&["check", &name], 2).contains("'shared' and no program"));
    fs::write(&file, "[[module]]\nname = 'm'\n[[actor]]\ncall = 'modprobe'\nname = 'm'\nresults = ['exit 0', 'exit 3']\n")
        .unwrap();
    assert!(
        said(&["check", &name], 2)
            .contains("results-of-1: found result 'exit 3', expected one of: exit 0")
    );
}

/// Each kind of file to begin with is what it says it is.
#[test]
fn files_to_begin_with_are_as_expected() {
    let directory = TempDir::new().unwrap();
    for kind in ["race", "hang", "script", "module-init"] {
        let file = directory.path().join(kind).display().to_string();
        said(&["new", &file, "--kind", kind], 0);
        let text = said(&["check", &file], 0);
        assert!(text.contains("as expected") && !text.contains("DIFFERS"), "{kind}: {text}");
    }
    said(&["new", "--kind", "hang", "--drawn", "1"], 2);
}

/// What the page teaches is so.
#[test]
fn the_example_of_the_page_is_as_expected() {
    let page = include_str!("../../../docs/scenarios.md");
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("page.toml");
    fs::write(&file, example).unwrap();
    let text = said(&["check", &file.display().to_string()], 0);
    assert!(
        text.contains("nobody-sleeps-for-ever     violated (2 steps)     as expected"),
        "{text}"
    );
}

/// Other commands tell of programs, too.
#[test]
fn other_commands_take_programs() {
    let file = report("g-request-under-a-mutex.toml");
    for arguments in [
        &["prove", &file][..],
        &["progress", &file],
        &["fixes", &file, "--max-size", "1"],
        &["sample", &file, "--executions", "200"],
        &["export", &file, "--format", "promela"],
        &["compare", &file, "--kernel", "v4.9", "--kernel", "v6.2"],
        &["report", &file, "--out", concat!(env!("CARGO_TARGET_TMPDIR"), "/programs.html")],
    ] {
        let run = run(arguments);
        let text = run.out + &run.err;
        assert!(matches!(run.status, Some(0 | 1)), "{arguments:?}: {text}");
        assert!(
            !text.contains("statement 1") && !text.contains("panicked"),
            "{arguments:?}: {text}"
        );
    }
}

/// A request beside any number of others, which looks whether what it asked for is there.
const LIED_TO: &str = r#"
shared = 'bool lied;'
[features]
kernel = "v4.9"
kmod = "v19"
[[module]]
name = "ext4"
[[actor]]
call = "request_module"
name = "ext4"
[[actor]]
name = "filesystem"
program = """
    if (request_module("ext4") == 0 && !module_is_live("ext4"))
        lied = true;
"""
[[property]]
name = "no-lie"
never = 'lied'
[[property]]
name = "lied-to"
exists = 'lied'
"#;

/// What a file asks itself is decided for any number of callers, too, and compared between releases.
#[test]
fn what_a_file_asks_is_proved_and_compared() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("lied-to.toml").display().to_string();
    fs::write(&file, LIED_TO).unwrap();
    let json = |arguments: &[&str], status| -> serde_json::Value {
        serde_json::from_str(&said(arguments, status)).unwrap()
    };
    let text = said(&["prove", &file], 0);
    assert!(text.contains("\n  no-lie                      from 1: "), "{text}");
    assert!(text.contains("\n  lied-to                     N=1: found (asked of"), "{text}");
    assert!(text.contains("(asked of these callers)") && text.contains("lied = true"), "{text}");
    // What would make it hold is looked for as of any property.
    let text = said(&["fixes", &file, "--property", "no-lie", "--max-size", "1"], 0);
    assert!(text.starts_with("no-lie: ") && text.contains("as it is: violated"), "{text}");
    assert!(text.contains("- bare-directory=coming: holds"), "{text}");
    let asked = ["fixes", &file, "--property", "lied-to", "--max-size", "1", "--json"];
    let found: serde_json::Value = serde_json::from_str(&run(&asked).exits(0).out).unwrap();
    assert_eq!((&found["property"], &found["base"]["holds"]), (&"lied-to".into(), &true.into()));
    run(&["fixes", &file, "--property", "no-lei"]).refuses(&["did you mean 'no-lie'?"]);
    run(&["fixes", "--property", "no-lei"]).refuses(&["found property 'no-lei'"]);
    let proved = json(&["prove", &file, "--json"], 0);
    let asked = &proved["systems"][0]["asked"];
    assert_eq!((&asked[0]["verdict"], &asked[0]["callers"]), (&"violated".into(), &1.into()));
    let steps = asked[0]["run"]["steps"].as_array().unwrap().len();
    let text = said(&["prove", &file, "--kmod", "v20"], 0);
    assert!(text.contains("\n  no-lie                      holds\n"), "{text}");
    assert!(text.contains("\n  lied-to                     N=1: not to be found ("), "{text}");
    // How many are inside is not counted without a limit where there is any number: it is not said to hold for it.
    let counting = LIED_TO.replace("never = 'lied'", "never = 'inside(\"ext4\") == 4'");
    let counting = counting.replace("lied = true;", "lied = enter(\"ext4\");");
    let other = directory.path().join("counting.toml").display().to_string();
    fs::write(&other, counting).unwrap();
    let text = said(&["prove", &other, "--kmod", "v20"], 0);
    assert!(text.contains("\n  no-lie                      N=1: holds (it counts"), "{text}");
    // One property alone is asked for.
    let text = said(&["prove", &file, "--property", "no-false-success"], 0);
    assert!(!text.contains("no-lie"), "{text}");

    let compare = ["compare", &file, "--kmod", "v19", "--kmod", "v20"];
    let text = said(&compare, 1);
    let line = format!("no-lie                     violated ({steps} steps) -> holds [");
    assert!(text.contains(&line), "{line}\n{text}");
    let line = format!("lied-to                    found ({steps} steps) -> not to be found [");
    assert!(text.contains(&line) && text.contains("lied = true"), "{line}\n{text}");
    let compared = json(&[&compare[..], &["--json"]].concat(), 1);
    let [no_lie, lied_to] = [&compared["asked"][0], &compared["asked"][1]];
    assert_eq!((&no_lie["before"], &no_lie["after"]), (&"violated".into(), &"holds".into()));
    assert_eq!((&lied_to["before"], &lied_to["after"]), (&"holds".into(), &"violated".into()));
    for asked in [no_lie, lied_to] {
        assert_eq!((&asked["changes"], &asked["only"]), (&true.into(), &"before".into()));
        assert_eq!(asked["witness"]["steps"].as_array().unwrap().len(), steps);
    }
    let text = said(&["compare", &file, "--kmod", "v20", "--kmod", "v30"], 0);
    assert!(text.contains("no-lie, lied-to"), "{text}");
}

/// On random walks, too, whole or in parts.
#[test]
fn what_a_file_asks_is_sampled() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    let scenario = file("lied-to.toml");
    fs::write(&scenario, LIED_TO).unwrap();
    let whole = said(&["sample", &scenario, "--executions", "300"], 1);
    let line = |text: &str, name: &str| -> String {
        let found = text.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("{name}\n{text}")).to_owned()
    };
    let (no_lie, lied_to) = (line(&whole, "no-lie "), line(&whole, "lied-to "));
    assert!(no_lie.contains("violated in ") && lied_to.contains("found in "), "{whole}");
    let walks = |line: &str| line.split_once(" in ").unwrap().1.to_owned();
    assert_eq!(walks(&no_lie), walks(&lied_to), "they are of the same states");
    assert!(line(&whole, "assertions-hold ").ends_with("not met"), "{whole}");
    let parts = ["1/2", "2/2"].map(|shard| {
        let part = file(&shard.replace('/', "-of-"));
        let arguments = ["sample", &scenario, "--executions", "300", "--shard", shard, "--out"];
        run(&[&arguments[..], &[&part]].concat());
        part
    });
    let merged = said(&["merge", &parts[0], &parts[1]], 1);
    assert_eq!(merged, whole);
    // With kmod v20 it is found nowhere, and that is no violation; nor is it that something is found.
    let kmod = ["sample", &scenario, "--executions", "300", "--kmod", "v20"];
    let text = said(&kmod, 0);
    assert!(line(&text, "lied-to ").ends_with("not met"), "{text}");
    let only_found = LIED_TO.replace("never = 'lied'", "never = 'lied && !lied'");
    fs::write(&scenario, only_found).unwrap();
    let text = said(&["sample", &scenario, "--executions", "300"], 1);
    assert!(line(&text, "no-lie ").ends_with("not met"), "{text}");
    // What a part says is believed no further than the rest of it allows.
    let part = fs::read_to_string(&parts[0]).unwrap();
    for (change, to, expected) in [
        ("{\"property\":\"no-lie\"", "{\"property\":\"no-truth\"", "expected no-lie"),
        (
            "{\"property\":\"lied-to\",\"violated\":",
            "{\"property\":\"lied-to\",\"violated\":999",
            "expected at most",
        ),
        ("\"exists\":false", "\"exists\":true", "another campaign"),
    ] {
        assert!(part.contains(change), "{change}: {part}");
        let changed = file("changed");
        fs::write(&changed, part.replacen(change, to, 1)).unwrap();
        run(&["merge", &changed, &parts[1]]).refuses(&[expected]);
    }
}

/// What holds is violated by a fault, and by which, or by none, is said.
#[test]
fn what_holds_is_tried() {
    let file = report("g-request-outside.toml");
    let text = said(&["check", &file, "--faults"], 0);
    for part in [
        "\nassertions-hold            by none of them",
        "\nmodprobe-tells-the-truth   fault 'skip-set-live' of the model",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("was not seen to fail"), "{text}");
    let file = report("l-script-after-settle.toml");
    let json: serde_json::Value =
        serde_json::from_str(&said(&["check", &file, "--faults", "--json"], 0)).unwrap();
    let held = json["faults"]["held"].as_array().unwrap();
    let of =
        |name: &str| held.iter().find(|h| h["property"] == name).unwrap()["violated_by"].clone();
    assert_eq!(of("results-of-2"), "script without 'wait_event(handled, READ_ONCE(device));'");
    assert_eq!(of("nobody-sleeps-for-ever"), "udev without 'WRITE_ONCE(device, true);'");
    assert_eq!(json["faults"]["complete"], true);
    run(&["check", &file, "--faults", "--engine", "counted"])
        .refuses(&["--faults", "--engine counted"]);
}

/// A scenario in JSON is held to the same limits: each question is a bit, and is about an actor that is there.
#[test]
fn questions_in_json_are_counted() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("asks.json").display().to_string();
    let toml = report("h1-request-succeeded-but-no-fs.toml");
    let json: serde_json::Value =
        serde_json::from_str(&said(&["check", &toml, "--json"], 0)).unwrap();
    let ask = json["scenario"]["asks"][0].clone();
    for (asks, found) in [
        (vec![ask.clone(); 33], "33 properties and results of its own, expected at most 32"),
        (
            vec![{
                let mut ask = ask.clone();
                ask["actor"] = 7.into();
                ask
            }],
            "asks for actor number 7, expected a number below 2",
        ),
    ] {
        let mut scenario = json["scenario"].clone();
        scenario["asks"] = asks.into();
        fs::write(&file, scenario.to_string()).unwrap();
        let text = said(&["check", &file], 2);
        assert!(text.contains(found), "{found}: {text}");
    }
}

/// A signal ends a killable wait of who may be killed, in a program of its own or in the init that its modprobe runs.
#[test]
fn a_signal_ends_a_killable_wait() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("killed.toml");
    let shared = "shared = 'DECLARE_COMPLETION(c);'\n[[module]]\nname = 'm'\n";
    let waits = "return wait_for_completion_killable(&c);";
    for (rest, killable, result) in [
        (format!("[[actor]]\nprogram = '{waits}'\n"), false, "sleeps for ever"),
        (format!("[[actor]]\nprogram = '{waits}'\n"), true, "-ERESTARTSYS"),
        (
            format!("init = '{waits}'\n[[actor]]\ncall = 'modprobe'\nname = 'm'\n"),
            false,
            "sleeps for ever",
        ),
        (format!("init = '{waits}'\n[[actor]]\ncall = 'modprobe'\nname = 'm'\n"), true, "exit 1"),
    ] {
        fs::write(&file, format!("{shared}{rest}killable = {killable}\n")).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&said(&["check", &file.display().to_string(), "--json"], 1))
                .unwrap();
        let results = json["results"][0]["results"].as_array().unwrap();
        let has = results.iter().any(|found| found == result);
        let for_ever = results.iter().any(|found| found == "sleeps for ever");
        assert!(has && for_ever != killable, "{rest}{killable}: {results:?}");
    }
}
