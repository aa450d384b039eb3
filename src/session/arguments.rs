//! The command line. Parsed by hand: the program starts once for every session.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::sftp::LinkOrder;
use crate::upload::Uploads;

pub const HELP: &str = "\
Usage: accountd-session sftp [OPTION]...
       accountd-session scp [OPTION]... -- WORD...

Serves SFTP version 3, or one run of scp's own protocol, on standard input and
output, with the rights of the user that runs it, beginning in the current
directory. The words are what stands behind `scp` in the client's command.

  --root DIR        what the session sees as /, enforced by the kernel
  --uploads HOW     atomic: a file takes its name when it is whole;
                    in-place (the default): as it comes
  --log FD          an open descriptor that gets a line for every transfer
  --link-first      the client sends the link before its target, as the draft
                    of SFTP has it; without this, the other way round
  --help            this text
";

#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Sftp,
    Scp,
    Help,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub command: Command,
    pub root: Option<PathBuf>,
    pub links: LinkOrder,
    pub uploads: Uploads,
    pub log: Option<RawFd>,
    /// Behind `--`.
    pub words: Vec<Vec<u8>>,
}

impl Arguments {
    pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut arguments = arguments;
        let command = match arguments.next() {
            Some(word) if word == "sftp" => Command::Sftp,
            Some(word) if word == "scp" => Command::Scp,
            Some(word) if word == "--help" || word == "-h" => Command::Help,
            Some(word) => return Err(format!("unknown command {word:?}")),
            None => return Err("a command is missing".into()),
        };
        let (root, links, uploads) = (None, LinkOrder::TargetFirst, Uploads::InPlace);
        let mut parsed = Self { command, root, links, uploads, log: None, words: Vec::new() };
        while let Some(word) = arguments.next() {
            if word == "--root" {
                parsed.root = Some(PathBuf::from(arguments.next().ok_or("--root needs a directory")?));
            } else if word == "--link-first" {
                parsed.links = LinkOrder::LinkFirst;
            } else if word == "--uploads" {
                parsed.uploads = uploads_of(arguments.next())?;
            } else if word == "--log" {
                parsed.log = Some(descriptor(arguments.next())?);
            } else if word == "--" && parsed.command == Command::Scp {
                parsed.words = arguments.by_ref().map(OsString::into_vec).collect();
            } else {
                return Err(format!("unknown option {word:?}"));
            }
        }
        Ok(parsed)
    }
}

fn uploads_of(word: Option<OsString>) -> Result<Uploads, String> {
    match word {
        Some(word) if word == "atomic" => Ok(Uploads::Atomic),
        Some(word) if word == "in-place" => Ok(Uploads::InPlace),
        _ => Err("--uploads is atomic or in-place".into()),
    }
}

fn descriptor(word: Option<OsString>) -> Result<RawFd, String> {
    let number = word.and_then(|word| word.to_str()?.parse().ok()).filter(|number| *number >= 0);
    number.ok_or("--log needs the number of an open descriptor".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn the_root_is_optional_and_everything_else_is_refused() {
        assert_eq!(parse(&["sftp"]).unwrap().root, None);
        assert_eq!(parse(&["sftp"]).unwrap().links, LinkOrder::TargetFirst);
        assert_eq!(parse(&["sftp", "--link-first", "--root", "/x"]).unwrap().links, LinkOrder::LinkFirst);
        assert_eq!(parse(&["sftp", "--root", "/x"]).unwrap().root, Some("/x".into()));
        for words in
            [&[][..], &["rcp"], &["sftp", "--root"], &["sftp", "--rot", "/x"], &["sftp", "/x"], &["sftp", "--"]]
        {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn uploads_and_log_have_their_values() {
        let parsed = parse(&["scp", "--uploads", "atomic", "--log", "7", "--", "-t", "--root"]).unwrap();
        assert_eq!((parsed.uploads, parsed.log, parsed.root), (Uploads::Atomic, Some(7), None));
        assert_eq!(parsed.words, [b"-t".to_vec(), b"--root".to_vec()]);
        for words in
            [&["sftp", "--uploads"][..], &["sftp", "--uploads", "x"], &["sftp", "--log", "-1"], &["scp", "--log"]]
        {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
