//! Every page in a real Chromium, on a real server with two shards.
//!
//! One binary, so that it is linked once; each test starts a browser and a server of its own, and
//! its windows share them. `stage.rs` says how windows come to be strangers to each other.

#[path = "../common/mod.rs"]
mod common;
mod stage;

// The showcase, page by page.
mod chat;
mod counter;
mod home;
mod life;
mod scopes;
mod stock;

// What every page can rely on.
mod away;
mod clicks;
mod compressed;
mod failures;
mod gone;
mod https;
mod many_windows;
mod network;
mod phone;
mod places;
mod restart;
mod wrong;
