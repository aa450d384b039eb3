//! The process of one login's modules: root, one thread, forked from the spawner.
//!
//! It holds the one handle of PAM from the first question to the end of the last session, because modules carry
//! what they know from one stack to the next; and what they do to their process (keyrings, control groups, mount
//! namespaces) counts for the sessions, whose keepers it forks. A module that hangs is ended by the kernel with this
//! process ([`Deadline`]), and the spawner ends what is left of it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use accountd_protocol::login::Streams;
use accountd_protocol::pam::{PamVerdict, Questions};
use accountd_protocol::secret::Secret;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::setsid;

use super::{Judgement, Said, Told, Verdict, hear, say};
use crate::children::children;
use crate::environment;
use crate::keepers::{LEFT_RUNNING, NOTHING_LEFT};
use crate::order::{ModulesOrder, ModulesTask, Order, Wanted};
use crate::orders::Orders;
use crate::spawner::Handover;
use crate::sys::deadline::Deadline;
use crate::sys::pam::{Converse, Refused, Transaction, text};
use crate::sys::resources::{self, ResourceLimit};
use crate::sys::{self};

/// What modules say beside their questions, in bytes.
const MOST_SAID: usize = 8 * 1024;

/// The other side, as the modules have it.
struct Client {
    /// None once orders come on it.
    line: Option<OwnedFd>,
    deadline: Deadline,
    said: String,
}

impl Converse for Client {
    fn converse(&mut self, questions: Questions) -> Option<Vec<Secret>> {
        if self.said.len() + questions.said.len() <= MOST_SAID {
            self.said.push_str(&questions.said);
        }
        if questions.prompts.is_empty() {
            return Some(Vec::new());
        }
        let line = self.line.as_ref()?;
        say(line, &Said::Asks(Questions { said: std::mem::take(&mut self.said), ..questions }), &[]).ok()?;
        // A client may think for as long as it is let.
        self.deadline.pause();
        let told = hear(line);
        self.deadline.run();
        match told.ok()?? {
            (Told::Answers(answers), _) => answers,
            (Told::ChangePassword | Told::OpenSession, _) => None,
        }
    }
}

/// The whole life of the process; returns its exit status.
pub fn serve(order: &ModulesOrder, control: OwnedFd, program: &OwnedFd) -> i32 {
    if let Err(why) = live(order, control, program) {
        eprintln!("accountd-login: PAM for {:?}: {why}", order.user);
    }
    // What modules have left running goes on.
    if children().is_empty() { NOTHING_LEFT } else { LEFT_RUNNING }
}

fn live(order: &ModulesOrder, control: OwnedFd, program: &OwnedFd) -> Result<(), String> {
    prctl::set_name(c"login-pam").map_err(at("name the process"))?;
    prctl::set_child_subreaper(true).map_err(at("become a subreaper"))?;
    setsid().map_err(at("begin a session"))?;
    sys::reset_signals();
    sys::ignore_broken_pipes();
    unblock_signals();
    let time = Duration::from_secs(order.service.seconds.into());
    let deadline = Deadline::new(time).map_err(at("make a timer"))?;
    let own = sys::own_descriptor().map_err(at("open itself"))?;
    say(&control, &Said::Begun, &[own]).map_err(at("say that it is there"))?;
    deadline.run();
    let client = Client { line: Some(control), deadline, said: String::new() };
    let mut login = Login { order, pam: started(order, client)?, program, time };
    if login.comes_in() {
        login.hold_session()?;
    }
    Ok(())
}

fn started(order: &ModulesOrder, client: Client) -> Result<Transaction<Client>, String> {
    let (service, user) = (text(order.service.name.as_str()), text(order.user.as_str()));
    let (Some(service), Some(user), Some(host)) = (service, user, text(order.source.to_string())) else {
        return Err("a name has a NUL".to_owned());
    };
    let mut pam = Transaction::start(&service, &user, client).map_err(at("start PAM"))?;
    pam.set_terminal(c"ssh").map_err(at("set PAM_TTY"))?;
    pam.set_remote_host(&host).map_err(at("set PAM_RHOST"))?;
    Ok(pam)
}

struct Login<'a> {
    order: &'a ModulesOrder,
    pam: Transaction<Client>,
    program: &'a OwnedFd,
    /// How long each part may take.
    time: Duration,
}

impl Login<'_> {
    /// Says what PAM has come to, until a session is wanted. False: there is to be none.
    fn comes_in(&mut self) -> bool {
        let (mut judged, mut has_tried) = (self.judge(), false);
        loop {
            let is_expired = judged == Err(Refused::NewPasswordRequired);
            let (may_enter, mut judgement) = (judged.is_ok(), self.judgement(judged));
            // Why a new password is needed goes with the question for one.
            if !is_expired || has_tried {
                judgement.said = std::mem::take(&mut self.pam.converser().said);
            }
            let client = self.pam.converser();
            client.deadline.pause();
            let Some(line) = &client.line else { return false };
            let told = say(line, &Said::Judged(judgement), &[]).and_then(|()| hear(line));
            match told {
                Ok(Some((Told::OpenSession, _))) if may_enter => return true,
                Ok(Some((Told::ChangePassword, _))) if is_expired => {
                    client.deadline.restart(self.time);
                    has_tried = true;
                    judged = self.change_password();
                }
                Ok(Some((Told::OpenSession | Told::ChangePassword | Told::Answers(_), _)) | None) | Err(_) => {
                    return false;
                }
            }
        }
    }

    fn judge(&mut self) -> Result<(), Refused> {
        match self.order.asked {
            ModulesTask::Authenticate => self.pam.authenticate().map_err(|refused| match refused {
                // Only the account says that, to whoever has shown who it is.
                Refused::NewPasswordRequired => Refused::Other(refused.to_string()),
                Refused::Unavailable(_) | Refused::Other(_) => refused,
            })?,
            ModulesTask::CheckAccount => {}
        }
        self.check_account()
    }

    /// A module may turn one user into another. Whoever that is has not been decided on.
    fn check_account(&mut self) -> Result<(), Refused> {
        let checked = self.pam.check_account();
        match self.pam.user().as_deref() == Some(self.order.user.as_bytes()) {
            true => checked,
            false => Err(Refused::Other("a module has changed the user".to_owned())),
        }
    }

    /// Then the account is asked again: who has to change a password first may not have been asked for all else.
    fn change_password(&mut self) -> Result<(), Refused> {
        match self.pam.change_expired_password() {
            Ok(()) => self.check_account(),
            Err(Refused::NewPasswordRequired | Refused::Unavailable(_) | Refused::Other(_)) => {
                Err(Refused::NewPasswordRequired)
            }
        }
    }

    fn judgement(&mut self, judged: Result<(), Refused>) -> Judgement {
        let why = judged.as_ref().err().map_or(String::new(), Refused::to_string);
        let verdict = match judged {
            Ok(()) => Verdict::Known(PamVerdict::Passed),
            Err(Refused::NewPasswordRequired) => Verdict::Known(PamVerdict::PasswordExpired),
            Err(Refused::Unavailable(_)) => Verdict::Unavailable,
            Err(Refused::Other(_)) => Verdict::Known(PamVerdict::Refused),
        };
        let wait_milliseconds = u64::try_from(self.pam.delay().as_millis()).unwrap_or(u64::MAX);
        Judgement { verdict, said: String::new(), wait_milliseconds, why }
    }

    /// Opens the session, carries out orders for as long as there come some, and closes it behind the last of them.
    fn hold_session(&mut self) -> Result<(), String> {
        self.pam.converser().deadline.restart(self.time);
        let before = resources::limits();
        let opened = self.open();
        let limits = taken_back(&before);
        self.pam.converser().deadline.pause();
        let client = self.pam.converser();
        let (said, Some(line)) = (std::mem::take(&mut client.said), client.line.take()) else { return Ok(()) };
        match opened {
            Ok(()) => {
                let additions = Additions { environment: self.pam.environment(), limits, said };
                let told = say(&line, &Said::SessionOpen, &[]).map_err(at("say that the session is open"));
                let carried_out = told.and_then(|()| carry_out(line, additions, self.program));
                self.close();
                carried_out
            }
            Err(why) => {
                self.pam.converser().deadline.restart(self.time);
                // A module that has given some takes them back.
                let _ = self.pam.delete_credentials();
                say(&line, &Said::SessionNotOpen(format!("{said}{why}")), &[])
                    .map_err(at("say why there is no session"))
            }
        }
    }

    /// Credentials first: modules that open the session may need them.
    fn open(&mut self) -> Result<(), Refused> {
        match (self.order.asked, self.pam.establish_credentials()) {
            (ModulesTask::Authenticate, established) => established?,
            // What needs the password for them has not had it.
            (ModulesTask::CheckAccount, _) => {}
        }
        self.pam.open_session()
    }

    fn close(&mut self) {
        unblock_signals();
        self.pam.converser().deadline.restart(self.time);
        for closed in [self.pam.close_session(), self.pam.delete_credentials()] {
            if let Err(why) = closed {
                eprintln!("accountd-login: the session of {:?} is not closed by PAM: {why}", self.order.user);
            }
        }
    }
}

/// What PAM adds to each session.
struct Additions {
    environment: Vec<Vec<u8>>,
    limits: Vec<ResourceLimit>,
    /// For the first shell at a terminal.
    said: String,
}

/// Until there come no more, and all has ended that was begun.
fn carry_out(line: OwnedFd, mut additions: Additions, program: &OwnedFd) -> Result<(), String> {
    let mut orders = Orders::of(line).map_err(at("take orders"))?;
    orders.keep_present();
    while let Some((wanted, descriptors)) = orders.next().map_err(at("take an order"))? {
        let Wanted::Session(mut order) = wanted else { continue };
        let Some(open) = Handover::of(descriptors, &order) else { continue };
        additions.add(&mut order);
        additions.greet(&order, &open);
        orders = orders.begin_session(&order, open, program);
    }
    orders.wait_for_keepers();
    Ok(())
}

impl Additions {
    fn add(&self, order: &mut Order) {
        environment::add_of_pam(&mut order.environment, &self.environment, order.privileges);
        order.limits.clone_from(&self.limits);
    }

    /// As login(1) shows what modules say: to whoever sits at a terminal.
    fn greet(&mut self, order: &Order, open: &Handover) {
        let is_shell = order.arguments.first().is_some_and(|first| first == b"shell");
        if let (Streams::Terminal, true, [terminal]) = (order.streams, is_shell, open.given.streams.as_slice()) {
            // A terminal takes that much before anybody reads.
            let _ = nix::unistd::write(terminal, std::mem::take(&mut self.said).as_bytes());
        }
    }
}

/// The limits that modules have set, which are the sessions' and not this process's.
fn taken_back(before: &[ResourceLimit]) -> Vec<ResourceLimit> {
    let set: Vec<ResourceLimit> = resources::limits().into_iter().filter(|limit| !before.contains(limit)).collect();
    // Where that is not allowed, they hold here as well.
    before.iter().filter(|limit| set.iter().any(|one| one.resource == limit.resource)).for_each(|limit| {
        let _ = resources::set(limit);
    });
    set
}

/// Modules start programs and wait for them.
fn unblock_signals() {
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

fn at<E: std::fmt::Display>(doing: &'static str) -> impl FnOnce(E) -> String {
    move |error| format!("cannot {doing}: {error}")
}
