//! Any bytes as a DAT file: read or refused, within the memory that `scripts/fuzz` allows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plainiso::verify::dat::Dat;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dat) = Dat::read(bytes) {
        assert!(dat.name().len() <= bytes.len());
    }
});
