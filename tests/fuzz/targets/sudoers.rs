//! Drop-ins of sudoers(5) for names of any kind.
#![no_main]

use accountd_agent::laws::drop_in;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, String, bool)| {
    let (name, other, group) = input;
    drop_in(&name, &other, group);
});
