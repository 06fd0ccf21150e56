//! What a container wrote outside of its volumes: it stays behind in the old container, so it is told.

use serde_json::Value;

use crate::docker::container::Container;

/// Where the engine mounts the init process of `--init`.
const INIT: &str = "/sbin/docker-init";
/// How many changes an answer lists.
const MAX_LISTED: usize = 50;

/// The changes of a writable layer that its mounts did not make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The first of them, as `A path`, `C path` or `D path` (added, changed, deleted).
    pub listed: Vec<String>,
    /// How many there are.
    pub total: usize,
}

/// Leaves out what mounting made: the mount points and the folders above them.
pub(crate) fn of(container: &Container, all: &[(char, String)]) -> Changes {
    let mounted = container.list("/Mounts").iter().filter_map(|mount| mount["Destination"].as_str());
    let tmpfs = container.0.pointer("/HostConfig/Tmpfs").and_then(Value::as_object);
    let mounted: Vec<&str> =
        mounted.chain(tmpfs.into_iter().flatten().map(|(path, _)| path.as_str())).chain([INIT]).collect();
    let made_by_mount = |kind: char, path: &str| {
        kind != 'D'
            && mounted.iter().any(|mount| {
                mount
                    .trim_end_matches('/')
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    };
    let real: Vec<_> = all.iter().filter(|(kind, path)| !made_by_mount(*kind, path)).collect();
    Changes {
        listed: real.iter().take(MAX_LISTED).map(|(kind, path)| format!("{kind} {path}")).collect(),
        total: real.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_mounting_made_is_left_out() {
        let container = Container(json!({
            "Mounts": [{"Destination": "/var/lib/data"}],
            "HostConfig": {"Tmpfs": {"/scratch": ""}},
        }));
        let all = [
            ('C', "/var"),
            ('A', "/var/lib"),
            ('A', "/var/lib/data"),
            ('A', "/var/lib/database"),
            ('D', "/var/lib/data"),
            ('A', "/scratch"),
            ('A', "/sbin/docker-init"),
            ('C', "/etc"),
            ('A', "/etc/new"),
        ]
        .map(|(kind, path)| (kind, path.to_owned()));
        let changes = of(&container, &all);
        assert_eq!(changes.listed, ["A /var/lib/database", "D /var/lib/data", "C /etc", "A /etc/new"]);
        assert_eq!(changes.total, 4);
    }

    #[test]
    fn many_are_counted_but_not_listed() {
        let all: Vec<_> = (0..100).map(|n| ('A', format!("/x{n}"))).collect();
        let changes = of(&Container(json!({})), &all);
        assert_eq!((changes.listed.len(), changes.total), (MAX_LISTED, 100));
    }
}
