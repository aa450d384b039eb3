//! The laws, on what looks like what clients send. Random bytes are left to the fuzzer.

use accountd_protocol::session_policy::Uploads;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use accountd_protocol::quota::QuotaUse;

/// Few names, so that they meet, and those that lead elsewhere.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop_oneof![
            Just("a"), Just("b"), Just("d"), Just("d/x"), Just("d/out"), Just("d/out/secret"), Just("dangling"),
            Just("../outside/secret"), Just("/"), Just(".."), Just(""), Just("~"), Just("~root/x"),
        ].prop_map(|name| name.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ]
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Those that have just been given out, mostly.
fn handle() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0..3_u32, 0..3_u32).prop_map(|(slot, round)| [slot.to_be_bytes(), round.to_be_bytes()].concat()),
        1 => vec(any::<u8>(), 0..9),
    ]
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_u64, Just(1 << 40), Just(i64::MAX as u64), Just(u64::MAX)]
}

fn attributes() -> impl Strategy<Value = Vec<u8>> {
    (0..16_u32, offset(), 0..0o10000_u32).prop_map(|(flags, size, mode)| {
        let mut bytes = flags.to_be_bytes().to_vec();
        let owner = [0; 8];
        for (flag, field) in [(1, &size.to_be_bytes()[..]), (2, &owner), (4, &mode.to_be_bytes()), (8, &owner)] {
            if flags & flag != 0 {
                bytes.extend(field);
            }
        }
        bytes
    })
}

fn extension() -> impl Strategy<Value = Vec<u8>> {
    let with_names = prop_oneof![
        Just("posix-rename@openssh.com"),
        Just("hardlink@openssh.com"),
        Just("statvfs@openssh.com"),
        Just("expand-path@openssh.com"),
        Just("home-directory"),
        Just("users-groups-by-id@openssh.com"),
        Just("limits@openssh.com"),
        Just("lsetstat@openssh.com"),
        Just("x"),
    ];
    prop_oneof![
        (with_names, name(), name())
            .prop_map(|(extension, one, two)| { [text(extension.as_bytes()), text(&one), text(&two)].concat() }),
        (handle(), offset(), 0..30_u64, handle(), offset()).prop_map(|(from, at, length, to, place)| {
            let numbers = [at.to_be_bytes(), length.to_be_bytes()].concat();
            [text(b"copy-data"), text(&from), numbers, text(&to), place.to_be_bytes().to_vec()].concat()
        }),
        handle().prop_map(|handle| [text(b"fsync@openssh.com"), text(&handle)].concat()),
    ]
}

/// Kind and body of a request.
fn request() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let with_handle = prop_oneof![Just(4_u8), Just(8), Just(12)];
    let with_name = prop_oneof![Just(7_u8), Just(11), Just(13), Just(15), Just(16), Just(17), Just(19)];
    prop_oneof![
        4 => (name(), 0..64_u32, attributes())
            .prop_map(|(name, flags, rest)| (3, [text(&name), flags.to_be_bytes().to_vec(), rest].concat())),
        3 => (handle(), offset(), vec(any::<u8>(), 0..20))
            .prop_map(|(handle, at, data)| (6, [text(&handle), at.to_be_bytes().to_vec(), text(&data)].concat())),
        2 => (handle(), offset(), any::<u32>()).prop_map(|(handle, at, length)| {
            (5, [text(&handle), at.to_be_bytes().to_vec(), length.to_be_bytes().to_vec()].concat())
        }),
        4 => (with_handle, handle()).prop_map(|(kind, handle)| (kind, text(&handle))),
        4 => (with_name, name()).prop_map(|(kind, name)| (kind, text(&name))),
        2 => (prop_oneof![Just(9_u8), Just(14)], name(), attributes())
            .prop_map(|(kind, name, rest)| (kind, [text(&name), rest].concat())),
        1 => (handle(), attributes()).prop_map(|(handle, rest)| (10, [text(&handle), rest].concat())),
        2 => (prop_oneof![Just(18_u8), Just(20)], name(), name())
            .prop_map(|(kind, one, two)| (kind, [text(&one), text(&two)].concat())),
        3 => extension().prop_map(|body| (200, body)),
        1 => (any::<u8>(), vec(any::<u8>(), 0..12)),
    ]
}

/// With numbers that count, and something behind them.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    (vec(request(), 0..25), vec(any::<u8>(), 0..6)).prop_map(|(requests, rest)| {
        let mut wire = Vec::new();
        for (number, (kind, body)) in (0_u32..).zip(requests) {
            wire.extend(u32::try_from(body.len() + 5).unwrap().to_be_bytes());
            wire.push(kind);
            wire.extend(number.to_be_bytes());
            wire.extend(body);
        }
        wire.extend(rest);
        wire
    })
}

fn uploads() -> impl Strategy<Value = Uploads> {
    prop_oneof![Just(Uploads::InPlace), Just(Uploads::Atomic)]
}

/// Little, as the files are; or so much that a step is leased.
fn limit() -> impl Strategy<Value = QuotaUse> {
    let bytes = prop_oneof![4 => 0..80_u64, 1 => 10_000_000..20_000_000_u64, 1 => Just(1 << 41)];
    (bytes, prop_oneof![3 => 0..6_u64, 1 => 60..200_u64]).prop_map(|(bytes, files)| QuotaUse { bytes, files })
}

/// A record of scp, with the bytes that belong to it.
fn control() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..0o10000_u32, name(), vec(any::<u8>(), 0..9)).prop_map(|(mode, name, data)| {
            [format!("C{mode:04o} {} ", data.len()).as_bytes(), &name, b"\n", &data, b"\0"].concat()
        }),
        3 => (0..0o10000_u32, name()).prop_map(|(mode, name)| [format!("D{mode:04o} 0 ").as_bytes(), &name, b"\n"].concat()),
        2 => Just(b"E\n".to_vec()),
        1 => (any::<u32>(), 0..1_000_002_u32).prop_map(|(time, micros)| format!("T{time} {micros} {time} 0\n").into_bytes()),
        1 => vec(any::<u8>(), 0..9),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_has_one_answer_and_none_leads_outside(wire in requests(), uploads in uploads()) {
        session(&wire, uploads);
    }

    #[test]
    fn what_sftp_stores_is_what_was_leased(wire in requests(), uploads in uploads(), limit in limit()) {
        sftp_quota(&wire, uploads, limit);
    }

    #[test]
    fn what_a_sink_stores_is_what_was_leased(
        wire in vec(control(), 0..12),
        lost in 0..20_usize,
        uploads in uploads(),
        limit in limit(),
    ) {
        let wire = wire.concat();
        scp_quota(&wire[..wire.len().saturating_sub(lost)], uploads, limit);
    }

    #[test]
    fn a_sink_answers_whatever_comes_and_puts_nothing_outside(wire in vec(control(), 0..12), uploads in uploads()) {
        sink(&wire.concat(), uploads);
    }

    #[test]
    fn a_source_ends_whatever_it_hears(words in vec(name(), 1..4), answers in vec(0..3_u8, 0..12)) {
        source(&words, &answers);
    }

    #[test]
    fn a_tree_that_is_copied_is_the_same_tree(
        entries in vec((vec(any::<u8>(), 1..6), option::weighted(0.7, vec(any::<u8>(), 0..40)), any::<u32>()), 0..12),
        uploads in uploads(),
    ) {
        round_trip(&entries, uploads);
    }
}
