//! Feeds both notification parsers with inputs guided by coverage.
#![no_main]

#[path = "../read.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|body: &[u8]| read::read(body));
