//! Hashes that crypt(5) does not know: accountd alone lets in by them.

use serde_json::json;

use super::{Nas, problem};

/// Of `password`, as argon2(1) and SFTPGo write them.
const ARGON2ID: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
const PBKDF2: &str = "$pbkdf2-sha256$150000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=";

#[test]
fn accountd_lets_in_by_them_and_shadow_holds_nothing() {
    let nas = Nas::start();
    for (name, hash) in [("anna", ARGON2ID), ("berta", PBKDF2)] {
        let home = format!("/mnt/tank/home/{name}");
        let user = nas.post("/users", &json!({"username": name, "password_hash": hash, "home": home}));
        assert_eq!((&user["own_password"], &user["password_disabled"]), (&json!(true), &json!(false)));
        assert_eq!(nas.disk.field("/etc/shadow", name, 1), "*");
        assert_eq!(nas.disk.line("/etc/samba/smbpasswd", name), None);
        assert!(nas.world.with_password(name, "password").logs_in());
        assert!(!nas.world.with_password(name, "Password").logs_in());
        nas.rest.as_user(name, "password").get("/users/~").status_is(200);
        nas.rest.as_user(name, "wrong").get("/users/~").status_is(401);
        assert!(!nas.rest.get(&format!("/users/{name}")).body.contains("$"), "no hash comes out");
    }
    nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
    assert!(!nas.world.with_password("anna", "password").logs_in());
    nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    assert!(nas.world.with_password("anna", "password").logs_in());
    // The next password takes its place, whoever sets it.
    nas.patch("/users/anna", &json!({"password": "other"})).status_is(200);
    nas.world.run(&["sh", "-c", "echo berta:other | chpasswd"]);
    for name in ["anna", "berta"] {
        assert!(!nas.world.with_password(name, "password").logs_in(), "{name}");
        assert!(nas.world.with_password(name, "other").logs_in(), "{name}");
        assert_eq!(nas.rest.get(&format!("/users/{name}")).object(200)["own_password"], json!(false));
    }
    // And so does a hash that is given, of either kind.
    for (hash, own) in [
        (ARGON2ID, true),
        ("$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.", false),
    ] {
        nas.patch("/users/anna", &json!({"password_hash": hash})).status_is(200);
        assert_eq!(nas.rest.get("/users/anna").object(200)["own_password"], json!(own));
        assert_eq!(nas.disk.line("/etc/samba/smbpasswd", "anna"), None);
        assert!(!nas.world.with_password("anna", "other").logs_in());
        assert!(nas.world.with_password("anna", "password").logs_in());
    }
    assert!(nas.disk.field("/etc/shadow", "anna", 1).starts_with("$6$salt$"));
    nas.patch("/users/anna", &json!({"password": "other", "password_hash": ARGON2ID})).status_is(422);
    nas.patch("/users/anna", &json!({"password_disabled": true})).status_is(200);
    assert!(!nas.world.with_password("anna", "password").logs_in());
}

#[test]
fn one_that_can_not_be_verified_or_costs_too_much_is_refused() {
    let nas = Nas::start();
    for hash in [
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ] {
        let answer = nas.rest.post("/users", &json!({"username": "anna", "password_hash": hash}).to_string());
        problem(&answer, 422, "invalid-values", &[("password_hash", "bad_hash")]);
    }
    assert_eq!(nas.disk.line("/etc/passwd", "anna"), None);
}
