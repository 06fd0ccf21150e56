//! The names a replacement goes through. Each carries the id of the container that is being replaced, so a
//! name of ours cannot be mistaken for one that somebody chose.

use bollard::models::ContainerSummary;

use crate::docker::container::short;

const MARK: &str = "-gantry-";

/// Which part in a replacement a container's name gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// None: its name is its own.
    Itself,
    /// Stopped and out of the way, to be removed or brought back.
    Old,
    /// Created, to become the one.
    Next,
    /// Replaced, and kept for its writable layer until some time after the given unix second.
    Replaced(i64),
}

/// The name of the old container while the new one is on trial.
pub(crate) fn old(name: &str, old: &str) -> String {
    format!("{name}{MARK}old-{}", short(old))
}

/// The name of the new container until it takes its place.
pub(crate) fn next(name: &str, old: &str) -> String {
    format!("{name}{MARK}next-{}", short(old))
}

/// The name of a replaced container that is kept; the time is when it was replaced.
pub(crate) fn replaced(name: &str, old: &str, at: i64) -> String {
    format!("{name}{MARK}replaced-{}-{at}", short(old))
}

/// Takes a container's name apart into the name it stands for and its part.
pub(crate) fn parse<'a>(name: &'a str, id: &str) -> (&'a str, Part) {
    let parsed = || {
        let (base, tail) = name.rsplit_once(MARK).filter(|(base, _)| !base.is_empty())?;
        let mut tail = tail.split('-');
        let (part, of, at) = (tail.next()?, tail.next()?, tail.next());
        let is_id = of.len() == 12 && of.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (part, at, tail.next()) {
            ("next", None, None) if is_id => Some((base, Part::Next)),
            ("old", None, None) if of == short(id) => Some((base, Part::Old)),
            ("replaced", Some(at), None) if of == short(id) => Some((base, Part::Replaced(at.parse().ok()?))),
            _ => None,
        }
    };
    parsed().unwrap_or((name, Part::Itself))
}

/// A listed container's own name; the engine lists the names it has through links too.
pub(crate) fn of(container: &ContainerSummary) -> &str {
    let names = container.names.as_deref().unwrap_or_default();
    let own = names.iter().filter_map(|name| name.strip_prefix('/')).find(|name| !name.contains('/'));
    own.or(names.first().map(String::as_str)).unwrap_or_default()
}

/// A listed container's id.
pub(crate) fn id(container: &ContainerSummary) -> &str {
    container.id.as_deref().unwrap_or_default()
}

/// A listed container's label.
pub(crate) fn label<'a>(container: &'a ContainerSummary, key: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn reads_back_what_it_writes() {
        assert_eq!(parse(&old("web-1", ID), ID), ("web-1", Part::Old));
        assert_eq!(parse(&next("web-1", ID), "ffff"), ("web-1", Part::Next));
        assert_eq!(parse(&replaced("web", ID, 1_795_168_800), ID), ("web", Part::Replaced(1_795_168_800)));
    }

    #[test]
    fn somebody_elses_name_stays_theirs() {
        for name in [
            "web",
            "web-gantry-old-x",
            "web-gantry-old-ffffffffffff",
            "web-gantry-replaced-0123456789ab-soon",
            "web-gantry-replaced-0123456789ab",
            "-gantry-old-0123456789ab",
            "web-gantry-old-0123456789ab-extra",
        ] {
            assert_eq!(parse(name, ID), (name, Part::Itself));
        }
    }
}
