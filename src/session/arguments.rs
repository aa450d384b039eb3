//! The command line. Parsed by hand: the program starts once for every session.

use accountd_protocol::login::LinkOrder;
use accountd_protocol::session_policy::Uploads;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use accountd_protocol::quota::QuotaBackend;
use accountd_protocol::repository::RepositoryKind;

use crate::command::Services;
use crate::connect::Destination;
use crate::pace::Rates;
use crate::permissions::Permissions;
use crate::repositories::Served;

pub const HELP: &str = "\
Usage: accountd-session sftp [--root DIR] [--uploads HOW] [--link-first] [LIMITS]
       accountd-session scp [--root DIR] [--uploads HOW] [LIMITS] -- WORD...
       accountd-session command --services LIST [--shell FILE] [--root DIR]
                        [--uploads HOW] [REPOSITORIES] [LIMITS] -- COMMAND
       accountd-session pull REPOSITORIES -- NAME
       accountd-session shell --shell FILE
       accountd-session connect --fronts LIST -- HOST PORT

One session of the user that runs it, on standard input and output, beginning
in the current directory. accountd-login starts it.

  sftp            SFTP version 3
  scp             one run of scp's own protocol; the words are what stands
                  behind `scp` in the client's command
  command         a command line: scp by this program, the other services by
                  their own, everything else by the shell
  pull            fetches into a repository from where standard input says
  shell           the user's login shell
  connect         a TCP connection

  --fronts LIST   numbers of the users whose listeners on this machine are refused,
                  with commas between
  --services LIST of sftp, scp, rsync, git, hg and shell, with commas between; sftp
                  is only named where something else is refused
  --repositories DIR, --repository-kinds LIST
                  repositories below a directory that are served by their names,
                  of git, of hg, or of both with a comma between
  --shell FILE    the user's shell
  --root DIR      what the session sees as /, enforced by the kernel
  --below DIR     a directory in the root that the session sees as /; links in it
                  do not lead out of the root
  --uploads HOW   atomic: a file takes its name when it is whole; in-place
                  (the default): as it comes
  --link-first    the client sends the link before its target, as the draft of
                  the protocol has it; without this, the other way round
  --permissions LIST
                  of list, download, upload, delete, rename, create_dirs,
                  create_symlinks and their parts list_visible, write, copy,
                  rename_in_place and move, with commas between: nothing else is
                  done with files; without this, whatever the kernel allows
  --upload-rate KBPS, --download-rate KBPS
                  how fast each file may come and go, in 1000 bytes per second
  --quota NUMBER  an open descriptor on which accountd-login answers for the
                  quota of the account
  --quota-backend WHO
                  kernel, btrfs or ledger: who counts
  --log NUMBER    an open descriptor that gets a line for every transfer
  --help          this text
";

#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Sftp,
    Scp(Vec<Vec<u8>>),
    Line(OsString),
    Pull(String),
    Shell(PathBuf),
    Connect(Destination),
    Help,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub command: Command,
    pub options: Options,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub root: Option<PathBuf>,
    /// In the root.
    pub below: Option<OsString>,
    pub links: LinkOrder,
    pub services: Services,
    pub shell: Option<PathBuf>,
    pub log: Option<i32>,
    pub uploads: Uploads,
    pub permissions: Permissions,
    pub rates: Rates,
    pub repositories: Option<Served>,
    repositories_root: Option<PathBuf>,
    repository_kinds: Option<Vec<RepositoryKind>>,
    fronts: Option<Vec<u32>>,
    /// A descriptor, and who counts.
    pub quota: Option<(i32, QuotaBackend)>,
    quota_descriptor: Option<i32>,
    quota_backend: Option<QuotaBackend>,
}

impl Arguments {
    pub fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let name = arguments.next().ok_or("a command is missing")?;
        let (mut options, mut operands) = (Options::new(), Vec::new());
        while let Some(word) = arguments.next() {
            if word == "--" {
                operands.extend(arguments.by_ref());
            } else {
                options.set(&word, &mut arguments)?;
            }
        }
        options.pair_quota()?;
        options.pair_repositories()?;
        let command = match (name.to_str(), operands.as_slice()) {
            (Some("sftp"), []) => Command::Sftp,
            (Some("scp"), _) => Command::Scp(operands.into_iter().map(OsString::into_vec).collect()),
            (Some("command"), [line]) => Command::Line(line.clone()),
            (Some("pull"), [name]) if options.repositories.is_some() => {
                Command::Pull(name.to_str().ok_or("the name is no text")?.to_owned())
            }
            (Some("shell"), []) => Command::Shell(options.shell.clone().ok_or("--shell is missing")?),
            (Some("connect"), [host, port]) => Command::Connect(destination((host, port), &mut options)?),
            (Some("--help" | "-h"), []) => Command::Help,
            (Some("sftp" | "command" | "pull" | "shell" | "connect"), _) => {
                return Err("too few or too many operands".into());
            }
            _ => return Err(format!("unknown command {name:?}")),
        };
        Ok(Self { command, options })
    }
}

fn destination((host, port): (&OsString, &OsString), options: &mut Options) -> Result<Destination, String> {
    let host = host.to_str().ok_or("the host is no text")?.to_owned();
    let port = port.to_str().and_then(|port| port.parse().ok()).ok_or("the port is no number")?;
    // Without them nobody could tell where not to go.
    let fronts = options.fronts.take().ok_or("--fronts is missing")?;
    Ok(Destination { host, port, fronts })
}

impl Options {
    fn new() -> Self {
        Self {
            root: None,
            below: None,
            links: LinkOrder::TargetFirst,
            services: Services::default(),
            shell: None,
            log: None,
            uploads: Uploads::InPlace,
            permissions: Permissions::default(),
            rates: Rates::default(),
            repositories: None,
            repositories_root: None,
            repository_kinds: None,
            fronts: None,
            quota: None,
            quota_descriptor: None,
            quota_backend: None,
        }
    }

    fn pair_quota(&mut self) -> Result<(), String> {
        self.quota = match (self.quota_descriptor, self.quota_backend) {
            (Some(descriptor), Some(backend)) => Some((descriptor, backend)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err("--quota and --quota-backend belong together".into()),
        };
        Ok(())
    }

    fn pair_repositories(&mut self) -> Result<(), String> {
        self.repositories = match (self.repositories_root.take(), self.repository_kinds.take()) {
            (Some(root), Some(kinds)) => Some(Served { root, kinds }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err("--repositories and --repository-kinds belong together".into());
            }
        };
        Ok(())
    }

    fn set(&mut self, word: &OsString, rest: &mut impl Iterator<Item = OsString>) -> Result<(), String> {
        let mut value = || rest.next().ok_or(format!("{} needs a value", word.display()));
        match word.to_str() {
            Some("--root") => self.root = Some(value()?.into()),
            Some("--below") => self.below = Some(value()?),
            Some("--shell") => self.shell = Some(value()?.into()),
            Some("--services") => self.services = Services::parse(&value()?)?,
            Some("--fronts") => self.fronts = Some(uids(&value()?)?),
            Some("--repositories") => self.repositories_root = Some(value()?.into()),
            Some("--repository-kinds") => self.repository_kinds = Some(Served::parse_kinds(&value()?)?),
            Some("--link-first") => self.links = LinkOrder::LinkFirst,
            Some("--log") => self.log = Some(descriptor("--log", &value()?, 2)?),
            Some("--quota") => self.quota_descriptor = Some(descriptor("--quota", &value()?, 3)?),
            Some("--quota-backend") => self.quota_backend = Some(backend(&value()?)?),
            Some("--permissions") => self.permissions = Permissions::parse(&value()?)?,
            Some("--upload-rate") => self.rates.upload = Some(rate(&value()?)?),
            Some("--download-rate") => self.rates.download = Some(rate(&value()?)?),
            Some("--uploads") => {
                self.uploads = match value()?.to_str() {
                    Some("in-place") => Uploads::InPlace,
                    Some("atomic") => Uploads::Atomic,
                    _ => return Err("--uploads is atomic or in-place".into()),
                }
            }
            _ => return Err(format!("unknown option {word:?}")),
        }
        Ok(())
    }
}

fn descriptor(option: &str, value: &OsStr, least: i32) -> Result<i32, String> {
    let number = value.to_str().and_then(|number| number.parse().ok());
    number.filter(|number| *number >= least).ok_or(format!("{option} needs the number of a descriptor"))
}

fn backend(value: &OsStr) -> Result<QuotaBackend, String> {
    let all = [QuotaBackend::Kernel, QuotaBackend::Btrfs, QuotaBackend::Ledger];
    let named = all.into_iter().find(|backend| value == backend.name());
    named.ok_or_else(|| "--quota-backend is kernel, btrfs or ledger".to_owned())
}

fn uids(value: &OsStr) -> Result<Vec<u32>, String> {
    let numbers = value.to_str().map(|list| list.split(',').map(str::parse).collect());
    numbers.and_then(Result::ok).ok_or_else(|| "--fronts is a list of uids".to_owned())
}

fn rate(value: &OsStr) -> Result<u32, String> {
    let number = value.to_str().and_then(|number| number.parse().ok());
    number.filter(|rate| *rate > 0).ok_or_else(|| "a rate is a number of KB per second, at least 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn limits_are_read_and_half_a_quota_is_none() {
        let options = parse(&["sftp", "--permissions", "list", "--upload-rate", "100", "--quota", "5"]);
        assert!(options.is_err());
        let words = ["sftp", "--quota-backend", "ledger", "--quota", "5", "--download-rate", "7", "--permissions", ""];
        let options = parse(&words).unwrap().options;
        assert_eq!(options.quota, Some((5, QuotaBackend::Ledger)));
        assert_eq!(options.rates, Rates { upload: None, download: Some(7) });
        assert_ne!(options.permissions, Permissions::default());
        assert_eq!(parse(&["sftp"]).unwrap().options.permissions, Permissions::default());
        let wrong: [&[&str]; 5] = [
            &["--quota-backend", "ledger"],
            &["--quota", "2", "--quota-backend", "ledger"],
            &["--quota", "5", "--quota-backend", "zfs"],
            &["--upload-rate", "0"],
            &["--permissions", "lists"],
        ];
        for words in wrong {
            assert!(parse(&[&["sftp"], words].concat()).is_err(), "{words:?}");
        }
    }

    #[test]
    fn each_command_has_its_operands_and_everything_else_is_refused() {
        assert_eq!(parse(&["sftp"]).unwrap().options.root, None);
        let confined = parse(&["sftp", "--link-first", "--root", "/x", "--uploads", "atomic"]).unwrap().options;
        assert_eq!((confined.links, confined.root), (LinkOrder::LinkFirst, Some("/x".into())));
        assert_eq!(confined.uploads, Uploads::Atomic);
        let command = parse(&["command", "--log", "5", "--services", "scp", "--", "--help"]).unwrap();
        assert_eq!((command.command, command.options.log), (Command::Line("--help".into()), Some(5)));
        let scp = parse(&["scp", "--log", "7", "--", "-t", "--root"]).unwrap();
        assert_eq!(scp.command, Command::Scp(vec![b"-t".to_vec(), b"--root".to_vec()]));
        assert_eq!(parse(&["shell", "--shell", "/bin/sh"]).unwrap().command, Command::Shell("/bin/sh".into()));
        let there = Command::Connect(Destination { host: "h".into(), port: 80, fronts: vec![990, 991] });
        assert_eq!(parse(&["connect", "--fronts", "990,991", "--", "h", "80"]).unwrap().command, there);
        let served = ["--repositories", "/srv/r", "--repository-kinds", "git,hg"];
        let pull = parse(&[&["pull"][..], &served, &["--", "a/b"]].concat()).unwrap();
        let kinds = vec![RepositoryKind::Git, RepositoryKind::Hg];
        assert_eq!(pull.command, Command::Pull("a/b".into()));
        assert_eq!(pull.options.repositories, Some(Served { root: "/srv/r".into(), kinds }));
        let wrong: [&[&str]; 16] = [
            &["pull", "--", "a"],
            &["pull", "--repositories", "/srv/r", "--", "a"],
            &["pull", "--repositories", "/srv/r", "--repository-kinds", "svn", "--", "a"],
            &[],
            &["ftp"],
            &["sftp", "--root"],
            &["sftp", "--rot", "/x"],
            &["sftp", "/x"],
            &["sftp", "--", "x"],
            &["command"],
            &["shell"],
            &["connect", "--fronts", "990", "--", "h", "65536"],
            &["connect", "--", "h", "80"],
            &["connect", "--fronts", "990,accountd-ssh", "--", "h", "80"],
            &["sftp", "--log", "1"],
            &["sftp", "--uploads", "somewhere"],
        ];
        for words in wrong {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
