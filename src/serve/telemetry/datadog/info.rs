//! `/info`: what a client may use. Owns that list, which names exactly what is
//! served, and the hash by which clients see that it changed.
//!
//! Source: `pkg/trace/api/info.go` of the Datadog agent.

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::body;

/// The version that is told to clients, some of which ask for a minimum.
pub(super) const VERSION: &str = "7.71.2";

/// Tags that name the other side of a span, which clients count stats by.
const PEER_TAGS: [&str; 12] = [
    "_dd.base_service",
    "amqp.destination",
    "db.hostname",
    "db.instance",
    "db.name",
    "db.system",
    "messaging.destination",
    "network.destination.name",
    "out.host",
    "peer.hostname",
    "peer.service",
    "rpc.service",
];

/// The document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) body: Bytes,
    /// SHA-256 of it, in hex: the header `Datadog-Agent-State`.
    pub(super) hash: String,
}

impl Document {
    /// Describes an agent with these endpoints and ports.
    pub(super) fn new(endpoints: &[&str], apm_port: u16, statsd_port: u16) -> Self {
        let document = json!({
            "version": VERSION,
            "git_commit": "",
            "endpoints": endpoints,
            // Clients that count for themselves may drop what is not sampled.
            "client_drop_p0s": endpoints.contains(&"/v0.6/stats"),
            "span_meta_structs": true,
            "long_running_spans": true,
            "span_events": true,
            "evp_proxy_allowed_headers": [
                "Content-Type", "Accept-Encoding", "Content-Encoding", "User-Agent", "DD-CI-PROVIDER-NAME"
            ],
            "config": {
                "default_env": "none",
                "target_tps": 10,
                "max_eps": 200,
                "receiver_port": apm_port,
                "receiver_socket": "",
                "connection_limit": 0,
                "receiver_timeout": body::TIMEOUT.as_secs(),
                "max_request_bytes": body::LIMIT,
                "statsd_port": statsd_port,
                "max_memory": 0,
                "max_cpu": 0,
                "analyzed_spans_by_service": {},
                "obfuscation": {
                    "elastic_search": false,
                    "mongo": false,
                    "sql_exec_plan": false,
                    "sql_exec_plan_normalize": false,
                    "http": {"remove_query_string": false, "remove_path_digits": false},
                    "remove_stack_traces": false,
                    "redis": {"Enabled": false, "RemoveAllArgs": false},
                    "memcached": {"Enabled": false, "KeepCommand": false}
                }
            },
            "peer_tags": PEER_TAGS,
            "span_kinds_stats_computed": ["client", "consumer", "producer", "server"]
        });
        let body = Bytes::from(document.to_string());
        let hash = hex::encode(Sha256::digest(&body));
        Self { body, hash }
    }
}
