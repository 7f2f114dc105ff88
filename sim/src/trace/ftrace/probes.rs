//! Which probes a log must have been recorded with. What others would have told is hidden; without
//! these nobody knows who is where, and the log is not read at all.

use super::FtraceError;
use super::parse::{Line, What};

/// Whether a line is of this event.
type Of = fn(&What) -> bool;

/// The first line of `shown` in a process that had one of `before`.
fn after(lines: &[Line], before: Of, shown: Of) -> Option<&Line> {
    lines.iter().enumerate().find_map(|(at, line)| {
        let had = |l: &Line| l.pid == line.pid && before(&l.what);
        (shown(&line.what) && lines[..at].iter().any(had)).then_some(line)
    })
}

/// Looks for what must be there.
///
/// # Errors
/// A line that shows that an event was not recorded which the reader must have.
pub(super) fn all_that_must_be(file: &str, lines: &[Line]) -> Result<(), FtraceError> {
    let cut = lines.iter().position(|line| line.what == What::Lost).unwrap_or(lines.len());
    let lines = &lines[..cut];
    let has = |of: Of| lines.iter().any(|line| of(&line.what));
    let first = |of: Of| lines.iter().find(|line| of(&line.what));
    let must = |event: &'static str, of: Of, shown: Option<&Line>| match shown {
        Some(line) if !has(of) => Err(FtraceError::Missing {
            file: file.to_owned(),
            line: line.number,
            found: line.text.clone(),
            event,
        }),
        _ => Ok(()),
    };
    let requests: Of = |w| matches!(w, What::RequestModule);
    let answered: Of = |w| matches!(w, What::RequestReturns { ret: 0.., .. });
    let enters: Of = |w| matches!(w, What::LoadModule);
    let deletes: Of = |w| matches!(w, What::DeleteModule(_));

    must(
        "get_fs_type",
        |w| matches!(w, What::GetFsType { .. }),
        first(|w| match w {
            What::Get { site, .. } => site == "__get_fs_type",
            What::RequestReturns { to_get_fs_type, .. } => *to_get_fs_type,
            _ => false,
        }),
    )?;
    must(
        "request_module",
        requests,
        first(|w| matches!(w, What::RequestReturns { .. } | What::ModuleRequest { .. })),
    )?;
    must(
        "request_module_ret",
        |w| matches!(w, What::RequestReturns { .. }),
        after(lines, requests, |w| match w {
            What::MountReturns(_) | What::Exit => true,
            What::Get { site, .. } => site == "__get_fs_type",
            _ => false,
        }),
    )?;
    // The tracepoint comes after everything that answers without a modprobe.
    let traced: Of = |w| matches!(w, What::ModuleRequest { wait: true, .. });
    let ran = after(lines, traced, answered);
    must("umh_exec", |w| matches!(w, What::Helper { .. }), ran)?;
    let helper: Of = |w| matches!(w, What::Helper { .. });
    let ran = ran.or_else(|| after(lines, helper, |w| matches!(w, What::HelperReturns(0..))));
    must("sched_process_exec", |w| matches!(w, What::Exec { .. }), ran)?;
    must("sched_process_exit", |w| matches!(w, What::Exit), ran)?;
    must(
        "sys_finit_module",
        |w| matches!(w, What::Finit { .. }),
        first(|w| {
            matches!(w, What::LoadModule | What::LoadModuleReturns(_) | What::FinitReturns(_))
        }),
    )?;
    must(
        "load_module",
        enters,
        first(|w| {
            matches!(w, What::LoadModuleReturns(_) | What::FinitReturns(_) | What::Listed(_))
        }),
    )?;
    must(
        "load_module_ret",
        |w| matches!(w, What::LoadModuleReturns(_)),
        after(lines, enters, |w| matches!(w, What::FinitReturns(_) | What::Exit)),
    )?;
    must(
        "sys_finit_module ->",
        |w| matches!(w, What::FinitReturns(_)),
        after(
            lines,
            |w| matches!(w, What::LoadModuleReturns(_)),
            |w| matches!(w, What::Finit { .. } | What::Exit),
        ),
    )?;
    must("sys_delete_module", deletes, first(|w| matches!(w, What::DeleteModuleReturns(_))))?;
    must(
        "sys_delete_module ->",
        |w| matches!(w, What::DeleteModuleReturns(_)),
        after(lines, deletes, |w| matches!(w, What::Exit)),
    )
}
