//! The scenario that a command is about: a file, or a built-in one by name.

use std::path::Path;

use kmodcheck_explore::MAX_PROCESSES;
use kmodcheck_model::Model;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_model::model::validate;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::Property;
use kmodcheck_properties::matrix::{Cell, Kmod};
use kmodcheck_sim::scenario_file;

use crate::input::files;
use crate::output::Failure;

/// The race itself: `get_fs_type()` on v4.9 with kmod v19.
pub(crate) const RACE: Cell = Cell {
    naming: Naming::FsAndModule,
    environment: Environment::Ok,
    kmod: Kmod::V19,
    check: SanityCheck::None,
    map: AliasMap::None,
};

/// The scenario of `text`: a scenario file (TOML), a saved trace's, a recorded trace's, one in JSON, or
/// a built-in one.
/// Built in: `race`, or a cell of the matrix, as `fs-ext4 ok v19 none none`, also with slashes.
/// `callers`: how many, for a built-in one.
pub(crate) fn scenario(text: &str, callers: u8) -> Result<Scenario, Failure> {
    let path = Path::new(text);
    if path.is_file() {
        return from_file(path);
    }
    let cell = if text == "race" {
        RACE
    } else {
        let wanted = text.replace('/', " ");
        let wanted: Vec<&str> = wanted.split_whitespace().collect();
        Cell::all()
            .into_iter()
            .find(|c| c.to_string().split(' ').eq(wanted.iter().copied()))
            .ok_or_else(|| {
                format!(
                    "found scenario '{text}', expected a file (a scenario in TOML or JSON, or a saved \
                     trace), \
                     'race', or a cell of the matrix such as '{RACE}'"
                )
            })?
    };
    Ok(cell.model(callers, None).scenario().clone())
}

/// The model of such a scenario, for what numbers its processes one by one.
pub(crate) fn small_model(text: &str, callers: u8) -> Result<Model, Failure> {
    let model = Model::new(scenario(text, callers)?, None)?;
    let processes = model.processes().len();
    if processes > MAX_PROCESSES {
        return Err(
            format!("{text}: {processes} processes, expected at most {MAX_PROCESSES}").into()
        );
    }
    Ok(model)
}

fn from_file(path: &Path) -> Result<Scenario, Failure> {
    let name = path.display();
    let text = files::read(path)?;
    if path.extension().is_some_and(|e| e == "toml") {
        let names = Property::ALL.map(Property::name);
        return Ok(scenario_file::load(&name.to_string(), &text, &names)?.scenario);
    }
    let located =
        |error: serde_json::Error| format!("{name}:{}:{}: {error}", error.line(), error.column());
    let value: serde_json::Value = serde_json::from_str(&text).map_err(located)?;
    if value.get("format").is_some() {
        return match crate::input::trace::load(path)? {
            Ok(loaded) => Ok(loaded.model.scenario().clone()),
            Err(differs) => Err(differs.into()),
        };
    }
    let scenario: Scenario = serde_json::from_str(&text).map_err(located)?;
    validate(&scenario).map_err(|what| format!("{name}: {what}"))?;
    Ok(scenario)
}
