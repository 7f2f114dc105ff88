//! Leaves out of a violation what it does not need, among any number of processes.

use crate::ask::{Monitor, violated_by_counts};
use crate::system::{System, TraceStep, concrete};

/// Leaves out what the violation does not need: of each process as many of its last steps as the
/// others can do without, in ever smaller pieces.
pub(crate) fn shorten<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    property: u32,
    mut trace: Vec<TraceStep<S::Label>>,
) -> Vec<TraceStep<S::Label>> {
    let violates = |trace: &[TraceStep<S::Label>]| {
        let mut violated = 0;
        let replayed = concrete::replay(system, trace, |_, taken| {
            violated = violated_by_counts(monitor, &taken.step, taken.before, taken.after);
        });
        replayed.is_ok() && violated >> property & 1 != 0
    };
    // The last step is the violation.
    let steps_of = |trace: &[TraceStep<S::Label>], actor| {
        let all = trace[..trace.len() - 1].iter();
        all.filter(|step| step.actor == actor).count()
    };
    let mut actors: Vec<usize> = trace.iter().map(|step| step.actor).collect();
    actors.sort_unstable();
    actors.dedup();
    for actor in actors {
        let mut piece = steps_of(&trace, actor);
        while piece > 0 {
            let keep = steps_of(&trace, actor) - piece;
            let mut met = 0;
            let last = trace.len() - 1;
            let without: Vec<_> = (trace.iter().enumerate())
                .filter(|(at, step)| {
                    met += usize::from(step.actor == actor);
                    step.actor != actor || met <= keep || *at == last
                })
                .map(|(_, step)| step.clone())
                .collect();
            if violates(&without) {
                trace = without;
                piece = piece.min(keep);
            } else {
                piece /= 2;
            }
        }
    }
    trace
}
