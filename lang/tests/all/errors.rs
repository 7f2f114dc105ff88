//! What is wrong is shown where it is, with what was expected; and no text makes it panic.

use crate::sample::long_sample;
use kmodcheck_lang::Program;

/// What is wrong, with the words that are pointed at.
fn wrong(text: &str) -> (String, String, String) {
    match Program::read("wrong.litmus", text) {
        Ok(_) => panic!("nothing is wrong: {text}"),
        Err(error) => {
            let at = error.text[error.span.start..error.span.end].to_owned();
            let shown = error.to_string();
            let (line, column) = error.position();
            // An empty place is shown beside what is there.
            assert!(shown.contains(&format!("wrong.litmus:{line}:{column}")), "{shown}");
            assert!(shown.contains(&error.expected), "{shown}");
            (error.found, error.expected, at)
        }
    }
}

/// Each primitive that may be proposed for a slip is one.
#[test]
fn primitives_are_known() {
    for name in kmodcheck_lang::PRIMITIVES {
        let text = format!("C t\n{{}}\nP0(int *x) {{ {name}(); }}\n");
        if let Err(error) = Program::read("t.litmus", &text) {
            assert!(!error.found.starts_with("found a call of"), "{name}: {error}");
        }
    }
}

#[test]
fn errors_say_what_was_found_and_expected() {
    let p = |body: &str| {
        format!("C t\n{{}}\nP0(int *x, spinlock_t *s, struct mutex *m) {{ {body} }}\n")
    };
    let table: Vec<(String, &str, &str, &str)> = vec![
        ("X86 t\n{}\n".into(), "found 'X86 t'", "'C NAME'", "X86 t"),
        ("C t\n".into(), "the end of the file", "'{'", ""),
        ("C t\n{}\n".into(), "found no process", "P0", ""),
        ("C t\n{}\nP1() {}".into(), "found P1", "P0", "P1()"),
        ("C t\n{}\n(* never ends".into(), "comment without an end", "'*)'", "(*"),
        (p("int r = 1"), "found '}'", "';'", "}"),
        (p("int r = $;"), "found '$'", "a sign of C", "$"),
        (p("r = 1;"), "found 'r'", "a variable that is declared", "r"),
        (p("int r = q;"), "found 'q'", "a variable, a parameter", "q"),
        (
            p("srcu_read_lock(s);"),
            "found a call of 'srcu_read_lock'",
            "one that the language knows",
            "srcu_read_lock",
        ),
        (
            p("atomic_long_try_cmpxchg(x, 1);"),
            "'atomic_long_try_cmpxchg'",
            "atomics",
            "atomic_long_try_cmpxchg(x, 1)",
        ),
        (p("WRITE_ONCE(*x);"), "found 1 arguments", "expected 2", "WRITE_ONCE(*x)"),
        (p("spin_lock(x);"), "a pointer to a number", "spinlock_t", "x"),
        (p("int r = *s;"), "found spinlock_t", "a number or a pointer", "*s"),
        (p("int r = x;"), "found a pointer to a number", "expected a number", "x"),
        (p("int *r; int *t = &r;"), "address of a local variable", "a shared one", "&r"),
        (p("int r = *x ?: ;"), "found ';'", "an expression", ";"),
        (p("int r = (1, );"), "found ')'", "an expression", ")"),
        (p("int r; int t = (r, s);"), "a pointer to spinlock_t", "expected a number", "r, s"),
        (p("break;"), "found 'break'", "in a loop", "break;"),
        (p("goto out;"), "found 'goto out'", "a label", "out"),
        (p("u8 r = 300;"), "found 300", "in its range", "300"),
        (p("int r; int r;"), "the name 'r' again", "another name", "r"),
        (p("int r = 1 / 0;"), "a division by 0", "another number", "1 / 0"),
        (p("case 1: ;"), "'case' or 'default'", "a switch", "case 1:"),
        (p("spin_lock(s);"), "the end with spinlock 's' held", "given back", "P0("),
        (
            p("spin_unlock(s);"),
            "'s' given back where it is not held",
            "taken before",
            "spin_unlock(s)",
        ),
        (
            p("if (*x) mutex_lock(m); mutex_unlock(m);"),
            "mutex 'm' given back",
            "on every way",
            "mutex_unlock(m)",
        ),
        (
            p("spin_lock(s); mutex_lock(m); mutex_unlock(m); spin_unlock(s);"),
            "a mutex, which may sleep, with spinlock 's'",
            "no sleep",
            "mutex_lock(m)",
        ),
        (
            "C t\n{}\nDECLARE_WAIT_QUEUE_HEAD(q); P0(int *x) { wait_event(q, wait_event_killable(q, *x)); }".into(),
            "a wait for an event in the condition",
            "does not wait for events",
            "wait_event_killable(q, *x)",
        ),
        (p("int r = choose(1);"), "found 1 values", "at least two", "choose(1)"),
        (
            "C t\n{}\nint f(int a) { return f(a); } P0() { f(1); }".into(),
            "call of 'f' in itself",
            "a loop",
            "f(a)",
        ),
        (
            "C t\n{}\nint f() { return 0; } P0() {}".into(),
            "'f', which nobody calls",
            "a call of it",
            "f",
        ),
        ("C t\n{}\nP0() {} exists (x=1)".into(), "found 'x'", "shared variable", "x"),
        ("C t\n{}\nP0() {} exists (0:r=1)".into(), "found 'r'", "local variable", "r"),
        ("C t\n{}\nP0() {} exists (3:r=1)".into(), "found process 3", "of this file", "r"),
        (
            "C t\n{}\nP0(int *x) {} exists (x=1) exists (x=2)".into(),
            "'a condition' again",
            "once",
            "exists",
        ),
        (
            "C t\n{}\nstruct work_struct w; P0() {}".into(),
            "'w' without a function",
            "DECLARE_WORK",
            "w",
        ),
        ("C t\n{}\nmutex m; P0() {}".into(), "found 'mutex'", "a process (P0)", "mutex"),
        ("C t\n{}\nint __range(2, 1) x; P0() {}".into(), "a range from 2 to 1", "least", "2"),
        (
            "C t\n{}\nstruct mutex m[2]; P0(int *x) { int i = *x; mutex_lock(&m[i]); }".into(),
            "depends on what happens",
            "known when compiled",
            "&m[i]",
        ),
        (
            "C t\n{}\nint __range(1, 2) x; P0() {}".into(),
            "'x' without an initial value",
            "0 is not in its range",
            "x",
        ),
        (p("enum e { A = 1 }; int r;"), "found '{'", "the name of a variable", "{"),
        (p("int __range(1, 2) r;"), "'r' without a value", "0 is not in its range", "r"),
        (
            "C t\n{}\nint a[40]; P0() { for (int i = 0; i < 40; i++) a[i] = i * 1000; }".into(),
            "shared variables of",
            "declare narrower ones",
            "",
        ),
    ];
    for (text, found, expected, at) in table {
        let (was_found, was_expected, was_at) = wrong(&text);
        assert!(was_found.contains(found), "{text}: found '{was_found}', not '{found}'");
        assert!(
            was_expected.contains(expected),
            "{text}: expected '{was_expected}', not '{expected}'"
        );
        assert!(was_at.contains(at), "{text}: at '{was_at}', not '{at}'");
    }
    let deep =
        format!("C t\n{{}}\nP0() {{ int r = {}1{}; }}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(wrong(&deep).0.contains("levels"));
    let blocks = format!("C t\n{{}}\nP0() {{ {} {} }}", "{".repeat(5_000), "}".repeat(5_000));
    assert!(wrong(&blocks).0.contains("levels"));
}

/// Texts that use everything, to be mutated.
const TEXTS: [&str; 3] = [
    "C a+b\n(* Result: Never *)\n{ int x = 1; atomic_t v = ATOMIC_INIT(2); p=x; 0:r1=1; }\n\
     P0(int *x, int **p, atomic_t *v) // c\n{\n int r1; int *r2;\n rcu_read_lock();\n r2 = rcu_dereference(*p);\n \
     r1 = READ_ONCE(*r2);\n rcu_read_unlock();\n smp_mb();\n}\n\
     P1(int *x, int **p, spinlock_t *s)\n{\n int r1 = 0;\n spin_lock(s);\n if (r1 == 0 && *x) { r1 = xchg(x, 2); } \
     else r1 = cmpxchg(x, 0, 1);\n spin_unlock(s);\n synchronize_rcu();\n smp_store_release(x, r1 + 1);\n}\n\
     locations [x; 0:r1]\nfilter (x=1 \\/ ~(0:r1=0))\nexists (0:r2=x /\\ 1:r1=2)\n",
    "C b\n{}\nenum e { A, B = 4 };\nstruct s { int f; bool g[2]; enum e e; struct s *n; };\nstruct s t[2];\n\
     DEFINE_MUTEX(m); DEFINE_SEMAPHORE(u, 2); DECLARE_COMPLETION(c); DECLARE_WAIT_QUEUE_HEAD(q);\n\
     int __range(0, 3) n;\nint f(int a, struct mutex *l) { mutex_lock(l); a += n; mutex_unlock(l); return a; }\n\
     void w(struct work_struct *k) { t[1].f = 2; complete(&c); }\nDECLARE_WORK(k, w);\n\
     void y(void *d, async_cookie_t o) { n = 1; wake_up(&q); }\n\
     P0 ... P1() { int r = f(1, &m); switch (r) { case 1: t[r].g[0] = !r; break; default: goto out; }\n\
     for (int i = 0; i < 2; i++) { if (i) continue; do { r--; } while (r > 0); }\n\
     schedule_work(&k); flush_work(&k);\nout: wait_for_completion_timeout(&c, HZ);\n}\n\
     P2() { async_schedule(y, 0); int r = wait_event_interruptible(q, n && t[0].f == A);\n\
     if (!mutex_lock_killable(&m)) mutex_unlock(&m); down(&u); up(&u); assert(choose(r, 1) < 3 ? 1 : t[0].n == NULL); }\n\
     ~exists (n=2)\n",
    "C c\n{ x=0; y=-1; }\nP0(int *x, int *y) { while (READ_ONCE(*x) != 1) cpu_relax(); *y |= 1 << *x; (*y)++; }\n\
     P1(int *x) { WRITE_ONCE(*x, -(~0) ^ 0x3); }\nforall (true /\\ y>=0)\n",
];

/// Texts with pieces left out, doubled, exchanged, and other signs in between.
#[test]
fn no_text_makes_it_panic() {
    for text in TEXTS {
        Program::read("whole", text).unwrap_or_else(|error| panic!("{error}"));
    }
    let mut read = 0_u64;
    let pieces = [
        "{",
        "}",
        "(",
        ")",
        ";",
        "*",
        "&",
        "=",
        "0",
        "-1",
        "99999999999",
        "int ",
        "P0",
        "...",
        "->x",
        "[1]",
        "(*",
        "*)",
        "/*",
        "\"",
        "\u{e9}",
        "if (",
        "while (1) ",
        "goto out;",
        "x",
        "exists ",
        "return ",
        "struct s ",
        ",",
        "?",
        ":",
        "1:",
        "/\\",
        "void ",
        "mutex_lock(&m);",
        "choose(0, 1)",
        "enum e ",
        "<<",
        "% 0",
        "__range(",
        "0x7fffffff",
    ];
    for seed in long_sample(6_000, 30_000, 1_000_000).seeds() {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut text = TEXTS[rng.usize(..TEXTS.len())].to_owned();
        for _ in 0..=rng.usize(..4) {
            let at = text.floor_char_boundary(rng.usize(..=text.len()));
            let to = text.floor_char_boundary((at + rng.usize(..12)).min(text.len()));
            match rng.u8(..5) {
                0 => text.replace_range(at..to, ""),
                1 => text.insert_str(at, pieces[rng.usize(..pieces.len())]),
                2 => text.replace_range(at..to, pieces[rng.usize(..pieces.len())]),
                3 => {
                    let piece = text[at..to].to_owned();
                    let there = text.floor_char_boundary(rng.usize(..=text.len()));
                    text.insert_str(there, &piece);
                }
                _ => {
                    // Names and numbers for each other.
                    let names: Vec<(usize, &str)> =
                        text.match_indices(|c: char| c.is_ascii_alphanumeric()).collect();
                    if names.len() > 1 {
                        let (a, b) =
                            (names[rng.usize(..names.len())].0, names[rng.usize(..names.len())].0);
                        let piece = text[b..=b].to_owned();
                        text.replace_range(a..=a, &piece);
                    }
                }
            }
        }
        match Program::read("mutated", &text) {
            Ok(_) => read += 1,
            // An error is shown, wherever it is.
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    println!("{read} are programs");
    assert!(read > 100);
}
