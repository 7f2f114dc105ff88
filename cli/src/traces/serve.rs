//! `kmodcheck serve`: the same in a browser, on this machine only.
//!
//! The server keeps nothing: the page sends the steps chosen so far with each request. It listens on
//! the loopback address, answers only requests that name it and do not come from elsewhere, and takes
//! only JSON, so that no other page in the same browser can ask it for anything, not even one whose
//! name has been made to mean this machine (DNS rebinding).

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_model::{History, Model};
use kmodcheck_properties::by_hand::Walk;
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::Story;
use kmodcheck_sim::trace::file::TraceFile;
use serde::{Deserialize, Serialize};

use super::http::{self, Answer, Request};
use crate::args::Arguments;
use crate::args::evidence::Serve;
use crate::input::session;
use crate::input::subject::{self, Subject};
use crate::output::{self, Ended, Failure};

const PAGE: &str = include_str!("../../templates/serve.html");
const PARTS: &str = include_str!("../../templates/parts.js");
const SCRIPT: &str = include_str!("../../templates/serve.js");
const STYLE: &str = include_str!("../../templates/report.css");

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
    let model = Subject::load(&subject::Asked::from(&asked.subject).or_race())?.small_model()?;
    let model = model.remembering(History::Both)?;
    let taken = |error| format!("127.0.0.1:{}: {error}", asked.port);
    let listener = TcpListener::bind(("127.0.0.1", asked.port)).map_err(taken)?;
    let interrupt = session::interrupt();
    let at = listener.local_addr().map_err(taken)?;
    output::print(&format!("http://{at}/  (Ctrl-C ends it)"));
    let limits = session::limits(arguments);
    let limits = Limits { states: limits.states.or(Some(MOST_STATES)), ..limits };
    let search = Mutex::new(());
    let server = std::thread::Builder::new().spawn(move || {
        http::serve(&listener, HEADERS, move |request| {
            respond(request, &model, limits, &search).unwrap_or_else(|refused| refused)
        })
    })?;
    // Whatever a connection is doing, this thread only waits for the end.
    while !interrupt.load(Ordering::Relaxed) {
        if server.is_finished() {
            let error = server.join().map_err(|_| "the server has failed")?;
            return Err(format!("{at}: {error}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(Ended::AsExpected)
}

const JSON: &str = "application/json";

/// What every answer says.
const HEADERS: &str = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    connect-src 'self'; frame-ancestors 'none'\r\n";

/// Whether the request may be answered: it names this machine, and no page from elsewhere sends it.
fn admitted(request: &Request) -> Result<(), Answer> {
    let host = request.header("host")?.unwrap_or_default();
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    if !["127.0.0.1", "localhost"].contains(&name) {
        return Err(Answer::text(403, "this server answers to 127.0.0.1 and localhost only"));
    }
    // Another server on this machine is elsewhere, too: the port counts.
    match request.header("origin")? {
        Some(origin) if origin != format!("http://{host}") => {
            Err(Answer::text(403, "this server answers to its own page only"))
        }
        _ => Ok(()),
    }
}

fn respond(
    request: &Request,
    model: &Model,
    limits: Limits,
    search: &Mutex<()>,
) -> Result<Answer, Answer> {
    admitted(request)?;
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => {
            let body = PAGE.replace("/*style*/", STYLE);
            let body = body.replace("/*parts*/", PARTS).replace("/*script*/", SCRIPT);
            return Ok(Answer { status: 200, kind: "text/html; charset=utf-8", body });
        }
        ("POST", "/api/state" | "/api/ahead" | "/api/trace") => {}
        ("GET" | "POST", _) => return Err(Answer::text(404, "no such page")),
        _ => return Err(Answer::text(405, "expected GET or POST")),
    }
    if request.header("content-type")? != Some(JSON) {
        return Err(Answer::text(415, "expected application/json"));
    }
    let asked: Asked = serde_json::from_slice(&request.body).map_err(|error| {
        Answer::text(400, &format!("expected {{\"schedule\": [[0, 0], ...]}}: {error}"))
    })?;
    if asked.schedule.len() > MOST_STEPS {
        return Err(Answer::text(413, "too many steps"));
    }
    let system = Processes { model };
    let Some(mut walk) = Walk::new(model, &system) else {
        return Err(Answer::text(500, "more processes than can be stepped by hand"));
    };
    for (number, (actor, choice)) in asked.schedule.iter().enumerate() {
        if !walk.take(*actor, *choice) {
            return Err(Answer::text(409, &format!("step {} cannot be taken", number + 1)));
        }
    }
    let answered = match request.path.as_str() {
        "/api/state" => Ok(state(&walk)),
        "/api/ahead" => {
            // Each may take all the memory that the limit allows.
            let Ok(_search) = search.try_lock() else {
                return Err(Answer::text(503, "another search is running"));
            };
            ahead(&walk, limits)
        }
        _ => trace(&walk, model),
    };
    match answered {
        Ok(body) => Ok(Answer { status: 200, kind: JSON, body }),
        Err(error) => Err(Answer::text(409, &error)),
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
    let interrupt = Some(session::interrupt());
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
