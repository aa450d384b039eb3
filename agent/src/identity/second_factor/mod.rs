//! The second factor: codes of an authenticator (TOTP, RFC 6238) and recovery codes.

pub mod codes;
mod passes;
mod pending;
mod recovery;
mod uses;
pub mod vault;

use std::path::Path;

use accountd_protocol::secret::Secret;
use zeroize::Zeroizing;

use self::codes::Code;
pub use self::passes::{Passes, Shown};
pub use self::pending::Pending;
pub use self::recovery::NewCodes;
pub use self::uses::{Claimed, Uses};
use self::vault::{Place, Vault};
use crate::agent::Agent;
use crate::database::{CredentialWrite, FactorRow, FactorUse, Factors};

/// What all second factors share.
#[derive(Debug)]
pub struct SecondFactors {
    pub vault: Vault,
    pub pending: Pending,
    pub uses: Uses,
    pub passes: Passes,
}

/// What a code was worth.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeVerdict {
    Right,
    /// Wrong, used before, or nobody can tell.
    Wrong,
}

impl SecondFactors {
    pub fn new(store: &Path, stored: &[FactorUse]) -> Self {
        let (pending, passes) = (Pending::default(), Passes::default());
        Self { vault: Vault::beside(store), pending, uses: Uses::new(stored), passes }
    }

    /// Says in the log if the key file is not the one that was used before.
    pub fn look(&self, factors: &Factors) {
        if let Some(row) = factors.iter().next() {
            drop(self.secret(row));
        }
    }

    /// The secret of an authenticator. Where it can't be had, the log says why.
    fn secret(&self, row: &FactorRow) -> Option<Zeroizing<Vec<u8>>> {
        let place = Place { account: row.account, enrolment: row.enrolment };
        match self.vault.open(place, &row.sealed) {
            Ok(secret) => Some(secret),
            Err(error) => {
                tracing::error!(%error, account = row.account.0, "a code of an authenticator can not be verified");
                None
            }
        }
    }
}

impl Agent {
    /// Uses a code up. It is stored as used before anybody hears that it was right: whatever happens then, nobody
    /// gets in by it again.
    pub(crate) fn use_code(&self, row: &FactorRow, code: &Secret, now: u64) -> CodeVerdict {
        let Some(claimed) = self.claim_code(row, code, now) else { return CodeVerdict::Wrong };
        let used = match claimed {
            Claimed::Step(used) | Claimed::Recovery(used) => used,
        };
        if let Err(refusal) = self.database.credential_store().write(CredentialWrite::Use(used)) {
            tracing::error!(%refusal, account = row.account.0, "a code is not taken: it can not be stored that it was used");
            return CodeVerdict::Wrong;
        }
        match claimed {
            Claimed::Step(_) => CodeVerdict::Right,
            Claimed::Recovery(_) => {
                // An older state of the store must not have it unused again.
                self.database.keep_good_copy_now();
                self.record_recovery(row)
            }
        }
    }

    /// From here on nobody else has the code.
    fn claim_code(&self, row: &FactorRow, code: &Secret, now: u64) -> Option<Claimed> {
        match Code::read(code)? {
            Code::Authenticator(digits) => {
                let secret = self.second_factors.secret(row)?;
                let step = codes::step_of(&secret, &digits, now)?;
                self.second_factors.uses.claim_step(row, step)
            }
            Code::Recovery(code) => {
                let digest = code.digest(row.enrolment);
                let place = row.recovery.iter().position(|known| *known == digest)?;
                self.second_factors.uses.claim_recovery(row, place)
            }
        }
    }

    /// How many recovery codes of an enrolment have not been used.
    pub(crate) fn recovery_codes_left(&self, row: &FactorRow) -> u32 {
        let used = self.second_factors.uses.of(row).used.count_ones();
        u32::try_from(row.recovery.len()).unwrap_or(u32::MAX).saturating_sub(used)
    }
}
