//! Feeds both notification parsers with whatever finds new paths through them.
#![no_main]

#[path = "../read.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|body: &[u8]| read::read(body));
