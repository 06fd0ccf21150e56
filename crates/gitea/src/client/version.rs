//! Which forge this is: Gitea and Forgejo are told apart by what `/version` says.

use std::fmt;

/// A release of Gitea's, by its two leading numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u32, pub u32);

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What a forge says of itself, and the release of Gitea whose API that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    text: String,
    /// `None` where the version cannot be read: then nothing is held against it.
    release: Option<Release>,
}

impl Version {
    /// Gitea says `1.26.0+12-gabc`, Forgejo `11.0.3+gitea-1.22.0`.
    pub(crate) fn parse(text: &str) -> Self {
        let api = text.split_once("gitea-").map_or(text, |(_, api)| api);
        let mut numbers = api.trim_start_matches('v').split(['.', '+', '-']).map(str::parse::<u32>);
        let release = match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some(Release(major, minor)),
            _ => None,
        };
        Self { text: text.to_owned(), release }
    }

    /// Whether it has what came with `release`.
    pub(crate) fn has(&self, release: Release) -> bool {
        self.release.is_none_or(|own| own >= release)
    }

    /// Whether it is a Forgejo.
    pub(crate) fn is_forgejo(&self) -> bool {
        self.text.contains("gitea-")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_forgejo() { "Forgejo" } else { "Gitea" };
        write!(f, "{kind} {}", kit::clip(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_forges_say() {
        let gitea = Version::parse("1.26.0+12-g0a1b2c3");
        assert!(gitea.has(Release(1, 26)) && !gitea.has(Release(1, 27)) && !gitea.is_forgejo());
        let forgejo = Version::parse("11.0.3+gitea-1.22.0");
        assert!(forgejo.has(Release(1, 22)) && !forgejo.has(Release(1, 23)) && forgejo.is_forgejo());
        assert_eq!(forgejo.to_string(), "Forgejo 11.0.3+gitea-1.22.0");
        assert!(
            Version::parse("development").has(Release(9, 0)),
            "an unknown version is not held against it"
        );
    }
}
