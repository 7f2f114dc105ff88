//! Functions of the kernel as texts: what the model asks of them, as tables, so that whoever changes three lines of a
//! text has changed the model.
//!
//! A text is C, with the kernel's names (`text/kernel/module/main.c`). A step of the model is what is done under
//! module_mutex, and what it does depends on the state of one name there: so a function is a table, from the state that
//! it sees to what it comes to, for each place at which it looks. What has no place in the model (a third look, one
//! without the lock, another result after another state) is refused, with file, line and column.

mod code;
mod run;

use kmodcheck_lang::text::TextError;
use serde::{Deserialize, Serialize};

use self::code::{Code, Made, Wrong};
use self::run::{At, Done, Run, Stop};
use crate::event::Claim;
use crate::features::{KernelFeatures, ListedName};
use crate::scenario::Scenario;
use crate::state::ModuleState;

/// Where it stands in the kernel, and the text.
pub const MAIN: (&str, &str) =
    ("kernel/module/main.c", include_str!("../text/kernel/module/main.c"));

/// Whether a kernel has a commit; `None`: of that commit nothing is known.
type Since<'k> = dyn Fn(&str) -> Option<bool> + 'k;

/// The commits of which a text may ask, and whether a kernel has them.
#[allow(clippy::type_complexity, reason = "a table")]
const COMMITS: [(&str, fn(&KernelFeatures) -> bool); 3] = [
    ("6e6de3dee51a", |kernel| kernel.listed_name != ListedName::GoingExists),
    ("0254127ab977", |kernel| kernel.listed_name == ListedName::WaitsOnce),
    ("743f8cae549a", |kernel| kernel.eexist_safety_net),
];

/// A text with each since(COMMIT) as a kernel has it.
pub fn resolved(text: &str, kernel: &KernelFeatures) -> String {
    COMMITS.iter().fold(text.to_owned(), |text, (commit, has)| {
        text.replace(&format!("since(\"{commit}\")"), if has(kernel) { "true" } else { "false" })
    })
}

/// The states of a name that tables go by, in this order.
pub const STATES: [ModuleState; 5] = [
    ModuleState::Absent,
    ModuleState::Unformed,
    ModuleState::Coming,
    ModuleState::Live,
    ModuleState::Going,
];

/// What the kernel does about a name that is on the list of modules, by the state that it is in ([`STATES`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListedRules {
    /// What `add_unformed_module()` makes of it at first; and `early_mod_check()`, where there is one.
    pub claim: [Claim; 5],
    /// The same when it has waited; `None`: it begins again.
    pub again: Option<[Claim; 5]>,
    /// Whether the wait for it is over: `finished_loading()`.
    pub finished: [bool; 5],
}

/// All that a text decides, on one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decisions {
    /// What is done about a listed name.
    pub listed: ListedRules,
    /// Whether an init that returns `-EEXIST` is another error to modprobe, which takes `-EEXIST` for success: the switch
    /// `eexist-safety-net`.
    pub eexist_is_error: bool,
}

impl Decisions {
    /// What a release does.
    pub fn of_kernel(kernel: &KernelFeatures) -> Self {
        Self { listed: kernel.listed_name.rules(), eexist_is_error: kernel.eexist_safety_net }
    }

    /// What a text has, on a kernel. `file`: how it is called in errors.
    ///
    /// # Errors
    /// What cannot be read, what the kernel would crash of, and what has no place in the model.
    pub fn of(file: &str, text: &str, kernel: &KernelFeatures) -> Result<Self, Box<TextError>> {
        let functions = kmodcheck_lang::text::functions(file, text)?;
        let wrong = |wrong: Wrong| {
            let Wrong { span, found, expected } = wrong;
            let (file, text) = (file.to_owned(), text.to_owned());
            Box::new(TextError { file, text, span, found, expected, also: Vec::new() })
        };
        let since = |commit: &str| {
            COMMITS.iter().find(|(known, _)| *known == commit).map(|(_, has)| has(kernel))
        };
        let code = |name: &str| {
            let function = functions.iter().find(|function| function.name.text == name);
            let function = function.ok_or_else(|| {
                let at = kmodcheck_lang::text::syntax::Span { start: text.len(), end: text.len() };
                Wrong::new(at, format!("found no {name}()"), "expected it, which the model asks")
            })?;
            Code::of(function)
        };
        let decisions = || {
            let (adds, finished) = (code("add_unformed_module")?, code("finished_loading")?);
            let init = code("do_init_module")?;
            let finished = finished_loading(&Run { code: &finished, since: &since })?;
            let (claim, again) = add_unformed_module(&Run { code: &adds, since: &since })?;
            let eexist_is_error = do_init_module(&Run { code: &init, since: &since })?;
            Ok(Self { listed: ListedRules { claim, again, finished }, eexist_is_error })
        };
        decisions().map_err(wrong)
    }

    /// Makes a scenario of a kernel that decides so of one whose kernel does not.
    pub fn apply(&self, scenario: &mut Scenario) {
        let kernel = &mut scenario.features.kernel;
        kernel.eexist_safety_net = self.eexist_is_error;
        let own = self.listed == kernel.listed_name.rules();
        scenario.listed = (!own).then(|| self.listed.clone());
    }
}

/// Its place in a table.
fn place(state: ModuleState) -> usize {
    match state {
        ModuleState::Absent => 0,
        ModuleState::Unformed | ModuleState::UnformedAgain => 1,
        ModuleState::Coming => 2,
        ModuleState::Live => 3,
        ModuleState::Going => 4,
    }
}

impl ListedRules {
    /// What a load makes of a name in that state; `waited`: when it has waited for it.
    pub fn claim(&self, state: ModuleState, waited: bool) -> Claim {
        let table = if waited { self.again.as_ref().unwrap_or(&self.claim) } else { &self.claim };
        table[place(state)]
    }

    /// Whether the wait for a name in that state is over.
    pub fn finished(&self, state: ModuleState) -> bool {
        self.finished[place(state)]
    }
}

/// What it says of each state.
fn finished_loading(run: &Run<'_>) -> Made<[bool; 5]> {
    let first = run.begins()?;
    let mut finished = [false; 5];
    for (state, finished) in STATES.into_iter().zip(&mut finished) {
        let end = match &first {
            Stop::Looks(at) => run.looks(at, state)?,
            Stop::Returns { value, .. } => Stop::Returns { value: *value, listed: false },
            Stop::Waits(at, _) => return Err(waits(run, at)),
        };
        *finished = match end {
            Stop::Returns { value, listed: false } => value != 0,
            Stop::Returns { .. } => {
                return Err(Wrong::new(
                    run.code.ops[0].1,
                    "found a test that lists a module",
                    "expected a look",
                ));
            }
            Stop::Looks(at) | Stop::Waits(at, _) => return Err(waits(run, &at)),
        };
    }
    Ok(finished)
}

fn waits(run: &Run<'_>, at: &At) -> Wrong {
    Wrong::new(
        run.span(at),
        format!("found a wait in {}()", run.code.name),
        "expected one look, and what it says",
    )
}

/// Its table, and the one after a wait, if that is another place.
fn add_unformed_module(run: &Run<'_>) -> Made<([Claim; 5], Option<[Claim; 5]>)> {
    let begin = |at: &At| run.span(at);
    let first = match run.begins()? {
        Stop::Looks(at) => at,
        Stop::Waits(at, _) => {
            return Err(Wrong::new(
                begin(&at),
                "found a wait before any look",
                "expected a look first",
            ));
        }
        Stop::Returns { .. } => {
            let found = "found a function that never looks at the list";
            return Err(Wrong::new(run.code.ops[0].1, found, "expected a look"));
        }
    };
    let (claim, next) = table(run, &first)?;
    let again = match next {
        None => None,
        Some(Next::Looks(at)) if at == first => None,
        Some(Next::Looks(at)) => {
            let (again, next) = table(run, &at)?;
            match next {
                Some(Next::Looks(third)) if third != at => {
                    return Err(Wrong::new(
                        begin(&third),
                        "found a third place at which it looks at the list",
                        "expected two at most: one at first and one after waiting",
                    ));
                }
                Some(Next::Returns(_)) => {
                    return Err(Wrong::new(
                        begin(&at),
                        "found another end after a second wait",
                        "expected the same look",
                    ));
                }
                _ => {}
            }
            Some(again)
        }
        Some(Next::Returns(claim)) => Some([claim; 5]),
    };
    Ok((claim, again))
}

/// Where it goes on after a wait that nothing has interrupted.
#[derive(PartialEq)]
enum Next {
    Looks(At),
    Returns(Claim),
}

/// What it makes of each state, and where it goes on when it has waited.
fn table(run: &Run<'_>, at: &At) -> Made<([Claim; 5], Option<Next>)> {
    let (mut table, mut next) = ([Claim::Busy; 5], None);
    for (state, claim) in STATES.into_iter().zip(&mut table) {
        *claim = match run.looks(at, state)? {
            Stop::Returns { value, listed } => returned(run, at, value, listed)?,
            Stop::Looks(other) => {
                return Err(Wrong::new(
                    run.span(&other),
                    "found a look without a wait before",
                    "expected a wait",
                ));
            }
            Stop::Waits(slept, to) => {
                let woken = match run.goes_on(&slept, to, 0)? {
                    Stop::Looks(at) => Next::Looks(at),
                    Stop::Returns { value, listed } => {
                        Next::Returns(returned(run, &slept, value, listed)?)
                    }
                    Stop::Waits(..) => {
                        return Err(Wrong::new(
                            run.span(&slept),
                            "found a wait after a wait",
                            "expected a look",
                        ));
                    }
                };
                if next.as_ref().is_some_and(|next| *next != woken) {
                    return Err(Wrong::new(
                        run.span(&slept),
                        format!("found that it goes on otherwise when it has seen {state}"),
                        "expected the same after each wait: the model does not remember what was seen before",
                    ));
                }
                next = Some(woken);
                // -ERESTARTSYS: a signal has ended the wait.
                match run.goes_on(&slept, to, -512)? {
                    Stop::Returns { value, listed: false } if value < 0 && value != -17 => {}
                    _ => {
                        return Err(Wrong::new(
                            run.span(&slept),
                            "found no error where a signal has ended the wait",
                            "expected a return of that error, before anything else",
                        ));
                    }
                }
                Claim::Wait
            }
        };
    }
    Ok((table, next))
}

fn returned(run: &Run<'_>, at: &At, value: i64, listed: bool) -> Made<Claim> {
    match (listed, value) {
        (true, 0) => Ok(Claim::Free),
        (false, -17) => Ok(Claim::Exists),
        (false, ..0) => Ok(Claim::Busy),
        _ => Err(Wrong::new(
            run.span(at),
            format!(
                "found that it returns {value} from here, the module {}listed",
                if listed { "" } else { "not " }
            ),
            "expected 0 with the module listed, or an error without",
        )),
    }
}

/// Whether `-EEXIST` of an init is another error in the end; all else has to be what the model does.
fn do_init_module(run: &Run<'_>) -> Made<bool> {
    let live = [Done::Init, Done::State(ModuleState::Live), Done::Woken];
    let freed = [Done::Init, Done::State(ModuleState::Going), Done::Freed, Done::Woken];
    let mut eexist_is_error = false;
    // 0, -EEXIST, and any other error.
    for returned in [0, -17, -19] {
        let (done, value) = run.init(returned)?;
        let as_known = match returned {
            0 => done == live && value == 0,
            _ => done == freed && value < 0 && (value == -17) <= (returned == -17),
        };
        if !as_known {
            let at = run.code.ops[0].1;
            return Err(Wrong::new(
                at,
                format!(
                    "found that of an init that returns {returned} comes {value}, by {}",
                    done.into_iter().map(Done::in_words).collect::<Vec<_>>().join(", ")
                ),
                "expected LIVE, a wake-up and 0 of one that succeeds; GOING, free_module(), a wake-up and an error \
                 of one that fails: the model has no place for another order, or another end",
            ));
        }
        eexist_is_error |= returned == -17 && value != -17;
    }
    Ok(eexist_is_error)
}

impl ListedName {
    /// The same as a table, written here once more: a test holds the text against it.
    pub fn rules(self) -> ListedRules {
        use Claim::{Busy, Exists, Free, Wait};
        let going = match self {
            Self::GoingExists => Exists,
            Self::WaitsForGoing => Wait,
            Self::WaitsOnce => Busy,
        };
        ListedRules {
            claim: [Free, Wait, Wait, Exists, going],
            again: (self == Self::WaitsOnce).then_some([Busy, Busy, Busy, Exists, Busy]),
            finished: [true, false, false, true, self != Self::WaitsForGoing],
        }
    }
}
