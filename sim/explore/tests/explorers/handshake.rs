//! How the processes of a distributed search find each other: who is believed, who is not, and that
//! nobody is waited for who has not shown the secret. (That they then search as one does:
//! `distributed.rs`.)

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kmodcheck_explore::distributed::net::{NetError, Secret, connect};

/// Ports that were free a moment ago.
fn hosts(processes: usize) -> Vec<String> {
    let listeners: Vec<_> =
        (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|l| l.local_addr().unwrap().to_string()).collect()
}

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn who_is_not_there_or_does_something_else_is_named() {
    let all = hosts(2);
    let alone = connect(&all, 1, &[0; 32], None, Duration::from_millis(300)).unwrap_err();
    assert!(matches!(&alone, NetError::Unreachable { process: 0, .. }), "{alone}");
    assert!(alone.to_string().contains(&all[0]), "{alone}");
    let alone = connect(&all, 0, &[0; 32], None, Duration::from_millis(300)).unwrap_err();
    assert!(matches!(&alone, NetError::Unreachable { process: 1, .. }), "{alone}");

    let all = &hosts(2);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| connect(all, 0, &[1; 32], None, PATIENCE).unwrap_err());
        let other = connect(all, 1, &[2; 32], None, PATIENCE).unwrap_err();
        assert!(matches!(other, NetError::Different { process: 0, .. }), "{other}");
        let one = one.join().unwrap();
        assert!(matches!(one, NetError::Different { process: 1, .. }), "{one}");
    });

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let all = [taken.local_addr().unwrap().to_string(), "127.0.0.1:9".to_owned()];
    let refused = connect(&all, 0, &[0; 32], None, PATIENCE).unwrap_err();
    assert!(matches!(refused, NetError::Listen { process: 0, .. }), "{refused}");
}

const SECRET: &str = "a secret of thirty-two bytes, or more";
const ANOTHER: &str = "A secret of thirty-two bytes, or more";

/// The secret that a file with this text is.
fn secret_of(text: &str) -> Secret {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Secret::read(file.path()).unwrap()
}

#[test]
fn who_has_another_secret_or_none_is_not_believed() {
    let (secret, another) = (secret_of(SECRET), secret_of(ANOTHER));
    for (first, second) in [
        (Some(&secret), Some(&another)),
        (Some(&another), Some(&secret)),
        (Some(&secret), None),
        (None, Some(&secret)),
    ] {
        let all = &hosts(2);
        std::thread::scope(|scope| {
            let patience = Duration::from_secs(2);
            let one = scope.spawn(move || connect(all, 0, &[1; 32], first, patience).unwrap_err());
            let other = connect(all, 1, &[1; 32], second, PATIENCE).unwrap_err();
            assert!(matches!(other, NetError::Stranger { process: 0, .. }), "{other}");
            // A caller who proves nothing ends nothing: another one may come.
            let one = one.join().unwrap();
            assert!(matches!(one, NetError::Unreachable { process: 1, .. }), "{one}");
            assert!(one.to_string().contains("has not shown the secret"), "{one}");
        });
    }
    // The same text, but for what an editor puts at its end.
    let (all, same) = (&hosts(2), &secret_of(&format!("{SECRET}\r\n")));
    std::thread::scope(|scope| {
        let one = scope.spawn(|| connect(all, 0, &[1; 32], Some(&secret), PATIENCE).unwrap());
        connect(all, 1, &[1; 32], Some(same), PATIENCE).unwrap();
        one.join().unwrap();
    });
}

/// Sends on what comes, in both directions, until both sides have closed; what each has said.
fn relay(caller: &TcpStream, listener: &TcpStream) -> [Vec<u8>; 2] {
    let pass = |mut from: &TcpStream, mut to: &TcpStream| {
        let (mut said, mut chunk) = (Vec::new(), [0; 1024]);
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            said.extend(&chunk[..read]);
            let _ = to.write_all(&chunk[..read]);
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
        said
    };
    std::thread::scope(|scope| {
        let there = scope.spawn(|| pass(caller, listener));
        let back = pass(listener, caller);
        [there.join().unwrap(), back]
    })
}

/// The handshake of two processes that have the secret, as somebody on the way records it.
fn recorded(secret: &Secret) -> [Vec<u8>; 2] {
    let real = &hosts(2);
    let way = TcpListener::bind("127.0.0.1:0").unwrap();
    let seen_by_the_second = &[way.local_addr().unwrap().to_string(), real[1].clone()];
    std::thread::scope(|scope| {
        // Both go away once they are connected.
        scope.spawn(|| connect(real, 0, &[1; 32], Some(secret), PATIENCE).unwrap());
        scope.spawn(|| connect(seen_by_the_second, 1, &[1; 32], Some(secret), PATIENCE).unwrap());
        let caller = way.accept().unwrap().0;
        let listener = loop {
            match TcpStream::connect(&real[0]) {
                Ok(listener) => break listener,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        relay(&caller, &listener)
    })
}

#[test]
fn a_recorded_handshake_proves_nothing() {
    let secret = &secret_of(SECRET);
    let [callers, listeners] = recorded(secret);
    // Greeting and what is searched; greeting, proof and what is searched. The secret is nowhere.
    assert_eq!((callers.len(), listeners.len()), (48 + 64, 48 + 32 + 64));
    for said in [&callers, &listeners] {
        let seen = said.windows(8).any(|eight| SECRET.as_bytes().windows(8).any(|s| s == eight));
        assert!(!seen);
    }

    // What the caller said, said to another listener.
    let all = &hosts(2);
    std::thread::scope(|scope| {
        let patience = Duration::from_secs(2);
        let one = scope.spawn(move || connect(all, 0, &[1; 32], Some(secret), patience));
        let mut replay = loop {
            match TcpStream::connect(&all[0]) {
                Ok(stream) => break stream,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        // If it is believed, nobody hangs up.
        replay.set_read_timeout(Some(PATIENCE)).unwrap();
        replay.write_all(&callers).unwrap();
        let mut answered = Vec::new();
        let _ = replay.read_to_end(&mut answered);
        assert!(answered.len() <= 48 + 32, "it says what is searched to whoever replays");
        let one = one.join().unwrap().expect_err("a replay is no process");
        assert!(matches!(one, NetError::Unreachable { process: 1, .. }), "{one}");
        assert!(one.to_string().contains("it has another secret"), "{one}");
    });

    // What the listener said, said to another caller.
    let way = TcpListener::bind("127.0.0.1:0").unwrap();
    let all = &[way.local_addr().unwrap().to_string(), hosts(1).remove(0)];
    std::thread::scope(|scope| {
        let other = scope.spawn(|| connect(all, 1, &[1; 32], Some(secret), PATIENCE));
        let mut replay = way.accept().unwrap().0;
        replay.set_read_timeout(Some(PATIENCE)).unwrap();
        replay.write_all(&listeners).unwrap();
        let mut said = Vec::new();
        let _ = replay.read_to_end(&mut said);
        assert!(said.len() <= 48, "it says what is searched to whoever replays");
        let other = other.join().unwrap().expect_err("a replay is no process");
        assert!(matches!(other, NetError::Stranger { process: 0, .. }), "{other}");
    });
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let secret = &secret_of(SECRET);
    let all = &hosts(2);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| connect(all, 0, &[1; 32], Some(secret), PATIENCE));
        // Many, before the process that is waited for.
        let silent: Vec<TcpStream> = std::iter::from_fn(|| {
            loop {
                match TcpStream::connect(&all[0]) {
                    Ok(stream) => return Some(stream),
                    Err(_) => std::thread::sleep(Duration::from_millis(10)),
                }
            }
        })
        .take(20)
        .collect();
        connect(all, 1, &[1; 32], Some(secret), PATIENCE).unwrap();
        one.join().unwrap().unwrap();
        drop(silent);
    });

    // One that is called and says nothing, or half of what it should.
    for said in [&b""[..], b"kmodchk2"] {
        let way = TcpListener::bind("127.0.0.1:0").unwrap();
        let all = [way.local_addr().unwrap().to_string(), hosts(1).remove(0)];
        let patience = Duration::from_millis(100);
        let other = std::thread::scope(|scope| {
            let other = scope.spawn(|| connect(&all, 1, &[1; 32], Some(secret), patience));
            let mut silent = way.accept().unwrap().0;
            silent.write_all(said).unwrap();
            other.join().unwrap().unwrap_err()
        });
        assert!(matches!(other, NetError::Unreachable { process: 0, .. }), "{other}");
        assert!(other.to_string().contains("it says nothing"), "{other}");
    }
}

#[test]
fn without_a_secret_only_this_machine_is_taken() {
    // It does not come to listening: that would be refused, too, and in other words.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = taken.local_addr().unwrap().to_string();
    for other in ["192.0.2.1:7000", "0.0.0.0:7000", "[::]:7000", "example.org:7000", "localhost.:1"]
    {
        let refused =
            connect(&[own.clone(), other.to_owned()], 0, &[1; 32], None, PATIENCE).unwrap_err();
        assert!(matches!(refused, NetError::NoSecret { process: 1, .. }), "{refused}");
        assert!(refused.to_string().contains(&format!("found {other}")), "{refused}");
    }
    for other in ["127.8.9.1:7000", "[::1]:7000", "localhost:7000"] {
        let refused =
            connect(&[own.clone(), other.to_owned()], 0, &[1; 32], None, PATIENCE).unwrap_err();
        assert!(matches!(refused, NetError::Listen { process: 0, .. }), "{refused}");
    }
}

#[test]
fn a_process_that_was_started_twice_is_named() {
    // The third never comes, so the first is still waiting when the second comes again.
    let all = &hosts(3);
    let named = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| connect(all, 0, &[1; 32], None, PATIENCE).unwrap_err());
        for again in 0..2 {
            let other = [all[0].clone(), hosts(1).remove(0), all[2].clone()];
            // On a machine with much to do each may give up before the other comes: then it comes again.
            scope.spawn(move || {
                while !named.load(Ordering::Relaxed) {
                    let patience = Duration::from_millis(100);
                    connect(&other, 1, &[1; 32], None, patience).expect_err(&format!("{again}"));
                }
            });
        }
        let first = first.join();
        named.store(true, Ordering::Relaxed);
        let first = first.unwrap();
        assert!(matches!(first, NetError::Twice { process: 1, .. }), "{first}");
    });
}
