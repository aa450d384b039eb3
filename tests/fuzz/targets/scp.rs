//! Records of scp, in both directions, and trees that go through it.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the program has more than the laws are about")]

#[path = "../../../src/session/home.rs"]
mod home;
#[path = "../../../src/session/laws/mod.rs"]
mod laws;
#[path = "../../../src/session/limits.rs"]
mod limits;
#[path = "../../../src/session/notes.rs"]
mod notes;
#[path = "../../../src/session/pace.rs"]
mod pace;
#[path = "../../../src/session/permissions.rs"]
mod permissions;
#[path = "../../../src/session/quota/mod.rs"]
mod quota;
#[path = "../../../src/session/path.rs"]
mod path;
#[path = "../../../src/session/record.rs"]
mod record;
#[path = "../../../src/session/rename.rs"]
mod rename;
#[path = "../../../src/session/scp/mod.rs"]
mod scp;
#[path = "../../../src/session/sftp/mod.rs"]
mod sftp;
#[path = "../../../src/session/transfer.rs"]
mod transfer;
#[path = "../../../src/session/upload.rs"]
mod upload;

use libfuzzer_sys::fuzz_target;

use self::laws::{round_trip, sink, source};
use accountd_protocol::session_policy::Uploads;

fuzz_target!(|input: (bool, Vec<u8>, Vec<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>, u32)>)| {
    let (is_atomic, wire, words, entries) = input;
    let uploads = if is_atomic { Uploads::Atomic } else { Uploads::InPlace };
    sink(&wire, uploads);
    source(&words, &wire);
    round_trip(&entries, uploads);
});
