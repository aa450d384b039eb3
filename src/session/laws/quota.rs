//! Laws of the ledger: whatever a client does, what is stored is what was leased.

use accountd_protocol::login::LinkOrder;
use accountd_protocol::session_policy::Uploads;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use accountd_protocol::frame::{self, QUOTA_CAP};
use accountd_protocol::quota::{QuotaAnswer, QuotaBackend, QuotaExceeded, QuotaLimits, QuotaRequest, QuotaUse};

use super::{Ground, input};
use crate::limits::Limits;
use crate::quota::{Quota, Relay};
use crate::record::Record;
use crate::{scp, sftp};

/// One session of SFTP.
pub fn sftp_quota(wire: &[u8], uploads: Uploads, limit: QuotaUse) {
    holds(limit, |ground, limits| {
        let (tree, record, links) = (ground.tree(), Record::default(), LinkOrder::TargetFirst);
        let settings = sftp::Settings { tree, links, uploads, record, limits };
        // It ends as it ends; what is stored is what counts.
        let _ = sftp::serve(settings, input(&[&super::sftp::GREETING, wire].concat()), input(&[]));
    });
}

/// One sink of scp.
pub fn scp_quota(wire: &[u8], uploads: Uploads, limit: QuotaUse) {
    holds(limit, |ground, limits| {
        let settings = scp::Settings { tree: ground.tree(), uploads, record: Record::default(), limits };
        let words = ["-r", "-p", "-t", "/"].map(|word| word.as_bytes().to_vec());
        scp::serve(settings, &words, input(wire), input(&[]));
    });
}

/// What is stored at the end is what the ledger has, and never more than the limit or what there was.
fn holds(limit: QuotaUse, act: impl FnOnce(&Ground, Limits)) {
    let ground = Ground::new();
    let before = stored(&ground.path("root"));
    let (ours, theirs) = UnixStream::pair().unwrap_or_else(|error| panic!("{error}"));
    let agent = std::thread::spawn(move || Agent { limit, taken: before }.serve(ours));
    let relay = Relay::from(OwnedFd::from(theirs));
    let Ok(quota) = Quota::of(relay, QuotaBackend::Ledger, &ground.tree()) else { panic!("there is no root") };
    act(&ground, Limits { quota, ..Limits::default() });
    let Ok(taken) = agent.join() else { panic!("the agent has failed") };
    let after = stored(&ground.path("root"));
    assert_eq!(after, taken, "what is stored, and what the ledger has");
    assert!(after.bytes <= limit.bytes.max(before.bytes), "{after:?} of {limit:?}");
    assert!(after.files <= limit.files.max(before.files), "{after:?} of {limit:?}");
    ground.is_untouched();
}

/// Each file once, whatever names it has.
fn stored(root: &Path) -> QuotaUse {
    let (mut found, mut paths) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(path) = paths.pop() {
        let Ok(status) = fs::symlink_metadata(&path) else { panic!("{} has gone", path.display()) };
        if status.is_dir() {
            paths.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if status.is_file() {
            found.insert(status.ino(), status.size());
        }
    }
    QuotaUse { bytes: found.values().sum(), files: found.len() as u64 }
}

/// Leases what there is, and believes what it is told.
struct Agent {
    limit: QuotaUse,
    /// Used, or leased to be used.
    taken: QuotaUse,
}

impl Agent {
    /// Gives what is used when the session has gone.
    fn serve(mut self, mut session: UnixStream) -> QuotaUse {
        while let Ok(Some(request)) = frame::read(&mut session, QUOTA_CAP) {
            let written = frame::write(&mut session, &self.answer(request), QUOTA_CAP);
            assert!(written.is_ok(), "{written:?}");
        }
        self.taken
    }

    fn answer(&mut self, request: QuotaRequest) -> QuotaAnswer {
        let Self { limit, taken } = *self;
        match request {
            QuotaRequest::Lease(wanted) => {
                if wanted.bytes > limit.bytes.saturating_sub(taken.bytes) && wanted.bytes > 0 {
                    return QuotaAnswer::Exceeded(QuotaExceeded::Bytes(limit.bytes));
                }
                if wanted.files > limit.files.saturating_sub(taken.files) && wanted.files > 0 {
                    return QuotaAnswer::Exceeded(QuotaExceeded::Files(limit.files));
                }
                self.taken.bytes += wanted.bytes;
                self.taken.files += wanted.files;
                QuotaAnswer::Leased(wanted)
            }
            QuotaRequest::Return { unused, freed } => {
                self.taken.bytes -= unused.bytes + freed.bytes;
                self.taken.files -= unused.files + freed.files;
                QuotaAnswer::Taken
            }
            QuotaRequest::Use => {
                let limits = QuotaLimits { bytes: Some(limit.bytes), files: Some(limit.files), ..Default::default() };
                QuotaAnswer::Use { limits, used: taken }
            }
        }
    }
}
