//! The settings of tasks.

use std::time::Duration;

use clap::Args;

/// What an operator says of tasks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tasks")]
pub(crate) struct TaskArgs {
    /// Most tasks at once, finished ones that are still kept included; each holds a result of at most
    /// --max-output-bytes
    #[arg(long, env = "GANTRY_MAX_TASKS", value_name = "N", default_value_t = 500)]
    pub(crate) max_tasks: usize,

    /// Most of them of one caller
    #[arg(long, env = "GANTRY_MAX_TASKS_PER_CALLER", value_name = "N", default_value_t = 100)]
    pub(crate) max_tasks_per_caller: usize,

    /// How long a finished task is kept
    #[arg(
        long,
        env = "GANTRY_TASK_TTL",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "10m"
    )]
    pub(crate) task_ttl: Duration,

    /// Longest a task may run; changes half done still run to their end
    #[arg(
        long,
        env = "GANTRY_TASK_DEADLINE",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "1h"
    )]
    pub(crate) task_deadline: Duration,
}
