//! What a caller may ask for, and what it sees of the answer.

use std::time::Instant;

use accountd_protocol::agent::{Answer, Handle, Operation, Page, Reply, User};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::role::Role;

use crate::audit;
use crate::database::{UserRow, View};
use crate::identity::candidate::PasswordState;
use crate::identity::guarded::Guarded;
use crate::identity::guest::is_for_guests;
use crate::identity::handles::{Caller, Way};
use crate::identity::permission::{Permission, Reach, reach};
use crate::identity::roles::roles_of;

use crate::agent::Agent;

/// What a caller sees of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Everything,
    WithoutHashes,
}

impl Agent {
    pub(crate) fn operate(&self, handle: &Handle, operation: Operation) -> Reply {
        // Outside changes void handles too; looking at the accounts notices them.
        let view = self.database.certain_view()?;
        let caller = self.handles.caller(handle, Instant::now()).ok_or(Refusal::StaleHandle)?;
        let (actor, (action, subject)) = (self.actor(caller), audit::subject(&operation));
        let reply = self.permitted(&view, caller, &operation).and_then(|scope| {
            // Nobody who changes anything waits for this view.
            drop(view);
            let answer = self.perform(&actor, caller, operation)?;
            Ok(if scope == Scope::Everything { answer } else { without_hashes(answer) })
        });
        reply.inspect_err(|refusal| self.record_refused_operation(actor, (action, &subject), refusal))
    }

    /// Whether a caller may ask for this, whatever it would see of the answer.
    pub(crate) fn permit(&self, view: &View, caller: Caller, operation: &Operation) -> Result<(), Refusal> {
        self.permitted(view, caller, operation).map(drop)
    }

    /// What the caller may see of the answer, if it may ask.
    fn permitted(&self, view: &View, caller: Caller, operation: &Operation) -> Result<Scope, Refusal> {
        let row = view.user(caller.account).ok_or(Refusal::StaleHandle)?;
        if caller.password == PasswordState::Expired && !matches!(operation, Operation::ChangeOwnPassword { .. }) {
            return Err(Refusal::PasswordExpired);
        }
        self.permit_by_way((view, row), caller, operation)?;
        let roles = roles_of(view, &self.config().roles, row);
        let reach = reach(&roles, row, operation);
        if caller.way == Way::Guest {
            let permitted = reach == Reach::Own && is_for_guests(operation);
            return if permitted { Ok(Scope::WithoutHashes) } else { Err(Refusal::NotPermitted) };
        }
        if roles.contains(&Role::Administrator) && reach != Reach::Denied {
            return Ok(Scope::Everything);
        }
        let guarded = Guarded { view, config: &self.config().roles, caller: row.id, roles: &roles };
        let permission = match reach {
            Reach::Denied => Permission::Denied,
            Reach::Own => Permission::Granted,
            Reach::Others => guarded.allow(operation),
        };
        let Permission::Granted = permission else { return Err(Refusal::NotPermitted) };
        Ok(Scope::WithoutHashes)
    }
}

impl Agent {
    /// What depends on how a caller has said who it is.
    fn permit_by_way(
        &self,
        (view, row): (&View, &UserRow),
        caller: Caller,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        match caller.way {
            Way::ApiKey(key) => self.permit_by_key((view, row), key, operation)?,
            Way::Token(digest) => self.permit_by_token(&digest)?,
            Way::Local | Way::Password | Way::PasswordAndCode | Way::Guest => {}
        }
        // Whoever has found a token must not be able to stay when it is expired.
        if matches!(operation, Operation::CreateToken { .. })
            && !matches!(caller.way, Way::Password | Way::PasswordAndCode)
        {
            return Err(Refusal::NotPermitted);
        }
        // Nobody takes a second factor away, or puts another in its place, without showing it.
        if ends_factor_of(operation) == Some(row.id)
            && view.second_factors().of(row.id).is_some()
            && !matches!(caller.way, Way::Local | Way::PasswordAndCode)
        {
            return Err(Refusal::NotPermitted);
        }
        Ok(())
    }
}

fn ends_factor_of(operation: &Operation) -> Option<AccountId> {
    let (Operation::CancelTwoFactor { user, .. } | Operation::BeginTwoFactor(user)) = operation else { return None };
    Some(*user)
}

/// For whoever is no administrator.
fn without_hashes(answer: Answer) -> Answer {
    match answer {
        Answer::User(user) => Answer::User(Box::new(user.without_hashes())),
        Answer::UserWithPassword(user, password) => Answer::UserWithPassword(Box::new(user.without_hashes()), password),
        Answer::Users(Page { items, total, next }) => {
            Answer::Users(Page { items: items.into_iter().map(User::without_hashes).collect(), total, next })
        }
        Answer::Handle(_)
        | Answer::NamedHandle(..)
        | Answer::ApiKeys(_)
        | Answer::NewApiKey(..)
        | Answer::Group(_)
        | Answer::Groups(_)
        | Answer::Memberships(_)
        | Answer::Home(_)
        | Answer::Shells(_)
        | Answer::Created(_)
        | Answer::KeyAcceptable(_)
        | Answer::Decision(_)
        | Answer::Watching
        | Answer::Resumed(_)
        | Answer::Keys(_)
        | Answer::Resolved(_)
        | Answer::System(_)
        | Answer::Checked(_)
        | Answer::Repaired(_)
        | Answer::Ended(_)
        | Answer::Audit(_)
        | Answer::AuditVerdict(_)
        | Answer::Bans(_)
        | Answer::Job(_)
        | Answer::Jobs(_)
        | Answer::Metrics(_)
        | Answer::Policy(_)
        | Answer::Connections(_)
        | Answer::QuotaReport(_)
        | Answer::QuotaReports(_)
        | Answer::QuotaFileSystems(_)
        | Answer::QuotaScans(_)
        | Answer::Quota(_)
        | Answer::Repositories(_)
        | Answer::Repository(_)
        | Answer::Grantee(_)
        // For login only.
        | Answer::PullOrder(_)
        | Answer::PamBeginning(_)
        // For administrators only.
        | Answer::Backup(_)
        | Answer::TwoFactor(_)
        | Answer::Enrolment(_)
        | Answer::RecoveryCodes(_)
        | Answer::Token(_)
        | Answer::Dialects(_)
        | Answer::SshKeys(_)
        | Answer::SshKey(_)
        | Answer::Done => answer,
    }
}
