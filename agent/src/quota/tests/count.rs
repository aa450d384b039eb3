//! What is counted of one account, whatever its sessions and scans say.

use accountd_protocol::agent::QuotaEnd;
use accountd_protocol::id::AccountId;
use accountd_protocol::quota::{QuotaExceeded, QuotaLimits, QuotaUse};

use crate::database::{CountState, QuotaCount};
use crate::quota::count::{Count, Next};

const NONE: QuotaUse = QuotaUse { bytes: 0, files: 0 };
const HUNDRED: QuotaLimits = QuotaLimits { bytes: Some(100), soft_bytes: None, files: Some(5), soft_files: None };

fn amount(bytes: u64, files: u64) -> QuotaUse {
    QuotaUse { bytes, files }
}

/// Of an account whose files have been counted.
fn counted(bytes: u64, files: u64) -> Count {
    let (account, used) = (AccountId(7), amount(bytes, files));
    Count::stored(&QuotaCount { account, used, state: CountState::Exact, scanned: None })
}

#[test]
fn sessions_never_have_more_than_the_limit_between_them() {
    let mut count = counted(20, 1);
    assert_eq!(count.lease(1, amount(50, 1), HUNDRED), Ok(()));
    assert_eq!(count.lease(2, amount(31, 0), HUNDRED), Err(QuotaExceeded::Bytes(100)));
    assert_eq!(count.lease(2, amount(30, 0), HUNDRED), Ok(()));
    assert_eq!(count.lease(3, amount(0, 4), HUNDRED), Err(QuotaExceeded::Files(5)));
    assert_eq!(count.lease(3, amount(0, 3), HUNDRED), Ok(()));
    assert_eq!(count.lease(3, amount(1, 1), QuotaLimits::default()), Ok(()), "no limit is left");
    assert_eq!(count.shown(), amount(101, 6));
    let lower = QuotaLimits { bytes: Some(10), ..HUNDRED };
    assert_eq!(count.lease(1, amount(0, 0), lower), Ok(()), "nothing is always there");
}

#[test]
fn a_session_gets_back_at_most_what_it_has_leased() {
    let mut count = counted(20, 1);
    count.lease(1, amount(50, 2), HUNDRED).unwrap();
    count.give_back(1, amount(30, 1), NONE);
    count.give_back(1, amount(1000, 1000), NONE);
    count.give_back(1, amount(1000, 1000), NONE);
    count.give_back(2, amount(20, 1), NONE);
    assert_eq!(count.shown(), amount(20, 1));
    assert_eq!(count.lease(1, amount(81, 0), HUNDRED), Err(QuotaExceeded::Bytes(100)));
}

#[test]
fn leases_that_nobody_needs_make_no_room_where_there_is_no_limit_yet() {
    let files = QuotaLimits { bytes: None, ..HUNDRED };
    let mut count = counted(90, 1);
    for _ in 0..3 {
        assert_eq!(count.lease(1, amount(u64::MAX, 0), files), Err(QuotaExceeded::Bytes(u64::MAX)));
        count.give_back(1, amount(u64::MAX, 0), NONE);
    }
    let most = amount(u64::MAX - 90, 0);
    assert_eq!(count.lease(1, most, files), Ok(()));
    count.give_back(1, most, NONE);
    assert_eq!(count.shown(), amount(90, 1));
    // What has been leased in all is known to the last byte, so that a scan adds what it has to.
    assert_eq!(count.lease(2, amount(91, 0), QuotaLimits::default()), Err(QuotaExceeded::Bytes(u64::MAX)));
    assert_eq!(count.lease(2, amount(11, 0), HUNDRED), Err(QuotaExceeded::Bytes(100)));
}

#[test]
fn what_is_said_to_be_freed_is_shown_and_lets_nobody_store_more() {
    let mut count = counted(90, 3);
    count.give_back(1, NONE, amount(60, 2));
    assert_eq!(count.shown(), amount(30, 1));
    assert_eq!(count.lease(1, amount(20, 0), HUNDRED), Err(QuotaExceeded::Bytes(100)));
    assert!(count.may_be_less());
    count.give_back(1, NONE, amount(u64::MAX, u64::MAX));
    assert_eq!(count.shown(), NONE);
    let start = count.begin_scan();
    count.end_scan(&start, amount(40, 1), 1);
    assert!(!count.may_be_less());
    assert_eq!((count.shown(), count.lease(1, amount(20, 0), HUNDRED)), (amount(40, 1), Ok(())));
}

#[test]
fn a_scan_counts_what_is_leased_and_returned_while_it_runs() {
    let mut count = counted(0, 0);
    let start = count.begin_scan();
    count.lease(1, amount(30, 2), HUNDRED).unwrap();
    count.give_back(1, amount(10, 1), amount(3, 0));
    count.end_scan(&start, amount(40, 2), 5);
    assert_eq!(count.shown(), amount(57, 3), "40 and 20, less the hint that came later");
    assert_eq!(count.scanned(), Some(5));
}

#[test]
fn what_an_open_session_has_not_written_yet_is_counted_beside_what_a_scan_finds() {
    let mut count = counted(0, 0);
    for _ in 0..10 {
        count.lease(1, amount(8, 0), HUNDRED).unwrap();
    }
    let start = count.begin_scan();
    count.end_scan(&start, amount(75, 0), 1);
    assert_eq!(count.shown(), amount(80, 0), "nothing speaks against the count");
    let start = count.begin_scan();
    count.end_scan(&start, amount(85, 1), 1);
    assert_eq!(count.shown(), amount(101, 1), "others have written; twice the largest lease may be to come");
    assert!(!count.may_be_less(), "another scan would say the same");
    assert_eq!(count.end(1, QuotaEnd::Settled), Next::ScanLater);
    assert_eq!(count.exact_to_store(AccountId(7)).map(|row| row.state), Some(CountState::Ceiling));
    let start = count.begin_scan();
    count.end_scan(&start, amount(71, 1), 2);
    assert_eq!((count.shown(), count.may_be_less()), (amount(71, 1), false));
    assert!(!count.is_old(60_001) && count.is_old(60_002));
}

#[test]
fn what_a_session_has_freed_of_older_files_is_not_counted_after_a_scan_that_misses_it() {
    let mut count = counted(50, 2);
    count.lease(1, amount(40, 1), HUNDRED).unwrap();
    count.give_back(1, NONE, amount(30, 1));
    let start = count.begin_scan();
    count.end_scan(&start, amount(25, 2), 1);
    assert_eq!((count.shown(), count.may_be_less()), (amount(60, 2), false), "20 of the old, and the lease");
    let start = count.begin_scan();
    count.end_scan(&start, amount(10, 1), 2);
    assert_eq!(count.shown(), amount(50, 2), "others have removed 10; the session may still write");
    assert_eq!(count.end(1, QuotaEnd::Settled), Next::ScanLater);
    let start = count.begin_scan();
    count.end_scan(&start, amount(10, 1), 3);
    assert_eq!((count.shown(), count.may_be_less()), (amount(10, 1), false));
}

#[test]
fn what_a_killed_session_has_leased_is_counted_until_a_scan_has_ended() {
    let mut count = counted(0, 0);
    count.lease(1, amount(60, 1), HUNDRED).unwrap();
    assert_eq!(count.end(1, QuotaEnd::Lost), Next::ScanNow);
    assert_eq!(count.lease(2, amount(50, 0), HUNDRED), Err(QuotaExceeded::Bytes(100)));
    let start = count.begin_scan();
    assert_eq!(count.lease(2, amount(20, 0), HUNDRED), Ok(()));
    count.end_scan(&start, amount(10, 1), 1);
    assert_eq!(count.shown(), amount(30, 1));
    assert_eq!(count.end(2, QuotaEnd::Settled), Next::Nothing);
    assert_eq!(count.end(9, QuotaEnd::Lost), Next::ScanNow, "of an earlier run of the agent");
}

#[test]
fn the_store_always_has_at_least_what_is_used() {
    let (account, mut count) = (AccountId(7), counted(20, 1));
    count.lease(1, amount(1 << 20, 1), QuotaLimits::default()).unwrap();
    let row = count.ceiling_to_store(account).unwrap();
    assert_eq!((row.state, row.used), (CountState::Ceiling, amount(20 + (65 << 20), 1002)));
    assert_eq!(count.exact_to_store(account), None, "a session has a lease");
    count.lease(1, amount(64 << 20, 0), QuotaLimits::default()).unwrap();
    assert_eq!(count.ceiling_to_store(account), None, "exactly as high as the ceiling");
    count.lease(1, amount(1, 0), QuotaLimits::default()).unwrap();
    assert!(count.ceiling_to_store(account).is_some());
    assert_eq!(count.end(1, QuotaEnd::Settled), Next::Nothing);
    let row = count.exact_to_store(account).unwrap();
    assert_eq!((row.state, row.used), (CountState::Exact, amount(21 + (65 << 20), 2)));
}

#[test]
fn a_ceiling_from_the_store_counts_until_a_scan() {
    let row = QuotaCount { account: AccountId(7), used: amount(90, 1), state: CountState::Ceiling, scanned: Some(3) };
    let mut count = Count::stored(&row);
    assert!(count.needs_scan() && count.may_be_less() && !count.is_unknown());
    assert_eq!(count.lease(1, amount(20, 0), HUNDRED), Err(QuotaExceeded::Bytes(100)));
    assert_eq!(count.exact_to_store(AccountId(7)), None);
    let start = count.begin_scan();
    count.end_scan(&start, amount(50, 1), 4);
    assert_eq!(count.lease(1, amount(20, 0), HUNDRED), Ok(()));
    assert!(Count::default().is_unknown());
}

#[test]
fn a_ceiling_that_could_not_be_stored_is_stored_with_the_next_lease() {
    let mut count = counted(20, 1);
    count.lease(1, amount(10, 0), HUNDRED).unwrap();
    assert!(count.ceiling_to_store(AccountId(7)).is_some());
    assert!(count.ceiling_to_store(AccountId(7)).is_none(), "it is high enough");
    count.not_stored();
    assert!(count.ceiling_to_store(AccountId(7)).is_some_and(|row| row.state == CountState::Ceiling));
}
