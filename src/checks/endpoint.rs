//! Where a database client goes, and as whom.
//!
//! Owns how a URL, or one of the sandbox's services, becomes host, port, user, password and
//! database, so that no other place needs to escape a password.

use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::checks::Target;
use crate::settings::checks::Caller;

/// A server with everything to log in.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    /// Empty = the server's default one.
    pub(super) user: String,
    /// Empty = none.
    pub(super) password: String,
    /// Empty = the server's default one.
    pub(super) database: String,
    pub(super) tls: bool,
    /// An image with the client, for [`Caller::Cluster`].
    pub(super) image: String,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.shown())
    }
}

impl Endpoint {
    /// The server of a check: that of `url`, else the sandbox's own.
    ///
    /// # Errors
    /// One line when there is no such server, or no image to run its client in.
    pub(super) fn of(
        service: &str,
        port: u16,
        url: Option<&str>,
        from: Caller,
        target: &Target,
    ) -> Result<Self, String> {
        let own = target.services.get(service);
        let image = own.map(|own| own.image.clone()).unwrap_or_default();
        if from == Caller::Cluster && image.is_empty() {
            return Err(format!(
                "this sandbox has no image with a {service} client; turn on `addons.{service}`, \
                 or use `from: host`"
            ));
        }
        if let Some(url) = url {
            return Self::parsed(url, port, image);
        }
        let own = own.ok_or_else(|| {
            format!("this sandbox has no {service}; turn on `addons.{service}`, or give `url`")
        })?;
        let (host, port) = match (from, own.host_port) {
            (Caller::Cluster, _) => (own.cluster_host.clone(), own.port),
            (Caller::Host, Some(port)) => ("127.0.0.1".to_owned(), port),
            (Caller::Host, None) => {
                return Err(format!("{service} has no port on this machine; use `from: cluster`"));
            }
        };
        Ok(Self {
            host,
            port,
            user: own.user.clone(),
            password: own.password.clone(),
            database: own.database.clone(),
            tls: own.tls,
            image,
        })
    }

    fn parsed(url: &str, port: u16, image: String) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|_| "`url` cannot be parsed".to_owned())?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let host = url.host_str().unwrap_or_default();
        let mode = url.query_pairs().find(|(key, _)| key == "sslmode");
        let strict = |mode: &str| ["require", "verify-ca", "verify-full"].contains(&mode);
        Ok(Self {
            host: decoded(host.trim_start_matches('[').trim_end_matches(']')),
            port: url.port().unwrap_or(port),
            user: decoded(url.username()),
            password: url.password().map(decoded).unwrap_or_default(),
            database: decoded(url.path().trim_start_matches('/')),
            tls: url.scheme() == "rediss" || mode.is_some_and(|(_, mode)| strict(&mode)),
            image,
        })
    }

    /// Host and port for messages.
    pub(super) fn shown(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Service;

    fn target() -> Target {
        let service = Service {
            host_port: Some(16379),
            cluster_host: "redis.sandbox-system.svc".into(),
            port: 6379,
            user: "default".into(),
            password: "p@ss:/?#%41 '\"".into(),
            tls: true,
            image: "redis:test".into(),
            ..Service::default()
        };
        Target { services: [("redis".to_owned(), service)].into(), ..Target::default() }
    }

    fn of(url: Option<&str>, from: Caller, target: &Target) -> Result<Endpoint, String> {
        Endpoint::of("redis", 6379, url, from, target)
    }

    #[test]
    fn the_sandboxs_own_server_is_known_from_both_sides() {
        let host = of(None, Caller::Host, &target()).unwrap();
        assert_eq!((host.shown().as_str(), host.tls), ("127.0.0.1:16379", true));
        assert_eq!(host.password, "p@ss:/?#%41 '\"");
        let cluster = of(None, Caller::Cluster, &target()).unwrap();
        assert_eq!(cluster.shown(), "redis.sandbox-system.svc:6379");
        assert!(!format!("{cluster:?}{:?}", target()).contains("p@ss"));
    }

    #[test]
    fn what_is_missing_is_told_with_its_cure() {
        let none = Target::default();
        let mut closed = target();
        closed.services.get_mut("redis").unwrap().host_port = None;
        let told = [
            of(None, Caller::Host, &none),
            of(Some("redis://x"), Caller::Cluster, &none),
            of(None, Caller::Host, &closed),
        ]
        .map(Result::unwrap_err);
        insta::assert_snapshot!(told.join("\n"), @"
        this sandbox has no redis; turn on `addons.redis`, or give `url`
        this sandbox has no image with a redis client; turn on `addons.redis`, or use `from: host`
        redis has no port on this machine; use `from: cluster`
        ");
    }

    #[test]
    fn a_url_is_taken_apart() {
        let parsed = |url: &str| of(Some(url), Caller::Host, &Target::default()).unwrap();
        let full = parsed("postgres://a%40b:p%2Fq%25@db.shop.svc:5433/my%20shop?sslmode=require");
        assert_eq!((full.user.as_str(), full.password.as_str()), ("a@b", "p/q%"));
        assert_eq!(
            (full.shown().as_str(), full.database.as_str()),
            ("db.shop.svc:5433", "my shop")
        );
        assert!(full.tls);
        let short = parsed("redis://[::1]");
        assert_eq!((short.shown().as_str(), short.tls), ("[::1]:6379", false));
        assert!(parsed("rediss://x").tls);
        assert!(!parsed("postgres://x/y?sslmode=prefer").tls);
    }
}
