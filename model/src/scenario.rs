//! What is loaded by whom: modules, requested names, actors, the environment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::features::{Features, KernelFeatures};
use crate::text::{CheckRules, ListedRules, LookRules, OrderRules, Patched};

/// A module, by its place in [`Scenario::modules`].
pub type ModuleId = u8;

/// A requested name, by its place in [`Scenario::names`].
pub type NameId = u8;

/// A program, by its place in [`Programs::all`].
pub type ProgramId = u8;

/// How `mod->init()` can end. Chosen anew at every attempt to load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// It returns 0.
    #[default]
    Succeeds,
    /// It returns 0, or an error: before it has registered anything, or after it has registered
    /// its file system and taken it back.
    MayFail,
    /// It returns 0, or `-EEXIST`, having registered nothing.
    MayReturnEexist,
    /// It always returns an error.
    Fails,
}

/// Where a load may fail that is neither its init nor its symbols: a call of `load_module()`, of
/// `mod_sysfs_setup()` or of `do_init_module()`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum FailsAt {
    /// `prepare_coming_module()`: a notifier of COMING.
    ComingNotifier,
    /// `parse_args()`: a parameter's `set()`, before the directory is made.
    Arguments,
    /// `module_param_sysfs_setup()`: after the directory was made, before initstate.
    Parameters,
    /// `add_usage_links()`, or an attribute that comes after initstate.
    UsageLinks,
    /// `add_sect_attrs()`, `add_notes_attrs()`: after initstate.
    Sections,
    /// `codetag_load_module()`: after all of sysfs.
    Codetag,
    /// `module_enable_rodata_ro()`: after LIVE.
    ReadOnly,
}

impl FailsAt {
    /// Every place, in the kernel's order, by the name that scenario files have for it.
    pub const ALL: [(&'static str, Self); 7] = [
        ("coming-notifier", Self::ComingNotifier),
        ("arguments", Self::Arguments),
        ("parameters", Self::Parameters),
        ("usage-links", Self::UsageLinks),
        ("sections", Self::Sections),
        ("codetag", Self::Codetag),
        ("read-only", Self::ReadOnly),
    ];

    /// The function that fails.
    pub fn function(self) -> &'static str {
        match self {
            Self::ComingNotifier => "prepare_coming_module",
            Self::Arguments => "parse_args",
            Self::Parameters => "module_param_sysfs_setup",
            Self::UsageLinks => "add_usage_links",
            Self::Sections => "add_sect_attrs",
            Self::Codetag => "codetag_load_module",
            Self::ReadOnly => "module_enable_rodata_ro",
        }
    }

    /// Whether its error can be `-EEXIST`: of what is registered or made under a name that is there.
    pub fn may_say_eexist(self) -> bool {
        !matches!(self, Self::Codetag | Self::ReadOnly)
    }

    /// Whether a kernel heeds it: where it does not, the load goes on.
    pub fn is_heeded(self, kernel: &KernelFeatures) -> bool {
        match self {
            Self::Arguments | Self::Parameters | Self::UsageLinks => true,
            Self::ComingNotifier => kernel.notifier_can_fail,
            Self::Sections => kernel.sections_can_fail,
            Self::Codetag => kernel.codetag_can_fail,
            Self::ReadOnly => kernel.fails_after_live,
        }
    }
}

/// A load that may fail before or after its init; whether it does is chosen anew at every attempt.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failure {
    /// Where.
    pub at: FailsAt,
    /// Whether its error is `-EEXIST`, not another one.
    #[serde(default)]
    pub eexist: bool,
}

/// A loadable module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Its name, as on the module list.
    pub name: String,
    /// The modules whose symbols it needs, in the order in which they are resolved.
    #[serde(default)]
    pub dependencies: Vec<ModuleId>,
    /// How its init can end.
    #[serde(default)]
    pub init: Init,
    /// Whether its init registers the file system that the callers look for.
    #[serde(default)]
    pub registers: bool,
    /// Whether `modules.builtin` lists its name although there is a module of that name.
    #[serde(default)]
    pub listed_builtin: bool,
    /// Whether built-in code of the same name has made `/sys/module/NAME/` at boot.
    #[serde(default)]
    pub name_taken: bool,
    /// What its init requests, and waits for, before it registers anything.
    #[serde(default)]
    pub requests: Option<NameId>,
    /// Its init, where that is a program: what it returns is how it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_program: Option<ProgramId>,
    /// Its exit, where that is a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_program: Option<ProgramId>,
    /// Whether setting up its sysfs entries may fail after the directory was made.
    #[serde(default)]
    pub sysfs_may_fail: bool,
    /// Where else its load may fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether its file is compressed.
    #[serde(default)]
    pub compressed: bool,
    /// Whether it has an init and no exit, so that `delete_module()` refuses with `-EBUSY`.
    #[serde(default)]
    pub no_exit: bool,
    /// Whether it was asked to probe asynchronously (`NAME.async_probe`): its load does not wait for what is asynchronous.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub async_probe: bool,
    /// Whether modprobe's configuration says that it is not to be loaded: by a blacklist, or by a
    /// command in its stead. What modprobe makes of that, a name's targets say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
    /// The symbols that programs ask for by name, as aliases: `symbol:NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<String>,
}

/// What modprobe does to get a module in, when a look said that it is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Insert {
    /// Hands it to the kernel.
    #[default]
    Finit,
    /// Runs an `install` command that does nothing and exits 0.
    NoopCommand,
    /// Runs an `install` command that does nothing and exits 1, as `/bin/false`.
    FailingCommand,
    /// Runs an `install` command that does nothing and exits 17, which is EEXIST: see
    /// [`crate::features::KmodFeatures::exit_17_fails`].
    #[serde(rename = "exit-17-command")]
    Exit17Command,
    /// Runs an `install` command that runs `modprobe --ignore-install` of the module and exits as that does. What that
    /// goes through, the entry says ([`Probe::nested`]).
    ModprobeCommand,
    /// The same, but that it exits 0 whatever that modprobe comes to.
    ModprobeForgiven,
    /// Runs an `install` command of which nothing is known: it may do nothing or run `modprobe --ignore-install` of the
    /// module, and exit with 0 or not.
    UnknownCommand,
    /// Finds no file of it, which is `-ENOENT`: an alias of the configuration names no module that there is.
    NoFile,
    /// Hands it to the kernel, which refuses it by its command line, before anything else: `-EPERM`
    /// (`module_blacklist=`, `blacklisted()` of `kernel/module/main.c`).
    Refused,
}

impl Insert {
    /// Whether a command runs in the module's stead.
    pub fn is_a_command(self) -> bool {
        !matches!(self, Self::Finit | Self::NoFile | Self::Refused)
    }

    /// Whether that command may run a modprobe that ignores it.
    pub fn runs_modprobe(self) -> bool {
        matches!(self, Self::ModprobeCommand | Self::ModprobeForgiven | Self::UnknownCommand)
    }
}

/// One entry of the list that `kmod_module_probe_insert_module()` goes through.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The module.
    pub module: ModuleId,
    /// Whether an error ends the list; a softdep's error does not.
    pub required: bool,
    /// How it is inserted.
    #[serde(default)]
    pub insert: Insert,
    /// Whether modprobe knows it by the path of its file, as a dependency, and `modules.builtin` lists it, too
    /// ([`crate::features::KmodFeatures::dependencies_not_builtin`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_path: bool,
    /// What the modprobe goes through that its `install` command runs, if it runs one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<Probe>,
}

impl Probe {
    /// An entry that runs no other modprobe.
    pub fn new(module: ModuleId, required: bool, insert: Insert) -> Self {
        Self { module, required, insert, by_path: false, nested: Vec::new() }
    }

    /// The modules that are looked at because of it, in order: it, and what its command goes through.
    pub fn modules(&self) -> Vec<ModuleId> {
        let mut modules = vec![self.module];
        modules.extend(self.nested.iter().flat_map(Self::modules));
        modules
    }

    /// Does something with it and with every entry that its command goes through.
    pub fn for_each(&mut self, mut change: impl FnMut(&mut Self)) {
        let mut open = vec![self];
        while let Some(probe) = open.pop() {
            change(probe);
            open.extend(&mut probe.nested);
        }
    }

    /// How often modprobe, and what its command runs, looks because of it; that a command ends of which nothing is known
    /// counts as a look.
    pub fn looks(&self) -> usize {
        if !self.insert.runs_modprobe() {
            return 1;
        }
        let ends = usize::from(self.insert == Insert::UnknownCommand);
        2 + self.nested.iter().map(Self::looks).sum::<usize>() + ends
    }
}

/// One of the modules that a name resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The module.
    pub module: ModuleId,
    /// What modprobe tries in order to insert it: its dependencies first, itself among them.
    pub probe: Vec<Probe>,
    /// It is blacklisted and was found through an alias: unless it is in the kernel already,
    /// modprobe leaves it alone and takes that for success.
    #[serde(default)]
    pub blacklisted: bool,
}

impl Target {
    /// The modules that modprobe looks at for it, after its first look.
    pub fn probed(&self) -> Vec<ModuleId> {
        self.probe.iter().flat_map(Probe::modules).collect()
    }

    /// Every entry, with those that commands go through.
    pub fn entries(&self) -> Vec<&Probe> {
        let mut entries = Vec::new();
        let mut open: Vec<&Probe> = self.probe.iter().rev().collect();
        while let Some(probe) = open.pop() {
            entries.push(probe);
            open.extend(probe.nested.iter().rev());
        }
        entries
    }
}

/// What modprobe finds in the indexes under a requested name (`kmod_module_new_from_lookup()`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// Nothing.
    NotFound,
    /// An entry of `modules.builtin`.
    Builtin,
    /// These modules, tried one after the other.
    Modules(Vec<Target>),
}

/// Built-in code behind a requested name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltIn {
    /// The name of the code, as a module would have it.
    pub name: String,
    /// Whether it has parameters or a version, and so a directory `/sys/module/NAME/` (`param_sysfs_builtin()`,
    /// `version_sysfs_builtin()`), never with an initstate: from boot on, or from the late initcalls on
    /// ([`KernelFeatures::late_builtin_directories`](crate::features::KernelFeatures)).
    pub directory: bool,
    /// Whether it is a driver, and so has a directory as soon as it is registered (`module_add_driver()`), where
    /// [`KernelFeatures::driver_directories`](crate::features::KernelFeatures) is on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub driver: bool,
}

/// A directory of built-in code that may be there only from the late initcalls on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LateDirectory {
    /// Of that module's name ([`Module::name_taken`]).
    Module(ModuleId),
    /// Of that requested name ([`Name::builtin`]).
    Name(NameId),
}

/// A name that somebody requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// The name.
    pub request: String,
    /// What the indexes say of it.
    pub resolution: Resolution,
    /// Whether the request is served by built-in code.
    #[serde(default)]
    pub builtin: Option<BuiltIn>,
}

impl Name {
    /// Whether it is the very name of the built-in code behind it.
    pub fn is_its_codes(&self) -> bool {
        self.builtin.as_ref().is_some_and(|code| code.name == self.request.replace('-', "_"))
    }

    /// The file system of a name that begins with `fs-`.
    pub fn file_system(&self) -> &str {
        self.request.strip_prefix("fs-").unwrap_or(&self.request)
    }

    /// The modules that the name resolves to.
    pub fn targets(&self) -> &[Target] {
        match &self.resolution {
            Resolution::Modules(targets) => targets,
            Resolution::NotFound | Resolution::Builtin => &[],
        }
    }
}

/// What an actor does, once.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// `request_module(NAME)`.
    RequestModule(NameId),
    /// `request_module_nowait(NAME)`: returns once modprobe was started.
    RequestModuleNowait(NameId),
    /// `get_fs_type(FS)`, which looks, requests `fs-FS`, and looks again; what it found it gives
    /// back at once.
    GetFsType(NameId),
    /// `modprobe NAME` from a shell.
    Modprobe(NameId),
    /// `modprobe -r NAME` from a shell.
    ModprobeRemove(NameId),
    /// `insmod MODULE.ko` from a shell: its file alone, without a look before.
    Insmod(NameId),
    /// `rmmod MODULE`.
    Rmmod(ModuleId),
    /// A udev rule that uses MODULE as soon as its ADD uevent arrives.
    Udev(ModuleId),
    /// The boot's `param_sysfs_builtin_init()`, a late initcall of kernels that have
    /// [`KernelFeatures::late_builtin_directories`](crate::features::KernelFeatures). Whoever runs besides is a helper that the
    /// kernel started while it booted.
    LateInitcalls,
    /// A program, which may do any of these, one after the other.
    Program(ProgramId),
}

impl Action {
    /// The requested name, if it requests one.
    pub fn name(self) -> Option<NameId> {
        match self {
            Self::RequestModule(name)
            | Self::RequestModuleNowait(name)
            | Self::GetFsType(name)
            | Self::Modprobe(name)
            | Self::ModprobeRemove(name)
            | Self::Insmod(name) => Some(name),
            Self::Rmmod(_) | Self::Udev(_) | Self::LateInitcalls | Self::Program(_) => None,
        }
    }

    /// Whether it is a command of a shell, which gets an exit status.
    pub fn is_a_shells(self) -> bool {
        matches!(
            self,
            Self::Modprobe(_) | Self::ModprobeRemove(_) | Self::Insmod(_) | Self::Rmmod(_)
        )
    }

    /// The module it is about, if it is about one directly.
    pub fn module(self) -> Option<ModuleId> {
        match self {
            Self::Rmmod(module) | Self::Udev(module) => Some(module),
            _ => None,
        }
    }
}

/// Interchangeable actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// What each of them does.
    pub action: Action,
    /// How many.
    pub count: u8,
    /// Whether one may be killed while it waits for modprobe; modprobe then goes on without it.
    #[serde(default)]
    pub killable: bool,
}

/// A program in the language of the crate `kmodcheck-lang`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// What a reader calls it: `init of aes`.
    pub name: String,
    /// Its statements.
    pub text: String,
}

/// What actors, inits and exits run that are programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programs {
    /// What they share: types, variables, locks, functions.
    #[serde(default)]
    pub shared: String,
    /// Each.
    pub all: Vec<Program>,
    /// Compiled, in the scenario of a [`Model`](crate::Model).
    #[serde(skip)]
    pub(crate) compiled: crate::program::Compiled,
}

impl Programs {
    /// These, not compiled yet.
    pub fn new(shared: String, all: Vec<Program>) -> Self {
        Self { shared, all, compiled: crate::program::Compiled::default() }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Compiled: in the scenario of a [`Model`](crate::Model).
    pub fn ready(&self) -> Option<&crate::program::Ready> {
        self.compiled.get()
    }

    /// Whether a program calls that function with a text in quotes.
    pub fn call(&self, function: &str) -> bool {
        self.calls(|call| call.function == function)
    }

    /// Whether some call with a text in quotes is like that; none, where they cannot be read.
    pub(crate) fn calls(&self, like_that: impl Fn(&kmodcheck_lang::Called) -> bool) -> bool {
        match self.compiled.called() {
            Some(called) => called.iter().any(like_that),
            None if self.is_empty() => false,
            None => kmodcheck_lang::calls(&self.sources())
                .is_ok_and(|called| called.iter().any(like_that)),
        }
    }

    /// As they are compiled.
    pub fn sources(&self) -> kmodcheck_lang::Sources<'_> {
        let shared = kmodcheck_lang::Piece { name: "what programs share", text: &self.shared };
        let programs = self.all.iter();
        let programs = programs.map(|p| kmodcheck_lang::Piece { name: &p.name, text: &p.text });
        let pieces = std::iter::once(shared).chain(programs).collect();
        kmodcheck_lang::Sources { pieces, macros: &crate::program::MACROS }
    }
}

/// When a condition is asked of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Some reachable state is so.
    Exists,
    /// No reachable state is so.
    Never,
    /// Every reachable state is so.
    Always,
    /// An actor's call comes to these results and no others.
    Returns,
}

/// A property that a scenario brings with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What it is called.
    pub name: String,
    /// What it says, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub statement: String,
    /// Of which states.
    pub when: When,
    /// What: an expression of C over what programs share, `state("MODULE")` and `inside("MODULE")`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Of [`When::Returns`], the actor, by its place.
    #[serde(default)]
    pub actor: u8,
    /// Of [`When::Returns`], the results, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<String>,
}

/// What becomes of the helper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Helper {
    /// `modprobe_path` names a modprobe.
    #[default]
    Present,
    /// `modprobe_path` names no file: exec fails with `-ENOENT`.
    Missing,
    /// `modprobe_path` names a file that may not be executed: exec fails with `-EACCES`.
    NotExecutable,
    /// `modprobe_path` is empty.
    EmptyPath,
    /// Helpers are disabled (suspend): `-EBUSY`.
    Disabled,
}

/// One closed system to explore.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What a reader calls it.
    pub name: String,
    /// The modules of the requested names' closure.
    pub modules: Vec<Module>,
    /// The requested names.
    pub names: Vec<Name>,
    /// Who does what.
    pub actors: Vec<Actor>,
    /// The helper.
    #[serde(default)]
    pub helper: Helper,
    /// Whether the LSM refuses requests (`security_kernel_module_request()`): `-EPERM`.
    #[serde(default)]
    pub lsm_refuses: bool,
    /// What exec of modprobe requests first, in vain (`search_binary_handler()`): it is of a binary format
    /// that nothing knows, and what would know it is a module, which only a modprobe could load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec_requests: Option<NameId>,
    /// How many requests may run at a time; `None`: so many that nobody meets the limit.
    #[serde(default)]
    pub limit: Option<u8>,
    /// What kernel and kmod do where that is no release's: what a patch has made of them.
    #[serde(default, skip_serializing_if = "Patched::is_none")]
    pub patched: Patched,
    /// Whether somebody may kill whatever modprobe (or insmod) waits in `finit_module()` for another's load, also one
    /// that the kernel has started.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub modprobe_killable: bool,
    /// Whether waits with a time limit may end by it.
    #[serde(default)]
    pub timeouts: bool,
    /// The programs.
    #[serde(default, skip_serializing_if = "Programs::is_empty")]
    pub programs: Programs,
    /// What is asked of its states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Ask>,
    /// The switches.
    pub features: Features,
}

/// A place in a list that the limits of a scenario ([`crate::model::validate`]) keep below 256.
///
/// # Panics
/// If they do not.
pub fn number(place: usize) -> u8 {
    u8::try_from(place).expect("a scenario is within its limits")
}

/// Longest name that `__request_module()` takes, with its final NUL (`MODULE_NAME_LEN` on 64 bit).
pub const MODULE_NAME_LEN: usize = 64 - size_of::<u64>();

impl Scenario {
    /// How many actors there are in all.
    pub fn processes(&self) -> usize {
        self.actors.iter().map(|actor| usize::from(actor.count)).sum()
    }

    /// How many actors call `request_module()` or `get_fs_type()`.
    pub fn callers(&self) -> usize {
        let calls = |a: &&Actor| {
            matches!(
                a.action,
                Action::RequestModule(_) | Action::RequestModuleNowait(_) | Action::GetFsType(_)
            )
        };
        self.actors.iter().filter(calls).map(|actor| usize::from(actor.count)).sum()
    }

    /// The numbers of the modules, in order.
    ///
    /// # Panics
    /// If there are more than a number counts, which no [`Model`](crate::Model) takes.
    pub fn module_ids(&self) -> std::ops::Range<ModuleId> {
        0..number(self.modules.len())
    }

    /// The numbers of the requested names, in order.
    ///
    /// # Panics
    /// As [`Scenario::module_ids`].
    pub fn name_ids(&self) -> std::ops::Range<NameId> {
        0..number(self.names.len())
    }

    /// The module of that name.
    ///
    /// # Panics
    /// As [`Scenario::module_ids`].
    pub fn module_of_name(&self, name: &str) -> Option<ModuleId> {
        self.modules.iter().position(|module| module.name == name).map(number)
    }

    /// The module that exports a symbol, which is called by its alias, `symbol:NAME`.
    ///
    /// # Panics
    /// As [`Scenario::module_ids`].
    pub fn module_of_symbol(&self, alias: &str) -> Option<ModuleId> {
        let exports = |module: &Module| module.symbols.iter().any(|symbol| symbol == alias);
        self.modules.iter().position(exports).map(number)
    }

    /// The name that a module's number stands for; `?` if there is none.
    pub fn module_name(&self, id: ModuleId) -> &str {
        self.modules.get(usize::from(id)).map_or("?", |m| &m.name)
    }

    /// What an actor does, as it is called or typed: `get_fs_type("ext4")`, `rmmod ext4`; a program has a name.
    pub fn in_words(&self, action: Action) -> String {
        let name = |id: NameId| self.names.get(usize::from(id));
        let request = |id: NameId| name(id).map_or("?", |name| &name.request);
        match action {
            Action::RequestModule(id) => format!("request_module(\"{}\")", request(id)),
            Action::RequestModuleNowait(id) => {
                format!("request_module_nowait(\"{}\")", request(id))
            }
            Action::GetFsType(id) => {
                format!("get_fs_type(\"{}\")", name(id).map_or("?", Name::file_system))
            }
            Action::Modprobe(id) => format!("modprobe {}", request(id)),
            Action::ModprobeRemove(id) => format!("modprobe -r {}", request(id)),
            Action::Insmod(id) => format!("insmod {}", request(id)),
            Action::Rmmod(id) => format!("rmmod {}", self.module_name(id)),
            Action::Udev(id) => format!("a udev rule for {}", self.module_name(id)),
            Action::LateInitcalls => "late initcalls".to_owned(),
            Action::Program(id) => self.program_name(usize::from(id)),
        }
    }

    /// What a program is called, one that programs start included.
    pub fn program_name(&self, kind: usize) -> String {
        match (self.programs.all.get(kind), self.programs.ready()) {
            (Some(program), _) => program.name.clone(),
            (None, Some(ready)) => ready.programs.name(kind),
            (None, None) => "?".to_owned(),
        }
    }

    /// What anybody does: actors, and programs by their calls.
    pub fn actions(&self) -> Vec<Action> {
        let of_programs = self.programs.ready().into_iter().flat_map(|ready| ready.calls());
        let of_programs = of_programs.filter_map(|call| match call {
            crate::program::Call::Action(action) => Some(*action),
            _ => None,
        });
        let programs = |action: &Action| matches!(action, Action::Program(_));
        let of_actors = self.actors.iter().map(|actor| actor.action).filter(|a| !programs(a));
        of_actors.chain(of_programs).collect()
    }

    /// What the init of a module may request.
    pub fn init_requests(&self, id: ModuleId) -> Vec<NameId> {
        let module = &self.modules[usize::from(id)];
        let mut names: Vec<NameId> = module.requests.into_iter().collect();
        let Some(program) = module.init_program else { return names };
        let pieces = [0, usize::from(program) + 1];
        let known = self.programs.compiled.called().map(<[_]>::to_vec);
        let called = known.or_else(|| kmodcheck_lang::calls(&self.programs.sources()).ok());
        for call in called.into_iter().flatten() {
            let requests = pieces.contains(&call.piece) && call.function == "request_module";
            let name = self.names.iter().position(|name| name.request == call.text);
            names.extend(name.filter(|_| requests).map(number));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What the kernel does about a listed name: what a patch says, or its switches.
    pub fn listed_rules(&self) -> ListedRules {
        self.patched.listed.clone().unwrap_or_else(|| self.features.kernel.listed_name.rules())
    }

    /// What the kernel looks at before and after modprobe, likewise.
    pub fn check_rules(&self) -> CheckRules {
        self.patched.check.unwrap_or_else(|| self.features.kernel.sanity_check.rules())
    }

    /// In which order modules are loaded and freed, likewise.
    pub fn order_rules(&self) -> OrderRules {
        self.patched.orders.clone().unwrap_or_else(|| self.features.kernel.order_rules())
    }

    /// How modprobe looks, likewise.
    pub fn look_rules(&self) -> LookRules {
        self.patched.look.unwrap_or_else(|| self.features.kmod.look_rules())
    }

    /// Whether the load of some module may fail there, and this kernel heeds it.
    pub fn may_fail_at(&self, place: FailsAt) -> bool {
        place.is_heeded(&self.features.kernel)
            && self.modules.iter().any(|m| m.failure.is_some_and(|f| f.at == place))
    }

    /// Whether somebody unloads a module, so that references matter.
    pub fn unloads(&self) -> bool {
        self.actors.iter().any(|a| matches!(a.action, Action::Rmmod(_) | Action::ModprobeRemove(_)))
            || ["rmmod", "modprobe_remove"].iter().any(|function| self.programs.call(function))
    }

    /// Whether the code behind a requested name has made `/sys/module/NAME/`, when the late initcalls are through.
    pub fn has_directory(&self, builtin: &BuiltIn) -> bool {
        builtin.directory || builtin.driver && self.features.kernel.driver_directories
    }

    /// The directories of built-in code that somebody may look for before they are there.
    pub fn late_directories(&self) -> Vec<LateDirectory> {
        let kernel = &self.features.kernel;
        let boots = |actor: &Actor| actor.action == Action::LateInitcalls;
        if !kernel.late_builtin_directories || !self.actors.iter().any(boots) {
            return Vec::new();
        }
        let taken = |id: &ModuleId| self.modules[usize::from(*id)].name_taken;
        let of_modules = self.module_ids().filter(taken).map(LateDirectory::Module);
        let late = |id: &NameId| {
            let name = &self.names[usize::from(*id)];
            let early = |code: &BuiltIn| code.driver && kernel.driver_directories;
            name.builtin.as_ref().is_some_and(|code| code.directory && !early(code))
                && name.is_its_codes()
        };
        of_modules.chain(self.name_ids().filter(late).map(LateDirectory::Name)).collect()
    }

    /// Whether somebody listens for uevents.
    pub fn listens(&self) -> bool {
        self.actors.iter().any(|a| matches!(a.action, Action::Udev(_)))
            || self.programs.call("wait_for_uevent")
    }

    /// Whether programs schedule asynchronous functions, or wait for them; of programs that are not compiled yet, whether
    /// they may.
    pub fn is_asynchronous(&self) -> bool {
        let may = |text: &str| text.contains("async_");
        match self.programs.ready() {
            Some(ready) => ready.programs.asynchronous().is_some(),
            None => may(&self.programs.shared) || self.programs.all.iter().any(|p| may(&p.text)),
        }
    }

    /// Whether some module's init requests a module.
    pub fn nests(&self) -> bool {
        self.module_ids().any(|id| !self.init_requests(id).is_empty())
    }
}
