//! The names that are requested, and what they come to: modules, built-in code, actors, and the scenario of it all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use kmodcheck_indexes::{Configuration, Found, Lookup, Modprobe, ModuleIndex, Resolved, Rules};
use kmodcheck_model::Model;
use kmodcheck_model::features::Features;
use kmodcheck_model::model::{MAX_MODULES, MAX_NAMES, MAX_TARGETS, nesting};
use kmodcheck_model::scenario::{
    Action, Actor, BuiltIn, Failure, Init, ModuleId, Name, NameId, Resolution, Scenario, Target,
};
use kmodcheck_model::state::MAX_DEPTH;

use super::error::Finding;
use super::index::{configuration, index};
use super::modules::{Module, entries, load_order, normalised, on, undefined};
use super::schema::{self, Call};
use super::spanned::Spanned;
use super::{programs, targets};
use crate::suggest;

/// A place in the file's list of modules, or in that of requested names. A file with more of either than
/// a byte numbers is refused before.
fn number(place: usize) -> u8 {
    u8::try_from(place).expect("a file has at most 255 modules and 16 names")
}

/// The requested names, as they are found.
pub(super) struct Names<'f> {
    file: &'f schema::File,
    modules: &'f [Module<'f>],
    index: ModuleIndex,
    /// What modules say of blacklists and commands.
    config: Configuration,
    /// The built-in code, as if it could be loaded: which aliases it has.
    builtin: ModuleIndex,
    /// Each with where it was first requested.
    names: Vec<(Name, Range<usize>)>,
    /// Modules that somebody acts on directly.
    direct: Vec<usize>,
    /// Symbols that programs ask for, as aliases.
    symbols: Vec<String>,
    /// What inits and exits that are programs request, each with the module and where.
    of_modules: Vec<(usize, String, Spanned<String>)>,
    pub(super) findings: Vec<Finding>,
}

impl<'f> Names<'f> {
    pub(super) fn new(
        file: &'f schema::File,
        modules: &'f [Module<'f>],
    ) -> Result<Self, Vec<Finding>> {
        let wrong = |error: kmodcheck_indexes::IndexError| {
            vec![Finding::new(0..0, error.to_string(), "expected modules that depmod can index")]
        };
        let listed: Vec<&str> =
            modules.iter().filter(|m| m.listed_builtin()).map(|m| m.name.as_str()).collect();
        let new = Self {
            file,
            modules,
            index: index(&entries(modules, false), &listed).map_err(wrong)?,
            config: configuration(modules.iter().map(|module| {
                let install = module.spec.install.as_ref().map(|command| command.get_ref().trim());
                (module.name.as_str(), on(&module.spec.blacklisted), install)
            })),
            builtin: index(&entries(modules, true), &[]).map_err(wrong)?,
            names: Vec::new(),
            direct: Vec::new(),
            symbols: Vec::new(),
            of_modules: Vec::new(),
            findings: Vec::new(),
        };
        Ok(new.softdeps())
    }

    /// Whether every softdep is something.
    fn softdeps(mut self) -> Self {
        for module in self.modules {
            let softdeps = module.spec.softdeps.iter().map(Spanned::get_ref);
            for word in softdeps.flat_map(|s| s.pre.iter().chain(&s.post)) {
                let plain = word.get_ref().chars().all(|c| c.is_ascii_graphic() && c != ':');
                if word.get_ref().is_empty() || !plain {
                    self.findings.push(Finding::new(
                        word.span(),
                        format!("found softdep '{}'", word.get_ref().escape_debug()),
                        "expected a name without blanks",
                    ));
                } else if self.nobody_knows(word.get_ref()) {
                    self.findings.push(undefined(word, "softdep", self.modules));
                }
            }
        }
        self
    }

    /// modprobe, with what it reads. Aliases of built-in code are in an index of their own here. What a file says is
    /// looked up as kmod does: `insmod` and `rmmod` name modules, whatever is built in besides.
    fn modprobe(&self) -> Modprobe<'_> {
        Modprobe { index: &self.index, config: &self.config, rules: Rules::Kmod }
    }

    fn module(&self, name: &str) -> Option<usize> {
        self.modules.iter().position(|m| m.name == normalised(name))
    }

    fn nobody_knows(&self, name: &str) -> bool {
        self.index.lookup(name) == Lookup::NotFound && self.builtin.lookup(name) == Lookup::NotFound
    }

    /// The actors, those that do the same as one; what they request is noted.
    pub(super) fn actors(&mut self, counts: &[u8]) -> Vec<(Actor, Range<usize>)> {
        let mut actors: Vec<(Actor, Range<usize>)> = Vec::new();
        let mut programs = 0;
        for (spec, count) in self.file.actor.iter().zip(counts) {
            let action = match spec.program {
                Some(_) => {
                    programs += 1;
                    Some(Action::Program(number(programs - 1)))
                }
                None => self.action(spec),
            };
            let Some(action) = action else { continue };
            let killable = on(&spec.killable);
            let span = spec.count.as_ref().map_or_else(|| spec.span(), Spanned::span);
            let same =
                |(a, _): &&mut (Actor, Range<usize>)| a.action == action && a.killable == killable;
            match actors.iter_mut().find(same) {
                // Too many are said by `counts`.
                Some((actor, _)) => actor.count = actor.count.saturating_add(*count),
                None => actors.push((Actor { action, count: *count, killable }, span)),
            }
        }
        actors
    }

    fn action(&mut self, spec: &schema::Actor) -> Option<Action> {
        if spec.call.as_ref().map(Spanned::get_ref) == Some(&Call::LateInitcalls) {
            if let Some(word) = &spec.name {
                self.findings.push(Finding::new(
                    word.span(),
                    format!("found the name '{}' of late initcalls", word.get_ref().escape_debug()),
                    "expected none: they are those of all that is built in",
                ));
            }
            return Some(Action::LateInitcalls);
        }
        let (Some(call), Some(word)) = (&spec.call, &spec.name) else {
            self.findings.push(Finding::new(
                spec.span(),
                "found an actor that does nothing",
                "expected 'call' and 'name', or 'program'",
            ));
            return None;
        };
        Some(match call.get_ref() {
            Call::RequestModule => Action::RequestModule(self.requested(word.get_ref(), word)?),
            Call::RequestModuleNowait => {
                Action::RequestModuleNowait(self.requested(word.get_ref(), word)?)
            }
            Call::Modprobe => Action::Modprobe(self.requested(word.get_ref(), word)?),
            Call::ModprobeRemove => Action::ModprobeRemove(self.requested(word.get_ref(), word)?),
            Call::GetFsType => self.get_fs_type(word)?,
            Call::Insmod => Action::Insmod(self.inserted(word)?),
            Call::Rmmod => Action::Rmmod(self.acted_on(word)?),
            Call::Udev => Action::Udev(self.acted_on(word)?),
            Call::LateInitcalls => unreachable!("above"),
        })
    }

    /// A name that is requested, resolved.
    pub(super) fn requested(&mut self, request: &str, word: &Spanned<String>) -> Option<NameId> {
        if let Some(known) = self.names.iter().position(|(n, _)| n.request == request) {
            return Some(number(known));
        }
        let plain = |c: char| c.is_ascii_graphic() && !"*?[]/".contains(c);
        if !request.chars().all(plain) {
            self.findings.push(Finding::new(
                word.span(),
                format!("found requested name '{}'", request.escape_debug()),
                "expected printable ASCII without blanks, '/' and the wildcards of aliases",
            ));
            return None;
        }
        let name = self.resolved(request, word)?;
        if name.targets().len() > MAX_TARGETS {
            self.findings.push(Finding::new(
                word.span(),
                format!("found {} modules behind '{request}'", name.targets().len()),
                &format!("expected at most {MAX_TARGETS}"),
            ));
            return None;
        }
        if self.names.len() == MAX_NAMES {
            self.findings.push(Finding::new(
                word.span(),
                format!("found more than {MAX_NAMES} requested names"),
                "expected fewer",
            ));
            return None;
        }
        self.names.push((name, word.span()));
        Some(number(self.names.len() - 1))
    }

    /// What modprobe finds under a name, as numbers of the file's modules.
    fn resolved(&mut self, request: &str, word: &Spanned<String>) -> Option<Name> {
        let modprobe = self.modprobe();
        let targets = match modprobe.resolve(request) {
            Resolved::Modules(targets) => targets,
            Resolved::Builtin(name) => {
                let builtin = match self.module(&name) {
                    Some(module) => self.modules[module].as_builtin(),
                    None => BuiltIn { name, directory: false, driver: false },
                };
                return Some(Name {
                    request: request.to_owned(),
                    resolution: Resolution::Builtin,
                    builtin: Some(builtin),
                });
            }
            Resolved::NotFound | Resolved::BuiltinAlias(_) => {
                return self.not_found(request, word);
            }
        };
        if let Some(module) = self.builtin_behind(request) {
            self.findings.push(Finding::new(
                word.span(),
                format!(
                    "found '{request}' served by built-in '{}' and by a module that can be loaded",
                    self.modules[module].name
                ),
                "expected one or the other: both at once are not modelled",
            ));
            return None;
        }
        let mut number = |found: &Found| {
            number(self.module(&found.name).expect("the file's index names its modules"))
        };
        match targets::targets(modprobe, &targets, &mut number) {
            Ok(targets) => Some(Name {
                request: request.to_owned(),
                resolution: Resolution::Modules(targets),
                builtin: None,
            }),
            Err(error) => {
                self.findings.push(Finding::new(
                    word.span(),
                    format!("found '{request}': {error}"),
                    "expected commands without such a circle",
                ));
                None
            }
        }
    }

    /// Built-in code of that name or with an alias that matches it.
    fn builtin_behind(&self, request: &str) -> Option<usize> {
        match self.builtin.lookup(request) {
            Lookup::Module(id) => self.module(self.builtin.name(id)),
            Lookup::Served(ids) => self.module(self.builtin.name(ids[0])),
            Lookup::NotFound | Lookup::Builtin(_) => None,
        }
    }

    /// A name that no module serves and `modules.builtin` does not list.
    fn not_found(&mut self, request: &str, word: &Spanned<String>) -> Option<Name> {
        if request.contains('.') {
            // `modname_normalize()` cuts it there, and kmod v19 looks for what is left in sysfs.
            self.findings.push(Finding::new(
                word.span(),
                format!("found '{request}', which no index knows"),
                "expected a name without a dot: this one is not modelled",
            ));
            return None;
        }
        let unknown = self.file.unknown_names.iter().any(|n| n.get_ref() == request);
        let builtin = match self.builtin_behind(request) {
            Some(module) => {
                let module = &self.modules[module];
                if !module.listed_builtin() && module.name != normalised(request) {
                    self.findings.push(Finding::new(
                        word.span(),
                        format!("found an alias of built-in '{}'", module.name),
                        "expected one that modules.builtin lists: others are not modelled",
                    ));
                    return None;
                }
                Some(module.as_builtin())
            }
            None if unknown => None,
            None => {
                let finding = Finding::new(
                    word.span(),
                    format!("found '{request}', which no module, alias or built-in code bears"),
                    "expected a name that the file defines; one that nobody is to know stands \
                     in 'unknown-names'",
                );
                self.findings.push(finding.meaning(Some(self.line_to_add(request))));
                return None;
            }
        };
        let resolution = Resolution::NotFound;
        Some(Name { request: request.to_owned(), resolution, builtin })
    }

    /// What a module has to say to bear that name: the module that is called so or likest, or a new one.
    fn line_to_add(&self, request: &str) -> String {
        let bare = request.strip_prefix("fs-").unwrap_or(request);
        let names = || self.modules.iter().filter(|m| !m.built_in()).map(|m| m.name.as_str());
        let likest = suggest::spelled(bare, names()).or_else(|| names().next());
        let Some(module) = self.module(bare).or_else(|| self.module(likest?)) else {
            let aliases =
                if bare == request { "" } else { &format!("\naliases = [\"{request}\"]") };
            return format!("add a module:\n[[module]]\nname = \"{bare}\"{aliases}");
        };
        let Module { name, spec, .. } = &self.modules[module];
        let all = spec.aliases.iter().map(|alias| alias.get_ref().as_str()).chain([request]);
        let all: Vec<String> = all.map(|alias| format!("\"{alias}\"")).collect();
        format!("for an alias of module '{name}', write there: aliases = [{}]", all.join(", "))
    }

    fn get_fs_type(&mut self, word: &Spanned<String>) -> Option<Action> {
        if word.get_ref().contains('.') {
            self.findings.push(Finding::new(
                word.span(),
                format!("found file system '{}'", word.get_ref()),
                "expected a name without a dot: subtypes are not modelled",
            ));
            return None;
        }
        let request = format!("fs-{}", word.get_ref());
        let id = self.requested(&request, word)?;
        let builtin = self.names[usize::from(id)].0.builtin.as_ref().map(|b| b.name.clone());
        if let Some(module) = builtin.and_then(|name| self.module(&name))
            && !self.modules[module].registers()
        {
            self.findings.push(Finding::new(
                word.span(),
                format!("'{}' is built in and registers no file system", self.modules[module].name),
                "expected built-in code that registers it: anything else is not modelled",
            ));
            return None;
        }
        Some(Action::GetFsType(id))
    }

    /// A module that an actor acts on directly.
    fn acted_on(&mut self, word: &Spanned<String>) -> Option<ModuleId> {
        let Some(module) = self.module(word.get_ref()) else {
            self.findings.push(undefined(word, "module", self.modules));
            return None;
        };
        if self.modules[module].built_in() {
            self.findings.push(Finding::new(
                word.span(),
                format!("found built-in '{}'", word.get_ref()),
                "expected a module that can be loaded",
            ));
            return None;
        }
        self.direct.push(module);
        Some(number(module))
    }

    /// A module whose file is handed to the kernel, as the name that stands for it.
    fn inserted(&mut self, word: &Spanned<String>) -> Option<NameId> {
        let module = self.acted_on(word)?;
        let name = self.modules[usize::from(module)].name.clone();
        self.requested(&name, word)
    }

    /// Who exports a symbol that a program asks for.
    fn exporter(&mut self, alias: String, at: Range<usize>) {
        let exports = |m: &Module<'_>| m.spec.aliases.iter().any(|a| *a.get_ref() == alias);
        match self.modules.iter().position(|m| !m.built_in() && exports(m)) {
            Some(module) => {
                self.direct.push(module);
                self.symbols.push(alias);
            }
            None => self.findings.push(Finding::new(
                at,
                format!("found '{alias}', which no module exports"),
                &format!("expected a module with aliases = [\"{alias}\"]"),
            )),
        }
    }

    /// The modules whose states conditions speak of: those that nobody touches, too.
    pub(super) fn asked_about(&mut self, file: &schema::File) {
        let conditions = file.property.iter().flat_map(|p| [&p.never, &p.always, &p.exists]);
        let conditions: Vec<&str> = conditions.flatten().map(|c| c.get_ref().as_str()).collect();
        for (number, module) in self.modules.iter().enumerate() {
            let name = format!("\"{}\"", module.name);
            if !module.built_in() && conditions.iter().any(|text| text.contains(&name)) {
                self.direct.push(number);
            }
        }
    }

    /// Every module that somebody may touch, or is asked about, in the order of the file.
    pub(super) fn included(&self) -> Vec<usize> {
        let mut included = vec![false; self.modules.len()];
        let probed = self.names.iter().flat_map(|(n, _)| n.targets()).flat_map(Target::probed);
        let targets = self.names.iter().flat_map(|(n, _)| n.targets()).map(|t| t.module);
        let named = probed.chain(targets).map(usize::from);
        for module in named.chain(self.direct.iter().copied()) {
            included[module] = true;
            for needed in load_order(self.modules, module) {
                included[needed] = true;
            }
        }
        (0..self.modules.len()).filter(|m| included[*m]).collect()
    }

    /// Resolves what inits request, until there is nothing new.
    pub(super) fn nested(&mut self) {
        let mut done = vec![false; self.modules.len()];
        while let Some(module) = self.included().into_iter().find(|m| !done[*m]) {
            done[module] = true;
            if let Some(word) = &self.modules[module].spec.requests {
                self.requested(word.get_ref(), word);
            }
            let inner = self.of_modules.clone();
            for (_, request, word) in inner.iter().filter(|(of, ..)| *of == module) {
                self.requested(request, word);
            }
        }
    }

    /// What programs call, resolved.
    pub(super) fn called(&mut self, written: &programs::Written) {
        for (of, call, at) in written.calls(&mut self.findings) {
            if of.is_some() && kmodcheck_model::program::is_for_actors(&call) {
                self.findings.push(Finding::new(
                    at,
                    format!("found {}() in an init or exit", call.function),
                    "expected request_module(), or what takes one step",
                ));
                continue;
            }
            if let Some(request) = kmodcheck_model::program::requested(&call) {
                let word = Spanned::new(at, call.text.clone());
                match of {
                    // Who never loads that module requests nothing.
                    Some(module) => self.of_modules.push((module, request, word)),
                    None if call.function == "get_fs_type" => {
                        self.get_fs_type(&word);
                    }
                    None if call.function == "insmod" => {
                        self.inserted(&word);
                    }
                    None => {
                        self.requested(&request, &word);
                    }
                }
            } else if kmodcheck_model::program::module(&call).is_some() {
                self.acted_on(&Spanned::new(at, call.text.clone()));
            } else if let Some(alias) = kmodcheck_model::program::symbol(&call) {
                self.exporter(alias, at);
            }
        }
    }

    /// Whether `unknown-names` says what is so.
    pub(super) fn unknown(&mut self) {
        for word in &self.file.unknown_names {
            let asked = self.names.iter().any(|(n, _)| n.request == *word.get_ref());
            let (title, expected) = if !self.nobody_knows(word.get_ref()) {
                ("which the file defines", "expected a name that nobody knows")
            } else if !asked && self.findings.is_empty() {
                ("which nobody requests", "expected a requested name ('fs-NAME' for get_fs_type)")
            } else {
                continue;
            };
            let title = format!("found unknown name '{}', {title}", word.get_ref());
            self.findings.push(Finding::new(word.span(), title, expected));
        }
    }

    /// What a reader should know of how this was resolved.
    pub(super) fn notes(&self, actors: &[(Actor, Range<usize>)]) -> Vec<String> {
        let mut notes = Vec::new();
        let included = self.included();
        let left_out: Vec<&str> = (0..self.modules.len())
            .filter(|m| !included.contains(m) && !self.modules[*m].built_in())
            .map(|m| self.modules[m].name.as_str())
            .collect();
        if !left_out.is_empty() {
            notes.push(format!("left out, because nobody asks for it: {}", left_out.join(", ")));
        }
        let modprobe = self.modprobe();
        for module in included {
            let Module { name, spec, .. } = &self.modules[module];
            if spec.install.is_some() && modprobe.has_softdeps(name) {
                notes.push(format!(
                    "{name}: kmod ignores the install command of a module that has softdeps"
                ));
            }
        }
        let removes = |a: &Actor| match a.action {
            Action::ModprobeRemove(name) => Some(&self.names[usize::from(name)].0),
            _ => None,
        };
        let removed = actors.iter().filter_map(|(a, _)| removes(a)).flat_map(Name::targets);
        let names = removed.map(|target| &self.modules[usize::from(target.module)].name);
        if names.into_iter().any(|name| modprobe.has_softdeps(name)) {
            notes.push("modprobe -r leaves the softdeps of what it removes alone".to_owned());
        }
        notes
    }

    /// Puts it all together, the modules that nobody touches left out.
    pub(super) fn scenario(
        self,
        file_name: &str,
        actors: Vec<(Actor, Range<usize>)>,
        limit: Option<u8>,
        features: Features,
        written: &programs::Written,
    ) -> Result<Scenario, Vec<Finding>> {
        let included = self.included();
        if let Some(beyond) = included.get(MAX_MODULES) {
            return Err(vec![Finding::new(
                self.modules[*beyond].spec.name.span(),
                format!("found {} modules that somebody may touch", included.len()),
                &format!("expected at most {MAX_MODULES}; this is the first beyond"),
            )]);
        }
        let numbers: BTreeMap<usize, ModuleId> =
            included.iter().zip(0..).map(|(module, number)| (*module, number)).collect();
        let renumber = |module: ModuleId| numbers[&usize::from(module)];
        let name_id = |request: &str| {
            let place = self.names.iter().position(|(n, _)| n.request == request);
            place.map(number)
        };
        let file_systems: Vec<ModuleId> = self
            .names
            .iter()
            .filter(|(name, _)| name.request.starts_with("fs-"))
            .flat_map(|(name, _)| name.targets())
            .map(|target| target.module)
            .collect();
        let module = |place: &usize| {
            let Module { name, spec, needs } = &self.modules[*place];
            kmodcheck_model::scenario::Module {
                name: name.clone(),
                dependencies: needs.iter().map(|m| numbers[m]).collect(),
                init: match spec.init.as_ref().map(Spanned::get_ref) {
                    Some(schema::ModuleInit::Word(init)) => *init,
                    Some(schema::ModuleInit::Program(_)) | None => Init::default(),
                },
                init_program: written.init(*place),
                exit_program: written.exit(*place),
                registers: self.modules[*place].registers()
                    && (file_systems.contains(&number(*place)) || written.init(*place).is_some()),
                listed_builtin: self.modules[*place].listed_builtin(),
                name_taken: on(&spec.name_taken),
                requests: spec.requests.as_ref().and_then(|r| name_id(r.get_ref())),
                sysfs_may_fail: on(&spec.sysfs_may_fail),
                failure: spec.fails_at.as_ref().map(|at| Failure {
                    at: *at.get_ref(),
                    eexist: spec.fails_with.as_ref().map(Spanned::get_ref)
                        == Some(&schema::FailsWith::Eexist),
                }),
                compressed: on(&spec.compressed),
                no_exit: on(&spec.no_exit),
                async_probe: on(&spec.async_probe),
                blocked: targets::is_blocked(self.modprobe(), name),
                symbols: (self.symbols.iter())
                    .filter(|symbol| spec.aliases.iter().any(|a| a.get_ref() == *symbol))
                    .cloned()
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
            }
        };
        let modules = included.iter().map(module).collect();
        let renumbered = |(name, _): &(Name, Range<usize>)| {
            let mut name = name.clone();
            if let Resolution::Modules(targets) = &mut name.resolution {
                for target in targets {
                    target.module = renumber(target.module);
                    for probe in &mut target.probe {
                        probe.for_each(|probe| probe.module = renumber(probe.module));
                    }
                }
            }
            name
        };
        let acting = |(actor, _): &(Actor, Range<usize>)| Actor {
            action: match actor.action {
                Action::Rmmod(module) => Action::Rmmod(renumber(module)),
                Action::Udev(module) => Action::Udev(renumber(module)),
                action => action,
            },
            ..*actor
        };
        let scenario = Scenario {
            name: self.file.name.clone().unwrap_or_else(|| file_name.to_owned()),
            modules,
            names: self.names.iter().map(renumbered).collect(),
            actors: actors.iter().map(acting).collect(),
            helper: self.file.environment.helper,
            lsm_refuses: self.file.environment.lsm_refuses,
            exec_requests: self
                .file
                .environment
                .exec_requests
                .as_ref()
                .and_then(|request| name_id(request.get_ref())),
            limit,
            patched: Default::default(),
            modprobe_killable: self.file.environment.modprobe_killable,
            timeouts: self.file.environment.timeouts,
            programs: written.programs(),
            asks: Vec::new(),
            features,
        };
        self.accepted(scenario, &actors, written)
    }

    /// The scenario, if the model takes it.
    fn accepted(
        &self,
        scenario: Scenario,
        actors: &[(Actor, Range<usize>)],
        written: &programs::Written,
    ) -> Result<Scenario, Vec<Finding>> {
        if let Err(error) = kmodcheck_model::program::check(&scenario) {
            return Err(vec![written.finding(error)]);
        }
        let depth = nesting(&scenario);
        if depth > MAX_DEPTH {
            let requests = self.modules.iter().filter_map(|m| m.spec.requests.as_ref());
            let requests = requests.chain(self.of_modules.iter().map(|(.., word)| word));
            let mut spans: Vec<_> = requests.map(Spanned::span).collect();
            let span = spans.pop().unwrap_or_default();
            let also = spans.into_iter().map(|span| (span, "an init that requests".to_owned()));
            return Err(vec![Finding {
                also: also.collect(),
                ..Finding::new(
                    span,
                    format!("found inits whose requests nest {depth} deep"),
                    &format!("expected at most {MAX_DEPTH}"),
                )
            }]);
        }
        let last = actors.last().map(|(_, span)| span.clone()).unwrap_or_default();
        match Model::new(scenario, None) {
            // With its programs ready, so that what they do can be told.
            Ok(model) => Ok(model.scenario().clone()),
            Err(error) => Err(vec![Finding::new(last, error.what, "")]),
        }
    }
}
