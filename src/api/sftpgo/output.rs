//! A user as this API shows it: SFTPGo's members in their order, then ours.

use accountd_core::Caller;
use accountd_protocol::agent::User;
use serde::Serialize;

use super::asked::Asked;

#[derive(Debug, Serialize)]
pub struct Shown {
    id: u64,
    username: String,
    home_dir: String,
    uid: i64,
    gid: i64,
    max_sessions: i64,
    quota_size: i64,
    quota_files: i64,
    permissions: Vec<String>,
    used_quota_size: u64,
    used_quota_files: u64,
    /// Milliseconds of Unix time; 0: never.
    last_quota_update: u64,
    upload_bandwidth: i64,
    download_bandwidth: i64,
    /// What the kernel knows the account by.
    effective_uid: u32,
    effective_gid: u32,
    /// There where no other program knows the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    own_password: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_uid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_note: Option<String>,
}

impl Shown {
    /// A user with what there is to be asked about it. Nothing of that is worth a refusal: who may see
    /// a user need not see others.
    pub async fn of(caller: &Caller, user: User) -> Self {
        let used = caller.quota(user.id).await.ok();
        let (bytes, files) = used.as_ref().map_or((0, 0), |report| (report.used.bytes, report.used.files));
        let is_shared = user.shares_uid;
        let asked = Asked::of(&user);
        Self {
            id: user.id.0,
            home_dir: asked.home_dir,
            uid: asked.uid,
            gid: asked.gid,
            max_sessions: asked.max_sessions,
            quota_size: asked.quota_size,
            quota_files: asked.quota_files,
            permissions: asked.permissions,
            used_quota_size: bytes,
            used_quota_files: files,
            last_quota_update: used.and_then(|report| report.scanned).unwrap_or_default(),
            upload_bandwidth: asked.upload_bandwidth,
            download_bandwidth: asked.download_bandwidth,
            effective_uid: user.uid.0,
            effective_gid: user.gid.0,
            own_password: user.own_password.then_some(true),
            shared_uid: is_shared.then_some(true),
            quota_note: is_shared.then(|| note(user.uid.0)),
            username: user.name,
        }
    }
}

fn note(uid: u32) -> String {
    format!("uid {uid} is that of other accounts too: where the kernel counts, their files count together")
}
