//! From what was said to what holds: each option picked from its layers, then the whole checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Config;
use super::args::ServerArgs;
use super::broker;
use super::checks;
use super::error::ConfigError;
use super::layers::{Layers, to_size};
use super::session_keys::{SessionKeys, parse_session_keys};
use super::setting::Problem;
use super::settings as s;
use super::surroundings::{Surroundings, ThisProcess};
use super::tls;
use super::value::{BrokerKind, LogFilter, parse_choice};

impl ServerArgs {
    /// Adds environment, file and defaults of this process, and checks all of it.
    ///
    /// Call it before threads are pinned, so that it sees all CPUs.
    ///
    /// # Errors
    /// The first thing that is wrong; its text is one line, its exit code is 2.
    pub fn resolve(self) -> Result<Config, ConfigError> {
        self.resolve_with(&ThisProcess)
    }

    /// As [`ServerArgs::resolve`], with a world of the caller's making.
    ///
    /// # Errors
    /// The first thing that is wrong; its text is one line, its exit code is 2.
    pub fn resolve_with(self, world: &dyn Surroundings) -> Result<Config, ConfigError> {
        let mut layers = Layers::new(world)?;
        let config = layers.path(s::CONFIG.name, self.config.clone())?;
        if let Some(path) = &config {
            layers.read_file(path)?;
        }
        let mut resolved = pick_all(&mut layers, self, config)?;
        checks::fit_together(&mut resolved)?;
        Ok(resolved)
    }
}

fn pick_all(
    layers: &mut Layers<'_>,
    mut a: ServerArgs,
    config: Option<PathBuf>,
) -> Result<Config, ConfigError> {
    let cpus = layers.world.cpus();
    let shards = match layers.number(&s::SHARDS, a.shards)? {
        Some(shards) => to_size(shards),
        None => cpus.usable.clamp(1, to_size(s::SHARDS.max)),
    };
    let mut warnings = Vec::new();
    let unsaid = match shards {
        1 => BrokerKind::Memory,
        _ => BrokerKind::Mesh,
    };
    let (broker, broker_options) = broker::pick(layers, &mut a, unsaid, &mut warnings)?;
    let ready_when = layers.pick(s::READY_WHEN.name, a.ready_when, |said| {
        parse_choice(said.text()?)
    })?;
    let link_core = pick_link_core(layers, a.link_core, &cpus.allowed)?;
    let host = layers.pick(s::HOST.name, a.host, |said| Ok(said.text()?.to_owned()))?;
    let log_level = layers.pick(s::LOG_LEVEL.name, a.log_level, |said| {
        LogFilter::parse(said.text()?)
    })?;
    let log_format = layers.pick(s::LOG_FORMAT.name, a.log_format, |said| {
        parse_choice(said.text()?)
    })?;
    let template_dir = layers.path(s::TEMPLATE_DIR.name, a.template_dir)?;
    if let Some(folder) = &template_dir {
        check_folder(layers, folder)?;
    }
    let session_keys = layers
        .path(s::SESSION_KEY_FILE.name, a.session_key_file)?
        .map(|path| read_keys(layers, &path, &mut warnings))
        .transpose()?;
    let (tls_cert, tls_key) = tls::pick(layers, a.tls_cert, a.tls_key, &mut warnings)?;
    let hsts = layers.number_or_default(&s::HSTS_SECONDS, a.hsts_seconds)?;
    let secure_cookie =
        layers.switch_or(s::SECURE_COOKIE.name, a.secure_cookie, tls_cert.is_some())?;
    let heartbeat = layers.number_or_default(&s::HEARTBEAT_SECONDS, a.heartbeat_seconds)?;
    let scope_rate = layers.number_or_default(&s::SCOPE_RATE, a.scope_rate)?;
    let port = layers.number_or_default(&s::PORT, a.port)?;
    let descriptor_tables =
        layers.pick(s::DESCRIPTOR_TABLES.name, a.descriptor_tables, |said| {
            parse_choice(said.text()?)
        })?;
    let mut resolved = Config {
        shards,
        descriptor_tables: descriptor_tables.unwrap_or_default(),
        cpus: cpus.allowed,
        host: host.unwrap_or_else(|| s::HOST.default.to_owned()),
        port: u16::try_from(port).unwrap_or(u16::MAX),
        config,
        log_level: log_level.unwrap_or_default(),
        log_format: log_format.unwrap_or_default(),
        dev: layers.switch(s::DEV.name, a.dev)?,
        broker,
        broker_options,
        link_core,
        ready_when: ready_when.unwrap_or_default(),
        template_dir,
        session_keys,
        tls_cert,
        tls_key,
        http2: layers.switch_or(s::HTTP2.name, a.http2, true)?,
        hsts_time: (hsts > 0).then(|| Duration::from_secs(hsts)),
        secure_cookie,
        hide_metrics: layers.switch(s::HIDE_METRICS.name, a.hide_metrics)?,
        compress_pages: layers
            .pick(s::COMPRESS_PAGES.name, a.compress_pages, |said| {
                said.switch()
            })?
            .unwrap_or(true),
        compress_streams: layers.switch(s::COMPRESS_STREAMS.name, a.compress_streams)?,
        trusted_origins: layers.trusted_origins(a.trusted_origin)?,
        heartbeat_time: (heartbeat > 0).then(|| Duration::from_secs(heartbeat)),
        scope_rate: u32::try_from(scope_rate).ok().filter(|rate| *rate > 0),
        drain_time: layers.time(&s::DRAIN_SECONDS, a.drain_seconds)?,
        hang_time: layers.time(&s::HANG_SECONDS, a.hang_seconds)?,
        away_time: layers.time(&s::AWAY_SECONDS, a.away_seconds)?,
        park_time: layers.time(&s::PARK_SECONDS, a.park_seconds)?,
        parked_max: layers.size(&s::PARKED_MAX, a.parked_max)?,
        render_time: layers.time(&s::RENDER_SECONDS, a.render_seconds)?,
        action_timeout: layers.time(&s::ACTION_TIMEOUT_SECONDS, a.action_timeout)?,
        action_queue: layers.size(&s::ACTION_QUEUE, a.action_queue)?,
        load_timeout: layers.time(&s::LOAD_TIMEOUT_SECONDS, a.load_timeout)?,
        contexts_per_session: layers.size(&s::CONTEXTS_PER_SESSION, a.contexts_per_session)?,
        contexts_max: layers.size(&s::CONTEXTS_MAX, a.contexts_max)?,
        streams_per_context: layers.size(&s::STREAMS_PER_CONTEXT, a.streams_per_context)?,
        outbox_bytes: layers.size(&s::OUTBOX_BYTES, a.outbox_bytes)?,
        outbox_time: layers.time(&s::OUTBOX_SECONDS, a.outbox_seconds)?,
        header_bytes: layers.size(&s::HEADER_BYTES, a.header_bytes)?,
        body_bytes: layers.size(&s::BODY_BYTES, a.body_bytes)?,
        signals_bytes: layers.size(&s::SIGNALS_BYTES, a.signals_bytes)?,
        header_time: layers.time(&s::HEADER_SECONDS, a.header_seconds)?,
        idle_time: layers.time(&s::IDLE_SECONDS, a.idle_seconds)?,
        global_rows: layers.size(&s::GLOBAL_ROWS, a.global_rows)?,
        global_value_bytes: layers.size(&s::GLOBAL_VALUE_BYTES, a.global_value_bytes)?,
        shared_rows: layers.size(&s::SHARED_ROWS, a.shared_rows)?,
        shared_value_bytes: layers.size(&s::SHARED_VALUE_BYTES, a.shared_value_bytes)?,
        warnings,
        origins: BTreeMap::new(),
    };
    resolved.origins = std::mem::take(&mut layers.origins);
    Ok(resolved)
}

fn pick_link_core(
    layers: &mut Layers<'_>,
    flag: Option<u64>,
    allowed: &[usize],
) -> Result<Option<usize>, ConfigError> {
    let Some(cpu) = layers.number(&s::LINK_CORE, flag)?.map(to_size) else {
        return Ok(None);
    };
    if allowed.contains(&cpu) {
        return Ok(Some(cpu));
    }
    Err(ConfigError::Value {
        value: cpu.to_string(),
        origin: Box::new(layers.origin(s::LINK_CORE.name)),
        problem: Problem(format!(
            "not a CPU that this process may use, which are {}; the default is {}",
            ranges(allowed),
            s::LINK_CORE.default_shown()
        )),
    })
}

/// Numbers in rising order, short: `0-3, 8`.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|before, after| before + 1 == *after);
    let runs = runs.map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run.iter().map(usize::to_string).collect(),
    });
    runs.collect::<Vec<_>>().join(", ")
}

fn check_folder(layers: &Layers<'_>, folder: &Path) -> Result<(), ConfigError> {
    layers
        .world
        .check_folder(folder)
        .map_err(|error| ConfigError::Unreadable {
            what: "the template folder",
            path: folder.to_owned(),
            origin: Box::new(layers.origin(s::TEMPLATE_DIR.name)),
            reason: error.to_string(),
            remedy: "Name a folder that exists and that this user may list",
        })
}

fn read_keys(
    layers: &Layers<'_>,
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<SessionKeys, ConfigError> {
    let origin = Box::new(layers.origin(s::SESSION_KEY_FILE.name));
    let text = match layers.world.read_file(path) {
        Ok(text) => text,
        Err(error) => {
            return Err(ConfigError::Unreadable {
                what: "the session key file",
                path: path.to_owned(),
                origin,
                reason: error.to_string(),
                remedy: "Make one with `openssl rand -hex 32 > FILE && chmod 600 FILE`",
            });
        }
    };
    let keys = parse_session_keys(&text).map_err(|problem| ConfigError::KeyFile {
        path: path.to_owned(),
        origin,
        problem,
    })?;
    if layers.world.everybody_reads(path) {
        warnings.push(format!(
            "every user of this machine can read the session keys: chmod 600 {}",
            path.display()
        ));
    }
    Ok(keys)
}
