//! The command line against what describes it: the manual page, and the API's own description.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};
use serde_json::Value;

use crate::Arguments;

const MANUAL: &str = include_str!("../../docs/man/accountctl.1");

/// Every operation of the API, and the command that it is reached by.
const REACHED: &[(&str, &str)] = &[
    ("list_users", "user list"),
    ("create_user", "user add"),
    ("show_user", "user show"),
    ("change_user", "user set"),
    ("delete_user", "user delete"),
    ("disable_user", "user disable"),
    ("list_keys", "key list"),
    ("replace_keys", "key set"),
    ("set_password", "user passwd"),
    ("change_many_users", "user import"),
    ("list_api_keys", "api-key list"),
    ("show_api_key", "api-key show"),
    ("create_api_key", "api-key add"),
    ("delete_api_key", "api-key delete"),
    ("show_two_factor", "two-factor show"),
    ("begin_two_factor", "two-factor enrol"),
    ("confirm_two_factor", "two-factor confirm"),
    ("cancel_two_factor", "two-factor cancel"),
    // By every command that asks for a code.
    ("create_token", "user show"),
    ("revoke_token", "user show"),
    ("show_policy", "policy show"),
    ("change_policy", "policy set"),
    ("list_jobs", "job list"),
    ("get_job", "job show"),
    ("follow_job", "job watch"),
    ("cancel_job", "job cancel"),
    ("list_groups_of_user", "user group list"),
    ("list_roles_of_user", "role grant"),
    ("replace_groups_of_user", "user group set"),
    ("replace_roles_of_user", "role grant"),
    ("list_groups", "group list"),
    ("create_group", "group add"),
    ("show_group", "group show"),
    ("change_group", "group set"),
    ("delete_group", "group delete"),
    ("list_members", "member list"),
    ("replace_members", "member set"),
    ("show_system", "system show"),
    ("list_bans", "ban list"),
    ("lift_ban", "ban lift"),
    ("show_metrics", "metrics"),
    ("list_connections", "session list"),
    ("close_connection", "session close"),
    ("end_session", "session end"),
    ("show_quota", "quota show"),
    ("list_quotas", "quota list"),
    ("list_quota_file_systems", "quota file-systems"),
    ("scan_quota", "quota scan"),
    ("cancel_scan", "quota cancel"),
    ("list_scans", "quota scans"),
    ("list_audit", "audit list"),
    ("verify_audit", "audit verify"),
    ("export_accounts", "backup export"),
    ("import_accounts", "backup import"),
    ("check", "check run"),
    ("repair_checks", "check repair"),
    ("list_repositories", "repository list"),
    ("create_repository", "repository create"),
    ("show_repository", "repository show"),
    ("change_repository", "repository update"),
    ("delete_repository", "repository delete"),
    ("list_repository_grants", "repository grants"),
    ("grant_repository", "repository grant"),
    ("pull_repository", "repository pull"),
];
/// For programs that watch over accountd, or write clients.
const FOR_OTHERS: [&str; 3] = ["show_description", "healthz", "readyz"];

/// `user group add`: every command that does something, with its flags.
fn commands(command: &Command, above: &str, found: &mut Vec<(String, BTreeSet<String>)>) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let name = format!("{above} {}", below.get_name()).trim_start().to_owned();
        if below.has_subcommands() {
            commands(below, &name, found);
        } else {
            found.push((name, flags(below)));
        }
    }
}

fn flags(command: &Command) -> BTreeSet<String> {
    command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)).collect()
}

fn all() -> Vec<(String, BTreeSet<String>)> {
    let mut found = Vec::new();
    commands(&Arguments::command(), "", &mut found);
    found
}

/// The part of the manual that is about one command: `.Ss user add` and what follows.
fn section(name: &str) -> &'static str {
    let (_, rest) = MANUAL.split_once(&format!("\n.Ss {name}\n")).unwrap_or_else(|| panic!("{name} is not explained"));
    rest.split("\n.S").next().unwrap_or_default()
}

fn explained(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| pair[0].trim_start_matches('.') == "Fl");
    pairs.filter_map(|pair| pair[1].strip_prefix('-')).map(str::to_owned).collect()
}

#[test]
fn the_command_line_contradicts_nothing_in_itself() {
    Arguments::command().version("0").debug_assert();
}

#[test]
fn the_manual_explains_every_flag_of_every_command_and_no_other() {
    let (global, found) = (flags(&Arguments::command()), all());
    assert!(found.len() > 25);
    for (name, flags) in found {
        let own: BTreeSet<String> = flags.into_iter().filter(|flag| !["help", "version"].contains(&&**flag)).collect();
        assert_eq!(&explained(section(&name)) - &global, own, "{name}");
    }
    let (_, options) = MANUAL.split_once("\n.Ss For every command\n").unwrap();
    let explained = explained(options.split("\n.S").next().unwrap());
    assert_eq!(&explained - &BTreeSet::from(["help".into(), "version".into()]), global);
}

#[test]
fn the_manual_explains_no_command_that_is_not_there() {
    let known: BTreeSet<String> = all().into_iter().map(|(name, _)| name).collect();
    let (_, rest) = MANUAL.split_once("\n.Sh COMMANDS\n").unwrap();
    let commands = rest.split("\n.Sh ").next().unwrap();
    let explained: BTreeSet<String> =
        commands.lines().filter_map(|line| line.strip_prefix(".Ss ")).map(str::to_owned).collect();
    assert_eq!(explained, known);
}

#[test]
fn every_operation_of_the_api_is_reached_by_a_command() {
    let document: Value = serde_json::from_str(include_str!("../api/v2/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|methods| methods.as_object().unwrap().values());
    let described: BTreeSet<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let reached = REACHED.iter().map(|(operation, _)| *operation).chain(FOR_OTHERS);
    assert_eq!(reached.collect::<BTreeSet<_>>(), described);
    let known: BTreeSet<String> = all().into_iter().map(|(name, _)| name).collect();
    for (operation, command) in REACHED {
        assert!(known.contains(*command), "{operation}: {command}");
    }
}
