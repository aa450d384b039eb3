//! `account/groups/`: a form becomes a new group or a change of one.

use accountd_protocol::agent::{GroupChange, NewGroup, SharedGid};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::name::NewGroupName;
use accountd_protocol::refusal::Field;
use accountd_protocol::sudo::{SudoChange, SudoCommands};

use super::faults::Faults;
use super::form::Form;
use super::messages::REQUIRED;
use super::place::{Action, Place};

/// The new group, or everything that is wrong with the form.
pub fn new_group(form: &Form) -> Result<NewGroup, Faults> {
    let mut faults = Faults::default();
    for key in ["bsdgrp_group", "bsdgrp_gid"] {
        if !form.has(key) {
            faults.add(key, REQUIRED);
        }
    }
    let name = name(Place::group(Action::Create), form, &mut faults);
    let gid = gid(form, &mut faults);
    let all = form.boolean("bsdgrp_sudo") == Some(true);
    let sudo = if all { SudoCommands::everything() } else { SudoCommands::default() };
    match name {
        Some(name) if faults.is_empty() => {
            let limits = LimitsChange::default();
            Ok(NewGroup { name, gid, shared_gid: shared_gid(form), sudo, limits })
        }
        Some(_) | None => Err(faults),
    }
}

/// The change, or everything that is wrong with the form.
pub fn group_change(form: &Form) -> Result<GroupChange, Faults> {
    let mut faults = Faults::default();
    let name = name(Place::group(Action::Change), form, &mut faults);
    let gid = gid(form, &mut faults);
    faults.into_result()?;
    let sudo = form.boolean("bsdgrp_sudo").map(SudoChange::All);
    Ok(GroupChange { name, gid, shared_gid: shared_gid(form), sudo, limits: LimitsChange::default() })
}

fn name(place: Place, form: &Form, faults: &mut Faults) -> Option<NewGroupName> {
    let name = faults.take("bsdgrp_group", form.filled("bsdgrp_group")?)?;
    if name.starts_with('-') {
        faults.add("bsdgrp_group", "Name must begin with an alphanumeric character and not a \"-\".");
        return None;
    }
    faults.check(place, Field::GroupName, form, NewGroupName::new(name))
}

fn gid(form: &Form, faults: &mut Faults) -> Option<u32> {
    faults.take("bsdgrp_gid", form.number("bsdgrp_gid")?)
}

/// `"allow": true` lets two groups have one gid.
fn shared_gid(form: &Form) -> SharedGid {
    match form.boolean("allow") {
        Some(true) => SharedGid::Allowed,
        Some(false) | None => SharedGid::Refused,
    }
}
