//! The environment of a command: what login(1) sets, and what a client may.

use std::collections::HashMap;
use std::process::Stdio;

use super::ended::process;
use super::{anna, nas_with_anna, says, text};
use crate::freenas::Nas;
use crate::running::Running;
use crate::world::wait_for;

fn variables(printed: &str) -> HashMap<String, String> {
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_environment_is_the_one_that_login_would_give() {
    let nas = nas_with_anna();
    let set = variables(&says(&nas, "env"));
    let expected = [
        ("HOME", "/mnt/tank/home/anna"),
        ("USER", "anna"),
        ("LOGNAME", "anna"),
        ("SHELL", "/bin/bash"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"),
        ("MAIL", "/var/mail/anna"),
    ];
    for (name, value) in expected {
        assert_eq!(set.get(name).map(String::as_str), Some(value), "{name}");
    }
    let connection: Vec<&str> = set["SSH_CONNECTION"].split(' ').collect();
    let port = nas.world.ssh().port().to_string();
    assert_eq!((connection[0], connection[2], connection[3]), ("127.0.0.1", "127.0.0.1", port.as_str()));
    assert_eq!(set["SSH_CLIENT"], format!("127.0.0.1 {} {port}", connection[1]));
    for name in ["SSH_TTY", "TERM", "SSH_AUTH_SOCK", "DISPLAY", "SSH_ORIGINAL_COMMAND"] {
        assert!(!set.contains_key(name), "{name}");
    }
}

#[test]
fn a_client_sets_languages_and_nothing_that_changes_which_code_runs() {
    let nas = nas_with_anna();
    let mut command = anna(&nas).prepare("ssh");
    let sent = "LC_MESSAGES=de_DE LANG=fr_FR LD_PRELOAD=/tmp/x PATH=/tmp BASH_ENV=/tmp/x EDITOR=ed LC_X=a\tb";
    command.args(["-o", &format!("SetEnv={}", sent.replace('\t', "-")), "127.0.0.1", "env"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let set = variables(&text(&output.stdout));
    assert_eq!((set["LC_MESSAGES"].as_str(), set["LANG"].as_str(), set["LC_X"].as_str()), ("de_DE", "fr_FR", "a-b"));
    for name in ["LD_PRELOAD", "BASH_ENV", "EDITOR"] {
        assert!(!set.contains_key(name), "{name}");
    }
    assert!(!set["PATH"].contains("/tmp"));
}

#[test]
fn nothing_of_root_is_left_in_a_command_and_none_of_the_servers_descriptors() {
    let nas = nas_with_anna();
    let status = says(&nas, "cat /proc/self/status");
    for line in ["Uid:\t3001\t3001\t3001\t3001", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    // Signals 32 and 33 are the C library's own, which no program can set.
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & !(0b11 << 31), 0, "{ignored}");
    // 3 is the directory that ls reads.
    assert_eq!(says(&nas, "ls /proc/self/fd"), "0\n1\n2\n3\n");
    assert_eq!(says(&nas, "for f in 0 1 2; do readlink /proc/self/fd/$f | cut -d: -f1; done"), "pipe\npipe\npipe\n");
}

#[test]
fn nobody_signals_traces_or_reads_a_session_of_somebody_else_nor_their_own_of_files() {
    let nas = nas_with_anna();
    nas.rest.create_user(&crate::freenas::new_user("berta", 3002, "pw"));
    let mut theirs = nas.world.with_password("berta", "pw").prepare("ssh");
    let theirs = Running::start(theirs.args(["127.0.0.1", "sleep 987657"]));
    let mut files = anna(&nas).prepare("sftp");
    let mut files = files.arg("127.0.0.1").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let session =
        || sessions_of(&nas).into_iter().find(|(uid, name, _)| (*uid, name.as_str()) == (3001, "accountd-sessio"));
    wait_for("both sessions", || process("sleep\x00987657").is_some() && session().is_some());
    let look = "strace -p $p -o /dev/null 2>&1; cat /proc/$p/environ; cat /proc/$p/mem; ls -l /proc/$p/fd; echo looked";
    for (pid, signal) in [(process("sleep\x00987657").unwrap().as_raw(), "kill -0 $p;"), (session().unwrap().2, "")] {
        let output = anna(&nas).ssh(&[&format!("p={pid}; {signal} {look}")]);
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        let denied = said.matches("Operation not permitted").count() + errors.matches("ermission denied").count();
        assert!(said.ends_with("looked\n") && !said.contains("HOME=") && denied >= 3, "{said}{errors}");
        assert!(signal.is_empty() || errors.contains("Operation not permitted"), "{errors}");
    }
    drop(files.stdin.take());
    files.wait().unwrap();
    theirs.end();
}

/// Whose, what and which the processes below accountd-login are.
fn sessions_of(nas: &Nas) -> Vec<(u32, String, i32)> {
    let login = nas.world.process("login").to_string();
    let listed = nas.world.run(&["ps", "-e", "-o", "pid=,ppid=,uid=,comm="]);
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    let parent = |pid: &str| rows.iter().find(|row| row[0] == pid).map(|row| row[1]);
    let belongs = |pid: &str| {
        let mut above = parent(pid);
        while let Some(pid) = above.filter(|pid| *pid != login) {
            above = parent(pid);
        }
        above.is_some()
    };
    let found = rows.iter().filter(|row| belongs(row[0]));
    found.map(|row| (row[2].parse().unwrap(), row[3].to_owned(), row[0].parse().unwrap())).collect()
}
