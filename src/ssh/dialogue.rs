//! keyboard-interactive (RFC 4256): the password, or a key that was shown before; where that is right and not
//! enough, a code of the user's authenticator; and where the password is too old, a new one in its place, as in the
//! example of RFC 4256 §4.
//!
//! Until a password has been right, everybody is asked the same. Nothing is decided here. Where login leads the
//! dialogue, because PAM asks, its questions are passed on.

use std::borrow::Cow;

use accountd_protocol::login::{Admission, Proof, Turn};
use accountd_protocol::pam::{Echo, Questions};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use bytes::Bytes;
use russh::server::Auth;

/// A question, and whether the answer may be seen as it is typed.
type Prompt = (Cow<'static, str>, bool);

const PASSWORD: &[Prompt] = &[(Cow::Borrowed("Password: "), false)];
const CODE: &[Prompt] = &[(Cow::Borrowed("Verification code: "), false)];
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
    /// Asked for where what was shown is right and not enough.
    Code(Shown),
    /// It is being decided on.
    Decided(Shown, Option<Secret>),
    NewPassword {
        /// What was right at the first questions.
        current: Secret,
        code: Option<Secret>,
        /// What the client is told with the question.
        why: String,
        tries_left: u8,
    },
    /// What login has asked.
    Led(Questions),
}

/// What comes before a code.
#[derive(Debug)]
enum Shown {
    Password(Secret),
    /// Its blob; the client has signed with it.
    Key(Vec<u8>),
}

/// What comes next in a dialogue.
#[derive(Debug)]
pub enum Next {
    Ask(Dialogue),
    /// To be decided; the dialogue goes on with what it was.
    Prove(Dialogue, Proof),
    /// What login asks is to be asked.
    Lead,
    /// For login, which has asked.
    Respond(Vec<Secret>),
    Granted,
    Refused,
}

impl Dialogue {
    pub fn begin(user: &str) -> Self {
        Self { user: user.to_owned(), stage: Stage::Password }
    }

    /// With whoever has signed with a key that is right and not enough.
    pub fn begin_behind_key(user: &str, key: Vec<u8>) -> Self {
        Self { user: user.to_owned(), stage: Stage::Code(Shown::Key(key)) }
    }

    /// What login has said to the begin of a dialogue, or to an answer.
    pub fn led(user: &str, turn: Turn) -> Next {
        match turn {
            Turn::Yours => Next::Ask(Self::begin(user)),
            Turn::Ask(questions) => Next::Ask(Self { user: user.to_owned(), stage: Stage::Led(questions) }),
            Turn::Over(Admission::Granted(_)) => Next::Granted,
            Turn::Over(
                Admission::Refused
                | Admission::PasswordExpired
                | Admission::NotChanged(_)
                | Admission::CodeRequired
                | Admission::MoreAsked,
            ) => Next::Refused,
        }
    }

    /// Another name is another dialogue.
    pub fn is_with(&self, user: &str) -> bool {
        self.user == user
    }

    pub fn question(&self) -> Auth {
        let (why, prompts) = match &self.stage {
            Stage::Password => (Cow::Borrowed(""), PASSWORD),
            Stage::Code(_) | Stage::Decided(..) => (Cow::Borrowed(""), CODE),
            Stage::NewPassword { why, .. } => (Cow::Owned(why.clone()), NEW_PASSWORD),
            Stage::Led(Questions { said, prompts }) => {
                let prompts = prompts.iter().map(|one| (Cow::Owned(one.text.clone()), one.echo == Echo::On)).collect();
                let (name, instructions) = (Cow::Borrowed(""), Cow::Owned(said.clone()));
                return Auth::Partial { name, instructions, prompts: Cow::Owned(prompts) };
            }
        };
        Auth::Partial { name: Cow::Borrowed(""), instructions: why, prompts: Cow::Borrowed(prompts) }
    }

    /// One answer for each question, or the client does not keep to the protocol.
    pub fn answered(self, answers: &[Bytes]) -> Next {
        let Dialogue { user, stage } = self;
        match (stage, answers) {
            (Stage::Password, [password]) => {
                let Some(password) = text(password) else { return Next::Refused };
                let stage = Stage::Decided(Shown::Password(password.clone()), None);
                Next::Prove(Dialogue { user, stage }, Proof::Password(password))
            }
            (Stage::Code(shown), [code]) => {
                let Some(code) = text(code) else { return Next::Refused };
                let proof = shown.with(code.clone());
                Next::Prove(Dialogue { user, stage: Stage::Decided(shown, Some(code)) }, proof)
            }
            (Stage::NewPassword { current, code, why, tries_left }, [new, again]) => {
                let proof = text(new).map(|password| Proof::PasswordChange {
                    current: current.clone(),
                    password,
                    code: code.clone(),
                });
                let dialogue = Dialogue { user, stage: Stage::NewPassword { current, code, why, tries_left } };
                match proof {
                    _ if new != again => dialogue.ask_again("The two new passwords are not the same.".to_owned()),
                    None => dialogue.ask_again("The new password is too long or no text.".to_owned()),
                    Some(proof) => Next::Prove(dialogue, proof),
                }
            }
            (Stage::Led(questions), answers) if answers.len() == questions.prompts.len() => {
                let answers: Option<Vec<Secret>> = answers.iter().map(text).collect();
                answers.map_or(Next::Refused, Next::Respond)
            }
            (Stage::Password | Stage::Code(_) | Stage::Decided(..) | Stage::NewPassword { .. } | Stage::Led(_), _) => {
                Next::Refused
            }
        }
    }

    /// What was decided on the proof.
    pub fn heard(self, admission: Admission) -> Next {
        match (admission, self.stage) {
            (Admission::Granted(_), _) => Next::Granted,
            (Admission::CodeRequired, Stage::Decided(shown, None)) => {
                Next::Ask(Dialogue { stage: Stage::Code(shown), user: self.user })
            }
            (Admission::PasswordExpired, Stage::Decided(Shown::Password(current), code)) => {
                let stage = Stage::NewPassword { current, code, why: TOO_OLD.to_owned(), tries_left: TRIES };
                Next::Ask(Dialogue { stage, user: self.user })
            }
            (Admission::NotChanged(refusal), stage) => Dialogue { stage, user: self.user }.ask_again(words(&refusal)),
            (Admission::MoreAsked, Stage::Decided(Shown::Key(_), Some(_))) => Next::Lead,
            (Admission::MoreAsked, _) => Next::Refused,
            (Admission::Refused | Admission::CodeRequired | Admission::PasswordExpired, _) => Next::Refused,
        }
    }

    fn ask_again(self, why: String) -> Next {
        match self.stage {
            Stage::NewPassword { current, code, tries_left, .. } if tries_left > 1 => {
                let stage = Stage::NewPassword { current, code, why, tries_left: tries_left - 1 };
                Next::Ask(Dialogue { stage, ..self })
            }
            Stage::Password | Stage::Code(_) | Stage::Decided(..) | Stage::NewPassword { .. } | Stage::Led(_) => {
                Next::Refused
            }
        }
    }
}

impl Shown {
    fn with(&self, code: Secret) -> Proof {
        match self {
            Shown::Password(password) => Proof::PasswordAndCode { password: password.clone(), code },
            Shown::Key(key) => Proof::PublicKeyAndCode { key: key.clone(), code },
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
    use accountd_protocol::pam::Prompt;
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
        let Proof::PasswordChange { current, password, code: None } = proof else { panic!("{proof:?}") };
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

    /// The one question of a dialogue that asks for a code.
    fn asked_for_code(next: Next) -> Dialogue {
        let Next::Ask(dialogue) = next else { panic!("{next:?}") };
        let Auth::Partial { prompts, .. } = dialogue.question() else { panic!("no question") };
        assert_eq!(prompts.as_ref(), CODE);
        dialogue
    }

    #[test]
    fn a_code_is_asked_for_behind_a_right_password_and_goes_with_it() {
        let (dialogue, _) = proven(Dialogue::begin("anna").answered(&bytes(&[b"old"])));
        let dialogue = asked_for_code(dialogue.heard(Admission::CodeRequired));
        let (dialogue, proof) = proven(dialogue.answered(&bytes(&[b"123456"])));
        let Proof::PasswordAndCode { password, code } = proof else { panic!("{proof:?}") };
        assert_eq!((password.reveal(), code.reveal()), ("old", "123456"));
        // Too old as well: the change goes with the code that was shown.
        let (dialogue, _) = asked(dialogue.heard(Admission::PasswordExpired));
        let (_, proof) = proven(dialogue.answered(&bytes(&[b"new", b"new"])));
        let Proof::PasswordChange { current, password, code: Some(code) } = proof else { panic!("{proof:?}") };
        assert_eq!((current.reveal(), password.reveal(), code.reveal()), ("old", "new", "123456"));
    }

    #[test]
    fn a_code_is_asked_for_once_and_behind_a_key_alone() {
        let dialogue = asked_for_code(Next::Ask(Dialogue::begin_behind_key("anna", vec![1, 2])));
        let (dialogue, proof) = proven(dialogue.answered(&bytes(&[b"123456"])));
        let Proof::PublicKeyAndCode { key, code } = proof else { panic!("{proof:?}") };
        assert_eq!((key, code.reveal()), (vec![1, 2], "123456"));
        assert!(matches!(dialogue.heard(Admission::CodeRequired), Next::Refused));
        let (dialogue, _) = proven(Dialogue::begin_behind_key("anna", vec![1]).answered(&bytes(&[b"1"])));
        assert!(matches!(dialogue.heard(Admission::PasswordExpired), Next::Refused), "a key has no password");
    }

    #[test]
    fn nothing_of_a_password_is_in_the_log() {
        assert!(!format!("{:?}", expired()).contains("\"old\""));
    }

    #[test]
    fn what_login_asks_is_asked_as_it_is_and_every_prompt_has_its_answer() {
        let prompt = |text: &str, echo| Prompt { text: text.into(), echo };
        let prompts = vec![prompt("Token: ", Echo::On), prompt("PIN: ", Echo::Off)];
        let turn = Turn::Ask(Questions { said: "Welcome.".into(), prompts });
        let Next::Ask(dialogue) = Dialogue::led("anna", turn.clone()) else { panic!() };
        let Auth::Partial { instructions, prompts, .. } = dialogue.question() else { panic!("no question") };
        assert_eq!(instructions, "Welcome.");
        assert_eq!(prompts.as_ref(), [(Cow::Borrowed("Token: "), true), (Cow::Borrowed("PIN: "), false)]);
        let Next::Respond(answers) = dialogue.answered(&bytes(&[b"1", b"2"])) else { panic!() };
        assert_eq!(answers.iter().map(Secret::reveal).collect::<Vec<_>>(), ["1", "2"]);
        let Next::Ask(dialogue) = Dialogue::led("anna", turn) else { panic!() };
        assert!(matches!(dialogue.answered(&bytes(&[b"1"])), Next::Refused));
        // Nothing but something to be read has an answer, too.
        let Next::Ask(dialogue) = Dialogue::led("anna", Turn::Ask(Questions::default())) else { panic!() };
        assert!(matches!(dialogue.answered(&[]), Next::Respond(answers) if answers.is_empty()));
    }
}
