//! `kmodcheck verify FILE...`.

use std::path::Path;

use kmodcheck_model::features::Features;
use kmodcheck_model::presets::{KERNELS, KMODS, SWITCHES, Side, kernel, kmod};
use kmodcheck_properties::certificate::{self, Confirmed};
use kmodcheck_sim::certificate::Certificate;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Arguments, Verify};
use crate::input::{files, kind};
use crate::output::{self, Ended, Failure, assumed};

/// Which certificates are proofs.
#[derive(Serialize, JsonSchema)]
pub(crate) struct VerifyJson {
    format: &'static str,
    version: u32,
    certificates: Vec<CertificateJson>,
}

/// Of what was refused nothing is said but why.
#[derive(Serialize, JsonSchema)]
struct CertificateJson {
    file: String,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proves: Option<ProvesJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct ProvesJson {
    digest: String,
    /// What the file calls it.
    scenario: String,
    properties: Vec<PropertyJson>,
    assumes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct PropertyJson {
    name: &'static str,
    statement: &'static str,
    /// No step that is possible meets its premise.
    vacuous: bool,
}

pub(crate) fn run(arguments: &Arguments, asked: &Verify) -> Result<Ended, Failure> {
    if let Some(steps) = &asked.steps {
        if asked.files.len() != 1 {
            let found = asked.files.len();
            return Err(format!("found --steps and {found} certificates, expected one").into());
        }
        files::try_file(steps)?;
    }
    let (mut refused, mut json) = (0, Vec::new());
    for (number, file) in asked.files.iter().enumerate() {
        let name = file.display().to_string();
        let text = files::read(file)?;
        let certificate = Certificate::parse(&name, &text)
            .map_err(|error| kind::instead(&name, &text, &["a certificate"], error.into()))?;
        // Also of one that is refused: the other verifier is to refuse it, too.
        if let Some(out) = &asked.steps {
            write_steps(out, &name, &certificate)?;
        }
        let verdict = certificate::verify(&name, &certificate)?;
        refused += usize::from(verdict.is_err());
        if arguments.json {
            json.push(CertificateJson {
                file: name,
                verified: verdict.is_ok(),
                proves: verdict.as_ref().ok().map(|confirmed| proves(&certificate, confirmed)),
                refused: verdict.err().map(|refused| refused.to_string()),
            });
            continue;
        }
        if number > 0 {
            output::print("");
        }
        match verdict {
            Ok(confirmed) => print(&name, &certificate, &confirmed),
            Err(refused) => crate::output::note!("kmodcheck: {name}: refused: {refused}"),
        }
    }
    if arguments.json {
        let (format, version) = ("kmodcheck-verify", 2);
        output::print_json(&VerifyJson { format, version, certificates: json });
    }
    Ok(if refused == 0 { Ended::AsExpected } else { Ended::Differs })
}

fn write_steps(out: &Path, name: &str, certificate: &Certificate) -> Result<(), Failure> {
    match certificate::steps(name, certificate)? {
        Ok(steps) => {
            files::write(out, &steps.to_json())?;
            let (shared, locals, choices) = steps.size();
            output::note!(
                "kmodcheck: {}: {shared} shared states, {locals} local states, {choices} ways to step",
                out.display()
            );
        }
        Err(refused) => output::note!("kmodcheck: {name}: no steps were written: {refused}"),
    }
    Ok(())
}

fn proves(certificate: &Certificate, confirmed: &Confirmed) -> ProvesJson {
    let properties = confirmed.properties.iter().map(|(property, met)| PropertyJson {
        name: property.name(),
        statement: property.statement(),
        vacuous: !met,
    });
    ProvesJson {
        digest: certificate.digest.clone(),
        scenario: certificate.scenario.name.clone(),
        properties: properties.collect(),
        assumes: confirmed.assumes.clone(),
    }
}

/// The presets that have these switches; of none, each switch.
fn switches(features: &Features, side: Side) -> String {
    let (what, presets): (_, Vec<&str>) = match side {
        Side::Kernel => {
            let has = |name: &&str| kernel(name) == Some(features.kernel);
            ("kernel", KERNELS.into_iter().filter(has).collect())
        }
        Side::Kmod => {
            let has = |name: &&str| kmod(name) == Some(features.kmod);
            ("kmod", KMODS.into_iter().filter(has).collect())
        }
    };
    if !presets.is_empty() {
        return format!("{what} {}", presets.join(" = "));
    }
    let own = SWITCHES.iter().filter(|s| s.side == side);
    let own: Vec<_> = own.map(|s| format!("{}={}", s.name, s.get(features))).collect();
    format!("{what} like no preset: {}", own.join(" "))
}

fn print(name: &str, certificate: &Certificate, confirmed: &Confirmed) {
    let scenario = &certificate.scenario;
    output::print(&format!("{name}: proves of the scenario that it calls '{}':", scenario.name));
    for (property, met) in &confirmed.properties {
        let vacuous =
            if *met { "" } else { " (vacuous: no step that is possible meets its premise)" };
        output::print(&format!("  {}: {}{vacuous}", property.name(), property.statement()));
    }
    let (features, actors) = (&scenario.features, assumed::actors(scenario).join("; "));
    output::print(&format!(
        "switches: {}; {}",
        switches(features, Side::Kernel),
        switches(features, Side::Kmod)
    ));
    output::print(&format!("actors, of whom callers come in any number: {actors}"));
    let assumed = [&confirmed.assumes[..], &assumed::assumptions(scenario)].concat();
    output::print(&format!("assumed: {}", assumed.join("; ")));
    let verified = &confirmed.verified;
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
