//! What modules may come to beside a password that is right or wrong: pam_debug(8) comes to whatever it is told to.

use super::{UNIX, anna, anna_by_key, build_module, dialogue, nas, nas_with, says, stacks, write_program};

fn stacks_that_come_to(nas: &crate::v2::Nas, auth: &str, account: &str) {
    let session = "session required pam_debug.so open_session=success close_session=session_err";
    stacks(
        nas,
        &format!(
            "auth required pam_debug.so auth={auth} cred=success\naccount required pam_debug.so acct={account}\n{session}\n"
        ),
    );
}

#[test]
fn whatever_is_no_success_of_both_stacks_lets_nobody_in() {
    let nas = nas();
    let key = anna_by_key(&nas);
    stacks_that_come_to(&nas, "success", "success");
    assert!(dialogue(&nas, &anna(&nas), &[]).is_in);
    for (auth, account, by_key) in [
        ("auth_err", "success", true),
        ("authinfo_unavail", "success", true),
        ("new_authtok_reqd", "success", true),
        ("maxtries", "success", true),
        ("success", "acct_expired", false),
        ("success", "authinfo_unavail", false),
        ("success", "auth_err", false),
    ] {
        stacks_that_come_to(&nas, auth, account);
        assert!(!dialogue(&nas, &anna(&nas), &[]).is_in, "{auth} {account}");
        assert!(!anna(&nas).logs_in(), "{auth} {account}");
        assert_eq!(key.logs_in(), by_key, "{auth} {account}");
    }
    let log = nas.world.log();
    assert!(log.contains("PAM does not decide"), "{log}");
}

#[test]
fn a_session_that_modules_do_not_close_was_one_all_the_same() {
    let nas = nas();
    let key = anna_by_key(&nas);
    stacks_that_come_to(&nas, "success", "success");
    assert_eq!(says(&key, "id -un").trim(), "anna");
    crate::world::wait_for("what PAM says of its end", || nas.world.log().contains("is not closed by PAM"));
}

#[test]
fn what_a_stack_says_is_shown_in_the_dialogue() {
    let nas = nas();
    super::write(&nas, "etc/word", "the-word-of-the-day\n");
    stacks(&nas, &format!("{UNIX}account optional pam_echo.so file=/etc/word\n"));
    let asked = dialogue(&nas, &anna(&nas), &[("Password: ", super::PASSWORD)]);
    assert!(asked.is_in && asked.shown.contains("the-word-of-the-day"), "{}", asked.shown);
}

#[test]
fn a_module_that_crashes_in_a_dialogue_ends_it() {
    let nas = nas();
    build_module(&nas);
    stacks(&nas, &format!("auth required /var/lib/module.so abort\n{UNIX}"));
    let asked = dialogue(&nas, &anna(&nas), &[("Password: ", super::PASSWORD)]);
    assert!(!asked.is_in && asked.questions.is_empty(), "{:?}", asked.questions);
    stacks(&nas, &format!("{UNIX}auth required /var/lib/module.so abort\n"));
    let asked = dialogue(&nas, &anna(&nas), &[("Password: ", super::PASSWORD)]);
    assert_eq!((asked.is_in, asked.questions), (false, vec!["Password: ".to_owned()]));
    stacks(&nas, UNIX);
    assert!(anna(&nas).logs_in());
}

#[test]
fn whoever_is_banned_is_asked_nothing() {
    let nas = nas_with("[bans]\nfree_attempts = 1\nfirst_delay_seconds = 0\nban_after = 3\n");
    stacks(&nas, UNIX);
    for _ in 0..3 {
        assert!(!nas.world.with_password("anna", "wrong").logs_in());
    }
    let asked = dialogue(&nas, &anna(&nas), &[("Password: ", super::PASSWORD)]);
    assert!(!asked.is_in && asked.questions.is_empty(), "{:?}", asked.questions);
}

#[test]
fn behind_a_key_the_stack_account_may_neither_ask_nor_crash() {
    let nas = nas();
    build_module(&nas);
    let key = anna_by_key(&nas);
    let others = "auth required pam_deny.so\nsession required pam_permit.so\n";
    stacks(&nas, &format!("{others}account required pam_permit.so\n"));
    assert!(key.logs_in());
    for what in ["abort", "ask"] {
        stacks(&nas, &format!("{others}account required /var/lib/module.so {what}\n"));
        assert!(!key.logs_in(), "{what}");
    }
}

#[test]
fn nobody_is_asked_anything_while_a_session_is_opened() {
    let nas = nas();
    build_module(&nas);
    let key = anna_by_key(&nas);
    stacks(&nas, "account required pam_permit.so\nsession required /var/lib/module.so ask\n");
    let output = key.ssh(&["echo", "began"]);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    stacks(&nas, "account required pam_permit.so\nsession required pam_permit.so\n");
    assert!(key.logs_in());
}

#[test]
fn behind_a_key_a_new_password_is_no_way_around_the_stack_account() {
    let nas = nas();
    let key = anna_by_key(&nas);
    write_program(&nas, "var/lib/change", "#!/bin/sh\necho >/var/lib/changed\n");
    write_program(&nas, "var/lib/is-changed", "#!/bin/sh\ntest -e /var/lib/changed\n");
    let expired = "account required pam_debug.so acct=new_authtok_reqd\nsession required pam_permit.so\n";
    // Not changed; changed, and still wanted; changed, and refused then.
    for stack in [
        format!("{expired}password required pam_debug.so chauthtok=authtok_err prechauthtok=success\n"),
        format!("{expired}password required pam_permit.so\n"),
        "account [success=1 default=ignore] pam_exec.so quiet /var/lib/is-changed\n\
             account [default=done new_authtok_reqd=done] pam_debug.so acct=new_authtok_reqd\n\
             account required pam_debug.so acct=perm_denied\nsession required pam_permit.so\n\
             password required pam_exec.so quiet /var/lib/change\n"
            .to_owned(),
    ] {
        stacks(&nas, &stack);
        assert!(!dialogue(&nas, &key, &[]).is_in, "{stack}");
    }
    assert!(nas.world.root().join("var/lib/changed").exists());
}

#[test]
fn where_modules_pass_a_password_of_shadow_that_is_too_old_lets_nobody_in() {
    let nas = nas();
    stacks_that_come_to(&nas, "success", "success");
    assert!(dialogue(&nas, &anna(&nas), &[]).is_in);
    nas.world.run(&["chage", "-d", "0", "anna"]);
    assert!(!dialogue(&nas, &anna(&nas), &[]).is_in);
}
