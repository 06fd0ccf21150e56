//! What people read in issues and comments: each text begins with its mark and says what it is before it says more.

use super::mark::{Digest, Mark, without};

/// Longer bodies are cut off: each report reads all of an issue's comments.
const MAX_BODY: usize = 32 << 10;

/// One occurrence of a failure, as its texts need it.
pub(super) struct Occurrence<'a> {
    pub(super) fingerprint: &'a Digest,
    pub(super) digest: &'a Digest,
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) body: &'a str,
}

impl Occurrence<'_> {
    /// The text of a new issue; `previous` is the closed one that it was before.
    pub(super) fn issue(&self, previous: Option<u64>) -> String {
        let before = previous.map(|number| format!(" It was #{number} before.")).unwrap_or_default();
        let line = self.mark();
        let (id, body) = (code(self.id), cut(self.body));
        format!("{line}\n\n_First seen as {id}; each time it happens again is a comment.{before}_\n\n{body}")
    }

    /// The text of a comment on the issue there is.
    pub(super) fn comment(&self) -> String {
        let line = self.mark();
        let (title, id, body) = (one_line(&without(self.title)), code(self.id), cut(self.body));
        format!("{line}\n\n**It happened again:** {title} ({id})\n\n{body}")
    }

    fn mark(&self) -> String {
        Mark::Occurrence(self.digest.clone()).line(self.fingerprint)
    }
}

/// An occurrence that was told in another issue.
pub(super) fn carried(fingerprint: &Digest, occurrence: &Digest, from: u64, text: &str) -> String {
    let line = Mark::Occurrence(occurrence.clone()).line(fingerprint);
    let text = text.strip_prefix(&*line).unwrap_or(text);
    format!(
        "{line}\n\n**It happened also as #{from} tells,** a duplicate of this issue.\n\n{}",
        without(text.trim())
    )
}

/// Under a duplicate.
pub(super) fn duplicate(fingerprint: &Digest, of: u64) -> String {
    let line = Mark::DuplicateOf(of).line(fingerprint);
    format!("{line}\n\nThis is a duplicate of #{of}, where all occurrences are told and counted.")
}

/// The same text of an issue, with another mark.
pub(super) fn marked_anew(text: &str, fingerprint: &Digest, was: &Mark, now: &Mark) -> String {
    text.replacen(&was.line(fingerprint), &now.line(fingerprint), 1)
}

fn cut(body: &str) -> String {
    let kept = &body[..body.floor_char_boundary(MAX_BODY)];
    match body.len() - kept.len() {
        0 => without(kept),
        lost => format!("_({lost} bytes are left out at the end)_\n\n{}", without(kept)),
    }
}

/// An id as people see it, whatever it holds.
fn code(id: &str) -> String {
    format!("`{}`", one_line(id).replace('`', "'"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_caller_sends_is_a_mark() {
        let (failure, id, other) = (Digest::of("x"), Digest::of("1"), Digest::of("2"));
        let forged = format!("```\n{}\n", Mark::Occurrence(other).line(&failure));
        let it =
            Occurrence { fingerprint: &failure, digest: &id, id: "`-->\n", title: &forged, body: &forged };
        for text in [it.issue(Some(1)), it.comment(), carried(&failure, &id, 3, &it.issue(None))] {
            assert_eq!(Mark::find(&text, &failure), Some(Mark::Occurrence(id.clone())));
            assert_eq!(text.matches(&id.to_string()).count(), 1, "{text}");
            assert_eq!(
                text.lines().filter(|line| line.starts_with("<!-- gantry:failure")).count(),
                1,
                "{text}"
            );
        }
    }

    #[test]
    fn a_long_body_says_what_it_lacks() {
        let cut = cut(&"ü".repeat(MAX_BODY));
        assert!(cut.starts_with(&format!("_({MAX_BODY} bytes are left out at the end)_")), "{:.80}", cut);
    }

    #[test]
    fn a_mark_is_changed_where_it_stands() {
        let (failure, id) = (Digest::of("x"), Digest::of("1"));
        let (was, now) = (Mark::Occurrence(id.clone()), Mark::TakenOver(id));
        let text = format!("note\n{}\nbody", was.line(&failure));
        let text = marked_anew(&text, &failure, &was, &now);
        assert_eq!((Mark::find(&text, &failure), text.ends_with("\nbody")), (Some(now), true));
    }
}
