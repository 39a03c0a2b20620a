//! Versioning against a model of what S3 documents.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::support_tests::{Temp, md5, read};
use crate::serve::s3::store::{
    Condition, DeleteOptions, Durability, ETagMatch, NewObject, ObjectMeta, Options, StoreError,
    VersionId, Versioning,
};

#[derive(Clone, Debug)]
enum Step {
    Put {
        key: u8,
        value: u8,
    },
    PutIfNone {
        key: u8,
        value: u8,
    },
    Delete {
        key: u8,
    },
    /// The version at this place, counted from the newest.
    DeleteVersion {
        key: u8,
        at: usize,
    },
    Versioning(Versioning),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..3_u8;
    let step = prop_oneof![
        6 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Put { key, value }),
        2 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::PutIfNone { key, value }),
        3 => key.clone().prop_map(|key| Step::Delete { key }),
        3 => (key, 0..4_usize).prop_map(|(key, at)| Step::DeleteVersion { key, at }),
        1 => Just(Step::Versioning(Versioning::Enabled)),
        1 => Just(Step::Versioning(Versioning::Suspended)),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

/// Versions of each key, newest first; `None` is a delete marker.
#[derive(Debug, Default)]
struct Model {
    versioning: Versioning,
    keys: BTreeMap<String, Vec<(VersionId, Option<u8>)>>,
}

impl Model {
    fn current(&self, key: &str) -> Option<u8> {
        self.keys.get(key)?.first()?.1
    }

    fn add(&mut self, key: &str, id: VersionId, value: Option<u8>) {
        let versions = self.keys.entry(key.to_owned()).or_default();
        if self.versioning == Versioning::Enabled {
            assert_ne!(id, VersionId::Null);
        } else {
            assert_eq!(id, VersionId::Null);
            versions.retain(|(id, _)| *id != VersionId::Null);
        }
        versions.insert(0, (id, value));
    }

    fn remove(&mut self, key: &str, id: VersionId) {
        let versions = self.keys.entry(key.to_owned()).or_default();
        versions.retain(|(other, _)| *other != id);
    }
}

async fn object(temp: &Temp, value: u8) -> NewObject {
    let (meta, body) = (ObjectMeta::default(), temp.body(&[value]).await);
    NewObject { meta, etag: md5(&[value]), body, last_modified: None }
}

async fn step(temp: &mut Temp, model: &mut Model, step: Step) {
    let name = |key: u8| format!("key-{key}");
    match step {
        Step::Put { key, value } => {
            let (key, object) = (name(key), object(temp, value).await);
            let put = temp.put_object("b", &key, object, Condition::default()).await.unwrap();
            model.add(&key, put.version_id, Some(value));
        }
        Step::PutIfNone { key, value } => {
            let (key, object) = (name(key), object(temp, value).await);
            let condition =
                Condition { if_none_match: Some(ETagMatch::Any), ..Condition::default() };
            let put = temp.put_object("b", &key, object, condition).await;
            assert_eq!(put.is_ok(), model.current(&key).is_none(), "{put:?}");
            if let Ok(put) = put {
                model.add(&key, put.version_id, Some(value));
            }
        }
        Step::Delete { key } => {
            let key = name(key);
            let deleted = temp.delete_object("b", &key, DeleteOptions::default()).await.unwrap();
            assert_eq!(deleted.delete_marker, model.versioning != Versioning::Unversioned);
            match deleted.version_id {
                Some(id) => model.add(&key, id, None),
                None => model.remove(&key, VersionId::Null),
            }
        }
        Step::DeleteVersion { key, at } => {
            let key = name(key);
            let versions = model.keys.get(&key).cloned().unwrap_or_default();
            let (id, value) =
                versions.get(at).copied().unwrap_or((VersionId::Id(u128::MAX), Some(0)));
            let options = DeleteOptions { version: Some(id), ..DeleteOptions::default() };
            let deleted = temp.delete_object("b", &key, options).await.unwrap();
            assert_eq!(deleted.changed, at < versions.len());
            assert_eq!(deleted.delete_marker, value.is_none());
            model.remove(&key, id);
        }
        Step::Versioning(versioning) => {
            temp.set_versioning("b", versioning).await.unwrap();
            model.versioning = versioning;
        }
        Step::Reopen => temp.reopen(),
    }
}

/// Every version is there, in order, with its value, and no other.
async fn compare(temp: &Temp, model: &Model) {
    let mut count = (0, 0, 0);
    for (key, versions) in &model.keys {
        let page = temp.lifecycle_page("b", key, "", 1).unwrap();
        let found = page.keys.first().map(|key| key.versions.as_slice()).unwrap_or_default();
        let ids: Vec<_> = found.iter().map(|v| (v.version_id, v.delete_marker)).collect();
        let expected: Vec<_> = versions.iter().map(|(id, value)| (*id, value.is_none())).collect();
        assert_eq!(ids, expected, "{key}");
        for (id, value) in versions {
            let bytes = read(temp, "b", key, Some(*id)).await;
            match value {
                Some(value) => assert_eq!(bytes.unwrap(), [*value]),
                None => assert!(matches!(bytes, Err(StoreError::DeleteMarker { .. }))),
            }
            count.0 += u64::from(value.is_some());
            count.1 += u64::from(value.is_none());
        }
        let current = read(temp, "b", key, None).await.ok();
        assert_eq!(current, model.current(key).map(|value| vec![value]));
        count.2 += u64::from(model.current(key).is_some());
    }
    let figures = temp.bucket_figures("b").unwrap();
    assert_eq!((figures.versions, figures.delete_markers, figures.objects), count);
    assert_eq!(figures.bytes, figures.versions);
}

#[test]
fn versions_are_those_of_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let relaxed =
        Options { durability: Durability::Relaxed, segment_size: 4096, ..Options::default() };
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() };
    proptest!(config, |(steps in steps())| {
        runtime.block_on(async {
            let mut temp = Temp::with(relaxed.clone()).await;
            let mut model = Model::default();
            for next in steps {
                step(&mut temp, &mut model, next).await;
            }
            compare(&temp, &model).await;
            temp.reopen();
            compare(&temp, &model).await;
        });
    });
}
