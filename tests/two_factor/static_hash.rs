//! What clients of AList show instead of a password, and guests: asked of the agent itself, as the REST front does.

use accountd_protocol::agent::{AgentRequest, Answer, Operation};
use accountd_protocol::client::AgentClient;
use accountd_protocol::id::AccountRef;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Enrolled, PATIENT, add, me, nas_with, own};
use crate::v2::Nas;

fn digest(password: &str) -> Secret {
    let bytes = Sha256::digest(format!("{password}-https://github.com/alist-org/alist"));
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub fn ask(nas: &Nas, request: &AgentRequest) -> Result<Answer, Refusal> {
    let mut client = AgentClient::connect(&nas.disk.path("/run/accountd/agent.sock")).unwrap();
    client.call(request).unwrap()
}

fn shows(nas: &Nas, user: &str, password: &str, code: Option<&str>) -> Result<Answer, Refusal> {
    let code = code.map(|code| Secret::new(code.to_owned()));
    let source = "127.0.0.1".parse().unwrap();
    ask(nas, &AgentRequest::OpenHandleByStatic { user: user.into(), digest: digest(password), code, source })
}

#[track_caller]
fn is_in(nas: &Nas, user: &str, password: &str) {
    let answer = shows(nas, user, password, None);
    let Ok(Answer::Handle(caller)) = answer else { panic!("{answer:?}") };
    let operation = Box::new(Operation::FindUser(AccountRef::Caller));
    let found = ask(nas, &AgentRequest::Operate { caller, operation });
    assert!(matches!(found, Ok(Answer::User(found)) if found.name == user));
}

#[track_caller]
fn is_out(nas: &Nas, user: &str, password: &str) {
    assert!(matches!(shows(nas, user, password, None), Err(Refusal::BadCredentials)));
}

#[test]
fn a_static_hash_lets_in_from_when_its_password_came_by_until_it_is_another() {
    let nas = nas_with(&format!("{PATIENT}[alist]\nenabled = true\n"), &["anna"]);
    is_in(&nas, "anna", "Pass-word1");
    is_out(&nas, "anna", "wrong");
    is_out(&nas, "nobody-here", "Pass-word1");
    nas.put("/users/anna/password", &json!({"password": "Second-pass2"})).status_is(204);
    is_out(&nas, "anna", "Pass-word1");
    is_in(&nas, "anna", "Second-pass2");
    // Set by another program, it is not known here until it has been shown once.
    nas.world.run(&["sh", "-c", "echo anna:Third-pass3 | chpasswd"]);
    is_out(&nas, "anna", "Second-pass2");
    is_out(&nas, "anna", "Third-pass3");
    assert!(nas.world.with_password("anna", "Third-pass3").logs_in());
    crate::world::wait_for("the second hash", || shows(&nas, "anna", "Third-pass3", None).is_ok());
    nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
    is_out(&nas, "anna", "Third-pass3");
    nas.patch("/users/anna", &json!({"locked": false, "expires": "2001-01-01"})).status_is(200);
    is_out(&nas, "anna", "Third-pass3");
    nas.patch("/users/anna", &json!({"expires": null})).status_is(200);
    is_in(&nas, "anna", "Third-pass3");
    // One of many has it from its first login on.
    let items = json!([
        {"op": "create", "username": "berta", "password": "Pass-word1", "home": "/mnt/tank/home/berta"},
    ]);
    assert_eq!(nas.rest.post("/users:batch", &items.to_string()).object(200)["done"], 1);
    is_out(&nas, "berta", "Pass-word1");
    own(&nas, "berta").get("/users/~").status_is(200);
    crate::world::wait_for("the second hash", || shows(&nas, "berta", "Pass-word1", None).is_ok());
}

#[test]
fn a_static_hash_of_an_enrolled_account_needs_a_code_too() {
    let nas = nas_with(&format!("{PATIENT}[alist]\nenabled = true\n"), &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    assert!(matches!(shows(&nas, "anna", "Pass-word1", None), Err(Refusal::CodeRequired)));
    assert!(matches!(shows(&nas, "anna", "wrong", Some(&anna.recovery[0])), Err(Refusal::BadCredentials)));
    let code = anna.phone.code();
    assert!(matches!(shows(&nas, "anna", "Pass-word1", Some(&code)), Ok(Answer::Handle(_))));
    assert!(matches!(shows(&nas, "anna", "Pass-word1", Some(&code)), Err(Refusal::WrongCode)));
    // One code, whichever surface it is shown on.
    assert_eq!(me(&own(&nas, "anna"), &code).status, 401);
}

#[test]
fn without_the_dialect_there_is_no_second_hash_and_no_guest() {
    let nas = nas_with(PATIENT, &["anna"]);
    nas.patch("/users/guest", &json!({"locked": false})).status_is(200);
    assert!(matches!(shows(&nas, "anna", "Pass-word1", None), Err(Refusal::NotPermitted)));
    let source = "127.0.0.1".parse().unwrap();
    assert!(matches!(ask(&nas, &AgentRequest::OpenGuestHandle { source }), Err(Refusal::NotPermitted)));
}

#[test]
fn a_guest_reads_its_own_account_and_does_nothing_else() {
    let nas = nas_with(&format!("{PATIENT}[alist]\nenabled = true\nguest = \"visitor\"\n"), &["anna"]);
    let source = "127.0.0.1".parse().unwrap();
    let open = || ask(&nas, &AgentRequest::OpenGuestHandle { source });
    assert!(matches!(open(), Err(Refusal::NotPermitted)), "there is none");
    add(&nas, "visitor");
    nas.world.run(&["groupadd", "--force", "--system", "accountd-administrators"]);
    nas.world.run(&["usermod", "-a", "-G", "accountd-administrators", "visitor"]);
    let Ok(Answer::NamedHandle(caller, name)) = open() else { panic!("no guest") };
    assert_eq!(name, "visitor");
    let operate =
        |operation| ask(&nas, &AgentRequest::Operate { caller: caller.clone(), operation: Box::new(operation) });
    let Ok(Answer::User(user)) = operate(Operation::FindUser(AccountRef::Caller)) else { panic!("no user") };
    assert_eq!((user.name.as_str(), user.unix_hash.as_str()), ("visitor", "*"));
    let anna = nas.rest.get("/users/anna").object(200)["id"].as_u64().unwrap();
    for operation in [
        Operation::GetUser(accountd_protocol::id::AccountId(anna)),
        Operation::ListShells,
        Operation::ListApiKeys(user.id),
        Operation::BeginTwoFactor(user.id),
        Operation::CreateToken { lifetime: 60 },
        Operation::Export,
        Operation::ChangeOwnPassword { current: Secret::new("Pass-word1".into()), password: Secret::new("x".into()) },
    ] {
        let said = format!("{operation:?}");
        assert!(matches!(operate(operation), Err(Refusal::NotPermitted)), "{said}");
    }
    nas.patch("/users/visitor", &json!({"locked": true})).status_is(200);
    assert!(matches!(operate(Operation::FindUser(AccountRef::Caller)), Err(Refusal::StaleHandle)));
    assert!(matches!(open(), Err(Refusal::NotPermitted)));
}
