//! `accountctl two-factor`: a code of an authenticator that a password needs beside it. The secret and the recovery
//! codes are printed when they are made and never again.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Map, Value, json};

use crate::client::{Answer, Request};
use crate::error::Error;
use crate::flags::put;
use crate::output::{Format, Shape, as_it_is, items, plain};
use crate::path::{self, CALLER};
use crate::problem::Flags;
use crate::session::Session;
use crate::terminal;
use crate::text::harmless;

const STATE: Shape =
    Shape { id: "enrolled", columns: &[], fields: &["enrolled", "since", "recovery_codes_left"], present: as_it_is };
const FLAGS: Flags = &[("code", "CODE"), ("secret", "what was begun"), ("X-Accountd-OTP", "the verification code")];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Whether the password of a user needs a code
    Show {
        /// A name, an id, or ~ for whoever asks
        #[arg(value_name = "USER", default_value = CALLER, hide_default_value = true)]
        user: String,
    },
    /// Make a secret for the authenticator of whoever asks; at a terminal its first code is asked for
    Enrol,
    /// Show a code of the secret that was made: from here on the password needs one
    Confirm {
        /// Six digits
        #[arg(value_name = "CODE")]
        code: String,
    },
    /// Take the second factor of a user away
    Cancel {
        /// A name, an id, or ~ for whoever asks
        #[arg(value_name = "USER", default_value = CALLER, hide_default_value = true)]
        user: String,
    },
}

fn of(user: &str) -> String {
    format!("{}/two-factor", path::user(user))
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::Show { user } => {
                let request = Request::get(of(&user), format!("show the second factor of {user}"));
                session.output.object(&STATE, &session.client.send(&request)?)
            }
            Verb::Enrol => enrol(session),
            Verb::Confirm { code } => confirm(session, &code),
            Verb::Cancel { user } => {
                session.agree(&format!("Take the second factor of {user} away?"))?;
                let request = Request::delete(of(&user), format!("cancel the second factor of {user}"));
                session.client.send(&request.naming(FLAGS).showing_code())?;
                Ok(())
            }
        }
    }
}

/// Whoever has a second factor already shows it for another one.
fn enrol(session: &Session) -> Result<(), Error> {
    session.output.shows_all()?;
    let request = Request::post(of(CALLER), "begin a second factor", json!({})).naming(FLAGS).showing_code();
    let answer = session.client.send(&request)?;
    let begun = answer.value();
    match session.output.format {
        Format::Json => return session.output.json(&answer),
        Format::Columns(_) => session.output.write(&format!("{}\n", drawn(&plain(&begun["uri"]))))?,
        Format::Tabs | Format::Ids => {}
    }
    let line = |name: &str| format!("{name}\t{}\n", harmless(&plain(&begun[name])));
    session.output.write(&(line("secret") + &line("uri")))?;
    if !terminal::is_attended() {
        session.output.note("It counts once it is confirmed, within 10 minutes: accountctl two-factor confirm CODE");
        return Ok(());
    }
    let code = terminal::secret("The code that the authenticator shows: ")?;
    confirm(session, code.reveal())
}

fn confirm(session: &Session, code: &str) -> Result<(), Error> {
    session.output.shows_all()?;
    let mut body = Map::new();
    put(&mut body, "code", Some(code));
    let path = format!("{}/confirm", of(CALLER));
    let request = Request::post(path, "confirm the second factor", Value::Object(body)).naming(FLAGS);
    let answer = session.client.send(&request)?;
    if session.output.format == Format::Json {
        return session.output.json(&answer);
    }
    session.output.write(&codes(&answer))?;
    session.output.note(
        "From now on your password needs a code. Keep these recovery codes: each is good once, and they are not \
         shown again.",
    );
    Ok(())
}

fn codes(answer: &Answer) -> String {
    items(&answer.value(), "recovery_codes").iter().map(|code| format!("{}\n", harmless(&plain(code)))).collect()
}

/// Two squares to a character. What can't be drawn can still be typed.
fn drawn(uri: &str) -> String {
    QrCode::new(uri).map(|code| code.render::<Dense1x2>().build()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_as_high_as_half_its_width() {
        let drawn = drawn("otpauth://totp/accountd:anna?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=accountd");
        let lines: Vec<usize> = drawn.lines().map(|line| line.chars().count()).collect();
        assert!(lines.iter().all(|width| *width == lines[0] && width.div_ceil(2) == lines.len()), "{lines:?}");
    }
}
