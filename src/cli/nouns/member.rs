//! `accountctl member`: the member list of group(5). Users whose primary group it is are in it without
//! being named.

use crate::edit::Set;
use crate::error::Error;
use crate::path;
use crate::problem::Flags;
use crate::session::Session;
use crate::set_of_names::{self, ById, called};

const FLAGS: Flags = &[("members", "USER")];
const BY_ID: ById = (path::user, "username");

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The members of a group
    List(Group),
    /// Put users into a group
    Add(Chosen),
    /// Take users out of a group
    Remove(Chosen),
    /// Make these the members, and nobody else
    Set {
        #[command(flatten)]
        group: Group,
        /// Names, or ids
        #[arg(value_name = "USER", required_unless_present = "none")]
        users: Vec<String>,
        /// Nobody
        #[arg(long, conflicts_with = "users")]
        none: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Group {
    /// A name, or an id
    #[arg(value_name = "GROUP")]
    group: String,
}

#[derive(Debug, clap::Args)]
pub struct Chosen {
    #[command(flatten)]
    group: Group,
    /// Names, or ids
    #[arg(value_name = "USER", required = true)]
    users: Vec<String>,
}

impl Group {
    fn set(&self) -> Set {
        let (path, whose) = (format!("{}/members", path::group(&self.group)), format!("group {}", self.group));
        Set { path, field: "members", what: "members", whose, flags: FLAGS }
    }
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        let (set, answer) = match self {
            Verb::List(group) => {
                let set = group.set();
                let answer = set.get(session)?;
                (set, answer)
            }
            Verb::Add(Chosen { group, users }) => {
                let set = group.set();
                let answer = set_of_names::add(session, &set, &users, BY_ID)?;
                (set, answer)
            }
            Verb::Remove(Chosen { group, users }) => {
                let set = group.set();
                let answer = set_of_names::remove(session, &set, &users, BY_ID)?;
                (set, answer)
            }
            Verb::Set { group, users, none } => {
                if none {
                    session.agree(&format!("Take everybody out of group {}?", group.group))?;
                }
                let set = group.set();
                let answer = set.replace(session, &called(&users), None)?;
                (set, answer)
            }
        };
        set_of_names::show(session, &set, &answer)
    }
}
