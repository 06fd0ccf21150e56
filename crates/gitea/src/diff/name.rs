//! The lines before the hunks, and the names in them, which git quotes as C does where they hold anything unusual.

/// What a line before the hunks says.
#[derive(Debug, PartialEq)]
pub(super) enum Header {
    Added,
    Deleted,
    RenamedFrom(String),
    CopiedFrom(String),
    /// What the file is called now, or was called where it is gone.
    Path(String),
    Binary,
    Other,
}

impl Header {
    pub(super) fn read(line: &[u8]) -> Self {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let after = |start: &[u8]| line.strip_prefix(start);
        if after(b"new file mode ").is_some() {
            Self::Added
        } else if after(b"deleted file mode ").is_some() {
            Self::Deleted
        } else if let Some(name) = after(b"rename from ") {
            Self::RenamedFrom(plain(name))
        } else if let Some(name) = after(b"copy from ") {
            Self::CopiedFrom(plain(name))
        } else if let Some(name) = after(b"rename to ").or_else(|| after(b"copy to ")) {
            Self::Path(plain(name))
        } else if let Some(name) = after(b"--- ").or_else(|| after(b"+++ ")) {
            side(name).map_or(Self::Other, Self::Path)
        } else if line.starts_with(b"Binary files ") || line == b"GIT binary patch" {
            Self::Binary
        } else {
            Self::Other
        }
    }
}

/// The name out of `a/NAME b/NAME`, which says nothing else where a file was not renamed.
pub(super) fn both(names: &[u8]) -> String {
    let names = names.strip_suffix(b"\n").unwrap_or(names);
    if names.starts_with(b"\"") {
        return side(names).unwrap_or_default();
    }
    let (first, _) = names.split_at(names.len() / 2);
    side(first).unwrap_or_default()
}

/// `a/NAME` or `b/NAME`; `None` for the side of a file that is not there.
fn side(name: &[u8]) -> Option<String> {
    // A name with a space in it ends with a tab.
    let name = plain(name.strip_suffix(b"\t").unwrap_or(name));
    name.strip_prefix("a/").or_else(|| name.strip_prefix("b/")).map(str::to_owned)
}

/// A name without its quotes.
fn plain(name: &[u8]) -> String {
    let Some(quoted) = name.strip_prefix(b"\"") else { return lossy(name.to_vec()) };
    let (mut plain, mut rest) = (vec![], quoted);
    loop {
        rest = match rest {
            [] | [b'"', ..] => return lossy(plain),
            [b'\\', digits @ ..] if octal(digits).is_some() => {
                plain.extend(octal(digits));
                &digits[3..]
            }
            [b'\\', letter, rest @ ..] => {
                plain.push(match letter {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    other => *other,
                });
                rest
            }
            [byte, rest @ ..] => {
                plain.push(*byte);
                rest
            }
        };
    }
}

/// Three digits that stand for a byte.
fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits.get(..3)?).ok()?, 8).ok()
}

fn lossy(name: Vec<u8>) -> String {
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names() {
        let path = |line: &str| Header::read(line.as_bytes());
        assert_eq!(path("+++ b/a b\t\n"), Header::Path("a b".into()));
        assert_eq!(path("--- /dev/null\n"), Header::Other);
        assert_eq!(path("+++ \"b/\\303\\274 \\\"x\\\"\\t\"\n"), Header::Path("ü \"x\"\t".into()));
        assert_eq!(path("rename from \"\\\\\"\n"), Header::RenamedFrom("\\".into()));
        assert_eq!(path("+++ \"b/\\30"), Header::Path("30".into()));
    }

    #[test]
    fn reads_the_name_of_a_file_without_hunks() {
        assert_eq!(both(b"a/a b/c d b/a b/c d\n"), "a b/c d");
        assert_eq!(both("\"a/\\303\\274\" \"b/\\303\\274\"\n".as_bytes()), "ü");
        assert_eq!(both(b""), "");
    }
}
