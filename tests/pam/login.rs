//! Who gets in by a password: as the agent decides, behind pam_unix.

use std::time::Duration;

use serde_json::json;

use super::{PATIENT, Stage};
use crate::two_factor::Authenticator;
use crate::world::{World, wait_for};

const AUTH: &[&str] = &["authenticate", "acct_mgmt"];

#[test]
fn the_right_password_gets_in_and_nothing_else_does() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.test("anna", "Pass-word1\n", AUTH).yes();
    stage.test("anna", "Pass-word2\n", AUTH).no("Authentication failure");
    stage.test("nobody-here", "Pass-word1\n", AUTH).no("");
    // Asked without pam_unix, each verdict is the agent's own.
    stage.service("alone", "auth required /var/lib/pam_accountd.so\naccount required /var/lib/pam_accountd.so\n");
    let alone = |name: &str, input: &str| stage.of_service("alone", name, (input, &["authenticate"]));
    alone("anna", "Pass-word1\n").yes();
    alone("anna", "Pass-word2\n").no("Authentication failure");
    alone("nobody-here", "Pass-word1\n").no("User not known to the underlying authentication module");
    // With no module that has a word about root, or about the system's own, nobody gets in.
    alone("root", &stage.nas.world.admin_password()).no("");
    alone("daemon", "Pass-word1\n").no("");
    let trail = stage.nas.rest.get("/audit?action=login").object(200).to_string();
    assert!(trail.contains("anna") && trail.contains("granted") && trail.contains("not let in"), "{trail}");
}

#[test]
fn a_password_comes_from_the_module_before_where_it_is_told_so() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.service("first", "auth required /var/lib/pam_accountd.so use_first_pass\n");
    stage.of_service("first", "anna", ("Pass-word1\n", &["authenticate"])).no("Authentication failure");
    let behind = "auth optional pam_unix.so nodelay\nauth required /var/lib/pam_accountd.so use_first_pass\n";
    stage.service("behind", behind);
    stage.of_service("behind", "anna", ("Pass-word1\n", &["authenticate"])).yes();
    // What it has asked for itself is there for the modules behind it.
    let before = "auth required /var/lib/pam_accountd.so\nauth required pam_unix.so nodelay use_first_pass\n";
    stage.service("before", before);
    stage.of_service("before", "anna", ("Pass-word1\n", &["authenticate"])).yes();
}

#[test]
fn who_has_a_second_factor_is_asked_for_a_code() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    let own = stage.nas.rest.as_user("anna", "Pass-word1");
    let begun = own.post("/users/~/two-factor", "{}").object(200);
    let phone = Authenticator::new(begun["secret"].as_str().unwrap());
    own.post("/users/~/two-factor/confirm", &json!({"code": phone.code()}).to_string()).status_is(200);
    let said = stage.test("anna", &format!("Pass-word1\n{}\n", phone.code()), AUTH);
    said.yes();
    assert!(said.text.contains("Verification code: "), "{said:?}");
    stage.test("anna", &format!("Pass-word1\n{}\n", phone.wrong()), AUTH).no("Authentication failure");
    stage.test("anna", "Pass-word1\n", AUTH).no("");
    // Behind a wrong password nobody is asked for one.
    let said = stage.test("anna", "Pass-word2\n000000\n", AUTH);
    assert!(!said.ok && !said.text.contains("Verification"), "{said:?}");
}

#[test]
fn su_takes_the_accounts_password() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.add("berta", 3002);
    let su = |input: &str| stage.says_as(3002, &["su", "-", "anna", "-c", "id -un"], input);
    let said = su("Pass-word1\n");
    assert!(said.ok && said.text.contains("anna"), "{said:?}");
    su("Pass-word2\n").no("Authentication failure");
    stage.set("anna", json!({"locked": true}));
    su("Pass-word1\n").no("Authentication failure");
    stage.says(&["su", "-", "anna", "-c", "id -un"], "").no("Your account is locked");
}

#[test]
fn wrong_passwords_are_counted_and_the_owner_of_the_name_is_not_kept_from_other_ways() {
    let config = "[bans]\nfree_attempts = 2\nfirst_delay_seconds = 1\nlongest_delay_seconds = 1\nban_after = 4\n\
                  ignore = [\"127.0.0.0/8\"]\n";
    let stage = Stage::of(World::start_with(config));
    stage.add("anna", 3001);
    stage.add("berta", 3002);
    stage.service("alone", "auth required /var/lib/pam_accountd.so\n");
    let alone = |name: &str, input: &str| stage.of_service("alone", name, (input, &["authenticate"]));
    for _ in 0..4 {
        alone("anna", "wrong\n").no("Authentication failure");
    }
    let banned = alone("anna", "Pass-word1\n");
    banned.no("Authentication failure");
    assert!(banned.took >= Duration::from_millis(500), "the program waits before it tells: {banned:?}");
    alone("berta", "Pass-word1\n").yes();
    assert_eq!(stage.nas.rest.as_user("anna", "Pass-word1").get("/users/~").status, 200);
}

#[test]
fn without_an_agent_others_decide_and_nobody_waits() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.service("alone", "auth required /var/lib/pam_accountd.so\naccount required /var/lib/pam_accountd.so\n");
    stage.nas.world.hold("agent");
    stage.nas.world.kill("agent");
    let gone = stage.of_service("alone", "anna", ("Pass-word1\n", &["authenticate"]));
    gone.no("Authentication service cannot retrieve authentication info");
    assert!(gone.took < Duration::from_secs(8), "{gone:?}");
    let all = ["authenticate", "acct_mgmt", "open_session", "close_session"];
    stage.test("anna", "Pass-word1\n", &all).yes();
    stage.test("anna", "Pass-word2\n", &all).no("Authentication failure");
    stage.test("root", &format!("{}\n", stage.nas.world.admin_password()), &all).yes();
    // passwd(1) works, and what the agent would have done is said not to be.
    let changed = stage.test("anna", "Other-word2\nOther-word2\n", &["chauthtok"]);
    assert!(changed.ok && changed.text.contains("for Samba could not be changed"), "{changed:?}");
    stage.nas.world.release("agent");
    stage.test("anna", "Other-word2\n", &all).yes();
}

#[test]
fn an_agent_that_does_not_answer_is_waited_for_as_long_as_is_said() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.service("short", "auth required /var/lib/pam_accountd.so timeout=1 nonsense\n");
    let agent = stage.nas.world.process("agent");
    nix::sys::signal::kill(agent, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let stopped = stage.of_service("short", "anna", ("Pass-word1\n", &["authenticate"]));
    nix::sys::signal::kill(agent, nix::sys::signal::Signal::SIGCONT).unwrap();
    stopped.no("cannot retrieve authentication info");
    assert!(stopped.took >= Duration::from_secs(1), "{stopped:?}");
    wait_for("the agent", || stage.of_service("short", "anna", ("Pass-word1\n", &["authenticate"])).ok);
}

#[test]
fn what_is_root_is_nobody_elses_business() {
    let stage = Stage::of(World::start_with(&format!("{PATIENT}\n[accounts]\npermit_root = \"no\"\n")));
    let password = format!("{}\n", stage.nas.world.admin_password());
    stage.test("root", &password, &["authenticate", "acct_mgmt", "open_session", "close_session"]).yes();
    stage.test("root", "wrong\n", AUTH).no("Authentication failure");
    assert!(stage.sessions("root").is_empty());
}
