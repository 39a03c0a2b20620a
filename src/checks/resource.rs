//! The kind `resource`: any object of the cluster and what is expected of it.
//!
//! Owns what a good object is. Must not show what is in a Secret.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::checks::context::Context;
use crate::checks::probe::Seen;
use crate::checks::text;
use crate::settings::checks::Resource;

/// How much of a value is repeated in one line, in characters.
const SHOWN: usize = 120;

/// Looks once.
pub(super) async fn attempt(resource: &Resource, context: &Context<'_>) -> Seen {
    let mut asked = format!("{} {}", resource.kind, resource.name);
    let cluster = match context.cluster().await {
        Ok(cluster) => cluster,
        Err(why) => return Seen::nothing(asked, why),
    };
    let found = match cluster.find_kind(resource.api_version.as_deref(), &resource.kind).await {
        Ok(found) => found,
        Err(error) => return Seen::nothing(asked, text::told(&error)),
    };
    let namespace = resource.namespace.as_deref().unwrap_or(&context.target.namespace);
    let place = found.namespaced().then_some(namespace);
    if let Some(namespace) = place {
        asked = format!("{asked} in {namespace}");
    }
    match cluster.get_value(&found, namespace, &resource.name).await {
        Err(error) => Seen::nothing(asked, text::told(&error)),
        Ok(object) => Seen {
            verdict: judge(object.as_ref(), resource, place),
            asked,
            came: shown(object.as_ref(), resource),
        },
    }
}

fn secret(resource: &Resource) -> bool {
    resource.kind == "Secret"
}

/// The status of an object, which is what tells why it is not as expected.
fn shown(object: Option<&Value>, resource: &Resource) -> String {
    match object.map(|object| &object["status"]) {
        Some(status) if !status.is_null() && !secret(resource) => format!("{status:#}"),
        _ => String::new(),
    }
}

/// Whether it is as expected.
fn judge(
    object: Option<&Value>,
    resource: &Resource,
    namespace: Option<&str>,
) -> Result<String, String> {
    let place = namespace.map_or_else(String::new, |namespace| format!(" in `{namespace}`"));
    let Some(object) = object else {
        let told = format!("there is no {} `{}`{place}", resource.kind, resource.name);
        return if resource.absent { Ok(told) } else { Err(told) };
    };
    if resource.absent {
        let going = !object["metadata"]["deletionTimestamp"].is_null();
        let going = if going { "; it is being deleted" } else { "" };
        let since = object["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
        return Err(format!("it is there{place}, since {since}{going}"));
    }
    let mut held = Vec::new();
    if let Some(wanted) = &resource.condition {
        condition(object, wanted)?;
        held.push(format!("{wanted} is true"));
    }
    held.extend(fields(object, &resource.field, secret(resource))?);
    Ok(if held.is_empty() { "it is there".to_owned() } else { held.join(", ") })
}

/// Whether a condition is true, and told by its controller of the newest object.
fn condition(object: &Value, wanted: &str) -> Result<(), String> {
    let none = Vec::new();
    let all = object["status"]["conditions"].as_array().unwrap_or(&none);
    let kind = |condition: &Value| condition["type"].as_str().unwrap_or_default().to_owned();
    let Some(found) = all.iter().find(|condition| kind(condition) == wanted) else {
        let known: Vec<String> = all.iter().map(|c| format!("`{}`", kind(c))).collect();
        return Err(if known.is_empty() {
            "it has no conditions yet".to_owned()
        } else {
            format!("it has no condition `{wanted}`; it has {}", known.join(", "))
        });
    };
    if found["status"] != "True" {
        let text = |key: &str| found[key].as_str().unwrap_or_default().replace('\n', " ");
        let status = found["status"].as_str().unwrap_or("not set");
        let mut why = format!("{wanted} is {}", status.to_lowercase());
        for (key, before, after) in [("reason", " (", ")"), ("message", ": ", "")] {
            if !text(key).is_empty() {
                why.push_str(&format!("{before}{}{after}", text(key)));
            }
        }
        return Err(text::line(&why, 512));
    }
    let newest = object["metadata"]["generation"].as_i64();
    let observed = found["observedGeneration"]
        .as_i64()
        .or_else(|| object["status"]["observedGeneration"].as_i64());
    match (observed, newest) {
        (Some(observed), Some(newest)) if observed < newest => {
            Err(format!("{wanted} is true, but of the object before its last change"))
        }
        _ => Ok(()),
    }
}

/// Whether fields are as expected; those of a Secret are not repeated.
fn fields(
    object: &Value,
    wanted: &BTreeMap<String, Value>,
    secret: bool,
) -> Result<Vec<String>, String> {
    let shown = |value: &Value| {
        if secret { "…".to_owned() } else { text::line(&value.to_string(), SHOWN) }
    };
    let mut held = Vec::new();
    for (pointer, expect) in wanted {
        let found = object.pointer(pointer).unwrap_or(&Value::Null);
        if found != expect {
            let expect = shown(expect);
            return Err(if found.is_null() {
                format!(
                    "there is nothing at `{pointer}`, expected {expect}{}",
                    nearest(object, pointer)
                )
            } else {
                format!("`{pointer}` is {}, expected {expect}", shown(found))
            });
        }
        held.push(format!("`{pointer}` is {}", shown(found)));
    }
    Ok(held)
}

/// What there is at the last part of a pointer that leads somewhere.
fn nearest(object: &Value, pointer: &str) -> String {
    let mut parent = pointer;
    while let Some((shorter, _)) = parent.rsplit_once('/') {
        parent = shorter;
        match object.pointer(parent) {
            Some(Value::Object(map)) => {
                let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                let place =
                    if parent.is_empty() { "the object".to_owned() } else { format!("`{parent}`") };
                return format!("; {place} has {}", text::line(&keys.join(", "), SHOWN));
            }
            Some(Value::Array(items)) => {
                return format!("; `{parent}` has {} item(s)", items.len());
            }
            _ => {}
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(kind: &str) -> Resource {
        Resource { kind: kind.into(), name: "web".into(), ..Resource::default() }
    }

    fn wants(field: Value) -> Resource {
        let field = serde_json::from_value(field).unwrap();
        Resource { field, ..resource("Deployment") }
    }

    fn deployment() -> Value {
        json!({
            "metadata": {"name": "web", "generation": 3, "creationTimestamp": "2025-01-02T03:04:05Z"},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": "web:1"}]}}},
            "status": {"observedGeneration": 3, "conditions": [
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
                {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable",
                    "message": "Deployment does not have minimum availability."},
            ]},
        })
    }

    fn told(object: Option<&Value>, resource: &Resource) -> String {
        match judge(object, resource, Some("shop")) {
            Ok(held) => format!("ok: {held}"),
            Err(why) => why,
        }
    }

    #[test]
    fn an_object_is_there_or_not() {
        let mut gone = resource("Deployment");
        gone.absent = true;
        let mut going = deployment();
        going["metadata"]["deletionTimestamp"] = json!("2025-01-02T03:04:06Z");
        let all = [
            told(Some(&deployment()), &resource("Deployment")),
            told(None, &resource("Deployment")),
            told(None, &gone),
            told(Some(&deployment()), &gone),
            told(Some(&going), &gone),
        ];
        insta::assert_snapshot!(all.join("\n"), @"
        ok: it is there
        there is no Deployment `web` in `shop`
        ok: there is no Deployment `web` in `shop`
        it is there in `shop`, since 2025-01-02T03:04:05Z
        it is there in `shop`, since 2025-01-02T03:04:05Z; it is being deleted
        ");
    }

    #[test]
    fn a_condition_is_told_with_its_reason() {
        let wants =
            |name: &str| Resource { condition: Some(name.into()), ..resource("Deployment") };
        let mut changed = deployment();
        changed["metadata"]["generation"] = json!(4);
        let all = [
            told(Some(&deployment()), &wants("Progressing")),
            told(Some(&deployment()), &wants("Available")),
            told(Some(&deployment()), &wants("Ready")),
            told(Some(&json!({})), &wants("Ready")),
            told(Some(&changed), &wants("Progressing")),
        ];
        insta::assert_snapshot!(all.join("\n"), @"
        ok: Progressing is true
        Available is false (MinimumReplicasUnavailable): Deployment does not have minimum availability.
        it has no condition `Ready`; it has `Progressing`, `Available`
        it has no conditions yet
        Progressing is true, but of the object before its last change
        ");
    }

    #[test]
    fn a_field_is_told_with_what_it_is_instead() {
        let image = "/spec/template/spec/containers/0/image";
        let all = [
            told(Some(&deployment()), &wants(json!({"/spec/replicas": 2, image: "web:1"}))),
            told(Some(&deployment()), &wants(json!({"/spec/replicas": "2"}))),
            told(Some(&deployment()), &wants(json!({"/spec/replica": 2}))),
            told(Some(&deployment()), &wants(json!({"/spec/template/spec/containers/1": 2}))),
            told(Some(&deployment()), &wants(json!({"/spec/paused": null}))),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        ok: `/spec/replicas` is 2, `/spec/template/spec/containers/0/image` is "web:1"
        `/spec/replicas` is 2, expected "2"
        there is nothing at `/spec/replica`, expected 2; `/spec` has replicas, template
        there is nothing at `/spec/template/spec/containers/1`, expected 2; `/spec/template/spec/containers` has 1 item(s)
        ok: `/spec/paused` is null
        "#);
    }

    #[test]
    fn what_is_in_a_secret_stays_there() {
        let object = json!({"data": {"password": "czNjcmV0"}, "status": {"x": "czNjcmV0"}});
        let wants = |expect: &str| Resource {
            field: [("/data/password".to_owned(), json!(expect))].into(),
            ..resource("Secret")
        };
        for expect in ["czNjcmV0", "b3RoZXI="] {
            let told = told(Some(&object), &wants(expect));
            assert!(!told.contains("czNjcmV0") && !told.contains("b3RoZXI="), "{told}");
        }
        assert_eq!(shown(Some(&object), &wants("x")), "");
    }
}
