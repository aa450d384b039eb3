//! Connections and scans.

use accountd_protocol::agent::User;
use accountd_protocol::id::AccountId;
use accountd_protocol::limits::{Limits, Root};
use accountd_protocol::open_session::{ConnectionId, OpenConnection, OpenSession, OpenTransfer, TransferDirection};
use accountd_protocol::refusal::Refusal;
use rocket::http::Method;

use super::{Script, World, user};

fn session(service: &str, paths: &[&str]) -> OpenSession {
    let transfer = |path: &&str| OpenTransfer {
        path: (*path).into(),
        direction: TransferDirection::Upload,
        started: 1_795_351_640_011,
        last_activity: 1_795_351_641_322,
        size: 163_840,
    };
    OpenSession {
        number: 1,
        service: service.into(),
        began: 1_795_351_640_010,
        transfers: paths.iter().map(transfer).collect(),
    }
}

fn connection(id: &str, sessions: Vec<OpenSession>) -> OpenConnection {
    OpenConnection {
        id: ConnectionId(id.into()),
        account: AccountId(7),
        user: "alice".into(),
        client_version: "SSH-2.0-OpenSSH_9.2p1".into(),
        source: "127.0.0.1:46694".parse().unwrap(),
        connected: 1_795_351_640_010,
        last_activity: 1_795_351_641_000,
        sessions,
    }
}

fn world(user: User) -> World {
    let connections = vec![
        connection("aa", vec![session("shell", &[]), session("command", &[])]),
        connection("bb", vec![session("shell", &[]), session("scp", &["/mnt/tank/alice/f400k"]), session("sftp", &[])]),
        connection("cc", vec![session("sftp", &[])]),
        connection("dd", vec![]),
    ];
    World::of(Script { connections, ..Script::of(user) })
}

#[test]
fn connections_that_serve_files_are_shown() {
    let expected = |path: &str| {
        format!(
            concat!(
                r#"[{{"username":"alice","connection_id":"bb","client_version":"SSH-2.0-OpenSSH_9.2p1","#,
                r#""remote_address":"127.0.0.1:46694","connection_time":1795351640010,"#,
                r#""last_activity":1795351641322,"protocol":"SCP","active_transfers":[{{"operation_type":"upload","#,
                r#""start_time":1795351640011,"size":163840,"last_activity":1795351641322,"path":"{path}"}}]}},"#,
                r#"{{"username":"alice","connection_id":"cc","client_version":"SSH-2.0-OpenSSH_9.2p1","#,
                r#""remote_address":"127.0.0.1:46694","connection_time":1795351640010,"#,
                r#""last_activity":1795351641000,"protocol":"SFTP","active_transfers":[]}}]"#
            ),
            path = path
        )
    };
    world(user()).get("/connection").is_json(200, &expected("/f400k"));
    let inside = User { effective_limits: Limits { root: Some(Root::Home), ..Limits::default() }, ..user() };
    world(inside).get("/connection").is_json(200, &expected("/mnt/tank/alice/f400k"));
    World::new().get("/connection").is_json(200, "[]");
}

#[test]
fn only_what_is_shown_is_closed() {
    let world = world(user());
    for id in ["aa", "dd", "ee", "BB"] {
        world.root(Method::Delete, &format!("/connection/{id}"), "").is_message(404, "Not Found");
    }
    world.nothing_was_asked();
    world.root(Method::Delete, "/connection/bb", "").is_message(200, "Connection closed");
    assert_eq!(world.asked(), "CloseConnection(ConnectionId(\"bb\"))");
}

#[test]
fn scans_are_shown_and_begun_by_name() {
    World::new().get("/quota_scan").is_json(200, r#"[{"username":"alice","start_time":1795351640010}]"#);
    let world = World::new();
    let body = r#"{"id":0,"username":"alice","uid":0,"gid":0,"max_sessions":0}"#;
    world.root(Method::Post, "/quota_scan", body).is_message(201, "Scan started");
    assert_eq!(world.asked(), "StartScan(AccountId(7))");
}

#[test]
fn a_scan_needs_a_user_and_is_one_at_a_time() {
    let world = World::new();
    world.root(Method::Post, "/quota_scan", "").is_error(400, "EOF");
    for (body, name) in [("{}", ""), (r#"{"username":"bob"}"#, "bob")] {
        let seen = world.root(Method::Post, "/quota_scan", body);
        seen.is_error(404, &format!("Not found: username {name} does not exist"));
    }
    world.nothing_was_asked();
    let running = World::refusing(Refusal::ScanRunning).root(Method::Post, "/quota_scan", r#"{"username":"alice"}"#);
    running.is_message(409, "Another scan is already in progress");
    let denied = World::refusing(Refusal::NotPermitted).root(Method::Post, "/quota_scan", r#"{"username":"alice"}"#);
    denied.is_error(403, "you are not permitted to do this");
}
