//! Each rule of the checker has a small system and a claim about it that is false: some run takes a
//! bad step. The claim is as good as it can be made where the rule is not kept, so that no other rule
//! refuses it: refused with the rule, believed without.

use std::collections::BTreeSet;

use kmodcheck_explore::{End, Kind, Local, Monitor as _, Options, Step, explore};

use super::{Checker, Claim, Excluded, Place, Rule, Tag, covered};
use refuted::{
    Bad, FIRST, FIRST_SEES, Goes, Label, NONE, ONE, ONE_FORGETS, REFUTED, Refuted, Sees, TWICE,
    Wakes,
};

#[path = "../../../explore/tests/common/refuted.rs"]
#[allow(missing_docs, reason = "shared with the tests of the explorer")]
mod refuted;
#[path = "../../../explore/tests/common/sample.rs"]
#[allow(
    dead_code,
    missing_docs,
    clippy::cast_possible_truncation,
    reason = "shared with the tests of the explorer"
)]
mod sample;
mod second;

fn bad(step: &Step<Label>) -> bool {
    Bad.step_violates(step) != 0
}

type Checks<'s> = Checker<'s, Refuted, fn(&Step<Label>, bool) -> bool>;

impl Refuted {
    fn broken(&self) -> Rule {
        let named = |rule: &&Rule| format!("{rule:?}") == self.rule;
        *Rule::ALL.iter().find(named).unwrap_or_else(|| panic!("no rule is called {}", self.rule))
    }

    fn checker<'s>(&'s self, claim: &'s Claim, without: Option<Rule>) -> Checks<'s> {
        let mut checker: Checks<'s> = Checker::new(self, claim, |step, _| bad(step));
        checker.without = without;
        checker
    }

    fn is_bad(&self) -> bool {
        let found = explore(self, &Bad, &Options::default()).expect("a small system");
        !found.violations.is_empty() || matches!(found.end, End::PoolExhausted(_))
    }

    /// The excluded elements of the case with what must be excluded before them, and the tagged control
    /// states that are reached: all as it is where the rule is not kept.
    fn claim(&self, without: Option<Rule>) -> Claim {
        let kinds = |kinds: &[u8]| kinds.iter().map(|k| Kind(*k)).collect();
        let others = |others: &[(u8, Local)]| others.iter().map(|o| (Kind(o.0), o.1)).collect();
        let elements = self.excluded.iter().map(|(shared, slots, beside)| {
            (Place { shared: *shared, slots: slots.to_vec() }, others(beside))
        });
        let mut claim = Claim {
            any_number: kinds(self.any_number),
            forgetful: kinds(self.forgetful),
            excluded: elements.collect(),
            tagged: Vec::new(),
        };
        loop {
            let checker = self.checker(&claim, without);
            let (beside, mut found) = (checker.tabulate(), None);
            let Ok(excluded) = checker.excluded(&beside) else { break };
            checker.predecessors(&beside, &excluded, |_, from, before| {
                if without != Some(Rule::Closed) && !covered(&excluded, from, &before) {
                    found = Some((from.clone(), before));
                }
            });
            let Some(element) = found else { break };
            claim.excluded.push(element);
        }
        let checker = self.checker(&claim, without);
        let beside = checker.tabulate();
        let Ok(excluded) = checker.excluded(&beside) else { return claim };
        let mut tagged: Vec<(Place, Tag)> = checker.initial_tagged();
        let mut known: BTreeSet<(Place, Tag)> = tagged.iter().cloned().collect();
        let mut next = 0;
        while without != Some(Rule::Listed)
            && let Some((place, tag)) = tagged.get(next).cloned()
        {
            next += 1;
            let (at, me) = checker.untagged(&place, tag);
            if !beside.get(&at).is_some_and(|here| me.is_none_or(|me| here.contains(&me))) {
                continue;
            }
            checker.possible(&beside, &excluded, (&place, tag), |_, _, _, how| {
                let Some(how) = how else { return };
                let to = (how.to, how.tag.expect("somebody is tagged"));
                if known.insert(to.clone()) {
                    tagged.push(to);
                }
            });
        }
        drop(excluded);
        claim.tagged = tagged;
        claim
    }
}

#[test]
fn each_rule_refuses_a_claim_that_is_believed_without_it() {
    let mut faults = Vec::new();
    for (number, case) in REFUTED.iter().enumerate() {
        let rule = case.broken();
        if !case.is_bad() {
            faults.push(format!("case {number}, {rule:?}: what is claimed is true"));
        }
        let claim = case.claim(Some(rule));
        if let Err(refused) = case.checker(&claim, Some(rule)).induction() {
            faults.push(format!("case {number}: refused without {rule:?}, too: {refused}"));
        }
        match case.checker(&claim, None).induction() {
            Err(refused) if refused.to_string().contains(case.says) => {}
            Err(refused) => faults.push(format!("case {number}, {rule:?}: {refused}")),
            Ok(_) => faults.push(format!("case {number}: believed with {rule:?}")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let shown: BTreeSet<Rule> = REFUTED.iter().map(Refuted::broken).collect();
    let missing: Vec<_> = Rule::ALL.iter().filter(|rule| !shown.contains(rule)).collect();
    assert!(missing.is_empty(), "no claim shows what these are for: {missing:?}");
}

/// What the enumeration of few callers cannot see: who begins elsewhere, who is left, and what is
/// hidden in the history of those whom it does not follow.
const NOT_ENUMERATED: [Rule; 3] =
    [Rule::BeginsAlike, Rule::SomebodyWaits, Rule::AnonymousIsSomebody];

#[test]
fn enumeration_finds_without_the_induction_what_is_wrong() {
    let mut hidden = 0;
    for (number, case) in REFUTED.iter().enumerate() {
        let rule = case.broken();
        let claim = case.claim(Some(rule));
        let checker = case.checker(&claim, None);
        let mut excluded = Excluded::new();
        for (number, (at, others)) in claim.excluded.iter().enumerate() {
            excluded.entry(at).or_default().push((number, others));
        }
        let enumerated = checker.enumerate(&checker.tabulate(), &excluded);
        let explored = checker.explore(&excluded);
        let found = enumerated.is_err() || explored.is_err();
        let waker = rule == Rule::StepForgets && case.sees.is_empty();
        let expected = !NOT_ENUMERATED.contains(&rule) && !waker;
        assert_eq!(found, expected, "case {number}, {rule:?}: {enumerated:?}, {explored:?}");
        hidden += usize::from(!expected);
    }
    assert_eq!(hidden, 4);
}

/// Where no step is bad, everything that is reached is an invariant, but where no such claim can be
/// made at all.
#[test]
fn what_is_true_is_believed() {
    const NEVER: [Rule; 9] = [
        Rule::BeginsAlike,
        Rule::SomebodyWaits,
        Rule::EndsByItself,
        Rule::SpawnHasPlace,
        Rule::ForgetfulSpawnsForgetful,
        Rule::AnonymousIsSomebody,
        Rule::StepForgets,
        Rule::SightForgets,
        Rule::WakeForgets,
    ];
    for (number, case) in REFUTED.iter().enumerate() {
        let rule = case.broken();
        // With one process in a slot, two spawners have no place for the second.
        let spawns = [Rule::SpawnsIntoSlot, Rule::ActorHoldsSlot].contains(&rule);
        if NEVER.contains(&rule) || spawns {
            continue;
        }
        let claim = Refuted { excluded: &[], ..*case }.claim(None);
        let checker = Checker::new(case, &claim, |_: &Step<Label>, _| false);
        let verified = checker.check();
        let verified = verified.unwrap_or_else(|refused| panic!("case {number}: {refused}"));
        assert_eq!(verified.enumerated.len(), super::CALLERS, "case {number}");
        assert_eq!(verified.reached.len(), super::CALLERS, "case {number}");
    }
}

/// That there are never two in 4, without history.
const MUTUAL: Refuted = Refuted {
    goes: &[FIRST[0], FIRST[1], FIRST[2], Goes(0, 1, 4, 2, 4, NONE), Goes(1, 0, 1, 0, 1, ONE)],
    sees: &[FIRST_SEES[0], Sees(0, 1, 1, 2), Sees(0, 2, 2, 5)],
    wakes: &[Wakes(0, 4, 6)],
    excluded: &[(1, &[1], TWICE), (2, &[1], TWICE)],
    ..ONE_FORGETS
};

#[test]
fn a_claim_that_needs_what_it_excludes_is_believed_and_not_without_it() {
    assert!(!MUTUAL.is_bad());
    let claim = MUTUAL.claim(None);
    assert_eq!(claim.excluded.len(), 2);
    let verified = MUTUAL.checker(&claim, None).check().expect("it is true");
    assert!(verified.predecessors > 0, "{verified:?}");
    for number in 0..2 {
        let mut less = claim.clone();
        less.excluded.remove(number);
        MUTUAL.checker(&less, None).induction().err().expect("each is needed");
    }
    for number in 0..claim.tagged.len() {
        let mut less = claim.clone();
        less.tagged.remove(number);
        MUTUAL.checker(&less, None).induction().err().expect("each is reached");
    }
}

/// What says something about nothing is refused by name.
#[test]
fn what_is_not_of_the_system_is_refused() {
    let claim = MUTUAL.claim(None);
    let refused = |change: &dyn Fn(&mut Claim)| {
        let mut claim = claim.clone();
        change(&mut claim);
        let refused = MUTUAL.checker(&claim, None).induction().err();
        refused.expect("it is not believed").to_string()
    };
    let begins = |said: String, with: &str| assert!(said.starts_with(with), "{said}");
    begins(refused(&|c| c.any_number.push(Kind(3))), "any number: Kind(3) does not begin");
    begins(
        refused(&|c| c.excluded[1].0.shared = 3),
        "excluded element 1: its control state is not",
    );
    begins(refused(&|c| c.excluded[1].0.slots[0] = 2), "excluded element 1: its control state is");
    begins(
        refused(&|c| c.excluded[0].1 = vec![(Kind(0), 4), (Kind(0), 2)]),
        "excluded element 0: its processes are not in ascending order",
    );
    begins(
        refused(&|c| c.excluded[0].1 = vec![(Kind(0), 1), (Kind(0), 4)]),
        "excluded element 0: (Kind(0), 1) is not in the checker's table there",
    );
    let first = |change: &dyn Fn(&mut Place, &mut Tag)| {
        refused(&|c| {
            let (mut place, mut tag) = c.tagged[0].clone();
            change(&mut place, &mut tag);
            c.tagged.insert(0, (place, tag));
        })
    };
    let shape = "tagged control state 0: it is not of the system's shape";
    begins(first(&|place, _| place.slots.push(1)), shape);
    begins(first(&|place, _| place.slots.clear()), shape);
    begins(first(&|_, tag| tag.slot = Some(0)), shape);
    begins(first(&|_, tag| tag.slot = Some(1)), shape);
    begins(first(&|_, tag| (tag.kind, tag.slot) = (Kind(1), Some(0))), shape);
    begins(first(&|_, tag| tag.local = 0), shape);
    begins(first(&|_, tag| tag.kind = Kind(1)), shape);
    let table = "tagged control state 0: it is not in the checker's table";
    begins(first(&|_, tag| tag.local = 5), table);
    begins(first(&|place, _| place.shared = 3), table);
}
