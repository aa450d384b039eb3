//! Forms, as a browser sends them for a page of any site, with the password that it remembers.

use serde_json::{Value, json};

use super::Nas;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const PLAIN: &str = "Content-Type: text/plain";

#[test]
fn a_form_changes_nothing_whatever_method_it_says_it_is() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "target", "password": "pw"}));
    nas.post("/groups", &json!({"groupname": "team"}));
    nas.post("/users/~/api-keys", &json!({"name": "own"}));
    let before = nas.disk.everything("/etc");
    let description: Value = serde_json::from_str(include_str!("../../src/api/v2/openapi.json")).unwrap();
    let mut tried = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v2") else { continue };
        let path = path.replace("{user}", "target").replace("{group}", "team").replace("{number}", "1");
        let id = if path.starts_with("/jobs") { "0000000000000001" } else { "1" };
        let path = path.replace("{id}", id);
        for method in operations.as_object().unwrap().keys().filter(|method| *method != "get") {
            for header in [FORM, PLAIN, "Content-Type: multipart/form-data; boundary=x"] {
                // Without a body of its own; to count once more what is there does no harm.
                if path.ends_with("/quota/scan") && header == PLAIN {
                    continue;
                }
                let body = format!("_method={method}&username=new&groupname=new");
                let answer = nas.rest.curl("POST", &path, &["-H", header], Some(body.as_bytes()));
                let refused = [404, 405, 415];
                assert!(
                    refused.contains(&answer.status),
                    "{method} {path} {header}: {} {}",
                    answer.status,
                    answer.body
                );
                if header == FORM {
                    assert_eq!(answer.status, 415, "{method} {path}: {}", answer.body);
                }
                tried += 1;
            }
        }
    }
    assert!(tried >= 60, "{tried}");
    assert!(nas.disk.everything("/etc") == before);
    nas.rest.get("/users/~/api-keys/1").status_is(200);
}
