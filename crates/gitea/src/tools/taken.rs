//! Whether all that was sent was taken: what a user without write access to the repository may not set of an issue or a
//! pull request, Gitea leaves out without a word.

use std::ops::Deref;

use crate::error::{Error, Result};
use crate::model::issue::Issue;
use crate::model::name::{Name, Time};
use crate::model::pull::Pull;

/// Gitea keeps the day of a deadline, not always its time.
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// What it has to show then, as far as something was sent; `None` inside is for what is taken away.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) labels: Option<Vec<String>>,
    pub(super) milestone: Option<Option<String>>,
    pub(super) assignees: Option<Vec<Name>>,
    pub(super) deadline: Option<Option<Time>>,
}

/// What it shows.
pub(super) struct Shown<'a> {
    what: &'static str,
    number: u64,
    labels: &'a [String],
    milestone: &'a Option<String>,
    assignees: &'a [String],
    due_date: &'a Option<String>,
}

impl<'a> From<&'a Issue> for Shown<'a> {
    fn from(issue: &'a Issue) -> Self {
        let Issue { number, labels, milestone, assignees, due_date, .. } = issue;
        Self { what: "issue", number: *number, labels, milestone, assignees, due_date }
    }
}

impl<'a> From<&'a Pull> for Shown<'a> {
    fn from(pull: &'a Pull) -> Self {
        let Pull { number, labels, milestone, assignees, due_date, .. } = pull;
        Self { what: "pull request", number: *number, labels, milestone, assignees, due_date }
    }
}

impl Expected {
    /// With no deadline then, where one is to be taken away.
    ///
    /// # Errors
    /// For a new one beside it: only one can be meant.
    pub(super) fn without_deadline(&mut self, remove: Option<bool>) -> Result<()> {
        if remove == Some(true) && self.deadline.replace(None).is_some() {
            let message = "deadline and remove_deadline: true are both given; only one can be meant";
            return Err(Error::argument("remove_deadline", message));
        }
        Ok(())
    }

    /// Sees to it that an issue or a pull request does.
    ///
    /// # Errors
    /// [`Error::NotTaken`] with what it does not show.
    pub(super) fn check<'a>(&self, shown: impl Into<Shown<'a>>) -> Result<()> {
        let Shown { what, number, labels, milestone, assignees, due_date } = shown.into();
        let taken = [
            ("labels", self.labels.as_ref().is_none_or(|sent| same(sent, labels))),
            ("milestone", self.milestone.as_ref().is_none_or(|sent| sent == milestone)),
            ("assignees", self.assignees.as_ref().is_none_or(|sent| same(sent, assignees))),
            ("deadline", self.deadline.as_ref().is_none_or(|sent| due(sent.as_ref(), due_date))),
        ];
        let fields: Vec<_> = taken.into_iter().filter(|(_, taken)| !taken).map(|(field, _)| field).collect();
        if fields.is_empty() { Ok(()) } else { Err(Error::NotTaken { what, issue_number: number, fields }) }
    }
}

/// The same names in any order; users' are the same in capitals.
fn same<N: Deref<Target = str>>(sent: &[N], is: &[String]) -> bool {
    sent.iter().all(|sent| is.iter().any(|is| is.eq_ignore_ascii_case(sent)))
        && is.iter().all(|is| sent.iter().any(|sent| is.eq_ignore_ascii_case(sent)))
}

fn due(sent: Option<&Time>, is: &Option<String>) -> bool {
    let is = is.as_ref().and_then(|day| Time::try_from(day.clone()).ok());
    match (sent.and_then(Time::second), is.as_ref().and_then(Time::second)) {
        (Some(sent), Some(is)) => (sent - is).abs() < DAY_SECONDS,
        (sent, is) => sent == is,
    }
}
