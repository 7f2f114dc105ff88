//! A connection after the handshake: as it is, or with a code after each piece of what is said, so that
//! nobody on the way can alter, repeat, leave out or put in anything without being noticed. It is not
//! hidden: whoever is on the way can read it.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};

use hmac::Mac;
use timely::communication::allocator::zero_copy::stream::Stream;

use super::secret::{Code, keyed};

/// Most bytes of a piece.
const PIECE: usize = 1 << 16;
/// Bytes of a code: half of SHA-256's, as RFC 2104 allows.
const CODE: usize = 16;

/// A connection to another process.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    seal: Option<Seal>,
}

/// What one side needs to seal what it says, and to open what it hears.
#[derive(Clone, Debug)]
struct Seal {
    says: Way,
    hears: Way,
    /// A piece on its way out or in.
    piece: Vec<u8>,
    /// What of the piece that came in has been given on.
    given: usize,
}

/// One direction: its key, and how many pieces there were.
#[derive(Clone, Debug)]
struct Way {
    key: Code,
    pieces: u64,
}

impl Way {
    /// The code of the next piece.
    fn code(&mut self, piece: &[u8]) -> Code {
        let mut code = self.key.clone();
        code.update(&self.pieces.to_le_bytes());
        code.update(piece);
        self.pieces += 1;
        code
    }
}

impl Link {
    /// As it is.
    pub fn open(stream: TcpStream) -> Self {
        Self { stream, seal: None }
    }

    /// With codes, from a key for each direction.
    pub fn sealed(stream: TcpStream, says: &[u8], hears: &[u8]) -> Self {
        let way = |key| Way { key: keyed(key), pieces: 0 };
        let (says, hears) = (way(says), way(hears));
        Self { stream, seal: Some(Seal { says, hears, piece: Vec::new(), given: 0 }) }
    }

    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }
}

impl Stream for Link {
    // One copy says, the other one hears: each direction has one place where pieces are counted.
    fn try_clone(&self) -> Result<Self> {
        Ok(Self { stream: self.stream.try_clone()?, seal: self.seal.clone() })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.stream.shutdown(how)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let Some(Seal { says, piece, .. }) = &mut self.seal else {
            return self.stream.write(bytes);
        };
        let bytes = &bytes[..bytes.len().min(PIECE)];
        if bytes.is_empty() {
            return Ok(0);
        }
        piece.clear();
        piece.extend((bytes.len() as u32).to_le_bytes());
        piece.extend(bytes);
        let code = says.code(piece).finalize().into_bytes();
        piece.extend(&code[..CODE]);
        self.stream.write_all(piece)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let Some(Seal { hears, piece, given, .. }) = &mut self.seal else {
            return self.stream.read(into);
        };
        if *given == piece.len() {
            *given = 0;
            if !next(&mut self.stream, hears, piece)? {
                return Ok(0);
            }
        }
        let some = into.len().min(piece.len() - *given);
        into[..some].copy_from_slice(&piece[*given..*given + some]);
        *given += some;
        Ok(some)
    }
}

/// Reads the next piece, and whether there is one.
fn next(stream: &mut TcpStream, hears: &mut Way, piece: &mut Vec<u8>) -> Result<bool> {
    piece.clear();
    let mut length = [0; 4];
    // Between two pieces it may be closed.
    let read = loop {
        match stream.read(&mut length) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if read == 0 {
        return Ok(false);
    }
    stream.read_exact(&mut length[read..])?;
    let bytes = u32::from_le_bytes(length) as usize;
    let altered = || Error::new(ErrorKind::InvalidData, "found bytes that it has not said");
    if !(1..=PIECE).contains(&bytes) {
        return Err(altered());
    }
    piece.resize(4 + bytes + CODE, 0);
    piece[..4].copy_from_slice(&length);
    stream.read_exact(&mut piece[4..])?;
    let (said, code) = piece.split_at(4 + bytes);
    hears.code(said).verify_truncated_left(code).map_err(|_| altered())?;
    piece.truncate(4 + bytes);
    piece.drain(..4);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Two sockets that are connected.
    fn connected() -> [TcpStream; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        [one, listener.accept().unwrap().0]
    }

    const SAID: [&[u8]; 3] = [b"one", b"two", b"three"];

    /// The pieces of three words, as they travel.
    fn pieces() -> Vec<Vec<u8>> {
        let [one, mut other] = connected();
        let mut link = Link::sealed(one, b"there", b"back");
        let piece = |word: &&[u8]| {
            link.write_all(word).unwrap();
            let mut piece = vec![0; 4 + word.len() + CODE];
            other.read_exact(&mut piece).unwrap();
            piece
        };
        SAID.iter().map(piece).collect()
    }

    /// What is heard of it.
    fn heard(bytes: &[u8], key: &[u8]) -> Result<Vec<u8>> {
        let [mut one, other] = connected();
        one.write_all(bytes).unwrap();
        drop(one);
        let mut said = Vec::new();
        Link::sealed(other, b"back", key).read_to_end(&mut said)?;
        Ok(said)
    }

    #[test]
    fn what_was_said_is_heard() {
        assert_eq!(heard(&pieces().concat(), b"there").unwrap(), SAID.concat());
        // Longer than a piece, from copies as the engine has them.
        let long: Vec<u8> = (0..300_000_u32).map(|i| (i / 7) as u8).collect();
        let [one, other] = connected();
        let says = Link::sealed(one, b"there", b"back");
        let hears = Link::sealed(other, b"back", b"there").try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| says.try_clone().unwrap().write_all(&long).unwrap());
            let mut found = vec![0; long.len()];
            { hears }.read_exact(&mut found).unwrap();
            assert!(found == long);
        });
    }

    #[test]
    fn what_was_not_said_is_noticed() {
        let pieces = pieces();
        let whole = pieces.concat();
        let noticed = |bytes: &[u8], how: &str| {
            let error = heard(bytes, b"there").expect_err(how);
            let kinds = [ErrorKind::InvalidData, ErrorKind::UnexpectedEof];
            assert!(kinds.contains(&error.kind()), "{how}: {error}");
        };
        for at in 0..whole.len() {
            for bit in [1, 128] {
                let mut altered = whole.clone();
                altered[at] ^= bit;
                noticed(&altered, &format!("byte {at} is another"));
            }
        }
        let [one, two, three] = [&pieces[0], &pieces[1], &pieces[2]];
        noticed(&[two.as_slice(), one, three].concat(), "in another order");
        noticed(&[one.as_slice(), three].concat(), "one is missing");
        noticed(&[one.as_slice(), one, two].concat(), "one is there twice");
        noticed(&whole[..whole.len() - 1], "it is cut within a piece");
        assert!(heard(&whole, b"back").is_err(), "what it has said itself comes back");
    }
}
