//! Who may run what.

use std::fs;

use super::{anna, heard, nas_with_anna};

#[test]
fn nobody_but_root_logs_in_while_nologin_is_there_and_everybody_is_told_why() {
    let nas = nas_with_anna();
    let nologin = nas.disk.path("/etc/nologin");
    fs::write(&nologin, "The NAS is being moved.\n").unwrap();
    let (status, out, err) = heard(&anna(&nas).ssh(&["echo in"]));
    assert_eq!((status, out.as_str(), err.trim_end()), (Some(1), "", "The NAS is being moved."));
    let refused = anna(&nas).try_sftp("pwd\n");
    assert!(!refused.status.success());
    fs::remove_file(nologin).unwrap();
    assert_eq!(heard(&anna(&nas).ssh(&["echo in"])).0, Some(0));
}

#[test]
fn agents_displays_and_ports_of_the_server_are_not_forwarded() {
    let nas = nas_with_anna();
    let mut agent = anna(&nas).prepare("ssh");
    agent.args(["-A", "127.0.0.1", "echo \"[$SSH_AUTH_SOCK]\""]).env("SSH_AUTH_SOCK", nas.world.client_file("agent"));
    assert_eq!(agent.output().unwrap().stdout, b"[]\n");
    let mut remote = anna(&nas).prepare("ssh");
    remote.args(["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9", "127.0.0.1", "echo in"]);
    let (status, _, err) = heard(&remote.output().unwrap());
    assert_eq!(status, Some(255), "{err}");
    assert!(err.contains("remote port forwarding failed"), "{err}");
}

#[test]
fn nobody_connects_through_the_server_by_default() {
    let nas = nas_with_anna();
    let mut through = anna(&nas).prepare_with("ssh", &["LogLevel=INFO"]);
    through.args(["-W", "127.0.0.1:9", "127.0.0.1"]);
    let (status, _, err) = heard(&through.output().unwrap());
    assert_eq!(status, Some(255), "{err}");
    assert!(err.contains("administratively prohibited"), "{err}");
}
