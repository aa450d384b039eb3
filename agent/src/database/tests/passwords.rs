//! What is kept for passwords: the last ones of an account, and the rules that were set.

use accountd_config::Passwords;
use accountd_protocol::policy::PasswordRule;

use super::*;
use crate::database::read_password_history;

fn keep(database: &Database, id: AccountId, hashes: &[&str], answer: Result<(), Refusal>) {
    let hashes = hashes.iter().map(|hash| (*hash).to_owned()).collect();
    let change = move |draft: &mut Draft<'_>| {
        draft.set_password_history(id, hashes);
        answer
    };
    let _ = database.change(tester(), change);
}

fn kept(world: &World, id: AccountId) -> Vec<String> {
    read_password_history(&world.root().join("state.sqlite"), id).unwrap()
}

#[test]
fn the_last_passwords_are_kept_in_their_order_and_go_with_the_account() {
    let world = World::new();
    let database = world.open();
    let [berta, carla] = [("berta", 1001), ("carla", 1002)].map(|(name, uid)| create(&database, name, uid).unwrap().0);
    keep(&database, berta, &["$6$b", "$6$a"], Ok(()));
    keep(&database, carla, &["$6$c"], Ok(()));
    keep(&database, berta, &["$6$x"], Err(Refusal::Busy));
    assert_eq!(kept(&world, berta), ["$6$b", "$6$a"]);
    keep(&database, berta, &["$6$c", "$6$b", "$6$a"], Ok(()));
    drop(database);
    let database = world.open();
    assert_eq!(kept(&world, berta), ["$6$c", "$6$b", "$6$a"]);
    delete(&database, "berta");
    // userdel(8) is as good.
    for file in ["passwd", "shadow", "group", "gshadow"] {
        world.edit(file, |text| {
            text.lines().filter(|line| !line.starts_with("carla:")).map(|l| format!("{l}\n")).collect()
        });
    }
    create(&database, "dora", 1003).unwrap();
    assert_eq!((kept(&world, berta), kept(&world, carla)), (vec![], vec![]));
}

#[test]
fn rules_that_are_set_are_seen_at_once_and_after_a_restart_and_a_refusal_leaves_them() {
    let world = World::new();
    let database = world.open();
    let rules = |value| Passwords::new([(PasswordRule::MinLength, value)].into());
    let set = |database: &Database, value, answer: Result<(), Refusal>| {
        let change = move |draft: &mut Draft<'_>| {
            draft.set_password_rules(rules(value));
            answer
        };
        let _ = database.change(tester(), change);
    };
    set(&database, 8, Ok(()));
    set(&database, 9, Err(Refusal::Busy));
    assert_eq!(database.view().password_rules(), &rules(8));
    // Both copies in memory have them.
    create(&database, "berta", 1001).unwrap();
    create(&database, "carla", 1002).unwrap();
    assert_eq!(database.view().password_rules(), &rules(8));
    drop(database);
    assert_eq!(world.open().view().password_rules(), &rules(8));
}
