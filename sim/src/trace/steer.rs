//! From a trace to a plan of holds, by which a real kernel is made to take the same steps in the same
//! order. The module in `tools/real-kernel/steer` follows it.
//!
//! Where a process arrives at a function right before a step of the trace, and others have taken steps
//! since it last could be held, it is held there until the last of those has arrived at what it does
//! next: then its step is done. Who is held is told by how many have arrived at that function for that
//! name before: callers are interchangeable, so whoever comes first plays the first.
//!
//! Steps between two such functions cannot be told apart from outside. Where one of them has to come
//! after a step of somebody else that it depends on, and nothing in the kernel makes it wait, there is
//! no plan.

use std::fmt;
use std::ops::ControlFlow;

use kmodcheck_explore::TraceStep;
use kmodcheck_explore::replay::replay;
use kmodcheck_explore::{Configuration, Product};
use kmodcheck_model::scenario::{Action, ModuleId, NameId, Scenario};
use kmodcheck_model::{Event, Model, Ret, Role};

use super::Trace;
use crate::Processes;

/// A function at which the module can hold a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// `__get_fs_type()`, of a file system.
    Lookup,
    /// `call_usermodehelper_exec()`, of a requested name.
    Request,
    /// Opening a module's initstate.
    Open,
    /// Looking for a module's directory.
    Stat,
    /// `finit_module()` of a module's file.
    Finit,
    /// `finit_module()` of it, when `init_module_from_file()` has returned and those who joined have
    /// not been told.
    Returned,
    /// `finished_loading()` of a module that somebody found on the list. The kernel calls it as often as it
    /// likes, so only the first call can be told.
    Finished,
    /// The notifier after a module became COMING.
    Coming,
    /// `sysfs_create_dir_ns()` of a module's directory.
    Directory,
    /// `sysfs_create_file_ns()` of its initstate.
    Initstate,
    /// `do_init_module()`.
    Init,
    /// The notifier after it became LIVE.
    Live,
    /// The notifier after it became GOING.
    Going,
    /// `mod_sysfs_teardown()`.
    Teardown,
    /// `module_arch_cleanup()`, after a module that is unloaded became UNFORMED again.
    Unformed,
    /// `delete_module()`.
    Delete,
    /// `do_exit()` of a command.
    Exit,
}

impl Point {
    /// As the plan has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Request => "request",
            Self::Open => "open",
            Self::Stat => "stat",
            Self::Finit => "finit",
            Self::Returned => "returned",
            Self::Finished => "finished",
            Self::Coming => "coming",
            Self::Directory => "directory",
            Self::Initstate => "initstate",
            Self::Init => "init",
            Self::Live => "live",
            Self::Going => "going",
            Self::Teardown => "teardown",
            Self::Unformed => "unformed",
            Self::Delete => "delete",
            Self::Exit => "exit",
        }
    }
}

/// The `hit`-th arrival, from 1, of anybody at `point` for `name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Where.
    pub point: Point,
    /// For which module, file system, name or command.
    pub name: String,
    /// Which one.
    pub hit: u32,
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.point.name(), self.name, self.hit)
    }
}

/// Whoever makes the first arrival sleeps until the second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who is held.
    pub held: Arrival,
    /// Until when.
    pub until: Arrival,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Commands to be started at once, each with how many of it.
    pub starts: Vec<(u8, String)>,
    /// The name of the helper's command, and whether it is the stand-in for kmod v19.
    pub old_rule: bool,
    /// Modules whose aliases are blacklisted.
    pub blacklisted: Vec<String>,
    /// The holds, in the order of the trace.
    pub holds: Vec<Hold>,
    /// Who is killed in the sleep that follows its arrival.
    pub kills: Vec<Arrival>,
    /// Longest hold, in milliseconds.
    pub longest: u32,
}

/// How many milliseconds after its arrival somebody is killed: by then it sleeps.
const ASLEEP: u32 = 300;

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SteerError {
    /// Nobody can be started who does this.
    #[error(
        "cannot start what {actor} does: expected get_fs_type(), insmod or rmmod, which a process can \
         be made to do"
    )]
    Actor {
        /// What it does.
        actor: String,
    },
    /// Not from outside.
    #[error("step {step}, '{what}', is nothing that holding processes brings about")]
    Step {
        /// From 1.
        step: usize,
        /// What happens.
        what: String,
    },
    /// Somebody would have to be held at a later call of a function that the kernel calls as often as it likes.
    #[error(
        "step {step}, '{what}', has to be told from other calls of finished_loading() for {module}, which \
         the kernel calls as often as it likes"
    )]
    Uncounted {
        /// From 1.
        step: usize,
        /// What happens.
        what: String,
        /// The module.
        module: String,
    },
    /// Somebody would have to be held where nobody can be.
    #[error(
        "step {step}, '{what}', has to come after step {after}, '{other}', and there is no function \
         right before it at which a process can be held"
    )]
    Unheld {
        /// From 1.
        step: usize,
        /// What happens.
        what: String,
        /// From 1.
        after: usize,
        /// What happens there.
        other: String,
    },
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, command) in &self.starts {
            writeln!(f, "start {count} {command}")?;
        }
        for module in &self.blacklisted {
            writeln!(f, "blacklist {module}")?;
        }
        if self.old_rule {
            writeln!(f, "helper old")?;
        }
        for hold in &self.holds {
            writeln!(f, "hold {} {} until {}", hold.held, self.longest, hold.until)?;
        }
        for killed in &self.kills {
            writeln!(f, "kill {killed} {ASLEEP}")?;
        }
        Ok(())
    }
}

/// Something that a process arrives at, in a trace.
#[derive(Clone, Debug)]
struct Passed {
    /// The step that it comes right before, or right after.
    step: usize,
    actor: usize,
    before: bool,
    point: Point,
    name: String,
}

/// The same trace with few changes from one process to another: steps that do not depend on each
/// other (A. Mazurkiewicz, 'Trace theory', 1987) change places, so that each process goes on as long
/// as it can. What a process remembers of others may be different then: whether a property is still
/// violated is to be seen.
///
/// `None` if it is no trace of the model.
pub fn gather(model: &Model, trace: &Trace) -> Option<Trace> {
    let system = Processes { model };
    let product = Product::new(&system)?;
    let mut facts = Vec::new();
    replay(&product, trace, |_, t| {
        let touched = (0..product.processes())
            .filter(|i| *i != t.actor && t.before.locals[*i] != t.after.locals[*i]);
        let touched = touched.fold(1_u32 << t.actor, |mask, i| mask | 1 << i);
        facts.push((t.footprint.reads, t.footprint.writes, touched, t.actor));
    })
    .ok()?;
    let depend = |a: usize, b: usize| {
        let ((r, w, touched, actor), (r2, w2, touched2, actor2)) = (facts[a], facts[b]);
        w & (r2 | w2) != 0
            || w2 & r != 0
            || touched >> actor2 & 1 != 0
            || touched2 >> actor & 1 != 0
    };
    let mut left: Vec<usize> = (0..trace.len()).collect();
    let mut gathered = Trace::new();
    let mut current = trace.first()?.actor;
    while !left.is_empty() {
        let free = |at: usize| left.iter().take_while(|b| **b < at).all(|b| !depend(*b, at));
        let next = |actor: usize| left.iter().copied().find(|at| trace[*at].actor == actor);
        let runs = |actor: usize| next(actor).filter(|at| free(*at));
        // The first step that is left depends on none that is.
        let at = runs(current).unwrap_or(left[0]);
        current = trace[at].actor;
        gathered.push(trace[at]);
        left.retain(|other| *other != at);
    }
    Some(gathered)
}

/// What each process that has not returned would do next, up to where it can be held: it must not
/// get further before the trace is at its end.
fn goes_on(model: &Model, trace: &Trace, passes: &dyn Fn(&Event) -> bool) -> Trace {
    let system = Processes { model };
    let Some(product) = Product::new(&system) else { return Trace::new() };
    let Ok(end) = replay(&product, trace, |_, _| {}) else { return Trace::new() };
    let mut further = Trace::new();
    for actor in 0..product.processes() {
        let mut now: Configuration = end;
        // No process takes so many steps without arriving anywhere.
        for _ in 0..32 {
            let mut taken = None;
            let _ = product.successors(&now, &mut Vec::new(), |t| {
                if t.actor == actor {
                    let (ordinal, label) = (t.ordinal, t.label);
                    taken = Some((TraceStep { actor, ordinal, label }, *t.after));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            let Some((step, after)) = taken else { break };
            now = after;
            let arrived = passes(&step.label);
            further.push(step);
            if arrived {
                break;
            }
        }
    }
    further
}

/// The plan by which a kernel takes the steps of `trace`; no hold is longer than `longest` ms.
///
/// # Errors
/// Actors that cannot be started from user space, steps that holding processes does not bring about.
pub fn plan(model: &Model, trace: &Trace, longest: u32) -> Result<Plan, SteerError> {
    let scenario = model.scenario();
    let old_rule =
        scenario.features.kmod.bare_directory == kmodcheck_model::features::BareDirectory::Builtin;
    let command = if old_rule { "old-rule" } else { "modprobe" };
    let held_at = |event: &Event| {
        matches!(
            event,
            Event::LookUp { .. }
                | Event::Exec { .. }
                | Event::Idempotent { .. }
                | Event::IdempotentComplete { .. }
                | Event::FinishedLoading { .. }
                | Event::ListDel { .. }
                | Event::Open { .. }
                | Event::Stat { .. }
                | Event::SysfsInit { .. }
                | Event::AddModinfoAttrs { .. }
                | Event::Init { .. }
                | Event::RemoveModinfoAttrs { .. }
                | Event::DeleteModule { .. }
                | Event::Exit { .. }
        )
    };
    let given = trace.len();
    let mut trace = trace.clone();
    trace.extend(goes_on(model, &trace, &held_at));
    let passed = passed(model, &trace, command)?;
    let facts = facts(model, &trace[..given]).unwrap_or_default();
    all_held(scenario, &trace[..given], &passed, &facts)?;

    // Who is held where, and until which of the others' steps is done.
    let mut held: Vec<(usize, usize)> = Vec::new();
    for (at, here) in passed.iter().enumerate().filter(|(_, p)| p.before) {
        let since = passed[..at].iter().rev().find(|p| p.actor == here.actor && p.before);
        let since = since.map_or(0, |p| p.step);
        for actor in 0..scenario.processes() {
            let others = trace[since..here.step].iter().rposition(|s| s.actor == actor);
            let Some(last) = others.filter(|_| actor != here.actor) else { continue };
            let last = since + last;
            // What that process arrives at once the step is done; failing that, or if it sleeps then
            // until somebody goes on, at the step.
            let sleeps = facts.get(last).is_some_and(|fact| fact.sleeps);
            let after = |p: &Passed| {
                p.actor == actor && (p.step > last && !sleeps || p.step == last && !p.before)
            };
            let next = passed.iter().position(after);
            let next =
                next.or_else(|| passed.iter().rposition(|p| p.actor == actor && p.step <= last));
            if let Some(next) = next {
                held.push((at, next));
            }
        }
    }

    // Arrivals in the order in which they happen: a process arrives at a step as soon as the hold
    // before it is over, and where nobody is held, the fewer others it passes before, the sooner.
    let released = |at: usize| {
        let own = held.iter().map(|(held, _)| *held);
        let own = own.filter(|held| *held < at && passed[*held].actor == passed[at].actor);
        own.map(|held| passed[held].step + 1).max().unwrap_or(0)
    };
    let mut order: Vec<usize> = (0..passed.len()).collect();
    let passes = |at: usize| {
        let own = passed[..at].iter().filter(|p| p.actor == passed[at].actor);
        own.filter(|p| p.step >= released(at)).count()
    };
    order.sort_by_key(|at| (released(*at), passes(*at), *at));
    let arrival = |at: usize| {
        let here = &passed[at];
        let same = |other: &&usize| {
            (passed[**other].point, &passed[**other].name) == (here.point, &here.name)
        };
        let hit = order.iter().filter(same).position(|other| *other == at).expect("it is there");
        Arrival {
            point: here.point,
            name: here.name.clone(),
            hit: u32::try_from(hit).expect("a trace has fewer steps") + 1,
        }
    };
    let counted = |at: usize| {
        let Passed { step, point, .. } = passed[at];
        if point == Point::Finished && arrival(at).hit > 1 {
            return Err(SteerError::Uncounted {
                step: step + 1,
                what: trace[step].label.describe(scenario).to_string(),
                module: passed[at].name.clone(),
            });
        }
        Ok(arrival(at))
    };
    let mut holds = Vec::new();
    for (held, until) in &held {
        holds.push(Hold { held: counted(*held)?, until: counted(*until)? });
    }
    // Whoever is killed has come to finished_loading() last.
    let mut kills = Vec::new();
    for (step, taken) in trace.iter().enumerate().take(given) {
        if matches!(taken.label, Event::Killed) {
            let waits = |p: &Passed| p.actor == taken.actor && p.step < step;
            kills.push(counted(passed.iter().rposition(waits).unwrap_or_default())?);
        }
    }
    let starts = scenario
        .actors
        .iter()
        .map(|actor| Ok((actor.count, start(scenario, actor.action)?)))
        .collect::<Result<_, SteerError>>()?;
    let targets = scenario.names.iter().flat_map(|name| name.targets());
    let blacklisted =
        targets.filter(|t| t.blacklisted).map(|t| module(scenario, t.module)).collect();
    Ok(Plan { starts, old_rule, blacklisted, holds, kills, longest })
}

/// What one step of a trace is to others.
#[derive(Clone, Copy, Debug)]
struct Fact {
    reads: u128,
    writes: u128,
    /// The processes that it wakes, one bit each.
    wakes: u32,
    /// The process that took it sleeps afterwards: it has no way to go on by itself, and has not
    /// returned.
    sleeps: bool,
}

impl Fact {
    fn depends(&self, other: &Self) -> bool {
        self.writes & (other.reads | other.writes) != 0 || other.writes & self.reads != 0
    }
}

/// `None` if it is no trace of the model.
fn facts(model: &Model, trace: &[TraceStep<Event>]) -> Option<Vec<Fact>> {
    let system = Processes { model };
    let product = Product::new(&system)?;
    let can_step = |state: &Configuration, actor: usize| {
        let mut can = false;
        let _ = product.successors(state, &mut Vec::new(), |t| {
            can |= t.actor == actor;
            if can { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        can
    };
    let mut facts = Vec::new();
    replay(&product, trace, |_, t| {
        let woken = (0..product.processes())
            .filter(|i| *i != t.actor && !can_step(t.before, *i) && can_step(t.after, *i));
        facts.push(Fact {
            reads: t.footprint.reads,
            writes: t.footprint.writes,
            wakes: woken.fold(0, |mask, i| mask | 1 << i),
            sleeps: !can_step(t.after, t.actor) && !product.returned(t.after, t.actor),
        });
    })
    .ok()?;
    Some(facts)
}

/// Each step that depends on one of somebody else comes after it because its process is held right
/// before it, or sleeps until then.
fn all_held(
    scenario: &Scenario,
    trace: &[TraceStep<Event>],
    passed: &[Passed],
    facts: &[Fact],
) -> Result<(), SteerError> {
    for (step, taken) in trace.iter().enumerate() {
        let here = |p: &Passed| p.step == step && p.before && p.actor == taken.actor;
        // What a call does first is held, and that it has begun is seen by nobody.
        if passed.iter().any(here) || matches!(taken.label, Event::Call { .. }) {
            continue;
        }
        let previous = trace[..step].iter().rposition(|other| other.actor == taken.actor);
        let since = previous.map_or(0, |previous| previous + 1);
        // Whoever sleeps goes on when it is woken, not before.
        let slept = previous.is_some_and(|previous| facts[previous].sleeps);
        let wakes = |at: &usize| facts[*at].wakes >> taken.actor & 1 != 0;
        let free = match slept {
            true => (since..step).find(wakes).map_or(step, |woken| woken + 1),
            false => since,
        };
        let other = (free..step).rev().find(|at| facts[*at].depends(&facts[step]));
        if let Some(other) = other {
            let what = |at: usize| trace[at].label.describe(scenario).to_string();
            return Err(SteerError::Unheld {
                step: step + 1,
                what: what(step),
                after: other + 1,
                other: what(other),
            });
        }
    }
    Ok(())
}

fn module(scenario: &Scenario, id: ModuleId) -> String {
    scenario.modules[usize::from(id)].name.clone()
}

/// The command that makes a process do this.
fn start(scenario: &Scenario, action: Action) -> Result<String, SteerError> {
    let name = |id: NameId| &scenario.names[usize::from(id)];
    match action {
        Action::GetFsType(id) => Ok(format!("mount {}", name(id).file_system())),
        Action::Rmmod(id) => Ok(format!("rmmod {}", module(scenario, id))),
        Action::Insmod(id) if name(id).targets().len() == 1 => {
            Ok(format!("insmod {}", module(scenario, name(id).targets()[0].module)))
        }
        other => Err(SteerError::Actor {
            actor: match other.name() {
                Some(id) => format!("the actor of '{}'", name(id).request),
                None => "an actor".to_owned(),
            },
        }),
    }
}

/// Every arrival of a trace.
fn passed(model: &Model, trace: &Trace, command: &str) -> Result<Vec<Passed>, SteerError> {
    let scenario = model.scenario();
    let kinds: Vec<u8> = model.processes().iter().map(|(kind, _)| *kind).collect();
    let request = |actor: usize| model.role(kinds[actor]).name();
    let mut passed = Vec::new();
    for (step, taken) in trace.iter().enumerate() {
        let of = |id: ModuleId| module(scenario, id);
        let (before, point, name) = match taken.label {
            Event::LookUp { .. } => {
                let name = request(taken.actor).map(|id| &scenario.names[usize::from(id)]);
                let name = name.map(|name| name.file_system().to_owned()).unwrap_or_default();
                (true, Point::Lookup, name)
            }
            Event::Exec { name } => {
                (true, Point::Request, scenario.names[usize::from(name)].request.clone())
            }
            Event::Open { module, .. } => (true, Point::Open, of(module)),
            Event::Stat { module, .. } => (true, Point::Stat, of(module)),
            // modprobe unpacks it, and calls init_module().
            Event::AddUnformed { module, .. } | Event::Idempotent { module, .. }
                if scenario.modules[usize::from(module)].compressed =>
            {
                continue;
            }
            Event::Idempotent { module, .. } => (true, Point::Finit, of(module)),
            Event::IdempotentComplete { module, .. } => (true, Point::Returned, of(module)),
            Event::AddUnformed { module, .. } => {
                // The look after a wait is in the same call.
                let again = passed.iter().rev().find(|p: &&Passed| p.actor == taken.actor);
                if again.is_some_and(|p| p.point == Point::Finit && p.name == of(module)) {
                    continue;
                }
                (true, Point::Finit, of(module))
            }
            Event::FinishedLoading { module, .. } => (true, Point::Finished, of(module)),
            Event::ListDel { module } => (true, Point::Unformed, of(module)),
            Event::CompleteFormation { module } => (false, Point::Coming, of(module)),
            Event::SysfsInit { module, made: true } => (true, Point::Directory, of(module)),
            Event::AddModinfoAttrs { module, made: true } => (true, Point::Initstate, of(module)),
            Event::Init { module, .. } => (true, Point::Init, of(module)),
            Event::SetLive { module } => (false, Point::Live, of(module)),
            Event::SetGoing { module } => (false, Point::Going, of(module)),
            Event::RemoveModinfoAttrs { module } => (true, Point::Teardown, of(module)),
            Event::DeleteModule { module, ret } => {
                passed.push(Passed {
                    step,
                    actor: taken.actor,
                    before: true,
                    point: Point::Delete,
                    name: of(module),
                });
                if ret != Ret::Zero {
                    continue;
                }
                (false, Point::Going, of(module))
            }
            Event::Exit { .. } => {
                let insmod = matches!(
                    model.role(kinds[taken.actor]),
                    Role::Actor { action: Action::Insmod(_), .. }
                );
                let command = if insmod { "insmod" } else { command };
                (true, Point::Exit, command.to_owned())
            }
            // In the wait for a listed name: somebody who tells when it has begun can send the signal.
            Event::Killed if waits_for_the_list(&trace[..step], taken.actor) => continue,
            Event::Killed
            | Event::ResolveTimedOut { .. }
            | Event::SlotTimedOut
            | Event::AddModinfoAttrs { made: false, .. }
            | Event::UdevUse { .. } => {
                let what = taken.label.describe(scenario).to_string();
                return Err(SteerError::Step { step: step + 1, what });
            }
            _ => continue,
        };
        passed.push(Passed { step, actor: taken.actor, before, point, name });
    }
    Ok(passed)
}

/// Whether the last thing that this process did was to find a listed module unfinished.
fn waits_for_the_list(trace: &[TraceStep<Event>], actor: usize) -> bool {
    let last = trace.iter().rev().find(|taken| taken.actor == actor);
    last.is_some_and(|taken| matches!(taken.label, Event::FinishedLoading { finished: false, .. }))
}
