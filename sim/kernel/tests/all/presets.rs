//! Every preset and environment under shuttle: each run is a behaviour of the model, and what it
//! comes to is one of the things that the model's runs come to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::common::{Outcome, follow, outcomes};
use crate::sample::{for_all, some_of};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{
    Action, Actor, FailsAt, Failure, Init, Insert, Module, Name, Probe, Resolution,
};
use kmodcheck_model::{Model, Scenario, presets};
use kmodcheck_runtime::{Scheduler, draw};
use kmodcheck_sim_kernel::run;

/// What that many drawn runs come to.
fn drawn(scenario: &Scenario, scheduler: Scheduler, executions: usize) -> BTreeSet<Outcome> {
    let model = Arc::new(Model::new(scenario.clone(), None).unwrap());
    let scenario = Arc::new(scenario.clone());
    let found: Arc<Mutex<BTreeSet<Outcome>>> = Arc::default();
    let into = Arc::clone(&found);
    draw(scheduler, 1, executions, move |rt| {
        let (model, into) = (Arc::clone(&model), Arc::clone(&into));
        let named = Arc::clone(&scenario);
        run(rt, &scenario, None, move |run| match follow(&model, &run) {
            Ok(outcome) => {
                into.lock().unwrap().insert(outcome);
            }
            Err(refused) => {
                let log: Vec<String> = run
                    .log
                    .iter()
                    .take(refused.at + 1)
                    .map(|e| format!("{} {:?}", e.process, e.event))
                    .collect();
                panic!("{}: {refused:?}\n{}", named.name, log.join("\n"));
            }
        });
        false
    });
    found.lock().unwrap().clone()
}

/// What comes of so many runs of either kind is one of the model's outcomes; how many were reached, and how many there are.
fn compared(scenario: &Scenario, executions: usize) -> [usize; 2] {
    let expected = outcomes(&Model::new(scenario.clone(), None).unwrap());
    let mut found = drawn(scenario, Scheduler::Random, executions);
    found.extend(drawn(scenario, Scheduler::Pct { depth: 3 }, executions));
    let more: Vec<_> = found.difference(&expected).collect();
    assert!(more.is_empty(), "{}: {more:?}", scenario.name);
    [found.len(), expected.len()]
}

/// What was reached of all outcomes, by scenario after scenario.
#[derive(Default)]
struct Reached([usize; 2]);

impl Reached {
    fn compare(&mut self, scenario: &Scenario, executions: usize) {
        let counts = compared(scenario, executions);
        self.0 = [self.0[0] + counts[0], self.0[1] + counts[1]];
    }

    fn print(&self) {
        println!("{} of {} outcomes", self.0[0], self.0[1]);
    }
}

#[test]
fn what_shuttle_draws_is_a_behaviour_of_the_model() {
    let mut scenarios = Vec::new();
    for kernel in presets::KERNELS {
        // Every kmod on v4.9; elsewhere the last with the old rule, and the latest.
        let kmods = presets::KMODS
            .iter()
            .filter(|kmod| kernel == "v4.9" || ["v19", "v34.2"].contains(kmod));
        for kmod in kmods {
            let features = Features {
                kernel: presets::kernel(kernel).unwrap(),
                kmod: presets::kmod(kmod).unwrap(),
            };
            for environment in Environment::ALL {
                for naming in Naming::ALL {
                    let mut scenario =
                        scenario(naming, environment, features, environment.callers());
                    scenario.name = format!("{} on {kernel} with kmod {kmod}", scenario.name);
                    scenarios.push(scenario);
                }
            }
        }
    }
    // The outcomes reached, and all that there are.
    let counts = for_all(&some_of(60, scenarios), |scenario| compared(scenario, 20));
    let [reached, all] = [0, 1].map(|i| counts.iter().map(|count| count[i]).sum::<usize>());
    println!("{reached} of {all} outcomes");
}

/// Boot's last steps, beside whoever asks for a module whose name built-in code has, or for built-in code itself.
#[test]
fn late_initcalls_are_as_the_model_has_them() {
    let mut reached = Reached::default();
    for (kernel, kmod) in [("v6.1", "v19"), ("v6.2", "v19"), ("v6.2", "v20"), ("v6.16", "v19")] {
        let features = Features {
            kernel: presets::kernel(kernel).unwrap(),
            kmod: presets::kmod(kmod).unwrap(),
        };
        for (environment, driver, other) in [
            (Environment::Ok, false, Action::Udev(0)),
            (Environment::Ok, false, Action::Rmmod(0)),
            (Environment::Ok, false, Action::Insmod(0)),
            (Environment::BuiltinDir, false, Action::Modprobe(0)),
            (Environment::BuiltinDir, true, Action::Modprobe(0)),
        ] {
            let mut scenario = scenario(Naming::Plain, environment, features, 1);
            scenario.modules.iter_mut().for_each(|module| module.name_taken = true);
            for name in &mut scenario.names {
                let Some(code) = &mut name.builtin else { continue };
                code.driver = driver;
                // So that it is looked for in /sys.
                name.resolution = Resolution::NotFound;
            }
            for action in [other, Action::LateInitcalls] {
                scenario.actors.push(Actor { action, count: 1, killable: false });
            }
            scenario.name =
                format!("{environment:?}, {other:?}, late initcalls on {kernel} {kmod} {driver}");
            reached.compare(&scenario, 40);
        }
    }
    reached.print();
}

/// Actors that the built-in environments do not have: who does not wait, who listens, who removes.
#[test]
fn other_actors_behave_as_the_model_has_them() {
    let mut reached = Reached::default();
    for kernel in presets::KERNELS {
        for action in [
            Action::RequestModuleNowait(0),
            Action::Modprobe(0),
            Action::ModprobeRemove(0),
            Action::Insmod(0),
            Action::Udev(0),
        ] {
            let features = Features {
                kernel: presets::kernel(kernel).unwrap(),
                kmod: presets::kmod("v20").unwrap(),
            };
            for killable in [false, true] {
                let mut scenario = scenario(Naming::FsAndModule, Environment::Ok, features, 1);
                scenario.actors.push(Actor { action, count: 1, killable });
                scenario.name = format!("{action:?}, killable: {killable}, on {kernel}");
                reached.compare(&scenario, 40);
            }
        }
    }
    reached.print();
}

/// exec of modprobe requests a module, and so does exec of the modprobe for that, until the limit is met.
#[test]
fn exec_that_requests_a_module_comes_to_what_the_model_says() {
    let mut reached = Reached::default();
    for kernel in presets::KERNELS {
        let features = Features {
            kernel: presets::kernel(kernel).unwrap(),
            kmod: presets::kmod("v30").unwrap(),
        };
        for (limit, timeouts, killable) in
            [(1, false, false), (2, false, true), (2, true, false), (3, true, true)]
        {
            let mut scenario = scenario(Naming::FsAndModule, Environment::Ok, features, 2);
            scenario.names.push(Name {
                request: "binfmt-464c".to_owned(),
                resolution: Resolution::NotFound,
                builtin: None,
            });
            scenario.exec_requests = Some(1);
            (scenario.limit, scenario.timeouts) = (Some(limit), timeouts);
            scenario.actors[0].killable = killable;
            scenario.name = format!("exec requests, limit {limit}, on {kernel}");
            reached.compare(&scenario, 40);
        }
    }
    reached.print();
}

/// Who loads a file that another loads is refused, or joins it, and may be killed while it waits.
#[test]
fn claims_of_a_file_come_to_what_the_model_says() {
    let mut reached = Reached::default();
    for (kernel, exclusive, interruptible) in [
        ("v4.9", false, false),
        ("v6.2", true, false),
        ("v6.2", false, false),
        ("v6.5", false, false),
        ("v6.5", false, true),
        ("v6.5+dup", false, true),
    ] {
        let mut features = Features {
            kernel: presets::kernel(kernel).unwrap(),
            kmod: presets::kmod("v30").unwrap(),
        };
        features.kernel.exclusive_finit = exclusive;
        features.kernel.join_interruptible = interruptible;
        for environment in [Environment::Ok, Environment::Fail, Environment::Killed] {
            for (modprobe_killable, killable) in [(false, true), (true, false)] {
                let mut scenario = scenario(Naming::FsAndModule, environment, features, 1);
                scenario.actors.push(Actor { action: Action::Modprobe(0), count: 1, killable });
                scenario.modprobe_killable = modprobe_killable;
                scenario.name = format!(
                    "{}: {modprobe_killable}, {exclusive}, {interruptible}, on {kernel}",
                    scenario.name
                );
                reached.compare(&scenario, 60);
            }
        }
    }
    reached.print();
}

/// A load that may fail elsewhere than in its init, on each kernel that has steps of its own there, with each change that is
/// proposed and without: of one caller the code comes to all that the model comes to.
#[test]
fn places_at_which_a_load_may_fail_come_to_what_the_model_says() {
    let mut reached = Reached::default();
    for kernel in ["v4.9", "v4.13", "v5.3", "v5.10", "v5.11", "v6.12", "v7.3"] {
        for (word, at) in FailsAt::ALL {
            for (eexist, proposed) in [(false, false), (true, false), (true, true), (false, true)] {
                let proposed_here = ["v4.13", "v6.12", "v7.3"].contains(&kernel);
                if eexist && !at.may_say_eexist() || proposed && !proposed_here {
                    continue;
                }
                let mut features = Features {
                    kernel: presets::kernel(kernel).unwrap(),
                    kmod: presets::kmod("v30").unwrap(),
                };
                features.kernel.codetag_error_counts = proposed;
                features.kernel.load_eexist_is_busy = proposed;
                features.kernel.joiners_try_again = proposed;
                for callers in [1, 2] {
                    let mut scenario =
                        scenario(Naming::FsAndModule, Environment::SysfsFails, features, callers);
                    let module = &mut scenario.modules[0];
                    module.failure = Some(Failure { at, eexist });
                    module.registers = at != FailsAt::ReadOnly;
                    module.sysfs_may_fail = at == FailsAt::Parameters;
                    scenario.name = format!("{word}, {eexist}, {proposed}, on {kernel}");
                    let [found, all] = compared(&scenario, 30);
                    assert!(callers > 1 || found == all, "{}: {found} of {all}", scenario.name);
                    reached.0 = [reached.0[0] + found, reached.0[1] + all];
                }
            }
        }
    }
    reached.print();
}

/// What stands in a module's stead, of the module that is asked for, of one that it needs and of a softdep: of one caller the
/// code comes to all that the model comes to.
#[test]
fn commands_in_a_modules_stead_come_to_what_the_model_says() {
    use Insert::{
        Exit17Command, FailingCommand, Finit, ModprobeCommand, ModprobeForgiven, NoFile,
        NoopCommand, Refused, UnknownCommand,
    };
    let mut reached = Reached::default();
    let all = [
        NoopCommand,
        FailingCommand,
        Exit17Command,
        ModprobeCommand,
        ModprobeForgiven,
        UnknownCommand,
        NoFile,
        Refused,
    ];
    for (insert, kmod) in
        all.into_iter().flat_map(|insert| ["v19", "v30"].map(|kmod| (insert, kmod)))
    {
        for (of, required) in [(0, true), (1, true), (1, false)] {
            let features = Features {
                kernel: presets::kernel("v6.12").unwrap(),
                kmod: presets::kmod(kmod).unwrap(),
            };
            for callers in [1, 2] {
                let mut scenario =
                    scenario(Naming::FsAndModule, Environment::Fail, features, callers);
                let second =
                    Module { name: "lib".into(), init: Init::MayFail, ..Module::default() };
                scenario.modules.push(second);
                let list = |first: Insert, second: Insert| {
                    vec![Probe::new(1, required, second), Probe::new(0, true, first)]
                };
                let Resolution::Modules(targets) = &mut scenario.names[0].resolution else {
                    panic!("a module serves it")
                };
                targets[0].probe = match of {
                    0 => list(insert, Finit),
                    _ => list(Finit, insert),
                };
                if insert.runs_modprobe() {
                    // A command of the dependency is run by the modprobe that the first one runs, too.
                    let inner = |probe: &mut Probe| probe.nested = vec![Probe::new(1, true, Finit)];
                    match of {
                        0 => {
                            targets[0].probe[1].nested = list(Finit, Finit);
                            targets[0].probe[1].nested[0].insert = ModprobeForgiven;
                            inner(&mut targets[0].probe[1].nested[0]);
                        }
                        _ => inner(&mut targets[0].probe[0]),
                    }
                }
                scenario.name = format!("{insert:?} of {of}, {required}, {kmod}");
                let [found, all] = compared(&scenario, 60);
                assert!(callers > 1 || found == all, "{}: {found} of {all}", scenario.name);
                reached.0 = [reached.0[0] + found, reached.0[1] + all];
            }
        }
    }
    reached.print();
}

/// Duplicate requests before and since d258ed8a86bb, one that does not wait among them, with and without time-outs and
/// kills.
#[test]
fn duplicate_requests_come_to_what_the_model_says() {
    let mut reached = Reached::default();
    for kernel in ["v6.5+dup", "v7.3+dup"] {
        for (timeouts, killable, quiet) in [
            (false, false, false),
            (true, false, false),
            (false, true, false),
            (false, false, true),
        ] {
            let mut features = Features {
                kernel: presets::kernel(kernel).unwrap(),
                kmod: presets::kmod("v30").unwrap(),
            };
            features.kernel.nowait_announces_nothing = quiet;
            let mut scenario = scenario(Naming::Plain, Environment::Fail, features, 2);
            let action = Action::RequestModuleNowait(0);
            scenario.actors.push(Actor { action, count: 1, killable: false });
            scenario.actors[0].killable = killable;
            scenario.timeouts = timeouts;
            scenario.name = format!("{timeouts}, {killable}, {quiet}, on {kernel}");
            reached.compare(&scenario, 120);
        }
    }
    reached.print();
}
