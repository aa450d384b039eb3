//! `accountctl group`

use serde_json::{Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::flags::{Body, OnlyIf, Repeatable, put};
use crate::listing::{Arrangement, List};
use crate::output::{Shape, plain};
use crate::path;
use crate::problem::Flags;
use crate::session::Session;
use crate::sudo::{SudoFlags, in_words};

pub const SHAPE: Shape = Shape {
    id: "id",
    columns: &["id", "groupname", "gid", "members", "sudo"],
    fields: &["id", "groupname", "gid", "members", "sudo", "limits", "builtin"],
    present: in_words,
};
const FILTERS: Flags = &[("groupname", "--name"), ("groupname~", "--name-prefix")];
const NEW: Flags = &[("groupname", "NAME"), ("allow_shared_gid", "--shared-gid")];
const CHANGED: Flags = &[("groupname", "--name"), ("allow_shared_gid", "--shared-gid")];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Groups, all or those that fit every filter
    List(Box<ListFlags>),
    /// A group
    Show {
        /// A name, or an id
        #[arg(value_name = "GROUP")]
        group: String,
        /// Print its ETag alone
        #[arg(long)]
        etag: bool,
    },
    /// Make a group
    Add {
        /// A new name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        repeatable: Repeatable,
    },
    /// Change what is named
    Set {
        /// A name, or an id
        #[arg(value_name = "GROUP")]
        group: String,
        /// Another name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        only_if: OnlyIf,
    },
    /// Delete a group
    Delete {
        /// A name, or an id
        #[arg(value_name = "GROUP")]
        group: String,
        #[command(flatten)]
        only_if: OnlyIf,
    },
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ListFlags {
    /// With this id
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// With this gid
    #[arg(long, value_name = "GID")]
    gid: Option<String>,
    /// With this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// With a name that begins so
    #[arg(long, value_name = "TEXT")]
    name_prefix: Option<String>,
    /// Built in, or not
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    builtin: Option<bool>,
    /// With sudo, or without
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sudo: Option<bool>,
    /// With this name in the member list
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    #[command(flatten)]
    arrangement: Arrangement,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Fields {
    /// Group number; left out, one is chosen
    #[arg(long, value_name = "GID")]
    gid: Option<u32>,
    /// Take a gid that another group has
    #[arg(long)]
    shared_gid: bool,
    #[command(flatten)]
    sudo: SudoFlags,
}

impl Fields {
    fn body(self) -> Body {
        let mut body = Body::new();
        put(&mut body, "gid", self.gid);
        put(&mut body, "allow_shared_gid", self.shared_gid.then_some(true));
        put(&mut body, "sudo", self.sudo.value());
        body
    }
}

impl ListFlags {
    fn show(self, session: &Session) -> Result<(), Error> {
        let filters = [
            ("id", self.id),
            ("gid", self.gid),
            ("groupname", self.name),
            ("groupname~", self.name_prefix),
            ("builtin", self.builtin.map(|yes| yes.to_string())),
            ("sudo", self.sudo.map(|yes| yes.to_string())),
            ("member", self.member),
        ];
        let filters = filters.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
        let list = List { path: "/groups", doing: "list groups", filters, flags: FILTERS, shape: SHAPE };
        self.arrangement.show(session, list)
    }
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::List(flags) => flags.show(session),
            Verb::Show { group, etag } => {
                let answer = session.client.send(&Request::get(path::group(&group), format!("show group {group}")))?;
                if etag { session.output.tag(&answer) } else { session.output.object(&SHAPE, &answer) }
            }
            Verb::Add { name, fields, repeatable } => {
                let mut body = fields.body();
                put(&mut body, "groupname", Some(name.as_str()));
                let request = Request::post("/groups", format!("add group {name}"), Value::Object(body)).naming(NEW);
                let answer = session.client.send(&request.idempotency_key(repeatable.idempotency_key))?;
                session.output.object(&SHAPE, &answer)
            }
            Verb::Set { group, name, fields, only_if } => {
                let mut body = fields.body();
                put(&mut body, "groupname", name);
                let request = Request::patch(path::group(&group), format!("set group {group}"), json!(body));
                let request = request.naming(CHANGED).only_if(only_if.if_match.as_deref());
                session.output.object(&SHAPE, &session.client.send(&request)?)
            }
            Verb::Delete { group, only_if } => delete(session, &group, only_if),
        }
    }
}

/// Exactly the group that was asked about, as it was then.
fn delete(session: &Session, group: &str, only_if: OnlyIf) -> Result<(), Error> {
    let doing = format!("delete group {group}");
    let shown = session.client.send(&Request::get(path::group(group), &doing))?;
    let object = shown.value();
    let question = format!("Delete group {}, gid {}?", plain(&object["groupname"]), plain(&object["gid"]));
    session.agree(&question)?;
    let tag = only_if.if_match.or(shown.tag);
    session.client.send(&Request::delete(path::group(&plain(&object["id"])), doing).only_if(tag.as_deref()))?;
    Ok(())
}
