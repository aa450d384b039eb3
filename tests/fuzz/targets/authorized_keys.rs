//! Key files.
#![no_main]

use accountd_agent::laws::{authorized_keys, key_options, restriction};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: String| {
    authorized_keys(&text);
    restriction(&text);
    key_options(&text);
});
