//! What a client has asked for, in its own words. SFTPGo says again what it was told; an account is real
//! and can be changed by others. So each word is said again for as long as it means what the account has,
//! and what the account has is said else.

use std::collections::BTreeSet;

use accountd_protocol::agent::{Dialect, Echoes, User};
use accountd_protocol::limits::{FilePermission, Limits};
use serde::{Deserialize, Serialize};

use super::form::Form;
use super::meaning;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// 0: whichever.
    pub uid: i64,
    pub gid: i64,
    pub home_dir: String,
    pub permissions: Vec<String>,
    /// 0 or less: no limit.
    pub max_sessions: i64,
    pub quota_size: i64,
    pub quota_files: i64,
    pub upload_bandwidth: i64,
    pub download_bandwidth: i64,
}

impl Asked {
    /// Of a new user.
    pub fn new(form: &Form) -> Self {
        let nothing = Self {
            uid: 0,
            gid: 0,
            home_dir: String::new(),
            permissions: Vec::new(),
            max_sessions: 0,
            quota_size: 0,
            quota_files: 0,
            upload_bandwidth: 0,
            download_bandwidth: 0,
        };
        nothing.changed(form)
    }

    /// Of a user that there is, whoever made it.
    pub fn of(user: &User) -> Self {
        let real = Self::real(user);
        let echo = user.echoes.get(&Dialect::Sftpgo).and_then(|echo| serde_json::from_str::<Self>(echo).ok());
        match echo {
            Some(echo) => echo.where_true(real, &user.limits),
            None => real,
        }
    }

    fn real(user: &User) -> Self {
        let Limits { quota, sessions, upload, download, permissions, .. } = &user.limits;
        Self {
            uid: user.uid.0.into(),
            gid: user.gid.0.into(),
            home_dir: user.home.clone(),
            permissions: named(permissions.as_ref()),
            max_sessions: sessions.map_or(0, i64::from),
            quota_size: meaning::shown(quota.bytes),
            quota_files: meaning::shown(quota.files),
            upload_bandwidth: upload.map_or(0, i64::from),
            download_bandwidth: download.map_or(0, i64::from),
        }
    }

    fn where_true(self, real: Self, limits: &Limits) -> Self {
        let number = |asked: i64, real: i64| if asked == 0 { asked } else { real };
        let small =
            |asked: i64, real: i64, has: Option<u32>| if meaning::small_limit(asked) == has { asked } else { real };
        let large = |asked: i64, real: i64, has: Option<u64>| if meaning::limit(asked) == has { asked } else { real };
        let is_home = meaning::home(&self.home_dir).is_ok_and(|home| home.as_str() == real.home_dir);
        let are_permissions =
            meaning::permissions(&self.permissions).is_ok_and(|permissions| permissions == limits.permissions);
        Self {
            uid: number(self.uid, real.uid),
            gid: number(self.gid, real.gid),
            home_dir: if is_home { self.home_dir } else { real.home_dir },
            permissions: if are_permissions { self.permissions } else { real.permissions },
            max_sessions: small(self.max_sessions, real.max_sessions, limits.sessions),
            quota_size: large(self.quota_size, real.quota_size, limits.quota.bytes),
            quota_files: large(self.quota_files, real.quota_files, limits.quota.files),
            upload_bandwidth: small(self.upload_bandwidth, real.upload_bandwidth, limits.upload),
            download_bandwidth: small(self.download_bandwidth, real.download_bandwidth, limits.download),
        }
    }

    /// With what a form has.
    #[must_use]
    pub fn changed(self, form: &Form) -> Self {
        Self {
            uid: form.uid.unwrap_or(self.uid),
            gid: form.gid.unwrap_or(self.gid),
            home_dir: form.home_dir.clone().unwrap_or(self.home_dir),
            permissions: form.permissions.clone().unwrap_or(self.permissions),
            max_sessions: form.max_sessions.unwrap_or(self.max_sessions),
            quota_size: form.quota_size.unwrap_or(self.quota_size),
            quota_files: form.quota_files.unwrap_or(self.quota_files),
            upload_bandwidth: form.upload_bandwidth.unwrap_or(self.upload_bandwidth),
            download_bandwidth: form.download_bandwidth.unwrap_or(self.download_bandwidth),
        }
    }

    pub fn echoes(&self) -> Echoes {
        // No map with keys of another kind is in it, so it can't fail.
        serde_json::to_string(self).map(|echo| Echoes::from([(Dialect::Sftpgo, echo)])).unwrap_or_default()
    }
}

fn named(permissions: Option<&BTreeSet<FilePermission>>) -> Vec<String> {
    match permissions {
        None => vec![meaning::EVERYTHING.to_owned()],
        Some(permissions) => permissions.iter().map(|permission| permission.name().to_owned()).collect(),
    }
}
