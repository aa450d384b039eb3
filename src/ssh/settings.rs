//! What the front is told when it starts, and what of it can be read again.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::algorithms;
use crate::error::Error;
use crate::host_key;

/// Longer banners are no banners.
const LONGEST_BANNER: u64 = 64 * 1024;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0: any free one; `on_ready` is told which.
    pub listen: Vec<SocketAddr>,
    pub login_socket: PathBuf,
    /// One of each type at most.
    pub host_keys: Vec<PathBuf>,
    /// A text that is shown before a client authenticates.
    pub banner: Option<PathBuf>,
    /// How long a client may take to authenticate.
    pub login_grace: Duration,
    /// The most connections that have not authenticated, in all and of one source (an IPv4
    /// address or an IPv6 /64).
    pub unauthenticated: usize,
    pub unauthenticated_per_source: usize,
    /// After so long without a word from a client, it is asked whether it is there; three times.
    pub keepalive: Duration,
    /// A connection on which nothing has been said for so long is closed; `None`: never.
    pub idle: Option<Duration>,
    /// How long clients may finish when the front is told to end.
    pub drain: Duration,
}

/// What every new connection begins with.
#[derive(Debug)]
pub struct Transport {
    pub config: Arc<russh::server::Config>,
    pub banner: Arc<str>,
}

impl Transport {
    pub fn load(settings: &Settings) -> Result<Self, Error> {
        let keys = settings.host_keys.iter().map(|path| host_key::load_or_make(path)).collect::<Result<Vec<_>, _>>()?;
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|other| other.algorithm() == key.algorithm()) {
                return Err(Error::SameHostKey(key.algorithm().to_string()));
            }
        }
        let banner = settings.banner.as_deref().map(read_banner).transpose()?.unwrap_or_default();
        Ok(Self { config: Arc::new(algorithms::config(keys, settings)), banner: banner.into() })
    }
}

/// Lines end as the protocol has it (RFC 4252 §5.4).
fn read_banner(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Banner { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(LONGEST_BANNER).read_to_end(&mut text).map_err(failed)?;
    Ok(String::from_utf8_lossy(&text).replace("\r\n", "\n").replace('\n', "\r\n"))
}
