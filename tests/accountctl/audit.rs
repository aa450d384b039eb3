//! `accountctl audit`.

use std::fs;

use serde_json::json;

use crate::v2::Nas;
use crate::world::World;

#[test]
fn what_root_does_on_the_machine_is_recorded_as_local() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--uid", "3001"]);
    let record = &nas.json(&["audit", "list", "--target", "anna"])["items"][0];
    let root = nas.rest.get("/users/root").value()["id"].clone();
    assert_eq!(record["actor"], json!({"kind": "caller", "id": root, "name": "root", "source": null, "api_key": null}));
    let line = nas.done(&["audit", "list", "--by", "root", "--target", "anna", "--action", "create_user"]);
    assert!(line.contains("\troot\tlocal\tcreate_user\tanna\tdone\t") && line.contains("uid: - -> 3001"), "{line}");
    assert_eq!(line.lines().count(), 1);
    nas.rest.as_user("anna", "wrong").get("/users").status_is(401);
    let refused = nas.done(&["audit", "list", "--outcome", "refused"]);
    assert!(refused.contains("\tanna\t127.0.0.1\topen_handle\t"), "{refused}");
    assert_eq!(nas.done(&["audit", "list", "--to", "2000-01-01T00:00:00Z"]), "");
    nas.ctl(&["audit", "list", "--from", "yesterday"]).fails(1, &["--from", "Correct this"]);
    let all = nas.json(&["audit", "list", "--from", "2000-01-01T00:00:00Z"])["items"].as_array().unwrap().len();
    let one = nas.json(&["audit", "list", "--limit", "1"]);
    assert!(all > 1 && one["items"].as_array().unwrap().len() == 1 && one["next"].is_string(), "{all}");
    let next = nas.json(&["audit", "list", "--limit", "1", "--cursor", one["next"].as_str().unwrap()]);
    assert!(next["items"][0]["sequence"].as_u64() < one["items"][0]["sequence"].as_u64());
}

#[test]
fn a_trail_that_is_not_whole_is_exit_status_one() {
    let nas = Nas::of(World::start_with("[audit]\nfile_records = 5\nkeep_files = 50\n"));
    for number in 0..20 {
        nas.done(&["user", "add", &format!("user{number}"), "--full-name", "Some One"]);
    }
    let whole = nas.done(&["audit", "verify"]);
    assert!(whole.starts_with("whole\tyes\nfirst\t1\n"), "{whole}");
    let mut files: Vec<_> =
        fs::read_dir(nas.disk.path("/var/lib/accountd/audit")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let text = fs::read_to_string(&files[1]).unwrap();
    nas.world.damages_the_audit_trail();
    fs::write(&files[1], text.replacen("Some One", "Sone One", 1)).unwrap();
    let said = nas.ctl(&["audit", "verify"]);
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.out.starts_with("whole\tno\n") && said.err.contains("not whole"), "{said:?}");
    assert!(said.out.contains("not what it was"), "{said:?}");
}
