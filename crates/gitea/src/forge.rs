//! A forge as one caller sees it: what methods of tools talk to.

pub(crate) mod download;
mod gone;
pub(crate) mod list;
mod names;
mod natural;
pub(crate) mod once;
pub(crate) mod pull_diff;
pub(crate) mod reach;
pub(crate) mod secrets;
pub(crate) mod spool;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method};
use kit::auth::{Role, Upstream};
use kit::{Call, Kit};
use reqwest::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::Args;
use crate::client::path::Path;
use crate::client::version::{Release, Version};
use crate::client::{self, Answered, Body, Client, Request};
use crate::error::{Error, Plan, Result};
use crate::forge::spool::Content;

/// Nothing in a query.
pub(crate) const ALL: () = ();

/// The forge, for one call.
#[derive(Clone)]
pub(crate) struct Forge {
    client: Arc<Client>,
    authorization: Option<HeaderValue>,
    read_only: bool,
    dry_run: bool,
    call: Arc<Call>,
}

impl Forge {
    /// For this call; without a way to send anything but GET where its caller may only read.
    pub(crate) fn new(client: Arc<Client>, call: Call) -> Self {
        let authorization = match call.upstream() {
            Upstream::Caller(credential) => Some(credential.authorization().clone()),
            Upstream::Own | Upstream::Impersonate(_) => client.own(),
        };
        let read_only = client.kit.read_only() || call.principal().role == Role::Read;
        Self { client, authorization, read_only, dry_run: false, call: Arc::new(call) }
    }

    /// The same, but what would change something is told instead of sent.
    #[must_use]
    pub(crate) fn dry(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Refuses what would change something, where nothing may be changed.
    pub(crate) fn may_change(&self, what: &str) -> Result<()> {
        if self.read_only { Err(Error::ReadOnly(what.to_owned())) } else { Ok(()) }
    }

    pub(crate) fn args(&self) -> &Args {
        &self.client.args
    }

    pub(crate) fn kit(&self) -> &Kit {
        &self.client.kit
    }

    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// What callers must be told apart by wherever something of theirs is kept.
    pub(crate) fn identity(&self) -> String {
        self.call.upstream().key()
    }

    /// For names that go into a body instead of a path.
    pub(crate) fn may_touch(&self, owner: &str, repo: Option<&str>) -> Result<()> {
        self.client.may_touch(owner, repo)
    }

    /// For branches that go into a body, and may be a fork's.
    pub(crate) fn may_touch_branch(&self, branch: &str, own: &str) -> Result<()> {
        self.client.may_touch_branch(branch, own)
    }

    pub(crate) async fn version(&self) -> Result<Version> {
        self.client.version(self.authorization.as_ref()).await
    }

    /// Refuses to ask a forge for what it does not have yet. One that does not tell its version is asked all the same.
    pub(crate) async fn needs(&self, release: Release) -> Result<()> {
        match self.version().await {
            Ok(version) if !version.has(release) => Err(Error::TooOld { needs: release, is: version }),
            Ok(_) | Err(Error::Scope { .. } | Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: Path) -> Result<T> {
        self.find(path, &ALL).await
    }

    /// A read with a query.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: Path, query: &impl Serialize) -> Result<T> {
        client::read(&self.read(&path, query).await?.bytes)
    }

    /// An object, or `None` where there is none.
    pub(crate) async fn look<T: DeserializeOwned>(&self, path: Path) -> Result<Option<T>> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A whole answer of any kind, with its headers.
    pub(crate) async fn read(&self, path: &Path, query: &impl Serialize) -> Result<Answered> {
        self.ask(path, encoded(query)?).await
    }

    async fn ask(&self, path: &Path, query: String) -> Result<Answered> {
        let request = Request { method: Method::GET, path, query, body: None };
        self.client.exchange(self.authorization.as_ref(), &request).await
    }

    /// A whole answer of at most so many bytes.
    pub(crate) async fn read_within(
        &self,
        path: &Path,
        query: &impl Serialize,
        most: usize,
    ) -> Result<Answered> {
        let mut response = self.open(path, query).await?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.client.chunk(&mut response).await? {
            if bytes.len() + chunk.len() > most {
                return Err(Error::argument(
                    "path",
                    format!("the answer has more than {most} bytes; ask for less"),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Answered { status: response.status(), headers: response.headers().clone(), bytes: bytes.freeze() })
    }

    /// An answer that may be too large to be read as a whole.
    pub(crate) async fn open(&self, path: &Path, query: &impl Serialize) -> Result<Response> {
        let request = Request { method: Method::GET, path, query: encoded(query)?, body: None };
        self.client.open(self.authorization.as_ref(), &request).await
    }

    /// An answer that is read in pieces, by this call and others of the same caller's: downloaded once for the same
    /// path and `version`, which must be another whenever the answer would be.
    pub(crate) async fn spooled(
        &self,
        path: &Path,
        query: &impl Serialize,
        version: &str,
    ) -> Result<Content> {
        let query = encoded(query)?;
        let key = serde_json::json!([self.identity(), path.to_string(), query, version]).to_string();
        let request = Request { method: Method::GET, path, query, body: None };
        let download = async |mut into: spool::Sink| {
            let mut response = self.client.open(self.authorization.as_ref(), &request).await?;
            while let Some(chunk) = self.client.chunk(&mut response).await? {
                into.write(&chunk).await?;
            }
            into.end().await
        };
        self.client.spool.open(key, download).await
    }

    /// The next piece of an answer that was opened; `None` at its end.
    pub(crate) async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>> {
        self.client.chunk(response).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: Path, body: &impl Serialize) -> Result<T> {
        client::read(&self.change(Method::POST, &path, body).await?.bytes)
    }

    pub(crate) async fn put<T: DeserializeOwned>(&self, path: Path, body: &impl Serialize) -> Result<T> {
        client::read(&self.change(Method::PUT, &path, body).await?.bytes)
    }

    pub(crate) async fn patch<T: DeserializeOwned>(&self, path: Path, body: &impl Serialize) -> Result<T> {
        client::read(&self.change(Method::PATCH, &path, body).await?.bytes)
    }

    /// A deletion, which needs no body as a rule (`&ALL`).
    pub(crate) async fn delete(&self, path: Path, body: &impl Serialize) -> Result<()> {
        self.change(Method::DELETE, &path, body).await.map(|_| ())
    }

    /// Any change with a JSON body; `&ALL` is none.
    pub(crate) async fn change(
        &self,
        method: Method,
        path: &Path,
        body: &impl Serialize,
    ) -> Result<Answered> {
        self.change_with(method, path, &ALL, body).await
    }

    /// The same with a query.
    pub(crate) async fn change_with(
        &self,
        method: Method,
        path: &Path,
        query: &impl Serialize,
        body: &impl Serialize,
    ) -> Result<Answered> {
        let query = encoded(query)?;
        let body = serde_json::to_value(body).map_err(|error| Error::Unexpected(error.to_string()))?;
        let sent = (!body.is_null()).then(|| Body {
            content_type: HeaderValue::from_static("application/json"),
            bytes: Bytes::from(body.to_string()),
        });
        self.write(Request { method, path, query, body: sent }, body).await
    }

    /// The one way by which anything changes; `shown` is what a dry run tells of the body.
    pub(crate) async fn write(&self, request: Request<'_>, shown: Value) -> Result<Answered> {
        self.may_change(&format!("{} {}", request.method, request.path))?;
        if self.dry_run {
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
            let (method, path) = (request.method.to_string(), format!("{}{query}", request.path));
            return Err(Error::DryRun(Plan { method, path, body: secrets::hidden(shown) }));
        }
        self.client.exchange(self.authorization.as_ref(), &request).await
    }
}

fn encoded(query: &impl Serialize) -> Result<String> {
    serde_urlencoded::to_string(query).map_err(|error| Error::Unexpected(error.to_string()))
}

/// A whole number in a header.
pub(crate) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
