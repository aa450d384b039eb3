//! Frames between the programs.
#![no_main]

use accountd_agent::laws::{frame, message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, u16, Vec<String>)| {
    let (wire, cap, texts) = input;
    frame(&wire, usize::from(cap));
    message(&texts);
});
