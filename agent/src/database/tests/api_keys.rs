//! API keys in the store and in memory: there with what they belong to, or not at all.

use std::sync::Arc;

use accountd_protocol::api_key::ApiKeyId;

use super::*;
use crate::database::ApiKeyRow;

fn make(database: &Database, account: AccountId, digest: u8, answer: Result<(), Refusal>) -> Option<ApiKeyId> {
    let made = database.change(tester(), move |draft| {
        let id = draft.api_keys().next();
        let name = format!("k{digest}");
        let row = ApiKeyRow { id, account, name, digest: [digest; 32], created: 5, expires: Some(u64::from(digest)) };
        draft.add_api_key(Arc::new(row));
        answer.map(|()| id)
    });
    made.ok().map(|(id, _)| id)
}

fn revoke(database: &Database, account: AccountId, id: ApiKeyId, answer: Result<(), Refusal>) {
    let revoked = database.change(tester(), move |draft| {
        let row = draft.api_keys().get(account, id).cloned().ok_or(Refusal::NotFound)?;
        draft.remove_api_key(row);
        answer
    });
    drop(revoked);
}

/// Whose keys have these digests.
fn owners<const N: usize>(database: &Database, digests: [u8; N]) -> [Option<AccountId>; N] {
    let view = database.view();
    digests.map(|digest| view.api_keys().with_digest(&[digest; 32]).map(|row| row.account))
}

#[test]
fn keys_are_there_at_once_and_after_a_restart_and_a_refusal_changes_none() {
    let world = World::new();
    let database = world.open();
    let berta = create(&database, "berta", 1001).unwrap().0;
    let one = make(&database, berta, 1, Ok(())).unwrap();
    assert_eq!(make(&database, berta, 2, Err(Refusal::Busy)), None);
    let three = make(&database, berta, 3, Ok(())).unwrap();
    assert_eq!(owners(&database, [1, 2, 3]), [Some(berta), None, Some(berta)]);
    revoke(&database, berta, one, Err(Refusal::Busy));
    revoke(&database, berta, three, Ok(()));
    // Both copies in memory have them.
    for (name, uid) in [("carla", 1002), ("dora", 1003)] {
        create(&database, name, uid).unwrap();
        assert_eq!(owners(&database, [1, 3]), [Some(berta), None]);
    }
    database.note_key_use(one, 77);
    drop(database);
    let database = world.open();
    assert_eq!(owners(&database, [1, 3]), [Some(berta), None]);
    assert_eq!(database.view().api_keys().get(berta, one).map(|row| row.expires), Some(Some(1)));
    assert_eq!(database.stored_key_uses(), [(one, 77)].into());
    // The last id was that of a key that is gone.
    assert!(make(&database, berta, 4, Ok(())).unwrap() > three);
}

#[test]
fn keys_go_with_their_account_whoever_deletes_it() {
    let world = World::new();
    let database = world.open();
    let [berta, carla, dora] =
        [("berta", 1001), ("carla", 1002), ("dora", 1003)].map(|(name, uid)| create(&database, name, uid).unwrap().0);
    for (digest, account) in [(1, berta), (2, carla), (3, dora), (4, dora)] {
        make(&database, account, digest, Ok(())).unwrap();
    }
    delete(&database, "berta");
    for file in ["passwd", "shadow", "group", "gshadow"] {
        world.edit(file, |text| {
            text.lines().filter(|line| !line.starts_with("carla:")).map(|l| format!("{l}\n")).collect()
        });
    }
    let expected = [None, None, Some(dora), Some(dora)];
    assert_eq!(owners(&database, [1, 2, 3, 4]), expected);
    // A name and a number that come back bring nothing with them.
    create(&database, "berta", 1001).unwrap();
    assert_eq!(owners(&database, [1, 2, 3, 4]), expected);
    drop(database);
    assert_eq!(owners(&world.open(), [1, 2, 3, 4]), expected);
}
