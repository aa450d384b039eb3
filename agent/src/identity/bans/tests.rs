//! Who waits, who is turned away, and who is not.

use accountd_protocol::network::Network;

use super::*;

const ANNA: Whom = Whom::Account(AccountId(7));
const BERTA: Whom = Whom::Account(AccountId(8));

fn bans() -> Bans {
    Bans::new(accountd_config::Bans::default())
}

fn from(source: &str, whom: Whom) -> Attempt {
    Attempt { source: source.parse().unwrap(), whom }
}

fn fail(bans: &Bans, attempt: Attempt, times: usize, now: Instant) -> Vec<u64> {
    (0..times).map(|_| bans.failed(attempt, Weight::Password, now).as_secs()).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn failures_cost_nothing_then_twice_as_much_each_and_then_a_ban_begins() {
    let (bans, now, anna) = (bans(), Instant::now(), from("192.0.2.1", ANNA));
    assert_eq!(fail(&bans, anna, 19, now), [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30, 30, 30]);
    assert_eq!(bans.check(anna, Means::Password, now), Ok(()));
    assert_eq!(fail(&bans, anna, 1, now), [30]);
    assert_eq!(bans.check(anna, Means::Password, now + seconds(1)), Err(Held { rest: seconds(599) }));
    assert_eq!(bans.check(anna, Means::Password, now + seconds(600)), Ok(()));
    assert_eq!(fail(&bans, anna, 1, now + seconds(600)), [0], "it begins anew");
}

#[test]
fn failures_that_are_too_long_ago_begin_no_ban() {
    let (bans, now, anna) = (bans(), Instant::now(), from("192.0.2.1", ANNA));
    fail(&bans, anna, 19, now);
    assert_eq!(fail(&bans, anna, 1, now + seconds(600)), [0]);
    assert_eq!(bans.check(anna, Means::Password, now + seconds(600)), Ok(()));
}

#[test]
fn a_ban_of_an_account_is_about_passwords_and_not_where_it_has_logged_in() {
    let (bans, now) = (bans(), Instant::now());
    let (home, elsewhere) = (from("192.0.2.1", ANNA), from("198.51.100.1", ANNA));
    bans.succeeded(home, Means::Password, now).unwrap();
    for source in 1..=20 {
        fail(&bans, from(&format!("203.0.113.{source}"), ANNA), 1, now);
    }
    assert!(bans.check(elsewhere, Means::Password, now).is_err());
    assert_eq!(bans.check(elsewhere, Means::Key, now), Ok(()));
    assert_eq!(bans.check(home, Means::Password, now), Ok(()));
    assert_eq!(fail(&bans, home, 1, now), [0], "nor does it wait for others there");
    assert_eq!(bans.check(from("198.51.100.1", BERTA), Means::Password, now), Ok(()));
}

#[test]
fn a_ban_of_a_source_is_about_everything_but_keys_of_who_has_logged_in_there() {
    let (bans, now) = (bans(), Instant::now());
    bans.succeeded(from("192.0.2.1", ANNA), Means::Key, now).unwrap();
    let nobody = bans.nobody("x");
    fail(&bans, from("192.0.2.1", nobody), 20, now);
    assert!(bans.check(from("192.0.2.1", ANNA), Means::Password, now).is_err());
    assert_eq!(bans.check(from("192.0.2.1", ANNA), Means::Key, now), Ok(()));
    assert!(bans.check(from("192.0.2.1", BERTA), Means::Key, now).is_err());
    assert_eq!(bans.check(from("192.0.2.2", BERTA), Means::Password, now), Ok(()));
}

#[test]
fn a_source_of_ipv6_is_a_network() {
    let (bans, now) = (bans(), Instant::now());
    for host in 1..=20 {
        fail(&bans, from(&format!("2001:db8::{host}"), bans.nobody(&host.to_string())), 1, now);
    }
    assert!(bans.check(from("2001:db8::ffff", ANNA), Means::Password, now).is_err());
    assert_eq!(bans.check(from("2001:db8:0:1::1", ANNA), Means::Password, now), Ok(()));
}

#[test]
fn a_success_clears_what_its_account_has_failed_there_and_nothing_else() {
    let (bans, now) = (bans(), Instant::now());
    let (own, victim) = (from("192.0.2.1", BERTA), from("192.0.2.1", ANNA));
    // Whoever has an account can't clear with it what they have tried for another.
    for _ in 0..19 {
        fail(&bans, victim, 1, now);
        bans.succeeded(own, Means::Password, now).unwrap();
    }
    fail(&bans, victim, 1, now);
    assert!(bans.check(own, Means::Password, now).is_err());
    let bans = self::bans();
    fail(&bans, own, 19, now);
    bans.succeeded(own, Means::Password, now).unwrap();
    assert_eq!(fail(&bans, own, 5, now), [0; 5]);
}

#[test]
fn a_client_with_six_keys_is_never_made_to_wait() {
    let (bans, now, anna) = (bans(), Instant::now(), from("192.0.2.1", ANNA));
    // Even if each key counted, and it mistypes its password four times.
    let keys = (0..6).map(|_| bans.failed(anna, Weight::Key, now).as_secs());
    assert_eq!(keys.collect::<Vec<_>>(), [0; 6]);
    assert_eq!(fail(&bans, anna, 5, now), [0; 5]);
    assert_eq!(bans.check_delay(anna, now), Ok(()));
    assert_eq!(fail(&bans, from("192.0.2.2", ANNA), 1, now), [1], "the name has six failures, keys aside");
}

#[test]
fn a_guess_that_was_right_too_late_is_refused() {
    let (bans, now, anna) = (bans(), Instant::now(), from("192.0.2.1", ANNA));
    assert_eq!(bans.check(anna, Means::Password, now), Ok(()));
    fail(&bans, anna, 20, now);
    assert!(bans.succeeded(anna, Means::Password, now).is_err());
    // Nor does the ban last longer for those that were wrong too late.
    let ends = bans.list(now);
    fail(&bans, anna, 20, now + seconds(9));
    assert_eq!(bans.list(now + seconds(9)), ends);
    assert!(bans.check(anna, Means::Password, now).is_err());
}

#[test]
fn a_name_of_nobody_is_treated_like_any_other() {
    let (bans, now) = (bans(), Instant::now());
    let nobody = bans.nobody("made-up");
    for whom in [ANNA, nobody] {
        let said: Vec<u64> = (1..=20)
            .map(|host| bans.failed(from(&format!("203.0.113.{host}"), whom), Weight::Password, now).as_secs())
            .collect();
        assert_eq!(said[4..9], [0, 1, 2, 4, 8], "{whom:?}");
        assert!(bans.check(from("198.51.100.1", whom), Means::Password, now).is_err(), "{whom:?}");
        assert_eq!(bans.check_delay(from("198.51.100.1", bans.nobody("other")), now), Ok(()));
        bans.lock().sources = Failing::new(seconds(600), 9);
    }
    let shown: Vec<Object> = bans.list(now).iter().map(|ban| ban.object).collect();
    assert_eq!(shown, [Object::Account(AccountId(7))]);
}

#[test]
fn whoever_can_not_be_made_to_wait_is_refused_until_the_delay_is_over() {
    let (bans, now, anna) = (bans(), Instant::now(), from("192.0.2.1", ANNA));
    fail(&bans, anna, 8, now);
    assert_eq!(bans.check_delay(anna, now + seconds(1)), Err(Held { rest: seconds(3) }));
    assert_eq!(bans.check_delay(from("192.0.2.9", ANNA), now), Err(Held { rest: seconds(4) }));
    assert_eq!(bans.check_delay(anna, now + seconds(4)), Ok(()));
    assert_eq!(bans.check(anna, Means::Password, now), Ok(()));
}

#[test]
fn nothing_is_counted_where_it_is_not_to_be() {
    let ignore = vec![Network::try_from("192.0.2.0/24".to_owned()).unwrap()];
    let bans = Bans::new(accountd_config::Bans { ignore, ..Default::default() });
    let (now, anna) = (Instant::now(), from("192.0.2.1", ANNA));
    assert_eq!(fail(&bans, anna, 50, now), [0; 50]);
    assert_eq!(bans.check_delay(anna, now), Ok(()));
    assert_eq!(bans.check(from("198.51.100.1", ANNA), Means::Password, now), Ok(()));
    for source in 1..=20 {
        fail(&bans, from(&format!("203.0.113.{source}"), ANNA), 1, now);
    }
    assert_eq!(bans.check(anna, Means::Password, now), Ok(()), "nor is anybody turned away there");
}

#[test]
fn what_is_switched_off_does_not_happen() {
    let config = accountd_config::Bans { first_delay_seconds: 0, ban_after: 0, ..Default::default() };
    let (bans, now, anna) = (Bans::new(config), Instant::now(), from("192.0.2.1", ANNA));
    assert_eq!(fail(&bans, anna, 500, now), [0; 500]);
    assert_eq!(bans.check_delay(anna, now), Ok(()));
}

#[test]
fn bans_are_told_when_they_begin_and_end_and_can_be_lifted() {
    let (bans, now) = (bans(), Instant::now());
    fail(&bans, from("192.0.2.1", ANNA), 20, now);
    let begun = bans.wait();
    assert_eq!(begun.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Began; 2]);
    let listed = bans.list(now);
    assert_eq!(listed.iter().map(|ban| ban.id.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(listed[0].object, Object::Source(Source::of("192.0.2.1".parse().unwrap())));
    assert_eq!(bans.lift(BanId(1)), Some(listed[0]));
    assert_eq!(bans.lift(BanId(1)), None);
    assert!(bans.check(from("192.0.2.1", BERTA), Means::Password, now).is_ok());
    assert_eq!(bans.list(now + seconds(600)), []);
    assert_eq!(bans.wait(), [BanEvent { kind: EventKind::Ended, ban: listed[1] }]);
}

#[test]
fn on_the_machine_itself_each_name_is_counted_apart_and_nobody_elses_failures_count() {
    let (bans, now) = (bans(), Instant::now());
    let here = |name| Attempt { source: HERE, whom: bans.here(name) };
    fail(&bans, from("192.0.2.1", bans.nobody("anna")), 20, now);
    fail(&bans, from("192.0.2.2", ANNA), 20, now);
    assert_eq!(fail(&bans, here("anna"), 19, now)[..6], [0, 0, 0, 0, 0, 1]);
    assert_eq!(bans.succeeded(here("anna"), Means::Password, now), Ok(()));
    assert_eq!(fail(&bans, here("anna"), 20, now).last(), Some(&30), "what was before is forgiven");
    assert!(bans.check(here("anna"), Means::Password, now).is_err());
    assert_eq!(bans.check(here("berta"), Means::Password, now), Ok(()), "here is no source");
    assert_eq!(bans.check(from("192.0.2.3", BERTA), Means::Password, now), Ok(()));
}
