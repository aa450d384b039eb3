//! The sockets that clients come in by.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tracing::warn;

use crate::error::Error;

const BACKLOG: i32 = 1024;

/// Listens on all addresses; says which they have become. Ends when nobody receives any more.
pub fn start(
    addresses: &[SocketAddr],
    arriving: mpsc::Sender<(TcpStream, SocketAddr)>,
) -> Result<Vec<SocketAddr>, Error> {
    let mut bound = Vec::new();
    let mut listeners = Vec::new();
    for address in addresses {
        let failed = |source| Error::Listen { address: *address, source };
        let listener = listen(*address).map_err(failed)?;
        bound.push(listener.local_addr().map_err(failed)?);
        listeners.push(listener);
    }
    for listener in listeners {
        tokio::spawn(accept(listener, arriving.clone()));
    }
    Ok(bound)
}

/// An IPv6 address is no IPv4 address: `[::]` and `0.0.0.0` can be had beside each other.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(listener: TcpListener, arriving: mpsc::Sender<(TcpStream, SocketAddr)>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = arriving.closed() => return,
        };
        match accepted {
            Ok(client) => {
                if arriving.send(client).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
