//! Lines of account files: kept byte for byte, found by name and number, edited and put back.

use crate::database::file::{FileKind, Line, LineFile};

fn line(text: &str) -> Line {
    Line::from(text.as_bytes())
}

const ODD: &str =
    "# comment\nroot:x:0:0:root:/root:/bin/sh\n\nbroken\nanna:x:1:1::/:/bin/sh:extra\r\nanna:x:2:2::/:/bin/sh\n+@nis\n";

#[test]
fn what_is_parsed_is_printed_byte_for_byte() {
    for text in ["", "\n", "\n\n", "a", "a\n", ODD, "no newline:x:1:1:::", "\u{fffd}:x\n\0\n"] {
        assert_eq!(LineFile::parse(FileKind::Passwd, text.as_bytes()).print(), text.as_bytes(), "{text:?}");
    }
    let raw = b"\xff\xfe:x:1:1::/:/bin/sh\n";
    assert_eq!(LineFile::parse(FileKind::Passwd, raw).print(), raw);
}

#[test]
fn new_entries_go_before_nis_lines_and_the_rest_stays() {
    let mut file = LineFile::parse(FileKind::Passwd, ODD.as_bytes());
    let edit = file.edit("berta", Some(line("berta:x:3:3::/:/bin/sh"))).unwrap();
    file.apply(&edit);
    let text = String::from_utf8(file.print()).unwrap();
    assert_eq!(text, ODD.replace("+@nis", "berta:x:3:3::/:/bin/sh\n+@nis"));
    file.undo(&edit);
    assert_eq!(file.print(), ODD.as_bytes());
}

#[test]
fn the_first_of_two_lines_with_one_name_counts() {
    let file = LineFile::parse(FileKind::Passwd, ODD.as_bytes());
    assert!(file.find("anna").unwrap().starts_with(b"anna:x:1:"));
    assert_eq!(file.entries().map(|(name, _)| name).collect::<Vec<_>>(), ["root", "anna"]);
}

#[test]
fn a_missing_newline_is_added_only_when_a_line_follows() {
    let mut file = LineFile::parse(FileKind::Group, b"a:x:1:\nb:x:2:");
    let edit = file.edit("a", Some(line("a:x:1:z"))).unwrap();
    file.apply(&edit);
    assert_eq!(file.print(), b"a:x:1:z\nb:x:2:");
    let edit = file.edit("c", Some(line("c:x:3:"))).unwrap();
    file.apply(&edit);
    assert_eq!(file.print(), b"a:x:1:z\nb:x:2:\nc:x:3:\n");
}

#[test]
fn a_removal_and_a_rename_are_undone_in_place() {
    let text = "a:x:1:\nb:x:2:\nc:x:3:\n";
    let mut file = LineFile::parse(FileKind::Group, text.as_bytes());
    let removal = file.edit("b", None).unwrap();
    file.apply(&removal);
    assert_eq!(file.print(), b"a:x:1:\nc:x:3:\n");
    let rename = file.edit("a", Some(line("z:x:1:"))).unwrap();
    file.apply(&rename);
    assert!(file.find("a").is_none() && file.find("z").is_some());
    file.undo(&rename);
    file.undo(&removal);
    assert_eq!(file.print(), text.as_bytes());
    assert!(file.find("b").is_some() && file.find("z").is_none());
}

#[test]
fn undoing_an_insertion_gives_back_the_missing_newline() {
    let mut file = LineFile::parse(FileKind::Group, b"a:x:1:");
    let edit = file.edit("b", Some(line("b:x:2:"))).unwrap();
    file.apply(&edit);
    assert_eq!(file.print(), b"a:x:1:\nb:x:2:\n");
    file.undo(&edit);
    assert_eq!(file.print(), b"a:x:1:");
}

#[test]
fn a_removed_line_uncovers_the_next_one_with_its_name() {
    let text = "a:x:1:\nb:x:2:\na:x:3:\na:x:4:\n";
    let mut file = LineFile::parse(FileKind::Group, text.as_bytes());
    let first = file.edit("a", None).unwrap();
    file.apply(&first);
    assert_eq!(file.find("a").unwrap(), b"a:x:3:");
    let second = file.edit("a", None).unwrap();
    file.apply(&second);
    assert_eq!(file.find("a").unwrap(), b"a:x:4:");
    file.undo(&second);
    file.undo(&first);
    assert_eq!(file.find("a").unwrap(), b"a:x:1:");
    assert_eq!(file.print(), text.as_bytes());
}

#[test]
fn an_entry_goes_before_the_first_of_scattered_nis_lines() {
    let mut file = LineFile::parse(FileKind::Group, b"a:x:1:\n+x\nb:x:2:\n-y");
    let edit = file.edit("c", Some(line("c:x:3:"))).unwrap();
    file.apply(&edit);
    assert_eq!(file.print(), b"a:x:1:\nc:x:3:\n+x\nb:x:2:\n-y");
    assert_eq!(file.entries().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "c", "b"]);
}

#[test]
fn differences_are_found_by_name() {
    let old = LineFile::parse(FileKind::Group, b"a:x:1:\nb:x:2:\nc:x:3:\n# note\n");
    let new = LineFile::parse(FileKind::Group, b"# other\na:x:1:\nc:x:3:z\nd:x:4:\n");
    let names = old.differences(&new);
    assert_eq!(names, ["b", "c", "d"].map(str::to_owned).into());
}

#[test]
fn an_alias_goes_with_the_lines_that_continue_it() {
    let text = "# ours\n  no entry\nroot: anna,\n  berta\n\tcarla\nwww :root\n";
    let mut file = LineFile::parse(FileKind::Aliases, text.as_bytes());
    assert_eq!(file.print(), text.as_bytes());
    assert_eq!(file.find("root").unwrap(), b"root: anna,\n  berta\n\tcarla");
    assert!(file.find("www").is_some());
    let edit = file.edit("root", Some(line("root: a@b.cd"))).unwrap();
    file.apply(&edit);
    assert_eq!(file.print(), b"# ours\n  no entry\nroot: a@b.cd\nwww :root\n");
    file.undo(&edit);
    assert_eq!(file.print(), text.as_bytes());
}

#[test]
fn the_name_of_a_mapping_stands_before_the_equals_sign() {
    let file = LineFile::parse(FileKind::UsernameMap, b"anna = a@b.cd\n# x = y\n!berta=c\n");
    assert_eq!(file.entries().map(|(name, _)| name).collect::<Vec<_>>(), ["anna", "!berta"]);
}

#[test]
fn names_of_a_number_stand_in_file_order_and_follow_every_change() {
    let mut file = LineFile::parse(FileKind::Group, b"b:x:5:\n+\na:x:5:\nc:x:6:\nb:x:6:\nd:x::\n");
    assert_eq!(file.names_of(5), ["b", "a"]);
    assert_eq!(file.names_of(6), ["c"]);
    let mut made = Vec::new();
    let changes = [("c", Some("c:x:5:")), ("e", Some("e:x:5:")), ("b", None), ("a", None), ("e", Some("f:x:5:"))];
    for (name, new) in changes {
        let edit = file.edit(name, new.map(line)).unwrap();
        file.apply(&edit);
        made.push(edit);
    }
    assert_eq!(file.names_of(5), ["f", "c"]);
    // The next line of that name stands for it now.
    assert_eq!(file.names_of(6), ["b"]);
    made.iter().rev().for_each(|edit| file.undo(edit));
    assert_eq!((file.names_of(5), file.names_of(6)), (vec!["b", "a"], vec!["c"]));
    assert!(file.has_number(6) && !file.has_number(7));
}
