//! How fast an account sends and receives, all of its sessions together.

use std::fs;
use std::time::Instant;

use serde_json::json;

use super::{anna, nas_with};

#[test]
fn an_account_has_one_rate_for_all_of_its_sessions() {
    let nas = nas_with(&json!({"upload_bandwidth": 200, "download_bandwidth": 400}));
    fs::write(nas.world.client_file("one"), vec![b'x'; 1_000_000]).unwrap();
    fs::write(nas.world.client_file("two"), vec![b'y'; 1_000_000]).unwrap();
    let seconds = |commands: [&str; 2]| {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let each = commands.map(|command| scope.spawn(|| anna(&nas).sftp(command)));
            each.into_iter().for_each(|one| drop(one.join().unwrap()));
        });
        begun.elapsed().as_secs_f64()
    };
    // What a login costs is not the transfer's.
    let logins = seconds(["pwd", "pwd"]);
    // Two million bytes at 200,000 a second: ten seconds, within 5 %.
    let took = seconds(["put one", "put two"]) - logins;
    assert!((9.5..10.5).contains(&took), "{took} and {logins}");
    let took = seconds(["get one back1", "get two back2"]) - logins;
    assert!((4.6..5.6).contains(&took), "{took} and {logins}");
    assert_eq!(fs::read(nas.world.client_file("back2")).unwrap(), vec![b'y'; 1_000_000]);
}
