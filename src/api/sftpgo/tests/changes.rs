//! `PUT user/ID`: a body over what the user is.

use std::collections::BTreeSet;

use accountd_protocol::agent::{User, UserChange};
use accountd_protocol::limits::{FilePermission, Limits};
use rocket::http::Method;

use super::{World, echoing, user};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVvCIiRKbHQZxJ2m3t7VV8f0oGFJQ4pLzFVZ4vN3xJ0";

/// What the agent is asked to change, but for the echoes.
#[track_caller]
fn asked(user: User, body: &str) -> String {
    let world = World::of_user(user);
    world.root(Method::Put, "/user/7", body).is_message(200, "User updated");
    let asked = world.asked();
    asked.split(", echoes: ").next().unwrap().to_owned()
}

/// What the agent is asked where nothing changes.
fn nothing() -> String {
    let change = UserChange { home_transfer: accountd_protocol::home::HomeTransfer::None, ..UserChange::default() };
    let change = format!("{change:?}");
    format!("UpdateUser {{ id: AccountId(7), change: {}", change.split(", echoes: ").next().unwrap())
}

#[test]
fn what_comes_back_as_it_was_shown_changes_nothing() {
    let permissions = Some(BTreeSet::from([FilePermission::List]));
    let user =
        User { limits: Limits { permissions, sessions: Some(2), upload: Some(9), ..Limits::default() }, ..user() };
    let shown = World::of_user(user.clone()).get("/user/7").body;
    for body in
        [&*shown, "{}", "null", r#"{"username":"carol","id":7,"uid":0,"gid":0,"home_dir":"/mnt/tank/./alice/"}"#]
    {
        assert_eq!(asked(user.clone(), body), nothing(), "{body}");
    }
}

#[test]
fn what_is_named_changes_and_the_rest_stays() {
    let rows = [
        (r#"{"max_sessions":3}"#, "sessions: Some(Some(3))"),
        (r#"{"quota_size":5}"#, "bytes: Some(Some(5))"),
        (r#"{"permissions":["upload"]}"#, "permissions: Some(Some({Upload}))"),
        (r#"{"home_dir":"/mnt/tank/b"}"#, "home: Some(FieldPath(\"/mnt/tank/b\")), home_transfer: None"),
        (r#"{"uid":33}"#, "uid: Some(33)"),
        (r#"{"gid":1000}"#, "primary_group: Some(AccountId(40))"),
        (r#"{"password":"new"}"#, "password: Some(Secret(…)), random_password: No, password_disabled: Some(false)"),
        (r#"{"upload_bandwidth":5}"#, "upload: Some(Some(5)), download: None, bandwidth: Some(Transfer)"),
    ];
    for (body, part) in rows {
        let asked = asked(user(), body);
        assert!(asked.contains(part), "{part} in {asked}");
        let fields = |text: &str| text.matches("Some(").count();
        assert_eq!(fields(&asked) - fields(&nothing()), fields(part), "{body}: {asked}");
    }
}

#[test]
fn zero_lifts_a_limit() {
    let limits = Limits { sessions: Some(3), download: Some(4), ..Limits::default() };
    let asked = asked(User { limits, ..user() }, r#"{"max_sessions":0,"download_bandwidth":-1}"#);
    assert!(asked.contains("sessions: Some(None), upload: None, download: Some(None), bandwidth: None"), "{asked}");
}

#[test]
fn the_last_credential_is_not_taken() {
    let with_key = User { ssh_keys: format!("{KEY}\n"), ..user() };
    let only_key = User { password_disabled: true, ..with_key.clone() };
    let refused = [
        (user(), r#"{"password":""}"#),
        (only_key.clone(), r#"{"public_keys":[]}"#),
        (with_key.clone(), r#"{"password":"","public_keys":null}"#),
    ];
    for (user, body) in refused {
        let world = World::of_user(user);
        let seen = world.root(Method::Put, "/user/7", body);
        seen.is_error(400, "Validation error: Please set password or at least a public_key");
        world.nothing_was_asked();
    }
    assert!(
        asked(with_key.clone(), r#"{"password":""}"#)
            .contains("password: None, random_password: No, password_disabled: Some(true)")
    );
    assert!(asked(with_key, r#"{"public_keys":[]}"#).contains("ssh_keys: Some(\"\")"));
    assert!(asked(only_key, r#"{"public_keys":[],"password":"p"}"#).contains("ssh_keys: Some(\"\")"));
    let replaced = asked(user(), &format!(r#"{{"public_keys":["{KEY}"],"password":""}}"#));
    assert!(replaced.contains(&format!("ssh_keys: Some(\"{KEY}\\n\")")), "{replaced}");
}

#[test]
fn a_hash_takes_the_place_of_a_password() {
    let pbkdf2 = "$pbkdf2-sha256$150000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=";
    let bcrypt = "$2a$14$ajq8Q7fbtFRQvXpdCq7Jcuy.Rx1h/L4J60Otx.gyNLbAYctGMJ9tK";
    for hash in [pbkdf2, bcrypt] {
        let body = format!(r#"{{"password":"{hash}"}}"#);
        assert!(asked(user(), &body).contains("password: None, random_password: No"));
        assert!(asked(user(), &body).contains("password_hash: Some(Secret(…))"));
    }
}

#[test]
fn a_body_is_looked_at_in_the_order_of_sftpgo() {
    let world = World::new();
    let rows = [
        ("[", "unexpected EOF"),
        (r#"{"username":"","permissions":[]}"#, "Validation error: Mandatory parameters missing"),
        (r#"{"home_dir":""}"#, "Validation error: Mandatory parameters missing"),
        (r#"{"permissions":[],"home_dir":"b"}"#, "Validation error: Please grant some permissions to this user"),
        (r#"{"permissions":null}"#, "Validation error: Please grant some permissions to this user"),
        (r#"{"home_dir":"b"}"#, "Validation error: home_dir must be an absolute path, actual value: b"),
        (r#"{"permissions":["x"],"public_keys":["y"]}"#, "Validation error: Invalid permission: x"),
        (r#"{"public_keys":["y"]}"#, "Validation error: Could not parse key nr. 0: ssh: no key found"),
        (r#"{"gid":-1}"#, "Validation error: gid must be from 0 to 4294967295, actual value: -1"),
    ];
    for (body, error) in rows {
        world.root(Method::Put, "/user/7", body).is_error(400, error);
    }
    let other = world.root(Method::Put, "/user/7", r#"{"id":8,"permissions":[]}"#);
    other.is_message(400, "user ID in request body does not match user ID in path parameter");
    world.nothing_was_asked();
}

#[test]
fn the_new_words_take_the_place_of_the_old() {
    let echo = r#"{"uid":0,"gid":0,"home_dir":"/mnt/tank//alice","permissions":["*","list"],"max_sessions":-1,
        "quota_size":0,"quota_files":0,"upload_bandwidth":0,"download_bandwidth":0}"#;
    let world = World::of_user(echoing(user(), echo));
    world.root(Method::Put, "/user/7", r#"{"uid":3001,"quota_files":-2}"#).is_message(200, "User updated");
    let asked = world.asked();
    let part = r#"{\"uid\":3001,\"gid\":0,\"home_dir\":\"/mnt/tank//alice\",\"permissions\":[\"*\",\"list\"],\"max_sessions\":-1,\"quota_size\":0,\"quota_files\":-2,"#;
    assert!(asked.contains(part), "{part} in {asked}");
}
