//! Connections between the processes of a distributed search.
//!
//! Every process listens at its own address for those after it in the list, and connects to those
//! before it. Both sides first show that they have the secret, without telling it ([`Secret`]), and then
//! say what they are about to search, so that a process that was started with other arguments, or is of
//! another build, is refused by name before anything is computed. Until it has shown the secret nobody
//! is told or believed anything, or waited for: strangers can connect as often as they like.
//!
//! Without a secret everybody is believed, so only addresses are taken that this machine alone has.

use std::io::{ErrorKind, Read, Write, stderr};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hmac::Mac;
use socket2::{SockRef, TcpKeepalive};

use super::link::Link;
use super::secret::nonce;
pub use super::secret::{Secret, SecretError, drawn};

/// What the first bytes of a connection are.
const MAGIC: [u8; 8] = *b"kmodchk2";

/// The longest that anybody is waited for: longer than any clock's end is far.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How long a silent other side is waited for while connected: its machine answers within, even if the
/// process computes.
const SILENCE: Duration = Duration::from_secs(10);

/// Most callers that are listened to at one time; others wait.
const MOST_CALLERS: usize = 128;

/// A process's place among the others, and its connections.
#[derive(Debug)]
pub struct Net {
    pub(super) process: usize,
    /// By process; none to itself.
    pub(super) sockets: Vec<Option<Link>>,
}

impl Net {
    /// One process, connected to nobody.
    #[must_use]
    pub fn alone() -> Self {
        Self { process: 0, sockets: vec![None] }
    }

    /// Which process this is, from 0.
    #[must_use]
    pub fn process(&self) -> usize {
        self.process
    }
}

/// Why the processes could not be connected.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Other machines could connect, and everybody would be believed.
    #[error(
        "process {process}: found {host}, which may be another machine, expected a secret with it \
         (--secret-file FILE), or 127.0.0.1, [::1] or localhost"
    )]
    NoSecret {
        /// Which process.
        process: usize,
        /// Its address.
        host: String,
    },
    /// The own address cannot be listened at.
    #[error("process {process}: {host}: {error}")]
    Listen {
        /// Which process.
        process: usize,
        /// Its address.
        host: String,
        /// Why.
        error: std::io::Error,
    },
    /// Another process did not answer in time.
    #[error("process {process} ({host}) cannot be reached: {what}")]
    Unreachable {
        /// Which process.
        process: usize,
        /// Its address.
        host: String,
        /// What was tried last.
        what: String,
    },
    /// Somebody who answers at a process's address does not have the secret.
    #[error("process {process} ({host}) has another secret, or none")]
    Stranger {
        /// Which process.
        process: usize,
        /// Its address.
        host: String,
    },
    /// Another process does something else.
    #[error("process {process} ({host}) was started with other arguments, or is of another build")]
    Different {
        /// Which process.
        process: usize,
        /// Its address.
        host: String,
    },
    /// Two processes say that they are the same one.
    #[error("process {process} ({host}) was started twice")]
    Twice {
        /// Which process.
        process: usize,
        /// Its address.
        host: String,
    },
}

/// What all processes of a search have in common.
#[derive(Clone)]
struct Common {
    /// A digest of all that has to be the same.
    purpose: [u8; 32],
    secret: Secret,
}

/// Why a handshake has come to nothing.
enum Wrong {
    /// The connection broke, or it took too long.
    Lost(std::io::Error),
    /// The other side has not shown that it has the secret.
    Stranger,
    /// It has, and does something else.
    Different,
}

impl From<std::io::Error> for Wrong {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error)
    }
}

/// A socket, and until when the other side is waited for.
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Timed {
    fn hear<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        let mut read = 0;
        while read < N {
            let silent = || std::io::Error::new(ErrorKind::TimedOut, "it says nothing");
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(silent());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut bytes[read..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(more) => read += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Err(silent());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// Few bytes, for which a socket that nothing was said on yet has room.
    fn say(&mut self, parts: &[&[u8]]) -> std::io::Result<()> {
        self.stream.write_all(&parts.concat())
    }
}

/// Who begins a connection: who it is, and a number of its own.
fn hello(process: u64, nonce: &[u8; 32]) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&process.to_le_bytes());
    bytes[16..].copy_from_slice(nonce);
    bytes
}

/// Whose greeting this is.
fn greeted(hello: &[u8; 48]) -> std::io::Result<u64> {
    if hello[..8] != MAGIC {
        return Err(std::io::Error::other("found something that is no process of this search"));
    }
    Ok(u64::from_le_bytes(hello[8..16].try_into().expect("8 bytes")))
}

/// What is shown, or made, with the secret: each has another code.
#[derive(Clone, Copy)]
enum Shown {
    /// The listener has the secret.
    Listener = 1,
    /// The caller has it, and is about to search this.
    CallersPurpose,
    /// The listener is about to search this.
    ListenersPurpose,
    /// The key of what the caller says from now on.
    CallersKey,
    /// The key of what the listener says from now on.
    ListenersKey,
}

/// Both greetings, which no two connections have in common.
struct Greetings<'a> {
    common: &'a Common,
    caller: [u8; 48],
    listener: [u8; 48],
}

impl Greetings<'_> {
    fn code(&self, shown: Shown, purpose: &[u8]) -> super::secret::Code {
        let parts: [&[u8]; 4] = [&[shown as u8], &self.caller, &self.listener, purpose];
        self.common.secret.code(&parts)
    }

    fn show(&self, shown: Shown, purpose: &[u8]) -> [u8; 32] {
        self.code(shown, purpose).finalize().into_bytes().into()
    }

    /// In a time that does not depend on where they differ.
    fn see(&self, shown: Shown, purpose: &[u8], code: &[u8]) -> Result<(), Wrong> {
        self.code(shown, purpose).verify_slice(code).map_err(|_| Wrong::Stranger)
    }

    /// Says what is searched.
    fn say_purpose(&self, to: &mut Timed, shown: Shown) -> std::io::Result<()> {
        let purpose = &self.common.purpose;
        to.say(&[purpose, &self.show(shown, purpose)])
    }

    /// Whether the other side searches the same.
    fn hear_purpose(&self, from: &mut Timed, shown: Shown) -> Result<bool, Wrong> {
        let heard: [u8; 64] = from.hear()?;
        let (purpose, code) = heard.split_at(32);
        self.see(shown, purpose, code)?;
        Ok(*purpose == self.common.purpose)
    }

    fn link(&self, stream: TcpStream, says: Shown, hears: Shown) -> Link {
        if self.common.secret.seals {
            Link::sealed(stream, &self.show(says, &[]), &self.show(hears, &[]))
        } else {
            Link::open(stream)
        }
    }
}

/// The handshake of process `own` with `other`, whom it has called.
fn introduce(
    mut other_side: Timed,
    own: usize,
    other: usize,
    common: &Common,
) -> Result<Link, Wrong> {
    let caller = hello(own as u64, &nonce()?);
    other_side.say(&[&caller])?;
    let listener = other_side.hear()?;
    let greetings = Greetings { common, caller, listener };
    let answered = greeted(&listener)?;
    greetings.see(Shown::Listener, &[], &other_side.hear::<32>()?)?;
    greetings.say_purpose(&mut other_side, Shown::CallersPurpose)?;
    let same = greetings.hear_purpose(&mut other_side, Shown::ListenersPurpose)?;
    if !same || answered != other as u64 {
        return Err(Wrong::Different);
    }
    Ok(greetings.link(other_side.stream, Shown::CallersKey, Shown::ListenersKey))
}

/// The handshake of process `own` with somebody who calls; and who it says it is, once it has said so.
fn answer(
    mut caller_side: Timed,
    own: usize,
    common: &Common,
) -> (Option<u64>, Result<Link, Wrong>) {
    let mut who = None;
    let mut handshake = || {
        let caller = caller_side.hear()?;
        who = Some(greeted(&caller)?);
        let listener = hello(own as u64, &nonce()?);
        let greetings = Greetings { common, caller, listener };
        caller_side.say(&[&listener, &greetings.show(Shown::Listener, &[])])?;
        let same = greetings.hear_purpose(&mut caller_side, Shown::CallersPurpose)?;
        // Both sides know then.
        greetings.say_purpose(&mut caller_side, Shown::ListenersPurpose)?;
        if !same {
            return Err(Wrong::Different);
        }
        let stream = caller_side.stream.try_clone()?;
        Ok(greetings.link(stream, Shown::ListenersKey, Shown::CallersKey))
    };
    let link = handshake();
    (who, link)
}

/// Whether an address is one that other machines do not have. No name is looked up: it may mean
/// something else the next time.
fn is_of_this_machine(host: &str) -> bool {
    host.parse::<SocketAddr>().map_or_else(
        |_| host.rsplit_once(':').is_some_and(|(name, _)| name == "localhost"),
        |address| address.ip().is_loopback(),
    )
}

/// Connects process number `process` to all others. `hosts`: address and port of each process, the
/// same list in the same order everywhere. `purpose`: a digest of all that has to be the same. `secret`:
/// what only they know; without it all addresses have to be loopback addresses.
///
/// # Errors
/// See [`NetError`].
pub fn connect(
    hosts: &[String],
    process: usize,
    purpose: &[u8; 32],
    secret: Option<&Secret>,
    patience: Duration,
) -> Result<Net, NetError> {
    let until = Instant::now() + patience.min(LONGEST);
    if secret.is_none()
        && let Some(process) = hosts.iter().position(|host| !is_of_this_machine(host))
    {
        return Err(NetError::NoSecret { process, host: hosts[process].clone() });
    }
    let common = Common { purpose: *purpose, secret: secret.cloned().unwrap_or_else(Secret::none) };
    let own = &hosts[process];
    let listen = |error| NetError::Listen { process, host: own.clone(), error };
    let listener = TcpListener::bind(own.as_str()).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    let mut sockets: Vec<Option<Link>> = hosts.iter().map(|_| None).collect();
    for (other, host) in hosts.iter().enumerate().take(process) {
        // It listens to this one only after those before it.
        let timed = Timed { stream: call(other, host, until)?, until: until + SILENCE };
        let link = introduce(timed, process, other, &common);
        sockets[other] = Some(link.map_err(|wrong| match (other, host.clone(), wrong) {
            (process, host, Wrong::Lost(error)) => {
                NetError::Unreachable { process, host, what: error.to_string() }
            }
            (process, host, Wrong::Stranger) => NetError::Stranger { process, host },
            (process, host, Wrong::Different) => NetError::Different { process, host },
        })?);
    }
    listen_to_all(&listener, hosts, process, &common, (patience, until), &mut sockets)?;
    for (other, link) in sockets.iter().enumerate() {
        let Some(link) = link else { continue };
        watch(link.socket()).map_err(|error| NetError::Unreachable {
            process: other,
            host: hosts[other].clone(),
            what: error.to_string(),
        })?;
    }
    Ok(Net { process, sockets })
}

/// Waits until all processes after this one have called.
fn listen_to_all(
    listener: &TcpListener,
    hosts: &[String],
    process: usize,
    common: &Common,
    (patience, until): (Duration, Instant),
    sockets: &mut [Option<Link>],
) -> Result<(), NetError> {
    // Each caller has a thread: who says nothing keeps nobody waiting, nor is it waited for at the end.
    let (told, tell) = mpsc::channel::<(Option<u64>, Result<Link, Wrong>)>();
    let listened_to = Arc::new(AtomicUsize::new(0));
    let mut failed: Vec<Option<String>> = hosts.iter().map(|_| None).collect();
    while let Some(missing) = (process + 1..hosts.len()).find(|other| sockets[*other].is_none()) {
        if let Ok((who, link)) = tell.try_recv() {
            let caller = who.and_then(|who| usize::try_from(who).ok()).unwrap_or(usize::MAX);
            let host = hosts.get(caller).cloned().unwrap_or_default();
            let expected = caller > process && caller < hosts.len();
            match link {
                Ok(_) if expected && sockets[caller].is_some() => {
                    return Err(NetError::Twice { process: caller, host });
                }
                Ok(link) if expected => sockets[caller] = Some(link),
                Ok(_) | Err(Wrong::Different) => {
                    return Err(NetError::Different { process: caller, host });
                }
                Err(wrong) if expected => {
                    failed[caller] = Some(match wrong {
                        Wrong::Lost(error) => error.to_string(),
                        _ => "it has another secret".to_owned(),
                    });
                }
                // Somebody.
                Err(_) => {}
            }
            continue;
        }
        let free = listened_to.load(Ordering::Relaxed) < MOST_CALLERS;
        match free.then(|| listener.accept()) {
            Some(Ok((stream, _))) => {
                let _ = stream.set_nonblocking(false);
                let (told, common, listened_to) =
                    (told.clone(), common.clone(), Arc::clone(&listened_to));
                listened_to.fetch_add(1, Ordering::Relaxed);
                let over = Arc::clone(&listened_to);
                let answered = std::thread::Builder::new().spawn(move || {
                    let timed = Timed { stream, until: Instant::now() + SILENCE };
                    let _ = told.send(answer(timed, process, &common));
                    over.fetch_sub(1, Ordering::Relaxed);
                });
                // Without a thread the connection is closed: who called may call again.
                if answered.is_err() {
                    listened_to.fetch_sub(1, Ordering::Relaxed);
                }
            }
            _ if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            _ => {
                let mut what = format!("it has not called within {} s", patience.as_secs());
                if let Some(why) = &failed[missing] {
                    what +=
                        &format!("; whoever called in its name has not shown the secret: {why}");
                }
                let host = hosts[missing].clone();
                return Err(NetError::Unreachable { process: missing, host, what });
            }
        }
    }
    Ok(())
}

/// Tries until it is too late.
fn call(process: usize, host: &str, until: Instant) -> Result<TcpStream, NetError> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let what = match host.to_socket_addrs().map(|mut all| all.next()) {
            Err(error) => error.to_string(),
            Ok(None) => "it has no address".to_owned(),
            Ok(Some(address)) => {
                match TcpStream::connect_timeout(&address, left.max(Duration::from_millis(1))) {
                    Ok(stream) => return Ok(stream),
                    Err(error) => error.to_string(),
                }
            }
        };
        if Instant::now() >= until {
            return Err(NetError::Unreachable { process, host: host.to_owned(), what });
        }
        std::thread::sleep(Duration::from_millis(50).min(left));
    }
}

/// A machine that does not answer any more breaks the connection.
fn watch(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(None)?;
    let socket = SockRef::from(stream);
    let often = SILENCE / 5;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(often).with_interval(often))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE))?;
    Ok(())
}

/// From now on a connection that breaks ends this process with `status`, and with a word that names
/// the process at its other end. The engine's threads can only panic then, and those who wait for
/// what they would have received would wait for ever.
pub fn exit_when_a_process_is_gone(hosts: Vec<String>, status: i32) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let message = info.payload_as_str().unwrap_or_default();
        let thread = std::thread::current();
        let number = thread.name().and_then(|name| {
            name.strip_prefix("timely:recv-").or(name.strip_prefix("timely:send-"))?.parse().ok()
        });
        let Some(other) = number.filter(|n: &usize| *n < hosts.len()) else {
            before(info);
            return;
        };
        let why = message.rsplit_once("timely communication error: ").map_or(message, |m| m.1);
        let host = &hosts[other];
        // A panic in here would abort; who cannot be told is not.
        let _ =
            writeln!(stderr(), "kmodcheck: process {other} ({host}) is gone: {why}; no verdict");
        std::process::exit(status);
    }));
}
