//! The tools, a file for each family that shares a type.

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
mod taken;
mod time;
mod user;
mod webhooks;
mod wiki;

use std::sync::LazyLock;

use crate::tool::Tool;

/// All of them.
pub(crate) fn tools() -> &'static [Tool] {
    static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| families().into_iter().flatten().collect());
    &TOOLS
}

fn families() -> Vec<Vec<Tool>> {
    vec![
        user::tools(),
        search::tools(),
        repos::tools(),
        files::tools(),
        branches::tools(),
        tags::tools(),
        commits::tools(),
        releases::tools(),
        issues::tools(),
        labels::tools(),
        milestones::tools(),
        time::tools(),
        attachments::tools(),
        report_failure::tools(),
        pulls::tools(),
        reviews::tools(),
        actions_config::tools(),
        actions_runs::tools(),
        notifications::tools(),
        wiki::tools(),
        packages::tools(),
        projects::tools(),
        webhooks::tools(),
        protection::tools(),
        orgs::tools(),
        access::tools(),
        api_request::tools(),
    ]
}
