//! What can fail without the lock: homes, keys and drop-ins of accounts that are taken over.

use std::collections::HashSet;
use std::ffi::OsString;

use accountd_protocol::ageing::AgeingChange;
use accountd_protocol::agent::{Echoes, NewPassword, NewUser, PrimaryGroup};
use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::refusal::{Invalid, Refusal};
use accountd_protocol::sudo::SudoCommands;

use super::enter::{GroupEntry, Lists, UserEntry};
use super::group::GroupPlan;
use super::judge::{Item, Joining, Judged, Step};
use super::user::UserPlan;
use crate::accounts::create::{NewEntry, ReadyUser};
use crate::accounts::in_home::{InHome, Wanted};
use crate::accounts::parallel::in_parallel;
use crate::accounts::plan::{Plan, PlannedGroup};
use crate::accounts::sudo::PlannedSudo;
use crate::accounts::writers::Alone;
use crate::agent::Agent;
use crate::ids::Number;
use crate::jobs::Progress;
use crate::sudoers::Kind;
use crate::suspension::Suspension;

/// What stands ready; dropped before the change is made, it is taken away again.
#[derive(Default)]
pub(super) struct Ready<'a> {
    created: Vec<ReadyUser<'a>>,
    in_homes: Vec<InHome<'a>>,
    _sudo: Vec<PlannedSudo>,
    /// Until the accounts have them.
    _numbers: Vec<Number>,
    _alone: Option<Alone<'a>>,
}

/// What is entered under the lock.
pub(super) struct Entries {
    pub rules: Option<accountd_config::Passwords>,
    pub groups: Vec<GroupEntry>,
    pub users: Vec<UserEntry>,
    pub lists: Lists,
}

/// One user, and what it has standing ready.
type Made<'a> = (UserEntry, Option<ReadyUser<'a>>, Option<InHome<'a>>, PlannedSudo);

/// Users whose part could not be made, by their places.
pub(super) type Faulty = Vec<(usize, Vec<Invalid>)>;

impl Ready<'_> {
    /// To be called when the change is made.
    pub fn finish(self) -> Result<(), Refusal> {
        let created = self.created.into_iter().map(ReadyUser::finish);
        let in_homes = self.in_homes.into_iter().map(|keys| keys.finish(None));
        // All of them, whatever becomes of one.
        created.chain(in_homes).collect::<Vec<_>>().into_iter().collect()
    }
}

impl Agent {
    /// Everything of a backup that has nothing open; `Err` are the users whose part could not be made.
    pub(super) fn ready_import(
        &self,
        (judged, lists): (Judged, Lists),
        progress: &Progress<'_>,
    ) -> Result<Result<(Ready<'_>, Entries), Faulty>, Refusal> {
        let Judged { rules, groups, users, given, .. } = judged;
        let alone = self.alone_with_keys(&users)?;
        let mut ready = Ready { _alone: Some(alone), _numbers: given.held, ..Ready::default() };
        let groups = self.ready_groups(groups, &mut ready)?;
        let left = self.left_to_many(users.len());
        let made = in_parallel(users, |item: Item<UserPlan>| {
            if progress.is_cancelled() {
                return Err(Refusal::Changed);
            }
            let made = self.ready_record(item.step, left.as_ref());
            progress.step();
            made
        });
        let (mut entries, mut refused) = (Vec::new(), Vec::new());
        for (index, made) in made.into_iter().enumerate() {
            match made {
                Ok(None) => {}
                Ok(Some((entry, created, in_home, sudo))) => {
                    entries.push(entry);
                    ready.created.extend(created);
                    ready.in_homes.extend(in_home);
                    ready._sudo.push(sudo);
                }
                Err(Refusal::Invalid(invalid)) => refused.push((index, invalid)),
                Err(refusal) => return Err(refusal),
            }
        }
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        let rules = rules.and_then(|item| match item.step {
            Step::Create(rules) | Step::Overwrite(_, rules) => Some(rules),
            Step::Same | Step::Skip | Step::Nothing => None,
        });
        Ok(Ok((ready, Entries { rules, groups, users: entries, lists })))
    }

    fn alone_with_keys(&self, users: &[Item<UserPlan>]) -> Result<Alone<'_>, Refusal> {
        self.key_writers.alone_with(users.iter().filter_map(|item| match &item.step {
            Step::Overwrite(id, plan) if plan.keys.is_some() => Some(*id),
            Step::Overwrite(..) | Step::Create(_) | Step::Same | Step::Skip | Step::Nothing => None,
        }))
    }

    fn ready_groups(&self, groups: Vec<Item<GroupPlan>>, ready: &mut Ready<'_>) -> Result<Vec<GroupEntry>, Refusal> {
        let mut entries = Vec::new();
        for item in groups {
            let (id, plan) = match item.step {
                Step::Create(plan) => (None, plan),
                Step::Overwrite(id, plan) => (Some(id), plan),
                Step::Same | Step::Skip | Step::Nothing => continue,
            };
            let sudo = self.ready_drop_in((Kind::Group, &plan.name), plan.sudo.as_ref(), plan.before.clone())?;
            entries.push(GroupEntry { id, sudo: sudo.edit(), plan });
            ready._sudo.push(sudo);
        }
        Ok(entries)
    }

    fn ready_record(
        &self,
        step: Step<UserPlan>,
        left: Option<&HashSet<OsString>>,
    ) -> Result<Option<Made<'_>>, Refusal> {
        let ready_sudo = |plan: &UserPlan| {
            self.ready_drop_in((Kind::User, plan.name.as_str()), plan.sudo.as_ref(), plan.before.clone())
        };
        match step {
            Step::Create(plan) => {
                let sudo = ready_sudo(&plan)?;
                let (ready, entry) = self.ready_user((plan.new_user(self), Vec::new()), left)?;
                let entry = UserEntry::Create { entry: Box::new(entry), sudo: sudo.edit(), plan: Box::new(plan) };
                Ok(Some((entry, Some(ready), None, sudo)))
            }
            Step::Overwrite(id, plan) => {
                let sudo = ready_sudo(&plan)?;
                let keys = plan.keys.clone().map(|keys| {
                    let wanted = Wanted { keys: Some(keys), ..Wanted::default() };
                    self.begin_in_home(&plan.home, plan.identity.clone(), wanted)
                });
                let keys = keys.transpose()?;
                let suspension = self.suspension(id, Some(plan.is_locked()));
                let key_file = keys.as_ref().and_then(|keys| keys.key_file(None)).map(Box::new);
                let entry = UserEntry::Overwrite { id, sudo: sudo.edit(), suspension, key_file, plan: Box::new(plan) };
                Ok(Some((entry, None, keys, sudo)))
            }
            Step::Same | Step::Skip | Step::Nothing => Ok(None),
        }
    }
}

/// The same for what is only tried: nothing stands ready.
pub(super) fn tried(agent: &Agent, judged: Judged, lists: Lists) -> Entries {
    let sudo = || PlannedSudo::Unchanged.edit();
    let group = |item: Item<GroupPlan>| match item.step {
        Step::Create(plan) => Some(GroupEntry { id: None, sudo: sudo(), plan }),
        Step::Overwrite(id, plan) => Some(GroupEntry { id: Some(id), sudo: sudo(), plan }),
        Step::Same | Step::Skip | Step::Nothing => None,
    };
    let user = |item: Item<UserPlan>| match item.step {
        Step::Create(plan) => {
            let entry = Box::new(NewEntry::tried((plan.new_user(agent), Vec::new())));
            Some(UserEntry::Create { entry, sudo: sudo(), plan: Box::new(plan) })
        }
        Step::Overwrite(id, plan) => {
            let suspension = Suspension::Unchanged;
            Some(UserEntry::Overwrite { id, sudo: sudo(), suspension, key_file: None, plan: Box::new(plan) })
        }
        Step::Same | Step::Skip | Step::Nothing => None,
    };
    let (groups, users) = (judged.groups.into_iter(), judged.users.into_iter());
    Entries { rules: None, groups: groups.filter_map(group).collect(), users: users.filter_map(user).collect(), lists }
}

impl UserPlan {
    fn is_locked(&self) -> bool {
        self.record.password.as_ref().is_some_and(|password| password.reveal().starts_with('!'))
    }

    /// As a new user like others; its lines get what the backup has afterwards.
    fn new_user(&self, agent: &Agent) -> Plan {
        let request = NewUser {
            name: self.name.clone(),
            uid: Some(self.uid),
            full_name: self.full_name.clone(),
            email: self.email.clone(),
            home: self.home.clone(),
            home_mode: Some(self.mode),
            shell: self.shell.clone(),
            password: NewPassword::Disabled,
            primary_group: PrimaryGroup::Private,
            groups: Vec::new(),
            ssh_keys: String::new(),
            locked: false,
            microsoft_account: self.record.microsoft_account,
            sudo: SudoCommands::default(),
            ageing: AgeingChange::default(),
            limits: LimitsChange::default(),
            echoes: Echoes::default(),
        };
        let policy = agent.password_policy(&agent.database.known_view());
        Plan {
            request,
            uid: Uid(self.uid),
            group: PlannedGroup::Existing(Gid(self.gid)),
            groups: Vec::new(),
            home: self.kind,
            mode: self.mode,
            keys: self.keys.clone().unwrap_or_default(),
            shared_uid: self.shared_uid,
            policy,
        }
    }
}

/// Names of users that come into a group that stays.
pub(super) fn joining(item: &Item<Joining>) -> Option<&Joining> {
    match &item.step {
        Step::Create(names) | Step::Overwrite(_, names) => Some(names),
        Step::Same | Step::Skip | Step::Nothing => None,
    }
}
