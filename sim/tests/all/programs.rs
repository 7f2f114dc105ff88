//! Programs beside the model's steps have the states that they have by themselves.

use kmodcheck_explore::{CountOnly, Options, explore};
use kmodcheck_lang::Program;
use kmodcheck_model::Model;
use kmodcheck_sim::Processes;
use kmodcheck_sim::scenario_file;

/// Declarations, and the statements of each process.
const TEXTS: [(&str, &[&str]); 8] = [
    (
        "int x;",
        &["WRITE_ONCE(x, 1); int r = READ_ONCE(x);", "int r = READ_ONCE(x); WRITE_ONCE(x, 2);"],
    ),
    (
        "DEFINE_MUTEX(a); DEFINE_MUTEX(b); int x;",
        &[
            "mutex_lock(&a); mutex_lock(&b); x = 1; mutex_unlock(&b); mutex_unlock(&a);",
            "mutex_lock(&b); mutex_lock(&a); x = 2; mutex_unlock(&a); mutex_unlock(&b);",
        ],
    ),
    (
        "DECLARE_WAIT_QUEUE_HEAD(wq); bool ready; bool more;",
        &[
            "wait_event(wq, READ_ONCE(ready) && READ_ONCE(more));",
            "WRITE_ONCE(ready, true); wake_up_all(&wq); WRITE_ONCE(more, true); wake_up(&wq);",
            "wait_event_timeout(wq, READ_ONCE(more), HZ);",
        ],
    ),
    (
        "DECLARE_COMPLETION(done); int x;",
        &[
            "wait_for_completion(&done); x = 1;",
            "x = 2; complete(&done);",
            "x = 3; complete_all(&done);",
        ],
    ),
    (
        "DEFINE_SEMAPHORE(s, 1); int inside;",
        &[
            "down(&s); inside = 1; up(&s);",
            "down(&s); inside = 2; up(&s);",
            "if (!down_trylock(&s)) { inside = 3; up(&s); }",
        ],
    ),
    (
        "int x; void later(struct work_struct *work) { WRITE_ONCE(x, 1); } DECLARE_WORK(work, later);",
        &[
            "schedule_work(&work); flush_work(&work); assert(READ_ONCE(x) == 1);",
            "schedule_work(&work);",
        ],
    ),
    (
        "atomic_t v; int seen;",
        &["if (atomic_inc_return(&v) == 2) seen = 1;", "if (atomic_inc_return(&v) == 2) seen = 2;"],
    ),
    (
        "int x; DEFINE_SPINLOCK(l);",
        &[
            "spin_lock(&l); x = choose(0, 1); spin_unlock(&l);",
            "spin_lock(&l); int r = x; spin_unlock(&l); while (READ_ONCE(x) == 0) ;",
        ],
    ),
];

#[test]
fn programs_have_the_states_that_they_have_by_themselves() {
    for (shared, processes) in TEXTS {
        let mut litmus = format!("C alone\n{{}}\n{shared}\n");
        let mut file = format!(
            "shared = '''{shared}'''\n[features]\nkernel = 'v6.2'\nkmod = 'v30'\n[[module]]\nname = 'idle'\n"
        );
        for (number, statements) in processes.iter().enumerate() {
            litmus.push_str(&format!("P{number}() {{ {statements} }}\n"));
            file.push_str(&format!("[[actor]]\nprogram = '''{statements}'''\n"));
        }
        let options = Options { symmetry: false, ..Options::default() };
        let alone = Program::read("alone", &litmus).unwrap_or_else(|e| panic!("{e}"));
        let alone = alone.every_access_a_step();
        let expected = explore(&alone, &CountOnly, &options).unwrap();
        let loaded = scenario_file::load("beside", &file, &[]).unwrap_or_else(|e| panic!("{e}"));
        let model = Model::new(loaded.scenario, None).unwrap();
        let found = explore(&Processes { model: &model }, &CountOnly, &options).unwrap();
        assert!(expected.states > 5, "{shared}");
        assert_eq!((found.states, found.depth), (expected.states, expected.depth), "{shared}");
        assert_eq!(found.transitions, expected.transitions, "{shared}");
        let stuck = found.stuck.map(|stuck| stuck.trace.len());
        assert_eq!(stuck, expected.stuck.map(|stuck| stuck.trace.len()), "{shared}");
    }
}
