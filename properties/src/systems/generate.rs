//! Generated scenarios: module graphs, outcomes, names, actors, environments, switches. Each is drawn as
//! a scenario file and read as one, so that whatever a file can say can be drawn; `tests/drawn.rs` counts
//! which words, switches and pairs of them are. Written so that what a shrunk value is built from is the
//! plainest: one module, one caller, v4.9, no environment.
//!
//! Tests hold descriptions and explorers against each other on them; campaigns of random walks look on
//! them for violations that nobody thought of ([`crate::runs::sample`]).

use std::fmt::Write;

use kmodcheck_explore::MAX_PROCESSES;
use kmodcheck_model::Scenario;
use kmodcheck_model::presets::{self, SWITCHES, Side};
use kmodcheck_model::scenario::{FailsAt, Failure};
use kmodcheck_sim::scenario_file;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Most modules that can be loaded.
const MODULES: usize = 3;

/// Most names that are asked for.
const NAMES: usize = 3;

/// A module that can be loaded.
#[derive(Clone, Debug)]
struct Module {
    init: &'static str,
    /// Bit 0: needs the next module; bit 1: the one after it.
    needs: u8,
    /// Softdeps: how far behind it the module is that is loaded before it, and after it.
    pre: Option<usize>,
    post: Option<usize>,
    /// Bears the file system's alias; for the first module [`System::fs`] says so.
    serves: bool,
    /// Bears an alias with a wildcard.
    wildcard: bool,
    registers: Option<bool>,
    /// What its init requests, as a place in what can be asked for.
    requests: Option<usize>,
    install: bool,
    sysfs_may_fail: bool,
    name_taken: bool,
    listed_builtin: bool,
    blacklisted: bool,
    compressed: bool,
    no_exit: bool,
}

/// Built-in code.
#[derive(Clone, Copy, Debug)]
struct BuiltIn {
    /// The first name is its.
    first: bool,
    listed: bool,
    parameters: bool,
    version: bool,
    serves: bool,
    registers: bool,
    driver: bool,
}

/// What an actor does; the plainest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// `get_fs_type()` or `request_module()`, whichever fits the first name.
    Plain,
    Modprobe,
    Insmod,
    Rmmod,
    ModprobeRemove,
    Nowait,
    RequestModule,
    GetFsType,
    Udev,
}

#[derive(Clone, Copy, Debug)]
struct Actor {
    call: Call,
    /// What it is about: 0 is the first name, or the first module.
    about: usize,
    twice: bool,
    killable: Option<bool>,
}

#[derive(Clone, Debug)]
struct Environment {
    helper: &'static str,
    lsm_refuses: bool,
    limit: Option<u8>,
    timeouts: bool,
}

/// All that is drawn.
#[derive(Clone, Debug)]
struct System {
    kernel: &'static str,
    kmod: &'static str,
    /// By switch: the value that it is set to, as a place among its values.
    switches: Vec<Option<usize>>,
    modules: Vec<Module>,
    builtin: Option<BuiltIn>,
    /// Whether the first name is that of a file system.
    fs: bool,
    actors: Vec<Actor>,
    environment: Environment,
    /// Boot has not ended, if that makes a difference: its late initcalls are the last actor's.
    boots: bool,
}

/// The number of a place at which a load may fail.
fn place_of(at: FailsAt) -> usize {
    FailsAt::ALL.iter().position(|(_, place)| *place == at).expect("all are listed")
}

fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.15)
}

/// Some of these, with such a probability.
fn some<S: Strategy>(probability: f64, of: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::weighted(probability, of)
}

fn module() -> impl Strategy<Value = Module> {
    let init = prop_oneof![
        4 => Just("succeeds"),
        2 => Just("may-fail"),
        1 => Just("may-return-eexist"),
        1 => Just("fails"),
    ];
    let graph = (0..4_u8, some(0.2, 1..MODULES), some(0.2, 1..MODULES));
    let named = (prop::bool::weighted(0.4), rarely(), some(0.3, any::<bool>()));
    let asks = (some(0.15, 0..8_usize), rarely());
    let rest = (rarely(), rarely(), rarely(), rarely(), prop::bool::weighted(0.3), rarely());
    (init, graph, named, asks, rest).prop_map(
        |(init, (needs, pre, post), (serves, wildcard, registers), (requests, install), rest)| {
            let (sysfs_may_fail, name_taken, listed_builtin, blacklisted, compressed, no_exit) =
                rest;
            Module {
                init,
                needs,
                pre,
                post,
                serves,
                wildcard,
                registers,
                requests,
                install,
                sysfs_may_fail,
                name_taken,
                listed_builtin,
                blacklisted,
                compressed,
                no_exit,
            }
        },
    )
}

fn builtin() -> impl Strategy<Value = BuiltIn> {
    let mostly = || prop::bool::weighted(0.7);
    (any::<bool>(), mostly(), any::<bool>(), any::<bool>(), mostly(), mostly(), any::<bool>())
        .prop_map(|(first, listed, parameters, version, serves, registers, driver)| BuiltIn {
            first,
            listed,
            parameters,
            version,
            serves,
            registers,
            driver,
        })
}

fn actor() -> impl Strategy<Value = Actor> {
    let call = prop_oneof![
        5 => Just(Call::Plain),
        2 => Just(Call::Modprobe),
        2 => Just(Call::Rmmod),
        2 => Just(Call::ModprobeRemove),
        1 => Just(Call::Nowait),
        1 => Just(Call::RequestModule),
        1 => Just(Call::GetFsType),
        2 => Just(Call::Udev),
    ];
    let about = prop_oneof![3 => Just(0), 2 => 0..8_usize];
    (call, about, rarely(), some(0.4, any::<bool>())).prop_map(|(call, about, twice, killable)| {
        // One of five who unload a module, or listen for it, loads it instead.
        let instead = matches!(call, Call::Rmmod | Call::Udev) && about >= 4;
        let call = if instead { Call::Insmod } else { call };
        Actor { call, about, twice, killable }
    })
}

fn environment() -> impl Strategy<Value = Environment> {
    let helper = prop_oneof![
        10 => Just("present"),
        1 => Just("missing"),
        1 => Just("not-executable"),
        1 => Just("empty-path"),
        1 => Just("disabled"),
    ];
    let limit = prop_oneof![4 => Just(None), 1 => (1..=2_u8).prop_map(Some)];
    (helper, prop::bool::weighted(0.08), limit, any::<bool>()).prop_map(
        |(helper, lsm_refuses, limit, timeouts)| Environment {
            helper,
            lsm_refuses,
            limit,
            timeouts,
        },
    )
}

/// One of these. They have no order in which a failure would go away, so the first is tried by itself
/// when the others are shrunk.
fn preset(all: &[&'static str]) -> impl Strategy<Value = &'static str> + use<> {
    let weight = u32::try_from(all.len()).expect("a few presets");
    prop_oneof![1 => Just(all[0]), weight => prop::sample::select(all.to_vec())]
}

/// Two systems of five are presets as they are; in the others, switches of a `free` side are set one by
/// one.
fn switches(free: impl Fn(Side) -> bool) -> impl Strategy<Value = Vec<Option<usize>>> {
    let one = |switch: &presets::Switch| {
        let values = switch.values.len();
        if free(switch.side) { some(0.5, 0..values).boxed() } else { Just(None).boxed() }
    };
    let set: Vec<_> = SWITCHES.iter().map(one).collect();
    prop_oneof![2 => Just(vec![None; SWITCHES.len()]), 3 => set]
}

impl System {
    /// The file.
    fn text(&self) -> String {
        let mut out = String::new();
        let Self { kernel, kmod, environment, .. } = self;
        writeln!(out, "name = \"generated, on {kernel} with kmod {kmod}\"").expect(TAKES);
        let (names, actors) = self.actors_text();
        let unknown: Vec<&String> = names.iter().filter(|n| n.ends_with(UNKNOWN)).collect();
        if !unknown.is_empty() {
            writeln!(out, "unknown-names = {unknown:?}").expect(TAKES);
        }
        writeln!(out, "[features]\nkernel = {kernel:?}\nkmod = {kmod:?}").expect(TAKES);
        let set = || {
            let set = SWITCHES.iter().zip(&self.switches);
            set.filter_map(|(switch, value)| Some((switch, (*value)?)))
        };
        let with = set().filter(|(_, value)| *value > 0);
        let with = with.map(|(switch, value)| format!("{}={}", switch.name, switch.values[value]));
        let without = set().filter(|(_, value)| *value == 0).map(|(switch, _)| switch.name);
        let (with, without): (Vec<_>, Vec<_>) = (with.collect(), without.collect());
        writeln!(out, "with = {with:?}\nwithout = {without:?}").expect(TAKES);
        let Environment { helper, lsm_refuses, limit, timeouts } = environment;
        writeln!(
            out,
            "[environment]\nhelper = {helper:?}\nlsm-refuses = {lsm_refuses}\ntimeouts = {timeouts}"
        )
        .expect(TAKES);
        if let Some(limit) = limit {
            writeln!(out, "limit = {limit}").expect(TAKES);
        }
        for place in 0..self.modules.len() {
            out.push_str(&self.module_text(place, &names));
        }
        if let Some(BuiltIn { listed, parameters, version, serves, registers, driver, .. }) =
            self.builtin
        {
            let aliases: &[&str] = if serves { &["fs-b"] } else { &[] };
            writeln!(
                out,
                "[[module]]\nname = \"b\"\nbuilt-in = true\nlisted-builtin = {listed}\n\
                 parameters = {parameters}\nversion = {version}\ndriver = {driver}\n\
                 aliases = {aliases:?}\nregisters = {registers}"
            )
            .expect(TAKES);
        }
        out.push_str(&actors);
        out
    }

    fn module_text(&self, place: usize, names: &[String]) -> String {
        let module = &self.modules[place];
        let later = |by: usize| Some(place + by).filter(|other| *other < self.modules.len());
        let bits = [(1, 1), (2, 2)].into_iter();
        let needs = bits.filter(|(bit, _)| module.needs & bit != 0).filter_map(|(_, by)| later(by));
        let needs: Vec<String> = needs.map(|other| format!("m{other}")).collect();
        let mut aliases = Vec::new();
        if self.serves(place) {
            aliases.push("fs-x");
        }
        if module.wildcard {
            aliases.push("al-*");
        }
        let Module { init, sysfs_may_fail, name_taken, listed_builtin, .. } = module;
        let failure = self.failure(place);
        let sysfs_may_fail = *sysfs_may_fail && (failure.is_none() || *init == "may-fail");
        let Module { blacklisted, compressed, no_exit, .. } = module;
        // It says nothing where nobody schedules anything.
        let async_probe = compressed != no_exit;
        let mut out = format!(
            "[[module]]\nname = \"m{place}\"\nbuilt-in = false\ninit = {init:?}\n\
             sysfs-may-fail = {sysfs_may_fail}\nname-taken = {name_taken}\n\
             listed-builtin = {listed_builtin}\nblacklisted = {blacklisted}\n\
             compressed = {compressed}\nno-exit = {no_exit}\nasync-probe = {async_probe}\ndependencies = {needs:?}\n\
             aliases = {aliases:?}\n"
        );
        if let Some(failure) = failure {
            let error = if failure.eexist { "-EEXIST" } else { "another error" };
            let (at, _) = FailsAt::ALL[place_of(failure.at)];
            writeln!(out, "fails-at = {at:?}\nfails-with = {error:?}").expect(TAKES);
        }
        let softdep = |by: Option<usize>| by.and_then(later).map(|other| format!("m{other}"));
        let words = [("pre", softdep(module.pre)), ("post", softdep(module.post))];
        let words = words.into_iter().filter_map(|(when, name)| Some((when, name?)));
        let softdeps: Vec<String> =
            words.map(|(when, name)| format!("{when} = [{name:?}]")).collect();
        if !softdeps.is_empty() {
            writeln!(out, "softdeps = {{ {} }}", softdeps.join(", ")).expect(TAKES);
        }
        if module.install {
            // One of the two, by what was drawn already: the draws of a seed stay what they were.
            let command = match (module.compressed, module.no_exit || module.wildcard) {
                (true, _) => "/bin/false",
                (false, true) => "exit 17",
                (false, false) => "/bin/true",
            };
            out.push_str(&format!("install = \"{command}\"\n"));
        }
        if let Some(registers) = module.registers {
            writeln!(out, "registers = {registers}").expect(TAKES);
        }
        // Of three inits that request something one could run in that of another that does in a third's.
        let before = self.modules[..place].iter().filter(|m| m.requests.is_some()).count();
        if let Some(request) = module.requests.filter(|_| before < 2) {
            let known: Vec<&String> = names.iter().filter(|n| !n.ends_with(UNKNOWN)).collect();
            if let Some(name) = known.get(request % known.len().max(1)) {
                writeln!(out, "requests = {name:?}").expect(TAKES);
            }
        }
        out
    }

    /// Where a load may fail, of a module whose set-up of sysfs may: chosen by what was drawn already, so that the draws
    /// of a seed stay what they were.
    fn failure(&self, place: usize) -> Option<Failure> {
        let module = &self.modules[place];
        if !module.sysfs_may_fail {
            return None;
        }
        let bit = |set: bool, value: usize| if set { value } else { 0 };
        let drawn = usize::from(module.needs)
            + bit(module.compressed, 4)
            + bit(module.wildcard, 8)
            + bit(self.environment.timeouts, 16);
        let (_, at) = *FailsAt::ALL.get(drawn % 9)?;
        let unloads =
            self.actors.iter().any(|a| matches!(a.call, Call::Rmmod | Call::ModprobeRemove));
        if at == FailsAt::ReadOnly && (unloads || self.serves(place)) {
            return None;
        }
        let eexist = at.may_say_eexist() && (module.pre.is_some() || drawn % 2 == 0);
        Some(Failure { at, eexist })
    }

    fn serves(&self, place: usize) -> bool {
        self.fs && (place == 0 || self.modules[place].serves)
    }

    /// What can be asked for; the first name first.
    fn requests(&self) -> Vec<String> {
        let mut all = vec![if self.fs { "fs-x".to_owned() } else { "m0".to_owned() }];
        if self.fs {
            all.push("m0".to_owned());
        }
        if self.modules.iter().any(|m| m.wildcard) {
            all.push("al-1".to_owned());
        }
        all.extend((1..self.modules.len()).map(|place| format!("m{place}")));
        all.push(format!("fs-{UNKNOWN}"));
        if let Some(builtin) = self.builtin {
            all.push("b".to_owned());
            if builtin.listed && builtin.serves && builtin.registers {
                all.push("fs-b".to_owned());
            }
            if builtin.first {
                all.rotate_right(1);
            }
        }
        all
    }

    /// Whether late initcalls have something to make that somebody may look for.
    fn boots(&self) -> bool {
        let code = |code: BuiltIn| code.parameters || code.version;
        self.boots && (self.builtin.is_some_and(code) || self.modules.iter().any(|m| m.name_taken))
    }

    /// The names that the actors ask for, each once, and the actors.
    fn actors_text(&self) -> (Vec<String>, String) {
        let (requests, mut names, mut out) = (self.requests(), Vec::<String>::new(), String::new());
        let most = self.actors.len();
        let (mut total, mut leaving) = (0, 0);
        for (number, actor) in self.actors.iter().enumerate() {
            if total == most {
                break;
            }
            if number > 0 && total + 1 == most && self.boots() {
                out.push_str("[[actor]]\ncall = \"late_initcalls\"\ncount = 1\nkillable = false\n");
                break;
            }
            // Somebody asks the kernel.
            let asks = !matches!(
                actor.call,
                Call::Modprobe | Call::Insmod | Call::Rmmod | Call::ModprobeRemove | Call::Udev
            );
            let call = if number == 0 && !asks { Call::Plain } else { actor.call };
            let mut name = requests[actor.about % requests.len()].clone();
            let file_systems: Vec<&String> =
                requests.iter().filter(|name| name.starts_with("fs-")).collect();
            let get_fs_type =
                call == Call::GetFsType || call == Call::Plain && name.starts_with("fs-");
            if get_fs_type && !name.starts_with("fs-") {
                name = file_systems[actor.about % file_systems.len()].clone();
            }
            if !names.contains(&name) && names.len() == NAMES {
                let fits = |known: &&String| !get_fs_type || known.starts_with("fs-");
                match names.iter().find(fits) {
                    Some(known) => name = known.clone(),
                    None => continue,
                }
            }
            let module = format!("m{}", actor.about % self.modules.len());
            let (word, about) = match call {
                _ if get_fs_type => ("get_fs_type", name["fs-".len()..].to_owned()),
                Call::Plain | Call::RequestModule | Call::GetFsType => {
                    ("request_module", name.clone())
                }
                Call::Nowait => ("request_module_nowait", name.clone()),
                Call::Modprobe => ("modprobe", name.clone()),
                Call::ModprobeRemove => ("modprobe -r", name.clone()),
                Call::Insmod => ("insmod", module),
                Call::Rmmod => ("rmmod", module),
                Call::Udev => ("udev", module),
            };
            let of_a_module = matches!(call, Call::Insmod | Call::Rmmod | Call::Udev);
            if !of_a_module && !names.contains(&name) {
                names.push(name);
            }
            let count = if actor.twice && total + 2 <= most { 2 } else { 1 };
            total += count;
            writeln!(out, "[[actor]]\ncall = {word:?}\nname = {about:?}\ncount = {count}")
                .expect(TAKES);
            // Who leaves a modprobe behind makes one more process.
            let room = MAX_PROCESSES - most - NAMES;
            let waits = !matches!(call, Call::Rmmod | Call::Udev | Call::ModprobeRemove);
            let leaves = call == Call::Nowait || actor.killable == Some(true) && waits;
            let killable = actor.killable.map(|killable| {
                killable && waits && (call == Call::Modprobe || leaving + count <= room)
            });
            leaving += if leaves { count } else { 0 };
            if let Some(killable) = killable {
                writeln!(out, "killable = {killable}").expect(TAKES);
            }
        }
        (names, out)
    }
}

/// Why writing to a string cannot fail.
const TAKES: &str = "a string takes everything";

/// A name, and the end of one, that nobody knows.
const UNKNOWN: &str = "nobody";

/// A drawn scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The scenario file, as `docs/scenarios.md` has them.
    pub text: String,
    /// What it says.
    pub scenario: Scenario,
}

/// What is drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Most actors, from 1 to 8.
    pub actors: usize,
    /// Kernel presets, by name. If they are all, the kernel's switches are also set one by one.
    pub kernels: Vec<&'static str>,
    /// kmod presets, by name. If they are all, kmod's switches are also set one by one.
    pub kmods: Vec<&'static str>,
}

impl Space {
    /// Every preset, and so many actors at most.
    #[must_use]
    pub fn of(actors: usize) -> Self {
        Self { actors, kernels: presets::KERNELS.to_vec(), kmods: presets::KMODS.to_vec() }
    }

    /// A file of that space, as text: the same for the same seed.
    pub fn draw_text(&self, seed: u64) -> String {
        self.draw(seed).current().text
    }

    /// The scenario of this seed, with all that it can be shrunk to.
    ///
    /// # Panics
    /// If there is nothing to be drawn from.
    #[must_use]
    pub fn draw(&self, seed: u64) -> impl ValueTree<Value = Generated> + use<> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config { failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, rng);
        files_of(self).new_tree(&mut runner).expect("nothing is filtered out")
    }
}

/// Small scenarios of every preset with `actors` actors at most.
pub fn scenarios(actors: usize) -> impl Strategy<Value = Scenario> {
    files_of(&Space::of(actors)).prop_map(|generated| generated.scenario)
}

/// The scenarios of a space, with the files that they are read from.
///
/// # Panics
/// If its presets or actors are none.
pub fn files_of(space: &Space) -> impl Strategy<Value = Generated> + use<> {
    let kernel_is_free = space.kernels == presets::KERNELS;
    let kmod_is_free = space.kmods == presets::KMODS;
    (
        preset(&space.kernels),
        preset(&space.kmods),
        switches(move |side| match side {
            Side::Kernel => kernel_is_free,
            Side::Kmod => kmod_is_free,
        }),
        prop::collection::vec(module(), 1..=MODULES),
        some(0.4, builtin()),
        any::<bool>(),
        prop::collection::vec(actor(), 1..=space.actors),
        environment(),
        prop::bool::weighted(0.4),
    )
        .prop_map(
            |(kernel, kmod, switches, modules, builtin, fs, actors, environment, boots)| {
                let system = System {
                    kernel,
                    kmod,
                    switches,
                    modules,
                    builtin,
                    fs,
                    actors,
                    environment,
                    boots,
                };
                let text = system.text();
                let loaded = scenario_file::load("a generated file", &text, &[])
                    .unwrap_or_else(|error| panic!("{error}\n{text}"));
                Generated { text, scenario: loaded.scenario }
            },
        )
}
