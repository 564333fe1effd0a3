//! The suites that fit one plan each: what is measured, beside whom, and how to read it.

pub mod actions;
pub mod churn;
pub mod growth;
pub mod idle;
pub mod mixed;
pub mod slow;
pub mod storm;
pub mod variants;
pub mod visibility;

use super::rig::Server;
use super::{Plan, SuiteError};
use crate::load::{Board, Dialect};
use crate::peers::Peer;

/// All of them, in the order in which `all` runs them.
pub const PLANS: [&Plan; 9] = [
    &variants::PLAN,
    &growth::PLAN,
    &idle::PLAN,
    &actions::PLAN,
    &storm::PLAN,
    &churn::PLAN,
    &visibility::PLAN,
    &mixed::PLAN,
    &slow::PLAN,
];

/// Those that take part wherever streams only open and close.
const TRIO: [Peer; 3] = [Peer::FloorEpoll, Peer::Axum, Peer::Autovia];

/// Opens and closes one more stream: the server, busy with one thing at a time, has seen the ends of those before.
fn settle(server: &Server, dialect: Dialect) -> Result<(), SuiteError> {
    server.open(dialect, 1).map(drop)
}

/// The page that the suites without a page of their own open.
const fn board(peer: Peer, board: Board) -> Dialect {
    match peer {
        Peer::Autovia => Dialect::Autovia(board),
        _ => Dialect::Plain,
    }
}
