//! One test for each group of findings, on literal texts; and the laws.

use std::collections::HashSet;

use accountd_protocol::checks::{Chosen, RepairOutcome, RepairRefused};
use accountd_protocol::id::AccountId;
use accountd_protocol::sudo::{SudoCommand, SudoCommands};
use proptest::collection::vec;
use proptest::prelude::*;

use super::sudo::DropIn;
use super::*;
use crate::database::FileKind;
use crate::database::planted::{change, view_of};
use crate::sudoers::{Grantee, Kind, rule};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000:Anna:/home/anna:/bin/sh\n";
const SHADOW: &str = "root:*:19000:0:99999:7:::\nanna:$6$old:19000:0:99999:7:::\n";
const GROUP: &str = "root:x:0:\nanna:x:1000:\nwheel:x:10:anna\n";
const GSHADOW: &str = "root:*::\nanna:!::\nwheel:*::anna\n";
const SMB: &str = "anna:1000:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:0CB6948805F797BF2A82807973B89537:[U          ]:LCT-1:\n";

fn facts() -> Facts {
    Facts { today: 20_000, programs: HashSet::from([b"/bin/sh".to_vec()]), ..Facts::default() }
}

/// The files with one of them changed.
fn files(kind: FileKind, text: &str) -> View {
    let whole = [
        (FileKind::Passwd, PASSWD),
        (FileKind::Shadow, SHADOW),
        (FileKind::Group, GROUP),
        (FileKind::Gshadow, GSHADOW),
        (FileKind::Smbpasswd, SMB),
        (FileKind::Aliases, "postmaster: root\n"),
        (FileKind::UsernameMap, "anna = a@b.cd\n"),
    ];
    let texts = whole.map(|(of, present)| (of, if of == kind { text } else { present }.as_bytes()));
    view_of(&texts)
}

fn facts_of(view: &View) -> Facts {
    let odd =
        |kind: FileKind| Facts::of_files(&Sheets::of(view), std::path::Path::new("/nonexistent"), 0).doubtful_of(kind);
    Facts { doubtful: odd(FileKind::Passwd), doubtful_groups: odd(FileKind::Group), ..facts() }
}

/// The codes and lines of everything that is found.
fn codes(view: &View) -> Vec<(String, usize)> {
    let found = check_lines(view, &Sheets::of(view), &facts_of(view));
    found.into_iter().map(|found| (found.code, found.object.line.unwrap_or(0))).collect()
}

#[track_caller]
fn finds(kind: FileKind, text: &str, expected: &[(&str, usize)]) {
    let found = codes(&files(kind, text));
    let found: Vec<(&str, usize)> = found.iter().map(|(code, line)| (code.as_str(), *line)).collect();
    assert_eq!(found, expected, "{text}");
}

/// Repairs everything that can be, and gives what is left.
fn repaired(view: &mut View) -> Vec<(String, usize)> {
    let plan = Plan::new(check_lines(view, &Sheets::of(view), &facts_of(view)), Vec::new());
    let repairs = plan.repairs(&plan.choose(&Chosen::All).unwrap());
    change(view, |draft| {
        for repair in &repairs {
            assert_eq!(repair.enter(draft, 20_000), RepairOutcome::Done, "{repair:?}");
        }
    });
    codes(view)
}

fn text(view: &View, kind: FileKind) -> String {
    String::from_utf8(view.file(kind).print()).unwrap()
}

#[test]
fn good_files_give_no_finding() {
    finds(FileKind::Passwd, PASSWD, &[]);
}

#[test]
fn lines_that_are_no_entries_are_found_with_their_numbers() {
    finds(
        FileKind::Passwd,
        &format!("# c\n\n{PASSWD}+nis\nbroken\n"),
        &[("passwd.comment", 1), ("passwd.blank", 2), ("passwd.nis", 5), ("passwd.malformed", 6)],
    );
    finds(FileKind::Passwd, &format!("{PASSWD} eve:x:0:0::/:/bin/sh\n"), &[("passwd.leading_blank", 3)]);
    finds(
        FileKind::Shadow,
        &format!("{SHADOW}root:*:1:\n"),
        &[("shadow.field_count", 3), ("shadow.duplicate_name", 3)],
    );
    finds(FileKind::Group, &format!("{GROUP}g:x\n"), &[("group.malformed", 4)]);
    finds(
        FileKind::Gshadow,
        &format!("{GSHADOW}wheel:::a:b\n"),
        &[("gshadow.field_count", 4), ("gshadow.duplicate_name", 4)],
    );
    finds(FileKind::Smbpasswd, &format!("# kept\n\n{SMB}root:0:X:X:[U ]:\n"), &[("smbpasswd.malformed", 4)]);
    let gecos = "G".repeat(1000);
    finds(FileKind::Passwd, &PASSWD.replace(":Anna:", &format!(":{gecos}:")), &[("passwd.over_long", 2)]);
    finds(FileKind::Passwd, &PASSWD.replace("Anna", "An\u{1}na"), &[("passwd.control_character", 2)]);
}

#[test]
fn a_second_line_of_a_name_goes_only_when_it_says_the_same() {
    let mut view = files(FileKind::Shadow, &format!("{SHADOW}root:*:19000:0:99999:7:::\n"));
    assert_eq!(codes(&view), [("shadow.duplicate_name".to_owned(), 3)]);
    assert!(repaired(&mut view).is_empty());
    assert_eq!(text(&view, FileKind::Shadow), SHADOW);
    let differing = format!("{PASSWD}anna:x:5:1000::/home/anna:/bin/sh\n");
    let mut view = files(FileKind::Passwd, &differing);
    assert_eq!(repaired(&mut view), [("passwd.duplicate_name".to_owned(), 3)]);
    assert_eq!(text(&view, FileKind::Passwd), differing);
}

#[test]
fn numbers_are_valid_once_and_of_groups_that_there_are() {
    let passwd = |lines: &str| format!("{PASSWD}{lines}");
    let shadowed = |names: &[&str]| names.iter().fold(SHADOW.to_owned(), |text, name| text + name + ":*:1::::::\n");
    let with = |lines: &str, names: &[&str]| {
        let texts: [(FileKind, &[u8]); 4] = [
            (FileKind::Passwd, &passwd(lines).into_bytes()),
            (FileKind::Shadow, &shadowed(names).into_bytes()),
            (FileKind::Group, GROUP.as_bytes()),
            (FileKind::Gshadow, GSHADOW.as_bytes()),
        ];
        codes(&view_of(&texts))
    };
    let rows = [
        ("b:x:1000:1000::/:/bin/sh\n", "passwd.duplicate_number"),
        ("b:x:4294967295:0::/:/bin/sh\n", "passwd.invalid_number"),
        ("b:x:65535:0::/:/bin/sh\n", "passwd.reserved_number"),
        ("b:x:+6:0::/:/bin/sh\n", "passwd.invalid_number"),
        ("b:x:6:x::/:/bin/sh\n", "passwd.invalid_number"),
        ("b:x:6:77::/:/bin/sh\n", "passwd.unknown_primary_group"),
        ("b:x:6:0::/:/bin/no\n", "passwd.missing_shell"),
        ("b:x:6:0::home:/bin/sh\n", "passwd.not_absolute"),
        ("b:y:6:0::/:/bin/sh\n", "passwd.password_here"),
        ("b::6:0::/:/bin/sh\n", "passwd.empty_password"),
        ("b:x:6:0:/:/bin/sh\n", "passwd.field_count"),
    ];
    for (line, code) in rows {
        assert!(with(line, &["b"]).contains(&(code.to_owned(), 3)), "{line}: {:?}", with(line, &["b"]));
    }
    let both = with("b:x:0:0::/:/bin/sh\n", &["b"]);
    assert_eq!(both, [("passwd.duplicate_number".to_owned(), 3), ("passwd.another_superuser".into(), 3)]);
    assert_eq!(with("a b:x:6:0::/:\n", &["a b"]), [("passwd.invalid_name".to_owned(), 3)]);
    assert_eq!(with("Anna:x:6:0::/:\n", &["Anna"]), [("passwd.case_duplicate".to_owned(), 3)]);
    finds(FileKind::Group, &format!("{GROUP}x:x:10:\n"), &[("group.duplicate_number", 4), ("gshadow.missing", 4)]);
}

#[test]
fn a_missing_shadow_line_gets_the_password_that_counts() {
    let passwd = format!("{PASSWD}b:x:6:0::/:/bin/sh\nc:$6$hash:7:0::/:/bin/sh\nd::8:0::/:/bin/sh\n");
    let mut view = files(FileKind::Passwd, &passwd);
    let missing = codes(&view).into_iter().filter(|(code, _)| code == "shadow.missing").count();
    assert_eq!(missing, 3);
    let left = repaired(&mut view);
    assert_eq!(
        text(&view, FileKind::Shadow),
        format!("{SHADOW}b:*:20000:0:99999:7:::\nc:$6$hash:20000:0:99999:7:::\n")
    );
    assert!(text(&view, FileKind::Passwd).contains("\nc:x:7:0:"));
    assert_eq!(left, [("passwd.empty_password".to_owned(), 5), ("shadow.missing".into(), 5)]);
}

#[test]
fn what_shadow_says_of_nobody_or_of_no_day_is_found() {
    let mut view = files(FileKind::Shadow, &format!("{SHADOW}gone:*:1::::::\n"));
    assert_eq!(codes(&view), [("shadow.no_account".to_owned(), 3)]);
    assert!(repaired(&mut view).is_empty());
    assert_eq!(text(&view, FileKind::Shadow), SHADOW);
    let anna = |fields: &str| format!("root:*:19000:0:99999:7:::\nanna:{fields}\n");
    finds(FileKind::Shadow, &anna(":19000:0:99999:7:::"), &[("shadow.empty_password", 2)]);
    finds(FileKind::Shadow, &anna("*:x:0:99999:7:::"), &[("shadow.invalid_date", 2)]);
    finds(FileKind::Shadow, &anna("*:20001:0:99999:7:::"), &[("shadow.changed_in_future", 2)]);
    finds(FileKind::Shadow, &anna("*:20000:9:5:7:-1::"), &[("shadow.minimum_over_maximum", 2)]);
}

#[test]
fn a_shadow_line_of_a_doubtful_account_stays() {
    let texts: [(FileKind, &[u8]); 2] = [
        (FileKind::Passwd, b"root:x:0:0::/:/bin/sh\n eve:x:5:0::/:/bin/sh\n"),
        (FileKind::Shadow, b"root:*:1::::::\neve:*:1::::::\n"),
    ];
    let view = view_of(&texts);
    let found = check_lines(&view, &Sheets::of(&view), &facts_of(&view));
    let stray = found.iter().find(|found| found.code == "shadow.no_account").unwrap();
    assert!(stray.repair.is_none());
}

#[test]
fn nobody_is_taken_out_while_a_source_is_silent_or_has_them() {
    let view = files(FileKind::Group, &GROUP.replace("10:anna", "10:anna,ldapuser"));
    let silent = Facts { silent: Some("sss".into()), ..facts() };
    let found = check_lines(&view, &Sheets::of(&view), &silent);
    assert!(found.iter().any(|found| found.code == "group.unknown_member" && found.repair.is_none()));
    let elsewhere = Facts { users: HashSet::from(["ldapuser".to_owned()]), ..facts() };
    assert!(
        !check_lines(&view, &Sheets::of(&view), &elsewhere).iter().any(|found| found.code == "group.unknown_member")
    );
}

#[test]
fn lists_of_groups_get_rid_of_strangers_and_are_made_alike() {
    let mut view = files(FileKind::Group, "root:x:0:\nanna:*:1000:\nwheel:x:10:anna,,gone,root\nnew:x:11:anna\n");
    assert_eq!(
        codes(&view),
        [
            ("group.unknown_member".to_owned(), 3),
            ("group.password_here".into(), 2),
            ("gshadow.members_differ".into(), 3),
            ("gshadow.missing".into(), 4),
        ]
    );
    assert!(repaired(&mut view).is_empty());
    assert_eq!(text(&view, FileKind::Group), "root:x:0:\nanna:x:1000:\nwheel:x:10:anna,root\nnew:x:11:anna\n");
    assert_eq!(text(&view, FileKind::Gshadow), "root:*::\nanna:!::\nwheel:*::anna,root\nnew:!::anna\n");
    let mut view =
        files(FileKind::Gshadow, &format!("{}old:!::\n", GSHADOW.replace("wheel:*::", "wheel:*:gone,root:")));
    assert_eq!(codes(&view), [("gshadow.unknown_administrator".to_owned(), 3), ("gshadow.no_group".into(), 4)]);
    assert!(repaired(&mut view).is_empty());
    assert_eq!(text(&view, FileKind::Gshadow), GSHADOW.replace("wheel:*::", "wheel:*:root:"));
}

#[test]
fn lines_of_samba_and_mail_are_those_of_accounts() {
    let gone = SMB.replace("anna:1000", "gone:7");
    let mut view = files(FileKind::Smbpasswd, &format!("{}{gone}", SMB.replace(":1000:", ":7:")));
    assert_eq!(codes(&view), [("smbpasswd.wrong_uid".to_owned(), 1), ("smbpasswd.no_account".into(), 2)]);
    assert!(repaired(&mut view).is_empty());
    assert_eq!(text(&view, FileKind::Smbpasswd), SMB);
    let mut view = files(FileKind::Shadow, &SHADOW.replace("anna:", "anna:!"));
    assert_eq!(codes(&view), [("smbpasswd.lets_in".to_owned(), 1)]);
    assert!(repaired(&mut view).is_empty());
    assert_eq!(text(&view, FileKind::Smbpasswd), SMB.replace("[U ", "[DU"));
    let mut view = files(FileKind::UsernameMap, "anna = a@b.cd\n!gone = c@d.ef\n");
    assert_eq!(codes(&view), [("username_map.no_account".to_owned(), 2)]);
    assert!(repaired(&mut view).is_empty());
    finds(FileKind::Aliases, "postmaster: root\ngone: a@b.cd\nanna: a@b.cd\n", &[("aliases.no_account", 2)]);
}

#[test]
fn rows_without_a_line_are_found() {
    let mut view = files(FileKind::Passwd, PASSWD);
    change(&mut view, |draft| draft.set_line(FileKind::Passwd, "anna", None));
    let found = codes(&view);
    assert!(found.contains(&("state.no_account".to_owned(), 0)), "{found:?}");
}

#[test]
fn drop_ins_are_those_of_accounts_and_about_them() {
    let view = files(FileKind::Passwd, PASSWD);
    let drop_in = |name: &str, text: String, mode| DropIn { name: name.into(), text: Some(text), owner: 0, mode };
    let anna = || rule(Kind::User, "anna", &SudoCommands::everything()).unwrap();
    let drop_ins = [
        drop_in("accountd-user-2", anna(), 0o440),
        drop_in("accountd-user-1", anna(), 0o440),
        drop_in("accountd-user-77", anna(), 0o440),
        drop_in("accountd-user-02", anna(), 0o440),
        drop_in("accountd-group-3", rule(Kind::Group, "wheel", &SudoCommands::everything()).unwrap(), 0o462),
    ];
    let found = check_drop_ins(&view, &drop_ins);
    let found: Vec<_> = found.iter().map(|found| (found.code.as_str(), found.repair.is_some())).collect();
    assert_eq!(
        found,
        [
            ("sudo.not_its_accounts", true),
            ("sudo.no_account", true),
            ("sudo.not_ours", false),
            ("sudo.wrong_owner", false),
        ]
    );
    let revoked = Repair::RevokeSudo { grantee: Grantee::User(AccountId(77)) };
    assert_eq!(check_drop_ins(&view, &drop_ins)[1].repair, Some(revoked));
}

#[test]
fn a_drop_in_that_is_about_somebody_else_is_taken_away_and_a_home_is_nothing_of_the_files() {
    let mut view = files(FileKind::Passwd, PASSWD);
    let revoke = Repair::RevokeSudo { grantee: Grantee::User(AccountId(2)) };
    assert_eq!(revoke.in_words(), "removes the file");
    change(&mut view, |draft| {
        assert_eq!(revoke.enter(draft, 20_000), RepairOutcome::Done);
        assert!(!draft.sudo(Grantee::User(AccountId(2))).is_granted());
        let home = Repair::Home { id: AccountId(2) };
        assert!(matches!(home.enter(draft, 20_000), RepairOutcome::NotDone(_)));
    });
}

#[test]
fn where_there_are_no_drop_ins_nothing_is_found_and_what_is_for_nobody_names_no_command() {
    let root = tempfile::tempdir().unwrap();
    assert!(super::sudo::read(root.path()).unwrap().is_empty());
    let text = || Some(rule(Kind::User, "anna", &SudoCommands::everything()).unwrap());
    let drop_ins = ["accountd-user-77", "accountd-other"].map(|name| DropIn {
        name: name.into(),
        text: text(),
        owner: 0,
        mode: 0o440,
    });
    assert!(check_commands(&files(FileKind::Passwd, PASSWD), &drop_ins, root.path()).is_empty());
}

#[test]
fn where_there_is_no_shadow_nobody_is_missing_in_it() {
    let view = view_of(&[(FileKind::Passwd, PASSWD.as_bytes()), (FileKind::Group, GROUP.as_bytes())]);
    let found = codes(&view);
    assert!(found.iter().all(|(code, _)| !code.starts_with("shadow.")), "{found:?}");
}

#[test]
fn ranges_of_gids_are_their_own_area_and_what_is_not_repaired_is_for_an_administrator() {
    let found = check_subordinate(Subordinate::Gids, b"gone:1:1\n", &HashSet::new(), |_| false);
    assert_eq!(found.iter().map(|found| found.code.as_str()).collect::<Vec<_>>(), ["subgid.no_account"]);
    let plan = Plan::new(found, Vec::new());
    let outcomes = plan.outcomes(&[0, 1], &std::collections::HashMap::new());
    assert_eq!(outcomes.len(), 1, "there is no second one");
    assert!(matches!(&outcomes[0].outcome, RepairOutcome::NotDone(why) if why.contains("administrator")));
}

#[test]
fn a_member_that_is_no_text_is_known_only_where_a_line_may_be_its() {
    let group = |member: &[u8]| {
        let text = [&b"root:x:0:\nanna:x:1000:\nwheel:x:10:anna,"[..], member, b"\n"].concat();
        let view = view_of(&[(FileKind::Passwd, PASSWD.as_bytes()), (FileKind::Group, &text)]);
        codes(&view).into_iter().map(|(code, _)| code).filter(|code| code == "group.unknown_member").count()
    };
    assert_eq!((group(b"\xff"), group(b"anna")), (1, 0));
}

#[test]
fn commands_that_are_gone_or_not_roots_are_found_and_nothing_is_done_about_them() {
    let root = tempfile::tempdir().unwrap();
    let open = root.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let command = |text: &str| SudoCommand::new(text).unwrap();
    let commands = SudoCommands {
        commands: vec![command("/gone"), SudoCommand::all()],
        commands_without_password: vec![command("/open/tool x")],
    };
    let text = Some(rule(Kind::User, "anna", &commands).unwrap());
    let drop_ins = [DropIn { name: "accountd-user-2".into(), text, owner: 0, mode: 0o440 }];
    let found = check_commands(&files(FileKind::Passwd, PASSWD), &drop_ins, root.path());
    let found: Vec<_> = found.iter().map(|found| (found.code.as_str(), found.repair.is_some())).collect();
    assert_eq!(found, [("sudo.missing_command", false), ("sudo.replaceable_command", false)]);
}

#[test]
fn ranges_overlap_nobody_and_hold_no_account() {
    let content = b"# kept\nanna:100000:65536\nberta:165536:10\nanna:165540:1\n0:300000:10\ngone:1:1\nx:y\n";
    let found = check_subordinate(Subordinate::Uids, content, &HashSet::from([0, 1, 165_536]), |owner| {
        ["anna", "berta", "0"].contains(&owner)
    });
    let found: Vec<_> = found.iter().map(|found| (found.code.as_str(), found.object.line.unwrap())).collect();
    assert_eq!(
        found,
        [
            ("subuid.holds_account", 3),
            ("subuid.no_account", 6),
            ("subuid.holds_account", 6),
            ("subuid.malformed", 7),
            ("subuid.overlap", 4),
        ]
    );
}

#[test]
fn what_is_chosen_is_in_the_report_and_a_change_of_it_is_another_plan() {
    let plan = |text: &str| {
        let view = files(FileKind::Shadow, text);
        Plan::new(check_lines(&view, &Sheets::of(&view), &facts()), Vec::new())
    };
    let (one, other) = (plan(&format!("{SHADOW}gone:*:1::::::\n")), plan(&format!("{SHADOW}away:*:1::::::\n")));
    assert_ne!(one.digest, other.digest);
    assert_eq!(one.choose(&Chosen::Codes(vec!["shadow.no_account".into()])), Ok(vec![0]));
    assert_eq!(one.choose(&Chosen::Findings(vec![0, 0])), Ok(vec![0]));
    assert_eq!(one.choose(&Chosen::Findings(vec![1])), Err(RepairRefused::NoSuchFinding(1)));
    let strange = "no.such_code".to_owned();
    assert_eq!(one.choose(&Chosen::Codes(vec![strange.clone()])), Err(RepairRefused::NoSuchCode(strange)));
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[ab]:[x!*]?:[0-3]{0,2}:[0-3ab,]{0,3}:[ab,]{0,2}:/?[a/]{0,3}:(/bin/sh)?(:[0-9]?:)?".prop_map(String::into_bytes),
        1 => "[#a+: -]{0,6}".prop_map(String::into_bytes),
        1 => vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 0..9),
    ]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    vec(line(), 0..7).prop_map(|lines| lines.join(&b'\n'))
}

proptest! {
    #[test]
    fn a_check_says_something_of_any_bytes_and_a_repair_repairs(contents in vec(content(), 7)) {
        let files: Vec<_> =
            FileKind::ALL.into_iter().zip(&contents).map(|(kind, content)| (kind, content.as_slice())).collect();
        laws::files(&files);
        laws::ranges(&contents[0]);
    }
}
