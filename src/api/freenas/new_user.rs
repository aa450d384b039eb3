//! `POST account/users/`: a form becomes a new user.

use accountd_protocol::agent::{NewPassword, NewUser, PrimaryGroup};
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::{Field, Problem};
use accountd_protocol::text::{FieldPath, FullName, TextError};

use super::faults::Faults;
use super::form::Form;
use super::messages::{self, REQUIRED};
use super::place::{Action, Place};
use super::user_fields::UserForm;

const PLACE: Place = Place::user(Action::Create);
const DEFAULT_HOME: &str = "/nonexistent";
const DEFAULT_SHELL: &str = "/bin/csh";
const DEFAULT_MODE: u32 = 0o755;

/// The new user, or everything that is wrong with the form.
pub fn new_user(form: &mut Form) -> Result<NewUser, Faults> {
    let mut read = UserForm::new(PLACE, form);
    for key in ["bsdusr_username", "bsdusr_full_name", "bsdusr_uid"] {
        if !read.form.has(key) {
            read.faults.add(key, REQUIRED);
        }
    }
    let (name, full_name, uid) = (read.name(), read.full_name(), read.uid());
    let home = home(&mut read, name.as_ref());
    let shell = if read.form.has("bsdusr_shell") { read.shell() } else { FieldPath::new(DEFAULT_SHELL).ok() };
    let (password, primary_group) = (password(&mut read), primary_group(&mut read));
    read.no_sudo();
    let draft = Draft {
        email: read.email(),
        home_mode: read.home_mode(),
        groups: read.groups(),
        ssh_keys: read.ssh_keys(),
        locked: read.form.boolean("bsdusr_locked") == Some(true),
        microsoft_account: read.form.boolean("bsdusr_microsoft_account") == Some(true),
    };
    let faults = read.faults;
    match (name, full_name, home, shell, password, primary_group) {
        (Some(name), Some(full_name), Some(home), Some(shell), Some(password), Some(primary_group))
            if faults.is_empty() =>
        {
            draft.complete(Required { name, uid, full_name, home, shell, password, primary_group }).map_err(|error| no_email(&error))
        }
        _ => Err(faults),
    }
}

struct Required {
    name: NewUserName,
    uid: Option<u32>,
    full_name: FullName,
    home: FieldPath,
    shell: FieldPath,
    password: NewPassword,
    primary_group: PrimaryGroup,
}

/// What may be left out.
struct Draft {
    email: Option<accountd_protocol::text::Email>,
    home_mode: Option<u32>,
    groups: Option<Vec<accountd_protocol::id::AccountId>>,
    ssh_keys: Option<String>,
    locked: bool,
    microsoft_account: bool,
}
