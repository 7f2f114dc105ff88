//! What a verdict assumed, in words: read off the scenario, so that it cannot say anything else.

use kmodcheck_model::features::RequestLimit;
use std::collections::BTreeSet;

use kmodcheck_model::scenario::{Actor, Helper, Init, Insert, Module, Scenario, Target};

/// What no scenario can have.
pub(crate) const NOT_MODELLED: [&str; 6] = [
    "weak memory (steps are sequentially consistent)",
    "loads that fail before the name is claimed for other reasons than module_blacklist= (signature, ELF, memory)",
    "signals other than a kill of those who are said to be killable",
    "what install commands do that is more than to exit or to run modprobe --ignore-install; options of modules",
    "asynchronous probes and what waits for them",
    "files and indexes that change while somebody reads them",
];

/// What stands in the place of [`NOT_MODELLED`] unless somebody asks for it.
pub(crate) fn not_modelled_in_short() -> String {
    let [first, others @ ..] = &NOT_MODELLED;
    let first = first.split(" (").next().unwrap_or(first);
    format!("not modelled: {first}, and {} more (--assumptions lists them)", others.len())
}

/// Who does what, in words.
pub(crate) fn actors(scenario: &Scenario) -> Vec<String> {
    scenario.actors.iter().map(|actor| in_words(scenario, actor)).collect()
}

fn in_words(scenario: &Scenario, actor: &Actor) -> String {
    let killable = if actor.killable { ", who may be killed" } else { "" };
    format!("{} x {}{killable}", actor.count, scenario.in_words(actor.action))
}

/// What the scenario assumes.
pub(crate) fn assumptions(scenario: &Scenario) -> Vec<String> {
    let mut assumed = Vec::new();
    assumed.extend(inits(scenario));
    let named = |wanted: fn(&Module) -> bool| {
        let names = scenario.modules.iter().filter(|m| wanted(m)).map(|m| m.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    for (what, names) in [
        ("setting up sysfs may fail", named(|m| m.sysfs_may_fail)),
        ("/sys/module/NAME/ is taken by built-in code", named(|m| m.name_taken)),
        ("modules.builtin lists it although there is a file", named(|m| m.listed_builtin)),
        ("its file is compressed", named(|m| m.compressed)),
        ("it has no exit", named(|m| m.no_exit)),
        ("it was asked to probe asynchronously", named(|m| m.async_probe)),
    ] {
        if !names.is_empty() {
            assumed.push(format!("{names}: {what}"));
        }
    }
    for name in &scenario.names {
        for target in name.targets().iter().filter(|t| t.blacklisted) {
            let module = scenario.module_name(target.module);
            assumed.push(format!("{module} is blacklisted, and asked for by its alias"));
        }
        if let Some(builtin) = &name.builtin {
            let directory = if builtin.directory { "a" } else { "no" };
            assumed.push(format!(
                "built-in {} has {directory} directory under /sys/module",
                builtin.name
            ));
        }
    }
    let probes = scenario.names.iter().flat_map(|n| n.targets()).flat_map(Target::entries);
    for (insert, what) in [
        (Insert::NoopCommand, "an `install` command that only exits 0 runs in its place"),
        (Insert::FailingCommand, "an `install` command that only fails runs in its place"),
        (Insert::Exit17Command, "an `install` command that only exits 17 runs in its place"),
        (
            Insert::ModprobeCommand,
            "its `install` command runs modprobe --ignore-install, and exits as that does",
        ),
        (
            Insert::ModprobeForgiven,
            "its `install` command runs modprobe --ignore-install, and exits 0 in any case",
        ),
        (
            Insert::UnknownCommand,
            "its `install` command is not known: it may load it or not, and exit 0 or not; what else it does is not \
             in the model",
        ),
        (Insert::NoFile, "there is no file of it"),
        (Insert::Refused, "the kernel refuses it (module_blacklist=)"),
    ] {
        let so: BTreeSet<&str> = probes
            .clone()
            .filter(|p| p.insert == insert)
            .map(|p| scenario.module_name(p.module))
            .collect();
        if !so.is_empty() {
            let of = so.into_iter().collect::<Vec<_>>().join(", ");
            assumed.push(format!("{of}: {what}"));
        }
    }
    if let Some(name) = scenario.exec_requests {
        let name = &scenario.names[usize::from(name)].request;
        assumed.push(format!("exec of modprobe requests {name}, in vain"));
    }
    if !scenario.patched.in_words().is_empty() {
        assumed.push(format!("as a patch has it: {}", scenario.patched.in_words()));
    }
    for binary in &scenario.patched.binaries {
        assumed.push(format!("modprobe is the program {}", binary.program));
    }
    assumed.extend(helper(scenario));
    assumed.push(waits(scenario));
    assumed.push(match scenario.limit {
        None => "nobody meets the limit of running requests".to_owned(),
        Some(1) => "at most 1 request runs at a time".to_owned(),
        Some(limit) => format!("at most {limit} requests run at a time"),
    });
    if !scenario.unloads() {
        assumed.push("nothing is unloaded".to_owned());
    }
    if !scenario.nests() {
        assumed.push("no module's init requests a module".to_owned());
    }
    if scenario.modprobe_killable {
        assumed.push("a modprobe that waits for another's load may be killed".to_owned());
    } else if !scenario.actors.iter().any(|a| a.killable) {
        assumed.push("no signals".to_owned());
    }
    assumed
}

fn inits(scenario: &Scenario) -> Vec<String> {
    let all = |wanted: Init| {
        scenario.modules.iter().all(|m| m.init == wanted && m.init_program.is_none())
    };
    if all(Init::Succeeds) {
        return vec!["every init succeeds".to_owned()];
    }
    if all(Init::MayFail) {
        return vec!["every init may fail at every attempt".to_owned()];
    }
    let words = |module: &Module| match module.init {
        _ if module.init_program.is_some() => format!("{}'s init is a program", module.name),
        Init::Succeeds => format!("{}'s init succeeds", module.name),
        Init::MayFail => format!("{}'s init may fail at every attempt", module.name),
        Init::MayReturnEexist => format!("{}'s init may return -EEXIST", module.name),
        Init::Fails => format!("{}'s init fails", module.name),
    };
    scenario.modules.iter().map(words).collect()
}

fn helper(scenario: &Scenario) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(match scenario.helper {
        Helper::Present => None,
        Helper::Missing => Some("modprobe_path names no file".to_owned()),
        Helper::NotExecutable => Some("modprobe_path names what may not be executed".to_owned()),
        Helper::EmptyPath => Some("modprobe_path is empty".to_owned()),
        Helper::Disabled => Some("helpers are disabled".to_owned()),
    });
    if scenario.lsm_refuses {
        words.push("the LSM refuses every request".to_owned());
    }
    words
}

fn waits(scenario: &Scenario) -> String {
    let kernel = &scenario.features.kernel;
    if !scenario.timeouts {
        return "no wait lasts 30 s".to_owned();
    }
    let mut over = vec!["the 30 s of resolve_symbol_wait()"];
    if scenario.limit.is_some() && kernel.request_limit != RequestLimit::FailsAtOnce {
        over.push("the 5 s of the limit");
    }
    if kernel.duplicate_requests {
        over.push("the 60 s of a duplicate's result");
    }
    format!("{} may be over at any moment", over.join(" and "))
}
