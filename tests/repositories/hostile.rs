//! What somebody who may write a repository puts into it runs as nobody else, and leads nobody elsewhere.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use super::{Stage, said, succeeds};

/// As berta, who may write `r`.
fn as_berta(stage: &Stage, script: &str) {
    succeeds(&stage.nas.world.exec(&["runuser", "-u", "berta", "--", "sh", "-ec", script]));
}

/// A program that says that it has run, and as whom.
fn planted(stage: &Stage) {
    let program = stage.nas.disk.path("/tmp/evil");
    fs::write(&program, "#!/bin/sh\nid -un >> /tmp/ran\ncat >/dev/null 2>&1\nexit 0\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(stage.nas.disk.path("/tmp/ran"), "").unwrap();
    fs::set_permissions(stage.nas.disk.path("/tmp/ran"), fs::Permissions::from_mode(0o666)).unwrap();
}

#[track_caller]
fn nothing_has_run(stage: &Stage) {
    assert_eq!(fs::read_to_string(stage.nas.disk.path("/tmp/ran")).unwrap(), "");
}

#[test]
fn hooks_and_settings_that_a_writer_of_git_plants_do_not_run() {
    let stage = Stage::start();
    planted(&stage);
    stage.create("r", "git", &json!({}));
    stage.grant("r", &json!({"user": "berta"}), "write");
    stage.clone_and_push("anna", "r", "one");
    as_berta(
        &stage,
        "cd /mnt/tank/repositories/r\n! echo x >> config\nmv hooks hooks.old\nmkdir hooks\n\
         for hook in pre-receive update post-receive post-update reference-transaction push-to-checkout proc-receive; \
         do ln -s /tmp/evil hooks/$hook; done\n\
         mv config config.old\n\
         cat > config <<'END'\n[core]\n\trepositoryformatversion = 1\n\tfsmonitor = /tmp/evil\n\
         \thooksPath = /mnt/tank/repositories/r/hooks\n\tsshCommand = /tmp/evil\n\tgitProxy = /tmp/evil\n\
         \tpager = /tmp/evil\n\taskPass = /tmp/evil\n\talternateRefsCommand = /tmp/evil\n\tattributesFile = /tmp/a\n\
         [uploadpack]\n\tpackObjectsHook = /tmp/evil\n[filter \"x\"]\n\tsmudge = /tmp/evil\n\tprocess = /tmp/evil\n\
         [tar \"tgz\"]\n\tcommand = /tmp/evil\n\tremote = true\n[tar \"zip\"]\n\tcommand = /tmp/evil\n\tremote = true\n\
         [gpg]\n\tprogram = /tmp/evil\n[receive]\n\tautogc = true\n\tcertNonceSeed = x\n\tprocReceiveRefs = refs/\n\
         [gc]\n\tauto = 1\n[credential]\n\thelper = /tmp/evil\n\
         [extensions]\n\tpartialClone = e\n[remote \"e\"]\n\tpromisor = true\n\turl = /tmp\n\tuploadpack = /tmp/evil\n\
         END\nmkdir -p info\necho '* filter=x' > info/attributes\n\
         git init -q --bare /tmp/alternate\necho /tmp/alternate/objects > objects/info/alternates\n",
    );
    let clone = stage.clone_and_push("anna", "r", "two");
    for format in ["tar", "tgz", "zip"] {
        let archive = [
            "archive",
            &format!("--remote={}", stage.url("anna", "r")),
            &format!("--format={format}"),
            "-o",
            "/dev/null",
            "main",
        ];
        succeeds(&stage.git("anna", &clone, &archive));
    }
    // An object that is missing is not fetched from where the settings say.
    as_berta(&stage, "echo 0123456789012345678901234567890123456789 > /mnt/tank/repositories/r/refs/heads/lost");
    let _ = stage.git("anna", &clone, &["fetch", "-q", "origin"]);
    nothing_has_run(&stage);
}

#[test]
fn settings_that_a_writer_of_hg_plants_do_not_run_also_where_the_file_is_the_victims() {
    let stage = Stage::start();
    planted(&stage);
    stage.create("r", "hg", &json!({}));
    stage.grant("r", &json!({"user": "berta"}), "write");
    let clone = stage.local("annas");
    let url = stage.url("anna", "r");
    let push = |file: &str| {
        fs::write(clone.join(file), file).unwrap();
        succeeds(&stage.hg("anna", &clone, &["commit", "-q", "-A", "-m", file]));
        succeeds(&stage.hg("anna", &clone, &["push", "-q", "-B", "mark"]));
    };
    succeeds(&stage.hg("anna", &stage.local(""), &["clone", "-q", &url, clone.to_str().unwrap()]));
    succeeds(&stage.hg("anna", &clone, &["bookmark", "mark"]));
    push("one");
    // Files that anna has made are anna's, and berta may write and rename them.
    let hgrc = "[hooks]\nchangegroup = /tmp/evil\nprechangegroup = /tmp/evil\nincoming = /tmp/evil\n\
                [extensions]\nevil = /tmp/evil.py\n";
    fs::write(stage.nas.disk.path("/tmp/hgrc"), hgrc).unwrap();
    fs::set_permissions(stage.nas.disk.path("/tmp/hgrc"), fs::Permissions::from_mode(0o644)).unwrap();
    as_berta(
        &stage,
        "cd /mnt/tank/repositories/r/.hg\nfile=$(find . -type f -user anna -perm -060 ! -name requires | head -1)\n\
         test -n \"$file\"\ncat /tmp/hgrc > \"$file\"\nmv \"$file\" hgrc.new\nmv hgrc hgrc.old\nmv hgrc.new hgrc\n\
         test \"$(stat -c %U hgrc)\" = anna\n",
    );
    let output = stage.hg("anna", &clone, &["identify", "--id", &url]);
    drop(output);
    fs::write(clone.join("two"), "two").unwrap();
    succeeds(&stage.hg("anna", &clone, &["commit", "-q", "-A", "-m", "two"]));
    let _ = stage.hg("anna", &clone, &["push", "-q"]);
    nothing_has_run(&stage);
}

#[test]
fn links_in_the_root_and_in_repositories_lead_nowhere() {
    let stage = Stage::start();
    stage.create("r", "git", &json!({}));
    stage.create("victim", "git", &json!({}));
    stage.grant("r", &json!({"user": "berta"}), "write");
    stage.clone_and_push("anna", "victim", "secret");
    symlink("victim", stage.disk("link")).unwrap();
    symlink("/mnt/tank/home", stage.disk("out")).unwrap();
    assert!(!stage.can_read("anna", "link"));
    let answer = stage.nas.rest.post("/repositories", r#"{"name": "out/anna/x", "kind": "git", "owner": "anna"}"#);
    assert_eq!(answer.status, 409, "{}", answer.body);
    let answer = stage.nas.rest.post("/repositories", r#"{"name": "link", "kind": "git", "owner": "anna"}"#);
    assert_eq!(answer.status, 409, "{}", answer.body);
    // Parts of another repository in place of this one's.
    as_berta(&stage, "cd /mnt/tank/repositories/r\nmv refs refs.old\nln -s ../victim/refs refs");
    let output = stage.git("anna", &stage.local(""), &["ls-remote", &stage.url("anna", "r")]);
    assert!(!output.status.success(), "{}", said(&output));
}

#[test]
fn a_grant_follows_nothing_that_is_swapped_meanwhile() {
    let stage = Stage::start();
    stage.create("r", "git", &json!({}));
    stage.grant("r", &json!({"user": "berta"}), "write");
    let secret = stage.nas.disk.path("/mnt/tank/home/anna/secret");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let before = stage.nas.world.run(&["getfacl", "-R", "--absolute-names", "/mnt/tank/home/anna"]);
    let swapping = "cd /mnt/tank/repositories/r/objects; mkdir -p d/e; touch f\n\
                    while test ! -e /tmp/stop; do\n\
                    mv d d.old; ln -s /mnt/tank/home/anna d; rm d; mv d.old d\n\
                    mv f f.old; ln -s /mnt/tank/home/anna/secret f; rm f; mv f.old f\n\
                    mv d/e e; mv e d/e; done";
    let mut command = stage.nas.world.inside(&["runuser", "-u", "berta", "--", "sh", "-c", swapping]);
    let _swapping = crate::running::Running::start(command.stderr(std::process::Stdio::null()));
    for access in ["read", "write", "none", "write", "read"] {
        stage.grant("r", &json!({"user": "carla"}), access);
    }
    fs::write(stage.nas.disk.path("/tmp/stop"), "").unwrap();
    let after = stage.nas.world.run(&["getfacl", "-R", "--absolute-names", "/mnt/tank/home/anna"]);
    assert_eq!(after, before);
}
