//! Who is let in: the stacks `auth` and `account`, and what they count for.

use serde_json::json;

use super::{PASSWORD, PATIENT, UNIX, anna, anna_by_key, dialogue, nas, nas_with, stacks, write};
use crate::world::wait_for;

#[test]
fn faillock_locks_after_so_many_failures_and_says_so() {
    let nas = nas();
    let options = "deny=2 unlock_time=600 dir=/var/lib/faillock";
    stacks(
        &nas,
        &format!(
            "auth required pam_faillock.so preauth {options}\nauth [success=1 default=ignore] pam_unix.so nodelay\n\
             auth [default=die] pam_faillock.so authfail {options}\nauth required pam_faillock.so authsucc {options}\n\
             account required pam_unix.so\nsession required pam_permit.so\n"
        ),
    );
    assert!(anna(&nas).logs_in());
    for _ in 0..2 {
        assert!(!nas.world.with_password("anna", "wrong").logs_in());
    }
    assert!(!anna(&nas).logs_in());
    let asked = dialogue(&nas, &anna(&nas), &[("Password: ", PASSWORD)]);
    assert!(!asked.is_in && asked.shown.contains("locked due to 2 failed logins"), "{}", asked.shown);
    assert!(nas.world.with_password("berta", PASSWORD).logs_in());
    nas.world.run(&["faillock", "--dir", "/var/lib/faillock", "--user", "anna", "--reset"]);
    assert!(anna(&nas).logs_in());
}

#[test]
fn the_stack_account_counts_for_passwords_and_for_keys() {
    let nas = nas();
    let key = anna_by_key(&nas);
    stacks(&nas, UNIX);
    assert!(anna(&nas).logs_in() && key.logs_in());
    write(&nas, "etc/access.test", "-:anna:ALL\n+:ALL:ALL\n");
    stacks(&nas, &format!("{UNIX}account required pam_access.so accessfile=/etc/access.test\n"));
    assert!(!anna(&nas).logs_in());
    assert!(!key.logs_in());
    assert!(nas.world.with_password("berta", PASSWORD).logs_in());
    let refused = nas.rest.get("/audit?action=login&outcome=refused").object(200).to_string();
    assert!(refused.contains("PAM does not let the account in"), "{refused}");
    // From where: the address is what PAM knows as the remote host.
    write(&nas, "etc/access.test", "+:anna:127.0.0.1\n-:ALL:ALL\n");
    assert!(anna(&nas).logs_in() && key.logs_in());
    assert!(!nas.world.with_password("berta", PASSWORD).logs_in());
    stacks(&nas, &format!("{UNIX}account required pam_time.so conffile=/etc/time.test\n"));
    write(&nas, "etc/time.test", "*;*;anna;!Al0000-2400\n");
    assert!(!anna(&nas).logs_in() && !key.logs_in());
}

#[test]
fn failures_count_for_bans() {
    let nas = nas_with("[bans]\nfree_attempts = 1\nfirst_delay_seconds = 0\nban_after = 3\n");
    stacks(&nas, UNIX);
    for _ in 0..3 {
        assert!(!nas.world.with_password("anna", "wrong").logs_in());
    }
    let bans = nas.rest.get("/bans").object(200).to_string();
    assert!(bans.contains("127.0.0.1"), "{bans}");
    assert!(!anna(&nas).logs_in(), "the source is banned, and nothing is asked of PAM");
}

/// The longest wait of a refusal of this name, as the log has it.
fn waited(nas: &crate::v2::Nas, user: &str) -> u64 {
    let log = nas.world.log();
    let refused =
        log.lines().filter(|line| line.contains("login refused") && line.contains(&format!("user=\"{user}\"")));
    let waits = refused.filter_map(|line| line.split("wait_milliseconds=").nth(1)?.parse().ok());
    waits.max().unwrap_or(0)
}

#[test]
fn the_service_of_the_package_lets_in_and_a_refusal_takes_as_long_for_nobody() {
    let nas = nas();
    stacks(&nas, include_str!("../../package/accountd.pam"));
    assert!(anna(&nas).logs_in() && anna_by_key(&nas).logs_in());
    for user in ["anna", "nobody-here"] {
        assert!(!nas.world.with_password(user, "wrong").logs_in());
        // pam_unix wants two seconds, give or take a quarter.
        assert!((1000..4000).contains(&waited(&nas, user)), "{user}: {}", waited(&nas, user));
    }
}

#[test]
fn an_old_password_is_changed_in_the_dialogue() {
    let nas = nas();
    stacks(&nas, UNIX);
    nas.world.run(&["chage", "-d", "0", "anna"]);
    assert!(!anna(&nas).logs_in(), "the method that can not ask");
    let answers =
        |new: &'static str| [("Current password: ", PASSWORD), ("ew password: ", new), ("Password: ", PASSWORD)];
    let questions = ["Password: ", "Current password: ", "New password: ", "Retype new password: "];
    let asked = dialogue(&nas, &anna(&nas), &answers("Other-pass2"));
    assert!(asked.is_in, "{:?} {}", asked.questions, asked.shown);
    assert_eq!(asked.questions, questions);
    assert!(asked.shown.contains("change your password immediately"), "{}", asked.shown);
    assert!(!anna(&nas).logs_in());
    assert!(nas.world.with_password("anna", "Other-pass2").logs_in());
}

#[test]
fn behind_a_key_an_old_password_is_changed_first() {
    let nas = nas();
    let key = anna_by_key(&nas);
    stacks(&nas, UNIX);
    nas.world.run(&["chage", "-d", "0", "anna"]);
    assert!(!key.logs_in(), "nothing is answered");
    let answers = [("Current password: ", PASSWORD), ("ew password: ", "Other-pass2")];
    let asked = dialogue(&nas, &key, &answers);
    assert!(asked.is_in, "{:?} {}", asked.questions, asked.shown);
    assert_eq!(asked.questions, ["Current password: ", "New password: ", "Retype new password: "]);
    assert!(key.logs_in() && nas.world.with_password("anna", "Other-pass2").logs_in());
}

#[test]
fn an_account_that_is_locked_meanwhile_is_not_let_in() {
    let nas = nas_with(PATIENT);
    stacks(&nas, &format!("auth optional pam_exec.so /bin/sh /etc/wait.sh\n{UNIX}"));
    write(&nas, "etc/wait.sh", ": >/var/lib/asked; while ! [ -e /var/lib/go ]; do sleep 0.05; done\n");
    let root = nas.world.root();
    std::thread::scope(|scope| {
        let login = scope.spawn(|| anna(&nas).logs_in());
        wait_for("the module", || root.join("var/lib/asked").exists());
        nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
        std::fs::write(root.join("var/lib/go"), "").unwrap();
        assert!(!login.join().unwrap());
    });
    assert!(nas.world.with_password("berta", PASSWORD).logs_in());
}
