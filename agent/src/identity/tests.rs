//! Logins as a whole: what they cost and what they are answered, whoever it is.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use accountd_protocol::agent::{AgentRequest, Answer, Decision, Grant, KeyOffer, Operation, UserChange};
use accountd_protocol::api_key::{ApiKeyName, NewApiKey};
use accountd_protocol::audit::{Actor, AuditAction, AuditFilter};
use accountd_protocol::batch::{Batch, BatchItem, Effect, Together};
use accountd_protocol::conclusion::{Concluded, Conclusion};
use accountd_protocol::id::{AccountId, AccountRef, Uid};
use accountd_protocol::login::Proof;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::repository::{GranteeRef, RepositoryRef};
use accountd_protocol::secret::Secret;
use accountd_protocol::session_policy::ServiceKind;
use accountd_protocol::ssh_key::{KeyTitle, SshKeyId};

use super::candidate::PasswordState;
use super::handles::{Caller, Way};
use super::shown_password::ShownPassword;
use crate::agent::Agent;
use crate::scratch;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nanna:x:3001:3001::/nonexistent:/bin/sh\n\
                      locked:x:3002:3002::/nonexistent:/bin/sh\nexpired:x:3003:3003::/nonexistent:/usr/sbin/nologin\n\
                      accountd-api:x:990:990::/:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nanna:x:3001:\nlocked:x:3002:\nexpired:x:3003:\naccountd-api:x:990:\n";

struct World {
    _directory: tempfile::TempDir,
    agent: Agent,
}

impl World {
    /// Everybody's password is `pw`.
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hash = super::hash::HashPool::new(1).hash(&Secret::new("pw".into())).unwrap();
        let shadow = format!(
            "root:{hash}:20000::::::\nanna:{hash}:20000::::::\nlocked:!{hash}:20000::::::\n\
             expired:{hash}:20000:::::1:\naccountd-api:{hash}:20000::::::\n"
        );
        let files = [("passwd", PASSWD), ("group", GROUP), ("shadow", &shadow), ("accountd.toml", config)];
        scratch::write_etc(directory.path(), &files);
        Self { agent: scratch::agent(directory.path()), _directory: directory }
    }

    /// What SSH is answered, and how many hashes that took.
    fn login(&self, user: &str, password: &str, source: &str) -> (Result<(), u64>, usize) {
        let proof = Proof::Password(Secret::new(password.into()));
        self.counted(|| match self.agent.decide(user, &proof, address(source), crate::agent::now()) {
            Decision::Granted(grant) => {
                self.conclude(&grant, source, Concluded::LoggedIn);
                Ok(())
            }
            Decision::Refused { wait_milliseconds } => Err(wait_milliseconds),
            other => panic!("{other:?}"),
        })
    }

    fn conclude(&self, grant: &Grant, source: &str, outcome: Concluded) {
        let (account, name, source) = (grant.account, grant.name.as_str().to_owned(), address(source));
        let conclusion = Conclusion { account, name, source, key: None, outcome };
        self.agent.answer(AgentRequest::Conclude(conclusion)).unwrap();
    }

    /// The same for REST.
    fn open(&self, user: &str, password: &str, source: &str) -> (Result<(), Refusal>, usize) {
        let (user, password) = (user.to_owned(), Secret::new(password.into()));
        let request = AgentRequest::OpenHandle { user, password, code: None, source: address(source) };
        self.counted(|| self.agent.answer(request).map(|answer| assert!(matches!(answer, Answer::Handle(_)))))
    }

    fn counted<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.agent.hashes.verified.load(Ordering::Relaxed);
        let result = work();
        (result, self.agent.hashes.verified.load(Ordering::Relaxed) - before)
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn unknown_locked_and_mistaken_users_cost_one_hash_and_get_one_answer() {
    let world = World::new("");
    let users = ["nobody-here", "locked", "expired", "anna", "root", "accountd-api", "", "../x", "anna\n"];
    for (number, user) in (1..).zip(users) {
        let source = format!("192.0.2.{number}");
        let password = if user == "anna" { "wrong" } else { "pw" };
        assert_eq!(world.login(user, password, &source), (Err(0), 1), "{user:?}");
        if user != "root" {
            assert_eq!(world.open(user, password, &source), (Err(Refusal::BadCredentials), 1), "{user:?}");
        }
    }
    assert_eq!(world.login("anna", "pw", "192.0.2.99"), (Ok(()), 1));
}

#[test]
fn whoever_is_turned_away_costs_no_hash_and_is_answered_like_a_wrong_password() {
    let world = World::new("[bans]\nfree_attempts = 2\nban_after = 4\n");
    for user in ["anna", "nobody-here"] {
        let source = if user == "anna" { "192.0.2.1" } else { "192.0.2.2" };
        let said: Vec<_> = (0..4).map(|_| world.login(user, "wrong", source)).collect();
        assert_eq!(said, [(Err(0), 1), (Err(0), 1), (Err(1000), 1), (Err(2000), 1)], "{user}");
        assert_eq!(world.login(user, "pw", source), (Err(30_000), 0), "{user}");
        // The name is banned elsewhere too, whether there is such an account or not.
        assert_eq!(world.login(user, "pw", "198.51.100.1"), (Err(30_000), 0), "{user}");
        let opened = world.open(user, "pw", "198.51.100.1");
        assert!(matches!(opened, (Err(Refusal::TooManyFailures { seconds: 599..=600 }), 0)), "{user}: {opened:?}");
    }
    assert_eq!(world.login("root", "pw", "192.0.2.1"), (Err(30_000), 0), "so is the source for every name");
    assert_eq!(world.open("root", "pw", "198.51.100.1"), (Ok(()), 1));
    let bans: Vec<String> = world.agent.list_bans().iter().map(|ban| format!("{:?}", ban.of)).collect();
    assert_eq!(bans.len(), 3, "{bans:?}");
}

#[test]
fn ssh_and_rest_are_one_count_and_rest_is_refused_until_the_delay_is_over() {
    let world = World::new("[bans]\nfree_attempts = 2\n");
    assert_eq!(world.login("anna", "wrong", "192.0.2.1"), (Err(0), 1));
    assert_eq!(world.open("anna", "wrong", "192.0.2.1"), (Err(Refusal::BadCredentials), 1));
    assert_eq!(world.open("anna", "wrong", "192.0.2.1"), (Err(Refusal::BadCredentials), 1));
    let held = (Err(Refusal::TooManyFailures { seconds: 1 }), 0);
    assert_eq!(world.open("anna", "pw", "192.0.2.1"), held);
    assert_eq!(world.login("anna", "wrong", "192.0.2.1"), (Err(2000), 1));
    assert_eq!(world.login("anna", "pw", "192.0.2.1"), (Ok(()), 1), "SSH waits with the answer instead");
    assert_eq!(world.open("anna", "pw", "192.0.2.1"), (Ok(()), 1), "what it had failed is forgiven");
}

#[test]
fn only_who_is_logged_in_is_forgiven_and_recorded_so() {
    let world = World::new("[bans]\nfree_attempts = 1\n");
    let wrong = || world.login("anna", "wrong", "192.0.2.1").0;
    assert_eq!((wrong(), wrong()), (Err(0), Err(1000)));
    let proof = Proof::Password(Secret::new("pw".into()));
    let decision = world.agent.decide("anna", &proof, address("192.0.2.1"), crate::agent::now());
    let Decision::Granted(grant) = decision else { panic!("{decision:?}") };
    for outcome in [Concluded::TooManyConnections, Concluded::AccountChanged] {
        world.conclude(&grant, "192.0.2.1", outcome);
    }
    assert_eq!(wrong(), Err(2000), "nobody has logged in");
    world.conclude(&grant, "192.0.2.1", Concluded::LoggedIn);
    assert_eq!(wrong(), Err(0));
    let logins = AuditFilter { action: Some(AuditAction::Login), limit: 9, ..AuditFilter::default() };
    let records = world.agent.list_audit(&logins).unwrap().records;
    let mut outcomes: Vec<_> = records.into_iter().map(|record| format!("{:?}", record.event.outcome)).collect();
    outcomes.sort();
    let refused = ["the account has changed meanwhile", "the account has too many connections"];
    let refused = refused.map(|reason| format!("Refused({reason:?})"));
    assert_eq!(outcomes, ["Granted".to_owned(), refused[0].clone(), refused[1].clone()]);
}

#[test]
fn keys_that_are_offered_count_once_for_a_connection() {
    let world = World::new("[bans]\nban_after = 1\n");
    let offer = |offer| world.agent.key_acceptable("anna", b"key", (address("192.0.2.1"), offer), crate::agent::now());
    for _ in 0..9 {
        assert!(!offer(KeyOffer::First));
        assert!(!offer(KeyOffer::Another) && !offer(KeyOffer::Another));
    }
    assert_eq!(world.agent.list_bans(), []);
    assert!(!offer(KeyOffer::First));
    assert_eq!(world.agent.list_bans().len(), 1, "ten connections are one failure, and here that is enough");
}

#[test]
fn a_grant_has_the_policy_of_the_account() {
    let world = World::new("[[sessions.rules]]\ngroups = [\"anna\"]\numask = \"0007\"\nservices = [\"scp\"]\n");
    let proof = Proof::Password(Secret::new("pw".into()));
    let decision = world.agent.decide("anna", &proof, address("192.0.2.1"), crate::agent::now());
    let Decision::Granted(grant) = decision else { panic!("{decision:?}") };
    assert_eq!(grant.policy.umask, 0o007);
    assert_eq!(grant.policy.services.into_iter().collect::<Vec<_>>(), [ServiceKind::Scp]);
}

#[test]
fn who_has_a_group_as_its_primary_one_is_among_its_administrators() {
    let way_in = |administrators: &str| {
        let directory = tempfile::tempdir().unwrap();
        let hash = super::hash::HashPool::new(1).hash(&Secret::new("pw".into())).unwrap();
        // Root can show none.
        let shadow = format!("root:*:20000::::::\nanna:{hash}:20000::::::\nlocked:!{hash}:20000::::::\n");
        let config = format!("[roles]\nadministrators = [{administrators}]\n");
        let files = [("passwd", PASSWD), ("group", GROUP), ("shadow", &shadow), ("accountd.toml", &config)];
        scratch::write_etc(directory.path(), &files);
        let agent = scratch::agent(directory.path());
        super::roles::has_way_in(&agent.database.view(), &agent.config().roles, crate::agent::now())
    };
    assert!(way_in("\"anna\""), "only passwd says that she is in it");
    assert!(!way_in("\"locked\""));
    assert!(!way_in("\"nobody-here\""));
}

#[test]
fn whoever_comes_while_the_accounts_can_not_be_read_is_not_counted_as_a_failure() {
    let world = World::new("");
    let passwd = world._directory.path().join("etc/passwd");
    std::fs::rename(&passwd, passwd.with_file_name("aside")).unwrap();
    std::fs::create_dir(&passwd).unwrap();
    let open_with = |password: &str| {
        let password = Secret::new(password.into());
        world.agent.open_handle("anna", ShownPassword::Clear(&password), None, address("192.0.2.1"))
    };
    let open = || open_with("wrong");
    let open_by_key = || world.agent.open_handle_by_key(&Secret::new("wrong".into()), address("192.0.2.2"));
    for _ in 0..30 {
        let (by_key, _) = open_by_key().unwrap_err();
        for refused in [open().unwrap_err(), by_key] {
            assert!(!matches!(refused, Refusal::BadCredentials | Refusal::TooManyFailures { .. }), "{refused:?}");
        }
    }
    std::fs::remove_dir(&passwd).unwrap();
    std::fs::rename(passwd.with_file_name("aside"), &passwd).unwrap();
    assert!(matches!(open(), Err(Refusal::BadCredentials)));
    assert!(matches!(open_by_key(), Err((Refusal::BadCredentials, None))));
    assert!(open_with("pw").is_ok());
}

#[test]
fn a_key_of_rest_makes_no_other_way_into_its_account_and_does_what_it_may_otherwise() {
    let world = World::new("");
    let root = world.agent.database.view().user_named("root").unwrap().id;
    let new = NewApiKey { name: ApiKeyName::new("backup").unwrap(), expires: None };
    let (key, _) = world.agent.create_api_key(&Actor::Agent, root, new).unwrap();
    let view = world.agent.database.view();
    let permit = |operation: Operation| {
        let way = Way::ApiKey(key.id);
        let caller = Caller { account: root, uid: Uid::ROOT, password: PasswordState::Current, source: None, way };
        world.agent.permit(&view, caller, &operation)
    };
    let hash = || UserChange { password_hash: Some(Secret::new("$6$salt$hash".into())), ..UserChange::default() };
    let change = |id, change| Operation::UpdateUser { id, change, only_if: Precondition::None };
    assert_eq!(permit(change(root, hash())), Err(Refusal::NotPermitted));
    assert_eq!(permit(change(root, UserChange::default())), Ok(()));
    assert_eq!(permit(change(view.user_named("anna").unwrap().id, hash())), Ok(()));
    let items =
        vec![BatchItem::Create(Box::new(scratch::new_user("carla", "/nonexistent"))), BatchItem::Unread(vec![])];
    let batch = Batch { items, together: Together::AllOrNone, effect: Effect::Made };
    assert_eq!(permit(Operation::Batch(batch)), Ok(()));
    // Keys of SSH and passwords let somebody in, whatever they are changed by.
    let anna = view.user_named("anna").unwrap().id;
    let title = || KeyTitle::new("laptop").unwrap();
    let denied = Err(Refusal::NotPermitted);
    assert_eq!(permit(Operation::AddSshKey { user: root, title: title(), line: String::new() }), denied);
    assert_eq!(permit(Operation::DeleteSshKey { user: root, id: SshKeyId(1) }), denied);
    assert_eq!(permit(Operation::AddSshKey { user: anna, title: title(), line: String::new() }), Ok(()));
    assert_eq!(permit(Operation::ListSshKeys(root)), Ok(()));
    assert_eq!(permit(Operation::FindSshKey(SshKeyId(1))), Ok(()));
    let profile =
        |password: Option<Secret>| permit(Operation::ChangeOwnProfile { password, echoes: Default::default() });
    assert_eq!((profile(Some(Secret::new("Pass-word1".into()))), profile(None)), (denied, Ok(())));
}

#[test]
fn an_account_administrator_gives_nobody_a_second_factor_and_keys_to_those_alone_who_have_no_more() {
    let world = World::new("[roles]\naccount_administrators = [\"anna\"]\n");
    world.agent.create_user(&Actor::Agent, scratch::new_user("zoe", "/nonexistent")).unwrap();
    let view = world.agent.database.view();
    let id = |name: &str| view.user_named(name).unwrap().id;
    let way = Way::Password;
    let caller = Caller { account: id("anna"), uid: Uid(3001), password: PasswordState::Current, source: None, way };
    let permit = |operation: Operation| world.agent.permit(&view, caller, &operation);
    let denied = || Err(Refusal::NotPermitted);
    let add = |user| Operation::AddSshKey { user, title: KeyTitle::new("x").unwrap(), line: String::new() };
    assert_eq!((permit(add(id("zoe"))), permit(add(id("root")))), (Ok(()), denied()));
    let delete = |user| Operation::DeleteSshKey { user, id: SshKeyId(1) };
    assert_eq!((permit(delete(id("zoe"))), permit(delete(id("root")))), (Ok(()), denied()));
    assert_eq!(permit(Operation::ListSshKeys(id("root"))), Ok(()));
    assert_eq!(permit(Operation::FindSshKey(SshKeyId(1))), Ok(()));
    assert_eq!(permit(Operation::BeginTwoFactor(id("zoe"))), denied());
    let repository = RepositoryRef::Name("r".into());
    // Whose it is, is asked when that is known.
    assert_eq!(permit(Operation::FindGrantee { repository, whom: GranteeRef::User(AccountRef::Caller) }), Ok(()));
}

#[test]
fn nothing_runs_for_root_or_a_service_without_a_login() {
    let world = World::new("");
    let now = crate::agent::now();
    let id = |name: &str| world.agent.database.view().user_named(name).unwrap().id;
    let run_for = |name: &str| world.agent.grant_without_login(id(name), now).map(|grant| grant.uid);
    assert_eq!(run_for("anna"), Ok(Uid(3001)));
    for name in ["root", "accountd-api"] {
        assert_eq!(run_for(name), Err("its owner is root or a service of this system"), "{name}");
    }
    for name in ["locked", "expired"] {
        assert_eq!(run_for(name), Err("its owner's account is locked or expired"), "{name}");
    }
    assert!(world.agent.grant_without_login(AccountId(999), now).is_err());
}

#[test]
fn a_change_of_a_password_that_nobody_has_costs_one_hash_and_is_a_wrong_password() {
    let world = World::new("[bans]\nfree_attempts = 100\n");
    for user in ["nobody-here", "locked", "root"] {
        let [current, password] = ["pw", "Pass-word1"].map(|text| Secret::new(text.into()));
        let proof = Proof::PasswordChange { current, password, code: None };
        let change = || world.agent.decide(user, &proof, address("192.0.2.1"), crate::agent::now());
        let (decision, hashes) = world.counted(change);
        assert!(matches!(decision, Decision::Refused { wait_milliseconds: 0 }), "{user}: {decision:?}");
        assert_eq!(hashes, 1, "{user}");
    }
}

#[test]
fn a_token_is_revoked_by_its_account_alone_and_void_at_the_next_start_if_that_has_changed() {
    let world = World::new("");
    let id = |name: &str| world.agent.database.view().user_named(name).unwrap().id;
    let (anna, root) = (id("anna"), id("root"));
    let token = world.agent.create_token(&Actor::Agent, anna, 600).unwrap();
    let opens = |agent: &Agent| agent.open_handle_by_token(&token, address("192.0.2.1")).map(|(_, name)| name);
    world.agent.revoke_token(&Actor::Agent, root, &token).unwrap();
    assert_eq!(opens(&world.agent), Ok("anna".to_owned()));
    let World { _directory: directory, agent } = world;
    drop(agent);
    let shadow = directory.path().join("etc/shadow");
    let text = std::fs::read_to_string(&shadow).unwrap();
    std::fs::write(&shadow, text.replace("\nanna:", "\nanna:!")).unwrap();
    let agent = scratch::agent(directory.path());
    assert!(matches!(opens(&agent), Err((Refusal::TokenVoid, Some(name))) if name == "anna"));
    drop(agent);
    // It does not come back with the account.
    std::fs::write(&shadow, text).unwrap();
    assert!(opens(&scratch::agent(directory.path())).is_err());
}

#[test]
fn who_has_no_role_finds_only_itself_and_that_by_name_or_id() {
    let world = World::new("");
    let view = world.agent.database.view();
    let anna = view.user_named("anna").unwrap().id;
    let finds = |who: AccountRef| {
        let caller =
            Caller { account: anna, uid: Uid(3001), password: PasswordState::Current, source: None, way: Way::Local };
        world.agent.permit(&view, caller, &Operation::FindUser(who)).is_ok()
    };
    assert!(finds(AccountRef::Name("anna".into())) && finds(AccountRef::Id(anna)) && finds(AccountRef::Caller));
    assert!(!finds(AccountRef::Number(3001)), "others may have the number too");
    assert!(!finds(AccountRef::Name("root".into())));
}

#[test]
fn a_batch_of_an_account_administrator_may_have_items_that_nobody_understands() {
    let world = World::new("[roles]\naccount_administrators = [\"anna\"]\n");
    let view = world.agent.database.view();
    let caller = Caller {
        account: view.user_named("anna").unwrap().id,
        uid: Uid(3001),
        password: PasswordState::Current,
        source: None,
        way: Way::Local,
    };
    let batch = |item| {
        let batch = Batch { items: vec![item], together: Together::EachAlone, effect: Effect::Made };
        world.agent.permit(&view, caller, &Operation::Batch(batch))
    };
    assert_eq!(batch(BatchItem::Unread(vec![])), Ok(()));
    let root = BatchItem::Delete {
        who: AccountRef::Name("root".into()),
        home: DeletedHome::Keep,
        only_if: Precondition::None,
    };
    assert_eq!(batch(root), Err(Refusal::NotPermitted));
}

#[test]
fn security_keys_and_certificates_let_nobody_in() {
    let world = World::new("");
    for name in ["sk-ssh-ed25519@openssh.com", "ssh-ed25519-cert-v01@openssh.com"] {
        let blob = [&u32::try_from(name.len()).unwrap().to_be_bytes()[..], name.as_bytes(), &[0; 40]].concat();
        let decision = world.agent.decide("anna", &Proof::PublicKey(blob), address("192.0.2.1"), crate::agent::now());
        assert!(matches!(decision, Decision::Refused { .. }), "{decision:?}");
    }
}
