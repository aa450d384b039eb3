//! How the programs of sessions are started, and what they say when that can not be.

use std::process::{Command, Output, Stdio};

use super::Place;
use crate::raw::*;

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_session_program_says_how_it_is_started_and_does_nothing_when_it_is_started_otherwise() {
    let run = |arguments: &[&str]| said(&Command::new(session_program()).args(arguments).output().unwrap());
    let (status, help, errors) = run(&["--help"]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(help.contains("sftp"), "{help}");
    for arguments in [&["no-such-thing"][..], &["sftp", "--no-such-option"], &[]] {
        let (status, out, errors) = run(arguments);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(errors.starts_with("accountd-session: ") && errors.trim_end().ends_with(help.trim_end()), "{errors}");
    }
}

#[test]
fn login_says_why_it_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("login.sock");
    let mut login = Command::new(session_program().with_file_name("accountd-login"));
    login.args(["--session-program", "/nonexistent/accountd-session", "--socket"]).arg(&socket);
    let (status, out, errors) = said(&login.output().unwrap());
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(errors.starts_with("accountd-login: ") && errors.contains("/nonexistent/accountd-session"), "{errors}");
    assert!(!socket.exists());
}

#[test]
fn an_account_without_a_shell_has_git_and_rsync_run_for_it() {
    let place = Place::new();
    let run = |line: &str| {
        let mut command = as_user(&session_program(), &place.path(""));
        said(&command.args(["command", "--services", "rsync,git", "--", line]).output().unwrap())
    };
    let (status, _, errors) = run("git-upload-pack 'nothing.git'");
    assert_eq!(status, Some(128), "{errors}");
    assert!(errors.contains("nothing.git"), "git itself says that it is not there: {errors}");
    let (status, _, errors) = run("rsync --server --sender -e.iLsfxC . nothing");
    assert_eq!(status, Some(12), "rsync ends for want of an other end: {errors}");
    let (status, out, errors) = run("id");
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(errors.contains("rsync and git"), "{errors}");
}

#[test]
fn what_a_file_system_is_mounted_with_is_said_and_what_is_no_file_is_not_opened() {
    const NO_SETUID: u64 = 2;
    let place = Place::new();
    let mut session = place.session(&[]);
    let flags = |session: &mut Raw, name: &str, what: &[u8]| {
        let (kind, body) = session.ask(EXTENDED, Body::new().text(name).text(what));
        assert_eq!(kind, EXTENDED_REPLY, "status {}", number(&body));
        u64::from_be_bytes(body[9 * 8..10 * 8].try_into().unwrap())
    };
    let proc_flags = flags(&mut session, "statvfs@openssh.com", b"/proc");
    let status = nix::sys::statvfs::statvfs("/proc").unwrap();
    let is_nosuid = status.flags().contains(nix::sys::statvfs::FsFlags::ST_NOSUID);
    assert_eq!(proc_flags & NO_SETUID != 0, is_nosuid);
    let directory = session.handle(OPENDIR, Body::new().text("/proc"));
    assert_eq!(flags(&mut session, "fstatvfs@openssh.com", &directory), proc_flags);
    let (kind, body) = session.ask(OPEN, Body::new().text("/dev/null").number(1).number(NO_ATTRIBUTES));
    assert_eq!((kind, number(&body)), (STATUS, FAILURE));
    assert!(String::from_utf8_lossy(&body).contains("Not a regular file"), "{body:?}");
    session.ends();
}

#[test]
fn a_record_goes_to_standard_error_where_that_is_asked_for() {
    use std::io::Write;
    let place = Place::new();
    let mut command = as_user(&session_program(), &place.path(""));
    command.args(["sftp", "--log", "2"]);
    let mut session = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let name = b"made";
    let mut request = vec![MKDIR, 0, 0, 0, 1, 0, 0, 0, 4];
    request.extend(name);
    request.extend([0; 4]);
    let mut input = session.stdin.take().unwrap();
    input.write_all(&[0, 0, 0, 5, INIT, 0, 0, 0, 3]).unwrap();
    input.write_all(&[&u32::try_from(request.len()).unwrap().to_be_bytes()[..], &request].concat()).unwrap();
    drop(input);
    let output = session.wait_with_output().unwrap();
    assert!(place.path("made").is_dir());
    assert!(String::from_utf8_lossy(&output.stderr).contains("made"), "{output:?}");
}

#[test]
fn a_copy_below_a_root_that_is_not_there_is_none() {
    let place = Place::new();
    let mut command = as_user(&session_program(), &place.path(""));
    command.args(["scp", "--root", "/nonexistent", "--", "-t", "."]).stdin(Stdio::null());
    let (status, out, errors) = said(&command.output().unwrap());
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(errors.starts_with("accountd-session: cannot open the session's root: "), "{errors}");
}

#[test]
fn a_pull_says_on_its_output_why_it_brings_nothing() {
    use std::io::Write;
    let place = Place::new();
    for directory in ["r/objects", "r/refs", "plain", "killed"] {
        std::fs::create_dir_all(place.path(directory)).unwrap();
    }
    std::fs::write(place.path("r/HEAD"), "ref: refs/heads/main\n").unwrap();
    let git = |directory: &str, mode: u32| {
        let path = place.path(directory).join("git");
        std::fs::write(&path, "#!/bin/sh\nkill -9 $$\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        place.path(directory).display().to_string()
    };
    let (plain, killed) = (git("plain", 0o644), git("killed", 0o755));
    let source = r#"{"uri": "https://h.invalid/x", "schemes": ["https"]}"#;
    for (programs, name, source, why) in [
        (killed.as_str(), "r", "nothing", "cannot read where to pull from: "),
        (&killed, "none", source, "there is no such repository here, or it is not open to you\n"),
        ("/nonexistent", "r", source, "git is not installed\n"),
        (&plain, "r", source, "cannot run the program: "),
        // git that is killed says nothing more.
        (&killed, "r", source, ""),
    ] {
        let mut command = as_user(std::path::Path::new("env"), &place.path(""));
        command.arg(format!("PATH={programs}")).arg(session_program()).args(["pull", "--repositories"]);
        command.arg(place.path("")).args(["--repository-kinds", "git", "--", name]);
        let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        running.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
        let (status, out, errors) = said(&running.wait_with_output().unwrap());
        assert_eq!((status, errors.as_str()), (Some(1), ""), "{why}{out}");
        assert!(out.starts_with(why) && out.is_empty() == why.is_empty(), "{why}: {out}");
    }
}
