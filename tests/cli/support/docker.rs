//! A stub of the Docker engine on a socket of its own.
//!
//! Owns as much of the engine's API as the program uses before there is a cluster: it keeps
//! images, networks, containers and volumes in memory and a log of all calls. Any call can be
//! made to fail, to hang or to answer junk. A call it does not know fails the test.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// The label under which kind names the cluster of a node.
const KIND_CLUSTER: &str = "io.x-k8s.kind.cluster";
/// The label under which kind names the role of a node.
const KIND_ROLE: &str = "io.x-k8s.kind.role";

/// The engine; it ends with the test's process.
pub(crate) struct Engine {
    socket: PathBuf,
    state: Arc<Mutex<State>>,
}

/// How a call goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The engine takes the call and never answers.
    Hang,
    /// The engine answers with a status code and a message.
    Fail(u16, &'static str),
    /// The answer is no HTTP.
    Junk,
}

#[derive(Default)]
struct State {
    images: BTreeMap<String, Value>,
    networks: BTreeMap<String, Value>,
    containers: BTreeMap<String, Value>,
    volumes: Vec<String>,
    troubles: Vec<(String, Trouble)>,
    calls: Vec<String>,
    unknown: Vec<String>,
    made: usize,
}

struct Request {
    method: String,
    path: String,
    query: HashMap<String, String>,
    body: Value,
}

enum Reply {
    Json(u16, Value),
    Hang,
    Junk,
}

impl Engine {
    /// Starts an empty engine.
    pub(crate) fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).expect("the socket can be made");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { socket: socket.to_owned(), state }
    }

    /// Takes the socket away: nobody can connect any more.
    pub(crate) fn stop(&self) {
        std::fs::remove_file(&self.socket).expect("the socket can be removed");
    }

    /// Makes calls that begin with `call`, such as `GET /info`, go wrong from now on.
    pub(crate) fn trouble(&self, call: &str, trouble: Trouble) {
        self.lock().troubles.push((call.to_owned(), trouble));
    }

    /// Adds an image as a registry would have sent it.
    pub(crate) fn add_image(&self, reference: &str, architecture: &str) {
        self.put_image(reference, architecture, &json!({}));
    }

    /// Adds an image that was built from packages.
    pub(crate) fn add_built_image(&self, reference: &str) {
        self.put_image(reference, "amd64", &json!({ "dev.sandbox.recipe": "images/x" }));
    }

    fn put_image(&self, reference: &str, architecture: &str, labels: &Value) {
        let built = labels.as_object().is_some_and(|labels| !labels.is_empty());
        let name = reference.rsplit_once(':').map_or(reference, |(name, _)| name);
        let digests = if built { json!([]) } else { json!([format!("{name}@sha256:{:064}", 1)]) };
        let image = json!({
            "Id": format!("sha256:{:064}", reference.len()),
            "Architecture": architecture,
            "Os": "linux",
            "Size": 1000,
            "Config": { "Labels": labels },
            "RepoDigests": digests,
        });
        self.lock().images.insert(reference.to_owned(), image);
    }

    /// Removes an image.
    pub(crate) fn remove_image(&self, reference: &str) {
        self.lock().images.remove(reference).expect("the image is there");
    }

    /// Adds a network and returns its id.
    pub(crate) fn add_network(&self, name: &str, labels: &Value) -> String {
        self.lock().add_network(name, labels)
    }

    /// The id of a network.
    pub(crate) fn network_id(&self, name: &str) -> String {
        let state = self.lock();
        let found = state.networks.iter().find(|(_, network)| network["Name"] == name);
        found.expect("there is such a network").0.clone()
    }

    /// Adds a running kind node with a volume of its own.
    pub(crate) fn add_node(&self, name: &str, cluster: &str, network_id: &str) {
        let mut state = self.lock();
        state.made += 1;
        let id = format!("container{}", state.made);
        let volume = format!("volume{}", state.made);
        let container = json!({
            "Id": id,
            "Names": [format!("/{name}")],
            "Image": "kindest/node:v1.34.3",
            "Labels": { KIND_CLUSTER: cluster, KIND_ROLE: "control-plane" },
            "State": "running",
            "Ports": [],
            "NetworkSettings": { "Networks": { "some": { "NetworkID": network_id } } },
            "Mounts": [{ "Type": "volume", "Name": volume }],
        });
        state.containers.insert(id, container);
        state.volumes.push(volume);
    }

    /// Adds a container that publishes a port of this machine.
    pub(crate) fn add_publisher(&self, name: &str, port: u16) {
        let mut state = self.lock();
        state.made += 1;
        let id = format!("container{}", state.made);
        let container = json!({
            "Id": id,
            "Names": [format!("/{name}")],
            "Labels": {},
            "State": "running",
            "Ports": [{ "PrivatePort": 80, "PublicPort": port, "Type": "tcp" }],
            "NetworkSettings": { "Networks": {} },
            "Mounts": [],
        });
        state.containers.insert(id, container);
    }

    /// All calls so far, such as `GET /info`.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// Calls that change something; running a command in a node that never runs does not.
    pub(crate) fn changes(&self) -> Vec<String> {
        let changes = |call: &String| !call.starts_with("GET ") && !call.ends_with("/exec");
        self.calls().into_iter().filter(changes).collect()
    }

    /// What exists beside images, in words.
    pub(crate) fn inventory(&self) -> Vec<String> {
        let state = self.lock();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let containers =
            state.containers.values().map(|c| format!("container {}", text(&c["Names"][0])));
        let networks = state.networks.values().map(|n| format!("network {}", text(&n["Name"])));
        let volumes = state.volumes.iter().map(|volume| format!("volume {volume}"));
        containers.chain(networks).chain(volumes).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let unknown = self.lock().unknown.clone();
        assert!(std::thread::panicking() || unknown.is_empty(), "the stub lacks {unknown:?}");
    }
}

impl State {
    fn add_network(&mut self, name: &str, labels: &Value) -> String {
        self.made += 1;
        let id = format!("network{}", self.made);
        let network = json!({ "Id": id, "Name": name, "Labels": labels, "Containers": {} });
        self.networks.insert(id.clone(), network);
        id
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let call = format!("{} {}", request.method, request.path);
        self.calls.push(call.clone());
        let trouble = self.troubles.iter().find(|(prefix, _)| call.starts_with(prefix));
        if let Some((_, trouble)) = trouble {
            return match trouble {
                Trouble::Hang => Reply::Hang,
                Trouble::Junk => Reply::Junk,
                Trouble::Fail(status, message) => {
                    Reply::Json(*status, json!({ "message": message }))
                }
            };
        }
        let (status, body) = self.result(request);
        if status == 501 {
            self.unknown.push(call);
        }
        Reply::Json(status, body)
    }

    fn result(&mut self, request: &Request) -> (u16, Value) {
        let absent = |what: &str| (404, json!({ "message": format!("{what} not found") }));
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["info"]) => (200, info()),
            ("GET", ["images", "json"]) => (200, json!([])),
            ("GET", ["images", name @ .., "json"]) => {
                let name = name.join("/");
                self.images.get(&name).map_or_else(|| absent(&name), |image| (200, image.clone()))
            }
            ("GET", ["containers", "json"]) => (200, self.list_containers(request)),
            // Only asked for by name, and none of ours has one but nodes.
            ("GET", ["containers", name, "archive" | "json"]) => absent(name),
            ("POST", ["containers", _, "exec"]) => {
                (409, json!({ "message": "container is not running" }))
            }
            ("DELETE", ["containers", id]) => self.remove_container(id, request),
            ("GET", ["networks", name]) => {
                let of_name = |network: &&Value| network["Name"] == *name || network["Id"] == *name;
                let found = self.networks.values().find(of_name);
                found.map_or_else(|| absent(name), |network| (200, network.clone()))
            }
            ("POST", ["networks", "create"]) => {
                let name = request.body["Name"].as_str().unwrap_or_default().to_owned();
                let id = self.add_network(&name, &request.body["Labels"]);
                (201, json!({ "Id": id, "Warning": "" }))
            }
            ("DELETE", ["networks", id]) => match self.networks.remove(*id) {
                Some(_) => (204, Value::Null),
                None => absent(id),
            },
            ("GET", ["volumes"]) => {
                let volume = |name: &String| {
                    json!({
                        "Name": name, "Driver": "local", "Mountpoint": "/", "Labels": {},
                        "Scope": "local", "Options": {},
                    })
                };
                let volumes: Vec<Value> = self.volumes.iter().map(volume).collect();
                (200, json!({ "Volumes": volumes, "Warnings": [] }))
            }
            _ => (501, json!({ "message": "the stub does not know this call" })),
        }
    }

    /// Only the filter by labels, which is the only one in use.
    fn list_containers(&self, request: &Request) -> Value {
        let filters: Value = request
            .query
            .get("filters")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let wanted = filters["label"].as_array().cloned().unwrap_or_default();
        let fits = |container: &&Value| {
            wanted.iter().filter_map(Value::as_str).all(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                container["Labels"][key] == value
            })
        };
        self.containers.values().filter(fits).cloned().collect()
    }

    fn remove_container(&mut self, id: &str, request: &Request) -> (u16, Value) {
        let Some(container) = self.containers.remove(id) else {
            return (404, json!({ "message": "no such container" }));
        };
        if request.query.get("v").is_some_and(|v| v == "true") {
            self.volumes.retain(|volume| container["Mounts"][0]["Name"] != volume.as_str());
        }
        (204, Value::Null)
    }
}

fn info() -> Value {
    json!({
        "ServerVersion": "26.1.5",
        "Architecture": "x86_64",
        "DockerRootDir": "/nowhere/docker",
        "CgroupVersion": "2",
        "NCPU": 4,
        "MemTotal": 16_000_000_000_u64,
        "SecurityOptions": ["name=seccomp,profile=builtin"],
    })
}

fn serve(stream: UnixStream, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream) else { return };
    let reply = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).answer(&request);
    let mut stream = stream.into_inner();
    match reply {
        Reply::Json(status, body) => {
            let body = if status == 204 { String::new() } else { body.to_string() };
            let head = format!(
                "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ =
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
        Reply::Junk => {
            let _ = stream.write_all(b"\xff\xfe junk\r\n\r\n");
        }
        Reply::Hang => {
            // Ends when the other side gives up.
            let _ = stream.read(&mut [0]);
        }
    }
}

fn read(stream: &mut BufReader<UnixStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    let mut chunked = false;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= header.starts_with("transfer-encoding:") && header.ends_with("chunked");
    }
    let body = if chunked { chunks(stream)? } else { exactly(stream, length)? };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Request {
        method,
        path: unversioned(path),
        query: query.split('&').filter_map(pair).collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

fn exactly(stream: &mut BufReader<UnixStream>, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn chunks(stream: &mut BufReader<UnixStream>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        bytes.extend(exactly(stream, size)?);
        exactly(stream, 2)?;
        if size == 0 {
            return Some(bytes);
        }
    }
}

/// `/v1.52/info` is `/info`.
fn unversioned(path: &str) -> String {
    let path = decoded(path);
    match path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) {
        Some((version, rest)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("/{rest}")
        }
        _ => path,
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    Some((decoded(key), decoded(value)))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, code.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (other, _) => {
                bytes.push(*other);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
