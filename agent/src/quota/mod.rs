//! How much accounts store, and how much they may.

use std::path::Path;

use accountd_protocol::agent::{Page, QuotaEnd, Window};
use accountd_protocol::audit::Actor;
use accountd_protocol::id::AccountId;
use accountd_protocol::quota::{QuotaAnswer, QuotaBackend, QuotaFileSystem, QuotaReport, QuotaRequest, QuotaScan};
use accountd_protocol::refusal::Refusal;

use crate::agent::Agent;

/// Every back end, and what is counted in the ledger.
#[derive(Debug)]
pub struct Quotas {}

impl Quotas {
    pub fn start(_root: &Path) -> Self {
        Self {}
    }

    /// Who counts what is in a home.
    pub fn backend_of(&self, _home: &Path) -> QuotaBackend {
        QuotaBackend::Ledger
    }

    pub fn answer(&self, _of: (AccountId, u64), _request: QuotaRequest) -> Result<QuotaAnswer, Refusal> {
        Err(Refusal::NotFound)
    }

    pub fn session_ended(&self, _of: (AccountId, u64), _how: QuotaEnd) {}

    pub fn file_systems(&self) -> Vec<QuotaFileSystem> {
        Vec::new()
    }
}

impl Agent {
    pub(crate) fn get_quota(&self, _id: AccountId) -> Result<QuotaReport, Refusal> {
        Err(Refusal::NotFound)
    }

    pub(crate) fn list_quotas(&self, _window: &Window) -> Result<Page<QuotaReport>, Refusal> {
        Err(Refusal::NotFound)
    }

    pub(crate) fn start_scan(&self, _by: &Actor, _id: AccountId) -> Result<(), Refusal> {
        Err(Refusal::NotFound)
    }

    pub(crate) fn list_scans(&self) -> Vec<QuotaScan> {
        Vec::new()
    }

    pub(crate) fn cancel_scan(&self, _id: AccountId) -> Result<(), Refusal> {
        Err(Refusal::NotFound)
    }
}
