//! What must be true of a check in `sandbox.yaml` beyond its types.
//!
//! Owns the rules of each kind. Must not look at anything but the check.

use crate::settings::Name;
use crate::settings::checks::{
    Caller, Certificate, Check, CheckKind, Hpa, Http, KINDS, Postgres, Redis, Resource, S3, Span,
    Telemetry, Tls, Volume,
};

/// Where problems of one check go, each with the path of what it is about.
struct Found<'a> {
    path: String,
    problems: &'a mut Vec<String>,
}

impl Found<'_> {
    fn add(&mut self, key: &str, what: &str) {
        self.problems.push(format!("{}.{key}: {what}", self.path));
    }

    /// A name of a Kubernetes object, as strict as all of them have in common.
    fn name(&mut self, key: &str, name: &str) {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if name.is_empty()
            || name.len() > 253
            || !name.chars().all(valid)
            || !name.starts_with(edge)
            || !name.ends_with(edge)
        {
            self.add(key, &format!("`{name}` is no valid Kubernetes name"));
        }
    }

    fn namespace(&mut self, namespace: Option<&String>) {
        if let Some(namespace) = namespace.filter(|name| Name::new(name).is_err()) {
            self.add("namespace", &format!("`{namespace}` is no valid Kubernetes name"));
        }
    }

    fn pattern(&mut self, key: &str, pattern: Option<&String>) {
        let Some(pattern) = pattern else { return };
        if let Err(error) = regex::Regex::new(pattern) {
            let why = error.to_string().lines().last().unwrap_or_default().to_owned();
            self.add(key, &format!("`{pattern}`: {}", why.trim_start_matches("error: ")));
        }
    }

    fn url(&mut self, url: Option<&String>, schemes: [&str; 2]) {
        let Some(url) = url else { return };
        // The password is not repeated: messages end up in logs.
        let Ok(parsed) = reqwest::Url::parse(url) else {
            return self.add("url", "it cannot be parsed; special characters are written as %XX");
        };
        if !schemes.contains(&parsed.scheme()) {
            let [one, other] = schemes;
            let scheme = parsed.scheme();
            self.add("url", &format!("it begins with `{scheme}:`, not `{one}:` or `{other}:`"));
        } else if parsed.host_str().is_none_or(str::is_empty) {
            self.add("url", "it names no host");
        }
    }
}

/// Checks one check.
pub(super) fn check(check: &Check, path: &str, problems: &mut Vec<String>) {
    let kind = match check.kinds().as_slice() {
        [kind] => *kind,
        [] => {
            let all = KINDS.join(", ");
            problems.push(format!("{path}: `{}` has no kind; give one of {all}", check.name));
            return;
        }
        several => {
            let given: Vec<&str> = several.iter().map(|kind| kind.key()).collect();
            problems.push(format!(
                "{path}: `{}` has several kinds ({}); give exactly one",
                check.name,
                given.join(", ")
            ));
            return;
        }
    };
    let mut found = Found { path: format!("{path}.{}", kind.key()), problems };
    match kind {
        CheckKind::Http(http) => self::http(http, &mut found),
        CheckKind::Redis(redis) => self::redis(redis, &mut found),
        CheckKind::Postgres(postgres) => self::postgres(postgres, &mut found),
        CheckKind::S3(s3) => self::s3(s3, &mut found),
        CheckKind::Telemetry(telemetry) => self::telemetry(telemetry, &mut found),
        CheckKind::Tls(tls) => self::tls(tls, &mut found),
        CheckKind::Hpa(hpa) => self::hpa(hpa, &mut found),
        CheckKind::Resource(resource) => self::resource(resource, &mut found),
        CheckKind::Certificate(certificate) => self::certificate(certificate, &mut found),
        CheckKind::Volume(volume) => self::volume(volume, &mut found),
        CheckKind::Metrics(_) => {}
    }
}

fn http(http: &Http, found: &mut Found<'_>) {
    if !(http.url.starts_with("http://") || http.url.starts_with("https://")) {
        found.add("url", &format!("`{}` is no http(s) URL", http.url));
    } else if reqwest::Url::parse(&http.url).is_err() {
        found.add("url", &format!("`{}` cannot be parsed", http.url));
    }
    let bodies = http.expect.body.iter().map(|body| ("body".to_owned(), body));
    let headers =
        http.expect.headers.iter().map(|(name, value)| (format!("headers.{name}"), value));
    for (key, pattern) in bodies.chain(headers) {
        found.pattern(&format!("expect.{key}"), Some(pattern));
    }
    if let (Some(distinct), times) = (http.expect.distinct_bodies, http.times.unwrap_or(1))
        && distinct > times
    {
        let what = format!("{distinct} of {times} request(s) is impossible");
        found.add("expect.distinct-bodies", &what);
    }
}

fn s3(s3: &S3, found: &mut Found<'_>) {
    found.pattern("body", s3.body.as_ref());
    found.pattern("content-type", s3.content_type.as_ref());
    if s3.key.is_some() && s3.prefix.is_some() {
        found.add("prefix", "with `key` there is one object only; give one of them");
    }
    let of_object = [("body", s3.body.is_some()), ("content-type", s3.content_type.is_some())];
    for (key, _) in of_object.iter().filter(|(_, given)| *given && (s3.key.is_none() || s3.absent))
    {
        found.add(key, "it is of an object: give its `key`, and not `absent`");
    }
    if s3.at_least.is_some() && (s3.prefix.is_none() || s3.absent) {
        found.add("at-least", "it counts what is below a `prefix`: give one, and not `absent`");
    }
    if s3.at_least == Some(0) {
        found.add("at-least", "there are always 0 or more; give 1 or more, or `absent`");
    }
    for (key, text) in [("bucket", s3.bucket.as_ref()), ("key", s3.key.as_ref())] {
        if text.is_some_and(String::is_empty) {
            found.add(key, "it must not be empty");
        }
    }
    if s3.absent && s3.key.is_none() && s3.prefix.is_none() {
        found.add("absent", "say of what: give a `key` or a `prefix`");
    }
}

fn telemetry(telemetry: &Telemetry, found: &mut Found<'_>) {
    let path = found.path.clone();
    if let Some(request) = &telemetry.request {
        found.path = format!("{path}.request");
        http(request, found);
        found.path.clone_from(&path);
        if telemetry.since.is_some() {
            found.add("since", "with `request` only that request counts");
        }
        if request.times.is_some_and(|times| times > 1) {
            found.add("request.times", "a trace is of one request");
        }
    }
    let nothing = telemetry.trace.is_none()
        && telemetry.span.is_none()
        && telemetry.metric.is_none()
        && telemetry.log.is_none();
    if telemetry.emit && (!nothing || telemetry.request.is_some() || telemetry.since.is_some()) {
        found.add("emit", "it goes with nothing but `from`");
    }
    if telemetry.from == Caller::Cluster && !telemetry.emit {
        found.add("from", "it says where `emit` sends from");
    }
    if nothing && !telemetry.emit {
        found.add("trace", "give at least one of `trace`, `span`, `metric` and `log`");
    }
    for (key, span) in [("trace", &telemetry.trace), ("span", &telemetry.span)] {
        if let Some(span) = span {
            self::span(key, span, found);
        }
    }
    if telemetry.span.as_ref().is_some_and(|span| !span.children.is_empty()) {
        found.add("span.children", "what is below a span is asked for with `trace`");
    }
    if let Some(log) = &telemetry.log {
        found.pattern("log.text", log.text.as_ref());
        let levels = ["trace", "debug", "info", "warn", "error", "fatal"];
        if let Some(level) = log.level.as_deref().filter(|level| !levels.contains(level)) {
            found.add("log.level", &format!("`{level}` is none of {}", levels.join(", ")));
        }
    }
    if telemetry.metric.as_ref().is_some_and(|metric| metric.name.is_empty()) {
        found.add("metric.name", "it is missing");
    }
}

fn span(path: &str, span: &Span, found: &mut Found<'_>) {
    let kinds = ["server", "client", "producer", "consumer", "internal"];
    if let Some(kind) = span.kind.as_deref().filter(|kind| !kinds.contains(kind)) {
        found.add(&format!("{path}.kind"), &format!("`{kind}` is none of {}", kinds.join(", ")));
    }
    if *span == Span::default() {
        found.add(path, "it is empty: say what the span must be like");
    }
    for (index, child) in span.children.iter().enumerate() {
        self::span(&format!("{path}.children[{index}]"), child, found);
    }
}

fn redis(redis: &Redis, found: &mut Found<'_>) {
    match redis.command.as_deref() {
        Some([]) => found.add("command", "it is empty; leave it out for PING"),
        Some([first, ..]) if first.is_empty() || first.starts_with('-') => {
            found.add("command", &format!("`{first}` is no Redis command"));
        }
        _ => {}
    }
    found.url(redis.url.as_ref(), ["redis", "rediss"]);
    let database = redis.url.as_deref().and_then(|url| reqwest::Url::parse(url).ok());
    let database = database.as_ref().map_or("", |url| url.path().trim_start_matches('/'));
    if !database.is_empty() && database.parse::<u16>().is_err() {
        found.add("url", &format!("the path is the number of a database, not `{database}`"));
    }
}

fn postgres(postgres: &Postgres, found: &mut Found<'_>) {
    if postgres.query.as_ref().is_some_and(|query| query.trim().is_empty()) {
        found.add("query", "it is empty; leave it out for `SELECT 1`");
    }
    if postgres.database.as_deref() == Some("") {
        found.add("database", "it is empty");
    }
    if postgres.database.is_some() && postgres.url.is_some() {
        found.add("database", "with `url` the database is part of it");
    }
    found.url(postgres.url.as_ref(), ["postgres", "postgresql"]);
}

fn tls(tls: &Tls, found: &mut Found<'_>) {
    let valid = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if tls.host.is_empty() || !tls.host.chars().all(valid) {
        found.add("host", &format!("`{}` is no host name", tls.host));
    }
    if tls.port == Some(0) {
        found.add("port", "0 is no port");
    }
    if tls.valid_for.is_some_and(|time| !time.is_positive()) {
        found.add("valid-for", "must be longer than 0s");
    }
}

fn hpa(hpa: &Hpa, found: &mut Found<'_>) {
    found.name("name", &hpa.name);
    found.namespace(hpa.namespace.as_ref());
}

fn resource(resource: &Resource, found: &mut Found<'_>) {
    if !resource.kind.starts_with(|c: char| c.is_ascii_uppercase())
        || !resource.kind.chars().all(|c| c.is_ascii_alphanumeric())
    {
        let kind = &resource.kind;
        found.add(
            "kind",
            &format!("`{kind}` is no kind; it is written as in manifests, such as `Deployment`"),
        );
    }
    if resource.name.is_empty() || resource.name.contains(['/', ' ']) {
        found.add("name", &format!("`{}` is no valid Kubernetes name", resource.name));
    }
    found.namespace(resource.namespace.as_ref());
    if let Some(version) = &resource.api_version {
        let parts: Vec<&str> = version.split('/').collect();
        if parts.len() > 2 || parts.iter().any(|part| part.is_empty() || part.contains(' ')) {
            found.add("api-version", &format!("`{version}` is neither `v1` nor like `apps/v1`"));
        }
    }
    if resource.absent && (resource.condition.is_some() || !resource.field.is_empty()) {
        found.add("absent", "what is not there has neither a condition nor fields");
    }
    for pointer in resource.field.keys().filter(|pointer| !pointer.starts_with('/')) {
        found.add("field", &format!("`{pointer}` is no JSON pointer, such as `/spec/replicas`"));
    }
}

fn certificate(certificate: &Certificate, found: &mut Found<'_>) {
    found.name("issuer", &certificate.issuer);
    let kind = &certificate.issuer_kind;
    if !["ClusterIssuer", "Issuer"].contains(&kind.as_str()) {
        found.add("issuer-kind", &format!("`{kind}` is neither `ClusterIssuer` nor `Issuer`"));
    }
}

fn volume(volume: &Volume, found: &mut Found<'_>) {
    if let Some(class) = &volume.class {
        found.name("class", class);
    }
    if let Some(size) = &volume.size {
        let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &size[digits.len()..];
        let units = ["", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"];
        if !digits.parse::<u64>().is_ok_and(|number| number > 0) || !units.contains(&unit) {
            found.add("size", &format!("`{size}` is no size, such as `16Mi`"));
        }
    }
}

#[cfg(test)]
mod tests {
    fn problems(text: &str) -> String {
        let file = crate::settings::load::parse(text, "f").unwrap();
        let mut problems = Vec::new();
        for (index, check) in file.checks.iter().enumerate() {
            super::check(check, &format!("checks[{index}]"), &mut problems);
        }
        problems.join("\n")
    }

    #[test]
    fn every_rule_has_its_own_words() {
        let text = "
checks:
  - {name: a}
  - {name: a, redis: {}, metrics: {}}
  - {name: a, redis: {command: [], url: 'http://x'}}
  - {name: a, redis: {command: [--version], url: 'redis://x/shop'}}
  - {name: a, redis: {url: 'redis://:s3cret#@x'}}
  - {name: a, postgres: {database: x, query: ' ', url: 'postgres:///x'}}
  - {name: a, tls: {host: 'https://x', port: 0, valid-for: 0s}}
  - {name: a, hpa: {name: A_B, namespace: '-'}}
  - {name: a, resource: {kind: deployments, name: '', api-version: a/b/c, absent: true, field: {spec: 1}}}
  - {name: a, certificate: {issuer: '', issuer-kind: Cluster}}
  - {name: a, volume: {class: A, size: 1 GB}}
";
        insta::assert_snapshot!(problems(text), @"
        checks[0]: `a` has no kind; give one of http, redis, postgres, s3, telemetry, tls, hpa, resource, certificate, volume, metrics
        checks[1]: `a` has several kinds (redis, metrics); give exactly one
        checks[2].redis.command: it is empty; leave it out for PING
        checks[2].redis.url: it begins with `http:`, not `redis:` or `rediss:`
        checks[3].redis.command: `--version` is no Redis command
        checks[3].redis.url: the path is the number of a database, not `shop`
        checks[4].redis.url: it cannot be parsed; special characters are written as %XX
        checks[5].postgres.query: it is empty; leave it out for `SELECT 1`
        checks[5].postgres.database: with `url` the database is part of it
        checks[5].postgres.url: it names no host
        checks[6].tls.host: `https://x` is no host name
        checks[6].tls.port: 0 is no port
        checks[6].tls.valid-for: must be longer than 0s
        checks[7].hpa.name: `A_B` is no valid Kubernetes name
        checks[7].hpa.namespace: `-` is no valid Kubernetes name
        checks[8].resource.kind: `deployments` is no kind; it is written as in manifests, such as `Deployment`
        checks[8].resource.name: `` is no valid Kubernetes name
        checks[8].resource.api-version: `a/b/c` is neither `v1` nor like `apps/v1`
        checks[8].resource.absent: what is not there has neither a condition nor fields
        checks[8].resource.field: `spec` is no JSON pointer, such as `/spec/replicas`
        checks[9].certificate.issuer: `` is no valid Kubernetes name
        checks[9].certificate.issuer-kind: `Cluster` is neither `ClusterIssuer` nor `Issuer`
        checks[10].volume.class: `A` is no valid Kubernetes name
        checks[10].volume.size: `1 GB` is no size, such as `16Mi`
        ");
    }

    #[test]
    fn a_password_is_never_repeated() {
        let text = problems("checks: [{name: a, redis: {url: 'redis://:s3cret@[x'}}]");
        assert!(text.contains(".url") && !text.contains("s3cret"), "{text}");
    }

    #[test]
    fn good_checks_have_no_problems() {
        let text = "
checks:
  - {name: a, redis: {command: [GET, x], expect: '', url: 'rediss://u:p%40@redis.shop.svc:6380/2'}}
  - {name: b, postgres: {database: shop, query: SELECT true, expect: t, from: cluster}}
  - {name: c, resource: {kind: CRD2, name: 'system:x', field: {/a/b: null}}}
  - {name: d, volume: {class: gp3, size: 1Gi}}
";
        assert_eq!(problems(text), "");
    }
}
