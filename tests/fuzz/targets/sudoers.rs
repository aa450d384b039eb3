//! Drop-ins of sudoers(5) for names and commands of any kind, and drop-ins of any kind.
#![no_main]

use accountd_agent::laws::{any_drop_in, drop_in};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, String, bool, Vec<String>, Vec<String>)| {
    let (name, other, group, with, without) = input;
    drop_in((&name, &other), group, [&with, &without]);
    any_drop_in(&other, &name);
});
