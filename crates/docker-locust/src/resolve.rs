//! Which container a `service_name` means: a name, then the beginning of an id, then a compose service. The
//! beginning of one's id that is the service of another is ambiguous.

use bollard::models::ContainerSummary;
use strsim::jaro_winkler;

use crate::error::{Error, Result};
use crate::names::{self, Part};

/// The label under which compose keeps a container's service.
pub(crate) const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// The label under which compose keeps a container's project.
pub(crate) const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_ONE_OFF: &str = "com.docker.compose.oneoff";
const FIELD: &str = "service_name";
const MAX_NAME: usize = 255;
/// So many digits of an id are what people copy; fewer may be a word.
const SHORT_ID: usize = 12;
const MAX_LISTED: usize = 20;

/// Finds the one container that `wanted` means.
///
/// While a container is being replaced, its name and compose service mean whichever of the two is nearest to
/// having the name, so that a caller at that moment waits for the change and does not miss the container.
pub(crate) fn resolve<'a>(containers: &'a [ContainerSummary], wanted: &str) -> Result<&'a ContainerSummary> {
    check(wanted)?;
    if let Some(exact) = containers.iter().find(|it| names::of(it) == wanted) {
        return Ok(exact);
    }
    let present = present(containers);
    if let Some((_, container)) = present.iter().find(|(name, _)| *name == wanted) {
        return Ok(container);
    }
    let by_id = containers.iter().filter(|it| names::id(it).starts_with(wanted)).collect::<Vec<_>>();
    let serves = |it: &ContainerSummary| {
        names::label(it, COMPOSE_SERVICE) == Some(wanted) && names::label(it, COMPOSE_ONE_OFF) != Some("True")
    };
    let by_service = present.iter().map(|(_, it)| *it).filter(|it| serves(it)).collect::<Vec<_>>();
    if !by_id.is_empty() {
        // A service such as db is the beginning of an id by chance; nobody may be restarted by chance.
        let chance = by_service.into_iter().filter(|it| wanted.len() < SHORT_ID && !by_id.contains(it));
        return one(wanted, by_id.iter().copied().chain(chance).collect());
    }
    if by_service.is_empty() {
        return Err(Error::Unknown { name: kit::clip(wanted), nearest: nearest(wanted, &present) });
    }
    one(wanted, by_service)
}

/// The containers by the name they stand for; of those that a replacement juggles, the one that counts.
fn present(containers: &[ContainerSummary]) -> Vec<(&str, &ContainerSummary)> {
    let mut all: Vec<_> = containers
        .iter()
        .map(|it| (names::parse(names::of(it), names::id(it)), it))
        .filter(|((_, part), _)| !matches!(part, Part::Replaced(_)))
        .collect();
    all.sort_by_key(|(named, _)| *named);
    all.dedup_by_key(|((name, _), _)| *name);
    all.into_iter().map(|((name, _), it)| (name, it)).collect()
}

fn one<'a>(wanted: &str, found: Vec<&'a ContainerSummary>) -> Result<&'a ContainerSummary> {
    if let [container] = found[..] {
        return Ok(container);
    }
    let candidates = found.iter().take(MAX_LISTED).map(|it| names::of(it).to_owned()).collect();
    Err(Error::Ambiguous { name: kit::clip(wanted), candidates })
}

fn nearest(wanted: &str, present: &[(&str, &ContainerSummary)]) -> Vec<String> {
    let services = present.iter().filter_map(|(_, it)| names::label(it, COMPOSE_SERVICE));
    let mut scored: Vec<_> = present
        .iter()
        .map(|(name, _)| *name)
        .chain(services)
        .map(|name| (jaro_winkler(wanted, name), name))
        .filter(|(score, _)| *score > 0.7)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by_key(|(_, name)| *name);
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// What the engine would take as a name; everything else is refused before it gets anywhere.
fn check(wanted: &str) -> Result<()> {
    let problem = if wanted.is_empty() {
        "is empty"
    } else if wanted.len() > MAX_NAME {
        "is longer than 255 characters"
    } else if !wanted.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
        "may hold only letters, digits, and any of _ . -"
    } else if !wanted.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        "holds no letter or digit"
    } else {
        return Ok(());
    };
    Err(Error::Argument { field: FIELD, message: format!("{FIELD} {problem}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, name: &str, service: Option<&str>) -> ContainerSummary {
        let labels = service.map(|service| [(COMPOSE_SERVICE.to_owned(), service.to_owned())].into());
        ContainerSummary {
            id: Some(id.to_owned()),
            names: Some(vec![format!("/other/{name}"), format!("/{name}")]),
            labels,
            ..ContainerSummary::default()
        }
    }

    fn found(containers: &[ContainerSummary], wanted: &str) -> Result<String> {
        resolve(containers, wanted).map(|it| names::of(it).to_owned())
    }

    #[test]
    fn a_name_beats_an_id_beats_a_service() {
        let all = [
            container("aa11aa11aa11aa", "web", None),
            container("bb22bb22bb22bb", "aa11", Some("db")),
            container("cc33cc33cc33cc", "shop-api-1", Some("api")),
            container("dd44dd44dd44dd", "api-like", Some("bb22bb22bb22")),
        ];
        assert_eq!(found(&all, "web").unwrap(), "web");
        assert_eq!(found(&all, "aa11").unwrap(), "aa11");
        assert_eq!(found(&all, "aa11aa").unwrap(), "web");
        assert_eq!(found(&all, "bb22bb22bb22").unwrap(), "aa11");
        assert_eq!(found(&all, "api").unwrap(), "shop-api-1");
    }

    #[test]
    fn a_service_that_is_the_beginning_of_another_ones_id_is_ambiguous() {
        let all = [container("db44", "web", None), container("aa11", "shop-db-1", Some("db"))];
        let Err(Error::Ambiguous { candidates, .. }) = resolve(&all, "db") else { panic!() };
        assert_eq!(candidates, ["web", "shop-db-1"]);
        let same = [container("db44", "shop-db-1", Some("db"))];
        assert_eq!(found(&same, "db").unwrap(), "shop-db-1");
    }

    #[test]
    fn several_are_listed() {
        let all = [container("ab1", "shop-web-1", Some("web")), container("ab2", "shop-web-2", Some("web"))];
        for wanted in ["web", "ab"] {
            let Err(Error::Ambiguous { candidates, .. }) = resolve(&all, wanted) else { panic!("{wanted}") };
            assert_eq!(candidates, ["shop-web-1", "shop-web-2"]);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let all = [container("ab1", "api-gateway", None), container("ab2", "database", Some("postgres"))];
        let Err(Error::Unknown { nearest, .. }) = resolve(&all, "api-gatewya") else { panic!() };
        assert_eq!(nearest, ["api-gateway"]);
        let Err(Error::Unknown { nearest, .. }) = resolve(&all, "postgers") else { panic!() };
        assert_eq!(nearest, ["postgres"]);
    }

    #[test]
    fn absurd_names_are_refused_without_an_echo() {
        let long = "x".repeat(1 << 20);
        for wanted in ["", "..", "/etc", "a/b", "../x", "a\nb", "a b", "web?x=1", "é", &long] {
            let error = resolve(&[], wanted).unwrap_err();
            assert!(matches!(error, Error::Argument { field: FIELD, .. }), "{wanted:.20}: {error}");
            assert!(error.to_string().len() < 100);
        }
    }

    #[test]
    fn a_container_under_replacement_is_found_in_every_moment() {
        let a = "0123456789abcdef";
        let next = names::next("web", a);
        let old = names::old("web", a);
        let kept = names::replaced("web", a, 1);
        let moment = |of_a: &str, of_b: &str| {
            let all = [container("b", of_b, Some("svc")), container(a, of_a, Some("svc"))];
            (found(&all, "web").unwrap(), found(&all, "svc").unwrap())
        };
        assert_eq!(moment("web", &next), ("web".into(), "web".into()));
        assert_eq!(moment(&old, &next), (old.clone(), old.clone()));
        assert_eq!(moment(&old, "web"), ("web".into(), "web".into()));
        assert_eq!(moment(&kept, "web"), ("web".into(), "web".into()));
    }
}
