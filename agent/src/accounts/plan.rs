//! What is wanted of a new user, held against the accounts as they are.

use accountd_config::{PasswordPolicy, SharedUid};
use accountd_protocol::ageing::Ageing;
use accountd_protocol::agent::{NewPassword, NewUser, PrimaryGroup};
use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::limits::Limits;
use accountd_protocol::name::NewGroupName;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};

use super::check::{
    Faults, free_group_name, free_user_name, known_shell, usable_hash, usable_keys, usable_mode, usable_own_hash,
    usable_password,
};
use super::{ageing, limits};
use crate::agent::Agent;
use crate::database::View;
use crate::homes::HomeKind;
use crate::ids::{Number, Outside, Question};

/// A request whose every field has been found good.
pub struct Plan {
    pub request: NewUser,
    pub uid: Uid,
    pub group: PlannedGroup,
    pub groups: Vec<String>,
    pub home: HomeKind,
    pub mode: u32,
    pub keys: String,
    pub shared_uid: SharedUid,
    pub policy: PasswordPolicy,
}

/// The primary group and whether it has still to be made.
#[derive(Clone)]
pub enum PlannedGroup {
    Existing(Gid),
    New(NewGroupName, Gid),
}

impl PlannedGroup {
    pub fn gid(&self) -> Gid {
        match self {
            PlannedGroup::Existing(gid) | PlannedGroup::New(_, gid) => *gid,
        }
    }
}

/// The gid of a group that a user is to have of its own.
enum PrivateGid {
    LikeUid(u32),
    Chosen(Number),
}

impl PrivateGid {
    fn number(&self) -> u32 {
        match self {
            PrivateGid::LikeUid(number) => *number,
            PrivateGid::Chosen(held) => held.number,
        }
    }

    fn into_held(self) -> Option<Number> {
        match self {
            PrivateGid::LikeUid(_) => None,
            PrivateGid::Chosen(held) => Some(held),
        }
    }
}

/// What requests are held against; the same for all requests of one change.
pub struct Sight<'a> {
    pub view: &'a View,
    pub outside: &'a Outside,
    pub shells: &'a [String],
}

/// A plan with the numbers that are held for it.
pub type Planned = (Plan, Vec<Number>);

impl Agent {
    /// The plan for a request, or all that is wrong with it.
    pub(super) fn plan(&self, sight: &Sight<'_>, request: NewUser) -> Result<Result<Planned, Vec<Invalid>>, Refusal> {
        let Sight { view, outside, shells } = *sight;
        let (mut faults, mut numbers) = (Faults::default(), Vec::new());
        let free = free_user_name(view, request.name.as_str());
        faults.take(Field::UserName, free.and_then(|()| outside.lacks(&user_named(&request))));
        let uid = match request.uid {
            Some(uid) => {
                numbers.push(self.ids.hold(uid));
                faults.take(Field::Uid, self.usable_uid(view, outside, uid).map(|()| uid))
            }
            None => {
                let chosen = faults.take(Field::Uid, self.ids.choose_uid(&self.database)?.ok_or(Problem::NoneFree));
                let uid = chosen.as_ref().map(|held| held.number);
                numbers.extend(chosen);
                uid
            }
        };
        faults.take(Field::Shell, known_shell(shells, &request.shell));
        let home = faults.take(Field::Home, self.homes.judge(&request.home, Uid(uid.unwrap_or(u32::MAX))));
        let mode =
            faults.take(Field::HomeMode, usable_mode(request.home_mode.unwrap_or(self.config().homes.mode.bits())));
        let groups = faults.take(Field::Groups, self.known_groups(view, &request.groups));
        let keys = faults.take(Field::SshKeys, usable_keys(&request.ssh_keys));
        if keys.as_ref().is_some_and(|keys| !keys.is_empty()) && home == Some(HomeKind::None) {
            faults.add(Field::SshKeys, Problem::HomeNotWritable);
        }
        let policy = self.password_policy(view);
        let PasswordPolicy { min_days, max_days, .. } = policy;
        let fresh = Ageing { min_days: Some(min_days), max_days: Some(max_days), ..Ageing::default() };
        ageing::check(&fresh, &request.ageing, &mut faults);
        match &request.password {
            NewPassword::Clear(password) => {
                faults.take(Field::Password, usable_password(&policy, password));
            }
            NewPassword::Hashed(hash) => drop(faults.take(Field::PasswordHash, usable_hash(hash))),
            NewPassword::Kept(hash) => drop(faults.take(Field::PasswordHash, usable_own_hash(hash))),
            // What is made is as the policy wants it.
            NewPassword::Random | NewPassword::Disabled => {}
        }
        limits::check(&Limits::default(), &request.limits, &mut faults);
        limits::check_echoes(&request.echoes, &mut faults);
        let gid = match wants_new_group(view, &request) {
            true => self.private_gid(view, outside, uid)?,
            false => None,
        };
        let group = self.primary_group(view, outside, &request, gid.as_ref().map(PrivateGid::number));
        let group = faults.take(Field::PrimaryGroup, group);
        numbers.extend(gid.and_then(PrivateGid::into_held));
        if let Err(invalid) = faults.into_result() {
            return Ok(Err(invalid));
        }
        let complete = uid.zip(group).zip(home.zip(mode)).zip(groups.zip(keys));
        let (((uid, group), (home, mode)), (groups, keys)) =
            complete.ok_or_else(|| Refusal::Internal("internal error".into()))?;
        let shared_uid = self.shared_uid();
        Ok(Ok((Plan { request, uid: Uid(uid), group, groups, home, mode, keys, shared_uid, policy }, numbers)))
    }

    /// The group of a request: an existing one, or one of the user's own. An existing group with
    /// the user's name is taken unless it gives rights.
    fn primary_group(
        &self,
        view: &View,
        outside: &Outside,
        request: &NewUser,
        private_gid: Option<u32>,
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
                    outside.lacks(&group_named(request))?;
                    let gid = private_gid.ok_or(Problem::NoneFree)?;
                    Ok(PlannedGroup::New((&request.name).into(), Gid(gid)))
                }
            },
        }
    }

    /// The uid where it is free as a gid, else the first free one.
    fn private_gid(&self, view: &View, outside: &Outside, uid: Option<u32>) -> Result<Option<PrivateGid>, Refusal> {
        let same = uid.filter(|uid| {
            // Whoever names the number of an account that is gone means its group's too.
            let buried = view.was_gid(*uid) && !view.was_uid(*uid);
            let free = view.names_of_gid(*uid).is_empty() && outside.lacks(&Question::Gid(*uid)).is_ok();
            !buried && free && !self.ids.is_contended(*uid) && self.usable_gid(view, outside, *uid).is_ok()
        });
        match same {
            Some(uid) => Ok(Some(PrivateGid::LikeUid(uid))),
            None => Ok(self.ids.choose_gid(&self.database)?.map(PrivateGid::Chosen)),
        }
    }
}

fn wants_new_group(view: &View, request: &NewUser) -> bool {
    match request.primary_group {
        PrimaryGroup::Existing(_) => false,
        PrimaryGroup::Private => view.group_named(request.name.as_str()).is_none(),
    }
}

/// What another source of NSS must not have.
pub fn questions(view: &View, request: &NewUser) -> Vec<Question> {
    let mut questions = vec![user_named(request)];
    questions.extend(request.uid.map(Question::Uid));
    if wants_new_group(view, request) {
        questions.push(group_named(request));
        questions.extend(request.uid.map(Question::Gid));
    }
    questions
}

fn user_named(request: &NewUser) -> Question {
    Question::UserNamed(request.name.as_str().to_owned())
}

fn group_named(request: &NewUser) -> Question {
    Question::GroupNamed(request.name.as_str().to_owned())
}
