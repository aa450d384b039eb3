//! Repositories of accountd: git and Mercurial below one directory, served by name to whoever the kernel
//! lets in, without a shell and without anything that somebody has put into a repository being run.
//!
//! Whoever may write a repository can replace its settings, its hooks and what it says of other
//! repositories. None of that is read: git gets settings of our own (see `frame`), and Mercurial is told to
//! leave those of the repository alone.

mod asked;
mod frame;
mod hg;
mod place;
mod pull;
mod run;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use accountd_protocol::repository::RepositoryKind;

pub use asked::{Asked, Tool};
pub use pull::pull;

use self::frame::Frame;
use self::place::{Found, Place};

/// Which repositories are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub root: PathBuf,
    pub kinds: Vec<RepositoryKind>,
}

#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    #[error("this account may not use {0} repositories")]
    NotServed(&'static str),
    #[error("there is no such repository here, or it is not open to you")]
    NoAccess,
    #[error("this is a repository of {0}")]
    OtherKind(&'static str),
    #[error("this repository has parts elsewhere, and is not served")]
    Elsewhere,
    #[error("cannot {doing}: {source}")]
    Io { doing: &'static str, source: std::io::Error },
    #[error("{0} is not installed")]
    NoProgram(&'static str),
}

impl RepositoryError {
    fn io<E: Into<std::io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |error| RepositoryError::Io { doing, source: error.into() }
    }
}

impl Served {
    /// Names of kinds with commas between.
    pub fn parse_kinds(list: &OsStr) -> Result<Vec<RepositoryKind>, String> {
        let kind = |name: &[u8]| std::str::from_utf8(name).ok().and_then(RepositoryKind::parse);
        let kinds: Option<Vec<_>> = list.as_bytes().split(|byte| *byte == b',').map(kind).collect();
        kinds.ok_or_else(|| "--repository-kinds is a list of git and hg".to_owned())
    }

    /// The repository that a command line is about, if it is about one of these.
    pub fn find(&self, line: &[u8]) -> Option<(Asked, Place)> {
        let asked = Asked::parse(line)?;
        let place = Place::find(&self.root, &asked.path)?;
        Some((asked, place))
    }

    /// Serves it to its end.
    pub fn serve(&self, asked: &Asked, place: &Place) -> ExitCode {
        match self.try_to_serve(asked, place) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    fn try_to_serve(&self, asked: &Asked, place: &Place) -> Result<ExitCode, RepositoryError> {
        let kind = asked.tool.kind();
        if !self.kinds.contains(&kind) {
            return Err(RepositoryError::NotServed(kind.name()));
        }
        match place.look()? {
            Found::Repository(found) if found == kind => {}
            Found::Repository(found) => return Err(RepositoryError::OtherKind(found.name())),
            Found::Nothing => return Err(RepositoryError::NoAccess),
        }
        match asked.tool {
            Tool::Git(command) => {
                let frame = Frame::make(place, frame::SERVER)?;
                run::to_the_end(frame.git(command.name()).arg(frame.path()))
            }
            Tool::Hg => run::to_the_end(hg::command(place, None).args(["serve", "--stdio"])),
        }
    }
}
