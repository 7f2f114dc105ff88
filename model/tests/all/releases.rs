//! Releases that are no preset: which commits are in them, and the switches that come of it.

use kmodcheck_model::presets::{self, Switch};
use kmodcheck_model::releases::{COMMITS, Has, Release};
use kmodcheck_model::{Event, Ret};

fn kernel(text: &str) -> Release {
    Release::kernel(text).unwrap_or_else(|error| panic!("{error}"))
}

/// What the presets say by hand the table of commits says, too.
#[test]
fn the_presets_are_what_their_commits_make_of_them() {
    let of = [
        ("v4.9", "4.9"),
        ("v4.13", "v4.13"),
        ("v5.3", "5.3"),
        ("v5.5", "5.5.0"),
        ("v5.7", "5.7"),
        ("v5.10", "5.10"),
        ("v5.11", "5.11"),
        ("v5.17", "5.17"),
        ("v6.2", "6.2"),
        ("v6.5", "6.5"),
        ("v6.5+dup", "6.5+dup"),
        ("v6.11", "6.11"),
        ("v6.11+dup", "6.11+dup"),
        ("v6.12", "6.12"),
        ("v6.12+dup", "6.12+dup"),
        ("v6.16", "6.16"),
        ("v6.16+dup", "6.16+dup"),
        ("v7.1", "7.1"),
        ("v7.1+dup", "7.1+dup"),
        ("v7.3", "7.3"),
        ("v7.3+dup", "7.3+dup"),
        ("6.1-debian", "6.1.192"),
        ("6.12-debian", "6.12.117+deb12-amd64"),
    ];
    for (preset, release) in of {
        assert_eq!(presets::kernel(preset).unwrap(), kernel(release).kernel_features(), "{preset}");
    }
    for preset in presets::KMODS
        .into_iter()
        .filter(|name| !["after-v34.2", "busybox", "busybox-small", "toybox"].contains(name))
    {
        let release = Release::kmod(preset).unwrap();
        assert_eq!(presets::kmod(preset).unwrap(), release.kmod_features(), "{preset}");
    }
    // Of the presets that are releases none is left out.
    let releases = presets::KERNELS.into_iter().filter(|name| !name.starts_with("v4.9+"));
    assert_eq!(releases.count(), of.len());
}

#[test]
fn every_switch_that_a_commit_sets_is_one() {
    let mut features = kmodcheck_model::features::Features {
        kernel: presets::kernel("v4.9").unwrap(),
        kmod: presets::kmod("v5").unwrap(),
    };
    for commit in COMMITS {
        assert!(!commit.sets.is_empty(), "{} is not in the model", commit.id);
        for (name, value) in commit.sets {
            let switch = Switch::find(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(switch.side, commit.side, "{name}");
            assert!(switch.set(&mut features, value), "{name}={value}");
            assert!(
                switch.commit.contains(commit.id),
                "{name} is of {}, not {}",
                switch.commit,
                commit.id
            );
        }
        // A stable release is older than the first that has it anyway, and each series is there once.
        let all: Vec<[u32; 2]> =
            commit.stable.iter().chain(commit.unsure).map(|of| [of[0], of[1]]).collect();
        for (at, series) in all.iter().enumerate() {
            assert!(
                *series < commit.since && !all[..at].contains(series),
                "{} in {series:?}",
                commit.id
            );
        }
    }
    // Oldest first: what comes later counts.
    for pair in COMMITS.windows(2) {
        assert!(pair[0].side != pair[1].side || pair[0].since <= pair[1].since, "{}", pair[1].id);
    }
}

#[test]
fn stable_releases_have_what_was_taken_back_into_them() {
    let has = |release: &str, id: &str| {
        let commit = COMMITS.iter().find(|commit| commit.id == id).unwrap();
        kernel(release).has(commit)
    };
    let waits_once = "0254127ab977";
    assert_eq!(has("5.15.90", waits_once), Has::Not);
    assert_eq!(has("5.15.91", waits_once), Has::Stable([5, 15, 91]));
    assert_eq!(has("v5.16", waits_once), Has::Not);
    assert_eq!(has("6.1", waits_once), Has::Not);
    assert_eq!(has("6.2.0-rt1", waits_once), Has::Mainline);
    assert_eq!(has("6.12.115+deb12-amd64", "d258ed8a86bb"), Has::Stable([6, 12, 110]));
    assert_eq!(has("4.9.250", "38dc717e9715"), Has::Unsure([4, 9, 250]));
    // A distribution's name says nothing of what it is based on.
    assert_eq!(has("6.1.0-50-amd64", waits_once), Has::Hidden([6, 1, 9]));
    assert_eq!(has("5.15.0-91-generic", waits_once), Has::Hidden([5, 15, 91]));
    assert_eq!(has("5.15.0", waits_once), Has::Not);
    let hidden = kernel("6.1.0-50-amd64");
    assert_eq!(hidden.kernel_features(), presets::kernel("v5.17").unwrap());
    assert!(
        hidden.notes()[1].starts_with("not known whether listed-name=waits-once"),
        "{:?}",
        hidden.notes()
    );
    assert!(
        kernel("4.18.0-553.el8").notes()[0].starts_with("a distribution's own, taken as v4.18")
    );
    let expected = [
        "waits-for-all-async=on: 67d6212afda2 is in 5.15.25 (seen as a release candidate only)",
        "listed-name=waits-once: 0254127ab977 is in 5.15.91",
    ];
    assert_eq!(kernel("5.15.131").notes(), expected);
    assert!(kernel("v6.8").notes().is_empty());
    assert!(kernel("7.9").notes()[0].contains("newer than v7.3"));
    assert_eq!(has("6.1.192", "96a1a2412acb"), Has::Not);
    assert_eq!(has("6.12.28", "f95bbfe18512"), Has::Stable([6, 12, 28]));
    assert!(!presets::kernel("6.12.27").unwrap().driver_directories);
    // v6.4 is neither v6.2 nor v6.5.
    let between = kernel("6.4.16").kernel_features();
    assert!(between.early_mod_check && !between.idempotent_finit);
    assert!(kernel("7.1").kernel_features().eexist_safety_net);
    assert!(Release::kmod("29").unwrap().kmod_features().builtin_aliases);
    assert_eq!(presets::kmod("v21"), presets::kmod("v20"));
    assert_eq!(presets::kernel("6.12.117"), presets::kernel("6.12-debian"));
    assert!(presets::kernel("6.12.12").unwrap().fails_after_live);
    assert!(!presets::kernel("6.12.13").unwrap().fails_after_live);
    assert!(!presets::kernel("6.8").unwrap().fails_after_live, "d1909c022173 is in v6.9");
}

#[test]
fn what_is_no_release_is_refused() {
    for (text, expected) in [
        ("6.4-rc4", "a release candidate"),
        ("4.4.302", "expected v4.9 or a later one"),
        ("linux", "expected a release such as 6.12"),
        ("6", "expected a release such as 6.12"),
        ("6.", "expected a release such as 6.12"),
        ("6.12x", "expected a release such as 6.12"),
        ("v4.9+verfy", "expected a release such as 6.12"),
        ("", "expected a release such as 6.12"),
        ("99999999999.1", "expected a release such as 6.12"),
    ] {
        let error = Release::kernel(text).unwrap_err();
        assert!(error.contains(expected) && error.contains(&format!("'{text}'")), "{error}");
    }
    for (text, expected) in [
        ("4", "expected v5"),
        ("new", "such as 29"),
        ("30.1.2", "such as 29"),
        ("30x", "such as 29"),
    ] {
        let error = Release::kmod(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    for text in [
        "6.12",
        "v6.12",
        "6.12.1",
        "6.12.1-gentoo",
        "6.12.0-160000.5-default",
        "4.18.0-553.el8_10.x86_64",
        "6.5+dup",
    ] {
        kernel(text);
    }
}

#[test]
fn releases_of_busybox() {
    let preset = presets::kmod("busybox");
    for known in ["busybox-1.34", "busybox-1.35.0", "busybox-1.36.1", "busybox-2.0"] {
        assert_eq!(presets::kmod(known), preset, "{known}");
    }
    for (unknown, why) in [
        ("busybox-1.33.1", "expected busybox-1.34 or a later one"),
        ("busybox-1", "expected a release such as busybox-1.35"),
        ("busybox-v1.35", "expected a release such as busybox-1.35"),
        ("busybox-1.35rc", "expected a release such as busybox-1.35"),
        ("busybox-", "expected a release such as busybox-1.35"),
        ("busybox-99999999999.1", "expected a release such as busybox-1.35"),
    ] {
        assert_eq!(presets::kmod(unknown), None, "{unknown}");
        let said = Release::busybox(unknown).unwrap().unwrap_err();
        assert!(said.contains(unknown) && said.contains(why), "{said}");
    }
    assert!(Release::busybox("busybox").is_none() && Release::busybox("v30").is_none());
}

/// Where a reader finds a function, before and after it moved.
#[test]
fn a_step_is_in_the_file_of_its_release() {
    let list_del = Event::ListDel { module: 0 };
    let sysfs = Event::SysfsInit { module: 0, made: true };
    let exec = Event::HelperReturn { status: Ret::Zero };
    let request = Event::LimitCount;
    for (release, files) in [
        ("v4.9", ["kernel/module.c", "kernel/module.c", "kernel/kmod.c", "kernel/kmod.c"]),
        ("5.10.5", ["kernel/module.c", "kernel/module.c", "kernel/umh.c", "kernel/kmod.c"]),
        (
            "6.1.192",
            ["kernel/module/main.c", "kernel/module/sysfs.c", "kernel/umh.c", "kernel/kmod.c"],
        ),
        (
            "6.12.117",
            [
                "kernel/module/main.c",
                "kernel/module/sysfs.c",
                "kernel/umh.c",
                "kernel/module/kmod.c",
            ],
        ),
    ] {
        let found = [list_del, sysfs, exec, request]
            .map(|event| event.place(&kernel(release), None).expect("it is somewhere").file);
        assert_eq!(found, files, "{release}");
    }
    // Lines are told of a release that was read, not of its neighbours.
    let line = |release| sysfs.place(&kernel(release), None).unwrap().line;
    assert_eq!([line("6.12.117"), line("6.1.192"), line("6.12.116")], [Some(339), Some(338), None]);
    let exit = Event::Exit { status: Ret::Zero };
    let place = |kmod: &str| {
        let kmod = Release::kmod(kmod).unwrap();
        exit.place(&kernel("v4.9"), Some(&kmod)).map(|place| (place.file, place.line))
    };
    assert_eq!(place("v30"), Some(("tools/modprobe.c", Some(806))));
    assert_eq!(place("v5"), Some(("tools/kmod-modprobe.c", Some(816))));
    assert_eq!(place("v34.2"), Some(("tools/modprobe.c", Some(750))));
    assert_eq!(exit.place(&kernel("v4.9"), None), None);
}
