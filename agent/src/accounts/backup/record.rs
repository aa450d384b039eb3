//! Accounts as records of a backup.

use std::collections::HashMap;
use std::path::Path;

use accountd_protocol::ageing::Ageing;
use accountd_protocol::backup::{GroupRecord, SambaRecord, UserRecord};
use accountd_protocol::id::{AccountId, Gid};
use accountd_protocol::identity::Identity;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use accountd_protocol::text::FieldPath;

use crate::accounts::ageing;
use crate::accounts::parallel::in_parallel;
use crate::accounts::show::identity_of;
use crate::agent::Agent;
use crate::database::entry::{group, gshadow, passwd, shadow};
use crate::database::{self, DatabaseError, FileKind, GroupRow, UserRow, View};
use crate::error::Error;
use crate::homes::{HomeKind, read_keys_to_keep};
use crate::sudoers::{DropIns, Grantee};

/// What of accounts is in no view.
pub(super) struct Sources {
    histories: HashMap<AccountId, Vec<String>>,
    drop_ins: HashMap<Grantee, String>,
}

/// A user whose home has not been looked at.
pub(super) struct Unread {
    record: UserRecord,
    identity: Identity,
}

impl Agent {
    pub(super) fn backup_sources(&self) -> Result<Sources, Refusal> {
        let histories = database::read_password_histories(&self.store).map_err(DatabaseError::into_refusal)?;
        let drop_ins = DropIns::new(self.root()).read().map_err(|source| Error::ReadDropIns(source).into_refusal())?;
        Ok(Sources { histories, drop_ins })
    }

    /// With keys and modes of homes. Not to be called while a view is held, because a home may be slow.
    pub(super) fn read_homes(&self, unread: Vec<Unread>) -> Vec<UserRecord> {
        in_parallel(unread, |Unread { mut record, identity }| {
            let Ok(home) = FieldPath::new(record.home.as_str()) else { return record };
            if HomeKind::is_none(&home) {
                record.keys = Some(String::new());
                return record;
            }
            let mode = self.homes.mode_of(&home);
            record.home_mode = mode.ok().flatten().map(|mode| format!("{mode:04o}"));
            // A home that is not there may be on a pool that is not there now.
            if mode != Ok(None) {
                record.keys = read_keys_to_keep(self.homes.root(), Path::new(home.as_str()), &identity);
            }
            record
        })
    }
}

impl Sources {
    /// `None` for a row whose line is not readable as an account.
    pub fn user(&self, view: &View, row: &UserRow) -> Option<Unread> {
        let entry = view.entry(FileKind::Passwd, &row.name)?;
        let gid: u32 = entry.number(passwd::GID)?;
        let shadow_entry = view.entry(FileKind::Shadow, &row.name);
        let secret = |text: &String| Secret::new(text.clone());
        let record = UserRecord {
            name: row.name.clone(),
            id: row.id.0,
            uid: row.uid.0,
            gid,
            group: view.group_of_gid(gid).map(|group| group.name.clone()),
            full_name: entry.text(passwd::GECOS),
            email: row.email.clone(),
            microsoft_account: row.microsoft_account,
            home: entry.text(passwd::HOME),
            home_mode: None,
            shell: entry.text(passwd::SHELL),
            password: shadow_entry.as_ref().map(|entry| Secret::new(entry.text(shadow::PASSWORD))),
            ageing: shadow_entry.as_ref().map_or(Ageing::default(), ageing::of),
            samba: view.line(FileKind::Smbpasswd, &row.name).and_then(samba),
            kept_password: row.kept_hash.as_ref().map(secret),
            password_history: self.histories.get(&row.id).into_iter().flatten().map(secret).collect(),
            sudo: self.drop_in(view, Grantee::User(row.id)),
            keys: None,
            limits: row.extras().limits.clone(),
            echoes: row.extras().echoes.clone(),
            own_password: row.extras().own_hash.as_ref().map(secret),
        };
        Some(Unread { record, identity: identity_of(view, &row.name, row.uid, Gid(gid)) })
    }

    pub fn group(&self, view: &View, row: &GroupRow) -> GroupRecord {
        let shadow = view.entry(FileKind::Gshadow, &row.name);
        let members = view.entry(FileKind::Group, &row.name).map(|entry| entry.names(group::MEMBERS));
        GroupRecord {
            name: row.name.clone(),
            id: row.id.0,
            gid: row.gid.0,
            password: shadow.as_ref().map(|entry| Secret::new(entry.text(gshadow::PASSWORD))),
            administrators: shadow.map(|entry| entry.names(gshadow::ADMINISTRATORS)).unwrap_or_default(),
            members: members.unwrap_or_default(),
            sudo: self.drop_in(view, Grantee::Group(row.id)),
            limits: row.limits().clone(),
        }
    }

    fn drop_in(&self, view: &View, grantee: Grantee) -> Option<String> {
        if view.sudo(grantee).is_granted() { self.drop_ins.get(&grantee).cloned() } else { None }
    }
}

/// `None` for a line that Samba does not take for an account.
fn samba(line: &[u8]) -> Option<SambaRecord> {
    let line = String::from_utf8_lossy(line);
    let mut fields = line.split(':').skip(2).map(str::to_owned);
    let (lm, nt) = (fields.next()?, fields.next()?);
    let (flags, changed) = (fields.next()?, fields.next()?);
    Some(SambaRecord { lm_hash: Secret::new(lm), nt_hash: Secret::new(nt), flags, changed })
}
