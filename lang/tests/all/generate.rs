//! Programs drawn at random: a few processes that use a bit of everything, with the locks taken and given back
//! in order, so that they compile.

use std::fmt::Write;

use proptest::prelude::*;

/// Something that a process does.
#[derive(Clone, Debug)]
pub enum Do {
    Simple(u8, u8, u8),
    If(u8, u8, Vec<Do>, Vec<Do>),
    Loop(u8, Vec<Do>),
    Switch(u8, Vec<Do>, Vec<Do>),
    Section(u8, u8, Vec<Do>),
    Try(u8, u8, Vec<Do>),
    Wait(u8, u8, u8),
    Jump(u8, u8),
}

/// A whole program.
#[derive(Clone, Debug)]
pub struct Generated {
    processes: Vec<Vec<Do>>,
    work: Vec<Do>,
    asynchronous: Vec<Do>,
}

fn some(depth: u32) -> BoxedStrategy<Vec<Do>> {
    let simple = (0..40_u8, any::<u8>(), any::<u8>()).prop_map(|(a, b, c)| Do::Simple(a, b, c));
    let wait = (0..16_u8, any::<u8>(), any::<u8>()).prop_map(|(a, b, c)| Do::Wait(a, b, c));
    let jump = (0..4_u8, any::<u8>()).prop_map(|(a, b)| Do::Jump(a, b));
    if depth == 0 {
        let one = prop_oneof![8 => simple, 2 => wait, 1 => jump];
        return prop::collection::vec(one, 0..3).boxed();
    }
    let inner = || some(depth - 1);
    let one = prop_oneof![
        8 => simple,
        3 => wait,
        1 => jump,
        2 => (any::<u8>(), any::<u8>(), inner(), inner()).prop_map(|(a, b, c, d)| Do::If(a, b, c, d)),
        1 => (0..4_u8, inner()).prop_map(|(a, b)| Do::Loop(a, b)),
        1 => (any::<u8>(), inner(), inner()).prop_map(|(a, b, c)| Do::Switch(a, b, c)),
        4 => (0..8_u8, any::<u8>(), inner()).prop_map(|(a, b, c)| Do::Section(a, b, c)),
        1 => (0..8_u8, any::<u8>(), inner()).prop_map(|(a, b, c)| Do::Try(a, b, c)),
    ];
    prop::collection::vec(one, 1..5).boxed()
}

/// All of them.
pub fn programs() -> impl Strategy<Value = Generated> {
    (prop::collection::vec(some(2), 2..=3), some(0), some(0))
        .prop_map(|(processes, work, asynchronous)| Generated { processes, work, asynchronous })
}

/// Where a statement stands.
#[derive(Clone, Default)]
struct At {
    /// Locks held, by name.
    held: Vec<&'static str>,
    /// Nobody may sleep.
    atomic: bool,
    /// In a loop, which may be left.
    loops: bool,
    /// Not in a process: without its local variables.
    helper: bool,
}

struct Writer {
    text: String,
    indent: usize,
    labels: usize,
}

const CELLS: [&str; 6] = ["g0", "g1", "*p", "arr[0]", "arr[r0]", "b"];

impl Generated {
    /// As text.
    pub fn text(&self) -> String {
        let mut w = Writer { text: String::new(), indent: 0, labels: 0 };
        w.line("C generated");
        w.line("{}");
        w.line("int g0; int g1; int g2 = 1; bool b; int __range(0, 3) narrow; int arr[2];");
        w.line("atomic_t a;");
        w.line("DEFINE_MUTEX(m0); DEFINE_MUTEX(m1); DEFINE_SPINLOCK(s); DECLARE_RWSEM(rw);");
        w.line("DEFINE_SEMAPHORE(sem, 1); DECLARE_COMPLETION(done);");
        w.line("DECLARE_WAIT_QUEUE_HEAD(q0); DECLARE_WAIT_QUEUE_HEAD(q1);");
        let at = At { helper: true, ..At::default() };
        w.line("int twice(int x) { if (x > 1) return x; return (x + x) & 3; }");
        let mut processes = Writer { text: String::new(), indent: 0, labels: 0 };
        for (number, all) in self.processes.iter().enumerate() {
            processes.line(&format!("P{number}(int *g2) {{"));
            processes.indent += 1;
            processes.line(
                "int r0; int r1; int __range(-512, 3) r2; bool r3; int *p = &g0; int *n = NULL;",
            );
            processes.all(all, &At::default());
            processes.indent -= 1;
            processes.line("}");
        }
        let mut helpers = Writer { text: String::new(), indent: 0, labels: 0 };
        if processes.text.contains("async_schedule") {
            helpers.line("void async(int data, async_cookie_t cookie) {");
            helpers.line("int r0 = data; int r1; int __range(-512, 3) r2; bool r3; int *p = &g1; int *n = &g1;");
            helpers.all(&self.asynchronous, &at);
            helpers.line("}");
        }
        if processes.text.contains("&w)") || helpers.text.contains("&w)") {
            helpers.line("void work(struct work_struct *self) {");
            helpers.line(
                "int r0; int r1; int __range(-512, 3) r2; bool r3; int *p = &g1; int *n = &g1;",
            );
            helpers.all(&self.work, &at);
            helpers.line("}");
            helpers.line("DECLARE_WORK(w, work);");
        }
        if !processes.text.contains("twice(") && !helpers.text.contains("twice(") {
            w.text = w
                .text
                .replace("int twice(int x) { if (x > 1) return x; return (x + x) & 3; }\n", "");
        }
        w.text += &helpers.text;
        w.text += &processes.text;
        let locals: Vec<String> = (0..self.processes.len())
            .flat_map(|p| ["r0", "r1", "r2", "r3"].map(|r| format!("{p}:{r}")))
            .collect();
        w.line(&format!(
            "locations [g0; g1; g2; b; narrow; arr[0]; arr[1]; a; {}]",
            locals.join("; ")
        ));
        w.text
    }
}

impl Writer {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}{line}", "    ".repeat(self.indent));
    }

    fn all(&mut self, all: &[Do], at: &At) {
        self.indent += 1;
        all.iter().for_each(|one| self.one(one, at));
        self.indent -= 1;
    }

    fn one(&mut self, one: &Do, at: &At) {
        match one {
            Do::Simple(what, a, b) => self.simple(*what, *a, *b, at),
            Do::If(a, b, yes, no) => {
                let condition = condition(*a, *b);
                self.line(&format!("if ({condition}) {{"));
                self.all(yes, at);
                if !no.is_empty() {
                    self.line("} else {");
                    self.all(no, at);
                }
                self.line("}");
            }
            Do::Loop(how, body) => {
                // What is broken out of may not hold what was taken inside.
                let inside = At { loops: true, ..at.clone() };
                let counter = format!("i{}", self.labels);
                self.labels += 1;
                let begin = match how {
                    0 => format!("for (int {counter} = 0; {counter} < 2; {counter}++) {{"),
                    1 => format!("int {counter} = 0; while ({counter}++ < 2) {{"),
                    2 => format!("int {counter} = 2; do {{"),
                    _ => format!(
                        "for (int {counter} = 0; READ_ONCE(g0) != 3 && {counter} < 2; {counter} += 1) {{"
                    ),
                };
                self.line(&begin);
                self.all(body, &inside);
                match how {
                    2 => self.line(&format!("}} while (--{counter});")),
                    _ => self.line("}"),
                }
            }
            Do::Switch(a, first, second) => {
                let value = ["r0", "r1", "READ_ONCE(g1)"][usize::from(a % 3)];
                self.line(&format!("switch ({value}) {{"));
                self.line("case 0:");
                // break leaves the switch, not a loop around it, and so does a lock section not know of it.
                let inside = At { loops: false, ..at.clone() };
                self.all(first, &inside);
                if a % 2 == 0 {
                    self.line("break;");
                }
                self.line(if a % 4 < 2 { "case 1:" } else { "default:" });
                self.all(second, &inside);
                self.line("}");
            }
            Do::Section(which, a, body) => self.section(*which, *a, body, at),
            Do::Try(which, a, body) => self.tried(*which, *a, body, at),
            Do::Wait(which, a, b) if !at.atomic => self.wait(*which, *a, *b),
            Do::Wait(_, a, b) => self.simple(0, *a, *b, at),
            Do::Jump(how, a) => {
                let held = !at.held.is_empty();
                match how {
                    0 if at.loops && !held => self.line(&format!("if (r{} == 1) break;", a % 2)),
                    1 if at.loops && !held => self.line(&format!("if (r{} == 1) continue;", a % 2)),
                    2 if !held => self.line(&format!("if (r{} == 2) return;", a % 2)),
                    _ => {
                        let label = format!("l{}", self.labels);
                        self.labels += 1;
                        self.line(&format!("if (r{} == 0) goto {label};", a % 2));
                        self.simple(0, *a, a / 2, at);
                        self.line(&format!("{label}: ;"));
                    }
                }
            }
        }
    }

    fn section(&mut self, which: u8, a: u8, body: &[Do], at: &At) {
        let (name, takes, gives, atomic) = match which {
            0 => ("m0", "mutex_lock(&m0);", "mutex_unlock(&m0);", false),
            1 => ("m1", "mutex_lock(&m1);", "mutex_unlock(&m1);", false),
            2 => ("s", "spin_lock(&s);", "spin_unlock(&s);", true),
            3 => ("rw", "down_read(&rw);", "up_read(&rw);", false),
            4 => ("rw", "down_write(&rw);", "up_write(&rw);", false),
            5 => ("rcu", "rcu_read_lock();", "rcu_read_unlock();", true),
            6 => ("rw", "down_write(&rw); downgrade_write(&rw);", "up_read(&rw);", false),
            _ => ("m0", "mutex_lock(&m0);", "mutex_unlock(&m0);", false),
        };
        // A spinlock under rcu_read_lock() is fine, what sleeps is not; and nothing is taken twice.
        let twice = at.held.contains(&name) && name != "rcu";
        if twice || (at.atomic && !atomic) {
            return self.simple(a % 40, a, a / 3, at);
        }
        let mut inside = At { atomic: at.atomic || atomic, loops: false, ..at.clone() };
        inside.held.push(name);
        self.line(takes);
        self.all(body, &inside);
        self.line(gives);
    }

    fn tried(&mut self, which: u8, a: u8, body: &[Do], at: &At) {
        let (name, takes, gives, atomic) = match which {
            0 => ("m0", "mutex_trylock(&m0)", "mutex_unlock(&m0);", false),
            1 => ("s", "spin_trylock(&s)", "spin_unlock(&s);", true),
            2 => ("m1", "!mutex_lock_interruptible(&m1)", "mutex_unlock(&m1);", false),
            3 => ("m0", "mutex_lock_killable(&m0) == 0", "mutex_unlock(&m0);", false),
            4 => ("rw", "down_read_trylock(&rw)", "up_read(&rw);", false),
            5 => ("rw", "down_write_trylock(&rw)", "up_write(&rw);", false),
            6 => ("rw", "!down_write_killable(&rw)", "up_write(&rw);", false),
            _ => ("rw", "!down_read_killable(&rw)", "up_read(&rw);", false),
        };
        if at.held.contains(&name) || (at.atomic && !atomic) {
            return self.simple(a % 40, a, a / 3, at);
        }
        let mut inside = At { atomic: at.atomic || atomic, loops: false, ..at.clone() };
        inside.held.push(name);
        self.line(&format!("if ({takes}) {{"));
        self.all(body, &inside);
        self.line(gives);
        self.line("}");
    }

    fn wait(&mut self, which: u8, a: u8, b: u8) {
        let condition = condition(a, b);
        let q = b % 2;
        self.line(&match which {
            0 | 1 => format!("wait_event(q{q}, {condition});"),
            2 => format!("r2 = wait_event_interruptible(q{q}, {condition});"),
            3 => format!("r2 = wait_event_killable(q{q}, {condition});"),
            4 => format!("r2 = wait_event_timeout(q{q}, {condition}, HZ);"),
            5 => format!("r2 = wait_event_interruptible_timeout(q{q}, {condition}, 5 * HZ);"),
            6 => "wait_for_completion(&done);".to_owned(),
            7 => "r2 = wait_for_completion_interruptible(&done);".to_owned(),
            8 => "r2 = wait_for_completion_timeout(&done, HZ);".to_owned(),
            9 => "down(&sem); ".to_owned(),
            10 => "r2 = down_interruptible(&sem);".to_owned(),
            11 => "r2 = down_timeout(&sem, HZ);".to_owned(),
            12 => "synchronize_rcu();".to_owned(),
            13 => "r3 = flush_work(&w);".to_owned(),
            14 => "r3 = cancel_work_sync(&w);".to_owned(),
            _ => "async_synchronize_full();".to_owned(),
        });
    }

    fn simple(&mut self, what: u8, a: u8, b: u8, at: &At) {
        let cell = CELLS[usize::from(a % 6)];
        let r = format!("r{}", b % 2);
        let value = match b % 5 {
            0..=2 => format!("{}", b / 5 % 4),
            _ => format!("r{} & 3", a % 2),
        };
        let q = a % 2;
        self.line(&match what {
            0..=3 => format!("WRITE_ONCE({cell}, {value});"),
            4..=7 => format!("{r} = READ_ONCE({cell});"),
            8 => format!("{r} = ({r} + {value}) & 3;"),
            9 => match a % 4 {
                0 => format!("{r} = r0 == r1 ? {value} : 2;"),
                1 => format!("{r} = READ_ONCE({cell}) ?: {value};"),
                2 => format!("{r} = (r0 = {value}, WRITE_ONCE({cell}, r1), r0 + 1) & 3;"),
                _ => format!("if (g{q} ?: (r1 = 1, g1)) {r} = xchg(&g0, 1) ?: READ_ONCE(g1);"),
            },
            10 => "smp_mb();".to_owned(),
            11 => format!("{r} = smp_load_acquire(&g1);"),
            12 => format!("smp_store_release(&g1, {value});"),
            13 => format!("{r} = atomic_inc_return(&a) & 3;"),
            14 => "atomic_inc(&a);".to_owned(),
            15 => format!("{r} = atomic_read(&a) & 3;"),
            16 => format!("{r} = cmpxchg(&g0, {}, {value});", a % 3),
            17 => format!("{r} = xchg(&g1, {value});"),
            18 => format!("r3 = atomic_add_unless(&a, 1, {});", a % 2),
            19 => "r3 = atomic_dec_and_test(&a);".to_owned(),
            20 => format!("{r} = choose(0, {value}, 3);"),
            21..=23 => format!("WRITE_ONCE(g{q}, {value}); wake_up(&q{q});"),
            24 => format!("wake_up_all(&q{q});"),
            25 => "complete(&done);".to_owned(),
            26 => {
                if a.is_multiple_of(3) {
                    "complete_all(&done);".to_owned()
                } else {
                    "r3 = try_wait_for_completion(&done);".to_owned()
                }
            }
            27 => "r3 = completion_done(&done);".to_owned(),
            28 => "up(&sem);".to_owned(),
            29 => "r2 = down_trylock(&sem);".to_owned(),
            30 => format!("{r} = twice({value});"),
            31 => format!("assert(g0 + {r} < {});", 2 + a % 4),
            32 => format!("narrow = {r} + {};", a % 3),
            33 => {
                if at.helper {
                    "g1 = 2;".to_owned()
                } else {
                    "r3 = queue_work(0, &w);".to_owned()
                }
            }
            34 => {
                if at.helper {
                    "g0 = 1;".to_owned()
                } else {
                    format!("async_schedule(async, {value});")
                }
            }
            35 => format!("if (r3) n = &g{q}; if (n) {r} = *n;"),
            36 => format!("{r} = {};", if a.is_multiple_of(16) { "*n" } else { "*p" }),
            37 => format!("g{q} += 1; g{q} &= 3;"),
            38 => "r3 = mutex_is_locked(&m0) || spin_is_locked(&s);".to_owned(),
            _ => {
                if a.is_multiple_of(3) {
                    "reinit_completion(&done);".to_owned()
                } else {
                    format!("p = {r} == 1 ? &g0 : &g1;")
                }
            }
        });
    }
}

fn condition(a: u8, b: u8) -> String {
    let (k, l) = (a / 8 % 4, b / 8 % 3);
    match a % 8 {
        0 => format!("READ_ONCE(g0) == {k}"),
        1 => format!("READ_ONCE(g1) != {k}"),
        2 => format!("g0 == {l} || g1 == {k}"),
        3 => format!("g0 != {l} && g1 > {k}"),
        4 => format!("r{} == {k}", b % 2),
        5 => format!("atomic_read(&a) >= {l}"),
        6 => format!("g0 + g1 == {k}"),
        _ => "!b".to_owned(),
    }
}
