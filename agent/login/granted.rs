//! For the tests: what an agent grants.

use std::collections::BTreeSet;

use accountd_protocol::agent::{Generation, Grant};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::limits::Limits;
use accountd_protocol::name::UserName;
use accountd_protocol::resume::Standing;
use accountd_protocol::session_policy::{Forwarding, Leftovers, ServiceKind, SessionPolicy, TerminalUse, Uploads};

/// All that a session may be, to nobody in particular.
pub fn grant() -> Grant {
    let policy = SessionPolicy {
        services: BTreeSet::from(ServiceKind::ALL),
        forced_command: None,
        terminal: TerminalUse::Allowed,
        forwarding: Forwarding::None,
        accept_environment: Vec::new(),
        environment: Vec::new(),
        leftovers: Leftovers::End,
        uploads: Uploads::InPlace,
        root: None,
        below: None,
        repositories: None,
        umask: 0o022,
    };
    Grant {
        account: AccountId(1),
        name: UserName::new("anna").unwrap(),
        uid: Uid(1000),
        gid: Gid(1000),
        groups: Vec::new(),
        home: b"/home/anna".to_vec(),
        shell: b"/bin/bash".to_vec(),
        policy,
        limits: Limits::default(),
        quota: None,
        fronts: Vec::new(),
        generation: Generation(1),
        standing: Standing::default(),
        pam: None,
    }
}
