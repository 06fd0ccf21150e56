//! What the subcommands of a server do, with the very parts that serving is made of.

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;

use super::{Program, command, place, prepare};
use crate::auth::{Auth, Role};
use crate::catalog::Catalog;
use crate::cli::agents::{Credential, Reach};
use crate::cli::{self, Invocation, Report, Verb};
use crate::http::Authorities;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::service::Service;
use crate::settings::{Settings, Transport};

/// Does what a subcommand says; what it prints goes to stdout.
pub(super) async fn perform<S: Service>(verb: &Verb, invocation: &Invocation) -> anyhow::Result<ExitCode> {
    let program = || invocation.arguments::<Program<S::Args>>();
    let (text, good) = match verb {
        Verb::Check { json } => {
            let report = check::<S>(invocation).await;
            let text = if *json { format!("{:#}\n", report.json()) } else { report.text() };
            (text.into_bytes(), report.is_good())
        }
        Verb::Tools { json } => {
            let Program { service, settings, .. } = program();
            let metrics = Arc::new(Metrics::new(S::SLUG, Arc::default()));
            let catalog =
                Catalog::<S>::new(&service, &Policy::new(&settings, S::read_only(&service))?, &metrics)?;
            (cli::catalogue(&catalog.tools(Role::Admin), *json)?.into_bytes(), true)
        }
        Verb::Config(asked) => {
            let reach = reach::<S>(&program().settings, asked.stdio)?;
            (cli::agents::configuration(S::SLUG, &reach, asked)?.into_bytes(), true)
        }
        Verb::Common(common) => (common.text(command::<S>())?, true),
    };
    cli::print(&text)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts everything but the doors. An address that is taken, by a running server as a rule, does not keep the rest
/// from being looked at.
async fn check<S: Service>(invocation: &Invocation) -> Report {
    let program: Program<S::Args> = invocation.arguments();
    let mut prepared = prepare::<S>(program.service, &program.settings).await;
    let mut refusal = None;
    if let Err(error) = &prepared
        && error.downcast_ref::<std::io::Error>().is_some_and(|it| it.kind() == ErrorKind::AddrInUse)
    {
        let mut again: Program<S::Args> = invocation.arguments();
        again.settings.listen.take_free_port(S::PORT);
        let hint = "to check beside a running server, add --listen 127.0.0.1:0";
        refusal = Some(anyhow::anyhow!("{error:#}; {hint}"));
        prepared = prepare::<S>(again.service, &again.settings).await;
    }
    let findings = match prepared {
        Ok((server, _)) => server.app.findings().await.to_vec(),
        Err(error) => {
            refusal = Some(error);
            vec![]
        }
    };
    let program = format!("gantry-{}", S::SLUG);
    Report { program, settings: invocation.settings(), refusal, findings }
}

/// How agents reach a server with these settings.
fn reach<S: Service>(settings: &Settings, stdio: bool) -> anyhow::Result<Reach> {
    if stdio || settings.transport == Transport::Stdio {
        let program = std::env::current_exe().ok();
        let command =
            program.map_or_else(|| format!("gantry-{}", S::SLUG), |path| path.display().to_string());
        return Ok(Reach::Stdio { command, args: vec!["--transport".to_owned(), "stdio".to_owned()] });
    }
    let address = settings.listen.address(S::PORT);
    let base = match &settings.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None if address.ip().is_unspecified() => {
            format!("{}://localhost:{}", settings.tls.scheme(), address.port())
        }
        None => format!("{}://{address}", settings.tls.scheme()),
    };
    let credential = credential::<S>(settings, address.ip().is_loopback())?;
    Ok(Reach::Http { url: format!("{base}/mcp"), credential })
}

fn credential<S: Service>(settings: &Settings, loopback: bool) -> anyhow::Result<Credential> {
    if let Some(client_id) = settings.auth.sign_in() {
        return Ok(Credential::SignIn { client_id: client_id.map(str::to_owned) });
    }
    let authorities = Authorities::read(settings.ca_file.as_deref())?;
    let auth = Auth::new(&settings.auth, place::<S>(settings, loopback, &authorities)?)?;
    Ok(if auth.is_on() { Credential::Bearer } else { Credential::None })
}
