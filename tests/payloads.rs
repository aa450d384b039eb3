//! A client that keeps to the framing and to nothing else, and clients that read nothing.

use std::fs;
use std::process::{Command, Stdio};

use russh::{Channel, client::Msg};

use crate::freenas::{Nas, new_user};
use crate::login::{block_on, log_in};
use crate::running::Running;
use crate::world::wait_for;

/// In every run; `ACCOUNTD_PAYLOADS=1000000` for as many as anybody has the patience for.
const PAYLOADS: &str = "100000";
/// How much larger the front may be afterwards.
const GROWTH_KIB: u64 = 24 * 1024;

fn nas_with_key() -> (Nas, std::path::PathBuf) {
    let nas = Nas::start();
    let (key, public) = nas.world.make_key("key", "ed25519");
    let mut user: serde_json::Value = serde_json::from_str(&new_user("anna", 3001, "pw")).unwrap();
    user["bsdusr_sshpubkey"] = public.into();
    nas.rest.create_user(&user.to_string());
    (nas, key)
}

/// Resident memory of the front (proc_pid_status(5)).
fn front_kib(nas: &Nas) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", nas.world.process("ssh"))).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn payloads_that_nobody_would_send_leave_the_server_as_it_was() {
    let (nas, key) = nas_with_key();
    assert!(nas.world.with_key("anna", &key).logs_in());
    let (front, before) = (nas.world.process("ssh"), front_kib(&nas));
    let count = std::env::var("ACCOUNTD_PAYLOADS").unwrap_or_else(|_| PAYLOADS.to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/payloads/payloads.py");
    let output = Command::new("/usr/bin/python3")
        .arg(script)
        .arg(nas.world.ssh().port().to_string())
        .arg(&key)
        .args([&count, "7"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.starts_with(&format!("{count} ")), "{output:?}");
    println!("payloads and logins: {said}");
    assert!(nas.world.with_key("anna", &key).logs_in());
    assert_eq!(nas.world.process("ssh"), front);
    assert!(!nas.world.log().contains("panicked"), "{}", nas.world.log());
    let after = front_kib(&nas);
    assert!(after < before + GROWTH_KIB, "{before} KiB before, {after} KiB afterwards");
}

/// SSH_FXP_READ of 255 KiB from the beginning of the first file that was opened.
fn read_request(id: u32, handle: &[u8]) -> Vec<u8> {
    let mut packet = vec![5];
    packet.extend(id.to_be_bytes());
    packet.extend(u32::try_from(handle.len()).unwrap().to_be_bytes());
    packet.extend(handle);
    packet.extend(0u64.to_be_bytes());
    packet.extend((255u32 * 1024).to_be_bytes());
    [&u32::try_from(packet.len()).unwrap().to_be_bytes()[..], &packet].concat()
}

#[test]
fn a_client_that_asks_ten_thousand_times_and_reads_nothing_costs_little_and_holds_nobody_up() {
    let (nas, key) = nas_with_key();
    fs::write(nas.disk.path("/mnt/tank/home/anna/large"), vec![7; 300 * 1024]).unwrap();
    let before = front_kib(&nas);
    block_on(async {
        let connection = log_in(&nas).await;
        let mut channel = connection.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let handle = open(&mut channel).await;
        let asking = async {
            for id in 0..10_000 {
                if channel.data(&read_request(id, &handle)[..]).await.is_err() {
                    return;
                }
            }
        };
        // Nothing is read any more: sooner or later nothing is taken either.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), asking).await;
        assert!(nas.world.with_key("anna", &key).logs_in());
        let after = front_kib(&nas);
        assert!(after < before + 64 * 1024, "{before} KiB before, {after} KiB meanwhile");
    });
}

async fn open(channel: &mut Channel<Msg>) -> Vec<u8> {
    let init = [0, 0, 0, 5, 1, 0, 0, 0, 3];
    let open = [&[0, 0, 0, 22, 3, 0, 0, 0, 1, 0, 0, 0, 5][..], b"large", &[0, 0, 0, 1, 0, 0, 0, 0]].concat();
    channel.data(&init[..]).await.unwrap();
    channel.data(&open[..]).await.unwrap();
    let mut said = Vec::new();
    loop {
        let Some(message) = channel.wait().await else { panic!("closed") };
        if let russh::ChannelMsg::Data { data } = message {
            said.extend_from_slice(&data);
        }
        let length = said.get(..4).map(|four| u32::from_be_bytes(four.try_into().unwrap()) as usize);
        let Some(answer) = length.and_then(|length| said.get(length + 4..)).filter(|rest| rest.len() >= 4) else {
            continue;
        };
        let size = u32::from_be_bytes(answer[..4].try_into().unwrap()) as usize;
        if answer.len() >= size + 4 {
            assert_eq!(answer[4], 102, "SSH_FXP_HANDLE");
            return answer[13..size + 4].to_vec();
        }
    }
}

#[test]
fn clients_that_stall_all_channels_of_their_connections_cost_little_and_hold_nobody_up() {
    let (nas, key) = nas_with_key();
    let before = front_kib(&nas);
    let client = nas.world.with_key("anna", &key);
    let mut stalled = Vec::new();
    for connection in 0..2 {
        let socket = nas.world.client_file(&format!("master{connection}"));
        let mut master = client.prepare("ssh");
        master.args(["-M", "-N", "-f", "-S"]).arg(&socket).arg("127.0.0.1");
        assert!(master.status().unwrap().success());
        for _ in 0..50 {
            let mut command = Command::new("ssh");
            command.args(["-F", "/dev/null", "-S"]).arg(&socket).args(["127.0.0.1", "cat /dev/zero"]);
            // Nobody reads what it says.
            stalled.push((Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped())), socket.clone()));
        }
    }
    let running = || nas.world.run(&["ps", "-e", "-o", "args"]).matches("cat /dev/zero").count();
    wait_for("a hundred commands", || running() >= 100);
    assert!(client.logs_in());
    let after = front_kib(&nas);
    assert!(after < before + 128 * 1024, "{before} KiB before, {after} KiB meanwhile");
    for (child, socket) in stalled {
        child.end();
        let mut end = Command::new("ssh");
        end.args(["-F", "/dev/null", "-S"]).arg(socket).args(["-O", "exit", "127.0.0.1"]);
        // The first has ended it for the others of its connection.
        let _ = end.output();
    }
    wait_for("the commands to end", || running() == 0);
}
