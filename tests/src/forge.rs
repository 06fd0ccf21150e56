//! A real Gitea on SQLite: a site admin, users alice and bob with tokens of their own, and its own record of who asked
//! what with which headers.

mod config;
pub mod runner;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::provider::free_port;

/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Of everyone; tokens are what tests use.
const PASSWORD: &str = "correct horse";

/// A user of it, with a token of all scopes.
#[derive(Debug, Clone)]
pub struct User {
    /// The name to log in with.
    pub name: String,
    /// Good for everything that the user may do.
    pub token: String,
}

/// One request, by Gitea's own record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who asked, or `-`.
    pub user: String,
    /// What it answered.
    pub status: u16,
    /// The request's method.
    pub method: String,
    /// The request's path and query.
    pub path: String,
    /// All headers that came, as Go prints them: `map["Accept":["*/*"] …]`.
    pub headers: String,
}

/// The server, ended when dropped.
#[derive(Debug)]
pub struct Forge {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// `operator`, the site admin.
    pub admin: User,
    users: Vec<User>,
    folder: TempDir,
    child: Child,
    client: reqwest::Client,
}

impl Forge {
    /// Starts it; `programs` is the folder with `gitea` and the files it reads.
    pub async fn start(programs: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let program = Path::new(programs).join("gitea");
        let port = free_port()?;
        std::fs::write(folder.path().join("app.ini"), config::ini(folder.path(), Path::new(programs), port))?;
        let client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let log = File::create(folder.path().join("log"))?;
        let child = command(&program, folder.path())
            .arg("web")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let admin = User { name: "operator".into(), token: String::new() };
        let url = format!("http://127.0.0.1:{port}");
        let mut forge = Self { url, admin, users: vec![], folder, child, client };
        forge.await_health().await?;
        forge.furnish(program).await?;
        Ok(forge)
    }

    async fn await_health(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.send(self.client.get(format!("{}/api/healthz", self.url))).await.is_err() {
            ensure!(self.child.try_wait()?.is_none(), "it ended:\n{}", self.log());
            ensure!(Instant::now() < end, "it is not healthy:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The first user can only be made beside the server; the others are made by that one.
    async fn furnish(&mut self, program: PathBuf) -> Result<()> {
        let mut command = command(&program, self.folder.path());
        command.args(["admin", "user", "create", "--admin", "--must-change-password=false"]);
        command.args(["--username", &self.admin.name, "--email", "operator@example.com"]);
        command.args(["--password", PASSWORD]);
        let made = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&[made.stdout, made.stderr].concat()));
        self.admin.token = self.token(&self.admin.name, &["all"]).await?;
        for name in ["alice", "bob"] {
            let user = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD,
                              "must_change_password": false});
            self.post(&self.admin.token, "/admin/users", user).await?;
            let token = self.token(name, &["all"]).await?;
            self.users.push(User { name: name.into(), token });
        }
        Ok(())
    }

    /// alice or bob.
    ///
    /// # Panics
    /// When there is no user of this name.
    #[must_use]
    pub fn user(&self, name: &str) -> &User {
        self.users.iter().find(|user| user.name == name).expect("a user that every forge has")
    }

    /// A further token of a user, good for these scopes (`read:repository`, `write:issue`, `all`…).
    pub async fn token(&self, user: &str, scopes: &[&str]) -> Result<String> {
        let name = Timestamp::now().to_string(); // another one each time
        let request = self.client.post(format!("{}/api/v1/users/{user}/tokens", self.url));
        let request = request.basic_auth(user, Some(PASSWORD)).json(&json!({"name": name, "scopes": scopes}));
        let body = self.send(request).await?;
        let answer: Value = serde_json::from_slice(&body)?;
        Ok(answer["sha1"].as_str().context("no token")?.to_owned())
    }

    /// Asks the API itself, with `token`; `path` begins after `/api/v1`. A body that is not JSON comes as a string.
    #[expect(clippy::disallowed_methods, reason = "a test asks Gitea itself")]
    pub async fn api(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, HeaderMap, Value)> {
        let mut request = self.client.request(method, format!("{}/api/v1{path}", self.url));
        request = request.header(header::AUTHORIZATION, format!("token {token}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, headers, text) = (answer.status(), answer.headers().clone(), answer.text().await?);
        Ok((status, headers, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// What the API answers; anything but success is an error.
    pub async fn get(&self, token: &str, path: &str) -> Result<Value> {
        self.done(token, Method::GET, path, None).await
    }

    /// See [`Self::get`].
    pub async fn post(&self, token: &str, path: &str, body: Value) -> Result<Value> {
        self.done(token, Method::POST, path, Some(body)).await
    }

    /// See [`Self::get`].
    pub async fn put(&self, token: &str, path: &str, body: Value) -> Result<Value> {
        self.done(token, Method::PUT, path, Some(body)).await
    }

    /// See [`Self::get`].
    pub async fn patch(&self, token: &str, path: &str, body: Value) -> Result<Value> {
        self.done(token, Method::PATCH, path, Some(body)).await
    }

    /// See [`Self::get`].
    pub async fn delete(&self, token: &str, path: &str) -> Result<Value> {
        self.done(token, Method::DELETE, path, None).await
    }

    async fn done(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (status, _, answer) = self.api(token, method.clone(), path, body).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {answer}");
        Ok(answer)
    }

    /// The bytes behind a path of the API, also where it sends the client on, as it does for artifacts.
    #[expect(clippy::disallowed_methods, reason = "a test asks Gitea itself")]
    pub async fn bytes(&self, token: &str, path: &str) -> Result<Bytes> {
        let ask = |url| self.client.get(url).header(header::AUTHORIZATION, format!("token {token}"));
        let answer = ask(format!("{}/api/v1{path}", self.url)).send().await?;
        match answer.headers().get(header::LOCATION) {
            Some(place) => self.send(ask(place.to_str()?.to_owned())).await,
            None => whole(answer).await,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test asks Gitea itself")]
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Bytes> {
        whole(request.send().await?).await
    }

    /// An empty, public repository of `owner`, which is a user.
    pub async fn repository(&self, owner: &User, name: &str) -> Result<Value> {
        self.post(&owner.token, "/user/repos", json!({"name": name, "default_branch": "main"})).await
    }

    /// One commit by `user` that writes these files, on a branch that is made if need be; the commit's sha.
    pub async fn push(
        &self,
        user: &User,
        repository: &str,
        branch: &str,
        files: &[(&str, &[u8])],
    ) -> Result<String> {
        let base = format!("/repos/{repository}");
        let there = self.api(&user.token, Method::GET, &format!("{base}/branches/{branch}"), None).await?.0;
        let empty = self.get(&user.token, &base).await?["empty"] == true;
        let place = if there.is_success() || empty { "branch" } else { "new_branch" };
        let files: Vec<_> = files
            .iter()
            .map(|(path, content)| json!({"operation": "upload", "path": path, "content": BASE64_STANDARD.encode(content)}))
            .collect();
        let change = json!({place: branch, "message": "change files", "files": files});
        let answer = self.post(&user.token, &format!("{base}/contents"), change).await?;
        Ok(answer["commit"]["sha"].as_str().context("no commit")?.to_owned())
    }

    /// Requests whose path holds `part`, in the order they ended, once there are at least `count`: it writes them down
    /// after it has answered.
    pub async fn requests(&self, part: &str, count: usize) -> Result<Vec<Record>> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let log = std::fs::read_to_string(self.folder.path().join("access.log"))?;
            let found = log.lines().filter_map(record).filter(|record| record.path.contains(part));
            let found: Vec<_> = found.collect();
            if found.len() >= count {
                return Ok(found);
            }
            if Instant::now() > end {
                bail!("{} of {count} requests for {part}:\n{log}", found.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything it has logged so far, without its requests.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gitea with its settings of this folder, and none of whoever runs the tests.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", crate::environment("PATH").unwrap_or_default()).env("HOME", folder);
    command.arg("--config").arg(folder.join("app.ini")).stdin(Stdio::null());
    command
}

/// The body of an answer that must be a success.
async fn whole(answer: reqwest::Response) -> Result<Bytes> {
    let (status, url, body) = (answer.status(), answer.url().clone(), answer.bytes().await?);
    ensure!(status.is_success(), "{url}: {status} {}", String::from_utf8_lossy(&body));
    Ok(body)
}

/// A line in the form of `config::RECORD`.
fn record(line: &str) -> Option<Record> {
    let mut parts = line.splitn(5, ' ').map(str::to_owned);
    let (user, status, method) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    Some(Record { user, status, method, path: parts.next()?, headers: parts.next()? })
}
