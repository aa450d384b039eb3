//! One SSH connection: authentication, then channels (RFC 4252, RFC 4254).
//!
//! What an account may do on them is decided where sessions are opened. What nobody may do here
//! (X11, forwarding of agents and from the server's side) is refused with an answer, so that no
//! client waits for one.

mod authentication;
mod channels;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use accountd_protocol::login::{MAX_COMMAND, Proof, Service, Terminal, WindowSize};
use accountd_protocol::secret::Secret;
use accountd_protocol::session_policy::TerminalUse;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty, Sig};
use tracing::debug;

use crate::channel::Shared;
use crate::client;
use crate::counters::Counters;
use crate::dialogue::{Dialogue, Next};
use crate::error::Error;
use crate::gate::Pass;
use crate::line::Line;
use crate::login::Login;
use crate::pace::Paces;
use crate::signals;

use self::authentication::refused;
use self::channels::{MOST_CHANNELS, Stage};

/// The most variables that are passed on, and the longest name and value.
const MOST_VARIABLES: usize = 128;
const MAX_VARIABLE_BYTES: usize = 8 * 1024;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub client: SocketAddr,
    pub server: SocketAddr,
}

pub struct Connection {
    ends: Ends,
    login_socket: PathBuf,
    banner: Arc<str>,
    /// Opened by the first attempt to authenticate.
    login: Option<Login>,
    /// While questions of keyboard-interactive are open.
    dialogue: Option<Dialogue>,
    /// A key that is right and not enough.
    signed: Option<SignedKey>,
    /// Held until the client has authenticated.
    pass: Option<Pass>,
    terminal_use: TerminalUse,
    /// Those that neither side has closed.
    channels: HashMap<ChannelId, Stage>,
    /// Of all accounts.
    paces: Arc<Paces>,
    shared: Shared,
}

/// A key that the client has signed with, and as whom.
struct SignedKey {
    user: String,
    blob: Vec<u8>,
}

/// What a connection is made of.
pub struct Surroundings {
    pub login_socket: PathBuf,
    /// Shown before a client authenticates; empty: nothing.
    pub banner: Arc<str>,
    pub pass: Pass,
    pub line: Line,
    pub counters: Arc<Counters>,
    pub paces: Arc<Paces>,
}

impl Connection {
    pub fn new(ends: Ends, around: Surroundings) -> Self {
        let Surroundings { login_socket, banner, pass, line, counters, paces } = around;
        let shared = Shared { waiting: Arc::default(), line, counters, pace: Arc::default() };
        Self {
            ends,
            login_socket,
            banner,
            login: None,
            dialogue: None,
            signed: None,
            pass: Some(pass),
            terminal_use: TerminalUse::Refused,
            channels: HashMap::new(),
            paces,
            shared,
        }
    }

    async fn login(&mut self) -> Result<&mut Login, Error> {
        let login = match self.login.take() {
            Some(login) => login,
            None => Login::connect(&self.login_socket, self.ends, &self.shared.line).await?,
        };
        Ok(self.login.insert(login))
    }
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
            (None, _) => self.first_question(user),
            (Some(answers), Some(dialogue)) => dialogue.answered(&answers.collect::<Vec<_>>()),
            (Some(_), None) => Next::Refused,
        };
        Ok(self.go_on(user, next).await)
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Error> {
        let Ok(blob) = offer.public_key.to_bytes() else { return Ok(refused()) };
        Ok(self.offer(user, blob).await)
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
        self.channels.insert(channel.id(), Stage::new());
        reply.accept().await;
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the shape of the trait")]
    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Error> {
        self.connect(channel, (host, port), reply, session.handle()).await;
        Ok(())
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, Error> {
        Ok((!self.banner.is_empty()).then(|| self.banner.to_string()))
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, session: &mut Session) -> Result<(), Error> {
        match (name, self.channels.get(&channel)) {
            ("sftp", Some(Stage::Prepared { .. })) => {
                let links = client::link_order(session.remote_sshid());
                self.start(channel, Service::Sftp { links }, session).await
            }
            _ => self.refuse(channel, session),
        }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        self.start(channel, Service::Shell, session).await
    }

    async fn exec_request(&mut self, channel: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Error> {
        if command.len() > MAX_COMMAND {
            return self.fail(channel, session, "The command is too long.");
        }
        self.start(channel, Service::Command(command.to_vec()), session).await
    }

    #[allow(clippy::too_many_arguments, reason = "the shape of the trait")]
    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        let is_name = !term.is_empty() && term.len() <= 64 && term.bytes().all(|byte| byte.is_ascii_graphic());
        match self.channels.get_mut(&channel) {
            Some(Stage::Prepared { terminal, .. }) if self.terminal_use == TerminalUse::Allowed => {
                *terminal = Some(Terminal {
                    kind: if is_name { term } else { "dumb" }.to_owned(),
                    size: window_size(columns, rows, width, height),
                    modes: modes.iter().map(|(opcode, value)| (*opcode as u8, *value)).collect(),
                });
                Ok(session.channel_success(channel)?)
            }
            Some(_) | None => Ok(session.channel_failure(channel)?),
        }
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        _session: &mut Session,
    ) -> Result<(), Error> {
        let size = window_size(columns, rows, width, height);
        match self.channels.get_mut(&channel) {
            Some(Stage::Running(running)) => running.input.resize(size),
            Some(Stage::Prepared { terminal: Some(terminal), .. }) => terminal.size = size,
            Some(Stage::Prepared { terminal: None, .. }) | None => {}
        }
        Ok(())
    }

    async fn signal(&mut self, channel: ChannelId, signal: Sig, _session: &mut Session) -> Result<(), Error> {
        if let Some(Stage::Running(running)) = self.channels.get(&channel)
            && let Some(number) = signals::number(&signal)
            && let Some(login) = &mut self.login
            && let Err(error) = login.signal(running.session, number).await
        {
            debug!(%error, "a signal was not passed on");
        }
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        match self.channels.get_mut(&channel) {
            Some(Stage::Prepared { environment, .. })
                if environment.len() < MOST_VARIABLES && name.len() + value.len() <= MAX_VARIABLE_BYTES =>
            {
                environment.push((name.to_owned(), value.to_owned()));
                Ok(session.channel_success(channel)?)
            }
            Some(_) | None => Ok(session.channel_failure(channel)?),
        }
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _session: &mut Session) -> Result<(), Error> {
        self.shared.line.touch();
        match self.channels.get(&channel).and_then(Stage::running) {
            Some(running) => running.input.write(data).await,
            None => Ok(()),
        }
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Error> {
        if let Some(running) = self.channels.get(&channel).and_then(Stage::running) {
            running.input.end();
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Error> {
        if let Some(Stage::Running(running)) = self.channels.remove(&channel)
            && let Some(login) = &mut self.login
            && let Err(error) = login.close(running.session).await
        {
            debug!(%error, "a session that its client has closed could not be ended");
        }
        Ok(())
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
}

/// Larger than any window there is: as large as can be.
fn window_size(columns: u32, rows: u32, width: u32, height: u32) -> WindowSize {
    let short = |number| u16::try_from(number).unwrap_or(u16::MAX);
    WindowSize { columns: short(columns), rows: short(rows), width: short(width), height: short(height) }
}
