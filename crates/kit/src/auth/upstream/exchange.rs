//! `--upstream-auth exchange`: the caller's token for one that the upstream takes (RFC 8693).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use moka::Expiry;
use moka::future::Cache;
use serde::Deserialize;
use url::Url;

use super::{UpstreamArgs, UpstreamCredential};
use crate::auth::background::Background;
use crate::auth::credential::{Fingerprint, refuse};
use crate::auth::warn_of_http;
use crate::http::{Authorities, Client};
use crate::{Code, Result, ToolError};

const TIMEOUT: Duration = Duration::from_secs(10);
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Largest answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Most tokens that are remembered.
const MAX_REMEMBERED: u64 = 10_000;
/// How long before its end a token is no longer used, and how long one holds that names no end.
const MARGIN: Duration = Duration::from_secs(10);
const UNSAID: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// Exchanges tokens, each once until its end.
pub(crate) struct Exchange {
    service: Arc<Service>,
    background: Background,
    known: Cache<Fingerprint, Exchanged>,
}

#[derive(Clone)]
struct Exchanged {
    credential: UpstreamCredential,
    holds: Duration,
}

struct Service {
    url: Url,
    client: Client,
    client_id: Option<String>,
    secret_file: Option<PathBuf>,
    audience: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    token_type: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Exchange {
    pub(super) fn new(args: &UpstreamArgs, authorities: &Authorities) -> anyhow::Result<Self> {
        let url = args.exchange_url.clone();
        let url = url.context("--upstream-auth exchange needs --exchange-url (GANTRY_EXCHANGE_URL)")?;
        warn_of_http("--exchange-url", &url);
        if let Some(file) = &args.exchange_client_secret_file {
            anyhow::ensure!(
                args.exchange_client_id.is_some(),
                "--exchange-client-secret-file needs --exchange-client-id (GANTRY_EXCHANGE_CLIENT_ID)"
            );
            secret(file)?;
        }
        let service = Service {
            url,
            client: Client::new("the token service (--exchange-url)", TIMEOUT, authorities),
            client_id: args.exchange_client_id.clone(),
            secret_file: args.exchange_client_secret_file.clone(),
            audience: args.exchange_audience.clone(),
            scope: args.exchange_scope.clone(),
        };
        let known = Cache::builder().max_capacity(MAX_REMEMBERED).expire_after(Remembered).build();
        Ok(Self { service: Arc::new(service), background: Background::start()?, known })
    }

    /// The credential for the upstream that stands for the holder of `subject`.
    pub(super) async fn exchange(&self, subject: &UpstreamCredential) -> Result<UpstreamCredential> {
        let exchange = async {
            let (service, subject) = (self.service.clone(), subject.clone());
            self.background.run(async move { service.exchange(&subject).await }).await
        };
        let exchanged = self.known.try_get_with(subject.0.fingerprint, exchange).await;
        exchanged.map(|it| it.credential).map_err(|error| ToolError::clone(&error))
    }
}

struct Remembered;

impl Expiry<Fingerprint, Exchanged> for Remembered {
    fn expire_after_create(&self, _: &Fingerprint, it: &Exchanged, _: Instant) -> Option<Duration> {
        Some(it.holds)
    }
}

impl Service {
    async fn exchange(&self, subject: &UpstreamCredential) -> Result<Exchanged> {
        let token =
            subject.token().ok_or_else(|| ToolError::internal("a subject token that is no bearer"))?;
        let mut form = vec![
            ("grant_type", GRANT),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        form.extend(self.audience.as_deref().map(|audience| ("audience", audience)));
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let mut request = self.client.request(http::Method::POST, self.url.clone())?;
        match (&self.client_id, &self.secret_file) {
            (Some(id), Some(file)) => {
                let secret = secret(file).map_err(|error| {
                    ToolError::service("this server's secret for the token service cannot be read")
                        .because(&*error)
                })?;
                request = request.basic_auth(form_encoded(id), Some(form_encoded(&secret)));
            }
            (Some(id), None) => form.push(("client_id", id)),
            (None, _) => {}
        }
        let response = self.client.send(request.form(&form)).await.map_err(told)?;
        let status = response.status();
        let body = self.client.body_within(response, MAX_ANSWER).await.map_err(told)?;
        if !status.is_success() {
            return Err(self.refused(status, &body));
        }
        let unreadable = || ToolError::service("the token service's answer cannot be read");
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| unreadable().because(&error))?;
        if !matches!(answer.token_type.to_ascii_lowercase().as_str(), "" | "bearer" | "n_a") {
            return Err(ToolError::service("the token service gave a token that is no bearer token"));
        }
        let credential = UpstreamCredential::bearer(&answer.access_token).ok_or_else(unreadable)?;
        let holds = answer.expires_in.map_or(UNSAID, Duration::from_secs).saturating_sub(MARGIN).min(LONGEST);
        Ok(Exchanged { credential, holds })
    }

    /// RFC 8693, 2.2.2: 400 speaks of the tokens, and 401 of this server's own credential.
    fn refused(&self, status: http::StatusCode, body: &[u8]) -> ToolError {
        let reason = serde_json::from_slice(body).map_or_else(|_| String::new(), |it: Refusal| it.error);
        let reason: String =
            reason.chars().filter(|it| it.is_ascii_lowercase() || *it == '_').take(40).collect();
        match (status.as_u16(), reason.as_str()) {
            (400, "invalid_request" | "invalid_grant" | "invalid_target" | "invalid_scope") => {
                refuse(format!("the token service does not exchange the caller's token: {reason}"))
            }
            _ => {
                let error = self.client.refused(status).coded(Code::ServiceError);
                tracing::error!(status = status.as_u16(), reason, "a token could not be exchanged");
                error
            }
        }
    }
}

fn told(error: ToolError) -> ToolError {
    error.coded(Code::ServiceError)
}

/// Client id and secret are form-encoded before they are put together (RFC 6749, 2.3.1).
fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn secret(file: &Path) -> anyhow::Result<String> {
    let what =
        || format!("--exchange-client-secret-file (GANTRY_EXCHANGE_CLIENT_SECRET_FILE) {}", file.display());
    let secret = std::fs::read_to_string(file).with_context(what)?.trim().to_owned();
    anyhow::ensure!(!secret.is_empty(), "{}: it is empty", what());
    Ok(secret)
}
