//! Which containers this server itself runs in (its own, and one whose namespaces it shares), so that it
//! never acts on them. Everything the kernel tells is taken: one id too many only refuses too much.

use std::collections::BTreeSet;

/// The ids, and the host name where it looks like a short one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own(BTreeSet<String>);

impl Own {
    /// Reads what the kernel tells this process.
    pub(crate) fn detect() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::from(
            &read("/proc/self/cgroup"),
            &read("/proc/self/mountinfo"),
            &read("/proc/sys/kernel/hostname"),
        )
    }

    fn from(cgroup: &str, mounts: &str, hostname: &str) -> Self {
        let mut ids = BTreeSet::new();
        let in_cgroup = cgroup.split(|byte: char| !byte.is_ascii_hexdigit());
        // Of the mounts only those that the engine makes from a container's folder; an engine's host sees
        // the mounts of others there too, but below `/overlay2/` and `/netns/`, not below `/containers/`.
        let in_mounts = mounts.lines().filter_map(|line| {
            let root = line.split(' ').nth(3)?;
            root.split_once("/containers/").and_then(|(_, rest)| rest.split('/').next())
        });
        ids.extend(in_cgroup.chain(in_mounts).filter(|id| is_id(id, 64)).map(str::to_owned));
        ids.extend(Some(hostname.trim()).filter(|name| is_id(name, 12)).map(str::to_owned));
        Self(ids)
    }

    /// Whether this id is ours.
    pub(crate) fn is(&self, id: &str) -> bool {
        self.0.iter().any(|own| id.starts_with(own.as_str()))
    }
}

fn is_id(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_itself_wherever_the_kernel_tells() {
        let id = "a".repeat(64);
        let v1 = format!("12:cpu:/docker/{id}\n1:name=systemd:/system.slice/docker-{id}.scope\n");
        let mounts = format!(
            "681 668 254:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
        );
        for own in
            [Own::from(&v1, "", ""), Own::from("0::/\n", &mounts, ""), Own::from("", "", "aaaaaaaaaaaa\n")]
        {
            assert!(own.is(&id), "{own:?}");
            assert!(!own.is(&"b".repeat(64)));
        }
    }

    #[test]
    fn outside_of_a_container_there_is_nothing() {
        let mounts = "25 1 254:1 / / rw - ext4 /dev/vda rw\n30 25 0:40 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n";
        let own = Own::from("0::/user.slice/session-1.scope\n", mounts, "build-host\n");
        assert!(own.0.is_empty(), "{own:?}");
    }
}
