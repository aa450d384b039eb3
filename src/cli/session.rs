//! What every command works with: the API, the output, and whoever can agree.

use std::path::Path;

use accountd_protocol::secret::Secret;

use crate::client::Client;
use crate::error::Error;
use crate::output::{Output, Presentation};
use crate::settings::Way;
use crate::{secret_file, terminal};

/// Whether somebody has agreed beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Assent {
    Given,
    ToBeAsked,
}

#[derive(Debug)]
pub struct Session {
    pub client: Client,
    pub output: Output,
    assent: Assent,
}

/// Where a new password comes from.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct NewPassword {
    /// File with the new password, for its owner alone; - is standard input
    #[arg(long, value_name = "PATH")]
    pub new_password_file: Option<std::path::PathBuf>,
}

impl Session {
    pub fn new(way: Way, presentation: &Presentation) -> Self {
        let assent = if presentation.yes { Assent::Given } else { Assent::ToBeAsked };
        Self { client: Client::new(way.url, way.credential, way.code), output: Output::new(presentation), assent }
    }

    /// Whether somebody has agreed to everything beforehand.
    pub fn has_agreed(&self) -> bool {
        self.assent == Assent::Given
    }

    /// Goes on only if somebody agrees, beforehand or now.
    pub fn agree(&self, question: &str) -> Result<(), Error> {
        match self.assent {
            Assent::Given => Ok(()),
            Assent::ToBeAsked if !terminal::is_attended() => {
                Err(Error::NobodyToAsk { question: question.trim_end_matches('?').to_owned() })
            }
            Assent::ToBeAsked => {
                if terminal::agreed(question)? {
                    Ok(())
                } else {
                    Err(Error::NotAgreed)
                }
            }
        }
    }
}

impl NewPassword {
    /// From the file, else typed twice.
    pub fn get(&self, question: &str) -> Result<Secret, Error> {
        match &self.new_password_file {
            Some(file) => from_file(file),
            None if terminal::is_attended() => terminal::new_secret(question),
            None => Err(Error::Usage {
                what: "no terminal to ask for the new password at".into(),
                next: "Give it with --new-password-file, where - is standard input.",
            }),
        }
    }
}

fn from_file(file: &Path) -> Result<Secret, Error> {
    secret_file::read(file)
}
