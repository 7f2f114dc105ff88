//! The order in which a module is loaded, freed and unloaded: kernel/module/main.c as lists of steps.

use kmodcheck_lang::text::syntax::Span;

use super::code::{Made, Wrong};
use super::graph::{File, Graph, Next, Node, Word};
use super::rules::{OrderRules, Part};
use super::value::number;
use crate::features::KernelFeatures;
use crate::state::ModuleState;

const INIT: &str = "do_one_initcall(mod->init)";
const STATE: &str = "mod->state = _";
const LOCK: &str = "mutex_lock(&module_mutex)";
const UNLOCK: &str = "mutex_unlock(&module_mutex)";
const EARLY: &str = "early_mod_check(_)";
const STOP: &str = "try_stop_module(_)";
const EXIT: &str = "module_exit(_)";
const WAKE: &str = "wake_up_all(&module_wq)";
const NOTIFIER: &str = "prepare_coming_module(_)";
const SECTIONS: &str = "add_sect_attrs(_, _)";
const CODETAG: &str = "codetag_load_module(_)";
const READ_ONLY: &str = "module_enable_rodata_ro(_)";
const PROBES: &str = "mod->async_probe_requested";
const USED: &str = "current->flags & PF_USED_ASYNC";
const ASYNC: &str = "async_synchronize_full()";
const DELETE: &str = "list_del_rcu(&mod->list)";

const EEXIST: i64 = -17;
/// Any other error of an init.
const OTHER: i64 = -19;

/// What loading and unloading do and ask.
pub(super) const WORDS: &[Word] = &[
    Word { pattern: EARLY, answers: &[0, -16] },
    Word { pattern: "add_unformed_module(_)", answers: &[0, -16] },
    Word { pattern: "simplify_symbols(_, _)", answers: &[0, -2] },
    Word { pattern: "mod_sysfs_init(_)", answers: &[0, -22] },
    Word { pattern: "module_add_modinfo_attrs(_)", answers: &[0, EEXIST, -12] },
    Word { pattern: NOTIFIER, answers: &[0, EEXIST, -12] },
    Word { pattern: "parse_args(_)", answers: &[0, EEXIST, -12] },
    Word { pattern: "add_usage_links(_)", answers: &[0, EEXIST, -12] },
    Word { pattern: SECTIONS, answers: &[0, EEXIST, -12] },
    Word { pattern: CODETAG, answers: &[0, -12] },
    Word { pattern: READ_ONLY, answers: &[0, OTHER] },
    Word { pattern: "kobject_uevent(_, KOBJ_ADD)", answers: &[0] },
    Word { pattern: INIT, answers: &[0, EEXIST, OTHER, 1] },
    Word { pattern: STATE, answers: &[0] },
    Word { pattern: PROBES, answers: &[0, 1] },
    Word { pattern: USED, answers: &[1, 0] },
    Word { pattern: ASYNC, answers: &[0] },
    Word { pattern: "module_put(_)", answers: &[0] },
    Word { pattern: WAKE, answers: &[0] },
    Word { pattern: "module_remove_modinfo_attrs(_)", answers: &[0] },
    Word { pattern: "mod_sysfs_fini(_)", answers: &[0] },
    Word { pattern: "module_unload_free(_)", answers: &[0] },
    Word { pattern: DELETE, answers: &[0] },
    Word { pattern: LOCK, answers: &[0] },
    Word { pattern: UNLOCK, answers: &[0] },
    // delete_module()
    Word { pattern: "find_module(_)", answers: &[0, (1 << 41) + 1, 1 << 41, (1 << 41) + 2] },
    Word { pattern: "list_empty(&mod->source_list)", answers: &[1, 0] },
    Word { pattern: "mod->exit", answers: &[1, 0] },
    Word { pattern: STOP, answers: &[0, -11] },
    Word { pattern: EXIT, answers: &[0] },
    // finit_module()
    Word { pattern: "idempotent(_, _)", answers: &[0, 1] },
    Word { pattern: "wait_for_completion(&idem.complete)", answers: &[0] },
    Word { pattern: "wait_for_completion_interruptible(&idem.complete)", answers: &[0, -512] },
    Word { pattern: "idem.ret", answers: &[0, EEXIST, OTHER] },
    Word { pattern: "init_module_from_file(_)", answers: &[0, EEXIST, OTHER] },
    Word { pattern: "idempotent_complete(_, _)", answers: &[0] },
    Word { pattern: "exclusive_deny_write_access(_)", answers: &[0, -26] },
    Word { pattern: "allow_write_access(_)", answers: &[0] },
];

/// One thing that is done.
struct Done<'g> {
    node: &'g Node,
    /// In which critical section, by number; `None`: in none.
    section: Option<usize>,
}

/// What is done from somewhere on, one thing after the other, and what is returned.
struct Course<'g> {
    done: Vec<Done<'g>>,
    returned: i64,
}

/// Follows a graph, each answer the first one, which is that all goes well. `locked`: module_mutex is held at first.
fn follow(graph: &Graph, from: Next, locked: bool) -> Made<Course<'_>> {
    let (mut next, mut section, mut sections, mut done) =
        (from, locked.then_some(0), 1, Vec::new());
    for _ in 0..=graph.nodes.len() {
        let node = match next {
            Next::Returns(returned) => return Ok(Course { done, returned }),
            Next::Node(node) => &graph.nodes[node],
        };
        match node.pattern {
            LOCK => {
                section = Some(sections);
                sections += 1;
            }
            UNLOCK => section = None,
            _ => done.push(Done { node, section }),
        }
        next = node.next[0].1;
    }
    let span = graph.node(from).map_or(Span::default(), |node| node.span);
    Err(Wrong::new(span, "found a loop", "expected an end"))
}

/// A kernel with each way to take back a load that has failed, its own first.
fn failures_like(own: &KernelFeatures) -> Vec<KernelFeatures> {
    const BITS: [fn(&mut KernelFeatures) -> &mut bool; 5] = [
        |kernel| &mut kernel.failure_sets_going,
        |kernel| &mut kernel.undo_removes_attributes,
        |kernel| &mut kernel.notifier_failure_sets_going,
        |kernel| &mut kernel.codetag_error_counts,
        |kernel| &mut kernel.load_eexist_is_busy,
    ];
    let with = |mask: usize| {
        let mut kernel = *own;
        for (number, bit) in BITS.iter().enumerate() {
            *bit(&mut kernel) ^= mask >> number & 1 == 1;
        }
        kernel
    };
    (0..1 << BITS.len()).map(with).collect()
}

fn wrong(node: &Node, found: impl Into<String>, expected: impl Into<String>) -> Wrong {
    Wrong::new(node.span, found, expected)
}

/// What the model calls it, where it is a step of loading (`frees`: of freeing) a module.
fn part(node: &Node, locked: bool, frees: bool) -> Made<Part> {
    let state = |state: ModuleState| node.arguments == [number(state)];
    let (part, under_lock) = match node.pattern {
        "add_unformed_module(_)" => (Part::AddUnformed, false),
        "simplify_symbols(_, _)" => (Part::Resolve, false),
        STATE if state(ModuleState::Coming) => (Part::CompleteFormation, true),
        "mod_sysfs_init(_)" => (Part::SysfsInit, false),
        "module_add_modinfo_attrs(_)" => (Part::AddModinfoAttrs, false),
        NOTIFIER => (Part::ComingNotifier, false),
        "parse_args(_)" => (Part::ParseArgs, false),
        "add_usage_links(_)" => (Part::UsageLinks, false),
        SECTIONS => (Part::SectAttrs, false),
        CODETAG => (Part::Codetag, false),
        READ_ONLY => (Part::ReadOnly, false),
        "kobject_uevent(_, KOBJ_ADD)" => (Part::Uevent, false),
        INIT => (Part::Init, false),
        STATE if state(ModuleState::Live) => (Part::SetLive, false),
        ASYNC => (Part::AsyncSynchronize, false),
        "module_put(_)" => (Part::DropInitial, false),
        WAKE if frees => (Part::WakeFreed, false),
        WAKE => (Part::WakeLive, false),
        STATE if state(ModuleState::Going) => (Part::SetGoing, false),
        "module_remove_modinfo_attrs(_)" => (Part::RemoveModinfoAttrs, false),
        "mod_sysfs_fini(_)" => (Part::SysfsFini, false),
        STATE if state(ModuleState::Unformed) => (Part::SetUnformed, true),
        "module_unload_free(_)" => (Part::UnloadFree, false),
        DELETE => (Part::ListDel, true),
        _ => {
            let expected = "expected a step of loading or freeing a module, as the text has them";
            return Err(wrong(node, format!("found {}", node.pattern), expected));
        }
    };
    if part.frees() != frees {
        let when = if frees { "while it is freed" } else { "while it is loaded" };
        return Err(wrong(
            node,
            format!("found {} {when}", node.pattern),
            "expected it the other way round",
        ));
    }
    if locked != under_lock {
        let (is, should) = match locked {
            true => ("under module_mutex", "expected it without"),
            false => ("without module_mutex", "expected it under the lock"),
        };
        return Err(wrong(
            node,
            format!("found {} {is}", node.pattern),
            format!("{should}, as a step of its own"),
        ));
    }
    Ok(part)
}

/// Takes the questions out of a load after which it may wait for what is asynchronous, and whether it waits whoever has
/// scheduled it; `None`: it does not wait.
fn asynchronous(course: &mut Vec<Done<'_>>) -> Made<Option<bool>> {
    let waits = course.iter().position(|done| done.node.pattern == ASYNC);
    let asks = |done: &Done<'_>| [PROBES, USED].contains(&done.node.pattern);
    let Some(waits) = waits else {
        return match course.iter().find(|done| asks(done)) {
            Some(asked) => Err(wrong(
                asked.node,
                format!("found {} without a wait after it", asked.node.pattern),
                format!("expected {ASYNC}"),
            )),
            None => Ok(None),
        };
    };
    let then = course[waits].node.next[0].1;
    let asked: Vec<&Node> = course.iter().filter(|done| asks(done)).map(|done| done.node).collect();
    let all = match asked.iter().map(|node| node.pattern).collect::<Vec<_>>()[..] {
        [PROBES] => true,
        [PROBES, USED] => false,
        _ => {
            let expected = format!("expected {PROBES} asked first, and then at most {USED}");
            return Err(wrong(
                course[waits].node,
                format!("found {ASYNC} after other questions"),
                expected,
            ));
        }
    };
    let first = waits - asked.len();
    let adjacent = course[first..waits].iter().all(asks);
    if let Some(node) = asked.iter().find(|node| !adjacent || node.next[1].1 != then) {
        let expected = format!("expected that it decides about {ASYNC} alone");
        return Err(wrong(
            node,
            format!("found that {} decides about something else", node.pattern),
            expected,
        ));
    }
    course.drain(first..waits);
    Ok(Some(all))
}

fn parts(course: &[Done<'_>], frees: bool) -> Made<Vec<Part>> {
    let mut all = Vec::new();
    let mut last = None;
    for Done { node, section } in course {
        let part = part(node, section.is_some(), frees)?;
        if all.contains(&part) {
            return Err(wrong(node, format!("found {} twice", node.pattern), "expected it once"));
        }
        if section.is_some() && *section == last {
            return Err(wrong(
                node,
                "found two steps in one critical section",
                "expected module_mutex given back between them: together they are a step that the model does not have",
            ));
        }
        last = *section;
        all.push(part);
    }
    Ok(all)
}

/// What a text makes of the order in which modules are loaded, freed and unloaded.
pub(super) fn orders(
    own: &KernelFeatures,
    file: &File<'_>,
    known: &dyn Fn(&KernelFeatures, &str) -> Made<Graph>,
) -> Made<(KernelFeatures, OrderRules)> {
    let mut kernel = *own;
    let load = file.graph("load_module", &[None, None])?;
    let at = load.node(load.first).map_or(Span::default(), |node| node.span);
    kernel.early_mod_check = load.node(load.first).is_some_and(|node| node.pattern == EARLY);
    let mut all = follow(&load, load.first, false)?;
    if let Some(always) = asynchronous(&mut all.done)? {
        kernel.waits_for_all_async = always;
    }
    let rest = &all.done[usize::from(kernel.early_mod_check)..];
    let loads = parts(rest, false)?;
    if all.returned != 0 {
        return Err(Wrong::new(
            at,
            format!("found {} of a load in which all goes well", all.returned),
            "expected 0",
        ));
    }
    for needed in [Part::AddUnformed, Part::Init] {
        if !loads.contains(&needed) {
            return Err(Wrong::new(
                at,
                format!("found no {needed:?} on the way to 0"),
                "expected a load that claims its name and runs its init",
            ));
        }
    }
    let init = rest.iter().find(|done| done.node.pattern == INIT).expect("it is there").node;
    if loads.iter().position(|part| *part == Part::AddUnformed)
        > loads.iter().position(|part| *part == Part::Init)
    {
        return Err(wrong(
            init,
            "found an init before its name is claimed",
            "expected the other way round",
        ));
    }
    // What is more than 0 is success, too.
    if init.next[3].1 != init.next[0].1 {
        return Err(wrong(
            init,
            "found that an init that returns 1 is none that has succeeded",
            "expected that only what is below 0 is an error",
        ));
    }
    kernel.notifier_can_fail = loads.contains(&Part::ComingNotifier);
    kernel.sections_can_fail = loads.contains(&Part::SectAttrs);
    kernel.codetag_can_fail = loads.contains(&Part::Codetag);
    kernel.fails_after_live = loads.contains(&Part::ReadOnly);
    // A name that cannot be claimed, or anything else that fails before init: as some release does it.
    let mut last = None;
    for like in failures_like(&kernel) {
        let shipped = known(&like, "load_module")?;
        let mut differs = None;
        for Done { node, .. } in &all.done {
            for (answer, next) in
                node.next.iter().filter(|(answer, _)| *answer < 0 && node.pattern != INIT)
            {
                let theirs = shipped.nodes.iter().find(|other| other.pattern == node.pattern);
                let theirs =
                    theirs.and_then(|other| other.next.iter().find(|(of, _)| of == answer));
                let never = |_: &Node, _| false;
                match (theirs, next) {
                    (Some((_, other)), _) => {
                        differs = differs.or(load.parts(*next, &shipped, *other, &never));
                    }
                    // What this release does not ask can only be an error.
                    (None, Next::Returns(value)) if value == answer => {}
                    (None, _) => {
                        return Err(wrong(
                            node,
                            format!("found another end after {} has failed", node.pattern),
                            "expected that its error is returned",
                        ));
                    }
                }
            }
        }
        match differs {
            None => {
                kernel = like;
                last = None;
                break;
            }
            differs => last = last.or(differs),
        }
    }
    if let Some(parted) = last {
        return Err(Wrong::new(
            parted.span,
            format!("found that a load that fails comes to {}", parted.found),
            format!("expected {}, as this kernel's or another release's", parted.expected),
        ));
    }
    // An init that fails.
    let mut failures = Vec::new();
    for returned in [EEXIST, OTHER] {
        let next =
            init.next.iter().find(|(answer, _)| *answer == returned).expect("it is an answer").1;
        let course = follow(&load, next, false)?;
        if course.returned >= 0 || course.returned == EEXIST && returned != EEXIST {
            return Err(wrong(
                init,
                format!("found {} of an init that returns {returned}", course.returned),
                "expected an error, and -EEXIST only of -EEXIST",
            ));
        }
        if returned == EEXIST {
            kernel.eexist_safety_net = course.returned != EEXIST;
        }
        failures.push(parts(&course.done, true)?);
    }
    if failures[0] != failures[1] {
        return Err(wrong(
            init,
            "found another order after an init that returns -EEXIST",
            "expected the same after any error",
        ));
    }
    let frees = failures.remove(0);
    if !frees.contains(&Part::ListDel) {
        return Err(wrong(
            init,
            "found that a module whose init has failed stays on the list",
            "expected list_del_rcu()",
        ));
    }
    // Unloading: up to GOING as every release does it, then as a load that has failed is taken back.
    let delete = file.graph("delete_module", &[None])?;
    let shipped = known(own, "delete_module")?;
    let stopped = |node: &Node, answer| node.pattern == STOP && answer == 0;
    if let Some(parted) = delete.parts(delete.first, &shipped, shipped.first, &stopped) {
        return Err(Wrong::new(
            parted.span,
            format!("found that delete_module() comes to {}", parted.found),
            format!("expected {}", parted.expected),
        ));
    }
    let stop =
        delete.nodes.iter().find(|node| node.pattern == STOP).expect("it is as every release's");
    let course = follow(&delete, stop.next[0].1, true)?;
    let (exit, rest) = match &course.done[..] {
        [Done { node: exit, section: None }, Done { node: waits, section: None }, rest @ ..]
            if exit.pattern == EXIT && waits.pattern == ASYNC =>
        {
            (exit, rest)
        }
        _ => {
            return Err(wrong(
                stop,
                "found another step before module_exit() or between it and async_synchronize_full()",
                "expected these two first, without the lock",
            ));
        }
    };
    if course.returned != 0 {
        return Err(wrong(
            exit,
            format!("found {} of a module that is gone", course.returned),
            "expected 0",
        ));
    }
    let unloads = parts(rest, true)?;
    kernel.delete_module_wakes = unloads.contains(&Part::WakeFreed);
    let failure_wakes = frees.contains(&Part::WakeFreed);
    let mut free = frees.clone();
    if !failure_wakes && kernel.delete_module_wakes {
        free.push(Part::WakeFreed);
    }
    let wanted = free.iter().copied().filter(|part| {
        *part != Part::SetGoing && (*part != Part::WakeFreed || kernel.delete_module_wakes)
    });
    if unloads != wanted.collect::<Vec<_>>() {
        return Err(wrong(
            exit,
            "found another order of freeing than after an init that fails",
            "expected the same: the model has one",
        ));
    }
    kernel.uevent_after_init = loads.iter().position(|part| *part == Part::Uevent)
        > loads.iter().position(|part| *part == Part::Init);
    Ok((kernel, OrderRules { load: loads, free, failure_wakes }))
}
