//! The explorer piece by piece: the step function, the canonical form, inserting into the visited
//! set, whole explorations.

#[path = "../../sim/explore/tests/common/reference_model.rs"]
#[allow(dead_code, missing_docs, reason = "written for the tests of the explorer")]
mod reference_model;

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kmodcheck_explore::CountOnly;
use kmodcheck_explore::{
    Choice, Configuration, DORMANT, Effect, Footprint, Initial, Kind, Local, Options, Product,
    Queue, Shared, System, WayOut, explore,
};
use kmodcheck_model::Model;
use kmodcheck_properties::matrix::Cell;
use kmodcheck_sim::Processes;
use reference_model::ReferenceModel;

/// The first states that a search of `product` finds.
fn states<S: System>(product: &Product<'_, S>, count: usize) -> Vec<Configuration> {
    let mut seen = std::collections::BTreeSet::from([product.initial()]);
    let mut found = vec![product.initial()];
    let mut next = 0;
    while next < found.len() && found.len() < count {
        let state = found[next];
        let _ = product.successors(&state, &mut Vec::new(), |transition| {
            if seen.insert(*transition.after) {
                found.push(*transition.after);
            }
            ControlFlow::Continue(())
        });
        next += 1;
    }
    found
}

/// The model of the race: `get_fs_type()`, kmod v19, no check.
fn race(callers: u8) -> Model {
    Cell::all()[0].model(callers, None)
}

fn step_function(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    let model = race(3);
    let system = Processes { model: &model };
    let product = Product::new(&system).expect("three processes");
    let pairs: Vec<(Shared, Local)> =
        states(&product, 5_000).iter().map(|state| (state.shared, state.locals[0])).collect();
    group.throughput(Throughput::Elements(pairs.len() as u64));
    let mut choices = Vec::new();
    group.bench_function("model", |b| {
        b.iter(|| {
            for (shared, local) in &pairs {
                choices.clear();
                system.step(product.kind(0), *shared, *local, &mut choices);
                black_box(&choices);
            }
        });
    });
    group.finish();
}

fn canonical_form(c: &mut Criterion) {
    let mut group = c.benchmark_group("canonical");
    for callers in [4, 10] {
        let model = ReferenceModel { callers, v19: true };
        let product = Product::new(&model).expect("few processes");
        let states = states(&product, 5_000);
        group.throughput(Throughput::Elements(states.len() as u64));
        group.bench_function(format!("{callers} processes"), |b| {
            b.iter_batched_ref(
                || states.clone(),
                |states| states.iter_mut().for_each(|s| _ = product.canonicalize(s)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// A system whose steps cost nothing and whose every state is new or seen half of the time: one
/// process that sets any of its bits. What is left is the visited set.
struct Bits(u32);

impl System for Bits {
    type Label = ();

    fn shared_bits(&self) -> u32 {
        self.0
    }

    fn local_bits(&self) -> u32 {
        1
    }

    fn initial(&self) -> Initial {
        Initial { shared: 0, processes: vec![(Kind(0), 1)] }
    }

    fn step(&self, _: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<()>>) {
        choices.extend((0..self.0).map(|bit| Choice {
            shared: shared | 1 << bit,
            local,
            effect: Effect::None,
            way_out: WayOut::Ordinary,
            footprint: Footprint { reads: 0, writes: 1 << bit },
            label: (),
        }));
    }

    fn dormant(&self, _: Kind) -> Option<Local> {
        Some(DORMANT)
    }

    fn observe(&self, _: Kind, _: Shared, _: Shared, local: Local) -> Local {
        local
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, _: Local) -> bool {
        false
    }
}

fn visited_set(c: &mut Criterion) {
    let mut group = c.benchmark_group("visited");
    let system = Bits(16);
    // Each of 2^16 states has 16 transitions.
    group.throughput(Throughput::Elements(16 << 16));
    group.bench_function("insert", |b| {
        b.iter(|| explore(&system, &CountOnly, &Options::default()).map(|found| found.states));
    });
    group.finish();
}

fn explorations(c: &mut Criterion) {
    let mut group = c.benchmark_group("explore");
    group.sample_size(10);
    let mut of = |name: &str, states: u64, callers: usize, symmetry: bool| {
        let model = ReferenceModel { callers, v19: true };
        let options = Options { symmetry, ..Options::default() };
        group.throughput(Throughput::Elements(states));
        group.bench_function(name, |b| {
            b.iter(|| explore(&model, &CountOnly, &options).map(|found| found.states));
        });
    };
    of("reference model, 4 callers", 63_973, 4, false);
    of("reference model, 5 callers", 878_304, 5, false);
    of("reference model, 8 callers, symmetry", 255_774, 8, true);
    let model = race(3);
    let system = Processes { model: &model };
    let options = Options { symmetry: true, ..Options::default() };
    group.throughput(Throughput::Elements(1));
    group.bench_function("the race, 3 callers, symmetry", |b| {
        b.iter(|| explore(&system, &CountOnly, &options).map(|found| found.states));
    });
    group.finish();
}

criterion_group!(all, step_function, canonical_form, visited_set, explorations);
criterion_main!(all);
