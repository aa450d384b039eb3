//! Quotas, file systems and scans as operations show them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use accountd_protocol::agent::{Page, Window};
use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, Target, TargetKind};
use accountd_protocol::id::AccountId;
use accountd_protocol::list::Position;
use accountd_protocol::quota::{QuotaBackend, QuotaFileSystem, QuotaReport, QuotaScan};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::text::FieldPath;
use tracing::warn;

use super::backend::{Subject, Usage};
use super::books::Books;
use super::holder::{Holder, has_quota};
use super::place::{Place, Places, open_nearest};
use super::scans::Added;
use crate::agent::Agent;
use crate::database::{FileKind, home_field};

impl Agent {
    pub(crate) fn get_quota(&self, id: AccountId) -> Result<QuotaReport, Refusal> {
        let holder = Holder::find(&self.database.view(), id).ok_or(Refusal::NotFound)?;
        Ok(self.quotas.books.report(&holder))
    }

    /// Of all accounts that have a quota, in the order of their ids.
    pub(crate) fn list_quotas(&self, window: &Window) -> Result<Page<QuotaReport>, Refusal> {
        let ids: BTreeSet<AccountId> = {
            let view = self.database.view();
            view.users().iter().filter(|row| has_quota(&view, row)).map(|row| row.id).collect()
        };
        let total = ids.len();
        let after = window.after.as_ref().map(|position| position.id);
        let mut rest = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after)).skip(window.offset);
        let part: Vec<AccountId> = rest.by_ref().take(window.limit).collect();
        let more = rest.next().and(part.last());
        let next = more.map(|id| Position { values: Vec::new(), id: *id });
        let holders: Vec<Holder> = {
            let view = self.database.known_view();
            part.iter().filter_map(|id| Holder::find(&view, *id)).collect()
        };
        Ok(Page { items: holders.iter().map(|holder| self.quotas.books.report(holder)).collect(), total, next })
    }

    /// Those in which homes lie, or may lie.
    pub(crate) fn list_quota_file_systems(&self) -> Vec<QuotaFileSystem> {
        let mut parents: BTreeSet<PathBuf> = self.homes.pools().into_iter().map(PathBuf::from).collect();
        {
            let view = self.database.view();
            let homes = view.file(FileKind::Passwd).entries().filter_map(|(_, line)| home_field(line));
            let homes = homes.filter_map(|home| FieldPath::new(std::str::from_utf8(home).ok()?).ok());
            let homes = homes.filter(|home| self.homes.is_in_pool(home));
            parents.extend(homes.filter_map(|home| PathBuf::from(home.as_str()).parent().map(PathBuf::from)));
        }
        self.quotas.books.file_systems(&parents)
    }

    /// Recorded before it is begun.
    pub(crate) fn start_scan(&self, by: &Actor, id: AccountId) -> Result<(), Refusal> {
        let name = self.scanned_name(id)?;
        if self.list_scans().iter().any(|scan| scan.account == id) {
            return Err(Refusal::ScanRunning);
        }
        self.record_scan(by, (id, &name))?;
        match self.quotas.books.begin_scan(id, &name) {
            Added::ByAnotherThread | Added::Waiting => Ok(()),
            Added::Present => Err(Refusal::ScanRunning),
        }
    }

    pub(crate) fn list_scans(&self) -> Vec<QuotaScan> {
        self.quotas.books.scans.list()
    }

    pub(crate) fn cancel_scan(&self, by: &Actor, id: AccountId) -> Result<(), Refusal> {
        let name = self.scanned_name(id)?;
        if !self.quotas.books.scans.cancel(id) {
            return Err(Refusal::NotFound);
        }
        self.record_scan(by, (id, &name))
    }

    fn scanned_name(&self, id: AccountId) -> Result<String, Refusal> {
        self.database.view().user(id).map(|row| row.name.clone()).ok_or(Refusal::NotFound)
    }

    fn record_scan(&self, by: &Actor, (id, name): (AccountId, &str)) -> Result<(), Refusal> {
        let target = Target { kind: TargetKind::User, id: Some(id), name: name.to_owned() };
        self.database.record(vec![AuditEvent::done(by.clone(), AuditAction::ScanQuota, Some(target), Vec::new())])
    }
}

impl Books {
    /// What can't be read counts as nothing, and is logged.
    fn report(&self, holder: &Holder) -> QuotaReport {
        let Holder { account, uid, limits, .. } = *holder;
        let (backend, usage) = match self.find(&holder.home) {
            Ok((home, place)) => {
                (place.backend, self.backend(place.backend).usage(Subject { account, uid, home: &home }))
            }
            Err(error) => (QuotaBackend::Ledger, Err(error)),
        };
        let Usage { used, bytes_grace, files_grace } = usage.unwrap_or_else(|error| {
            warn!(name = holder.name, %error, "it can not be read what an account uses");
            Usage::default()
        });
        let scanned = self.ledger.look(account).scanned();
        let name = holder.name.clone();
        QuotaReport { account, name, backend, limits, used, bytes_grace, files_grace, scanned }
    }

    /// Each once, by where it is mounted.
    fn file_systems(&self, directories: &BTreeSet<PathBuf>) -> Vec<QuotaFileSystem> {
        // Whoever asks may just have turned quotas on.
        let (mut all, places) = (BTreeMap::new(), Places::default());
        for directory in directories {
            let opened = open_nearest(&self.root, directory).and_then(|opened| places.of_file_system(&opened));
            let Ok(place) = opened else { continue };
            all.entry(place.mount.clone()).or_insert(place);
        }
        let shown = |(mount, place): (PathBuf, Place)| QuotaFileSystem {
            mount: mount.display().to_string(),
            kind: place.kind,
            backend: place.backend,
            reason: match self.failures_on(place.device) {
                Some(failed) => format!("{}; {failed}", place.reason),
                None => place.reason,
            },
        };
        all.into_iter().map(shown).collect()
    }
}
