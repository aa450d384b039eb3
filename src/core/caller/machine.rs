//! The machine: its shells and rules, and what is wrong with its accounts.

use accountd_protocol::agent::{Operation, System};
use accountd_protocol::checks::{CheckReport, CheckedHomes, RepairOrder, RepairReport};
use accountd_protocol::policy::{Policy, PolicyChange};
use accountd_protocol::precondition::Precondition;

use super::{Caller, open};
use crate::error::Error;

impl Caller {
    /// The login shells that an account may have.
    pub async fn shells(&self) -> Result<Vec<String>, Error> {
        open!(self.operate(Operation::ListShells).await?, Shells)
    }

    pub async fn system(&self) -> Result<System, Error> {
        open!(self.operate(Operation::GetSystem).await?, System)
    }

    /// The rules for passwords.
    pub async fn policy(&self) -> Result<Policy, Error> {
        open!(self.operate(Operation::GetPolicy).await?, Policy)
    }

    pub async fn set_policy(&self, change: PolicyChange, only_if: Precondition) -> Result<Policy, Error> {
        open!(self.operate(Operation::SetPolicy { change, only_if }).await?, Policy)
    }

    /// What is wrong with the accounts; changes nothing.
    pub async fn check(&self, homes: CheckedHomes) -> Result<CheckReport, Error> {
        open!(self.operate(Operation::Check { homes }).await?, Checked)
    }

    /// Repairs what a check has shown, as far as it was chosen.
    pub async fn repair_checks(&self, order: RepairOrder) -> Result<RepairReport, Error> {
        open!(self.operate(Operation::RepairChecks(order)).await?, Repaired)
    }
}
