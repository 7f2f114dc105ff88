//! Why the last step of a run violates a property: what whoever takes it relied on, and how things stood.

use kmodcheck_model::event::{Claim, Finit, InitOutcome, Judgement, Listed};
use kmodcheck_model::features::BareDirectory;
use kmodcheck_model::scenario::{FailsAt, Init, LateDirectory, ModuleId, NameId, Target};
use kmodcheck_model::{Event, ModuleState, Ret};

use super::run::{Moment, Run, cpu};
use crate::property::{Property, Says, View};

/// The sentence; `None`: the last step does not violate it.
pub(super) fn sentence(run: &Run<'_>, property: Property) -> Option<String> {
    let last = run.moments.len().checked_sub(1)?;
    let step = &run.moments[last].step;
    let Says::Violated(_) = property.says(&View::of(run.model, step)) else { return None };
    Some(match property {
        Property::NoFalseSuccess
        | Property::NoFalseSuccessStrong
        | Property::ModprobeTellsTheTruth
        | Property::TheCheckCatchesIt
        | Property::GetFsTypeFindsIt => success(run, property, last),
        Property::NoFalseAlarm => alarm(run, last),
        Property::NoNeedlessUserspace => needless(run, last),
        Property::LifecycleAndSysfs => lifecycle(run, last),
        Property::UdevFindsItInitialised => udev(run, last),
        Property::NoFalseFailure => failure(run, last),
        Property::BlockedIsNeverLoaded => blocked(run, last)?,
        Property::InitRunsOncePerRequest => again(run, last)?,
        Property::NobodySleepsForEver => return None,
    })
}

/// The module whose init returned with the last step.
fn init_of(run: &Run<'_>, last: usize) -> Option<ModuleId> {
    let moment = &run.moments[last];
    run.model.runs_init_of(moment.step.kind.0, moment.step.local_before)
}

/// The init of a module ran that is blocked.
fn blocked(run: &Run<'_>, last: usize) -> Option<String> {
    let (me, module) = (cpu(run.moments[last].actor), init_of(run, last)?);
    let name = run.module(module);
    let scenario = run.model.scenario();
    let probes = scenario.names.iter().flat_map(|name| name.targets()).flat_map(Target::entries);
    let replaced = probes.clone().any(|p| p.module == module && p.insert.is_a_command());
    let why = match run.acts_as(last).name() {
        Some(asked) if run.model.targets(asked).contains(&module) => {
            format!("by \"{}\", on which what blocks it does not act", run.request(asked))
        }
        Some(asked) => format!("because \"{}\" needs it", run.request(asked)),
        None => "all the same".to_owned(),
    };
    let what = if replaced { "has a command in its stead" } else { "is blocked" };
    Some(format!("{name} {what}, and {me} ran its init, asked for it {why}."))
}

/// An init ran again after its end had been waited for.
fn again(run: &Run<'_>, last: usize) -> Option<String> {
    let actor = run.moments[last].actor;
    let module = match run.moments[last].step.label {
        Event::InitRequests { module, .. } => module,
        _ => init_of(run, last)?,
    };
    let name = run.module(module);
    let ended = |moment: &Moment| {
        let of = run.model.runs_init_of(moment.step.kind.0, moment.step.local_before);
        let returns = matches!(moment.step.label, Event::Init { .. } | Event::Returns { .. });
        (returns && of == Some(module) && moment.actor != actor).then_some(moment.actor)
    };
    let first = run.moments[..last].iter().rev().find_map(ended);
    let first = first.map_or_else(|| "another".to_owned(), cpu);
    Some(format!(
        "{}'s finit_module({name}) had waited for {first}'s until the init of {name} was over, and then ran \
         that init again.",
        cpu(actor)
    ))
}

/// The name that whoever steps last is about.
fn name(run: &Run<'_>, last: usize) -> Option<NameId> {
    run.acts_as(last).name()
}

/// The module of the name that was not there when it should have been.
fn missing(run: &Run<'_>, property: Property, last: usize) -> Option<ModuleId> {
    let name = name(run, last)?;
    let (task, after) = (run.task(last), run.moments[last].step.after);
    let there = match property {
        Property::ModprobeTellsTheTruth => task.modprobe_live,
        Property::NoFalseSuccess | Property::TheCheckCatchesIt => task.request_live,
        _ => run.model.live(name, after),
    };
    let targets = run.model.targets(name);
    let missing = targets.iter().enumerate().find(|(bit, _)| there >> bit & 1 == 0);
    missing.map(|(_, id)| *id).or(targets.first().copied())
}

/// Somebody said 0 of what was not there.
fn success(run: &Run<'_>, property: Property, last: usize) -> String {
    let actor = run.moments[last].actor;
    let module = missing(run, property, last);
    let mut text = relied(run, actor, last, module);
    text.push_str(match property {
        Property::ModprobeTellsTheTruth => "",
        Property::GetFsTypeFindsIt | Property::NoFalseFailure => {
            "; get_fs_type() then found no file system and returned NULL"
        }
        _ => "; __request_module() returned 0",
    });
    let Some(module) = module else {
        return format!("{text}, although no module and no built-in code bears that name.");
    };
    text.push_str(&format!(", {}", circumstances(run, module, last)));
    let since_when = match property {
        Property::ModprobeTellsTheTruth => Some("that modprobe began".to_owned()),
        Property::NoFalseSuccess | Property::TheCheckCatchesIt => {
            Some(format!("{}'s call", cpu(actor)))
        }
        _ => None,
    };
    let was_live = |moment: &Moment| run.state(moment.step.after, module) == ModuleState::Live;
    if let Some(before) = since_when.filter(|_| run.moments.iter().any(was_live)) {
        let name = run.module(module);
        text.push_str(&format!("; {name} had been LIVE only before {before}"));
    }
    text.push('.');
    text
}

/// On what the 0 rests that `actor` got or gave, about `module`, up to `last`: what modprobe, or another, said, and what
/// the check after it made of that.
fn relied(run: &Run<'_>, actor: usize, last: usize, module: Option<ModuleId>) -> String {
    let me = cpu(actor);
    // Where the request ends at modprobe's exit, and what ends it before.
    for (at, event) in run.back(actor, last).filter(|(at, _)| !run.nested(*at)) {
        match event {
            Event::Exit { status: Ret::Zero } => {
                let what = modprobe(run, actor, at, module);
                return format!("{me}'s modprobe {what}{}", check(run, actor, at, last));
            }
            Event::DuplicateResult { name, ret } => {
                return format!(
                    "{me} was handed the {ret} that {} for \"{}\" had come to",
                    match first_request(run, name, at) {
                        Some(first) => format!("{}'s earlier request", cpu(first)),
                        None => "an earlier request".to_owned(),
                    },
                    run.request(name)
                );
            }
            Event::AlreadyLive { name, state } => {
                return format!("the shortcut found {} {state} for {me}", run.listed(name));
            }
            Event::PreFinished { name, state } => {
                return format!(
                    "{me} found {} {} before it started modprobe, and took that for done",
                    run.listed(name),
                    on_the_list(state)
                );
            }
            Event::Call { .. } => break,
            _ => {}
        }
    }
    format!("nothing told {me} that it was there")
}

/// Who made the first request of a name.
pub(super) fn first_request(run: &Run<'_>, name: NameId, last: usize) -> Option<usize> {
    let first = Event::Duplicate { name, found: false };
    let moments = run.moments[..=last].iter();
    moments.rev().find(|moment| moment.step.label == first).map(|moment| moment.actor)
}

/// Why modprobe exits 0 at `exit`: what it took for a sign that `module` is there.
fn modprobe(run: &Run<'_>, actor: usize, exit: usize, module: Option<ModuleId>) -> String {
    let kmod = &run.model.scenario().features.kmod;
    let about = |of: ModuleId| module == Some(of);
    let mut read_to_the_end = false;
    for (at, event) in run.back(actor, exit).filter(|(at, _)| !run.nested(*at)) {
        let state = |of: ModuleId| run.state(run.moments[at].step.before, of);
        let sign = match event {
            Event::Stat { module: of, found: true }
                if about(of) && kmod.bare_directory == BareDirectory::Builtin =>
            {
                let initstate = match state(of) {
                    ModuleState::Unformed | ModuleState::Coming => "no initstate in it yet",
                    ModuleState::Going | ModuleState::UnformedAgain => {
                        "no initstate in it any more"
                    }
                    ModuleState::Absent | ModuleState::Live => "no initstate in it",
                };
                format!("took /sys/module/{}, with {initstate}, for built-in code", run.module(of))
            }
            Event::StatUnknown { name, found: true } => {
                format!("took /sys/module/{} for built-in code", run.request(name))
            }
            Event::ReadEnd { module: of, ok: true } if about(of) => {
                read_to_the_end = true;
                continue;
            }
            Event::Read { module: of, content: Some(content) } if about(of) && read_to_the_end => {
                let shown = content.to_string().to_lowercase();
                format!("read '{shown}' in /sys/module/{}/initstate", run.module(of))
            }
            Event::ProcModules { listed } if module.is_some_and(|of| listed >> of & 1 == 1) => {
                let of = module.expect("it is listed");
                format!("found {} in /proc/modules, {} there", run.module(of), state(of))
            }
            Event::InstallCommand { module: of, .. } if about(of) => {
                format!("ran the install command of {}, which loads nothing", run.module(of))
            }
            Event::CommandEnds { module: of, .. } if about(of) => {
                format!("ran the install command of {}, which exited 0", run.module(of))
            }
            Event::AddUnformed { module: of, state, then: Claim::Exists, .. } if about(of) => {
                let name = run.module(of);
                format!(
                    "got -EEXIST from finit_module({name}), {name} being {state}, which it takes for success"
                )
            }
            Event::AddUnformed { module: of, then: Claim::Busy, .. } if about(of) => {
                format!("got -EBUSY for {}, went on to the next module", run.module(of))
            }
            Event::Idempotent { module: of, joined: true } if about(of) => {
                let (first, result) = joined(run, of, at, exit);
                let first = first.map_or("another".to_owned(), |first| format!("{}'s", cpu(first)));
                format!("joined {first} finit_module({}), got its {result}", run.module(of))
            }
            Event::Init { module: of, outcome: InitOutcome::Eexist } if about(of) => {
                format!("got the -EEXIST of {}'s init, which it takes for success", run.module(of))
            }
            Event::MayFail { module: of, at: FailsAt::Codetag, failed: true } if about(of) => {
                let name = run.module(of);
                format!(
                    "got 0 from finit_module({name}), which codetag_load_module() had made fail"
                )
            }
            Event::MayFail { module: of, at: place, failed: true } if about(of) => {
                let failure = run.model.scenario().modules[usize::from(of)].failure;
                let name = run.module(of);
                if !failure.is_some_and(|failure| failure.eexist) {
                    return format!(
                        "failed to load {name}, went on to the next module, and exited 0"
                    );
                }
                format!(
                    "got the -EEXIST of {}(), by which {name} failed to load, and which it takes for success",
                    place.function()
                )
            }
            Event::WakeUpAll { module: of, .. } | Event::Unlink { module: of } if about(of) => {
                match run.removal(of, at) {
                    Some((who, "failed to load")) if who == actor => {
                        let module = &run.model.scenario().modules[usize::from(of)];
                        if module.init == Init::MayReturnEexist || module.failure.is_some() {
                            continue;
                        }
                        format!("failed to load {}, went on to the next module", run.module(of))
                    }
                    _ => format!("loaded {}", run.module(of)),
                }
            }
            Event::Exec { .. } | Event::Call { .. } => break,
            _ => continue,
        };
        return format!("{sign}, and exited 0");
    }
    match module {
        Some(module) if run.model.scenario().modules[usize::from(module)].listed_builtin => {
            format!("found {} in modules.builtin, and exited 0", run.module(module))
        }
        Some(module) => {
            let targets = run.model.scenario().names.iter().flat_map(|name| name.targets());
            let blacklisted = targets.filter(|t| t.module == module).any(|t| t.blacklisted);
            let why = if blacklisted { ", which is blacklisted" } else { "" };
            format!("left {} alone{why}, and exited 0", run.module(module))
        }
        None => "exited 0".to_owned(),
    }
}

/// Whose `finit_module()` was joined, and what it came to.
fn joined(
    run: &Run<'_>,
    module: ModuleId,
    at: usize,
    last: usize,
) -> (Option<usize>, &'static str) {
    let of = |moment: &Moment| match moment.step.label {
        Event::IdempotentComplete { module: of, result } if of == module => {
            Some((moment.actor, result))
        }
        _ => None,
    };
    match run.moments[at..=last].iter().find_map(of) {
        Some((first, Finit::Loaded)) => (Some(first), "0"),
        Some((first, Finit::Exists)) => (Some(first), "-EEXIST, which it takes for success"),
        Some((first, Finit::Failed)) => (Some(first), "error"),
        None => (None, "result"),
    }
}

/// How a name is on the list.
fn on_the_list(state: ModuleState) -> String {
    match state {
        ModuleState::Absent => "not on the list".to_owned(),
        state => format!("{state}"),
    }
}

/// What the check made of modprobe's 0, between `exit` and `last`; nothing where there is none.
fn check(run: &Run<'_>, actor: usize, exit: usize, last: usize) -> String {
    let looked = |(at, event): (usize, Event)| match event {
        Event::Check { name, state, judgement }
        | Event::CheckFinished { name, state, judgement }
            if at > exit =>
        {
            Some((name, state, judgement))
        }
        _ => None,
    };
    match run.back(actor, last).find_map(looked) {
        None => String::new(),
        Some((name, state, judgement)) => {
            let passed = match judgement {
                Judgement::Reject => "turned that into an error",
                Judgement::Accept | Judgement::GoOn => "let that pass",
            };
            format!("; the check found {} {} and {passed}", run.listed(name), on_the_list(state))
        }
    }
}

/// How things stand with `module` after `last`: a subordinate clause.
fn circumstances(run: &Run<'_>, module: ModuleId, last: usize) -> String {
    let name = run.module(module);
    let state = run.state(run.moments[last].step.after, module);
    if let Some((who, doing)) = run.doing(module, last) {
        let still = match state {
            ModuleState::Unformed | ModuleState::Coming => "still ",
            _ => "",
        };
        return format!("while {} was {still}{doing} ({state})", cpu(who));
    }
    match (state, run.removal(module, last)) {
        (ModuleState::Live, _) => format!("although {name} is LIVE"),
        (_, Some((who, words))) => match words {
            "unloaded" => format!("after {} had unloaded {name}", cpu(who)),
            _ => format!("after {} had failed to load {name}", cpu(who)),
        },
        (_, None) => format!("and nobody had loaded {name}"),
    }
}

/// What the check looked at last, and what it made the request return.
fn rejection(run: &Run<'_>, last: usize) -> Option<(Listed, ModuleState, Ret)> {
    let actor = run.moments[last].actor;
    run.back(actor, last).find_map(|(at, event)| match event {
        Event::Check { name, state, judgement: Judgement::Reject }
        | Event::CheckFinished { name, state, judgement: Judgement::Reject } => {
            let ret = run.model.task(run.moments[at].step.local_after).ret;
            Some((name, state, ret))
        }
        _ => None,
    })
}

/// The check turned the truth into an error.
fn alarm(run: &Run<'_>, last: usize) -> String {
    let me = cpu(run.moments[last].actor);
    let what = match name(run, last) {
        Some(name) if run.model.built_in(name) => {
            format!("\"{}\" is built in", run.request(name))
        }
        Some(name) => {
            let targets = run.model.targets(name).iter().map(|target| run.module(*target));
            let targets: Vec<&str> = targets.collect();
            let are = if targets.len() == 1 { "is" } else { "are" };
            format!("{} {are} LIVE", targets.join(" and "))
        }
        None => "it is there".to_owned(),
    };
    match rejection(run, last) {
        Some((name, state, ret)) => format!(
            "{what} and {me}'s modprobe exited 0, but the check looked for a module called {}, found \
             it {}, and made {ret} of the 0.",
            run.listed(name),
            on_the_list(state)
        ),
        None => {
            format!("{what} and {me}'s modprobe exited 0, but the check made an error of the 0.")
        }
    }
}

/// modprobe was started for what is LIVE.
fn needless(run: &Run<'_>, last: usize) -> String {
    let actor = run.moments[last].actor;
    let looked = run.back(actor, last).find_map(|(_, event)| match event {
        Event::AlreadyLive { name, state } => Some((name, state)),
        _ => None,
    });
    let targets: Vec<&str> = name(run, last)
        .map_or(&[][..], |name| run.model.targets(name))
        .iter()
        .map(|target| run.module(*target))
        .collect();
    let are = if targets.len() == 1 { "was" } else { "were" };
    let looked = looked.map_or(String::new(), |(name, state)| {
        format!(
            " looked for a module called {}, found it {}, and",
            run.listed(name),
            on_the_list(state)
        )
    });
    format!(
        "{} {are} LIVE all the time, but {}'s shortcut{looked} started modprobe.",
        targets.join(" and "),
        cpu(actor)
    )
}

/// A step that the kernel does not take.
fn lifecycle(run: &Run<'_>, last: usize) -> String {
    let step = &run.moments[last].step;
    let what = step.label.describe(run.model.scenario());
    let who = format!("{}'s {} ({what})", cpu(run.moments[last].actor), step.label.function());
    for id in run.model.scenario().module_ids() {
        let (was, is) = (run.state(step.before, id), run.state(step.after, id));
        let (directory, initstate) = run.model.sysfs(step.after, id);
        let name = run.module(id);
        if initstate && !directory {
            return format!("{who} left {name}/initstate without the directory that it is in.");
        }
        let taken = run.model.taken_by_builtin(step.after, id);
        if directory && is == ModuleState::Absent && !taken {
            return format!("{who} left /sys/module/{name} without a module on the list.");
        }
        if was != is {
            return format!("{who} made {name}, which was {was}, {is}: no kernel does that.");
        }
    }
    format!("{who} left what no kernel leaves.")
}

/// A rule ran too early.
fn udev(run: &Run<'_>, last: usize) -> String {
    let Event::UdevUse { module, .. } = run.moments[last].step.label else {
        unreachable!("of no other step it says anything")
    };
    let name = run.module(module);
    let sends = |label| match label {
        Event::Uevent { module: of } => of == module,
        Event::BuiltinDirectory { of, .. } => of == LateDirectory::Module(module),
        _ => false,
    };
    let sent = run.moments[..last].iter().rev().find(|moment| sends(moment.step.label));
    let by = sent.map_or(String::new(), |m| format!("by {} ", cpu(m.actor)));
    format!(
        "{}'s rule used {name} on its ADD uevent, which had been sent {by}before {name}'s init returned \
         0: {name} was {}.",
        cpu(run.moments[last].actor),
        run.state(run.moments[last].step.after, module)
    )
}

/// An error without a reason.
fn failure(run: &Run<'_>, last: usize) -> String {
    let actor = run.moments[last].actor;
    let me = cpu(actor);
    let what = match run.moments[last].step.label {
        Event::LookUp { .. } => return success(run, Property::GetFsTypeFindsIt, last),
        Event::RequestReturn { .. } | Event::Check { .. } | Event::CheckFinished { .. }
            if rejection(run, last).is_some() =>
        {
            let (name, state, ret) = rejection(run, last).expect("looked for above");
            format!(
                "{me}'s modprobe exited 0; the check found {} {} and made {ret} of that",
                run.listed(name),
                on_the_list(state)
            )
        }
        Event::DuplicateResult { name, ret } => {
            let first = first_request(run, name, last);
            let whose = first.map_or("an earlier".to_owned(), |f| format!("{}'s earlier", cpu(f)));
            format!("{me} was handed the {ret} of {whose} request of \"{}\"", run.request(name))
        }
        Event::RequestReturn { ret } => match refused(run, actor, last) {
            Some(why) => format!("{why}; {me}'s request returned {ret}"),
            None => format!("{me}'s request returned {ret}"),
        },
        _ => refused(run, actor, last).unwrap_or_else(|| format!("{me}'s modprobe exited 1")),
    };
    format!(
        "{what}; but since {me}'s call nothing that it needs had failed to load or begun to go away."
    )
}

/// The last thing that was refused to `actor`'s modprobe.
fn refused(run: &Run<'_>, actor: usize, last: usize) -> Option<String> {
    let me = cpu(actor);
    run.back(actor, last).find_map(|(at, event)| {
        Some(match event {
            Event::AddUnformed { module, state, then: Claim::Busy, .. } => {
                let waited = run.back(actor, at).nth(1).is_some_and(|(_, event)| {
                    matches!(event, Event::FinishedLoading { module: of, .. } if of == module)
                });
                let waited = if waited { "waited for it, " } else { "" };
                format!(
                    "{me}'s finit_module({}) {waited}found it {} and was refused with -EBUSY, {}",
                    run.module(module),
                    on_the_list(state),
                    circumstances(run, module, at)
                )
            }
            Event::ResolveSymbol { module, dependency, state }
                if !matches!(state, ModuleState::Live | ModuleState::Coming) =>
            {
                format!(
                    "{me}'s finit_module({}) did not find the symbols of {}, which was {}, {}",
                    run.module(module),
                    run.module(dependency),
                    on_the_list(state),
                    circumstances(run, dependency, at)
                )
            }
            Event::DenyWrite { module, busy: true } => {
                format!(
                    "{me}'s finit_module({}) got -ETXTBSY while {}",
                    run.module(module),
                    run.doing(module, at).map_or(
                        "another finit_module() of that file had not returned".to_owned(),
                        |(who, how)| format!("{} was {how}", cpu(who)),
                    )
                )
            }
            Event::Idempotent { module, joined: true } => {
                let (first, result) = joined(run, module, at, last);
                let first = first.map_or("another".to_owned(), |first| format!("{}'s", cpu(first)));
                format!(
                    "{me}'s modprobe joined {first} finit_module({}) and got its {result}, {}",
                    run.module(module),
                    circumstances(run, module, last)
                )
            }
            _ => return None,
        })
    })
}
