//! Lists that span owners: what the operator keeps out of reach is not in them.

use crate::error::Result;
use crate::forge::Forge;
use crate::forge::list::Page;
use crate::model::pull::Pull;

/// What belongs to a repository, or is one.
pub(crate) trait InRepo {
    /// The repository's `owner/name`, where the forge says it.
    fn full_name(&self) -> Option<&str>;
}

impl Forge {
    /// Whether the operator says what this server may touch.
    pub(crate) fn is_confined(&self) -> bool {
        !(self.args().allow_owners.is_empty() && self.args().allow_repos.is_empty())
    }

    /// The same page without what is out of reach. The forge's total would tell of it, so it goes too.
    pub(crate) fn within_reach<T: InRepo>(&self, mut page: Page<T>) -> Page<T> {
        if self.is_confined() {
            page.items.retain(|item| item.full_name().is_some_and(|name| self.reaches(name)));
            page.total_count = None;
        }
        page
    }

    /// The same for what is no repository's, but an owner's.
    pub(crate) fn owners_within_reach<T>(&self, mut page: Page<T>, owner: impl Fn(&T) -> &str) -> Page<T> {
        if self.is_confined() {
            page.items.retain(|item| self.may_touch(owner(item), None).is_ok());
            page.total_count = None;
        }
        page
    }

    /// Refuses to change a branch that is not in reach, though what leads to it is.
    pub(crate) fn may_change_head(&self, pull: &Pull) -> Result<()> {
        match pull.head.repo.as_deref().and_then(|name| name.split_once('/')) {
            Some((owner, name)) => self.may_touch(owner, Some(name)),
            None => Ok(()),
        }
    }

    fn reaches(&self, full_name: &str) -> bool {
        full_name.split_once('/').is_some_and(|(owner, name)| self.may_touch(owner, Some(name)).is_ok())
    }
}
