//! SSH keys: rows with titles, and lines of the real file.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use serde_json::{Value, json};

use super::Server;
use crate::world::wait_for;

const FILE: &str = "mnt/tank/anna/.ssh/authorized_keys";
const SFTP: i32 = 1024;

struct Keys {
    server: Server,
    token: String,
    id: u64,
}

impl Keys {
    fn start() -> Self {
        let server = Server::start();
        let id = server.create("anna", json!({"permission": SFTP}));
        let token = server.log_in("anna", "anna");
        Self { server, token, id }
    }

    fn add(&self, title: &str, key: &str) -> super::Said {
        self.server.post("/api/me/sshkey/add", &self.token, &json!({"title": title, "key": key}))
    }

    fn list(&self) -> Vec<Value> {
        self.server.get("/api/me/sshkey/list", &self.token).data()["content"].as_array().unwrap().clone()
    }

    fn titles(&self) -> Vec<String> {
        self.list().iter().map(|key| key["title"].as_str().unwrap().to_owned()).collect()
    }

    fn delete(&self, id: &Value) -> super::Said {
        self.server.post(&format!("/api/me/sshkey/delete?id={id}"), &self.token, &json!({}))
    }

    fn write(&self, text: &[u8]) {
        let path = self.server.disk.0.join(FILE);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let owner = fs::metadata(self.server.disk.0.join("mnt/tank/anna")).unwrap();
        for path in [path.parent().unwrap(), &path] {
            std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
    }

    fn text(&self) -> Vec<u8> {
        fs::read(self.server.disk.0.join(FILE)).unwrap()
    }
}

#[test]
fn a_key_is_a_line_with_a_title_and_lets_its_user_in() {
    let keys = Keys::start();
    let (file, public) = keys.server.world.make_key("key", "ed25519");
    for (title, key) in [("", "x"), ("t", "")] {
        keys.add(title, key).is_error(400, "request invalid");
    }
    for bad in ["x", "ssh-ed25519 AAAA", "# a comment", &format!("{public}\n{public}")] {
        keys.add("t", bad).is_error(400, "provided key invalid");
    }
    keys.add("laptop", &public).succeeds();
    keys.add("laptop", &public).is_error(500, "key with the same title already exists");
    keys.add("the same again", &public).succeeds();
    assert_eq!(keys.titles(), ["laptop", "the same again"]);
    assert_eq!(String::from_utf8(keys.text()).unwrap(), format!("{0}\n{0}\n", public.trim()));
    let shown = keys.list()[0].clone();
    assert_eq!(shown["added_time"], shown["last_used_time"]);
    let fingerprint = std::process::Command::new("ssh-keygen").arg("-lf").arg(&file).output().unwrap();
    let fingerprint = String::from_utf8(fingerprint.stdout).unwrap();
    assert_eq!(shown["fingerprint"].as_str(), fingerprint.split(' ').nth(1));
    // An offer alone is no use.
    let used = || keys.list()[0]["last_used_time"].clone();
    keys.server.world.with_key("anna", &file).sftp("ls\n");
    wait_for("the use of the key", || used() != shown["last_used_time"]);
    keys.delete(&shown["id"]).succeeds();
    assert_eq!(keys.titles(), ["the same again"]);
    assert_eq!(String::from_utf8(keys.text()).unwrap(), format!("{}\n", public.trim()));
    keys.delete(&shown["id"]).is_error(404, "failed to get public key");
    let page = keys.server.get("/api/me/sshkey/list?page=2&per_page=1", &keys.token).data();
    assert_eq!(page, json!({"content": [], "total": 1}));
}

#[test]
fn what_is_done_by_hand_is_seen_and_every_other_byte_stays() {
    let keys = Keys::start();
    let key =
        |name: &str| keys.server.world.make_key(name, "ed25519").1.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let (one, two, three) = (key("one"), key("two"), key("three"));
    let before =
        [b"# by hand\r\n\n  \tgarbage \xff\xfe\nfrom=\"10.0.0.0/8\",no-pty ", one.as_bytes(), b" caf\xe9\r\n"].concat();
    let after = [three.as_bytes(), b" \n\n# no newline at the end"].concat();
    keys.write(&[&before[..], two.as_bytes(), b" anna@laptop\n", &after].concat());
    let list = keys.list();
    let titles: Vec<&str> = list.iter().map(|key| key["title"].as_str().unwrap()).collect();
    assert_eq!(titles[1], "anna@laptop");
    assert_eq!(titles[2], list[2]["fingerprint"], "nothing to call it by");
    keys.delete(&list[1]["id"]).succeeds();
    assert_eq!(keys.text(), [&before[..], &after].concat());
    keys.add("added", &two).succeeds();
    assert_eq!(keys.text(), [&before[..], &after, b"\n", two.as_bytes(), b"\n"].concat());
    assert_eq!(keys.titles().last().unwrap(), "added");
    // Deleted by hand, it vanishes; the others keep their numbers.
    let kept = keys.list()[0]["id"].clone();
    keys.write(&before);
    assert_eq!(keys.list().iter().map(|key| key["id"].clone()).collect::<Vec<_>>(), [kept]);
    keys.write(format!("{two} same\n{three} same\n").as_bytes());
    assert_eq!(keys.titles(), ["same", "same (2)"]);
    // The same key is known again after the agent was started again.
    let list = keys.list();
    keys.server.restart_agent();
    let token = keys.server.log_in("anna", "anna");
    let again = keys.server.get("/api/me/sshkey/list", &token).data()["content"].clone();
    assert_eq!(again, json!(list));
}

#[test]
fn administrators_see_and_delete_keys_and_nobody_else_does() {
    let keys = Keys::start();
    let (_, public) = keys.server.world.make_key("key", "ed25519");
    keys.add("t", &public).succeeds();
    let id = keys.list()[0]["id"].clone();
    keys.server.create("berta", json!({}));
    let berta = keys.server.log_in("berta", "berta");
    let said = keys.server.post(&format!("/api/me/sshkey/delete?id={id}"), &berta, &json!({}));
    said.is_error(404, "failed to get public key");
    let admin = &keys.server.admin;
    let of_admin = keys.server.post(&format!("/api/me/sshkey/delete?id={id}"), admin, &json!({}));
    of_admin.is_error(404, "failed to get public key");
    let list = keys.server.get(&format!("/api/admin/user/sshkey/list?uid={}", keys.id), admin).data();
    assert_eq!(list["content"][0]["title"], "t");
    keys.server.post(&format!("/api/admin/user/sshkey/delete?id={id}&uid=1"), admin, &json!({})).succeeds();
    assert!(keys.list().is_empty() && keys.text().is_empty());
    // With its user, a key goes; the number is not given again.
    keys.add("t", &public).succeeds();
    let second = keys.list()[0]["id"].clone();
    assert!(second.as_u64() > id.as_u64());
    keys.server.post(&format!("/api/admin/user/delete?id={}", keys.id), admin, &json!({})).succeeds();
    keys.server.post(&format!("/api/admin/user/sshkey/delete?id={second}"), admin, &json!({})).succeeds();
}

#[test]
fn a_directory_of_keys_that_leads_elsewhere_is_left_alone() {
    let keys = Keys::start();
    let elsewhere = keys.server.disk.0.join("root/.ssh");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("authorized_keys"), "# root's\n").unwrap();
    symlink("/root/.ssh", keys.server.disk.0.join("mnt/tank/anna/.ssh")).unwrap();
    let (_, public) = keys.server.world.make_key("key", "ed25519");
    let said = keys.add("t", &public);
    assert_eq!(said.code, 400, "{}", said.message);
    assert_eq!(fs::read_to_string(elsewhere.join("authorized_keys")).unwrap(), "# root's\n");
    assert!(keys.list().is_empty());
}
