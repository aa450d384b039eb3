//! Accounts that were made over this API log in, as themselves, with their home as the root directory.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::Server;

#[test]
fn the_home_is_the_root_and_files_are_the_users() {
    let server = Server::start();
    server.create(r#"{"username":"anna","password":"pw","home_dir":"/mnt/tank/anna","permissions":["*"]}"#);
    let anna = server.world.with_password("anna", "pw");
    fs::write(server.world.client_file("sent"), "sent").unwrap();
    assert!(anna.sftp("pwd\n").contains("Remote working directory: /\n"));
    anna.sftp("put sent /report\n");
    assert!(anna.sftp_fails("ls /mnt/tank\n").contains("not found"), "nothing of the machine is seen");
    let status = fs::metadata(server.disk.path("/mnt/tank/anna/report")).unwrap();
    let uid: u32 = server.disk.field("/etc/passwd", "anna", 2).parse().unwrap();
    assert_eq!((status.uid(), status.len()), (uid, 4));
    assert!(uid >= 3000, "a number of its own, {uid}");
    assert!(!anna.ssh(&["id"]).status.success(), "there is no shell");
}

#[test]
fn a_key_lets_in_and_goes_when_it_is_taken() {
    let server = Server::start();
    let (key, line) = server.world.make_key("id", "ed25519");
    let body = json!({"username": "anna", "home_dir": "/mnt/tank/anna", "permissions": ["*"], "public_keys": [line]});
    let id = server.create(&body.to_string());
    assert_eq!(server.disk.text("/mnt/tank/anna/.ssh/authorized_keys"), format!("{line}\n"));
    assert_eq!(server.disk.field("/etc/shadow", "anna", 1), "*");
    let anna = server.world.with_key("anna", &key);
    assert!(anna.logs_in());
    let path = format!("/user/{id}");
    server.rest.put(&path, r#"{"public_keys":[],"password":"pw"}"#).status_is(200);
    assert!(!anna.logs_in());
    assert!(server.world.with_password("anna", "pw").logs_in());
}

#[test]
fn hashes_let_in_who_knows_the_password() {
    let server = Server::start();
    let pbkdf2 = "$pbkdf2-sha256$150000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=";
    let bcrypt = "$2a$14$ajq8Q7fbtFRQvXpdCq7Jcuy.Rx1h/L4J60Otx.gyNLbAYctGMJ9tK";
    for (name, hash, password, shadow) in [("kept", pbkdf2, "password", "*"), ("crypt", bcrypt, "secret", bcrypt)] {
        let home = format!("/mnt/tank/{name}");
        let body = json!({"username": name, "password": hash, "home_dir": home, "permissions": ["*"]});
        server.create(&body.to_string());
        assert_eq!(server.disk.field("/etc/shadow", name, 1), shadow);
        assert!(server.world.with_password(name, password).logs_in(), "{name}");
        assert!(!server.world.with_password(name, hash).logs_in(), "{name}");
    }
}

#[test]
fn a_hash_takes_the_place_of_a_password_and_nothing_of_that_stays() {
    let server = Server::start();
    let id = server.create(r#"{"username":"anna","password":"old","home_dir":"/mnt/tank/anna","permissions":["*"]}"#);
    let lets_in = |password: &str| server.world.with_password("anna", password).logs_in();
    assert!(lets_in("old") && server.disk.line("/etc/samba/smbpasswd", "anna").is_some());
    let bcrypt = "$2a$14$ajq8Q7fbtFRQvXpdCq7Jcuy.Rx1h/L4J60Otx.gyNLbAYctGMJ9tK";
    let path = format!("/user/{id}");
    server.rest.put(&path, &json!({"password": bcrypt}).to_string()).status_is(200);
    assert_eq!(server.disk.field("/etc/shadow", "anna", 1), bcrypt);
    assert_eq!(server.disk.line("/etc/samba/smbpasswd", "anna"), None, "Samba would let the old one in");
    assert!(lets_in("secret") && !lets_in("old"));
    let pbkdf2 = "$pbkdf2-sha256$150000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=";
    server.rest.put(&path, &json!({"password": pbkdf2}).to_string()).status_is(200);
    assert_eq!(server.disk.field("/etc/shadow", "anna", 1), "*");
    assert_eq!(server.rest.get(&path).object(200)["own_password"], json!(true));
    assert!(lets_in("password") && !lets_in("secret"));
}
