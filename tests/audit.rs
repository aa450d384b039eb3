//! The audit trail of the shipped agent: asked for over its socket as root, and followed beside it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use accountd_protocol::agent::{AgentRequest, Answer, Decision, Operation, Reply};
use accountd_protocol::audit::{
    Actor, AuditAction, AuditFilter, AuditPage, AuditRecord, AuditVerdict, MOST_RECORDS, Outcome,
};
use accountd_protocol::client::AgentClient;
use accountd_protocol::login::Proof;
use accountd_protocol::secret::Secret;
use serde_json::{Value, json};

use crate::freenas::keys::KEY;
use crate::freenas::{Nas, new_user};
use crate::traced;
use crate::world::World;

const STORE: &str = "/var/lib/accountd/state.sqlite";
const WRONG: usize = 2_000;

impl World {
    fn ask(&self, request: &AgentRequest) -> Reply {
        AgentClient::connect(&self.root().join("run/accountd/agent.sock")).unwrap().call(request).unwrap()
    }

    fn operate(&self, operation: Operation) -> Answer {
        let (user, password) = ("root".to_owned(), Secret::new(self.admin_password()));
        let opened = self.ask(&AgentRequest::OpenHandle { user, password, code: None, source: "::1".parse().unwrap() });
        let Ok(Answer::Handle(caller)) = opened else { panic!("{opened:?}") };
        self.ask(&AgentRequest::Operate { caller, operation: Box::new(operation) }).unwrap()
    }

    fn audit_page(&self, filter: AuditFilter) -> AuditPage {
        let answer = self.operate(Operation::ListAudit(filter));
        let Answer::Audit(page) = answer else { panic!("{answer:?}") };
        page
    }

    /// Oldest first.
    fn audit(&self, filter: &AuditFilter) -> Vec<AuditRecord> {
        let (mut records, mut before) = (Vec::new(), None);
        loop {
            let page = self.audit_page(AuditFilter { before, limit: MOST_RECORDS, ..filter.clone() });
            records.extend(page.records);
            before = page.next;
            if before.is_none() {
                records.reverse();
                return records;
            }
        }
    }

    /// What there is about one account.
    fn audit_of(&self, name: &str) -> Vec<AuditRecord> {
        self.audit(&AuditFilter { target: Some(name.into()), ..AuditFilter::default() })
    }

    fn verdict(&self) -> AuditVerdict {
        let answer = self.operate(Operation::VerifyAudit);
        let Answer::AuditVerdict(verdict) = answer else { panic!("{answer:?}") };
        verdict
    }

    #[track_caller]
    fn audit_is_whole(&self) -> AuditVerdict {
        let verdict = self.verdict();
        assert_eq!(verdict.flaw, None);
        let (is_whole, said) = self.audit_verified();
        assert!(is_whole && said.contains(&verdict.hash), "{said}");
        verdict
    }

    fn audit_files(&self) -> Vec<PathBuf> {
        let directory = self.root().join("var/lib/accountd/audit");
        let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

/// `field: old -> new` of all changes, in one line.
fn changes(record: &AuditRecord) -> String {
    let word = |word: &Option<_>| word.as_ref().map_or("-".to_owned(), std::string::ToString::to_string);
    let changes = record.event.changes.iter();
    changes.map(|change| format!("{}: {} -> {}; ", change.field, word(&change.old), word(&change.new))).collect()
}

fn action(record: &AuditRecord) -> AuditAction {
    record.event.action
}

#[track_caller]
fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
}

#[test]
fn a_change_is_recorded_with_who_whence_and_every_field_and_no_secret() {
    let nas = Nas::start();
    let mut request: Value = serde_json::from_str(&new_user("anna", 3001, "first-secret")).unwrap();
    request["bsdusr_sshpubkey"] = json!(KEY);
    let id = nas.rest.create_user(&request.to_string());
    let first_hash = nas.disk.field("/etc/shadow", "anna", 1);
    let path = format!("/account/users/{id}/");
    let change = json!({"bsdusr_full_name": "Anna B", "bsdusr_email": "a@example.org", "bsdusr_sudo": true});
    nas.rest.put(&path, &change.to_string()).object(200);
    let password = json!({"bsdusr_password": "second-secret"});
    nas.rest.post(&format!("{path}password/"), &password.to_string()).object(200);
    nas.rest.post(&format!("{path}groups/"), r#"["games"]"#).status_is(202);
    nas.rest.post("/account/users/", &new_user("daemon", 3002, "third-secret")).status_is(409);
    nas.rest.delete(&path).status_is(204);

    let records = nas.world.audit_of("anna");
    use AuditAction::{CreateUser, DeleteUser, SetMemberships, SetPassword, UpdateUser};
    let actions: Vec<_> = records.iter().map(action).collect();
    assert_eq!(actions, [CreateUser, UpdateUser, SetPassword, SetMemberships, DeleteUser]);
    for record in &records {
        let Actor::Caller { name, source, .. } = &record.event.actor else { panic!("{record:?}") };
        assert_eq!((name.as_str(), *source), ("root", Some("127.0.0.1".parse().unwrap())));
        assert_eq!(record.event.outcome, Outcome::Done);
    }
    let said: Vec<String> = records.iter().map(changes).collect();
    has(&said[0], &["uid: - -> 3001", "private_group: - -> 3001", "full_name: - -> Some One", "home: - -> /mnt/tank/"]);
    has(&said[0], &["password: - -> (hidden)", "smb_password: - -> (hidden)", "ssh_keys: - -> SHA256:"]);
    assert_eq!(said[1], "email: - -> a@example.org; full_name: Some One -> Anna B; sudo: false -> true; ");
    has(&said[2], &["password: (hidden) -> (hidden)", "smb_password: (hidden) -> (hidden)"]);
    assert_eq!(said[3], "groups: - -> games; ");
    has(&said[4], &["uid: 3001 -> -", "email: a@example.org -> -", "groups: games -> -", "password: (hidden) -> -"]);
    let refused = nas.world.audit_of("daemon").remove(0);
    let Outcome::Refused(reason) = refused.event.outcome else { panic!("{refused:?}") };
    has(&reason, &["user_name is already in use: daemon"]);

    nas.world.audit_is_whole();
    let all = serde_json::to_string(&nas.world.audit(&AuditFilter::default())).unwrap();
    let blob = KEY.split(' ').nth(1).unwrap();
    for secret in
        ["first-secret", "second-secret", "third-secret", &first_hash, "$6$", blob, &nas.world.admin_password()]
    {
        assert!(!all.contains(secret), "{secret} is in the audit trail");
    }
}

#[test]
fn logins_and_refused_credentials_are_recorded_and_survive_a_restart() {
    let mut nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "right"));
    let (key, public) = nas.world.make_key("key", "ed25519");
    nas.rest.put(&format!("/account/users/{id}/"), &json!({"bsdusr_sshpubkey": public}).to_string()).object(200);
    let (stranger, _) = nas.world.make_key("stranger", "ed25519");
    assert!(nas.world.with_password("anna", "right").logs_in() && nas.world.with_key("anna", &key).logs_in());
    for _ in 0..3 {
        assert!(!nas.world.with_password("anna", "wrong-secret").logs_in());
    }
    assert!(!nas.world.with_key("anna", &stranger).logs_in());
    assert!(!nas.world.with_password("nobody-here", "wrong-secret").logs_in());
    assert_eq!(nas.rest.as_user("root", "wrong-secret").get("/account/users/").status, 401);
    assert_eq!(nas.rest.as_user("anna", "wrong-secret").get("/account/users/").status, 401);
    // Nobody has asked for them, so they are stored by an orderly end.
    nas.world.restart();

    let of =
        |user: &str, action| AuditFilter { user: Some(user.into()), action: Some(action), ..AuditFilter::default() };
    let logins = nas.world.audit(&of("anna", AuditAction::Login));
    let granted: Vec<_> = logins.iter().filter(|record| record.event.outcome == Outcome::Granted).collect();
    assert_eq!(granted.len(), 2, "{logins:?}");
    assert_eq!(granted[0].event.methods, ["password"]);
    assert!(granted[1].event.methods[0].starts_with("publickey SHA256:"), "{granted:?}");
    let refused = logins.iter().filter(|record| matches!(record.event.outcome, Outcome::Refused(_)));
    assert_eq!(refused.filter_map(|record| record.event.repeated).map(|times| times.count).sum::<u64>(), 3);
    assert_eq!(nas.world.audit(&of("anna", AuditAction::OfferKey)).len(), 1);
    assert_eq!(nas.world.audit(&of("nobody-here", AuditAction::Login)).len(), 1);
    for user in ["root", "anna"] {
        let refused = nas.world.audit(&of(user, AuditAction::OpenHandle)).remove(0);
        assert_eq!(refused.event.outcome, Outcome::Refused("authentication failed".into()));
    }
    nas.world.audit_is_whole();
    let all = serde_json::to_string(&nas.world.audit(&AuditFilter::default())).unwrap();
    assert!(!all.contains("wrong-secret"));
}

#[test]
fn what_other_programs_do_is_recorded_as_outside() {
    let nas = Nas::start();
    let see = || drop(nas.rest.get("/account/users/?limit=0").object(200));
    let steps: [&[&str]; 4] = [
        &["useradd", "-u", "5001", "-M", "byhand"],
        &["usermod", "-s", "/bin/bash", "-c", "By Hand", "byhand"],
        &["usermod", "-L", "byhand"],
        &["userdel", "byhand"],
    ];
    for step in steps {
        nas.world.run(step);
        see();
    }
    let records = nas.world.audit_of("byhand");
    let records: Vec<_> = records.iter().filter(|record| action(record) != AuditAction::DeleteGroup).collect();
    assert!(records.iter().all(|record| record.event.actor == Actor::Outside), "{records:?}");
    let said: String = records.iter().map(|record| format!("{:?} {}\n", action(record), changes(record))).collect();
    has(&said, &["CreateUser uid: - -> 5001", "shell: /bin/sh -> /bin/bash", "full_name: - -> By Hand"]);
    has(&said, &["locked: false -> true", "DeleteUser uid: 5001 -> -"]);
    nas.world.audit_is_whole();
}

#[test]
fn a_flipped_byte_is_found_in_a_file_and_in_the_store() {
    let nas = Nas::of(World::start_with("[audit]\nfile_records = 10\nkeep_files = 50\n"));
    for number in 0..45 {
        nas.rest.create_user(&new_user(&format!("user{number}"), 3001 + number, "pw"));
    }
    let end = nas.world.audit_is_whole().whole_to;
    let file = &nas.world.audit_files()[1];
    let whole = fs::read_to_string(file).unwrap();
    fs::write(file, whole.replacen("Some One", "Sone One", 1)).unwrap();
    let flaw = nas.world.verdict().flaw.unwrap();
    assert!((11..=20).contains(&flaw.sequence) && flaw.what.contains("not what it was"), "{flaw:?}");
    assert_eq!(flaw.place, file.file_name().unwrap().to_str().unwrap());
    let (is_whole, said) = nas.world.audit_verified();
    assert!(!is_whole && said.contains(&flaw.place) && said.contains(&flaw.sequence.to_string()), "{said}");
    fs::write(file, whole).unwrap();
    nas.world.audit_is_whole();

    nas.world.damages_the_audit_trail();
    nas.world.hold("agent");
    nas.world.kill("agent");
    let store = nas.disk.path(STORE);
    let checkpoint = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')";
    assert!(Command::new("python3").args(["-c", checkpoint]).arg(&store).status().unwrap().success());
    let mut bytes = fs::read(&store).unwrap();
    let last = b"\"name\":\"user44\"}";
    let place = bytes.windows(last.len()).position(|window| window == last).unwrap();
    bytes[place + 12] ^= 1;
    fs::write(&store, bytes).unwrap();
    nas.world.release("agent");
    let flaw = nas.world.verdict().flaw.unwrap();
    assert_eq!(flaw.place, "state store");
    assert!(flaw.sequence <= end && flaw.what.contains("not what it was"), "{flaw:?}");
}

#[test]
fn a_killed_agent_has_the_record_of_every_change_that_was_acknowledged() {
    let nas = Nas::of(World::start_with("[audit]\nfile_records = 10\nkeep_files = 100\n[alist]\nenabled = false\n"));
    let (is_over, world) = (AtomicBool::new(false), &nas.world);
    let made: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (nas, is_over) = (&nas, &is_over);
                scope.spawn(move || {
                    let names = (0..400).map(|number| format!("c{client}n{number}"));
                    let made = |(number, name): &(u32, String)| {
                        let request = new_user(name, 3001 + client * 1000 + number, "pw");
                        nas.rest.post("/account/users/", &request).status == 201
                    };
                    let going = (0..).zip(names).take_while(|_| !is_over.load(Ordering::SeqCst));
                    going.filter(made).map(|(_, name)| name).collect::<Vec<_>>()
                })
            })
            .collect();
        for pause in [300, 500, 200, 700, 400] {
            std::thread::sleep(std::time::Duration::from_millis(pause));
            world.hold("agent");
            world.kill("agent");
            world.release("agent");
        }
        is_over.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(made.len() > 10, "hardly anything was made: {made:?}");
    let created = AuditFilter { action: Some(AuditAction::CreateUser), ..AuditFilter::default() };
    let recorded: Vec<_> = world.audit(&created).into_iter().filter_map(|record| record.event.target).collect();
    for name in &made {
        assert_eq!(recorded.iter().filter(|target| target.name == *name).count(), 1, "{name}");
    }
    // And no record is of an account that is not there.
    for target in recorded {
        assert!(nas.disk.line("/etc/passwd", &target.name).is_some(), "{target:?}");
    }
    world.audit_is_whole();
}

#[test]
fn two_thousand_wrong_passwords_are_counted_and_hardly_written() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "right"));
    let socket = nas.world.root().join("run/accountd/agent.sock");
    let attack = || {
        let mut client = AgentClient::connect(&socket).unwrap();
        for number in 0..WRONG {
            // Half of the names are made up, each another one.
            let user = if number % 2 == 0 { "anna".to_owned() } else { format!("ghost{number}") };
            let proof = Proof::Password(Secret::new(format!("wrong-{number}")));
            let request = AgentRequest::Decide { user, proof, source: "192.0.2.7".parse().unwrap() };
            assert!(matches!(client.call(&request).unwrap(), Ok(Answer::Decision(Decision::Refused { .. }))));
        }
    };
    let begin = std::time::Instant::now();
    let written = traced::attached(nas.world.process("agent"), &nas.world.client_file("strace"), attack);
    let windows = usize::try_from(begin.elapsed().as_secs() / 30).unwrap() + 1;
    assert!(written.syncs <= 2 * windows, "{written:?} in {windows} windows");
    assert!(written.bytes <= 300_000 * windows as u64, "{written:?} in {windows} windows");
    let logins = AuditFilter { action: Some(AuditAction::Login), ..AuditFilter::default() };
    let records = nas.world.audit(&logins);
    assert_eq!(records.iter().filter_map(|record| record.event.repeated).map(|times| times.count).sum::<u64>(), 2_000);
    assert!(records.len() <= 70 * (windows + 1), "{}", records.len());
    let anna = records.iter().filter(|record| record.event.actor.name() == Some("anna"));
    assert_eq!(anna.filter_map(|record| record.event.repeated).map(|times| times.count).sum::<u64>(), 1_000);
    nas.world.audit_is_whole();
}
