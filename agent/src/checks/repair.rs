//! What a repair does to the account files: small edits that take nothing from an account that
//! there is.

use accountd_config::{Deletion, Leftover, Mail};
use accountd_protocol::checks::RepairOutcome;
use accountd_protocol::id::{AccountId, Uid};
use serde::Serialize;

use crate::accounts::NO_HASH;
use crate::database::entry::{Entry, group, gshadow, passwd};
use crate::database::{Action, Draft, FileKind, Line};
use crate::samba::{self, Flags};
use crate::sudoers::Grantee;

/// The password field of passwd(5) and group(5), and what stands there when another file has it.
const PASSWORD: usize = 1;
const IN_SHADOW: &str = "x";

/// What an account leaves outside of the account files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Belonging {
    Crontab,
    AtJobs,
    Linger,
    Mail,
}

/// One repair. Its text is a part of the digest of a plan, so it says all that it does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Repair {
    /// The password field of passwd(5) moves into a new line of shadow(5).
    AddShadow {
        name: String,
    },
    /// The password field of group(5) moves into a new line of gshadow(5), beside its members.
    AddGshadow {
        name: String,
    },
    HideGroupPassword {
        name: String,
    },
    /// gshadow(5) gets the members that group(5) has.
    FollowGroup {
        name: String,
    },
    /// Every line of a name that is nobody's.
    RemoveLines {
        kind: FileKind,
        name: String,
    },
    /// Further lines that say the same as the first.
    RemoveRepeats {
        kind: FileKind,
        name: String,
    },
    /// Takes names out of a list.
    DropNames {
        kind: FileKind,
        group: String,
        field: usize,
        names: Vec<String>,
    },
    /// The flag of smbpasswd(5) that lets nobody in.
    ShutSamba {
        name: String,
    },
    SetSambaUid {
        name: String,
        uid: u32,
    },
    RevokeSudo {
        grantee: Grantee,
    },
    Forget {
        belonging: Belonging,
        name: String,
        uid: Option<u32>,
    },
    /// Owner and mode of a home, `.ssh` and the key file. Not in the account files.
    Home {
        id: AccountId,
    },
}

impl Repair {
    pub fn in_words(&self) -> String {
        match self {
            Repair::AddShadow { name } => {
                format!("adds an entry to shadow for {}; what its password field says stays in force", shown(name))
            }
            Repair::AddGshadow { name } => format!("adds an entry to gshadow for {}, with its members", shown(name)),
            Repair::HideGroupPassword { name } => format!("sets the password field of {} in group to x", shown(name)),
            Repair::FollowGroup { name } => {
                format!("gives {} in gshadow the members that it has in group", shown(name))
            }
            Repair::RemoveLines { kind, name } => {
                format!("removes the entry of {} from {}", shown(name), kind.place().1)
            }
            Repair::RemoveRepeats { kind, name } => {
                format!("removes the lines from {} that repeat the entry of {}", kind.place().1, shown(name))
            }
            Repair::DropNames { kind, group, names, .. } => {
                format!("takes {} names out of the list of {} in {}", names.len(), shown(group), kind.place().1)
            }
            Repair::SetSambaUid { name, uid } => format!("sets the uid of {} in smbpasswd to {uid}", shown(name)),
            Repair::ShutSamba { name } => format!("disables the entry of {} in smbpasswd", shown(name)),
            Repair::RevokeSudo { .. } => "removes the file".to_owned(),
            Repair::Forget { belonging: Belonging::Mail, .. } => {
                "gives the mail to root, under another name".to_owned()
            }
            Repair::Forget { .. } => "removes it".to_owned(),
            Repair::Home { .. } => {
                "sets owner and mode of home, .ssh and authorized_keys so that only the account can write there"
                    .to_owned()
            }
        }
    }

    /// In which turn it is done: lists are made right before they are copied.
    pub fn turn(&self) -> u8 {
        match self {
            Repair::RemoveRepeats { .. } | Repair::RemoveLines { .. } => 0,
            Repair::DropNames { .. } | Repair::HideGroupPassword { .. } => 1,
            Repair::AddShadow { .. } | Repair::AddGshadow { .. } => 2,
            Repair::FollowGroup { .. } | Repair::SetSambaUid { .. } | Repair::ShutSamba { .. } => 3,
            Repair::RevokeSudo { .. } | Repair::Forget { .. } => 4,
            Repair::Home { .. } => 5,
        }
    }

    /// Makes the edits, under the lock, in accounts that are those of the check.
    pub fn enter(&self, draft: &mut Draft<'_>, today: u64) -> RepairOutcome {
        let done = match self {
            Repair::AddShadow { name } => add_shadow(draft, name, today),
            Repair::AddGshadow { name } => add_gshadow(draft, name),
            Repair::HideGroupPassword { name } => edit(draft, (FileKind::Group, name), |entry| {
                entry.set(PASSWORD, IN_SHADOW);
            }),
            Repair::FollowGroup { name } => follow_group(draft, name),
            Repair::RemoveLines { kind, name } => {
                draft.set_line(*kind, name, None);
                Some(())
            }
            Repair::RemoveRepeats { kind, name } => {
                draft.remove_repeats(*kind, name);
                Some(())
            }
            Repair::DropNames { kind, group, field, names } => edit(draft, (*kind, group), |entry| {
                let kept = without(entry.bytes(*field), names);
                entry.set_bytes(*field, &kept);
            }),
            Repair::SetSambaUid { name, uid } => set_samba_uid(draft, name, Uid(*uid)),
            Repair::ShutSamba { name } => shut_samba(draft, name),
            Repair::RevokeSudo { grantee } => {
                draft.revoke_sudo(*grantee);
                draft.after_commit(Action::RevokeSudo { grantee: *grantee });
                Some(())
            }
            Repair::Forget { belonging, name, uid } => forget(draft, *belonging, name, *uid),
            Repair::Home { .. } => None,
        };
        match done {
            Some(()) => RepairOutcome::Done,
            None => RepairOutcome::NotDone("its line is gone, or can not be written".into()),
        }
    }
}

/// A name for people.
fn shown(name: &str) -> String {
    format!("'{}'", name.escape_debug())
}

/// Changes the line that counts for a name. `None` where there is none.
fn edit(draft: &mut Draft<'_>, (kind, name): (FileKind, &str), change: impl FnOnce(&mut Entry)) -> Option<()> {
    let mut entry = draft.entry(kind, name)?;
    change(&mut entry);
    set(draft, (kind, name), entry.line())
}

/// `None` where the file can't hold the line: it has a NUL in it.
fn set(draft: &mut Draft<'_>, (kind, name): (FileKind, &str), line: Line) -> Option<()> {
    kind.holds(&line).then(|| draft.set_line(kind, name, Some(line)))
}

fn add_shadow(draft: &mut Draft<'_>, name: &str, today: u64) -> Option<()> {
    let field = draft.entry(FileKind::Passwd, name)?.bytes(PASSWORD).to_vec();
    let password = if field == IN_SHADOW.as_bytes() { NO_HASH.as_bytes().to_vec() } else { field };
    let mut entry = Entry::parse(format!("{name}::{today}:0:99999:7:::").as_bytes());
    entry.set_bytes(PASSWORD, &password);
    set(draft, (FileKind::Shadow, name), entry.line())?;
    edit(draft, (FileKind::Passwd, name), |entry| entry.set(passwd::PASSWORD, IN_SHADOW))
}

fn add_gshadow(draft: &mut Draft<'_>, name: &str) -> Option<()> {
    let group = draft.entry(FileKind::Group, name)?;
    let field = group.bytes(PASSWORD);
    let password: &[u8] = if field == IN_SHADOW.as_bytes() { b"!" } else { field };
    let mut entry = Entry::parse(format!("{name}:::").as_bytes());
    entry.set_bytes(PASSWORD, password);
    entry.set_bytes(gshadow::MEMBERS, group.bytes(group::MEMBERS));
    set(draft, (FileKind::Gshadow, name), entry.line())?;
    edit(draft, (FileKind::Group, name), |entry| entry.set(PASSWORD, IN_SHADOW))
}

fn follow_group(draft: &mut Draft<'_>, name: &str) -> Option<()> {
    let members = draft.entry(FileKind::Group, name)?.bytes(group::MEMBERS).to_vec();
    edit(draft, (FileKind::Gshadow, name), |entry| entry.set_bytes(gshadow::MEMBERS, &members))
}

fn set_samba_uid(draft: &mut Draft<'_>, name: &str, uid: Uid) -> Option<()> {
    let line = std::str::from_utf8(draft.line(FileKind::Smbpasswd, name)?).ok()?;
    let rewritten = samba::rewritten(line, name, uid, None)?;
    set(draft, (FileKind::Smbpasswd, name), rewritten.into_bytes().into())
}

fn shut_samba(draft: &mut Draft<'_>, name: &str) -> Option<()> {
    let line = std::str::from_utf8(draft.line(FileKind::Smbpasswd, name)?).ok()?;
    let uid = line.split(':').nth(1)?.parse().ok()?;
    let rewritten = samba::rewritten(line, name, Uid(uid), Some(Flags::Disabled))?;
    set(draft, (FileKind::Smbpasswd, name), rewritten.into_bytes().into())
}

fn forget(draft: &mut Draft<'_>, belonging: Belonging, name: &str, uid: Option<u32>) -> Option<()> {
    let is_somebodys = match uid {
        Some(uid) => draft.file(FileKind::Passwd).has_number(uid),
        None => draft.line(FileKind::Passwd, name).is_some(),
    };
    let only = |of| if belonging == of { Leftover::Remove } else { Leftover::Keep };
    let mail = if belonging == Belonging::Mail { Mail::GiveToRoot } else { Mail::Keep };
    let (crontab, at_jobs, linger) = (only(Belonging::Crontab), only(Belonging::AtJobs), only(Belonging::Linger));
    let deletion = Deletion { crontab, at_jobs, linger, mail };
    (!is_somebodys).then(|| draft.remove_belongings(name, uid.map(Uid), &deletion))
}

/// A list without some names and without empty ones; the others keep their bytes.
fn without(list: &[u8], names: &[String]) -> Vec<u8> {
    let is_kept = |name: &&[u8]| {
        let text = String::from_utf8_lossy(name);
        !name.is_empty() && names.binary_search_by(|known| known.as_str().cmp(&text)).is_err()
    };
    list.split(|byte| *byte == b',').filter(is_kept).collect::<Vec<_>>().join(&b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_out_of_a_list_and_the_others_keep_their_bytes() {
        let gone = ["".to_owned(), " b".into(), "c".into()];
        assert_eq!(without(b"a, b,\xff,,c,d,c", &gone), b"a,\xff,d");
        assert_eq!(without(b"", &gone), b"");
    }
}
