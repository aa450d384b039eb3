//! A check of account files with any bytes in them, and what it would repair.
#![no_main]

use accountd_agent::database::FileKind;
use accountd_agent::laws::{checked_files, checked_ranges};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|contents: [Vec<u8>; 7]| {
    let files: Vec<_> =
        FileKind::ALL.into_iter().zip(&contents).map(|(kind, content)| (kind, content.as_slice())).collect();
    checked_files(&files);
    checked_ranges(&contents[0]);
});
