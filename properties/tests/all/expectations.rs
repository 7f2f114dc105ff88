//! What was expected of each cell of the matrix before it was run for the first time, and why. The
//! rules below stay as they were written; where the explorer disagrees, the difference is listed in
//! `DIFFERENCES` and explained in docs/fidelity.md.

use kmodcheck_explore::Options;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_properties::matrix::{Cell, Kmod};
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    NotApplicable,
    Vacuous,
    Holds,
    Violated,
}

use Expected::{Holds, NotApplicable, Vacuous, Violated};

fn expected(cell: &Cell, property: Property) -> Expected {
    match cell.environment {
        Environment::Ok | Environment::Fail => loadable(cell, property),
        Environment::BuiltinDir | Environment::BuiltinNodir => built_in(cell, property),
        other => unreachable!("{other:?} is no environment of the main job"),
    }
}

/// Built in. A plain name: modules.builtin lists it, so modprobe says 0 without a look, v19 and v20
/// alike, directory or not. `get_fs_type()`: found at the first look, nothing is ever requested.
fn built_in(cell: &Cell, property: Property) -> Expected {
    let asks = cell.naming == Naming::Plain;
    // Not on the list is -ENOENT in the author's tree, for built-in code, too.
    let refuses = cell.check == SanityCheck::AuthorTree;
    let checks = !matches!(cell.check, SanityCheck::None | SanityCheck::WarnOnly);
    match property {
        Property::NoFalseSuccess | Property::NoFalseSuccessStrong if asks && !refuses => Holds,
        Property::NoFalseSuccess | Property::NoFalseSuccessStrong => Vacuous,
        Property::ModprobeTellsTheTruth if asks => Holds,
        Property::ModprobeTellsTheTruth => Vacuous,
        Property::TheCheckCatchesIt => Vacuous,
        Property::NoFalseAlarm if asks && refuses => Violated,
        Property::NoFalseAlarm if asks && checks => Holds,
        Property::NoFalseAlarm => Vacuous,
        Property::GetFsTypeFindsIt if asks => NotApplicable,
        Property::GetFsTypeFindsIt => Holds,
        Property::NoNeedlessUserspace if cell.map == AliasMap::None => NotApplicable,
        Property::NoNeedlessUserspace => Vacuous,
        Property::LifecycleAndSysfs | Property::NobodySleepsForEver => Vacuous,
        Property::UdevFindsItInitialised => NotApplicable,
        Property::NoFalseFailure if asks && refuses => Violated,
        Property::NoFalseFailure => Holds,
        // There is no module.
        Property::BlockedIsNeverLoaded | Property::InitRunsOncePerRequest => NotApplicable,
    }
}

fn loadable(cell: &Cell, property: Property) -> Expected {
    let fail = cell.environment == Environment::Fail;
    let old = cell.kmod == Kmod::V19;
    let mapped = cell.mapped();
    // v19 lies about a bare directory. v20 lies, too, where init may fail: v4.9 answers -EEXIST for
    // GOING at once, and kmod takes that for success.
    let lies = old || fail;
    // What never gets past the check under a name that is never listed: -ENOENT, or not in the
    // table of what is built in.
    let refuses_unlisted =
        matches!(cell.check, SanityCheck::AuthorTree | SanityCheck::ExactBuiltin);
    let unchecked = matches!(cell.check, SanityCheck::None | SanityCheck::WarnOnly);
    match property {
        // A LIVE module stays LIVE here, so the strong form is the weak one.
        Property::NoFalseSuccess | Property::NoFalseSuccessStrong => {
            if !mapped && refuses_unlisted {
                // The request never returns 0.
                Vacuous
            } else if !lies {
                Holds
            } else if unchecked || !mapped {
                Violated
            } else if fail {
                match cell.check {
                    // GOING, and gone while it waited, count as finished: 0.
                    SanityCheck::AuthorTree | SanityCheck::AuthorMail => Violated,
                    // Failed and left the list: looks built in.
                    SanityCheck::Verify | SanityCheck::WaitAndVerify => Violated,
                    // Only LIVE is accepted.
                    _ => Holds,
                }
            } else {
                Holds
            }
        }
        Property::ModprobeTellsTheTruth => {
            if lies {
                Violated
            } else {
                Holds
            }
        }
        Property::TheCheckCatchesIt => {
            if !lies || (!mapped && refuses_unlisted) {
                Vacuous
            } else if unchecked || !mapped {
                Violated
            } else if fail {
                match cell.check {
                    SanityCheck::ExactBuiltin if old => Holds,
                    // The lie was -EEXIST for GOING; of two callers nobody is left to load it.
                    SanityCheck::ExactBuiltin => Vacuous,
                    _ => Violated,
                }
            } else {
                Holds
            }
        }
        Property::NoFalseAlarm => {
            if unchecked {
                Vacuous
            } else if !mapped && refuses_unlisted {
                Violated
            } else {
                Holds
            }
        }
        Property::GetFsTypeFindsIt => {
            let author = matches!(cell.check, SanityCheck::AuthorTree | SanityCheck::AuthorMail);
            if cell.naming == Naming::Plain {
                NotApplicable
            } else if author && mapped && fail {
                // Before modprobe it waits for a module that is being freed, and returns 0 without
                // having tried to load it.
                Violated
            } else if !old || (!mapped && refuses_unlisted) {
                Holds
            } else if unchecked || !mapped {
                Violated
            } else {
                Holds
            }
        }
        Property::NoNeedlessUserspace => match cell.map {
            AliasMap::None => NotApplicable,
            _ if mapped => Holds,
            _ => Violated,
        },
        Property::LifecycleAndSysfs | Property::NobodySleepsForEver => Holds,
        Property::UdevFindsItInitialised => NotApplicable,
        // Nothing is blocked.
        Property::BlockedIsNeverLoaded => NotApplicable,
        // v4.9: who waited for an init that failed finds the name free, and begins again.
        Property::InitRunsOncePerRequest if fail => Violated,
        Property::InitRunsOncePerRequest => Holds,
        // NULL for no reason, an error for what is there under another name, and one look at a module
        // that v19 took for built in and that is COMING still. (Who only waits for it is right.)
        Property::NoFalseFailure => {
            let one_look = matches!(cell.check, SanityCheck::Verify | SanityCheck::ExactBuiltin);
            let null = expected(cell, Property::GetFsTypeFindsIt) == Violated;
            let refused = !mapped && refuses_unlisted;
            if null || refused || (old && mapped && one_look) { Violated } else { Holds }
        }
    }
}

/// Where the explorer disagrees with the rules above: explained in docs/fidelity.md.
const DIFFERENCES: &[(&str, Property, Expected)] = &[];

#[test]
fn the_explorer_agrees_but_for_the_listed_differences() {
    let mut differences = Vec::new();
    for cell in Cell::all() {
        let report = check_all(&cell.model(2, None), &Options::default()).unwrap();
        for property in Property::ALL {
            let found = match report.answer(property).verdict {
                Verdict::NotApplicable => NotApplicable,
                Verdict::NotAsked => panic!("all were asked"),
                Verdict::Holds { premise_met: false } => Vacuous,
                Verdict::Holds { premise_met: true } => Holds,
                Verdict::Violated(_) => Violated,
                Verdict::OutOfBudget | Verdict::NoneFound => panic!("no search was bounded"),
            };
            if found != expected(&cell, property) {
                differences.push((cell.to_string(), property, found));
            }
        }
    }
    let listed: Vec<_> =
        DIFFERENCES.iter().map(|(cell, p, f)| ((*cell).to_owned(), *p, *f)).collect();
    assert_eq!(differences, listed, "found on the left, listed on the right");
}
