//! What becomes the session: the child of a keeper, until it executes the program.
//!
//! The order of the steps is the security of the product. Nothing here returns to anything that
//! root does: either the program runs as the user, or the child ends.

use std::convert::Infallible;
use std::ffi::CString;
use std::fmt::Display;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use accountd_protocol::id::Uid;
use accountd_protocol::login::Streams;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, getppid, setsid};

use crate::order::{NewPrivileges, Order};
use crate::spawner::Given;
use crate::sys;
use crate::sys::resources::{self, ResourceLimit};

const NAME: &str = "accountd-session";
/// The home of an account that has none (Debian's and FreeNAS' convention).
const NO_HOME: &str = "/nonexistent";
/// Open files of a session that runs no shell: two for each of the handles that SFTP allows, and some.
const OPEN_FILES: u64 = 4096;

/// What a session is made of, all of it open.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors<'a> {
    pub given: &'a Given,
    /// Its standard error, where that is not one of the streams.
    pub errors: Option<&'a OwnedFd>,
    pub program: &'a OwnedFd,
}

/// Becomes the session's program, or says why not. `keeper` is the process that has forked.
pub fn become_session(order: &Order, open: Descriptors<'_>, keeper: Pid) -> Result<Infallible, String> {
    setsid().map_err(at("leave the session of root"))?;
    if let (Streams::Terminal, [terminal]) = (order.streams, open.given.streams.as_slice()) {
        sys::set_controlling_terminal(terminal.as_fd()).map_err(at("take the terminal"))?;
    }
    sys::reset_signals();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).map_err(at("unblock signals"))?;
    umask(Mode::from_bits_truncate(order.umask & 0o777));
    limit(order)?;
    // Whose session it is, for the kernel's audit and last(1); not every kernel keeps it.
    let _ = std::fs::write("/proc/self/loginuid", order.uid.0.to_string());
    order.identity().assume().map_err(at("become the user"))?;
    end_with(keeper)?;
    // As the user: a home that the user can't enter is none.
    let entered = chdir(order.home().as_os_str());
    if entered.is_err() {
        chdir("/").map_err(at("change to the root directory"))?;
    }
    if order.privileges == NewPrivileges::Never {
        prctl::set_no_new_privs().map_err(at("forbid new privileges"))?;
    }
    prctl::set_dumpable(false).map_err(at("become undumpable"))?;
    let (arguments, environment) = texts(order, open.given)?;
    set_up(open)?;
    if let Err(error) = entered {
        tell_of_the_home(order, error);
    }
    sys::execute(open.program, &arguments, &environment).map_err(at("execute the session program"))
}

/// What a session without a shell can't have, nor any program that it might run. A shell gets the
/// limits that this program was started with, and can do with sudo(8) what sudoers(5) allows.
fn limit(order: &Order) -> Result<(), String> {
    for limit in &order.limits {
        resources::set(limit).map_err(at("set the limits of PAM"))?;
    }
    match order.privileges {
        NewPrivileges::Possible => return Ok(()),
        NewPrivileges::Never => {}
    }
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(at("forbid core files"))?;
    let open_files = open_files(&order.limits);
    setrlimit(Resource::RLIMIT_NOFILE, open_files, open_files).map_err(at("limit open files"))?;
    if order.uid != Uid::ROOT {
        sys::empty_bounding_set().map_err(at("empty the bounding set"))?;
        sys::clear_ambient_set().map_err(at("clear the ambient set"))?;
    }
    Ok(())
}

/// As other servers of SSH do, to whom there is at a terminal or behind a command. Who has none by intention knows.
fn tell_of_the_home(order: &Order, error: Errno) {
    let home = order.home();
    match order.streams {
        Streams::Terminal | Streams::Pipes if home != Path::new(NO_HOME) => {
            // The session begins all the same where nobody reads that.
            let _ = writeln!(std::io::stderr(), "cannot change to the home {}: {}", home.display(), error.desc());
        }
        Streams::Terminal | Streams::Pipes | Streams::Socket => {}
    }
}

/// What PAM has set may be less.
fn open_files(limits: &[ResourceLimit]) -> u64 {
    let set = limits.iter().find(|limit| limit.resource == resources::OPEN_FILES);
    set.map_or(OPEN_FILES, |limit| limit.soft.min(OPEN_FILES))
}

/// Standard input, output and error, and the records and the way to the quota under the numbers that
/// they have; nothing else stays open.
fn set_up(open: Descriptors<'_>) -> Result<(), String> {
    let [input, output, errors] = match open.given.streams.as_slice() {
        [one] => [one, one, open.errors.unwrap_or(one)],
        [input, output, errors] => [input, output, errors],
        _ => return Err("the streams are not whole".to_owned()),
    };
    for (descriptor, number) in [(input, 0), (output, 1), (errors, 2)] {
        sys::duplicate_to(descriptor.as_fd(), number).map_err(at("set up the streams"))?;
    }
    sys::close_on_exec_from(3).map_err(at("close what is open"))?;
    for kept in [Some(&open.given.records), open.given.quota.as_ref()].into_iter().flatten() {
        fcntl(kept, FcntlArg::F_SETFD(FdFlag::empty())).map_err(at("keep the records open"))?;
    }
    Ok(())
}

/// Has the kernel end the session with its keeper. Only a process that has its identity can ask
/// for that, because a change of identity takes it back (prctl(2)); executing a program doesn't.
fn end_with(keeper: Pid) -> Result<(), String> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("end with the keeper"))?;
    if getppid() == keeper { Ok(()) } else { Err("the keeper has ended".to_owned()) }
}

/// Numbers of descriptors stand behind the first argument, which says what the program is.
fn texts(order: &Order, given: &Given) -> Result<(Vec<CString>, Vec<CString>), String> {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(at("pass a text with a NUL"));
    let (first, rest) = order.arguments.split_at_checked(1).ok_or("the order has no arguments")?;
    let mut numbers = vec!["--log".to_owned(), given.records.as_raw_fd().to_string()];
    if let (Some(backend), Some(quota)) = (order.quota, &given.quota) {
        numbers.extend(["--quota".to_owned(), quota.as_raw_fd().to_string()]);
        numbers.extend(["--quota-backend".to_owned(), backend.name().to_owned()]);
    }
    let given = numbers.iter().map(String::as_bytes);
    let arguments = first.iter().map(Vec::as_slice).chain(given).chain(rest.iter().map(Vec::as_slice));
    let arguments = [NAME.as_bytes()].into_iter().chain(arguments).map(text).collect::<Result<_, _>>()?;
    let environment = order.environment.iter().map(|variable| text(variable)).collect::<Result<_, _>>()?;
    Ok((arguments, environment))
}

fn at<E: Display>(doing: &'static str) -> impl FnOnce(E) -> String {
    move |error| format!("cannot {doing}: {error}")
}
