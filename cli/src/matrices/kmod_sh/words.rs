//! How the tables say what became of a case.

use kmodcheck_properties::kmod_sh::{Call, Case, Outcome};

/// `D` is `request_module()` of a driver, `F` `get_fs_type()`.
pub(super) fn half(case: &Case) -> &'static str {
    match case.call {
        Call::Driver => "D",
        Call::FileSystem => "F",
    }
}

/// What became of a case.
pub(super) fn short(case: &Case, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passes { seen: None, .. } => "ok".to_owned(),
        Outcome::Passes { exhaustive_to, seen: Some(_), .. } => format!("ok to {exhaustive_to}"),
        Outcome::Fails { threads, trace, shortest } => {
            let at = if *shortest { "" } else { "<=" };
            let allowed = if case.allows(trace) { " (allowed)" } else { "" };
            format!("FAILS T={threads} {at}{}{allowed}", trace.len())
        }
        Outcome::Stuck { threads, trace } => format!("STUCK T={threads} {}", trace.len()),
        Outcome::OutOfBudget => "?".to_owned(),
    }
}
