//! Tokens: how one is got, what it opens, and when it is over.

use std::process::Command;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Said, Server};
use crate::two_factor::Authenticator;
use crate::world::{PASSWORD, World};

/// What AList's clients make of a password.
pub fn digest(password: &str) -> String {
    let hash = Sha256::digest(format!("{password}-https://github.com/alist-org/alist"));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

const WRONG: &str = "Invalid username or password";

#[test]
fn a_token_is_got_by_a_password_in_either_form() {
    let server = Server::start();
    assert_eq!(digest("admin"), "6fcb57cd10b2c11d765dcf16148d99130afd895082af83725ee8bb181b1d2b0f");
    server.create("anna", json!({}));
    let hashed =
        server.post("/api/auth/login/hash", "", &json!({"username": "anna", "password": digest("anna")})).data();
    let token = hashed["token"].as_str().unwrap();
    let me = server.get("/api/me", token).data();
    assert_eq!((&me["username"], &me["otp"], &me["password"]), (&json!("anna"), &json!(false), &json!("")));
    let claims = Command::new("python3")
        .args(["-c", "import base64,sys; p=sys.argv[1].split('.')[1]; print(base64.urlsafe_b64decode(p+'=='[:-len(p)%4]).decode())", token])
        .output()
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims.stdout).unwrap();
    assert_eq!(claims["username"], "anna");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 48 * 3600);
    for (path, body) in [
        ("/api/auth/login", json!({"username": "anna", "password": "wrong"})),
        ("/api/auth/login", json!({"username": "anna"})),
        ("/api/auth/login", json!({"username": "nobody", "password": "anna"})),
        ("/api/auth/login", json!({"username": "anna", "password": digest("anna")})),
        ("/api/auth/login/hash", json!({"username": "anna", "password": "anna"})),
        ("/api/auth/login/hash", json!({"username": "anna", "password": digest("x")})),
        ("/api/auth/login", json!({"username": "guest", "password": "guest"})),
        ("/api/auth/login", json!({"username": "daemon", "password": ""})),
    ] {
        server.post(path, "", &body).is_error(401, WRONG);
    }
    let missing = "Key: 'LoginReq.Username' Error:Field validation for 'Username' failed on the 'required' tag";
    server.post("/api/auth/login", "", &json!({"password": "x"})).is_error(400, missing);
    server.post("/api/auth/login/ldap", "", &json!({})).is_error(403, "ldap is not enabled");
}

#[test]
fn a_token_is_over_with_a_logout_and_with_what_changes_its_account() {
    let server = Server::start();
    let admin = server.admin.clone();
    let id = server.create("anna", json!({}));
    let over = |token: &str, what: &str| {
        let said = server.get("/api/me", token);
        assert_eq!((said.code, said.data.is_null()), (401, true), "{what}: {}", said.message);
    };
    for garbage in ["x", "a.b.c", &format!("Bearer {admin}"), &"0".repeat(40), &format!("{admin}x")] {
        server.get("/api/me", garbage).is_error(401, "token is invalidated");
    }
    let token = server.log_in("anna", "anna");
    server.get("/api/auth/logout", &token).succeeds();
    server.get("/api/me", &token).is_error(401, "token is invalidated");
    server.get("/api/auth/logout", "").succeeds();
    let update = |more: serde_json::Value| {
        let mut body = json!({"id": id, "username": "anna", "role": 0});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/api/admin/user/update", &admin, &body)
    };
    let token = server.log_in("anna", "anna");
    // What changes nothing of the sort leaves it.
    update(json!({"sso_id": "x"})).succeeds();
    server.get("/api/me", &token).data();
    update(json!({"password": "anna"})).succeeds();
    over(&token, "a password");
    let token = server.log_in("anna", "anna");
    update(json!({"disabled": true})).succeeds();
    over(&token, "disabled");
    server.post("/api/auth/login", "", &json!({"username": "anna", "password": "anna"})).is_error(401, WRONG);
    update(json!({})).succeeds();
    let token = server.log_in("anna", "anna");
    server.world.run(&["sh", "-c", "echo anna:by-hand | chpasswd --crypt-method SHA512"]);
    over(&token, "passwd(1)");
    let token = server.log_in("anna", "by-hand");
    server.post(&format!("/api/admin/user/delete?id={id}"), &admin, &json!({})).succeeds();
    over(&token, "deleted");
}

#[test]
fn who_may_not_is_told_so() {
    let server = Server::start();
    server.create("anna", json!({}));
    let token = server.log_in("anna", "anna");
    for (method, path) in [
        ("GET", "/api/admin/user/list"),
        ("GET", "/api/admin/user/get?id=9"),
        ("POST", "/api/admin/user/create"),
        ("POST", "/api/admin/user/update"),
        ("POST", "/api/admin/user/delete?id=9"),
        ("POST", "/api/admin/user/cancel_2fa?id=9"),
        ("POST", "/api/admin/user/del_cache?username=admin"),
        ("GET", "/api/admin/user/sshkey/list?uid=9"),
        ("POST", "/api/admin/user/sshkey/delete?id=1"),
    ] {
        Said::of(&server.ask(method, path, &token, Some("{}"))).is_error(403, "You are not an admin");
        Said::of(&server.ask(method, path, "", Some("{}"))).is_error(401, "Guest user is disabled, login please");
    }
}

#[test]
fn the_guest_is_whoever_shows_nothing_once_it_is_enabled() {
    let server = Server::start();
    let guest = server.shown("guest");
    assert_eq!((&guest["role"], &guest["disabled"], &guest["permission"]), (&json!(1), &json!(true), &json!(0)));
    let body = json!({"id": guest["id"], "username": "guest", "role": 1, "permission": 256});
    server.post("/api/admin/user/update", &server.admin, &body).succeeds();
    let me = server.get("/api/me", "").data();
    assert_eq!((&me["username"], &me["role"], &me["permission"]), (&json!("guest"), &json!(1), &json!(256)));
    server.get("/api/admin/user/list", "").is_error(403, "You are not an admin");
    server.post("/api/me/update", "", &json!({"username": "guest"})).is_error(403, "Guest user can not update profile");
    server.post("/api/auth/2fa/generate", "", &json!({})).is_error(403, "Guest user can not generate 2FA code");
    let verify = json!({"code": "1", "secret": "A"});
    server.post("/api/auth/2fa/verify", "", &verify).is_error(403, "Guest user can not generate 2FA code");
    server.get("/api/me/sshkey/list", "").is_error(401, "user invalid");
    server.post("/api/me/sshkey/add", "", &json!({"title": "t", "key": "k"})).is_error(401, "user invalid");
    server.post("/api/me/sshkey/delete?id=1", "", &json!({})).is_error(401, "user invalid");
}

#[test]
fn an_api_key_stands_where_alist_has_its_fixed_token() {
    let server = Server::start();
    let id = server.id("admin");
    let v2 = crate::rest::Rest::v2(&server.world.api(), "admin", PASSWORD);
    let key = v2.post(&format!("/users/{id}/api-keys"), "{\"name\":\"for alist\"}").object(201)["key"].clone();
    let key = key.as_str().unwrap();
    assert_eq!(server.get("/api/me", key).data()["username"], "admin");
    assert_eq!(server.get("/api/admin/user/list", key).data()["total"], 2);
    // It makes no other way into its own account.
    let said = server.post("/api/me/update", key, &json!({"username": "admin", "password": "other"}));
    assert_eq!(said.code, 403, "{}", said.message);
    server.get("/api/auth/logout", key).succeeds();
    server.get("/api/me", key).data();
}

#[test]
fn a_second_factor_is_enrolled_asked_for_and_taken_away() {
    let server = Server::start();
    let id = server.create("anna", json!({}));
    let token = server.log_in("anna", "anna");
    let begun = server.post("/api/auth/2fa/generate", &token, &json!({})).data();
    let picture = begun["qr"].as_str().unwrap();
    let decoded = Command::new("python3")
        .args(["-c", "import base64,struct,sys,zlib\n\
                      d=base64.b64decode(sys.argv[1].split(',',1)[1]); assert d[:8]==b'\\x89PNG\\r\\n\\x1a\\n'; p=8; rows=b''\n\
                      while p<len(d):\n \
                       n,=struct.unpack('>I',d[p:p+4]); k=d[p+4:p+8]; c=d[p+8:p+8+n]\n \
                       assert struct.unpack('>I',d[p+8+n:p+12+n])[0]==zlib.crc32(k+c)\n \
                       if k==b'IHDR': print(*struct.unpack('>II',c[:8]))\n \
                       if k==b'IDAT': rows+=c\n \
                       p+=12+n\n\
                      print(len(zlib.decompress(rows)))", picture])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&decoded.stdout),
        "400 400\n20400\n",
        "{}",
        String::from_utf8_lossy(&decoded.stderr)
    );
    let secret = begun["secret"].as_str().unwrap();
    let authenticator = Authenticator::new(secret);
    let verify = |code: &str, secret: &str| {
        server.post("/api/auth/2fa/verify", &token, &json!({"code": code, "secret": secret}))
    };
    let tag = |member: &str| {
        format!("Key: 'Verify2FAReq.{member}' Error:Field validation for '{member}' failed on the 'required' tag")
    };
    verify("", "").is_error(400, &format!("{}\n{}", tag("Code"), tag("Secret")));
    verify(&authenticator.wrong(), secret).is_error(400, "Invalid 2FA code");
    assert_eq!(
        verify(&authenticator.code(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").code,
        400,
        "a secret that was not begun"
    );
    verify(&authenticator.code(), secret).succeeds();
    let login = |code: Option<&str>| {
        let mut body = json!({"username": "anna", "password": "anna"});
        if let Some(code) = code {
            body["otp_code"] = code.into();
        }
        server.post("/api/auth/login", "", &body)
    };
    login(None).is_error(402, "Invalid 2FA code");
    login(Some("")).is_error(402, "Invalid 2FA code");
    login(Some(&authenticator.wrong())).is_error(402, "Invalid 2FA code");
    let hashed = json!({"username": "anna", "password": digest("anna")});
    server.post("/api/auth/login/hash", "", &hashed).is_error(402, "Invalid 2FA code");
    let token = login(Some(&authenticator.code())).data()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/api/me", &token).data()["otp"], true);
    for _ in 0..2 {
        server.post(&format!("/api/admin/user/cancel_2fa?id={id}"), &server.admin, &json!({})).succeeds();
    }
    login(None).data();
}

#[test]
fn whoever_fails_too_often_is_turned_away() {
    let server = Server::of(World::start_with(
        "[alist]\nenabled = true\n[bans]\nignore = []\nfree_attempts = 1\nban_after = 4\n",
    ));
    server.create("anna", json!({}));
    let told = "Too many unsuccessful sign-in attempts have been made using an incorrect username or password, Try again later.";
    let wrong = || server.post("/api/auth/login", "", &json!({"username": "anna", "password": "wrong"}));
    let codes: Vec<i64> = (0..6).map(|_| wrong().code).collect();
    assert_eq!(codes.last(), Some(&429), "{codes:?}");
    wrong().is_error(429, told);
}
