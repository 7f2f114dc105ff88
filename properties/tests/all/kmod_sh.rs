//! kmod.sh: which kernels pass which case, at the original thread counts and with a lowered limit.

use kmodcheck_explore::Options;
use kmodcheck_model::features::Features;
use kmodcheck_model::text::Decisions;
use kmodcheck_model::{Mutant, Pc, Ret, presets};
use kmodcheck_properties::kmod_sh::{CASES, Call, Case, Effort, LIMIT, Outcome, comes_to, run};

fn features(kernel: &str, kmod: &str) -> Features {
    Features { kernel: presets::kernel(kernel).unwrap(), kmod: presets::kmod(kmod).unwrap() }
}

fn case(number: &str, call: Call) -> &'static Case {
    CASES.iter().find(|c| (c.number, c.call) == (number, call)).unwrap()
}

fn outcome(
    kernel: &str,
    kmod: &str,
    case: &Case,
    limit: u8,
    states: u64,
    mutant: Option<Mutant>,
) -> Outcome {
    let effort = Effort { exhaustive: states, directed: states, time: None, bytes: None };
    let does = Decisions::of_features(&features(kernel, kmod));
    run(case, &does, limit, effort, mutant, &Options::default())
}

#[test]
fn the_limit_of_50_is_broken_on_v4_9_at_the_original_thread_counts() {
    for (number, call, threads) in [("0008", Call::Driver, 58), ("0009", Call::FileSystem, 62)] {
        let case = case(number, call);
        assert_eq!(case.threads, threads);
        let found = outcome("v4.9", "v20", case, LIMIT, 5_000, None);
        let Outcome::Fails { threads: found, trace, shortest: false } = found else {
            panic!("{number}: {found:?}")
        };
        assert_eq!(found, threads);
        assert!(case.allows(&trace), "the script allows what the limit does");
        // 51 requests have to be under way at once.
        let under_way = trace.iter().filter(|s| s.label == kmodcheck_model::Event::LimitCount);
        assert!(under_way.count() > usize::from(LIMIT));
        // v4.13 lets them wait.
        let waits = outcome("v4.13", "v20", case, LIMIT, 5_000, None);
        assert!(matches!(waits, Outcome::Passes { seen: Some(_), .. }), "{waits:?}");
    }
}

#[test]
fn what_the_limit_does_is_exhausted_with_a_lower_one() {
    let case = Case { threads: 4, ..*case("0008", Call::Driver) };
    for (kernel, passes) in [("v4.9", false), ("v4.13", true), ("v6.5", true)] {
        match outcome(kernel, "v20", &case, 2, 200_000, None) {
            Outcome::Passes { exhaustive_to: 4, seen: None, .. } => assert!(passes, "{kernel}"),
            Outcome::Fails { threads: 3, shortest: true, .. } => assert!(!passes, "{kernel}"),
            other => panic!("{kernel}: {other:?}"),
        }
    }
    // A slot that is not given back, or nobody woken for it: somebody waits for ever.
    for (kernel, fault) in
        [("v4.13", Pc::WakeSlot), ("v4.13", Pc::GiveSlot), ("v6.5", Pc::GiveSlot)]
    {
        let found = outcome(kernel, "v20", &case, 1, 200_000, Some(Mutant::Skip(fault)));
        assert!(matches!(found, Outcome::Stuck { .. }), "{kernel} without {fault}: {found:?}");
    }
}

#[test]
fn cases_with_few_threads() {
    // The script refuses to run with kmod v19, for this reason.
    let two = case("0004", Call::FileSystem);
    assert!(matches!(
        outcome("v4.9", "v19", two, LIMIT, 50_000, None),
        Outcome::Fails { threads: 2, shortest: true, .. }
    ));
    for number in ["0001", "0002", "0003", "0004", "0010"] {
        for case in CASES.iter().filter(|c| c.number == number && c.threads <= 2) {
            for kernel in presets::KERNELS {
                let found = outcome(kernel, "v20", case, LIMIT, 50_000, None);
                assert!(matches!(found, Outcome::Passes { seen: None, .. }), "{number} {kernel}");
            }
        }
    }
    // An empty modprobe_path returned 0 before d7d27cfc5cf0.
    let empty = case("0011", Call::Driver);
    for kernel in presets::KERNELS {
        let fails = presets::kernel(kernel).unwrap().empty_path_fails;
        let found = outcome(kernel, "v20", empty, LIMIT, 50_000, None);
        assert_eq!(matches!(found, Outcome::Passes { .. }), fails, "{kernel}: {found:?}");
    }
}

/// The check that was proposed for cases 0008 and 0009 does nothing about the limit.
#[test]
fn no_reading_of_the_check_cures_the_limit() {
    let case = case("0008", Call::Driver);
    for kernel in presets::KERNELS.iter().filter(|k| k.starts_with("v4.9+")) {
        let found = outcome(kernel, "v20", case, LIMIT, 20_000, None);
        assert!(matches!(found, Outcome::Fails { .. }), "{kernel}: {found:?}");
    }
}

/// What `kmod-sh --observed` asks: can a call of a case come to an answer?
#[test]
fn what_a_call_can_come_to() {
    let asked = |kernel: &str, kmod: &str, case: &Case, answer: Ret, timeouts: bool| {
        let effort = Effort { exhaustive: 20_000, directed: 20_000, time: None, bytes: None };
        let does = Decisions::of_features(&features(kernel, kmod));
        match comes_to(case, &does, answer, timeouts, effort, &Options::default()) {
            Outcome::Fails { threads, .. } => Some(threads),
            Outcome::Passes { .. } => None,
            other => panic!("{other:?}"),
        }
    };
    // One is enough to find it; NULL takes two, and a modprobe that is told too early that it is there.
    let two = case("0004", Call::FileSystem);
    for (kmod, null) in [("v19", Some(2)), ("v30", None), ("busybox", Some(2))] {
        assert_eq!(asked("6.12-debian", kmod, two, Ret::Found, false), Some(1), "{kmod}");
        assert_eq!(asked("6.12-debian", kmod, two, Ret::Null, false), null, "{kmod}");
    }
    // v19 takes the directory of all modules for that of the empty name, and never says anything else.
    let empty = case("0001", Call::Driver);
    assert_eq!(asked("6.1-debian", "v19", empty, Ret::Zero, false), Some(1));
    assert_eq!(asked("6.1-debian", "v19", empty, Ret::Status256, false), None);
    // Whoever waits for a place for five seconds is told so, and get_fs_type() makes NULL of it.
    let many = case("0008", Call::Driver);
    assert!(asked("6.12-debian", "v30", many, Ret::Etime, true).is_some());
    assert_eq!(asked("6.12-debian", "v30", many, Ret::Etime, false), None);
    let many = case("0009", Call::FileSystem);
    assert!(asked("6.12-debian", "v30", many, Ret::Null, true).is_some());
    assert_eq!(asked("6.12-debian", "v30", many, Ret::Null, false), None);
}
