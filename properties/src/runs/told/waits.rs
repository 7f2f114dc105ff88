//! Who waits for whom.
//!
//! In this model one goes to sleep by a step of one's own, so the last step of a sleeper says for what it waits. Who
//! would bring that about is whoever has it in hand: read off the run, too. What becomes of it is looked up by letting
//! everybody else go on to the end.

use std::ops::ControlFlow;

use kmodcheck_explore::concrete::{State, transitions};
use kmodcheck_explore::{Effect, Sleep, WayOut};
use kmodcheck_model::event::Listed;
use kmodcheck_model::scenario::{ModuleId, NameId};
use kmodcheck_model::{Event, ModuleState, Role};
use kmodcheck_sim::Processes;

use super::cause::first_request;
use super::run::{Moment, Run, call, cpu};

/// Most steps that the others go on for.
const MOST: usize = 10_000;

/// For what a process sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// A module is as `finished_loading()` wants it.
    Finished(ModuleId),
    /// A dependency is no longer COMING.
    Formed(ModuleId),
    /// There is a slot for one more request.
    Slot,
    /// The first request of a name has its result.
    Duplicate(NameId),
    /// A `finit_module()` returns.
    Finit(ModuleId),
    /// Nobody holds that lock of programs.
    Lock(i64),
    /// A queue of programs is woken.
    Woken,
}

/// For what and for whom one of `processes` waits at the end of the run; how long is known. Of several it is one
/// who waits, in the end, for itself, if there is one: the others only wait for those.
pub(super) fn of_one(
    run: &Run<'_>,
    processes: impl Iterator<Item = usize>,
    sleep: Sleep,
) -> Option<String> {
    let waits = Waits { run, late: onward(run) };
    let mut first = None;
    for told in processes.filter_map(|process| waits.told(process, sleep)) {
        if told.in_a_circle {
            return Some(told.text);
        }
        first.get_or_insert(told.text);
    }
    first
}

/// The same of that process.
pub(super) fn sentence(run: &Run<'_>, process: usize, sleep: Sleep) -> Option<String> {
    of_one(run, std::iter::once(process), sleep)
}

/// What is told of a sleeper.
struct Told {
    text: String,
    /// It waits for itself, in the end.
    in_a_circle: bool,
}

fn whose_call(run: &Run<'_>, process: usize) -> String {
    format!("{}'s {}", cpu(process), call(run, process))
}

/// Who sleeps, until when, and for what.
fn asleep(run: &Run<'_>, process: usize) -> Option<(String, String, Awaited)> {
    if let Some(at_statement) = at_statement(run, process) {
        return Some(at_statement);
    }
    let last = run.moments.len().checked_sub(1)?;
    let own = run.back(process, last).next().map(|(_, event)| event);
    let event = own.or_else(|| left_behind(run, process))?;
    let rules = run.model.scenario().listed_rules();
    let finished = |module: &str| match rules.finished(ModuleState::Going) {
        false => format!("until {module} is LIVE or off the list"),
        true => format!("until {module} is LIVE, GOING or off the list"),
    };
    let (me, function) = (cpu(process), event.function());
    let modprobe = format!("{me}'s modprobe");
    Some(match event {
        Event::FinishedLoading { module, finished: false, .. } => {
            let name = run.module(module);
            let until = finished(name);
            (modprobe, format!("sleeps in finit_module({name}) {until}"), Awaited::Finished(module))
        }
        Event::ResolveSymbol { module, dependency, state: ModuleState::Coming } => {
            let (name, needed) = (run.module(module), run.module(dependency));
            let until = format!(
                "sleeps in finit_module({name}), in resolve_symbol_wait(), until {needed} is no longer COMING"
            );
            (modprobe, until, Awaited::Formed(dependency))
        }
        Event::PreFinished { name, .. } | Event::CheckFinished { name, .. } => {
            let Listed::Module(module) = name else { return None };
            let place = match event {
                Event::PreFinished { .. } => "finished_kmod_load(), before modprobe,",
                _ => "the check after modprobe",
            };
            let until = finished(run.module(module));
            (me, format!("sleeps in {place} {until}"), Awaited::Finished(module))
        }
        Event::TakeSlot { taken: false } => {
            (me, format!("sleeps in {function}() until a slot is free"), Awaited::Slot)
        }
        Event::Duplicate { name, found: true } => {
            let request = run.request(name);
            let until = format!(
                "sleeps in {function}() until the first request of \"{request}\" has its result"
            );
            (me, until, Awaited::Duplicate(name))
        }
        Event::Idempotent { module, joined: true } => {
            let name = run.module(module);
            let until = format!("sleeps until a finit_module({name}) that it has joined returns");
            (modprobe, until, Awaited::Finit(module))
        }
        _ => return None,
    })
}

/// The same of one that is at a statement of a program.
fn at_statement(run: &Run<'_>, process: usize) -> Option<(String, String, Awaited)> {
    let (kind, local) = run.end.processes[process];
    let (name, stands) = run.model.statement(kind.0, local)?;
    let of_another =
        run.model.program_of(kind.0).is_none_or(|_| run.model.task(local).program == 0);
    let inner = run.model.task(local).pc != kmodcheck_model::Pc::Program;
    let place = if of_another || inner { format!(" in the {name}") } else { String::new() };
    let (until, awaited) = match stands.lock {
        Some(lock) => {
            (format!("waits for the lock at {}{place}", stands.text), Awaited::Lock(lock))
        }
        None => (format!("sleeps at {}{place}", stands.text), Awaited::Woken),
    };
    Some((cpu(process), until, awaited))
}

/// Of a modprobe that was asleep when its caller was killed, and so has taken no step of its own: by which step of its
/// caller's it had gone to sleep.
fn left_behind(run: &Run<'_>, process: usize) -> Option<Event> {
    let (kind, local) = run.end.processes[process];
    let asleep = run.model.task(local).pc;
    let at = run.moments.iter().rposition(|moment| {
        matches!(moment.step.effect, Effect::Spawn(of, local)
            if of == kind && run.model.task(local).pc == asleep)
    })?;
    run.back(run.moments[at].actor, at).nth(1).map(|(_, event)| event)
}

/// A run, and how it goes on.
struct Waits<'r, 'm> {
    run: &'r Run<'m>,
    /// The run and what came after it.
    late: Run<'m>,
}

impl Waits<'_, '_> {
    /// From `process` to whoever it waits for, until one goes on, or is one of those; and how it ends.
    fn told(&self, process: usize, sleep: Sleep) -> Option<Told> {
        let (who, until, mut awaited) = asleep(self.run, process)?;
        let mut text = format!("{who} {until}.");
        let mut told = vec![process];
        while let Some((next, until)) = self.follow(awaited, &told, &mut text) {
            told.push(next);
            awaited = until;
        }
        let last = self.late.moments.len().checked_sub(1)?;
        let in_a_circle = owner(&self.late, awaited, last).is_some_and(|(who, _)| who == process);
        let ends = match sleep {
            Sleep::ForEver => "never returns",
            Sleep::UntilKilled => "returns only if somebody is killed",
            Sleep::UntilTimeOut => "returns by a time-out only",
        };
        text.push_str(&format!(" {} {ends}.", whose_call(self.run, process)));
        Some(Told { text, in_a_circle })
    }

    /// Those steps that came after the run.
    fn onward(&self) -> &[Moment] {
        &self.late.moments[self.run.moments.len()..]
    }

    /// Adds for whom the last one of `told` waits. The next one to tell of, if that one comes to sleep itself and was not
    /// told of.
    fn follow(
        &self,
        awaited: Awaited,
        told: &[usize],
        text: &mut String,
    ) -> Option<(usize, Awaited)> {
        let (run, late) = (self.run, &self.late);
        let waiting = *told.last().expect("the first one is there");
        let comes = |moment: &&Moment| {
            !is_so(run, awaited, moment.step.before) && is_so(run, awaited, moment.step.after)
        };
        let step = |moment: &Moment| {
            let label = moment.step.label;
            format!("{} ({})", label.function(), label.describe(run.model.scenario()))
        };
        if awaited == Awaited::Woken {
            text.push_str(" Nobody is left who would wake it.");
            return None;
        }
        if is_so(run, awaited, run.end.shared) {
            text.push_str(&format!(
                " That is so already, but nobody wakes {} any more",
                cpu(waiting)
            ));
            if let Some(moment) = run.moments.iter().rev().find(comes) {
                text.push_str(&format!(": {}'s {} does not", cpu(moment.actor), step(moment)));
            }
            text.push('.');
            return None;
        }
        let last = late.moments.len() - 1;
        // Somebody goes on and brings it about.
        if let Some(moment) = self.onward().iter().find(comes) {
            let who = match owner(run, awaited, run.moments.len() - 1) {
                Some((owner, doing)) if owner == moment.actor => {
                    format!("{}, which is {doing},", cpu(owner))
                }
                _ => cpu(moment.actor),
            };
            text.push_str(&format!(
                " {who} will bring that about, with {}, without waking {}.",
                step(moment),
                cpu(waiting)
            ));
            return None;
        }
        if awaited == Awaited::Slot {
            return self.follow_slots(told, text);
        }
        let Some((owner, doing)) = owner(late, awaited, last) else {
            text.push_str(" Nobody is left who would bring that about.");
            return None;
        };
        if owner == waiting {
            text.push_str(&format!(" It is {} itself that is {doing}", cpu(owner)));
            let requested = late.back(owner, last).find_map(|(_, event)| match event {
                Event::InitRequests { module, name } => Some((module, name)),
                _ => None,
            });
            if let Some((module, name)) = requested {
                let is_modprobe = asleep(late, owner).is_some_and(|(who, ..)| who != cpu(owner));
                text.push_str(&format!(
                    ": {}'s init has requested \"{}\" and waits for this very {}",
                    run.module(module),
                    run.request(name),
                    if is_modprobe { "modprobe" } else { "request" }
                ));
            }
            text.push('.');
            return None;
        }
        if told.contains(&owner) {
            text.push_str(&format!(" {} is {doing}: each waits for the other.", cpu(owner)));
            return None;
        }
        let then = if self.onward().iter().any(|m| m.actor == owner) { "then " } else { "" };
        let Some((who, until, next)) = asleep(late, owner) else {
            text.push_str(&format!(" {} is {doing}, and does not come to that.", cpu(owner)));
            return None;
        };
        let who = if who == cpu(owner) { "it" } else { "its modprobe" };
        text.push_str(&format!(" {} is {doing}; {who} {then}{until}, too.", cpu(owner)));
        Some((owner, next))
    }

    /// The same of a slot, which any of those who hold one could give back.
    fn follow_slots(&self, told: &[usize], text: &mut String) -> Option<(usize, Awaited)> {
        let holders = holders(&self.late);
        let names: Vec<String> = holders.iter().map(|holder| cpu(*holder)).collect();
        let held = match &holders[..] {
            [] => " Nobody holds one".to_owned(),
            [one] if told.contains(one) => {
                format!(
                    " The slots are held by {} itself, in requests that wait for this one",
                    cpu(*one)
                )
            }
            _ => format!(" The slots are held by {}", names.join(" and ")),
        };
        text.push_str(&held);
        let other = holders.iter().filter(|holder| !told.contains(holder)).find_map(|holder| {
            let (who, until, next) = asleep(&self.late, *holder)?;
            (next != Awaited::Slot).then_some((*holder, who, until, next))
        });
        if let Some((holder, who, until, next)) = other {
            text.push_str(&format!("; {who} {until}."));
            return Some((holder, next));
        }
        text.push_str(if holders.len() > 1 { ", who all wait for one more." } else { "." });
        None
    }
}

/// Whether that is so for which somebody sleeps.
fn is_so(run: &Run<'_>, awaited: Awaited, shared: u128) -> bool {
    let view = || run.model.shared_view(shared);
    match awaited {
        Awaited::Finished(module) => {
            run.model.scenario().listed_rules().finished(run.state(shared, module))
        }
        Awaited::Formed(module) => run.state(shared, module) != ModuleState::Coming,
        Awaited::Slot => view().slots.is_some_and(|slots| slots.value > 0),
        Awaited::Duplicate(name) => view().duplicates[usize::from(name)].entry == "done",
        Awaited::Finit(module) => view().modules[usize::from(module)].in_finit != Some(true),
        // Who holds a lock is read off the processes.
        Awaited::Lock(_) | Awaited::Woken => false,
    }
}

/// Who has it in hand, and what that process is doing.
fn owner(run: &Run<'_>, awaited: Awaited, last: usize) -> Option<(usize, String)> {
    match awaited {
        Awaited::Finished(module) | Awaited::Formed(module) => run.doing(module, last),
        Awaited::Finit(module) => {
            let first = Event::Idempotent { module, joined: false };
            let moment = run.moments.iter().rev().find(|moment| moment.step.label == first)?;
            Some((moment.actor, format!("in finit_module({})", run.module(module))))
        }
        Awaited::Duplicate(name) => {
            let announced = |event: &Event| matches!(event, Event::Announce { name: of, found: true, .. } if *of == name);
            let kworker = run
                .end
                .processes
                .iter()
                .position(|(kind, _)| run.model.role(kind.0) == Role::Kworker(name));
            if run.moments.iter().any(|moment| announced(&moment.step.label)) {
                return kworker.map(|kworker| (kworker, "to tell the result".to_owned()));
            }
            let first = first_request(run, name, last)?;
            Some((first, "the first to have requested that".to_owned()))
        }
        Awaited::Woken => None,
        Awaited::Lock(lock) => {
            run.end.processes.iter().enumerate().find_map(|(process, (kind, local))| {
                let locks = run.model.locks(kind.0, *local);
                let (_, name) = locks.into_iter().find(|(held, _)| *held == lock)?;
                Some((process, format!("holding {name}")))
            })
        }
        Awaited::Slot => {
            holders(run).first().map(|holder| (*holder, "in a request that holds one".to_owned()))
        }
    }
}

/// Those who hold a slot at the end of the run.
fn holders(run: &Run<'_>) -> Vec<usize> {
    let holds = |actor: &usize| {
        let mut held = 0_i32;
        for moment in run.moments.iter().filter(|moment| moment.actor == *actor) {
            match moment.step.label {
                Event::TakeSlot { taken: true } => held += 1,
                Event::GiveSlot { .. } => held -= 1,
                _ => {}
            }
        }
        held > 0
    };
    (0..run.end.processes.len()).filter(holds).collect()
}

/// The run and how it goes on until nobody can go on any more; `None`: that does not come.
pub(super) fn to_the_end(run: &Run<'_>) -> Option<kmodcheck_sim::trace::Trace> {
    let late = onward(run);
    (late.moments.len() < run.moments.len() + MOST).then(|| {
        let step = |moment: &Moment| kmodcheck_explore::TraceStep {
            actor: moment.actor,
            ordinal: moment.ordinal,
            label: moment.step.label,
        };
        late.moments.iter().map(step).collect()
    })
}

/// The run, and after it everybody who can goes on, without time-outs and kills, until nobody can.
fn onward<'m>(run: &Run<'m>) -> Run<'m> {
    let system = Processes { model: run.model };
    let (mut moments, mut end) = (run.moments.clone(), run.end.clone());
    for _ in 0..MOST {
        let mut next: Option<(State, Moment)> = None;
        let _ = transitions(&system, &end, |taken| {
            if taken.step.way_out != WayOut::Ordinary {
                return ControlFlow::Continue(());
            }
            let (actor, ordinal) = (taken.actor, taken.ordinal);
            next = Some((taken.after.clone(), Moment { actor, ordinal, step: taken.step }));
            ControlFlow::Break(())
        });
        let Some((after, moment)) = next else { break };
        end = after;
        moments.push(moment);
    }
    Run { model: run.model, moments, end }
}
