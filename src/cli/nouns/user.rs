//! `accountctl user`

use std::path::PathBuf;

use serde_json::{Value, json};

use super::user_fields::{CHANGED, Fields, NEW};
use super::user_group;
use super::user_import::Import;
use crate::client::{Answer, Request};
use crate::error::Error;
use crate::flags::{KeyFiles, OnlyIf, Repeatable, put};
use crate::key_lines;
use crate::listing::{Arrangement, List};
use crate::output::{Format, Shape, as_it_is, plain};
use crate::path::{self, CALLER};
use crate::problem::Flags;
use crate::secret_file;
use crate::session::{NewPassword, Session};
use crate::sudo::in_words;
use crate::text::harmless;

const SHAPE: Shape = Shape {
    id: "id",
    columns: &["id", "username", "uid", "gid", "full_name", "home", "groups", "locked"],
    fields: &[
        "id",
        "username",
        "uid",
        "gid",
        "full_name",
        "email",
        "home",
        "shell",
        "groups",
        "roles",
        "sudo",
        "locked",
        "password_disabled",
        "own_password",
        "two_factor",
        "must_change",
        "password_changed",
        "min_days",
        "max_days",
        "warn_days",
        "inactive_days",
        "expires",
        "smb",
        "microsoft_account",
        "limits",
        "effective_limits",
        "builtin",
    ],
    present: in_words,
};
/// What was ended of a user.
const ENDED: Shape = Shape {
    id: "user",
    columns: &[],
    fields: &["user", "sessions", "samba", "processes", "crontab", "at_jobs", "linger", "left"],
    present: as_it_is,
};
const FILTERS: Flags = &[("username", "--name"), ("username~", "--name-prefix")];
const DELETED: Flags = &[("home", "--delete-home: the home")];
const OWN: Flags = &[("password", "the new password"), ("current", "the present password")];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Users, all or those that fit every filter
    List(Box<ListFlags>),
    /// A user
    Show {
        /// A name, an id, or ~ for whoever asks
        #[arg(value_name = "USER", default_value = CALLER, hide_default_value = true)]
        user: String,
        /// Print its ETag alone
        #[arg(long)]
        etag: bool,
    },
    /// Make a user; without a password, only keys let it in
    Add(Box<Add>),
    /// Change what is named
    Set(Box<Set>),
    /// Delete a user, with its private group
    Delete {
        /// A name, or an id
        #[arg(value_name = "USER")]
        user: String,
        #[command(flatten)]
        what: Deletion,
        #[command(flatten)]
        only_if: OnlyIf,
    },
    /// Lock a user and end everything that runs for it; print what there was
    Disable {
        /// A name, or an id
        #[arg(value_name = "USER")]
        user: String,
        /// Every process of the user ends, too
        #[arg(long)]
        end_processes: bool,
        #[command(flatten)]
        only_if: OnlyIf,
    },
    /// Many users from a file: all of them or none
    Import(Import),
    /// Set a password, which is asked for twice
    Passwd {
        /// A name, an id, or ~ for whoever asks
        #[arg(value_name = "USER", default_value = CALLER, hide_default_value = true)]
        user: String,
        #[command(flatten)]
        password: NewPassword,
        /// Have one made, and print it once
        #[arg(long, conflicts_with = "new_password_file")]
        random: bool,
        #[command(flatten)]
        only_if: OnlyIf,
    },
    /// Let a user in no more, by any way
    Lock {
        /// A name, or an id
        #[arg(value_name = "USER")]
        user: String,
    },
    /// Let a locked user in again
    Unlock {
        /// A name, or an id
        #[arg(value_name = "USER")]
        user: String,
    },
    /// The supplementary groups of a user
    #[command(subcommand)]
    Group(user_group::Verb),
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ListFlags {
    /// With this id
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// With this uid
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
    /// With this primary gid
    #[arg(long, value_name = "GID")]
    gid: Option<String>,
    /// With this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// With a name that begins so
    #[arg(long, value_name = "TEXT")]
    name_prefix: Option<String>,
    /// With this mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// With this login shell
    #[arg(long, value_name = "PATH")]
    shell: Option<String>,
    /// Locked, or not
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    locked: Option<bool>,
    /// Without a password, or with one
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    password_disabled: Option<bool>,
    /// Built in, or not
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    builtin: Option<bool>,
    /// With sudo, or without
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sudo: Option<bool>,
    /// In the group of this name, be it the primary one or not
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    #[command(flatten)]
    arrangement: Arrangement,
}

/// What goes with a user.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Deletion {
    /// The home goes too
    #[arg(long)]
    delete_home: bool,
    /// Every process of the user ends, too
    #[arg(long)]
    end_processes: bool,
    /// Print what was ended
    #[arg(long)]
    report: bool,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Add {
    /// A new name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    fields: Fields,
    /// Ask for a password, twice
    #[arg(long, conflicts_with = "new_password_file")]
    ask_password: bool,
    #[command(flatten)]
    password: NewPassword,
    /// Have a password made, and print it once
    #[arg(long, conflicts_with_all = ["ask_password", "new_password_file", "password_hash_file"])]
    random_password: bool,
    /// File with a hash of crypt(5) instead of a password, for its owner alone; - is standard input
    #[arg(long, value_name = "PATH", conflicts_with_all = ["ask_password", "new_password_file"])]
    password_hash_file: Option<PathBuf>,
    /// Public key that lets the user in, a line of authorized_keys(5); once for each
    #[arg(long = "key", value_name = "LINE")]
    keys: Vec<String>,
    #[command(flatten)]
    key_files: KeyFiles,
    #[command(flatten)]
    repeatable: Repeatable,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Set {
    /// A name, an id, or ~ for whoever asks
    #[arg(value_name = "USER")]
    user: String,
    /// Another name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    fields: Fields,
    /// What happens to what is in the old home: copy, move or none
    #[arg(long, value_name = "HOW", requires = "home")]
    home_transfer: Option<String>,
    #[command(flatten)]
    only_if: OnlyIf,
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::List(flags) => flags.show(session),
            Verb::Show { user, etag } => {
                let answer = session.client.send(&Request::get(path::user(&user), format!("show user {user}")))?;
                if etag { session.output.tag(&answer) } else { session.output.object(&SHAPE, &answer) }
            }
            Verb::Add(add) => add.run(session),
            Verb::Set(set) => set.run(session),
            Verb::Delete { user, what, only_if } => delete(session, &user, (what, only_if)),
            Verb::Disable { user, end_processes, only_if } => disable(session, &user, (end_processes, only_if)),
            Verb::Import(import) => import.run(session),
            Verb::Passwd { user, random: true, only_if, .. } => random_passwd(session, &user, &only_if),
            Verb::Passwd { user, password, random: false, only_if } => passwd(session, &user, (password, only_if)),
            Verb::Lock { user } => set_locked(session, &user, ("lock", true)),
            Verb::Unlock { user } => set_locked(session, &user, ("unlock", false)),
            Verb::Group(verb) => verb.run(session),
        }
    }
}

impl ListFlags {
    fn show(self, session: &Session) -> Result<(), Error> {
        let filters = [
            ("id", self.id),
            ("uid", self.uid),
            ("gid", self.gid),
            ("username", self.name),
            ("username~", self.name_prefix),
            ("email", self.email),
            ("shell", self.shell),
            ("locked", self.locked.map(|yes| yes.to_string())),
            ("password_disabled", self.password_disabled.map(|yes| yes.to_string())),
            ("builtin", self.builtin.map(|yes| yes.to_string())),
            ("sudo", self.sudo.map(|yes| yes.to_string())),
            ("group", self.group),
        ];
        let filters = filters.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
        let list = List { path: "/users", doing: "list users", filters, flags: FILTERS, shape: SHAPE };
        self.arrangement.show(session, list)
    }
}

impl Add {
    fn run(self, session: &Session) -> Result<(), Error> {
        let mut body = self.fields.body();
        put(&mut body, "username", Some(self.name.as_str()));
        if self.ask_password || self.password.new_password_file.is_some() {
            let password = self.password.get(&format!("New password of {}: ", self.name))?;
            put(&mut body, "password", Some(password.reveal()));
        }
        if self.random_password {
            session.output.shows_all()?;
            put(&mut body, "random_password", Some(true));
        }
        if let Some(file) = &self.password_hash_file {
            put(&mut body, "password_hash", Some(secret_file::read(file)?.reveal()));
        }
        let keys = key_lines::given(&self.keys, &self.key_files)?;
        put(&mut body, "keys", (!keys.is_empty()).then_some(keys));
        let request = Request::post("/users", format!("add user {}", self.name), Value::Object(body)).naming(NEW);
        let answer = session.client.send(&request.idempotency_key(self.repeatable.idempotency_key))?;
        session.output.object(&SHAPE, &answer)
    }
}

impl Set {
    fn run(self, session: &Session) -> Result<(), Error> {
        let mut body = self.fields.body();
        put(&mut body, "username", self.name);
        put(&mut body, "home_transfer", self.home_transfer);
        let request = Request::patch(path::user(&self.user), format!("set user {}", self.user), Value::Object(body));
        let request = request.naming(CHANGED).only_if(self.only_if.if_match.as_deref());
        session.output.object(&SHAPE, &session.client.send(&request)?)
    }
}

/// Exactly the user that was asked about, as it was then.
fn delete(session: &Session, user: &str, (what, only_if): (Deletion, OnlyIf)) -> Result<(), Error> {
    let Deletion { delete_home, end_processes, report } = what;
    let doing = format!("delete user {user}");
    let shown = session.client.send(&Request::get(path::user(user), &doing))?;
    let object = shown.value();
    let home = if delete_home { format!(", and its home {}", plain(&object["home"])) } else { String::new() };
    let question = format!("Delete user {}, uid {}{home}?", plain(&object["username"]), plain(&object["uid"]));
    session.agree(&question)?;
    let tag = only_if.if_match.or(shown.tag);
    let asked = [("delete_home", delete_home), ("end_processes", end_processes), ("report", report)];
    let asked: Vec<String> = asked.iter().filter(|(_, yes)| *yes).map(|(name, _)| format!("{name}=true")).collect();
    let query = if asked.is_empty() { String::new() } else { format!("?{}", asked.join("&")) };
    let path = format!("{}{query}", path::user(&plain(&object["id"])));
    let request = Request::delete(path, doing).only_if(tag.as_deref()).naming(DELETED);
    let answer = session.client.send(&request)?;
    if report { ended(session, user, answer) } else { Ok(()) }
}

/// Who is disabled is asked about: what ends can not be begun again from here.
fn disable(session: &Session, user: &str, (end_processes, only_if): (bool, OnlyIf)) -> Result<(), Error> {
    let processes = if end_processes { " and all its processes" } else { "" };
    session.agree(&format!("Disable user {user} and end its sessions{processes}?"))?;
    let (path, doing) = (format!("{}/disable", path::user(user)), format!("disable user {user}"));
    let request = Request::post(path, doing, json!({"end_processes": end_processes}));
    let answer = session.client.send(&request.only_if(only_if.if_match.as_deref()))?;
    ended(session, user, answer)
}

/// JSON is as the API says it; for people the user is said with what there was.
fn ended(session: &Session, user: &str, answer: Answer) -> Result<(), Error> {
    if session.output.format == Format::Json {
        return session.output.json(&answer);
    }
    let mut report = answer.value()["ended"].clone();
    report["user"] = json!(user);
    report["left"] = answer.value()["left"].clone();
    session.output.object(&ENDED, &Answer { text: report.to_string(), ..answer })
}

/// Whoever has shown their password changes their own with it, also when it is too old for anything
/// else.
fn passwd(session: &Session, user: &str, (password, only_if): (NewPassword, OnlyIf)) -> Result<(), Error> {
    let (question, doing) = match user {
        CALLER => ("Your new password: ".to_owned(), "set your password".to_owned()),
        _ => (format!("New password of {user}: "), format!("set the password of {user}")),
    };
    let password = password.get(&question)?;
    let mut body = json!({"password": password.reveal()});
    if let Some(current) = session.client.credential().password().filter(|_| user == CALLER) {
        body["current"] = json!(current.reveal());
    }
    let path = format!("{}/password", path::user(user));
    // A token is not made with a password that is too old.
    let request = Request::put(path, doing, body).naming(OWN).showing_code();
    session.client.send(&request.only_if(only_if.if_match.as_deref()))?;
    Ok(())
}

/// Printed alone.
fn random_passwd(session: &Session, user: &str, only_if: &OnlyIf) -> Result<(), Error> {
    let (path, doing) = (format!("{}/password", path::user(user)), format!("set the password of {user}"));
    let request = Request::put(path, doing, json!({"random_password": true})).naming(OWN);
    let answer = session.client.send(&request.only_if(only_if.if_match.as_deref()))?;
    if session.output.format == Format::Json {
        return session.output.json(&answer);
    }
    session.output.write(&format!("{}\n", harmless(&plain(&answer.value()["password"]))))
}

fn set_locked(session: &Session, user: &str, (verb, locked): (&str, bool)) -> Result<(), Error> {
    let request = Request::patch(path::user(user), format!("{verb} user {user}"), json!({"locked": locked}));
    session.output.object(&SHAPE, &session.client.send(&request)?)
}
