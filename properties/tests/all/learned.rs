//! A program in modprobe's place that does what the modelled modprobe does makes the same system: its automaton is that of
//! the modelled one, its steps are the same events, and everybody fares the same.

use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::learned::{Ask, Learned, Node};
use kmodcheck_model::presets;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::Verdict;
use kmodcheck_properties::verdict::check_all;

/// The same system with the modelled modprobe's own automaton in its place; `None`: it runs commands.
fn replaced(scenario: &Scenario) -> Option<Scenario> {
    let model = Model::new(scenario.clone(), None).unwrap();
    let mut replaced = scenario.clone();
    for name in scenario.name_ids() {
        let nodes: Vec<Node> = model
            .modprobe_for(name)
            .into_iter()
            .map(|(ask, next)| {
                let next = next.into_iter().map(|place| u8::try_from(place).unwrap()).collect();
                Node { ask, next }
            })
            .collect();
        if nodes.iter().any(|node| matches!(node.ask, Ask::Command(_))) {
            return None;
        }
        let program = "the modelled modprobe".to_owned();
        replaced.patched.binaries.push(Learned { name, program, nodes });
    }
    Some(replaced)
}

#[test]
fn the_modelled_modprobe_as_a_program() {
    let options = Options { symmetry: true, ..Options::default() };
    let (mut compared, mut violated) = (0, 0);
    for (kernel, kmod) in [
        ("v4.9", "v19"),
        ("v4.9", "v20"),
        ("v5.3", "v30"),
        ("v6.2", "v19"),
        ("v6.5", "v34.2"),
        ("v6.5", "busybox"),
    ] {
        let features = Features {
            kernel: presets::kernel(kernel).unwrap(),
            kmod: presets::kmod(kmod).unwrap(),
        };
        for environment in Environment::ALL {
            for naming in [Naming::Plain, Naming::FsAndModule] {
                let system = scenario(naming, environment, features, 2);
                let asks = system.actors.iter().any(|actor| actor.action.name().is_some());
                let Some(program) = asks.then(|| replaced(&system)).flatten() else { continue };
                let report = |scenario: Scenario| {
                    check_all(&Model::new(scenario, None).unwrap(), &options).unwrap()
                };
                let (one, other) = (report(system), report(program));
                let cell = format!("{kernel} {kmod} {environment:?} {naming:?}");
                for (mine, theirs) in one.answers.iter().zip(&other.answers) {
                    let of = format!("{cell}: {}", mine.property.name());
                    match (&mine.verdict, &theirs.verdict) {
                        // The least of the shortest traces depends on how states are numbered.
                        (Verdict::Violated(mine), Verdict::Violated(theirs)) => {
                            assert_eq!(mine.len(), theirs.len(), "{of}");
                            violated += 1;
                        }
                        (mine, theirs) => assert_eq!(mine, theirs, "{of}"),
                    }
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 100 && violated > 50, "{compared} {violated}");
}
