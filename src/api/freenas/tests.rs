//! The dialect against a scripted agent: statuses, shapes, headers.

use std::net::SocketAddr;

use accountd_core::Core;
use accountd_protocol::agent::{
    AgentRequest, Answer, Group, Membership, NewPassword, Operation, Page, PrimaryGroup, User,
};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use rocket::http::{Header, Method};
use rocket::local::blocking::{Client, LocalResponse};

use crate::scripted_agent::ScriptedAgent;

/// What the agent was asked to do, as text; and what it says to every operation but the first.
#[derive(Clone, Default)]
struct Script {
    asked: Vec<String>,
    refusal: Option<Refusal>,
}

fn user(id: u64) -> User {
    User {
        id: AccountId(id),
        name: "myuser".into(),
        uid: Uid(1111),
        gid: Gid(1112),
        primary_group: Some(AccountId(40)),
        full_name: "Jörg".into(),
        email: String::new(),
        home: "/mnt/tank/home/myuser".into(),
        shell: "/bin/csh".into(),
        builtin: false,
        locked: false,
        password_disabled: false,
        microsoft_account: false,
        unix_hash: "$6$s$h".into(),
        smb_hash: "*".into(),
        ssh_keys: String::new(),
        groups: vec![],
    }
}

fn group() -> Group {
    Group { id: AccountId(40), name: "mygroup".into(), gid: Gid(1200), builtin: false, members: vec![] }
}

fn scripted(script: &mut Script, request: &AgentRequest) -> Result<Answer, Refusal> {
    let operation = match request {
        AgentRequest::OpenHandle { user, password, .. } if user == "root" && password.reveal() == "a:b" => {
            return Ok(Answer::Handle(Secret::new("handle".into())));
        }
        AgentRequest::OpenHandle { .. }
        | AgentRequest::OfferKey { .. }
        | AgentRequest::Decide { .. }
        | AgentRequest::Watch => return Err(Refusal::BadCredentials),
        AgentRequest::Operate { operation, .. } => operation,
    };
    script.asked.push(format!("{operation:?}"));
    if let Some(refusal) = script.refusal.clone() {
        return Err(refusal);
    }
    match &**operation {
        Operation::ListUsers(window) => {
            let items = (0..31).skip(window.offset).take(window.limit).map(user).collect();
            Ok(Answer::Users(Page { items, total: 31 }))
        }
        Operation::GetUser(_) | Operation::UpdateUser { .. } | Operation::SetPassword { .. } => {
            Ok(Answer::User(Box::new(user(7))))
        }
        Operation::CreateUser(new) => {
            assert!(matches!(new.password, NewPassword::Clear(_) | NewPassword::Disabled));
            assert!(matches!(new.primary_group, PrimaryGroup::Private | PrimaryGroup::Existing(_)));
            Ok(Answer::User(Box::new(user(7))))
        }
        Operation::DeleteUser(_) | Operation::DeleteGroup(_) => Ok(Answer::Done),
        Operation::ListMemberships(_) | Operation::SetMemberships { .. } => {
            Ok(Answer::Memberships(vec![Membership { id: AccountId(1), name: "ftp".into() }]))
        }
        Operation::ListGroups(_) => Ok(Answer::Groups(Page { items: vec![group()], total: 1 })),
        Operation::GetGroup(_) | Operation::CreateGroup(_) | Operation::UpdateGroup { .. } => {
            Ok(Answer::Group(Box::new(group())))
        }
        Operation::ListShells => Ok(Answer::Shells(vec![])),
    }
}

struct World {
    agent: ScriptedAgent<Script>,
    client: Client,
}

/// Status, headers in lower case, body.
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn of(response: LocalResponse<'_>) -> Self {
        let status = response.status().code;
        let headers =
            response.headers().iter().map(|h| (h.name.as_str().to_lowercase(), h.value.to_string())).collect();
        Self { status, headers, body: response.into_string().unwrap_or_default() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }
}

const ROOT: &str = "Basic cm9vdDphOmI=";

impl World {
    fn new() -> Self {
        Self::refusing(None)
    }

    fn refusing(refusal: Option<Refusal>) -> Self {
        let agent = ScriptedAgent::start(Script { asked: vec![], refusal }, scripted);
        let core = Core::new(agent.socket()).unwrap();
        let client = Client::untracked(crate::rocket(core, SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        Self { agent, client }
    }

    fn send(&self, method: Method, path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Seen {
        let mut request = self.client.req(method, format!("/api/v1.0{path}")).body(body);
        for (name, value) in headers {
            request.add_header(Header::new(*name, (*value).to_owned()));
        }
        Seen::of(request.dispatch())
    }

    fn json(&self, method: Method, path: &str, body: &str) -> Seen {
        self.send(method, path, &[("Authorization", ROOT), ("Content-Type", "application/json")], body.as_bytes())
    }

    fn get(&self, path: &str) -> Seen {
        self.send(Method::Get, path, &[("Authorization", ROOT)], b"")
    }

    fn asked(&self) -> Vec<String> {
        self.agent.state().asked
    }
}

const NEW: &str = r#"{"bsdusr_username":"myuser","bsdusr_creategroup":true,"bsdusr_full_name":"My User",
    "bsdusr_password":" p?w ","bsdusr_uid":"1111","bsdusr_home":"/mnt/tank/home","unknown":1}"#;

const MYUSER: &str = concat!(
    r#"{"bsdusr_attributes": {}, "bsdusr_builtin": false, "bsdusr_email": "", "bsdusr_full_name": "Jörg", "#,
    r#""bsdusr_group": 1112, "bsdusr_home": "/mnt/tank/home/myuser", "bsdusr_locked": false, "#,
    r#""bsdusr_microsoft_account": false, "bsdusr_password_disabled": false, "bsdusr_shell": "/bin/csh", "#,
    r#""bsdusr_smbhash": "*", "bsdusr_sshpubkey": "", "bsdusr_sudo": false, "bsdusr_uid": 1111, "#,
    r#""bsdusr_unixhash": "$6$s$h", "bsdusr_username": "myuser", "id": 7}"#
);

#[test]
fn without_a_credential_the_answer_is_empty_and_says_how_to_get_in() {
    let world = World::new();
    for (name, header) in [("X-Nothing", ""), ("Authorization", "Basic cm9vdDp4"), ("Authorization", "Token x")] {
        for path in ["/account/users/", "/account/users/1/", "/account/groups/", "/account/users/1/groups/"] {
            let seen = world.send(Method::Get, path, &[(name, header)], b"");
            seen.is(401, "");
            assert_eq!(seen.header("www-authenticate"), Some("Basic Realm=\"django-tastypie\""));
            assert_eq!(seen.header("content-type"), Some("text/html; charset=utf-8"));
        }
    }
    let console = world.send(Method::Get, "/account/users/", &[("X-Requested-From", "WebUI")], b"");
    assert_eq!((console.status, console.header("www-authenticate")), (401, None));
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn a_new_user_is_answered_with_201_its_place_and_nothing_of_its_password() {
    let world = World::new();
    let seen = world.json(Method::Post, "/account/users/", NEW);
    seen.is(201, MYUSER);
    assert_eq!(seen.header("location"), Some("/api/v1.0/account/users/7/"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("vary"), Some("Accept"));
    let asked = &world.asked()[0];
    for part in [
        "NewUserName(\"myuser\")",
        "uid: Some(1111)",
        "FieldPath(\"/mnt/tank/home/myuser\")",
        "FieldPath(\"/bin/csh\")",
        "home_mode: 493",
        "primary_group: Private",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
}

#[test]
fn the_name_is_appended_to_a_home_that_does_not_end_in_it() {
    let rows = [
        ("/mnt/tank/home", "/mnt/tank/home/myuser"),
        ("/mnt/tank/myuser", "/mnt/tank/myuser"),
        ("/mnt/tank/notmyuser", "/mnt/tank/notmyuser/myuser"),
        ("/mnt//tank/", "/mnt/tank/myuser"),
        ("/nonexistent", "/nonexistent"),
    ];
    for (home, expected) in rows {
        let world = World::new();
        world.json(Method::Post, "/account/users/", &NEW.replace("/mnt/tank/home", home));
        assert!(world.asked()[0].contains(&format!("home: FieldPath(\"{expected}\")")), "{home}: {:?}", world.asked());
    }
}

#[test]
fn every_field_that_is_wrong_is_named_in_one_answer() {
    let world = World::new();
    let seen = world.json(Method::Post, "/account/users/", "{}");
    seen.is(
        409,
        concat!(
            r#"{"bsdusr_full_name": ["This field is required."], "#,
            r#""bsdusr_group": ["Enter either a group name or create a new group to continue."], "#,
            r#""bsdusr_password": ["Password is required"], "bsdusr_uid": ["This field is required."], "#,
            r#""bsdusr_username": ["This field is required."]}"#
        ),
    );
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn hostile_values_are_refused_by_field_before_the_agent_hears_of_them() {
    let rows = [
        (
            "bsdusr_username",
            r#""-rf""#,
            r#"{"bsdusr_username": ["Name must begin with an alphanumeric character and not a \"-\"."]}"#,
        ),
        ("bsdusr_username", r#""a b""#, r#"{"bsdusr_username": ["name contains invalid characters:  "]}"#),
        (
            "bsdusr_username",
            r#""abcdefghijklmnopq""#,
            r#"{"bsdusr_username": ["Ensure this value has at most 16 characters (it has 17)."]}"#,
        ),
        (
            "bsdusr_username",
            r#""a$b""#,
            r#"{"bsdusr_username": ["The character $ is only allowed as the final character."]}"#,
        ),
        ("bsdusr_username", r#"["a"]"#, r#"{"bsdusr_username": ["Enter a valid value."]}"#),
        (
            "bsdusr_full_name",
            r#""a\nroot::0:0""#,
            r#"{"bsdusr_full_name": ["Your full name contains invalid characters (\\n, :, :, :)."]}"#,
        ),
        (
            "bsdusr_full_name",
            r#""a:b""#,
            r#"{"bsdusr_full_name": ["The \":\" character is not allowed in a \"Full Name\"."]}"#,
        ),
        (
            "bsdusr_full_name",
            r#""a\u0000""#,
            r#"{"bsdusr_full_name": ["Your full name contains invalid characters (\\u{0})."]}"#,
        ),
        ("bsdusr_email", r#""nobody""#, r#"{"bsdusr_email": ["Enter a valid email address."]}"#),
        ("bsdusr_home", r#""/mnt/t:x""#, r#"{"bsdusr_home": ["\"Home Directory\" cannot contain colons (:)."]}"#),
        ("bsdusr_home", r#""""#, r#"{"bsdusr_home": ["This field cannot be null."]}"#),
        (
            "bsdusr_home",
            r#""/mnt/tank/../../etc""#,
            r#"{"bsdusr_home": ["The path must not contain \".\" or \"..\"."]}"#,
        ),
        (
            "bsdusr_shell",
            r#""sh\n""#,
            r#"{"bsdusr_shell": ["Select a valid choice. sh\\n is not one of the available choices."]}"#,
        ),
        ("bsdusr_uid", "-1", r#"{"bsdusr_uid": ["Ensure this value is greater than or equal to 0."]}"#),
        ("bsdusr_mode", r#""4755""#, r#"{"bsdusr_home": ["Please provide a valid value for home_mode attribute"]}"#),
        ("bsdusr_mode", r#""rwx""#, r#"{"bsdusr_home": ["Please provide a valid value for home_mode attribute"]}"#),
        ("bsdusr_sudo", "true", r#"{"bsdusr_sudo": ["Sudo access cannot be given by this version."]}"#),
        ("bsdusr_to_group", r#""wheel""#, r#"{"bsdusr_to_group": ["Enter a list of values."]}"#),
        (
            "bsdusr_password_disabled",
            "true",
            r#"{"bsdusr_password_disabled": ["Leave \"Password\" blank when \"Disable password login\" is checked."]}"#,
        ),
        ("bsdusr_password", "null", r#"{"bsdusr_password": ["Password is required"]}"#),
    ];
    let world = World::new();
    for (field, value, body) in rows {
        let mut form: serde_json::Map<String, serde_json::Value> = serde_json::from_str(NEW).unwrap();
        form.insert(field.into(), serde_json::from_str(value).unwrap());
        let sent = serde_json::Value::Object(form).to_string();
        world.json(Method::Post, "/account/users/", &sent).is(409, body);
    }
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn faults_that_the_agent_finds_are_worded_and_keyed_alike() {
    let rows = [
        (
            Field::UserName,
            Problem::Duplicate("myuser".into()),
            r#"{"bsdusr_username": ["The username \"myuser\" already exists."]}"#,
        ),
        (
            Field::Home,
            Problem::OutsideRoots("/mnt".into()),
            r#"{"bsdusr_home": ["The path must reside within a volume mount point"]}"#,
        ),
        (
            Field::Shell,
            Problem::NotAShell,
            r#"{"bsdusr_shell": ["Select a valid choice. /bin/x is not one of the available choices."]}"#,
        ),
        (
            Field::PrimaryGroup,
            Problem::NoSuch("9".into()),
            r#"{"bsdusr_group": ["Select a valid choice. That choice is not one of the available choices."]}"#,
        ),
        (
            Field::Groups,
            Problem::NoSuch("999".into()),
            r#"{"bsdusr_to_group": ["Select a valid choice. 999 is not one of the available choices."]}"#,
        ),
        (Field::Uid, Problem::Builtin, r#"{"bsdusr_uid": ["This attribute cannot be changed"]}"#),
    ];
    for (field, problem, body) in rows {
        let world = World::refusing(Some(Refusal::invalid(field, problem)));
        world.json(Method::Put, "/account/users/7/", r#"{"bsdusr_shell": "/bin/x"}"#).is(409, body);
    }
}

#[test]
fn lists_are_bare_arrays_with_their_range() {
    let world = World::new();
    let seen = world.get("/account/users/?limit=2&offset=30&sort(-bsdusr_uid)&limitless=1");
    seen.is(200, &format!("[{}]", MYUSER.replace("\"id\": 7", "\"id\": 30")));
    assert_eq!(seen.header("content-range"), Some("items 30-30/31"));
    assert!(world.asked()[0].contains("SortKey { by: Number, direction: Descending }"), "{:?}", world.asked());
    let past = world.get("/account/users/?offset=100");
    past.is(200, "[]");
    assert_eq!(past.header("content-range"), Some("items 0--1/31"));
    let groups = world.get("/account/groups/");
    groups.is(
        200,
        r#"[{"bsdgrp_builtin": false, "bsdgrp_gid": 1200, "bsdgrp_group": "mygroup", "bsdgrp_sudo": false, "id": 40}]"#,
    );
    world
        .get("/account/users/?bsdusr_username=root")
        .is(400, r#"{"error": "The 'bsdusr_username' field does not allow filtering."}"#);
    world
        .get("/account/groups/?limit=-1")
        .is(400, r#"{"error": "Invalid limit '-1' provided. Please provide a positive integer &gt;= 0."}"#);
}

#[test]
fn what_is_missing_is_answered_by_what_was_asked() {
    let world = World::refusing(Some(Refusal::NotFound));
    let canned = r#"{"error_message": "Sorry, this request could not be processed. Please try again later."}"#;
    let get = world.get("/account/users/99/");
    get.is(404, "");
    assert_eq!(get.header("content-type"), Some("text/html; charset=utf-8"));
    world.get("/account/users/99/groups/").is(404, "");
    world.json(Method::Post, "/account/users/99/password/", r#"{"bsdusr_password": "x"}"#).is(404, "");
    world.json(Method::Put, "/account/users/99/", "{}").is(404, "\"Object not found\"");
    world.json(Method::Delete, "/account/users/99/", "").is(404, canned);
    world.get("/account/users/abc/").is(404, canned);
    assert_eq!(world.get("/account/nothing/").status, 404);
}

#[test]
fn refusals_without_a_field_have_their_own_status() {
    let rows = [
        (Refusal::BuiltinDelete, 409, "Cannot delete a built-in user"),
        (Refusal::Busy, 503, "busy"),
        (Refusal::NoSpace, 507, "No space"),
        (Refusal::Internal("secret detail".into()), 500, "Sorry, this request could not be processed."),
        (Refusal::NotPermitted, 401, ""),
    ];
    for (refusal, status, text) in rows {
        let world = World::refusing(Some(refusal));
        let seen = world.json(Method::Delete, "/account/users/1/", "");
        assert_eq!(seen.status, status);
        assert!(seen.body.contains(text) && !seen.body.contains("secret detail"), "{}", seen.body);
        assert_eq!(seen.header("retry-after").is_some(), status == 503);
    }
}

#[test]
fn an_agent_that_is_away_is_answered_with_503() {
    let core = Core::new("/nonexistent/agent.sock").unwrap();
    let client = Client::untracked(crate::rocket(core, SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    let request = client.get("/api/v1.0/account/users/").header(Header::new("Authorization", ROOT));
    let seen = Seen::of(request.dispatch());
    assert_eq!((seen.status, seen.header("retry-after")), (503, Some("5")));
}

#[test]
fn changes_deletions_passwords_and_memberships_have_the_codes_that_clients_know() {
    let world = World::new();
    world.json(Method::Put, "/account/users/7/", r#"{"bsdusr_locked": "true", "bsdusr_email": null}"#).is(200, MYUSER);
    world.json(Method::Patch, "/account/users/7/", r#"{"bsdusr_password": ""}"#).is(202, MYUSER);
    world.json(Method::Post, "/account/users/7/password/", r#"{"bsdusr_password": "x?"}"#).is(200, MYUSER);
    world.json(Method::Delete, "/account/users/7/", "").is(204, "");
    world.get("/account/users/7/groups/").is(200, r#"["ftp"]"#);
    world.json(Method::Post, "/account/users/7/groups/", r#"["wheel", "ftp", 3]"#).is(202, r#"["ftp"]"#);
    world.json(Method::Post, "/account/users/7/groups/", r#""wheel""#).is(202, r#"["ftp"]"#);
    world.json(Method::Post, "/account/groups/", r#"{"bsdgrp_gid": 1200, "bsdgrp_group": "mygroup"}"#);
    let asked = world.asked();
    for (index, parts) in [
        (0, &["locked: Some(true)", "email: Some(Email(\"\"))", "ssh_keys: None", "password: None"][..]),
        (1, &["password: None", "locked: None"]),
        (2, &["SetPassword { id: AccountId(7)"]),
        (5, &["[\"wheel\", \"ftp\"]"]),
        (6, &["groups: []"]),
        (7, &["gid: Some(1200), shared_gid: Refused"]),
    ] {
        for part in parts {
            assert!(asked[index].contains(part), "{part} in {}", asked[index]);
        }
    }
}

#[test]
fn a_password_of_its_own_resource_is_refused_with_400() {
    let world = World::new();
    for body in ["{}", r#"{"bsdusr_password": ""}"#, "\"\""] {
        world
            .json(Method::Post, "/account/users/7/password/", body)
            .is(400, r#"{"bsdusr_password": ["This field is required."]}"#);
    }
}

#[test]
fn bodies_that_are_not_json_are_refused() {
    let world = World::new();
    for body in [&b""[..], b"{", b"{\"a\": \"\\ud800\"}", b"{\"bsdusr_full_name\": \"\xff\"}", b"{\"a\": 1e999}"] {
        let headers = [("Authorization", ROOT), ("Content-Type", "application/json; charset=utf-8")];
        world
            .send(Method::Post, "/account/users/", &headers, body)
            .is(400, r#"{"error": "Request is not valid JSON."}"#);
    }
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    world.json(Method::Post, "/account/users/", &deep).is(400, r#"{"error": "Request is not valid JSON."}"#);
    world.json(Method::Post, "/account/users/", "[]").is(400, r#"{"error": "Request is not a JSON object."}"#);
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(world.json(Method::Put, "/account/users/7/", &large).status, 413);
    let form = [("Authorization", ROOT), ("Content-Type", "application/x-www-form-urlencoded")];
    let refused = world.send(Method::Post, "/account/users/", &form, b"a=b");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("'application/x-www-form-urlencoded' had no available deserialization method"));
    let untyped = world.send(Method::Post, "/account/users/", &[("Authorization", ROOT)], b"{}");
    assert!(untyped.body.contains("'text/plain'"), "{}", untyped.body);
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn a_form_can_not_stand_for_a_deletion() {
    let world = World::new();
    let form = [("Authorization", ROOT), ("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(world.send(Method::Post, "/account/users/7/", &form, b"_method=delete").status, 400);
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn the_slash_at_the_end_is_part_of_the_path() {
    let world = World::new();
    for method in [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options] {
        let seen = world.json(method, "/account/users/7?limit=1", "{}");
        assert_eq!(
            (seen.status, seen.header("location")),
            (301, Some("/api/v1.0/account/users/7/?limit=1")),
            "{method}"
        );
    }
    assert_eq!(world.json(Method::Post, "/account/users", NEW).status, 301);
    assert_eq!(world.get("/account/nothing").status, 404);
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn methods_that_are_not_there_are_told_those_that_are() {
    let world = World::new();
    let rows = [
        (Method::Delete, "/account/users/", 405, Some("GET,POST")),
        (Method::Put, "/account/users/", 405, Some("GET,POST")),
        (Method::Delete, "/account/groups/", 405, Some("GET,POST")),
        (Method::Delete, "/account/users/1/groups/", 405, Some("POST,GET")),
        (Method::Get, "/account/users/1/password/", 405, Some("POST")),
        (Method::Post, "/account/users/1/", 501, None),
        (Method::Options, "/account/users/", 200, Some("GET,POST,PUT,DELETE,PATCH")),
    ];
    for (method, path, status, allow) in rows {
        let seen = world.json(method, path, "{}");
        assert_eq!((seen.status, seen.header("allow")), (status, allow), "{method} {path}");
    }
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn head_is_get_without_its_body() {
    let world = World::new();
    let seen = world.send(Method::Head, "/account/users/7/", &[("Authorization", ROOT)], b"");
    seen.is(200, "");
}
