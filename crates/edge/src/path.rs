//! Paths are taken apart and put together as bytes: never decoded, never normalised.

/// Splits `/{slug}{rest}`; the rest begins with `/` or `?`, or is empty.
pub(crate) fn split(target: &str) -> Option<(&str, &str)> {
    let tail = target.strip_prefix('/')?;
    let end = tail.bytes().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(tail.len());
    Some(tail.split_at(end))
}

/// The target to ask a server for.
pub(crate) fn join(base: &str, rest: &str) -> String {
    let slash = if base.is_empty() && !rest.starts_with('/') { "/" } else { "" };
    [base, slash, rest].concat()
}

/// Whether a server that normalises this path could end above its start, in another server's part.
///
/// Every spelling that some server takes for a dot segment counts: percent-encoded, with backslashes, with
/// parameters (`..;x`). Empty segments count as nothing, because some servers merge slashes.
pub(crate) fn climbs(path: &str) -> bool {
    if !path.contains("..") && !path.contains('%') {
        return false;
    }
    let path = path.split('?').next().unwrap_or_default();
    let decoded = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\");
    let mut depth = 0_usize;
    for segment in decoded.split(['/', '\\']) {
        let name = segment.split(';').next().unwrap_or_default().replace("%3b", ";");
        match name.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn splits_at_the_first_slash_or_query() {
        assert_eq!(split("/alpha/mcp?x=/y"), Some(("alpha", "/mcp?x=/y")));
        assert_eq!(split("/alpha"), Some(("alpha", "")));
        assert_eq!(split("/alpha?x"), Some(("alpha", "?x")));
        assert_eq!(split("/alpha//beta"), Some(("alpha", "//beta")));
        assert_eq!(split("//alpha/x"), Some(("", "/alpha/x")));
        assert_eq!(split("/alpha%2Fbeta/x"), Some(("alpha%2Fbeta", "/x")));
        assert_eq!(split("*"), None);
    }

    #[test]
    fn joins_under_the_base() {
        assert_eq!(join("", "/mcp"), "/mcp");
        assert_eq!(join("", ""), "/");
        assert_eq!(join("", "?x"), "/?x");
        assert_eq!(join("/base", ""), "/base");
        assert_eq!(join("/base", "?x"), "/base?x");
        assert_eq!(join("/base", "/"), "/base/");
        assert_eq!(join("/base", "//x%2F"), "/base//x%2F");
    }

    #[test]
    fn sees_every_spelling_of_climbing() {
        for path in [
            "/..",
            "/../x",
            "/a/../../b",
            "/%2e%2E/x",
            "/.%2e/x",
            "/..%2fx",
            "/..%5Cx",
            "/..\\x",
            "/..;a/x",
            "/..%3Bx/y",
            "/a//../../b",
            "//../x",
            "/./../x",
            "/a%2f..%2f../x",
        ] {
            assert!(climbs(path), "{path}");
        }
        for path in
            ["/", "/a/../b", "/a/b/../../c", "/..a/b", "/a..", "/...", "/%2e/x", "/a?../../x", "/100%"]
        {
            assert!(!climbs(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(base in "(/[a-z]{1,5}){0,3}", slug in "[a-z0-9-]{1,20}", rest in "([/?][ -~]{0,40})?") {
            let target = format!("/{slug}{rest}");
            prop_assert_eq!(split(&target), Some((slug.as_str(), rest.as_str())));
            let joined = join(&base, &rest);
            prop_assert!(joined.starts_with('/') && joined.starts_with(&base) && joined.ends_with(&rest));
            prop_assert!(joined.len() <= base.len() + rest.len() + 1);
        }

        /// What is let through stays under its start, however a server reads it.
        #[test]
        fn what_passes_stays_below(segments in prop::collection::vec(
            prop::sample::select(vec!["a", "b", "..", ".", "", "%2e%2e", ".%2E", "..;p", "a;..", "%2f", "..%2f"]), 0..8),
        ) {
            let path = format!("/{}", segments.join("/"));
            if !climbs(&path) {
                let mut stack = vec!["base"];
                let decoded = path.to_lowercase().replace("%2e", ".").replace("%2f", "/");
                for segment in decoded.split('/').map(|it| it.split(';').next().unwrap_or("")) {
                    match segment {
                        "" | "." => {}
                        ".." => { stack.pop(); }
                        other => stack.push(other),
                    }
                    prop_assert_eq!(stack.first(), Some(&"base"), "{}", &path);
                }
            }
        }
    }
}
