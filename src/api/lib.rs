//! The REST front: dialects over the operations of `accountd-core`.
//!
//! Each dialect is a module with an `attach` of its own; none knows another. What they share is
//! who the caller is ([`caller`]), how a body is read ([`body`]), what an answer is ([`reply`]) and the log
//! of requests.

mod access_log;
mod advice;
mod alist;
mod body;
mod caller;
mod catch_all;
mod freenas;
mod health;
mod reply;
mod rhodecode;
#[cfg(test)]
#[path = "../core/scripted_agent.rs"]
#[allow(dead_code, reason = "the tests of the core use the rest of it")]
mod scripted_agent;
#[cfg(test)]
mod scripted_front;
mod sftpgo;
mod v2;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use accountd_core::Core;
use rocket::config::{Ident, LogLevel, Shutdown, Sig};
use rocket::error::ErrorKind;
use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::{Build, Config, Request, Rocket, catch, catchers};

/// How long open requests may go on after SIGTERM, in seconds; then how long until they are cut.
const GRACE: u32 = 2;
const MERCY: u32 = 2;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0: any free one; `on_ready` is told which.
    pub listen: SocketAddr,
    pub agent_socket: PathBuf,
    pub build: ProgramBuild,
}

/// Which build of the program this is, for clients that ask.
#[derive(Clone, Debug)]
pub struct ProgramBuild {
    pub version: String,
    /// RFC 3339, in UTC.
    pub date: String,
    pub commit: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot begin: {0}")]
    Core(#[from] accountd_core::Error),
    #[error("cannot serve: {0}")]
    Serve(String),
}

/// Serves until SIGTERM or SIGINT; `on_ready` is called once connections are accepted.
pub async fn run(settings: Settings, on_ready: impl FnOnce(SocketAddr) + Send + Sync + 'static) -> Result<(), Error> {
    let core = Core::new(settings.agent_socket)?;
    let liftoff = AdHoc::on_liftoff("ready", move |rocket| {
        let config = rocket.config();
        on_ready(SocketAddr::new(config.address, config.port));
        Box::pin(async {})
    });
    match rocket(core, settings.listen).manage(settings.build).attach(liftoff).launch().await {
        Ok(_) => Ok(()),
        Err(error) => ended(&error, settings.listen),
    }
}

/// Every dialect, mounted.
fn rocket(core: Core, listen: SocketAddr) -> Rocket<Build> {
    let rocket = rocket::custom(config(listen)).manage(core).attach(access_log::AccessLog);
    let rocket = health::attach(rocket.register("/", catchers![outside]));
    rhodecode::attach(v2::attach(alist::attach(sftpgo::attach(freenas::attach(rocket)))))
}

/// Whatever belongs to no dialect. Rocket's own page would say who answers.
#[catch(default)]
fn outside(status: Status, _: &Request<'_>) -> (Status, String) {
    (status, format!("{} {}\n", status.code, status.reason_lossy()))
}

/// All of it said here: neither the environment nor a Rocket.toml has a word. The address of a
/// client is that of its connection, never one that a header claims.
fn config(listen: SocketAddr) -> Config {
    let mut shutdown = Shutdown { ctrlc: true, grace: GRACE, mercy: MERCY, force: false, ..Shutdown::default() };
    shutdown.signals = [Sig::Term].into();
    Config {
        address: listen.ip(),
        port: listen.port(),
        ident: Ident::none(),
        ip_header: None,
        log_level: LogLevel::Off,
        cli_colors: false,
        shutdown,
        ..Config::release_default()
    }
}

/// A request that had to be cut at the end is no failure of the server.
fn ended(error: &rocket::Error, address: SocketAddr) -> Result<(), Error> {
    match error.kind() {
        ErrorKind::Shutdown(_, None) => Ok(()),
        ErrorKind::Bind(source) => {
            Err(Error::Listen { address, source: io::Error::new(source.kind(), source.to_string()) })
        }
        other => Err(Error::Serve(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rocket_takes_nothing_from_outside_and_says_nothing_of_itself() {
        let config = config("127.0.0.1:0".parse().unwrap());
        assert_eq!(config.ip_header, None);
        assert_eq!(config.ident, Ident::none());
        assert_eq!(config.log_level, LogLevel::Off);
    }
}
