//! What a session writes where its records go, when it is not accountd's program that writes.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::json;

use super::privilege::sessions_of;
use crate::running::Running;
use crate::v2::Nas;
use crate::world::wait_for;

/// The pipe that a session has its records go to.
fn pipe_of(session: u32) -> fs::File {
    let place = |number: u32| format!("/proc/{session}/fd/{number}");
    let is_pipe = |path: &String| fs::read_link(path).is_ok_and(|it| it.to_string_lossy().starts_with("pipe:"));
    let path = (3..20).map(place).find(is_pipe).expect("a pipe");
    fs::File::options().write(true).open(path).unwrap()
}

#[test]
fn whatever_a_session_writes_as_records_is_text_of_that_session_and_harms_nobody() {
    let nas = Nas::start();
    let user = json!({"username": "anna", "uid": 3001, "password": "pw", "home": "/mnt/tank/home/anna"});
    nas.post("/users", &user);
    let mut command = nas.world.with_password("anna", "pw").prepare("ssh");
    command.args(["-s", "127.0.0.1", "sftp"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = Running::start(&mut command);
    client.stdin.as_mut().unwrap().write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3]).unwrap();
    client.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let mut pipe = pipe_of(sessions_of(&nas.world, 3001)[0]);
    let note = [accountd_protocol::open_session::NOTE];
    let begun = |id: u64| json!({"begun": {"id": id, "path": "/x", "direction": "upload", "size": 0, "for_milliseconds": u64::MAX}});
    pipe.write_all(b"2026-11-27T00:00:00Z INFO logged in user=\"root\" uid=0\r\x1b[2J\n").unwrap();
    for text in ["", "{", "[[[[[[", r#"{"ended":{"id":7}}"#, r#"{"at":{"id":7,"size":18446744073709551616}}"#] {
        pipe.write_all(&[&note, text.as_bytes(), b"\n"].concat()).unwrap();
    }
    for id in 0..1000 {
        pipe.write_all(&[&note, begun(id).to_string().as_bytes(), b"\n"].concat()).unwrap();
    }
    pipe.write_all(&[b'x'; 100_000]).unwrap();
    pipe.write_all(b"\nthe end of it\n").unwrap();
    drop(pipe);
    wait_for("the last line", || nas.world.log().contains("the end of it"));
    let log = nas.world.log();
    let forged = log.lines().find(|line| line.contains("user=\"root\" uid=0")).unwrap();
    assert!(forged.contains("user=\"anna\" session=1") && !forged.contains('\x1b'), "{forged}");
    assert!(log.lines().all(|line| line.len() < 5000));
    let open = nas.rest.get("/connections").object(200);
    let transfers = open["items"][0]["sessions"][0]["transfers"].as_array().unwrap();
    assert!(transfers.len() <= 64, "{}", transfers.len());
    drop(client);
    wait_for("the end of the session", || nas.rest.get("/connections").object(200)["total"] == 0);
    assert!(nas.world.with_password("anna", "pw").logs_in());
}
