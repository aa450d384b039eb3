//! Files of accounts and their lines.
#![no_main]

use accountd_agent::laws::{Change, kind, line_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<u8>, Vec<Change>)| {
    let (number, content, changes) = input;
    line_file(kind(number), &content, &changes);
});
