//! What users store and may store.

use accountd_protocol::agent::{Operation, Page, Window};
use accountd_protocol::id::AccountId;
use accountd_protocol::quota::{QuotaFileSystem, QuotaReport, QuotaScan};

use super::{Caller, open};
use crate::error::Error;

impl Caller {
    pub async fn quota(&self, id: AccountId) -> Result<QuotaReport, Error> {
        open!(self.operate(Operation::GetQuota(id)).await?, QuotaReport).map(|report| *report)
    }

    /// Of all users that have one.
    pub async fn quotas(&self, window: Window) -> Result<Page<QuotaReport>, Error> {
        open!(self.operate(Operation::ListQuotas(window)).await?, QuotaReports)
    }

    pub async fn quota_file_systems(&self) -> Result<Vec<QuotaFileSystem>, Error> {
        open!(self.operate(Operation::ListQuotaFileSystems).await?, QuotaFileSystems)
    }

    pub async fn start_scan(&self, id: AccountId) -> Result<(), Error> {
        self.operate(Operation::StartScan(id)).await.map(drop)
    }

    pub async fn scans(&self) -> Result<Vec<QuotaScan>, Error> {
        open!(self.operate(Operation::ListScans).await?, QuotaScans)
    }

    pub async fn cancel_scan(&self, id: AccountId) -> Result<(), Error> {
        self.operate(Operation::CancelScan(id)).await.map(drop)
    }
}
