//! The values that arguments take.

use kmodcheck_model::builtin::Environment;
use kmodcheck_properties::Property;
use kmodcheck_sim::scenario_file::Expected;

/// A kernel that can be booted.
pub(crate) struct Series {
    pub name: &'static str,
    /// Its version, as Debian 12's packages have it.
    pub version: &'static str,
    /// The preset that its switches are.
    pub preset: &'static str,
}

/// Every kernel that can be booted. The switches of v6.5 are the newest that there are; that the wait for
/// another finit_module() is interruptible since v6.11 (2124d84db293) is not in them.
pub(crate) const SERIES: [Series; 2] = [
    Series { name: "6.1", version: "6.1.0-56-amd64", preset: "6.1-debian" },
    Series { name: "6.12", version: "6.12.117+deb12-amd64", preset: "v6.5" },
];

pub(crate) fn environments() -> clap::builder::PossibleValuesParser {
    Environment::ALL.map(|e| e.name()).into()
}

pub(crate) fn property(text: &str) -> Result<Property, String> {
    Property::from_name(text).ok_or_else(|| {
        let names = Property::ALL.map(|p| p.name());
        format!("expected one of {}", names.join(", "))
    })
}

pub(crate) fn expectation(text: &str) -> Result<(Property, Expected), String> {
    let (name, verdict) = text
        .split_once('=')
        .ok_or("expected PROPERTY=holds, PROPERTY=vacuous or PROPERTY=violated")?;
    let expected = Expected::from_name(verdict)
        .ok_or_else(|| format!("found verdict '{verdict}', expected vacuous, holds or violated"))?;
    Ok((property(name)?, expected))
}
