//! The source `registry`, against a real registry that stands in for the public ones through
//! `registry-mirrors:`, as in a company's network.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Sandbox, docker};

/// A registry on 127.0.0.1, removed when dropped.
struct Registry {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
        let port = sandbox::tools::ports::any_free().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.yml");
        let storage = dir.path().join("data");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: 127.0.0.1:{port}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\n",
            storage.display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/test installs Debian's docker-registry");
        let since = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(since.elapsed() < Duration::from_secs(20), "the registry did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, port, _dir: dir }
    }

    /// Pushes an image as the mirror of its own registry would have it.
    fn push(&self, reference: &str, path: &str) {
        let mirrored = format!("127.0.0.1:{}/{path}", self.port);
        docker(&["tag", reference, &mirrored]);
        docker(&["push", "--quiet", &mirrored]);
        docker(&["rmi", &mirrored]);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps an image's content under another name and takes its own name away until dropped.
struct Hidden {
    reference: &'static str,
    kept: String,
}

impl Hidden {
    fn new(reference: &'static str) -> Self {
        let kept = format!("sandbox.local/kept:{}", reference.replace(['/', ':'], "-"));
        docker(&["tag", reference, &kept]);
        docker(&["rmi", reference]);
        Self { reference, kept }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        docker(&["tag", &self.kept, self.reference]);
        docker(&["rmi", &self.kept]);
    }
}

#[test]
#[ignore = "needs docker, kind and docker-registry"]
fn images_come_through_a_mirror_and_the_pinned_digest_is_insisted_on() {
    let registry = Registry::start();
    let node = "kindest/node:v1.34.3";
    let controller = "registry.k8s.io/ingress-nginx/controller:v1.11.0";
    registry.push(node, "hub/kindest/node:v1.34.3");
    registry.push(controller, "k8s/ingress-nginx/controller:v1.11.0");
    let cert_manager = [
        "quay.io/jetstack/cert-manager-controller:v1.21.2",
        "quay.io/jetstack/cert-manager-webhook:v1.21.2",
        "quay.io/jetstack/cert-manager-cainjector:v1.21.2",
    ];
    for part in cert_manager {
        registry.push(part, part.strip_prefix("quay.io/").unwrap());
    }
    let hidden = (Hidden::new(node), Hidden::new(controller), cert_manager.map(Hidden::new));

    let sandbox = Sandbox::bare("mirror");
    let settings = |own: bool| {
        let port = registry.port;
        let text = format!(
            "source: registry\nregistry-mirrors:\n\
             \x20 docker.io: {{to: '127.0.0.1:{port}/hub', own-digests: {own}}}\n\
             \x20 registry.k8s.io: {{to: '127.0.0.1:{port}/k8s', own-digests: {own}}}\n\
             \x20 quay.io: {{to: '127.0.0.1:{port}', own-digests: {own}}}\n\
             addons: {{metrics-server: false}}\n"
        );
        std::fs::write(sandbox.dir.join("sandbox.yaml"), text).unwrap();
    };
    // These were built here, so they are not what the catalogue pins.
    settings(false);
    sandbox
        .run(&["up"])
        .code(4)
        .says("could not pull")
        .says("manifest unknown")
        .says("images/build ");
    settings(true);
    let up = sandbox.run(&["up"]).code(0);
    assert!(up.stderr.contains("✓ image node"), "{}", up.stderr);
    assert!(up.stderr.contains("✓ image ingress-nginx"), "{}", up.stderr);
    assert!(up.stderr.contains("✓ image cert-manager-controller"), "{}", up.stderr);
    let second = sandbox.run(&["up"]).code(0);
    assert!(second.stdout.starts_with("nothing to do"), "{}", second.stdout);
    sandbox.down();
    drop(hidden);
}
