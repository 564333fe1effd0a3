//! The options about what carries broadcasts. See [`super::SETTINGS`] for all of them.

use crate::server::config::setting::{Number, Text};

/// What relays broadcasts.
pub const BROKER: Text = Text::new(
    "broker",
    "memory, mesh, redis, nats",
    "by the scheme of broker-url; without one, memory with one shard, else mesh",
    "what carries broadcasts: mesh between the shards of this process, redis or nats between processes",
);

/// Where the broker is.
pub const BROKER_URL: Text = Text::new(
    "broker-url",
    "redis://host:port; redis-sentinel://host:port,…/master; redis-cluster://host:port,…; the same with rediss for TLS; nats://host:port,…; tls://host:port,…",
    "redis://127.0.0.1:6379 or nats://127.0.0.1:4222",
    "where redis or nats is; with a password in it only in the environment or the file, never as a flag",
);

/// Redis: the channel that the nodes share.
pub const BROKER_CHANNEL: Text = Text::new(
    "broker-channel",
    "1 to 256 bytes without spaces",
    "via:broadcast",
    "channel of redis, one per app",
);

/// NATS: the subject that the nodes share.
pub const BROKER_SUBJECT: Text = Text::new(
    "broker-subject",
    "words with dots between, without wildcards",
    "via.broadcast",
    "subject of nats, one per app",
);

/// The user to log in as.
pub const BROKER_USERNAME: Text = Text::new(
    "broker-username",
    "a name",
    "none",
    "user of redis (ACL) or nats; needs a password",
);

/// The password itself; no flag, since everybody can read a command line.
pub const BROKER_PASSWORD: Text = Text::new(
    "broker-password",
    "a secret",
    "none",
    "password of redis or nats; there is no flag, since everybody can read a command line",
);

/// File of the password.
pub const BROKER_PASSWORD_FILE: Text = Text::new(
    "broker-password-file",
    "a path",
    "none",
    "file of that password, read again for each connection; AUTOVIA_BROKER_PASSWORD takes the password itself",
);

/// NATS: the token itself; no flag, since everybody can read a command line.
pub const BROKER_TOKEN: Text = Text::new(
    "broker-token",
    "a secret",
    "none",
    "token of nats; there is no flag, since everybody can read a command line",
);

/// NATS: file of the token.
pub const BROKER_TOKEN_FILE: Text = Text::new(
    "broker-token-file",
    "a path",
    "none",
    "file of the token of nats, read again for each connection; AUTOVIA_BROKER_TOKEN takes the token itself",
);

/// NATS: JWT and seed.
pub const BROKER_CREDS_FILE: Text = Text::new(
    "broker-creds-file",
    "a path",
    "none",
    "credentials file of nats (.creds: JWT and seed), read again for each connection",
);

/// NATS: the seed of an nkey.
pub const BROKER_NKEY_FILE: Text = Text::new(
    "broker-nkey-file",
    "a path",
    "none",
    "file of the user seed (SU…) of an nkey of nats, read again for each connection",
);

/// Whether the connections are encrypted.
pub const BROKER_TLS: Text = Text::new(
    "broker-tls",
    "true, false",
    "by the scheme of broker-url, else false",
    "insist on TLS to redis or nats; the certificate and its name are checked",
);

/// NATS: TLS before the server's first word.
pub const BROKER_TLS_FIRST: Text = Text::new(
    "broker-tls-first",
    "true, false",
    "false",
    "for a nats server with handshake_first: TLS from the first byte; needs TLS",
);

/// Who vouches for the broker.
pub const BROKER_CA_FILE: Text = Text::new(
    "broker-ca-file",
    "a path",
    "none: the certificates that this system trusts",
    "PEM file of the certificates that vouch for the broker, instead of the system's; needs TLS",
);

/// Certificate of this server.
pub const BROKER_CERT_FILE: Text = Text::new(
    "broker-cert-file",
    "a path",
    "none",
    "PEM file of the certificate that this server shows to the broker; needs broker-key-file",
);

/// Key of that certificate.
pub const BROKER_KEY_FILE: Text = Text::new(
    "broker-key-file",
    "a path",
    "none",
    "PEM file of the private key of broker-cert-file",
);

/// CPU of the link shard.
pub const LINK_CORE: Number = Number::new(
    "link-core",
    "CPU",
    0,
    0..=1023,
    "CPU that the thread of the link to redis or nats is pinned to",
)
.found_at_start("not pinned");

/// What `/_ready` waits for.
pub const READY_WHEN: Text = Text::new(
    "ready-when",
    "serving, link",
    "serving",
    "when /_ready says yes: serving as long as pages work here, link only while the broker is connected too",
);
