//! As much of HTTP/1.1 (RFC 9112) as one page on this machine needs: one request on a connection, each in
//! a thread of its own.
//!
//! Everything that somebody else decides is bounded: how many connections there are, how long they take,
//! how long a request's first line, its headers and its body are. What is not plainly a request is
//! refused, not guessed at: a header of this server that is there twice, chunks, a folded line.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Most connections at one time. A browser has six to one server.
pub(crate) const MOST_CONNECTIONS: usize = 16;
/// Longest first line of a request, in bytes.
const MOST_LINE: usize = 1024;
/// Longest first line and headers together, in bytes.
const MOST_HEAD: usize = 16 * 1024;
/// Most headers of a request.
const MOST_HEADERS: usize = 64;
/// Longest body of a request, in bytes.
const MOST_BODY: usize = 256 * 1024;
/// A request is here whole after this time, or is not waited for.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// The same of an answer.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long to listen to somebody who has been answered: to close at once would take the answer away
/// from who is still sending.
const LINGER: Duration = Duration::from_secs(1);

/// What is asked.
pub(crate) struct Request {
    pub method: String,
    /// As it is in the first line.
    pub path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// As long as `Content-Length` says; empty without one.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its name in lower case; refused if it is there twice.
    pub fn header(&self, name: &str) -> Result<Option<&str>, Answer> {
        one(&self.headers, name)
    }
}

/// What goes back.
pub(crate) struct Answer {
    pub status: u16,
    /// The `Content-Type`.
    pub kind: &'static str,
    pub body: String,
}

impl Answer {
    /// A line of plain text.
    pub fn text(status: u16, text: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: format!("{text}\n") }
    }
}

/// Answers whoever connects. Comes back only if no connection can be had any more.
///
/// `headers`: lines for every answer, each with its end.
pub(crate) fn serve(
    listener: &TcpListener,
    headers: &'static str,
    answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> std::io::Error {
    let answer = Arc::new(answer);
    let connected = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // It has gone away meanwhile.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return error,
        };
        let mut connection = Connection { stream, until: Instant::now() + READ_WITHIN };
        let Some(place) = Place::take(&connected) else {
            // It fits the socket's buffer: nobody is waited for here.
            let busy = Answer::text(503, "too many connections");
            let _ = connection.stream.set_nonblocking(true);
            let _ = connection.stream.write(&bytes(&busy, headers));
            continue;
        };
        let answer = Arc::clone(&answer);
        // Without a thread it is closed.
        let _ = std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
            let answer = match connection.request() {
                Ok(Some(request)) => answer(&request),
                Ok(None) => return,
                Err(refused) => refused,
            };
            connection.reply(&bytes(&answer, headers));
            drop(place);
        });
    }
}

/// One of the connections that there may be.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(connected: &Arc<AtomicUsize>) -> Option<Self> {
        let more = |n: usize| (n < MOST_CONNECTIONS).then_some(n + 1);
        connected.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(Arc::clone(connected)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection, and the moment up to which it is waited for.
struct Connection {
    stream: TcpStream,
    until: Instant,
}

impl Connection {
    /// What is left of the time; never nothing, which would be for ever.
    fn left(&self) -> std::io::Result<Option<Duration>> {
        match self.until.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// Appends what comes next to `bytes`; nothing comes from who has closed.
    fn more(&mut self, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
        let mut chunk = [0; 4096];
        self.stream.set_read_timeout(self.left()?)?;
        let read = self.stream.read(&mut chunk)?;
        bytes.extend(&chunk[..read]);
        Ok(read)
    }

    /// The next piece of a request, or why there is none: the answer, or nobody to answer to.
    fn piece(&mut self, bytes: &mut Vec<u8>) -> Result<Option<()>, Answer> {
        match self.more(bytes) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(())),
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                let within = READ_WITHIN.as_secs();
                Err(Answer::text(408, &format!("expected the whole request within {within} s")))
            }
            Err(_) => Ok(None),
        }
    }

    /// Reads a request; none from who closes before its end.
    fn request(&mut self) -> Result<Option<Request>, Answer> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let line = bytes.windows(2).position(|two| two == b"\r\n").unwrap_or(bytes.len());
            if line > MOST_LINE {
                return Err(Answer::text(
                    414,
                    &format!("the first line is over {MOST_LINE} bytes"),
                ));
            }
            if bytes.len() > MOST_HEAD {
                return Err(Answer::text(431, &format!("the headers are over {MOST_HEAD} bytes")));
            }
            if self.piece(&mut bytes)?.is_none() {
                return Ok(None);
            }
        };
        let mut body = bytes.split_off(head + 4);
        bytes.truncate(head);
        let mut request = parse(&bytes)?;
        let length = length(&request.headers)?;
        while body.len() < length {
            if self.piece(&mut body)?.is_none() {
                return Ok(None);
            }
        }
        body.truncate(length);
        request.body = body;
        Ok(Some(request))
    }

    /// Sends the answer and closes; a browser that has gone away needs none.
    fn reply(mut self, mut bytes: &[u8]) {
        self.until = Instant::now() + WRITE_WITHIN;
        while !bytes.is_empty() {
            let Ok(left) = self.left() else { return };
            if self.stream.set_write_timeout(left).is_err() {
                return;
            }
            match self.stream.write(bytes) {
                Ok(0) | Err(_) => return,
                Ok(written) => bytes = &bytes[written..],
            }
        }
        self.until = Instant::now() + LINGER;
        let mut rest = Vec::new();
        let _ = self.stream.shutdown(Shutdown::Write);
        while matches!(self.more(&mut rest), Ok(1..)) {
            rest.clear();
        }
    }
}

/// The first line and the headers.
fn parse(head: &[u8]) -> Result<Request, Answer> {
    let wrong = |what: &str| Answer::text(400, what);
    let head = std::str::from_utf8(head).map_err(|_| wrong("expected headers in UTF-8"))?;
    if head.replace("\r\n", "").contains(|c: char| c.is_control() && c != '\t') {
        return Err(wrong("found a control character in the headers"));
    }
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let [method, path, "HTTP/1.1" | "HTTP/1.0"] = first.split(' ').collect::<Vec<_>>()[..] else {
        return Err(wrong("expected METHOD PATH HTTP/1.1"));
    };
    if first.len() > MOST_LINE {
        return Err(Answer::text(414, &format!("the first line is over {MOST_LINE} bytes")));
    }
    let mut headers = Vec::new();
    for line in lines {
        let name = line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value));
        // A space before the name would be a line that goes on, one behind it a way to hide a header.
        match name {
            Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
                headers.push((name, value.trim().to_owned()));
            }
            _ => return Err(wrong("expected NAME: VALUE in each line of the headers")),
        }
        if headers.len() > MOST_HEADERS {
            return Err(Answer::text(431, &format!("more than {MOST_HEADERS} headers")));
        }
    }
    Ok(Request { method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() })
}

/// How long the body is.
fn length(headers: &[(String, String)]) -> Result<usize, Answer> {
    if one(headers, "transfer-encoding")?.is_some() {
        return Err(Answer::text(501, "expected a body of a known length, found chunks"));
    }
    let Some(length) = one(headers, "content-length")? else { return Ok(0) };
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Answer::text(400, "expected Content-Length: NUMBER"));
    }
    match length.parse() {
        Ok(length @ ..=MOST_BODY) => Ok(length),
        _ => Err(Answer::text(413, &format!("the body is over {MOST_BODY} bytes"))),
    }
}

/// The value of a header that may be there once: two could mean one to this server and the other to
/// whoever checked the request before.
fn one<'a>(headers: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Answer> {
    let mut values = headers.iter().filter(|(other, _)| other == name);
    let value = values.next().map(|(_, value)| value.as_str());
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Answer::text(400, &format!("found the header {name} twice"))),
    }
}

/// An answer as it is sent.
fn bytes(answer: &Answer, headers: &str) -> Vec<u8> {
    let Answer { status, kind, body } = answer;
    let reason = match status {
        200 => "OK",
        500.. => "Server Error",
        _ => "Refused",
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}
