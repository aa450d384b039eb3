//! `accountctl two-factor`, and a command of somebody whose password needs a code.

use std::process::Stdio;

use serde_json::json;

use super::Said;
use crate::two_factor::Authenticator;
use crate::v2::Nas;

/// A command of anna's, with a code where there is one.
fn as_anna(nas: &Nas, code: Option<&str>, arguments: &[&str]) -> Said {
    let password = nas.world.client_file("pw");
    std::fs::write(&password, "pw\n").unwrap();
    std::os::unix::fs::chown(&password, Some(0), Some(0)).unwrap();
    std::process::Command::new("chmod").arg("600").arg(&password).status().unwrap();
    let who = ["--user", "anna", "--password-file", password.to_str().unwrap()];
    let mut command = nas.command(&[&who, arguments].concat());
    command.env_remove("ACCOUNTCTL_SOCKET").stdin(Stdio::null());
    if let Some(code) = code {
        command.env("ACCOUNTCTL_CODE", code);
    }
    Said::of(command.output().unwrap())
}

#[test]
fn a_second_factor_is_enrolled_shown_and_cancelled() {
    let nas = Nas::start();
    nas.ctl_with("pw", &["user", "add", "anna", "--new-password-file", "-"]);
    as_anna(&nas, None, &["two-factor", "confirm", "123456"]).fails(1, &["was not begun", "begin again"]);
    let begun = as_anna(&nas, None, &["two-factor", "enrol"]);
    assert!(begun.status == 0 && begun.err.contains("two-factor confirm CODE"), "{begun:?}");
    let secret = begun.out.lines().find_map(|line| line.strip_prefix("secret\t")).unwrap();
    assert!(begun.out.contains(&format!("uri\totpauth://totp/accountd:anna?secret={secret}&")), "{begun:?}");
    let phone = Authenticator::new(secret);
    as_anna(&nas, None, &["two-factor", "confirm", &phone.wrong()]).fails(1, &["CODE is wrong, or was used before"]);
    as_anna(&nas, None, &["-q", "two-factor", "confirm", "1"]).fails(2, &["--quiet"]);
    let confirmed = as_anna(&nas, None, &["two-factor", "confirm", &phone.code()]);
    let codes: Vec<&str> = confirmed.out.lines().collect();
    assert!(codes.len() == 10 && codes.iter().all(|code| code.len() == 19), "{confirmed:?}");
    assert_eq!(nas.json(&["two-factor", "show", "anna"])["recovery_codes_left"], 10);
    assert_eq!(nas.json(&["user", "show", "anna"])["two_factor"], true);

    // One code is good for a command of several requests.
    as_anna(&nas, None, &["user", "show"]).fails(2, &["no terminal", "ACCOUNTCTL_CODE"]);
    let shown = as_anna(&nas, Some(codes[0]), &["user", "group", "list", "~"]);
    assert_eq!((shown.status, shown.err.as_str()), (0, ""));
    as_anna(&nas, Some(codes[0]), &["user", "show"]).fails(4, &["The code is wrong"]);
    assert_eq!(nas.rest.get("/audit?action=revoke_token").object(200)["items"].as_array().unwrap().len(), 1);
    // A password that is too old is set with a code.
    nas.patch("/users/anna", &json!({"must_change": true})).status_is(200);
    let new = nas.world.client_file("new");
    std::fs::write(&new, "Other-pass2\n").unwrap();
    std::process::Command::new("chmod").arg("600").arg(&new).status().unwrap();
    let passwd = ["user", "passwd", "--new-password-file", new.to_str().unwrap()];
    let said = as_anna(&nas, Some(codes[1]), &passwd);
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    nas.put("/users/anna/password", &json!({"password": "pw"})).status_is(204);

    as_anna(&nas, Some(codes[2]), &["two-factor", "cancel"]).fails(2, &["Take the second factor of ~ away", "--yes"]);
    let cancelled = as_anna(&nas, Some(codes[2]), &["two-factor", "cancel", "--yes"]);
    assert_eq!((cancelled.status, cancelled.err.as_str()), (0, ""));
    assert_eq!(nas.json(&["two-factor", "show", "anna"])["enrolled"], false);
    as_anna(&nas, None, &["two-factor", "enrol"]);
    assert_eq!(nas.done(&["two-factor", "cancel", "anna", "--yes"]), "");
}
