//! Connections between the processes of a distributed search.
//!
//! Every process listens at its own address for those after it in the list, and connects to those
//! before it. Both sides say who they are and what they are about to search, so that a process that
//! was started with other arguments, or is of another build, is refused by name before anything is
//! computed.

use std::io::{Read, Write, stderr};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

/// What the first bytes of a connection are.
const MAGIC: [u8; 8] = *b"kmodchk1";

/// The longest that anybody is waited for: longer than any clock's end is far.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How long a silent other side is waited for while connected: its machine answers within, even if the
/// process computes.
const SILENCE: Duration = Duration::from_secs(10);

/// A process's place among the others, and its connections.
#[derive(Debug)]
pub struct Net {
    pub(super) process: usize,
    /// By process; none to itself.
    pub(super) sockets: Vec<Option<TcpStream>>,
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
    /// Another process does something else.
    #[error("process {process} ({host}) was started with other arguments, or is of another build")]
    Different {
        /// Which process.
        process: usize,
        /// Its address.
        host: String,
    },
}

/// Says who is calling, and what for.
fn hello(process: usize, purpose: &[u8; 32]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend((process as u64).to_le_bytes());
    bytes.extend(purpose);
    bytes
}

/// Reads a greeting: whose it is, and whether it is for the same purpose.
fn greeted(stream: &mut TcpStream, purpose: &[u8; 32]) -> std::io::Result<(usize, bool)> {
    let mut bytes = [0; 48];
    stream.read_exact(&mut bytes)?;
    let process = u64::from_le_bytes(bytes[8..16].try_into().expect("8 bytes"));
    if bytes[..8] != MAGIC {
        return Err(std::io::Error::other("found something that is no process of this search"));
    }
    Ok((process as usize, bytes[16..] == purpose[..]))
}

/// Connects process number `process` to all others. `hosts`: address and port of each process, the
/// same list in the same order everywhere. `purpose`: a digest of all that has to be the same.
///
/// # Errors
/// See [`NetError`].
pub fn connect(
    hosts: &[String],
    process: usize,
    purpose: &[u8; 32],
    patience: Duration,
) -> Result<Net, NetError> {
    let until = Instant::now() + patience.min(LONGEST);
    let own = &hosts[process];
    let listen = |error| NetError::Listen { process, host: own.clone(), error };
    let listener = TcpListener::bind(own.as_str()).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    let mut sockets: Vec<Option<TcpStream>> = hosts.iter().map(|_| None).collect();
    for (other, host) in hosts.iter().enumerate().take(process) {
        let mut stream = call(other, host, until)?;
        let lost = |error: std::io::Error| NetError::Unreachable {
            process: other,
            host: host.clone(),
            what: error.to_string(),
        };
        stream
            .set_read_timeout(Some(until.saturating_duration_since(Instant::now()) + SILENCE))
            .map_err(lost)?;
        stream.write_all(&hello(process, purpose)).map_err(lost)?;
        let (answered, same) = greeted(&mut stream, purpose).map_err(lost)?;
        if !same || answered != other {
            return Err(NetError::Different { process: other, host: host.clone() });
        }
        sockets[other] = Some(stream);
    }
    let missing = |sockets: &[Option<TcpStream>]| {
        (process + 1..hosts.len()).find(|other| sockets[*other].is_none())
    };
    while let Some(other) = missing(&sockets) {
        match listener.accept() {
            Ok((mut stream, _)) => {
                // Somebody who says nothing is not waited for.
                let _ = stream.set_nonblocking(false);
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let Ok((caller, same)) = greeted(&mut stream, purpose) else { continue };
                let expected = caller > process && caller < hosts.len();
                // Both sides know then.
                let answered = stream.write_all(&hello(process, purpose));
                if !expected || !same {
                    let host = hosts.get(caller).cloned().unwrap_or_default();
                    return Err(NetError::Different { process: caller, host });
                }
                if answered.is_ok() {
                    sockets[caller] = Some(stream);
                }
            }
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            Err(_) => {
                let what = format!("it has not called within {} s", patience.as_secs());
                let host = hosts[other].clone();
                return Err(NetError::Unreachable { process: other, host, what });
            }
        }
    }
    for (other, stream) in sockets.iter().enumerate() {
        let Some(stream) = stream else { continue };
        watch(stream).map_err(|error| NetError::Unreachable {
            process: other,
            host: hosts[other].clone(),
            what: error.to_string(),
        })?;
    }
    Ok(Net { process, sockets })
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
