//! Which service a command line is for, and its start.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::words::{literal, literals, patterns};
use super::{CommandError, execute, login_name, rsync};

/// What an account may do by command lines, and by SFTP beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Services {
    pub sftp: bool,
    pub scp: bool,
    pub rsync: bool,
    pub git: bool,
    /// Of repositories of accountd alone.
    pub hg: bool,
    pub shell: bool,
}

impl Services {
    /// Names with commas between.
    pub fn parse(list: &OsStr) -> Result<Self, String> {
        let mut services = Self::default();
        for name in list.as_bytes().split(|byte| *byte == b',') {
            match name {
                b"sftp" => services.sftp = true,
                b"scp" => services.scp = true,
                b"rsync" => services.rsync = true,
                b"git" => services.git = true,
                b"hg" => services.hg = true,
                b"shell" => services.shell = true,
                other => return Err(format!("unknown service {}", other.escape_ascii())),
            }
        }
        Ok(services)
    }

    fn names(self) -> String {
        let Self { sftp, scp, rsync, git, hg, shell } = self;
        let all = [(sftp, "sftp"), (scp, "scp"), (rsync, "rsync"), (git, "git"), (hg, "hg"), (shell, "a shell")];
        let names: Vec<&str> = all.iter().filter(|(served, _)| *served).map(|(_, name)| *name).collect();
        match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, before)) => format!("{} and {last}", before.join(", ")),
            None => "nothing".to_owned(),
        }
    }
}

/// What a command line comes to.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Served by this program; the words behind `scp`, as patterns.
    Scp(Vec<Vec<u8>>),
    Execute(Vec<Vec<u8>>),
    Shell,
}

/// The git commands that a client sends (git-shell(1)).
const GIT: [&[u8]; 3] = [b"upload-pack", b"receive-pack", b"upload-archive"];

/// What this program does itself.
pub struct Own<S, O> {
    /// Serves scp.
    pub scp: S,
    /// Makes ready for a program that takes the place of this one.
    pub others: O,
}

/// Runs it.
pub fn run<S, O>(command: &OsStr, shell: Option<&Path>, services: Services, own: Own<S, O>) -> ExitCode
where
    S: FnOnce(&[Vec<u8>]) -> ExitCode,
    O: FnOnce(),
{
    let planned = plan(command.as_bytes(), services);
    if let Ok(Plan::Scp(words)) = &planned {
        return (own.scp)(words);
    }
    (own.others)();
    let failed = match planned {
        Ok(Plan::Execute(words) | Plan::Scp(words)) => start(&words),
        Ok(Plan::Shell) => start_shell(shell.unwrap_or(Path::new("/bin/sh")), command),
        Err(error) => Err(error),
    };
    match failed {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if matches!(error, CommandError::Execute { .. }) { 127 } else { 1 })
        }
    }
}

/// scp comes first: where a shell would only have cut the words, this is the same, and faster. The
/// shell has everything else where there is one.
fn plan(command: &[u8], services: Services) -> Result<Plan, CommandError> {
    if services.scp
        && let Some(words) = patterns(command)
        && let [program, rest @ ..] = words.as_slice()
        && is_program(program, b"scp")
        && rest.iter().any(|word| is_direction(word))
    {
        let is_sink =
            rest.iter().any(|word| word.starts_with(b"-") && !word.starts_with(b"--") && word.contains(&b't'));
        return Ok(Plan::Scp(rest.iter().map(|word| for_scp(word, is_sink)).collect()));
    }
    if services.shell {
        return Ok(Plan::Shell);
    }
    let Some(words) = literals(command) else {
        return Err(CommandError::NeedsShell);
    };
    match words.as_slice() {
        [program, rest @ ..] if services.rsync && is_program(program, b"rsync") => {
            rsync::check(rest)?;
            Ok(Plan::Execute([&[b"rsync".to_vec()], rest].concat()))
        }
        [program, path] if services.git => git(program.strip_prefix(b"git-"), path, services),
        [git_program, command, path] if services.git && git_program == b"git" => git(Some(command), path, services),
        _ => Err(CommandError::NotServed(services.names())),
    }
}

/// A word as scp takes it: a name, or, for what it sends, a pattern. A `~` that was quoted is none
/// that stands for a home.
fn for_scp(pattern: &[u8], is_sink: bool) -> Vec<u8> {
    match literal(pattern) {
        Some(name) if pattern.starts_with(b"\\~") => [b"./", name.as_slice()].concat(),
        Some(name) if is_sink || !name.iter().any(|byte| b"*?[".contains(byte)) => name,
        Some(_) | None => pattern.to_vec(),
    }
}

/// A path that looks like an option is none that a client sends.
fn git(command: Option<&[u8]>, path: &[u8], services: Services) -> Result<Plan, CommandError> {
    match command.filter(|command| GIT.contains(command)) {
        Some(_) if path.starts_with(b"-") => Err(CommandError::Option(path.escape_ascii().to_string())),
        Some(command) => Ok(Plan::Execute(vec![b"git".to_vec(), command.to_vec(), path.to_vec()])),
        None => Err(CommandError::NotServed(services.names())),
    }
}

fn is_program(word: &[u8], name: &[u8]) -> bool {
    let last = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    last == name
        && [&b""[..], b"/bin/", b"/usr/bin/"].contains(&word.get(..word.len() - last.len()).unwrap_or_default())
}

/// `-t` or `-f`, alone or among others.
fn is_direction(word: &[u8]) -> bool {
    let flags = literal(word).unwrap_or_default();
    flags
        .strip_prefix(b"-")
        .is_some_and(|flags| !flags.starts_with(b"-") && flags.iter().any(|flag| b"tf".contains(flag)))
}

fn start(words: &[Vec<u8>]) -> Result<Infallible, CommandError> {
    let mut words = words.iter().map(|word| OsString::from_vec(word.clone()));
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    execute(command)
}

/// As sshd does it: the shell is no login shell, and sees the line as it was sent.
fn start_shell(shell: &Path, line: &OsStr) -> Result<Infallible, CommandError> {
    let mut command = Command::new(shell);
    let name = login_name(shell);
    command.arg0(OsStr::from_bytes(name.as_bytes().get(1..).unwrap_or_default())).arg("-c").arg(line);
    execute(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Services = Services { sftp: true, scp: true, rsync: true, git: true, hg: false, shell: false };

    fn words(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn without_a_shell_only_what_clients_send_is_served() {
        let rows: [(&str, Plan); 7] = [
            ("scp -r -t /mnt/tank", Plan::Scp(words(&["-r", "-t", "/mnt/tank"]))),
            ("scp -t '~a' 'b*c'", Plan::Scp(words(&["-t", "./~a", "b*c"]))),
            ("scp -f ~/a 'b*c' a\\\\b", Plan::Scp(words(&["-f", "~/a", "b\\*c", "a\\b"]))),
            ("/usr/bin/scp -prf 'a b' *.c", Plan::Scp(words(&["-prf", "a b", "*.c"]))),
            ("rsync --server -e.LsfxCIvu . x", Plan::Execute(words(&["rsync", "--server", "-e.LsfxCIvu", ".", "x"]))),
            ("git-receive-pack '/srv/a.git'", Plan::Execute(words(&["git", "receive-pack", "/srv/a.git"]))),
            ("git upload-pack a.git", Plan::Execute(words(&["git", "upload-pack", "a.git"]))),
        ];
        for (line, expected) in rows {
            assert_eq!(plan(line.as_bytes(), FILES).unwrap(), expected, "{line}");
        }
        for line in [
            "id",
            "sh -c id",
            "scp",
            "scp -v a b",
            "/tmp/scp -t x",
            "git-shell x",
            "git config x",
            "git-upload-pack --x",
            "",
            "sftp-server",
            "rsync -e sh a b:",
        ] {
            assert!(plan(line.as_bytes(), FILES).is_err(), "{line}");
        }
        assert_eq!(plan(b"scp -t $HOME", FILES), Err(CommandError::NeedsShell));
        assert_eq!(plan(b"id", FILES), Err(CommandError::NotServed("sftp, scp, rsync and git".into())));
        let only_git = Services { git: true, ..Services::default() };
        assert_eq!(plan(b"scp -t x", only_git), Err(CommandError::NotServed("git".into())));
        assert_eq!(plan(b"id", Services::default()), Err(CommandError::NotServed("nothing".into())));
    }

    #[test]
    fn with_a_shell_everything_is_served_and_plain_scp_still_without_it() {
        let all = Services { shell: true, ..FILES };
        assert_eq!(plan(b"scp -f a", all).unwrap(), Plan::Scp(words(&["-f", "a"])));
        for line in ["id", "scp -t $HOME", "rsync --server . a", "git-upload-pack a", "a;b"] {
            assert_eq!(plan(line.as_bytes(), all).unwrap(), Plan::Shell, "{line}");
        }
        assert_eq!(plan(b"scp -f a", Services { shell: true, ..Services::default() }).unwrap(), Plan::Shell);
    }

    #[test]
    fn a_list_of_services_has_known_names_only() {
        assert_eq!(Services::parse(OsStr::new("sftp,scp,rsync,git")).unwrap(), FILES);
        for list in ["", "scp,", "ftp"] {
            assert!(Services::parse(OsStr::new(list)).is_err(), "{list}");
        }
    }
}
