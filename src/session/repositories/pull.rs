//! A pull: everything that the other side has, into a repository of the user who runs this.
//!
//! From where is read from standard input. It is never an argument, which others could read (proc(5)): the
//! URL is a setting in a file of the session's own, and what is secret in it another.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, ExitCode, Stdio};

use accountd_protocol::repository::{Parts, PullSource, RepositoryKind, Scheme, decoded};
use nix::sys::resource::{Resource, setrlimit};

use super::frame::Frame;
use super::place::{Found, Place};
use super::{RepositoryError, Served, hg, run};

/// Nothing that is pulled needs more memory than this.
const MOST_MEMORY: u64 = 4 << 30;
/// The longest source.
const LONGEST: u64 = 64 * 1024;
/// Neither the user's own settings nor questions; keys and known hosts are the user's.
const SSH: &str = "ssh -F /dev/null -o BatchMode=yes -o ClearAllForwardings=yes";

/// Says on standard output how far it is, and what has gone wrong.
pub fn pull(served: &Served, name: &str) -> ExitCode {
    match try_to_pull(served, name) {
        Ok(code) => code,
        Err(error) => {
            // Whoever reads this has gone, or reads it.
            let _ = writeln!(std::io::stdout(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn try_to_pull(served: &Served, name: &str) -> Result<ExitCode, RepositoryError> {
    let mut text = Vec::new();
    let read = std::io::stdin().take(LONGEST).read_to_end(&mut text);
    read.map_err(RepositoryError::io("read where to pull from"))?;
    let source: PullSource = serde_json::from_slice(&text).map_err(RepositoryError::io("read where to pull from"))?;
    setrlimit(Resource::RLIMIT_AS, MOST_MEMORY, MOST_MEMORY).map_err(RepositoryError::io("limit the memory"))?;
    let place = Place::find(&served.root, name.as_bytes()).ok_or(RepositoryError::NoAccess)?;
    match place.look()? {
        Found::Repository(RepositoryKind::Git) => git(&place, &source),
        Found::Repository(RepositoryKind::Hg) => mercurial(&place, &source),
        Found::Nothing => Err(RepositoryError::NoAccess),
    }
}

fn git(place: &Place, source: &PullSource) -> Result<ExitCode, RepositoryError> {
    let allowed: Vec<&str> = source.schemes.iter().map(|scheme| scheme.name()).collect();
    let protocols: String =
        allowed.iter().map(|scheme| format!("[protocol \"{scheme}\"]\n\tallow = always\n")).collect();
    let settings = format!(
        "[protocol]\n\tallow = never\n{protocols}[core]\n\tsshCommand = \"{SSH}\"\n[credential]\n\thelper =\n\
         \tinteractive = false\n[fetch]\n\trecurseSubmodules = false\n[transfer]\n\tcredentialsInUrl = die\n\
         [remote \"origin\"]\n\tfetch = \"+refs/*:refs/*\"\n\ttagOpt = --no-tags\n"
    );
    let frame = Frame::make(place, &settings)?;
    let mut more = format!("[remote \"origin\"]\n\turl = \"{}\"\n", url_for_git(source));
    if let Some(line) = credentials(source) {
        let file = frame.path().join("credentials");
        fs::write(&file, line).map_err(RepositoryError::io("write the credentials"))?;
        more.push_str(&format!("[credential]\n\thelper = \"store --file={}\"\n", file.display()));
    }
    let config = frame.path().join("config");
    let appended =
        fs::OpenOptions::new().append(true).open(config).and_then(|mut file| file.write_all(more.as_bytes()));
    appended.map_err(RepositoryError::io("write the settings"))?;
    let mut fetch = frame.git("--git-dir");
    fetch.arg(frame.path()).args(["fetch", "--prune", "--no-write-fetch-head", "--no-auto-maintenance", "--progress"]);
    fetch.arg("origin").env("GIT_ALLOW_PROTOCOL", allowed.join(":")).env("GIT_PROXY_COMMAND", "");
    run::to_the_end(aloud(&mut fetch)?)
}

/// A user of SSH is part of where; what is secret is not.
fn url_for_git(source: &PullSource) -> String {
    match source.uri.scheme() {
        Scheme::Ssh => source.uri.reveal().to_owned(),
        Scheme::Https | Scheme::Http | Scheme::Git => source.uri.bare(),
    }
}

/// A line for git-credential-store(1).
fn credentials(source: &PullSource) -> Option<String> {
    let Parts { scheme, user, password, host, path: _ } = source.uri.parts();
    match scheme {
        Scheme::Https | Scheme::Http => {
            let (user, password) = (user?, password.unwrap_or_default());
            Some(format!("{}://{user}:{password}@{host}\n", scheme.name()))
        }
        Scheme::Ssh | Scheme::Git => None,
    }
}

fn mercurial(place: &Place, source: &PullSource) -> Result<ExitCode, RepositoryError> {
    let directory = Frame::empty()?;
    let file = directory.path().join("hgrc");
    let mut settings = format!(
        "[ui]\nssh = {SSH}\ninteractive = false\nclonebundles = false\n[paths]\ndefault = {}\n",
        url_for_git(source)
    );
    let Parts { user, password, host, .. } = source.uri.parts();
    if let (Scheme::Https | Scheme::Http, Some(user)) = (source.uri.scheme(), user) {
        let (user, password) = (decoded(user), decoded(password.unwrap_or_default()));
        settings.push_str(&format!(
            "[auth]\naccountd.prefix = {host}\naccountd.schemes = http https\naccountd.username = {user}\n\
             accountd.password = {password}\n"
        ));
    }
    fs::write(&file, settings).map_err(RepositoryError::io("write the settings"))?;
    let mut pull = hg::command(place, Some(&file));
    pull.args(["pull", "--noninteractive"]);
    run::to_the_end(aloud(&mut pull)?)
}

/// What it says goes to standard output alone.
fn aloud(command: &mut Command) -> Result<&mut Command, RepositoryError> {
    let output = || {
        let output = std::io::stdout().as_fd().try_clone_to_owned();
        output.map_err(RepositoryError::io("share standard output"))
    };
    Ok(command.stdin(Stdio::null()).stdout(output()?).stderr(output()?))
}

#[cfg(test)]
mod tests {
    use accountd_protocol::repository::CloneUri;

    use super::*;

    #[test]
    fn what_is_secret_is_not_in_the_url() {
        let source = |uri: &str| PullSource { uri: CloneUri::new(uri).unwrap(), schemes: vec![] };
        let rows = [
            ("https://u:p%40@h:8/x", "https://h:8/x", Some("https://u:p%40@h:8\n")),
            ("http://token@h/x", "http://h/x", Some("http://token:@h\n")),
            ("https://h/x", "https://h/x", None),
            ("ssh://git@h/x", "ssh://git@h/x", None),
        ];
        for (uri, url, line) in rows {
            let source = source(uri);
            assert_eq!((url_for_git(&source).as_str(), credentials(&source).as_deref()), (url, line));
        }
    }
}
