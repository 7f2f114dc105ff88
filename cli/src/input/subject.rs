//! The one grammar of what a command is about, and its one loader: a file that is recognised by its
//! content, a built-in system by its name, the indexes of a real kernel, or a cell of the grand matrix;
//! and what is changed in it.

use std::path::Path;

use kmodcheck_explore::MAX_PROCESSES;
use kmodcheck_indexes::Modprobe;
use kmodcheck_model::Model;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, Features, SanityCheck};
use kmodcheck_model::model::validate;
use kmodcheck_model::presets::{KERNELS, KMODS};
use kmodcheck_model::presets::{SWITCHES, Side, Switch};
use kmodcheck_model::releases::{NEWEST_BUSYBOX, Release};
use kmodcheck_model::scenario::{Init, Scenario};
use kmodcheck_model::text::{Decisions, Patched};
use kmodcheck_properties::Property;
use kmodcheck_properties::matrix::{Cell, Kmod as CellKmod};
use kmodcheck_sim::scenario_file::closure::{self, Setting};
use kmodcheck_sim::scenario_file::{self, Change, Choice, Expected, rules};
use kmodcheck_sim::suggest;

use crate::args::subject::{Changes, Configured, Indexes, Releases, Subject as Arguments, System};
use crate::args::values::{Kernel, Kmod, kernels, kmods};
use crate::input::binary::{self, Place};
use crate::input::trace::{Run, Taken};
use crate::input::{config, files, kind, made_indexes, of_root};
use crate::output::Failure;

/// The race itself: `get_fs_type()` on v4.9 with kmod v19.
pub(crate) const RACE: Cell = Cell {
    naming: Naming::FsAndModule,
    environment: Environment::Ok,
    kmod: CellKmod::V19,
    check: SanityCheck::None,
    map: AliasMap::None,
};

/// Callers of a system that says nothing of them.
const CALLERS: u8 = 2;

/// What was asked for, in whichever command's arguments.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// A file, or the name of a built-in system.
    pub name: Option<&'a str>,
    pub indexes: &'a Indexes,
    pub env: Option<Environment>,
    pub naming: Option<Naming>,
    pub kernel: Option<Kernel>,
    pub kmod: Option<Kmod>,
    pub changes: &'a Changes,
    pub callers: Option<u8>,
}

impl<'a> Asked<'a> {
    /// `system` beside or in place of what is named.
    pub(crate) fn of(name: Option<&'a str>, system: &'a System, callers: Option<u8>) -> Self {
        let System { indexes, cell, releases, changes } = system;
        let Releases { kernel, kmod } = *releases;
        Self { name, indexes, env: cell.env, naming: cell.naming, kernel, kmod, changes, callers }
    }

    /// `race`, unless a system is asked for.
    pub(crate) fn or_race(self) -> Self {
        if self.is_none() { Self { name: Some("race"), ..self } } else { self }
    }

    /// Without a system nothing can be changed in it.
    pub(crate) fn changes_nothing(&self) -> Result<(), Failure> {
        let Changes { with, without, alias_map, limit, timeouts, patch, text, binary } =
            self.changes;
        let given = [
            ("--with", !with.is_empty()),
            ("--without", !without.is_empty()),
            ("--alias-map", alias_map.is_some()),
            ("--limit", limit.is_some()),
            ("--timeouts", *timeouts),
            ("--patch", !patch.is_empty()),
            ("--text", text.is_some()),
            ("--modprobe", binary.modprobe.is_some()),
            ("--callers", self.callers.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                Err(format!("found {flag} and no SUBJECT, expected {EXPECTED} with it").into())
            }
            None => Ok(()),
        }
    }

    /// As [`Asked::changes_nothing`], of what has releases of its own.
    pub(crate) fn says_nothing(&self) -> Result<(), Failure> {
        self.changes_nothing()?;
        let given = [("--kernel", self.kernel.is_some()), ("--kmod", self.kmod.is_some())];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                Err(format!("found {flag} and no SUBJECT, expected {EXPECTED} with it").into())
            }
            None => Ok(()),
        }
    }

    /// Whether nothing says which system.
    pub(crate) fn is_none(&self) -> bool {
        self.name.is_none()
            && self.indexes.modules.is_none()
            && self.env.is_none()
            && self.naming.is_none()
    }
}

impl<'a> From<&'a Arguments> for Asked<'a> {
    fn from(arguments: &'a Arguments) -> Self {
        let name = arguments.subject.as_deref();
        Self::of(name, &arguments.system, arguments.callers.callers)
    }
}

/// A system, where it comes from, and what was said of it.
#[derive(Clone)]
pub(crate) struct Subject {
    /// The file, directory or name.
    pub from: String,
    /// With all changes.
    pub scenario: Scenario,
    /// Where its switches come from.
    pub choice: Choice,
    /// What a reader should know of how names were resolved.
    pub notes: Vec<String>,
    /// The properties that the file judges, if it says which.
    pub judged: Option<Vec<Property>>,
    /// What the file expects.
    pub expected: Vec<(Property, Expected)>,
    /// What it expects of what it asks itself.
    pub expected_of_asked: Vec<(String, Expected)>,
    /// The run that is in the file.
    run: Option<Run>,
    /// What patches have made of it, in words.
    patched: Option<String>,
}

impl Subject {
    fn new(from: String, scenario: Scenario, choice: Choice) -> Self {
        // What programs do is told only of programs that are ready; whether they can be is found where the model is made.
        let scenario = match scenario.programs.is_empty() {
            true => scenario,
            false => Model::new(scenario.clone(), None).map_or(scenario, |m| m.scenario().clone()),
        };
        let (notes, expected, expected_of_asked) = (Vec::new(), Vec::new(), Vec::new());
        let patched = (!scenario.patched.is_none()).then(|| ", patched".to_owned());
        let (judged, run) = (None, None);
        Self { from, scenario, choice, notes, judged, expected, expected_of_asked, run, patched }
    }

    /// The system that was asked for. A run that it comes from has to be one.
    pub(crate) fn load(asked: &Asked<'_>) -> Result<Self, Failure> {
        let mut subject = Self::read(asked)?;
        if let Some(run) = &subject.run {
            run.take(&subject.from, &subject.scenario)??;
        }
        subject.change(asked)?;
        Ok(subject)
    }

    /// The run that was asked for, every step taken in its system as it is changed. `Ok(Err)`: it is well
    /// formed and fits no more.
    pub(crate) fn load_run(asked: &Asked<'_>) -> Result<Result<Taken, String>, Failure> {
        let mut subject = Self::read(asked)?;
        subject.change(asked)?;
        let Some(run) = &subject.run else {
            return Err(format!(
                "{}: found a scenario, expected a run: a saved trace, a recorded one or a witness; \
                 `kmodcheck check`, with the same words and --save-trace FILE, saves one",
                subject.from
            )
            .into());
        };
        run.take(&subject.from, &subject.scenario)
    }

    /// The run that is in the file, taken in its system as it is changed; `Some(Err)`: it is none of that.
    pub(crate) fn given(&self) -> Result<Option<Result<Taken, String>>, Failure> {
        self.run.as_ref().map(|run| run.take(&self.from, &self.scenario)).transpose()
    }

    /// What it is called, by whom it is given and in itself.
    pub(crate) fn named(&self) -> String {
        let (from, name) = (&self.from, &self.scenario.name);
        if from == name { from.clone() } else { format!("{from}: {name}") }
    }

    /// Its releases, and what differs from them, with what is known of them.
    pub(crate) fn releases(&self) -> String {
        let Choice { kernel, kmod, .. } = &self.choice;
        let words = self.releases_in_short();
        let all = known_of_releases(kernel, kmod);
        if all.is_empty() { words } else { format!("{words} ({})", all.join("; ")) }
    }

    /// Its releases, and what differs from them.
    pub(crate) fn releases_in_short(&self) -> String {
        let Choice { kernel, kmod, changes } = &self.choice;
        let mut words = format!("kernel {kernel}, kmod {kmod}");
        for change in changes {
            words += &match change {
                Change::With(setting) => format!(", with {setting}"),
                Change::Without(name) => format!(", without {name}"),
            };
        }
        words + self.patched.as_deref().unwrap_or_default()
    }

    /// Reads, or makes, it as it is.
    fn read(asked: &Asked<'_>) -> Result<Self, Failure> {
        Ok(match (asked.name, &asked.indexes.modules) {
            // A default name may stand beside what is given in its place.
            (_, Some(directory)) => from_indexes(asked, directory)?,
            _ if asked.env.is_some() || asked.naming.is_some() => from_cell(asked)?,
            (Some(name), None) => from_name(asked, name)?,
            (None, None) => {
                return Err(format!(
                    "found no SUBJECT, expected {EXPECTED}; or --modules DIR with --fs or --module, or \
                     --env E"
                )
                .into());
            }
        })
    }

    /// What is given beside the system counts for more.
    fn change(&mut self, asked: &Asked<'_>) -> Result<(), Failure> {
        if let Some(kernel) = asked.kernel {
            kernel.name.clone_into(&mut self.choice.kernel);
        }
        if let Some(kmod) = asked.kmod {
            kmod.name.clone_into(&mut self.choice.kmod);
        }
        self.choice.changes.extend(switches(asked.changes));
        let was = self.scenario.features;
        self.scenario.features = self.choice.features()?;
        // A release, or a switch, that is asked for takes the place of what a patch had made of another one.
        let (was, is) =
            (Decisions::of_features(&was), Decisions::of_features(&self.scenario.features));
        let Patched { listed, check, look, orders, binaries } = &mut self.scenario.patched;
        if asked.kmod.is_some() {
            binaries.clear();
        }
        if asked.kernel.is_some() || was.listed != is.listed {
            *listed = None;
        }
        if asked.kernel.is_some() || was.check != is.check {
            *check = None;
        }
        if asked.kernel.is_some() || was.orders != is.orders {
            *orders = None;
        }
        if asked.kmod.is_some() || was.look != is.look {
            *look = None;
        }
        if self.scenario.patched.is_none() {
            self.patched = None;
        }
        self.apply(asked.changes)?;
        self.scenario.timeouts |= asked.changes.timeouts;
        self.scenario.limit = asked.changes.limit.or(self.scenario.limit);
        self.replace_modprobe(asked)
    }

    /// Learns the program that stands in for modprobe.
    fn replace_modprobe(&mut self, asked: &Asked<'_>) -> Result<(), Failure> {
        let Some(typed) = &asked.changes.binary.modprobe else { return Ok(()) };
        let place = self.place(asked)?;
        let mut binaries = Vec::new();
        for id in self.scenario.name_ids() {
            let request = &self.scenario.names[usize::from(id)].request;
            let program = binary::program(typed, request)?;
            let (learned, _) = binary::learn(&program, &place)?;
            binaries.push(binary::for_model(&learned, &program, &self.scenario, id)?);
            self.notes.push(format!(
                "modprobe is {}: {} states, {} nodes",
                program.called(),
                learned.states,
                learned.automaton.nodes.len()
            ));
        }
        self.patched = Some(format!(", with modprobe {typed}"));
        self.scenario.patched.binaries = binaries;
        Ok(())
    }

    /// Where a program finds this system: on disk, or made for it.
    pub(crate) fn place<'a>(&self, asked: &Asked<'a>) -> Result<Place<'a>, Failure> {
        let root = asked.changes.binary.root.as_deref();
        let modules = self.scenario.modules.iter().map(|module| module.name.clone()).collect();
        let release = |directory: &Path| {
            let whole = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
            let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
            name.unwrap_or_default()
        };
        let (indexes, configuration) = match &asked.indexes.modules {
            Some(directory) => (directory.clone(), asked.indexes.configured.config.clone()),
            None => {
                let folder = binary::kept().unwrap_or_else(std::env::temp_dir);
                made_indexes::made(&self.scenario, &folder)?
            }
        };
        let release = release(&indexes);
        Ok(Place { indexes, release, root, configuration, modules })
    }

    /// Applies patches of the texts, one after the other.
    fn apply(&mut self, changes: &Changes) -> Result<(), Failure> {
        if !changes.patches() {
            return Ok(());
        }
        if !self.scenario.patched.is_none() {
            return Err(format!(
                "{}: found --patch beside a system that a patch has changed, expected one of a release",
                self.from
            )
            .into());
        }
        let texts = files::texts(changes.text.as_deref(), &changes.patch)?;
        let features = self.scenario.features;
        let decisions = texts.decisions(&features)?;
        decisions.apply(&mut self.scenario);
        let nothing = match decisions == Decisions::of_features(&features) {
            false => "",
            true => " (which changes nothing that these releases do here)",
        };
        let named = files::named(changes.text.as_deref(), &changes.patch);
        self.patched = Some(format!(", with {named}{nothing}"));
        Ok(())
    }

    pub(crate) fn model(&self) -> Result<Model, Failure> {
        Ok(Model::new(self.scenario.clone(), None)?)
    }

    /// What is judged: what the file says, or all but what makes more states for all the others; and whatever is expected.
    pub(crate) fn judges(&self) -> Vec<Property> {
        let unless_told = || Property::ALL.into_iter().filter(|p| !p.reads_failures()).collect();
        let mut judged = self.judged.clone().unwrap_or_else(unless_told);
        let expected = self.expected.iter().map(|(property, _)| *property);
        judged.extend(expected.filter(|property| property.reads_failures()));
        judged.sort_unstable();
        judged.dedup();
        judged
    }

    /// What the file expects of something that it asks itself.
    pub(crate) fn expects_of(&self, asked: &str) -> Option<Expected> {
        let of = self.expected_of_asked.iter().find(|(name, _)| name == asked);
        of.map(|(_, expected)| *expected)
    }

    /// For what numbers its processes one by one.
    pub(crate) fn small_model(&self) -> Result<Model, Failure> {
        let model = self.model()?;
        is_small(&self.from, &model)?;
        Ok(model)
    }
}

/// The busybox that was read and observed.
const READ_BUSYBOX: [u32; 2] = [1, 35];

/// What a reader should know of releases: why they have what they have. Of a preset its page says everything.
pub(crate) fn known_of_releases(kernel: &str, kmod: &str) -> Vec<String> {
    let mut all = Vec::new();
    let kernels = (KERNELS.contains(&kernel), Release::kernel(kernel));
    let kmods = (KMODS.contains(&kmod), Release::kmod(kmod));
    for (is_preset, release) in [kernels, kmods] {
        if let (false, Ok(release)) = (is_preset, release) {
            all.extend(release.notes());
        }
    }
    if let Some(Ok([major, minor])) = Release::busybox(kmod)
        && [major, minor] != READ_BUSYBOX
    {
        let newer = if [major, minor] > NEWEST_BUSYBOX { ", newer than what was read" } else { "" };
        all.push(format!("busybox {major}.{minor}{newer}: its modprobe is taken for 1.35.0's"));
    }
    all
}

/// Whether what numbers processes one by one takes the model. `from`: what it was read from.
pub(crate) fn is_small(from: &str, model: &Model) -> Result<(), Failure> {
    let processes = model.processes().len();
    if processes > MAX_PROCESSES {
        return Err(
            format!("{from}: {processes} processes, expected at most {MAX_PROCESSES}").into()
        );
    }
    Ok(())
}

/// The switches that are set, in this order.
pub(crate) fn switches(changes: &Changes) -> impl Iterator<Item = Change> {
    let Changes { with, without, alias_map, .. } = changes;
    let map = alias_map.iter().map(|map| Change::With(format!("alias-map={map}")));
    let with = with.iter().cloned().map(Change::With);
    map.chain(with).chain(without.iter().cloned().map(Change::Without))
}

/// What a SUBJECT may be.
const EXPECTED: &str = "a file (a scenario in TOML or JSON, or a saved trace; - for standard input), 'race', or a cell of the \
                        matrix such as 'fs-ext4 ok v19 none none'";

fn from_name(asked: &Asked<'_>, name: &str) -> Result<Subject, Failure> {
    let path = Path::new(name);
    let wanted = name.replace('/', " ");
    let is = |cell: &Cell| cell.to_string().split(' ').eq(wanted.split_whitespace());
    let cell = match name {
        _ if path.exists() => None,
        "race" => Some(RACE),
        _ => Cell::all().into_iter().find(is),
    };
    if let Some(cell) = cell {
        let model = cell.model(asked.callers.unwrap_or(CALLERS), None);
        let scenario = model.scenario().clone();
        let choice = derived(&scenario.features, asked);
        return Ok(Subject::new(name.to_owned(), scenario, choice));
    }
    if name == "-" {
        if asked.callers.is_some() {
            return Err("found --callers beside a file, which says who calls".into());
        }
        return from_text(asked, "standard input", &files::read_standard_input()?);
    }
    if !path.exists() && !name.contains(['.', '/']) {
        let cells: Vec<String> = Cell::all().iter().map(ToString::to_string).collect();
        let known = cells.iter().map(String::as_str).chain(["race"]);
        let meant = suggest::did_you_mean(&wanted, known);
        let meant = meant.map_or(String::new(), |meant| format!("; {meant}"));
        return Err(format!("found scenario '{name}', expected {EXPECTED}{meant}").into());
    }
    let text = files::read(path)?;
    if asked.callers.is_some() {
        return Err(format!("{name}: found --callers beside a file, which says who calls").into());
    }
    from_text(asked, name, &text)
}

/// What a file is, by its content.
fn from_text(asked: &Asked<'_>, name: &str, text: &str) -> Result<Subject, Failure> {
    if kmodcheck_lang::text::is_litmus(text) {
        let found = format!("{name}: found a litmus test, expected a system of the model");
        return Err(format!("{found}: `kmodcheck check FILE` alone takes a litmus test").into());
    }
    let is_json = text.trim_start().starts_with('{')
        || Path::new(name).extension().is_some_and(|extension| extension == "json");
    if !is_json {
        return from_toml(name, text);
    }
    let located =
        |error: serde_json::Error| format!("{name}:{}:{}: {error}", error.line(), error.column());
    let says = serde_json::from_str::<serde_json::Value>(text).ok();
    // Whatever says its format, or looks like nothing that is known, has to be a run.
    let is_scenario =
        |value: &serde_json::Value| value.get("format").is_none() && value.get("actors").is_some();
    if says.as_ref().is_some_and(is_scenario) {
        let scenario: Scenario = serde_json::from_str(text).map_err(located)?;
        validate(&scenario).map_err(|what| format!("{name}: {what}"))?;
        let choice = derived(&scenario.features, asked);
        return Ok(Subject::new(name.to_owned(), scenario, choice));
    }
    let expected = ["a scenario", "a saved trace", "a recorded trace", "a witness"];
    let run =
        Run::parse(name, text).map_err(|error| kind::instead(name, text, &expected, error))?;
    let scenario = run.scenario().clone();
    let choice = derived(&scenario.features, asked);
    Ok(Subject { run: Some(run), ..Subject::new(name.to_owned(), scenario, choice) })
}

fn from_toml(name: &str, text: &str) -> Result<Subject, Failure> {
    let names = Property::ALL.map(Property::name);
    let loaded = scenario_file::load(name, text, &names)
        .map_err(|error| kind::instead(name, text, &["a scenario"], error.into()))?;
    // load() was told the names.
    let judged = loaded
        .properties
        .map(|names| names.iter().filter_map(|name| Property::from_name(name)).collect::<Vec<_>>());
    let of_asked = loaded.expect.iter().filter(|(name, _)| Property::from_name(name).is_none());
    let expected =
        loaded.expect.iter().filter_map(|(name, e)| Some((Property::from_name(name)?, *e)));
    Ok(Subject {
        notes: loaded.notes,
        judged,
        expected: expected.collect(),
        expected_of_asked: of_asked.cloned().collect(),
        ..Subject::new(name.to_owned(), loaded.scenario, loaded.choice)
    })
}

fn from_indexes(asked: &Asked<'_>, directory: &Path) -> Result<Subject, Failure> {
    let from = directory.display().to_string();
    let Indexes { fs, module, init_may_fail, .. } = asked.indexes;
    let (get_fs_type, request) = match (fs, module) {
        (Some(fs), _) => (true, format!("fs-{fs}")),
        (None, Some(module)) => (false, module.clone()),
        (None, None) => {
            return Err(format!(
                "found --modules {from} alone, expected --fs FS or --module NAME with it"
            )
            .into());
        }
    };
    let (mut choice, note) = of_machine(asked, directory)?;
    if let Some(kmod) = asked.kmod {
        kmod.name.clone_into(&mut choice.kmod);
    }
    let features = choice.features()?;
    let setting = Setting {
        get_fs_type,
        request,
        callers: asked.callers.unwrap_or(CALLERS),
        init: if *init_may_fail { Init::MayFail } else { Init::Succeeds },
        timeouts: asked.changes.timeouts,
        features,
    };
    let index = files::read_index(directory)?;
    let root = asked.changes.binary.root.as_deref();
    let configured = beside_program(asked)?;
    let config::Read { config, notes } = config::read(&configured, root, directory, &choice.kmod)?;
    let modprobe = Modprobe { index: &index, config: &config, rules: rules(&features.kmod) };
    let scenario =
        closure::scenario(modprobe, &setting).map_err(|error| format!("{from}: {error}"))?;
    let ignored = unheeded(modprobe, &scenario);
    let mut subject = Subject::new(from, scenario, choice);
    subject.notes.extend(note.into_iter().chain(notes).chain(ignored));
    Ok(subject)
}

/// The configuration that is asked for. A program in modprobe's place has none unless it is said, and an empty command
/// line; the model is of the same system.
fn beside_program(asked: &Asked<'_>) -> Result<Configured, Failure> {
    let mut configured = asked.indexes.configured.clone();
    let binary = &asked.changes.binary;
    if binary.modprobe.is_none() {
        return Ok(configured);
    }
    if configured.cmdline.is_some() {
        return Err("found --cmdline beside --modprobe, expected one of them: the program finds an empty command line".into());
    }
    match &configured.config {
        Some(_) if binary.root.is_some() => {
            Err("found --config beside --root, expected one of them: the program reads what is below --root".into())
        }
        Some(config) if !config.is_dir() => Err(format!(
            "{}: found no directory, expected --config DIR beside --modprobe: the program finds it as /etc/modprobe.d",
            config.display()
        )
        .into()),
        Some(_) => Ok(configured),
        None => {
            configured.no_config |= binary.root.is_none();
            Ok(configured)
        }
    }
}

/// What of the configuration modprobe does not heed for these modules.
fn unheeded(modprobe: Modprobe<'_>, scenario: &Scenario) -> Vec<String> {
    let mut notes = Vec::new();
    for module in &scenario.modules {
        let name = &module.name;
        for place in modprobe.unheeded_softdeps(name) {
            notes.push(format!("{place}: kmod heeds only the first softdep line about {name}"));
        }
        if let Some(line) = modprobe.config.install_command(name)
            && modprobe.has_softdeps(name)
        {
            notes.push(format!(
                "{}: kmod ignores the install command of {name}, because it has softdeps",
                line.place
            ));
        }
    }
    notes
}

/// The releases of a machine whose indexes these are: what is asked for; or else the kernel by the directory's name, as
/// in /lib/modules, and the kmod that is installed; and what a reader should know of that.
fn of_machine(asked: &Asked<'_>, directory: &Path) -> Result<(Choice, Option<String>), Failure> {
    let mut choice = oldest();
    if asked.kernel.is_some() {
        return Ok((choice, None));
    }
    let whole = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let name = whole.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if Release::kernel(name).is_err() {
        let kmod =
            if asked.kmod.is_some() { String::new() } else { format!(", kmod {}", choice.kmod) };
        let note = format!(
            "taken for kernel {}{kmod}: none is said, and '{name}' is no release",
            choice.kernel
        );
        return Ok((choice, Some(note)));
    }
    let root = config::root_of(&whole);
    let mut note = format!("kernel {name}, as the directory is called");
    choice.kernel = match root.as_deref().and_then(|root| of_root::base(root, name)) {
        Some((base, file)) => {
            note += &format!(", built from {base}, as {} says", file.display());
            base
        }
        None => name.to_owned(),
    };
    if asked.kmod.is_some() {
        return Ok((choice, Some(note)));
    }
    let (kmod, whose) = match root.filter(|root| root != Path::new("/")) {
        Some(root) => match of_root::modprobe(&root) {
            Some((kmod, file)) => (kmod, format!("as {} says", file.display())),
            None => {
                return Err(format!(
                    "{}: found no modprobe whose release can be read, expected --kmod RELEASE",
                    root.display()
                )
                .into());
            }
        },
        None => (installed_kmod(directory)?, "which is installed".to_owned()),
    };
    note += &format!("; kmod {kmod}, {whose}");
    choice.kmod = kmod;
    Ok((choice, Some(note)))
}

/// The release of this machine's kmod.
fn installed_kmod(directory: &Path) -> Result<String, Failure> {
    let version = std::process::Command::new("modprobe").arg("--version").output();
    let version = version.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let kmod = version
        .as_deref()
        .and_then(|text| text.split_whitespace().nth(2))
        .filter(|text| Release::kmod(text).is_ok());
    match kmod {
        Some(kmod) => Ok(kmod.to_owned()),
        None => Err(format!(
            "{}: found no kmod that is installed, expected --kmod RELEASE",
            directory.display()
        )
        .into()),
    }
}

fn from_cell(asked: &Asked<'_>) -> Result<Subject, Failure> {
    let environment = asked.env.unwrap_or(Environment::Ok);
    let naming = asked.naming.unwrap_or(Naming::FsAndModule);
    let choice = oldest();
    let callers = asked.callers.unwrap_or(environment.callers());
    let scenario =
        kmodcheck_model::builtin::scenario(naming, environment, choice.features()?, callers);
    let from = format!("--env {} --naming {}", environment.name(), naming.name());
    Ok(Subject::new(from, scenario, choice))
}

/// The releases of a system that names none.
fn oldest() -> Choice {
    Choice {
        kernel: scenario_file::DEFAULT_KERNEL.to_owned(),
        kmod: scenario_file::DEFAULT_KMOD.to_owned(),
        changes: Vec::new(),
    }
}

/// Switches that nobody gave by the names of releases: the nearest releases, the oldest of these, and
/// what differs from them. A release that is asked for takes the place of all its side's switches.
fn derived(features: &Features, asked: &Asked<'_>) -> Choice {
    let differing = |side, mine: Features| {
        let of_side = SWITCHES.iter().filter(move |switch| switch.side == side);
        of_side.filter(move |switch| switch.get(&mine) != switch.get(features))
    };
    let mut kernel = kernels().into_iter().map(|kernel| {
        let mine = Features { kernel: kernel.features, ..*features };
        (kernel.name, differing(Side::Kernel, mine).collect::<Vec<&Switch>>())
    });
    let mut kmod = kmods().into_iter().map(|kmod| {
        let mine = Features { kmod: kmod.features, ..*features };
        (kmod.name, differing(Side::Kmod, mine).collect::<Vec<&Switch>>())
    });
    let nearest = |releases: &mut dyn Iterator<Item = (&'static str, Vec<&'static Switch>)>| {
        releases.min_by_key(|(_, differing)| differing.len()).unwrap_or_default()
    };
    let (kernel, mut changed) = nearest(&mut kernel);
    let (kmod, of_kmod) = nearest(&mut kmod);
    changed.extend(of_kmod);
    let replaced = |switch: &Switch| match switch.side {
        Side::Kernel => asked.kernel.is_some(),
        Side::Kmod => asked.kmod.is_some(),
    };
    let changes = changed.into_iter().filter(|switch| !replaced(switch));
    let changes = changes.map(|s| Change::With(format!("{}={}", s.name, s.get(features))));
    Choice { kernel: kernel.to_owned(), kmod: kmod.to_owned(), changes: changes.collect() }
}
