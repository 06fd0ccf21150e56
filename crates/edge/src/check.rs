//! `check`: every setting, whether a start with them would succeed, and which servers take connections.

use std::rc::Rc;

use kit::cli::{Invocation, Report};
use kit::health::Finding;

use crate::Args;
use crate::dial::{Dialer, Protocol};
use crate::fleet::Fleet;
use crate::replica::Replica;
use crate::server::Settled;

/// Does all that a start does, listening for a moment too, and dials every server.
pub(crate) fn check(args: &Args, invocation: &Invocation) -> anyhow::Result<Report> {
    let settings = invocation.settings();
    let report = |refusal, findings| Report { program: crate::NAME.into(), settings, refusal, findings };
    let Settled { fleet, authorities, listeners, .. } = match Settled::new(args) {
        Ok(settled) => settled,
        Err(error) => return Ok(report(Some(error), vec![])),
    };
    drop(listeners);
    let dialer = Rc::new(Dialer::new(args.connect_timeout, authorities));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
    runtime.block_on(dial(&fleet, &dialer));
    runtime.shutdown_background();
    let finding = |name: &str, result| Finding { name: name.to_owned().into(), required: false, result };
    let findings = fleet.routes.iter().map(|route| finding(&route.slug, route.state()));
    Ok(report(None, findings.collect()))
}

/// All at once: one that is silent keeps nobody waiting.
async fn dial(fleet: &Fleet, dialer: &Rc<Dialer>) {
    let replicas = fleet.routes.iter().flat_map(|route| &route.replicas).cloned();
    let attempts = replicas.map(|replica| {
        let dialer = dialer.clone();
        tokio::task::spawn_local(
            async move { note(&replica, dialer.dial(&replica.url, Protocol::Http1).await) },
        )
    });
    for attempt in attempts.collect::<Vec<_>>() {
        if let Err(error) = attempt.await {
            tracing::error!(%error, "a server could not be dialled");
        }
    }
}

fn note<T>(replica: &Replica, dialled: std::io::Result<T>) {
    match dialled {
        Ok(_) => replica.up(),
        Err(error) => replica.down(&error.to_string()),
    }
}
