//! Where accountd is and who asks: from the command line, else the environment, else
//! `~/.config/accountd/accountctl.toml`, else root's own way.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use accountd_protocol::secret::Secret;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::error::Error;
use crate::url::{self, Url};
use crate::{secret_file, terminal};

/// Where the agent listens unless it is told otherwise.
pub const SOCKET: &str = "/run/accountd/agent.sock";
/// Below the home of whoever asks.
const FILE: &str = ".config/accountd/accountctl.toml";

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Where accountd is [environment: ACCOUNTCTL_URL] [default: http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Who asks; the password is asked for, or read from --password-file
    #[arg(id = "who_asks", long = "user", global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// File with the password of --user, for its owner alone; - is standard input
    #[arg(long, global = true, value_name = "PATH", requires = "who_asks")]
    pub password_file: Option<PathBuf>,
    /// Socket of accountd-agent, which knows root without a password [environment:
    /// ACCOUNTCTL_SOCKET] [default: /run/accountd/agent.sock]
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "who_asks")]
    pub socket: Option<PathBuf>,
}

/// What the surroundings of the process say.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub url: Option<OsString>,
    pub socket: Option<OsString>,
    pub token: Option<OsString>,
    pub code: Option<OsString>,
    pub home: Option<OsString>,
    pub is_root: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Settings {
    url: Option<String>,
    user: Option<String>,
    /// Relative to the directory of the file.
    password_file: Option<PathBuf>,
    token: Option<Secret>,
}

/// Both ends of a conversation.
#[derive(Debug)]
pub struct Way {
    pub url: Url,
    pub credential: Credential,
    /// Of an authenticator, if one is needed.
    pub code: Option<Secret>,
}

impl Environment {
    pub fn of_process() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            url: variable("ACCOUNTCTL_URL"),
            socket: variable("ACCOUNTCTL_SOCKET"),
            token: variable("ACCOUNTCTL_TOKEN"),
            code: variable("ACCOUNTCTL_CODE"),
            home: variable("HOME"),
            is_root: nix::unistd::geteuid().is_root(),
        }
    }
}

impl Connection {
    /// May ask for a password.
    pub fn way(self, environment: Environment) -> Result<Way, Error> {
        let (settings, path) = match &environment.home {
            Some(home) => Settings::read(&Path::new(home).join(FILE))?,
            None => (Settings::default(), PathBuf::new()),
        };
        let text = |variable: &Option<OsString>| variable.as_ref().map(|text| text.to_string_lossy().into_owned());
        let of_file = settings.url.clone().unwrap_or_else(|| url::DEFAULT.to_owned());
        let url = Url::parse(&self.url.clone().or_else(|| text(&environment.url)).unwrap_or_else(|| of_file.clone()))?;
        // A credential of the file is for where the file says, and not to be sent elsewhere.
        let settings = if Url::parse(&of_file)? == url { settings } else { Settings::default() };
        let code = text(&environment.code).map(Secret::new);
        let credential = self.credential(environment, settings, &path)?;
        if matches!(credential, Credential::Local(_)) && !url.is_this_machine() {
            return Err(Error::HandleElsewhere { url: url.as_str().to_owned() });
        }
        Ok(Way { url, credential, code })
    }

    fn credential(self, environment: Environment, settings: Settings, path: &Path) -> Result<Credential, Error> {
        if let Some(user) = self.user {
            let of_file = settings.user.as_ref().is_some_and(|known| *known == user);
            let file = settings.password_file.filter(|_| of_file).map(|file| beside(path, &file));
            return with_password(user, self.password_file.or(file));
        }
        if let Some(socket) = self.socket {
            return Ok(Credential::Local(socket));
        }
        if let Some(token) = environment.token {
            return Ok(Credential::Token(Secret::new(token.to_string_lossy().into_owned())));
        }
        if let Some(socket) = environment.socket {
            return Ok(Credential::Local(socket.into()));
        }
        match settings {
            Settings { token: Some(token), .. } => Ok(Credential::Token(token)),
            Settings { user: Some(user), password_file, .. } => {
                with_password(user, password_file.map(|file| beside(path, &file)))
            }
            Settings { .. } if environment.is_root => Ok(Credential::Local(SOCKET.into())),
            Settings { .. } => Err(Error::NoCredential),
        }
    }
}

fn with_password(user: String, file: Option<PathBuf>) -> Result<Credential, Error> {
    if user.is_empty() || user.contains(':') {
        return Err(Error::Usage {
            what: "--user: a name is not empty and has no colon".into(),
            next: "Say who you are.",
        });
    }
    let password = match file {
        Some(file) => secret_file::read(&file)?,
        None if terminal::is_attended() => terminal::secret(&format!("Password of {user}: "))?,
        None => {
            return Err(Error::Usage {
                what: "no terminal to ask for the password at".into(),
                next: "Give it with --password-file, where - is standard input.",
            });
        }
    };
    Ok(Credential::Password { user, password })
}

fn beside(settings: &Path, file: &Path) -> PathBuf {
    settings.parent().unwrap_or(Path::new("")).join(file)
}

impl Settings {
    /// A file that is not there says nothing.
    fn read(path: &Path) -> Result<(Self, PathBuf), Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let wrong = |reason: String| Error::Settings { path: path.to_owned(), reason };
        let mut file = match File::open(path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok((Self::default(), path.to_owned()));
            }
            file => file.map_err(failed)?,
        };
        secret_file::check_own(&file, path)?;
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(failed)?;
        // The lines that toml shows may be the secret's.
        let settings: Self = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        if settings.token.is_some() {
            secret_file::check_secret(&file, path)?;
        }
        if settings.token.is_some() && (settings.user.is_some() || settings.password_file.is_some()) {
            return Err(wrong("token stands for user and password-file; both are there".into()));
        }
        if settings.password_file.is_some() && settings.user.is_none() {
            return Err(wrong("password-file is there without user".into()));
        }
        Ok((settings, path.to_owned()))
    }
}
