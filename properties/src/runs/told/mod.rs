//! What happened in a run, in a sentence for each who wants to know: why its last step violates a property
//! ([`violation`]), and for whom a sleeper waits ([`sleeper`]).
//!
//! All of it is read off the steps of the run, whatever system it is of: who relied on what, and how things stood then.
//! Processes are called as columns are, `CPU0`, `CPU1`.

mod cause;
mod run;
mod waits;

use kmodcheck_explore::{Kind, Local, Sleep};
use kmodcheck_model::Model;
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::Trace;

use crate::judge::results::CallResult;
use crate::judge::sleepers;
use crate::judge::witness::Witness;
use crate::property::Property;

use run::Run;

/// Why the last step of `trace` violates `property`; for [`Property::NobodySleepsForEver`], who sleeps after it, and for
/// whom it waits. `None`: it does not replay, or violates nothing.
pub fn violation(model: &Model, property: Property, trace: &Trace) -> Option<String> {
    let model = &*property.remembering(model);
    let run = Run::of(model, trace)?;
    if property != Property::NobodySleepsForEver {
        return cause::sentence(&run, property);
    }
    let system = Processes { model };
    let stuck = sleepers::asleep(&system, &run.end, Sleep::ForEver);
    let (stuck, sleep) = match stuck.is_empty() {
        true => (sleepers::asleep(&system, &run.end, Sleep::UntilKilled), Sleep::UntilKilled),
        false => (stuck, Sleep::ForEver),
    };
    let is_stuck = |process: &usize| stuck.contains(&run.end.processes[*process]);
    waits::of_one(&run, (0..run.end.processes.len()).filter(is_stuck), sleep)
}

/// How `trace` goes on until whoever hangs can be seen to: everybody else goes on as far as they can. The same trace, where
/// there are no programs, or that has no end.
pub fn until_seen(model: &Model, trace: &Trace) -> Trace {
    let programs = model.scenario().programs.ready().is_some();
    let onward =
        programs.then(|| Run::of(model, trace)).flatten().and_then(|run| waits::to_the_end(&run));
    onward.unwrap_or_else(|| trace.clone())
}

/// For what and for whom `process` waits at the end of `trace`, where it sleeps so. `None`: the trace does not replay, or
/// the process has not gone to sleep in it.
pub fn sleeper(model: &Model, trace: &Trace, process: usize, sleep: Sleep) -> Option<String> {
    waits::sentence(&Run::of(model, trace)?, process, sleep)
}

/// For whom the sleeper waits that `witness` asks for, at the end of `trace`; `None` for what is no sleep.
pub fn witness(model: &Model, witness: Witness, trace: &Trace) -> Option<String> {
    let Witness::Result { actor, result: CallResult::Sleeps(sleep) } = witness else { return None };
    let run = Run::of(model, trace)?;
    let asleep = sleepers::asleep(&Processes { model }, &run.end, sleep);
    let is_it =
        |process: &(Kind, Local)| usize::from(process.0.0) == actor && asleep.contains(process);
    let process = run.end.processes.iter().position(is_it)?;
    waits::sentence(&run, process, sleep)
}
