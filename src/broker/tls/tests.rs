use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::thread::{self, JoinHandle};

use autovia_testkit::{Authority, Certificate};
use futures_lite::future::{or, poll_once, zip};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

use super::*;
use crate::broker::room;

type Secured = StreamOwned<ServerConnection, TcpStream>;

/// A server of one connection, for which the kernel takes little that it does not read.
fn serve<T: Send + 'static>(
    work: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    SockRef::from(&listener)
        .set_recv_buffer_size(4096)
        .expect("a small buffer");
    let address = listener.local_addr().expect("it is bound");
    let thread = thread::spawn(move || work(listener.accept().expect("a client").0));
    (address, thread)
}

fn secured(stream: TcpStream, certificate: &Certificate) -> Secured {
    let chain = read_certificates(&certificate.chain_file, "chain").expect("a chain");
    let key = PrivateKeyDer::from_pem_file(&certificate.key_file).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they match");
    let connection = ServerConnection::new(Arc::new(config)).expect("a connection");
    StreamOwned::new(connection, stream)
}

/// Runs `work` where sockets can live, with TLS that trusts `authority`.
fn client<T: Send + 'static>(
    authority: &Authority,
    work: impl AsyncFnOnce(Arc<ClientConfig>) -> T + Send + 'static,
) -> T {
    let options = TlsOptions {
        ca_file: Some(authority.ca_file()),
        client: None,
    };
    let result = room::apart("0123456789abcdef", move |context, _| {
        Box::pin(async move {
            let config = options.load(&context).await.expect("a good CA file");
            work(config).await
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"))
}

async fn connected(address: SocketAddr) -> Socket {
    Socket::connect(address).await.expect("it listens")
}

async fn read_all(wire: &Wire, count: usize) -> Vec<u8> {
    let (mut all, mut room) = (Vec::new(), [0; 1000]);
    while all.len() < count {
        match wire.read(&mut room).await.expect("bytes") {
            0 => break,
            read => all.extend_from_slice(&room[..read]),
        }
    }
    all
}

fn pattern(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

#[test]
fn much_goes_both_ways_at_once() {
    const PIECE: usize = 100_000;
    const PIECES: u32 = 30;
    let authority = Authority::new();
    let certificate = authority.issue(&["localhost"]);
    let (address, server) = serve(move |stream| {
        let mut stream = secured(stream, &certificate);
        let mut room = vec![0; 50_000];
        for _ in 0..PIECE * PIECES as usize / room.len() {
            stream.read_exact(&mut room).expect("bytes");
            // New keys in the middle, as long connections get them.
            stream.conn.refresh_traffic_keys().expect("TLS 1.3");
            stream.write_all(&room).expect("it is read");
        }
    });
    let same = client(&authority, async move |config| {
        let wire = Wire::secure(connected(address).await, config, "localhost");
        let wire = wire.await.expect("a handshake");
        let write = async {
            for seed in 0..PIECES {
                let piece = pattern(PIECE, seed);
                wire.write_all(&piece).await.expect("it is read");
            }
        };
        let (back, ()) = zip(read_all(&wire, PIECE * PIECES as usize), write).await;
        let sent: Vec<u8> = (0..PIECES).flat_map(|seed| pattern(PIECE, seed)).collect();
        back == sent
    });
    server.join().expect("the server");
    assert!(same, "what came back is not what was sent");
}

#[test]
fn what_two_write_does_not_mix_and_what_is_dropped_is_sent_later() {
    const LONG: usize = 200_000;
    let authority = Authority::new();
    for secure in [false, true] {
        let certificate = authority.issue(&["localhost"]);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (address, server) = serve(move |stream| {
            let read = |reader: &mut dyn Read| {
                wait.recv().expect("a word");
                let mut all = vec![0; 2 * LONG + 3];
                reader.read_exact(&mut all).expect("bytes");
                all
            };
            if secure {
                let mut stream = secured(stream, &certificate);
                // The handshake is done within the first read or write.
                stream.write_all(b"!").expect("it is read");
                read(&mut stream)
            } else {
                (&stream).write_all(b"!").expect("it is read");
                read(&mut &stream)
            }
        });
        client(&authority, async move |config| {
            let socket = connected(address).await;
            let wire = if secure {
                Wire::secure(socket, config, "localhost").await
            } else {
                Ok(Wire::plain(socket))
            };
            let wire = wire.expect("a connection");
            assert_eq!(read_all(&wire, 1).await, b"!");
            let (first, second) = (pattern(LONG, 1), pattern(LONG, 2));
            {
                // One is dropped in the middle, the other begun behind it.
                let mut dropped = pin!(wire.write_all(&first));
                let _ = poll_once(&mut dropped).await;
            }
            let both = zip(wire.write_all(&second), wire.write_all(b"end"));
            let mut both = pin!(both);
            let early = poll_once(&mut both).await;
            go.send(()).expect("the server waits");
            // The kernel may have taken everything.
            let (one, other) = match early {
                Some(done) => done,
                None => both.await,
            };
            assert_eq!((one, other), (Ok(()), Ok(())));
            assert_eq!(read_all(&wire, 1).await, b"");
        });
        let all = server.join().expect("the server");
        let wanted = [pattern(LONG, 1), pattern(LONG, 2), b"end".to_vec()].concat();
        assert!(all == wanted, "with TLS {secure}: the bytes are mixed");
    }
}

#[test]
fn a_peer_that_reads_nothing_is_given_up() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (address, server) = serve(move |stream| {
        let _ = wait.recv();
        drop(stream);
    });
    let error = client(&Authority::new(), async move |_| {
        let wire = Wire::plain(connected(address).await);
        let piece = vec![0; 100_000];
        // Each waits for room, so it is dropped; the kernel takes some of it.
        loop {
            let mut write = pin!(wire.write_all(&piece));
            if let Some(Err(error)) = poll_once(&mut write).await {
                return error;
            }
        }
    });
    assert!(matches!(error, BrokerError::TimedOut { .. }), "{error:?}");
    drop(go);
    server.join().expect("the server");
}

#[test]
fn a_plain_beginning_becomes_tls() {
    let authority = Authority::new();
    let certificate = authority.issue(&["localhost"]);
    let (address, server) = serve(move |mut stream| {
        stream.write_all(b"INFO {}\r\n").expect("it is read");
        let mut stream = secured(stream, &certificate);
        let mut room = [0; 4];
        stream.read_exact(&mut room).expect("bytes");
        stream.write_all(&room).expect("it is read");
        // No goodbye of TLS: the end is one all the same.
        room
    });
    client(&authority, async move |config| {
        let wire = Wire::plain(connected(address).await);
        assert_eq!(read_all(&wire, 9).await, b"INFO {}\r\n");
        let wire = wire.upgrade(config, "localhost").await.expect("TLS");
        wire.write_all(b"PING").await.expect("it is read");
        assert_eq!(read_all(&wire, 5).await, b"PING");
    });
    assert_eq!(&server.join().expect("the server"), b"PING");
}

#[test]
fn an_end_or_silence_within_the_handshake() {
    let authority = Authority::new();
    let (address, server) = serve(drop);
    let ended = client(&authority, async move |config| {
        let wire = Wire::secure(connected(address).await, config, "localhost");
        wire.await.map(|_| ())
    });
    server.join().expect("the server");
    // A reset when the greeting was not read, an end otherwise.
    let is_end = matches!(
        ended,
        Err(BrokerError::Tls { .. } | BrokerError::Broken { .. })
    );
    assert!(is_end, "{ended:?}");

    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (address, server) = serve(move |stream| {
        let _ = wait.recv();
        drop(stream);
    });
    client(&authority, async move |config| {
        let wire = Wire::secure(connected(address).await, config, "localhost");
        // It waits and can be dropped: whoever has a clock ends it.
        let waiting = async { wire.await.map(|_| ()) };
        let other = async { Err(BrokerError::Unresolved) };
        assert_eq!(or(waiting, other).await, Err(BrokerError::Unresolved));
    });
    drop(go);
    server.join().expect("the server");
}

#[test]
fn a_host_that_no_certificate_can_be_for() {
    let authority = Authority::new();
    let (address, server) = serve(drop);
    let error = client(&authority, async move |config| {
        let socket = connected(address).await;
        Wire::secure(socket, config, "no host").await.map(|_| ())
    });
    server.join().expect("the server");
    assert!(matches!(error, Err(BrokerError::Tls { .. })), "{error:?}");
}
