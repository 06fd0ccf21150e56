//! Which containers cannot be replaced as they are, and why.

use serde_json::Value;

use crate::docker::container::Container;
use crate::error::{Error, Result};
use crate::names::{self, Part};

/// Refuses what the container itself forbids.
pub(crate) fn unfit(old: &Container) -> Result<()> {
    let reason = if old.0.pointer("/HostConfig/AutoRemove") == Some(&Value::Bool(true)) {
        "it was started with --rm, so the engine would remove it the moment it is stopped and nothing could be brought back; start it again without --rm"
    } else if ["com.docker.swarm.service.id", "com.docker.swarm.task.id"]
        .iter()
        .any(|key| old.label(key).is_some())
    {
        "it is a task of a swarm service, which would start another one; change the service with docker service update --env-add"
    } else if old.label("io.kubernetes.pod.name").is_some() {
        "it belongs to a Kubernetes pod, which the kubelet would restore; change the pod's owner"
    } else if names::parse(old.name(), old.id()).1 != Part::Itself {
        "it is a replaced container that is kept for its files; name the container that took its place"
    } else {
        match old.status() {
            "created" | "running" | "restarting" | "exited" => return Ok(()),
            "paused" => {
                "it is paused, and a paused container cannot be stopped in an orderly way; unpause it first"
            }
            _ => "it is being removed or dead; remove it and start a new one",
        }
    };
    Err(refused(old, reason.to_owned(), Vec::new()))
}

/// Refuses when other containers hang on this very one: they would lose their network, processes or link.
pub(crate) fn needed_by(old: &Container, others: &[Container]) -> Result<()> {
    let blockers: Vec<String> =
        others.iter().filter(|other| hangs_on(other, old)).map(|other| other.name().to_owned()).collect();
    if blockers.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "{} share its namespaces or link to it and would be cut off; remove or recreate them as well",
        blockers.join(", ")
    );
    Err(refused(old, reason, blockers))
}

fn hangs_on(other: &Container, old: &Container) -> bool {
    let is_old = |target: &str| target == old.name() || (target.len() >= 12 && old.id().starts_with(target));
    let joins = ["NetworkMode", "PidMode", "IpcMode"].iter().any(|mode| {
        let mode = other.text(&format!("/HostConfig/{mode}"));
        mode.strip_prefix("container:").is_some_and(is_old)
    });
    let links = other.list("/HostConfig/Links").iter().filter_map(Value::as_str);
    joins
        || links
            .filter_map(|link| link.split(':').next())
            .any(|target| is_old(target.trim_start_matches('/')))
}

fn refused(old: &Container, reason: String, blockers: Vec<String>) -> Error {
    Error::NotReplaceable { name: old.name().to_owned(), reason, blockers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "0123456789abcdef";

    fn container(host: Value, status: &str, labels: Value) -> Container {
        Container(
            json!({"Id": ID, "Name": "/web", "State": {"Status": status}, "HostConfig": host, "Config": {"Labels": labels}}),
        )
    }

    #[test]
    fn says_why() {
        for (container, word) in [
            (container(json!({"AutoRemove": true}), "running", json!({})), "--rm"),
            (container(json!({}), "paused", json!({})), "unpause"),
            (container(json!({}), "removing", json!({})), "removed"),
            (container(json!({}), "running", json!({"com.docker.swarm.task.id": "x"})), "swarm"),
            (container(json!({}), "running", json!({"io.kubernetes.pod.name": "x"})), "Kubernetes"),
        ] {
            let error = unfit(&container).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        for status in ["created", "running", "restarting", "exited"] {
            unfit(&container(json!({"AutoRemove": false}), status, Value::Null)).unwrap();
        }
    }

    #[test]
    fn names_those_that_hang_on_it() {
        let old = container(json!({}), "running", json!({}));
        for host in [
            json!({"NetworkMode": format!("container:{ID}")}),
            json!({"PidMode": "container:web"}),
            json!({"Links": ["/web:/other/w"]}),
        ] {
            let other = Container(json!({"Id": "f", "Name": "/other", "HostConfig": host}));
            let Err(Error::NotReplaceable { blockers, .. }) = needed_by(&old, &[other]) else { panic!() };
            assert_eq!(blockers, ["other"]);
        }
        let free = Container(
            json!({"Id": "f", "Name": "/other", "HostConfig": {"NetworkMode": "container:f00", "Links": null}}),
        );
        needed_by(&old, &[free]).unwrap();
    }
}
