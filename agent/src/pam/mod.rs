//! What `pam_accountd.so` asks: logins of other programs are decided as those over SSH are, what they write is followed,
//! and their sessions are kept here.
//!
//! `server` has the socket that everybody may connect to, `peers` what each of them may; `decide`, `password` and
//! `sessions` answer.

mod decide;
mod leader;
mod password;
mod peers;
mod records;
mod server;
mod sessions;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use accountd_protocol::id::{AccountId, Uid, never_an_id};
use accountd_protocol::pam_module::{PamAnswer, PamQuestion, PamRequest};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::socket::Peer;
use tracing::{error, warn};

pub use self::password::Begun;
pub use self::server::{listen, serve};
pub use self::sessions::{PamSessions, Which};
use crate::agent::Agent;
use crate::database::View;
use crate::database::entry::ids;
use crate::database::{FileKind, UserRow};

/// Accounts below this uid are the system's (login.defs(5), UID_MIN): services run as them, locked as they are.
const FIRST_ORDINARY: u32 = 1000;

/// Stands for an address where somebody is on this machine itself.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// The same for somebody who comes from a host of which only a name is known.
const SOMEWHERE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Whose login it is.
enum Whose {
    Account(UserRow),
    /// Root's, or the system's.
    System,
    Nobody,
}

impl Whose {
    fn find(view: &View, user: &str) -> Self {
        let Some((uid, _)) = view.line(FileKind::Passwd, user).and_then(ids) else { return Whose::Nobody };
        let is_ordinary = uid >= FIRST_ORDINARY && !never_an_id(uid);
        match view.user_named(user) {
            Some(row) if is_ordinary && row.uid == Uid(uid) => Whose::Account(row.clone()),
            Some(_) | None => Whose::System,
        }
    }
}

/// A question about an account that accountd decides about.
struct Asked<'a> {
    peer: Peer,
    account: AccountId,
    uid: Uid,
    source: IpAddr,
    request: &'a PamRequest,
}

impl Asked<'_> {
    fn user(&self) -> &str {
        &self.request.user
    }

    /// For the audit trail.
    fn address(&self) -> Option<IpAddr> {
        Some(self.source).filter(|source| !source.is_unspecified())
    }
}

impl Agent {
    /// To be called for a peer who may ask this, as far as that depends on the question.
    fn answer_pam(&self, peer: Peer, request: &PamRequest) -> PamAnswer {
        if self.is_of_own_login(peer, request) {
            return PamAnswer::NotManaged;
        }
        let view = match self.database.certain_view() {
            Ok(view) => view,
            Err(refusal) => return failed(request, &refusal),
        };
        let row = match Whose::find(&view, &request.user) {
            Whose::Account(row) => row,
            Whose::System => return PamAnswer::NotManaged,
            Whose::Nobody => return PamAnswer::Unknown,
        };
        if peer.uid != Uid::ROOT && peer.uid != row.uid {
            warn!(uid = peer.uid.0, user = request.user, "a program asked for somebody else than its own user");
            return PamAnswer::NotPermitted;
        }
        if self.is_service(&view, row.uid) {
            return PamAnswer::NotManaged;
        }
        drop(view);
        let asked = Asked { peer, account: row.id, uid: row.uid, source: source(peer, request), request };
        let answer = match &request.question {
            PamQuestion::Authenticate { password, code } => self.pam_authenticate(&asked, password, code.as_ref()),
            PamQuestion::CheckAccount => self.pam_check(&asked),
            PamQuestion::BeginPassword => Ok(self.pam_begin_password(&asked)),
            PamQuestion::FollowPassword { password } => self.pam_follow_password(&asked, password),
            PamQuestion::OpenSession => self.pam_open_session(&asked),
            PamQuestion::CloseSession => Ok(self.pam_close_session(&asked)),
        };
        answer.unwrap_or_else(|refusal| failed(request, &refusal))
    }
}

impl Agent {
    /// Whether accountd-login asks, going through PAM itself: it has its own way to be answered all this, and a code would
    /// be asked for twice.
    fn is_of_own_login(&self, peer: Peer, request: &PamRequest) -> bool {
        let is_answered_there = match request.question {
            PamQuestion::Authenticate { .. }
            | PamQuestion::CheckAccount
            | PamQuestion::OpenSession
            | PamQuestion::CloseSession => true,
            PamQuestion::BeginPassword | PamQuestion::FollowPassword { .. } => false,
        };
        let service = self.config().login.pam();
        is_answered_there && peer.uid == Uid::ROOT && service.is_some_and(|own| own.name == request.service)
    }
}

fn failed(request: &PamRequest, refusal: &Refusal) -> PamAnswer {
    error!(user = request.user, service = request.service, %refusal, "a question of PAM is not answered");
    PamAnswer::Failed
}

/// From where the user comes. What a program that is not root's says of that is not believed.
fn source(peer: Peer, request: &PamRequest) -> IpAddr {
    match request.host.as_deref().filter(|host| !host.is_empty() && peer.uid == Uid::ROOT) {
        None => HERE,
        // With a zone behind it, where it is a link's (RFC 4007 §11).
        Some(host) => host.split('%').next().and_then(|host| host.parse().ok()).unwrap_or(SOMEWHERE),
    }
}
