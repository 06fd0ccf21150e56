//! What Locust's front page says about it. Unlike `/stats/requests`, which is cached for two seconds, the page
//! is made afresh, and it alone tells the version, the default target and the user classes.

use serde::Deserialize;

/// The facts that the page hands to its own script.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) state: State,
    pub(super) version: String,
    /// The default target; empty when there is none, or when the user classes have several.
    #[serde(default)]
    pub(super) host: String,
    #[serde(default)]
    pub(super) user_count: u32,
    #[serde(default)]
    pub(super) is_distributed: bool,
    #[serde(default)]
    pub(super) worker_count: u32,
    #[serde(default)]
    pub(super) missing_host_warning: bool,
    /// Whether Locust runs with `--class-picker`; without it, it ignores `user_classes`.
    #[serde(default)]
    pub(super) show_userclass_picker: bool,
    #[serde(default)]
    pub(super) available_user_classes: Option<Vec<String>>,
    /// Present when a load shape is active: it then decides users and duration, whatever is asked for.
    #[serde(default)]
    shape_use_common_options: Option<bool>,
}

impl Page {
    /// Reads the object out of the page's HTML.
    pub(super) fn parse(html: &str) -> Option<Self> {
        let (_, script) = html.split_once("window.templateArgs = ")?;
        serde_json::Deserializer::from_str(script).into_iter().next()?.ok()
    }

    pub(super) fn has_shape(&self) -> bool {
        !self.show_userclass_picker && self.shape_use_common_options.is_some()
    }

    /// Whether a run's own timer dies with its run. Before 2.47 it lived on and stopped the next run.
    pub(super) fn cancels_timers(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (numbers.next(), numbers.next()) >= (Some(2), Some(47))
    }
}

/// The state of Locust's runner, in its own words.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub(crate) struct State(pub(crate) String);

impl State {
    /// Users run or are being started.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.0.as_str(), "spawning" | "running")
    }

    /// No user runs.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.0.as_str(), "ready" | "stopped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(version: &str) -> Page {
        let html = format!(
            "<script>\n window.templateArgs = {{\"history\": [{{\"a\": [1]}}], \"state\": \"ready\", \
             \"shape_use_common_options\": null, \"version\": \"{version}\"}}\n </script></html>"
        );
        Page::parse(&html).unwrap()
    }

    #[test]
    fn versions_are_numbers() {
        for (version, cancels) in [
            ("2.46.7", false),
            ("2.47.0", true),
            ("2.100.1", true),
            ("2.5", false),
            ("3.0.0", true),
            ("", false),
        ] {
            assert_eq!(page(version).cancels_timers(), cancels, "{version}");
        }
    }

    #[test]
    fn another_page_is_none() {
        assert!(Page::parse("<html>welcome to nginx</html>").is_none());
        assert!(Page::parse("window.templateArgs = {\"state\": 1}").is_none());
    }
}
