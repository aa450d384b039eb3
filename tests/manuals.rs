//! The manual pages of the programs against what they say themselves. That of accountctl is compared beside it, by
//! command, and accountd.toml(5) beside the settings.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::world::accountd;

/// A program, which of its commands, and the page that explains these.
const EXPLAINED: [(&str, &[&str], &str); 5] = [
    ("accountd", &["api", "sandbox"], "accountd.8"),
    ("accountd", &["ssh", "import-host-keys"], "accountd-ssh.8"),
    ("accountd-agent", &[], "accountd-agent.8"),
    ("accountd-login", &[], "accountd-login.8"),
    ("accountd-session", &[], "accountd-session.1"),
];

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The long options that `--help` has.
fn said(program: &str, command: Option<&str>) -> BTreeSet<String> {
    let output = Command::new(accountd().with_file_name(program)).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{program} {command:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let options = text.split(|c: char| !is_part(c)).filter_map(|word| word.strip_prefix("--"));
    options.filter(|option| !option.is_empty()).map(str::to_owned).collect()
}

/// The long options that a page has: `Fl -listen`.
fn explained(page: &str) -> BTreeSet<String> {
    let words: Vec<&str> = page.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| pair[0].trim_start_matches('.') == "Fl");
    let options = pairs.filter_map(|pair| pair[1].strip_prefix('-'));
    options.filter(|option| !option.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_option_of_every_program_is_in_its_page_and_no_other() {
    let everywhere: BTreeSet<String> = ["help", "version"].map(str::to_owned).into();
    for (program, commands, name) in EXPLAINED {
        let asked: Vec<_> = if commands.is_empty() { vec![None] } else { commands.iter().copied().map(Some).collect() };
        let said: BTreeSet<String> = asked.into_iter().flat_map(|command| said(program, command)).collect();
        assert!(said.len() > 3, "{program}: {said:?}");
        assert_eq!(&explained(&page(name)) - &everywhere, &said - &everywhere, "{name}");
    }
}

#[test]
fn every_page_can_be_read_by_mandoc_and_is_about_its_name() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let output = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let (name, section) = path.file_name().and_then(|name| name.to_str()?.rsplit_once('.')).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("\n.Dt {} {section}\n", name.to_uppercase())), "{}", path.display());
    }
}
