//! The environment of a session: what login(1) would set, and what its client may.

use std::net::SocketAddr;

use accountd_protocol::agent::Grant;
use accountd_protocol::id::Uid;
use accountd_protocol::pattern::like;

use crate::order::NewPrivileges;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
const ROOTS_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The most variables that a client may set, and the longest value.
const MOST: usize = 64;
const LONGEST: usize = 4096;

/// Never a client's or a key's to set, whatever a pattern says: they change which code runs.
const DANGEROUS: [&str; 22] = [
    "BASH_ENV",
    "BASHOPTS",
    "ENV",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "HOME",
    "HOSTALIASES",
    "IFS",
    "LOCALDOMAIN",
    "LOCPATH",
    "LOGNAME",
    "MAIL",
    "NLSPATH",
    "PATH",
    "PROMPT_COMMAND",
    "PS4",
    "RES_OPTIONS",
    "SHELL",
    "SHELLOPTS",
    "TERM",
    "TERMCAP",
    "USER",
];
const DANGEROUS_BEGINNINGS: [&str; 3] = ["LD_", "BASH_FUNC", "SSH_"];

/// The two ends of a client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub client: SocketAddr,
    pub server: SocketAddr,
}

/// `NAME=VALUE`, each name once.
#[derive(Debug)]
pub struct Environment(Vec<(String, Vec<u8>)>);

impl Environment {
    pub fn new(grant: &Grant, ends: Ends) -> Self {
        let (client, server) = (ends.client, ends.server);
        let mut environment = Self::alone(grant);
        environment.set("SSH_CLIENT", format!("{} {} {}", client.ip(), client.port(), server.port()).as_bytes());
        let connection = format!("{} {} {} {}", client.ip(), client.port(), server.ip(), server.port());
        environment.set("SSH_CONNECTION", connection.as_bytes());
        environment
    }

    /// Where there is no client.
    pub fn alone(grant: &Grant) -> Self {
        let path = if grant.uid == Uid::ROOT { ROOTS_PATH } else { PATH };
        let name = grant.name.as_str();
        let mut environment = Self(Vec::new());
        environment.set("HOME", &grant.home);
        environment.set("USER", name.as_bytes());
        environment.set("LOGNAME", name.as_bytes());
        environment.set("SHELL", grant.shell_program());
        environment.set("PATH", path.as_bytes());
        environment.set("MAIL", format!("/var/mail/{name}").as_bytes());
        environment.set("LANG", b"C.UTF-8");
        environment
    }

    pub fn set(&mut self, name: &str, value: &[u8]) {
        self.0.retain(|(present, _)| present != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// What the client wants set, as far as the patterns let it.
    pub fn accept(&mut self, wanted: &[(String, String)], patterns: &[String]) {
        let accepted = |name: &str| patterns.iter().any(|pattern| like(pattern, name));
        for (name, value) in wanted.iter().filter(|(name, _)| accepted(name)).take(MOST) {
            self.set_by_others(name, value);
        }
    }

    /// What a key says.
    pub fn set_by_others(&mut self, name: &str, value: &str) {
        if is_harmless(name) && value.len() <= LONGEST && !value.contains('\0') {
            self.set(name, value.as_bytes());
        }
    }

    pub fn into_texts(self) -> Vec<Vec<u8>> {
        self.0.into_iter().map(|(name, value)| [name.as_bytes(), b"=", &value].concat()).collect()
    }
}

/// What PAM has set for a session, over what was set before, and what that does not have. A module of the
/// administrator's may say which programs are found where there is a shell; whose account it is and which code
/// programs load stays as it is, because some of what modules set they read in the user's own files.
pub fn add_of_pam(texts: &mut Vec<Vec<u8>>, set: &[Vec<u8>], privileges: NewPrivileges) {
    for text in set.iter().take(MOST) {
        let Some(end) = text.iter().position(|byte| *byte == b'=') else { continue };
        let (Ok(name), value) = (std::str::from_utf8(&text[..end]), &text[end + 1..]) else { continue };
        let may_set = match (name, privileges) {
            ("MAIL", _) | ("PATH", NewPrivileges::Possible) => true,
            (name, NewPrivileges::Possible | NewPrivileges::Never) => is_harmless(name),
        };
        if may_set && value.len() <= LONGEST && !value.contains(&0) {
            texts.retain(|present| !present.starts_with(&text[..=end]));
            texts.push(text.clone());
        }
    }
}

fn is_harmless(name: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(is_name)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !DANGEROUS.contains(&name)
        && !DANGEROUS_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(patterns: &[&str], names: &[&str]) -> Vec<String> {
        let mut environment = Environment(Vec::new());
        let wanted: Vec<_> = names.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
        environment.accept(&wanted, &patterns.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        environment.0.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_client_sets_what_the_patterns_let_it() {
        assert_eq!(
            accepted(&["LANG", "LC_*"], &["LANG", "LC_ALL", "LC_", "LANGUAGE", "EDITOR"]),
            ["LANG", "LC_ALL", "LC_"]
        );
        assert_eq!(accepted(&["A?"], &["A", "AB", "ABC"]), ["AB"]);
        assert!(accepted(&[], &["LANG"]).is_empty());
    }

    #[test]
    fn what_changes_which_code_runs_is_never_set_by_others() {
        let names = ["PATH", "LD_PRELOAD", "BASH_ENV", "SSH_CONNECTION", "BASH_FUNC_ls", "A=B", "1A", "", "Ä", "IFS"];
        assert!(accepted(&["*"], &names).is_empty());
        assert_eq!(accepted(&["*"], &["GIT_PROTOCOL", "_a1"]), ["GIT_PROTOCOL", "_a1"]);
    }

    #[test]
    fn what_pam_sets_counts_over_what_was_set_and_never_changes_which_code_runs() {
        let text = |text: &str| text.as_bytes().to_vec();
        let set =
            ["LANG=de", "PATH=/opt/bin", "LD_PRELOAD=/tmp/x.so", "HOME=/tmp", "MAIL=/m", "XDG_SEAT=", "novalue", "=x"];
        let set = set.map(text);
        let added = |privileges| {
            let mut texts = ["LANG=C", "HOME=/home/anna", "PATH=/bin"].map(text).to_vec();
            add_of_pam(&mut texts, &set, privileges);
            texts.iter().map(|text| String::from_utf8(text.clone()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(added(NewPrivileges::Never), ["HOME=/home/anna", "PATH=/bin", "LANG=de", "MAIL=/m", "XDG_SEAT="]);
        assert_eq!(
            added(NewPrivileges::Possible),
            ["HOME=/home/anna", "LANG=de", "PATH=/opt/bin", "MAIL=/m", "XDG_SEAT="]
        );
    }

    #[test]
    fn a_variable_is_there_once_with_its_last_value_and_none_is_too_long() {
        let mut environment = Environment(Vec::new());
        environment.set("LANG", b"C.UTF-8");
        environment.accept(&[("LANG".into(), "de_DE".into()), ("LC_ALL".into(), "x".repeat(5000))], &["*".into()]);
        assert_eq!(environment.into_texts(), [b"LANG=de_DE".to_vec()]);
    }
}
