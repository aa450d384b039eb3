//! Who may have a session, however it was shown who they are.

use serde_json::json;

use super::Stage;

const CHECK: &[&str] = &["acct_mgmt"];

#[test]
fn what_is_locked_expired_or_to_be_changed_is_said_with_a_reason() {
    let stage = Stage::start();
    stage.service("alone", "account required /var/lib/pam_accountd.so\n");
    let check = |name: &str| stage.of_service("alone", name, ("", CHECK));
    for (name, uid) in [("anna", 3001), ("berta", 3002), ("carla", 3003), ("dora", 3004)] {
        stage.add(name, uid);
        check(name).yes();
    }
    stage.set("anna", json!({"locked": true}));
    check("anna").no("Your account is locked");
    stage.nas.world.run(&["usermod", "--expiredate", "2020-01-01", "berta"]);
    let expired = check("berta");
    expired.no("Your account has expired");
    assert!(expired.text.contains("User account has expired"), "{expired:?}");
    stage.nas.world.run(&["chage", "-d", "0", "carla"]);
    check("carla").no("Authentication token is no longer valid; new one required");
    // What the system runs its services as is locked, and it runs them all the same.
    stage.nas.world.run(&["useradd", "--system", "service"]);
    stage.test("service", "", CHECK).yes();
    // Nor has anybody locked who was made without a password: keys of OpenSSH's let them in.
    stage.nas.world.run(&["useradd", "keys"]);
    stage.test("keys", "", CHECK).yes();
    stage.nas.rest.as_user("keys", "").get("/users/~").status_is(401);
    // Debian's stack says the same.
    stage.test("anna", "", CHECK).no("Your account is locked");
    stage.test("berta", "", CHECK).no("Your account has expired");
    stage.test("carla", "", CHECK).no("new one required");
    stage.test("dora", "", CHECK).yes();
}

#[test]
fn who_comes_from_elsewhere_has_to_come_from_a_network_of_the_account() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.set("anna", json!({"limits": {"allowed_networks": ["192.0.2.0/24"]}}));
    let from = |host: &str, operation: &str, input: &str| {
        let item = format!("rhost={host}");
        stage.says(&["pamtester", "-I", &item, "test", "anna", operation], input)
    };
    for operation in ["authenticate", "acct_mgmt"] {
        from("192.0.2.7", operation, "Pass-word1\n").yes();
        from("198.51.100.7", operation, "Pass-word1\n").no("");
        from("host.example", operation, "Pass-word1\n").no("");
        // Whoever sits there comes from no network.
        stage.test("anna", "Pass-word1\n", &[operation]).yes();
    }
    from("198.51.100.7", "acct_mgmt", "").no("can not be used from there");
}
