//! Textbook programs, written in the language, against the same programs written for the explorer by hand, one
//! access a step in both; and against numbers that others have published or that can be worked out.

use kmodcheck_explore::{
    Choice, CountOnly, Exploration, Initial, Kind, Local, Options, Properties, Shared, System,
    explore, explore_counted,
};
use kmodcheck_lang::{Answer, Label, Program};

use crate::cost::two_phase_commit;

/// What each process does at each place: the places and shared states that may follow.
struct ByHand {
    processes: u8,
    initial: Shared,
    step: fn(u8, Shared, Local) -> Vec<(Shared, Local)>,
    ends: Option<Local>,
}

impl System for ByHand {
    type Label = &'static str;

    fn initial(&self) -> Initial {
        Initial::new(self.initial, (0..self.processes).map(|me| (Kind(me), 0)).collect::<Vec<_>>())
    }

    fn step(&self, me: Kind, shared: Shared, at: Local, choices: &mut Vec<Choice<&'static str>>) {
        let all = (self.step)(me.0, shared, at);
        choices.extend(all.into_iter().map(|(shared, to)| Choice::new(shared, to, "")));
    }

    fn returned(&self, _: Kind, at: Local) -> bool {
        self.ends == Some(at)
    }
}

fn by_hand(
    processes: u8,
    initial: Shared,
    ends: Option<Local>,
    step: fn(u8, Shared, Local) -> Vec<(Shared, Local)>,
) -> Exploration<&'static str> {
    let system = ByHand { processes, initial, step, ends };
    let found = explore(&system, &Properties::new(), &Options::default()).unwrap();
    assert!(found.is_exhaustive());
    found
}

fn program(text: &str) -> Program {
    Program::read("textbook.litmus", text).unwrap_or_else(|error| panic!("{error}"))
}

/// With merged steps; with every access a step.
fn answers(text: &str) -> [Answer; 2] {
    let merged = program(text).answer(&Options::default()).unwrap();
    let all = program(text).every_access_a_step().answer(&Options::default()).unwrap();
    assert_eq!(merged.outcomes, all.outcomes);
    assert_eq!(merged.blocked.is_some(), all.blocked.is_some());
    assert_eq!(merged.failure.is_some(), all.failure.is_some());
    assert!(merged.states <= all.states);
    [merged, all]
}

fn bit(shared: Shared, at: u32) -> Shared {
    shared >> at & 1
}

fn with(shared: Shared, at: u32, value: Shared) -> Shared {
    shared & !(1 << at) | value << at
}

const PETERSON: &str = "C peterson
{}
int flag[2];
int turn;
atomic_t inside;
P0 ... P1()
{
        const int me = smp_processor_id();
        const int other = 1 - me;
        while (1) {
                WRITE_ONCE(flag[me], 1);
                WRITE_ONCE(turn, other);
                while (READ_ONCE(flag[other]) && READ_ONCE(turn) == other)
                        cpu_relax();
                assert(atomic_inc_return(&inside) == 1);
                atomic_dec(&inside);
                WRITE_ONCE(flag[me], 0);
        }
}
";

/// G. L. Peterson, 'Myths about the mutual exclusion problem', 1981.
#[test]
fn peterson() {
    let found = by_hand(2, 0, None, |me, shared, at| {
        let (me, other) = (u32::from(me), 1 - u32::from(me));
        let inside = shared >> 3 & 3;
        vec![match at {
            0 => (with(shared, me, 1), 1),
            1 => (with(shared, 2, other.into()), 2),
            2 if bit(shared, other) == 1 => (shared, 3),
            2 => (shared, 4),
            3 if bit(shared, 2) == other.into() => (shared, 2),
            3 => (shared, 4),
            4 if inside == 0 => (shared + 8, 5),
            4 => (shared, 9),
            5 => (shared - 8, 6),
            6 => (with(shared, me, 0), 0),
            _ => return Vec::new(),
        }]
    });
    let [_, all] = answers(PETERSON);
    assert_eq!((all.states, all.transitions), (found.states, found.transitions));
    assert!(all.failure.is_none() && all.blocked.is_none());
    // Who gives way before the flag is raised meets the other.
    let early = PETERSON.replace("WRITE_ONCE(flag[me], 1);", "WRITE_ONCE(turn, other);").replacen(
        "WRITE_ONCE(turn, other);\n                while",
        "WRITE_ONCE(flag[me], 1);\n                while",
        1,
    );
    assert_eq!(early.matches("turn, other").count(), 1, "{early}");
    let [merged, _] = answers(&early);
    let trace = merged.failure.expect("both are inside");
    assert!(trace.last().unwrap().what.contains("the assertion fails"), "{trace:?}");
    // Without it each waits for the other, and goes round for ever: somebody can still step.
    let without = PETERSON.replace("&& READ_ONCE(turn) == other", "");
    assert_eq!(answers(&without).map(|answer| answer.failure), [None, None]);
}

const DEKKER: &str = "C dekker
{}
int flag[2];
int turn;
atomic_t inside;
P0 ... P1()
{
        const int me = smp_processor_id();
        const int other = 1 - me;
        while (1) {
                WRITE_ONCE(flag[me], 1);
                while (READ_ONCE(flag[other])) {
                        if (READ_ONCE(turn) != me) {
                                WRITE_ONCE(flag[me], 0);
                                while (READ_ONCE(turn) != me)
                                        ;
                                WRITE_ONCE(flag[me], 1);
                        }
                }
                assert(atomic_inc_return(&inside) == 1);
                atomic_dec(&inside);
                WRITE_ONCE(turn, other);
                WRITE_ONCE(flag[me], 0);
        }
}
";

/// T. J. Dekker's, as E. W. Dijkstra tells it in 'Cooperating sequential processes', 1965.
#[test]
fn dekker() {
    let found = by_hand(2, 0, None, |me, shared, at| {
        let (me, other) = (u32::from(me), 1 - u32::from(me));
        let mine = bit(shared, 2) == me.into();
        vec![match at {
            0 => (with(shared, me, 1), 1),
            1 if bit(shared, other) == 0 => (shared, 6),
            1 => (shared, 2),
            2 => (shared, if mine { 1 } else { 3 }),
            3 => (with(shared, me, 0), 4),
            4 => (shared, if mine { 5 } else { 4 }),
            5 => (with(shared, me, 1), 1),
            6 if shared >> 3 == 0 => (shared + 8, 7),
            7 => (shared - 8, 8),
            8 => (with(shared, 2, other.into()), 10),
            10 => (with(shared, me, 0), 0),
            _ => return Vec::new(),
        }]
    });
    let [_, all] = answers(DEKKER);
    assert_eq!((all.states, all.transitions), (found.states, found.transitions));
    assert!(all.failure.is_none() && all.blocked.is_none());
}

const BAKERY: &str = "C bakery
{}
int choosing[2];
int __range(0, 3) number[2];
atomic_t inside;
P0 ... P1()
{
        const int me = smp_processor_id();
        const int other = 1 - me;
        int __range(0, 3) mine;
        WRITE_ONCE(choosing[me], 1);
        mine = 1 + READ_ONCE(number[other]);
        WRITE_ONCE(number[me], mine);
        WRITE_ONCE(choosing[me], 0);
        while (READ_ONCE(choosing[other]))
                ;
        while (1) {
                int __range(0, 3) theirs = READ_ONCE(number[other]);
                if (!theirs || theirs > mine || (theirs == mine && other > me))
                        break;
        }
        assert(atomic_inc_return(&inside) == 1);
        atomic_dec(&inside);
        WRITE_ONCE(number[me], 0);
}
exists (inside=0)
";

/// L. Lamport, 'A new solution of Dijkstra's concurrent programming problem', 1974: each comes once.
#[test]
fn bakery() {
    // Bits 0 and 1: choosing; 2 to 5: the numbers; 6: inside. Of a process: where, and its number from bit 4 on.
    let found = by_hand(2, 0, Some(15), |me, shared, at| {
        let (me, other) = (u32::from(me), 1 - u32::from(me));
        let number = |who: u32| shared >> (2 + 2 * who) & 3;
        let numbered = |value: Shared| shared & !(3 << (2 + 2 * me)) | value << (2 + 2 * me);
        let mine = at >> 4;
        let to = |place: Local| place + 16 * mine;
        vec![match at & 15 {
            0 => (with(shared, me, 1), 1),
            1 => (shared, 2 + 16 * (1 + number(other)) as Local),
            2 => (numbered(mine.into()), to(3)),
            3 => (with(shared, me, 0), to(4)),
            4 => (shared, to(if bit(shared, other) == 1 { 4 } else { 5 })),
            5 => {
                let theirs = number(other);
                let first = theirs == 0
                    || theirs > mine.into()
                    || (theirs == Shared::from(mine) && other > me);
                // Its number is of no use any more.
                (shared, if first { 6 } else { to(5) })
            }
            6 if shared >> 6 == 0 => (shared + 64, 7),
            7 => (shared - 64, 8),
            8 => (numbered(0), 15),
            _ => return Vec::new(),
        }]
    });
    let [_, all] = answers(BAKERY);
    assert_eq!((all.states, all.transitions), (found.states, found.transitions));
    assert!(all.failure.is_none() && all.blocked.is_none());
    assert_eq!((all.positive, all.negative), (1, 0));
    // Who does not wait for the other to have chosen may come in before a smaller number.
    let hasty = BAKERY.replace("READ_ONCE(choosing[other])", "0");
    assert!(answers(&hasty)[1].failure.is_some());
}

fn philosophers(n: usize, ordered: bool) -> String {
    let last = n - 1;
    let right = "const int right = (smp_processor_id() + 1) % N;";
    let (first, second) = match ordered {
        true => ("left < right ? left : right", "left < right ? right : left"),
        false => ("left", "right"),
    };
    format!(
        "C philosophers\n{{}}\nenum {{ N = {n} }};\nstruct mutex fork[N];\nP0 ... P{last}()\n{{\n\
         const int left = smp_processor_id();\n{right}\nconst int first = {first};\n\
         const int second = {second};\n\
         while (1) {{\n mutex_lock(&fork[first]);\n mutex_lock(&fork[second]);\n \
         mutex_unlock(&fork[first]);\n mutex_unlock(&fork[second]);\n}}\n}}\n"
    )
}

/// E. W. Dijkstra's dining philosophers. Each has no fork, the first, both, or only the second; two neighbours
/// never have the fork between them. So there are as many states as closed walks of length n in the graph of
/// what may stand beside what, the trace of the n-th power of its matrix, less one: that all have only the second
/// cannot be, since the last to come to that had its neighbour's.
#[test]
fn dining_philosophers() {
    for n in 2..=6 {
        let holds = [(false, false), (true, false), (true, true), (false, true)];
        let beside = |a: usize, b: usize| u64::from(!(holds[a].1 && holds[b].0));
        let mut power: [[u64; 4]; 4] =
            std::array::from_fn(|i| std::array::from_fn(|j| u64::from(i == j)));
        for _ in 0..n {
            power = std::array::from_fn(|i| {
                std::array::from_fn(|j| (0..4).map(|k| power[i][k] * beside(k, j)).sum())
            });
        }
        let trace: u64 = (0..4).map(|i| power[i][i]).sum();
        let [_, all] = answers(&philosophers(n, false));
        assert_eq!(all.states, trace - 1, "{n}");
        let blocked = all.blocked.expect("each has the first fork");
        assert_eq!((blocked.trace.len(), blocked.waits.len()), (n, n));
        for (i, line) in blocked.waits.iter().enumerate() {
            let holder = format!("held by P{} (mutex 'fork[{}]')", (i + 1) % n, (i + 1) % n);
            assert!(line.what.ends_with(&holder), "{line:?}");
        }
        assert!(answers(&philosophers(n, true))[1].blocked.is_none(), "{n}");
    }
}

const READERS: &str = "C readers-and-writers
{}
DEFINE_SEMAPHORE(mutex, 1);
DEFINE_SEMAPHORE(access, 1);
int __range(0, 2) readers;
atomic_t reading;
atomic_t writing;
P0 ... P1()
{
        while (1) {
                down(&mutex);
                readers++;
                if (readers == 1)
                        down(&access);
                up(&mutex);
                assert(!atomic_read(&writing));
                down(&mutex);
                readers--;
                if (!readers)
                        up(&access);
                up(&mutex);
        }
}
P2()
{
        while (1) {
                down(&access);
                atomic_inc(&writing);
                atomic_dec(&writing);
                up(&access);
        }
}
";

/// P. J. Courtois, F. Heymans, D. L. Parnas, 'Concurrent control with readers and writers', 1971: the first
/// problem, two readers and a writer.
#[test]
fn readers_and_writers() {
    // Bit 0: mutex; 1: access; 2: writing; from 3 on: readers. A reader has in mind how many it has read.
    let found = by_hand(3, 3, None, |me, shared, at| {
        let readers = shared >> 3;
        let read = (at >> 4) as Shared;
        let place = at & 15;
        let reads = |to: Local| (shared, to + 16 * readers as Local);
        let writes = |value: Shared, to: Local| (shared & 7 | value << 3, to);
        if me == 2 {
            return match place {
                0 if bit(shared, 1) == 1 => vec![(with(shared, 1, 0), 1)],
                1 => vec![(with(shared, 2, 1), 2)],
                2 => vec![(with(shared, 2, 0), 3)],
                3 => vec![(with(shared, 1, 1), 0)],
                _ => Vec::new(),
            };
        }
        match place {
            0 | 7 if bit(shared, 0) == 1 => vec![(with(shared, 0, 0), place + 1)],
            1 => vec![reads(2)],
            2 => vec![writes(read + 1, 3)],
            3 => vec![(shared, if readers == 1 { 4 } else { 5 })],
            4 if bit(shared, 1) == 1 => vec![(with(shared, 1, 0), 5)],
            5 => vec![(with(shared, 0, 1), 6)],
            6 if bit(shared, 2) == 0 => vec![(shared, 7)],
            8 => vec![reads(9)],
            9 => vec![writes(read - 1, 10)],
            10 => vec![(shared, if readers == 0 { 11 } else { 12 })],
            11 => vec![(with(shared, 1, 1), 12)],
            12 => vec![(with(shared, 0, 1), 0)],
            _ => Vec::new(),
        }
    });
    let [_, all] = answers(READERS);
    assert_eq!((all.states, all.transitions), (found.states, found.transitions));
    assert!(all.failure.is_none() && all.blocked.is_none());
    // Two readers can be exchanged.
    let readers = program(READERS);
    assert_eq!((readers.processes(), readers.kinds()), (3, 2));
    let symmetric = Options { symmetry: true, ..Options::default() };
    assert!(readers.answer(&symmetric).unwrap().states < all.states);
    // Who counts without the mutex comes in while the writer writes.
    let careless = READERS.replacen("down(&mutex);\n                readers++", "readers++", 1);
    assert!(
        answers(&careless.replacen("up(&mutex);\n                assert", "assert", 1))[1]
            .failure
            .is_some()
    );
}

/// Two-phase commit, as in the explorer's example: a critical section is one step, and then there are as many
/// states as stateright counts for its example.
#[test]
fn two_phase_commits() {
    for (resources, states, up_to_symmetry) in [(3, 288, 80), (5, 8_832, 314)] {
        let text = two_phase_commit(resources);
        for (symmetry, states) in [(false, states), (true, up_to_symmetry)] {
            let options = Options { symmetry, ..Options::default() };
            let answer = program(&text).answer(&options).unwrap();
            assert_eq!(answer.states, states, "{resources}, {symmetry}");
            assert!(answer.blocked.is_none());
        }
        // And counted instead of numbered.
        let counted = explore_counted(&program(&text), &CountOnly, &Options::default()).unwrap();
        assert_eq!(counted.states, up_to_symmetry);
    }
    let text = two_phase_commit(12);
    let many = explore_counted(&program(&text), &Properties::<Label>::new(), &Options::default());
    assert!(many.unwrap().is_exhaustive());
}
