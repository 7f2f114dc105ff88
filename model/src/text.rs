//! Functions of the kernel and of kmod as texts: what the model asks of them, as tables, so that whoever changes three lines
//! of a text has changed the model.
//!
//! A text is C, with the kernel's names (`text/kernel/module/main.c`). What a function does is worked out, for each answer
//! that the world may give it; of that the model takes what it has a place for: a table ([`ListedRules`], [`CheckRules`],
//! [`LookRules`]) by which the steps go, or which of the known behaviours, each a switch, it is. Anything else is refused,
//! with file, line and column.

mod code;
mod graph;
mod known;
mod listed;
mod look;
mod orders;
mod request;
mod rules;
mod run;
mod value;

use kmodcheck_lang::text::TextError;
use kmodcheck_lang::text::syntax::{Expr, ExprKind, Span};
use schemars::JsonSchema;
use serde::Serialize;

use self::code::{Code, Made, Wrong};
use self::graph::File;
use self::run::Run;
use crate::features::{
    BareDirectory, BuiltinIndex, FailedLookup, Features, KernelFeatures, KmodFeatures, ListedName,
    RequestLimit, SanityCheck,
};
use crate::scenario::Scenario;

pub use kmodcheck_lang::{Mutation, Operator};

pub use self::graph::{Graph, Next, Node, OBJECT};
pub use self::rules::{
    CHECK_ERRORS, CheckRules, ListedRules, LookRules, Looked, OfCaller, OrderRules, Part, Patched,
    STATES, Then,
};

/// Whether a kernel has the commit that an expression names.
type Since<'k> = dyn Fn(&Expr) -> Made<i64> + 'k;

/// The texts: where each stands in the kernel or in kmod, and what it is.
pub const TEXTS: [(&str, &str); 5] = [
    ("kernel/module/main.c", include_str!("../text/kernel/module/main.c")),
    ("kernel/module/kmod.c", include_str!("../text/kernel/module/kmod.c")),
    ("fs/filesystems.c", include_str!("../text/fs/filesystems.c")),
    ("libkmod/libkmod-module.c", include_str!("../text/libkmod/libkmod-module.c")),
    ("tools/modprobe.c", include_str!("../text/tools/modprobe.c")),
];

const MAIN: usize = 0;
const KMOD: usize = 1;
const FILESYSTEMS: usize = 2;
const LIBKMOD: usize = 3;
const MODPROBE: usize = 4;

/// The function that requests a module.
const REQUEST: &str = "__request_module";

/// What a text's check may be by its name.
const READINGS: [SanityCheck; 6] = [
    SanityCheck::None,
    SanityCheck::AuthorTree,
    SanityCheck::AuthorMail,
    SanityCheck::Verify,
    SanityCheck::WaitAndVerify,
    SanityCheck::ExactBuiltin,
];

/// Whether a system has a commit; `None`: it has a part of it.
type Has = fn(&Features) -> Option<bool>;

/// The commits of which a text may ask; and what no commit does yet, by the name of its switch.
const COMMITS: [(&str, Has); 29] = [
    ("6e6de3dee51a", |f| Some(f.kernel.listed_name != ListedName::GoingExists)),
    ("0254127ab977", |f| Some(f.kernel.listed_name == ListedName::WaitsOnce)),
    ("743f8cae549a", |f| Some(f.kernel.eexist_safety_net)),
    ("885a78d4a5b3", |f| Some(f.kernel.failure_sets_going)),
    ("5d603311615f", |f| Some(f.kernel.delete_module_wakes)),
    ("bc6f2a757d52", |f| Some(f.kernel.undo_removes_attributes)),
    ("59cc8e0a906e", |f| Some(f.kernel.notifier_can_fail)),
    ("5e8ed280dab9", |f| Some(f.kernel.notifier_failure_sets_going)),
    ("67d6212afda2", |f| Some(f.kernel.waits_for_all_async)),
    ("d1909c022173", |f| Some(f.kernel.fails_after_live)),
    ("ce47f7cbbcad", |f| Some(f.kernel.sections_can_fail)),
    ("044d2aee6c57", |f| Some(f.kernel.codetag_can_fail)),
    ("codetag-error-counts", |f| Some(f.kernel.codetag_error_counts)),
    ("load-eexist-is-busy", |f| Some(f.kernel.load_eexist_is_busy)),
    ("joiners-try-again", |f| Some(f.kernel.joiners_try_again)),
    ("nowait-announces-nothing", |f| Some(f.kernel.nowait_announces_nothing)),
    ("38dc717e9715", |f| Some(f.kernel.uevent_after_init)),
    ("064f4536d139", |f| Some(f.kernel.early_mod_check)),
    ("9828ed3f695a", |f| Some(f.kernel.exclusive_finit)),
    ("9b9879fc0327", |f| Some(f.kernel.idempotent_finit)),
    ("2124d84db293", |f| Some(f.kernel.join_interruptible)),
    ("d7d27cfc5cf0", |f| Some(f.kernel.empty_path_fails)),
    ("41124db869b7", |f| Some(f.kernel.sanity_check == SanityCheck::WarnOnly)),
    ("6d7964a722af", |f| Some(f.kernel.request_limit != RequestLimit::FailsAtOnce)),
    ("25a1b5b518f4", |f| Some(f.kernel.request_limit == RequestLimit::Semaphore)),
    ("8660484ed1cf", |f| Some(f.kernel.duplicate_requests)),
    ("fd44a98ae2eb", |f| match (f.kmod.bare_directory, f.kmod.builtin_index) {
        (BareDirectory::Builtin, BuiltinIndex::LastLookup) => Some(false),
        (BareDirectory::Coming, BuiltinIndex::BeforeSysfs) => Some(true),
        _ => None,
    }),
    ("e2719b32cc5c", |f| Some(f.kmod.failed_lookup == FailedLookup::Fails)),
    ("7cd664fbaead", |f| Some(!f.kmod.coming_is_loaded)),
];

/// Texts with each since(COMMIT) as a system has it.
pub fn resolved(text: &str, features: &Features) -> String {
    COMMITS.iter().fold(text.to_owned(), |text, (commit, has)| match has(features) {
        Some(has) => {
            text.replace(&format!("since(\"{commit}\")"), if has { "true" } else { "false" })
        }
        None => text,
    })
}

fn since(features: &Features, commit: &Expr) -> Made<i64> {
    let ExprKind::Text(name) = &commit.kind else {
        return Err(Wrong::new(commit.span, "found no commit", "expected since(\"COMMIT\")"));
    };
    let Some((_, has)) = COMMITS.iter().find(|(known, _)| known == name) else {
        let known = COMMITS.map(|(commit, _)| commit).join(", ");
        return Err(Wrong::new(
            commit.span,
            format!("found commit '{name}'"),
            format!("expected one of {known}"),
        ));
    };
    has(features).map(i64::from).ok_or_else(|| {
        let found = format!("found a system with a part of commit {name}");
        Wrong::new(commit.span, found, "expected one with all of it, or without")
    })
}

/// All that texts decide, of one system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Decisions {
    /// The switches that they come to; those of which no text speaks are the system's own.
    pub features: Features,
    /// What is done about a listed name.
    pub listed: ListedRules,
    /// What `__request_module()` does about the list of modules.
    pub check: CheckRules,
    /// How modprobe looks.
    pub look: LookRules,
    /// In which order modules are loaded and freed.
    pub orders: OrderRules,
}

impl Decisions {
    /// What a system does that nobody has patched.
    pub fn of_features(features: &Features) -> Self {
        Self {
            features: *features,
            listed: features.kernel.listed_name.rules(),
            check: features.kernel.sanity_check.rules(),
            look: features.kmod.look_rules(),
            orders: features.kernel.order_rules(),
        }
    }

    /// What texts have, of a system. They are in the order of [`TEXTS`]; one that nobody has changed is what the system
    /// does.
    ///
    /// # Errors
    /// What cannot be read, what the kernel would crash of, and what has no place in the model.
    pub fn of(texts: &[String; TEXTS.len()], features: &Features) -> Result<Self, Box<TextError>> {
        let changed = |file: usize| texts[file] != TEXTS[file].1;
        Self::worked_out(texts, features, &changed)
    }

    /// The same, and what nobody has changed is worked out, too.
    ///
    /// # Errors
    /// See [`Decisions::of`].
    pub fn of_all(
        texts: &[String; TEXTS.len()],
        features: &Features,
    ) -> Result<Self, Box<TextError>> {
        Self::worked_out(texts, features, &|_| true)
    }

    fn worked_out(
        texts: &[String; TEXTS.len()],
        own: &Features,
        wanted: &dyn Fn(usize) -> bool,
    ) -> Result<Self, Box<TextError>> {
        let since = |commit: &Expr| since(own, commit);
        let parsed = Parsed::of(texts, &since, wanted)?;
        let Self { mut features, mut listed, mut check, mut look, mut orders } =
            Self::of_features(own);
        if wanted(MAIN) {
            let code = |name: &str| parsed.code(MAIN, name);
            let found = parsed.told(MAIN, || {
                let (adds, finished) = (code("add_unformed_module")?, code("finished_loading")?);
                let finished = listed::finished_loading(&Run { code: &finished, since: &since })?;
                let (claim, again) =
                    listed::add_unformed_module(&Run { code: &adds, since: &since })?;
                Ok(ListedRules { claim, again, finished })
            })?;
            let (kernel, order, like) = parsed.told(MAIN, || {
                let file = parsed.plain(MAIN, orders::WORDS)?;
                let known = |kernel: &KernelFeatures, name: &str| {
                    let features = Features { kernel: *kernel, ..*own };
                    let arguments = &[None, None][..if name == "load_module" { 2 } else { 1 }];
                    known::graph(MAIN, orders::WORDS, &features, name, arguments)
                };
                let (kernel, order) = orders::orders(&own.kernel, &file, &known)?;
                let all = finit_modules(own);
                let function = ("idempotent_init_module", &[None][..]);
                let like = known::like(MAIN, orders::WORDS, &file, function, own, &all)?;
                Ok((kernel, order, like.kernel))
            })?;
            orders = order;
            features.kernel.early_mod_check = kernel.early_mod_check;
            features.kernel.failure_sets_going = kernel.failure_sets_going;
            features.kernel.notifier_can_fail = kernel.notifier_can_fail;
            features.kernel.notifier_failure_sets_going = kernel.notifier_failure_sets_going;
            features.kernel.undo_removes_attributes = kernel.undo_removes_attributes;
            features.kernel.sections_can_fail = kernel.sections_can_fail;
            features.kernel.waits_for_all_async = kernel.waits_for_all_async;
            features.kernel.fails_after_live = kernel.fails_after_live;
            features.kernel.codetag_can_fail = kernel.codetag_can_fail;
            features.kernel.codetag_error_counts = kernel.codetag_error_counts;
            features.kernel.load_eexist_is_busy = kernel.load_eexist_is_busy;
            features.kernel.eexist_safety_net = kernel.eexist_safety_net;
            features.kernel.delete_module_wakes = kernel.delete_module_wakes;
            features.kernel.uevent_after_init = kernel.uevent_after_init;
            features.kernel.idempotent_finit = like.idempotent_finit;
            features.kernel.exclusive_finit = like.exclusive_finit;
            features.kernel.join_interruptible = like.join_interruptible;
            features.kernel.joiners_try_again = like.joiners_try_again;
            // What is a release's is that switch.
            if found != listed {
                let names =
                    [ListedName::GoingExists, ListedName::WaitsForGoing, ListedName::WaitsOnce];
                let is = names.into_iter().find(|name| name.rules() == found);
                features.kernel.listed_name = is.unwrap_or(features.kernel.listed_name);
            }
            listed = found;
        }
        if wanted(KMOD) {
            let request = parsed.told(KMOD, || {
                if check.checks() || check.before || own.kernel.already_live {
                    return Err(Wrong::new(
                        parsed.code(KMOD, REQUEST)?.span,
                        "found a text of __request_module(), and a kernel with a check that is in no text",
                        "expected one without: the readings of the RFC are patches of v4.9, too",
                    ));
                }
                let file = parsed.plain(KMOD, request::WORDS)?;
                let arguments = |waits: bool| [Some(i64::from(waits)), None];
                let graph = |waits| file.graph(REQUEST, &arguments(waits));
                let known = |kernel: &KernelFeatures, waits| {
                    let features = Features { kernel: *kernel, ..*own };
                    known::graph(KMOD, request::WORDS, &features, REQUEST, &arguments(waits))
                };
                request::request(&own.kernel, &graph, &known)
            })?;
            let kernel = &mut features.kernel;
            kernel.empty_path_fails = request.kernel.empty_path_fails;
            kernel.request_limit = request.kernel.request_limit;
            kernel.duplicate_requests = request.kernel.duplicate_requests;
            kernel.nowait_announces_nothing = request.kernel.nowait_announces_nothing;
            kernel.already_live = request.kernel.already_live;
            kernel.alias_map = request.kernel.alias_map;
            // A reading of the RFC that is a switch is that switch; beside the warning of get_fs_type() it is none.
            if request.check != check && kernel.sanity_check == SanityCheck::None {
                let is = |reading: &SanityCheck| reading.rules() == request.check;
                kernel.sanity_check = READINGS.into_iter().find(is).unwrap_or(SanityCheck::None);
            }
            check = request.check;
        }
        if wanted(FILESYSTEMS) {
            let warning = |sanity_check| Features {
                kernel: KernelFeatures { sanity_check, ..own.kernel },
                ..*own
            };
            let all = [SanityCheck::None, SanityCheck::WarnOnly].map(warning);
            let like = parsed.told(FILESYSTEMS, || {
                let file = parsed.plain(FILESYSTEMS, look::FILESYSTEMS)?;
                let function = ("get_fs_type", &[None][..]);
                known::like(FILESYSTEMS, look::FILESYSTEMS, &file, function, own, &all)
            })?;
            // The warning is a switch beside which a check is a table of its own.
            let (warns, check) = (like.kernel.sanity_check, &mut features.kernel.sanity_check);
            if warns == SanityCheck::WarnOnly || *check == SanityCheck::WarnOnly {
                *check = warns;
            }
        }
        if wanted(LIBKMOD) {
            let file = || parsed.plain(LIBKMOD, look::LIBKMOD);
            (features.kmod, look) = parsed.told(LIBKMOD, || look::look(&own.kmod, &file()?))?;
        }
        if wanted(MODPROBE) {
            let all = [FailedLookup::LooksInSysfs, FailedLookup::Fails].map(|failed_lookup| {
                Features { kmod: KmodFeatures { failed_lookup, ..own.kmod }, ..*own }
            });
            let like = parsed.told(MODPROBE, || {
                let file = parsed.plain(MODPROBE, look::MODPROBE)?;
                let function = ("insmod", &[None, None][..]);
                known::like(MODPROBE, look::MODPROBE, &file, function, own, &all)
            })?;
            features.kmod.failed_lookup = like.kmod.failed_lookup;
        }
        Ok(Self { features, listed, check, look, orders })
    }

    /// Makes a scenario of a system that decides so of one that does not.
    pub fn apply(&self, scenario: &mut Scenario) {
        let features = &self.features;
        scenario.features = *features;
        let own = Self::of_features(features);
        scenario.patched = Patched {
            listed: (self.listed != own.listed).then(|| self.listed.clone()),
            check: (self.check != own.check).then_some(self.check),
            look: (self.look != own.look).then_some(self.look),
            orders: (self.orders != own.orders).then(|| self.orders.clone()),
            binaries: std::mem::take(&mut scenario.patched.binaries),
        };
    }
}

/// A function of the texts as they are shipped, of a system, as a graph of what it does and asks. `arguments`: `None` is one
/// of which only is known that it is there.
///
/// # Panics
/// If there is no such text, or no such function in it.
pub fn graph(path: &str, function: &str, arguments: &[Option<i64>], features: &Features) -> Graph {
    let words = [orders::WORDS, request::WORDS, look::FILESYSTEMS, look::LIBKMOD, look::MODPROBE];
    let file = TEXTS.iter().position(|(known, _)| *known == path).expect("there is such a text");
    known::graph(file, words[file], features, function, arguments)
        .unwrap_or_else(|wrong| panic!("{path}: {function}(): {}, {}", wrong.found, wrong.expected))
}

/// Every fault that a machine puts into a text, by its place among [`TEXTS`].
///
/// # Panics
/// Never: the texts that are shipped can be read.
pub fn mutations(number: usize) -> Vec<Mutation> {
    let (path, text) = TEXTS[number];
    let functions = kmodcheck_lang::text::functions(path, text).unwrap_or_else(|e| panic!("{e}"));
    kmodcheck_lang::mutations(text, &functions)
}

/// A system with each way to take several `finit_module()` of one file.
fn finit_modules(own: &Features) -> Vec<Features> {
    let ways = [
        (false, false, false, false),
        (false, true, false, false),
        (true, false, false, false),
        (true, false, true, false),
        (true, false, false, true),
        (true, false, true, true),
    ];
    let of = |(idempotent_finit, exclusive_finit, join_interruptible, again)| Features {
        kernel: KernelFeatures {
            idempotent_finit,
            exclusive_finit,
            join_interruptible,
            joiners_try_again: again,
            ..own.kernel
        },
        ..*own
    };
    ways.into_iter().map(of).collect()
}

/// Texts that can be read.
struct Parsed<'t> {
    texts: &'t [String; TEXTS.len()],
    functions: Vec<Vec<kmodcheck_lang::text::syntax::Function>>,
    since: &'t Since<'t>,
}

impl<'t> Parsed<'t> {
    /// Those that are wanted.
    fn of(
        texts: &'t [String; TEXTS.len()],
        since: &'t Since<'t>,
        wanted: &dyn Fn(usize) -> bool,
    ) -> Result<Self, Box<TextError>> {
        let read = |file: usize| match wanted(file) {
            true => kmodcheck_lang::text::functions(TEXTS[file].0, &texts[file]),
            false => Ok(Vec::new()),
        };
        let functions = (0..TEXTS.len()).map(read).collect::<Result<_, _>>()?;
        Ok(Self { texts, functions, since })
    }

    /// What comes of one text, or where in it an error is.
    fn told<T>(&self, file: usize, made: impl FnOnce() -> Made<T>) -> Result<T, Box<TextError>> {
        made().map_err(|Wrong { span, found, expected }| {
            let (file, text) = (TEXTS[file].0.to_owned(), self.texts[file].clone());
            Box::new(TextError { file, text, span, found, expected, also: Vec::new() })
        })
    }

    /// One function, by its operations.
    fn code(&self, file: usize, name: &str) -> Made<Code> {
        let function = self.functions[file].iter().find(|function| function.name.text == name);
        let function = function.ok_or_else(|| {
            let end = self.texts[file].len();
            let at = Span { start: end, end };
            Wrong::new(at, format!("found no {name}()"), "expected it, which the model asks")
        })?;
        Code::of(function, false)
    }

    /// All functions of a file, by the calls of which their graphs consist.
    fn plain(&self, file: usize, words: &'t [graph::Word]) -> Made<File<'t>> {
        let functions = self.functions[file].iter().map(|function| Code::of(function, true));
        Ok(File::of(words, functions.collect::<Made<_>>()?, self.since))
    }
}
