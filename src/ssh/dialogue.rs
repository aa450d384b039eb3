//! keyboard-interactive (RFC 4256): the password; and where it is right but too old, a new one in its
//! place, as in the example of RFC 4256 §4.
//!
//! Until a password has been right, everybody is asked the same. Nothing is decided here.

use std::borrow::Cow;

use accountd_protocol::login::{Admission, Proof};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use bytes::Bytes;
use russh::server::Auth;

/// A question, and whether the answer may be seen as it is typed.
type Prompt = (Cow<'static, str>, bool);

const PASSWORD: &[Prompt] = &[(Cow::Borrowed("Password: "), false)];
const NEW_PASSWORD: &[Prompt] =
    &[(Cow::Borrowed("New password: "), false), (Cow::Borrowed("Retype new password: "), false)];
const TOO_OLD: &str = "Your password is too old and has to be changed.";
/// How often a new password is asked for.
const TRIES: u8 = 3;
/// No password is so long; a longer answer is not passed on.
const MAX_ANSWER_BYTES: usize = 4096;

/// What a client has been asked, and has said before.
#[derive(Debug)]
pub struct Dialogue {
    user: String,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Password,
    NewPassword {
        /// What was right at the first question.
        current: Secret,
        /// What the client is told with the question.
        why: String,
        tries_left: u8,
    },
}

/// What comes next in a dialogue.
#[derive(Debug)]
pub enum Next {
    Ask(Dialogue),
    /// To be decided; the dialogue goes on with what it was.
    Prove(Dialogue, Proof),
    Granted,
    Refused,
}

impl Dialogue {
    pub fn begin(user: &str) -> Self {
        Self { user: user.to_owned(), stage: Stage::Password }
    }

    /// Another name is another dialogue.
    pub fn is_with(&self, user: &str) -> bool {
        self.user == user
    }

    pub fn question(&self) -> Auth {
        let (why, prompts) = match &self.stage {
            Stage::Password => (Cow::Borrowed(""), PASSWORD),
            Stage::NewPassword { why, .. } => (Cow::Owned(why.clone()), NEW_PASSWORD),
        };
        Auth::Partial { name: Cow::Borrowed(""), instructions: why, prompts: Cow::Borrowed(prompts) }
    }

    /// One answer for each question, or the client does not keep to the protocol.
    pub fn answered(self, answers: &[Bytes]) -> Next {
        let Dialogue { user, stage } = self;
        match (stage, answers) {
            (Stage::Password, [password]) => {
                let Some(current) = text(password) else { return Next::Refused };
                let proof = Proof::Password(current.clone());
                let stage = Stage::NewPassword { current, why: TOO_OLD.to_owned(), tries_left: TRIES };
                Next::Prove(Dialogue { user, stage }, proof)
            }
            (Stage::NewPassword { current, why, tries_left }, [new, again]) => {
                let proof = text(new).map(|password| Proof::PasswordChange { current: current.clone(), password });
                let dialogue = Dialogue { user, stage: Stage::NewPassword { current, why, tries_left } };
                match proof {
                    _ if new != again => dialogue.ask_again("The two new passwords are not the same.".to_owned()),
                    None => dialogue.ask_again("The new password is too long or no text.".to_owned()),
                    Some(proof) => Next::Prove(dialogue, proof),
                }
            }
            (Stage::Password | Stage::NewPassword { .. }, _) => Next::Refused,
        }
    }

    /// What was decided on the proof.
    pub fn heard(self, admission: Admission) -> Next {
        match admission {
            Admission::Granted(_) => Next::Granted,
            Admission::Refused => Next::Refused,
            Admission::PasswordExpired => Next::Ask(self),
            Admission::NotChanged(refusal) => self.ask_again(words(&refusal)),
        }
    }

    fn ask_again(self, why: String) -> Next {
        match self.stage {
            Stage::NewPassword { current, tries_left, .. } if tries_left > 1 => {
                let stage = Stage::NewPassword { current, why, tries_left: tries_left - 1 };
                Next::Ask(Dialogue { stage, ..self })
            }
            Stage::Password | Stage::NewPassword { .. } => Next::Refused,
        }
    }
}

/// A password is UTF-8, as over REST.
fn text(answer: &Bytes) -> Option<Secret> {
    if answer.len() > MAX_ANSWER_BYTES {
        return None;
    }
    std::str::from_utf8(answer).ok().map(|text| Secret::new(text.to_owned()))
}

/// Why a password was not changed, for its user.
fn words(refusal: &Refusal) -> String {
    let Some(invalid) = refusal.invalid_fields() else { return format!("Your password was not changed: {refusal}.") };
    let problems: Vec<String> = invalid.iter().map(|one| one.problem.to_string()).collect();
    format!("The new password {}.", problems.join("; it "))
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::AccountId;
    use accountd_protocol::login::Admitted;
    use accountd_protocol::refusal::{Field, Problem};
    use accountd_protocol::session_policy::TerminalUse;

    use super::*;

    fn bytes(answers: &[&[u8]]) -> Vec<Bytes> {
        answers.iter().map(|answer| Bytes::copy_from_slice(answer)).collect()
    }

    fn proven(next: Next) -> (Dialogue, Proof) {
        let Next::Prove(dialogue, proof) = next else { panic!("{next:?}") };
        (dialogue, proof)
    }

    fn asked(next: Next) -> (Dialogue, String) {
        let Next::Ask(dialogue) = next else { panic!("{next:?}") };
        let Auth::Partial { instructions, prompts, .. } = dialogue.question() else { panic!("no question") };
        assert_eq!(prompts.len(), 2);
        (dialogue, instructions.into_owned())
    }

    /// A dialogue in which `old` was right and too old.
    fn expired() -> Dialogue {
        let (dialogue, proof) = proven(Dialogue::begin("anna").answered(&bytes(&[b"old"])));
        assert!(matches!(proof, Proof::Password(password) if password.reveal() == "old"));
        let (dialogue, why) = asked(dialogue.heard(Admission::PasswordExpired));
        assert_eq!(why, TOO_OLD);
        dialogue
    }

    #[test]
    fn a_password_that_is_too_old_is_changed_with_the_one_that_was_right() {
        let (dialogue, proof) = proven(expired().answered(&bytes(&[b"new", b"new"])));
        let Proof::PasswordChange { current, password } = proof else { panic!("{proof:?}") };
        assert_eq!((current.reveal(), password.reveal()), ("old", "new"));
        let (account, terminal) = (AccountId(7), TerminalUse::Allowed);
        let admitted = Admitted { account, terminal, idle: None, upload: None, download: None };
        assert!(matches!(dialogue.heard(Admission::Granted(admitted)), Next::Granted));
    }

    #[test]
    fn a_new_password_has_so_many_tries_and_each_is_told_why() {
        let short = Admission::NotChanged(Refusal::invalid(Field::Password, Problem::TooShort(8)));
        let (dialogue, _) = proven(expired().answered(&bytes(&[b"new", b"new"])));
        let (dialogue, why) = asked(dialogue.heard(short.clone()));
        assert_eq!(why, "The new password is shorter than 8 characters.");
        let (dialogue, why) = asked(dialogue.answered(&bytes(&[b"new", b"other"])));
        assert!(why.contains("not the same"), "{why}");
        let (dialogue, _) = proven(dialogue.answered(&bytes(&[b"new", b"new"])));
        assert!(matches!(dialogue.heard(short), Next::Refused));
    }

    #[test]
    fn what_is_no_answer_is_refused_and_what_is_no_text_is_no_password() {
        let none: [&[&[u8]]; 4] = [&[], &[b"a", b"b"], &[b"\xff"], &[&[b'x'; 4097]]];
        for answers in none {
            let next = Dialogue::begin("anna").answered(&bytes(answers));
            assert!(matches!(next, Next::Refused), "{next:?}");
        }
        let none: [&[&[u8]]; 3] = [&[], &[b"a"], &[b"a", b"a", b"a"]];
        for answers in none {
            assert!(matches!(expired().answered(&bytes(answers)), Next::Refused));
        }
        for odd in [&b"\xff\xfe"[..], &[b'x'; 4097]] {
            let (_, why) = asked(expired().answered(&bytes(&[odd, odd])));
            assert!(why.contains("no text"), "{why}");
        }
    }

    #[test]
    fn nothing_of_a_password_is_in_the_log() {
        assert!(!format!("{:?}", expired()).contains("\"old\""));
    }
}
