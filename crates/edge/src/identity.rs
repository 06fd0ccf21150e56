//! Who calls, where the edge asks that itself: it takes the credential and vouches for its holder to the servers.

use std::path::PathBuf;

use anyhow::bail;
use http::{HeaderMap, Request, Uri};
use kit::auth::{Auth, AuthArgs, Place, Principal, Resource, Role, Voucher, vouch};
use kit::http::Authorities;
use url::Url;

use crate::error::Error;
use crate::path;

/// How callers are told apart, and servers told of them.
#[derive(Clone, clap::Args)]
pub(crate) struct IdentityArgs {
    #[command(flatten)]
    auth: AuthArgs,

    /// File with the key that servers know as --trust-edge-key-file, one a line, the first signs: tells them whom
    /// this edge has let in; read again when it changes
    #[arg(long, env = "GANTRY_EDGE_KEY_FILE", value_name = "FILE", help_heading = "Who may call")]
    edge_key_file: Option<PathBuf>,

    /// What the world sees as this edge's address, for generated documents [default: what each request names]
    #[arg(
        long,
        env = "GANTRY_PUBLIC_URL",
        value_parser = kit::settings::public_url,
        value_name = "URL",
        help_heading = "Listening"
    )]
    public_url: Option<Url>,
}

/// Lets callers in.
pub(crate) struct Identity {
    auth: Auth,
    voucher: Option<Voucher>,
    public: Option<Url>,
    scheme: &'static str,
}

impl Identity {
    /// Reads the settings; `loopback` is whether only this machine can connect.
    pub(crate) fn new(
        args: IdentityArgs,
        loopback: bool,
        scheme: &'static str,
        authorities: Authorities,
    ) -> anyhow::Result<Self> {
        let auth = Auth::new(&args.auth, Place { loopback, authorities, ..Place::default() })?;
        if args.edge_key_file.is_some() && !auth.is_on() {
            bail!("--edge-key-file (GANTRY_EDGE_KEY_FILE) without --auth: there is nobody to vouch for");
        }
        let read = |file| Voucher::read("--edge-key-file (GANTRY_EDGE_KEY_FILE)", file);
        let voucher = args.edge_key_file.map(read).transpose()?;
        if voucher.is_none() && auth.is_on() && auth.generated_key().is_none() {
            tracing::warn!(
                "--auth without --edge-key-file: no server is told who calls, so only admins are let in"
            );
        }
        Ok(Self { auth, voucher, public: args.public_url, scheme })
    }

    /// Whether callers must prove who they are to the edge; if not, credentials pass on to the servers.
    pub(crate) fn is_on(&self) -> bool {
        self.auth.is_on()
    }

    /// The host that the operator says the world sees.
    pub(crate) fn public_host(&self) -> Option<String> {
        self.public.as_ref().and_then(Url::host_str).map(str::to_owned)
    }

    /// The key that was made because nobody configured any.
    pub(crate) fn generated_key(&self) -> Option<&str> {
        self.auth.generated_key()
    }

    /// Tells the caller and removes the credential.
    pub(crate) async fn admit<B>(&self, request: &mut Request<B>) -> Result<Principal, Error> {
        match self.auth.admit(request.headers()).await {
            // A server that is not told of the role lets the edge, and so the caller, do everything or nothing.
            Ok(admission) if self.voucher.is_none() && admission.principal.role != Role::Admin => {
                Err(Error::RoleUntold)
            }
            Ok(admission) => {
                Auth::strip(request.headers_mut());
                Ok(admission.principal)
            }
            Err(error) => {
                let slug = path::split(request.uri().path()).map_or("", |(slug, _)| slug);
                let resource = self.resource(slug, request.uri(), request.headers());
                let challenge = self.auth.challenge(&error, resource.as_ref());
                Err(Error::NotAdmitted { error: Box::new(error), challenge })
            }
        }
    }

    /// Vouches for `caller` to the server `slug`.
    pub(crate) fn vouch(&self, caller: Option<&Principal>, slug: &str, headers: &mut HeaderMap) {
        if let (Some(voucher), Some(caller)) = (&self.voucher, caller) {
            headers.insert(vouch::HEADER, voucher.sign(caller, slug));
        }
    }

    /// The document that tells clients where to get a token for the server `slug`; `None` where there is no such
    /// place.
    pub(crate) fn document(&self, slug: &str, uri: &Uri, headers: &HeaderMap) -> Option<serde_json::Value> {
        self.auth.resource_metadata(&self.resource(slug, uri, headers)?)
    }

    /// A server as clients see it.
    fn resource(&self, slug: &str, uri: &Uri, headers: &HeaderMap) -> Option<Resource> {
        let base = match &self.public {
            Some(public) => public.clone(),
            None => {
                let named = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
                let host = uri.authority().map(http::uri::Authority::as_str).or(named)?;
                Url::parse(&format!("{}://{host}/", self.scheme)).ok()?
            }
        };
        let mut url = base;
        url.path_segments_mut().ok()?.pop_if_empty().push(slug);
        Some(Resource::public(&url))
    }
}
