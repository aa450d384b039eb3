//! Lines of smbpasswd(5).
#![no_main]

use accountd_agent::laws::smbpasswd_line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, String, u32, Option<bool>)| {
    let (line, name, uid, disabled) = input;
    smbpasswd_line(&line, &name, uid, disabled);
});
