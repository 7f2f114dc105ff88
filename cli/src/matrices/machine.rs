//! `kmodcheck machine`: every name that a machine's kernel may request, on its releases, with its indexes and its
//! configuration.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use kmodcheck_explore::Options;
use kmodcheck_indexes::{Modprobe, Resolved};
use kmodcheck_model::Model;
use kmodcheck_model::scenario::{Init, Insert, Scenario, Target};
use kmodcheck_properties::fixes::{Question, Wanted, fixes};
use kmodcheck_properties::machine::{self, Asked, Behind, Fared, Systems, Unanswered, Wrong};
use kmodcheck_properties::told;
use kmodcheck_sim::scenario_file::{Choice, rules};
use kmodcheck_sim::trace::Trace;
use kmodcheck_sim::trace::file::TraceFile;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::subject::Configured;
use crate::args::{Arguments, Machine};
use crate::input::subject::known_of_releases;
use crate::input::{config, files, of_root, session};
use crate::output::layout::Layout;
use crate::output::{self, Ended, Failure, bars, screen};

/// Families of names that the kernel itself requests, by how they begin, and whether what follows has dashes in the kernel
/// where the indexes, which make no difference, have underscores. They are requested by `get_fs_type()`; `__sock_create()`,
/// `inet_create()`, `netlink_create()`, `sock_diag_rcv_msg()`; `search_binary_handler()`; `crypto_larval_lookup()`;
/// `alg_get_type()`; `base_probe()` of `char_dev.c`; `blk_request_module()`; `rtnl_newlink()`; `qdisc_create()`;
/// `tcf_proto_lookup_ops()`; `tc_action_load_ops()`; `nft_request_module()`; `nfnetlink_rcv_msg()`; `can_create()`.
const FAMILIES: [(&str, bool); 14] = [
    ("fs-", false),
    ("net-pf-", true),
    ("binfmt-", true),
    ("crypto-", false),
    ("algif-", false),
    ("char-major-", true),
    ("block-major-", true),
    ("rtnl-link-", false),
    ("net-sch-", false),
    ("net-cls-", false),
    ("net-act-", false),
    ("nft-", true),
    ("nfnetlink-subsys-", true),
    ("can-proto-", true),
];

/// A machine: what its files say.
struct Found {
    from: String,
    choice: Choice,
    notes: Vec<String>,
}

/// Requests that go wrong in one way.
struct Group<'a> {
    wrong: Wrong,
    /// What happens, with MODULE for whatever modules are called.
    kind: String,
    names: Vec<&'a str>,
    /// The first name's system, with its own names, and a shortest run.
    scenario: Scenario,
    trace: &'a Trace,
}

pub(crate) fn run(arguments: &Arguments, asked: &Machine) -> Result<Ended, Failure> {
    let of_root::Found { modules, kernel, kmod, notes } =
        of_root::find(&asked.root, asked.kernel.map(|k| k.name), asked.kmod.map(|k| k.name))?;
    let choice = Choice { kernel, kmod, changes: Vec::new() };
    let features = choice.features()?;
    let index = files::read_index(&modules)?;
    let Machine { config, no_config, cmdline, .. } = asked;
    let configured =
        Configured { config: config.clone(), no_config: *no_config, cmdline: cmdline.clone() };
    let read = config::read(&configured, None, &modules, &choice.kmod)?;
    let modprobe = Modprobe { index: &index, config: &read.config, rules: rules(&features.kmod) };
    let names = names(modprobe, asked);
    let of = Asked {
        modprobe,
        features,
        callers: asked.callers,
        init: if asked.init_may_fail { Init::MayFail } else { Init::Succeeds },
        timeouts: asked.timeouts,
    };
    let known = known_of_releases(&choice.kernel, &choice.kmod);
    let found = Found {
        from: modules.display().to_string(),
        choice,
        notes: notes.into_iter().chain(read.notes).chain(known).collect(),
    };
    let systems = machine::systems(&of, &names);
    let threads = session::threads(arguments);
    let bar = bars::bar(systems.systems.len(), "systems");
    bars::announce("machine", systems.systems.len(), threads);
    let limits = session::limits(arguments);
    let interrupt = Some(session::interrupt());
    let options = Options { limits, interrupt, ..Options::default() };
    let over = || session::interrupt().load(Ordering::Relaxed);
    let fared = machine::explore(&systems.systems, threads, &over, &options, &|| bar.inc(1));
    bar.finish_and_clear();
    let groups = groups(&of, &systems, &fared)?;
    let changes = groups.iter().map(|group| what_would_change_it(&of, group, arguments));
    let changes = changes.collect::<Result<Vec<_>, Failure>>()?;
    let tally = Tally::of(&systems, &fared);
    if arguments.json {
        output::print_json(&json(asked, &found, modprobe, &systems, &tally, &groups, &changes));
    } else {
        let layout = Layout::of(asked.layout.wide);
        print(layout, asked, &found, modprobe, &systems, &tally, &groups, &changes);
    }
    Ok(Ended::of(!groups.is_empty(), !tally.not_decided.is_empty()))
}

/// The names that are asked for, of the machine's.
fn names(modprobe: Modprobe<'_>, asked: &Machine) -> Vec<String> {
    let families: Vec<String> = match &asked.family[..] {
        [] => FAMILIES.iter().map(|(family, _)| (*family).to_owned()).collect(),
        given => given.to_vec(),
    };
    let has_dashes = |family: &str| FAMILIES.contains(&(family, true));
    let normal = |text: &str| text.replace('-', "_");
    let mut names = Vec::new();
    for name in modprobe.names() {
        let family = families.iter().find(|family| normal(name).starts_with(&normal(family)));
        match family {
            Some(family) => {
                let rest = &name[family.len()..];
                let rest =
                    if has_dashes(family) { rest.replace('_', "-") } else { rest.to_owned() };
                names.push(family.clone() + &rest);
            }
            None if asked.all => names.push(name.to_owned()),
            None => {}
        }
    }
    names.sort();
    names.dedup();
    names
}

/// How many names fared how.
#[derive(Default)]
struct Tally<'a> {
    wrong: BTreeMap<Wrong, Vec<&'a str>>,
    made_to_fail: Vec<&'a str>,
    fine: usize,
    built_in: usize,
    /// Out of budget, or interrupted.
    not_decided: Vec<&'a str>,
    /// Beyond the model: each with why.
    refused: Vec<(&'a str, String)>,
}

impl<'a> Tally<'a> {
    fn of(systems: &'a Systems, fared: &[Option<Result<Fared, Unanswered>>]) -> Self {
        let mut tally = Self::default();
        for (name, behind) in &systems.names {
            let system = match behind {
                Behind::BuiltIn => {
                    tally.built_in += 1;
                    continue;
                }
                Behind::Refused(error) => {
                    tally.refused.push((name, error.to_string()));
                    continue;
                }
                Behind::System(system) => *system,
            };
            match &fared[system] {
                None => tally.not_decided.push(name),
                Some(Err(error)) => tally.refused.push((name, error.to_string())),
                Some(Ok(fared)) => {
                    for (wrong, _) in &fared.wrong {
                        tally.wrong.entry(*wrong).or_default().push(name);
                    }
                    if fared.made_to_fail {
                        tally.made_to_fail.push(name);
                    }
                    if !fared.complete {
                        tally.not_decided.push(name);
                    } else if fared.wrong.is_empty() && !fared.made_to_fail {
                        tally.fine += 1;
                    }
                }
            }
        }
        tally
    }
}

/// What goes wrong, those together that do in the same way, the most frequent first.
fn groups<'a>(
    of: &Asked<'_>,
    systems: &'a Systems,
    fared: &'a [Option<Result<Fared, Unanswered>>],
) -> Result<Vec<Group<'a>>, Failure> {
    let mut known: BTreeMap<(Wrong, String), Group<'a>> = BTreeMap::new();
    let mut kinds: BTreeMap<(usize, Wrong), String> = BTreeMap::new();
    for (name, behind) in &systems.names {
        let Behind::System(system) = behind else { continue };
        let Some(Ok(fared)) = &fared[*system] else { continue };
        for (wrong, trace) in &fared.wrong {
            let kind = match kinds.get(&(*system, *wrong)) {
                Some(kind) => kind.clone(),
                None => {
                    let scenario = machine::scenario(of, name)?;
                    let kind = kind(&scenario, *wrong, trace)?;
                    kinds.insert((*system, *wrong), kind.clone());
                    kind
                }
            };
            match known.get_mut(&(*wrong, kind.clone())) {
                Some(group) => group.names.push(name),
                None => {
                    let (scenario, names) = (machine::scenario(of, name)?, vec![name.as_str()]);
                    let group = Group { wrong: *wrong, kind: kind.clone(), names, scenario, trace };
                    known.insert((*wrong, kind), group);
                }
            }
        }
    }
    let mut groups: Vec<Group<'a>> = known.into_values().collect();
    groups.sort_by_key(|group| (group.wrong, std::cmp::Reverse(group.names.len())));
    Ok(groups)
}

/// What happens in a run, whatever modules are called.
fn kind(scenario: &Scenario, wrong: Wrong, trace: &Trace) -> Result<String, Failure> {
    let model = Model::new(scenario.clone(), None)?;
    let told = told::violation(&model, wrong.property(), trace);
    let told = told.unwrap_or_else(|| wrong.in_words().to_owned());
    Ok(machine::kind_of(&told, scenario))
}

/// The lines of the configuration that decide what modprobe does for a name.
fn lines(modprobe: Modprobe<'_>, name: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let Resolved::Modules(targets) = modprobe.resolve(name) else { return lines };
    for target in &targets {
        if let Some(line) = &target.blacklisted {
            lines.push(format!("{}: blacklist {}", line.place, line.name));
        }
        for step in &target.list {
            if let Some(line) = &step.command {
                lines.push(format!("{}: install {} {}", line.place, line.name, line.value));
            }
        }
        if let (None, Some(alias)) = (target.found.module, &target.found.alias) {
            let mut aliases = modprobe.config.aliases().iter();
            let line = aliases.find(|l| l.name == *alias && l.value == target.found.name);
            lines.extend(line.map(|l| format!("{}: alias {} {}", l.place, l.name, l.value)));
        }
    }
    lines.dedup();
    lines
}

/// What of the configuration would change it, where that keeps away what a system is about.
fn configured_ways(scenario: &Scenario) -> Vec<String> {
    let targets = scenario.names[0].targets();
    let blacklisted = targets.iter().any(|target| target.blacklisted);
    let entries = targets.iter().flat_map(Target::entries);
    let has = |inserts: &[Insert]| entries.clone().any(|entry| inserts.contains(&entry.insert));
    let mut ways = Vec::new();
    if blacklisted || has(&[Insert::NoopCommand, Insert::UnknownCommand, Insert::ModprobeForgiven])
    {
        ways.push("the lines of the configuration that are named".to_owned());
    }
    if has(&[Insert::NoopCommand]) {
        ways.push(
            "/bin/false in place of /bin/true: the request then fails, as its caller can see"
                .to_owned(),
        );
    }
    if blacklisted {
        ways.push(
            "`install MODULE /bin/false` in place of a blacklist: the request then fails, and one by the module's own \
             name, too"
                .to_owned(),
        );
    }
    ways
}

/// What would change it, each in a line.
fn what_would_change_it(
    of: &Asked<'_>,
    group: &Group<'_>,
    arguments: &Arguments,
) -> Result<Vec<String>, Failure> {
    let ways = configured_ways(&group.scenario);
    if !ways.is_empty() {
        return Ok(ways);
    }
    let question = Question {
        base: of.features,
        kmod_may_change: true,
        systems: vec![group.scenario.clone()],
        built_in: false,
        wanted: Wanted::Property(group.wrong.property()),
        max_size: 1,
    };
    let (threads, limits) = (session::threads(arguments), session::limits(arguments));
    let Some(answer) = fixes(&question, threads, limits, session::interrupt(), &|_, _| ())? else {
        return Ok(Vec::new());
    };
    let way = |set: &Vec<kmodcheck_properties::fixes::Change>| {
        let changes = set.iter().map(|c| {
            format!("{}={}: {} ({})", c.switch.name, c.value, c.switch.meaning, c.switch.commit)
        });
        changes.collect::<Vec<_>>().join("; and ")
    };
    Ok(answer.sufficient.iter().map(|(set, _)| way(set)).collect())
}

#[expect(clippy::too_many_arguments, reason = "all that is printed")]
fn print(
    layout: Layout,
    asked: &Machine,
    found: &Found,
    modprobe: Modprobe<'_>,
    systems: &Systems,
    tally: &Tally<'_>,
    groups: &[Group<'_>],
    changes: &[Vec<String>],
) {
    let Choice { kernel, kmod, .. } = &found.choice;
    layout.print(&format!("{}: kernel {kernel}, kmod {kmod}", found.from));
    for note in &found.notes {
        layout.print(&format!("- {note}"));
    }
    let inits = if asked.init_may_fail { "every init may fail" } else { "every init succeeds" };
    layout.print(&format!(
        "\n{} names, {} of them different systems; {} callers of each at once, {inits}, nothing is unloaded:\n",
        systems.names.len(),
        systems.systems.len(),
        asked.callers
    ));
    let counted = Wrong::ALL.map(|wrong| {
        let names = tally.wrong.get(&wrong).map_or(0, Vec::len);
        (format!("a request {}", wrong.in_words()), names)
    });
    let rest = [
        ("it fails, as is configured".to_owned(), tally.made_to_fail.len()),
        ("nothing goes wrong".to_owned(), tally.fine),
        ("built in".to_owned(), tally.built_in),
        ("not decided: out of budget".to_owned(), tally.not_decided.len()),
        ("beyond the model".to_owned(), tally.refused.len()),
    ];
    let shown = |count: usize, what: &str| count > 0 || what.starts_with("nothing goes");
    for (what, count) in counted.iter().chain(&rest).filter(|(what, count)| shown(*count, what)) {
        layout.print(&format!("{count:8}  {what}"));
    }
    for (number, (group, changes)) in groups.iter().zip(changes).enumerate() {
        let model = Model::new(group.scenario.clone(), None).expect("it was explored");
        let names = group.names.len();
        let first = group.names[0];
        layout.print(&format!(
            "\n{}. A request {}, {names} {}: {}",
            number + 1,
            group.wrong.in_words(),
            if names == 1 { "name" } else { "names" },
            group.kind
        ));
        for name in group.names.iter().take(if asked.layout.wide { names } else { MOST_NAMES }) {
            layout.print(&format!("   {}", with_lines(modprobe, name)));
        }
        if !asked.layout.wide && names > MOST_NAMES {
            layout.print(&format!("   and {} more (--wide lists them)", names - MOST_NAMES));
        }
        if !changes.is_empty() {
            layout.print("   What would change it:");
        }
        for change in changes {
            layout.print(&format!("   - {change}"));
        }
        layout.print(&format!("\n{first}, in {} steps:", group.trace.len()));
        let property = group.wrong.property();
        output::print(&output::told_text(&model, property, group.trace, screen::width()));
    }
    if !tally.made_to_fail.is_empty() {
        layout.print("\nFails, as is configured:");
        for name in &tally.made_to_fail {
            layout.print(&format!("   {}", with_lines(modprobe, name)));
        }
    }
    if !tally.refused.is_empty() {
        layout.print("\nBeyond the model:");
        for (name, why) in &tally.refused {
            layout.print(&format!("   {name}: {why}"));
        }
    }
}

/// Most names of a group that are listed.
const MOST_NAMES: usize = 12;

/// A name, and the lines of the configuration that are about it.
fn with_lines(modprobe: Modprobe<'_>, name: &str) -> String {
    let lines = lines(modprobe, name);
    if lines.is_empty() { name.to_owned() } else { format!("{name} ({})", lines.join("; ")) }
}

/// Which requests can go wrong on a machine.
#[derive(Serialize, JsonSchema)]
pub(crate) struct MachineJson<'a> {
    format: &'static str,
    version: u32,
    modules: &'a str,
    kernel: &'a str,
    kmod: &'a str,
    /// How the releases and the configuration were found.
    notes: &'a [String],
    callers: u8,
    init_may_fail: bool,
    /// How many names there are.
    names: usize,
    /// How many different systems they are.
    systems: usize,
    /// Names of which nothing goes wrong.
    fine: usize,
    /// Names of built-in code.
    built_in: usize,
    groups: Vec<GroupJson<'a>>,
    /// Names that fail because the configuration says so.
    fails_as_configured: Vec<NameJson<'a>>,
    /// Names of which a search was cut.
    not_decided: &'a [&'a str],
    /// Names of which the model cannot speak.
    beyond_the_model: Vec<RefusedJson<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct GroupJson<'a> {
    /// `nothing-loaded`, `fails`, `hangs` or `loads-what-is-blocked`.
    wrong: &'static str,
    property: &'static str,
    /// What happens, with MODULE for whatever modules are called.
    kind: &'a str,
    /// Names of which this is so.
    names: Vec<NameJson<'a>>,
    what_would_change_it: &'a [String],
    /// Of the first name.
    trace: TraceFile,
}

#[derive(Serialize, JsonSchema)]
struct NameJson<'a> {
    name: &'a str,
    /// The lines of the configuration that decide it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    configured: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct RefusedJson<'a> {
    name: &'a str,
    why: &'a str,
}

fn json<'a>(
    asked: &Machine,
    found: &'a Found,
    modprobe: Modprobe<'_>,
    systems: &Systems,
    tally: &'a Tally<'a>,
    groups: &'a [Group<'a>],
    changes: &'a [Vec<String>],
) -> MachineJson<'a> {
    let name = |name: &&'a str| NameJson { name, configured: lines(modprobe, name) };
    let group = |(group, changes): (&'a Group<'a>, &'a Vec<String>)| GroupJson {
        wrong: group.wrong.name(),
        property: group.wrong.property().name(),
        kind: &group.kind,
        names: group.names.iter().map(name).collect(),
        what_would_change_it: changes,
        trace: output::trace_json(group.wrong.property(), &group.scenario, group.trace),
    };
    MachineJson {
        format: "kmodcheck-machine",
        version: 1,
        modules: &found.from,
        kernel: &found.choice.kernel,
        kmod: &found.choice.kmod,
        notes: &found.notes,
        callers: asked.callers,
        init_may_fail: asked.init_may_fail,
        names: systems.names.len(),
        systems: systems.systems.len(),
        fine: tally.fine,
        built_in: tally.built_in,
        groups: groups.iter().zip(changes).map(group).collect(),
        fails_as_configured: tally.made_to_fail.iter().map(name).collect(),
        not_decided: &tally.not_decided,
        beyond_the_model: (tally.refused.iter())
            .map(|(name, why)| RefusedJson { name, why })
            .collect(),
    }
}
