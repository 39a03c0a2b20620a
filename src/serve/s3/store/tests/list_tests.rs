//! Listings against a model: order, prefixes, delimiters, pages.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::support_tests::Temp;
use crate::serve::s3::store::{
    Body, Condition, DeleteOptions, Durability, ETag, NewObject, ObjectEntry, ObjectMeta,
    ObjectQuery, Options, Store, VersionEntry, VersionQuery, Versioning,
};

/// Keys that share prefixes, with delimiters of one and more characters and at
/// the ends of the alphabet.
fn keys() -> impl Strategy<Value = BTreeSet<String>> {
    let piece = prop_oneof![
        3 => "[ab]{1,2}",
        2 => Just("/".to_owned()),
        1 => Just("--".to_owned()),
        1 => prop_oneof![Just("\u{10ffff}"), Just("\u{d7ff}"), Just("\u{e000}"), Just("ä")]
            .prop_map(str::to_owned),
    ];
    let key = prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat());
    prop::collection::btree_set(key, 0..40)
}

fn query() -> impl Strategy<Value = (String, String, String, usize)> {
    let prefix = prop_oneof![Just(""), Just("a"), Just("a/"), Just("ab"), Just("\u{10ffff}")];
    let delimiter = prop_oneof![Just(""), Just("/"), Just("--"), Just("a"), Just("\u{10ffff}")];
    let after = prop_oneof![Just(""), Just("a"), Just("a/"), Just("a/b"), Just("zz"), Just("ä")];
    let text = |text: &str| text.to_owned();
    (prefix.prop_map(text), delimiter.prop_map(text), after.prop_map(text), 1..8_usize)
}

/// What a listing gives without pages: keys after `after`, rolled up.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: &str, after: &str) -> Vec<String> {
    let roll = |key: &str| -> (bool, String) {
        let rest = &key[prefix.len()..];
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => (true, key[..prefix.len() + at + delimiter.len()].to_owned()),
            None => (false, key.to_owned()),
        }
    };
    let mut lines: Vec<String> = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix) && key.as_str() > after) {
        let (rolled, line) = roll(key);
        let passed = rolled && line == after;
        if !passed && lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

async fn put(store: &Store, key: &str) {
    let (meta, body) = (ObjectMeta::default(), Body::empty());
    let object = NewObject { meta, etag: ETag::of_md5([0; 16]), body, last_modified: None };
    store.put_object("b", key, object, Condition::default()).await.unwrap();
}

fn relaxed() -> Options {
    Options { durability: Durability::Relaxed, ..Options::default() }
}

fn line(entry: &ObjectEntry) -> String {
    match entry {
        ObjectEntry::Object(summary) => summary.key.clone(),
        ObjectEntry::Prefix(prefix) => prefix.clone(),
    }
}

#[test]
fn pages_of_objects_are_those_of_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let queries = prop::collection::vec(query(), 8);
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() };
    proptest!(config, |(keys in keys(), hidden in keys(), queries in queries)| {
        let temp = runtime.block_on(Temp::with(relaxed()));
        runtime.block_on(async {
            temp.set_versioning("b", Versioning::Enabled).await.unwrap();
            for key in &keys {
                put(&temp, key).await;
            }
            // Keys whose current version is a delete marker are not there.
            for key in hidden.difference(&keys) {
                put(&temp, key).await;
                let gone = temp.delete_object("b", key, DeleteOptions::default());
                gone.await.unwrap();
            }
        });
        for (prefix, delimiter, start_after, max_keys) in queries {
            let expected = model(&keys, &prefix, &delimiter, &start_after);
            let mut query = ObjectQuery { prefix, delimiter, start_after, max_keys };
            let mut found = Vec::new();
            loop {
                let page = temp.list_objects("b", &query).unwrap();
                let full = page.entries.len() == max_keys;
                prop_assert!(full || page.next.is_none(), "only full pages are followed by others");
                found.extend(page.entries.iter().map(line));
                match page.next {
                    Some(next) => query.start_after = next,
                    None => break,
                }
            }
            prop_assert_eq!(&found, &expected, "{:?}", query);
        }
    });
}

#[tokio::test]
async fn pages_of_versions_go_through_all_of_them() {
    let mut temp = Temp::with(relaxed()).await;
    temp.set_versioning("b", Versioning::Enabled).await.unwrap();
    let mut expected = Vec::new();
    for key in ["a", "dir/x", "dir/y", "k", "l"] {
        let mut ids = Vec::new();
        for n in 0..4_u8 {
            ids.push(temp.put(key, &[n]).await.version_id);
        }
        ids.extend(temp.delete(key, None).await.version_id);
        expected.extend(ids.into_iter().rev().map(|id| (key.to_owned(), id)));
    }
    temp.reopen();
    for max_keys in [1, 2, 3, 5, 7, 24, 25] {
        let mut query = VersionQuery { max_keys, ..VersionQuery::default() };
        let (mut found, mut latest) = (Vec::new(), 0);
        loop {
            let page = temp.list_versions("b", &query).unwrap();
            for entry in page.entries {
                let VersionEntry::Version(version) = entry else { panic!("no delimiter") };
                latest += usize::from(version.is_latest);
                assert_eq!(version.is_latest, version.delete_marker);
                found.push((version.key, version.version_id));
            }
            let Some((key, id)) = page.next else { break };
            (query.key_marker, query.version_id_marker) = (key, id);
        }
        assert_eq!((&found, latest), (&expected, 5), "pages of {max_keys}");
    }
    let delimiter = "/".to_owned();
    let query = VersionQuery { delimiter, max_keys: 6, ..VersionQuery::default() };
    let page = temp.list_versions("b", &query).unwrap();
    assert_eq!(page.next, Some(("dir/".to_owned(), None)));
    let query = VersionQuery { key_marker: "dir/".to_owned(), ..query };
    let page = temp.list_versions("b", &query).unwrap();
    let first = expected[15].clone();
    assert!(matches!(&page.entries[0], VersionEntry::Version(version)
        if (version.key.clone(), version.version_id) == first));
}

#[tokio::test]
async fn a_page_that_ends_with_a_removed_version_is_followed() {
    let temp = Temp::with(relaxed()).await;
    temp.set_versioning("b", Versioning::Enabled).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..4_u8 {
        ids.push(temp.put("k", &[n]).await.version_id);
    }
    let query = VersionQuery { max_keys: 2, ..VersionQuery::default() };
    let (key_marker, version_id_marker) = temp.list_versions("b", &query).unwrap().next.unwrap();
    temp.delete("k", version_id_marker).await;
    let query = VersionQuery { key_marker, version_id_marker, ..query };
    let found: Vec<_> = temp.list_versions("b", &query).unwrap().entries;
    let found: Vec<_> = found
        .iter()
        .map(|entry| match entry {
            VersionEntry::Version(version) => version.version_id,
            VersionEntry::Prefix(prefix) => panic!("{prefix}"),
        })
        .collect();
    assert_eq!(found, [ids[1], ids[0]]);
}

#[tokio::test]
async fn lifecycle_sees_when_versions_were_replaced() {
    let temp = Temp::with(relaxed()).await;
    temp.set_versioning("b", Versioning::Enabled).await.unwrap();
    for key in ["p/a", "p/b", "q"] {
        temp.put(key, b"1").await;
    }
    temp.clock().advance(jiff::SignedDuration::from_hours(1));
    temp.put("p/a", b"2").await;
    let marker = temp.delete("p/b", None).await;
    let first = temp.lifecycle_page("b", "p/", "", 1).unwrap();
    assert_eq!((first.keys[0].key.as_str(), first.next.as_deref()), ("p/a", Some("p/a")));
    let replaced = first.keys[0].noncurrent_since(1).unwrap();
    assert_eq!(replaced, temp.clock().now());
    assert_eq!(first.keys[0].noncurrent_since(0), None);
    let second = temp.lifecycle_page("b", "p/", "p/a", 9).unwrap();
    assert_eq!((second.keys.len(), second.next), (1, None));
    assert!(!second.keys[0].is_expired_delete_marker());
    temp.delete("p/b", Some(second.keys[0].versions[1].version_id)).await;
    let keys = temp.lifecycle_page("b", "p/b", "", 9).unwrap().keys;
    assert!(keys[0].is_expired_delete_marker());
    assert_eq!(Some(keys[0].versions[0].version_id), marker.version_id);
}
