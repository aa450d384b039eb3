//! The SSH front: transport, authentication and channels; no privilege and no decision.
//!
//! russh does the transport (RFC 4253) and verifies signatures; who may log in is asked of
//! `accountd-login`, which also hands out the socket of each session. Bytes go straight between
//! that socket and the channel.
#![forbid(unsafe_code)]

mod algorithms;
mod channel;
mod client;
mod connection;
mod dialogue;
mod error;
mod gate;
mod host_key;
mod login;
mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

pub use crate::error::Error;

use crate::connection::Connection;
use crate::gate::{Gate, Pass};
use crate::stream::{Limits, Stream};

/// How long the clients are given to hear that the server ends.
const FAREWELL: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0: any free one; `on_ready` is told which.
    pub listen: SocketAddr,
    pub login_socket: PathBuf,
    pub host_key: PathBuf,
    /// How long a client may take to authenticate.
    pub login_grace: Duration,
    /// The most connections that have not authenticated, in all and of one source (an IPv4
    /// address or an IPv6 /64).
    pub unauthenticated: usize,
    pub unauthenticated_per_source: usize,
}

/// Serves until SIGTERM or SIGINT; `on_ready` is called once connections are accepted.
pub async fn run(settings: Settings, on_ready: impl FnOnce(SocketAddr)) -> Result<(), Error> {
    let key = host_key::load_or_make(&settings.host_key)?;
    let config = Arc::new(algorithms::config(key));
    let failed = |source| Error::Listen { address: settings.listen, source };
    let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
    on_ready(listener.local_addr().map_err(failed)?);
    let gate = Arc::new(Gate::new(settings.unauthenticated, settings.unauthenticated_per_source));
    let settings = Arc::new(settings);
    let (stop, stopped) = tokio::sync::watch::channel(());
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, address)) => match gate.enter(address.ip()) {
                    Some(pass) => {
                        let served = serve(tcp, address, pass, config.clone(), settings.clone(), stopped.clone());
                        clients.spawn(served);
                    }
                    None => debug!(source = %address.ip(), "too many that have not authenticated; one is closed"),
                },
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = clients.join_next() => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    info!("ending all connections");
    drop(stop);
    let all = async { while clients.join_next().await.is_some() {} };
    // Whoever has not heard by then is cut off.
    let _ = tokio::time::timeout(FAREWELL, all).await;
    Ok(())
}

/// One client from its first byte to its last.
async fn serve(
    tcp: TcpStream,
    address: SocketAddr,
    pass: Pass,
    config: Arc<russh::server::Config>,
    settings: Arc<Settings>,
    mut stopped: tokio::sync::watch::Receiver<()>,
) {
    if let Err(error) = tcp.set_nodelay(true) {
        return debug!(%error, "a client has gone");
    }
    let (stream, line) = Stream::new(tcp, Limits::with_grace(settings.login_grace));
    let connection = Connection::new(address, settings.login_socket.clone(), pass, line);
    let session = match russh::server::run_stream(config, stream, connection).await {
        Ok(session) => session,
        Err(error) => return debug!(%error, source = %address, "no SSH connection"),
    };
    let handle = session.handle();
    tokio::pin!(session);
    tokio::select! {
        result = &mut session => ended(result, address),
        _ = stopped.changed() => {
            let reason = "the server is stopping".to_owned();
            // A client that doesn't hear it sees the connection close.
            let _ = handle.disconnect(russh::Disconnect::ByApplication, reason, String::new()).await;
            ended(session.await, address);
        }
    }
}

fn ended(result: Result<(), Error>, address: SocketAddr) {
    match result {
        Ok(()) => debug!(source = %address, "closed"),
        Err(error) => debug!(%error, source = %address, "closed"),
    }
}
