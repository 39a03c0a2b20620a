//! The addon `postgres`: one real `PostgreSQL`.
//!
//! Owns its configuration, what is made in it and how it is connected to. Databases, users and
//! extensions are seen to each time it starts, before it takes connections; what is there already
//! stays. The image gives the programs; starting them is ours, so that any image with Debian's or
//! PGDG's layout will do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use k8s_openapi::api::core::v1::{Capabilities, Container, PodSpec, Probe, SecurityContext};
use sha2::{Digest, Sha256};

use super::connection::{Fact, LOOPBACK, in_url};
use super::manifest::{
    Part, data_volume, exec_probe, mount, on_addon_node, port, requests, scratch_volume,
    secret_volume, words, writable,
};
use super::redis::service_names;
use super::{Addon, Image, Inputs, NAMESPACE};
use crate::error::{Context, Kind, Result};
use crate::settings::addons::{Password, Postgres};
use crate::state::Credentials;

/// Its name, which is that of its Service and its Secret, too.
pub(super) const NAME: &str = "postgres";
/// Its port in the cluster and on the node.
pub(super) const PORT: u16 = 5432;
/// The superuser.
const SUPERUSER: &str = "postgres";
const PART: Part<'static> =
    Part { addon: NAME, namespace: NAMESPACE, name: NAME, component: "server" };

/// Starts the server: makes the data folder once (in one rename, so that a kill leaves none or a
/// whole one), sees to databases and users over a socket that nobody else can reach, and takes
/// connections only then.
const START: &str = r#"
export PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
data=/data/pgdata
as_postgres() { setpriv --reuid=999 --regid=999 --clear-groups "$@"; }
chown 999:999 /data /run/postgresql
if [ ! -s "$data/PG_VERSION" ]; then
  rm -rf /data/new "$data"
  as_postgres initdb -D /data/new -U postgres --auth-local=peer --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >/dev/null
  mv /data/new "$data"
fi
rm -f "$data/postmaster.pid"
if [ -f /config/tls.key ]; then
  cp /config/tls.key /run/postgresql/tls.key
  chown 999:999 /run/postgresql/tls.key
  chmod 600 /run/postgresql/tls.key
fi
quiet="-c listen_addresses= -c hba_file=/config/pg_hba.conf -c log_min_error_statement=panic"
as_postgres pg_ctl -D "$data" -o "$quiet" -s -w start
run() { as_postgres psql -X -q -v ON_ERROR_STOP=1 "$@"; }
export PGOPTIONS='-c client_min_messages=warning'
run -d postgres -f /config/provision.sql
index=0
while [ -f "/config/database-$index.name" ]; do
  run -d "$(cat "/config/database-$index.name")" -f "/config/database-$index.sql"
  index=$((index + 1))
done
index=0
while [ -f "/config/init-$index.sql" ]; do
  hash=$(cat "/config/init-$index.hash")
  first=$(cat /config/database-0.name)
  run -d "$first" -c 'CREATE SCHEMA IF NOT EXISTS sandbox' \
    -c 'CREATE TABLE IF NOT EXISTS sandbox.init (hash text PRIMARY KEY)'
  if [ -z "$(run -d "$first" -At -c "SELECT 1 FROM sandbox.init WHERE hash = '$hash'")" ]; then
    # With the mark in one transaction: a kill leaves both or none.
    run -1 -d "$first" -f "/config/init-$index.sql" -c "INSERT INTO sandbox.init VALUES ('$hash')"
  fi
  index=$((index + 1))
done
as_postgres pg_ctl -D "$data" -m fast -s -w stop
exec setpriv --reuid=999 --regid=999 --clear-groups postgres -D "$data" \
  -c hba_file=/config/pg_hba.conf -c config_file="$data/postgresql.conf" -c listen_addresses='*' \
  $(cat /config/options)
"#;

/// The addon; `None` when it is off.
///
/// # Errors
/// When its certificate cannot be made, or a file with SQL cannot be read.
pub(super) fn addon(inputs: &Inputs<'_>, credentials: &mut Credentials) -> Result<Option<Addon>> {
    let Some(options) = inputs.settings.addons.postgres.options() else { return Ok(None) };
    let image = Image::of(inputs.catalogue, NAME);
    let users = users(options, credentials);
    let mut files = BTreeMap::from([
        ("start.sh".to_owned(), START.to_owned()),
        ("provision.sql".to_owned(), provision(options, &users)),
        ("password".to_owned(), users[SUPERUSER].clone()),
    ]);
    for (index, database) in options.databases.iter().enumerate() {
        let extension = |name: &String| {
            format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE;\n", identifier(name))
        };
        let sql = database.extensions.iter().map(extension).collect();
        files.insert(format!("database-{index}.name"), database.name.clone());
        files.insert(format!("database-{index}.sql"), sql);
    }
    for (index, path) in options.init.iter().enumerate() {
        let path = inputs.settings.root.join(path);
        let sql = std::fs::read_to_string(&path)
            .context(Kind::Settings, || format!("cannot read `{}`", path.display()))?;
        files.insert(format!("init-{index}.hash"), digest(&sql)[..16].to_owned());
        files.insert(format!("init-{index}.sql"), sql);
    }
    let host = if options.tls { "hostssl" } else { "host" };
    let rules = format!("local all {SUPERUSER} peer\n{host} all all all scram-sha-256\n");
    files.insert("pg_hba.conf".to_owned(), rules);
    let mut settings = String::new();
    if options.tls {
        let leaf = credentials.leaf(NAME, &service_names(NAME))?;
        files.insert("tls.crt".to_owned(), leaf.certificate);
        files.insert("tls.key".to_owned(), leaf.key);
        settings.push_str(
            "-c ssl=on -c ssl_cert_file=/config/tls.crt -c ssl_key_file=/run/postgresql/tls.key",
        );
    }
    files.insert("options".to_owned(), settings);
    let pairs: Vec<(&str, &str)> = files.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let all: String = pairs.iter().map(|(key, text)| format!("{key}\0{text}\0")).collect();
    let objects = vec![
        PART.namespace(),
        PART.secret(NAME, &pairs),
        PART.service(&[(i32::from(PORT), NAME)]),
        PART.stateful_set(pod(options, &image.reference), &digest(&all)[..16]),
    ];
    let facts = facts(options, &users, inputs.ports.get(NAME).copied());
    Ok(Some(Addon { images: vec![image], facts, ..Addon::of(NAME, objects) }))
}

fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// All users with their passwords: the superuser, owners of databases, and those listed.
fn users(options: &Postgres, credentials: &mut Credentials) -> BTreeMap<String, String> {
    let plain = |password: &Option<Password>| password.as_ref().map(|password| password.0.clone());
    let superuser = plain(&options.password);
    let mut wanted = BTreeMap::from([(SUPERUSER.to_owned(), superuser)]);
    for database in &options.databases {
        wanted.entry(database.owner.clone()).or_default();
    }
    for user in &options.users {
        let given = wanted.entry(user.name.clone()).or_default();
        *given = plain(&user.password).or_else(|| given.clone());
    }
    let known = |(name, given): (String, Option<String>)| {
        let password = given.unwrap_or_else(|| credentials.password(&format!("{NAME}/{name}")));
        (name, password)
    };
    wanted.into_iter().map(known).collect()
}

/// SQL that makes users and databases; running it again changes nothing.
fn provision(options: &Postgres, users: &BTreeMap<String, String>) -> String {
    let mut sql = String::from("SET password_encryption = 'scram-sha-256';\n");
    for (name, password) in users {
        let (role, text) = (identifier(name), literal(name));
        let create = literal(&format!("CREATE ROLE {role}"));
        let _ = writeln!(
            sql,
            "SELECT {create} WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {text}) \\gexec\n\
             ALTER ROLE {role} LOGIN PASSWORD {};",
            literal(password)
        );
    }
    for database in &options.databases {
        let (name, owner) = (identifier(&database.name), identifier(&database.owner));
        let create = literal(&format!("CREATE DATABASE {name} OWNER {owner}"));
        let text = literal(&database.name);
        let _ = writeln!(
            sql,
            "SELECT {create} WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {text}) \\gexec\n\
             ALTER DATABASE {name} OWNER TO {owner};"
        );
    }
    sql
}

/// A name in SQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL; `standard_conforming_strings` is on, so a backslash is one.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn pod(options: &Postgres, image: &str) -> PodSpec {
    // Over TCP, as that is what clients use: while users are still being made there is only the
    // socket.
    let ready = format!("$(echo /usr/lib/postgresql/*/bin)/pg_isready -q -h localhost -p {PORT}");
    on_addon_node(PodSpec {
        termination_grace_period_seconds: Some(10),
        enable_service_links: Some(false),
        containers: vec![Container {
            name: NAME.to_owned(),
            image: Some(image.to_owned()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            command: Some(words(&["/bin/sh", "-e", "/config/start.sh"])),
            ports: Some(vec![port(NAME, i32::from(PORT), true)]),
            startup_probe: Some(Probe { failure_threshold: Some(120), ..exec_probe(&ready, 1) }),
            readiness_probe: Some(exec_probe(&ready, 10)),
            resources: Some(requests("100m", "64Mi")),
            volume_mounts: Some(vec![
                writable("data", "/data"),
                writable("run", "/run/postgresql"),
                mount("config", "/config"),
            ]),
            security_context: Some(SecurityContext {
                capabilities: Some(Capabilities {
                    drop: Some(words(&["ALL"])),
                    add: Some(words(&[
                        "CHOWN",
                        "SETUID",
                        "SETGID",
                        "DAC_OVERRIDE",
                        "FOWNER",
                        "KILL",
                    ])),
                }),
                ..SecurityContext::default()
            }),
            ..Container::default()
        }],
        volumes: Some(vec![
            data_volume("data", NAME, options.persistence),
            scratch_volume("run"),
            secret_volume("config", NAME),
        ]),
        ..PodSpec::default()
    })
}

fn facts(
    options: &Postgres,
    users: &BTreeMap<String, String>,
    host_port: Option<u16>,
) -> Vec<Fact> {
    let service = format!("{NAME}.{NAMESPACE}.svc");
    let local = |of: &dyn Fn(u16) -> String| host_port.map(of);
    let mode = if options.tls { "require" } else { "disable" };
    let query = if options.tls { "?sslmode=require" } else { "" };
    let url = |host: &str, port: u16, user: &str, database: &str| {
        let password = users.get(user).map(String::as_str).unwrap_or_default();
        let (user, password, database) = (in_url(user), in_url(password), in_url(database));
        format!("postgres://{user}:{password}@{host}:{port}/{database}{query}")
    };
    let both = |key: String, user: &str, database: &str| {
        let host = local(&|port| url(LOOPBACK, port, user, database));
        Fact::differing(key, url(&service, PORT, user, database), host).secret()
    };
    let mut facts = vec![
        Fact::differing("postgres.host", &service, local(&|_| LOOPBACK.into())).variable("PGHOST"),
        Fact::differing("postgres.port", PORT.to_string(), local(&|port| port.to_string()))
            .variable("PGPORT"),
        Fact::same("postgres.sslmode", mode).variable("PGSSLMODE"),
    ];
    let (user, database) = options.databases.first().map_or((SUPERUSER, SUPERUSER), |database| {
        (database.owner.as_str(), database.name.as_str())
    });
    facts.push(Fact::same("postgres.user", user).variable("PGUSER"));
    facts.push(Fact::same("postgres.password", &users[user]).variable("PGPASSWORD").secret());
    facts.push(Fact::same("postgres.database", database).variable("PGDATABASE"));
    facts.push(both("postgres.url".to_owned(), user, database).variable("DATABASE_URL"));
    facts.push(both("postgres.admin-url".to_owned(), SUPERUSER, SUPERUSER));
    for database in &options.databases {
        facts.push(both(
            format!("postgres.{}.url", database.name),
            &database.owner,
            &database.name,
        ));
    }
    for (name, password) in users {
        facts.push(Fact::same(format!("postgres.users.{name}.password"), password).secret());
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::addons::Toggle;
    use crate::settings::load;

    fn options(text: &str) -> Postgres {
        let file = load::parse(&format!("addons: {{postgres: {text}}}"), "f").unwrap();
        match file.addons.postgres {
            Toggle::On(options) => options,
            Toggle::Off => panic!("off"),
        }
    }

    fn passwords(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|&name| (name.to_owned(), format!("it's {name}"))).collect()
    }

    #[test]
    fn users_and_databases_are_made_only_when_absent() {
        let options = options("{databases: [{name: my-shop, owner: shop}]}");
        insta::assert_snapshot!(provision(&options, &passwords(&["shop"])), @r#"
        SET password_encryption = 'scram-sha-256';
        SELECT 'CREATE ROLE "shop"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop') \gexec
        ALTER ROLE "shop" LOGIN PASSWORD 'it''s shop';
        SELECT 'CREATE DATABASE "my-shop" OWNER "shop"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'my-shop') \gexec
        ALTER DATABASE "my-shop" OWNER TO "shop";
        "#);
    }

    #[test]
    fn odd_names_stay_names() {
        assert_eq!(identifier("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(literal("\\'"), "'\\'''");
    }

    #[test]
    fn a_database_is_a_name_or_a_map() {
        let options = options("{databases: [one, {name: two, owner: x, extensions: [citext]}]}");
        assert_eq!(options.databases[0].owner, "one");
        assert_eq!(options.databases[1].extensions, ["citext"]);
    }

    #[test]
    fn urls_name_owner_and_database() {
        let options = options("{databases: [shop]}");
        let facts = facts(&options, &passwords(&["postgres", "shop"]), Some(15432));
        let value = |key: &str| &facts.iter().find(|fact| fact.key == key).unwrap().host;
        assert_eq!(
            value("postgres.url").as_deref(),
            Some("postgres://shop:it%27s%20shop@127.0.0.1:15432/shop?sslmode=require")
        );
        assert_eq!(value("postgres.url"), value("postgres.shop.url"));
    }
}
