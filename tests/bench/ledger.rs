//! What the ledger costs: uploads of an account with a quota beside those of one without.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use crate::median;
use crate::rest::Rest;
use crate::world::World;

const BYTES: usize = 512 * 1024 * 1024;
const ROUNDS: usize = 7;

pub fn run() {
    let world = World::start_below(Path::new("/dev/shm"));
    let (key, public) = world.make_key("key", "ed25519");
    let rest = Rest::v2(&world.api(), "root", &world.admin_password());
    // Both upload to the side, as accounts with a quota do.
    for (name, limits) in [("counted", json!({"quota_bytes": 1_u64 << 40})), ("free", json!({}))] {
        let home = format!("/mnt/tank/home/{name}");
        let user = json!({"username": name, "home": home, "keys": [public], "limits": limits});
        rest.post("/users", &user.to_string()).status_is(201);
    }
    fs::write(world.client_file("big"), vec![b'x'; BYTES]).unwrap();
    let seconds = |name: &str| {
        let client = world.with_key(name, &key);
        let begun = Instant::now();
        client.sftp("put big");
        begun.elapsed().as_secs_f64()
    };
    let mut all = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let took = seconds(["counted", "free"][which]);
            // The first round warms up.
            if round > 0 {
                all[which].push(took);
            }
        }
    }
    let [counted, free] = all.map(median);
    let rate = |seconds: f64| BYTES as f64 / seconds / 1_048_576.0;
    println!("\nsftp put of 512 MiB on tmpfs, medians of {ROUNDS}");
    println!("| the ledger counts | nobody counts | speed |\n|---:|---:|---:|");
    println!("| {:.0} MiB/s | {:.0} MiB/s | {:.3} × |", rate(counted), rate(free), free / counted);
}
