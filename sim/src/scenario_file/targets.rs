//! From what modprobe makes of a name to a scenario's targets, with what `install` commands do in modules' stead.

use kmodcheck_indexes::command::{Command, command};
use kmodcheck_indexes::{Found, Modprobe, Resolved, Rules, Step, Target as Resolution};
use kmodcheck_model::features::{KmodFeatures, Program};
use kmodcheck_model::scenario::{Insert, ModuleId, Probe, Target};

/// By whose rules a modprobe looks names up.
pub fn rules(kmod: &KmodFeatures) -> Rules {
    match kmod.modprobe {
        Program::Busybox => Rules::Busybox,
        Program::BusyboxSmall | Program::Toybox => Rules::NoBuiltin,
        Program::Kmod if kmod.builtin_aliases => Rules::KmodV27,
        Program::Kmod => Rules::Kmod,
    }
}

/// An `install` command that comes to itself again: modprobe runs it, it runs a modprobe that ignores it, and that one needs
/// a module whose softdep is the first. Such processes have no end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the install command of '{0}' runs a modprobe that runs it again, expected one that comes to an end"
)]
pub struct Recursion(pub String);

/// The targets, modules by their numbers; those without a file (an alias of the configuration names them, or an `install`
/// line) have numbers, too.
pub(super) fn targets(
    modprobe: Modprobe<'_>,
    resolved: &[Resolution],
    number: &mut dyn FnMut(&Found) -> ModuleId,
) -> Result<Vec<Target>, Recursion> {
    let target = |target: &Resolution| {
        Ok(Target {
            module: number(&target.found),
            probe: entries(modprobe, &target.list, number, &mut Vec::new())?,
            blacklisted: target.blacklisted.is_some(),
        })
    };
    resolved.iter().map(target).collect()
}

/// `outer`: whose commands run already.
fn entries(
    modprobe: Modprobe<'_>,
    list: &[Step],
    number: &mut dyn FnMut(&Found) -> ModuleId,
    outer: &mut Vec<String>,
) -> Result<Vec<Probe>, Recursion> {
    let mut entries = Vec::new();
    for step in list {
        let insert = insert(modprobe, step);
        let mut probe = Probe::new(number(&step.found), step.required, insert);
        probe.by_path = step.by_path && modprobe.index.is_builtin(&step.found.name);
        if insert.runs_modprobe() {
            if outer.contains(&step.found.name) {
                return Err(Recursion(step.found.name.clone()));
            }
            outer.push(step.found.name.clone());
            let found = Found { alias: None, ..step.found.clone() };
            let nested = modprobe.probe_list(&found, true);
            probe.nested = self::entries(modprobe, &nested, number, outer)?;
            outer.pop();
        }
        entries.push(probe);
    }
    Ok(entries)
}

/// What modprobe does to get a module in.
fn insert(modprobe: Modprobe<'_>, step: &Step) -> Insert {
    let name = &step.found.name;
    let Some(line) = &step.command else {
        return match step.found.module {
            None => Insert::NoFile,
            Some(_) if modprobe.config.is_refused(name) => Insert::Refused,
            Some(_) => Insert::Finit,
        };
    };
    // The modprobe of a command is asked by the module's name, which may be another one's alias.
    let itself = || match modprobe.resolve(name) {
        Resolved::Modules(targets) => match &targets[..] {
            [target] => target.found.name == *name && target.found.alias.is_none(),
            _ => false,
        },
        _ => false,
    };
    match command(&line.value, name) {
        Command::Exits(0) => Insert::NoopCommand,
        Command::Exits(17) => Insert::Exit17Command,
        Command::Exits(_) => Insert::FailingCommand,
        Command::Modprobe if itself() => Insert::ModprobeCommand,
        Command::ModprobeForgiven if itself() => Insert::ModprobeForgiven,
        Command::Modprobe | Command::ModprobeForgiven | Command::Unknown => Insert::UnknownCommand,
    }
}

/// Whether the configuration says that the module is not to be loaded: by a blacklist, or by a command in its stead that
/// loads nothing.
pub(super) fn is_blocked(modprobe: Modprobe<'_>, name: &str) -> bool {
    let config = modprobe.config;
    let replaced = |text: &str| matches!(command(text, name), Command::Exits(_));
    config.blacklisted(name).is_some()
        || config.install_command(name).is_some_and(|line| replaced(&line.value))
}
