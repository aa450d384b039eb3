//! Fields of a line.
#![no_main]

use accountd_agent::laws::entry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, u8, Vec<u8>)| {
    let (line, field, value) = input;
    entry(&line, field, &value);
});
