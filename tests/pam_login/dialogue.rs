//! What modules ask and say.

use serde_json::json;

use super::{PASSWORD, UNIX, anna, build_module, dialogue, nas, stacks, stacks_with_own_module};
use crate::two_factor::Authenticator;
use crate::v2::Nas;

const OTHERS: &str = "account required pam_permit.so\nsession required pam_permit.so\n";

#[test]
fn several_questions_and_what_is_to_be_read_are_passed_on() {
    let nas = nas();
    build_module(&nas);
    stacks(&nas, &format!("auth required /var/lib/module.so ask\n{OTHERS}"));
    let asked = dialogue(&nas, &anna(&nas), &[("Token: ", "123"), ("PIN: ", "456")]);
    assert!(asked.is_in && asked.shown.contains("Have your card at hand."), "{}", asked.shown);
    assert_eq!(asked.questions, ["Token: ", "PIN: "]);
    assert!(!dialogue(&nas, &anna(&nas), &[("Token: ", "123"), ("PIN: ", "457")]).is_in);
    // The same for nobody, whatever is answered.
    let nobody = nas.world.with_password("nobody-here", "");
    let asked = dialogue(&nas, &nobody, &[("Token: ", "123"), ("PIN: ", "456")]);
    assert_eq!((asked.is_in, asked.questions), (false, vec!["Token: ".to_owned(), "PIN: ".to_owned()]));
    // One password answers one question.
    stacks(&nas, &format!("auth required pam_unix.so nodelay\nauth required /var/lib/module.so ask\n{OTHERS}"));
    assert!(!anna(&nas).logs_in());
    let answers = [("Password: ", PASSWORD), ("Token: ", "123"), ("PIN: ", "456")];
    assert!(dialogue(&nas, &anna(&nas), &answers).is_in);
}

#[test]
fn a_module_that_makes_another_user_of_somebody_lets_nobody_in() {
    let nas = nas();
    build_module(&nas);
    for (other, lets_in) in [("root", false), ("berta", false), ("anna", true)] {
        stacks(&nas, &format!("{UNIX}auth required /var/lib/module.so become {other}\n"));
        assert_eq!(anna(&nas).logs_in(), lets_in, "{other}");
    }
}

#[test]
fn an_accounts_own_second_factor_is_asked_for_behind_pam() {
    let nas = nas();
    stacks(&nas, UNIX);
    asks_for_a_code_once(&nas);
}

#[test]
fn where_the_common_files_have_accountds_own_module_a_code_is_asked_for_once() {
    let nas = nas();
    stacks_with_own_module(&nas);
    asks_for_a_code_once(&nas);
}

#[track_caller]
fn asks_for_a_code_once(nas: &Nas) {
    let own = nas.rest.as_user("anna", PASSWORD);
    let begun = own.post("/users/~/two-factor", "{}").object(200);
    let phone = Authenticator::new(begun["secret"].as_str().unwrap());
    own.post("/users/~/two-factor/confirm", &json!({"code": phone.code()}).to_string()).status_is(200);
    assert!(!anna(nas).logs_in());
    let with = |code: &str| dialogue(nas, &anna(nas), &[("Password: ", PASSWORD), ("Verification code: ", code)]);
    let asked = with(&phone.wrong());
    assert_eq!((asked.is_in, asked.questions.len()), (false, 2));
    let asked = with(&phone.code());
    assert_eq!((asked.is_in, asked.questions.join("")), (true, "Password: Verification code: ".to_owned()));
    // A wrong password is asked for no code.
    let asked = dialogue(nas, &anna(nas), &[("Password: ", "wrong"), ("Verification code: ", &phone.code())]);
    assert_eq!((asked.is_in, asked.questions), (false, vec!["Password: ".to_owned()]));
}
