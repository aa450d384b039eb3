//! The programs that people run over SSH, as they run them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{anna, heard, nas_with_anna, says};
use crate::openssh::Client;

/// `ssh` with everything that it needs, as one text for programs that start it.
fn as_text(client: &Client<'_>) -> (String, Vec<(String, String)>) {
    let command = client.prepare("ssh");
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''"));
    let words: Vec<String> = [command.get_program()].into_iter().chain(command.get_args()).map(quoted).collect();
    let text = |value: &std::ffi::OsStr| value.to_str().unwrap().to_owned();
    (words.join(" "), command.get_envs().filter_map(|(name, value)| Some((text(name), text(value?)))).collect())
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn tree(directory: &Path) {
    fs::create_dir_all(directory.join("a b/c")).unwrap();
    fs::write(directory.join("a b/c/file"), "content").unwrap();
    fs::write(directory.join("empty"), "").unwrap();
    fs::write(directory.join("large"), vec![7; 3 << 20]).unwrap();
}

#[test]
fn rsync_goes_both_ways_and_what_it_brings_is_the_users() {
    let nas = nas_with_anna();
    let (ssh, environment) = as_text(&anna(&nas));
    let (here, back) = (nas.world.client_file("here"), nas.world.client_file("back"));
    tree(&here);
    let rsync = |arguments: &[&str]| {
        succeeds(Command::new("rsync").args(["-a", "-e", &ssh]).args(arguments).envs(environment.clone()))
    };
    rsync(&[&format!("{}/", here.display()), "127.0.0.1:there/"]);
    rsync(&["127.0.0.1:there/", &format!("{}/", back.display())]);
    succeeds(Command::new("diff").arg("-r").args([&here, &back]));
    assert_eq!(says(&nas, "stat -c %U there/large"), "anna\n");
}

#[test]
fn git_clones_pushes_and_fetches() {
    let nas = nas_with_anna();
    says(&nas, "git init -q --bare -b main project.git");
    let (ssh, environment) = as_text(&anna(&nas));
    let work = nas.world.client_file("work");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]).args(arguments);
        succeeds(command.env("GIT_SSH_COMMAND", &ssh).envs(environment.clone()).env("HOME", nas.world.client_file("")));
    };
    let at = work.to_str().unwrap();
    git(&["clone", "-q", "ssh://127.0.0.1/~/project.git", at]);
    fs::write(work.join("file"), "first\n").unwrap();
    git(&["-C", at, "add", "file"]);
    git(&["-C", at, "commit", "-q", "-m", "first"]);
    git(&["-C", at, "push", "-q", "origin", "HEAD:main"]);
    git(&["-C", at, "fetch", "-q", "origin"]);
    assert_eq!(says(&nas, "git -C project.git log --format=%s main"), "first\n");
}

#[test]
fn ssh_copy_id_puts_a_key_where_it_counts() {
    let nas = nas_with_anna();
    let (key, public) = nas.world.make_key("key", "ed25519");
    let client = anna(&nas);
    let prepared = client.prepare("ssh-copy-id");
    let mut command = Command::new("ssh-copy-id");
    // It takes options of ssh by -o alone.
    let options: Vec<_> = prepared.get_args().skip(2).collect();
    command.args(["-f", "-i"]).arg(key.with_extension("pub")).args(options).arg("127.0.0.1");
    command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    fs::create_dir_all(nas.world.client_file(".ssh")).unwrap();
    command.env("HOME", nas.world.client_file(""));
    succeeds(&mut command);
    assert_eq!(fs::read_to_string(nas.disk.path("/mnt/tank/home/anna/.ssh/authorized_keys")).unwrap().trim(), public);
    let (status, out, err) = heard(&nas.world.with_key("anna", &key).ssh(&["echo in"]));
    assert_eq!((status, out.as_str()), (Some(0), "in\n"), "{err}");
}
