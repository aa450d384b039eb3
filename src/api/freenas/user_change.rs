//! `PUT` and `PATCH account/users/ID/`: a form becomes a change. What it does not name stays.

use accountd_protocol::ageing::AgeingChange;
use accountd_protocol::agent::{Echoes, RandomPassword, UserChange};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::sudo::SudoChange;

use super::faults::Faults;
use super::form::Form;
use super::new_user::LEAVE_BLANK;
use super::place::{Action, Place};
use super::user_fields::UserForm;

/// The change, or everything that is wrong with the form.
pub fn user_change(form: &mut Form) -> Result<UserChange, Faults> {
    let mut read = UserForm::new(Place::user(Action::Change), form);
    let password = match read.form.secret("bsdusr_password") {
        Some(password) => read.faults.take("bsdusr_password", password),
        None => None,
    };
    let password_disabled = read.form.boolean("bsdusr_password_disabled");
    if password.is_some() && password_disabled == Some(true) {
        read.faults.add("bsdusr_password_disabled", LEAVE_BLANK);
    }
    let change = UserChange {
        name: read.name(),
        uid: read.uid(),
        full_name: read.full_name(),
        email: read.email(),
        home: read.home(),
        home_transfer: read.home_transfer(),
        home_mode: read.home_mode(),
        shell: read.shell(),
        password,
        random_password: RandomPassword::No,
        password_disabled,
        locked: read.form.boolean("bsdusr_locked"),
        primary_group: read.primary_group(),
        groups: read.groups(),
        ssh_keys: read.ssh_keys(),
        microsoft_account: read.form.boolean("bsdusr_microsoft_account"),
        sudo: read.form.boolean("bsdusr_sudo").map(SudoChange::All),
        // The dialect has no fields for it.
        ageing: AgeingChange::default(),
        kept_hash: None,
        limits: LimitsChange::default(),
        echoes: Echoes::default(),
    };
    read.faults.into_result()?;
    Ok(change)
}
