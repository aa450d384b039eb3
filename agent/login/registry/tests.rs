//! The registry without processes.

use std::os::unix::net::UnixStream;

use accountd_protocol::limits::Limits;
use accountd_protocol::open_session::{TransferDirection, TransferNote};
use accountd_protocol::resume::{LetIn, Resumed, Standing};

use super::*;
use crate::granted;
use crate::word::Word;

fn grant(account: u64, generation: u64) -> Grant {
    Grant { account: AccountId(account), generation: Generation(generation), ..granted::grant() }
}

fn login(hang_up: impl Fn() + Send + Sync + 'static) -> Login<'static> {
    let client = "192.0.2.1:5000".parse().unwrap();
    Login { client, version: "SSH-2.0-Test", hang_up: HangUp(Arc::new(hang_up)) }
}

fn seat(registry: &Arc<Registry>, account: u64) -> Option<Seat> {
    seat_within(registry, account, None)
}

fn seat_within(registry: &Arc<Registry>, account: u64, sessions: Option<u32>) -> Option<Seat> {
    let grant = Grant { limits: Limits { sessions, ..Limits::default() }, ..grant(account, 5) };
    match registry.seat(&grant, registry.period(Duration::ZERO).unwrap(), login(|| ())) {
        Seating::Seated(seat) => Some(seat),
        Seating::Full => None,
        Seating::Void => panic!("void"),
    }
}

fn register(registry: &Arc<Registry>, account: u64, generation: u64, period: Period) -> Registration {
    match registry.seat(&grant(account, generation), period, login(|| ())) {
        Seating::Seated(seat) => registry.register(&seat, SessionService::Sftp),
        Seating::Void => Registration::Void,
        Seating::Full => panic!("full"),
    }
}

fn begin(registry: &Registry) {
    registry.resume(&Resumed { generation: Generation(1), changed: Vec::new() });
}

#[test]
fn an_account_with_a_limit_has_as_many_connections_and_they_are_listed_and_closed() {
    let registry = Arc::new(Registry::default());
    begin(&registry);
    let one = seat_within(&registry, 1, Some(1)).unwrap();
    assert!(seat_within(&registry, 1, Some(1)).is_none() && seat_within(&registry, 1, Some(2)).is_some());
    let Registration::Registered(place) = registry.register(&one, SessionService::Sftp) else {
        panic!("not registered");
    };
    let (path, direction) = ("/a".to_owned(), TransferDirection::Upload);
    place.note(TransferNote::Begun { id: 1, path, direction, size: 5, for_milliseconds: 1000 });
    place.note(TransferNote::At { id: 1, size: 9 });
    let listed = registry.connections(Some(AccountId(1)));
    assert_eq!((listed.len(), listed[0].sessions[0].transfers[0].size, listed[0].id.0.len()), (1, 9, 64));
    assert!(listed[0].sessions[0].transfers[0].started < listed[0].last_activity);
    place.note(TransferNote::Ended { id: 1 });
    assert!(registry.connections(None)[0].sessions[0].transfers.is_empty());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    place.set_control(Arc::new(Control::new(ours)));
    assert_eq!(registry.close_connection(&ConnectionId("0".into())), None);
    registry.close_connection(&listed[0].id).unwrap();
    let mut bytes = [0; 2];
    std::io::Read::read_exact(&mut theirs, &mut bytes).unwrap();
    assert_eq!(Word::of(Some(bytes)), Word::End(Farewell::Revoked));
    drop(one);
    assert!(registry.connections(None).is_empty());
}

#[test]
fn nothing_starts_while_revocations_can_not_be_heard() {
    let registry = Arc::new(Registry::default());
    assert_eq!(registry.period(Duration::ZERO), None);
    begin(&registry);
    let period = registry.period(Duration::ZERO).unwrap();
    assert!(matches!(register(&registry, 1, 5, period), Registration::Registered(_)));
    registry.end_all(Duration::ZERO);
    assert!(matches!(register(&registry, 1, 5, period), Registration::Void));
    begin(&registry);
    assert!(matches!(register(&registry, 1, 5, period), Registration::Void));
}

#[test]
fn a_revocation_between_decision_and_start_voids_the_decision() {
    let registry = Arc::new(Registry::default());
    begin(&registry);
    let period = registry.period(Duration::ZERO).unwrap();
    let _ = registry.revoke(AccountId(1), Generation(6));
    assert!(matches!(register(&registry, 1, 5, period), Registration::Void));
    assert!(matches!(register(&registry, 1, 6, period), Registration::Registered(_)));
    assert!(matches!(register(&registry, 2, 5, period), Registration::Registered(_)));
}

#[test]
fn an_account_has_so_many_sessions_and_so_many_logins() {
    let registry = Arc::new(Registry::default());
    begin(&registry);
    let period = registry.period(Duration::ZERO).unwrap();
    let mut places: Vec<_> = (0..MOST_SESSIONS).map(|_| register(&registry, 1, 5, period)).collect();
    assert!(places.iter().all(|place| matches!(place, Registration::Registered(_))));
    assert!(matches!(register(&registry, 1, 5, period), Registration::Full));
    assert!(matches!(register(&registry, 2, 5, period), Registration::Registered(_)));
    places.pop();
    assert!(matches!(register(&registry, 1, 5, period), Registration::Registered(_)));
    let mut seats: Vec<_> = (0..MOST_CONNECTIONS).map(|_| seat(&registry, 1).unwrap()).collect();
    assert!(seat(&registry, 1).is_none() && seat(&registry, 2).is_some());
    seats.pop();
    drop(seat(&registry, 1).unwrap());
    drop(seats);
    assert!(registry.lock().connections.is_empty());
}

#[test]
fn a_revocation_leaves_sessions_that_are_newer() {
    use std::io::Read;
    let registry = Arc::new(Registry::default());
    begin(&registry);
    let period = registry.period(Duration::ZERO).unwrap();
    let Registration::Registered(place) = register(&registry, 1, 6, period) else { panic!("not registered") };
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    place.set_control(Arc::new(Control::new(ours)));
    // It would wait for a session that is older.
    registry.ended(registry.revoke(AccountId(1), Generation(6)), Duration::from_secs(60));
    theirs.set_nonblocking(true).unwrap();
    assert_eq!(theirs.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let _ = registry.revoke(AccountId(1), Generation(7));
    assert_eq!(theirs.read(&mut [0; 2]).unwrap(), 2);
    let _ = registry.revoke(AccountId(1), Generation(5));
    assert!(matches!(register(&registry, 1, 6, period), Registration::Void), "7 still counts");
}

#[test]
fn a_revocation_hangs_up_connections_that_are_older_also_without_a_session() {
    use std::sync::mpsc::channel;
    let registry = Arc::new(Registry::default());
    begin(&registry);
    let period = registry.period(Duration::ZERO).unwrap();
    let (hung_up, heard) = channel();
    let connect = |account: u64, generation: u64| {
        let hung_up = hung_up.clone();
        let say = move || hung_up.send((account, generation)).unwrap();
        match registry.seat(&grant(account, generation), period, login(say)) {
            Seating::Seated(seat) => seat,
            other => panic!("{other:?}"),
        }
    };
    let seats = [connect(1, 5), connect(1, 6), connect(2, 5)];
    let _ = registry.revoke(AccountId(1), Generation(6));
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [(1, 5)]);
    let void = registry.seat(&grant(1, 5), period, login(|| ()));
    assert!(matches!(void, Seating::Void), "{void:?}");
    registry.end_all(Duration::ZERO);
    assert_eq!(heard.try_iter().count(), 3, "all that are left");
    let void = registry.seat(&grant(2, 5), period, login(|| ()));
    assert!(matches!(void, Seating::Void), "{void:?}");
    drop(seats);
    // It would wait for a connection.
    registry.end_all(Duration::from_secs(60));
}

/// What a keeper hears that a session gets now.
fn heard_by_keeper(place: &Place) -> Word {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    place.set_control(Arc::new(Control::new(ours)));
    let mut bytes = [0; 2];
    std::io::Read::read_exact(&mut theirs, &mut bytes).unwrap();
    Word::of(Some(bytes))
}

#[test]
fn a_session_that_is_closed_before_it_has_a_keeper_ends_alone() {
    let registry = Arc::new(Registry::default());
    begin(&registry);
    let period = registry.period(Duration::ZERO).unwrap();
    let Registration::Registered(closed) = register(&registry, 1, 5, period) else { panic!("not registered") };
    registry.close_session(closed.number()).unwrap();
    assert_eq!(heard_by_keeper(&closed), Word::End(Farewell::Closed));
    let Registration::Registered(revoked) = register(&registry, 1, 5, period) else { panic!("not registered") };
    registry.close_session(revoked.number()).unwrap();
    let _ = registry.revoke(AccountId(1), Generation(6));
    assert_eq!(heard_by_keeper(&revoked), Word::End(Farewell::Revoked), "what counts more");
}

#[test]
fn a_revocation_reaches_a_session_that_has_no_keeper_yet() {
    let registry = Arc::new(Registry::default());
    begin(&registry);
    let Registration::Registered(place) = register(&registry, 1, 5, registry.period(Duration::ZERO).unwrap()) else {
        panic!("not registered");
    };
    let _ = registry.revoke(AccountId(1), Generation(6));
    assert_eq!(heard_by_keeper(&place), Word::End(Farewell::Revoked));
    drop(place);
    assert_eq!(registry.ended(registry.revoke(AccountId(1), Generation(7)), Duration::from_secs(60)), 0);
}

fn named(account: u64, standing: &[u8]) -> Grant {
    Grant { standing: Standing(standing.to_vec()), ..grant(account, 5) }
}

fn changed(account: u64, standing: &[u8]) -> LetIn {
    LetIn { account: AccountId(account), standing: Standing(standing.to_vec()) }
}

#[test]
fn whoever_has_not_changed_goes_on_with_another_agent_and_whoever_has_is_revoked() {
    use std::sync::mpsc::channel;
    let registry = Arc::new(Registry::default());
    begin(&registry);
    let period = registry.period(Duration::ZERO).unwrap();
    let (hung_up, heard) = channel();
    let connect = |account: u64| {
        let hung_up = hung_up.clone();
        let say = move || hung_up.send(account).unwrap();
        match registry.seat(&named(account, b"as it was"), period, login(say)) {
            Seating::Seated(seat) => seat,
            other => panic!("{other:?}"),
        }
    };
    let (anna, berta) = (connect(1), connect(2));
    let open = |seat: &Seat| match registry.register(seat, SessionService::Sftp) {
        Registration::Registered(place) => place,
        other => panic!("{other:?}"),
    };
    let (of_anna, of_berta) = (open(&anna), open(&berta));
    assert!(registry.pause() && !registry.pause());
    assert!(matches!(registry.register(&anna, SessionService::Sftp), Registration::Void));
    assert_eq!(registry.resumption().let_in, [changed(1, b"as it was"), changed(2, b"as it was")], "each once");
    registry.resume(&Resumed { generation: Generation(3), changed: vec![changed(2, b"as it was")] });
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [2]);
    assert_eq!(heard_by_keeper(&of_berta), Word::End(Farewell::Revoked));
    assert!(matches!(registry.register(&berta, SessionService::Sftp), Registration::Void));
    drop(open(&anna));
    assert!(matches!(registry.seat(&named(1, b"as it was"), period, login(|| ())), Seating::Void), "asked for before");
    // Generations of the new agent count, however high those of the one before were.
    let _ = registry.revoke(AccountId(1), Generation(4));
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1]);
    assert_eq!(heard_by_keeper(&of_anna), Word::End(Farewell::Revoked));
}
