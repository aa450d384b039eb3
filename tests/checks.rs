//! Check and repair beside pwck(8) and grpck(8): what they complain about is found, and what was
//! repaired gives them nothing to say.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use accountd_protocol::agent::{AgentRequest, Answer, Operation};
use accountd_protocol::checks::{
    CheckReport, CheckedHomes, Chosen, Finding, RepairOrder, RepairOutcome, RepairRefused, RepairReport,
    RepairedFinding, Severity,
};
use accountd_protocol::client::AgentClient;
use accountd_protocol::secret::Secret;
use serde_json::json;

use crate::freenas::{Nas, new_user};
use crate::world::PASSWORD;

const FILES: [&str; 4] = ["passwd", "shadow", "group", "gshadow"];

/// One operation in the name of the administrator, over the agent's own socket.
fn operate(nas: &Nas, operation: Operation) -> Answer {
    let mut client = AgentClient::connect(&nas.disk.path("/run/accountd/agent.sock")).unwrap();
    let (user, password) = ("root".to_owned(), Secret::new(PASSWORD.into()));
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let Answer::Handle(caller) =
        client.call(&AgentRequest::OpenHandle { user, password, code: None, source }).unwrap().unwrap()
    else {
        panic!("no handle");
    };
    client.call(&AgentRequest::Operate { caller, operation: Box::new(operation) }).unwrap().unwrap()
}

pub fn check(nas: &Nas) -> CheckReport {
    let Answer::Checked(report) = operate(nas, Operation::Check { homes: CheckedHomes::Looked }) else {
        panic!("no report");
    };
    report
}

fn repair(nas: &Nas, report: &CheckReport, chosen: Chosen) -> RepairReport {
    let order = RepairOrder { homes: report.homes, digest: report.digest.clone(), chosen };
    let Answer::Repaired(report) = operate(nas, Operation::RepairChecks(order)) else { panic!("no report") };
    report
}

/// Everything that can be repaired is, and has to be.
fn repair_all(nas: &Nas) -> Vec<RepairedFinding> {
    let RepairReport::Performed(repaired) = repair(nas, &check(nas), Chosen::All) else { panic!("refused") };
    for one in &repaired {
        assert_eq!(one.outcome, RepairOutcome::Done, "{one:?}");
    }
    repaired
}

fn codes(report: &CheckReport) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// What pwck and grpck say, without what they say each time.
fn complaints(nas: &Nas) -> Vec<String> {
    let mut said = Vec::new();
    for tool in ["pwck", "grpck"] {
        let output = nas.world.exec(&[tool, "-r"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        said.extend(text.lines().filter(|line| !line.ends_with("no changes")).map(str::to_owned));
    }
    said
}

/// What a complaint is about: a name, a number or a line. Some only begin one that goes on in the
/// next line.
fn subject(complaint: &str) -> Option<String> {
    let first_word = |rest: &str| rest.split([':', ' ']).next().map(str::to_owned);
    let quoted = |text: &str| Some(text.split_once('\'')?.1.rsplit_once('\'')?.0.to_owned());
    if let Some((_, group)) = complaint.split_once("is a member of the '") {
        return group.split_once('\'').map(|(group, _)| group.to_owned());
    }
    for begin in ["delete member", "delete administrative member"] {
        if complaint.starts_with(begin) {
            return None;
        }
    }
    if complaint.starts_with("user '") {
        return complaint.split('\'').nth(1).map(str::to_owned);
    }
    for begin in ["user ", "shadow group ", "group "] {
        if let Some(rest) = complaint.strip_prefix(begin) {
            return first_word(rest);
        }
    }
    if complaint.starts_with("add ") {
        return complaint.split('\'').nth(1).map(str::to_owned);
    }
    quoted(complaint)
}

fn is_about(nas: &Nas, finding: &Finding, subject: &str) -> bool {
    let object = &finding.object;
    let text = fs::read(nas.disk.path(&object.file)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = object.line.and_then(|line| text.split('\n').nth(line - 1)).unwrap_or_default();
    // Of lines with one name, they show each, and the finding is in one of them.
    let name = subject.split_once(':').map_or(subject, |(name, _)| name);
    object.name.as_deref() == Some(name)
        || object.number.is_some_and(|number| number.to_string() == subject)
        || object.line.is_some() && (line == subject || line.split(':').next() == Some(subject))
}

/// As an editor would: a whole new file in the place of the old one.
fn write(nas: &Nas, file: &str, text: &str) {
    let path = nas.disk.path(&format!("/etc/{file}"));
    let new = path.with_extension("edited");
    fs::copy(&path, &new).unwrap();
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// What is put behind each file: as many lines as anybody has thought of.
const BROKEN: [(&str, &str, &[&str]); 30] = [
    ("passwd", "# a comment\n", &["passwd.comment"]),
    ("passwd", "\n", &["passwd.blank"]),
    ("passwd", "broken\n", &["passwd.malformed"]),
    ("passwd", "few:x:5000:5000:\n", &["passwd.field_count"]),
    ("passwd", "many:x:5000:0::/:/bin/sh:more\n", &["passwd.field_count"]),
    ("passwd", " blank:x:5000:0::/:/bin/sh\n", &["passwd.leading_blank"]),
    ("passwd", "a b:x:5000:0::/:/bin/sh\n", &["passwd.invalid_name", "shadow.missing"]),
    ("passwd", "x34567890123456789012345678901234:x:5000:0::/:/bin/sh\n", &["passwd.invalid_name"]),
    ("passwd", "none:x:4294967295:0::/:/bin/sh\n", &["passwd.invalid_number"]),
    ("passwd", "hex:x:0x10:0::/:/bin/sh\n", &["passwd.invalid_number"]),
    ("passwd", "groupless:x:5000:4711::/:/bin/sh\n", &["passwd.unknown_primary_group"]),
    ("passwd", "homeless:x:5000:0::/no/such/home:/bin/sh\n", &["home.missing"]),
    ("passwd", "shellless:x:5000:0::/:/no/such/shell\n", &["passwd.missing_shell"]),
    ("passwd", "return:x:5000:0::/:/bin/sh\r\n", &["passwd.control_character", "passwd.missing_shell"]),
    ("passwd", "daemon:*:1:1::/:/bin/sh\n", &["passwd.duplicate_name"]),
    ("passwd", "unshadowed:$6$x:5000:0::/:/bin/sh\n", &["passwd.password_here", "shadow.missing"]),
    ("shadow", "# a comment\n", &["shadow.comment"]),
    ("shadow", "eight:*:1:::::\n", &["shadow.field_count"]),
    ("shadow", "stray:*:1::::::\n", &["shadow.no_account"]),
    ("shadow", "daemon:*:1::::::\n", &["shadow.duplicate_name"]),
    ("group", "\n", &["group.blank"]),
    ("group", "five:x:5000::\n", &["group.field_count"]),
    ("group", "a b:x:5000:\n", &["group.invalid_name", "gshadow.missing"]),
    ("group", "none:x:4294967295:\n", &["group.invalid_number"]),
    ("group", "staff:x:5000:\n", &["group.duplicate_name"]),
    ("group", "members:x:5000:gone,,root\n", &["group.unknown_member", "gshadow.missing"]),
    ("gshadow", "three:x:\n", &["gshadow.malformed"]),
    ("gshadow", "stray:!::\n", &["gshadow.no_group"]),
    ("gshadow", "staff:!::\n", &["gshadow.duplicate_name"]),
    ("gshadow", "stray:!:gone:away\n", &["gshadow.unknown_administrator", "gshadow.unknown_member"]),
];

#[test]
fn a_new_sandbox_gives_nobody_anything_to_say() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas.rest.create_user(&new_user("Berta.B", 3002, "pw").replace("/mnt/tank/home", "/nonexistent"));
    assert_eq!(complaints(&nas), [""; 0]);
    assert_eq!(check(&nas).findings, []);
}

#[test]
fn whatever_pwck_and_grpck_complain_about_is_found() {
    let nas = Nas::start();
    let good = FILES.map(|file| nas.disk.text(&format!("/etc/{file}")));
    for (file, line, expected) in BROKEN {
        let text = &good[FILES.iter().position(|of| *of == file).unwrap()];
        write(&nas, file, &format!("{text}{line}"));
        compare(&nas, line, expected);
        write(&nas, file, text);
    }
    // In lines that are there already.
    let edits: [(&str, &str, &str, &[&str]); 4] = [
        ("shadow", "daemon:*:20000:", "daemon:*:99999:", &["shadow.changed_in_future"]),
        ("group", "staff:x:", "staff:*:", &["group.password_here"]),
        ("group", "staff:x:50:", "staff:x:50:daemon", &["gshadow.members_differ"]),
        ("gshadow", "staff:*::", "staff:*:nobody:daemon", &["gshadow.members_differ"]),
    ];
    for (file, old, new, expected) in edits {
        let text = &good[FILES.iter().position(|of| *of == file).unwrap()];
        assert!(text.contains(old), "{old}");
        write(&nas, file, &text.replace(old, new));
        compare(&nas, new, expected);
        write(&nas, file, text);
    }
    assert_eq!(check(&nas).findings, []);
}

fn compare(nas: &Nas, what: &str, expected: &[&str]) {
    let (report, said) = (check(nas), complaints(nas));
    assert!(!said.is_empty(), "they find nothing wrong with {what:?}");
    for code in expected {
        assert!(codes(&report).contains(code), "{what:?} gives {:?}", codes(&report));
    }
    for subject in said.iter().filter_map(|complaint| subject(complaint)) {
        let found = report.findings.iter().any(|finding| is_about(nas, finding, &subject));
        assert!(found, "{what:?}: {said:?} about {subject:?}, and only {:?}", report.findings);
    }
}

#[test]
fn after_a_repair_nobody_has_anything_to_say() {
    let nas = Nas::start();
    let anna = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let hash = nas.disk.field("/etc/shadow", "anna", 1);
    let add = |file: &str, line: &str| write(&nas, file, &(nas.disk.text(&format!("/etc/{file}")) + line));
    add("shadow", "stray:*:1::::::\ndaemon:*:20000:0:99999:7:::\n");
    add("group", "members:x:5000:gone,,anna\nold:*:5001:anna\n");
    add("gshadow", "stray:!::\nold:!:gone:\n");
    add("passwd", &format!("berta:{hash}:5000:0::/nonexistent:/bin/sh\ncarla:x:5001:0::/nonexistent:/bin/sh\n"));
    let smb = nas.disk.text("/etc/samba/smbpasswd");
    let stray = smb.replace("anna:3001:", "gone:7:");
    write(&nas, "samba/smbpasswd", &(smb.replace(":3001:", ":3002:") + &stray));
    assert!(!complaints(&nas).is_empty());
    assert!(repair_all(&nas).len() > 8);
    assert_eq!(complaints(&nas), [""; 0]);
    assert_eq!(check(&nas).findings, []);
    assert_eq!(nas.disk.field("/etc/shadow", "berta", 1), hash);
    assert_eq!(
        (nas.disk.field("/etc/passwd", "berta", 1), nas.disk.field("/etc/shadow", "carla", 1)),
        ("x".into(), "*".into())
    );
    assert_eq!(nas.disk.text("/etc/samba/smbpasswd"), smb);
    assert_eq!(nas.rest.get(&format!("/account/users/{anna}/")).status, 200);
}

#[test]
fn what_was_not_shown_or_not_chosen_is_not_repaired() {
    let nas = Nas::start();
    write(&nas, "shadow", &(nas.disk.text("/etc/shadow") + "one:*:1::::::\n"));
    write(&nas, "gshadow", &(nas.disk.text("/etc/gshadow") + "one:*::\n"));
    let shown = check(&nas);
    assert_eq!(codes(&shown), ["shadow.no_account", "gshadow.no_group"]);
    let before = nas.disk.everything("/etc");
    let unknown = |chosen| repair(&nas, &shown, chosen);
    assert_eq!(unknown(Chosen::Findings(vec![2])), RepairReport::Refused(RepairRefused::NoSuchFinding(2)));
    let code = "home.missing".to_owned();
    assert_eq!(unknown(Chosen::Codes(vec![code.clone()])), RepairReport::Refused(RepairRefused::NoSuchCode(code)));
    assert_eq!(unknown(Chosen::Codes(vec![])), RepairReport::Performed(vec![]));
    assert!(nas.disk.everything("/etc") == before);
    write(&nas, "shadow", &(nas.disk.text("/etc/shadow") + "two:*:1::::::\n"));
    let before = nas.disk.everything("/etc");
    assert_eq!(unknown(Chosen::All), RepairReport::Refused(RepairRefused::Changed));
    assert!(nas.disk.everything("/etc") == before);
    let RepairReport::Performed(done) = repair(&nas, &check(&nas), Chosen::Codes(vec!["gshadow.no_group".into()]))
    else {
        panic!("refused");
    };
    assert_eq!((done.len(), &done[0].outcome), (1, &RepairOutcome::Done));
    assert_eq!(codes(&check(&nas)), ["shadow.no_account"; 2]);
}

#[test]
fn owner_and_mode_of_a_home_are_repaired_where_it_is_nobody_elses() {
    let nas = Nas::start();
    for (name, uid) in [("anna", 3001), ("berta", 3002), ("carla", 3003)] {
        nas.rest.create_user(&new_user(name, uid, "pw"));
    }
    let home = |name: &str| nas.disk.path(&format!("/mnt/tank/home/{name}"));
    fs::set_permissions(home("anna"), fs::Permissions::from_mode(0o777)).unwrap();
    // An owner that nobody is, and one that somebody is.
    chown(home("berta"), Some(4711), None).unwrap();
    chown(home("carla"), Some(3001), None).unwrap();
    let report = check(&nas);
    assert_eq!(codes(&report), ["home.writable", "home.wrong_owner", "home.wrong_owner"]);
    let repairable: Vec<bool> = report.findings.iter().map(|finding| finding.repair.is_some()).collect();
    assert_eq!(repairable, [true, true, false], "{report:?}");
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Error));
    repair_all(&nas);
    let owner = |name: &str| nas.disk.owner_and_mode(&format!("/mnt/tank/home/{name}")).0;
    assert_eq!((owner("anna"), owner("berta"), owner("carla")), (3001, 3002, 3001));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/anna").2 & 0o022, 0);
    assert_eq!(codes(&check(&nas)), ["home.wrong_owner"]);
    // Homes are looked at only when that is asked for.
    let Answer::Checked(report) = operate(&nas, Operation::Check { homes: CheckedHomes::Skipped }) else {
        panic!("no report");
    };
    assert_eq!(report.findings, []);
}

#[test]
fn what_is_left_of_accounts_that_are_gone_is_found_and_goes() {
    let nas = Nas::start();
    let request = json!({"bsdusr_sudo": true});
    let anna = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas.rest.put(&format!("/account/users/{anna}/"), &request.to_string()).status_is(200);
    let put = |path: &str, owner: u32| {
        let path = nas.disk.path(path);
        fs::write(&path, "kept").unwrap();
        chown(&path, Some(owner), None).unwrap();
        path
    };
    let gone = [
        put("/var/spool/cron/crontabs/gone", 4711),
        put("/var/lib/systemd/linger/gone", 0),
        put("/var/mail/gone", 4711),
        put("/var/spool/cron/atjobs/a0001", 4711),
    ];
    let kept = put("/var/spool/cron/crontabs/anna", 3001);
    let drop_in = nas.disk.path(&format!("/etc/sudoers.d/accountd-user-{anna}"));
    // In place, as an editor may do it. It is not its account's any more, and goes at the next look.
    let rule = fs::read_to_string(&drop_in).unwrap();
    fs::set_permissions(&drop_in, fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(&drop_in, rule.replace("anna", "gone")).unwrap();
    fs::set_permissions(&drop_in, fs::Permissions::from_mode(0o440)).unwrap();
    write(&nas, "subuid", "gone:100000:65536\nanna:165000:10\n");
    let report = check(&nas);
    assert_eq!(
        codes(&report),
        [
            "linger.no_account",
            "mail.no_account",
            "crontab.no_account",
            "at_jobs.no_account",
            "subuid.no_account",
            "subuid.overlap",
        ]
    );
    assert!(!drop_in.exists());
    repair_all(&nas);
    assert!(gone.iter().all(|path| !path.exists()) && kept.exists());
    assert!(Path::new(&nas.disk.path("/var/mail/.accountd-kept-gone-4711")).exists());
    assert_eq!(codes(&check(&nas)), ["subuid.no_account", "subuid.overlap"]);
}
