//! New users and how users are shown.

use std::collections::BTreeSet;

use accountd_protocol::agent::User;
use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::limits::{FilePermission, Limits};
use accountd_protocol::quota::QuotaLimits;
use rocket::http::Method;

use super::{Script, World, echoing, report, user};

/// The sample of SFTPGo, on a pool.
const ALICE: &str = concat!(
    r#"{"id":7,"username":"alice","home_dir":"/mnt/tank/alice","uid":3001,"gid":3001,"max_sessions":0,"quota_size":0,"#,
    r#""quota_files":0,"permissions":["*"],"used_quota_size":0,"used_quota_files":0,"last_quota_update":0,"#,
    r#""upload_bandwidth":0,"download_bandwidth":0,"effective_uid":3001,"effective_gid":3001}"#
);

#[test]
fn a_new_user_is_what_was_asked_for_and_is_answered_with_200() {
    let world = World::new();
    let body = r#"{"id":99,"username":"alice","password":"secret","home_dir":"/mnt//tank/alice/","uid":0,"gid":0,
        "permissions":["list","download"],"max_sessions":-1,"quota_size":4096,"quota_files":10,
        "upload_bandwidth":100,"download_bandwidth":99999999999,"used_quota_size":5}"#;
    let seen = world.root(Method::Post, "/user", body);
    assert_eq!(seen.status, 200, "{}", seen.body);
    let asked = world.asked();
    for part in [
        "CreateUser",
        "NewUserName(\"alice\")",
        "uid: None",
        "FieldPath(\"/mnt/tank/alice\")",
        "home_mode: None",
        "FieldPath(\"/usr/sbin/nologin\")",
        "password: Clear(Secret",
        "primary_group: Private",
        "bytes: Some(Some(4096))",
        "files: Some(Some(10))",
        "sessions: Some(None)",
        "upload: Some(Some(100))",
        "download: Some(Some(4294967295))",
        "bandwidth: Some(Transfer)",
        "permissions: Some(Some({List, Download}))",
        "root: Some(Some(Home))",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    assert!(!asked.contains("secret"), "{asked}");
}

#[test]
fn numbers_and_hashes_that_are_asked_for_go_to_the_agent() {
    let pbkdf2 = "$pbkdf2-sha256$150000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=";
    let bcrypt = "$2a$14$ajq8Q7fbtFRQvXpdCq7Jcuy.Rx1h/L4J60Otx.gyNLbAYctGMJ9tK";
    for (password, expected) in [(pbkdf2, "password: Kept("), (bcrypt, "password: Hashed(")] {
        let world = World::new();
        let body = format!(
            r#"{{"username":"alice","password":"{password}","home_dir":"/mnt/tank/alice","uid":33,"gid":1000,
                "permissions":["*"]}}"#
        );
        assert_eq!(world.root(Method::Post, "/user", &body).status, 200);
        let asked = world.asked();
        for part in [expected, "uid: Some(33)", "primary_group: Existing(AccountId(40))", "permissions: Some(None)"] {
            assert!(asked.contains(part), "{part} in {asked}");
        }
    }
}

#[test]
fn an_account_of_others_is_shown_as_it_is() {
    World::new().get("/user/7").is_json(200, ALICE);
    let limits = Limits {
        quota: QuotaLimits { bytes: Some(u64::MAX), files: Some(3), ..QuotaLimits::default() },
        sessions: Some(2),
        upload: Some(7),
        permissions: Some(BTreeSet::from([FilePermission::Upload, FilePermission::List])),
        ..Limits::default()
    };
    let seen = World::of_user(User { limits, ..user() }).get("/user/7");
    for part in [
        r#""max_sessions":2,"quota_size":9223372036854775807,"quota_files":3,"permissions":["list","upload"]"#,
        r#""upload_bandwidth":7,"download_bandwidth":0"#,
    ] {
        assert!(seen.body.contains(part), "{part} in {}", seen.body);
    }
}

const ECHO: &str = r#"{"uid":0,"gid":3001,"home_dir":"/mnt/tank//alice/","permissions":["upload","list","list"],
    "max_sessions":-3,"quota_size":0,"quota_files":-1,"upload_bandwidth":5,"download_bandwidth":-9}"#;

#[test]
fn what_was_asked_for_is_said_again_as_long_as_it_is_true() {
    let permissions = Some(BTreeSet::from([FilePermission::Upload, FilePermission::List]));
    let limits = Limits { permissions, upload: Some(5), ..Limits::default() };
    let true_still = User { limits, ..echoing(user(), ECHO) };
    let seen = World::of_user(true_still.clone()).get("/user/7");
    let part = concat!(
        r#""home_dir":"/mnt/tank//alice/","uid":0,"gid":3001,"max_sessions":-3,"quota_size":0,"quota_files":-1,"#,
        r#""permissions":["upload","list","list"]"#
    );
    assert!(seen.body.contains(part), "{}", seen.body);
    assert!(
        seen.body.contains(r#""upload_bandwidth":5,"download_bandwidth":-9,"effective_uid":3001"#),
        "{}",
        seen.body
    );
    let limits = Limits { sessions: Some(4), upload: None, permissions: None, ..Limits::default() };
    let changed = User { home: "/mnt/tank/b".into(), uid: Uid(5), gid: Gid(6), limits, ..true_still };
    let seen = World::of_user(changed).get("/user/7");
    let part = concat!(
        r#""home_dir":"/mnt/tank/b","uid":0,"gid":6,"max_sessions":4,"quota_size":0,"quota_files":-1,"#,
        r#""permissions":["*"]"#
    );
    assert!(seen.body.contains(part), "{}", seen.body);
    assert!(seen.body.contains(r#""upload_bandwidth":0,"download_bandwidth":-9,"effective_uid":5"#), "{}", seen.body);
}

#[test]
fn an_echo_that_can_not_be_read_is_as_good_as_none() {
    World::of_user(echoing(user(), "{\"uid\":")).get("/user/7").is_json(200, ALICE);
}

#[test]
fn what_is_stored_and_who_shares_the_uid_is_asked() {
    let world = World::of(Script { quota: Some(report()), ..Script::of(User { shares_uid: true, ..user() }) });
    let used = r#""used_quota_size":123,"used_quota_files":4,"last_quota_update":1795351640010,"#;
    let shared = concat!(
        r#","shared_uid":true,"quota_note":"uid 3001 is that of other accounts too: "#,
        r#"where the kernel counts, their files count together"}"#
    );
    for path in ["/user/7", "/user?username=alice"] {
        let seen = world.get(path);
        assert_eq!(seen.status, 200);
        assert!(seen.body.contains(used) && seen.body.contains(shared), "{}", seen.body);
    }
}

#[test]
fn lists_are_of_users_that_are_not_built_in_by_name() {
    let world = World::new();
    world.get("/user?limit=1000&offset=2&order=DESC&username=alice").is_json(200, &format!("[{ALICE}]"));
    let asked = world.asked();
    for part in
        ["offset: 2, limit: 100,", "by: Name, direction: Descending", "Builtin(false), Name(\"alice\")", "LeftOut"]
    {
        assert!(asked.contains(part), "{part} in {asked}");
    }
}

#[test]
fn a_deletion_leaves_the_home() {
    let world = World::new();
    world.root(Method::Delete, "/user/7", "").is_message(200, "User deleted");
    assert_eq!(world.asked(), "DeleteUser { id: AccountId(7), home: Keep, processes: Left, only_if: None }");
}
