//! `kmodcheck export`: what is written is the system, whole, and reads as Promela. That SPIN says the same of
//! it is what tools/strangers looks at.

use crate::common::run;

#[test]
fn the_race_is_exported_with_its_counts_and_properties() {
    let text = run(&["export", "race", "--format", "promela"]).exits(0).out;
    let check = run(&["check", "race", "--no-symmetry"]).exits(1).out;
    let counts = "504 states, 926 transitions";
    assert!(check.contains(counts), "{check}");
    for part in [
        &format!(" * {counts}."),
        " *     1  no-false-success: ",
        "byte ext4_state = 0; /* ext4.state */\n",
        "byte at[2] = { 1, 1 };\n",
        "active [2] proctype k0_get_fs_type__ext4__() {\n",
        "  :: d_step { /* modprobe: stat /sys/module/ext4: exists: 'built in' */\n",
        "       violates(",
    ] {
        assert!(text.contains(part), "no '{part}' in {text}");
    }
    // Every step begins somewhere and ends somewhere.
    let count = |part: &str| text.matches(part).count();
    assert_eq!(count(":: d_step {"), count("at[_pid] == "));
    assert_eq!(count(":: d_step {"), count("       at[_pid] = "));
    assert_eq!(count("{"), count("}"));
}

#[test]
fn one_property_can_be_judged_and_what_cannot_is_refused() {
    let alone = ["export", "race", "--format", "promela", "--property", "no-false-failure"];
    let text = run(&alone).exits(0).out;
    assert!(text.contains("no-false-failure: ") && !text.contains("no-false-success: "), "{text}");
    run(&["export", "race", "--format", "promela", "--property", "nobody-sleeps-for-ever"])
        .refuses(&["nobody-sleeps-for-ever", "expected one of single steps"]);
    run(&["export", "race", "--format", "tla"]).refuses(&["tla", "promela"]);
}

#[test]
fn a_system_with_too_many_states_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("race.pml");
    let words = ["export", "race", "--format", "promela", "--states-limit", "503", "--out"];
    let cut = run(&[&words[..], &[out.to_str().unwrap()]].concat()).exits(3);
    assert!(cut.err.contains("more than 503 states") && cut.err.contains("nothing was written"));
    assert!(!out.exists());
}

/// A drawn file is a scenario, the same for the same seed and another for another one.
#[test]
fn scenarios_are_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let mut drawn = Vec::new();
    for seed in ["1", "2"] {
        let file = directory.path().join(seed).display().to_string();
        run(&["new", &file, "--drawn", seed]).exits(0);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(run(&["new", "--drawn", seed]).exits(0).out.trim_end(), text.trim_end());
        assert!(run(&["export", &file, "--format", "promela"]).exits(0).out.contains(" states, "));
        drawn.push(text);
    }
    assert_ne!(drawn[0], drawn[1]);
}
