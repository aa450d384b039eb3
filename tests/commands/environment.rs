//! The environment of a command: what login(1) sets, and what a client may.

use std::collections::HashMap;

use super::{anna, nas_with_anna, says, text};

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
