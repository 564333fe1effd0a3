//! Starting, watching and stopping the server.

pub mod config;
pub mod doctor;
pub mod logging;
