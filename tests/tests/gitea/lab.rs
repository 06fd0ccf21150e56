//! One row of the table at work: a fresh repository of alice's, and the tool under one of its names.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use futures::future::BoxFuture;
use gantry_tests::door::Door;
use gantry_tests::forge::{Forge, User};
use gantry_tests::program::{Program, Target};
use gantry_tests::wire;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};

/// A method of a tool, its former names, and what shows that it does its job.
pub(crate) struct Row {
    pub(crate) tool: &'static str,
    /// Empty for a tool that has only one.
    pub(crate) method: &'static str,
    pub(crate) classic: &'static [&'static str],
    pub(crate) run: for<'a> fn(&'a Lab) -> BoxFuture<'a, Result<()>>,
}

/// `row!(TOOL, METHOD, [CLASSIC NAMES], FUNCTION)`
macro_rules! row {
    ($tool:literal, $method:literal, [$($classic:literal),*], $run:path) => {
        $crate::lab::Row { tool: $tool, method: $method, classic: &[$($classic),*], run: |lab| Box::pin($run(lab)) }
    };
}
pub(crate) use row;

/// What arguments were called by the former names.
const RENAMED: [(&str, &str); 5] = [
    ("issue_number", "index"),
    ("pull_number", "index"),
    ("per_page", "pageSize"),
    ("path", "filePath"),
    ("query", "keyword"),
];

/// Where a row works.
pub(crate) struct Lab {
    pub(crate) forge: Arc<Forge>,
    /// The name of a repository of alice's with a README.md, made for this row alone.
    pub(crate) repo: String,
    /// A number that no other run has, for names that must be free.
    pub(crate) number: usize,
    /// The server's folder for downloads.
    pub(crate) downloads: PathBuf,
    pub(crate) host: String,
    tool: &'static str,
    method: &'static str,
    classic: Option<&'static str>,
}

/// A server for this forge, with the operator's token, who is a site admin: `alice` acts through a server of her own.
pub(crate) async fn server(forge: &Forge, args: &[&str]) -> Result<Program> {
    let alice = &forge.user("alice").token;
    let own = ["--gitea-host", &forge.url, "--gitea-access-token", alice];
    Program::start("gantry-gitea", &[&own, args].concat()).await
}

/// What a server lists.
pub(crate) async fn listing(host: &str) -> Result<Vec<Value>> {
    let answer = wire::get(host, "/tools").await?;
    let answer: Value = serde_json::from_slice(answer.body())?;
    Ok(answer["tools"].as_array().context("tools")?.clone())
}

/// Only rows whose names hold this are run, where whoever runs the test says so.
#[expect(clippy::disallowed_methods, reason = "for whoever works on a tool")]
pub(crate) fn wanted() -> Option<String> {
    std::env::var("GANTRY_TEST_ROWS").ok()
}

/// Calls any tool over REST.
pub(crate) async fn call(host: &str, tool: &str, arguments: &Value) -> Result<(StatusCode, Value)> {
    let request = Request::post(format!("/tools/{tool}")).header("content-type", "application/json");
    let answer = wire::send(host, request.body(Full::new(arguments.to_string().into()))?).await?;
    Ok((answer.status(), serde_json::from_slice(answer.body())?))
}

impl Lab {
    pub(crate) async fn new(
        forge: Arc<Forge>,
        host: String,
        row: &Row,
        classic: Option<&'static str>,
        number: usize,
        downloads: PathBuf,
    ) -> Result<Self> {
        let repo = format!("lab-{number}");
        let alice = forge.user("alice");
        let new = json!({"name": repo, "default_branch": "main", "auto_init": true});
        forge.post(&alice.token, "/user/repos", new).await?;
        Ok(Self { forge, repo, number, downloads, host, tool: row.tool, method: row.method, classic })
    }

    pub(crate) fn alice(&self) -> &User {
        self.forge.user("alice")
    }

    /// Calls the row's method with these arguments and `owner` and `repo`.
    pub(crate) async fn here(&self, arguments: Value) -> Result<Value> {
        self.call(self.in_repo(arguments)).await
    }

    /// Calls the row's method with these arguments and no others.
    pub(crate) async fn call(&self, arguments: Value) -> Result<Value> {
        let (status, answer) = self.attempt(arguments).await?;
        if status != StatusCode::OK {
            bail!("{status}: {answer}");
        }
        Ok(answer)
    }

    /// Calls it with `owner` and `repo`, and gives the error it must answer.
    pub(crate) async fn refused(&self, arguments: Value) -> Result<Value> {
        self.refused_as(self.in_repo(arguments)).await
    }

    /// Calls it with these arguments and no others, and gives the error it must answer.
    pub(crate) async fn refused_as(&self, arguments: Value) -> Result<Value> {
        let (status, answer) = self.attempt(arguments).await?;
        if status == StatusCode::OK {
            bail!("not refused: {answer}");
        }
        Ok(answer)
    }

    /// What an argument is called by the name under test, for errors that name it.
    pub(crate) fn named(&self, argument: &str) -> String {
        match self.classic {
            Some(name) if name != self.tool => former(argument.to_owned()),
            _ => argument.to_owned(),
        }
    }

    /// Calls it over MCP with `owner` and `repo`, and gives what the answer holds beside its structure.
    pub(crate) async fn content(&self, arguments: Value) -> Result<Vec<Value>> {
        let (tool, arguments) = self.request(self.in_repo(arguments))?;
        let params = json!({"name": tool, "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let target = Target { host: self.host.clone(), prefix: String::new() };
        let mut answer = Door::Modern(target).rpc(&message).await?;
        let content = answer["result"]["content"].take();
        Ok(content.as_array().with_context(|| format!("no content: {answer}"))?.clone())
    }

    async fn attempt(&self, arguments: Value) -> Result<(StatusCode, Value)> {
        let (tool, arguments) = self.request(arguments)?;
        call(&self.host, tool, &arguments).await
    }

    /// The tool's name and the arguments, as the name under test wants them.
    fn request(&self, arguments: Value) -> Result<(&'static str, Value)> {
        let Value::Object(mut arguments) = arguments else { bail!("arguments are an object") };
        let tool = match self.classic {
            Some(name) => {
                arguments = arguments.into_iter().map(|(name, value)| (former(name), value)).collect();
                name
            }
            None if self.method.is_empty() => self.tool,
            None => {
                arguments.insert("method".into(), self.method.into());
                self.tool
            }
        };
        Ok((tool, Value::Object(arguments)))
    }

    fn in_repo(&self, arguments: Value) -> Value {
        let mut all = Map::from_iter([("owner".into(), json!("alice")), ("repo".into(), json!(self.repo))]);
        all.extend(arguments.as_object().cloned().unwrap_or_default());
        Value::Object(all)
    }

    /// Asks Gitea itself as alice; `path` is behind the repository's.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.forge.get(&self.alice().token, &format!("/repos/alice/{}{path}", self.repo)).await
    }

    /// Has Gitea itself make something as alice; `path` is behind the repository's.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.forge.post(&self.alice().token, &format!("/repos/alice/{}{path}", self.repo), body).await
    }

    /// The status with which Gitea answers a GET: for what must be gone.
    pub(crate) async fn status(&self, path: &str) -> Result<u16> {
        let path = format!("/repos/alice/{}{path}", self.repo);
        Ok(self.forge.api(&self.alice().token, http::Method::GET, &path, None).await?.0.as_u16())
    }
}

fn former(name: String) -> String {
    RENAMED.iter().find(|(now, _)| *now == name).map_or(name, |(_, was)| (*was).to_owned())
}
