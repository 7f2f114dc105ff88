//! `kmodcheck verify FILE...`.

use kmodcheck_properties::prove;
use kmodcheck_sim::certificate::Certificate;
use kmodcheck_sim::certificate::verify::Verified;
use serde::Serialize;

use crate::args::{Arguments, Verify};
use crate::{Ended, Failure, options, output};

#[derive(Serialize)]
struct VerifyJson {
    format: &'static str,
    version: u32,
    certificates: Vec<CertificateJson>,
}

#[derive(Serialize)]
struct CertificateJson {
    file: String,
    digest: String,
    scenario: String,
    properties: Vec<String>,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Verify) -> Result<Ended, Failure> {
    let (mut refused, mut json) = (0, Vec::new());
    for (number, file) in asked.files.iter().enumerate() {
        let name = file.display().to_string();
        let certificate = Certificate::parse(&name, &options::read(file)?)?;
        let verdict = prove::verify(&name, &certificate)?;
        refused += usize::from(verdict.is_err());
        if arguments.json {
            let properties = certificate.properties.iter().map(|p| p.name.clone());
            json.push(CertificateJson {
                file: name,
                properties: properties.collect(),
                verified: verdict.is_ok(),
                refused: verdict.err().map(|refused| refused.to_string()),
                scenario: certificate.scenario.name,
                digest: certificate.digest,
            });
            continue;
        }
        if number > 0 {
            output::print("");
        }
        match verdict {
            Ok(verified) => print(&name, &certificate, &verified),
            Err(refused) => anstream::eprintln!("kmodcheck: {name}: refused: {refused}"),
        }
    }
    if arguments.json {
        let (format, version) = ("kmodcheck-verify", 1);
        output::print_json(&VerifyJson { format, version, certificates: json });
    }
    Ok(if refused == 0 { Ended::AsExpected } else { Ended::Differs })
}

fn print(name: &str, certificate: &Certificate, verified: &Verified) {
    output::print(&format!("{name}: {}, for any number of callers:", certificate.scenario.name));
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
}
