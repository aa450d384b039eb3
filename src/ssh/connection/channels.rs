//! What channels are for (RFC 4254): each is one session, which login opens.

use accountd_protocol::login::{Opening, Service, SessionId, Terminal};
use russh::server::{ChannelOpenHandle, Handle, Msg, Session};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tracing::warn;

use super::Connection;
use crate::channel::{self, Input, STDERR};
use crate::error::Error;
use crate::login;

pub(super) const MOST_CHANNELS: usize = 64;
/// Exit status of a request that is not served.
const FAILED: u32 = 1;

/// How far a channel has come.
pub(super) enum Stage {
    /// What has been asked for before anything runs.
    Prepared {
        terminal: Option<Terminal>,
        environment: Vec<(String, String)>,
    },
    Running(Running),
}

impl Stage {
    pub(super) fn new() -> Self {
        Stage::Prepared { terminal: None, environment: Vec::new() }
    }

    pub(super) fn running(&self) -> Option<&Running> {
        match self {
            Stage::Running(running) => Some(running),
            Stage::Prepared { .. } => None,
        }
    }
}

/// A channel with a session.
pub(super) struct Running {
    pub(super) session: SessionId,
    pub(super) input: Input,
}

impl Connection {
    /// How many channels are open. One whose session has ended has been closed from this side;
    /// russh doesn't say when the client has answered that.
    pub(super) fn open_channels(&mut self) -> usize {
        self.channels.retain(|_, stage| !stage.running().is_some_and(|running| running.input.is_over()));
        self.channels.len()
    }

    /// The session, or why there is none, in words for the user.
    async fn open(&mut self, opening: Opening) -> Result<Result<login::Session, String>, Error> {
        self.login().await?.open(opening).await
    }

    /// Starts what a channel is for; a channel is for one thing.
    pub(super) async fn start(
        &mut self,
        channel: ChannelId,
        service: Service,
        session: &mut Session,
    ) -> Result<(), Error> {
        self.shared.line.touch();
        let Some(Stage::Prepared { terminal, environment }) = self.channels.get_mut(&channel) else {
            return Ok(session.channel_failure(channel)?);
        };
        let opening = Opening { service, terminal: terminal.take(), environment: std::mem::take(environment) };
        match self.open(opening).await {
            Ok(Ok(opened)) => {
                session.channel_success(channel)?;
                let (id, with) = (opened.id, (session.handle(), self.shared.clone()));
                let input = channel::join(channel, opened, with, None);
                self.channels.insert(channel, Stage::Running(Running { session: id, input }));
                Ok(())
            }
            Ok(Err(reason)) => self.fail(channel, session, &reason),
            Err(error) => {
                warn!(%error, "no session can be opened");
                self.fail(channel, session, "Sessions can not be opened now.")
            }
        }
    }

    /// A connection to somewhere else: the channel is confirmed once there is one.
    pub(super) async fn connect(
        &mut self,
        channel: Channel<Msg>,
        (host, port): (&str, u32),
        reply: ChannelOpenHandle,
        handle: Handle,
    ) {
        let Ok(port) = u16::try_from(port) else { return reply.reject(ChannelOpenFailure::ConnectFailed).await };
        if self.open_channels() >= MOST_CHANNELS {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        }
        let service = Service::Connect { host: host.to_owned(), port };
        let opening = Opening { service, terminal: None, environment: Vec::new() };
        match self.open(opening).await {
            Ok(Ok(opened)) => {
                let (id, with) = (opened.id, (handle, self.shared.clone()));
                let input = channel::join(channel.id(), opened, with, Some(reply));
                self.channels.insert(channel.id(), Stage::Running(Running { session: id, input }));
            }
            Ok(Err(_)) => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
            Err(error) => {
                warn!(%error, "no session can be opened");
                reply.reject(ChannelOpenFailure::ConnectFailed).await;
            }
        }
    }

    /// Says no to a request and closes the channel: stock clients end at once then.
    pub(super) fn refuse(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        self.channels.remove(&channel);
        session.channel_failure(channel)?;
        Ok(session.close(channel)?)
    }

    /// Ends what was asked for as if it had said why and failed. OpenSSH's client shows nothing
    /// that comes with a refused request.
    pub(super) fn fail(&mut self, channel: ChannelId, session: &mut Session, why: &str) -> Result<(), Error> {
        self.channels.remove(&channel);
        session.channel_success(channel)?;
        session.extended_data(channel, STDERR, format!("{why}\r\n").into_bytes())?;
        session.exit_status_request(channel, FAILED)?;
        session.eof(channel)?;
        Ok(session.close(channel)?)
    }
}
