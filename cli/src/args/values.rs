//! The values that arguments take.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{KernelFeatures, KmodFeatures};
use kmodcheck_model::presets;
use kmodcheck_properties::Property;
use kmodcheck_properties::kmod_sh::CASES;
use kmodcheck_sim::scenario_file::Expected;

/// A kernel that can be booted.
#[derive(Clone, Copy, Debug)]
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

/// A release, by its name among the presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preset<F> {
    pub name: &'static str,
    pub features: F,
}

pub(crate) type Kernel = Preset<KernelFeatures>;
pub(crate) type Kmod = Preset<KmodFeatures>;

/// One of some values, each by its name.
fn one_of<T: Clone + Send + Sync + 'static>(
    values: impl IntoIterator<Item = (&'static str, T)>,
) -> impl TypedValueParser<Value = T> {
    let values: Vec<(&'static str, T)> = values.into_iter().collect();
    let names: Vec<&'static str> = values.iter().map(|(name, _)| *name).collect();
    PossibleValuesParser::new(names).try_map(move |name| {
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        value.ok_or_else(|| format!("found '{name}', expected one of these values"))
    })
}

/// Every kernel, oldest first.
pub(crate) fn kernels() -> Vec<Kernel> {
    let preset = |name| Some(Preset { name, features: presets::kernel(name)? });
    presets::KERNELS.into_iter().filter_map(preset).collect()
}

/// Every kmod release, oldest first.
pub(crate) fn kmods() -> Vec<Kmod> {
    let preset = |name| Some(Preset { name, features: presets::kmod(name)? });
    presets::KMODS.into_iter().filter_map(preset).collect()
}

pub(crate) fn kernel() -> impl TypedValueParser<Value = Kernel> {
    one_of(kernels().into_iter().map(|kernel| (kernel.name, kernel)))
}

pub(crate) fn kmod() -> impl TypedValueParser<Value = Kmod> {
    one_of(kmods().into_iter().map(|kmod| (kmod.name, kmod)))
}

pub(crate) fn environment() -> impl TypedValueParser<Value = Environment> {
    one_of(Environment::ALL.map(|environment| (environment.name(), environment)))
}

pub(crate) fn naming() -> impl TypedValueParser<Value = Naming> {
    one_of(Naming::ALL.map(|naming| (naming.name(), naming)))
}

/// A case of kmod.sh, by its number, which two may share.
pub(crate) fn case() -> impl TypedValueParser<Value = &'static str> {
    let mut numbers: Vec<&'static str> = CASES.iter().map(|case| case.number).collect();
    numbers.dedup();
    one_of(numbers.into_iter().map(|number| (number, number)))
}

pub(crate) fn series() -> impl TypedValueParser<Value = Series> {
    one_of(SERIES.map(|series| (series.name, series)))
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
