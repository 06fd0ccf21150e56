//! Requests to one forge: where they go, with which credential, which are tried again, and what its refusals mean.

pub(crate) mod path;
#[cfg(test)]
mod tests;
pub(crate) mod version;

use std::path::Path as FsPath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::http::SENT;
use kit::{Code, Followed, Kit, ToolError};
use reqwest::Response;
use serde::Deserialize;
use url::Url;

use crate::args::Args;
use crate::client::path::Path;
use crate::client::version::Version;
use crate::error::{Error, Result};
use crate::forge::once::Keys;
use crate::forge::spool::Spool;

/// A read is tried so often.
const ATTEMPTS: u32 = 3;
/// Before the second attempt; the third waits three times as long.
const BACKOFF: Duration = Duration::from_millis(250);
/// Longer than this nobody waits for a forge that asks for patience.
const MAX_PATIENCE: Duration = Duration::from_secs(10);
/// Repositories are renamed, and renamed again.
const MAX_REDIRECTS: u32 = 5;
/// Answers that are read as a whole are no larger.
const MAX_ANSWER: usize = 64 << 20;
/// How long a version is believed.
const VERSION_AGE: Duration = Duration::from_secs(60);

/// One forge.
#[derive(Debug)]
pub(crate) struct Client {
    http: kit::http::Client,
    base: Url,
    own: Followed<Option<HeaderValue>>,
    version: Mutex<Option<(Instant, Version)>>,
    pub(crate) keys: Keys,
    pub(crate) spool: Spool,
    pub(crate) args: Args,
    pub(crate) kit: Kit,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a Path,
    /// In the form of a URL's query.
    pub(crate) query: String,
    pub(crate) body: Option<Body>,
}

/// What is sent along.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) content_type: HeaderValue,
    pub(crate) bytes: Bytes,
}

impl Request<'_> {
    fn reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// What has gone out and was not answered may have been done: a caller that believes the error repeats it.
    fn unsure(&self, mut error: ToolError) -> ToolError {
        if !self.reads() && error.details.contains_key(SENT) {
            error
                .message
                .push_str("; whether the change was made is not known, so look before you try again");
        }
        error
    }
}

/// A whole answer of success.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Client {
    pub(crate) fn new(args: Args, kit: Kit) -> anyhow::Result<Self> {
        let own = match (&args.gitea_access_token, args.gitea_access_token_file.clone()) {
            (Some(_), Some(_)) => anyhow::bail!(
                "GITEA_ACCESS_TOKEN and GITEA_ACCESS_TOKEN_FILE are both set; only one can be meant"
            ),
            (Some(token), None) => Followed::fixed(Some(authorization("GITEA_ACCESS_TOKEN", token)?)),
            (None, Some(file)) => Followed::read(file.clone(), move || read_token(&file).map(Some))?,
            (None, None) => Followed::fixed(None),
        };
        let http = kit
            .http("gitea (GITEA_HOST)", args.gitea_timeout)
            .through_socket(args.gitea_unix_socket.clone())
            .believing_any_certificate(args.insecure);
        let (base, spool) = (args.gitea_host.clone(), Spool::new(args.spool_bytes));
        Ok(Self { http, base, own, version: Mutex::default(), keys: Keys::default(), spool, args, kit })
    }

    /// The credential of the server's own.
    pub(crate) fn own(&self) -> Option<HeaderValue> {
        self.own.get().clone()
    }

    /// Sends a request and reads its answer whole.
    pub(crate) async fn exchange(
        &self,
        authorization: Option<&HeaderValue>,
        request: &Request<'_>,
    ) -> Result<Answered> {
        let response = self.open(authorization, request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let read = self.http.body_within(response, MAX_ANSWER).await;
        let bytes = read.map_err(|error| request.unsure(error))?;
        Ok(Answered { status, headers, bytes })
    }

    /// Sends a request, and gives an answer of success to be read piece by piece.
    pub(crate) async fn open(
        &self,
        authorization: Option<&HeaderValue>,
        request: &Request<'_>,
    ) -> Result<Response> {
        self.within_reach(request.path)?;
        if self.kit.read_only() && !request.reads() {
            return Err(Error::ReadOnly(format!("{} {}", request.method, request.path)));
        }
        let mut url = request.path.url(&self.base)?;
        url.set_query(Some(&request.query).filter(|query| !query.is_empty()).map(String::as_str));
        let (mut attempt, mut redirects) = (1, 0);
        loop {
            let outcome = self.send(authorization, request, url.clone()).await;
            let again = request.reads() && attempt < ATTEMPTS;
            match outcome {
                Ok(response) if response.status().is_redirection() && redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    url = self.redirected(&url, &response)?;
                }
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => match patience(&response, attempt).filter(|_| again) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(self.refusal(request.path, response).await),
                },
                Err(error) if again && error.code == Code::ServiceError => {
                    tokio::time::sleep(backoff(attempt)).await;
                }
                Err(error) => return Err(request.unsure(error).into()),
            }
            attempt += 1;
        }
    }

    /// The next piece of an answer that was opened.
    pub(crate) async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>> {
        Ok(self.http.chunk(response).await?)
    }

    async fn send(
        &self,
        authorization: Option<&HeaderValue>,
        request: &Request<'_>,
        url: Url,
    ) -> Result<Response, ToolError> {
        let mut builder = self.http.request(request.method.clone(), url)?;
        if let Some(value) = authorization {
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(Body { content_type, bytes }) = &request.body {
            builder = builder.header(CONTENT_TYPE, content_type).body(bytes.clone());
        }
        self.http.send(builder).await
    }

    /// Where a renamed repository is now. The method stays, or a write would be lost; the address must be the forge's
    /// own, or the token would leave.
    fn redirected(&self, from: &Url, response: &Response) -> Result<Url> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| Error::Unexpected("a redirect to nowhere".into()))?;
        let mut to = from.join(location).map_err(|_| Error::Elsewhere(kit::clip(location)))?;
        if to.origin() != self.base.origin() {
            return Err(Error::Elsewhere(kit::clip(&to.origin().ascii_serialization())));
        }
        let base = format!("{}/api/v1/", self.base.path().trim_end_matches('/'));
        if let Some(path) = to.path().strip_prefix(&base) {
            self.within_reach(&Path::parse("location", path)?)?;
        }
        if to.query().is_none() {
            to.set_query(from.query());
        }
        Ok(to)
    }

    /// Whether the operator lets this server touch it.
    fn within_reach(&self, path: &Path) -> Result<()> {
        if let Some((owner, name)) = path.place() {
            self.may_touch(owner, name)?;
        }
        if let Some((owner, range)) = path.compared() {
            range
                .split("..")
                .try_for_each(|side| self.may_touch_branch(side.trim_start_matches('.'), owner))?;
        }
        Ok(())
    }

    /// The same of a branch, which may be a fork's.
    pub(crate) fn may_touch_branch(&self, branch: &str, own: &str) -> Result<()> {
        match path::fork_of(branch, own) {
            Some((owner, name)) => self.may_touch(owner, name),
            None => Ok(()),
        }
    }

    /// Whether the operator lets this server touch this owner, or this repository of theirs. With only repositories
    /// allowed, an owner as such is out of reach.
    pub(crate) fn may_touch(&self, owner: &str, name: Option<&str>) -> Result<()> {
        let Args { allow_owners, allow_repos, .. } = &self.args;
        if allow_owners.is_empty() && allow_repos.is_empty() {
            return Ok(());
        }
        let options = glob::MatchOptions { case_sensitive: false, ..glob::MatchOptions::default() };
        let whole = name.map_or_else(|| owner.to_owned(), |name| format!("{owner}/{name}"));
        let allowed = allow_owners.iter().any(|glob| glob.matches_with(owner, options))
            || name.is_some() && allow_repos.iter().any(|glob| glob.matches_with(&whole, options));
        if allowed { Ok(()) } else { Err(Error::OutOfReach(kit::clip(&whole))) }
    }

    /// What the forge says of itself; asked once a minute at most.
    pub(crate) async fn version(&self, authorization: Option<&HeaderValue>) -> Result<Version> {
        let known = self.version.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, version)) = known.filter(|(asked, _)| asked.elapsed() < VERSION_AGE) {
            return Ok(version);
        }
        #[derive(Deserialize)]
        struct Said {
            version: String,
        }
        let path = Path::of("version");
        let request = Request { method: Method::GET, path: &path, query: String::new(), body: None };
        let Said { version } = read(&self.exchange(authorization, &request).await?.bytes)?;
        let version = Version::parse(&version);
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), version.clone()));
        Ok(version)
    }

    /// Whether the forge answers, and which it is.
    pub(crate) async fn check(self: &Arc<Self>) -> Result<String, String> {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match self.version(self.own().as_ref()).await {
            Ok(version) => Ok(version.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What an answer that is none of success means.
    async fn refusal(&self, path: &Path, response: Response) -> Error {
        #[derive(Default, Deserialize)]
        struct Said {
            #[serde(default)]
            message: String,
        }
        let status = response.status();
        let patience = retry_after(&response);
        let is = |kind: &str| {
            response.headers().get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(kind.as_bytes()))
        };
        if status == StatusCode::NOT_FOUND && is("text/html") {
            return Error::Unexpected("a page, as if no forge were there".into());
        }
        // Of an object that is not there a forge says so in JSON; this is its router's word.
        if status == StatusCode::NOT_FOUND && is("text/plain") && path.is_of_the_api() {
            return Error::NoApi(path.to_string());
        }
        let body = self.http.body_within(response, 1 << 20).await.unwrap_or_default();
        let said: Said = serde_json::from_slice(&body).unwrap_or_default();
        let reason = reason(status, bounded(&said.message));
        if let (StatusCode::FORBIDDEN, Some(required)) = (status, missing_scope(&said.message)) {
            return Error::Scope { required };
        }
        match patience {
            Some(wait) => Error::Kit(
                ToolError::new(
                    Code::of_upstream(status),
                    format!("gitea answered {}: {reason}", status.as_u16()),
                )
                .with("status", status.as_u16())
                .with("retry_after", wait.as_secs()),
            ),
            None => Error::Refused { status, message: reason },
        }
    }
}

/// Reads a JSON answer.
///
/// # Errors
/// For what is none; an empty one is that of an object of another kind, like an event that has a comment's number.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    if bytes.is_empty() {
        let message = "there is no such object; that number is something else's".to_owned();
        return Err(Error::Refused { status: StatusCode::NOT_FOUND, message });
    }
    serde_json::from_slice(bytes).map_err(|error| Error::Unexpected(kit::clip(&error.to_string())))
}

fn read_token(file: &FsPath) -> anyhow::Result<HeaderValue> {
    let what = || format!("--gitea-access-token-file (GITEA_ACCESS_TOKEN_FILE) {}", file.display());
    let token = std::fs::read_to_string(file).with_context(what)?;
    authorization("GITEA_ACCESS_TOKEN_FILE", token.trim())
}

fn authorization(setting: &str, token: &str) -> anyhow::Result<HeaderValue> {
    anyhow::ensure!(!token.trim().is_empty(), "{setting} is empty");
    let value = HeaderValue::try_from(format!("token {}", token.trim()));
    let mut value = value.ok().with_context(|| format!("{setting} holds what no token can"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn backoff(attempt: u32) -> Duration {
    BACKOFF * 3u32.pow(attempt - 1)
}

/// How long to wait before a read is tried again; `None` where that would not help.
fn patience(response: &Response, attempt: u32) -> Option<Duration> {
    let passing = matches!(response.status().as_u16(), 429 | 502 | 503 | 504);
    let wait = retry_after(response).unwrap_or_else(|| backoff(attempt));
    (passing && wait <= MAX_PATIENCE).then_some(wait)
}

/// In seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    let said = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    match said.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let then = httpdate::parse_http_date(said).ok()?;
            Some(then.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

/// What the forge said; what its status most often means where that is nothing, or one of its functions' names
/// (`GetContentsOrList`).
fn reason(status: StatusCode, said: String) -> String {
    let means = match status.as_u16() {
        401 => "the token is missing, wrong or expired",
        403 => "the token's user may not do this",
        404 => "there is no such object, or the token's user may not see it",
        423 => "the repository is archived, a mirror or locked",
        _ if said.is_empty() => status.canonical_reason().unwrap_or("no reason given"),
        _ => return said,
    };
    match status {
        _ if !said.contains(char::is_whitespace) => means.to_owned(),
        // Where files are changed, Gitea only says that it is not allowed.
        StatusCode::LOCKED => format!("{said}; {means}"),
        _ => said,
    }
}

/// A reason in one line, not longer than a person would read.
fn bounded(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// `… required=[write:issue], token scope=read:user` is how Gitea words it (services/context/api.go).
fn missing_scope(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("required=[")?;
    Some(rest.split(']').next()?.to_owned())
}
