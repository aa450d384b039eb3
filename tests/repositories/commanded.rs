//! The same by accountctl.

use std::os::unix::fs::PermissionsExt;

use super::Stage;

#[test]
fn accountctl_makes_gives_shows_and_removes() {
    let stage = Stage::start();
    let nas = &stage.nas;
    let uri = stage.local("uri");
    std::fs::write(&uri, "https://anna:hunter2@h.invalid/x\n").unwrap();
    std::fs::set_permissions(&uri, std::fs::Permissions::from_mode(0o600)).unwrap();
    let made = nas.json(&[
        "repository",
        "create",
        "tools/backup",
        "--owner",
        "anna",
        "--private",
        "true",
        "--description",
        "what we keep",
        "--clone-uri-file",
        uri.to_str().unwrap(),
    ]);
    assert_eq!((&made["kind"], &made["clone_uri"]), (&"git".into(), &"https://***@h.invalid/x".into()));
    nas.done(&["repository", "grant", "tools/backup", "berta", "--access", "write"]);
    nas.done(&["repository", "grant", "tools/backup", "--others", "--access", "read"]);
    let grants = nas.done(&["repository", "grants", "tools/backup"]);
    assert_eq!(grants, "user berta\twrite\nothers\tread\n");
    assert!(stage.acl("tools/backup").contains("user:berta:rwx"));
    nas.done(&["repository", "revoke", "tools/backup", "berta"]);
    nas.done(&["repository", "update", "tools/backup", "--private", "true", "--no-clone-uri"]);
    let shown = nas.json(&["repository", "show", "tools/backup"]);
    assert_eq!((&shown["private"], &shown["clone_uri"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(nas.json(&["repository", "list"])["items"].as_array().map(Vec::len), Some(1));
    nas.ctl(&["repository", "pull", "tools/backup"]).fails(1, &["nowhere to pull from"]);
    nas.ctl(&["repository", "grant", "tools/backup", "nobody-there", "--access", "read"]).fails(1, &["does not exist"]);
    nas.done(&["--yes", "repository", "delete", "tools/backup"]);
    assert!(!stage.disk("tools").exists());
}
