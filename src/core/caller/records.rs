//! What has happened: the audit trail, bans and numbers.

use accountd_protocol::agent::Operation;
use accountd_protocol::audit::{AuditFilter, AuditPage, AuditVerdict};
use accountd_protocol::ban::{Ban, BanId};
use accountd_protocol::metrics::Metrics;

use super::{Caller, open};
use crate::error::Error;

impl Caller {
    /// One page of the audit trail, newest first.
    pub async fn audit(&self, filter: AuditFilter) -> Result<AuditPage, Error> {
        open!(self.operate(Operation::ListAudit(filter)).await?, Audit)
    }

    /// Follows the whole chain of the audit trail.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, Error> {
        open!(self.operate(Operation::VerifyAudit).await?, AuditVerdict)
    }

    /// Who is turned away now.
    pub async fn bans(&self) -> Result<Vec<Ban>, Error> {
        open!(self.operate(Operation::ListBans).await?, Bans)
    }

    pub async fn lift_ban(&self, id: BanId) -> Result<(), Error> {
        self.operate(Operation::LiftBan(id)).await.map(drop)
    }

    /// What all programs have counted.
    pub async fn metrics(&self) -> Result<Metrics, Error> {
        open!(self.operate(Operation::ShowMetrics).await?, Metrics).map(|metrics| *metrics)
    }
}
