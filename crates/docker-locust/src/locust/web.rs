//! One request to Locust's web interface: bounded in time and size, logged in where it must be, and judged by
//! what came back rather than by its status, because Locust says most of its refusals with 200.

use std::time::Duration;

use kit::Kit;
use kit::http::Client;
use reqwest::{Method, Response, Url, header};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::login::{Account, refused};
use super::{Error, LocustArgs};

/// Of one request. A stop waits for the users' last requests, so it is given the longest.
const PATIENCE: Duration = Duration::from_secs(15);
/// The front page holds the history of the run: about 7 MB a day.
const MAX_BYTES: usize = 32 << 20;

/// What may be in a request.
pub(super) type Form<'a> = [(&'a str, String)];

/// Locust's web interface.
pub(super) struct Web {
    client: Client,
    base: Url,
    /// Host and port, for messages: a URL may carry credentials.
    pub(super) address: String,
    pub(super) account: Option<Account>,
    /// The session's cookies. Held while logging in, so that requests that are turned away together log in once.
    cookies: Mutex<Option<String>>,
}

impl Web {
    pub(super) fn new(base: Url, args: &LocustArgs, kit: &Kit) -> Self {
        let address = address(&base);
        Self {
            client: kit.http(format!("locust at {address} (LOCUST_URL)"), PATIENCE),
            address,
            base,
            account: Account::new(args),
            cookies: Mutex::new(None),
        }
    }

    /// Text of a route.
    pub(super) async fn text(
        &self,
        method: Method,
        path: &'static str,
        form: &Form<'_>,
    ) -> Result<String, Error> {
        let response = self.send(method, path, form).await?;
        let status = response.status();
        let text = self.body(response).await?;
        if text.starts_with("Locust auth exception") {
            return Err(Error::Login(
                "locust runs with --web-login, but its locustfile does not set the login up (no secret_key or \
                 user_loader)"
                    .into(),
            ));
        }
        if status.is_success() {
            return Ok(text);
        }
        let message =
            kit::clip(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()).to_string();
        Err(Error::Status { status, path, message })
    }

    /// JSON of a route.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &'static str,
        form: &Form<'_>,
    ) -> Result<T, Error> {
        let text = self.text(method, path, form).await?;
        serde_json::from_str(&text).map_err(|error| {
            let html = text.trim_start().starts_with('<');
            self.not_locust(if html {
                format!("/{path} is a page of HTML")
            } else {
                format!("/{path}: {error}")
            })
        })
    }

    pub(super) fn not_locust(&self, reason: impl Into<String>) -> Error {
        Error::NotLocust { address: self.address.clone(), reason: reason.into() }
    }

    /// Sends a request; where it is sent to the login page, logs in and sends it once more.
    async fn send(&self, method: Method, path: &'static str, form: &Form<'_>) -> Result<Response, Error> {
        let url = self.url(path)?;
        let before = self.cookies.lock().await.clone();
        let response = self.once(method.clone(), url.clone(), form, before.as_deref()).await?;
        if !wants_login(&response) {
            return self.not_redirected(response);
        }
        let fresh = {
            let mut cookies = self.cookies.lock().await;
            if *cookies == before {
                *cookies = Some(self.login().await?);
            }
            cookies.clone()
        };
        let response = self.once(method, url, form, fresh.as_deref()).await?;
        if wants_login(&response) {
            *self.cookies.lock().await = None;
            return Err(refused());
        }
        self.not_redirected(response)
    }

    pub(super) async fn once(
        &self,
        method: Method,
        url: Url,
        form: &Form<'_>,
        cookies: Option<&str>,
    ) -> Result<Response, Error> {
        let takes_form = method == Method::POST;
        let request = self.client.request(method, url).map_err(Error::Unreachable)?;
        let request = if takes_form { request.form(form) } else { request.query(form) };
        let request = match cookies {
            Some(cookies) => request.header(header::COOKIE, cookies),
            None => request,
        };
        self.client.send(request).await.map_err(Error::Unreachable)
    }

    /// A path under the base; only a path, so that a login page cannot send the password elsewhere.
    pub(super) fn url(&self, path: &str) -> Result<Url, Error> {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        match path.strip_prefix('/') {
            // Flask's paths on the page are absolute: they hold the base path already.
            Some(_) if path.starts_with("//") => return Err(self.not_locust("its login path is no path")),
            Some(_) => url.set_path(path),
            None => url.set_path(&format!("{base}/{path}")),
        }
        Ok(url)
    }

    pub(super) async fn body(&self, mut response: Response) -> Result<String, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| self.not_locust("its answer broke off"))? {
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err(self.not_locust(format!("its answer is larger than {MAX_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|_| self.not_locust("its answer is not text"))
    }

    fn not_redirected(&self, response: Response) -> Result<Response, Error> {
        match location(&response) {
            Some(to) => {
                Err(self.not_locust(format!("it redirects to {}; set LOCUST_URL to that", kit::clip(&to))))
            }
            None => Ok(response),
        }
    }
}

fn address(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn location(response: &Response) -> Option<String> {
    if !response.status().is_redirection() {
        return None;
    }
    response.headers().get(header::LOCATION)?.to_str().ok().map(str::to_owned)
}

pub(super) fn wants_login(response: &Response) -> bool {
    location(response)
        .is_some_and(|to| to.split(['?', '#']).next().is_some_and(|path| path.ends_with("/login")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_credentials() {
        assert_eq!(address(&"http://u:p@locust.example/x".parse().unwrap()), "locust.example:80");
        assert_eq!(address(&"http://[::1]:8089".parse().unwrap()), "[::1]:8089");
    }
}
