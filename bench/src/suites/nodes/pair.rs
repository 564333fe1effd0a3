//! Two nodes on one broker: clicks on A, a watched page on B, and what each node counts.

use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use super::broker::Broker;
use super::tab::{Stream, Tab, number};
use super::{BURST, Measured, Options, thread_time};
use crate::peers::process::Running;
use crate::suites::SuiteError;

/// Clicks before the clock starts.
const WARM_UP_CLICKS: u32 = 50;
/// Nodes that don't find each other by then won't.
const MEET_LIMIT: Duration = Duration::from_secs(20);

/// A node, and what it says of its link.
#[derive(Debug)]
struct Node {
    process: Running,
    peers: Stream,
    /// The page must outlive its stream.
    _peers_page: Tab,
}

/// What a node counts.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    published: u64,
    /// Beacons included.
    received: u64,
    waiting: u64,
    gaps: u64,
    /// Renders of its watched page.
    renders: u64,
}

impl Node {
    fn start(broker: &Broker, core: Option<usize>) -> Result<Node, SuiteError> {
        let program = std::env::current_exe()
            .map_err(SuiteError::system("finding this program"))?
            .with_file_name("bench-app");
        let mut command = Command::new(program);
        // The rate limit would measure its own pauses.
        command.args(["--shards", "1", "--port", "0", "--scope-rate", "0"]);
        command.args(["--log-level", "error", "--broker-url", &broker.url()]);
        let process = Running::start(command, core)?;
        let page = Tab::load(process.address(), "/peers")
            .map_err(SuiteError::system("loading a node's page of counts"))?;
        let mut node = Node {
            peers: page
                .open()
                .map_err(SuiteError::system("opening a node's stream of counts"))?,
            process,
            _peers_page: page,
        };
        node.meet()
            .map_err(SuiteError::system("waiting for the link of a node"))?;
        Ok(node)
    }

    fn meet(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + MEET_LIMIT;
        while number(&self.peers.next()?, "connected")? == 0 {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    /// What it says next; it says something twice a second.
    fn counts(&mut self) -> io::Result<Counts> {
        let text = self.peers.next()?;
        Ok(Counts {
            published: number(&text, "published")?,
            received: number(&text, "received")?,
            waiting: number(&text, "waiting")?,
            gaps: number(&text, "gaps")?,
            renders: number(&text, "renders")?,
        })
    }

    /// Reports until `is_so`.
    fn until(&mut self, is_so: impl Fn(Counts) -> bool) -> io::Result<Counts> {
        let deadline = Instant::now() + MEET_LIMIT;
        let mut counts = self.counts()?;
        while !is_so(counts) {
            if Instant::now() > deadline {
                let text = format!("a node's counts don't become what they should: {counts:?}");
                return Err(io::Error::other(text));
            }
            counts = self.counts()?;
        }
        Ok(counts)
    }
}

/// Two nodes, the clicking pages on A and the watched one on B.
#[derive(Debug)]
pub(super) struct Pair {
    a: Node,
    b: Node,
    clicker: Tab,
    burster: Tab,
    watched: Stream,
    _watched_page: Tab,
    /// Renders of the watched page that its stream has shown.
    seen: u64,
    /// What A has published, and what B counts, when all has arrived.
    published: u64,
    heard: Counts,
}

impl Pair {
    /// Starts both and waits until a click on A reaches the page on B.
    pub fn start(broker: &Broker, cores: Option<[usize; 2]>) -> Result<Pair, SuiteError> {
        let core = |index: usize| cores.map(|cores| cores[index]);
        let (a, b) = (Node::start(broker, core(0))?, Node::start(broker, core(1))?);
        let pages = || -> io::Result<(Tab, Tab, Tab, Stream)> {
            let watched = Tab::load(b.process.address(), "/watched")?;
            let stream = watched.open()?;
            Ok((
                Tab::load(a.process.address(), "/click")?,
                Tab::load(a.process.address(), "/burst")?,
                watched,
                stream,
            ))
        };
        let (clicker, burster, watched_page, watched) =
            pages().map_err(SuiteError::system("loading the nodes' pages"))?;
        let mut pair = Pair {
            a,
            b,
            clicker,
            burster,
            watched,
            _watched_page: watched_page,
            seen: 0,
            published: 0,
            heard: Counts::default(),
        };
        pair.warm_up()
            .map_err(SuiteError::system("warming the nodes up"))?;
        Ok(pair)
    }

    /// Afterwards nothing is under way, and what both nodes count is known.
    fn warm_up(&mut self) -> io::Result<()> {
        self.published = self.a.counts()?.published;
        self.heard = self.b.counts()?;
        for _ in 0..WARM_UP_CLICKS {
            self.clicker.click()?;
            self.seen = number(&self.watched.next()?, "seq")?;
            self.clicker.answered()?;
        }
        // What a link that has just come up renders besides is not of the clicks.
        self.agree(WARM_UP_CLICKS.into()).map(|_| ())
    }

    /// Waits until B has heard the `count` scopes that A was made to say. Returns how many events the
    /// watched page had beyond those that were read: none may be left for the next click.
    fn agree(&mut self, count: u64) -> io::Result<u64> {
        let (published, received) = (self.published + count, self.heard.received + count);
        let a = self
            .a
            .until(|counts| counts.published >= published && counts.waiting == 0)?;
        let b = self.b.until(|counts| counts.received >= received)?;
        if a.published != published || b.gaps != self.heard.gaps {
            return Err(io::Error::other(format!(
                "{count} scopes became {} messages, with {} gaps where they were heard",
                a.published + count - published,
                b.gaps - self.heard.gaps
            )));
        }
        (self.published, self.heard) = (published, b);
        let left = b.renders.saturating_sub(self.seen);
        while self.seen < b.renders {
            self.seen = number(&self.watched.next()?, "seq")?;
        }
        Ok(left)
    }

    /// One round.
    pub fn measure(&mut self, broker: &Broker, options: &Options) -> io::Result<Measured> {
        let mut measured = Measured::default();
        for _ in 0..options.clicks {
            let start = Instant::now();
            self.clicker.click()?;
            let event = self.watched.next()?;
            measured.latencies.push(start.elapsed());
            self.clicker.answered()?;
            self.rendered(&event, &mut measured)?;
        }
        measured.extra += self.agree(options.clicks.into())?;
        for _ in 0..options.bursts {
            self.burst(broker, &mut measured)?;
        }
        Ok(measured)
    }

    fn burst(&mut self, broker: &Broker, measured: &mut Measured) -> io::Result<()> {
        let pids = [self.a.process.pid(), self.b.process.pid(), broker.pid()];
        let before = times(pids)?;
        let start = Instant::now();
        self.burster.click()?;
        // The watched room is the last of the burst.
        let event = self.watched.next()?;
        measured.elapsed += start.elapsed();
        self.burster.answered()?;
        self.rendered(&event, measured)?;
        measured.extra += self.agree(BURST as u64)?;
        let after = times(pids)?;
        for (sum, index) in [
            (&mut measured.publisher, 0),
            (&mut measured.subscriber, 1),
            (&mut measured.broker, 2),
        ] {
            *sum += after[index].saturating_sub(before[index]);
        }
        measured.messages += BURST as u64;
        Ok(())
    }

    /// Books an event: one per click or burst is expected.
    fn rendered(&mut self, event: &str, measured: &mut Measured) -> io::Result<()> {
        let seq = number(event, "seq")?;
        let lost = || io::Error::other(format!("after render {} came render {seq}", self.seen));
        let beyond = seq.checked_sub(self.seen + 1).ok_or_else(lost)?;
        self.seen = seq;
        measured.extra += beyond;
        Ok(())
    }
}

fn times(pids: [u32; 3]) -> io::Result<[Duration; 3]> {
    Ok([
        thread_time(pids[0])?,
        thread_time(pids[1])?,
        thread_time(pids[2])?,
    ])
}
