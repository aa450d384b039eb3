//! The command line. Parsed by hand: the program starts once for every session.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::sftp::LinkOrder;

pub const HELP: &str = "\
Usage: accountd-session sftp [--root DIR] [--link-first]

Serves SFTP version 3 on standard input and output, with the rights of the
user that runs it, beginning in the current directory.

  --root DIR    what the session sees as /, enforced by the kernel
  --link-first  the client sends the link before its target, as the draft of
                the protocol has it; without this, the other way round
  --help        this text
";

#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Sftp,
    Help,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub command: Command,
    pub root: Option<PathBuf>,
    pub links: LinkOrder,
}

impl Arguments {
    pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut arguments = arguments;
        let command = match arguments.next() {
            Some(word) if word == "sftp" => Command::Sftp,
            Some(word) if word == "--help" || word == "-h" => Command::Help,
            Some(word) => return Err(format!("unknown command {word:?}")),
            None => return Err("a command is missing".into()),
        };
        let (mut root, mut links) = (None, LinkOrder::TargetFirst);
        while let Some(word) = arguments.next() {
            if word == "--root" {
                root = Some(PathBuf::from(arguments.next().ok_or("--root needs a directory")?));
            } else if word == "--link-first" {
                links = LinkOrder::LinkFirst;
            } else {
                return Err(format!("unknown option {word:?}"));
            }
        }
        Ok(Self { command, root, links })
    }
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
        for words in [&[][..], &["scp"], &["sftp", "--root"], &["sftp", "--rot", "/x"], &["sftp", "/x"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
