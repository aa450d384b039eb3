//! The options in front of a key (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
//!
//! Split by hand: a quote that does not end, or an option that we do not know, makes the whole
//! line void, because a restriction might stand behind it.

use std::fmt;

use super::expiry_time::ExpiryTime;

/// One option. Names count in any case; a value stands in double quotes, in which `\"` is a quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOption {
    /// An address pattern list.
    From(String),
    ExpiryTime(ExpiryTime),
    Command(String),
    PermitOpen(Destination),
    /// A name and its value.
    Environment(String, String),
    CertAuthority,
    Principals(String),
    /// Switches off whatever is not switched on behind it.
    Restrict,
    Pty(Switch),
    PortForwarding(Switch),
    /// About what is never offered.
    Idle(&'static str, Switch),
    /// The same, with a value.
    IdleValue(&'static str, String),
    /// About security keys, which are not taken: whether they have to be touched.
    Touch(Switch),
    /// The same: whether they have to ask for a PIN.
    VerifyRequired,
}

/// Whether an option allows a thing or has `no-` in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

/// Where `ssh -L` may connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// As a client names it, without brackets.
    pub host: String,
    /// `None`: any.
    pub port: Option<u16>,
}

/// Why a line is void.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("a quoted option does not end")]
    OpenQuote,
    #[error("an option is not known")]
    UnknownOption,
    #[error("the option {0} has no value that it can have")]
    BadValue(&'static str),
    #[error("the option {0} is there twice")]
    Twice(&'static str),
    #[error("there is no key in it")]
    NoKey,
    #[error("the key can not be decoded")]
    BadBlob,
    #[error("certificates do not stand in key files")]
    Certificate,
}

/// The comma-separated options up to the first blank outside quotes, and what follows it. As
/// sshd reads them, `\"` does not end a quote, whatever stands before it, and an empty option is none.
pub fn split_options(line: &str) -> Result<(Vec<&str>, &str), LineError> {
    let (mut options, mut start) = (Vec::new(), 0);
    let (mut quoted, mut before) = (false, ' ');
    for (at, c) in line.char_indices() {
        let ended = || line.get(start..at).filter(|option| !option.is_empty());
        match c {
            '"' if before != '\\' => quoted = !quoted,
            ',' if !quoted => {
                options.extend(ended());
                start = at + 1;
            }
            ' ' | '\t' if !quoted => {
                options.extend(ended());
                return Ok((options, line.get(at..).unwrap_or_default()));
            }
            _ => {}
        }
        before = c;
    }
    Err(if quoted { LineError::OpenQuote } else { LineError::NoKey })
}

/// All options of a line, in their order. What would be ambiguous twice is void, as sshd has it.
pub fn parse_options(texts: &[&str]) -> Result<Vec<KeyOption>, LineError> {
    let options: Vec<KeyOption> = texts.iter().map(|text| parse_option(text)).collect::<Result<_, _>>()?;
    for once in ["from", "command", "principals"] {
        if options.iter().filter(|option| option.name() == once).count() > 1 {
            return Err(LineError::Twice(once));
        }
    }
    Ok(options)
}

fn parse_option(text: &str) -> Result<KeyOption, LineError> {
    match text.split_once('=') {
        Some((name, value)) => with_value(&name.to_ascii_lowercase(), unquoted(value)?),
        None => flag(&text.to_ascii_lowercase()),
    }
}

fn with_value(name: &str, value: String) -> Result<KeyOption, LineError> {
    match name {
        "from" => Ok(KeyOption::From(value)),
        "command" => Ok(KeyOption::Command(value)),
        "principals" => Ok(KeyOption::Principals(value)),
        "permitlisten" => Ok(KeyOption::IdleValue("permitlisten", value)),
        "tunnel" => Ok(KeyOption::IdleValue("tunnel", value)),
        "expiry-time" => ExpiryTime::parse(&value).map(KeyOption::ExpiryTime).ok_or(LineError::BadValue("expiry-time")),
        "permitopen" => Destination::parse(&value).map(KeyOption::PermitOpen).ok_or(LineError::BadValue("permitopen")),
        "environment" => variable(&value).ok_or(LineError::BadValue("environment")),
        _ => Err(LineError::UnknownOption),
    }
}

fn flag(name: &str) -> Result<KeyOption, LineError> {
    let (what, switch) = match name.strip_prefix("no-") {
        Some(what) => (what, Switch::Off),
        None => (name, Switch::On),
    };
    match (what, switch) {
        ("restrict", Switch::On) => Ok(KeyOption::Restrict),
        ("cert-authority", Switch::On) => Ok(KeyOption::CertAuthority),
        ("verify-required", Switch::On) => Ok(KeyOption::VerifyRequired),
        ("touch-required", _) => Ok(KeyOption::Touch(switch)),
        ("pty", _) => Ok(KeyOption::Pty(switch)),
        ("port-forwarding", _) => Ok(KeyOption::PortForwarding(switch)),
        ("agent-forwarding", _) => Ok(KeyOption::Idle("agent-forwarding", switch)),
        ("x11-forwarding", _) => Ok(KeyOption::Idle("x11-forwarding", switch)),
        ("user-rc", _) => Ok(KeyOption::Idle("user-rc", switch)),
        _ => Err(LineError::UnknownOption),
    }
}

/// What is between the quotes that begin and end a value; nothing stands before or behind them.
fn unquoted(value: &str) -> Result<String, LineError> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(LineError::UnknownOption)?;
    let plain = inner.replace("\\\"", "");
    if plain.contains('"') || inner.ends_with('\\') {
        return Err(LineError::UnknownOption);
    }
    Ok(inner.replace("\\\"", "\""))
}

fn variable(text: &str) -> Option<KeyOption> {
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !value.contains('\0')).then(|| KeyOption::Environment(name.to_owned(), value.to_owned()))
}

impl Destination {
    /// `host:port`, `[address]:port`; the port may be `*`.
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once("]:")?,
            None => text.split_once(':')?,
        };
        let port = match port {
            "*" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|port| *port > 0)?)
            }
            _ => return None,
        };
        let is_host = !host.is_empty() && !host.contains(['[', ']', '/', ',', ' ', '"', '\\']);
        (is_host && host.len() < MAX_HOST).then(|| Self { host: host.to_owned(), port })
    }
}

/// Names of hosts are shorter (`NI_MAXHOST` of getnameinfo(3)).
const MAX_HOST: usize = 1025;

impl KeyOption {
    /// In lower case.
    pub fn name(&self) -> &'static str {
        match self {
            KeyOption::From(_) => "from",
            KeyOption::ExpiryTime(_) => "expiry-time",
            KeyOption::Command(_) => "command",
            KeyOption::PermitOpen(_) => "permitopen",
            KeyOption::Environment(..) => "environment",
            KeyOption::CertAuthority => "cert-authority",
            KeyOption::Principals(_) => "principals",
            KeyOption::Restrict => "restrict",
            KeyOption::Pty(_) => "pty",
            KeyOption::PortForwarding(_) => "port-forwarding",
            KeyOption::Idle(name, _) | KeyOption::IdleValue(name, _) => name,
            KeyOption::Touch(_) => "touch-required",
            KeyOption::VerifyRequired => "verify-required",
        }
    }
}

/// As it stands in a key file.
impl fmt::Display for KeyOption {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let mut value = |value: &str| write!(out, "{name}=\"{}\"", value.replace('"', "\\\""));
        match self {
            KeyOption::From(text)
            | KeyOption::Command(text)
            | KeyOption::Principals(text)
            | KeyOption::IdleValue(_, text) => value(text),
            KeyOption::ExpiryTime(time) => value(&time.to_string()),
            KeyOption::PermitOpen(destination) => value(&destination.to_string()),
            KeyOption::Environment(variable, text) => value(&format!("{variable}={text}")),
            KeyOption::Pty(switch)
            | KeyOption::PortForwarding(switch)
            | KeyOption::Idle(_, switch)
            | KeyOption::Touch(switch) => match switch {
                Switch::On => out.write_str(name),
                Switch::Off => write!(out, "no-{name}"),
            },
            KeyOption::CertAuthority | KeyOption::Restrict | KeyOption::VerifyRequired => out.write_str(name),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(out, "[{}]:", self.host)?,
            false => write!(out, "{}:", self.host)?,
        }
        match self.port {
            Some(port) => write!(out, "{port}"),
            None => out.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(text: &str) -> Result<KeyOption, LineError> {
        parse_option(text)
    }

    fn destination(host: &str, port: Option<u16>) -> Result<KeyOption, LineError> {
        Ok(KeyOption::PermitOpen(Destination { host: host.into(), port }))
    }

    #[test]
    fn every_option_of_the_manual_is_known_in_any_case() {
        for text in [
            "agent-forwarding",
            "No-Agent-Forwarding",
            "cert-authority",
            "command=\"a \\\"b\\\"\"",
            "environment=\"A_1=b=c\"",
            "expiry-time=\"20300101\"",
            "from=\"10.0.0.0/8,!10.9.9.9\"",
            "no-X11-forwarding",
            "X11-forwarding",
            "permitlisten=\"8080\"",
            "permitopen=\"[::1]:80\"",
            "port-forwarding",
            "no-port-forwarding",
            "principals=\"a,b\"",
            "pty",
            "NO-PTY",
            "no-touch-required",
            "verify-required",
            "restrict",
            "tunnel=\"0\"",
            "user-rc",
            "no-user-rc",
        ] {
            let parsed = option(text).unwrap();
            assert_eq!(option(&parsed.to_string()), Ok(parsed), "{text}");
        }
        for text in ["", "no-restrict", "no-cert-authority", "no-verify-required", "pty=\"\"", "command", "from=a"] {
            assert_eq!(option(text), Err(LineError::UnknownOption), "{text}");
        }
    }

    #[test]
    fn a_destination_is_a_literal_host_and_a_port() {
        assert_eq!(option("permitopen=\"db.example:5432\""), destination("db.example", Some(5432)));
        assert_eq!(option("permitopen=\"[2001:db8::1]:80\""), destination("2001:db8::1", Some(80)));
        assert_eq!(option("permitopen=\"localhost:*\""), destination("localhost", None));
        for text in
            ["", "host", "host:", ":80", "host:0", "host:65536", "host:+1", "::1:80", "[::1]80", "[::1:80", "h/80"]
        {
            assert_eq!(option(&format!("permitopen=\"{text}\"")), Err(LineError::BadValue("permitopen")), "{text}");
        }
    }

    #[test]
    fn a_variable_has_a_name_that_a_shell_takes() {
        let expected = KeyOption::Environment("LC_ALL".into(), "a=\"b\"".into());
        assert_eq!(option("environment=\"LC_ALL=a=\\\"b\\\"\""), Ok(expected));
        for text in ["A", "=b", "A-B=c", "A B=c", "É=c"] {
            assert_eq!(option(&format!("environment=\"{text}\"")), Err(LineError::BadValue("environment")), "{text}");
        }
    }

    #[test]
    fn options_end_at_a_blank_and_an_empty_one_is_none() {
        assert_eq!(split_options("pty,from=\"a, b\" rest"), Ok((vec!["pty", "from=\"a, b\""], " rest")));
        assert_eq!(split_options("pty,\trest"), Ok((vec!["pty"], "\trest")));
        assert_eq!(split_options(",pty,,restrict,, rest"), Ok((vec!["pty", "restrict"], " rest")));
        assert_eq!(split_options(", rest"), Ok((vec![], " rest")));
        assert_eq!(split_options("pty,from=\"a rest"), Err(LineError::OpenQuote));
        assert_eq!(split_options("pty,"), Err(LineError::NoKey));
    }

    #[test]
    fn what_can_only_be_once_is_not_there_twice() {
        assert_eq!(parse_options(&["command=\"a\"", "pty", "command=\"a\""]), Err(LineError::Twice("command")));
        assert_eq!(parse_options(&["from=\"*\"", "from=\"*\""]), Err(LineError::Twice("from")));
        assert!(parse_options(&["permitopen=\"a:1\"", "permitopen=\"b:2\"", "environment=\"A=b\""]).is_ok());
    }
}
