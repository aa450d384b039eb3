//! Sessions that go on over a restart of the agent, or of login's connection to it: login says whom it
//! has let in before, and hears which of these accounts are not what they were.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use accountd_protocol::refusal::Refusal;
use accountd_protocol::resume::{LetIn, Resumed, Resumption};
use tracing::info;

use crate::agent::Agent;
use crate::database::View;
use crate::quota::Of;

/// The sessions with leases that login has named last.
#[derive(Debug, Default)]
pub struct LastResumption(Mutex<Named>);

#[derive(Debug, Default)]
struct Named {
    /// The last watcher that there was then.
    watcher: u64,
    sessions: HashSet<Of>,
}

impl Agent {
    /// To be asked after the subscription: what changes between the two is heard there.
    pub(crate) fn resume(&self, Resumption { let_in, held }: &Resumption) -> Result<Resumed, Refusal> {
        let view = self.database.certain_view()?;
        let changed: Vec<LetIn> = let_in.iter().filter(|one| !stands(&view, one)).cloned().collect();
        let sessions = held.iter().map(|one| (one.account, one.session)).collect();
        let named = Named { watcher: self.revocations().latest(), sessions };
        *self.last_resumption.0.lock().unwrap_or_else(PoisonError::into_inner) = named;
        for one in held {
            self.quotas.session_resumed((one.account, one.session), one.kept, one.largest);
        }
        if !let_in.is_empty() {
            info!(
                accounts = let_in.len(),
                changed = changed.len(),
                "sessions of before go on, but those of changed accounts"
            );
        }
        Ok(Resumed { generation: view.generation(), changed })
    }

    /// Whether a later watcher than this one has said that a session goes on.
    pub(crate) fn goes_on(&self, watcher: u64, session: Of) -> bool {
        let named = self.last_resumption.0.lock().unwrap_or_else(PoisonError::into_inner);
        named.watcher > watcher && named.sessions.contains(&session)
    }
}

fn stands(view: &View, one: &LetIn) -> bool {
    view.user(one.account).is_some_and(|row| view.standing(row) == one.standing)
}
