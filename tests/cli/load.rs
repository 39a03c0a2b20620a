//! `sandbox load` before there is anything to load into.

use crate::support::TestEnv;

#[test]
fn before_up_there_is_nothing_to_load_into() {
    let env = TestEnv::with_settings("name: hello\nimages: [{ref: 'hello:dev'}]\n");
    env.engine.add_image("hello:dev", "amd64");
    insta::assert_snapshot!(env.sandbox(&["load"]), @"
    --- stderr
    error: sandbox `hello` is not up
    hint: sandbox up
    --- exit code 5
    ");
    env.assert_untouched();
}

#[test]
fn an_image_that_is_not_in_the_settings_is_wrong_usage() {
    let env = TestEnv::with_settings("name: hello\nimages: [{ref: 'hello:dev'}]\n");
    insta::assert_snapshot!(env.sandbox(&["load", "hallo:dev"]), @"
    --- stderr
    error: `hallo:dev` is none of the images of $DIR/work/sandbox.yaml
    hint: the images are: hello:dev
    --- exit code 2
    ");
    env.assert_untouched();
    assert!(env.engine.calls().is_empty());
}
