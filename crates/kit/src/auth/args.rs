//! The settings that say who may call, the same for servers and for the edge.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use super::roles::RoleRule;

/// Who may call. Some of it is secret, so it is not printable.
#[derive(Clone, Default, Args)]
pub struct AuthArgs {
    /// Who may call, one or several of these [default: none on loopback, elsewhere api-key with a key made at
    /// start]
    #[arg(
        long,
        env = "GANTRY_AUTH",
        value_enum,
        value_delimiter = ',',
        value_name = "MODE",
        help_heading = "Who may call"
    )]
    pub(crate) auth: Vec<AuthMode>,

    /// Keys as NAME:ROLE:KEY, or NAME:ROLE:sha256:HEX; roles are read, write, admin
    #[arg(
        long,
        env = "GANTRY_API_KEYS",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "KEY",
        help_heading = "Who may call"
    )]
    pub(crate) api_keys: Vec<String>,

    /// File with one key a line, in the form of --api-keys; read again when it changes
    #[arg(long, env = "GANTRY_API_KEYS_FILE", value_name = "FILE", help_heading = "Who may call")]
    pub(crate) api_keys_file: Option<PathBuf>,

    /// What a claim of a token gives its holder, as CLAIM:VALUE=ROLE, the highest match; a dotted CLAIM is a path, and
    /// under --auth kubernetes there are username, uid and groups [default under --auth oidc: scope:gantry.ROLE=ROLE
    /// for each role]
    #[arg(
        long,
        env = "GANTRY_ROLES",
        value_delimiter = ',',
        value_name = "CLAIM:VALUE=ROLE",
        help_heading = "Who may call"
    )]
    pub(crate) roles: Vec<RoleRule>,

    #[command(flatten)]
    pub(crate) oidc: OidcArgs,

    #[command(flatten)]
    pub(crate) kubernetes: KubernetesArgs,
}

impl AuthArgs {
    /// Under which client id people sign in with a provider; `None` when they do not.
    pub(crate) fn sign_in(&self) -> Option<Option<&str>> {
        self.auth.contains(&AuthMode::Oidc).then_some(self.oidc.oidc_client_id.as_deref())
    }

    /// Whether any key is configured.
    pub(crate) fn has_keys(&self) -> bool {
        !self.api_keys.is_empty() || self.api_keys_file.is_some()
    }
}

/// The OpenID provider.
#[derive(Clone, Default, Args)]
pub(crate) struct OidcArgs {
    /// The provider's issuer, exactly as its discovery document names it
    #[arg(long, env = "GANTRY_OIDC_ISSUER", value_name = "URL", help_heading = "OpenID Connect")]
    pub(crate) oidc_issuer: Option<String>,

    /// Whom tokens must be meant for; one of these is enough
    #[arg(
        long,
        env = "GANTRY_OIDC_AUDIENCE",
        value_delimiter = ',',
        value_name = "AUDIENCE",
        help_heading = "OpenID Connect"
    )]
    pub(crate) oidc_audience: Vec<String>,

    /// Where the provider's keys are [default: where its discovery document says]
    #[arg(long, env = "GANTRY_OIDC_JWKS_URL", value_name = "URL", help_heading = "OpenID Connect")]
    pub(crate) oidc_jwks_url: Option<Url>,

    /// How far the provider's clock may be from this one
    #[arg(
        long,
        env = "GANTRY_OIDC_LEEWAY",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "60s",
        help_heading = "OpenID Connect"
    )]
    pub(crate) oidc_leeway: Duration,

    /// The claim that names the caller
    #[arg(
        long,
        env = "GANTRY_OIDC_NAME_CLAIM",
        value_name = "CLAIM",
        default_value = "sub",
        help_heading = "OpenID Connect"
    )]
    pub(crate) oidc_name_claim: String,

    /// The client that agents are registered as with the provider, for the configuration that is made for them
    #[arg(long, env = "GANTRY_OIDC_CLIENT_ID", value_name = "ID", help_heading = "OpenID Connect")]
    pub(crate) oidc_client_id: Option<String>,
}

/// The cluster that reviews tokens.
#[derive(Clone, Default, Args)]
pub(crate) struct KubernetesArgs {
    /// The API server that reviews tokens [default: the one of the cluster this runs in]
    #[arg(long, env = "GANTRY_KUBE_API_SERVER", value_name = "URL", help_heading = "Kubernetes tokens")]
    pub(crate) kube_api_server: Option<String>,

    /// File with this program's own token for it; read for each review [default: that of the service account]
    #[arg(long, env = "GANTRY_KUBE_TOKEN_FILE", value_name = "FILE", help_heading = "Kubernetes tokens")]
    pub(crate) kube_token_file: Option<PathBuf>,

    /// Certificates of the only authorities it is believed by, in PEM [default: that of the service account]
    #[arg(long, env = "GANTRY_KUBE_CA_FILE", value_name = "FILE", help_heading = "Kubernetes tokens")]
    pub(crate) kube_ca_file: Option<PathBuf>,

    /// Whom tokens must be meant for [default: the API server itself]
    #[arg(long, env = "GANTRY_KUBE_AUDIENCE", value_name = "AUDIENCE", help_heading = "Kubernetes tokens")]
    pub(crate) kube_audience: Option<String>,

    /// Set by the cluster
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    kubernetes_service_host: Option<String>,

    /// Set by the cluster
    #[arg(long, env = "KUBERNETES_SERVICE_PORT", hide = true, default_value = "443")]
    kubernetes_service_port: String,
}

impl KubernetesArgs {
    /// Whether an operator chose the API server.
    pub(super) fn is_named(&self) -> bool {
        self.kube_api_server.is_some()
    }

    /// The API server's address, as configured or as the cluster tells its pods.
    pub(super) fn server(&self) -> Option<String> {
        self.kube_api_server.clone().or_else(|| {
            let host = self.kubernetes_service_host.as_deref()?;
            let port = &self.kubernetes_service_port;
            Some(if host.contains(':') {
                format!("https://[{host}]:{port}")
            } else {
                format!("https://{host}:{port}")
            })
        })
    }
}

/// A way to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// Everyone who can connect
    None,
    /// Holders of a key from --api-keys or --api-keys-file
    ApiKey,
    /// Holders of a token of the OpenID provider --oidc-issuer, with a role by --roles
    Oidc,
    /// Holders of a token that a Kubernetes API server knows, with a role by --roles
    Kubernetes,
    /// Whoever the upstream accepts: the bearer token is the upstream's own
    Upstream,
}
