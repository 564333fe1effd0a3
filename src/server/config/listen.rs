//! The address to listen on: resolved once, before the shards start.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::Config;
use super::origin::Origin;
use super::settings::{HOST, PORT};
use super::value::shown;

/// Exit code for a server that was configured well but can't start here.
pub const START_EXIT_CODE: i32 = 1;

/// An address that can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The host has the port in it.
    #[error(
        "can't listen on host `{host}` {origin}: write the port apart, as in --host {address} --port {port}"
    )]
    PortInHost {
        /// The host as given.
        host: String,
        /// Where it came from.
        origin: Box<Origin>,
        /// The address alone.
        address: String,
        /// The port alone.
        port: u16,
    },
    /// The host is no address, and no name that resolves.
    #[error(
        "can't listen on host `{host}` {origin}: {reason}. Use an IP address of this machine: \
         127.0.0.1 for itself only, 0.0.0.0 or :: for every one"
    )]
    BadHost {
        /// The host as given.
        host: String,
        /// Where it came from.
        origin: Box<Origin>,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused.
    #[error("can't listen on {address} (host {host_origin}, port {port_origin}): {reason}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Where the host came from.
        host_origin: Box<Origin>,
        /// Where the port came from.
        port_origin: Box<Origin>,
        /// What the system said, and what to change.
        reason: String,
    },
}

impl ListenError {
    /// The exit code of a process that can't start for this reason: 1.
    pub const fn exit_code(&self) -> i32 {
        START_EXIT_CODE
    }
}

impl Config {
    /// Resolves host and port. It may ask the name service, so call it before the shards start.
    ///
    /// # Errors
    /// A host that is no address and no name that resolves.
    pub fn listen_address(&self) -> Result<SocketAddr, ListenError> {
        let host = self.host.trim();
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(SocketAddr::new(address, self.port));
        }
        if let Some((address, port)) = host.rsplit_once(':')
            && let Ok(port) = port.parse()
        {
            return Err(ListenError::PortInHost {
                host: shown(host),
                origin: Box::new(self.origin(HOST.name).clone()),
                address: shown(address),
                port,
            });
        }
        let bad = |reason: &str| ListenError::BadHost {
            host: shown(host),
            origin: Box::new(self.origin(HOST.name).clone()),
            reason: reason.to_owned(),
        };
        let is_name = !host.is_empty()
            && host
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || "-._".contains(char));
        if !is_name {
            return Err(bad("it is neither an IP address nor a name"));
        }
        let addresses: Vec<SocketAddr> = (host, self.port)
            .to_socket_addrs()
            .map_err(|_| bad("it is no IP address, and no name that can be resolved here"))?
            .collect();
        // `localhost` has two addresses; the one that the default would have is expected.
        addresses
            .iter()
            .find(|address| address.is_ipv4())
            .or(addresses.first())
            .copied()
            .ok_or_else(|| bad("the name has no address"))
    }

    /// The error to show when the system refused to listen on `address`.
    pub fn listen_error(&self, address: SocketAddr, error: &std::io::Error) -> ListenError {
        use std::io::ErrorKind;
        let reason = match error.kind() {
            ErrorKind::AddrInUse => format!(
                "another process has this port. Stop it (`ss -ltnp 'sport = :{0}'` names it), or \
                 choose another port; --port 0 takes any free one",
                address.port()
            ),
            ErrorKind::AddrNotAvailable => "no network interface of this machine has this \
                 address. Use 127.0.0.1 for this machine only, 0.0.0.0 or :: for every address"
                .to_owned(),
            ErrorKind::PermissionDenied => "this user may not open it. Choose a port from 1024, \
                 or give the binary the right: setcap cap_net_bind_service=+ep BINARY"
                .to_owned(),
            _ => error.to_string(),
        };
        ListenError::Refused {
            address,
            host_origin: Box::new(self.origin(HOST.name).clone()),
            port_origin: Box::new(self.origin(PORT.name).clone()),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_host(host: &str) -> Config {
        Config {
            host: host.to_owned(),
            ..Config::defaults()
        }
    }

    #[test]
    fn addresses_and_names_resolve() {
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1:3000"),
            ("0.0.0.0", "0.0.0.0:3000"),
            ("::", "[::]:3000"),
            ("[::1]", "[::1]:3000"),
            ("localhost", "127.0.0.1:3000"),
        ] {
            let found = with_host(host).listen_address().unwrap();
            assert_eq!(found.to_string(), address, "{host}");
        }
    }

    #[test]
    fn a_bad_host_says_what_to_write() {
        for (host, part) in [
            ("127.0.0.1:8080", "--host 127.0.0.1 --port 8080"),
            ("[::1]:8080", "--host [::1] --port 8080"),
            ("http://example.com", "neither an IP address nor a name"),
            ("", "neither an IP address nor a name"),
            ("1.2.3.4.5", "no name that can be resolved"),
        ] {
            let error = with_host(host).listen_address().unwrap_err();
            assert!(error.to_string().contains(part), "{host}: {error}");
            assert_eq!(error.exit_code(), 1);
        }
    }

    #[test]
    fn a_refusal_of_the_system_names_the_way_out() {
        let config = Config::defaults();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let refused = std::net::TcpListener::bind(address).unwrap_err();
        let text = config.listen_error(address, &refused).to_string();
        assert!(text.contains("another process has this port"), "{text}");
        assert!(text.contains("host by default"), "{text}");

        let elsewhere = "192.0.2.1:3000".parse().unwrap();
        let refused = std::net::TcpListener::bind(elsewhere).unwrap_err();
        let text = config.listen_error(elsewhere, &refused).to_string();
        assert!(text.contains("no network interface"), "{text}");
    }
}
