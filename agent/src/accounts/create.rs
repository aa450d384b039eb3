//! A new user: everything that can fail is done before the lock, then one change.

use accountd_config::SharedUid;
use accountd_protocol::agent::{NewPassword, NewUser, PrimaryGroup, User};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::name::NewGroupName;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use super::check::{Faults, free_group_name, free_user_name, usable_keys, usable_mode, usable_password};
use super::in_home::{InHome, Wanted};
use super::memberships;
use super::new_home::NewHome;
use super::show::NO_HASH;
use crate::agent::{Agent, now};
use crate::database::{Action, Draft, FileKind, Line, View};
use crate::error::Error;
use crate::homes::{Filling, HomeKind, Owner, Skeleton};
use crate::reserved::Number;
use crate::samba::{self, Flags};

const SECONDS_A_DAY: u64 = 86_400;

/// A request whose every field has been found good.
struct Plan {
    request: NewUser,
    uid: Uid,
    group: PlannedGroup,
    groups: Vec<String>,
    home: HomeKind,
    mode: u32,
    keys: String,
    shared_uid: SharedUid,
}

/// The primary group and whether it has still to be made.
#[derive(Clone)]
enum PlannedGroup {
    Existing(Gid),
    New(NewGroupName, Gid),
}

impl PlannedGroup {
    fn gid(&self) -> Gid {
        match self {
            PlannedGroup::Existing(gid) | PlannedGroup::New(_, gid) => *gid,
        }
    }
}

/// The secrets of an account, ready to be written.
pub struct Hashes {
    pub unix: String,
    /// The smbpasswd(5) line is made when name and uid are certain.
    pub clear: Option<Secret>,
}

impl Agent {
    pub(crate) fn create_user(&self, request: NewUser) -> Result<User, Refusal> {
        let (plan, numbers) = self.plan(request)?;
        let hashes = self.hashes_of(&plan.request.password)?;
        let home = self.prepare_home(&plan)?;
        let keys = self.keys_in_existing_home(&plan, home.as_ref())?;
        let action = home.as_ref().and_then(|home| home.action(plan.request.name.as_str()));
        let (id, _) = self.database.change(move |draft| enter(draft, &plan, &hashes, action))?;
        if let Some(home) = home {
            home.keep();
        }
        drop(numbers);
        keys.map_or(Ok(()), |keys| keys.finish(None))?;
        self.get_user(id)
    }

    /// A home that was the user's before gets its keys by itself.
    fn keys_in_existing_home(&self, plan: &Plan, home: Option<&NewHome>) -> Result<Option<InHome<'_>>, Refusal> {
        if plan.keys.is_empty() || !home.is_some_and(NewHome::existed) {
            return Ok(None);
        }
        let identity = Identity { uid: plan.uid, gid: plan.group.gid(), groups: Vec::new() };
        let wanted = Wanted { keys: Some(plan.keys.clone()), mode: None };
        self.begin_in_home(&plan.request.home, identity, wanted).map(Some)
    }

    fn plan(&self, request: NewUser) -> Result<(Plan, Vec<Number>), Refusal> {
        let view = self.database.view();
        let (mut faults, mut numbers) = (Faults::default(), Vec::new());
        faults.take(Field::UserName, free_user_name(&view, request.name.as_str()));
        let uid = match request.uid {
            Some(uid) => {
                numbers.push(self.reserved.hold(uid));
                faults.take(Field::Uid, self.usable_uid(&view, uid).map(|()| uid))
            }
            None => {
                let chosen = self.reserved.choose(|held| view.free_uid(self.config.ids.users.numbers(), held));
                let chosen = faults.take(Field::Uid, chosen.ok_or(Problem::NoneFree));
                let uid = chosen.as_ref().map(|reservation| reservation.number);
                numbers.extend(chosen);
                uid
            }
        };
        faults.take(Field::Shell, self.known_shell(&request.shell));
        let home = faults.take(Field::Home, self.homes.judge(&request.home, Uid(uid.unwrap_or(u32::MAX))));
        let mode = faults.take(Field::HomeMode, usable_mode(request.home_mode));
        let groups = faults.take(Field::Groups, self.known_groups(&view, &request.groups));
        let keys = faults.take(Field::SshKeys, usable_keys(&request.ssh_keys));
        if keys.as_ref().is_some_and(|keys| !keys.is_empty()) && home == Some(HomeKind::None) {
            faults.add(Field::SshKeys, Problem::HomeNotWritable);
        }
        if let NewPassword::Clear(password) = &request.password {
            faults.take(Field::Password, usable_password(password));
        }
        let group = faults.take(Field::PrimaryGroup, self.primary_group(&view, &request, uid, &mut numbers));
        drop(view);
        faults.none()?;
        let complete = uid.zip(group).zip(home.zip(mode)).zip(groups.zip(keys));
        let (((uid, group), (home, mode)), (groups, keys)) =
            complete.ok_or_else(|| Refusal::Internal("internal error".into()))?;
        let shared_uid = self.shared_uid();
        Ok((Plan { request, uid: Uid(uid), group, groups, home, mode, keys, shared_uid }, numbers))
    }

    /// The group of a request: an existing one, or one of the user's own. An existing group with
    /// the user's name is taken unless it gives rights.
    fn primary_group(
        &self,
        view: &View,
        request: &NewUser,
        uid: Option<u32>,
        numbers: &mut Vec<Number>,
    ) -> Result<PlannedGroup, Problem> {
        match &request.primary_group {
            PrimaryGroup::Existing(id) => {
                let group = view.group(*id).ok_or_else(|| Problem::NoSuch(id.to_string()))?;
                if self.is_service_gid(view, group.gid.0) {
                    return Err(Problem::ServiceAccount);
                }
                Ok(PlannedGroup::Existing(group.gid))
            }
            PrimaryGroup::Private => match view.group_named(request.name.as_str()) {
                Some(group) if group.is_builtin() => Err(Problem::Duplicate(group.name.clone())),
                Some(group) => Ok(PlannedGroup::Existing(group.gid)),
                None => {
                    free_group_name(view, request.name.as_str())?;
                    let gid = self.private_gid(view, uid, numbers).ok_or(Problem::NoneFree)?;
                    Ok(PlannedGroup::New((&request.name).into(), Gid(gid)))
                }
            },
        }
    }

    /// The uid where it is free as a gid, else the first free one, which is then held.
    fn private_gid(&self, view: &View, uid: Option<u32>, numbers: &mut Vec<Number>) -> Option<u32> {
        let same = uid.filter(|uid| view.names_of_gid(*uid).is_empty() && self.usable_gid(view, *uid).is_ok());
        same.or_else(|| {
            let chosen = self.reserved.choose(|held| view.free_gid(self.config.ids.groups.numbers(), held))?;
            let gid = chosen.number;
            numbers.push(chosen);
            Some(gid)
        })
    }

    pub(super) fn hashes_of(&self, password: &NewPassword) -> Result<Hashes, Refusal> {
        match password {
            NewPassword::Disabled => Ok(Hashes { unix: NO_HASH.into(), clear: None }),
            NewPassword::Clear(password) => {
                let unix = self.hashes.hash(password).map_err(|error| Error::Hash(error).into_refusal())?;
                Ok(Hashes { unix, clear: Some(password.clone()) })
            }
        }
    }

    fn prepare_home(&self, plan: &Plan) -> Result<Option<NewHome>, Refusal> {
        match plan.home {
            HomeKind::None | HomeKind::RootsOwn => Ok(None),
            HomeKind::Made => {
                let owner = Owner { uid: plan.uid, gid: plan.group.gid() };
                let filling = Filling { mode: plan.mode, keys: &plan.keys, skeleton: Skeleton::Copied };
                self.make_home(&plan.request.home, owner, filling).map(Some)
            }
        }
    }
}

/// Under the lock: what was free has to be free still; then the lines.
fn enter(draft: &mut Draft<'_>, plan: &Plan, hashes: &Hashes, action: Option<Action>) -> Result<AccountId, Refusal> {
    let name = plan.request.name.as_str();
    free_user_name(draft, name).map_err(|problem| Refusal::invalid(Field::UserName, problem))?;
    enter_group(draft, plan)?;
    let request = &plan.request;
    let shell = request.shell.as_str();
    let passwd =
        format!("{name}:x:{}:{}:{}:{}:{shell}", plan.uid, plan.group.gid(), request.full_name, request.home.as_str());
    memberships::forget_namesake(draft, name);
    draft.set_line(FileKind::Passwd, name, Some(line(&passwd)));
    let mark = if request.locked { "!" } else { "" };
    let today = now() / SECONDS_A_DAY;
    let shadow = format!("{name}:{mark}{}:{today}:0:99999:7:::", hashes.unix);
    draft.set_line(FileKind::Shadow, name, Some(line(&shadow)));
    if let Some(clear) = &hashes.clear {
        let flags = if request.locked { Flags::Disabled } else { Flags::Enabled };
        let samba = samba::line(name, plan.uid, clear, flags, now());
        draft.set_line(FileKind::Smbpasswd, name, Some(line(&samba)));
    }
    memberships::replace(draft, name, &plan.groups);
    if let Some(action) = action {
        draft.after_commit(action);
    }
    Ok(draft.add_user(name, plan.uid, request.email.as_str(), request.microsoft_account))
}

/// The uid and the primary group, if nobody has taken them meanwhile.
fn enter_group(draft: &mut Draft<'_>, plan: &Plan) -> Result<(), Refusal> {
    let may_share = plan.request.uid.is_some() && plan.shared_uid == SharedUid::Allowed;
    if let Some(owner) = draft.names_of_uid(plan.uid.0).first().filter(|_| !may_share) {
        return Err(Refusal::invalid(Field::Uid, Problem::Duplicate(owner.clone())));
    }
    match &plan.group {
        PlannedGroup::Existing(gid) if draft.names_of_gid(gid.0).is_empty() => {
            Err(Refusal::invalid(Field::PrimaryGroup, Problem::NoSuch(gid.to_string())))
        }
        PlannedGroup::Existing(_) => Ok(()),
        PlannedGroup::New(name, gid) => {
            let taken = |problem| Refusal::invalid(Field::PrimaryGroup, problem);
            free_group_name(draft, name.as_str()).map_err(taken)?;
            if let Some(owner) = draft.names_of_gid(gid.0).first() {
                return Err(taken(Problem::Duplicate(owner.clone())));
            }
            write_group(draft, name.as_str(), *gid);
            Ok(())
        }
    }
}

/// The lines and the row of a new group.
pub fn write_group(draft: &mut Draft<'_>, name: &str, gid: Gid) -> AccountId {
    draft.set_line(FileKind::Gshadow, name, None);
    draft.set_line(FileKind::Group, name, Some(line(&format!("{name}:x:{gid}:"))));
    if draft.file(FileKind::Gshadow).lines().next().is_some() {
        draft.set_line(FileKind::Gshadow, name, Some(line(&format!("{name}:!::"))));
    }
    draft.add_group(name, gid)
}

pub fn line(text: &str) -> Line {
    Line::from(text.as_bytes())
}
