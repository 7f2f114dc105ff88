//! Proofs for any number of callers: what the certificates in a directory say of themselves. Checking them
//! takes longer than all else on the page, so the page says that it has not done that.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::input::files;
use crate::output::Failure;

/// One certificate.
#[derive(Serialize)]
pub(super) struct Certificate {
    file: String,
    /// Its fields that are one word or number, in the order of their names.
    fields: Vec<(String, String)>,
    /// Lists in it, by name and length: the basis among them.
    lists: Vec<(String, usize)>,
}

/// All of them. The page says nothing of where they were: it is the same wherever it is made.
#[derive(Serialize)]
pub(super) struct Certificates {
    certificates: Vec<Certificate>,
}

/// Reads every `.json` file of a directory, if one is given.
pub(super) fn read(directory: Option<&Path>) -> Result<Certificates, Failure> {
    let mut certificates = Vec::new();
    if let Some(directory) = directory {
        let entries = std::fs::read_dir(directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut paths: Vec<_> = entries
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
        paths.sort();
        for path in paths {
            let name = path.display();
            let text = files::read(&path)?;
            // What is no certificate is refused; whether it proves anything is for `verify` to say.
            kmodcheck_sim::certificate::Certificate::parse(&name.to_string(), &text)?;
            let value: Value = serde_json::from_str(&text)
                .map_err(|error| format!("{name}:{}:{}: {error}", error.line(), error.column()))?;
            let Value::Object(object) = value else {
                return Err(format!("{name}: expected a JSON object").into());
            };
            let mut fields = Vec::new();
            let mut lists = Vec::new();
            for (key, value) in object {
                match value {
                    Value::String(text) => fields.push((key, text)),
                    Value::Number(number) => fields.push((key, number.to_string())),
                    Value::Bool(truth) => fields.push((key, truth.to_string())),
                    Value::Array(list) => lists.push((key, list.len())),
                    Value::Null | Value::Object(_) => {}
                }
            }
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            certificates.push(Certificate { file, fields, lists });
        }
    }
    Ok(Certificates { certificates })
}
