//! `POST user`: what has been asked for becomes a new account, whose sessions see its home as `/`.

use accountd_protocol::ageing::AgeingChange;
use accountd_protocol::agent::{NewPassword, NewUser, PrimaryGroup};
use accountd_protocol::limits::{Bandwidth, LimitsChange, Root};
use accountd_protocol::name::NewUserName;
use accountd_protocol::sudo::SudoCommands;
use accountd_protocol::text::{Email, FieldPath, FullName};

use super::asked::Asked;
use super::form::Form;
use super::meaning::{self, NO_PERMISSIONS};
use super::{keys, password};

/// Lets nobody in but for files.
const SHELL: &str = "/usr/sbin/nologin";
pub const MISSING: &str = "Mandatory parameters missing";
pub const NO_CREDENTIAL: &str = "Please set password or at least a public_key";

/// The user, but for its group, whose gid comes with it where one is asked for; or what is wrong, in
/// SFTPGo's order.
pub fn new_user(form: Form) -> Result<(NewUser, Option<u32>), String> {
    let asked = Asked::new(&form);
    let Form { username, password, public_keys, .. } = form;
    let username = username.filter(|name| !name.is_empty() && !asked.home_dir.is_empty()).ok_or(MISSING)?;
    let password = password.filter(|password| !password.is_empty());
    let public_keys = public_keys.unwrap_or_default();
    if password.is_none() && public_keys.is_empty() {
        return Err(NO_CREDENTIAL.into());
    }
    if asked.permissions.is_empty() {
        return Err(NO_PERMISSIONS.into());
    }
    let home = meaning::home(&asked.home_dir)?;
    let limits = limits(&asked)?;
    let ssh_keys = keys::text(&public_keys)?;
    let name = NewUserName::new(username).map_err(|error| format!("username {error}"))?;
    let (uid, gid) = (meaning::number("uid", asked.uid)?, meaning::number("gid", asked.gid)?);
    let new = NewUser {
        name,
        uid,
        full_name: FullName::new("").map_err(|error| error.to_string())?,
        email: Email::new("").map_err(|error| error.to_string())?,
        home,
        home_mode: None,
        shell: FieldPath::new(SHELL).map_err(|error| error.to_string())?,
        password: password.map_or(Ok(NewPassword::Disabled), password::of)?,
        primary_group: PrimaryGroup::Private,
        groups: Vec::new(),
        ssh_keys,
        locked: false,
        microsoft_account: false,
        sudo: SudoCommands::default(),
        ageing: AgeingChange::default(),
        limits,
        echoes: asked.echoes(),
    };
    Ok((new, gid))
}

fn limits(asked: &Asked) -> Result<LimitsChange, String> {
    Ok(LimitsChange {
        bytes: Some(meaning::limit(asked.quota_size)),
        files: Some(meaning::limit(asked.quota_files)),
        sessions: Some(meaning::small_limit(asked.max_sessions)),
        upload: Some(meaning::small_limit(asked.upload_bandwidth)),
        download: Some(meaning::small_limit(asked.download_bandwidth)),
        bandwidth: Some(Bandwidth::Transfer),
        permissions: Some(meaning::permissions(&asked.permissions)?),
        root: Some(Some(Root::Home)),
        ..LimitsChange::default()
    })
}
