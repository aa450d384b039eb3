//! Logins through PAM, on one connection: its questions are passed on, and what it comes to is shown to the agent,
//! which decides.

use accountd_protocol::agent::{Decision, Grant};
use accountd_protocol::conclusion::{Concluded, Conclusion};
use accountd_protocol::login::{Admission, LoginEvent, Proof, Turn};
use accountd_protocol::metrics::{LoginResult, ProofKind};
use accountd_protocol::pam::{Echo, PamBeginning, PamService, PamTask, PamVerdict, PamWhom, Prompt, Questions};
use accountd_protocol::secret::Secret;
use tracing::{info, warn};

use super::*;
use crate::order::{ModulesOrder, ModulesTask};
use crate::pam::{Judgement, Modules, Said, Told, Verdict};

const CODE: &str = "Verification code: ";
/// What modules get in place of an answer that lets nobody in; no client can type it.
const NO_PASSWORD: &str = "\u{8}\n\r\u{7f}INCORRECT";

/// What a client is asked here.
pub(super) struct Dialogue {
    user: String,
    whom: PamWhom,
    /// The key that it has signed with, where the account needs a new password before that counts.
    key: Option<Vec<u8>>,
    changing: Changing,
    stage: Stage,
}

/// Whether a new password is being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changing {
    No,
    Yes,
}

enum Stage {
    /// Nothing yet.
    Before,
    Asked(Vec<Prompt>),
    /// It reads what the modules have said to their judgement.
    Judged(Judgement),
    /// The modules have let it in; the account wants a code.
    Code,
}

/// What has come of a key's account.
enum Account {
    Passed,
    Refused,
    Expired,
    Undecided,
}

impl Connection {
    pub(super) fn converse(&mut self, user: String) -> Result<(), Error> {
        let State::Greeted { .. } = &self.state else { return Err(Error::OutOfTurn) };
        let turn = match self.dialogue.take() {
            Some(dialogue) if dialogue.user == user && dialogue.key.is_some() => self.change_password(dialogue),
            Some(_) | None => self.begin(user)?,
        };
        self.events.send(&LoginEvent::Dialogue(turn), &[])
    }

    pub(super) fn respond(&mut self, answers: Vec<Secret>) -> Result<(), Error> {
        let mut dialogue = self.dialogue.take().ok_or(Error::OutOfTurn)?;
        let turn = match std::mem::replace(&mut dialogue.stage, Stage::Before) {
            Stage::Before => return Err(Error::OutOfTurn),
            Stage::Asked(prompts) => {
                let answers = dialogue.passed_on(&prompts, answers);
                match self.tell(&Told::Answers(Some(answers))) {
                    Ok(()) => self.next_turn(dialogue),
                    Err(error) => self.undecided(&dialogue.user, &error),
                }
            }
            Stage::Judged(judgement) => self.judged(dialogue, judgement),
            Stage::Code => {
                let code = answers.into_iter().next();
                let passed = (PamVerdict::Passed, Duration::ZERO);
                self.decided(dialogue, passed, code)
            }
        };
        self.events.send(&LoginEvent::Dialogue(turn), &[])
    }

    fn begin(&mut self, user: String) -> Result<Turn, Error> {
        self.modules = None;
        let source = self.source()?;
        let heard = self.shared.registry.period(RESTART_PATIENCE).is_some();
        let beginning = heard.then(|| self.shared.agent.begin_pam(user.clone(), source)).flatten();
        match beginning {
            // What it shows then is refused, if still nobody decides.
            None | Some(PamBeginning::Native) => Ok(Turn::Yours),
            Some(PamBeginning::Refused { wait_milliseconds }) => {
                let refused = Decision::Refused { wait_milliseconds };
                Ok(self.over(&user, None, |connection, attempt| {
                    let period = connection.shared.registry.period(RESTART_PATIENCE);
                    connection.admission(period.map(|asked| (refused, asked)), attempt)
                }))
            }
            Some(PamBeginning::Pam(PamTask { service, whom })) => {
                match self.start_modules(service, &user, ModulesTask::Authenticate) {
                    Ok(()) => Ok(self.next_turn(Dialogue {
                        user,
                        whom,
                        key: None,
                        changing: Changing::No,
                        stage: Stage::Before,
                    })),
                    Err(error) => Ok(self.undecided(&user, &error)),
                }
            }
        }
    }

    fn start_modules(&mut self, service: PamService, user: &str, asked: ModulesTask) -> Result<(), Error> {
        let order = ModulesOrder { service, user: user.to_owned(), source: self.source()?, asked };
        self.modules = Some(Modules::start(&self.shared.spawner, &order, &self.events)?);
        Ok(())
    }

    fn tell(&self, told: &Told) -> Result<(), Error> {
        self.modules.as_ref().ok_or(Error::OutOfTurn)?.tell(told)
    }

    fn hear(&self) -> Result<Said, Error> {
        self.modules.as_ref().ok_or(Error::OutOfTurn)?.hear(&self.events)
    }

    /// What the modules say next: to be asked, or what they have come to.
    fn next_turn(&mut self, mut dialogue: Dialogue) -> Turn {
        match self.hear() {
            Ok(Said::Asks(questions)) => {
                dialogue.stage = Stage::Asked(questions.prompts.clone());
                self.dialogue = Some(dialogue);
                Turn::Ask(questions)
            }
            Ok(Said::Judged(judgement)) if judgement.said.is_empty() => self.judged(dialogue, judgement),
            Ok(Said::Judged(judgement)) => {
                let said = judgement.said.clone();
                dialogue.stage = Stage::Judged(judgement);
                self.dialogue = Some(dialogue);
                Turn::Ask(Questions { said, prompts: Vec::new() })
            }
            Ok(Said::Begun | Said::SessionOpen | Said::SessionNotOpen(_)) => {
                self.undecided(&dialogue.user, &Error::OutOfTurn)
            }
            Err(error) => self.undecided(&dialogue.user, &error),
        }
    }

    fn change_password(&mut self, dialogue: Dialogue) -> Turn {
        match self.tell(&Told::ChangePassword) {
            Ok(()) => self.next_turn(dialogue),
            Err(error) => self.undecided(&dialogue.user, &error),
        }
    }

    fn judged(&mut self, mut dialogue: Dialogue, judgement: Judgement) -> Turn {
        let wait = Duration::from_millis(judgement.wait_milliseconds);
        match judgement.verdict {
            Verdict::Known(PamVerdict::PasswordExpired) if dialogue.may_change() => {
                dialogue.changing = Changing::Yes;
                self.change_password(dialogue)
            }
            Verdict::Known(verdict) => {
                note(&dialogue.user, &judgement);
                self.decided(dialogue, (verdict, wait), None)
            }
            Verdict::Unavailable => self.undecided(&dialogue.user, &Error::PamUnavailable(judgement.why)),
        }
    }

    /// The agent decides on what the modules have come to.
    fn decided(&mut self, dialogue: Dialogue, (verdict, wait): (PamVerdict, Duration), code: Option<Secret>) -> Turn {
        let Ok(source) = self.source() else { return Turn::Over(Admission::Refused) };
        let (user, shows_code) = (dialogue.user.clone(), code.is_some());
        let decided = self.shared.registry.period(RESTART_PATIENCE).map(|asked| {
            let decision = match (&dialogue.key, verdict) {
                // The account as it is now.
                (Some(key), PamVerdict::Passed) => {
                    self.shared.agent.decide(user.clone(), Proof::PublicKey(key.clone()), source)
                }
                (Some(_), PamVerdict::Refused) => Decision::Refused { wait_milliseconds: 0 },
                (Some(_), PamVerdict::PasswordExpired) => Decision::PasswordExpired,
                (None, _) => self.shared.agent.decide_by_pam((user.clone(), source), verdict, code),
            };
            (at_least(decision, wait), asked)
        });
        match decided {
            Some((Decision::CodeRequired, _)) if !shows_code && dialogue.key.is_none() => {
                self.dialogue = Some(Dialogue { stage: Stage::Code, ..dialogue });
                let prompt = Prompt { text: CODE.to_owned(), echo: Echo::Off };
                Turn::Ask(Questions { said: String::new(), prompts: vec![prompt] })
            }
            decided => self.over(&user, dialogue.key, |connection, attempt| connection.admission(decided, attempt)),
        }
    }

    /// The end of a dialogue.
    fn over(
        &mut self,
        user: &str,
        key: Option<Vec<u8>>,
        admission: impl FnOnce(&mut Self, Attempt<'_>) -> (Admission, LoginResult),
    ) -> Turn {
        let State::Greeted { ends, version } = &self.state else { return Turn::Over(Admission::Refused) };
        let (ends, version) = (*ends, version.clone());
        let method = if key.is_some() { ProofKind::Publickey } else { ProofKind::Password };
        let shown = cut(&user.escape_debug().to_string());
        let attempt = Attempt { shown: &shown, version: &version, ends, method: "pam", key };
        let (admission, result) = admission(self, attempt);
        self.shared.counters.logins.one((method, result));
        self.let_modules_go(&admission);
        Turn::Over(admission)
    }

    /// Nobody has failed, and nobody is let in.
    fn undecided(&mut self, user: &str, error: &Error) -> Turn {
        warn!(user = cut(&user.escape_debug().to_string()), %error, "login refused: PAM does not decide");
        self.modules = None;
        self.shared.counters.logins.one((ProofKind::Password, LoginResult::Undecided));
        Turn::Over(Admission::Refused)
    }

    /// They stay with whoever is in, or is asked more.
    pub(super) fn let_modules_go(&mut self, admission: &Admission) {
        match admission {
            Admission::Granted(_) | Admission::MoreAsked => {}
            Admission::Refused | Admission::PasswordExpired | Admission::NotChanged(_) | Admission::CodeRequired => {
                self.modules = None
            }
        }
    }

    /// A password of the method that can't ask: it answers the first question that is to be answered unseen, and
    /// whatever else is asked has no answer.
    pub(super) fn by_password(&mut self, user: &str, password: Secret, task: PamTask) -> Option<(Decision, Period)> {
        match self.judged_by_password(user, password, task) {
            Ok((judgement, source)) => {
                note(user, &judgement);
                let wait = Duration::from_millis(judgement.wait_milliseconds);
                let Verdict::Known(verdict) = judgement.verdict else { return None };
                let asked = self.shared.registry.period(RESTART_PATIENCE)?;
                let decision = self.shared.agent.decide_by_pam((user.to_owned(), source), verdict, None);
                Some((at_least(decision, wait), asked))
            }
            Err(error) => {
                warn!(user = cut(&user.escape_debug().to_string()), %error, "login refused: PAM does not decide");
                None
            }
        }
    }

    fn judged_by_password(
        &mut self,
        user: &str,
        password: Secret,
        PamTask { service, whom }: PamTask,
    ) -> Result<(Judgement, IpAddr), Error> {
        let source = self.source()?;
        self.start_modules(service, user, ModulesTask::Authenticate)?;
        let mut password = Some(password);
        loop {
            match self.hear()? {
                Said::Judged(judgement) => return Ok((judgement, source)),
                Said::Asks(Questions { prompts, .. }) => {
                    let is_asked = matches!(prompts.as_slice(), [Prompt { echo: Echo::Off, .. }]);
                    let shown = password.take_if(|_| is_asked);
                    let answers = shown.map(|password| vec![passed_on(whom, password)]);
                    self.tell(&Told::Answers(answers))?;
                }
                Said::Begun | Said::SessionOpen | Said::SessionNotOpen(_) => return Err(Error::OutOfTurn),
            }
        }
    }

    /// The stack `account`, for whoever comes with a key; `None`: there is nothing to be asked. Where the password
    /// has to be changed first, that is the begin of a dialogue.
    pub(super) fn refused_by_account(
        &mut self,
        grant: &Grant,
        attempt: &Attempt<'_>,
    ) -> Option<(Admission, LoginResult)> {
        let service = grant.pam.clone().filter(|_| self.modules.is_none())?;
        let (user, source) = (grant.name.as_str().to_owned(), attempt.ends.client.ip());
        match self.account_of(&user, service) {
            Account::Passed => None,
            Account::Expired => {
                info!(user, %source, "no login yet: PAM wants the password changed first");
                let (key, whom) = (attempt.key.clone(), PamWhom::Account);
                self.dialogue = Some(Dialogue { user, whom, key, changing: Changing::Yes, stage: Stage::Before });
                Some((Admission::MoreAsked, LoginResult::PasswordExpired))
            }
            Account::Refused => {
                let (account, name, key) = (grant.account, user, attempt.key.clone());
                let outcome = Concluded::RefusedByPam;
                // Recorded or not, nobody is let in.
                let _ = self.shared.agent.conclude(Conclusion { account, name, source, key, outcome });
                Some((Admission::Refused, LoginResult::Refused))
            }
            Account::Undecided => Some((Admission::Refused, LoginResult::Undecided)),
        }
    }

    fn account_of(&mut self, user: &str, service: PamService) -> Account {
        let judgement = self.start_modules(service, user, ModulesTask::CheckAccount).and_then(|()| {
            loop {
                match self.hear()? {
                    Said::Judged(judgement) => return Ok(judgement),
                    Said::Asks(_) => self.tell(&Told::Answers(None))?,
                    Said::Begun | Said::SessionOpen | Said::SessionNotOpen(_) => return Err(Error::OutOfTurn),
                }
            }
        });
        match judgement {
            Ok(judgement) => {
                note(user, &judgement);
                match judgement.verdict {
                    Verdict::Known(PamVerdict::Passed) => Account::Passed,
                    Verdict::Known(PamVerdict::PasswordExpired) => Account::Expired,
                    Verdict::Known(PamVerdict::Refused) => {
                        self.events.wait(Duration::from_millis(judgement.wait_milliseconds));
                        Account::Refused
                    }
                    Verdict::Unavailable => Account::Undecided,
                }
            }
            Err(error) => {
                warn!(user, %error, "login refused: PAM does not decide");
                Account::Undecided
            }
        }
    }
}

impl Dialogue {
    /// A change is begun once, with whoever has shown who it is; behind a key it has begun before.
    fn may_change(&self) -> bool {
        self.whom == PamWhom::Account && self.changing == Changing::No
    }

    fn passed_on(&self, prompts: &[Prompt], answers: Vec<Secret>) -> Vec<Secret> {
        let pass_on = |(answer, prompt): (Secret, &Prompt)| match prompt.echo {
            Echo::On => answer,
            Echo::Off => passed_on(self.whom, answer),
        };
        answers.into_iter().zip(prompts).map(pass_on).collect()
    }
}

/// Modules see what is shown for an account, and no right password for one that no password lets in.
fn passed_on(whom: PamWhom, answer: Secret) -> Secret {
    match whom {
        PamWhom::Account => answer,
        PamWhom::Nobody => Secret::new(NO_PASSWORD.to_owned()),
    }
}

/// A refusal takes as long as whoever wants it to take longest.
fn at_least(decision: Decision, wait: Duration) -> Decision {
    match decision {
        Decision::Refused { wait_milliseconds } => {
            let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            Decision::Refused { wait_milliseconds: wait_milliseconds.max(wait) }
        }
        Decision::Granted(_)
        | Decision::PasswordExpired
        | Decision::NotChanged(_)
        | Decision::CodeRequired
        | Decision::ByPam(_) => decision,
    }
}

/// Why there is no session, for whoever wants one.
pub(super) fn said_to_user(error: &Error) -> String {
    match error {
        Error::SessionRefused(why) => why.clone(),
        _ => "the session can not be opened".to_owned(),
    }
}

fn note(user: &str, judgement: &Judgement) {
    if !judgement.why.is_empty() {
        info!(user = cut(&user.escape_debug().to_string()), "PAM says: {}", judgement.why);
    }
}
