#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox::serve::telemetry::fuzzing::otlp(input));
