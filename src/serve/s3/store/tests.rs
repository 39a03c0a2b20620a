//! Tests of the whole store, on a folder of its own each.

mod cut_tests;
mod disk_tests;
mod list_tests;
mod model_tests;
mod object_tests;
mod support_tests;
mod upload_tests;
