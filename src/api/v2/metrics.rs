//! `/metrics`: what all programs have counted, in the text format of Prometheus (version 0.0.4).
//!
//! Labels are enums of `accountd_protocol::metrics`: no name, no address and nothing else that a client
//! says is among them. Numbers of a program that says nothing are left out, and `accountd_up` is 0.

use std::fmt::Write;

use accountd_protocol::metrics::{AgentNumbers, Labels, LoginNumbers, Metrics, Numbers, SshNumbers};
use rocket::get;
use rocket::http::Status;

use super::error::Error;
use super::users::{Signed, failed};
use crate::caller::Authenticated;
use crate::reply::Reply;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[get("/metrics")]
pub async fn show(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let metrics = caller.metrics().await.map_err(failed)?;
    Ok(Reply {
        status: Status::Ok,
        content_type: Some(TEXT),
        body: page(&metrics),
        headers: vec![("Cache-Control", "no-store".to_owned())],
    })
}

/// Names and values of the labels of one number.
type Pairs = Vec<(&'static str, &'static str)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What has happened since the program was started.
    Counter,
    /// What there is now.
    Gauge,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

/// All numbers of one name; the page is a table of these.
struct Family<N> {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    rows: fn(&N) -> Vec<(Pairs, u64)>,
}

const fn counter<N>(name: &'static str, help: &'static str, rows: fn(&N) -> Vec<(Pairs, u64)>) -> Family<N> {
    Family { name, kind: Kind::Counter, help, rows }
}

const fn gauge<N>(name: &'static str, help: &'static str, rows: fn(&N) -> Vec<(Pairs, u64)>) -> Family<N> {
    Family { name, kind: Kind::Gauge, help, rows }
}

const UP: Family<Metrics> =
    gauge("accountd_up", "Whether a program has told its numbers within the last minute.", |metrics| {
        let programs = [("agent", true), ("login", metrics.login.is_some()), ("ssh", metrics.ssh.is_some())];
        programs.map(|(program, up)| (vec![("program", program)], u64::from(up))).to_vec()
    });

const SSH: &[Family<SshNumbers>] = &[
    counter("accountd_ssh_connections_accepted_total", "Connections that were let in to authenticate.", |n| {
        rows(&n.accepted)
    }),
    counter("accountd_ssh_connections_turned_away_total", "Connections that were closed at once.", |n| {
        rows(&n.turned_away)
    }),
    counter("accountd_ssh_connections_cut_off_total", "Connections that the server has ended.", |n| rows(&n.cut_off)),
    gauge("accountd_ssh_connections", "Connections that are open.", |n| rows(&n.open)),
    gauge("accountd_ssh_connections_unauthenticated", "Of these, those that have not authenticated.", |n| {
        rows(&n.unauthenticated)
    }),
    counter("accountd_ssh_authentications_total", "Attempts to authenticate over SSH.", |n| rows(&n.authentications)),
    counter("accountd_ssh_session_bytes_total", "Bytes to and from sessions.", |n| rows(&n.bytes)),
];

const LOGIN: &[Family<LoginNumbers>] = &[
    counter("accountd_login_logins_total", "Logins, and those that were refused.", |n| rows(&n.logins)),
    counter("accountd_login_sessions_begun_total", "Sessions that have begun.", |n| rows(&n.begun)),
    counter("accountd_login_sessions_ended_total", "Sessions that have ended.", |n| rows(&n.ended)),
    gauge("accountd_login_sessions", "Sessions that run.", |n| rows(&n.running)),
    counter("accountd_login_sessions_not_opened_total", "Sessions that were asked for and not opened.", |n| {
        rows(&n.not_opened)
    }),
];

const AGENT: &[Family<AgentNumbers>] = &[
    counter("accountd_agent_decisions_total", "Decisions on logins.", |n| rows(&n.decisions)),
    counter("accountd_agent_key_offers_total", "Keys that were asked about before a login.", |n| rows(&n.offers)),
    counter("accountd_agent_rest_authentications_total", "Credentials that were shown over REST.", |n| rows(&n.rest)),
    counter("accountd_agent_bans_begun_total", "Bans that have begun.", |n| rows(&n.bans_begun)),
    gauge("accountd_agent_bans", "Bans of now.", |n| rows(&n.bans)),
    counter(
        "accountd_agent_account_changes_total",
        "Changes of the accounts: commits, and what others have written.",
        |n| rows(&n.changes),
    ),
];

fn rows<L: Labels>(numbers: &Numbers<L>) -> Vec<(Pairs, u64)> {
    numbers.rows().into_iter().map(|(labels, value)| (labels.pairs(), value)).collect()
}

fn page(metrics: &Metrics) -> String {
    let mut page = String::new();
    family(&mut page, &UP, metrics);
    let Metrics { agent, login, ssh } = metrics;
    AGENT.iter().for_each(|one| family(&mut page, one, agent));
    if let Some(login) = login {
        LOGIN.iter().for_each(|one| family(&mut page, one, login));
    }
    if let Some(ssh) = ssh {
        SSH.iter().for_each(|one| family(&mut page, one, ssh));
    }
    page
}

/// Writing to a String does not fail.
fn family<N>(page: &mut String, Family { name, kind, help, rows }: &Family<N>, numbers: &N) {
    let _ = writeln!(page, "# HELP {name} {}", escaped(help));
    let _ = writeln!(page, "# TYPE {name} {}", kind.name());
    for (pairs, value) in rows(numbers) {
        let labels: Vec<String> =
            pairs.iter().map(|(label, shown)| format!("{label}=\"{}\"", escaped(shown).replace('"', "\\\""))).collect();
        let _ = match labels.is_empty() {
            true => writeln!(page, "{name} {value}"),
            false => writeln!(page, "{name}{{{}}} {value}", labels.join(",")),
        };
    }
}

/// Of a help text; in a label the quotation mark is escaped as well.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_help_type_and_a_line_for_each_number() {
        let page =
            page(&Metrics { ssh: Some(SshNumbers { open: 3.into(), ..Default::default() }), ..Metrics::default() });
        let begins = "# HELP accountd_up Whether a program has told its numbers within the last minute.\n\
                      # TYPE accountd_up gauge\n\
                      accountd_up{program=\"agent\"} 1\n\
                      accountd_up{program=\"login\"} 0\n\
                      accountd_up{program=\"ssh\"} 1\n";
        assert!(page.starts_with(begins), "{page}");
        assert!(page.contains("\n# TYPE accountd_ssh_connections gauge\naccountd_ssh_connections 3\n"), "{page}");
        let line = "\naccountd_ssh_authentications_total{method=\"keyboard_interactive\",result=\"granted\"} 0\n";
        assert!(page.contains(line), "{page}");
        assert!(!page.contains("accountd_login_"), "it has said nothing: {page}");
    }

    #[test]
    fn backslashes_line_ends_and_quotation_marks_are_escaped() {
        let odd: Family<()> = counter("odd_total", "a\\b\nc\"d", |()| vec![(vec![("label", "a\\b\nc\"d")], 1)]);
        let mut page = String::new();
        family(&mut page, &odd, &());
        let label = "odd_total{label=\"a\\\\b\\nc\\\"d\"} 1\n";
        assert_eq!(page, format!("# HELP odd_total a\\\\b\\nc\"d\n# TYPE odd_total counter\n{label}"));
    }

    #[test]
    fn counters_and_nothing_else_are_called_total_and_no_name_comes_twice() {
        let all: Vec<(&str, Kind)> = SSH
            .iter()
            .map(|one| (one.name, one.kind))
            .chain(LOGIN.iter().map(|one| (one.name, one.kind)))
            .chain(AGENT.iter().map(|one| (one.name, one.kind)))
            .collect();
        for (name, kind) in &all {
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(all.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
        }
    }
}
