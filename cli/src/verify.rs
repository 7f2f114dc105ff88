//! `kmodcheck verify FILE`.

use kmodcheck_properties::prove;
use kmodcheck_sim::certificate::Certificate;
use serde::Serialize;

use crate::args::{Arguments, Verify};
use crate::{Ended, Failure, options, output};

#[derive(Serialize)]
struct VerifyJson<'a> {
    format: &'static str,
    version: u32,
    digest: &'a str,
    scenario: &'a str,
    properties: Vec<&'a str>,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Verify) -> Result<Ended, Failure> {
    let name = asked.file.display().to_string();
    let certificate = Certificate::parse(&name, &options::read(&asked.file)?)?;
    let verdict = prove::verify(&name, &certificate)?;
    if arguments.json {
        output::print_json(&VerifyJson {
            format: "kmodcheck-verify",
            version: 1,
            digest: &certificate.digest,
            scenario: &certificate.scenario.name,
            properties: certificate.properties.iter().map(|p| p.name.as_str()).collect(),
            verified: verdict.is_ok(),
            refused: verdict.as_ref().err().map(ToString::to_string),
        });
        return Ok(if verdict.is_ok() { Ended::AsExpected } else { Ended::Differs });
    }
    let verified = match verdict {
        Ok(verified) => verified,
        Err(refused) => {
            anstream::eprintln!("kmodcheck: {name}: refused: {refused}");
            return Ok(Ended::Differs);
        }
    };
    output::print(&format!("{}, for any number of callers:", certificate.scenario.name));
    for property in &certificate.properties {
        output::print(&format!("  {}: {}", property.name, property.statement));
    }
    output::print(&format!("assumed: {}", certificate.assumes.join("; ")));
    let (excluded, tagged) = certificate.size();
    output::print(&format!(
        "table: {} control states, {} anonymous local states. Certificate: {excluded} excluded\n\
         elements, {} least configurations before them are excluded, too; {tagged} control states\n\
         with a tagged process, {} steps from them lead to another one and violate nothing.",
        verified.places, verified.anonymous, verified.predecessors, verified.steps
    ));
    let by_callers = |counts: &[u64]| {
        let counts = counts.iter().enumerate().map(|(n, count)| format!("{}: {count}", n + 1));
        counts.collect::<Vec<_>>().join(", ")
    };
    output::print(&format!(
        "Every configuration of the invariant, by number of callers, with its successors: {}.\n\
         Every configuration that is reached, by number of callers: {}.",
        by_callers(&verified.enumerated),
        by_callers(&verified.reached)
    ));
    output::print(&format!("digest {}\nverified", certificate.digest));
    Ok(Ended::AsExpected)
}
