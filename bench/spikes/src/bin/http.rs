//! 0002: HTTP/1.1 by httparse and a loop of our own, or by hyper. Heap per idle
//! keep-alive connection and per open stream, time per request. No sockets: both are fed
//! from memory.
//!
//! `http [connections] [requests] [rounds]`

use std::{
    alloc::{GlobalAlloc, Layout, System},
    convert::Infallible,
    env,
    future::Future,
    pin::{Pin, pin},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::Instant,
};

use autovia_spikes::{head, peer::Peer, stats::Runs};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system allocator unchanged; only a counter is kept.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BROWSER: &str = "GET /examples/counter HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nConnection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"141\", \"Not?A_Brand\";v=\"8\"\r\nsec-ch-ua-mobile: ?0\r\n\
sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n\
Cookie: via_session_id=0123456789abcdef0123456789abcdef\r\n\r\n";

const PAGE: &str = "<!doctype html><title>page</title>";

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |i: usize, default: usize| {
        args.get(i)
            .map_or(default, |a| a.parse().expect("a number"))
    };
    let (connections, requests, rounds) = (number(0, 1_000), number(1, 100_000), number(2, 5));
    memory(connections);
    time(requests, rounds);
}

/// A stream's body that is open and silent.
struct Silent;

impl Body for Silent {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// A connection of our own between two requests, or while it streams: no buffer of its
/// own, since head and body are read into the shard's scratch.
#[expect(dead_code, reason = "only its size is measured")]
struct Own {
    fd: i32,
    state: u8,
    deadline: u64,
    unread: Vec<u8>,
    outbox: Vec<u8>,
    peer: [u8; 18],
}

fn memory(connections: usize) {
    let context = &mut Context::from_waker(Waker::noop());
    let mut peers: Vec<Peer> = (0..connections)
        .map(|_| Peer::new(BROWSER.as_bytes(), 1, false))
        .collect();
    let held = HELD.load(Relaxed);
    let idle: Vec<_> = peers
        .iter_mut()
        .map(|peer| {
            let service = service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                    PAGE.as_bytes(),
                ))))
            });
            let mut connection = Box::pin(http1::Builder::new().serve_connection(peer, service));
            assert!(connection.as_mut().poll(context).is_pending());
            connection
        })
        .collect();
    let hyper_idle = (HELD.load(Relaxed) - held) / connections;
    drop(idle);

    let mut peers: Vec<Peer> = (0..connections)
        .map(|_| Peer::new(BROWSER.as_bytes(), 1, false))
        .collect();
    let held = HELD.load(Relaxed);
    let open: Vec<_> = peers
        .iter_mut()
        .map(|peer| {
            let service = service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Silent))
            });
            let mut connection = Box::pin(http1::Builder::new().serve_connection(peer, service));
            assert!(connection.as_mut().poll(context).is_pending());
            connection
        })
        .collect();
    let hyper_open = (HELD.load(Relaxed) - held) / connections;
    drop(open);

    let mut scratch = Vec::with_capacity(64 * 1024);
    let held = HELD.load(Relaxed);
    let own: Vec<_> = (0..connections)
        .map(|fd| {
            scratch.clear();
            scratch.extend_from_slice(BROWSER.as_bytes());
            head::read(&scratch)
                .expect("a browser's head")
                .expect("whole");
            Own {
                fd: fd as i32,
                state: 0,
                deadline: 0,
                unread: Vec::new(),
                outbox: Vec::new(),
                peer: [0; 18],
            }
        })
        .collect();
    let own_idle = (HELD.load(Relaxed) - held) / connections;
    drop(own);
    println!("heap bytes per connection, {connections} connections, after one request");
    println!("| | idle keep-alive | open stream |\n|---|---|---|");
    println!("| hyper | {hyper_idle} | {hyper_open} |");
    println!("| own loop (table entry, buffers shared) | {own_idle} | {own_idle} |");
}

fn time(requests: usize, rounds: usize) {
    let (mut by_hyper, mut by_own, mut by_parser) =
        (Runs::default(), Runs::default(), Runs::default());
    for _ in 0..rounds {
        let mut peer = Peer::new(BROWSER.as_bytes(), requests, false);
        let served = std::cell::Cell::new(0);
        let service = service_fn(|request: Request<Incoming>| {
            served.set(served.get() + usize::from(request.uri().path() == "/examples/counter"));
            async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                    PAGE.as_bytes(),
                ))))
            }
        });
        let start = Instant::now();
        {
            let mut connection = pin!(http1::Builder::new().serve_connection(&mut peer, service));
            // hyper gives way after a number of turns; the loop is the executor.
            while served.get() < requests {
                let context = &mut Context::from_waker(Waker::noop());
                assert!(connection.as_mut().poll(context).is_pending());
            }
        }
        by_hyper.push(start.elapsed().as_nanos() as f64 / requests as f64);

        let (mut scratch, mut answer) = (Vec::with_capacity(65536), Vec::with_capacity(65536));
        let start = Instant::now();
        for _ in 0..requests {
            scratch.clear();
            scratch.extend_from_slice(std::hint::black_box(BROWSER.as_bytes()));
            let parsed = head::read(&scratch)
                .expect("a browser's head")
                .expect("whole");
            assert_eq!(parsed.path, "/examples/counter");
            answer.clear();
            head::answer(&mut answer, 200, PAGE.as_bytes());
            std::hint::black_box(&answer);
        }
        by_own.push(start.elapsed().as_nanos() as f64 / requests as f64);

        let start = Instant::now();
        for _ in 0..requests {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            let parsed = request.parse(std::hint::black_box(BROWSER.as_bytes()));
            assert!(parsed.is_ok_and(|p| p.is_complete()));
        }
        by_parser.push(start.elapsed().as_nanos() as f64 / requests as f64);
    }
    println!(
        "\n| ns per request of {} bytes, from memory to memory | |\n|---|---|",
        BROWSER.len()
    );
    println!(
        "| hyper | {by_hyper} |\n| own loop: scan, httparse, framing, answer | {by_own} |\n| httparse alone | {by_parser} |"
    );
}
