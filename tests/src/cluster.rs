//! A real Kubernetes API server with its etcd: users alice and bob with a namespace each, and a log of who asked what.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::provider::free_port;

/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// `token,name,uid,groups`; the first may do everything, `reviewer` may review tokens, `nobody` may not.
const TOKENS: &str = "root-token,root,1,system:masters\n\
                      alice-token,alice,2,team-a\n\
                      bob-token,bob,3,team-b\n\
                      reviewer-token,reviewer,4\n\
                      nobody-token,nobody,5\n";
const POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
                         "rules": [{"level": "Metadata"}]}"#;

/// The API server and its etcd, ended when dropped.
#[derive(Debug)]
pub struct Cluster {
    /// `https://127.0.0.1:PORT`
    pub url: String,
    folder: TempDir,
    /// The API server comes last, and ends first.
    children: Vec<Child>,
    client: Option<reqwest::Client>,
}

impl Cluster {
    /// Starts both; `programs` is the folder with `etcd` and `kube-apiserver`.
    pub async fn start(programs: &str) -> Result<Self> {
        let url = format!("https://127.0.0.1:{}", free_port()?);
        let mut cluster = Self { url, folder: TempDir::new()?, children: vec![], client: None };
        cluster.launch(Path::new(programs)).with_context(|| format!("programs in {programs}"))?;
        let end = Instant::now() + PATIENCE;
        while !cluster.is_ready().await {
            for child in &mut cluster.children {
                ensure!(child.try_wait()?.is_none(), "it ended:\n{}", cluster.log("kube-apiserver"));
            }
            ensure!(Instant::now() < end, "it is not ready:\n{}", cluster.log("kube-apiserver"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        cluster.furnish().await?;
        Ok(cluster)
    }

    fn launch(&mut self, programs: &Path) -> Result<()> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let key = rcgen::KeyPair::generate()?;
        std::fs::write(file("sa.key"), key.serialize_pem())?;
        std::fs::write(file("sa.pub"), key.public_key_pem())?;
        std::fs::write(file("tokens.csv"), TOKENS)?;
        std::fs::write(file("policy.json"), POLICY)?;
        let (etcd, peer) =
            (format!("http://127.0.0.1:{}", free_port()?), format!("http://127.0.0.1:{}", free_port()?));
        let port = self.url.rsplit(':').next().context("a port")?.to_owned();
        let etcd_args = [
            ("data-dir", file("etcd")),
            ("listen-client-urls", etcd.clone()),
            ("advertise-client-urls", etcd.clone()),
            ("listen-peer-urls", peer),
            ("unsafe-no-fsync", "true".into()),
        ];
        let server_args = [
            ("etcd-servers", etcd),
            ("bind-address", "127.0.0.1".into()),
            ("advertise-address", "127.0.0.1".into()),
            ("secure-port", port),
            ("cert-dir", file("certs")),
            ("service-account-key-file", file("sa.pub")),
            ("service-account-signing-key-file", file("sa.key")),
            ("service-account-issuer", "https://kubernetes.default.svc".into()),
            ("token-auth-file", file("tokens.csv")),
            ("authorization-mode", "RBAC".into()),
            ("service-cluster-ip-range", "10.96.0.0/16".into()),
            ("disable-admission-plugins", "ServiceAccount".into()),
            ("audit-policy-file", file("policy.json")),
            ("audit-log-path", file("audit.log")),
            ("audit-log-mode", "blocking-strict".into()),
        ];
        let etcd = self.spawn(programs, "etcd", &etcd_args)?;
        self.children.push(etcd);
        let server = self.spawn(programs, "kube-apiserver", &server_args)?;
        self.children.push(server);
        Ok(())
    }

    fn spawn(&self, programs: &Path, name: &str, args: &[(&str, String)]) -> Result<Child> {
        let log = File::create(self.folder.path().join(format!("{name}.log")))?;
        let args = args.iter().map(|(name, value)| format!("--{name}={value}"));
        let mut command = Command::new(programs.join(name));
        command.args(args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().with_context(|| format!("start {name}"))
    }

    async fn is_ready(&mut self) -> bool {
        if self.client.is_none() {
            let Ok(pem) = std::fs::read(self.authority()) else { return false };
            let Ok(certificates) = reqwest::Certificate::from_pem_bundle(&pem) else { return false };
            self.client = reqwest::Client::builder().tls_certs_only(certificates).no_proxy().build().ok();
        }
        self.ask("root-token", http::Method::GET, "/readyz", None).await.is_ok()
    }

    /// A namespace each for alice and bob, with a note that only they may read, and an account in it.
    async fn furnish(&self) -> Result<()> {
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let role = |kind: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        for name in ["alice", "bob"] {
            let inside = format!("/api/v1/namespaces/{name}");
            let metadata = |name: &str| json!({"name": name});
            self.create("/api/v1/namespaces", json!({"metadata": metadata(name)})).await?;
            self.create(
                &format!("{inside}/configmaps"),
                json!({"metadata": metadata("note"), "data": {"of": name}}),
            )
            .await?;
            self.create(&format!("{inside}/serviceaccounts"), json!({"metadata": metadata("robot")})).await?;
            let own = format!("{rbac}/namespaces/{name}");
            let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]);
            self.create(&format!("{own}/roles"), json!({"metadata": metadata("reader"), "rules": rules}))
                .await?;
            let binding = json!({"metadata": metadata("reader"), "roleRef": role("Role", "reader"), "subjects": [role("User", name)]});
            self.create(&format!("{own}/rolebindings"), binding).await?;
        }
        let delegator = role("ClusterRole", "system:auth-delegator");
        let binding = json!({"metadata": {"name": "reviewer"}, "roleRef": delegator, "subjects": [role("User", "reviewer")]});
        self.create(&format!("{rbac}/clusterrolebindings"), binding).await?;
        Ok(())
    }

    async fn create(&self, path: &str, object: Value) -> Result<Value> {
        self.ask("root-token", http::Method::POST, path, Some(object)).await
    }

    /// A token of the account `robot` in this namespace, for `audience` or else for the API server itself.
    pub async fn account_token(&self, namespace: &str, audience: Option<&str>) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/robot/token");
        let spec = json!({"audiences": audience.into_iter().collect::<Vec<_>>(), "expirationSeconds": 600});
        let answer = self.create(&path, json!({"spec": spec})).await?;
        Ok(answer["status"]["token"].as_str().context("no token")?.to_owned())
    }

    #[expect(clippy::disallowed_methods, reason = "a test asks the cluster itself")]
    async fn ask(&self, token: &str, method: http::Method, path: &str, body: Option<Value>) -> Result<Value> {
        let client = self.client.as_ref().context("no certificate yet")?;
        let mut request = client.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{path}: {status} {text}");
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The certificate that the API server's own is believed by.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("certs/apiserver.crt")
    }

    /// Writes a file beside the cluster's, for a setting that wants one.
    pub fn file(&self, name: &str, content: &str) -> Result<String> {
        let file = self.folder.path().join(name);
        std::fs::write(&file, content)?;
        Ok(file.display().to_string())
    }

    /// Who asked for a path that holds `part`, and with which status: `(user, status)` in order.
    pub fn audit(&self, part: &str) -> Result<Vec<(String, u64)>> {
        let log = std::fs::read_to_string(self.folder.path().join("audit.log"))?;
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let events = events.filter(|event| event["requestURI"].as_str().is_some_and(|it| it.contains(part)));
        Ok(events
            .map(|event| {
                let user = event["user"]["username"].as_str().unwrap_or_default().to_owned();
                (user, event["responseStatus"]["code"].as_u64().unwrap_or_default())
            })
            .collect())
    }

    /// Everything it wrote that is no secret of its own: its log and its audit.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Ends the API server.
    pub fn stop(&mut self) {
        while let Some(mut child) = self.children.pop() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}
