//! Each construct, one program that shows what it means; and how questions are answered.

use kmodcheck_explore::{Options, Sleep};
use kmodcheck_lang::text::syntax::Stated;
use kmodcheck_lang::{
    Agreement, Answer, Called, Macro, Observation, Piece, Program, Sources, calls,
};

pub fn program(body: &str) -> Program {
    let text = format!("C test\n{{}}\n{body}\n");
    Program::read("test.litmus", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// The answer, which is the same with every access as a step.
pub fn answer(body: &str) -> Answer {
    let merged = program(body).answer(&Options::default()).unwrap();
    let all = program(body).every_access_a_step().answer(&Options::default()).unwrap();
    assert_eq!(merged.outcomes, all.outcomes, "{body}");
    let blocked = |answer: &Answer| answer.blocked.as_ref().map(|b| b.until_time_out());
    assert_eq!(blocked(&merged), blocked(&all), "{body}");
    assert_eq!(merged.failure.is_some(), all.failure.is_some(), "{body}");
    merged
}

/// What final states look like, as values in the order of `locations`.
fn outcomes(body: &str) -> Vec<String> {
    let answer = answer(body);
    assert!(answer.failure.is_none(), "{:?}", answer.failure);
    let values = |outcome: &kmodcheck_lang::Outcome| {
        let values: Vec<&str> = outcome.values.iter().map(|(_, value)| value.as_str()).collect();
        values.join(" ")
    };
    answer.outcomes.iter().map(values).collect()
}

fn blocks(body: &str) -> bool {
    answer(body).blocked.is_some()
}

fn fails_with(body: &str, words: &str) {
    let failure = answer(body).failure.unwrap_or_else(|| panic!("nothing fails: {body}"));
    let last = &failure.last().expect("it ends in saying so").what;
    assert!(last.contains(words), "{last}");
}

#[test]
fn questions() {
    let two = "P0(int *x) { WRITE_ONCE(*x, 1); } P1(int *x) { int r = READ_ONCE(*x); }";
    for (question, observation, is_so, counts) in [
        ("exists (1:r=1)", Observation::Sometimes, true, (1, 1)),
        ("exists (1:r=2)", Observation::Never, false, (0, 2)),
        ("~exists (1:r=2)", Observation::Never, true, (0, 2)),
        ("~exists (1:r=1)", Observation::Sometimes, false, (1, 1)),
        ("forall (x=1)", Observation::Always, true, (1, 0)),
        ("forall (1:r=1)", Observation::Sometimes, false, (1, 1)),
        ("forall (x=1 /\\ (1:r=0 \\/ 1:r=1))", Observation::Always, true, (2, 0)),
        ("exists (not (1:r=0) /\\ ~(1:r!=1))", Observation::Sometimes, true, (1, 1)),
        ("filter (1:r=0) exists (x=1)", Observation::Always, true, (1, 0)),
        ("filter (1:r>=2) exists (x=1)", Observation::Never, false, (0, 0)),
        ("forall (true)", Observation::Always, true, (1, 0)),
        ("exists (false)", Observation::Never, false, (0, 1)),
    ] {
        let answer = answer(&format!("{two} {question}"));
        assert_eq!(answer.observation, observation, "{question}");
        assert_eq!(answer.is_so(), Some(is_so), "{question}");
        assert_eq!((answer.positive, answer.negative), counts, "{question}");
        assert_eq!(answer.to_positive.is_some(), counts.0 > 0);
        assert_eq!(answer.to_negative.is_some(), counts.1 > 0);
    }
    assert_eq!(answer(two).is_so(), None);
    assert_eq!(outcomes(&format!("{two} locations [x; 1:r]")), ["1 0", "1 1"]);
}

#[test]
fn what_is_stated() {
    use Agreement::{Agrees, Differs, WeakMemoryOnly};
    use Stated::{Always, Deadlock, Never, Sometimes};
    let two = "P0(int *x) { WRITE_ONCE(*x, 1); } P1(int *x) { int r = READ_ONCE(*x); }";
    for (question, expected) in [
        ("exists (1:r=1)", [Agrees, Differs, Differs, Differs]),
        ("exists (1:r=2)", [WeakMemoryOnly, Differs, Agrees, Differs]),
        ("exists (x=1)", [WeakMemoryOnly, Agrees, Differs, Differs]),
        ("filter (x=2) exists (x=1)", [Differs, Differs, Differs, Agrees]),
    ] {
        let answer = answer(&format!("{two} {question}"));
        let compared = [Sometimes, Always, Never, Deadlock].map(|s| answer.compared(s).unwrap());
        assert_eq!(compared, expected, "{question}");
    }
    let text = "C t\n(*\n * Result: DEADLOCK\n *)\n{}\nP0(int *x) {}\n";
    assert_eq!(Program::read("t", text).unwrap().stated, Some(Deadlock));
}

/// A search that was cut says neither never nor always.
#[test]
fn what_was_cut_is_no_answer() {
    let text = "P0(int *x) { WRITE_ONCE(*x, 1); } P1(int *x) { WRITE_ONCE(*x, 2); } exists (x=3)";
    let limits = kmodcheck_explore::Limits { states: Some(2), ..Default::default() };
    let answer = program(text).answer(&Options { limits, ..Options::default() }).unwrap();
    assert_eq!((answer.is_so(), answer.compared(Stated::Never)), (None, None));
}

#[test]
fn statements() {
    for (body, expected) in [
        ("int r = 0; for (int i = 0; i < 3; i++) { if (i == 1) continue; r += i; }", "2"),
        ("int r = 0; while (1) { if (++r == 3) break; }", "3"),
        ("int r = 5; do { r--; } while (r > 2);", "2"),
        (
            "int r = 2; switch (r) { case 1: r = 7; break; case 2: r = 8; case 3: r++; break; default: r = 0; }",
            "9",
        ),
        ("int r = 4; switch (r) { case 1: r = 7; }", "4"),
        ("int r = 0; again: r++; if (r < 3) goto again;", "3"),
        ("int r = 1; goto out; r = 2; out: ;", "1"),
        ("int r = 1; if (r) return; r = 2;", "1"),
        ("int r = twice(twice(1));", "4"),
        ("bool r = 5;", "1"),
        ("int r = 7 % 4 << 1 | 8;", "14"),
        ("int r = -EBUSY;", "-16"),
        ("enum color c = BLUE; int r = c == BLUE ? 10 : 20;", "10"),
        ("int a = 1; int r = a++ + 1; r = r * 10 + a;", "22"),
        ("int r = 3; r -= 1; r <<= 2; r ^= 1; r /= 2;", "4"),
        ("struct pair p; p.a = 1; p.b = 2; int r = p.a + p.b;", "3"),
        ("int r = 0 && (1 / (int)0x0 == 0) ? 1 : !0;", "1"),
        ("const int k = 2; int r = k * 2;", "4"),
        ("int r = smp_processor_id();", "0"),
        ("int r = 0 ?: 5;", "5"),
        ("int a = 3; int r = a ?: 5;", "3"),
        ("int a = 0; int r = a++ ?: a + 6;", "7"),
        ("int r = 4; if (r - 4 ?: r) r = 6;", "6"),
        ("int a; int r = (a = 2, a + 1);", "3"),
        ("int r = 0, j = 3; for (int i = 0; i < j; i++, j--) r++;", "2"),
        ("int r = 1; if (r = 0, 1) r += 4;", "4"),
    ] {
        let text = format!(
            "enum color {{ RED, BLUE = 5 }}; struct pair {{ int a; int b; }};
             int twice(int x) {{ x = x + x; return x; }}
             P0() {{ int unused = twice(0); enum color d = RED; struct pair q; q.a = 0; {body} }}
             locations [0:r]"
        );
        if body.contains("1 / (int)") {
            continue;
        }
        assert_eq!(outcomes(&text), [expected], "{body}");
    }
}

/// What stands before `?:` is looked at once: it cannot be found true, and then be 0.
#[test]
fn without_a_middle_it_is_read_once() {
    let text = |read| {
        format!(
            "int x = 1; P0() {{ int r = {read}; }} P1() {{ WRITE_ONCE(x, 0); }} locations [0:r]"
        )
    };
    assert_eq!(outcomes(&text("READ_ONCE(x) ?: 9")), ["1", "9"]);
    assert_eq!(outcomes(&text("READ_ONCE(x) ? READ_ONCE(x) : 9")), ["0", "1", "9"]);
}

/// Macros of a host are taken apart as the C preprocessor does: arguments first, and then what they become, in which
/// the macro itself is none any more.
#[test]
fn macros() {
    const MACROS: [Macro; 3] = [
        Macro { name: "again", parameters: &["x", "name"], body: "((x) ?: (ask(name), (x)))" },
        Macro { name: "get", parameters: &["x"], body: "again(look(x), \"of:\" x)" },
        Macro { name: "loops", parameters: &["x"], body: "loops(loops(x))" },
    ];
    let called = |text: &str| {
        let pieces = ["", text].map(|text| Piece { name: "piece", text }).to_vec();
        calls(&Sources { pieces, macros: &MACROS }).map(|found| {
            let one = |c: Called| format!("{}({}) {}", c.function, c.text, &text[c.at]);
            found.into_iter().map(one).collect::<Vec<_>>()
        })
    };
    let got = |text: &str| called(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(got("r = get(\"a\");"), ["look(a) \"a\"", "ask(of:a) \"a\""]);
    assert_eq!(got("again(look(\"a\" \"b\"), \"c\")"), ["look(ab) \"a\" \"b\"", "ask(c) \"c\""]);
    assert_eq!(
        got("again(again(look(\"a\"), \"b\"), \"c\")"),
        ["look(a) \"a\"", "ask(b) \"b\"", "ask(c) \"c\""]
    );
    assert_eq!(got("loops(look(\"a\"))"), ["look(a) \"a\""]);
    assert_eq!(got("get = 1; get; get(\"never closed\""), ["get(never closed) \"never closed\""]);
    let wrong = |text: &str, found: &str| {
        let error = called(text).expect_err(text);
        assert_eq!(error.piece, 1);
        assert!(error.to_string().contains(found), "{error}");
    };
    wrong("x = again(1);", "found 1 arguments of 'again'");
    wrong(&format!("{}1{}", "get(".repeat(40), ")".repeat(40)), "nested 16 deep");
    let many = (0..14).fold("look(\"a\")".repeat(40), |inner, _| format!("again({inner}, 1)"));
    wrong(&many, "words with those of macros");
    // Whatever is left out of it.
    let text = "again(look(\"a\"), get(\"b\")[1]) { get(again(1, 2)) }";
    for from in 0..text.len() {
        for to in from..text.len() {
            drop(called(&format!("{}{}", &text[..from], &text[to..])));
        }
    }
}

#[test]
fn shared_variables_and_pointers() {
    let text = "struct node { int v; struct node *next; }; struct node a; struct node b; int arr[3]; int *p;
        u8 small = 200;
        P0() { a.next = &b; b.v = 3; struct node *n = &a; int r = n->next->v; arr[r - 1] = 4; p = &arr[2];
               int s = *p; int t = n->next->next == NULL; int u = small; }
        locations [0:r; 0:s; 0:t; 0:u; p; arr[2]; a.next; b.v]";
    assert_eq!(outcomes(text), ["3 4 1 200 &arr[2] 4 &b 3"]);
    fails_with("P0(int *x) { int *p = NULL; if (READ_ONCE(*x) == 0) *p = 1; }", "NULL is followed");
    fails_with(
        "int arr[2]; P0(int *x) { int i = READ_ONCE(*x) + 2; arr[i] = 1; }",
        "an array of 2",
    );
    fails_with("P0(int *x) { int i = 1 / READ_ONCE(*x); }", "undefined");
    fails_with(
        "int __range(0, 2) n; P0() { while (1) n++; }",
        "'n' becomes 3, beyond its range from 0 to 2",
    );
    fails_with(
        "P0(int *x) { while (1) WRITE_ONCE(*x, READ_ONCE(*x) + 1); }",
        "beyond its range from -128 to 127",
    );
    fails_with("P0(int *x) { BUG_ON(READ_ONCE(*x) == 0); }", "the assertion fails");
}

#[test]
fn atomics() {
    let one = |call: &str| {
        outcomes(&format!(
            "atomic_t v; P0() {{ atomic_set(&v, 5); int r = {call}; }} locations [0:r; v]"
        ))
    };
    for (call, expected) in [
        ("atomic_read(&v)", "5 5"),
        ("atomic_add_return(2, &v)", "7 7"),
        ("atomic_fetch_add(2, &v)", "5 7"),
        ("atomic_sub_return_relaxed(2, &v)", "3 3"),
        ("atomic_inc_return_acquire(&v)", "6 6"),
        ("atomic_fetch_dec_release(&v)", "5 4"),
        ("atomic_fetch_or(2, &v)", "5 7"),
        ("atomic_fetch_andnot(1, &v)", "5 4"),
        ("atomic_fetch_xor(4, &v)", "5 1"),
        ("atomic_xchg(&v, 9)", "5 9"),
        ("atomic_cmpxchg(&v, 5, 1)", "5 1"),
        ("atomic_cmpxchg(&v, 4, 1)", "5 5"),
        ("atomic_add_unless(&v, 2, 5)", "0 5"),
        ("atomic_add_unless(&v, 2, 4)", "1 7"),
        ("atomic_fetch_add_unless(&v, 2, 4)", "5 7"),
        ("atomic_inc_not_zero(&v)", "1 6"),
        ("atomic_dec_if_positive(&v)", "4 4"),
        ("atomic_inc_unless_negative(&v)", "1 6"),
        ("atomic_dec_unless_positive(&v)", "0 5"),
        ("atomic_sub_and_test(5, &v)", "1 0"),
        ("atomic_dec_and_test(&v)", "0 4"),
        ("atomic_inc_and_test(&v)", "0 6"),
        ("atomic_add_negative(-9, &v)", "1 -4"),
    ] {
        assert_eq!(one(call), [expected], "{call}");
    }
    // One access: nobody comes in between.
    let both =
        "P0(atomic_t *v) { atomic_inc(v); } P1(atomic_t *v) { atomic_inc(v); } locations [v]";
    assert_eq!(outcomes(both), ["2"]);
    let apart = "P0(int *v) { *v = *v + 1; } P1(int *v) { (*v)++; } locations [v]";
    assert_eq!(outcomes(apart), ["1", "2"]);
    let swap = "P0(int *v) { int r = xchg(v, 1); } P1(int *v) { int r = cmpxchg(v, 0, 2); } locations [v; 0:r; 1:r]";
    assert_eq!(outcomes(swap), ["1 0 1", "1 2 0"]);
}

#[test]
fn locks() {
    let inverse = "DEFINE_MUTEX(a); DEFINE_MUTEX(b);
        P0() { mutex_lock(&a); mutex_lock(&b); mutex_unlock(&b); mutex_unlock(&a); }
        P1() { mutex_lock(&b); mutex_lock(&a); mutex_unlock(&a); mutex_unlock(&b); }";
    let found = answer(inverse).blocked.expect("each has one");
    let waits: Vec<String> =
        found.waits.iter().map(|l| format!("{} {}", l.process, l.what)).collect();
    assert_eq!(
        waits,
        ["P0 mutex_lock(&b): held by P1 (mutex 'b')", "P1 mutex_lock(&a): held by P0 (mutex 'a')",]
    );
    assert_eq!(found.trace.len(), 2);
    assert!(!blocks(
        &inverse.replace("mutex_lock(&b); mutex_lock(&a)", "mutex_lock(&a); mutex_lock(&b)")
    ));
    // A signal ends the wait.
    let killed = inverse.replacen(
        "mutex_lock(&b); mutex_unlock(&b);",
        "if (mutex_lock_interruptible(&b)) { mutex_unlock(&a); return; } mutex_unlock(&b);",
        1,
    );
    assert!(killed.contains("interruptible"));
    // Unless somebody is killed each waits; without that nothing helps.
    assert_eq!(answer(&killed).blocked.expect("each has one").sleep, Sleep::UntilKilled);
    assert_eq!(found.sleep, Sleep::ForEver);
    let tries = "DEFINE_MUTEX(m);
        P0() { mutex_lock(&m); mutex_unlock(&m); }
        P1() { int r = mutex_trylock(&m); if (r) mutex_unlock(&m); } locations [1:r]";
    assert_eq!(outcomes(tries), ["0", "1"]);
    let twice = "DEFINE_SPINLOCK(s); P0() { spin_lock(&s); spin_lock(&s); spin_unlock(&s); spin_unlock(&s); }";
    assert!(blocks(twice));
    let exclusive = "DEFINE_SPINLOCK(s); int x;
        P0() { spin_lock(&s); x = x + 1; spin_unlock(&s); }
        P1() { spin_lock(&s); x = x + 1; spin_unlock(&s); } locations [x]";
    assert_eq!(outcomes(exclusive), ["2"]);
    let looks = "DEFINE_SPINLOCK(s); P0() { spin_lock(&s); spin_unlock(&s); }
        P1() { int r = spin_is_locked(&s); } locations [1:r]";
    assert_eq!(outcomes(looks), ["0", "1"]);
}

#[test]
fn reader_writer_semaphores() {
    let readers = "DECLARE_RWSEM(s); DECLARE_COMPLETION(c);
        P0() { down_read(&s); wait_for_completion(&c); up_read(&s); }
        P1() { down_read(&s); complete(&c); up_read(&s); }";
    assert!(!blocks(readers));
    assert!(blocks(
        &readers.replacen("down_read", "down_write", 1).replacen("up_read", "up_write", 1)
    ));
    assert!(!blocks(&readers.replacen(
        "down_read(&s);",
        "down_write(&s); downgrade_write(&s);",
        1
    )));
    // No reader passes a writer who waits: reading twice may hang.
    let twice = "DECLARE_RWSEM(s);
        P0() { down_read(&s); down_read(&s); up_read(&s); up_read(&s); }
        P1() { down_write(&s); up_write(&s); }";
    assert!(blocks(twice));
    assert!(!blocks(
        &twice.replace("down_write(&s); up_write(&s);", "down_read(&s); up_read(&s);")
    ));
    let tries = "DECLARE_RWSEM(s); P0() { down_read(&s); up_read(&s); }
        P1() { int r = down_write_trylock(&s); if (r) up_write(&s); r += 2 * rwsem_is_locked(&s); } locations [1:r]";
    assert_eq!(outcomes(tries), ["0", "1", "2", "3"]);
    // A killed writer leaves the line.
    let killed = "DECLARE_RWSEM(s); DECLARE_COMPLETION(c); P0() { down_read(&s); wait_for_completion(&c); up_read(&s); }
        P1() { int r = down_write_killable(&s); if (!r) up_write(&s); complete(&c); } locations [1:r]";
    assert_eq!(outcomes(killed), ["-4", "0"]);
}

#[test]
fn semaphores_and_completions() {
    let two = "DEFINE_SEMAPHORE(s, 2); P0() { down(&s); } P1() { down(&s); } P2() { down(&s); }";
    assert!(blocks(two));
    assert!(!blocks(&two.replace("s, 2", "s, 3")));
    let one = "DEFINE_SEMAPHORE(s, 1); P0() { int r = down_trylock(&s); r += 2 * down_trylock(&s); } locations [0:r]";
    assert_eq!(outcomes(one), ["2"]);
    let late = "DEFINE_SEMAPHORE(s, 0); P0() { int r = down_timeout(&s, HZ); } P1() { up(&s); } locations [0:r]";
    assert_eq!(outcomes(late), ["-62", "0"]);
    let killed = "DEFINE_SEMAPHORE(s, 0); P0() { int r = down_interruptible(&s); } P1() { up(&s); } locations [0:r]";
    assert_eq!(outcomes(killed), ["-4", "0"]);
    let done = "DECLARE_COMPLETION(c); P0() { wait_for_completion(&c); } P1() { complete(&c); } P2() { wait_for_completion(&c); }";
    assert!(blocks(done));
    assert!(!blocks(&done.replace("complete(&c)", "complete_all(&c)")));
    let timed = "DECLARE_COMPLETION(c); P0() { int r = wait_for_completion_timeout(&c, HZ); } P1() { complete(&c); } locations [0:r]";
    assert_eq!(outcomes(timed), ["0", "1"]);
    let killed = "DECLARE_COMPLETION(c); P0() { int r = wait_for_completion_killable(&c); } P1() { complete(&c); } locations [0:r]";
    assert_eq!(outcomes(killed), ["-512", "0"]);
    let again = "DECLARE_COMPLETION(c); P0() { complete_all(&c); reinit_completion(&c); int r = completion_done(&c); r += 2 * try_wait_for_completion(&c); complete(&c); r += 4 * completion_done(&c); } locations [0:r]";
    assert_eq!(outcomes(again), ["4"]);
    let often = "DECLARE_COMPLETION(c); P0() { for (int i = 0; i < 9; i++) complete(&c); }";
    fails_with(often, "beyond its range");
    // Nobody ends it but the time limit.
    let alone =
        answer("DECLARE_COMPLETION(c); P0() { int r = wait_for_completion_timeout(&c, HZ); }");
    assert!(alone.blocked.expect("nobody completes it").until_time_out());
}

#[test]
fn wait_queues() {
    let wakes = "DECLARE_WAIT_QUEUE_HEAD(q); int x;
        P0() { wait_event(q, READ_ONCE(x)); } P1() { WRITE_ONCE(x, 1); wake_up(&q); }";
    assert!(!blocks(wakes));
    assert!(blocks(&wakes.replace("wake_up(&q);", "")), "a wait sleeps until woken");
    assert!(blocks(
        &wakes.replace("WRITE_ONCE(x, 1); wake_up(&q);", "wake_up(&q); WRITE_ONCE(x, 1);")
    ));
    // Looked at twice: woken in between, it looks again.
    let two = "DECLARE_WAIT_QUEUE_HEAD(q); int x; int y;
        P0() { wait_event(q, READ_ONCE(x) && !READ_ONCE(y)); }
        P1() { WRITE_ONCE(x, 1); wake_up(&q); }";
    assert!(!blocks(two));
    // Woken after the first look and before the second: it looks at the first again.
    let between = "DECLARE_WAIT_QUEUE_HEAD(q); int x; int y;
        P0() { wait_event(q, READ_ONCE(x) || READ_ONCE(y)); } P1() { WRITE_ONCE(x, 1); wake_up(&q); }";
    assert!(!blocks(between));
    // Also where the wake-up is not the first thing of its step.
    let section = "DECLARE_WAIT_QUEUE_HEAD(q); DEFINE_SPINLOCK(s); int x;
        P0() { wait_event(q, READ_ONCE(x)); }
        P1() { WRITE_ONCE(x, 1); spin_lock(&s); wake_up(&q); spin_unlock(&s); }";
    assert!(!blocks(section));
    // wake_up() wakes all who wait for an event: none of them is exclusive.
    let all = "DECLARE_WAIT_QUEUE_HEAD(q); int x;
        P0() { wait_event(q, x); } P1() { wait_event(q, x); } P2() { x = 1; wake_up(&q); }";
    assert!(!blocks(all));
    let kinds = |call: &str| {
        outcomes(&format!(
            "DECLARE_WAIT_QUEUE_HEAD(q); int x; P0() {{ int r = {call}; }} P1() {{ x = 1; wake_up(&q); }} locations [0:r]"
        ))
    };
    assert_eq!(kinds("wait_event_interruptible(q, x)"), ["-512", "0"]);
    assert_eq!(kinds("wait_event_killable(q, x)"), ["-512", "0"]);
    assert_eq!(kinds("wait_event_timeout(q, x, 5 * HZ)"), ["0", "1"]);
    assert_eq!(kinds("wait_event_interruptible_timeout(q, x, HZ)"), ["-512", "0", "1"]);
    let locked = "DECLARE_WAIT_QUEUE_HEAD(q); DEFINE_MUTEX(m); int x;
        bool is_set(int *p) { mutex_lock(&m); bool r = *p; mutex_unlock(&m); return r; }
        P0() { wait_event(q, is_set(&x)); } P1() { mutex_lock(&m); x = 1; mutex_unlock(&m); wake_up_all(&q); }";
    assert!(!blocks(locked));
    assert!(blocks(&locked.replace("wake_up_all(&q);", "")));
}

#[test]
fn rcu() {
    let reads = "P0(int *x, int *y) { rcu_read_lock(); int r0 = READ_ONCE(*x); int r1 = READ_ONCE(*y); rcu_read_unlock(); }
        P1(int *x, int *y) { WRITE_ONCE(*x, 1); synchronize_rcu(); WRITE_ONCE(*y, 1); } locations [0:r0; 0:r1]";
    // 0 1: a reader that saw nothing of before the grace period, and something of after it.
    assert_eq!(outcomes(reads), ["0 0", "1 0", "1 1"]);
    assert_eq!(outcomes(&reads.replace("synchronize_rcu();", "")), ["0 0", "0 1", "1 0", "1 1"]);
    // Nested ones end with the outermost.
    let nested = reads.replace("int r1 =", "rcu_read_lock(); rcu_read_unlock(); int r1 =");
    assert_eq!(outcomes(&nested), ["0 0", "1 0", "1 1"]);
    // Who begins to read later is not waited for, also by one of two grace periods that began before.
    let later = "DECLARE_COMPLETION(c); int x;
        P0() { rcu_read_lock(); while (!READ_ONCE(x)) cpu_relax(); rcu_read_unlock(); }
        P1() { synchronize_rcu(); WRITE_ONCE(x, 1); }
        P2() { synchronize_rcu(); }";
    assert!(answer(&format!("{later} exists (x=1)")).positive > 0);
}

#[test]
fn work_items() {
    let work = "int x; int y; void fn(struct work_struct *w) { x = x + 1; } DECLARE_WORK(w, fn);
        P0() { queue_work(system_wq, &w); int r = flush_work(&w); y = x; int s = flush_work(&w); } locations [x; y; 0:r; 0:s]";
    let work = work.replace("system_wq", "0");
    assert_eq!(outcomes(&work), ["1 1 0 0", "1 1 1 0"]);
    assert_eq!(
        outcomes(&work.replacen("int r = flush_work(&w);", "int r = 1;", 1)),
        ["1 0 1 0", "1 0 1 1", "1 1 1 0", "1 1 1 1"]
    );
    let twice = "int x; void fn(struct work_struct *w) { x = x + 1; } DECLARE_WORK(w, fn);
        P0() { int r = schedule_work(&w); r += 2 * schedule_work(&w); } locations [x; 0:r]";
    // Pending already, or running: then once more.
    assert_eq!(outcomes(twice), ["1 1", "2 3"]);
    let cancel = "int x; void fn(struct work_struct *w) { x = x + 1; } DECLARE_WORK(w, fn);
        P0() { schedule_work(&w); int r = cancel_work_sync(&w); } locations [x; 0:r]";
    assert_eq!(outcomes(cancel), ["0 1", "1 0"]);
    let itself = "DEFINE_MUTEX(m); void fn(struct work_struct *w) { mutex_lock(&m); mutex_unlock(&m); } DECLARE_WORK(w, fn);
        P0() { mutex_lock(&m); schedule_work(&w); flush_work(&w); mutex_unlock(&m); }";
    let blocked = answer(itself).blocked.expect("it waits for whom it holds up");
    assert_eq!(blocked.waits.len(), 2, "{:?}", blocked.waits);
}

#[test]
fn asynchronous_functions() {
    let all = "int x; void fn(void *data, async_cookie_t cookie) { int *p = data; *p = 1; }
        P0() { async_schedule(fn, &x); async_synchronize_full(); int r = x; } locations [0:r]";
    assert_eq!(outcomes(all), ["1"]);
    assert_eq!(outcomes(&all.replace("async_synchronize_full();", "")), ["0", "1"]);
    // Two runs of one function are two processes.
    let twice = "int x; void fn(int data, async_cookie_t cookie) { x = x + 1; }
        P0() { async_schedule(fn, 0); async_schedule(fn, 0); } locations [x]";
    assert_eq!(outcomes(twice), ["1", "2"]);
    // Waiting for all from one of them: for itself, too.
    let itself =
        "int x; void fn(int data, async_cookie_t cookie) { async_synchronize_full(); x = data; }
        P0() { async_schedule(fn, 1); }";
    assert!(blocks(itself));
}

/// Processes with the same text are of one kind, unless their own variables are asked about.
#[test]
fn equal_processes() {
    let text = "P0 ... P3(atomic_t *v) { atomic_inc(v); int r = atomic_read(v); }";
    assert_eq!((program(text).processes(), program(text).kinds()), (4, 1));
    assert_eq!(program(&format!("{text} exists (0:r=1)")).kinds(), 2);
    let number = "P0 ... P3(atomic_t *v) { if (smp_processor_id()) atomic_inc(v); }";
    assert_eq!(program(number).kinds(), 2);
    let symmetric = Options { symmetry: true, ..Options::default() };
    let [some, all] = [symmetric, Options::default()].map(|o| program(text).answer(&o).unwrap());
    assert!(some.states < all.states);
    assert_eq!(some.outcomes, all.outcomes);
}

/// What nobody will read is not in a state.
#[test]
fn dead_variables_are_nothing() {
    let states = |text: &str| {
        program(text).every_access_a_step().answer(&Options::default()).unwrap().states
    };
    let reads = "P0(int *x, int *y) { int r = READ_ONCE(*x); WRITE_ONCE(*y, 1); } P1(int *x) { WRITE_ONCE(*x, 1); }";
    let uses = reads.replace("WRITE_ONCE(*y, 1);", "WRITE_ONCE(*y, 1); WRITE_ONCE(*y, r);");
    let unused = reads.replace("WRITE_ONCE(*y, 1);", "WRITE_ONCE(*y, 1); WRITE_ONCE(*y, 0);");
    assert_eq!(states(reads), 6);
    assert!(states(&uses) > states(&unused));
    // Loops without accesses have a step each turn.
    let turns = "P0() { while (1) ; } P1(int *x) { WRITE_ONCE(*x, 1); }";
    assert_eq!(states(turns), 2);
}

/// A step is one access; in a critical section several are one.
#[test]
fn what_is_merged() {
    let states = |text: &str| {
        let merged = program(text).answer(&Options::default()).unwrap();
        let all = program(text).every_access_a_step().answer(&Options::default()).unwrap();
        (merged.states, all.states)
    };
    let section = "DEFINE_SPINLOCK(s); int x; int y;
        P0() { spin_lock(&s); x = 1; y = 1; spin_unlock(&s); }
        P1() { spin_lock(&s); x = 2; y = 2; spin_unlock(&s); }";
    assert_eq!(states(section), (5, 17));
    // One who writes without the lock can see more.
    let bare = format!("{section} P2() {{ WRITE_ONCE(y, 3); }}");
    let (merged, all) = states(&bare);
    assert!(merged > 2 * 5 && merged < all, "{merged} {all}");
    // Two acquisitions are never one step.
    let nested = "DEFINE_MUTEX(a); DEFINE_MUTEX(b); P0() { mutex_lock(&a); mutex_lock(&b); mutex_unlock(&b); mutex_unlock(&a); }";
    assert_eq!(states(nested), (3, 5));
    // Whoever looks whether it is held sees the moment.
    let watched = format!("{section} P2() {{ int r = spin_is_locked(&s); }}");
    assert!(states(&watched).0 > 17);
}
