//! The peer from the tokio world: axum, server-sent events, one broadcast channel, as its documentation shows it.
//! Ends when its standard input is closed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use autovia_bench::event;
use autovia_bench::peers::process::announce;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use clap::{Parser, ValueEnum};
use datastar::axum::ReadSignals;
use datastar::prelude::PatchSignals;
use futures_lite::{Stream, stream};
use serde::Deserialize;
use tokio::net::unix::pipe;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

/// Events that a slow stream may lag behind.
const BACKLOG: usize = 64;

#[derive(Parser)]
struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// tokio's runtime.
    #[arg(long, value_enum, default_value_t = Runtime::CurrentThread)]
    runtime: Runtime,
}

#[derive(Clone, Copy, ValueEnum)]
enum Runtime {
    /// Everything on one thread, as one core asks for.
    CurrentThread,
    /// tokio's default: as many workers as there are cores.
    MultiThread,
}

struct Board {
    seq: AtomicU64,
    ticks: broadcast::Sender<(u64, Arc<str>)>,
    tabs: Mutex<HashMap<u64, Tab>>,
}

/// A tab of the actions suite: its value and the way to its stream.
struct Tab {
    count: u64,
    changes: mpsc::UnboundedSender<u64>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let mut builder = match options.runtime {
        Runtime::CurrentThread => tokio::runtime::Builder::new_current_thread(),
        Runtime::MultiThread => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_io().build()?.block_on(serve(options.port))
}

async fn serve(port: u16) -> io::Result<()> {
    let board = Arc::new(Board {
        seq: AtomicU64::new(0),
        ticks: broadcast::Sender::new(BACKLOG),
        tabs: Mutex::default(),
    });
    let router = Router::new()
        .route("/sse", get(subscribe))
        .route("/tick", post(tick))
        .route("/value/{tab}", get(watch))
        .route("/value/{tab}/add", post(add))
        .with_state(board);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    announce(listener.local_addr()?)?;
    let without_nagle = listener.tap_io(|socket| {
        // A socket that refuses is one whose client has gone.
        _ = socket.set_nodelay(true);
    });
    let parent = pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    futures_lite::future::or(async { axum::serve(without_nagle, router).await }, async {
        parent.readable().await
    })
    .await
}

async fn tick(State(board): State<Arc<Board>>) -> StatusCode {
    let seq = board.seq.fetch_add(1, Ordering::Relaxed) + 1;
    // Fails where nobody listens: then there is nobody to tell.
    _ = board.ticks.send((seq, event::html(seq).into()));
    StatusCode::NO_CONTENT
}

async fn subscribe(
    State(board): State<Arc<Board>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    Sse::new(stream::unfold(
        board.ticks.subscribe(),
        async |mut ticks| {
            loop {
                match ticks.recv().await {
                    Ok((seq, html)) => return Some((Ok(patch(seq, &html)), ticks)),
                    // The generator finds the gap.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        },
    ))
}

fn patch(seq: u64, html: &str) -> Event {
    let event = Event::default()
        .event("datastar-patch-elements")
        .id(format!("{seq:012}"));
    event.data(format!("elements {html}"))
}

async fn watch(
    State(board): State<Arc<Board>>,
    Path(number): Path<u64>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (changes, values) = mpsc::unbounded_channel();
    let tab = Tab { count: 0, changes };
    let mut tabs = board.tabs.lock().unwrap_or_else(PoisonError::into_inner);
    tabs.insert(number, tab);
    Sse::new(stream::unfold(values, async |mut values| {
        let count = values.recv().await?;
        let signals = PatchSignals::new(format!("{{\"count\":{count}}}"));
        Some((Ok(signals.write_as_axum_sse_event()), values))
    }))
}

/// What a click sends, as far as this app wants to know.
#[derive(Deserialize)]
struct Signals {
    via_ctx: String,
}

async fn add(
    State(board): State<Arc<Board>>,
    Path(number): Path<u64>,
    ReadSignals(signals): ReadSignals<Signals>,
) -> StatusCode {
    if signals.via_ctx.is_empty() {
        return StatusCode::BAD_REQUEST;
    }
    let mut tabs = board.tabs.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(tab) = tabs.get_mut(&number) else {
        return StatusCode::NOT_FOUND;
    };
    tab.count += 1;
    // Fails where the stream has gone: then there is nobody to tell.
    _ = tab.changes.send(tab.count);
    StatusCode::NO_CONTENT
}
