//! How commands end, and what becomes of what they leave.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use russh::Sig;

use super::{anna, heard, nas_with_anna, says};
use crate::freenas::{Nas, new_user, with_bash};
use crate::login::{block_on, log_in};
use crate::running::Running;
use crate::world::wait_for;

/// A process that has this in its command line, whose words NULs part.
pub fn process(text: &str) -> Option<Pid> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&line).contains(text).then_some(Pid::from_raw(pid))
    })
}

fn runs(text: &str) -> bool {
    process(text).is_some()
}

#[test]
fn a_signal_that_ends_a_command_is_told() {
    let nas = nas_with_anna();
    assert_eq!(anna(&nas).ssh(&["kill -KILL $$"]).status.code(), Some(255));
    let (status, _, _) = heard(&anna(&nas).ssh(&["no-such-command"]));
    assert_eq!(status, Some(127));
}

#[test]
fn who_is_cut_off_by_a_restart_is_told_so_and_not_that_the_account_has_changed() {
    let nas = nas_with_anna();
    for (program, signal) in [("login", Signal::SIGTERM), ("login", Signal::SIGKILL)] {
        wait_for("logins", || anna(&nas).ssh(&["true"]).status.success());
        let mut command = anna(&nas).prepare_with("ssh", &["LogLevel=INFO"]);
        command.args(["127.0.0.1", "echo begun; exec sleep 987681"]).stdin(Stdio::null());
        let mut client = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        client.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        let before = nas.world.process(program);
        kill(before, signal).unwrap();
        let mut said = String::new();
        client.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("the service is being restarted"), "{program} {signal}: {said}");
        nas.world.wait_for_another(program, before);
    }
    let log = nas.world.log();
    assert!(log.contains("how=\"interrupted\"") && log.contains("how=\"exited with 0\""), "{log}");
}

#[test]
fn a_client_signals_its_command_and_hears_how_it_ended() {
    let nas = nas_with_anna();
    block_on(async {
        let connection = log_in(&nas).await;
        let mut channel = connection.channel_open_session().await.unwrap();
        channel.exec(true, "trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.05; done").await.unwrap();
        let (mut said, mut status) = (String::new(), None);
        while let Some(message) = channel.wait().await {
            match message {
                russh::ChannelMsg::Data { data } => {
                    said.push_str(&String::from_utf8_lossy(&data));
                    if said == "ready\n" {
                        channel.signal(Sig::USR1).await.unwrap();
                    }
                }
                russh::ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
        }
        assert_eq!((said.as_str(), status), ("ready\ncaught\n", Some(5)));
    });
}

#[test]
fn what_a_command_leaves_behind_ends_with_it_also_when_it_has_a_session_of_its_own() {
    let nas = nas_with_anna();
    let left = "setsid -f sleep 987651; nohup sleep 987652 >/dev/null 2>&1 & echo started";
    assert_eq!(says(&nas, left), "started\n");
    wait_for("what was left to end", || !runs("987651") && !runs("987652"));
}

/// The keeper of the session that runs this.
fn keeper_of(process: Pid) -> Pid {
    let mut pid = process;
    while fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() != "login-keeper\n" {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap();
        pid = Pid::from_raw(parent.parse().unwrap());
    }
    pid
}

#[test]
fn all_of_a_session_ends_with_its_keeper_and_nothing_of_others() {
    let nas = Nas::of(crate::world::World::start_with("[sessions]\nleftovers = \"keep\"\n"));
    nas.rest.create_user(&with_bash(&new_user("anna", 3001, "pw")));
    assert_eq!(says(&nas, "setsid -f sh -c 'sleep 987660 & exec sleep 987661'; echo kept"), "kept\n");
    let command = "setsid -f sh -c 'sleep 987662 & exec sleep 987663'; sh -c 'sleep 987664 & exec sleep 987665'";
    let mut client = anna(&nas).prepare("ssh").args(["127.0.0.1", command]).spawn().unwrap();
    let its_own = ["987662", "987663", "987664", "987665"].map(|number| format!("sleep\x00{number}"));
    wait_for("the command", || its_own.iter().all(|text| runs(text)));
    kill(keeper_of(process("sleep\x00987665").unwrap()), Signal::SIGKILL).unwrap();
    wait_for("the end of all of it", || !its_own.iter().any(|text| runs(text)));
    assert_eq!(client.wait().unwrap().code(), Some(255));
    for kept in ["sleep\x00987660", "sleep\x00987661"] {
        kill(process(kept).expect("what was kept before"), Signal::SIGTERM).unwrap();
    }
}

#[test]
fn a_command_ends_when_its_client_goes() {
    let nas = nas_with_anna();
    let mut command = anna(&nas).prepare("ssh");
    let client = Running::start(command.args(["127.0.0.1", "sleep 987653"]));
    wait_for("the command", || runs("sleep\x00987653"));
    client.end();
    wait_for("the command to end", || !runs("sleep\x00987653"));
}

#[test]
fn a_command_that_closes_its_output_goes_on_until_it_ends() {
    let nas = nas_with_anna();
    let (status, out, _) = heard(&anna(&nas).ssh(&["echo before; exec >&- 2>&-; sleep 0.5; exit 9"]));
    assert_eq!((status, out.as_str()), (Some(9), "before\n"));
}

#[test]
fn a_command_whose_account_is_locked_ends_at_once() {
    let nas = Nas::start();
    let user = new_user("anna", 3001, "pw").replace("Some One", "Anna");
    let path = format!("/account/users/{}/", nas.rest.create_user(&user));
    let mut command = anna(&nas).prepare("ssh");
    let mut client = command.args(["127.0.0.1", "sleep 987654"]).spawn().unwrap();
    wait_for("the command", || runs("sleep\x00987654"));
    nas.rest.put(&path, r#"{"bsdusr_locked": true}"#).object(200);
    wait_for("the command to end", || !runs("sleep\x00987654"));
    assert_eq!(client.wait().unwrap().code(), Some(255));
}

#[test]
fn what_a_command_leaves_behind_goes_on_where_that_is_wanted() {
    let nas = Nas::of(crate::world::World::start_with("[sessions]\nleftovers = \"keep\"\n"));
    nas.rest.create_user(&with_bash(&new_user("anna", 3001, "pw")));
    // It holds the output open; the command has ended all the same.
    assert_eq!(says(&nas, "nohup sleep 987655 2>/dev/null & echo started"), "started\n");
    wait_for("what was left", || runs("sleep\x00987655"));
    let left = process("sleep\x00987655").unwrap();
    kill(left, Signal::SIGTERM).unwrap();
}

#[test]
fn a_connection_on_which_nothing_happens_is_closed_where_that_is_wanted() {
    let nas = nas_with_anna();
    let front = crate::unauthenticated::Front::start(&nas, &["--idle", "4", "--keepalive", "1"]);
    let client = nas.world.with_password("anna", "pw").at(front.address);
    assert_eq!(heard(&client.ssh(&["sleep 60"])).0, Some(255));
    let (status, out, _) = heard(&client.ssh(&["for i in $(seq 12); do sleep 0.5; echo $i; done"]));
    assert_eq!((status, out.lines().count()), (Some(0), 12));
}
