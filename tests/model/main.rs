//! The server beside a model: many random operations over sessions, pages, scopes and shards, on
//! the real binary, by several threads at once.
//!
//! Every value carries its owner's mark, and every byte that comes on a stream or in a page is
//! looked at: nobody ever gets a patch, a value, a failure, a script or a session of somebody else.
//! Each click runs once, though it is sent again, sent twice at once, cut off or overtaken; books
//! that the app keeps beside the server say so. Streams are closed, lost, doubled and reopened all
//! the while, pages become away, parked and gone; at the end every page shows, on the streams that it
//! has, exactly what the model says, and when all have left the server holds nothing.
//!
//! `AUTOVIA_MODEL_OPERATIONS` says how many operations (50,000 for each number of shards),
//! `AUTOVIA_MODEL_SEED` which ones. A seed makes the same choices again; how the threads
//! interleave is the machine's choice.

#[path = "../common/mod.rs"]
mod common;

mod chance;
mod driver;
mod found;
mod marks;
mod operations;
mod stream;
mod tab;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Instant, SystemTime};

use autovia_testkit::{Client, Running, element_text};
use common::{eventually, noted, probe};
use driver::{Driver, Registry, Tally};
use stream::Shown;
use tab::Tab;

/// Operations in a test run, for each number of shards.
const OPERATIONS: u64 = 50_000;

const DRIVERS: u64 = 4;

#[test]
fn two_shards_agree_with_the_model() {
    agree(2);
}

#[test]
fn five_shards_agree_with_the_model() {
    agree(5);
}

fn agree(shards: usize) {
    let operations = number("AUTOVIA_MODEL_OPERATIONS").unwrap_or(OPERATIONS);
    let seed = number("AUTOVIA_MODEL_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs())
    });
    println!("{operations} operations, {shards} shards, AUTOVIA_MODEL_SEED={seed}");
    let start = Instant::now();

    // Given a server whose pages are away, parked and gone soon,
    let server = probe()
        .shards(shards)
        .arg(format!("--away-seconds={}", tab::AWAY_SECONDS))
        .arg(format!("--park-seconds={}", tab::PARK_SECONDS))
        .arg(format!("--render-seconds={}", tab::RENDER_SECONDS))
        .arg("--contexts-per-session=2000")
        .start();
    let registry = Registry::default();
    let port = server.port();

    // when several users do at random whatever can be done,
    let mut drivers: Vec<Driver<'_>> = thread::scope(|scope| {
        let registry = &registry;
        let running: Vec<_> = (0..DRIVERS)
            .map(|number| {
                scope.spawn(move || {
                    let mut driver = Driver::new(port, seed, number, registry);
                    for _ in 0..operations / DRIVERS {
                        operations::one(&mut driver);
                    }
                    driver
                })
            })
            .collect();
        let ended = running.into_iter().map(|driver| driver.join());
        ended
            .map(|driver| driver.unwrap_or_else(|fault| std::panic::resume_unwind(fault)))
            .collect()
    });

    // then every page shows what the model says,
    let posts = sum(&drivers, |tally| &tally.posts);
    let totals = sum(&drivers, |tally| &tally.totals);
    let all = drivers.iter().map(|driver| driver.tally.all).sum();
    for driver in &mut drivers {
        look_again(driver);
    }
    let world = World { posts, totals, all };
    converge(&mut drivers, &world);

    // each click ran once,
    let mut clicks = BTreeMap::new();
    for driver in &mut drivers {
        while !driver.tabs.is_empty() {
            driver.forget(0);
        }
        clicks.append(&mut driver.tally.clicks);
    }
    check_books(&server, &clicks);

    // and nothing is left of those who went.
    eventually("no context is left", || {
        (server.health()["connections"]["contexts"] == 0).then_some(())
    });
    let pages: u64 = drivers.iter().map(|driver| driver.tally.pages).sum();
    assert_eq!(noted(&server, "model cleanup"), pages, "clean-ups");
    let connects = noted(&server, "model connect");
    assert_eq!(noted(&server, "model disconnect"), connects, "disconnects");
    let panics = server
        .log()
        .into_iter()
        .find(|line| line.contains("panicked"));
    assert_eq!(panics, None);
    report(&drivers, pages, start);
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.replace('_', "").parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is {text:?}, no number")))
}

/// What drivers share, summed.
struct World {
    posts: BTreeMap<u64, u64>,
    totals: BTreeMap<u64, u64>,
    all: u64,
}

fn sum(drivers: &[Driver<'_>], part: impl Fn(&Tally) -> &BTreeMap<u64, u64>) -> BTreeMap<u64, u64> {
    let mut sum = BTreeMap::new();
    for (room, count) in drivers.iter().flat_map(|driver| part(&driver.tally)) {
        *sum.entry(*room).or_default() += count;
    }
    sum
}

/// Pages without a stream get one; those that are gone by now leave the model.
fn look_again(driver: &mut Driver<'_>) {
    for tab in (0..driver.tabs.len()).rev() {
        if driver.tabs[tab].streams.is_empty() {
            driver.open_stream(tab, None);
        }
    }
}

/// Waits until every open stream has brought the newest state.
fn converge(drivers: &mut [Driver<'_>], world: &World) {
    let mut wrong = Vec::new();
    let start = Instant::now();
    while start.elapsed() < autovia_testkit::DEADLINE {
        wrong.clear();
        for driver in &mut *drivers {
            for tab in 0..driver.tabs.len() {
                driver.tabs[tab].read();
                let badge = driver.session(tab).badge.clone();
                let tab = &driver.tabs[tab];
                let wanted = wanted(tab, badge, world);
                let differs = |live: &&stream::Live| {
                    wanted
                        .iter()
                        .any(|(name, text)| live.shown.get(name) != Some(text))
                };
                if let Some(live) = tab.streams.iter().find(differs) {
                    wrong.push(format!(
                        "{:?} shows {:?}, not {wanted:?}",
                        tab.owner, live.shown
                    ));
                }
            }
        }
        if wrong.is_empty() {
            return;
        }
        thread::yield_now();
    }
    panic!(
        "{} pages are not up to date:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn wanted(tab: &Tab, badge: String, world: &World) -> Shown {
    let of = |counts: &BTreeMap<u64, u64>, room| counts.get(&room).copied().unwrap_or(0);
    let [room, other] = tab.owner.rooms;
    let texts = [
        ("count", tab.count.to_string()),
        ("mine", tab.mine.clone()),
        ("own", tab.mine.clone()),
        ("echo", tab.echo.clone()),
        ("badge", badge.clone()),
        ("of-session", badge),
        ("total", of(&world.totals, room).to_string()),
        ("all", world.all.to_string()),
        ("posts", marks::of_room(room, of(&world.posts, room))),
        ("others", marks::of_room(other, of(&world.posts, other))),
    ];
    texts
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect()
}

/// The app's books against the model's: no click ran twice, none is missing, none is a stranger's.
fn check_books(server: &Running, clicks: &BTreeMap<u64, (u64, u64)>) {
    let page = Client::without_cookies(server.port()).get("/model-books");
    let text = element_text(page.text(), "books").expect("the page shows the books");
    let mut ran = BTreeMap::new();
    for line in text.lines() {
        let (what, count) = line.split_once('=').expect("a line is name=count");
        let count: u64 = count.parse().expect("a count");
        if what == "doubles" {
            assert_eq!(count, 0, "clicks that ran twice");
        } else {
            ran.insert(what.parse::<u64>().expect("a page"), count);
        }
    }
    for (page, (least, most)) in clicks {
        let count = ran.remove(page).unwrap_or(0);
        assert!(
            (*least..=*most).contains(&count),
            "{count} clicks of page {page} ran, {least} to {most} were made"
        );
    }
    assert!(ran.is_empty(), "clicks of pages that made none: {ran:?}");
}

fn report(drivers: &[Driver<'_>], pages: u64, start: Instant) {
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in drivers.iter().flat_map(|driver| &driver.tally.done) {
        *done.entry(name).or_default() += count;
    }
    let gone: u64 = drivers.iter().map(|driver| driver.tally.gone).sum();
    let events: usize = drivers.iter().map(|driver| driver.tally.events).sum();
    let seconds = start.elapsed().as_secs();
    println!("{pages} pages, {gone} found gone, {events} events, {seconds} s: {done:?}");
}
