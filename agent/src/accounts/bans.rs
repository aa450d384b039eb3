//! Bans as they are shown, lifted and recorded.

use std::sync::Arc;
use std::time::Instant;

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange, Target, TargetKind};
use accountd_protocol::ban::{Ban, BanId, Banned};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use tracing::{info, warn};

use crate::agent::{Agent, now};
use crate::error::Error;
use crate::identity::bans::{BanEvent, EventKind, Object, Standing};

impl Agent {
    pub(crate) fn list_bans(&self) -> Vec<Ban> {
        let (instant, seconds) = (Instant::now(), now());
        let bans = self.bans.list(instant);
        bans.into_iter().filter_map(|ban| self.shown_ban(ban, (instant, seconds))).collect()
    }

    /// Recorded before it is done.
    pub(crate) fn lift_ban(&self, by: &Actor, id: BanId) -> Result<(), Refusal> {
        let ban = self.list_bans().into_iter().find(|ban| ban.id == id).ok_or(Refusal::NotFound)?;
        self.database.record(vec![event(by.clone(), AuditAction::LiftBan, ban)])?;
        self.bans.lift(id).map(drop).ok_or(Refusal::NotFound)
    }

    /// Starts what records that bans begin and end.
    pub fn start_ban_records(self: &Arc<Self>) -> Result<(), Error> {
        let agent = self.clone();
        let named = std::thread::Builder::new().name("bans".into());
        let serve = move || {
            loop {
                agent.bans.wait().into_iter().for_each(|event| agent.record_ban(event));
            }
        };
        named.spawn(serve).map(drop).map_err(Error::Bans)
    }

    fn record_ban(&self, BanEvent { kind, ban }: BanEvent) {
        let Some(ban) = self.shown_ban(ban, (Instant::now(), now())) else { return };
        let action = match kind {
            EventKind::Began => {
                warn!(of = ban.of.to_string(), "too many wrong passwords: a ban begins");
                AuditAction::BeginBan
            }
            EventKind::Ended => {
                info!(of = ban.of.to_string(), "a ban ends");
                AuditAction::EndBan
            }
        };
        self.clerk.done(event(Actor::Agent, action, ban));
    }

    /// With times of the clock. `None` for a name of no account.
    fn shown_ban(&self, ban: Standing, (instant, seconds): (Instant, u64)) -> Option<Ban> {
        let of = match ban.object {
            Object::Source(source) => Banned::Source(source.to_string()),
            Object::Account(id) => Banned::Account { id, name: self.name_of(id) },
            Object::Nobody(_) => return None,
        };
        let since = seconds.saturating_sub(instant.saturating_duration_since(ban.since).as_secs());
        Some(Ban { id: ban.id, of, since, until: since + ban.until.saturating_duration_since(ban.since).as_secs() })
    }

    fn name_of(&self, id: AccountId) -> String {
        self.database.known_view().user(id).map(|row| row.name.clone()).unwrap_or_default()
    }
}

fn event(actor: Actor, action: AuditAction, ban: Ban) -> AuditEvent {
    let (target, source) = match ban.of {
        Banned::Source(source) => (None, Some(source)),
        Banned::Account { id, name } => (Some(Target { kind: TargetKind::User, id: Some(id), name }), None),
    };
    let mut changes: Vec<FieldChange> =
        source.into_iter().map(|source| FieldChange::new("source", None, Some(source.into()))).collect();
    changes.push(FieldChange::new("ban", None, Some(ban.id.0.to_string().into())));
    AuditEvent::done(actor, action, target, changes)
}
