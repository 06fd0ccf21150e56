//! Whether all that was sent was taken: what a user without write access to the repository may not set of an issue,
//! Gitea leaves out without a word.

use std::ops::Deref;

use crate::error::{Error, Result};
use crate::model::issue::Issue;
use crate::model::name::{Name, Time};

/// Gitea keeps the day of a deadline, not always its time.
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// What an issue has to show then, as far as something was sent; `None` inside is for what is taken away.
pub(super) struct Expected {
    pub(super) labels: Option<Vec<String>>,
    pub(super) milestone: Option<Option<String>>,
    pub(super) assignees: Option<Vec<Name>>,
    pub(super) deadline: Option<Option<Time>>,
}

impl Expected {
    /// Sees to it that an issue does.
    ///
    /// # Errors
    /// [`Error::NotTaken`] with what it does not show.
    pub(super) fn check(&self, issue: &Issue) -> Result<()> {
        let taken = [
            ("labels", self.labels.as_ref().is_none_or(|sent| same(sent, &issue.labels))),
            ("milestone", self.milestone.as_ref().is_none_or(|sent| *sent == issue.milestone)),
            ("assignees", self.assignees.as_ref().is_none_or(|sent| same(sent, &issue.assignees))),
            ("deadline", self.deadline.as_ref().is_none_or(|sent| due(sent.as_ref(), issue))),
        ];
        let fields: Vec<_> = taken.into_iter().filter(|(_, taken)| !taken).map(|(field, _)| field).collect();
        if fields.is_empty() { Ok(()) } else { Err(Error::NotTaken { issue_number: issue.number, fields }) }
    }
}

/// The same names in any order; users' are the same in capitals.
fn same<N: Deref<Target = str>>(sent: &[N], is: &[String]) -> bool {
    sent.iter().all(|sent| is.iter().any(|is| is.eq_ignore_ascii_case(sent)))
        && is.iter().all(|is| sent.iter().any(|sent| is.eq_ignore_ascii_case(sent)))
}

fn due(sent: Option<&Time>, issue: &Issue) -> bool {
    let is = issue.due_date.as_ref().and_then(|day| Time::try_from(day.clone()).ok());
    match (sent.and_then(Time::second), is.as_ref().and_then(Time::second)) {
        (Some(sent), Some(is)) => (sent - is).abs() < DAY_SECONDS,
        (sent, is) => sent == is,
    }
}
