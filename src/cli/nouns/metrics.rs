//! `accountctl metrics`: what all programs have counted, as the API has it.

use crate::client::Request;
use crate::error::Error;
use crate::session::Session;
use crate::text::harmless;

pub fn show(session: &Session) -> Result<(), Error> {
    let answer = session.client.send(&Request::get_text("/metrics", "show metrics"))?;
    let lines: String = answer.text.lines().map(|line| format!("{}\n", harmless(line))).collect();
    session.output.write(&lines)
}
