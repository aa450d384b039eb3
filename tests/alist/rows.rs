//! The rows of the contract that need nothing but a request.

use serde_json::json;

use super::{Said, Server};

const FAILED: &str = "Error:Field validation for";

#[test]
fn what_is_not_in_the_table_is_a_page_or_nothing() {
    let server = Server::start();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        let pong = server.ask(method, "/ping", "", None);
        assert_eq!((pong.status, pong.body.as_str()), (200, "pong"), "{method}");
        assert_eq!(pong.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    for (method, path) in [
        ("GET", "/api/nothing"),
        ("GET", "/api"),
        ("GET", "/api/auth/login"),
        ("POST", "/api/admin/user/delete_cache?username=admin"),
        ("POST", "/api/me"),
        ("GET", "/api/admin/user/"),
    ] {
        let answer = server.ask(method, path, &server.admin, None);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert!(answer.body.starts_with("<!DOCTYPE html>"));
    }
    for (method, path) in [("PUT", "/api/admin/user/update"), ("DELETE", "/api/me"), ("PATCH", "/api/x")] {
        let answer = server.ask(method, path, &server.admin, Some("{}"));
        assert_eq!((answer.status, answer.body.as_str()), (405, ""), "{method} {path}");
    }
    // Other dialects stay what they are.
    assert_eq!(server.ask("GET", "/api/v1/user", "", None).status, 401);
    assert_eq!(server.ask("GET", "/api/v1.0/account/users/", "", None).status, 401);
    assert_eq!(server.ask("GET", "/api/v2/users", "", None).status, 401);
    assert_eq!(server.ask("GET", "/other", "", None).status, 404);
    let answer = server.ask("OPTIONS", "/api/me", "", None);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("*"));
}

#[test]
fn bodies_are_read_as_a_client_knows_it() {
    let server = Server::start();
    let create = |body: &str, kind: &str| {
        let (authorization, kind) = (format!("Authorization: {}", server.admin), format!("Content-Type: {kind}"));
        let options = ["-H", &authorization, "-H", &kind];
        Said::of(&server.rest.curl("POST", "/api/admin/user/create", &options, Some(body.as_bytes())))
    };
    let required = format!("Key: 'User.Username' {FAILED} 'Username' failed on the 'required' tag");
    let json = "application/json";
    for (body, kind, message) in [
        ("", json, "EOF"),
        ("{\"username\"", json, "unexpected EOF"),
        ("{}", json, &required),
        ("null", json, &required),
        ("{\"username\":\"\"}", json, &required),
        ("{\"username\":\"a\"}", "text/plain", &required),
        ("username=a&Username=a", "application/x-www-form-urlencoded", &required),
        ("[]", json, "json: cannot unmarshal array into Go value of type User"),
        (
            "{\"username\":\"a\",\"role\":\"0\"}",
            json,
            "json: cannot unmarshal string into Go struct field User.role of type int",
        ),
        (
            "{\"username\":\"a\",\"permission\":2147483648}",
            json,
            "json: cannot unmarshal number 2147483648 into Go struct field User.permission of type int32",
        ),
    ] {
        create(body, kind).is_error(400, message);
    }
    let large = format!("{{\"username\":\"a\",\"sso_id\":\"{}\"}}", "x".repeat(2 << 20));
    create(&large, json).is_error(400, "http: request body too large");
    create("{\"USERNAME\":\"upper\",\"nobody knows\":[{}]} and more", "application/json; charset=utf-8").succeeds();
    assert_eq!(server.shown("upper")["role"], 0);
}

#[test]
fn numbers_of_a_query_are_those_of_go() {
    let server = Server::start();
    let admin = &server.admin;
    for (method, path, code, message) in [
        ("GET", "/api/admin/user/get", 400, "strconv.Atoi: parsing \"\": invalid syntax"),
        ("GET", "/api/admin/user/get?id=abc", 400, "strconv.Atoi: parsing \"abc\": invalid syntax"),
        ("GET", "/api/admin/user/get?id=4294967296", 500, "failed get old user: record not found"),
        ("GET", "/api/admin/user/get?id=-1", 500, "failed get old user: record not found"),
        ("GET", "/api/admin/user/get?id=1", 500, "failed get old user: record not found"),
        ("GET", "/api/admin/user/list?page=abc", 400, "strconv.ParseInt: parsing \"abc\": invalid syntax"),
        ("POST", "/api/admin/user/delete", 400, "strconv.Atoi: parsing \"\": invalid syntax"),
        ("POST", "/api/admin/user/delete?id=99999", 500, "failed get old user: record not found"),
        ("POST", "/api/admin/user/cancel_2fa?id=x", 400, "strconv.Atoi: parsing \"x\": invalid syntax"),
        ("POST", "/api/admin/user/cancel_2fa?id=99999", 500, "failed get old user: record not found"),
        ("POST", "/api/admin/user/del_cache", 500, "username is empty"),
        ("POST", "/api/admin/user/del_cache?username=nobody", 500, "failed find user: record not found"),
        ("GET", "/api/admin/user/sshkey/list?uid=x", 400, "user id format invalid"),
        ("GET", "/api/admin/user/sshkey/list?uid=99999", 404, "user invalid"),
        ("GET", "/api/admin/user/sshkey/list?uid=1", 404, "user invalid"),
        ("POST", "/api/admin/user/sshkey/delete?id=x", 400, "id format invalid"),
        ("POST", "/api/me/sshkey/delete?id=", 400, "id format invalid"),
        ("POST", "/api/me/sshkey/delete?id=99999", 404, "failed to get public key"),
    ] {
        Said::of(&server.ask(method, path, admin, Some("{\"id\":9}"))).is_error(code, message);
    }
    server.post("/api/admin/user/del_cache?username=guest", admin, &json!({})).succeeds();
    server.post("/api/admin/user/sshkey/delete?id=99999&uid=9", admin, &json!({})).succeeds();
}

#[test]
fn lists_come_in_pages_by_id() {
    let server = Server::start();
    for name in ["a1", "a2", "a3"] {
        server.create(name, json!({}));
    }
    let names = |query: &str| {
        let data = server.get(&format!("/api/admin/user/list{query}"), &server.admin).data();
        let names: Vec<String> =
            data["content"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().into()).collect();
        (names.join(","), data["total"].as_u64().unwrap())
    };
    let all = "admin,guest,a1,a2,a3";
    for (query, expected) in [
        ("", all),
        ("?page=0&per_page=0", all),
        ("?page=-3", all),
        ("?page=1&per_page=1", "admin"),
        ("?page=2&per_page=1", "guest"),
        ("?page=1&per_page=3", "admin,guest,a1"),
        ("?page=2&per_page=2", "a1,a2"),
        ("?page=3&per_page=2", "a3"),
        ("?page=4&per_page=2", ""),
        ("?page=2", ""),
        ("?per_page=9223372036854775807&page=9223372036854775807", ""),
    ] {
        assert_eq!(names(query), (expected.to_owned(), 5), "{query}");
    }
}

#[test]
fn the_web_front_end_finds_what_it_asks_for() {
    let server = Server::start();
    let settings = server.get("/api/public/settings", "").data();
    for name in ["site_title", "logo", "version", "pagination_type", "default_page_size", "home_icon", "home_container"]
    {
        assert!(settings[name].is_string(), "{name}");
    }
    for path in ["archive_extensions", "offline_download_tools"] {
        assert_eq!(server.get(&format!("/api/public/{path}"), "").data(), json!([]));
    }
    let admin = &server.admin;
    let root = json!({"path": "/"});
    assert_eq!(server.post("/api/fs/get", admin, &root).data()["is_dir"], true);
    assert_eq!(server.post("/api/fs/list", admin, &root).data()["content"], json!([]));
    assert_eq!(server.post("/api/fs/dirs", admin, &root).data(), json!([]));
    server.post("/api/fs/list", admin, &json!({"path": "/etc"})).is_error(500, "object not found");
    server
        .post("/api/fs/mkdir", admin, &json!({"path": "/x"}))
        .is_error(403, "files are not served here, but over SFTP");
    server.post("/api/fs/list", "", &root).is_error(401, "Guest user is disabled, login please");
}

#[test]
fn a_dialect_that_is_switched_off_is_not_there() {
    let world = crate::world::World::start_with("[alist]\nenabled = false\n");
    let rest = crate::rest::Rest { base: world.api(), credential: "root:x".into() };
    for (method, path) in [("GET", "/ping"), ("GET", "/api/me"), ("POST", "/api/auth/login"), ("GET", "/api/x")] {
        let answer = rest.curl(method, path, &[], None);
        assert_eq!((answer.status, answer.body.as_str()), (404, "404 Not Found\n"), "{path}");
    }
    assert_eq!(rest.curl("GET", "/api/v2/users", &[], None).status, 401);
}
