//! Tells `accountd-login` what the front has counted, over a connection of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::metrics::SshNumbers;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

use crate::counters::Counters;
use crate::error::Error;
use crate::gate::Gate;
use crate::login::Login;

const PERIOD: Duration = Duration::from_secs(5);
/// Login only notes the numbers.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Goes on for ever. What can't be told now is in the numbers that come next.
pub async fn numbers(login_socket: PathBuf, counters: Arc<Counters>, gate: Arc<Gate>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut way = None;
    loop {
        ticks.tick().await;
        let told = tell(&login_socket, way.take(), counters.numbers(gate.unauthenticated()));
        match timeout(ANSWER_LIMIT, told).await {
            Ok(Ok(login)) => way = Some(login),
            Ok(Err(error)) => debug!(%error, "numbers are not told"),
            Err(_) => debug!("numbers are not told: accountd-login does not answer"),
        }
    }
}

async fn tell(login_socket: &Path, way: Option<Login>, numbers: SshNumbers) -> Result<Login, Error> {
    let mut login = match way {
        Some(login) => login,
        None => Login::without_client(login_socket).await?,
    };
    login.report(numbers).await?;
    Ok(login)
}
