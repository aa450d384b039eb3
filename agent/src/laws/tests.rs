//! The laws, on texts that look like what they are about. Random bytes are left to the fuzzer.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

/// Few names, so that they meet.
fn name() -> impl Strategy<Value = String> {
    "[abc]".prop_map(String::from)
}

/// An entry of any kind of file.
fn entry_line() -> impl Strategy<Value = String> {
    (name(), "[x!]?", 1..4_u32, "[ab,]{0,3}", "[ab,]{0,3}")
        .prop_map(|(name, password, number, fourth, fifth)| format!("{name}:{password}:{number}:{fourth}:{fifth}::"))
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => entry_line().prop_map(String::into_bytes),
        1 => "[+-][a:]{0,4}".prop_map(String::into_bytes),
        1 => "[#a:\r\t é]{0,5}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
    ]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    (vec(any_line(), 0..7), any::<bool>()).prop_map(|(lines, terminated)| {
        let mut content = lines.join(&b'\n');
        content.extend(terminated.then_some(b'\n'));
        content
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    vec((name(), option::weighted(0.7, entry_line().prop_map(String::into_bytes))), 0..5)
}

fn option_text() -> impl Strategy<Value = String> {
    "(from=\"[!*,1.]{0,6}\"|command=\"[a, \\\\\"]{0,5}\"|(no-)?pty|restrict|(NO-)?x11-forwarding|\
     permitopen=\"([a:]{1,3}|\\[[a:]{0,3}\\]):([0-9]{1,6}|\\*)\"|environment=\"[A=1\\\\\"]{1,5}\"|\
     expiry-time=\"2030(0[1-9]){2}(1[0-9]){0,3}Z?\"|principals=\"[a,\"]{0,3}\"|[a-z\",= \\\\]{0,8})"
}

fn key_line() -> impl Strategy<Value = String> {
    prop_oneof![
        (vec(option_text(), 0..3), "[ \t]{0,2}[a-z\"]{0,3}")
            .prop_map(|(options, comment)| format!("{} {KEY}{comment}", options.join(","))),
        "[# \ta\r\"]{0,6}".prop_map(String::from),
    ]
}

fn command() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("ALL".to_owned()), 6 => "/[a,:=#é]{1,3}(/[b!@]{1,2})?/?( [a,:=#^!%()-]{1,3}){0,3}( \"\")?"]
}

fn sudo_rule() -> impl Strategy<Value = String> {
    let tag = prop_oneof![Just(""), Just("PASSWD: "), Just("NOPASSWD: "), Just("NOPASSWD:")];
    (tag, "(ALL|!?/[ab*]{1,2}(\\\\?[,:=# ]){0,2}[a\"]{0,2})")
        .prop_map(|(tag, rest)| format!("\"a\" ALL=(ALL) {tag}{rest}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_is_printed_as_it_was_and_a_change_touches_one_line(
        number: u8, content in content(), changes in changes(),
    ) {
        line_file(kind(number), &content, &changes);
    }

    #[test]
    fn a_drop_in_of_sudo_is_for_the_account_whatever_it_is_called(
        name in "[a-c%+#!:\"\\\\ ALé\n]{0,6}", other in "[a-c\"%]{0,3}", group: bool,
        with in vec(command(), 0..4), without in vec(command(), 0..4),
    ) {
        drop_in((&name, &other), group, [&with, &without]);
    }

    #[test]
    fn what_is_read_of_a_drop_in_is_what_stands_there(rules in vec(sudo_rule(), 0..4), end in "\n?") {
        any_drop_in(&format!("# Written by accountd; a change here is overwritten.\n{}{end}", rules.join("\n")), "a");
    }

    #[test]
    fn a_field_that_is_set_changes_no_other(line in any_line(), field in 0..12_u8, value in "[a:\n\0é]{0,3}") {
        entry(&line, field, value.as_bytes());
    }

    #[test]
    fn recovery_makes_what_the_commit_would_have_made_and_only_once(
        number: u8, before in content(), changes in changes(), since in content(),
    ) {
        recovery(kind(number), &before, &changes, &since);
    }

    #[test]
    fn accepted_keys_are_stored_as_they_came(lines in vec(key_line(), 0..4), separator in "[\n\r]{1,2}") {
        authorized_keys(&lines.join(&separator));
    }

    #[test]
    fn options_of_keys_are_printed_as_they_are_read(options in vec(option_text(), 0..4), line in key_line()) {
        key_options(&format!("{} x", options.join(",")));
        key_options(&format!("{} {line}", options.join(",")));
        key_options(&line);
    }

    #[test]
    fn nothing_behind_a_quote_that_does_not_end_is_a_key(rest in "[a, \\\\]{0,6}", line in key_line()) {
        let open = format!("command=\"{rest}{}", line.replace('"', ""));
        prop_assert!(crate::identity::authorized_keys::parse(&open).next().is_none(), "{:?}", open);
    }

    #[test]
    fn nothing_behind_a_restriction_lifts_it(options in vec(option_text(), 0..3), line in key_line()) {
        restriction(&format!(",{} {line}", options.join(",")));
        restriction(&format!(" {line}"));
        restriction(&line);
    }

    #[test]
    fn a_samba_line_keeps_hash_and_time(
        fields in vec("[A-FX0-9]{0,3}", 5..9), flags in "(\\[[A-Z ]{0,20}\\]|.{0,4})", disabled: Option<bool>,
    ) {
        let mut fields = fields;
        fields.insert(4, flags);
        smbpasswd_line(&fields.join(":"), "anna", 1000, disabled);
    }

    #[test]
    fn frames_stay_below_their_cap(wire in vec(any::<u8>(), 0..40), length in 0..40_u32, cap in 0..40_usize) {
        frame(&wire, cap);
        frame(&[&length.to_be_bytes(), &*wire].concat(), cap);
    }

    #[test]
    fn messages_come_back(texts in vec(any::<String>(), 0..4)) {
        message(&texts);
    }
}
