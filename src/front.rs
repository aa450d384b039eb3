//! Starting the fronts: privileges away first, then the runtime, then the listener.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::{Identity, IdentityError};
use accountd_protocol::notify::{self, State, notify};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::command::{ApiArguments, ImportArguments, SshArguments};
use crate::{self_test, version};

#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    #[error("cannot look up the user {user}: {source}")]
    Lookup { user: String, source: Errno },
    #[error("there is no user {0}")]
    NoUser(String),
    #[error("a front must not run as root: give --user")]
    Root,
    #[error("cannot become {user}: {source}")]
    Identity { user: String, source: IdentityError },
    #[error("cannot give up privileges: {0}")]
    Harden(Errno),
    #[error("cannot raise the limit of open files: {0}")]
    Limit(Errno),
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Api(#[from] accountd_api::Error),
    #[error(transparent)]
    Ssh(#[from] accountd_ssh::Error),
}

pub fn api(arguments: ApiArguments) -> Result<(), FrontError> {
    drop_privileges(arguments.user.as_deref())?;
    raise_open_files()?;
    let settings = accountd_api::Settings {
        listen: arguments.listen,
        agent_socket: arguments.agent_socket,
        build: version::program_build(),
    };
    let on_ready = |address: SocketAddr| ready(&format!("http://{address}"), move || self_test::rest_answers(address));
    let served = runtime()?.block_on(accountd_api::run(settings, on_ready));
    notify(State::Stopping);
    served?;
    Ok(())
}

pub fn ssh(arguments: SshArguments) -> Result<(), FrontError> {
    drop_privileges(arguments.user.as_deref())?;
    raise_open_files()?;
    let seconds = Duration::from_secs;
    let settings = accountd_ssh::Settings {
        listen: arguments.listen,
        login_socket: arguments.login_socket,
        host_keys: arguments.host_key,
        banner: arguments.banner,
        login_grace: seconds(arguments.login_grace),
        unauthenticated: arguments.unauthenticated,
        unauthenticated_per_source: arguments.unauthenticated_per_source,
        keepalive: seconds(arguments.keepalive),
        idle: (arguments.idle > 0).then(|| seconds(arguments.idle)),
        drain: seconds(arguments.drain),
    };
    let on_ready = |addresses: &[SocketAddr], pulse: accountd_ssh::Pulse| {
        let shown: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        ready(&shown.join(" "), move || pulse.beats());
    };
    // Its connections have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(FrontError::Runtime)?;
    let served = runtime.block_on(accountd_ssh::run(settings, on_ready));
    notify(State::Stopping);
    served?;
    Ok(())
}

/// Says what it has made, and what it has left.
pub fn import_host_keys(arguments: &ImportArguments) -> Result<(), FrontError> {
    let name = &arguments.user;
    let lookup = |source| FrontError::Lookup { user: name.clone(), source };
    let user = User::from_name(name).map_err(lookup)?.ok_or_else(|| FrontError::NoUser(name.clone()))?;
    let owner = (user.uid.as_raw(), user.gid.as_raw());
    let accountd_ssh::Imported { made, left } = accountd_ssh::import_host_keys(&arguments.from, &arguments.to, owner)?;
    made.iter().for_each(|path| println!("{}", path.display()));
    left.iter().for_each(|(path, reason)| eprintln!("{} is left: {reason}", path.display()));
    Ok(())
}

/// As many descriptors as may be (getrlimit(2)): each client of SSH costs two, each of its sessions
/// one, and each client of REST one, for as long as it likes.
fn raise_open_files() -> Result<(), FrontError> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(FrontError::Limit)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(FrontError::Limit)
}

fn runtime() -> Result<tokio::runtime::Runtime, FrontError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(FrontError::Runtime)
}

/// One line on standard output for whoever has started this and waits, and a word to systemd, then and for
/// as long as the program answers.
fn ready(address: &str, answers: impl Fn() -> bool + Send + 'static) {
    // Nobody may be reading; that is no reason to stop.
    let _ = writeln!(std::io::stdout(), "ready {address}");
    notify(State::Ready);
    if let Err(error) = notify::keep_watch(answers) {
        tracing::warn!(%error, "nobody watches over this program");
    }
}

/// Before any thread and before anything is opened.
fn drop_privileges(user: Option<&str>) -> Result<(), FrontError> {
    if let Some(name) = user.filter(|_| nix::unistd::geteuid().is_root()) {
        let lookup = |source| FrontError::Lookup { user: name.to_owned(), source };
        let user = User::from_name(name).map_err(lookup)?.ok_or_else(|| FrontError::NoUser(name.to_owned()))?;
        let parent = nix::unistd::getppid();
        let death_signal = prctl::get_pdeathsig().map_err(FrontError::Harden)?;
        let identity = Identity { uid: Uid(user.uid.as_raw()), gid: Gid(user.gid.as_raw()), groups: Vec::new() };
        identity.assume().map_err(|source| FrontError::Identity { user: name.to_owned(), source })?;
        keep_death_signal(death_signal, parent)?;
    }
    if nix::unistd::geteuid().is_root() {
        return Err(FrontError::Root);
    }
    prctl::set_dumpable(false).map_err(FrontError::Harden)?;
    prctl::set_no_new_privs().map_err(FrontError::Harden)
}

/// A change of identity clears the signal that comes with the parent's end (prctl(2)).
fn keep_death_signal(signal: Option<Signal>, parent: nix::unistd::Pid) -> Result<(), FrontError> {
    let Some(signal) = signal else { return Ok(()) };
    prctl::set_pdeathsig(signal).map_err(FrontError::Harden)?;
    if nix::unistd::getppid() != parent {
        // The parent has ended in between; so does this.
        std::process::exit(0);
    }
    Ok(())
}
