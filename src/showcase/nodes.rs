//! `/nodes`: this node's link in both directions, the other nodes, and what they made stale.

use std::time::Duration;

use autovia::prelude::*;
use autovia::{Heard, Peer, Peers};
use maud::{Markup, html};

use super::frame::{Here, lane_line, site};

/// Serves the page.
pub fn mount(app: &mut App) {
    app.page("/nodes", |page| {
        page.join(|_| Scope::PEERS);
        let lane = lane_line(page);
        page.title(|_| "Nodes · autovia".to_owned());
        page.view(|view| {
            let peers = view.peers();
            html! {
                main.page #main {
                    div { h1 { "Nodes" } p.lead { "What one node makes stale, every node shows." } }
                    div.cards { (link(&peers)) (counts(&peers)) }
                    (others(&peers))
                    (heard(&peers))
                }
            }
        });
        page.layout(move |view, main| site(Here::Path("/nodes"), &main, Some(lane.html(view))));
    });
}

fn is_alone(peers: &Peers) -> bool {
    peers.driver == "InMemoryBroker" || peers.driver == "MeshBroker"
}

fn link(peers: &Peers) -> Markup {
    let direction = |works: bool| if works { "works" } else { "down" };
    html! {
        section.card #link aria-label="The link of this node" {
            h2 { "This node" }
            p { code #node { (peers.node) } " · " (peers.driver) }
            @if is_alone(peers) {
                p { "It has no link to others: start it with " code { "--broker redis" } " or " code { "--broker nats" } " to join some." }
            } @else {
                div aria-live="polite" {
                    @if peers.connected { p { b #state { "Connected" } ": what is published comes back." } }
                    @else { p.notice.bad { b #state { "Degraded" } ": pages work, changes wait for the broker." } }
                }
                p {
                    "Publishing " b #publishing { (direction(peers.publishing)) }
                    ", receiving " b #receiving { (direction(peers.receiving)) }
                    @if let Some(lag) = peers.lag { ", there and back in " span.num #lag { (duration(lag)) } }
                }
            }
        }
    }
}

fn counts(peers: &Peers) -> Markup {
    let rows = [
        ("published", peers.published, "Published"),
        ("received", peers.received, "Heard from others"),
        ("waiting", peers.waiting, "Waiting to come back"),
        ("gaps", peers.gaps, "Found missing"),
        ("resyncs", peers.resyncs, "All made stale"),
        ("failures", peers.failures, "Links lost, attempts failed"),
    ];
    html! {
        section.card aria-label="Counts since the start" {
            h2 { "Since the start" }
            table.counts { tbody {
                @for (id, count, label) in rows { tr { th scope="row" { (label) } td.num id=(id) { (count) } } }
            } }
        }
    }
}

fn others(peers: &Peers) -> Markup {
    html! {
        section.stack aria-labelledby="other-nodes" {
            h2 #other-nodes { "Other nodes" }
            @if peers.peers.is_empty() {
                p.soft #no-peers { "None is heard." }
            } @else {
                table.nodes #peers {
                    thead { tr { th { "Node" } th { "Build" } th { "There and back" } th { "Heard" } } }
                    tbody { @for peer in &peers.peers { (other(peer)) } }
                }
            }
        }
    }
}

fn other(peer: &Peer) -> Markup {
    html! {
        tr id={"node-" (peer.id)} {
            td { code { (peer.id) } }
            td { (peer.build) }
            td.num { (peer.lag.map_or_else(|| "–".to_owned(), duration)) }
            td.num { (ago(peer.heard_ago)) }
        }
    }
}

fn heard(peers: &Peers) -> Markup {
    html! {
        section.stack aria-labelledby="stale" {
            h2 #stale { "What other nodes made stale" }
            @if peers.heard.is_empty() {
                p.soft #nothing-heard { "Nothing yet: open this site on another node and click." }
            } @else {
                table.nodes #heard {
                    thead { tr { th { "Scope" } th { "Times" } th { "Last by" } th { "When" } } }
                    tbody { @for heard in &peers.heard { (scope(heard)) } }
                }
            }
        }
    }
}

fn scope(heard: &Heard) -> Markup {
    html! {
        tr {
            td { code { (heard.scope) } }
            td.num { span.flash { (heard.count) } }
            td { code { (heard.node) } }
            td.num { (ago(heard.ago)) }
        }
    }
}

fn duration(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
        _ => format!("{} ms", time.as_millis()),
    }
}

fn ago(time: Duration) -> String {
    match time.as_secs() {
        0..3 => "just now".to_owned(),
        seconds @ 3..60 => format!("{seconds} s ago"),
        seconds => format!("{} min ago", seconds / 60),
    }
}
