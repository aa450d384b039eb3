//! `PUT user/ID`: a body over what the user is. What comes back as it was shown changes nothing.

use accountd_protocol::agent::{NewPassword, User, UserChange};
use accountd_protocol::home::HomeTransfer;
use accountd_protocol::limits::{Bandwidth, Limits, LimitsChange};
use accountd_protocol::secret::Secret;

use super::asked::Asked;
use super::form::Form;
use super::meaning::{self, NO_PERMISSIONS};
use super::new_user::{MISSING, NO_CREDENTIAL};
use super::{keys, password};

/// The change, but for the group, whose gid comes with it where another one is asked for; or what is
/// wrong, in SFTPGo's order. The name stays, whatever the body says.
pub fn user_change(user: &User, mut form: Form) -> Result<(UserChange, Option<u32>), String> {
    let is_empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    if is_empty(&form.username) || is_empty(&form.home_dir) {
        return Err(MISSING.into());
    }
    if takes_the_last_credential(user, &form) {
        return Err(NO_CREDENTIAL.into());
    }
    if form.permissions.as_ref().is_some_and(Vec::is_empty) {
        return Err(NO_PERMISSIONS.into());
    }
    let asked = Asked::of(user).changed(&form);
    let home = form.home_dir.is_some().then(|| meaning::home(&asked.home_dir)).transpose()?;
    let limits = limits(&user.limits, &form, &asked)?;
    let ssh_keys = form.public_keys.as_deref().map(keys::text).transpose()?;
    let other = |number: Option<u32>, present: u32| number.filter(|number| *number != present);
    let uid = form.uid.map(|uid| meaning::number("uid", uid)).transpose()?.flatten();
    let gid = form.gid.map(|gid| meaning::number("gid", gid)).transpose()?.flatten();
    let change = UserChange {
        uid: other(uid, user.uid.0),
        home: home.filter(|home| home.as_str() != user.home),
        // Only the account's word for its home changes.
        home_transfer: HomeTransfer::None,
        ssh_keys,
        limits,
        echoes: asked.echoes(),
        ..credential(form.password.take())?
    };
    Ok((change, other(gid, user.gid.0)))
}

/// Whether the body takes what lets the user in, and leaves nothing else that does.
fn takes_the_last_credential(user: &User, form: &Form) -> bool {
    let clears_password = form.password.as_ref().is_some_and(Secret::is_empty);
    let clears_keys = form.public_keys.as_ref().is_some_and(Vec::is_empty);
    let has_password = form.password.as_ref().map_or(!user.password_disabled, |password| !password.is_empty());
    let has_keys = form.public_keys.as_ref().map_or(!user.ssh_keys.trim().is_empty(), |keys| !keys.is_empty());
    (clears_password || clears_keys) && !has_password && !has_keys
}

fn credential(password: Option<Secret>) -> Result<UserChange, String> {
    let Some(password) = password else { return Ok(UserChange::default()) };
    if password.is_empty() {
        return Ok(UserChange { password_disabled: Some(true), ..UserChange::default() });
    }
    match password::of(password)? {
        NewPassword::Clear(password) => {
            Ok(UserChange { password: Some(password), password_disabled: Some(false), ..UserChange::default() })
        }
        NewPassword::Kept(hash) | NewPassword::Hashed(hash) => {
            Ok(UserChange { password_hash: Some(hash), ..UserChange::default() })
        }
        NewPassword::Random | NewPassword::Disabled => Ok(UserChange::default()),
    }
}

/// Those that are not what the account has already. A bandwidth of this API is one for each transfer.
fn limits(present: &Limits, form: &Form, asked: &Asked) -> Result<LimitsChange, String> {
    let upload = other(meaning::small_limit(asked.upload_bandwidth), present.upload);
    let download = other(meaning::small_limit(asked.download_bandwidth), present.download);
    let is_set = [upload, download].iter().any(|limit| matches!(limit, Some(Some(_))));
    let permissions = form.permissions.as_deref().map(meaning::permissions).transpose()?;
    Ok(LimitsChange {
        bytes: other(meaning::limit(asked.quota_size), present.quota.bytes),
        files: other(meaning::limit(asked.quota_files), present.quota.files),
        sessions: other(meaning::small_limit(asked.max_sessions), present.sessions),
        upload,
        download,
        bandwidth: is_set.then_some(Bandwidth::Transfer),
        permissions: permissions.and_then(|permissions| other(permissions, present.permissions.clone())),
        ..LimitsChange::default()
    })
}

fn other<T: PartialEq>(wanted: Option<T>, present: Option<T>) -> Option<Option<T>> {
    (wanted != present).then_some(wanted)
}
