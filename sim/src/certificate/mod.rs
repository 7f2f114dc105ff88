//! Certificates: files that prove, for any number of callers, that a scenario violates no property of
//! a list.
//!
//! A certificate holds its whole scenario, switches included, and an inductive invariant: what is
//! excluded, and the control states with one tagged process ([`kmodcheck_explore::coverability`] says
//! what these are). [`verify`] checks it without the prover. `digest` is the SHA-256 of everything
//! else in the file: it names a certificate, and tells a damaged file from a wrong proof. It is no
//! part of the proof.
//!
//! A certificate is not believed in anything: what it says of itself for readers must be what the
//! checker says, and there is one way only to write a proof down ([`Certificate::check`]).
//!
//! `format` and `version` come first; a reader refuses what it does not know.

pub mod steps;
pub mod verify;

use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_explore::coverability::{Excluded, Invariant, Tagged};
use kmodcheck_explore::{Kind, Local, Shared, Step, hex};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Event, Model, ModelError};
use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Processes;
use crate::versioned::{self, FileError};
use verify::{Checker, Claim, Place, Refused, Tag, Verified};

/// What `format` says.
pub const FORMAT: &str = "kmodcheck-certificate";

/// The version written, and the only one read. Version 2 says every switch; in version 1 some were
/// left to defaults, and `delete_module_wakes` followed from `listed_name`. A switch that came after that is said where it
/// is on: what was written before is what it was.
pub const VERSION: u32 = 2;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// SHA-256 of the certificate without it, in hexadecimal.
    pub digest: String,
    /// What is proved.
    pub properties: Vec<Proved>,
    /// What else it assumes, in words, for readers.
    pub assumes: Vec<String>,
    /// The system. Of actors of which there can be any number, how many it says does not matter.
    pub scenario: Scenario,
    /// The kinds of process of which there can be any number.
    pub any_number: Vec<u8>,
    /// The kinds of process whose history no property reads.
    pub forgetful: Vec<u8>,
    /// The anonymous local states that the elements speak of.
    pub anonymous: Vec<Word>,
    /// The local states of the tagged process.
    pub tags: Vec<Word>,
    /// The control states without a tag, each with what is excluded beside it and who can be tagged.
    pub places: Vec<PlaceLine>,
}

/// A property, by name, with its statement for readers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proved {
    /// The name.
    pub name: String,
    /// The statement.
    pub statement: String,
}

/// A local state.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// The kind of the process.
    pub kind: u8,
    /// The packed word.
    pub word: Local,
}

/// A shared state and the processes in slots, and what is said of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceLine {
    /// The packed shared word, in hexadecimal.
    pub shared: String,
    /// The words in the slots.
    pub slots: Vec<Local>,
    /// Sets of processes that cannot stand beside it together, by their places in
    /// [`Certificate::anonymous`].
    pub excluded: Vec<Vec<u32>>,
    /// The processes that can be the tagged one, by their places in [`Certificate::tags`], with
    /// their slot if they have one. In a slot, [`PlaceLine::slots`] has it as 0.
    pub tagged: Vec<(u32, Option<u8>)>,
}

/// Why a certificate could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not such a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A number that stands for nothing.
    #[error("{file}: place {place}: found {found}, expected {expected}")]
    Value {
        /// The file.
        file: String,
        /// Which of [`Certificate::places`], from 0.
        place: usize,
        /// What it says.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A scenario that cannot be modelled.
    #[error("{file}: {error}")]
    Scenario {
        /// The file.
        file: String,
        /// Why.
        error: ModelError,
    },
}

/// What a certificate is about.
#[derive(Clone, Debug)]
pub struct About {
    /// What is proved: names and statements.
    pub properties: Vec<Proved>,
    /// What else it assumes, in words.
    pub assumes: Vec<String>,
    /// The kinds of process of which there can be any number.
    pub any_number: Vec<Kind>,
    /// The kinds of process whose history no property reads.
    pub forgetful: Vec<Kind>,
}

impl Certificate {
    /// The certificate of an invariant of `scenario`.
    pub fn new(scenario: &Scenario, about: &About, invariant: &Invariant) -> Self {
        let mut anonymous: BTreeMap<Word, u32> = BTreeMap::new();
        let mut tags: BTreeMap<Word, u32> = BTreeMap::new();
        let word = |(kind, word): (Kind, Local)| Word { kind: kind.0, word };
        for other in invariant.excluded.iter().flat_map(|e| &e.others) {
            anonymous.insert(word(*other), 0);
        }
        for tagged in &invariant.tagged {
            tags.insert(word((tagged.kind, tagged.local)), 0);
        }
        for numbers in [&mut anonymous, &mut tags] {
            numbers.values_mut().zip(0..).for_each(|(number, next)| *number = next);
        }
        let mut places: BTreeMap<(Shared, Vec<Local>), PlaceLine> = BTreeMap::new();
        let mut line = |shared: Shared, slots: &[Local], add: &dyn Fn(&mut PlaceLine)| {
            let new = || PlaceLine {
                shared: format!("{shared:#x}"),
                slots: slots.to_vec(),
                excluded: Vec::new(),
                tagged: Vec::new(),
            };
            add(places.entry((shared, slots.to_vec())).or_insert_with(new));
        };
        for excluded in &invariant.excluded {
            line(excluded.shared, &excluded.slots, &|place| {
                place.excluded.push(excluded.others.iter().map(|o| anonymous[&word(*o)]).collect());
            });
        }
        for tagged in &invariant.tagged {
            line(tagged.shared, &tagged.slots, &|place| {
                let number = tags[&word((tagged.kind, tagged.local))];
                place.tagged.push((number, tagged.slot));
            });
        }
        let mut certificate = Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            digest: String::new(),
            properties: about.properties.clone(),
            assumes: about.assumes.clone(),
            scenario: scenario.clone(),
            any_number: about.any_number.iter().map(|k| k.0).collect(),
            forgetful: about.forgetful.iter().map(|k| k.0).collect(),
            anonymous: anonymous.into_keys().collect(),
            tags: tags.into_keys().collect(),
            places: places.into_values().collect(),
        };
        certificate.seal();
        certificate
    }

    /// Writes the digest of everything else.
    pub fn seal(&mut self) {
        self.digest = self.content_digest();
    }

    /// The digest of everything else.
    pub fn content_digest(&self) -> String {
        let content = Self { digest: String::new(), ..self.clone() };
        let text = serde_json::to_string(&content).expect("a certificate has nothing JSON lacks");
        hex(&Sha256::digest(text.as_bytes()))
    }

    /// How many elements it has: excluded ones, and control states with a tagged process.
    pub fn size(&self) -> (usize, usize) {
        let excluded = self.places.iter().map(|p| p.excluded.len()).sum();
        (excluded, self.places.iter().map(|p| p.tagged.len()).sum())
    }

    /// Reads `text`, the content of `file`.
    ///
    /// # Errors
    /// Malformed JSON, or another format or version. The digest is for [`Certificate::check`].
    pub fn parse(file: &str, text: &str) -> Result<Self, CertificateError> {
        Ok(versioned::read(file, text, FORMAT, VERSION)?)
    }

    /// As text to be saved: each place a line.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string(self).expect("a certificate has nothing JSON lacks");
        let Fields(fields) = serde_json::from_str(&text).expect("it is a struct");
        let lines = fields.iter().map(|(name, value)| match (value, name.as_str()) {
            (Value::Array(lines), "properties" | "places") if !lines.is_empty() => {
                let lines: Vec<String> = lines.iter().map(|l| format!("    {l}")).collect();
                format!("  \"{name}\": [\n{}\n  ]", lines.join(",\n"))
            }
            (value, _) => format!("  \"{name}\": {value}"),
        });
        format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
    }

    /// The model that it is about. It has at least the behaviours of the exact one with any number of
    /// actors.
    ///
    /// # Errors
    /// A scenario that cannot be modelled.
    pub fn model(&self, file: &str) -> Result<Model, CertificateError> {
        Model::for_any_number(self.scenario.clone(), None)
            .map_err(|error| CertificateError::Scenario { file: file.to_owned(), error })
    }

    /// What it claims of a system of which `about` says who comes in any number and who forgets.
    ///
    /// # Errors
    /// A number that stands for nothing.
    pub fn claim(&self, file: &str, about: &About) -> Result<Claim, CertificateError> {
        let mut claim = Claim {
            any_number: about.any_number.clone(),
            forgetful: about.forgetful.clone(),
            excluded: Vec::new(),
            tagged: Vec::new(),
        };
        for (number, line) in self.places.iter().enumerate() {
            let value = |found: String, expected: String| CertificateError::Value {
                file: file.to_owned(),
                place: number,
                found,
                expected,
            };
            let digits = line.shared.strip_prefix("0x").unwrap_or(&line.shared);
            let shared = Shared::from_str_radix(digits, 16).map_err(|_| {
                value(format!("shared state '{}'", line.shared), "a hexadecimal number".to_owned())
            })?;
            let place = Place { shared, slots: line.slots.clone() };
            let word = |words: &[Word], at: u32, of: &str| {
                words.get(at as usize).map(|w| (Kind(w.kind), w.word)).ok_or_else(|| {
                    value(format!("{of} {at}"), format!("a number below {}", words.len()))
                })
            };
            for element in &line.excluded {
                let others: Result<Vec<_>, _> = element
                    .iter()
                    .map(|at| word(&self.anonymous, *at, "anonymous local state"))
                    .collect();
                claim.excluded.push((place.clone(), others?));
            }
            for (at, slot) in &line.tagged {
                let (kind, local) = word(&self.tags, *at, "local state of a tagged process")?;
                let tag = Tag { kind, slot: slot.map(usize::from), local };
                claim.tagged.push((place.clone(), tag));
            }
        }
        Ok(claim)
    }

    /// Checks the claim in `model`, and that the certificate says of it what is so: all of `about`, in
    /// the one way in which [`Certificate::new`] writes it down. Nothing that `about` says may come from
    /// the certificate. `bad`: whether a step violates a property that is to be proved; it is also told
    /// whether the history of the process that steps is known.
    ///
    /// # Errors
    /// The outer one: a number that stands for nothing; the inner one: the first element that fails, or
    /// the first field that says something else.
    pub fn check(
        &self,
        file: &str,
        model: &Model,
        about: &About,
        bad: impl Fn(&Step<Event>, bool) -> bool,
    ) -> Result<Result<Verified, Refused>, CertificateError> {
        let claim = self.claim(file, about)?;
        let verified = Checker::new(&Processes { model }, &claim, bad).check();
        // After the elements: that one of them is wrong says more.
        Ok(verified.and_then(|verified| match self.misstated(about, claim) {
            Some(refused) => Err(refused),
            None => Ok(verified),
        }))
    }

    /// The first field that is not as it is when the claim is written down anew. The digest comes last:
    /// with any other field, it is wrong, too.
    fn misstated(&self, about: &About, claim: Claim) -> Option<Refused> {
        let written = Self::new(&self.scenario, about, &invariant(claim));
        let value =
            |c: &Self| serde_json::to_value(c).expect("a certificate has nothing JSON lacks");
        let anew = Self { digest: self.digest.clone(), ..written };
        if let Some(refused) = difference("", Some(&value(self)), Some(&value(&anew))) {
            return Some(refused);
        }
        let (found, expected) = (&self.digest, self.content_digest());
        (*found != expected).then(|| Refused {
            element: "digest".to_owned(),
            why: format!("found {found}, expected {expected}: the file was changed"),
        })
    }
}

/// A claim as the prover gives it: in ascending order, nothing twice.
fn invariant(claim: Claim) -> Invariant {
    let excluded = claim.excluded.into_iter().map(|(Place { shared, slots }, mut others)| {
        others.sort_unstable();
        Excluded { shared, slots, others }
    });
    let tagged = claim.tagged.into_iter().map(|(Place { shared, slots }, tag)| Tagged {
        shared,
        slots,
        kind: tag.kind,
        slot: tag.slot.map(|slot| u8::try_from(slot).expect("it was read from a u8")),
        local: tag.local,
    });
    let mut invariant = Invariant { excluded: excluded.collect(), tagged: tagged.collect() };
    invariant.excluded.sort_unstable();
    invariant.excluded.dedup();
    invariant.tagged.sort_unstable();
    invariant.tagged.dedup();
    invariant
}

/// Where `found` is not what was `expected`; `None`: there is nothing of that name.
fn difference(at: &str, found: Option<&Value>, expected: Option<&Value>) -> Option<Refused> {
    match (found, expected) {
        (found, expected) if found == expected => None,
        (Some(Value::Object(found)), Some(Value::Object(expected))) => {
            let dot = if at.is_empty() { "" } else { "." };
            let names: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
            names.into_iter().find_map(|name| {
                difference(&format!("{at}{dot}{name}"), found.get(name), expected.get(name))
            })
        }
        (Some(Value::Array(found)), Some(Value::Array(expected))) => {
            (0..found.len().max(expected.len()))
                .find_map(|i| difference(&format!("{at}[{i}]"), found.get(i), expected.get(i)))
        }
        (found, expected) => {
            let words = |v: Option<&Value>| v.map_or("nothing".to_owned(), Value::to_string);
            let why = format!("found {}, expected {}", words(found), words(expected));
            Some(Refused { element: at.to_owned(), why })
        }
    }
}

/// A struct's fields in its own order; `serde_json::Value` would sort the names.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a struct")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
