//! 0006: 200 bytes to each of 1,000 sockets: one `send(2)` per socket, an io_uring of
//! `Send` entries, or glommio's `TcpStream`. One interleaved run; the CPU of the sending
//! thread and of ksoftirqd. The readers are a child process on the other CPU.
//!
//! `batch [rounds] [sweeps] [sockets]`

use std::{
    env,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd, IntoRawFd},
    process::{Command, Stdio},
    time::Instant,
};

use autovia_spikes::{stats::Runs, sys};
use futures_lite::AsyncWriteExt;
use io_uring::{IoUring, opcode, types};
use rustix::event::epoll;

const BYTES: usize = 200;
const BATCH: usize = 256;

/// Sends a block to every socket, so many times over; the sends that were refused.
type Arm = Box<dyn FnMut(&[TcpStream], usize) -> usize>;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "child-read") {
        return read_all(&args[1], args[2].parse().expect("a count"));
    }
    let number = |i: usize, default: usize| {
        args.get(i)
            .map_or(default, |a| a.parse().expect("a number"))
    };
    let (rounds, sweeps, count) = (number(0, 5), number(1, 100), number(2, 1_000));

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    let mut reader = Command::new(env::current_exe().expect("own path"))
        .args([
            "child-read",
            &listener.local_addr().expect("bound").to_string(),
            &count.to_string(),
        ])
        .stdin(Stdio::piped())
        .spawn()
        .expect("start the readers");
    let sockets: Vec<TcpStream> = (0..count)
        .map(|_| {
            let (socket, _) = listener.accept().expect("accept");
            socket.set_nonblocking(true).expect("non-blocking");
            socket.set_nodelay(true).expect("no delay");
            socket
        })
        .collect();
    sys::pin(0);

    let mut arms: Vec<(&str, Arm)> = vec![
        ("send(2) per socket", Box::new(by_send)),
        ("own ring, flags of a shard", Box::new(by_ring(true, false))),
        ("own ring, defer_taskrun", Box::new(by_ring(true, true))),
        ("own ring, no flags", Box::new(by_ring(false, false))),
        ("glommio TcpStream", Box::new(by_glommio)),
    ];
    let mut own = vec![Runs::default(); arms.len()];
    let mut both = vec![Runs::default(); arms.len()];
    let mut wall = vec![Runs::default(); arms.len()];
    for _ in 0..rounds {
        for (i, (_, arm)) in arms.iter_mut().enumerate() {
            let (cpu, soft, start) = (sys::thread_cpu(), sys::ksoftirqd_cpu(), Instant::now());
            let refused = arm(&sockets, sweeps);
            assert_eq!(
                refused, 0,
                "a reader fell behind: the figures would be of refusals"
            );
            let sends = (sweeps * count) as f64;
            let cpu = (sys::thread_cpu() - cpu) as f64;
            let soft = (sys::ksoftirqd_cpu() - soft) as f64;
            own[i].push(cpu / sends / 1e3);
            both[i].push((cpu + soft) / sends / 1e3);
            wall[i].push(start.elapsed().as_secs_f64() * 1e6 / sends);
        }
    }
    println!("{count} sockets, {BYTES} bytes, {sweeps} sweeps, {rounds} rounds; µs per send");
    println!("| way | thread | thread + ksoftirqd | wall |\n|---|---|---|---|");
    for (i, (name, _)) in arms.iter().enumerate() {
        println!("| {name} | {} | {} | {} |", own[i], both[i], wall[i]);
    }
    full_socket();
    drop(sockets);
    reader.wait().expect("the readers end");
}

/// What an entry for a socket whose reader has stopped looks like, without a wait.
fn full_socket() {
    let (server, _frozen) = sys::tcp_pairs(1).remove(0);
    let mut ring = IoUring::<io_uring::squeue::Entry>::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .build(4)
        .expect("io_uring is allowed here");
    let block = vec![b'x'; 1 << 20];
    let mut results = Vec::new();
    while results.last().is_none_or(|result| *result > 0) {
        let entry = opcode::Send::new(
            types::Fd(server.as_raw_fd()),
            block.as_ptr(),
            block.len() as u32,
        )
        .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
        .build();
        // SAFETY: `block` and the socket outlive the completion, which is taken below.
        unsafe { ring.submission().push(&entry) }.expect("room");
        ring.submit().expect("submit");
        let before = results.len();
        results.extend(ring.completion().map(|entry| entry.result()));
        assert_eq!(results.len(), before + 1, "the entry is still in flight");
    }
    println!(
        "\na frozen reader, 1 MiB each: {results:?} (EAGAIN is -{})",
        libc::EAGAIN
    );
}

fn by_send(sockets: &[TcpStream], sweeps: usize) -> usize {
    let block = [b'x'; BYTES];
    let mut refused = 0;
    for _ in 0..sweeps {
        for mut socket in sockets {
            refused += usize::from(!matches!(socket.write(&block), Ok(BYTES)));
        }
    }
    refused
}

fn by_ring(single: bool, defer: bool) -> impl FnMut(&[TcpStream], usize) -> usize {
    let mut builder = IoUring::<io_uring::squeue::Entry>::builder();
    if single {
        builder.setup_single_issuer();
    }
    if defer {
        builder.setup_defer_taskrun();
    } else if single {
        builder.setup_coop_taskrun();
    }
    let mut ring = builder
        .build(BATCH as u32)
        .expect("io_uring is allowed here");
    move |sockets, sweeps| {
        let block = [b'x'; BYTES];
        let mut refused = 0;
        for _ in 0..sweeps {
            for batch in sockets.chunks(BATCH) {
                for socket in batch {
                    let entry = opcode::Send::new(
                        types::Fd(socket.as_raw_fd()),
                        block.as_ptr(),
                        BYTES as u32,
                    )
                    .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                    .build();
                    // SAFETY: `block` and the socket outlive the completions, which are counted below.
                    unsafe { ring.submission().push(&entry) }.expect("a batch fits the ring");
                }
                // No wait: with MSG_DONTWAIT every entry has ended when the call returns.
                ring.submit().expect("submit");
                let mut seen = 0;
                for entry in ring.completion() {
                    refused += usize::from(entry.result() != BYTES as i32);
                    seen += 1;
                }
                assert_eq!(seen, batch.len());
            }
        }
        refused
    }
}

fn by_glommio(sockets: &[TcpStream], sweeps: usize) -> usize {
    let copies: Vec<_> = sockets
        .iter()
        .map(|s| s.try_clone().expect("a descriptor").into_raw_fd())
        .collect();
    glommio::LocalExecutorBuilder::new(glommio::Placement::Fixed(0))
        .io_memory(65536)
        .make()
        .expect("io_uring is allowed here")
        .run(async move {
            let mut streams: Vec<_> = copies
                .into_iter()
                // SAFETY: `into_raw_fd` gave up the only owner of this copy.
                .map(|fd| unsafe { glommio::net::TcpStream::from_raw_fd(fd) })
                .collect();
            let block = [b'x'; BYTES];
            let mut refused = 0;
            for _ in 0..sweeps {
                for stream in &mut streams {
                    refused += usize::from(stream.write_all(&block).await.is_err());
                }
            }
            refused
        })
}

fn read_all(address: &str, count: usize) {
    sys::pin(1);
    let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    let sockets: Vec<TcpStream> = (0..count)
        .map(|i| {
            let socket = TcpStream::connect(address).expect("connect");
            socket.set_nonblocking(true).expect("non-blocking");
            epoll::add(
                &set,
                &socket,
                epoll::EventData::new_u64(i as u64),
                epoll::EventFlags::IN,
            )
            .expect("add");
            socket
        })
        .collect();
    let mut events = Vec::with_capacity(256);
    let mut scratch = vec![0; 65536];
    let mut open = count;
    while open > 0 {
        events.clear();
        epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), None).expect("wait");
        for event in &events {
            let mut socket = &sockets[event.data.u64() as usize];
            if matches!(socket.read(&mut scratch), Ok(0)) {
                epoll::delete(&set, socket).expect("delete");
                open -= 1;
            }
        }
    }
}
