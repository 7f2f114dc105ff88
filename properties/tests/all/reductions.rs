//! What the reductions say of the model, held against the full search, which numbers every caller and
//! takes every order of steps: the same properties are violated, by traces of the same length where
//! that is promised, and as many states are left as there are up to exchanging callers. (Nobody sleeps
//! for ever in these cells; what the searches say of sleepers is compared on generated systems.)

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sample::{for_all, some_of};
use kmodcheck_explore::bfs::Monitor;
use kmodcheck_explore::{
    End, Exploration, Options, Step, Violation, Watch, explore, explore_counted, explore_reduced,
};
use kmodcheck_model::{Event, Model};
use kmodcheck_properties::Property;
use kmodcheck_properties::matrix::Cell;
use kmodcheck_properties::property::View;
use kmodcheck_properties::verdict::confirm;
use kmodcheck_sim::Processes;

/// Every property of single steps, asked of every step.
struct Asked<'m>(&'m Model);

impl Asked<'_> {
    fn bits(&self, step: &Step<Event>) -> u64 {
        let properties = Property::ALL.iter().filter(|p| p.applies(self.0));
        View::of(self.0, step).violates(properties)
    }
}

impl Watch<Event> for Asked<'_> {
    fn violated(&self, step: &Step<Event>) -> u64 {
        self.bits(step)
    }
}

impl<'m> Monitor<Processes<'m>> for Asked<'m> {
    type Tally = ();
    const WHOLE: bool = false;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        self.bits(step)
    }
}

/// Each property that was violated, and the steps it took.
fn lengths(violations: &[Violation<Event>]) -> Vec<(u32, usize)> {
    violations.iter().map(|v| (v.property, v.trace.len())).collect()
}

/// How often something was there to be compared.
#[derive(Default)]
struct Met {
    cells: AtomicUsize,
    violations: AtomicUsize,
    /// States that partial order left out.
    left_out: AtomicUsize,
}

fn compare(cell: &Cell, callers: u8, met: &Met) {
    let name = format!("{cell}, {callers} callers");
    let model = cell.model(callers, None);
    let system = Processes { model: &model };
    let product = |symmetry| -> Exploration<Event> {
        let options = Options { symmetry, ..Options::default() };
        explore(&system, &Asked(&model), &options).expect("it fits")
    };
    let (full, sorted) = (product(false), product(true));
    assert_eq!((full.end, sorted.end), (End::Complete, End::Complete), "{name}");
    assert_eq!(lengths(&full.violations), lengths(&sorted.violations), "{name}, sorted");

    let counted = explore_counted(&system, &mut Asked(&model), &Options::default());
    let counted = counted.expect("it fits");
    assert_eq!(counted.end, End::Complete, "{name}");
    assert_eq!((counted.states, counted.depth), (sorted.states, sorted.depth), "{name}, counted");
    assert_eq!(lengths(&full.violations), lengths(&counted.violations), "{name}, counted");
    let violated: Vec<u32> = full.violations.iter().map(|v| v.property).collect();
    for (symmetry, most) in [(false, full.states), (true, sorted.states)] {
        let options = Options { symmetry, ..Options::default() };
        let reduced = explore_reduced(&system, &Asked(&model), &options).expect("it fits");
        assert_eq!(reduced.end, End::Complete, "{name}");
        assert!(reduced.states <= most, "{name}: {} of {most}", reduced.states);
        met.left_out.fetch_add((most - reduced.states) as usize, Ordering::Relaxed);
        let leads: Vec<u32> = reduced.leads.iter().map(|lead| lead.property).collect();
        assert_eq!(leads, violated, "{name}, partial order, symmetry {symmetry}");
        for lead in &reduced.leads {
            let property = Property::ALL[lead.property as usize];
            assert_eq!(confirm(&model, property, &lead.trace), Ok(()), "{name}, {property:?}");
        }
        assert!(reduced.deadlock.is_none() || full.stuck.is_some(), "{name}: a deadlock");
    }
    met.cells.fetch_add(1, Ordering::Relaxed);
    met.violations.fetch_add(violated.len(), Ordering::Relaxed);
}

#[test]
fn reductions_agree_with_the_full_search() {
    // Two callers in every 23rd cell, which meets every environment, check and map; three, which
    // are some hundred times as many states, in the first one.
    let cells = Cell::all();
    let met = Met::default();
    let mut work = some_of(6, cells.iter().step_by(23).map(|cell| (cell, 2)));
    work.extend(some_of(0, cells.iter().take(1).map(|cell| (cell, 3))));
    for_all(&work, |(cell, callers)| compare(cell, *callers, &met));
    assert_eq!(met.cells.into_inner(), work.len());
    assert!(met.violations.into_inner() > 0, "nothing was violated anywhere");
    assert!(met.left_out.into_inner() > 0, "partial order left nothing out");
}
