//! Quotas that btrfs holds, whoever writes.

use std::fs;

use serde_json::json;

use super::{anna, nas_with};
use crate::world::wait_for;

const MIB: u64 = 1 << 20;
/// A pool of its own in the sandbox; it goes with the sandbox's mounts.
const POOL: &str = "mkdir /mnt/pool && truncate -s 1G /tmp/pool && mkfs.btrfs -q /tmp/pool && mount -o loop /tmp/pool /mnt/pool \
    && btrfs quota enable /mnt/pool";

#[test]
fn sixty_four_uploads_at_once_and_a_shell_never_store_more_than_the_quota() {
    let nas = nas_with(&json!({}));
    nas.world.run(&["sh", "-c", POOL]);
    let new = json!({"home": "/mnt/pool/anna", "home_transfer": "none", "limits": {"quota_bytes": 100 * MIB}});
    nas.patch("/users/anna", &new).status_is(200);
    let quota = || nas.rest.get("/users/anna/quota").object(200);
    wait_for("btrfs to count", || quota()["backend"] == "btrfs");
    let piece: Vec<u8> =
        (0..4 * MIB / 8).flat_map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).collect();
    fs::write(nas.world.client_file("piece"), piece).unwrap();
    std::thread::scope(|scope| {
        for number in 0..64 {
            let nas = &nas;
            scope.spawn(move || anna(nas).try_sftp(&format!("put piece piece{number}")));
        }
    });
    // The shell is nobody of ours.
    let dd = anna(&nas).ssh(&["dd if=/dev/urandom of=foreign bs=1M count=200"]);
    let said = String::from_utf8_lossy(&dd.stderr).into_owned();
    assert!(!dd.status.success() && said.contains("Disk quota exceeded"), "{said}");
    let used = nas.world.run(&["sh", "-c", "sync && du -sB1 /mnt/pool/anna | cut -f1"]);
    let used: u64 = used.trim().parse().unwrap();
    assert!((80 * MIB..=100 * MIB).contains(&used), "{used}");
    wait_for("the same number over REST", || {
        quota()["used_bytes"].as_u64().is_some_and(|shown| shown.abs_diff(used) < MIB)
    });
    nas.rest.delete("/users/anna?delete_home=true").status_is(204);
    wait_for("the subvolume to go", || nas.world.run(&["sh", "-c", "btrfs subvolume list /mnt/pool | wc -l"]) == "0\n");
    // Whoever emptied the trash may hold it for a moment longer.
    wait_for("nothing to use the pool", || {
        nas.world.inside(&["umount", "/mnt/pool"]).output().unwrap().status.success()
    });
}
