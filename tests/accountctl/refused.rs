//! Exit statuses, and what a message says to do next.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::v2::Nas;

#[test]
fn each_kind_of_failure_has_its_status_and_says_what_to_do_next() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--uid", "3001"]);
    let before = nas.disk.everything("/etc");
    let rows: [(&[&str], i32, &[&str]); 12] = [
        (&["user", "show", "nobody-such"], 1, &["cannot show user nobody-such", "No such user"]),
        (&["user", "show", "99999"], 1, &["No such user", "digits alone are an id"]),
        (&["user", "add", "anna"], 1, &["NAME is already in use", "in the way"]),
        (&["user", "add", "b", "--uid", "3001"], 0, &[]),
        (&["user", "add", "c", "--home", "tank", "--shell", "/no"], 1, &["--home ", "--help explains"]),
        (&["user", "add", "c", "--expires", "2030-02-30"], 1, &["--expires has to be a day"]),
        (&["user", "add", "c", "--uid", "x"], 2, &["--uid"]),
        (&["user", "add", "c", "--min-days", "x"], 2, &["--min-days", "none"]),
        (&["user", "set", "anna", "--home-mode", "0999"], 1, &["--home-mode"]),
        (&["user", "nonsense"], 2, &["nonsense"]),
        (&["--json", "--quiet", "user", "list"], 2, &["--json"]),
        (&["--url", "nas", "user", "list"], 2, &["http://HOST:PORT"]),
    ];
    for (arguments, status, parts) in rows {
        let said = nas.ctl(arguments);
        if status == 0 {
            // A sandbox allows it.
            assert_eq!(said.status, 0, "{said:?}");
            nas.done(&["user", "delete", arguments[2], "--yes"]);
        } else {
            said.fails(status, parts);
        }
    }
    assert_eq!(nas.disk.text("/etc/passwd").as_bytes(), before[&nas.disk.path("/etc/passwd")].0);
    let said = nas.ctl(&[]);
    assert_eq!((said.status, said.out.as_str()), (2, ""));
    let said = nas.ctl(&["--version"]);
    assert!(said.status == 0 && said.out.starts_with("accountctl 0."), "{said:?}");
    let said = nas.ctl(&["user", "add", "--help"]);
    assert!(said.status == 0 && said.out.contains("--ask-password"), "{said:?}");
}

#[test]
fn an_accountd_that_can_not_be_reached_is_status_three() {
    let nas = Nas::start();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    nas.ctl(&["--url", &url, "user", "list"]).fails(3, &[&format!("cannot reach {url}"), "--url says where"]);
    nas.ctl(&["--socket", "/nonexistent/agent.sock", "user", "list"]).fails(3, &["cannot reach the agent", "--socket"]);
    nas.world.hold("agent");
    nas.world.kill("agent");
    nas.ctl(&["user", "list"]).fails(3, &["cannot reach the agent", "accountd-agent running"]);
    let with_password = ["--user", "root", "--password-file", "-", "user", "list"];
    nas.ctl_with("pw", &with_password).fails(3, &["can not answer now", "Look whether a change has been made"]);
}

#[test]
fn neither_a_stranger_nor_a_redirection_is_believed() {
    let nas = Nas::start();
    let rows = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", "not JSON"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "404"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://198.51.100.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "302",
        ),
    ];
    for (answer, named) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        nas.ctl(&["--url", &url, "user", "list"]).fails(3, &["is not accountd", named, "--url"]);
        assert!(server.join().unwrap().starts_with("GET /api/v2/users?limit=1000 HTTP/1.1\r\n"));
    }
}
