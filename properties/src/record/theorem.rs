//! What the matrix says, in words that are checked against it: which reading of the check catches
//! every false success under which assumptions, and for each assumption a cell that shows, by its
//! shortest trace, that it is needed.

use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, SanityCheck};

use crate::judge::verdict::{Trace, Verdict};
use crate::property::Property;
use crate::systems::matrix::{Cell, CellReport, Kmod};

/// An assumption of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// In words.
    pub words: &'static str,
    /// Without it, in this cell, `property` is violated.
    pub needed_in: Cell,
    /// The property.
    pub property: Property,
}

/// A claim: in every cell of a set, a property holds.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// In words.
    pub words: &'static str,
    /// The property.
    pub property: Property,
    /// The cells.
    pub covers: fn(&Cell) -> bool,
    /// What the claim assumes.
    pub assumptions: &'static [Assumption],
}

const fn cell(
    naming: Naming,
    environment: Environment,
    kmod: Kmod,
    check: SanityCheck,
    map: AliasMap,
) -> Cell {
    Cell { naming, environment, kmod, check, map }
}

const INIT_SUCCEEDS: &str = "no init fails";
const MAPPED: &str = "the alias map gives the module's own name";

const fn needs_init(kmod: Kmod, check: SanityCheck) -> Assumption {
    Assumption {
        words: INIT_SUCCEEDS,
        needed_in: cell(Naming::Plain, Environment::Fail, kmod, check, AliasMap::Exact),
        property: Property::NoFalseSuccess,
    }
}

const fn needs_map(check: SanityCheck) -> Assumption {
    Assumption {
        words: MAPPED,
        needed_in: cell(Naming::FsAndOther, Environment::Ok, Kmod::V19, check, AliasMap::Prefix),
        property: Property::NoFalseSuccess,
    }
}

fn loads(cell: &Cell) -> bool {
    matches!(cell.environment, Environment::Ok | Environment::Fail)
}

/// Every claim.
pub const CLAIMS: [Claim; 9] = [
    Claim {
        words: "Without a check, kmod v20 gives no false success",
        property: Property::NoFalseSuccess,
        covers: |c| {
            c.kmod == Kmod::V20
                && matches!(c.check, SanityCheck::None | SanityCheck::WarnOnly)
                && c.environment != Environment::Fail
        },
        assumptions: &[needs_init(Kmod::V20, SanityCheck::None)],
    },
    Claim {
        words: "Verify catches every false success of kmod v19",
        property: Property::NoFalseSuccess,
        covers: |c| {
            c.check == SanityCheck::Verify && c.mapped() && c.environment != Environment::Fail
        },
        assumptions: &[needs_init(Kmod::V19, SanityCheck::Verify), needs_map(SanityCheck::Verify)],
    },
    Claim {
        words: "WaitAndVerify catches every false success of kmod v19",
        property: Property::NoFalseSuccess,
        covers: |c| {
            c.check == SanityCheck::WaitAndVerify
                && c.mapped()
                && c.environment != Environment::Fail
        },
        assumptions: &[
            needs_init(Kmod::V19, SanityCheck::WaitAndVerify),
            needs_map(SanityCheck::WaitAndVerify),
        ],
    },
    Claim {
        words: "AuthorMail catches every false success of kmod v19",
        property: Property::NoFalseSuccess,
        covers: |c| {
            c.check == SanityCheck::AuthorMail && c.mapped() && c.environment != Environment::Fail
        },
        assumptions: &[
            needs_init(Kmod::V19, SanityCheck::AuthorMail),
            needs_map(SanityCheck::AuthorMail),
        ],
    },
    Claim {
        words: "AuthorTree catches every false success of kmod v19, mapped or not (what is not \
                listed, it refuses)",
        property: Property::NoFalseSuccess,
        covers: |c| c.check == SanityCheck::AuthorTree && c.environment != Environment::Fail,
        assumptions: &[needs_init(Kmod::V19, SanityCheck::AuthorTree)],
    },
    Claim {
        words: "AuthorTree turns no true success into an error",
        property: Property::NoFalseAlarm,
        covers: |c| c.check == SanityCheck::AuthorTree && c.mapped() && loads(c),
        assumptions: &[
            Assumption {
                words: "the name is not built in",
                needed_in: cell(
                    Naming::Plain,
                    Environment::BuiltinNodir,
                    Kmod::V19,
                    SanityCheck::AuthorTree,
                    AliasMap::Exact,
                ),
                property: Property::NoFalseAlarm,
            },
            Assumption {
                words: MAPPED,
                needed_in: cell(
                    Naming::FsAndOther,
                    Environment::Ok,
                    Kmod::V19,
                    SanityCheck::AuthorTree,
                    AliasMap::Prefix,
                ),
                property: Property::NoFalseAlarm,
            },
        ],
    },
    Claim {
        words: "ExactBuiltin catches every false success of kmod v19 and v20, mapped or not, \
                whether or not an init fails",
        property: Property::NoFalseSuccess,
        covers: |c| c.check == SanityCheck::ExactBuiltin,
        assumptions: &[],
    },
    Claim {
        words: "ExactBuiltin turns no true success into an error",
        property: Property::NoFalseAlarm,
        covers: |c| c.check == SanityCheck::ExactBuiltin && c.mapped(),
        assumptions: &[Assumption {
            words: MAPPED,
            needed_in: cell(
                Naming::FsAndOther,
                Environment::Ok,
                Kmod::V19,
                SanityCheck::ExactBuiltin,
                AliasMap::Prefix,
            ),
            property: Property::NoFalseAlarm,
        }],
    },
    Claim {
        words: "Verify and WaitAndVerify turn no true success into an error, mapped or not",
        property: Property::NoFalseAlarm,
        covers: |c| matches!(c.check, SanityCheck::Verify | SanityCheck::WaitAndVerify),
        assumptions: &[],
    },
];

/// What follows from the claims, in short.
pub const IN_SHORT: &str = "kmod v20 needs no check as long as no init fails. Every reading catches \
    v19's false successes if no init fails and the alias map gives the module's own name; where an init \
    may fail, only a check that knows exactly what is built in does, because kernel v4.9 answers \
    -EEXIST for a module that is going, which kmod (v20 too) takes for success, and because a module \
    that failed has left the list and looks built in.";

/// How a claim fared in one run of the matrix.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The claim.
    pub claim: &'static Claim,
    /// Cells in which it was decided, every number of callers.
    pub cells: usize,
    /// Of these, those in which the premise never occurred.
    pub vacuous: usize,
    /// Cells in which the property is violated: the claim falls.
    pub against: Vec<Cell>,
    /// Cells in which it was not decided, or that were not explored.
    pub undecided: Vec<Cell>,
    /// For each assumption, whether it is needed.
    pub needed: Vec<Needed>,
}

/// Whether an assumption is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needed {
    /// It is: this is the shortest trace that violates the property without it.
    Shown(Trace),
    /// The property holds without it, too.
    No,
    /// The cell that was to show it was not decided, or not explored.
    Undecided,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds in every cell, not everywhere vacuously, and needs each of its assumptions.
    Stands,
    /// It is violated in some cell, vacuous in all, or does not need an assumption.
    Falls,
    /// Neither is known.
    Undecided,
}

impl Standing {
    /// What became of the claim.
    pub fn outcome(&self) -> Outcome {
        if !self.against.is_empty() || self.needed.contains(&Needed::No) {
            Outcome::Falls
        } else if !self.undecided.is_empty() || self.needed.contains(&Needed::Undecided) {
            Outcome::Undecided
        } else if self.cells > self.vacuous {
            Outcome::Stands
        } else {
            Outcome::Falls
        }
    }
}

/// Holds every claim against the matrix, or the part of it that was explored.
pub fn standings(reports: &[CellReport]) -> Vec<Standing> {
    CLAIMS.iter().map(|claim| standing(claim, reports)).collect()
}

fn standing(claim: &'static Claim, reports: &[CellReport]) -> Standing {
    let mut standing = Standing {
        claim,
        cells: 0,
        vacuous: 0,
        against: Vec::new(),
        undecided: Vec::new(),
        needed: Vec::new(),
    };
    for cell in Cell::all().into_iter().filter(claim.covers) {
        standing.cells += 1;
        let Some(report) = reports.iter().find(|r| r.cell == cell) else {
            standing.undecided.push(cell);
            continue;
        };
        let verdicts = report.reports.iter().map(|r| &r.1.answer(claim.property).verdict);
        if verdicts.clone().any(|v| matches!(v, Verdict::Violated(_))) {
            standing.against.push(cell);
        } else if verdicts.clone().any(|v| !matches!(v, Verdict::Holds { .. })) {
            standing.undecided.push(cell);
        } else if verdicts.clone().all(|v| matches!(v, Verdict::Holds { premise_met: false })) {
            standing.vacuous += 1;
        }
    }
    standing.needed = claim
        .assumptions
        .iter()
        .map(|assumption| needed(reports, assumption.needed_in, assumption.property))
        .collect();
    standing
}

fn needed(reports: &[CellReport], cell: Cell, property: Property) -> Needed {
    if let Some(trace) = violation(reports, cell, property) {
        return Needed::Shown(trace);
    }
    let holds = reports.iter().find(|r| r.cell == cell).is_some_and(|report| {
        let mut verdicts = report.reports.iter().map(|(_, r)| &r.answer(property).verdict);
        verdicts.all(|v| matches!(v, Verdict::Holds { .. }))
    });
    if holds { Needed::No } else { Needed::Undecided }
}

/// The shortest trace that violates `property` in `cell`.
pub fn violation(reports: &[CellReport], cell: Cell, property: Property) -> Option<Trace> {
    let report = reports.iter().find(|r| r.cell == cell)?;
    report.reports.iter().find_map(|(_, r)| match &r.answer(property).verdict {
        Verdict::Violated(trace) => Some(trace.clone()),
        _ => None,
    })
}
