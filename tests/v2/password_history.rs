//! The last passwords of an account, none of which is taken again.

use std::process::Command;

use serde_json::json;

use super::{Nas, problem};
use crate::world::World;

fn nas_with_anna() -> Nas {
    let nas = Nas::of(World::start_with("[passwords]\nhistory = 3\n"));
    nas.post("/users", &json!({"username": "anna", "password": "pass-1"}));
    nas
}

fn set(nas: &Nas, user: &str, password: &str) -> u16 {
    let answer = nas.put(&format!("/users/{user}/password"), &json!({"password": password}));
    if answer.status != 204 {
        problem(&answer, 422, "invalid-values", &[("password", "recent")]);
    }
    answer.status
}

#[test]
fn the_last_passwords_are_not_taken_again_by_whoever_sets_them() {
    let nas = nas_with_anna();
    assert_eq!(set(&nas, "anna", "pass-1"), 422, "the present one");
    assert_eq!((set(&nas, "anna", "pass-2"), set(&nas, "anna", "pass-3")), (204, 204));
    let line = nas.disk.line("/etc/shadow", "anna");
    assert_eq!(set(&nas, "anna", "pass-1"), 422, "the third last");
    let own = nas.rest.as_user("anna", "pass-3");
    let change = |new: &str| own.put("/users/~/password", &json!({"current": "pass-3", "password": new}).to_string());
    problem(&change("pass-2"), 422, "invalid-values", &[("password", "recent")]);
    let patched = nas.patch("/users/anna", &json!({"password": "pass-2"}));
    problem(&patched, 422, "invalid-values", &[("password", "recent")]);
    assert_eq!(nas.disk.line("/etc/shadow", "anna"), line);
    change("pass-4").status_is(204);
    assert_eq!(set(&nas, "anna", "pass-2"), 422);
    assert_eq!(set(&nas, "anna", "pass-1"), 204, "the fourth last");
    let hash = line.unwrap().split(':').nth(1).unwrap().to_owned();
    let told = nas.rest.get("/audit").body + &nas.rest.get("/users/anna").body + &nas.world.log();
    assert!(!told.contains(&hash) && !told.contains("$6$") && !told.contains("pass-"));
}

#[test]
fn passwords_of_other_programs_count_from_the_next_change_on() {
    let nas = nas_with_anna();
    // passwd(1) with "other", and no word to us.
    let made = Command::new("openssl").args(["passwd", "-6", "other"]).output().unwrap();
    nas.world.run(&["usermod", "-p", String::from_utf8(made.stdout).unwrap().trim(), "anna"]);
    assert!(nas.world.with_password("anna", "other").logs_in());
    assert_eq!(set(&nas, "anna", "other"), 422, "the present one");
    assert_eq!(set(&nas, "anna", "pass-1"), 422, "the last one of ours");
    assert_eq!(set(&nas, "anna", "pass-2"), 204);
    assert_eq!(set(&nas, "anna", "other"), 422, "the last one");
}

#[test]
fn it_stays_over_renames_and_restarts_and_goes_with_the_account() {
    let nas = nas_with_anna();
    assert_eq!(set(&nas, "anna", "pass-2"), 204);
    nas.patch("/users/anna", &json!({"username": "berta"})).status_is(200);
    nas.world.run(&["usermod", "-l", "carla", "berta"]);
    nas.world.hold("agent");
    nas.world.kill("agent");
    nas.world.release("agent");
    assert_eq!(set(&nas, "carla", "pass-1"), 422);
    nas.rest.delete("/users/carla").status_is(204);
    nas.post("/users", &json!({"username": "carla", "password": "pass-3"}));
    assert_eq!((set(&nas, "carla", "pass-2"), set(&nas, "carla", "pass-1")), (204, 204));
    // Switched off, nothing is kept any more.
    nas.patch("/policy", &json!({"password": {"history": 0}})).status_is(200);
    assert_eq!(set(&nas, "carla", "pass-1"), 204);
    nas.patch("/policy", &json!({"password": {"history": null}})).status_is(200);
    assert_eq!((set(&nas, "carla", "pass-1"), set(&nas, "carla", "pass-2")), (422, 204));
}

#[test]
fn of_changes_at_the_same_time_one_is_the_first() {
    let nas = nas_with_anna();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| set(&nas, "anna", "the same"))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
}
