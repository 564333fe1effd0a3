//! What is allowed by itself but not together, and what is allowed but probably not meant.

use super::Config;
use super::broker;
use super::error::ConfigError;
use super::origin::Origin;
use super::setting::Number;
use super::settings as s;
use super::value::BrokerKind;

/// Largest table of values, in bytes; a larger one is a slip of the finger.
const TABLE_MAX_BYTES: usize = 64 * GIB;
const GIB: usize = 1024 * 1024 * 1024;

/// Refuses impossible combinations, lowers what a default put too high, collects warnings.
pub(super) fn fit_together(config: &mut Config) -> Result<(), ConfigError> {
    check_broker(config)?;
    check_hsts(config)?;
    config.signals_bytes = within(
        config,
        (&s::SIGNALS_BYTES, config.signals_bytes),
        (&s::BODY_BYTES, config.body_bytes),
    )?;
    config.contexts_per_session = within(
        config,
        (&s::CONTEXTS_PER_SESSION, config.contexts_per_session),
        (&s::CONTEXTS_MAX, config.contexts_max),
    )?;
    check_table(
        config,
        (&s::GLOBAL_ROWS, config.global_rows),
        (&s::GLOBAL_VALUE_BYTES, config.global_value_bytes),
    )?;
    check_table(
        config,
        (&s::SHARED_ROWS, config.shared_rows),
        (&s::SHARED_VALUE_BYTES, config.shared_value_bytes),
    )?;
    // The broker itself knows best what it takes; the server builds it again when it needs it.
    broker::build(config)?;
    let warnings = warnings(config);
    config.warnings.extend(warnings);
    Ok(())
}

fn check_broker(config: &Config) -> Result<(), ConfigError> {
    if config.broker != BrokerKind::Memory || config.shards == 1 {
        return Ok(());
    }
    let why = match config.origin(s::SHARDS.name) {
        Origin::Default => "by default, one per CPU that this process may use".to_owned(),
        origin => origin.to_string(),
    };
    Err(ConfigError::Combination(format!(
        "broker memory ({}) is for one shard only, but there are {} shards ({why}): \
         leave the broker out or use mesh, which joins the shards, or set shards to 1",
        config.origin(s::BROKER.name),
        config.shards
    )))
}

fn check_hsts(config: &Config) -> Result<(), ConfigError> {
    if config.hsts_time.is_none() || config.tls_cert.is_some() {
        return Ok(());
    }
    Err(ConfigError::Combination(format!(
        "hsts-seconds ({}) without tls-cert and tls-key: browsers heed it over TLS alone; give \
         both, or let the proxy that speaks TLS send the header",
        config.origin(s::HSTS_SECONDS.name)
    )))
}

/// The smaller value, lowered to the larger one's where nobody asked for it.
fn within(
    config: &Config,
    (part, part_value): (&Number, usize),
    (whole, whole_value): (&Number, usize),
) -> Result<usize, ConfigError> {
    if part_value <= whole_value {
        return Ok(part_value);
    }
    match config.origin(part.name) {
        Origin::Default => Ok(whole_value),
        origin => Err(ConfigError::Combination(format!(
            "{} {part_value} ({origin}) is more than {} {whole_value} ({}), so it could never be \
             reached: lower the first or raise the second",
            part.name,
            whole.name,
            config.origin(whole.name)
        ))),
    }
}

fn check_table(
    config: &Config,
    (rows, row_count): (&Number, usize),
    (value, value_bytes): (&Number, usize),
) -> Result<(), ConfigError> {
    let bytes = row_count.saturating_mul(value_bytes);
    if bytes <= TABLE_MAX_BYTES {
        return Ok(());
    }
    Err(ConfigError::Combination(format!(
        "{} {row_count} ({}) times {} {value_bytes} ({}) is {} GiB, and a table may have at most \
         {}: lower one of them",
        rows.name,
        config.origin(rows.name),
        value.name,
        config.origin(value.name),
        bytes / GIB,
        TABLE_MAX_BYTES / GIB
    )))
}

fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.shards > config.cpus.len() {
        warnings.push(format!(
            "{} shards ({}) on {} that this process may use: shards that share a CPU wait for \
             each other; with {}, each has its own",
            config.shards,
            config.origin(s::SHARDS.name),
            match config.cpus.len() {
                1 => "the 1 CPU".to_owned(),
                count => format!("the {count} CPUs"),
            },
            config.cpus.len()
        ));
    }
    let local = ["127.", "localhost", "::1", "[::1]"]
        .iter()
        .any(|start| config.host.starts_with(start));
    if config.dev && !local {
        warnings.push(format!(
            "dev ({}) while other machines can connect (host {} {}): requests without an Origin \
             are let in; leave dev out in production",
            config.origin(s::DEV.name),
            config.host,
            config.origin(s::HOST.name)
        ));
    }
    warnings
}
