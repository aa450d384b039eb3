//! What a session of an account may be: `[sessions]` of accountd.toml(5), the account's login shell,
//! and the options of the key that was shown (sshd(8)).

use std::collections::BTreeSet;
use std::path::Path;

use accountd_config::{PermitUserEnvironment, SessionRoot, SessionSettings, Sessions, TcpForwarding, VariablePattern};
use accountd_protocol::agent::USUAL_SHELL;
use accountd_protocol::limits::{Limits, Root};
use accountd_protocol::repository::RepositoryKind;
use accountd_protocol::session_policy::{
    Forwarding, INTERNAL_SFTP, ServedRepositories, ServiceKind, SessionPolicy, TerminalUse, Uploads,
};

use super::key_options::{Destination, KeyOption, Switch};

/// What a client may set where nothing says otherwise.
const ACCEPTED: [&str; 3] = ["LANG", "LC_*", "GIT_PROTOCOL"];
/// Programs that stand in the shell field of passwd(5) and are no shells, whatever shells(5) says.
const NO_SHELLS: [&str; 9] = ["nologin", "false", "true", "sync", "halt", "shutdown", "poweroff", "git-shell", "rssh"];

/// Whose sessions.
#[derive(Clone, Debug)]
pub struct Holder<'a> {
    pub name: &'a str,
    /// Of all their groups.
    pub groups: BTreeSet<&'a str>,
    pub home: &'a [u8],
    pub shell: LoginShell,
    /// Of the account and its groups together.
    pub limits: &'a Limits,
}

/// Whether an account has a shell that runs commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginShell {
    Present,
    Absent,
}

/// What somebody's sessions may be before a key narrows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub policy: SessionPolicy,
    pub environment: PermitUserEnvironment,
    shell: LoginShell,
}

impl LoginShell {
    /// Of the shell field of passwd(5), and of shells(5) in a root directory.
    pub fn of(field: &[u8], root: &Path) -> Self {
        let listed = std::fs::read_to_string(root.join("etc/shells")).ok();
        Self::among(field, listed.as_deref())
    }

    /// `listed` is the text of shells(5); `None`: there is none, and any program may be a shell.
    fn among(field: &[u8], listed: Option<&str>) -> Self {
        let Ok(path) = std::str::from_utf8(field) else { return LoginShell::Absent };
        let path = if path.is_empty() { USUAL_SHELL } else { path };
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_listed = listed.is_none_or(|text| text.lines().any(|line| line.trim() == path));
        match path.starts_with('/') && !NO_SHELLS.contains(&name) && is_listed {
            true => LoginShell::Present,
            false => LoginShell::Absent,
        }
    }
}

/// `%u` stands for the user's name.
fn rooted(path: &str, name: &str) -> Vec<u8> {
    path.replace("%u", name).into_bytes()
}

impl Allowed {
    /// `repositories` is the directory that those of accountd lie below.
    pub fn of(sessions: &Sessions, holder: &Holder<'_>, repositories: &str) -> Self {
        let settings = sessions.settings_of(|rule| rule.names(holder.name, &holder.groups));
        let root = match (&holder.limits.root, settings.root.clone().unwrap_or_default()) {
            (Some(Root::Home | Root::InHome(_)), _) | (None, SessionRoot::Home) => Some(holder.home.to_vec()),
            (Some(Root::Path(path)), _) => Some(rooted(path, holder.name)),
            (None, SessionRoot::Path(path)) => Some(rooted(&path, holder.name)),
            (None, SessionRoot::None) => None,
        };
        let below = match &holder.limits.root {
            Some(Root::InHome(below)) => Some(below.clone().into_bytes()),
            Some(Root::Home | Root::Path(_)) | None => None,
        };
        let mut policy = SessionPolicy {
            services: services(&settings, holder.shell),
            forced_command: None,
            terminal: TerminalUse::Allowed,
            forwarding: forwarding(settings.tcp_forwarding.unwrap_or_default()),
            accept_environment: accepted(settings.accept_environment),
            environment: Vec::new(),
            leftovers: settings.leftovers.unwrap_or_default(),
            uploads: settings.uploads.unwrap_or_default(),
            root,
            below,
            umask: settings.umask.unwrap_or_default().bits(),
            repositories: served(settings.services.as_ref(), repositories),
        };
        // What has been written of a file that does not fit would be all that is left of it.
        if !holder.limits.quota.is_none() && settings.uploads.is_none() {
            policy.uploads = Uploads::Atomic;
        }
        // What is limited here can be held by a session of files alone.
        if policy.root.is_some() || holder.limits.permissions.is_some() {
            policy.services.retain(|service| matches!(service, ServiceKind::Sftp | ServiceKind::Scp));
            policy.forwarding = Forwarding::None;
            policy.repositories = None;
        }
        let environment = settings.permit_user_environment.unwrap_or_default();
        Self { policy, environment, shell: holder.shell }
    }

    /// The same, as far as these options of a key leave it. `None`: the key lets nobody in, because
    /// its command could not be run.
    pub fn narrowed(self, options: &[KeyOption]) -> Option<SessionPolicy> {
        let Self { mut policy, environment, shell } = self;
        let mut switches = Switches::default();
        let mut destinations = Vec::new();
        for option in options {
            switches.turn(option);
            match option {
                KeyOption::Command(command) => {
                    policy = with_command(policy, command, shell)?;
                }
                KeyOption::PermitOpen(Destination { host, port }) => destinations.push((host.clone(), *port)),
                KeyOption::Environment(name, value) if environment == PermitUserEnvironment::Yes => {
                    // The first counts, as in sshd.
                    if !policy.environment.iter().any(|(known, _)| known == name) {
                        policy.environment.push((name.clone(), value.clone()));
                    }
                }
                KeyOption::Environment(..)
                | KeyOption::From(_)
                | KeyOption::ExpiryTime(_)
                | KeyOption::CertAuthority
                | KeyOption::Principals(_)
                | KeyOption::Restrict
                | KeyOption::Pty(_)
                | KeyOption::PortForwarding(_)
                | KeyOption::Idle(..)
                | KeyOption::IdleValue(..)
                | KeyOption::Touch(_)
                | KeyOption::VerifyRequired => {}
            }
        }
        if switches.terminal == Switch::Off {
            policy.terminal = TerminalUse::Refused;
        }
        policy.forwarding = narrowed_forwarding(policy.forwarding, switches.forwarding, destinations);
        Some(policy)
    }
}

/// `None` where the command could not be run as it is meant: without a shell, or with what sshd's file
/// server takes after its name.
fn with_command(mut policy: SessionPolicy, command: &str, shell: LoginShell) -> Option<SessionPolicy> {
    let mut words = command.split_ascii_whitespace();
    match (words.next() == Some(INTERNAL_SFTP), words.next()) {
        (true, None) => {
            policy.services.retain(|service| *service == ServiceKind::Sftp);
            policy.repositories = None;
        }
        (true, Some(_)) => return None,
        (false, _) if shell == LoginShell::Absent || policy.root.is_some() => return None,
        (false, _) => {}
    }
    policy.forced_command = Some(command.trim().to_owned());
    Some(policy)
}

/// What the options of a key, one after the other, have switched on and off.
struct Switches {
    terminal: Switch,
    forwarding: Switch,
}

impl Default for Switches {
    fn default() -> Self {
        Self { terminal: Switch::On, forwarding: Switch::On }
    }
}

impl Switches {
    fn turn(&mut self, option: &KeyOption) {
        match option {
            KeyOption::Restrict => *self = Self { terminal: Switch::Off, forwarding: Switch::Off },
            KeyOption::Pty(switch) => self.terminal = *switch,
            KeyOption::PortForwarding(switch) => self.forwarding = *switch,
            KeyOption::From(_)
            | KeyOption::ExpiryTime(_)
            | KeyOption::Command(_)
            | KeyOption::PermitOpen(_)
            | KeyOption::Environment(..)
            | KeyOption::CertAuthority
            | KeyOption::Principals(_)
            | KeyOption::Idle(..)
            | KeyOption::IdleValue(..)
            | KeyOption::Touch(_)
            | KeyOption::VerifyRequired => {}
        }
    }
}

/// Rsync and git without a shell only where somebody has named them.
fn services(settings: &SessionSettings, shell: LoginShell) -> BTreeSet<ServiceKind> {
    let named = settings.services.as_ref();
    let mut services = named.cloned().unwrap_or_else(|| BTreeSet::from(ServiceKind::ALL));
    if shell == LoginShell::Absent {
        services.retain(|service| match service {
            ServiceKind::Sftp | ServiceKind::Scp => true,
            ServiceKind::Rsync | ServiceKind::Git | ServiceKind::Hg => named.is_some(),
            ServiceKind::Shell => false,
        });
    }
    services
}

/// Repositories of accountd are served without a shell too: nothing that their users have put into them
/// runs. Where services are named, what is not among them is not.
fn served(named: Option<&BTreeSet<ServiceKind>>, root: &str) -> Option<ServedRepositories> {
    let is_served = |kind: &RepositoryKind| {
        let service = match kind {
            RepositoryKind::Git => ServiceKind::Git,
            RepositoryKind::Hg => ServiceKind::Hg,
        };
        named.is_none_or(|named| named.contains(&service) || named.contains(&ServiceKind::Shell))
    };
    let kinds: BTreeSet<RepositoryKind> = RepositoryKind::ALL.into_iter().filter(is_served).collect();
    (!kinds.is_empty()).then(|| ServedRepositories { root: root.to_owned(), kinds })
}

fn forwarding(setting: TcpForwarding) -> Forwarding {
    match setting {
        TcpForwarding::Refused => Forwarding::None,
        TcpForwarding::Allowed => Forwarding::Anywhere,
    }
}

fn narrowed_forwarding(allowed: Forwarding, switch: Switch, destinations: Vec<(String, Option<u16>)>) -> Forwarding {
    match (allowed, switch) {
        (Forwarding::None, _) | (_, Switch::Off) => Forwarding::None,
        (Forwarding::Anywhere, Switch::On) if !destinations.is_empty() => Forwarding::To(destinations),
        (allowed @ (Forwarding::Anywhere | Forwarding::To(_)), Switch::On) => allowed,
    }
}

fn accepted(patterns: Option<Vec<VariablePattern>>) -> Vec<String> {
    match patterns {
        Some(patterns) => patterns.into_iter().map(String::from).collect(),
        None => ACCEPTED.map(str::to_owned).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::session_policy::Uploads;

    use super::*;
    use crate::identity::key_options::{parse_options, split_options};

    fn sessions(text: &str) -> Sessions {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accountd.toml");
        std::fs::write(&path, text).unwrap();
        accountd_config::Config::read(&path).unwrap().sessions
    }

    fn allowed(text: &str, shell: LoginShell) -> Allowed {
        let holder = Holder {
            name: "anna",
            groups: BTreeSet::from(["guests"]),
            home: b"/home/anna",
            shell,
            limits: &Limits::default(),
        };
        Allowed::of(&sessions(text), &holder, "/srv/repositories")
    }

    #[test]
    fn variables_are_accepted_as_accountd_toml_has_them() {
        assert_eq!(accepted(None), ACCEPTED);
        let named = sessions("[sessions]\naccept_environment = [\"LANG\", \"GIT_*\"]\n").settings.accept_environment;
        assert_eq!(accepted(named), ["LANG", "GIT_*"]);
        assert!(accepted(Some(Vec::new())).is_empty());
    }

    fn narrowed(allowed: &Allowed, options: &str) -> Option<SessionPolicy> {
        let line = format!("{options} key");
        allowed.clone().narrowed(&parse_options(&split_options(&line).unwrap().0).unwrap())
    }

    fn named(policy: &SessionPolicy) -> Vec<&'static str> {
        policy.services.iter().map(|service| service.name()).collect()
    }

    const FORWARDING: &str = "[sessions]\ntcp_forwarding = \"allowed\"\npermit_user_environment = \"yes\"\n";

    #[test]
    fn a_shell_is_listed_and_not_made_to_refuse() {
        let listed = Some("# shells\n/bin/sh\n/bin/bash\n/usr/sbin/nologin\n");
        let shell = |field: &str, listed| LoginShell::among(field.as_bytes(), listed);
        for field in ["", "/bin/sh", "/bin/bash"] {
            assert_eq!(shell(field, listed), LoginShell::Present, "{field}");
        }
        for field in ["/usr/sbin/nologin", "/bin/false", "/opt/own", "bash", " /bin/sh", "/usr/bin/git-shell"] {
            assert_eq!(shell(field, listed), LoginShell::Absent, "{field}");
        }
        assert_eq!(shell("/opt/own", None), LoginShell::Present);
        assert_eq!(shell("/usr/bin/git-shell", None), LoginShell::Absent);
        assert_eq!(LoginShell::among(b"/bin/\xff", None), LoginShell::Absent);
    }

    #[test]
    fn without_a_login_shell_only_files_remain_and_what_was_named() {
        assert_eq!(named(&allowed("", LoginShell::Present).policy), ["sftp", "scp", "rsync", "git", "hg", "shell"]);
        assert_eq!(named(&allowed("", LoginShell::Absent).policy), ["sftp", "scp"]);
        let rule = "[[sessions.rules]]\ngroups = [\"guests\"]\nservices = [\"rsync\", \"shell\"]\n";
        assert_eq!(named(&allowed(rule, LoginShell::Absent).policy), ["rsync"]);
        assert_eq!(named(&allowed("[sessions]\nservices = []\n", LoginShell::Present).policy), [""; 0]);
    }

    #[test]
    fn repositories_need_no_shell_and_are_left_out_where_services_are_named() {
        let served = |text: &str, shell| {
            let repositories = allowed(text, shell).policy.repositories;
            repositories.map(|served| served.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>())
        };
        let named = |list: &str| format!("[sessions]\nservices = [{list}]\n");
        for shell in [LoginShell::Present, LoginShell::Absent] {
            assert_eq!(served("", shell), Some(vec!["git", "hg"]));
            assert_eq!(served(&named("\"hg\""), shell), Some(vec!["hg"]));
            assert_eq!(served(&named("\"shell\""), shell), Some(vec!["git", "hg"]));
            assert_eq!(served(&named("\"sftp\", \"rsync\""), shell), None);
            assert_eq!(served("[sessions]\nroot = \"home\"\n", shell), None);
        }
        let files = narrowed(&allowed("", LoginShell::Present), "command=\"internal-sftp\"").unwrap();
        assert_eq!(files.repositories, None);
    }

    #[test]
    fn a_session_with_a_root_has_files_and_no_command() {
        let confined = allowed("[sessions]\nroot = \"/srv/%u/x\"\ntcp_forwarding = \"allowed\"\n", LoginShell::Present);
        assert_eq!(confined.policy.root.as_deref(), Some(b"/srv/anna/x".as_slice()));
        assert_eq!((named(&confined.policy), &confined.policy.forwarding), (vec!["sftp", "scp"], &Forwarding::None));
        assert_eq!(narrowed(&confined, "command=\"date\""), None);
        let home =
            allowed("[sessions]\nroot = \"home\"\nuploads = \"atomic\"\numask = \"0077\"\n", LoginShell::Present);
        assert_eq!(home.policy.root.as_deref(), Some(b"/home/anna".as_slice()));
        assert_eq!((home.policy.uploads, home.policy.umask), (Uploads::Atomic, 0o077));
    }

    #[test]
    fn a_command_takes_a_shell_and_the_file_server_takes_none() {
        let (with, without) = (allowed("", LoginShell::Present), allowed("", LoginShell::Absent));
        assert_eq!(narrowed(&with, "command=\"date\"").unwrap().forced_command.as_deref(), Some("date"));
        assert_eq!(narrowed(&without, "command=\"date\""), None);
        for allowed in [&with, &without] {
            let policy = narrowed(allowed, "restrict,command=\" internal-sftp \"").unwrap();
            assert_eq!((named(&policy), policy.forced_command.as_deref()), (vec!["sftp"], Some("internal-sftp")));
            let read_only = narrowed(allowed, "command=\"internal-sftp -R\"");
            assert_eq!(read_only, None, "what it asks for could not be had");
        }
    }

    #[test]
    fn options_narrow_and_never_widen() {
        let allowed_all = allowed(FORWARDING, LoginShell::Present);
        let policy = |options: &str| narrowed(&allowed_all, options).unwrap();
        assert_eq!((policy("pty").terminal, policy("no-pty").terminal), (TerminalUse::Allowed, TerminalUse::Refused));
        assert_eq!(policy("restrict").terminal, TerminalUse::Refused);
        assert_eq!(
            (policy("restrict,pty").terminal, policy("pty,restrict").terminal),
            (TerminalUse::Allowed, TerminalUse::Refused)
        );
        assert_eq!(policy("restrict").forwarding, Forwarding::None);
        assert_eq!(policy("restrict,port-forwarding").forwarding, Forwarding::Anywhere);
        assert_eq!(policy("permitopen=\"a:1\",no-port-forwarding").forwarding, Forwarding::None);
        let to = Forwarding::To(vec![("::1".into(), Some(80)), ("a".into(), None)]);
        assert_eq!(policy("permitopen=\"[::1]:80\",permitopen=\"a:*\"").forwarding, to);
        let refused = narrowed(&allowed("", LoginShell::Present), "port-forwarding,permitopen=\"a:1\"");
        assert_eq!(refused.unwrap().forwarding, Forwarding::None, "the file has the last word");
        let sftp = allowed("[sessions]\nservices = [\"scp\"]\n", LoginShell::Present);
        assert_eq!(named(&narrowed(&sftp, "command=\"internal-sftp\"").unwrap()), [""; 0]);
    }

    #[test]
    fn variables_of_a_key_count_where_they_may_and_the_first_of_a_name_does() {
        let options = "environment=\"A=1\",environment=\"B=2\",environment=\"A=3\"";
        let permitted = narrowed(&allowed(FORWARDING, LoginShell::Present), options).unwrap();
        assert_eq!(permitted.environment, [("A".into(), "1".into()), ("B".into(), "2".into())]);
        assert_eq!(narrowed(&allowed("", LoginShell::Present), options).unwrap().environment, []);
    }
}
