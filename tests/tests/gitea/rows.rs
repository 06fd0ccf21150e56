//! The table: a file of rows for each family of tools.

mod access;
mod actions_config;
mod actions_runs;
mod api_request;
mod attachments;
mod branches;
mod commits;
mod files;
mod issues;
mod labels;
mod milestones;
mod notifications;
mod orgs;
mod packages;
mod projects;
mod protection;
mod pulls;
mod releases;
mod report_failure;
mod repos;
mod reviews;
mod search;
mod tags;
mod time;
mod user;
mod webhooks;
mod wiki;

use crate::lab::Row;

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    [
        user::rows(),
        search::rows(),
        repos::rows(),
        files::rows(),
        branches::rows(),
        tags::rows(),
        commits::rows(),
        releases::rows(),
        issues::rows(),
        labels::rows(),
        milestones::rows(),
        time::rows(),
        attachments::rows(),
        report_failure::rows(),
        pulls::rows(),
        reviews::rows(),
        actions_config::rows(),
        actions_runs::rows(),
        notifications::rows(),
        wiki::rows(),
        packages::rows(),
        projects::rows(),
        webhooks::rows(),
        protection::rows(),
        orgs::rows(),
        access::rows(),
        api_request::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
