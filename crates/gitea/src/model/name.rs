//! Names that become part of a path.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::path::Path;

/// A text that is read only where `TryFrom<String>` takes it, and that schemas show as any other.
macro_rules! text {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(inline, description = "")]
        pub(crate) struct $name(String);

        impl std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }
    };
}

text! {
    /// A name that is one segment of a path: an owner, a repository, a secret… What it is goes without saying in each tool's
    /// schema.
    Name
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.as_str() {
            "" => Err("is empty"),
            "." | ".." => Err("is no name"),
            name if name.contains('/') => Err("holds a slash; it is a name without its owner"),
            name if name.chars().any(char::is_control) => Err("holds a control character"),
            _ => Ok(Self(name)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text! {
    /// Several segments: a file's path, or the name of a branch or tag.
    Slashed
}

impl TryFrom<String> for Slashed {
    type Error = &'static str;

    fn try_from(path: String) -> Result<Self, Self::Error> {
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err("holds . or .. between slashes");
        }
        if path.chars().any(char::is_control) {
            return Err("holds a control character");
        }
        Ok(Self(path))
    }
}

text! {
    /// A file or folder in a repository, empty for the top; no slashes but those between names. Forges read a file at `/a//b`
    /// all the same, but a change of it they take for done and change nothing.
    FilePath
}

impl TryFrom<String> for FilePath {
    type Error = &'static str;

    fn try_from(path: String) -> Result<Self, Self::Error> {
        let Slashed(path) = path.try_into()?;
        let names: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
        Ok(Self(names.join("/")))
    }
}

text! {
    /// What people call something: without blanks around it, which forges take away.
    Title
}

impl Title {
    /// Forges cut longer ones (models/issues/issue.go), where they do not refuse them.
    const MOST_BYTES: usize = 255;
}

impl TryFrom<String> for Title {
    type Error = &'static str;

    fn try_from(title: String) -> Result<Self, Self::Error> {
        match title.trim() {
            "" => Err("is empty"),
            title if title.len() > Self::MOST_BYTES => Err("is longer than the 255 bytes that forges keep"),
            title => Ok(Self(title.to_owned())),
        }
    }
}

text! {
    /// What a page is called, which becomes its path.
    PageTitle
}

impl TryFrom<String> for PageTitle {
    type Error = &'static str;

    fn try_from(title: String) -> Result<Self, Self::Error> {
        let Slashed(title) = title.try_into()?;
        Title::try_from(title).map(|Title(title)| Self(title))
    }
}

text! {
    /// The name of a branch or a tag that is to be made, as git has it (git-check-ref-format).
    NewRef
}

impl TryFrom<String> for NewRef {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        let whole = !name.contains("..") && !name.contains("@{") && !name.ends_with('.') && name != "@";
        if whole && !name.contains(forbidden) && name.split('/').all(part) {
            return Ok(Self(name));
        }
        Err("is no name that git allows: it holds a blank, .., or one of ~^:?*[\\@{, or begins or ends badly")
    }
}

/// A moment in RFC 3339; of a day alone, its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, description = "RFC 3339")]
pub(crate) struct Time(String);

impl TryFrom<String> for Time {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        moment(text, "23:59:59").map(Self)
    }
}

/// The same from which on something is asked for: of a day alone, its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, description = "RFC 3339")]
pub(crate) struct Since(String);

impl TryFrom<String> for Since {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        moment(text, "00:00:00").map(Self)
    }
}

impl AsRef<str> for Time {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Since {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn moment(text: String, of_a_day: &str) -> Result<String, &'static str> {
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(text);
    }
    let day = text.parse::<jiff::civil::Date>().map_err(|_| "is no time like 2026-11-20T10:00:00Z")?;
    Ok(format!("{day}T{of_a_day}Z"))
}

impl Time {
    /// Since 1970.
    pub(crate) fn second(&self) -> Option<i64> {
        self.0.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
    }
}

/// The repository that most tools are about.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Repo {
    pub(crate) owner: Name,
    pub(crate) repo: Name,
}

impl Repo {
    /// Where it is.
    pub(crate) fn path(&self) -> Path {
        Path::repo(&self.owner, &self.repo)
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.repo)
    }
}

/// The organisation that a tool is about.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Org {
    pub(crate) org: Name,
}

impl Org {
    /// Where it is.
    pub(crate) fn path(&self) -> Path {
        Path::org(&self.org)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_path() {
        let path = |text: &str| FilePath::try_from(text.to_owned()).map(|path| path.0);
        for text in ["a/b.txt", "/a/b.txt", "a/b.txt/", "//a///b.txt//"] {
            assert_eq!(path(text).as_deref(), Ok("a/b.txt"));
        }
        assert_eq!(path("/").as_deref(), Ok(""));
        for bad in ["a/../b", "/./a", "a\nb"] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }
}
