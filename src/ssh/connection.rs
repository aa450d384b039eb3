//! One SSH connection: authentication, then channels (RFC 4252, RFC 4254).
//!
//! Only `session` channels with the `sftp` subsystem are served. Everything else is refused with
//! an answer, so that no client waits for one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use accountd_protocol::login::{Admission, Proof, Service, SessionId};
use accountd_protocol::secret::Secret;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use tracing::{debug, warn};

use crate::algorithms;
use crate::channel::{self, Input, Shared};
use crate::client;
use crate::dialogue::{Dialogue, Next};
use crate::error::Error;
use crate::gate::Pass;
use crate::login::Login;
use crate::stream::Line;

/// SSH_EXTENDED_DATA_STDERR (RFC 4254 §5.2).
const STDERR: u32 = 1;
const MOST_CHANNELS: usize = 10;
const MAX_USER_BYTES: usize = 255;
const ONLY_SFTP: &str = "Only the sftp subsystem is served here: use sftp, or scp without -O.";
/// Exit status of a request that is not served.
const FAILED: u32 = 1;

pub struct Connection {
    client: SocketAddr,
    login_socket: PathBuf,
    /// Opened by the first attempt to authenticate.
    login: Option<Login>,
    /// While questions of keyboard-interactive are open.
    dialogue: Option<Dialogue>,
    /// Held until the client has authenticated.
    pass: Option<Pass>,
    /// Those that neither side has closed.
    channels: HashMap<ChannelId, Option<Running>>,
    shared: Shared,
}

/// A channel with a session.
struct Running {
    session: SessionId,
    input: Input,
}

impl Connection {
    pub fn new(client: SocketAddr, login_socket: PathBuf, pass: Pass, line: Line) -> Self {
        let (login, pass) = (None, Some(pass));
        let shared = Shared { waiting: Arc::default(), line };
        Self { client, login_socket, login, dialogue: None, pass, channels: HashMap::new(), shared }
    }

    async fn login(&mut self) -> Result<&mut Login, Error> {
        let login = match self.login.take() {
            Some(login) => login,
            None => Login::connect(&self.login_socket, self.client).await?,
        };
        Ok(self.login.insert(login))
    }

    /// One proof, without any question. A password that is too old is none here: russh can't ask for
    /// another one (RFC 4252 §8), but in a dialogue.
    async fn prove(&mut self, user: &str, proof: Proof) -> Auth {
        self.dialogue = None;
        match self.admission(user, proof).await {
            Admission::Granted => Auth::Accept,
            Admission::Refused | Admission::PasswordExpired | Admission::NotChanged(_) => refused(),
        }
    }

    /// Asks; when there is nobody to ask, the answer is no, and the next attempt asks anew.
    async fn admission(&mut self, user: &str, proof: Proof) -> Admission {
        if user.len() > MAX_USER_BYTES {
            return Admission::Refused;
        }
        let result = match self.login().await {
            Ok(login) => login.authenticate(user, proof).await,
            Err(error) => Err(error),
        };
        let admission = result.unwrap_or_else(|error| {
            self.unreachable(&error);
            Admission::Refused
        });
        if admission == Admission::Granted {
            self.shared.line.set_authenticated();
            self.pass = None;
        }
        admission
    }

    /// Goes on with a dialogue; what it ends with is the answer.
    async fn go_on(&mut self, user: &str, next: Next) -> Auth {
        let next = match next {
            Next::Prove(dialogue, proof) => dialogue.heard(self.admission(user, proof).await),
            Next::Ask(_) | Next::Granted | Next::Refused => next,
        };
        match next {
            Next::Ask(dialogue) => {
                let question = dialogue.question();
                self.dialogue = Some(dialogue);
                question
            }
            Next::Granted => Auth::Accept,
            Next::Refused | Next::Prove(..) => refused(),
        }
    }

    fn unreachable(&mut self, error: &Error) -> Auth {
        warn!(%error, "logins can not be decided; refused");
        self.login = None;
        refused()
    }

    /// How many channels are open. One whose session has ended has been closed from this side;
    /// russh doesn't say when the client has answered that.
    fn open_channels(&mut self) -> usize {
        self.channels.retain(|_, running| !running.as_ref().is_some_and(|running| running.input.is_over()));
        self.channels.len()
    }

    async fn start_sftp(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        let links = client::link_order(session.remote_sshid());
        let opened = match self.login().await {
            Ok(login) => login.open(Service::Sftp { links }).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(Ok(opened)) => {
                session.channel_success(channel)?;
                let running = opened.id;
                let input = channel::join(channel, opened, session.handle(), self.shared.clone());
                self.channels.insert(channel, Some(Running { session: running, input }));
                Ok(())
            }
            Ok(Err(reason)) => self.fail(channel, session, &reason),
            Err(error) => {
                warn!(%error, "no session can be opened");
                self.fail(channel, session, "Sessions can not be opened now.")
            }
        }
    }

    /// Says no to a request and closes the channel: stock clients end at once then.
    fn refuse(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        self.channels.remove(&channel);
        session.channel_failure(channel)?;
        Ok(session.close(channel)?)
    }

    /// Ends what was asked for as if it had said why and failed. OpenSSH's client shows nothing
    /// that comes with a refused request.
    fn fail(&mut self, channel: ChannelId, session: &mut Session, why: &str) -> Result<(), Error> {
        self.channels.remove(&channel);
        session.channel_success(channel)?;
        session.extended_data(channel, STDERR, format!("{why}\r\n").into_bytes())?;
        session.exit_status_request(channel, FAILED)?;
        session.eof(channel)?;
        Ok(session.close(channel)?)
    }
}

/// The next attempt may be of any method again; [`Auth::reject`] would take back the one that
/// has failed. How many there may be is the transport's to count.
fn refused() -> Auth {
    Auth::Reject { proceed_with_methods: Some(algorithms::methods()), partial_success: false }
}

impl Handler for Connection {
    type Error = Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Error> {
        Ok(self.prove(user, Proof::Password(Secret::new(password.to_owned()))).await)
    }

    /// Questions to whoever has not been let in (RFC 4256). Without a response a dialogue begins.
    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Error> {
        let dialogue = self.dialogue.take().filter(|dialogue| dialogue.is_with(user));
        let next = match (response, dialogue) {
            (None, _) => Next::Ask(Dialogue::begin(user)),
            (Some(answers), Some(dialogue)) => dialogue.answered(&answers.collect::<Vec<_>>()),
            (Some(_), None) => Next::Refused,
        };
        Ok(self.go_on(user, next).await)
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Error> {
        let Ok(blob) = offer.public_key.to_bytes() else { return Ok(refused()) };
        if user.len() > MAX_USER_BYTES {
            return Ok(refused());
        }
        let acceptable = match self.login().await {
            Ok(login) => login.key_acceptable(user, blob).await,
            Err(error) => Err(error),
        };
        match acceptable {
            Ok(true) => Ok(Auth::Accept),
            Ok(false) => Ok(refused()),
            Err(error) => Ok(self.unreachable(&error)),
        }
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        let Ok(blob) = key.public_key.to_bytes() else { return Ok(refused()) };
        Ok(self.prove(user, Proof::PublicKey(blob)).await)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        if self.open_channels() >= MOST_CHANNELS {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channels.insert(channel.id(), None);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, session: &mut Session) -> Result<(), Error> {
        match (name, self.channels.get(&channel)) {
            ("sftp", Some(None)) => self.start_sftp(channel, session).await,
            _ => self.refuse(channel, session),
        }
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _session: &mut Session) -> Result<(), Error> {
        match self.channels.get(&channel) {
            Some(Some(running)) => running.input.write(data).await,
            Some(None) | None => Ok(()),
        }
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Error> {
        if let Some(Some(running)) = self.channels.get(&channel) {
            running.input.end();
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Error> {
        if let Some(Some(running)) = self.channels.remove(&channel)
            && let Some(login) = &mut self.login
            && let Err(error) = login.close(running.session).await
        {
            debug!(%error, "a session that its client has closed could not be ended");
        }
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        self.fail(channel, session, ONLY_SFTP)
    }

    async fn exec_request(&mut self, channel: ChannelId, _command: &[u8], session: &mut Session) -> Result<(), Error> {
        self.fail(channel, session, ONLY_SFTP)
    }

    #[allow(clippy::too_many_arguments, reason = "the shape of the trait")]
    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        Ok(session.channel_failure(channel)?)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        Ok(session.channel_failure(channel)?)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        Ok(session.channel_failure(channel)?)
    }
}
