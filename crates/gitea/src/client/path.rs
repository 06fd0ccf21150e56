//! Where an object of a forge is: the segments below `/api/v1`, each one whole however it is written, and whose it is.

use std::fmt::Display;

use url::Url;

use crate::{Error, error::Result};

/// A path below `/api/v1`, or of the pages that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>, Root);

/// What a path is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Api,
    Site,
}

impl Path {
    /// `/FIRST`
    pub(crate) fn of(first: &'static str) -> Self {
        Self(vec![first.to_owned()], Root::Api)
    }

    /// A page of a repository: attachments are nowhere in the API.
    pub(crate) fn page(owner: impl Display, name: impl Display) -> Self {
        Self(vec![owner.to_string(), name.to_string()], Root::Site)
    }

    /// `/repos/OWNER/NAME`
    pub(crate) fn repo(owner: impl Display, name: impl Display) -> Self {
        Self::of("repos").at(owner).at(name)
    }

    /// `/orgs/NAME`
    pub(crate) fn org(name: impl Display) -> Self {
        Self::of("orgs").at(name)
    }

    /// One segment more.
    #[must_use]
    pub(crate) fn at(mut self, segment: impl Display) -> Self {
        self.0.push(segment.to_string());
        self
    }

    /// The segments of a path inside a repository, or of a branch's name: slashes stay slashes.
    #[must_use]
    pub(crate) fn below(mut self, path: &str) -> Self {
        self.0.extend(path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned));
        self
    }

    /// Reads what was written by somebody else, percent-encoded.
    ///
    /// # Errors
    /// For a path that would lead out of `/api/v1`.
    pub(crate) fn parse(field: &str, path: &str) -> Result<Self> {
        let decode = |segment: &str| {
            let decoded = percent_decode(segment).filter(|it| is_plain(it));
            decoded.ok_or_else(|| Error::argument(field, format!("{field} is no plain path below /api/v1")))
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments = path.split('/').map(decode).collect::<Result<_>>()?;
        Ok(Self(segments, Root::Api))
    }

    /// The same below `base`. What could climb out of it has been refused when arguments were read; a segment that
    /// still could is an error, so that no request goes anywhere else.
    pub(crate) fn url(&self, base: &Url) -> Result<Url> {
        if let Some(bad) = self.0.iter().find(|it| matches!(it.as_str(), "" | "." | "..")) {
            return Err(Error::argument("arguments", format!("{bad:?} cannot be part of a path")));
        }
        let mut url = base.clone();
        let mut segments = url.path_segments_mut().map_err(|()| Error::Unexpected("no base".into()))?;
        segments.pop_if_empty();
        if self.1 == Root::Api {
            segments.extend(["api", "v1"]);
        }
        segments.extend(&self.0);
        drop(segments);
        if url.path().contains('+') {
            let path = url.path().replace('+', "%2B"); // where a forge reads a path as a form, a plus is a blank
            url.set_path(&path);
        }
        Ok(url)
    }

    /// Both sides of a comparison, which may be branches of forks; and the owner of the repository it is asked of.
    pub(crate) fn compared(&self) -> Option<(&str, String)> {
        match self.0.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["repos", owner, _, "compare", range @ ..] => Some((owner, range.join("/"))),
            _ => None,
        }
    }

    /// Below `/api/v1`, where no people look.
    pub(crate) fn is_of_the_api(&self) -> bool {
        self.1 == Root::Api
    }

    /// Whose it is: an owner, and the repository where it is one's.
    pub(crate) fn place(&self) -> Option<(&str, Option<&str>)> {
        match self.0.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [owner, name, ..] if self.1 == Root::Site => Some((owner, Some(name))),
            ["repos", "search" | "issues", ..] => None,
            ["repos", owner, name, ..] => Some((owner, Some(name))),
            ["orgs" | "users" | "packages", owner, ..] if *owner != "search" => Some((owner, None)),
            _ => None,
        }
    }
}

/// Whose branch this is where it is another repository's: `OWNER:BRANCH` and `OWNER/REPO:BRANCH` name a fork.
pub(crate) fn fork_of<'a>(branch: &'a str, own: &str) -> Option<(&'a str, Option<&'a str>)> {
    let (whose, _) = branch.split_once(':')?;
    match whose.split_once('/') {
        Some((owner, name)) => Some((owner, Some(name))),
        None if whose.eq_ignore_ascii_case(own) => None,
        None => Some((whose, None)),
    }
}

/// Neither a way up nor one down, also for a proxy that reads `%2F` as a slash.
fn is_plain(segment: &str) -> bool {
    segment.split(['/', '\\']).all(|part| !matches!(part, "" | "." | ".."))
        && !segment.chars().any(char::is_control)
}

fn percent_decode(segment: &str) -> Option<String> {
    percent_encoding::percent_decode_str(segment).decode_utf8().ok().map(|it| it.into_owned())
}

impl Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        "https://forge.example/sub/".parse().unwrap()
    }

    #[test]
    fn a_segment_stays_one() {
        let path = Path::repo("a", "b/../c").at("labels").at("50%?#+");
        assert_eq!(path.url(&base()).unwrap().path(), "/sub/api/v1/repos/a/b%2F..%2Fc/labels/50%25%3F%23%2B");
        let file = Path::repo("a", "b").at("contents").below("docs/ü.md");
        assert_eq!(file.url(&base()).unwrap().path(), "/sub/api/v1/repos/a/b/contents/docs/%C3%BC.md");
        let page = Path::page("a", "b").at("attachments");
        assert_eq!(page.url(&base()).unwrap().path(), "/sub/a/b/attachments");
    }

    #[test]
    fn nothing_climbs_out() {
        for bad in ["..", ".", ""] {
            assert!(Path::repo("a", bad).url(&base()).is_err(), "{bad:?}");
        }
        assert!(Path::repo("a", "b").at("contents").below("x/../../..").url(&base()).is_err());
        for bad in
            ["/repos/../admin", "/repos/%2e%2e/admin", "/repos/a/b%2f..%2fc", "/x%5c..", "/x%00", "//x", ""]
        {
            assert!(Path::parse("path", bad).is_err(), "{bad:?}");
        }
        assert_eq!(Path::parse("path", "/repos/a%20b/c").unwrap(), Path::repo("a b", "c"));
    }

    #[test]
    fn a_branch_of_a_fork_tells_whose_it_is() {
        assert_eq!(fork_of("main", "a"), None);
        assert_eq!(fork_of("A:main", "a"), None);
        assert_eq!(fork_of("b:main", "a"), Some(("b", None)));
        assert_eq!(fork_of("b/c:x:y", "a"), Some(("b", Some("c"))));
        let compared = Path::parse("path", "/repos/a/b/compare/main...c%2Fd:x/y").unwrap();
        assert_eq!(compared.compared(), Some(("a", "main...c/d:x/y".to_owned())));
        assert_eq!(Path::repo("a", "b").at("pulls").compared(), None);
    }

    #[test]
    fn knows_whose_it_is() {
        assert_eq!(Path::repo("a", "b").at("issues").place(), Some(("a", Some("b"))));
        assert_eq!(Path::org("a").at("teams").place(), Some(("a", None)));
        assert_eq!(Path::page("repos", "search").at("x").place(), Some(("repos", Some("search"))));
        for path in
            [Path::of("repos").at("search"), Path::of("repos").at("issues").at("search"), Path::of("user")]
        {
            assert_eq!(path.place(), None, "{path}");
        }
    }
}
