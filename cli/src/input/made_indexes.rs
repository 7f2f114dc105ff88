//! The indexes and the configuration of a system that has none on disk, for a program that reads them: as `depmod` and a
//! distribution would write what the system says.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use kmodcheck_indexes::{IndexText, Modprobe, ModuleIndex, config};
use kmodcheck_model::scenario::{Insert, ModuleId, Resolution, Scenario};
use kmodcheck_sim::scenario_file::closure::{self, Setting};
use kmodcheck_sim::scenario_file::rules;
use sha2::{Digest, Sha256};

use crate::output::Failure;

/// The files, by name.
struct Texts {
    dep: String,
    alias: String,
    softdep: String,
    builtin: String,
    configuration: String,
}

impl Texts {
    fn of(scenario: &Scenario) -> Result<Self, Failure> {
        let file = |module: ModuleId| {
            let spec = &scenario.modules[usize::from(module)];
            format!("kernel/{}.ko{}", spec.name, if spec.compressed { ".xz" } else { "" })
        };
        let mut texts = Self {
            dep: String::new(),
            alias: String::new(),
            softdep: String::new(),
            builtin: String::new(),
            configuration: String::new(),
        };
        // The order of the targets of a name is that of the modules in modules.dep.
        let mut order: Vec<ModuleId> = Vec::new();
        let targets = || scenario.names.iter().flat_map(|name| name.targets());
        let of_targets = targets().map(|target| target.module);
        for module in of_targets.chain(scenario.module_ids()) {
            if !order.contains(&module) {
                order.push(module);
            }
        }
        for module in order {
            // What modprobe loads last stands first.
            let probe =
                targets().find(|target| target.module == module).map(|target| &target.probe);
            let needed: Vec<ModuleId> = match probe {
                Some(probe) => {
                    let own = probe.iter().position(|p| p.module == module);
                    let before = probe[..own.unwrap_or(probe.len())].iter().rev();
                    before.filter(|p| p.required).map(|p| p.module).collect()
                }
                None => scenario.modules[usize::from(module)]
                    .dependencies
                    .iter()
                    .rev()
                    .copied()
                    .collect(),
            };
            let needed: Vec<String> = needed.into_iter().map(file).collect();
            let _ = writeln!(texts.dep, "{}: {}", file(module), needed.join(" "));
        }
        for name in &scenario.names {
            for target in name.targets() {
                let module = scenario.module_name(target.module);
                if name.request.replace('-', "_") != module {
                    let _ = writeln!(texts.alias, "alias {} {module}", name.request);
                }
                if target.blacklisted {
                    let _ = writeln!(texts.configuration, "blacklist {module}");
                }
                let own = target.probe.iter().position(|probe| probe.module == target.module);
                let soft = |part: &[kmodcheck_model::scenario::Probe]| -> String {
                    let soft = part.iter().filter(|probe| !probe.required);
                    soft.map(|probe| format!(" {}", scenario.module_name(probe.module))).collect()
                };
                let (pre, post) = target.probe.split_at(own.unwrap_or(target.probe.len()));
                let (pre, post) = (soft(pre), soft(post));
                let _ = match (pre.as_str(), post.as_str()) {
                    ("", "") => Ok(()),
                    (_, "") => writeln!(texts.softdep, "softdep {module} pre:{pre}"),
                    ("", _) => writeln!(texts.softdep, "softdep {module} post:{post}"),
                    _ => writeln!(texts.softdep, "softdep {module} pre:{pre} post:{post}"),
                };
                if target.entries().iter().any(|probe| probe.insert != Insert::Finit) {
                    return Err(
                        "a module has no file, is refused by the kernel's command line, or an install command stands in \
                         for it, which runs a shell: expected a system without, for a program as modprobe"
                            .into(),
                    );
                }
            }
            if let (Some(builtin), Resolution::Builtin) = (&name.builtin, &name.resolution) {
                let _ = writeln!(texts.builtin, "kernel/{}.ko", builtin.name);
            }
        }
        for module in scenario.modules.iter().filter(|module| module.listed_builtin) {
            let _ = writeln!(texts.builtin, "kernel/{}.ko", module.name);
        }
        Ok(texts)
    }

    /// Whether they say what the system says of each name.
    fn agree(&self, scenario: &Scenario) -> Result<(), Failure> {
        let Self { dep, alias, softdep, builtin, .. } = self;
        let index = ModuleIndex::parse(&IndexText::of([dep, alias, softdep, builtin]))?;
        for name in &scenario.names {
            let setting = Setting {
                get_fs_type: false,
                request: name.request.clone(),
                callers: 1,
                init: kmodcheck_model::scenario::Init::Succeeds,
                timeouts: false,
                features: scenario.features,
            };
            let said: Vec<(&str, Vec<(&str, bool)>)> = name
                .targets()
                .iter()
                .map(|target| {
                    let probe = target.probe.iter();
                    let probe = probe.map(|p| (scenario.module_name(p.module), p.required));
                    (scenario.module_name(target.module), probe.collect())
                })
                .collect();
            let modprobe = Modprobe {
                index: &index,
                config: &config::NONE,
                rules: rules(&scenario.features.kmod),
            };
            let found = closure::scenario(modprobe, &setting);
            let same = match &found {
                Ok(found) => {
                    let targets = found.names[0].targets().iter().map(|target| {
                        let probe = target.probe.iter();
                        let probe = probe.map(|p| (found.module_name(p.module), p.required));
                        (found.module_name(target.module), probe.collect())
                    });
                    said == targets.collect::<Vec<(&str, Vec<(&str, bool)>)>>()
                }
                Err(_) => said.is_empty() && name.resolution == Resolution::NotFound,
            };
            if !same {
                return Err(format!(
                    "'{}' resolves to what no indexes say, expected a system as `depmod` could describe \
                     it, for a program as modprobe",
                    name.request
                )
                .into());
            }
        }
        Ok(())
    }
}

/// Writes them below that folder, unless they are there already: where they are, and the configuration.
pub(crate) fn made(
    scenario: &Scenario,
    folder: &Path,
) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    let texts = Texts::of(scenario)?;
    texts.agree(scenario)?;
    let Texts { dep, alias, softdep, builtin, configuration } = texts;
    let files = [
        ("modules.dep", dep),
        ("modules.alias", alias),
        ("modules.softdep", softdep),
        ("modules.builtin", builtin),
    ];
    let mut hash = Sha256::new();
    for (name, text) in &files {
        hash.update(format!("{name} {}\n{text}", text.len()));
    }
    hash.update(&configuration);
    let digest = kmodcheck_explore::hex(&hash.finalize()[..16]);
    let indexes = folder.join(format!("indexes-{digest}"));
    let configured =
        (!configuration.is_empty()).then(|| folder.join(format!("modprobe.d-{digest}")));
    let write = |directory: &Path, files: &[(&str, &String)]| -> Result<(), Failure> {
        if directory.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        let whole = tempfile::TempDir::new_in(folder)?;
        for (name, text) in files {
            fs::write(whole.path().join(name), text)?;
        }
        // Another run may have been first.
        match fs::rename(whole.path(), directory) {
            Err(error) if !directory.is_dir() => Err(error.into()),
            _ => Ok(()),
        }
    };
    let all: Vec<(&str, &String)> = files.iter().map(|(name, text)| (*name, text)).collect();
    write(&indexes, &all)?;
    if let Some(configured) = &configured {
        write(configured, &[("kmodcheck.conf", &configuration)])?;
    }
    Ok((indexes, configured))
}
