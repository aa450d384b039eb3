//! The session as PAM has it: opened before, closed behind, and what it gives to what runs in between.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::{
    PASSWORD, UNIX, anna, anna_by_key, dialogue, nas, says, stacks, stacks_with_own_module, write, write_program,
};
use crate::v2::Nas;
use crate::world::wait_for;

/// Writes what its modules are told.
const NOTE: &str = "#!/bin/sh\necho \"$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY $PAM_SERVICE\" >>/var/lib/noted\n";

fn stacks_that_note(nas: &Nas) {
    write_program(nas, "var/lib/note", NOTE);
    let note = "required pam_exec.so /var/lib/note";
    stacks(nas, &format!("{UNIX}auth {note}\naccount {note}\nsession {note}\n"));
}

fn noted(nas: &Nas) -> Vec<String> {
    let text = fs::read_to_string(nas.world.root().join("var/lib/noted")).unwrap_or_default();
    text.lines().map(|line| line.strip_suffix(" anna 127.0.0.1 ssh accountd").unwrap_or(line).to_owned()).collect()
}

fn is_noted(nas: &Nas, kinds: &[&str]) {
    wait_for("what PAM is asked", || noted(nas) == kinds);
    fs::remove_file(nas.world.root().join("var/lib/noted")).unwrap();
}

#[test]
fn a_session_is_opened_once_for_a_connection_and_closed_behind_it() {
    let nas = nas();
    stacks_that_note(&nas);
    assert!(anna(&nas).logs_in());
    is_noted(&nas, &["auth", "account", "open_session", "close_session"]);
    assert!(anna_by_key(&nas).logs_in());
    is_noted(&nas, &["account", "open_session", "close_session"]);
    assert!(dialogue(&nas, &anna(&nas), &[("Password: ", PASSWORD)]).is_in);
    is_noted(&nas, &["auth", "account", "open_session", "close_session"]);
    // Whoever is not let in has none.
    assert!(!nas.world.with_password("anna", "wrong").logs_in());
    is_noted(&nas, &["auth"]);
}

#[test]
fn all_sessions_of_a_connection_are_in_one_session_of_pam() {
    let nas = nas();
    stacks_that_note(&nas);
    let path = nas.world.client_file("master");
    let socket = format!("ControlPath={}", path.display());
    let client = anna(&nas);
    let ssh = |more: &[&str]| {
        let mut ssh = client.prepare_with("ssh", &[&socket]);
        ssh.args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        ssh
    };
    let mut master = ssh(&["-M", "-N", "127.0.0.1"]).spawn().unwrap();
    wait_for("the connection", || path.exists());
    for number in ["1", "2"] {
        let said = ssh(&["127.0.0.1", &format!("echo {number}")]).output().unwrap().stdout;
        assert_eq!(String::from_utf8(said).unwrap().trim(), number);
    }
    assert_eq!(noted(&nas), ["auth", "account", "open_session"]);
    assert!(ssh(&["-O", "exit", "127.0.0.1"]).output().unwrap().status.success());
    master.wait().unwrap();
    is_noted(&nas, &["auth", "account", "open_session", "close_session"]);
}

/// A command that says its process's number and goes on.
fn with_a_session(nas: &Nas, then: impl FnOnce(Pid)) {
    let mut client = anna(nas).prepare("ssh");
    client.args(["127.0.0.1", "echo $$; exec sleep 600"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut client = client.stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.take().unwrap()).read_line(&mut line).unwrap();
    then(Pid::from_raw(line.trim().parse().unwrap()));
    let _ = client.kill();
    client.wait().unwrap();
}

#[test]
fn where_the_common_files_have_accountds_own_module_a_session_is_counted_once() {
    let nas = nas();
    stacks_with_own_module(&nas);
    with_a_session(&nas, |_| {
        let list = nas.rest.get("/connections?user=anna").object(200);
        let clients: Vec<&str> =
            list["items"].as_array().unwrap().iter().filter_map(|one| one["client"].as_str()).collect();
        assert!(matches!(clients[..], [one] if one.contains("OpenSSH")), "{clients:?}");
    });
}

fn parent(pid: Pid) -> Pid {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    Pid::from_raw(stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap())
}

fn is_there(pid: Pid) -> bool {
    fs::metadata(format!("/proc/{pid}")).is_ok()
}

#[test]
fn a_session_is_closed_whatever_kills_it() {
    let nas = nas();
    stacks_that_note(&nas);
    let all = ["auth", "account", "open_session", "close_session"];
    with_a_session(&nas, |session| kill(session, Signal::SIGKILL).unwrap());
    is_noted(&nas, &all);
    with_a_session(&nas, |session| kill(parent(session), Signal::SIGKILL).unwrap());
    is_noted(&nas, &all);
    with_a_session(&nas, |_| drop(nas.patch("/users/anna", &json!({"locked": true}))));
    is_noted(&nas, &all);
    nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    let before = nas.world.process("login");
    with_a_session(&nas, |session| {
        nas.world.kill("login");
        wait_for("the end of the session", || !is_there(session));
    });
    is_noted(&nas, &all);
    nas.world.wait_for_another("login", before);
    // Without the process of its modules there is nothing to close it, and no session that goes on.
    with_a_session(&nas, |session| {
        let modules = parent(parent(session));
        assert_eq!(fs::read_to_string(format!("/proc/{modules}/comm")).unwrap(), "login-pam\n");
        kill(modules, Signal::SIGKILL).unwrap();
        wait_for("the end of the session", || !is_there(session));
    });
    is_noted(&nas, &all[..3]);
    assert!(anna(&nas).logs_in());
}

#[test]
fn limits_and_environment_of_modules_are_those_of_the_session() {
    let nas = nas();
    write(&nas, "etc/limits.test", "anna soft nofile 100\nanna hard nofile 123\nanna hard core 0\n");
    let variables = ["FROM_PAM=yes", "LD_PRELOAD=/tmp/x.so", "BASH_ENV=/tmp/x", "HOME=/tmp", "PATH=/opt:/usr/bin:/bin"];
    let lines: String = variables.iter().map(|one| one.replace('=', " DEFAULT=") + "\n").collect();
    write(&nas, "etc/env.test", &lines);
    let session = "session required pam_limits.so conf=/etc/limits.test\n\
                   session required pam_env.so conffile=/etc/env.test readenv=0\n";
    stacks(&nas, &format!("{UNIX}{session}"));
    for client in [anna(&nas), anna_by_key(&nas)] {
        assert_eq!(says(&client, "ulimit -n; ulimit -Hn"), "100\n123\n");
        let said = says(&client, "echo $FROM_PAM ${LD_PRELOAD-none} ${BASH_ENV-none} $HOME $PATH");
        assert_eq!(said, "yes none none /mnt/tank/home/anna /opt:/usr/bin:/bin\n");
    }
    let berta = nas.world.with_password("berta", PASSWORD);
    assert_ne!(says(&berta, "ulimit -Hn"), "123\n");
}

#[test]
fn a_home_is_made_at_the_first_login() {
    let nas = nas();
    write(&nas, "etc/skel/welcome", "hello\n");
    stacks(&nas, &format!("{UNIX}session required pam_mkhomedir.so umask=0077\n"));
    fs::remove_dir_all(nas.world.root().join("mnt/tank/home/anna")).unwrap();
    assert_eq!(says(&anna(&nas), "pwd; cat welcome; stat -c '%U %a' ."), "/mnt/tank/home/anna\nhello\nanna 700\n");
}

#[test]
fn a_session_that_pam_does_not_open_is_none() {
    let nas = nas();
    stacks(&nas, &format!("{UNIX}session required pam_deny.so\n"));
    let output = anna(&nas).ssh(&["echo never"]);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    stacks(&nas, UNIX);
    assert_eq!(says(&anna(&nas), "echo now"), "now\n");
}

#[test]
fn what_modules_say_is_shown_at_a_terminal_and_to_no_command() {
    let nas = nas();
    write(&nas, "etc/motd.test", "The pool is scrubbed on Sundays.\n");
    stacks(&nas, &format!("{UNIX}session optional pam_motd.so motd=/etc/motd.test\n"));
    assert_eq!(says(&anna(&nas), "echo plain"), "plain\n");
    let mut shell = anna(&nas).prepare("ssh");
    shell.args(["-tt", "127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut shell = shell.spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"exit\n").unwrap();
    let mut said = String::new();
    shell.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    shell.wait().unwrap();
    assert!(said.contains("The pool is scrubbed on Sundays."), "{said}");
}
