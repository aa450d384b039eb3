//! What goes on while the agent can't be heard, and from one agent to the next.

use std::collections::BTreeSet;

use accountd_protocol::resume::{Held, Resumed, Resumption};

use super::{Basis, Inner, Registry};
use crate::word::Farewell;

impl Registry {
    /// Revocations may be missed: nothing starts. Whether they were heard until now.
    pub fn pause(&self) -> bool {
        self.lock().period.take().is_some()
    }

    /// Who is let in. Nobody else comes in before [`Self::resume`].
    pub fn resumption(&self) -> Resumption {
        let inner = self.lock();
        let let_in: BTreeSet<_> = inner.bases().map(Basis::let_in).collect();
        let held = inner.sessions.iter().filter_map(|(number, entry)| {
            let (kept, largest) = entry.leases.as_ref()?.held();
            Some(Held { account: entry.basis.account, session: *number, kept, largest })
        });
        Resumption { let_in: let_in.into_iter().collect(), held: held.collect() }
    }

    /// Revocations are heard from here on. Whoever has not changed goes on by a decision of now.
    pub fn resume(&self, Resumed { generation, changed }: &Resumed) {
        let mut inner = self.lock();
        inner.periods += 1;
        let period = inner.periods;
        inner.period = Some(period);
        inner.revoked.clear();
        let is_void = |basis: &Basis| changed.contains(&basis.let_in());
        inner.end(Farewell::Revoked, |entry| is_void(&entry.basis));
        for entry in inner.sessions.values_mut().filter(|entry| !is_void(&entry.basis)) {
            entry.basis.generation = *generation;
        }
        for one in inner.connections.values_mut().filter(|one| !is_void(&one.basis)) {
            (one.basis.generation, one.period) = (*generation, period);
        }
        drop(self.hang_up(inner, is_void));
        self.changed.notify_all();
    }
}

impl Inner {
    fn bases(&self) -> impl Iterator<Item = &Basis> {
        let sessions = self.sessions.values().map(|entry| &entry.basis);
        sessions.chain(self.connections.values().map(|one| &one.basis))
    }
}
