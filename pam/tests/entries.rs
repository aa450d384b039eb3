//! What PAM finds in the shared object, and what comes of calls that PAM would not make.
#![allow(unsafe_code, clippy::unwrap_used, reason = "entries of C are called; a test that can not go on has failed")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::ptr;

use pam::constants::PamResultCode;

/// Cargo puts it beside this program.
fn module() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.with_file_name("libpam_accountd.so")
}

#[test]
fn the_module_has_the_six_entries_and_no_others() {
    let output =
        Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(module()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    let entries = ["acct_mgmt", "authenticate", "chauthtok", "close_session", "open_session", "setcred"];
    let entries: Vec<String> = entries.iter().map(|name| format!("pam_sm_{name}")).collect();
    assert_eq!(names, entries.iter().map(String::as_str).collect());
}

#[test]
fn a_call_without_a_handle_is_an_error_and_ends_nobody() {
    // SAFETY: the entries look at the handle, the number of arguments and the arguments before they use them.
    let codes = unsafe {
        [
            pam_accountd::pam_sm_authenticate(ptr::null_mut(), 0, 0, ptr::null()),
            pam_accountd::pam_sm_acct_mgmt(ptr::null_mut(), 0, -1, ptr::null()),
            pam_accountd::pam_sm_chauthtok(ptr::null_mut(), 0, 1, ptr::null()),
            pam_accountd::pam_sm_open_session(ptr::null_mut(), 0, 0, ptr::null()),
            pam_accountd::pam_sm_close_session(ptr::null_mut(), 0, 0, ptr::null()),
            pam_accountd::pam_sm_setcred(ptr::null_mut(), 0, 0, ptr::null()),
        ]
    };
    assert!(codes.iter().all(|code| *code == PamResultCode::PAM_ABORT), "{codes:?}");
}
