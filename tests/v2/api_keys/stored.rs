//! API keys on the disk: never themselves, and whatever is killed or restored.

use std::thread;

use serde_json::json;

use super::{Made, anna, make, nas_with_anna, records, who};
use crate::world::wait_for;

#[test]
fn a_key_is_on_no_disk_and_in_no_log() {
    let nas = nas_with_anna();
    let made = make(&anna(&nas), &json!({"name": "secret-holder"}));
    assert!(who(&nas, &made.key).is_some());
    let wrong = format!("{}{}", &made.key[1..], &made.key[..1]);
    assert_eq!(who(&nas, &wrong), None);
    nas.rest.get("/audit").status_is(200);
    let used = nas.rest.get(&made.path()).object(200)["last_used"].clone();
    assert!(used.is_string());
    // A good copy of the store is made at the start.
    nas.world.hold("agent");
    nas.world.kill("agent");
    nas.world.release("agent");
    assert_eq!(nas.rest.get(&made.path()).object(200)["last_used"], used, "it is in the store");
    assert!(who(&nas, &made.key).is_some());
    assert_eq!(nas.rest.get(&made.path()).object(200)["last_used"], used, "once an hour");
    let bytes: Vec<u8> = (0..40).step_by(2).map(|at| u8::from_str_radix(&made.key[at..at + 2], 16).unwrap()).collect();
    let mut named = 0;
    for (path, (content, ..)) in nas.disk.everything("/var").into_iter().chain(nas.disk.everything("/etc")) {
        for secret in [made.key.as_bytes(), wrong.as_bytes(), &bytes] {
            assert!(!content.windows(secret.len()).any(|part| part == secret), "{}", path.display());
        }
        named += usize::from(content.windows(13).any(|part| part == b"secret-holder"));
    }
    assert!(named >= 2, "the store and its copy have the name");
    let told = nas.rest.get("/audit").body + &nas.world.log();
    assert!(!told.contains(&made.key) && !told.contains(&wrong));
}

#[test]
fn what_was_acknowledged_outlives_the_agent_and_what_was_revoked_stays_so() {
    let nas = nas_with_anna();
    let (mut good, mut gone, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..4 {
        nas.world.hold("agent");
        let made = thread::scope(|scope| {
            let own = anna(&nas);
            let writer = scope.spawn(move || {
                let mut made = Vec::new();
                for number in 0.. {
                    let name = json!({"name": format!("r{round}n{number}")}).to_string();
                    let answer = own.post("/users/~/api-keys", &name);
                    if answer.status != 201 {
                        break;
                    }
                    let key = Made::of(&answer);
                    // Every other one is revoked again at once.
                    let revoked = number % 2 == 0 && own.delete(&key.path()).status == 204;
                    made.push((key, number % 2 == 0, revoked));
                }
                made
            });
            wait_for("some keys", || {
                nas.rest.get("/users/anna/api-keys").object(200)["total"].as_u64() > Some(good.len() as u64 + 1)
            });
            nas.world.kill("agent");
            writer.join().unwrap()
        });
        nas.world.release("agent");
        for (key, is_to_go, is_gone) in made {
            ids.push(key.id);
            match (is_to_go, is_gone) {
                (false, _) => good.push(key),
                (true, true) => gone.push(key),
                // Nobody was told whether it is gone.
                (true, false) => {}
            }
        }
        for key in &good {
            assert_eq!(who(&nas, &key.key).as_deref(), Some("anna"));
        }
        assert!(gone.iter().all(|key| who(&nas, &key.key).is_none()));
    }
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    assert_eq!(nas.rest.get("/audit/verification").object(200)["whole"], true);
}

#[test]
fn a_store_that_is_restored_has_no_keys() {
    let nas = nas_with_anna();
    let key = make(&anna(&nas), &json!({"name": "one"}));
    let restart = || {
        nas.world.release("agent");
        nas.world.hold("agent");
        nas.world.kill("agent");
    };
    nas.world.hold("agent");
    nas.world.kill("agent");
    restart();
    // The copy has the key, which could have been revoked since.
    let store = nas.disk.path("/var/lib/accountd/state.sqlite");
    std::fs::write(&store, "no database").unwrap();
    std::fs::write(store.with_extension("sqlite-wal"), "no log").unwrap();
    nas.world.release("agent");
    anna(&nas).get("/users/~").status_is(200);
    assert_eq!(
        (who(&nas, &key.key), anna(&nas).get("/users/~/api-keys").object(200)["total"].clone()),
        (None, json!(0))
    );
    let record = &records(&nas, "action=restore_store")[0];
    assert_eq!(record["changes"][1], json!({"field": "api_keys", "old": "1", "new": null}));
    assert!(make(&anna(&nas), &json!({"name": "one"})).id > 1_000_000);
}
