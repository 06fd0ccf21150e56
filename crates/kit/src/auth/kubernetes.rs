//! `--auth kubernetes`: callers with a token that a cluster's API server knows, asked by TokenReview
//! (authentication.k8s.io/v1), whatever kind of token it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use moka::Expiry;
use moka::future::Cache;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;

use super::args::KubernetesArgs;
use super::background::Background;
use super::credential::{Fingerprint, refuse};
use super::roles::{Claims, Roles};
use super::{Principal, Subject};
use crate::http::{Authorities, Client};
use crate::{Code, Result, ToolError};

const TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer is remembered: a token that is withdrawn counts no longer than this.
const REMEMBERED: Duration = Duration::from_secs(10);
const REFUSAL_REMEMBERED: Duration = Duration::from_secs(2);
const MAX_REMEMBERED: u64 = 10_000;
/// Most reviews at once; strangers must not be able to keep an API server busy.
const MAX_REVIEWS: usize = 32;
const MAX_ANSWER: usize = 256 * 1024;
const PATH: &str = "apis/authentication.k8s.io/v1/tokenreviews";
/// Where a pod finds its own credential and its cluster's authority.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub(super) struct Kubernetes {
    reviewer: Arc<Reviewer>,
    roles: Roles,
    background: Background,
    known: Cache<Fingerprint, Verdict>,
}

/// Whose token it is; `None` for nobody's.
type Verdict = Option<Arc<User>>;

struct Reviewer {
    address: Url,
    client: Client,
    token_file: PathBuf,
    audience: Option<String>,
    room: Semaphore,
}

#[derive(Deserialize)]
struct Review {
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    authenticated: bool,
    user: Option<User>,
    audiences: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct User {
    username: String,
    uid: String,
    groups: Vec<String>,
}

impl Kubernetes {
    pub(super) fn new(args: &KubernetesArgs, roles: Roles, background: &Background) -> anyhow::Result<Self> {
        let known = Cache::builder().max_capacity(MAX_REMEMBERED).expire_after(Remembered).build();
        let reviewer = Arc::new(Reviewer::new(args)?);
        Ok(Self { reviewer, roles, background: background.clone(), known })
    }

    /// The caller whose token this is.
    ///
    /// # Errors
    /// `AUTHENTICATION_ERROR` when the cluster does not know the token, `FORBIDDEN` for a caller without a role,
    /// `SERVICE_ERROR` when the cluster cannot be asked.
    pub(super) async fn admit(&self, token: &str, fingerprint: Fingerprint) -> Result<Principal> {
        let review = || {
            let (reviewer, token) = (self.reviewer.clone(), token.to_owned());
            self.background.run(async move { reviewer.review(&token).await })
        };
        let verdict = self.known.try_get_with(fingerprint, async { review().await }).await;
        let verdict = verdict.map_err(|error| ToolError::clone(&error))?;
        let user = verdict
            .ok_or_else(|| refuse("the cluster does not know the token").with("reason", "invalid_token"))?;
        let role = self.roles.of(&user.claims())?;
        let subject = Subject { name: user.username.clone(), groups: user.groups.clone() };
        let name = format!("kubernetes:{}", user.username).into();
        Ok(Principal { name, role, subject: Some(Arc::new(subject)) })
    }
}

struct Remembered;

impl Expiry<Fingerprint, Verdict> for Remembered {
    fn expire_after_create(&self, _: &Fingerprint, verdict: &Verdict, _: Instant) -> Option<Duration> {
        Some(if verdict.is_some() { REMEMBERED } else { REFUSAL_REMEMBERED })
    }
}

impl User {
    fn claims(&self) -> Claims {
        let mut claims = Claims::new();
        claims.insert("username".into(), self.username.clone().into());
        claims.insert("uid".into(), self.uid.clone().into());
        claims.insert("groups".into(), self.groups.clone().into());
        claims
    }
}

impl Reviewer {
    fn new(args: &KubernetesArgs) -> anyhow::Result<Self> {
        let setting = "--kube-api-server (GANTRY_KUBE_API_SERVER)";
        let server =
            args.server().with_context(|| format!("--auth kubernetes outside a cluster needs {setting}"))?;
        let mut address: Url = server.parse().context(setting)?;
        anyhow::ensure!(address.scheme() == "https", "{setting}: must begin with https://");
        if !address.path().ends_with('/') {
            address.set_path(&format!("{}/", address.path()));
        }
        let address = address.join(PATH).context(setting)?;
        let in_pod = |name: &str| Path::new(SERVICE_ACCOUNT).join(name);
        let token_file = args.kube_token_file.clone().unwrap_or_else(|| in_pod("token"));
        let authority =
            args.kube_ca_file.clone().or_else(|| Some(in_pod("ca.crt")).filter(|file| file.exists()));
        let authorities =
            authority.map(|file| Authorities::only("--kube-ca-file (GANTRY_KUBE_CA_FILE)", &file));
        let authorities = authorities.transpose()?.unwrap_or_default();
        let client = Client::new("the cluster's API server (--kube-api-server)", TIMEOUT, &authorities);
        own_token(&token_file)?;
        let audience = args.kube_audience.clone();
        Ok(Self { address, client, token_file, audience, room: Semaphore::new(MAX_REVIEWS) })
    }

    async fn review(&self, token: &str) -> Result<Verdict> {
        let Ok(_place) = tokio::time::timeout(TIMEOUT, self.room.acquire()).await else {
            return Err(ToolError::service("too many tokens are being reviewed; try again"));
        };
        // The kubelet writes a new one every hour or so.
        let own = own_token(&self.token_file).map_err(|error| {
            ToolError::service("this server's own credential for the cluster cannot be read").because(&*error)
        })?;
        let mut spec = json!({"token": token});
        if let Some(audience) = &self.audience {
            spec["audiences"] = json!([audience]);
        }
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec});
        let request = self.client.request(http::Method::POST, self.address.clone())?;
        let answered = match self.client.send(request.bearer_auth(own).json(&body)).await {
            Ok(response) => self.client.ok_within(response, MAX_ANSWER).await,
            Err(error) => Err(error),
        };
        let answer = answered.map_err(ours)?;
        let review: Review = serde_json::from_slice(&answer)
            .map_err(|error| ToolError::service("the cluster's answer cannot be read").because(&error))?;
        let Status { authenticated, user, audiences } = review.status;
        let meant = self.audience.as_ref().is_none_or(|audience| audiences.contains(audience));
        Ok(user.filter(|user| authenticated && meant && !user.username.is_empty()).map(Arc::new))
    }
}

/// A refusal of the review is a fault of this server's credential, not of the caller's.
fn ours(error: ToolError) -> ToolError {
    let status = error.details.get("status").and_then(Value::as_u64);
    let failure = match status {
        Some(401) => ToolError::service("the cluster does not take this server's own credential"),
        Some(403) => ToolError::service("the cluster does not let this server review tokens"),
        _ => error.coded(Code::ServiceError),
    };
    let hint = "see --kube-token-file; the account needs the ClusterRole system:auth-delegator";
    match status {
        Some(401 | 403) => tracing::error!(status, hint, "{}", failure.message),
        _ => tracing::warn!(source = failure.source_chain(), "{}", failure.message),
    }
    failure
}

fn own_token(file: &Path) -> anyhow::Result<String> {
    let what = || format!("--kube-token-file (GANTRY_KUBE_TOKEN_FILE) {}", file.display());
    let token = std::fs::read_to_string(file).with_context(what)?.trim().to_owned();
    anyhow::ensure!(!token.is_empty(), "{}: it is empty", what());
    Ok(token)
}
