//! `kmodcheck serve`, as a browser meets it, and as somebody meets it who means no good: one who is slow
//! stops nobody, neither do many, and no page from elsewhere is answered.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::run;
use serde_json::Value;
use tempfile::TempDir;

/// A server, ended when the test ends.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        Self::of(&["serve", "race", "--port", "0"])
    }

    pub(crate) fn of(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kmodcheck"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        Self { child, address }
    }

    /// Status and body.
    fn ask(&self, request: &str, host: &str, kind: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        answered(stream)
    }

    /// What can still go wrong from the beginning.
    pub(crate) fn ahead(&self) -> (u16, String) {
        let none = r#"{"schedule": []}"#;
        self.ask("POST /api/ahead", &self.address, "application/json", none)
    }

    /// Status and body for a request as it stands, up to its end.
    fn raw(&self, request: &str) -> (u16, String) {
        answered(self.begun(request))
    }

    /// A connection on which so much of a request has come.
    fn begun(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// What Ctrl-C in its terminal sends; its exit status.
    fn interrupted(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        for _ in 0..3_000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("Ctrl-C does not end the server");
    }

    fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.ask(&format!("POST {path}"), &self.address, "application/json", body)
    }
}

/// Status and body.
fn answered(stream: TcpStream) -> (u16, String) {
    heard(stream).expect("there is an answer")
}

/// The same, if it can be heard. A test that waits for ever is of no use, so it gives up some time.
fn heard(mut stream: TcpStream) -> std::io::Result<(u16, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, answer.split_once("\r\n\r\n").unwrap().1.to_owned()))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn served_on_loopback_only() {
    let server = Server::start();
    let (status, page) = server.ask("GET /", &server.address, "text/plain", "");
    assert_eq!(status, 200);
    assert!(page.contains("What can be done"));
    let (status, state) = server.post("/api/state", r#"{"schedule": [[0, 0], [1, 0]]}"#);
    assert_eq!(status, 200, "{state}");
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["story"]["steps"].as_array().unwrap().len(), 2);
    assert_eq!(state["enabled"].as_array().unwrap().len(), 2);
    let (status, ahead) = server.post("/api/ahead", r#"{"schedule": []}"#);
    assert_eq!(status, 200, "{ahead}");
    let ahead: Value = serde_json::from_str(&ahead).unwrap();
    assert_eq!(ahead["complete"], true);
    let way = ahead["violated"].as_array().unwrap();
    let way = way.iter().find(|v| v["property"] == "get-fs-type-finds-it").unwrap();
    let body = format!(r#"{{"schedule": {}}}"#, way["schedule"]);
    let (status, trace) = server.post("/api/trace", &body);
    assert_eq!(status, 200, "{trace}");
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("trace.json");
    fs::write(&file, trace).unwrap();
    run(&["replay", file.to_str().unwrap()]).exits(0).says("21 steps");
    // What it refuses.
    assert_eq!(server.post("/api/trace", r#"{"schedule": []}"#).0, 409);
    assert_eq!(server.post("/api/state", r#"{"schedule": [[9, 0]]}"#).0, 409);
    assert_eq!(server.post("/api/state", r#"{"schedule": 1}"#).0, 400);
    assert_eq!(server.post("/api/state", "{").0, 400);
    assert_eq!(server.post("/api/nothing", "{}").0, 404);
    assert_eq!(server.ask("GET /api/state", &server.address, "", "").0, 404);
    assert_eq!(server.ask("DELETE /", &server.address, "", "").0, 405);
    let elsewhere = "example.org";
    assert_eq!(server.ask("GET /", elsewhere, "", "").0, 403);
    let simple =
        server.ask("POST /api/state", &server.address, "text/plain", r#"{"schedule": []}"#);
    assert_eq!(simple.0, 415);
    let long = format!(r#"{{"schedule": [{}[0, 0]]}}"#, "[0, 0],".repeat(40_000));
    assert_eq!(server.post("/api/state", &long).0, 413);
    let many = format!(r#"{{"schedule": [{}[0, 0]]}}"#, "[0,0],".repeat(10_001));
    assert_eq!(server.post("/api/state", &many).0, 413);
    // And it is still there.
    assert_eq!(server.post("/api/state", r#"{"schedule": []}"#).0, 200);
}

/// Halves of a request: of its headers, and of its body.
const HALVES: [&str; 3] = [
    "",
    "GET / HTTP/1.1\r\nHost: localhost\r\n",
    "POST /api/state HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
     Content-Length: 100000\r\n\r\n{",
];

#[test]
fn who_is_slow_stops_nobody() {
    let server = Server::start();
    let slow: Vec<_> = HALVES.iter().map(|half| server.begun(half)).collect();
    assert_eq!(server.post("/api/state", r#"{"schedule": []}"#).0, 200);
    // And is not waited for.
    for stream in slow {
        let (status, why) = answered(stream);
        assert_eq!((status, why.as_str()), (408, "expected the whole request within 5 s\n"));
    }
    assert_eq!(server.post("/api/state", r#"{"schedule": []}"#).0, 200);
}

#[test]
fn ctrl_c_ends_it_whoever_is_connected() {
    for half in HALVES {
        let server = Server::start();
        let slow = server.begun(half);
        // Somebody else has been answered after it: it has been taken up.
        assert_eq!(server.post("/api/state", r#"{"schedule": []}"#).0, 200);
        assert_eq!(server.interrupted(), Some(0), "{half}");
        drop(slow);
    }
}

#[test]
fn connections_are_bounded() {
    let server = Server::start();
    let many: Vec<_> = (0..100).map(|_| server.begun("")).collect();
    let refused = many.into_iter().map(answered).filter(|(status, why)| {
        assert!([408, 503].contains(status), "{status} {why}");
        *status == 503
    });
    // Some places may have become free meanwhile, on a slow machine.
    assert!(refused.count() > 0);
    // Who is refused is not listened to: where something was said to the end, the connection may be gone with the answer.
    let page = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address);
    let again = || match heard(server.begun(&page)) {
        Err(lost) if lost.kind() == ErrorKind::ConnectionReset => 503,
        heard => heard.expect("there is an answer").0,
    };
    while again() == 503 {}
    assert_eq!(server.post("/api/state", r#"{"schedule": []}"#).0, 200);
}

#[test]
fn requests_are_bounded() {
    let server = Server::start();
    let long = "x".repeat(300_000);
    for (request, status) in [
        (format!("GET /{long}"), 414),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}"), 431),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(65)), 431),
        (
            "POST /api/state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
                .to_owned(),
            413,
        ),
    ] {
        // It is refused before all of it was sent: what is left over may not be taken any more.
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let _ = stream.write_all(&request.as_bytes()[..request.len().min(40_000)]);
        assert_eq!(answered(stream).0, status, "{}", &request[..50]);
    }
    assert_eq!(server.post("/api/state", r#"{"schedule": []}"#).0, 200);
}

#[test]
fn no_page_from_elsewhere_is_answered() {
    let server = Server::start();
    let own = &server.address;
    let port = own.rsplit_once(':').unwrap().1;
    let post = |headers: &str| {
        let body = r#"{"schedule": []}"#;
        server.raw(&format!(
            "POST /api/state HTTP/1.1\r\n{headers}Content-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let host = format!("Host: {own}\r\n");
    for (headers, status) in [
        // Its own page, and a program that is no browser.
        (format!("{host}Origin: http://{own}\r\n"), 200),
        (format!("Host: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n"), 200),
        (host.clone(), 200),
        // Other pages: of another site, of another server on this machine, of a file.
        (format!("{host}Origin: http://example.org\r\n"), 403),
        (format!("{host}Origin: http://127.0.0.1:1\r\n"), 403),
        (format!("{host}Origin: https://{own}\r\n"), 403),
        (format!("{host}Origin: null\r\n"), 403),
        (format!("{host}Origin: http://{own}\r\nOrigin: http://example.org\r\n"), 400),
        // Names that have been made to mean this machine.
        ("Host: example.org\r\n".to_owned(), 403),
        (format!("Host: example.org:{port}\r\nOrigin: http://example.org:{port}\r\n"), 403),
        ("Host: 127.0.0.1.example.org\r\n".to_owned(), 403),
        (format!("{host}Host: example.org\r\n"), 400),
        (format!("{host}{host}"), 400),
        (String::new(), 403),
        // What two readers could read in two ways.
        (format!("{host}Content-Length: 1\r\n"), 400),
        (format!("{host}Transfer-Encoding: chunked\r\n"), 501),
        (format!("{host}Host : example.org\r\n"), 400),
        (format!("{host} example.org\r\n"), 400),
        (format!("{host}A: b\nHost: example.org\r\n"), 400),
    ] {
        let (found, what) = post(&headers);
        assert_eq!(found, status, "{headers}: {what}");
    }
    assert_eq!(server.raw("GET http://example.org/ HTTP/1.1\r\nHost: localhost\r\n\r\n").0, 404);
    assert_eq!(server.raw("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n").0, 400);
}
