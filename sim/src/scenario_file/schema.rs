//! What may stand in a scenario file. `docs/scenarios.md` says the same in words; a test compares the
//! keys.

use std::collections::BTreeMap;

use kmodcheck_model::scenario::{FailsAt, Helper, Init};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct File {
    pub name: Option<String>,
    pub properties: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub unknown_names: Vec<Spanned<String>>,
    pub shared: Option<Spanned<String>>,
    #[serde(default)]
    pub features: Features,
    #[serde(default)]
    pub environment: Environment,
    #[serde(default)]
    pub expect: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub module: Vec<Module>,
    #[serde(default)]
    pub actor: Vec<Actor>,
    #[serde(default)]
    pub property: Vec<Property>,
}

/// `[features]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Features {
    pub kernel: Option<Spanned<String>>,
    pub kmod: Option<Spanned<String>>,
    #[serde(default)]
    pub with: Vec<Spanned<String>>,
    #[serde(default)]
    pub without: Vec<Spanned<String>>,
}

/// `[environment]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Environment {
    #[serde(default)]
    pub helper: Helper,
    #[serde(default)]
    pub lsm_refuses: bool,
    pub exec_requests: Option<Spanned<String>>,
    pub limit: Option<Spanned<i64>>,
    #[serde(default)]
    pub modprobe_killable: bool,
    #[serde(default)]
    pub timeouts: bool,
}

/// `[[module]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Module {
    pub name: Spanned<String>,
    pub built_in: Option<Spanned<bool>>,
    pub listed_builtin: Option<Spanned<bool>>,
    pub parameters: Option<Spanned<bool>>,
    pub version: Option<Spanned<bool>>,
    pub name_taken: Option<Spanned<bool>>,
    pub init: Option<Spanned<ModuleInit>>,
    pub exit: Option<Spanned<String>>,
    pub registers: Option<Spanned<bool>>,
    pub dependencies: Option<Spanned<Vec<Spanned<String>>>>,
    pub softdeps: Option<Spanned<Softdeps>>,
    #[serde(default)]
    pub aliases: Vec<Spanned<String>>,
    pub blacklisted: Option<Spanned<bool>>,
    pub install: Option<Spanned<String>>,
    pub requests: Option<Spanned<String>>,
    pub sysfs_may_fail: Option<Spanned<bool>>,
    pub fails_at: Option<Spanned<FailsAt>>,
    pub fails_with: Option<Spanned<FailsWith>>,
    pub compressed: Option<Spanned<bool>>,
    pub no_exit: Option<Spanned<bool>>,
}

/// `fails-with` of a `[[module]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum FailsWith {
    #[serde(rename = "-EEXIST")]
    Eexist,
    #[serde(rename = "another error")]
    Another,
}

/// `softdeps` of a `[[module]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Softdeps {
    #[serde(default)]
    pub pre: Vec<Spanned<String>>,
    #[serde(default)]
    pub post: Vec<Spanned<String>>,
}

/// `[[actor]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Actor {
    pub call: Option<Spanned<Call>>,
    pub name: Option<Spanned<String>>,
    pub program: Option<Spanned<String>>,
    pub count: Option<Spanned<i64>>,
    pub killable: Option<Spanned<bool>>,
    pub results: Option<Spanned<Vec<Spanned<String>>>>,
}

/// `[[property]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Property {
    pub name: Spanned<String>,
    pub statement: Option<Spanned<String>>,
    pub never: Option<Spanned<String>>,
    pub always: Option<Spanned<String>>,
    pub exists: Option<Spanned<String>>,
}

impl Actor {
    /// Where it says what it does.
    pub fn span(&self) -> std::ops::Range<usize> {
        let call = self.call.as_ref().map(Spanned::span);
        let program = self.program.as_ref().map(Spanned::span);
        call.or(program).or(self.name.as_ref().map(Spanned::span)).unwrap_or_default()
    }
}

/// `init` of a `[[module]]`.
#[derive(Clone, Debug)]
pub(super) enum ModuleInit {
    /// A word for how it ends.
    Word(Init),
    /// Its statements: what is no single word.
    Program(String),
}

impl<'de> Deserialize<'de> for ModuleInit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.contains([';', '\n', '{']) {
            return Ok(Self::Program(text));
        }
        let word: serde::de::value::StringDeserializer<D::Error> = text.into_deserializer();
        Init::deserialize(word).map(Self::Word)
    }
}

/// What an actor does, in the words of whoever does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Call {
    #[serde(rename = "request_module")]
    RequestModule,
    #[serde(rename = "request_module_nowait")]
    RequestModuleNowait,
    #[serde(rename = "get_fs_type")]
    GetFsType,
    #[serde(rename = "modprobe")]
    Modprobe,
    #[serde(rename = "modprobe -r")]
    ModprobeRemove,
    #[serde(rename = "insmod")]
    Insmod,
    #[serde(rename = "rmmod")]
    Rmmod,
    #[serde(rename = "udev")]
    Udev,
}

impl Call {
    /// Such a call as a step of it is told.
    pub fn in_words(self, name: &str) -> String {
        match self {
            Self::RequestModule => format!("request_module(\"{name}\")"),
            Self::RequestModuleNowait => format!("request_module_nowait(\"{name}\")"),
            Self::GetFsType => format!("get_fs_type(\"{name}\")"),
            Self::Modprobe => format!("modprobe {name}"),
            Self::ModprobeRemove => format!("modprobe -r {name}"),
            Self::Insmod => format!("insmod {name}"),
            Self::Rmmod => format!("rmmod {name}"),
            Self::Udev => format!("waits for {name}"),
        }
    }
}

/// The keys that each table takes, by the table's heading: what the code reads, asked of the code that
/// reads it.
pub fn keys() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("the file", fields::of::<File>()),
        ("[features]", fields::of::<Features>()),
        ("[environment]", fields::of::<Environment>()),
        ("[[module]]", fields::of::<Module>()),
        ("softdeps", fields::of::<Softdeps>()),
        ("[[actor]]", fields::of::<Actor>()),
        ("[[property]]", fields::of::<Property>()),
    ]
}

/// The words that `call` takes.
pub fn calls() -> &'static [&'static str] {
    fields::of::<Call>()
}

/// The keys that take one of some words, each with its table's heading and the words.
pub fn words() -> Vec<(&'static str, &'static str, &'static [&'static str])> {
    vec![
        ("[environment]", "helper", fields::of::<Helper>()),
        ("[[module]]", "init", fields::of::<Init>()),
        ("[[actor]]", "call", calls()),
    ]
}

/// Asks a type for its fields or variants, by posing as its input.
mod fields {
    use serde::de::{Deserialize, Deserializer, Error, Visitor, value};
    use serde::forward_to_deserialize_any;

    struct Asked<'a>(&'a mut &'static [&'static str]);

    pub(super) fn of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
        let mut names: &'static [&'static str] = &[];
        // It always ends in the error below: the names are what is wanted.
        let _ = T::deserialize(Asked(&mut names));
        names
    }

    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = value::Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(value::Error::custom("only asked"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = variants;
            Err(value::Error::custom("only asked"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(value::Error::custom("only asked"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
        }
    }
}
