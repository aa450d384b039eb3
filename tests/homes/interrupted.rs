//! A transfer that takes its time: killed, refused, cancelled.

use serde_json::json;

use super::{Anna, NEW, OLD};
use crate::world::wait_for;

/// More than is copied at once, but for machines that nobody has.
const FILES: u64 = 15_000;

fn big() -> Anna {
    let anna = Anna::start();
    anna.sh(&format!(
        "python3 -c \"import os\nfor n in range({FILES}):\n d = f'd{{n % 100}}'\n os.makedirs(d, exist_ok=True)\n \
         open(f'{{d}}/{{n}}', 'w').write('x' * (n % 5000))\""
    ));
    anna
}

impl Anna {
    /// Asks for the new home in the background, and comes back in the middle of the copying.
    fn in_the_middle(&self, then: impl FnOnce()) {
        std::thread::scope(|scope| {
            let path = format!("/account/users/{}/", self.id);
            scope.spawn(move || self.nas.rest.put(&path, &json!({"bsdusr_home": NEW}).to_string()));
            wait_for("the middle of the copying", || {
                let transfer = &self.home()["transfer"];
                transfer["state"] == "running" && transfer["files_done"].as_u64() > Some(200)
            });
            then();
        });
    }
}

#[test]
fn a_copy_goes_on_after_a_kill_and_is_complete() {
    let anna = big();
    anna.in_the_middle(|| {
        let before = anna.nas.world.process("agent");
        anna.nas.world.kill("agent");
        anna.nas.world.wait_for_another("agent", before);
    });
    assert!(anna.root(&format!("find {NEW} -type f | wc -l")).trim().parse::<u64>().unwrap() > 0);
    anna.done("copy", 0);
    anna.root(&format!("diff -r {OLD} {NEW}"));
    assert!(!anna.is_there(&format!("{NEW}/.accountd-transfer")));
}

#[test]
fn meanwhile_home_and_ids_stay_as_they_are_and_deletion_ends_it() {
    let anna = big();
    anna.in_the_middle(|| {
        anna.put_refused(&json!({"bsdusr_home": "/mnt/tank/third"}), "{\"bsdusr_home\": [");
        anna.put_refused(&json!({"bsdusr_uid": 4001}), "{\"bsdusr_uid\": [");
        anna.put(&json!({"bsdusr_full_name": "Still Herself"}));
        assert_eq!(anna.nas.rest.delete(&format!("/account/users/{}/", anna.id)).status, 204);
    });
    let count = || anna.root(&format!("find {NEW} | wc -l"));
    let then = count();
    assert_eq!(anna.nas.rest.get(&format!("/account/users/{}/home/", anna.id)).status, 404);
    assert_eq!(count(), then, "nothing is copied any more");
}
