//! `POST account/users/`: a form becomes a new user.

use accountd_protocol::ageing::AgeingChange;
use accountd_protocol::agent::{Echoes, NewPassword, NewUser, PrimaryGroup};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::Field;
use accountd_protocol::secret::Secret;
use accountd_protocol::sudo::SudoCommands;
use accountd_protocol::text::FieldPath;

use super::faults::Faults;
use super::form::Form;
use super::messages::REQUIRED;
use super::place::{Action, Place};
use super::user_fields::UserForm;

pub const DEFAULT_HOME: &str = "/nonexistent";
pub const DEFAULT_SHELL: &str = "/bin/csh";
const DEFAULT_MODE: u32 = 0o755;

/// The new user, or everything that is wrong with the form.
pub fn new_user(form: &mut Form) -> Result<NewUser, Faults> {
    let mut read = UserForm::new(Place::user(Action::Create), form);
    read.require(&["bsdusr_username", "bsdusr_full_name", "bsdusr_uid"], REQUIRED);
    read.default("bsdusr_home", DEFAULT_HOME);
    read.default("bsdusr_shell", DEFAULT_SHELL);
    read.default("bsdusr_email", "");
    let name = read.name();
    let (full_name, uid, email) = (read.full_name(), read.uid(), read.email());
    let (home, shell) = (home(&mut read, name.as_ref()), read.shell());
    let (password, primary_group) = (password(&mut read), primary_group(&mut read));
    let (home_mode, groups, ssh_keys) = (read.home_mode(), read.groups(), read.ssh_keys());
    let identity = name.zip(uid).zip(full_name);
    let place = home.zip(shell).zip(email);
    let (Some(((name, uid), full_name)), Some(((home, shell), email)), Some((password, primary_group))) =
        (identity, place, password.zip(primary_group))
    else {
        return Err(read.faults);
    };
    let [locked, microsoft_account, all_sudo] =
        ["bsdusr_locked", "bsdusr_microsoft_account", "bsdusr_sudo"].map(|key| read.checked_box(key));
    read.faults.into_result()?;
    Ok(NewUser {
        limits: LimitsChange::default(),
        echoes: Echoes::default(),
        name,
        uid: Some(uid),
        full_name,
        email,
        home,
        home_mode: Some(home_mode.unwrap_or(DEFAULT_MODE)),
        shell,
        password,
        primary_group,
        groups: groups.unwrap_or_default(),
        ssh_keys: ssh_keys.unwrap_or_default(),
        locked,
        microsoft_account,
        sudo: if all_sudo { SudoCommands::everything() } else { SudoCommands::default() },
        ageing: AgeingChange::default(),
    })
}

/// "Create home directory in": the user's name is appended unless the path ends in it already, or
/// stands for no home.
fn home(read: &mut UserForm<'_>, name: Option<&NewUserName>) -> Option<FieldPath> {
    let home = read.home()?;
    let Some(name) = name else { return Some(home) };
    if home.as_str() == DEFAULT_HOME || home.components().last() == Some(name.as_str()) {
        return Some(home);
    }
    let joined = home.join(name.as_str());
    read.checked(Field::Home, joined)
}

/// What a form has under a key that is never shown again; `None` for one that can't be read.
#[allow(clippy::option_option, reason = "a fault is something else than nothing")]
fn secret(read: &mut UserForm<'_>, key: &'static str) -> Option<Option<Secret>> {
    match read.form.secret(key) {
        Some(secret) => read.faults.take(key, secret).map(Some),
        None => Some(None),
    }
}

/// A password, its hash (an extension: clients that have only that can keep it), or the word that
/// there is to be none.
fn password(read: &mut UserForm<'_>) -> Option<NewPassword> {
    let password = secret(read, "bsdusr_password")?.map(NewPassword::Clear);
    let hash = secret(read, "bsdusr_password_hash")?.map(NewPassword::Hashed);
    if password.is_some() && hash.is_some() {
        read.faults.add("bsdusr_password_hash", "Leave this field blank when a password is given.");
        return None;
    }
    match (password.or(hash), read.checked_box("bsdusr_password_disabled")) {
        (Some(password), false) => Some(password),
        (None, true) => Some(NewPassword::Disabled),
        (None, false) => {
            read.faults.add("bsdusr_password", "Password is required");
            None
        }
        (Some(_), true) => {
            read.faults.add("bsdusr_password_disabled", LEAVE_BLANK);
            None
        }
    }
}

pub const LEAVE_BLANK: &str = "Leave \"Password\" blank when \"Disable password login\" is checked.";

/// A group that is there goes before one that is to be made.
fn primary_group(read: &mut UserForm<'_>) -> Option<PrimaryGroup> {
    let create = read.checked_box("bsdusr_creategroup");
    if read.form.id("bsdusr_group").is_some() {
        return read.primary_group().map(PrimaryGroup::Existing);
    }
    if create {
        return Some(PrimaryGroup::Private);
    }
    read.faults.add("bsdusr_group", "Enter either a group name or create a new group to continue.");
    None
}
