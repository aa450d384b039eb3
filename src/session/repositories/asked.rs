//! What clients of git and Mercurial send: git-shell(1), and `remotecmd` of hgrc(5).

use accountd_protocol::repository::RepositoryKind;

use crate::command::literals;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitCommand {
    UploadPack,
    ReceivePack,
    UploadArchive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Git(GitCommand),
    Hg,
}

/// A command line that was taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub tool: Tool,
    pub path: Vec<u8>,
}

impl GitCommand {
    const ALL: [Self; 3] = [Self::UploadPack, Self::ReceivePack, Self::UploadArchive];

    pub fn name(self) -> &'static str {
        match self {
            GitCommand::UploadPack => "upload-pack",
            GitCommand::ReceivePack => "receive-pack",
            GitCommand::UploadArchive => "upload-archive",
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.name().as_bytes() == name)
    }
}

impl Tool {
    pub fn kind(self) -> RepositoryKind {
        match self {
            Tool::Git(_) => RepositoryKind::Git,
            Tool::Hg => RepositoryKind::Hg,
        }
    }
}

impl Asked {
    /// `None` for any other line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let words = literals(line)?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let (tool, path) = match words.as_slice() {
            [b"git", command, path] => (Tool::Git(GitCommand::parse(command)?), path),
            [program, path] => (Tool::Git(GitCommand::parse(program.strip_prefix(b"git-")?)?), path),
            [b"hg", b"-R" | b"--repository", path, b"serve", b"--stdio"] => (Tool::Hg, path),
            _ => return None,
        };
        Some(Self { tool, path: path.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_clients_send_is_taken() {
        let git = |command| Some((Tool::Git(command), "a/b".to_owned()));
        let rows = [
            ("git-upload-pack 'a/b'", git(GitCommand::UploadPack)),
            ("git receive-pack 'a/b'", git(GitCommand::ReceivePack)),
            ("git-upload-archive a/b", git(GitCommand::UploadArchive)),
            ("hg -R a/b serve --stdio", Some((Tool::Hg, "a/b".to_owned()))),
            ("hg -R 'a/b' serve --stdio", Some((Tool::Hg, "a/b".to_owned()))),
            ("git-upload-pack --strict a/b", None),
            ("git-upload-pack a/b; id", None),
            ("git-upload-pack $HOME", None),
            ("git-shell a/b", None),
            ("git daemon a/b", None),
            ("hg -R a/b serve --stdio --config x=y", None),
            ("hg --config hooks.x=id -R a/b serve --stdio", None),
            ("hg -R a/b pull", None),
            ("hg init a/b", None),
            ("/usr/bin/hg -R a/b serve --stdio", None),
            ("", None),
        ];
        for (line, expected) in rows {
            let asked = Asked::parse(line.as_bytes());
            let seen = asked.map(|Asked { tool, path }| (tool, String::from_utf8(path).unwrap()));
            assert_eq!(seen, expected, "{line}");
        }
    }
}
