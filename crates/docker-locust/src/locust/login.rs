//! Logging in where Locust runs with `--web-login`. The route and its form are whatever the locustfile makes them.

use std::path::PathBuf;

use reqwest::{Method, Response, StatusCode, header};

use super::args;
use super::web::{Web, wants_login};
use super::{Error, LocustArgs};

/// Who we are to Locust, and how its login form wants to be told.
pub(super) struct Account {
    user: String,
    password: Password,
    /// Where the form goes; else the login page says it.
    path: Option<String>,
    /// The names of the user's and the password's field.
    fields: (String, String),
}

enum Password {
    Given(args::Secret),
    /// Read at each login, so that a changed file takes effect.
    File(PathBuf),
}

impl Web {
    /// The cookies of a new session.
    pub(super) async fn login(&self) -> Result<String, Error> {
        let Some(account) = &self.account else {
            return Err(Error::Login(
                "locust wants a login: set LOCUST_USERNAME and LOCUST_PASSWORD_FILE".into(),
            ));
        };
        let password = account.password().await?;
        let (user_field, password_field) = &account.fields;
        let form = [(user_field.as_str(), account.user.clone()), (password_field.as_str(), password)];
        let url = self.url(&self.login_path(account).await?)?;
        let mut response = self.once(Method::POST, url.clone(), &form, None).await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            // Locust's own form sends a GET where the route takes nothing else.
            response = self.once(Method::GET, url.clone(), &form, None).await?;
        }
        if wants_login(&response) {
            return Err(refused());
        }
        let cookies = cookies(&response);
        if cookies.is_empty() || response.status().is_client_error() || response.status().is_server_error() {
            let (status, path) = (response.status().as_u16(), url.path());
            return Err(Error::Login(format!(
                "locust's login at {path} answered {status} and opened no session: set --locust-login-path and \
                 --locust-login-fields to what its login form sends"
            )));
        }
        Ok(cookies)
    }

    /// Where the login form goes: as configured, else as the login page says.
    async fn login_path(&self, account: &Account) -> Result<String, Error> {
        if let Some(path) = &account.path {
            return Ok(path.clone());
        }
        let page = self.once(Method::GET, self.url("login")?, &[], None).await?;
        let html = self.body(page).await?;
        login_form(&html).ok_or_else(|| {
            Error::Login("locust's login page names no login form: set --locust-login-path".into())
        })
    }
}

impl Account {
    /// `None` when there is nothing to log in with.
    pub(super) fn new(args: &LocustArgs) -> Option<Self> {
        let password = match (&args.locust_password, &args.locust_password_file) {
            (_, Some(file)) => Password::File(file.clone()),
            (Some(password), None) => Password::Given(password.clone()),
            (None, None) => return None,
        };
        let (path, fields) = (args.locust_login_path.clone(), args.locust_login_fields.clone());
        Some(Self { user: args.locust_username.clone()?, password, path, fields })
    }

    async fn password(&self) -> Result<String, Error> {
        match &self.password {
            Password::Given(password) => Ok(password.reveal().to_owned()),
            Password::File(file) => match tokio::fs::read_to_string(file).await {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err(Error::Login(format!("cannot read --locust-password-file: {error}"))),
            },
        }
    }
}

/// The login did not take, or not for long.
pub(super) fn refused() -> Error {
    Error::Login("locust refused the login: check LOCUST_USERNAME and LOCUST_PASSWORD_FILE".into())
}

/// What the answer's `Set-Cookie` headers make of a `Cookie` header.
fn cookies(response: &Response) -> String {
    let set = response.headers().get_all(header::SET_COOKIE).iter();
    let pairs = set.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    pairs.map(str::trim).collect::<Vec<_>>().join("; ")
}

/// Where the form on Locust's login page goes.
fn login_form(html: &str) -> Option<String> {
    let (_, script) = html.split_once("window.authArgs = ")?;
    let args: serde_json::Value = serde_json::Deserializer::from_str(script).into_iter().next()?.ok()?;
    let named =
        args.get("username_password_callback").or_else(|| args.get("custom_form")?.get("callback_url"));
    named?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_page_names_its_form() {
        let page = |args: &str| format!("<script>\n window.authArgs = {args}\n</script>");
        assert_eq!(
            login_form(&page(r#"{"error": null, "username_password_callback": "/sign-in"}"#)).as_deref(),
            Some("/sign-in")
        );
        assert_eq!(login_form(&page(r#"{"custom_form": {"callback_url": "/in"}}"#)).as_deref(), Some("/in"));
        assert_eq!(login_form(&page(r#"{"auth_providers": []}"#)), None);
        assert_eq!(login_form("<html></html>"), None);
    }
}
