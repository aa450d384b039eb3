//! Packets of SFTP: well-framed ones of any kind, then any bytes.
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

use self::laws::session;
use accountd_protocol::session_policy::Uploads;

fuzz_target!(|input: (bool, Vec<(u8, Vec<u8>)>, Vec<u8>)| {
    let (is_atomic, requests, rest) = input;
    let mut wire = Vec::new();
    for (kind, body) in requests {
        // Kinds that there are, mostly; the number of the request is part of the body.
        let kind = if kind < 200 { 3 + kind % 20 } else { kind };
        wire.extend((body.len() as u32 + 1).to_be_bytes());
        wire.push(kind);
        wire.extend(body);
    }
    wire.extend(rest);
    session(&wire, if is_atomic { Uploads::Atomic } else { Uploads::InPlace });
});
