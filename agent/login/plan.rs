//! What is started for an account that asks for a session: policy, key and account decide.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStrExt;

use accountd_protocol::agent::Grant;
use accountd_protocol::id::Uid;
use accountd_protocol::limits::Bandwidth;
use accountd_protocol::login::{LinkOrder, Opening, Service, Streams, Terminal};
use accountd_protocol::metrics::SessionService;
use accountd_protocol::repository::PullOrder;
use accountd_protocol::session_policy::{
    Forwarding, INTERNAL_SFTP, Leftovers, ServedRepositories, ServiceKind, SessionPolicy, TerminalUse, Uploads,
};

use crate::environment::{Ends, Environment};
use crate::order::{NewPrivileges, Order};

const NO_SFTP: &str = "This account may not use SFTP.";
const NO_SHELL: &str = "This account has no shell here.";
const NO_COMMANDS: &str = "This account may not run commands.";
const ONLY_SFTP: &str = "This account may use sftp only.";
const NO_FORWARDING: &str = "This account may not connect there.";

/// A session that may be started; its terminal is made where it is.
#[derive(Debug)]
pub struct Plan {
    pub order: Order,
    pub terminal: Option<Terminal>,
    pub service: SessionService,
}

/// What is started, or why nothing is, in words for the user. `front` is the user of the one that asks.
pub fn plan(grant: &Grant, opening: Opening, ends: Ends, front: Uid) -> Result<Plan, &'static str> {
    let policy = &grant.policy;
    let mut environment = Environment::new(grant, ends);
    environment.accept(&opening.environment, &policy.accept_environment);
    policy.environment.iter().for_each(|(name, value)| environment.set_by_others(name, value));
    let service = match &policy.forced_command {
        Some(command) => forced(command, opening.service, &mut environment),
        None => opening.service,
    };
    // What other programs store can't be leased for them.
    let serves_files = match &service {
        Service::Sftp { .. } => true,
        Service::Command(_) => command_services(grant).contains(&ServiceKind::Scp),
        Service::Shell | Service::Connect { .. } => false,
    };
    let (arguments, kind) = program(grant, service, front)?;
    let is_command = matches!(kind, SessionService::Command | SessionService::Shell);
    let terminal = opening.terminal.filter(|_| is_command && policy.terminal == TerminalUse::Allowed);
    let streams = match (&terminal, is_command) {
        (Some(_), _) => Streams::Terminal,
        (None, true) => Streams::Pipes,
        (None, false) => Streams::Socket,
    };
    let order = Order {
        user: grant.name.as_str().to_owned(),
        uid: grant.uid,
        gid: grant.gid,
        groups: grant.groups.clone(),
        umask: policy.umask,
        home: grant.home.clone(),
        arguments,
        environment: environment.into_texts(),
        privileges: if is_command && may_shell(grant) { NewPrivileges::Possible } else { NewPrivileges::Never },
        streams,
        leftovers: policy.leftovers,
        quota: grant.quota.filter(|_| serves_files),
        source: ends.client.ip(),
        limits: Vec::new(),
    };
    Ok(Plan { order, terminal, service: kind })
}

/// `command=` of the key in place of what was asked for, which it can look at. A connection to
/// somewhere else is no command.
fn forced(command: &str, asked: Service, environment: &mut Environment) -> Service {
    let original = match &asked {
        Service::Connect { .. } => return asked,
        Service::Command(original) => Some(original.clone()),
        Service::Sftp { .. } => Some(INTERNAL_SFTP.as_bytes().to_vec()),
        Service::Shell => None,
    };
    if command.split_ascii_whitespace().next() == Some(INTERNAL_SFTP) {
        let links = if let Service::Sftp { links } = asked { links } else { LinkOrder::TargetFirst };
        return Service::Sftp { links };
    }
    if let Some(original) = original.filter(|original| !original.contains(&0)) {
        environment.set("SSH_ORIGINAL_COMMAND", &original);
    }
    Service::Command(command.as_bytes().to_vec())
}

/// The arguments of accountd-session, and what it serves.
fn program(grant: &Grant, service: Service, front: Uid) -> Result<(Vec<Vec<u8>>, SessionService), &'static str> {
    let policy = &grant.policy;
    match service {
        Service::Sftp { .. } if !may(policy, ServiceKind::Sftp) => Err(NO_SFTP),
        Service::Sftp { links } => {
            let links = match links {
                LinkOrder::TargetFirst => Vec::new(),
                LinkOrder::LinkFirst => vec![b"--link-first".to_vec()],
            };
            Ok(([vec![b"sftp".to_vec()], links, file_options(grant)].concat(), SessionService::Sftp))
        }
        Service::Command(command) => {
            let services = command_services(grant);
            if !services.iter().any(|kind| *kind != ServiceKind::Sftp) && policy.repositories.is_none() {
                return Err(if services.is_empty() { NO_COMMANDS } else { ONLY_SFTP });
            }
            let names: Vec<&str> = services.iter().map(|kind| kind.name()).collect();
            let mut arguments = vec![b"command".to_vec(), b"--services".to_vec(), names.join(",").into_bytes()];
            arguments.extend(shell_option(grant));
            arguments.extend(repository_options(policy));
            arguments.extend(file_options(grant));
            arguments.extend([b"--".to_vec(), command]);
            Ok((arguments, SessionService::Command))
        }
        Service::Shell if !may_shell(grant) => Err(NO_SHELL),
        Service::Shell => Ok(([vec![b"shell".to_vec()], shell_option(grant).to_vec()].concat(), SessionService::Shell)),
        Service::Connect { host, port } if may_connect(&policy.forwarding, &host, port) => {
            let mut arguments = vec![b"connect".to_vec(), b"--fronts".to_vec(), fronts(grant, front).into_bytes()];
            arguments.extend([b"--".to_vec(), host.into_bytes(), port.to_string().into_bytes()]);
            Ok((arguments, SessionService::Connect))
        }
        Service::Connect { .. } => Err(NO_FORWARDING),
    }
}

fn repository_options(policy: &SessionPolicy) -> Vec<Vec<u8>> {
    let Some(ServedRepositories { root, kinds }) = &policy.repositories else { return Vec::new() };
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let options = ["--repositories", root, "--repository-kinds", &kinds.join(",")];
    options.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// A pull into a repository. The session reads from its standard input where from.
pub fn pull(order: &PullOrder) -> Plan {
    let PullOrder { grant, kind, root, name, .. } = order;
    let arguments = ["pull", "--repositories", root, "--repository-kinds", kind.name(), "--", name];
    let order = Order {
        user: grant.name.as_str().to_owned(),
        uid: grant.uid,
        gid: grant.gid,
        groups: grant.groups.clone(),
        umask: grant.policy.umask,
        home: grant.home.clone(),
        arguments: arguments.map(|text| text.as_bytes().to_vec()).to_vec(),
        environment: Environment::alone(grant).into_texts(),
        privileges: NewPrivileges::Never,
        streams: Streams::Pipes,
        leftovers: Leftovers::End,
        quota: None,
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        limits: Vec::new(),
    };
    Plan { order, terminal: None, service: SessionService::Command }
}

/// What a command line may be, and sftp, which whoever sends another one is told of. A session with a
/// root, or with permissions, serves files alone.
fn command_services(grant: &Grant) -> BTreeSet<ServiceKind> {
    let policy = &grant.policy;
    let files_only = policy.root.is_some() || grant.limits.permissions.is_some();
    let fits = |kind: &ServiceKind| match kind {
        ServiceKind::Sftp | ServiceKind::Scp => true,
        ServiceKind::Rsync | ServiceKind::Git | ServiceKind::Hg | ServiceKind::Shell => !files_only,
    };
    policy.services.iter().copied().filter(fits).collect()
}

fn may(policy: &SessionPolicy, kind: ServiceKind) -> bool {
    policy.services.contains(&kind)
}

/// A session with a root, or with permissions, has none.
fn may_shell(grant: &Grant) -> bool {
    let Grant { policy, limits, .. } = grant;
    may(policy, ServiceKind::Shell) && policy.root.is_none() && limits.permissions.is_none()
}

fn shell_option(grant: &Grant) -> [Vec<u8>; 2] {
    [b"--shell".to_vec(), grant.shell_program().to_vec()]
}

fn file_options(grant: &Grant) -> Vec<Vec<u8>> {
    let (policy, limits) = (&grant.policy, &grant.limits);
    let mut options = Vec::new();
    if let Some(root) = &policy.root {
        options.extend([b"--root".to_vec(), root.clone()]);
    }
    if let Some(below) = &policy.below {
        options.extend([b"--below".to_vec(), below.clone()]);
    }
    match policy.uploads {
        Uploads::InPlace => {}
        Uploads::Atomic => options.extend([b"--uploads".to_vec(), b"atomic".to_vec()]),
    }
    if let Some(permissions) = &limits.permissions {
        let names: Vec<&str> = permissions.iter().map(|permission| permission.name()).collect();
        options.extend([b"--permissions".to_vec(), names.join(",").into_bytes()]);
    }
    let rates = match limits.bandwidth {
        Bandwidth::Transfer => [("--upload-rate", limits.upload), ("--download-rate", limits.download)],
        // The front keeps to these.
        Bandwidth::Account => return options,
    };
    for (option, rate) in rates {
        if let Some(rate) = rate.filter(|rate| *rate > 0) {
            options.extend([option.as_bytes().to_vec(), rate.to_string().into_bytes()]);
        }
    }
    options
}

/// The users whose listeners are out of reach: those that the agent knows of, and the one that has come here.
fn fronts(grant: &Grant, front: Uid) -> String {
    let all: BTreeSet<u32> = grant.fronts.iter().chain([&front]).map(|uid| uid.0).collect();
    let texts: Vec<String> = all.iter().map(u32::to_string).collect();
    texts.join(",")
}

fn may_connect(forwarding: &Forwarding, host: &str, port: u16) -> bool {
    match forwarding {
        Forwarding::None => false,
        Forwarding::Anywhere => true,
        Forwarding::To(places) => places.iter().any(|(allowed, allowed_port)| {
            allowed.eq_ignore_ascii_case(host) && allowed_port.is_none_or(|allowed| allowed == port)
        }),
    }
}

/// What /etc/nologin says, while it is there (nologin(5)). Root is let in all the same.
pub fn no_login(uid: Uid) -> Option<String> {
    const LONGEST: u64 = 4096;
    if uid == Uid::ROOT {
        return None;
    }
    let file = match std::fs::File::open("/etc/nologin") {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        file => file,
    };
    let mut text = Vec::new();
    // Nobody logs in either when it can't be read.
    let _ = file.and_then(|file| file.take(LONGEST).read_to_end(&mut text));
    let text = OsStr::from_bytes(text.trim_ascii()).to_string_lossy().replace('\n', "\r\n");
    Some(if text.is_empty() { "Logins are not allowed now.".to_owned() } else { text })
}

#[cfg(test)]
mod tests {
    use accountd_protocol::limits::FilePermission;
    use accountd_protocol::quota::QuotaBackend;
    use accountd_protocol::repository::RepositoryKind;

    use super::*;
    use crate::granted;

    fn grant(change: impl FnOnce(&mut SessionPolicy)) -> Grant {
        let mut grant = Grant { fronts: vec![Uid(990), Uid(991)], ..granted::grant() };
        grant.policy.accept_environment = vec!["LANG".to_owned()];
        change(&mut grant.policy);
        grant
    }

    const FRONT: Uid = Uid(992);

    fn planned(grant: &Grant, service: Service) -> Result<Plan, &'static str> {
        let terminal = Some(Terminal { kind: "xterm".into(), size: Default::default(), modes: Vec::new() });
        let ends = Ends { client: "192.0.2.1:5000".parse().unwrap(), server: "192.0.2.2:22".parse().unwrap() };
        plan(grant, Opening { service, terminal, environment: vec![("LANG".into(), "de".into())] }, ends, FRONT)
    }

    fn words(plan: &Plan) -> Vec<String> {
        plan.order.arguments.iter().map(|word| String::from_utf8(word.clone()).unwrap()).collect()
    }

    #[test]
    fn each_service_is_refused_where_the_policy_does_not_have_it() {
        let nothing = grant(|policy| policy.services.clear());
        let asked = [
            (Service::Sftp { links: LinkOrder::TargetFirst }, NO_SFTP),
            (Service::Command(b"id".to_vec()), NO_COMMANDS),
            (Service::Shell, NO_SHELL),
            (Service::Connect { host: "h".into(), port: 1 }, NO_FORWARDING),
        ];
        for (service, why) in asked {
            assert_eq!(planned(&nothing, service).unwrap_err(), why);
        }
        let only_sftp = grant(|policy| policy.services = BTreeSet::from([ServiceKind::Sftp]));
        assert_eq!(planned(&only_sftp, Service::Command(b"id".to_vec())).unwrap_err(), ONLY_SFTP);
    }

    #[test]
    fn only_where_a_shell_runs_are_new_privileges_possible() {
        let all = grant(|_| ());
        assert_eq!(planned(&all, Service::Shell).unwrap().order.privileges, NewPrivileges::Possible);
        let sftp = Service::Sftp { links: LinkOrder::LinkFirst };
        assert_eq!(planned(&all, sftp).unwrap().order.privileges, NewPrivileges::Never);
        let no_shell = grant(|policy| policy.services.retain(|kind| *kind != ServiceKind::Shell));
        let command = planned(&no_shell, Service::Command(b"scp -t x".to_vec())).unwrap();
        assert_eq!(command.order.privileges, NewPrivileges::Never);
        assert!(words(&command).contains(&"sftp,scp,rsync,git,hg".to_owned()));
    }

    #[test]
    fn repositories_are_named_to_the_session_and_make_a_command_of_what_would_be_none() {
        let root = "/srv/r".to_owned();
        let served = |kinds| ServedRepositories { root: root.clone(), kinds };
        let both = grant(|policy| {
            policy.services = BTreeSet::from([ServiceKind::Sftp]);
            policy.repositories = Some(served(BTreeSet::from(RepositoryKind::ALL)));
        });
        let command = planned(&both, Service::Command(b"git-upload-pack a".to_vec())).unwrap();
        assert_eq!(command.order.privileges, NewPrivileges::Never);
        let options = words(&command).join(" ");
        assert!(options.contains("--repositories /srv/r --repository-kinds git,hg"), "{options}");
        let files = grant(|policy| policy.services = BTreeSet::from([ServiceKind::Sftp]));
        assert_eq!(planned(&files, Service::Command(b"git-upload-pack a".to_vec())).err(), Some(ONLY_SFTP));
    }

    #[test]
    fn a_session_with_a_root_serves_files_and_nothing_else() {
        let confined = grant(|policy| policy.root = Some(b"/mnt/tank/anna".to_vec()));
        let command = planned(&confined, Service::Command(b"id".to_vec())).unwrap();
        let words = words(&command);
        assert!(words.windows(2).any(|two| two == ["--services", "sftp,scp"]), "{words:?}");
        assert!(words.windows(2).any(|two| two == ["--root", "/mnt/tank/anna"]), "{words:?}");
        assert_eq!(planned(&confined, Service::Shell).unwrap_err(), NO_SHELL);
    }

    #[test]
    fn a_connection_to_somewhere_else_is_no_command_that_another_takes_the_place_of() {
        let forced = grant(|policy| {
            (policy.forced_command, policy.forwarding) = (Some("date".into()), Forwarding::Anywhere);
        });
        let connect = planned(&forced, Service::Connect { host: "h".into(), port: 1 }).unwrap();
        assert_eq!(words(&connect)[0], "connect");
        assert!(words(&planned(&forced, Service::Shell).unwrap()).contains(&"date".to_owned()));
    }

    #[test]
    fn what_an_account_is_held_to_is_told_to_what_serves_its_files() {
        let mut held = grant(|policy| policy.services = BTreeSet::from([ServiceKind::Sftp, ServiceKind::Scp]));
        held.quota = Some(QuotaBackend::Ledger);
        held.limits.permissions = Some(BTreeSet::from([FilePermission::Upload, FilePermission::List]));
        (held.limits.upload, held.limits.download) = (Some(100), Some(0));
        let sftp = Service::Sftp { links: LinkOrder::TargetFirst };
        let plan = planned(&held, sftp.clone()).unwrap();
        assert_eq!(words(&plan), ["sftp", "--permissions", "list,upload"]);
        assert_eq!(plan.order.quota, Some(QuotaBackend::Ledger));
        held.limits.bandwidth = Bandwidth::Transfer;
        held.limits.permissions = Some(BTreeSet::new());
        let plan = planned(&held, sftp).unwrap();
        assert_eq!(words(&plan), ["sftp", "--permissions", "", "--upload-rate", "100"]);
        let scp = planned(&held, Service::Command(b"scp -t x".to_vec())).unwrap();
        assert!(words(&scp).contains(&"--permissions".to_owned()));
        assert_eq!(scp.order.quota, Some(QuotaBackend::Ledger));
    }

    #[test]
    fn what_runs_other_programs_has_no_permissions_to_keep_to_and_leases_nothing() {
        let mut held = grant(|_| ());
        held.quota = Some(QuotaBackend::Ledger);
        assert_eq!(planned(&held, Service::Shell).unwrap().order.quota, None);
        held.policy.services.remove(&ServiceKind::Scp);
        assert_eq!(planned(&held, Service::Command(b"id".to_vec())).unwrap().order.quota, None);
        held.limits.permissions = Some(BTreeSet::from(FilePermission::ALL));
        assert_eq!(planned(&held, Service::Shell).unwrap_err(), NO_SHELL);
        assert_eq!(planned(&held, Service::Command(b"id".to_vec())).unwrap_err(), ONLY_SFTP);
    }

    #[test]
    fn a_forced_command_runs_whatever_is_asked_for_and_can_see_it() {
        let forced = grant(|policy| policy.forced_command = Some("backup --all".into()));
        for service in [Service::Shell, Service::Command(b"id".to_vec()), Service::Sftp { links: LinkOrder::LinkFirst }]
        {
            let seen = match &service {
                Service::Command(_) => Some(&b"SSH_ORIGINAL_COMMAND=id"[..]),
                Service::Sftp { .. } => Some(&b"SSH_ORIGINAL_COMMAND=internal-sftp"[..]),
                Service::Shell | Service::Connect { .. } => None,
            };
            let plan = planned(&forced, service).unwrap();
            assert_eq!(plan.order.arguments.last().unwrap(), b"backup --all");
            let original = plan.order.environment.iter().find(|text| text.starts_with(b"SSH_ORIGINAL_COMMAND="));
            assert_eq!(original.map(Vec::as_slice), seen);
        }
        let sftp = grant(|policy| policy.forced_command = Some("internal-sftp".into()));
        assert_eq!(planned(&sftp, Service::Command(b"id".to_vec())).unwrap().service, SessionService::Sftp);
    }

    #[test]
    fn a_connection_goes_where_the_key_lets_it() {
        let somewhere =
            grant(|policy| policy.forwarding = Forwarding::To(vec![("Db".into(), Some(5432)), ("web".into(), None)]));
        let connect = |host: &str, port| planned(&somewhere, Service::Connect { host: host.into(), port });
        let fronts = "990,991,992";
        assert_eq!(words(&connect("db", 5432).unwrap()), ["connect", "--fronts", fronts, "--", "db", "5432"]);
        assert!(connect("db", 22).is_err() && connect("web", 1).is_ok() && connect("other", 5432).is_err());
    }

    #[test]
    fn a_terminal_is_for_commands_and_shells_whose_key_allows_one() {
        let all = grant(|_| ());
        assert_eq!(planned(&all, Service::Shell).unwrap().order.streams, Streams::Terminal);
        let sftp = planned(&all, Service::Sftp { links: LinkOrder::TargetFirst }).unwrap();
        assert_eq!((sftp.order.streams, sftp.terminal.is_none()), (Streams::Socket, true));
        let none = grant(|policy| policy.terminal = TerminalUse::Refused);
        let command = planned(&none, Service::Command(b"id".to_vec())).unwrap();
        assert_eq!((command.order.streams, command.terminal.is_none()), (Streams::Pipes, true));
    }
}
