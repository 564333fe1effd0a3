//! Connections to a broker: the name is resolved anew each time, and all its addresses are tried at
//! once.
//!
//! At once, because a broker keeps no clock: one address that swallows packets would otherwise
//! use up each attempt before the next address had its turn.
#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use super::{BrokerError, LinkContext};
use crate::runtime::{Socket, Watchfulness};

/// Turns a name and a port into addresses. It may block: it is called on a thread that may, at each
/// attempt to connect.
pub type Resolver = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// The resolver of the system.
pub(crate) fn system_resolver() -> Resolver {
    Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

/// Resolves `host` and connects to whichever of its addresses takes the connection first; gives that
/// address too, so that a second connection goes to the same server.
///
/// # Errors
/// `Unresolved`, `Unreachable`.
pub(crate) async fn dial(
    context: &LinkContext,
    resolver: &Resolver,
    host: &str,
    port: u16,
) -> Result<(Socket, SocketAddr), BrokerError> {
    let addresses = resolve(context, resolver, host, port).await?;
    race(&addresses).await
}

/// Connects to one address.
///
/// # Errors
/// `Unreachable`.
pub(crate) async fn dial_address(address: SocketAddr) -> Result<Socket, BrokerError> {
    race(&[address]).await.map(|(socket, _)| socket)
}

async fn resolve(
    context: &LinkContext,
    resolver: &Resolver,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, BrokerError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (resolver, host) = (Arc::clone(resolver), host.to_owned());
    let resolved = context.blocking(move || resolver(&host, port)).await?;
    let mut addresses = resolved.map_err(|_| BrokerError::Unresolved)?;
    addresses.truncate(ADDRESSES_MAX);
    if addresses.is_empty() {
        return Err(BrokerError::Unresolved);
    }
    Ok(addresses)
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<Socket>>>>;

/// The first connection that stands; where several do, the first in the list.
async fn race(addresses: &[SocketAddr]) -> Result<(Socket, SocketAddr), BrokerError> {
    let mut attempts: Vec<(SocketAddr, Attempt)> = addresses
        .iter()
        .map(|&address| (address, Box::pin(Socket::connect(address)) as Attempt))
        .collect();
    let mut kind = io::ErrorKind::NotConnected;
    let won = poll_fn(|cx| {
        let mut index = 0;
        while let Some((address, attempt)) = attempts.get_mut(index) {
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(socket)) => return Poll::Ready(Some((socket, *address))),
                Poll::Ready(Err(error)) => {
                    kind = error.kind();
                    drop(attempts.remove(index));
                }
                Poll::Pending => index += 1,
            }
        }
        if attempts.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await;
    let Some((socket, address)) = won else {
        return Err(BrokerError::Unreachable { kind });
    };
    socket
        .tune(Watchfulness::Close)
        .map_err(|error| BrokerError::Unreachable { kind: error.kind() })?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::broker::room;

    fn dialled(
        resolver: Resolver,
        host: &'static str,
        port: u16,
    ) -> Result<SocketAddr, BrokerError> {
        room::apart("0123456789abcdef", move |context, _| {
            Box::pin(async move {
                let (_, address) = dial(&context, &resolver, host, port).await?;
                Ok(address)
            })
        })
        .expect("the room runs")
    }

    fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    fn refusing() -> SocketAddr {
        listening().1
    }

    #[test]
    fn a_literal_address_needs_no_resolver() {
        let (_listener, address) = listening();
        let resolver: Resolver = Arc::new(|_, _| panic!("nobody asks it"));
        assert_eq!(dialled(resolver, "127.0.0.1", address.port()), Ok(address));
    }

    #[test]
    fn a_refusing_address_does_not_stand_before_a_good_one() {
        let (_listener, good) = listening();
        let bad = refusing();
        let resolver: Resolver = Arc::new(move |_, _| Ok(vec![bad, good]));
        assert_eq!(dialled(resolver, "redis.internal", 1), Ok(good));
    }

    #[test]
    fn a_silent_address_does_not_stand_before_a_good_one() {
        // A listener whose queue is full answers no further SYN.
        let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        silent
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .expect("a free port");
        silent.listen(0).expect("it listens");
        let full = silent
            .local_addr()
            .expect("it is bound")
            .as_socket()
            .expect("an IP address");
        let _queued = std::net::TcpStream::connect(full).expect("one fits into the queue");
        let (_listener, good) = listening();
        let resolver: Resolver = Arc::new(move |_, _| Ok(vec![full, good]));
        assert_eq!(dialled(resolver, "redis.internal", 1), Ok(good));
    }

    #[test]
    fn a_failing_name_and_a_failing_address_are_told_apart() {
        let fails: Resolver = Arc::new(|_, _| Err(io::ErrorKind::NotFound.into()));
        assert_eq!(dialled(fails, "nowhere", 1), Err(BrokerError::Unresolved));
        let empty: Resolver = Arc::new(|_, _| Ok(Vec::new()));
        assert_eq!(dialled(empty, "nowhere", 1), Err(BrokerError::Unresolved));
        let kind = io::ErrorKind::ConnectionRefused;
        let port = refusing().port();
        assert_eq!(
            dialled(system_resolver(), "127.0.0.1", port),
            Err(BrokerError::Unreachable { kind })
        );
        let panics: Resolver = Arc::new(|_, _| panic!("a resolver of one's own"));
        let error = dialled(panics, "nowhere", 1).expect_err("it panicked");
        assert!(matches!(error, BrokerError::Other { .. }), "{error:?}");
    }

    #[test]
    fn the_resolver_is_asked_each_time() {
        let (first, second) = (listening(), listening());
        let addresses = std::sync::Mutex::new(vec![second.1, first.1]);
        let resolver: Resolver =
            Arc::new(move |_, _| Ok(vec![addresses.lock().unwrap().pop().expect("asked twice")]));
        assert_eq!(dialled(resolver.clone(), "moves", 1), Ok(first.1));
        assert_eq!(dialled(resolver, "moves", 1), Ok(second.1));
    }
}
