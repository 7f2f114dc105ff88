//! `kmodcheck features`: every switch, and which releases have which of its values.

use std::collections::BTreeMap;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets as styles};
use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures};
use kmodcheck_model::presets::{KERNELS, KMODS, SWITCHES, Side, Switch, kernel, kmod};
use kmodcheck_model::releases::{Has, Release};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Arguments, Features as Asked};
use crate::output::layout::Layout;
use crate::output::{self, Ended, Failure, presets_table, screen};

/// Widest table, and as wide as it is where there is no terminal.
const WIDTH: usize = 110;

/// Every switch, and which presets have it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FeaturesJson {
    format: &'static str,
    version: u32,
    /// Oldest first.
    kernels: &'static [&'static str],
    kmods: &'static [&'static str],
    switches: Vec<SwitchJson>,
}

#[derive(Serialize, JsonSchema)]
struct SwitchJson {
    name: &'static str,
    side: &'static str,
    commit: &'static str,
    meaning: &'static str,
    /// The oldest behaviour first.
    values: Vec<ValueJson>,
}

#[derive(Serialize, JsonSchema)]
struct ValueJson {
    value: &'static str,
    presets: Vec<&'static str>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Asked) -> Result<Ended, Failure> {
    let kernel = asked.kernel.as_deref().map(Release::kernel).transpose()?;
    let kmod = asked.kmod.as_deref().map(Release::kmod).transpose()?;
    let releases: Vec<Release> = kernel.into_iter().chain(kmod).collect();
    if !releases.is_empty() {
        of_releases(arguments, &releases);
        return Ok(Ended::AsExpected);
    }
    if arguments.json {
        output::print_json(&json());
        return Ok(Ended::AsExpected);
    }
    let (width, layout) = match screen::size() {
        (width, Some(_)) => (width.min(WIDTH), Layout::Fitted(width)),
        (_, None) => (WIDTH, Layout::Wide),
    };
    layout.print(&format!(
        "Kernel presets, in this order: {}.\nkmod presets: {}.\n'a .. b' is every preset from a to b. \
         `--with SWITCH=VALUE` sets a switch (`--with SWITCH` if its values\nare off and on), \
         `--without SWITCH` gives it the first of its values.",
        KERNELS.join(", "),
        KMODS.join(", ")
    ));
    for (side, title) in [(Side::Kernel, "The kernel's switches"), (Side::Kmod, "kmod's switches")]
    {
        let mut table = Table::new();
        table.load_preset(styles::ASCII_MARKDOWN);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        table.set_header(["switch", "commit", "meaning", "value", "presets"]);
        // A name is there to be copied.
        if let Some(names) = table.column_mut(0) {
            names.set_constraint(ColumnConstraint::ContentWidth);
        }
        for switch in SWITCHES.iter().filter(|s| s.side == side) {
            for (number, value) in switch.values.iter().enumerate() {
                let (name, commit, meaning) = match number {
                    0 => (switch.name, switch.commit, switch.meaning),
                    _ => ("", "", ""),
                };
                table.add_row([name, commit, meaning, value, &ranges(switch, value)]);
            }
        }
        output::print(&format!("\n{title}\n{table}"));
    }
    Ok(Ended::AsExpected)
}

/// What is in releases, commit by commit.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReleasesJson {
    format: &'static str,
    version: u32,
    releases: Vec<ReleaseJson>,
}

#[derive(Serialize, JsonSchema)]
struct ReleaseJson {
    release: String,
    notes: Vec<String>,
    commits: Vec<CommitJson>,
}

#[derive(Serialize, JsonSchema)]
struct CommitJson {
    commit: &'static str,
    /// Whether it is in that release, and since when.
    has: String,
    /// The switches that it sets; none: the model does not have it.
    sets: BTreeMap<&'static str, &'static str>,
    meaning: &'static str,
}

/// What is in releases, commit by commit.
fn of_releases(arguments: &Arguments, releases: &[Release]) {
    if arguments.json {
        let of = |release: &Release| ReleaseJson {
            release: release.to_string(),
            notes: release.notes(),
            commits: release
                .commits()
                .map(|(commit, has)| CommitJson {
                    commit: commit.id,
                    has: has.to_string(),
                    sets: commit.sets.iter().copied().collect(),
                    meaning: commit.meaning,
                })
                .collect(),
        };
        let releases = releases.iter().map(of).collect();
        output::print_json(&ReleasesJson { format: "kmodcheck-releases", version: 1, releases });
        return;
    }
    let width = screen::size().0.min(WIDTH);
    for release in releases {
        output::print(&format!("{release}"));
        for note in release.notes() {
            output::print(&screen::fold(&format!("  {note}"), "    ", width).join("\n"));
        }
        for (commit, has) in release.commits() {
            let sets: Vec<String> =
                commit.sets.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let sets = sets.join(", ");
            let since = if has == Has::Mainline { String::new() } else { format!(" ({has})") };
            let line = format!("  {}{since}: {}: {sets}", commit.id, commit.meaning);
            output::print(&screen::fold(&line, "    ", width).join("\n"));
        }
        output::print("");
    }
}

/// The presets of the switch's side, oldest first.
fn presets(switch: &Switch) -> &'static [&'static str] {
    match switch.side {
        Side::Kernel => &KERNELS,
        Side::Kmod => &KMODS,
    }
}

/// Whether a preset has this value of a switch of its side.
fn has(switch: &Switch, preset: &str, value: &str) -> bool {
    let features = match switch.side {
        Side::Kernel => kernel(preset).map(|kernel| Features { kernel, kmod: KmodFeatures::V19 }),
        Side::Kmod => kmod(preset).map(|kmod| Features { kernel: KernelFeatures::V4_9, kmod }),
    };
    features.is_some_and(|features| switch.get(&features) == value)
}

/// The presets that have a value.
fn ranges(switch: &Switch, value: &str) -> String {
    let words = presets_table::ranges(presets(switch), |preset| has(switch, preset, value));
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn json() -> FeaturesJson {
    let value = |switch: &Switch, value: &'static str| ValueJson {
        value,
        presets: presets(switch).iter().copied().filter(|p| has(switch, p, value)).collect(),
    };
    let switches = SWITCHES.iter().map(|switch| SwitchJson {
        name: switch.name,
        side: match switch.side {
            Side::Kernel => "kernel",
            Side::Kmod => "kmod",
        },
        commit: switch.commit,
        meaning: switch.meaning,
        values: switch.values.iter().map(|v| value(switch, v)).collect(),
    });
    FeaturesJson {
        format: "kmodcheck-features",
        version: 1,
        kernels: &KERNELS,
        kmods: &KMODS,
        switches: switches.collect(),
    }
}
