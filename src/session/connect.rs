//! A TCP connection for the client, made as the user (RFC 4254 §7.2).
//!
//! The first byte on the stream says whether there is one; what follows it is the connection's.
//! accountd's own listeners are no place to go: what comes from this machine is trusted more there.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// The state of a socket that listens, in proc_net_tcp (`0A`).
const LISTENING: &str = "0A";

/// As accountd-ssh expects it.
const CONNECTED: u8 = 0;
const REFUSED: u8 = 1;

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot find {host}: {source}")]
    Find { host: String, source: io::Error },
    #[error("{0} is accountd itself")]
    Own(SocketAddr),
    #[error("cannot tell who listens on this machine: {0}")]
    Listeners(io::Error),
    #[error("cannot connect to {address}: {source}")]
    Connect { address: SocketAddr, source: io::Error },
    #[error("{0} has no address")]
    NoAddress(String),
    #[error("the client has gone: {0}")]
    Client(io::Error),
}

/// Where to, and the uids of accountd's own fronts.
#[derive(Debug, PartialEq, Eq)]
pub struct Destination {
    pub host: String,
    pub port: u16,
    pub fronts: Vec<u32>,
}

/// Connects, says so, and passes bytes on until both sides have ended.
pub fn run(to: &Destination, stream: impl AsFd) -> Result<(), ConnectError> {
    let client = stream.as_fd().try_clone_to_owned().map(UnixStream::from).map_err(ConnectError::Client)?;
    let connected = connect(to);
    let word = if connected.is_ok() { CONNECTED } else { REFUSED };
    (&client).write_all(&[word]).map_err(ConnectError::Client)?;
    relay(&client, &connected?).map_err(ConnectError::Client)
}

fn connect(Destination { host, port, fronts }: &Destination) -> Result<TcpStream, ConnectError> {
    let found = (host.as_str(), *port).to_socket_addrs();
    let found = found.map_err(|source| ConnectError::Find { host: host.clone(), source })?;
    let mut last = ConnectError::NoAddress(host.clone());
    for address in found {
        if is_own(address, fronts)? {
            return Err(ConnectError::Own(address));
        }
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => return Ok(stream),
            Err(source) => last = ConnectError::Connect { address, source },
        }
    }
    Err(last)
}

/// Whether one of the fronts listens there. Every port that one has is refused on every address
/// of this machine, of which there may be more than are known here.
fn is_own(address: SocketAddr, fronts: &[u32]) -> Result<bool, ConnectError> {
    let mut is_fronts_port = false;
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        match std::fs::read_to_string(path) {
            Ok(table) => is_fronts_port |= listens(&table, fronts, address.port()),
            // Without IPv6 there is no such table.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ConnectError::Listeners(error)),
        }
    }
    Ok(is_fronts_port && is_local(address)?)
}

/// Whether one of these users listens on this port (proc_net(5)).
fn listens(table: &str, users: &[u32], port: u16) -> bool {
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, _, state, _, _, _, user, ..] = fields.as_slice() else { return false };
        let bound = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        *state == LISTENING && bound == Some(port) && user.parse().is_ok_and(|user: u32| users.contains(&user))
    })
}

/// Whether an address is one of this machine's: only there can a socket be bound (bind(2)).
fn is_local(address: SocketAddr) -> Result<bool, ConnectError> {
    match UdpSocket::bind(with_port(address, 0)) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Ok(false),
        Err(error) => Err(ConnectError::Listeners(error)),
    }
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// Both directions, each to its own end.
fn relay(client: &UnixStream, server: &TcpStream) -> io::Result<()> {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            copy(client, server);
            let _ = server.shutdown(Shutdown::Write);
        });
        copy(server, client);
        client.shutdown(Shutdown::Write)
    })
}

/// std copies between descriptors without a buffer of its own (splice(2)); an error is an end.
fn copy(mut from: impl Read + AsFd, mut to: impl Write + AsFd) {
    let _ = io::copy(&mut from, &mut to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_is_known_by_its_port_its_user_and_that_it_listens() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:07E6 00000000:0000 0A 00000000:00000000 00:00000000 00000000   991        0 1 1\n\
                     1: 0100007F:0050 00000000:0000 01 00000000:00000000 00:00000000 00000000   991        0 1 1\n";
        assert!(listens(table, &[990, 991], 2022));
        assert!(!listens(table, &[990], 2022) && !listens(table, &[991], 80) && !listens(table, &[991], 2023));
    }

    #[test]
    fn this_machine_is_local_by_every_name() {
        for address in ["127.0.0.1:1", "127.9.9.9:1", "0.0.0.0:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_local(address.parse().unwrap()).unwrap(), "{address}");
        }
        assert!(!is_local("192.0.2.1:1".parse().unwrap()).unwrap());
    }
}
