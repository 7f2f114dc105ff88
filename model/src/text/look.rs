//! How modprobe finds out whether a module is in the kernel, and what becomes of a name that no index knows, as texts.

use kmodcheck_lang::text::syntax::Span;

use super::code::{Made, Wrong};
use super::graph::{File, Graph, Next, OBJECT, Word};
use super::rules::{LookRules, Looked};
use crate::features::{BareDirectory, BuiltinIndex, KmodFeatures};

const INDEX: &str = "kmod_module_is_builtin(_)";
const FOUND_IN_INDEX: &str = "mod->builtin";
const OPEN: &str = "open_initstate(_)";
const STAT: &str = "stat_directory(_)";
const READ: &str = "read_initstate(_)";

/// An error that is not told from others.
const OTHER: i64 = -1;
const ENOENT: i64 = -2;
/// What a read of an attribute that is gone gives.
const ENODEV: i64 = -19;

/// What `kmod_module_get_initstate()` may ask.
pub(super) const LIBKMOD: &[Word] = &[
    Word { pattern: INDEX, answers: &[0, 1] },
    Word { pattern: FOUND_IN_INDEX, answers: &[0, 1] },
    Word { pattern: OPEN, answers: &[3, ENOENT] },
    Word { pattern: STAT, answers: &[0, ENOENT] },
    Word { pattern: READ, answers: &[1, 2, 3, ENODEV] },
];

/// What `get_fs_type()` may do and ask.
pub(super) const FILESYSTEMS: &[Word] = &[
    Word { pattern: "__get_fs_type(_)", answers: &[0, OBJECT + 100] },
    Word { pattern: "request_module(\"fs-%.*s\", _)", answers: &[0, 256, OTHER] },
    Word {
        pattern: "WARN_ONCE(1, \"request_module fs-%.*s succeeded, but still no fs?\")",
        answers: &[0],
    },
];

/// What `insmod()` of modprobe may ask.
pub(super) const MODPROBE: &[Word] = &[
    Word { pattern: "kmod_module_new_from_lookup(_, _)", answers: &[1, 0] },
    Word { pattern: "kmod_module_get_initstate(_)", answers: &[0, 2, ENOENT] },
    Word { pattern: "kmod_module_probe_insert_module(_, _)", answers: &[0, ENOENT] },
];

/// What the state is that a number stands for.
fn looked(value: i64) -> Looked {
    match value {
        0 => Looked::Builtin,
        1 => Looked::Live,
        2 => Looked::Coming,
        ..0 => Looked::Nothing,
        _ => Looked::Going,
    }
}

fn wrong(graph: &Graph, at: Next, expected: impl Into<String>) -> Wrong {
    let found = graph.in_words(at);
    let span = graph.node(at).or(graph.node(graph.first)).map_or(Span::default(), |node| node.span);
    Wrong::new(span, format!("found {found}"), expected)
}

/// What a text makes of a kmod.
pub(super) fn look(kmod: &KmodFeatures, file: &File<'_>) -> Made<(KmodFeatures, LookRules)> {
    let graph = file.graph("kmod_module_get_initstate", &[None])?;
    let asks = |next: Next, pattern: &str| {
        graph.node(next).filter(|node| node.pattern == pattern).ok_or_else(|| {
            wrong(&graph, next, format!("expected {pattern}: initstate is opened; if there is none, the directory is looked at; else it is read"))
        })
    };
    let ends = |next: Next| match next {
        Next::Returns(value) => Ok(looked(value)),
        Next::Node(_) => {
            Err(wrong(&graph, next, "expected a return: another step has no place in the model"))
        }
    };
    let index =
        graph.node(graph.first).filter(|node| [INDEX, FOUND_IN_INDEX].contains(&node.pattern));
    let Some(index) = index else {
        return Err(wrong(
            &graph,
            graph.first,
            format!("expected a look whether it is built in first: {INDEX}, or {FOUND_IN_INDEX}"),
        ));
    };
    if ends(index.next[1].1)? != Looked::Builtin {
        return Err(wrong(
            &graph,
            index.next[1].1,
            "expected KMOD_MODULE_BUILTIN of what is built in",
        ));
    }
    let open = asks(index.next[0].1, OPEN)?;
    let stat = asks(open.next[1].1, STAT)?;
    let bare = ends(stat.next[0].1)?;
    if ends(stat.next[1].1)? != Looked::Nothing {
        return Err(wrong(&graph, stat.next[1].1, "expected an error where there is no directory"));
    }
    let read = asks(open.next[0].1, READ)?;
    for (answer, next) in &read.next {
        if ends(*next)? != looked(*answer) {
            return Err(wrong(&graph, *next, format!("expected {answer}, as the file says")));
        }
    }
    // What counts as in the kernel: every path of the test ends as what was looked at says, and in no other way.
    let test = file.graph("module_is_inkernel", &[None])?;
    let mut in_kernel = [None; 5];
    let mut left = vec![(test.first, graph.first)];
    while let Some((of_test, of_look)) = left.pop() {
        match (test.node(of_test), graph.node(of_look), of_test) {
            (Some(a), Some(b), _) if a.pattern == b.pattern => {
                left.extend(a.next.iter().zip(&b.next).map(|(a, b)| (a.1, b.1)));
            }
            (None, None, Next::Returns(value)) => {
                let slot = &mut in_kernel[ends(of_look)? as usize];
                if *slot.get_or_insert(value != 0) != (value != 0) {
                    return Err(wrong(
                        &test,
                        of_test,
                        "expected that the same state is always taken for the same",
                    ));
                }
            }
            _ => {
                return Err(wrong(
                    &test,
                    of_test,
                    "expected one call of kmod_module_get_initstate(), and what follows of what it returns",
                ));
            }
        }
    }
    let bare_directory = match bare {
        Looked::Builtin => BareDirectory::Builtin,
        _ => BareDirectory::Coming,
    };
    let builtin_index = match index.pattern {
        INDEX => BuiltinIndex::BeforeSysfs,
        _ => BuiltinIndex::LastLookup,
    };
    let rules = LookRules { bare, in_kernel: in_kernel.map(|of| of.unwrap_or(false)) };
    let coming_is_loaded = rules.in_kernel(Looked::Coming);
    if !rules.in_kernel(Looked::Builtin) || rules.in_kernel(Looked::Nothing) {
        return Err(wrong(
            &test,
            test.first,
            "expected that what is built in is in the kernel, and what is not there is not",
        ));
    }
    Ok((KmodFeatures { bare_directory, builtin_index, coming_is_loaded, ..*kmod }, rules))
}
