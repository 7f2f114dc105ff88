//! `kmodcheck serve`: the same in a browser, on this machine only.
//!
//! The server keeps nothing: the page sends the steps chosen so far with each request. It listens on
//! the loopback address, answers only requests that name it, and takes only JSON, so that no other
//! page in the same browser can ask it for anything.

use std::io::Read;
use std::time::Duration;

use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_model::{History, Model};
use kmodcheck_properties::by_hand::Walk;
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::Story;
use kmodcheck_sim::trace::file::TraceFile;
use serde::{Deserialize, Serialize};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::args::Arguments;
use crate::evidence_args::Serve;
use crate::{Ended, Failure, options, output, scenario_arg};

const PAGE: &str = include_str!("../templates/serve.html");
const SCRIPT: &str = include_str!("../templates/serve.js");
const STYLE: &str = include_str!("../templates/report.css");

/// Longest body of a request, in bytes.
const MOST_BODY: u64 = 256 * 1024;

/// Most steps of a run.
const MOST_STEPS: usize = 10_000;

/// Most states of one search, unless the arguments say otherwise: the page waits for it.
const MOST_STATES: u64 = 2_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The steps so far: process and alternative.
    schedule: Vec<(usize, u32)>,
}

#[derive(Serialize)]
struct EnabledJson {
    actor: usize,
    choice: u32,
    function: &'static str,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    way_out: Option<&'static str>,
    violates: Vec<&'static str>,
}

#[derive(Serialize)]
struct ViolatedJson {
    step: usize,
    property: &'static str,
    statement: &'static str,
}

#[derive(Serialize)]
struct StateJson {
    story: Story,
    enabled: Vec<EnabledJson>,
    violated: Vec<ViolatedJson>,
    asleep: Vec<usize>,
    finished: bool,
}

#[derive(Serialize)]
struct AheadJson {
    complete: bool,
    states: u64,
    violated: Vec<WayJson>,
}

#[derive(Serialize)]
struct WayJson {
    property: &'static str,
    statement: &'static str,
    schedule: Vec<(usize, u32)>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Serve) -> Result<Ended, Failure> {
    let model = scenario_arg::small_model(&asked.scenario, asked.callers)?;
    let model = model.remembering(History::Both)?;
    let address = ("127.0.0.1", asked.port);
    let server =
        Server::http(address).map_err(|error| format!("127.0.0.1:{}: {error}", asked.port))?;
    let interrupt = options::interrupt();
    let at = server.server_addr();
    output::print(&format!("http://{at}/  (Ctrl-C ends it)"));
    let limits = options::limits(arguments);
    let limits = Limits { states: limits.states.or(Some(MOST_STATES)), ..limits };
    while !interrupt.load(std::sync::atomic::Ordering::Relaxed) {
        if let Some(request) = server.recv_timeout(Duration::from_millis(200))? {
            answer(request, &model, limits);
        }
    }
    Ok(Ended::AsExpected)
}

/// What goes back: status, type, body.
type Answer = (u16, &'static str, String);

const JSON: &str = "application/json";

fn answer(mut request: Request, model: &Model, limits: Limits) {
    let (status, kind, body) = respond(&mut request, model, limits);
    let mut response = Response::from_string(body).with_status_code(status);
    for (name, value) in [
        ("Content-Type", kind),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'",
        ),
    ] {
        let header = Header::from_bytes(name, value).expect("the header is plain text");
        response.add_header(header);
    }
    // A browser that has gone away needs no answer.
    let _ = request.respond(response);
}

fn respond(request: &mut Request, model: &Model, limits: Limits) -> Answer {
    let text = |status, text: &str| (status, "text/plain; charset=utf-8", format!("{text}\n"));
    let header = |name: &'static str| {
        request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str().to_owned())
    };
    let host = header("Host").unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    if !["127.0.0.1", "localhost"].contains(&host) {
        return text(403, "this server answers to 127.0.0.1 and localhost only");
    }
    match (request.method(), request.url()) {
        (Method::Get, "/") => {
            let page = PAGE.replace("/*style*/", STYLE).replace("/*script*/", SCRIPT);
            return (200, "text/html; charset=utf-8", page);
        }
        (Method::Post, "/api/state" | "/api/ahead" | "/api/trace") => {}
        (Method::Get | Method::Post, _) => return text(404, "no such page"),
        _ => return text(405, "expected GET or POST"),
    }
    if header("Content-Type").as_deref() != Some(JSON) {
        return text(415, "expected application/json");
    }
    let url = request.url().to_owned();
    let mut body = String::new();
    if request.as_reader().take(MOST_BODY + 1).read_to_string(&mut body).is_err() {
        return text(400, "expected UTF-8 text");
    }
    if body.len() as u64 > MOST_BODY {
        return text(413, "the request is too long");
    }
    let asked: Asked = match serde_json::from_str(&body) {
        Ok(asked) => asked,
        Err(error) => {
            return text(400, &format!("expected {{\"schedule\": [[0, 0], ...]}}: {error}"));
        }
    };
    if asked.schedule.len() > MOST_STEPS {
        return text(413, "too many steps");
    }
    let system = Processes { model };
    let Some(mut walk) = Walk::new(model, &system) else {
        return text(500, "more processes than can be stepped by hand");
    };
    for (number, (actor, choice)) in asked.schedule.iter().enumerate() {
        if !walk.take(*actor, *choice) {
            return text(409, &format!("step {} cannot be taken", number + 1));
        }
    }
    let answered = match url.as_str() {
        "/api/state" => Ok(state(&walk)),
        "/api/ahead" => ahead(&walk, limits),
        _ => trace(&walk, model),
    };
    match answered {
        Ok(body) => (200, JSON, body),
        Err(error) => text(409, &error),
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("nothing in it that JSON lacks")
}

fn state(walk: &Walk<'_>) -> String {
    let enabled = walk.enabled();
    json(&StateJson {
        story: walk.story(),
        enabled: enabled
            .into_iter()
            .map(|e| EnabledJson {
                actor: e.step.actor,
                choice: e.step.ordinal,
                function: e.function,
                what: e.what,
                way_out: e.way_out,
                violates: e.violates.iter().map(|p| p.name()).collect(),
            })
            .collect(),
        violated: walk
            .violations()
            .flat_map(|(step, properties)| {
                properties.iter().map(move |p| ViolatedJson {
                    step,
                    property: p.name(),
                    statement: p.statement(),
                })
            })
            .collect(),
        asleep: walk.asleep(),
        finished: walk.finished(),
    })
}

fn ahead(walk: &Walk<'_>, limits: Limits) -> Result<String, String> {
    let interrupt = Some(options::interrupt());
    // Without symmetry: the ways are taken by number from here.
    let options = Options { symmetry: false, limits, interrupt, ..Options::default() };
    let ahead = walk.ahead(&options).map_err(|error| error.to_string())?;
    Ok(json(&AheadJson {
        complete: ahead.end == End::Complete,
        states: ahead.states,
        violated: ahead
            .violated
            .iter()
            .map(|(property, way)| WayJson {
                property: property.name(),
                statement: property.statement(),
                schedule: way.iter().map(|step| (step.actor, step.ordinal)).collect(),
            })
            .collect(),
    }))
}

fn trace(walk: &Walk<'_>, model: &Model) -> Result<String, String> {
    let Some((steps, violated)) = walk.violations().last() else {
        return Err("nothing is violated yet".to_owned());
    };
    let property = violated[0];
    let trace = walk.trace()[..steps].to_vec();
    let file = TraceFile::new(property.name(), property.statement(), model.scenario(), &trace);
    Ok(file.to_json())
}
