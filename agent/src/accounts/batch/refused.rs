//! The records of items that were refused while others were done. Each has its own, as a request of its own
//! would have; of very many the rest is one record, so that a bad list does not fill the trail.

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, Outcome};
use accountd_protocol::refusal::Refusal;

use super::item::Asked;
use crate::agent::Agent;
use crate::audit;

/// So many have a record of their own.
const MOST: usize = 100;
/// The longest list of the rest, in characters.
const LONGEST: usize = 300;

impl Agent {
    /// `refused` are in the order of the request, with their places in it.
    pub(super) fn record_refused_items(&self, by: &Actor, refused: &[(usize, &Asked, &Refusal)]) {
        let events = records(by, refused);
        if events.is_empty() {
            return;
        }
        if let Err(refusal) = self.database.record(events) {
            tracing::error!(%refusal, "the refused items of a batch are not recorded; what was done is");
        }
    }
}

fn records(by: &Actor, refused: &[(usize, &Asked, &Refusal)]) -> Vec<AuditEvent> {
    let (own, rest) = refused.split_at(refused.len().min(MOST));
    let own = own.iter().map(|(_, Asked { action, target }, refusal)| AuditEvent {
        outcome: Outcome::Refused(audit::reason(refusal)),
        ..AuditEvent::done(by.clone(), *action, Some(target.clone()), Vec::new())
    });
    let rest = (!rest.is_empty()).then(|| AuditEvent {
        outcome: Outcome::Refused(summary(rest)),
        ..AuditEvent::done(by.clone(), AuditAction::Batch, None, Vec::new())
    });
    own.chain(rest).collect()
}

/// How many, and the first of their names.
fn summary(rest: &[(usize, &Asked, &Refusal)]) -> String {
    let names = rest.iter().take(LONGEST).map(|(index, asked, _)| format!("item {index} {}", asked.target.name));
    audit::shown(&format!("{} more items: {}", rest.len(), names.collect::<Vec<_>>().join(", ")), LONGEST)
}

#[cfg(test)]
mod tests {
    use accountd_protocol::audit::{Target, TargetKind};
    use accountd_protocol::id::AccountId;

    use super::*;

    #[test]
    fn of_very_many_the_first_have_a_record_each_and_the_rest_is_counted() {
        let target =
            |number: u64| Target { kind: TargetKind::User, id: Some(AccountId(number)), name: format!("u{number}") };
        let asked: Vec<Asked> =
            (0..10_000).map(|number| Asked { action: AuditAction::UpdateUser, target: target(number) }).collect();
        let refused: Vec<_> =
            asked.iter().enumerate().map(|(index, asked)| (index, asked, &Refusal::Changed)).collect();
        let records = records(&Actor::Agent, &refused);
        assert_eq!(records.len(), MOST + 1);
        assert_eq!((records[99].action, &records[99].target), (AuditAction::UpdateUser, &Some(target(99))));
        assert_eq!(records[99].outcome, Outcome::Refused("the account has changed".into()));
        let Outcome::Refused(said) = &records[100].outcome else { panic!("{:?}", records[100]) };
        assert!(said.starts_with("9900 more items: item 100 u100, item 101 u101, ") && said.ends_with('…'), "{said}");
        assert_eq!((records[100].action, &records[100].target), (AuditAction::Batch, &None));
    }
}
