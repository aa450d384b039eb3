//! Where accountd is and who asks, from flags, the environment and the file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::Said;
use crate::v2::Nas;

fn write(nas: &Nas, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = nas.world.client_file("home/.config/accountd").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// With the file as all that says anything, but for these variables.
fn ask(nas: &Nas, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    let mut command = nas.command(arguments);
    command.env_remove("ACCOUNTCTL_URL").env_remove("ACCOUNTCTL_SOCKET").envs(variables.iter().copied());
    Said::of(command.output().unwrap())
}

fn start() -> Nas {
    let nas = Nas::start();
    nas.ctl_with("pw", &["user", "add", "anna", "--new-password-file", "-"]);
    write(&nas, "anna.password", "pw\n", 0o600);
    let text = format!("url = \"{}\"\nuser = \"anna\"\npassword-file = \"anna.password\"\n", nas.world.api());
    write(&nas, "accountctl.toml", &text, 0o644);
    nas
}

#[test]
fn the_file_says_where_and_who_and_the_command_line_says_it_better() {
    let nas = start();
    let whom = |said: Said| said.out.lines().find_map(|line| line.strip_prefix("username\t").map(str::to_owned));
    assert_eq!(whom(ask(&nas, &[], &["user", "show"])).as_deref(), Some("anna"));
    assert_eq!(whom(ask(&nas, &[], &["--user", "anna", "user", "show"])).as_deref(), Some("anna"));
    let socket = nas.socket();
    let socket = socket.to_str().unwrap();
    assert_eq!(whom(ask(&nas, &[], &["--socket", socket, "user", "show"])).as_deref(), Some("root"));
    assert_eq!(whom(ask(&nas, &[("ACCOUNTCTL_SOCKET", socket)], &["user", "show"])).as_deref(), Some("root"));
    ask(&nas, &[("ACCOUNTCTL_TOKEN", "guess")], &["user", "show"]).fails(4, &["Say who you are"]);
    ask(&nas, &[], &["--user", "root", "user", "show"]).fails(2, &["no terminal", "--password-file"]);
    ask(&nas, &[], &["--password-file", "x", "user", "show"]).fails(2, &["--user"]);
}

#[test]
fn what_the_file_says_of_who_asks_goes_nowhere_else() {
    let nas = start();
    // Another name of the same machine is another place.
    let elsewhere = nas.world.api().replace("127.0.0.1", "127.0.0.2");
    let said = ask(&nas, &[("ACCOUNTCTL_URL", &elsewhere)], &["user", "show"]);
    said.fails(3, &["agent"]);
    let said = ask(&nas, &[], &["--url", "http://198.51.100.1:1", "--socket", "/nonexistent", "user", "show"]);
    said.fails(2, &["this machine only", "--user"]);
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let nas = start();
    write(&nas, "anna.password", "pw\n", 0o640);
    ask(&nas, &[], &["user", "show"]).fails(2, &["anna.password holds a secret", "chmod 600"]);
    let text = format!("url = \"{}\"\ntoken = \"0123\"\n", nas.world.api());
    write(&nas, "accountctl.toml", &text, 0o604);
    ask(&nas, &[], &["user", "show"]).fails(2, &["accountctl.toml holds a secret", "chmod 600"]);
    write(&nas, "accountctl.toml", &text, 0o600);
    ask(&nas, &[], &["user", "show"]).fails(4, &["Say who you are"]);
}

#[test]
fn a_file_of_somebody_else_does_not_say_where_roots_credential_goes() {
    let nas = start();
    let text = format!("url = \"{}\"\n", nas.world.api());
    let path = write(&nas, "accountctl.toml", &text, 0o644);
    std::os::unix::fs::chown(&path, Some(3001), None).unwrap();
    ask(&nas, &[], &["user", "show"]).fails(2, &["accountctl.toml belongs to somebody else"]);
    write(&nas, "accountctl.toml", &text, 0o662);
    std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    ask(&nas, &[], &["user", "show"]).fails(2, &["others may write it"]);
}

#[test]
fn what_can_not_be_meant_is_refused_by_its_name() {
    let nas = start();
    let rows = [
        ("urls = \"x\"\n", "unknown field `urls`"),
        ("url = 1\n", "invalid type"),
        ("user = \"a\"\ntoken = \"t\"\n", "token stands for"),
        ("password-file = \"p\"\n", "without user"),
        ("url = \"https://nas\"\n", "TLS is not spoken here yet"),
        ("not toml\n", "accountctl.toml"),
    ];
    for (text, named) in rows {
        write(&nas, "accountctl.toml", text, 0o600);
        ask(&nas, &[], &["user", "show"]).fails(2, &[named]);
    }
}
