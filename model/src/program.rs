//! Programs of a scenario: what they can call, and what those calls come to as numbers of C.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use kmodcheck_lang::{Called, External, Macro, PieceError};

use crate::scenario::{Action, ModuleId, NameId, Program, Programs, Scenario, number};
use crate::state::Ret;

/// Something that a program calls and the model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// What an actor may also do by itself, in as many steps.
    Action(Action),
    /// `try_module_get()`: 1, or 0.
    TryModuleGet(ModuleId),
    /// `module_put()` of a reference that it got.
    ModulePut(ModuleId),
    /// `symbol_get()` of a symbol of the module: 1, or 0 (`__symbol_get()`).
    SymbolGet(ModuleId),
    /// Enters the module's code; 0 if there is none.
    Enter(ModuleId),
    /// Leaves the module's code.
    Leave(ModuleId),
    /// Whether the module is LIVE.
    IsLive(ModuleId),
    /// `register_filesystem()` in an init: 0, or `-EBUSY`.
    RegisterFilesystem,
    /// `unregister_filesystem()` in an init or exit.
    UnregisterFilesystem,
}

/// What a function is called with.
enum With {
    /// A requested name.
    Name(fn(NameId) -> Action),
    /// A file system.
    FileSystem,
    /// A module's file.
    File,
    /// A module.
    Module(fn(ModuleId) -> Call),
    /// A symbol that a module exports: one with the alias `symbol:NAME`, as `modules.symbols` has it.
    Symbol(fn(ModuleId) -> Call),
}

/// include/linux/kmod.h and module.h: what is asked, and asked again once modprobe is done.
pub const MACROS: [Macro; 2] = [
    Macro {
        name: "symbol_request",
        parameters: &["x"],
        body: "try_then_request_module(symbol_get(x), \"symbol:\" x)",
    },
    Macro {
        name: "try_then_request_module",
        parameters: &["x", "name"],
        body: "((x) ?: (request_module(name), (x)))",
    },
];

/// The alias of a symbol, by which modprobe finds who exports it.
pub fn alias_of_symbol(symbol: &str) -> String {
    format!("symbol:{symbol}")
}

/// The functions that take a name in quotes.
static FUNCTIONS: [(&str, With); 15] = [
    ("request_module", With::Name(Action::RequestModule)),
    ("request_module_nowait", With::Name(Action::RequestModuleNowait)),
    ("get_fs_type", With::FileSystem),
    ("modprobe", With::Name(Action::Modprobe)),
    ("modprobe_remove", With::Name(Action::ModprobeRemove)),
    ("insmod", With::File),
    ("rmmod", With::Module(|module| Call::Action(Action::Rmmod(module)))),
    ("wait_for_uevent", With::Module(|module| Call::Action(Action::Udev(module)))),
    ("try_module_get", With::Module(Call::TryModuleGet)),
    ("module_put", With::Module(Call::ModulePut)),
    ("symbol_get", With::Symbol(Call::SymbolGet)),
    ("symbol_put", With::Symbol(Call::ModulePut)),
    ("enter", With::Module(Call::Enter)),
    ("leave", With::Module(Call::Leave)),
    ("module_is_live", With::Module(Call::IsLive)),
];

/// The functions of the model that programs call.
pub fn functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// What a function is called with; `None`: it is no function of the model.
fn with(function: &str) -> Option<&'static With> {
    FUNCTIONS.iter().find(|(name, _)| *name == function).map(|(_, with)| with)
}

/// The name that a call with a text in quotes requests; `None`: it requests none.
pub fn requested(call: &Called) -> Option<String> {
    match with(&call.function)? {
        With::Name(_) => Some(call.text.clone()),
        With::FileSystem => Some(format!("fs-{}", call.text)),
        With::File => Some(call.text.replace('-', "_")),
        With::Module(_) | With::Symbol(_) => None,
    }
}

/// The alias of the symbol that a call with a text in quotes is about; `None`: it is about none.
pub fn symbol(call: &Called) -> Option<String> {
    match with(&call.function)? {
        With::Symbol(_) => Some(alias_of_symbol(&call.text)),
        _ => None,
    }
}

/// The module that a call with a text in quotes is about; `None`: it is about none.
pub fn module(call: &Called) -> Option<&str> {
    match with(&call.function)? {
        With::Module(_) => Some(&call.text),
        With::Name(_) | With::FileSystem | With::File | With::Symbol(_) => None,
    }
}

/// Whether a call with a text in quotes takes several steps, and is none that an init can make.
pub fn is_for_actors(call: &Called) -> bool {
    requested(call).is_some() && call.function != "request_module"
        || ["rmmod", "wait_for_uevent"].contains(&call.function.as_str())
}

impl Ret {
    /// As C has it, where it returns a number; of a shell, the exit status.
    pub fn number(self, action: Action) -> i64 {
        if action.is_a_shells() {
            return i64::from(self != Self::Zero);
        }
        match self {
            Self::Zero | Self::Null => 0,
            Self::Found => 1,
            Self::Status256 => 256,
            Self::Eperm => -1,
            Self::Enoent => -2,
            Self::Eintr => -4,
            Self::Enoexec => -8,
            Self::Ewouldblock => -11,
            Self::Enomem => -12,
            Self::Eacces => -13,
            Self::Ebusy => -16,
            Self::Eexist => -17,
            Self::NotReady => -19,
            Self::Enametoolong => -36,
            Self::Etime => -62,
            Self::Einprogress => -115,
            Self::Erestartsys => -512,
        }
    }
}

/// What a number that a program returns is called: `-ENOENT`.
pub fn result_in_words(value: i64) -> String {
    kmodcheck_lang::error_name(value).map_or_else(|| value.to_string(), |name| format!("-{name}"))
}

impl Call {
    /// What the call can come to.
    fn results(self) -> Vec<i64> {
        match self {
            Self::Action(Action::GetFsType(_)) | Self::TryModuleGet(_) | Self::Enter(_) => {
                vec![0, 1]
            }
            Self::Action(Action::Udev(_)) => vec![0, -19],
            Self::Action(action) if action.is_a_shells() => {
                Ret::ALL.iter().map(|ret| ret.number(action)).collect()
            }
            Self::Action(action) => {
                let none = [Ret::Found, Ret::Null, Ret::NotReady];
                let all = Ret::ALL.iter().filter(|ret| !none.contains(ret));
                all.map(|ret| ret.number(action)).collect()
            }
            Self::IsLive(_) | Self::SymbolGet(_) => vec![0, 1],
            Self::RegisterFilesystem => vec![0, -16],
            Self::ModulePut(_) | Self::Leave(_) | Self::UnregisterFilesystem => Vec::new(),
        }
    }

    fn sleeps(self) -> bool {
        matches!(self, Self::Action(_) | Self::RegisterFilesystem | Self::UnregisterFilesystem)
    }
}

/// Programs ready to run, and what they call, by number.
#[derive(Debug)]
pub struct Ready {
    /// The programs; those of the scenario are the first kinds, in their order.
    pub programs: kmodcheck_lang::Programs,
    pub(crate) calls: Vec<Call>,
    /// By requested name, how many calls there are that may leave a modprobe behind.
    pub(crate) leaves: Vec<usize>,
    called: Vec<Called>,
}

/// Programs of a scenario, ready to run, once a model is made of it. No part of what the scenario is.
#[derive(Clone, Default)]
pub(crate) struct Compiled(Option<Arc<Ready>>);

impl Ready {
    /// What programs call.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }
}

impl Compiled {
    pub fn get(&self) -> Option<&Ready> {
        self.0.as_deref()
    }

    /// The calls that begin with a text, as far as they are known.
    pub fn called(&self) -> Option<&[Called]> {
        self.get().map(|ready| &ready.called[..])
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Compiled" } else { "-" })
    }
}

impl PartialEq for Compiled {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Compiled {}

impl Hash for Compiled {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The programs with something left out of them, each with what that is. Not all of these can be compiled.
pub fn deletions(programs: &Programs) -> Vec<(String, Programs)> {
    let all = kmodcheck_lang::deletions(&programs.sources()).into_iter();
    let with = |deletion: kmodcheck_lang::Deletion| {
        let mut texts = deletion.pieces.into_iter();
        let shared = texts.next().unwrap_or_default();
        let names = programs.all.iter().map(|program| program.name.clone());
        let all = names.zip(texts).map(|(name, text)| Program { name, text });
        (deletion.what, Programs::new(shared, all.collect()))
    };
    all.map(with).collect()
}

/// Whether the programs of a scenario can be compiled.
///
/// # Errors
/// What is wrong with which of them, and where.
pub fn check(scenario: &Scenario) -> Result<(), PieceError> {
    compile(scenario, usize::from(u8::MAX)).map(drop)
}

/// Compiles the programs of a scenario. `processes`: at most so many run them at a time.
///
/// # Errors
/// What is wrong with which program, and where.
pub(crate) fn compile(scenario: &Scenario, processes: usize) -> Result<Compiled, PieceError> {
    if scenario.programs.is_empty() {
        return Ok(Compiled::default());
    }
    let sources = scenario.programs.sources();
    let called = kmodcheck_lang::calls(&sources)?;
    let (mut calls, mut externals) = (Vec::new(), Vec::new());
    let is_killed =
        |a: &crate::scenario::Actor| a.killable && matches!(a.action, Action::Program(_));
    let killable = scenario.actors.iter().any(is_killed);
    let mut leaves = vec![0; scenario.names.len()];
    let mut add = |call: Call, function: &str, text: Option<&str>| {
        let status = matches!(call, Call::Action(action) if action.is_a_shells());
        calls.push(call);
        externals.push(External {
            name: function.to_owned(),
            text: text.map(str::to_owned),
            parameters: 0,
            results: call.results(),
            sleeps: call.sleeps(),
            status,
        });
    };
    for called in &called {
        let Some(with) = with(&called.function) else { continue };
        let call = match with {
            With::Name(_) | With::FileSystem | With::File => {
                let request = requested(called).unwrap_or_default();
                let name = scenario.names.iter().position(|name| name.request == request);
                let Some(name) = name.map(number) else { continue };
                let waits = ["request_module", "get_fs_type"].contains(&called.function.as_str());
                if called.function == "request_module_nowait" || killable && waits {
                    leaves[usize::from(name)] += 1;
                }
                Call::Action(match with {
                    With::Name(action) => action(name),
                    With::File => Action::Insmod(name),
                    _ => Action::GetFsType(name),
                })
            }
            With::Module(call) => {
                let Some(module) = scenario.module_of_name(&called.text) else { continue };
                call(module)
            }
            With::Symbol(call) => {
                let alias = alias_of_symbol(&called.text);
                let Some(module) = scenario.module_of_symbol(&alias) else { continue };
                call(module)
            }
        };
        add(call, &called.function, Some(&called.text));
    }
    add(Call::RegisterFilesystem, "register_filesystem", None);
    add(Call::UnregisterFilesystem, "unregister_filesystem", None);
    let programs = kmodcheck_lang::Programs::compile(&sources, externals, processes)?;
    Ok(Compiled(Some(Arc::new(Ready { programs, calls, leaves, called }))))
}
