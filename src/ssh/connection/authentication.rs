//! Who a client is (RFC 4252): asked of login, and counted.

use std::time::Duration;

use accountd_protocol::login::{Admission, Admitted, Proof, Turn};
use accountd_protocol::metrics::{SshMethod, SshResult};
use russh::server::Auth;
use tracing::warn;

use super::{Connection, SignedKey};
use crate::algorithms;
use crate::dialogue::{Dialogue, Next};
use crate::error::Error;
use crate::login::Login;

const MAX_USER_BYTES: usize = 255;

impl Connection {
    /// One proof, without any question. A password that is too old, or not enough, is none here: russh can't
    /// ask for more (RFC 4252 §8), but in a dialogue. Behind a key there is one.
    pub(super) async fn prove(&mut self, user: &str, proof: Proof) -> Auth {
        self.dialogue = None;
        let method = match &proof {
            Proof::Password(_) | Proof::PasswordChange { .. } => SshMethod::Password,
            Proof::PasswordAndCode { .. } => SshMethod::KeyboardInteractive,
            Proof::PublicKey(_) | Proof::PublicKeyAndCode { .. } => SshMethod::Publickey,
        };
        let key = if let Proof::PublicKey(blob) = &proof { Some(blob.clone()) } else { None };
        match (self.admission(user, proof, method).await, key) {
            (Admission::Granted(_), _) => Auth::Accept,
            (Admission::CodeRequired, Some(blob)) => {
                self.signed = Some(SignedKey { user: user.to_owned(), blob });
                more_is_asked()
            }
            // Login knows for whom it asks what.
            (Admission::MoreAsked, _) => more_is_asked(),
            (
                Admission::Refused | Admission::PasswordExpired | Admission::NotChanged(_) | Admission::CodeRequired,
                _,
            ) => refused(),
        }
    }

    /// Whoever has signed with a key that is not enough is asked for the code alone.
    pub(super) fn first_question(&self, user: &str) -> Next {
        match &self.signed {
            Some(signed) if signed.user == user => Next::Ask(Dialogue::begin_behind_key(user, signed.blob.clone())),
            Some(_) | None => Next::Lead,
        }
    }

    async fn admission(&mut self, user: &str, proof: Proof, method: SshMethod) -> Admission {
        let asked = self.ask((user, method), async |login| {
            let admission = login.authenticate(user, proof).await?;
            Ok((Some(counted(&admission)), admission))
        });
        let admission = asked.await.unwrap_or(Admission::Refused);
        if let Admission::Granted(admitted) = &admission {
            self.let_in(admitted);
        }
        admission
    }

    fn let_in(&mut self, admitted: &Admitted) {
        self.terminal_use = admitted.terminal;
        self.shared.pace = self.paces.of(admitted);
        if let Some(idle) = admitted.idle {
            self.shared.line.limit_idle(Duration::from_secs(idle.into()));
        }
        self.shared.line.set_authenticated();
        self.pass = None;
    }

    /// What login asks next. `None`: nobody can be asked.
    async fn turn(
        &mut self,
        user: &str,
        question: impl AsyncFnOnce(&mut Login) -> Result<Turn, Error>,
    ) -> Option<Turn> {
        let asked = self.ask((user, SshMethod::KeyboardInteractive), async |login| {
            let turn = question(login).await?;
            let result = if let Turn::Over(admission) = &turn { Some(counted(admission)) } else { None };
            Ok((result, turn))
        });
        let turn = asked.await;
        if let Some(Turn::Over(Admission::Granted(admitted))) = &turn {
            self.let_in(admitted);
        }
        turn
    }

    /// Whether a key is worth a signature.
    pub(super) async fn offer(&mut self, user: &str, key: Vec<u8>) -> Auth {
        let asked = self.ask((user, SshMethod::PublickeyOffer), async |login| {
            let acceptable = login.key_acceptable(user, key).await?;
            Ok((Some(if acceptable { SshResult::Granted } else { SshResult::Refused }), acceptable))
        });
        if asked.await.unwrap_or(false) { Auth::Accept } else { refused() }
    }

    /// Asks login about a user, and counts what it says where that is an end. `None` is no: there is nobody of such a name, or nobody
    /// to ask; the next attempt asks anew.
    async fn ask<A>(
        &mut self,
        (user, method): (&str, SshMethod),
        question: impl AsyncFnOnce(&mut Login) -> Result<(Option<SshResult>, A), Error>,
    ) -> Option<A> {
        if user.len() > MAX_USER_BYTES {
            self.count(method, SshResult::Refused);
            return None;
        }
        let line = self.shared.line.clone();
        let result = match self.login().await {
            // Modules of PAM may take long: to a client that has gone, nothing has to be answered.
            Ok(login) => tokio::select! {
                answered = question(login) => answered,
                () = line.until_gone() => Err(Error::ClientGone),
            },
            Err(error) => Err(error),
        };
        match result {
            Ok((result, answer)) => {
                result.into_iter().for_each(|result| self.count(method, result));
                Some(answer)
            }
            Err(error) => {
                warn!(%error, "logins can not be decided; refused");
                self.login = None;
                self.count(method, SshResult::Undecided);
                None
            }
        }
    }

    fn count(&self, method: SshMethod, result: SshResult) {
        self.shared.counters.authentications.one((method, result));
    }

    /// Goes on with a dialogue; what it ends with is the answer.
    pub(super) async fn go_on(&mut self, user: &str, mut next: Next) -> Auth {
        loop {
            next = match next {
                Next::Prove(dialogue, proof) => {
                    dialogue.heard(self.admission(user, proof, SshMethod::KeyboardInteractive).await)
                }
                // With nobody to ask, everybody is asked for a password, which is good for nothing.
                Next::Lead => {
                    let turn = self.turn(user, async |login| login.converse(user).await).await;
                    Dialogue::led(user, turn.unwrap_or(Turn::Yours))
                }
                Next::Respond(answers) => match self.turn(user, async |login| login.respond(answers).await).await {
                    Some(turn) => Dialogue::led(user, turn),
                    None => Next::Refused,
                },
                Next::Ask(dialogue) => {
                    let question = dialogue.question();
                    self.dialogue = Some(dialogue);
                    return question;
                }
                Next::Granted => return Auth::Accept,
                Next::Refused => return refused(),
            };
        }
    }
}

fn counted(admission: &Admission) -> SshResult {
    match admission {
        Admission::Granted(_) => SshResult::Granted,
        Admission::Refused => SshResult::Refused,
        Admission::PasswordExpired => SshResult::PasswordExpired,
        Admission::NotChanged(_) => SshResult::PasswordNotChanged,
        Admission::CodeRequired => SshResult::CodeRequired,
        // An account that has to get a new password before its key counts.
        Admission::MoreAsked => SshResult::PasswordExpired,
    }
}

/// What was shown is right, and the rest is asked for.
fn more_is_asked() -> Auth {
    Auth::Reject { proceed_with_methods: Some(algorithms::questions()), partial_success: true }
}

/// The next attempt may be of any method again; [`Auth::reject`] would take back the one that
/// has failed. How many there may be is the transport's to count.
pub(super) fn refused() -> Auth {
    Auth::Reject { proceed_with_methods: Some(algorithms::methods()), partial_success: false }
}
