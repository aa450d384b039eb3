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
mod counters;
mod dialogue;
mod error;
mod forward;
mod gate;
mod host_key;
mod line;
mod listener;
mod login;
mod pace;
mod pulse;
mod report;
mod settings;
mod signals;
mod stream;
mod streams;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::metrics::CutOff;
use accountd_protocol::notify::{State, notify};
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, error, info};

pub use crate::error::Error;
pub use crate::host_key::{Imported, import as import_host_keys};
pub use crate::pulse::Pulse;
pub use crate::settings::Settings;

use crate::connection::{Connection, Ends, Surroundings};
use crate::counters::{Counters, Open};
use crate::gate::{Gate, Pass};
use crate::pace::Paces;
use crate::settings::Transport;
use crate::stream::{Limits, Stream};
use crate::workers::{Place, Workers};

/// How long the clients are given to hear that the server ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// Serves until SIGTERM or SIGINT; `on_ready` is called once connections are accepted. SIGHUP has
/// host keys and banner read again, for connections that come later.
pub async fn run(settings: Settings, on_ready: impl FnOnce(&[SocketAddr], Pulse)) -> Result<(), Error> {
    let transport = Arc::new(Transport::load(&settings)?);
    let mut signals = Signals::new()?;
    let (accepted, mut arriving) = mpsc::channel(1);
    let addresses = listener::start(&settings.listen, accepted)?;
    let gate = Arc::new(Gate::new(settings.unauthenticated, settings.unauthenticated_per_source));
    let counters = Arc::new(Counters::default());
    let workers = Workers::start().map_err(Error::Workers)?;
    let (pulse, mut asked) = Pulse::new(workers.runtimes());
    on_ready(&addresses, pulse);
    tokio::spawn(report::numbers(settings.login_socket.clone(), counters.clone(), gate.clone()));
    let (stop, stopped) = watch::channel(());
    let (settings, clients, paces) = (Arc::new(settings), JoinSet::new(), Arc::default());
    let mut server = Server { settings, transport, gate, counters, paces, workers, stopped, clients };
    loop {
        tokio::select! {
            Some((tcp, address)) = arriving.recv() => server.admit(tcp, address),
            Some(_) = server.clients.join_next() => {}
            _ = pulse::answer(&mut asked) => {}
            _ = signals.hang_up.recv() => server.reload(),
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
        }
    }
    notify(State::Stopping);
    // Nobody comes in any more.
    drop(arriving);
    server.end(stop, (&mut signals, &mut asked)).await;
    Ok(())
}

struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(Error::Signal);
        let (hang_up, terminate) = (listen(SignalKind::hangup())?, listen(SignalKind::terminate())?);
        Ok(Self { hang_up, terminate, interrupt: listen(SignalKind::interrupt())? })
    }
}

struct Server {
    settings: Arc<Settings>,
    transport: Arc<Transport>,
    gate: Arc<Gate>,
    counters: Arc<Counters>,
    paces: Arc<Paces>,
    workers: Workers,
    stopped: watch::Receiver<()>,
    clients: JoinSet<()>,
}

impl Server {
    fn admit(&mut self, tcp: TcpStream, address: SocketAddr) {
        // It is served by another runtime than has accepted it.
        let tcp = match tcp.into_std() {
            Ok(tcp) => tcp,
            Err(error) => return debug!(%error, "a client has gone"),
        };
        let mut chance = [0];
        // Without randomness everybody is unlucky.
        let _ = getrandom::fill(&mut chance);
        match self.gate.enter(address.ip(), chance[0]) {
            Ok(pass) => {
                let (transport, settings) = (self.transport.clone(), self.settings.clone());
                let shared = (transport, settings, self.counters.clone(), self.paces.clone());
                let (runtime, place) = self.workers.place();
                let client = Client { tcp, address, pass, place };
                self.clients.spawn_on(serve(client, shared, self.stopped.clone()), &runtime);
            }
            Err(why) => {
                self.counters.turned_away.one(why);
                debug!(source = %address.ip(), "too many that have not authenticated; one is closed");
            }
        }
    }

    /// What can't be read again stays as it was.
    fn reload(&mut self) {
        notify(State::Reloading);
        match Transport::load(&self.settings) {
            Ok(transport) => {
                self.transport = Arc::new(transport);
                info!("host keys and banner have been read again");
            }
            Err(error) => error!(%error, "host keys and banner stay as they were"),
        }
        notify(State::Ready);
    }

    /// Lets the clients finish for as long as the settings say, then tells the rest goodbye. A
    /// second signal does so at once.
    async fn end(
        mut self,
        stop: watch::Sender<()>,
        (signals, asked): (&mut Signals, &mut mpsc::Receiver<pulse::Beat>),
    ) {
        if !self.settings.drain.is_zero() && !self.clients.is_empty() {
            info!(clients = self.clients.len(), "nobody is let in any more; those who are there may finish");
            tokio::select! {
                _ = self.all_gone(self.settings.drain) => {}
                _ = pulse::answer(asked) => {}
                _ = signals.terminate.recv() => {}
                _ = signals.interrupt.recv() => {}
            }
        }
        info!("ending all connections");
        drop(stop);
        // Whoever has not heard by then is cut off.
        self.all_gone(FAREWELL).await;
    }

    async fn all_gone(&mut self, limit: Duration) {
        let all = async { while self.clients.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(limit, all).await;
    }
}

/// Somebody who has connected.
struct Client {
    tcp: std::net::TcpStream,
    address: SocketAddr,
    pass: Pass,
    place: Place,
}

/// One client from its first byte to its last.
async fn serve(
    Client { tcp, address, pass, place: _place }: Client,
    (transport, settings, counters, paces): (Arc<Transport>, Arc<Settings>, Arc<Counters>, Arc<Paces>),
    mut stopped: watch::Receiver<()>,
) {
    let _open = Open::new(counters.clone());
    let taken = tcp.set_nodelay(true).and_then(|()| Ok((tcp.local_addr()?, TcpStream::from_std(tcp)?)));
    let (server, tcp) = match taken {
        Ok(taken) => taken,
        Err(error) => return debug!(%error, "a client has gone"),
    };
    let limits = Limits::new(settings.login_grace, settings.idle);
    let (stream, line) = Stream::new(tcp, limits, counters.clone());
    let (login_socket, banner) = (settings.login_socket.clone(), transport.banner.clone());
    let around = Surroundings { login_socket, banner, pass, line, counters: counters.clone(), paces };
    let connection = Connection::new(Ends { client: address, server }, around);
    let config = transport.config.clone();
    let session = match russh::server::run_stream(config, stream, connection).await {
        Ok(session) => session,
        Err(error) => return debug!(%error, source = %address, "no SSH connection"),
    };
    let handle = session.handle();
    tokio::pin!(session);
    tokio::select! {
        result = &mut session => ended(result, address, &counters),
        _ = stopped.changed() => {
            let reason = "the server is stopping".to_owned();
            // A client that doesn't hear it sees the connection close.
            let _ = handle.disconnect(russh::Disconnect::ByApplication, reason, String::new()).await;
            ended(session.await, address, &counters);
        }
    }
}

fn ended(result: Result<(), Error>, address: SocketAddr, counters: &Counters) {
    let Err(error) = result else { return debug!(source = %address, "closed") };
    // The other reasons are known to the stream.
    let why = match &error {
        Error::Stalled => Some(CutOff::SessionStalled),
        Error::Ssh(russh::Error::KeepaliveTimeout) => Some(CutOff::Keepalive),
        Error::Ssh(russh::Error::InactivityTimeout) => Some(CutOff::Idle),
        Error::Ssh(_) | Error::Frame(_) | Error::Login { .. } | Error::LoginGone | Error::ClientGone => None,
        Error::Listen { .. } | Error::Signal(_) | Error::Workers(_) | Error::Banner { .. } => None,
        Error::HostKeyFile { .. } | Error::HostKey { .. } | Error::SameHostKey(_) => None,
    };
    why.into_iter().for_each(|why| counters.cut_off.one(why));
    debug!(%error, source = %address, "closed");
}
