//! `accountctl user group`: the supplementary groups of a user.

use crate::edit::Set;
use crate::error::Error;
use crate::path;
use crate::problem::Flags;
use crate::session::Session;
use crate::set_of_names::{self, ById, called};

const FLAGS: Flags = &[("groups", "GROUP")];
const BY_ID: ById = (path::group, "groupname");

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The supplementary groups of a user
    List(User),
    /// Put a user into more groups
    Add(Chosen),
    /// Take a user out of groups
    Remove(Chosen),
    /// Make these the supplementary groups, and no others
    Set {
        #[command(flatten)]
        user: User,
        /// Names, or ids
        #[arg(value_name = "GROUP", required_unless_present = "none")]
        groups: Vec<String>,
        /// None
        #[arg(long, conflicts_with = "groups")]
        none: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct User {
    /// A name, an id, or ~ for whoever asks
    #[arg(value_name = "USER")]
    user: String,
}

#[derive(Debug, clap::Args)]
pub struct Chosen {
    #[command(flatten)]
    user: User,
    /// Names, or ids
    #[arg(value_name = "GROUP", required = true)]
    groups: Vec<String>,
}

impl User {
    fn set(&self) -> Set {
        let (path, whose) = (format!("{}/groups", path::user(&self.user)), format!("user {}", self.user));
        Set { path, field: "groups", what: "groups", whose, flags: FLAGS }
    }
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        let (set, answer) = match self {
            Verb::List(user) => {
                let set = user.set();
                let answer = set.get(session)?;
                (set, answer)
            }
            Verb::Add(Chosen { user, groups }) => {
                let set = user.set();
                let answer = set_of_names::add(session, &set, &groups, BY_ID)?;
                (set, answer)
            }
            Verb::Remove(Chosen { user, groups }) => {
                let set = user.set();
                let answer = set_of_names::remove(session, &set, &groups, BY_ID)?;
                (set, answer)
            }
            Verb::Set { user, groups, none } => {
                if none {
                    session.agree(&format!("Take user {} out of every supplementary group?", user.user))?;
                }
                let set = user.set();
                let answer = set.replace(session, &called(&groups), None)?;
                (set, answer)
            }
        };
        set_of_names::show(session, &set, &answer)
    }
}
