//! The values that arguments take.

use std::ffi::OsStr;
use std::sync::LazyLock;

use clap::builder::{NonEmptyStringValueParser, PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{KernelFeatures, KmodFeatures};
use kmodcheck_model::presets::{self, SWITCHES, Switch};
use kmodcheck_properties::Property;
use kmodcheck_properties::kmod_sh::CASES;
use kmodcheck_sim::scenario_file::Expected;
use kmodcheck_sim::suggest;

/// A kernel that can be booted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    pub name: &'static str,
    /// Its version, as Debian 12's packages have it.
    pub version: &'static str,
    /// The preset that its switches are.
    pub preset: &'static str,
}

/// Every kernel that can be booted.
pub(crate) const SERIES: [Series; 2] = [
    Series { name: "6.1", version: "6.1.0-56-amd64", preset: "6.1-debian" },
    Series { name: "6.12", version: "6.12.117+deb12-amd64", preset: "6.12-debian" },
];

/// A release, by its name among the presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preset<F> {
    pub name: &'static str,
    pub features: F,
}

pub(crate) type Kernel = Preset<KernelFeatures>;
pub(crate) type Kmod = Preset<KmodFeatures>;

/// What was likely meant by a value that is none of these, in a sentence.
type Meant = fn(&str, &[&'static str]) -> Option<String>;

/// One of some values, each by its name.
#[derive(Clone)]
struct OneOf<T> {
    values: Vec<(&'static str, T)>,
    meant: Meant,
}

impl<T: Clone + Send + Sync + 'static> OneOf<T> {
    fn new(values: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        let meant = |found: &str, names: &[&'static str]| {
            suggest::did_you_mean(found, names.iter().copied())
        };
        Self { values: values.into_iter().collect(), meant }
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let found = value.to_string_lossy();
        if let Some((_, value)) = self.values.iter().find(|(name, _)| *name == found) {
            return Ok(value.clone());
        }
        let names: Vec<&'static str> = self.values.iter().map(|(name, _)| *name).collect();
        let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
        let argument = argument.map_or("...".to_owned(), ToString::to_string);
        error.insert(ContextKind::InvalidArg, ContextValue::String(argument));
        if let Some(meant) = (self.meant)(&found, &names) {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![meant.into()]));
        }
        error.insert(ContextKind::InvalidValue, ContextValue::String(found.into_owned()));
        let names = names.into_iter().map(str::to_owned).collect();
        error.insert(ContextKind::ValidValue, ContextValue::Strings(names));
        Err(error)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.values.iter().map(|(name, _)| PossibleValue::new(*name))))
    }
}

/// What a shell may offer for a value that can be more than that.
#[derive(Clone)]
struct Offering<P> {
    parse: P,
    offered: &'static [String],
}

impl<P: TypedValueParser> TypedValueParser for Offering<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<P::Value, clap::Error> {
        self.parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.offered.iter().map(|value| PossibleValue::new(value.as_str()))))
    }
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
    let values = kernels().into_iter().map(|kernel| (kernel.name, kernel));
    OneOf { meant: |found, _| suggest::kernel(found), ..OneOf::new(values) }
}

pub(crate) fn kmod() -> impl TypedValueParser<Value = Kmod> {
    let values = kmods().into_iter().map(|kmod| (kmod.name, kmod));
    OneOf { meant: |found, _| suggest::kmod(found), ..OneOf::new(values) }
}

/// A preset, or any release.
#[derive(Clone)]
struct Any<P, F> {
    presets: P,
    features: fn(&str) -> Option<F>,
}

impl<F: Clone + Send + Sync + 'static, P: TypedValueParser<Value = Preset<F>>> TypedValueParser
    for Any<P, F>
{
    type Value = Preset<F>;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Preset<F>, clap::Error> {
        let presets = self.presets.parse_ref(command, argument, value);
        let name = value.to_str().unwrap_or_default();
        match (presets, (self.features)(name)) {
            // As long as the process: what a command line says.
            (Err(_), Some(features)) => Ok(Preset { name: name.to_owned().leak(), features }),
            (presets, _) => presets,
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.presets.possible_values()
    }
}

/// A kernel: a preset, or whatever release `uname -r` says.
pub(crate) fn any_kernel() -> impl TypedValueParser<Value = Kernel> {
    Any { presets: kernel(), features: presets::kernel }
}

/// A kmod: a preset, or any release.
pub(crate) fn any_kmod() -> impl TypedValueParser<Value = Kmod> {
    Any { presets: kmod(), features: presets::kmod }
}

/// Refuses releases that are no presets, where they say which of the built-in systems are meant.
pub(crate) fn are_presets(kernel: Option<Kernel>, kmod: Option<Kmod>) -> Result<(), String> {
    let refused = |what: &str, found: &str, presets: &[&str], meant: Option<String>| {
        let meant = meant.map_or(String::new(), |meant| format!("; {meant}"));
        Err(format!(
            "found {what} '{found}', expected a preset, of which the built-in systems are: one of {}{meant}",
            presets.join(", ")
        ))
    };
    match (kernel.map(|kernel| kernel.name), kmod.map(|kmod| kmod.name)) {
        (Some(name), _) if !presets::KERNELS.contains(&name) => {
            refused("kernel", name, &presets::KERNELS, suggest::kernel(name))
        }
        (_, Some(name)) if !presets::KMODS.contains(&name) => {
            refused("kmod", name, &presets::KMODS, suggest::kmod(name))
        }
        _ => Ok(()),
    }
}

pub(crate) fn environment() -> impl TypedValueParser<Value = Environment> {
    OneOf::new(Environment::ALL.map(|environment| (environment.name(), environment)))
}

pub(crate) fn naming() -> impl TypedValueParser<Value = Naming> {
    OneOf::new(Naming::ALL.map(|naming| (naming.name(), naming)))
}

/// A case of kmod.sh, by its number, which two may share.
pub(crate) fn case() -> impl TypedValueParser<Value = &'static str> {
    let mut numbers: Vec<&'static str> = CASES.iter().map(|case| case.number).collect();
    numbers.dedup();
    OneOf::new(numbers.into_iter().map(|number| (number, number)))
}

pub(crate) fn series() -> impl TypedValueParser<Value = Series> {
    OneOf::new(SERIES.map(|series| (series.name, series)))
}

pub(crate) fn property() -> impl TypedValueParser<Value = Property> {
    OneOf::new(Property::ALL.map(|property| (property.name(), property)))
}

/// A property, or what a file asks itself, which is known once the file is read.
pub(crate) fn property_or_own() -> impl TypedValueParser<Value = String> {
    static OFFERED: LazyLock<Vec<String>> =
        LazyLock::new(|| Property::ALL.map(|property| property.name().to_owned()).to_vec());
    Offering { parse: NonEmptyStringValueParser::new(), offered: &OFFERED }
}

/// `PROPERTY=VERDICT`.
pub(crate) fn expectation() -> impl TypedValueParser<Value = (Property, Expected)> {
    static OFFERED: LazyLock<Vec<String>> = LazyLock::new(|| {
        let verdicts = |property: Property| {
            Expected::ALL.map(|expected| format!("{}={}", property.name(), expected.name()))
        };
        Property::ALL.into_iter().flat_map(verdicts).collect()
    });
    Offering { parse: expected, offered: &OFFERED }
}

/// `SWITCH=VALUE`, or `SWITCH` where the values are off and on.
pub(crate) fn setting() -> impl TypedValueParser<Value = String> {
    static OFFERED: LazyLock<Vec<String>> = LazyLock::new(|| {
        let settings = |switch: &'static Switch| {
            switch.values.iter().map(|value| format!("{}={value}", switch.name))
        };
        SWITCHES.iter().flat_map(settings).collect()
    });
    Offering { parse: NonEmptyStringValueParser::new(), offered: &OFFERED }
}

/// The name of a switch.
pub(crate) fn switch() -> impl TypedValueParser<Value = String> {
    static OFFERED: LazyLock<Vec<String>> =
        LazyLock::new(|| SWITCHES.iter().map(|switch| switch.name.to_owned()).collect());
    Offering { parse: NonEmptyStringValueParser::new(), offered: &OFFERED }
}

fn expected(text: &str) -> Result<(Property, Expected), String> {
    let (name, verdict) = text
        .split_once('=')
        .ok_or("expected PROPERTY=holds, PROPERTY=vacuous or PROPERTY=violated")?;
    let expected = Expected::from_name(verdict)
        .ok_or_else(|| format!("found verdict '{verdict}', expected vacuous, holds or violated"))?;
    let property = Property::from_name(name).ok_or_else(|| {
        let names = Property::ALL.map(Property::name);
        let meant = suggest::did_you_mean(name, names);
        let meant = meant.map_or(String::new(), |meant| format!("; {meant}"));
        format!("found property '{name}', expected one of {}{meant}", names.join(", "))
    })?;
    Ok((property, expected))
}
