//! What recovery does to a file after a crash.
#![no_main]

use accountd_agent::laws::{Change, kind, recovery};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<u8>, Vec<Change>, Vec<u8>)| {
    let (number, before, changes, since) = input;
    recovery(kind(number), &before, &changes, &since);
});
