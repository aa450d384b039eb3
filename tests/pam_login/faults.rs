//! Modules that hang and crash take their own process with them.

use std::fs;
use std::process::Stdio;

use super::{PASSWORD, PATIENT, UNIX, anna, build_module, nas, nas_with, stacks, write_program};
use crate::v2::Nas;
use crate::world::wait_for;

/// For `anna` alone.
fn only_for_anna(line: &str) -> String {
    format!("auth [success=1 default=ignore] pam_succeed_if.so quiet user != anna\n{line}\n{UNIX}")
}

fn berta_logs_in(nas: &Nas) -> bool {
    nas.world.with_password("berta", PASSWORD).logs_in()
}

#[test]
fn a_module_that_crashes_refuses_its_own_login_alone() {
    let nas = nas();
    build_module(&nas);
    let processes = ["agent", "login", "ssh"].map(|program| nas.world.process(program));
    for how in ["abort", "null"] {
        stacks(&nas, &only_for_anna(&format!("auth required /var/lib/module.so {how}")));
        assert!(!anna(&nas).logs_in(), "{how}");
        assert!(berta_logs_in(&nas), "{how}");
    }
    assert_eq!(processes, ["agent", "login", "ssh"].map(|program| nas.world.process(program)));
    assert!(nas.world.log().contains("has crashed"), "{}", nas.world.log());
}

#[test]
fn a_module_that_hangs_is_ended_when_its_time_is_over() {
    let nas = nas_with("");
    super::write(&nas, "etc/accountd/accountd.toml", &format!("{PATIENT}[login]\nuse_pam = true\npam_seconds = 2\n"));
    nix::sys::signal::kill(nas.world.process("agent"), nix::sys::signal::Signal::SIGHUP).unwrap();
    build_module(&nas);
    for line in ["auth required /var/lib/module.so hang", "auth required pam_exec.so /var/lib/hanging"] {
        write_program(&nas, "var/lib/hanging", "#!/bin/sh\necho $$ >/var/lib/pid\nexec sleep 600\n");
        stacks(&nas, &only_for_anna(line));
        std::thread::scope(|scope| {
            let hanging = scope.spawn(|| anna(&nas).logs_in());
            assert!(berta_logs_in(&nas), "{line}");
            assert!(!hanging.join().unwrap(), "{line}");
        });
    }
    // What it has started ends with it.
    let pid = fs::read_to_string(nas.world.root().join("var/lib/pid")).unwrap();
    wait_for("the end of its program", || !is_hanging(pid.trim()));
}

#[test]
fn a_module_that_hangs_is_ended_when_its_client_goes() {
    let nas = nas();
    write_program(&nas, "var/lib/hanging", "#!/bin/sh\necho $$ >/var/lib/pid\nexec sleep 600\n");
    let settings = format!("{PATIENT}[login]\nuse_pam = true\npam_seconds = 600\n");
    super::write(&nas, "etc/accountd/accountd.toml", &settings);
    nix::sys::signal::kill(nas.world.process("agent"), nix::sys::signal::Signal::SIGHUP).unwrap();
    wait_for("the setting", || nas.world.log().contains("settings"));
    stacks(&nas, &only_for_anna("auth required pam_exec.so /var/lib/hanging"));
    let mut client = anna(&nas).prepare("ssh").args(["127.0.0.1", "true"]).stdin(Stdio::null()).spawn().unwrap();
    let pid = nas.world.root().join("var/lib/pid");
    wait_for("the module", || fs::read_to_string(&pid).is_ok_and(|pid| is_hanging(pid.trim())));
    client.kill().unwrap();
    client.wait().unwrap();
    let pid = fs::read_to_string(&pid).unwrap();
    wait_for("the end of its program", || !is_hanging(pid.trim()));
    assert!(berta_logs_in(&nas));
}

/// Whether the process is the one that sleeps: a number may be another's by now.
fn is_hanging(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == "sleep\x00600\x00")
}
