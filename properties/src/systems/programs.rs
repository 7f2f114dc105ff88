//! Drawn scenarios with programs: each actor of a drawn file as a program that does what it did, and something with
//! locks, flags and waits before, around and after it.

use std::fmt::Write;

use super::generate::{Generated, Space};
use kmodcheck_sim::scenario_file;

/// What the drawn programs share.
const SHARED: &str = "shared = '''
DEFINE_MUTEX(a);
DEFINE_MUTEX(b);
DECLARE_WAIT_QUEUE_HEAD(q);
int x;
bool f;
'''
";

/// What they do besides what the actor does. `MODULE` stands for a module.
const STATEMENTS: [&str; 11] = [
    "mutex_lock(&a);\n    x = choose(0, 1);\n    mutex_unlock(&a);",
    "mutex_lock(&a);\n    mutex_lock(&b);\n    mutex_unlock(&b);\n    mutex_unlock(&a);",
    "mutex_lock(&b);\n    mutex_lock(&a);\n    mutex_unlock(&a);\n    mutex_unlock(&b);",
    "WRITE_ONCE(f, true);\n    wake_up_all(&q);",
    "wait_event(q, READ_ONCE(f));",
    "wait_event_timeout(q, READ_ONCE(f), HZ);",
    "if (READ_ONCE(x))\n            WRITE_ONCE(f, false);",
    "if (try_module_get(\"MODULE\"))\n            module_put(\"MODULE\");",
    "if (enter(\"MODULE\"))\n            leave(\"MODULE\");",
    "x = module_is_live(\"MODULE\");",
    "",
];

/// Numbers from a seed: S. Vigna's splitmix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        usize::try_from((z ^ z >> 31) % most).unwrap_or(0)
    }
}

/// The value of a key of a table, without its quotes.
fn value<'t>(table: &'t str, key: &str) -> Option<&'t str> {
    let line = table.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
    Some(line.trim_matches('"'))
}

/// A drawn file whose actors are programs, as text: the same for the same seed.
///
/// # Panics
/// If there is nothing to be drawn from.
pub fn draw_text(space: &Space, seed: u64) -> String {
    let plain = space.draw_text(seed);
    let mut numbers = Numbers(seed);
    let modules = plain.split("[[").filter_map(|table| table.strip_prefix("module]]"));
    let loadable = modules.filter(|table| value(table, "built-in") != Some("true"));
    let modules: Vec<&str> = loadable.filter_map(|table| value(table, "name")).collect();
    let mut tables = plain.split("[[actor]]");
    let before = tables.next().unwrap_or_default();
    // Keys of the file stand before its tables.
    let (keys, rest) = before.split_at(before.find("\n[").map_or(before.len(), |at| at + 1));
    let mut text = format!("{keys}{SHARED}{rest}");
    for table in tables {
        let (Some(call), Some(name)) = (value(table, "call"), value(table, "name")) else {
            continue;
        };
        let function = match call {
            "modprobe -r" => "modprobe_remove",
            "udev" => "wait_for_uevent",
            call => call,
        };
        let mut statement = || {
            let statement = STATEMENTS[numbers.below(STATEMENTS.len())];
            statement.replace("MODULE", modules[numbers.below(modules.len())])
        };
        let (first, last) = (statement(), statement());
        let (lock, unlock) = match numbers.below(3) {
            0 => ("mutex_lock(&a);", "mutex_unlock(&a);"),
            _ => ("", ""),
        };
        write!(
            text,
            "[[actor]]\nprogram = '''\n    int err;\n    {first}\n    {lock}\n    err = {function}(\"{name}\");\n    \
             {unlock}\n    {last}\n    return err;\n'''\n"
        )
        .expect("a string takes everything");
        for key in ["count", "killable"] {
            if let Some(value) = value(table, key) {
                writeln!(text, "{key} = {value}").expect("a string takes everything");
            }
        }
    }
    text
}

/// The same, read.
///
/// # Panics
/// If what is drawn is no scenario: a fault of what draws it.
pub fn draw(space: &Space, seed: u64) -> Generated {
    let text = draw_text(space, seed);
    let loaded = scenario_file::load("a generated file", &text, &[])
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    Generated { text, scenario: loaded.scenario }
}
