//! The file that the package installs: every key, with its default, as a comment.

use super::*;

const SAMPLE: &str = include_str!("../../package/accountd.toml");

/// With the settings as if they were made; sentences begin with a blank.
fn uncommented() -> String {
    let setting = |line: &'static str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
    SAMPLE.lines().map(setting).collect::<Vec<_>>().join("\n")
}

#[test]
fn as_it_is_installed_it_sets_nothing() {
    assert_eq!(toml::from_str::<Config>(SAMPLE).unwrap(), Config::default());
}

#[test]
fn what_it_says_of_the_defaults_is_true() {
    let mut said: Config = toml::from_str(&uncommented()).unwrap();
    let sessions = std::mem::take(&mut said.sessions);
    // It knows which rules have been set.
    let passwords = std::mem::take(&mut said.passwords);
    // That depends on the pools.
    said.alist.homes = None;
    assert_eq!(said, Config::default());
    assert_eq!(passwords.policy(), Passwords::default().policy());
    // These have their defaults where they are used.
    let SessionSettings { services, umask, root, uploads, leftovers, .. } = sessions.settings;
    assert_eq!(services.map(|services| services.len()), Some(5));
    assert_eq!(umask.map(|umask| umask.bits()), Some(0o022));
    assert_eq!(
        (root, uploads, leftovers),
        (Some(SessionRoot::None), Some(Default::default()), Some(Default::default()))
    );
}

#[test]
fn it_has_every_table_and_every_key() {
    let said: toml::Table = toml::from_str(&uncommented()).unwrap();
    let everything: toml::Table = toml::from_str(super::tests::EVERYTHING).unwrap();
    for (table, keys) in &everything {
        let said = said.get(table).and_then(toml::Value::as_table);
        for key in keys.as_table().unwrap().keys() {
            assert!(said.is_some_and(|said| said.contains_key(key)), "[{table}] {key}");
        }
    }
}
