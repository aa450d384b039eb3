//! Second factors on the disk: never themselves, and whatever is killed, lost or restored.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{Enrolled, PATIENT, me, nas_with, own};
use crate::v2::{Nas, problem};
use crate::world::wait_for;

const KEY_FILE: &str = "/var/lib/accountd/second-factors.key";

fn restart(nas: &Nas) {
    nas.world.hold("agent");
    nas.world.kill("agent");
    nas.world.release("agent");
}

fn is_wrong(nas: &Nas, name: &str, code: &str) {
    let answer = me(&own(nas, name), code);
    problem(&answer, 401, "two-factor-wrong", &[("X-Accountd-OTP", "two_factor_wrong")]);
}

#[test]
fn no_secret_and_no_code_is_on_the_disk_and_what_was_used_stays_used() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    assert_eq!(nas.disk.owner_and_mode(KEY_FILE), (0, 0, 0o600));
    let (code, recovery) = (anna.phone.code(), &anna.recovery[0]);
    me(&own(&nas, "anna"), &code).status_is(200);
    me(&own(&nas, "anna"), recovery).status_is(200);
    restart(&nas);
    is_wrong(&nas, "anna", &code);
    is_wrong(&nas, "anna", recovery);
    assert_eq!(nas.rest.get("/users/anna/two-factor").object(200)["recovery_codes_left"], 9);
    me(&own(&nas, "anna"), &anna.recovery[1]).status_is(200);
    let plain: Vec<String> = anna.recovery.iter().map(|code| code.replace('-', "")).collect();
    for (path, (content, ..)) in nas.disk.everything("/var").into_iter().chain(nas.disk.everything("/etc")) {
        for secret in plain.iter().chain(&anna.recovery).chain([&anna.phone.secret]) {
            assert!(!content.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", path.display());
        }
    }
}

#[test]
fn a_code_is_used_up_whenever_the_agent_is_killed() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    for (round, code) in anna.recovery.iter().take(6).enumerate() {
        nas.world.hold("agent");
        let before = nas.rest.get("/users/anna/two-factor").object(200)["recovery_codes_left"].as_u64().unwrap();
        let status = std::thread::scope(|scope| {
            let shown = scope.spawn(|| me(&own(&nas, "anna"), code).status);
            // Now earlier, now later.
            std::thread::yield_now();
            if round % 2 == 0 {
                let left = || nas.rest.get("/users/anna/two-factor").value()["recovery_codes_left"].as_u64();
                wait_for("the use of a code", || left() != Some(before));
            }
            nas.world.kill("agent");
            shown.join().unwrap()
        });
        nas.world.release("agent");
        let left = nas.rest.get("/users/anna/two-factor").object(200)["recovery_codes_left"].as_u64().unwrap();
        if status == 200 || round % 2 == 0 {
            assert_eq!(left, before - 1, "{round}: it let somebody in, or was used");
        }
        // Whatever has become of it then, it is good once more at most.
        let again = me(&own(&nas, "anna"), code).status;
        assert_eq!(again, if left == before { 200 } else { 401 }, "{round}");
        is_wrong(&nas, "anna", code);
    }
}

#[test]
fn without_its_key_file_no_code_counts_and_recovery_codes_still_do() {
    let nas = nas_with(PATIENT, &["anna", "berta"]);
    let anna = Enrolled::of(&nas, "anna");
    let file = nas.disk.path(KEY_FILE);
    let kept = fs::read(&file).unwrap();
    let write = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    fs::remove_file(&file).unwrap();
    is_wrong(&nas, "anna", &anna.phone.code());
    assert!(nas.world.log().contains("second-factors.key is missing"));
    // No other key is made while somebody needs the one that is gone.
    let begun = own(&nas, "berta").post("/users/~/two-factor", "{}").object(200);
    let berta = super::Authenticator::new(begun["secret"].as_str().unwrap());
    let confirm = || own(&nas, "berta").post("/users/~/two-factor/confirm", &json!({"code": berta.code()}).to_string());
    problem(&confirm(), 500, "internal", &[]);
    assert!(!file.exists());
    write(&[7; 32]);
    is_wrong(&nas, "anna", &anna.phone.at(super::seconds() / 30 + 1));
    assert!(nas.world.log().contains("is not the one that this secret was sealed with"));
    me(&own(&nas, "anna"), &anna.recovery[0]).status_is(200);
    problem(
        &own(&nas, "anna").get("/users/~"),
        401,
        "two-factor-required",
        &[("X-Accountd-OTP", "two_factor_required")],
    );
    write(&kept);
    me(&own(&nas, "anna"), &anna.phone.code()).status_is(200);
}

#[test]
fn a_store_that_is_restored_has_every_enrolment_and_no_token() {
    let nas = nas_with(PATIENT, &["anna", "berta"]);
    let token = own(&nas, "berta").post("/tokens", "{}").object(201)["token"].as_str().unwrap().to_owned();
    let anna = Enrolled::of(&nas, "anna");
    let code = anna.phone.code();
    me(&own(&nas, "anna"), &code).status_is(200);
    me(&own(&nas, "anna"), &anna.recovery[0]).status_is(200);
    nas.world.hold("agent");
    nas.world.kill("agent");
    let store = nas.disk.path("/var/lib/accountd/state.sqlite");
    fs::write(&store, "no database").unwrap();
    fs::write(store.with_extension("sqlite-wal"), "no log").unwrap();
    nas.world.release("agent");
    // The copy was made when it was confirmed, and when the recovery code was used.
    problem(
        &own(&nas, "anna").get("/users/~"),
        401,
        "two-factor-required",
        &[("X-Accountd-OTP", "two_factor_required")],
    );
    is_wrong(&nas, "anna", &code);
    is_wrong(&nas, "anna", &anna.recovery[0]);
    me(&own(&nas, "anna"), &anna.recovery[1]).status_is(200);
    let header = format!("Authorization: Bearer {token}");
    problem(&nas.rest.curl("GET", "/users/~", &["-H", &header], None), 401, "unauthenticated", &[]);
    let record = &nas.rest.get("/audit?action=restore_store").object(200)["items"][0];
    assert!(record["changes"].to_string().contains("login_tokens"), "{record}");
}
