//! 0004: handing a socket from shard to shard inside one process, as a descriptor number
//! in an SPSC ring. What a hop costs, and whether a byte is lost, doubled or reordered
//! when the client writes all the time while its socket hops.
//!
//! `handover [hops] [rounds]`

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Instant,
};

use autovia_spikes::{stats::Runs, sys};
use rtrb::{Consumer, Producer, RingBuffer};
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
};

const WATCHED: epoll::EventFlags = epoll::EventFlags::IN
    .union(epoll::EventFlags::RDHUP)
    .union(epoll::EventFlags::ET);

/// What travels. Whoever holds it is the socket's only owner; dropping it closes the socket.
struct Parcel {
    fd: RawFd,
    /// Bytes that were read but not used: here, how many of the client's count arrived.
    received: u64,
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |i: usize, default: u64| {
        args.get(i)
            .map_or(default, |a| a.parse().expect("a number"))
    };
    let (hops, rounds) = (number(0, 100_000), number(1, 5));
    sys::pin(0);
    let mut raw = Runs::default();
    let mut ring = Runs::default();
    let mut both = Runs::default();
    for _ in 0..rounds {
        ring.push(by_ring_alone(hops));
        raw.push(by_number(hops));
        both.push(between_threads(hops));
    }
    println!("{hops} hops, {rounds} rounds; µs of CPU per hop, both sides on one thread");
    println!("| step | µs |\n|---|---|");
    println!("| push and pop alone | {ring} |");
    println!("| epoll delete, push, pop, epoll add | {raw} |");
    println!("| wall per hop between two awake threads | {both} |");
    under_fire(hops / 10);
}

fn set() -> OwnedFd {
    epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll")
}

fn by_ring_alone(hops: u64) -> f64 {
    let (mut to, mut from) = RingBuffer::new(64);
    let cpu = sys::thread_cpu();
    for hop in 0..hops {
        let _ = to.push(Parcel {
            fd: 0,
            received: hop,
        });
        std::hint::black_box(from.pop().is_ok());
    }
    (sys::thread_cpu() - cpu) as f64 / hops as f64 / 1e3
}

fn by_number(hops: u64) -> f64 {
    let (server, _client) = sys::tcp_pairs(1).remove(0);
    let (mut to, mut from) = RingBuffer::new(64);
    let sets = [set(), set()];
    let add = |set: &OwnedFd| epoll::add(set, &server, epoll::EventData::new_u64(1), WATCHED);
    add(&sets[0]).expect("add");
    let cpu = sys::thread_cpu();
    for hop in 0..hops as usize {
        epoll::delete(&sets[hop % 2], &server).expect("delete");
        let _ = to.push(Parcel {
            fd: server.as_raw_fd(),
            received: 0,
        });
        std::hint::black_box(from.pop().is_ok());
        add(&sets[(hop + 1) % 2]).expect("add");
    }
    (sys::thread_cpu() - cpu) as f64 / hops as f64 / 1e3
}

/// One shard's part: take a parcel, watch it, unwatch it, pass it on.
fn pass_on(mut from: Consumer<Parcel>, mut to: Producer<Parcel>, hops: u64) {
    let set = set();
    for _ in 0..hops {
        let mut parcel = next(&mut from);
        parcel.received += 1;
        // SAFETY: the parcel's holder is the only owner and keeps the socket open.
        let fd = unsafe { rustix::fd::BorrowedFd::borrow_raw(parcel.fd) };
        epoll::add(&set, fd, epoll::EventData::new_u64(1), WATCHED).expect("add");
        epoll::delete(&set, fd).expect("delete");
        let _ = to.push(parcel);
    }
}

fn next(from: &mut Consumer<Parcel>) -> Parcel {
    loop {
        if let Ok(parcel) = from.pop() {
            return parcel;
        }
        std::hint::spin_loop();
    }
}

fn between_threads(hops: u64) -> f64 {
    let (server, _client) = sys::tcp_pairs(1).remove(0);
    let (mut there, at_there) = RingBuffer::new(64);
    let (back, at_back) = RingBuffer::new(64);
    let _ = there.push(Parcel {
        fd: server.as_raw_fd(),
        received: 0,
    });
    let start = Instant::now();
    let other = thread::spawn(move || {
        sys::pin(1);
        pass_on(at_there, back, hops / 2);
    });
    pass_on(at_back, there, hops / 2);
    other.join().expect("the other shard ends");
    start.elapsed().as_secs_f64() * 1e6 / hops as f64
}

/// The client writes a running count without pause; each shard reads what its edge
/// shows and passes the socket on. Only the ring carries state.
fn under_fire(hops: u64) {
    let (server, mut client) = sys::tcp_pairs(1).remove(0);
    client.set_nonblocking(false).expect("blocking writer");
    let (mut there, at_there) = RingBuffer::new(4);
    let (back, at_back) = RingBuffer::new(4);
    let _ = there.push(Parcel {
        fd: server.into_raw_fd(),
        received: 0,
    });
    let over = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let over = over.clone();
        move || {
            sys::pin(1);
            let mut sent = 0u64;
            while !over.load(SeqCst) {
                if client.write_all(&[sent as u8]).is_err() {
                    break;
                }
                sent += 1;
            }
            sent
        }
    });
    let other = thread::spawn(move || {
        sys::pin(1);
        read_and_pass(at_there, back, hops / 2)
    });
    read_and_pass(at_back, there, hops / 2);
    // The last hop of this shard left the parcel in the other's ring.
    let mut last = other.join().expect("the other shard ends");
    over.store(true, SeqCst);
    let parcel = last.pop().expect("one holder is left");
    // SAFETY: the last parcel is the only owner.
    let mut server = unsafe { TcpStream::from_raw_fd(parcel.fd) };
    let mut received = parcel.received;
    server.set_nonblocking(false).expect("blocking");
    let mut scratch = [0; 4096];
    while let Ok(n @ 1..) = server.read(&mut scratch) {
        check(&scratch[..n], &mut received);
    }
    let sent = writer.join().expect("the writer ends");
    assert_eq!(sent, received);
    println!("\nunder fire: {hops} hops, {sent} bytes sent, {received} received in order");
}

fn check(bytes: &[u8], received: &mut u64) {
    for byte in bytes {
        assert_eq!(*byte, *received as u8, "lost, doubled or reordered");
        *received += 1;
    }
}

fn read_and_pass(
    mut from: Consumer<Parcel>,
    mut to: Producer<Parcel>,
    hops: u64,
) -> Consumer<Parcel> {
    let set = set();
    let mut scratch = [0; 64];
    for _ in 0..hops {
        let mut parcel = next(&mut from);
        // SAFETY: the parcel's holder is the only owner and keeps the socket open.
        let fd = unsafe { rustix::fd::BorrowedFd::borrow_raw(parcel.fd) };
        epoll::add(&set, fd, epoll::EventData::new_u64(1), WATCHED).expect("add");
        // Adding reports what is there already, so this wait never misses the edge. The
        // small scratch leaves bytes behind on purpose: the next shard must see them.
        let mut events = Vec::with_capacity(4);
        let second = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        epoll::wait(
            &set,
            rustix::buffer::spare_capacity(&mut events),
            Some(&second),
        )
        .expect("wait");
        assert!(
            !events.is_empty(),
            "the writer never pauses, yet no edge in a second"
        );
        let n = rustix::io::read(fd, &mut scratch).expect("readable");
        check(&scratch[..n], &mut parcel.received);
        epoll::delete(&set, fd).expect("delete");
        while let Err(rtrb::PushError::Full(back)) = to.push(parcel) {
            parcel = back;
        }
    }
    from
}
