//! The rules for passwords: the configuration's, and over them those that were set over REST.

use accountd_config::{PasswordPolicy, Passwords};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::policy::{PasswordRule, Policy, PolicyChange, RuleSource};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Refusal};

use super::check::Faults;
use super::state::{admits, tag_of};
use crate::agent::Agent;
use crate::database::{Purpose, View};

impl Agent {
    /// The policy that counts now.
    pub(crate) fn password_policy(&self, view: &View) -> PasswordPolicy {
        view.password_rules().over(&self.config().passwords).policy()
    }

    pub(crate) fn get_policy(&self) -> Result<Policy, Refusal> {
        Ok(shown(&self.config().passwords, self.database.certain_view()?.password_rules()))
    }

    pub(crate) fn set_policy(
        &self,
        by: &Actor,
        change: PolicyChange,
        only_if: Precondition,
    ) -> Result<Policy, Refusal> {
        let purpose = Purpose { actor: by.clone(), action: AuditAction::SetPolicy, user: None };
        let file = self.config().passwords.clone();
        let (policy, _) = self.change(purpose, move |draft| {
            let present = draft.password_rules();
            admits(&only_if, || Some(shown(&file, present).tag))?;
            let new = changed(present, &change);
            let mut faults = Faults::default();
            for (rule, problem) in new.over(&file).problems() {
                faults.add(Field::Rule(rule), problem);
            }
            faults.none()?;
            draft.set_password_rules(new);
            Ok(shown(&file, draft.password_rules()))
        })?;
        Ok(policy)
    }
}

fn changed(present: &Passwords, change: &PolicyChange) -> Passwords {
    let mut rules = present.rules().clone();
    for (rule, value) in change {
        match value {
            Some(value) => rules.insert(*rule, *value),
            None => rules.remove(rule),
        };
    }
    Passwords::new(rules)
}

fn shown(file: &Passwords, api: &Passwords) -> Policy {
    let all = api.over(file);
    let source = |rule| match () {
        () if api.is_set(rule) => RuleSource::Api,
        () if file.is_set(rule) => RuleSource::File,
        () => RuleSource::Default,
    };
    let password = PasswordRule::ALL.map(|rule| (rule, (all.value(rule), source(rule)))).into();
    let tag = tag_of(&password);
    Policy { password, tag }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_from_where_it_was_set_last_and_goes_back_to_where_it_was() {
        let file = Passwords::new([(PasswordRule::MinLength, 8)].into());
        let set = changed(&Passwords::default(), &[(PasswordRule::MinLength, Some(12))].into());
        let policy = shown(&file, &set);
        assert_eq!(policy.password[&PasswordRule::MinLength], (12, RuleSource::Api));
        assert_eq!(policy.password[&PasswordRule::WarnDays], (7, RuleSource::Default));
        let back = shown(&file, &changed(&set, &[(PasswordRule::MinLength, None)].into()));
        assert_eq!(back.password[&PasswordRule::MinLength], (8, RuleSource::File));
        assert_ne!(back.tag, policy.tag);
        assert_eq!(back.tag, shown(&file, &Passwords::default()).tag);
    }
}
