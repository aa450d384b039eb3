//! Clients of AList that others wrote, as they are: alist3 and alist-sdk of Python's package index. What they ask for
//! that no AList has either (alist3's deletion and its cache, its list of keys) is not asked for here.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::Server;
use crate::two_factor::Authenticator;
use crate::world::PASSWORD;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients/venv/bin/python");

const ALIST3: &str = r#"
import asyncio, sys
from alist import AList, AListUser
from alist.error import ServerError
base, password = sys.argv[1:3]
async def main():
    alist = AList(base)
    assert await alist.test()
    try:
        await alist.login(AListUser("admin", "wrong")); raise SystemExit("a wrong password lets in")
    except ServerError as error:
        assert "Invalid username or password" in str(error), error
    assert await alist.login(AListUser("admin", password))
    me = await alist.user_info()
    assert (me.username, me.role, me.otp) == ("admin", 2, False), me
    assert await alist.create_user("anna", password="pw", base_path="/photos", role=0, permission=1025, disabled=False, sso_id="s")
    try:
        await alist.create_user("anna"); raise SystemExit("twice")
    except ServerError as error:
        assert "UNIQUE constraint failed" in str(error), error
    users = await alist.get_users()
    assert [user.username for user in users.content] == ["admin", "guest", "anna"] and users.total == 3, users
    anna = await alist.get_user(users.content[2].id)
    assert (anna.base_path, anna.permission, anna.sso_id, anna.password) == ("/photos", 1025, "s", ""), anna
    assert await alist.update_user(anna.id, "anna", permission=256)
    anna = await alist.get_user(anna.id)
    assert (anna.base_path, anna.permission, anna.sso_id) == ("/", 256, ""), anna
    other = AList(base)
    assert await other.login(AListUser("anna", "pw"))
    assert (await other.user_info()).role == 0
    assert await other.logout()
    site = await alist.site_config()
    assert site.site_title, site
    print("done")
asyncio.run(main())
"#;

const ALIST3_WITH_CODE: &str = r#"
import asyncio, sys
from alist import AList, AListUser
from alist.error import ServerError
base, code = sys.argv[1:3]
async def main():
    alist = AList(base)
    try:
        await alist.login(AListUser("anna", "anna")); raise SystemExit("no code lets in")
    except ServerError as error:
        assert "Invalid 2FA code" in str(error), error
    assert await alist.login(AListUser("anna", "anna"), otp_code=code)
    assert (await alist.user_info()).otp is True
    print("done")
asyncio.run(main())
"#;

const ALIST_SDK: &str = r#"
import asyncio, sys
from alist_sdk import Client, AsyncClient
from alist_sdk.models import User
base, password = sys.argv[1:3]
client = Client(base, username="admin", password=password)
assert client.login_username == "admin"
me = client.me()
assert me.code == 200 and me.data.username == "admin", me
users = client.admin_user_list()
assert users.code == 200 and all(isinstance(user, User) for user in users.data.content), users
assert [user.username for user in users.data.content] == ["admin", "guest"]
again = Client(base, token=client.get_token())
assert again.verify_login_status()
assert not Client(base).set_token("garbage")
try:
    Client(base, username="admin", password="wrong"); raise SystemExit("a wrong password lets in")
except Exception as error:
    assert "Invalid username or password" in str(error), error
print("done")
"#;

#[track_caller]
fn runs(script: &str, arguments: &[&str]) {
    if !Path::new(PYTHON).exists() {
        println!("skipped: alist3 and alist-sdk of Python's package index can not be had");
        return;
    }
    let output = Command::new(PYTHON).args(["-c", script]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout.ends_with(b"done\n"), "{said}");
}

#[test]
fn alist3_logs_in_and_manages_users() {
    let server = Server::start();
    runs(ALIST3, &[&server.world.api(), PASSWORD]);
}

#[test]
fn alist3_shows_the_code_of_an_authenticator() {
    let server = Server::start();
    server.create("anna", json!({}));
    let token = server.log_in("anna", "anna");
    let secret = server.post("/api/auth/2fa/generate", &token, &json!({})).data()["secret"].clone();
    let authenticator = Authenticator::new(secret.as_str().unwrap());
    let body = json!({"code": authenticator.code(), "secret": secret});
    server.post("/api/auth/2fa/verify", &token, &body).succeeds();
    runs(ALIST3_WITH_CODE, &[&server.world.api(), &authenticator.code()]);
}

#[test]
fn alist_sdk_logs_in_and_lists_users() {
    let server = Server::start();
    runs(ALIST_SDK, &[&server.world.api(), PASSWORD]);
}
