//! 0003: where idle sockets wait. One epoll instance (edge-triggered, EPOLLRDHUP), or an
//! io_uring with a multishot poll per socket: memory and time per socket, CPU per event,
//! and what each shows when a client goes away. Then the epoll instance under glommio.
//!
//! `idle [sockets] [rounds]` (two descriptors per socket)

use std::{
    env,
    io::Write,
    net::{Shutdown, TcpStream},
    os::fd::AsRawFd,
    thread,
    time::Duration,
};

use autovia_spikes::{stats::Runs, sys};
use glommio::io::PollableFd;
use io_uring::{IoUring, cqueue, opcode, types};
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
};

const WATCHED: epoll::EventFlags = epoll::EventFlags::IN
    .union(epoll::EventFlags::RDHUP)
    .union(epoll::EventFlags::ET);
const BURST: usize = 1_000;
const BURSTS: usize = 20;

type Pairs = Vec<(TcpStream, TcpStream)>;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |i: usize, default: usize| {
        args.get(i)
            .map_or(default, |a| a.parse().expect("a number"))
    };
    let (count, rounds) = (number(0, 8_000), number(1, 5));
    sys::pin(0);
    let pairs = sys::tcp_pairs(count);

    let names = ["epoll, edge-triggered", "own ring, multishot poll"];
    let mut figures = vec![[Runs::default(), Runs::default(), Runs::default()]; 2];
    for _ in 0..rounds {
        for (i, arm) in [by_epoll, by_ring].into_iter().enumerate() {
            let (bytes, register, event) = arm(&pairs);
            figures[i][0].push(bytes);
            figures[i][1].push(register);
            figures[i][2].push(event);
        }
    }
    println!("{count} idle sockets, bursts of {BURST} one-byte messages, {rounds} rounds");
    println!(
        "| way | kernel bytes per socket | µs to add | µs per event, its read included |\n|---|---|---|---|"
    );
    for (name, [bytes, register, event]) in names.iter().zip(&figures) {
        println!("| {name} | {bytes} | {register} | {event} |");
    }
    leaving();
    under_glommio(pairs);
}

/// What the kernel holds for registrations, in bytes. It frees them some time after an
/// instance or a ring is gone, hence the pause.
fn registrations() -> u64 {
    thread::sleep(Duration::from_millis(300));
    ["eventpoll_epi", "eventpoll_pwq", "ep_head", "io_kiocb"]
        .iter()
        .map(|name| sys::slab_bytes(name))
        .sum()
}

/// One byte to each of `BURST` sockets, spread over all.
fn burst(pairs: &Pairs, turn: usize) {
    let step = (pairs.len() / BURST).max(1);
    for (_, client) in pairs.iter().skip(turn % step).step_by(step).take(BURST) {
        (&*client).write_all(b"x").expect("room for one byte");
    }
}

fn by_epoll(pairs: &Pairs) -> (f64, f64, f64) {
    let held = registrations();
    let cpu = sys::thread_cpu();
    let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    for (i, (server, _)) in pairs.iter().enumerate() {
        epoll::add(&set, server, epoll::EventData::new_u64(i as u64), WATCHED).expect("add");
    }
    let register = (sys::thread_cpu() - cpu) as f64;
    let bytes = registrations().saturating_sub(held) as f64;
    let (mut cost, mut seen, mut scratch) = (0, 0, [0; 4096]);
    let mut events = Vec::with_capacity(256);
    for turn in 0..BURSTS {
        burst(pairs, turn);
        let cpu = sys::thread_cpu();
        loop {
            events.clear();
            epoll::wait(
                &set,
                rustix::buffer::spare_capacity(&mut events),
                Some(&Timespec::default()),
            )
            .expect("epoll_wait");
            if events.is_empty() {
                break;
            }
            for event in &events {
                // A short read says that the socket is empty: no second read is needed.
                seen += usize::from(read_once(&pairs[event.data.u64() as usize].0, &mut scratch));
            }
        }
        cost += sys::thread_cpu() - cpu;
    }
    assert_eq!(seen, BURST * BURSTS, "an event was lost");
    per_socket(pairs, bytes, register, cost)
}

fn by_ring(pairs: &Pairs) -> (f64, f64, f64) {
    let held = registrations();
    let cpu = sys::thread_cpu();
    let mut ring = IoUring::<io_uring::squeue::Entry>::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_cqsize(4096)
        .build(256)
        .expect("io_uring is allowed here");
    let mask = (libc::POLLIN | libc::POLLRDHUP) as u32;
    for (i, (server, _)) in pairs.iter().enumerate() {
        let entry = opcode::PollAdd::new(types::Fd(server.as_raw_fd()), mask)
            .multi(true)
            .build()
            .user_data(i as u64);
        // SAFETY: a poll holds no user memory, and the sockets outlive the ring.
        while unsafe { ring.submission().push(&entry) }.is_err() {
            ring.submit().expect("submit");
        }
    }
    ring.submit().expect("submit");
    let register = (sys::thread_cpu() - cpu) as f64;
    let bytes = registrations().saturating_sub(held) as f64;
    let (mut cost, mut seen, mut scratch, mut ended) = (0, 0, [0; 4096], 0);
    for turn in 0..BURSTS {
        burst(pairs, turn);
        let cpu = sys::thread_cpu();
        let mut quiet = false;
        while !quiet {
            // Runs the completions that the kernel has put off.
            ring.submitter().submit_and_wait(0).expect("enter");
            quiet = true;
            for entry in ring.completion() {
                quiet = false;
                ended += usize::from(!cqueue::more(entry.flags()));
                seen += usize::from(read_once(
                    &pairs[entry.user_data() as usize].0,
                    &mut scratch,
                ));
            }
        }
        cost += sys::thread_cpu() - cpu;
    }
    assert_eq!(seen, BURST * BURSTS, "an event was lost");
    assert_eq!(ended, 0, "a multishot poll ended by itself");
    per_socket(pairs, bytes, register, cost)
}

fn per_socket(pairs: &Pairs, bytes: f64, register: f64, cost: u64) -> (f64, f64, f64) {
    let count = pairs.len() as f64;
    (
        bytes / count,
        register / count / 1e3,
        cost as f64 / (BURST * BURSTS) as f64 / 1e3,
    )
}

fn read_once(mut socket: &TcpStream, scratch: &mut [u8]) -> bool {
    use std::io::Read;
    socket.read(scratch).is_ok_and(|n| n > 0)
}

/// The events that each way shows, for every way of leaving.
fn leaving() {
    println!("\n| client | epoll | multishot poll | read says |\n|---|---|---|---|");
    for (name, leave) in [
        ("shuts its writing side (FIN)", half as fn(TcpStream)),
        ("closes (FIN)", drop as fn(TcpStream)),
        ("closes with unread data (RST)", reset as fn(TcpStream)),
    ] {
        let (mut server, client) = sys::tcp_pairs(1).remove(0);
        let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        epoll::add(&set, &server, epoll::EventData::new_u64(0), WATCHED).expect("add");
        let mut ring = IoUring::new(8).expect("io_uring is allowed here");
        let entry = opcode::PollAdd::new(
            types::Fd(server.as_raw_fd()),
            (libc::POLLIN | libc::POLLRDHUP) as u32,
        )
        .multi(true)
        .build();
        // SAFETY: a poll holds no user memory, and the socket outlives the ring.
        unsafe { ring.submission().push(&entry) }.expect("room");
        ring.submit().expect("submit");
        // So that closing finds unread data at the client.
        server.write_all(b"unread").expect("room");
        if name.ends_with("(FIN)") {
            sys::drain(&client, &mut [0; 64]);
        }
        leave(client);
        let mut events = Vec::with_capacity(4);
        epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), None).expect("wait");
        ring.submit_and_wait(1).expect("wait");
        let flags = events.first().map(|e| e.flags);
        let mut masks = Vec::new();
        for entry in ring.completion() {
            let rearmed = if cqueue::more(entry.flags()) {
                ""
            } else {
                ", poll ended"
            };
            masks.push(format!("{}{rearmed}", poll_names(entry.result())));
        }
        let read = std::io::Read::read(&mut server, &mut [0; 8]);
        println!(
            "| {name} | {:?} | {} | {read:?} |",
            flags.expect("an event"),
            masks.join(" then ")
        );
    }
}

thread_local! {
    // Keeps a half-closed client open until the process ends.
    static HALF: std::cell::RefCell<Vec<TcpStream>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn half(client: TcpStream) {
    client.shutdown(Shutdown::Write).expect("shutdown");
    HALF.with_borrow_mut(|kept| kept.push(client));
}

fn reset(client: TcpStream) {
    drop(client);
}

fn poll_names(mask: i32) -> String {
    if mask < 0 {
        return std::io::Error::from_raw_os_error(-mask).to_string();
    }
    [
        (libc::POLLIN, "IN"),
        (libc::POLLRDHUP, "RDHUP"),
        (libc::POLLERR, "ERR"),
        (libc::POLLHUP, "HUP"),
    ]
    .iter()
    .filter(|(bit, _)| mask as i16 & bit != 0)
    .map(|(_, name)| *name)
    .collect::<Vec<_>>()
    .join(" | ")
}

/// A burst into the set while a glommio task awaits the set's descriptor, harvested 16
/// at a time: nothing may stay behind, and each await is one poll in glommio's ring.
fn under_glommio(pairs: Pairs) {
    let (seen, awaits, cost) = glommio::LocalExecutorBuilder::new(glommio::Placement::Fixed(0))
        .io_memory(65536)
        .make()
        .expect("io_uring is allowed here")
        .run(async move {
            let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
            for (i, (server, _)) in pairs.iter().enumerate() {
                epoll::add(&set, server, epoll::EventData::new_u64(i as u64), WATCHED)
                    .expect("add");
            }
            let set: PollableFd<OwnedFd> = PollableFd::new(set).expect("pollable");
            let (mut seen, mut awaits, mut cost) = (0, 0, 0);
            let (mut events, mut scratch) = (Vec::with_capacity(16), [0; 4096]);
            for turn in 0..BURSTS {
                burst(&pairs, turn);
                let cpu = sys::thread_cpu();
                while seen < (turn + 1) * BURST {
                    set.readable().await.expect("readable");
                    awaits += 1;
                    events.clear();
                    epoll::wait(
                        set.get_ref(),
                        rustix::buffer::spare_capacity(&mut events),
                        Some(&Timespec::default()),
                    )
                    .expect("epoll_wait");
                    for event in &events {
                        let server = &pairs[event.data.u64() as usize].0;
                        seen += usize::from(read_once(server, &mut scratch));
                    }
                }
                cost += sys::thread_cpu() - cpu;
            }
            (seen, awaits, cost)
        });
    println!(
        "\nepoll set awaited through glommio: {seen} of {} events, {awaits} awaits, {:.3} µs per event",
        BURST * BURSTS,
        cost as f64 / seen as f64 / 1e3
    );
}
