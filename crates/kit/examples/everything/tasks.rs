//! Tools that take their time: for clients that know tasks they go on without the request that called them.

use std::time::Duration;

use kit::{AsTask, Call, Code, Parameters, Result, ToolError};
use rmcp::{ErrorData, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Everything;
use crate::interaction::PAUSE;

/// Which of them may be tasks.
pub(crate) const TASKS: &[(&str, AsTask)] = &[
    ("slow_compute", AsTask::Optional),
    ("failing_job", AsTask::Required),
    ("protocol_error_job", AsTask::Optional),
    ("confirm_delete", AsTask::Optional),
    ("multi_input", AsTask::Optional),
    ("slow_change", AsTask::Optional),
    ("test_tool_with_task", AsTask::Later),
];

/// A second, as one step of something slow.
const STEP: Duration = Duration::from_secs(1);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GreetInput {
    /// Whom to greet.
    name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SlowInput {
    /// How long it takes, 0 to 600.
    #[serde(default)]
    seconds: u64,
    /// What to call it.
    #[serde(default)]
    label: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeleteInput {
    /// Which file, which there is not.
    filename: String,
}

#[derive(Deserialize, JsonSchema)]
struct Consent {
    confirm: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Name {
    name: String,
}

#[tool_router(router = tasks, vis = "pub(crate)")]
impl Everything {
    /// Greets at once.
    #[tool(title = "Greet", annotations(read_only_hint = true, open_world_hint = false))]
    async fn greet(&self, Parameters(input): Parameters<GreetInput>) -> String {
        format!("Hello, {}!", input.name)
    }

    /// Takes some seconds and tells how far it is.
    #[tool(title = "Compute slowly", annotations(read_only_hint = true, open_world_hint = false))]
    async fn slow_compute(&self, Parameters(input): Parameters<SlowInput>, call: Call) -> String {
        let seconds = input.seconds.min(600);
        for second in 0..seconds {
            let message = format!("{second} of {seconds} seconds");
            call.progress(second as f64, Some(seconds as f64), &message).await;
            tokio::time::sleep(STEP).await;
        }
        format!("{} was computed in {seconds} seconds.", input.label)
    }

    /// Changes something over some seconds, to its end.
    #[tool(
        title = "Change slowly",
        annotations(read_only_hint = false, destructive_hint = false, open_world_hint = false)
    )]
    async fn slow_change(&self, Parameters(input): Parameters<SlowInput>) -> Result<String> {
        let change = async move {
            tokio::time::sleep(STEP * input.seconds.min(600) as u32).await;
            Ok(format!("{} was changed.", input.label))
        };
        self.kit.run_to_end("slow_change", change).await
    }

    /// Fails after a second.
    #[tool(title = "Fail slowly", annotations(read_only_hint = true, open_world_hint = false))]
    async fn failing_job(&self) -> Result<String> {
        tokio::time::sleep(STEP).await;
        Err(ToolError::new(Code::ServiceError, "This job intentionally fails for testing"))
    }

    /// Ends with an error of the protocol.
    #[tool(title = "Break slowly", annotations(read_only_hint = true, open_world_hint = false))]
    async fn protocol_error_job(&self) -> Result<String, ErrorData> {
        tokio::time::sleep(PAUSE).await;
        Err(ErrorData::internal_error("This job intentionally breaks the protocol for testing", None))
    }

    /// Asks before it would delete a file, and deletes none.
    #[tool(title = "Delete after asking", annotations(read_only_hint = true, open_world_hint = false))]
    async fn confirm_delete(&self, Parameters(input): Parameters<DeleteInput>, call: Call) -> Result<String> {
        let Consent { confirm } = call.fill_in("confirm", &format!("Delete {}?", input.filename)).await?;
        Ok(if confirm {
            format!("{} would be deleted.", input.filename)
        } else {
            "Nothing was deleted.".into()
        })
    }

    /// Asks two things at once.
    #[tool(title = "Ask twice", annotations(read_only_hint = true, open_world_hint = false))]
    async fn multi_input(&self, call: Call) -> Result<String> {
        let (first, second) = futures::join!(
            call.fill_in("first", "The first name?"),
            call.fill_in("second", "The second name?")
        );
        let (Name { name: first }, Name { name: second }) = (first?, second?);
        Ok(format!("{first} and {second}."))
    }

    /// Asks the user's name in the call, and greets in a task.
    #[tool(title = "Ask, then work", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_tool_with_task(&self, call: Call) -> Result<String> {
        let Name { name } = call.fill_in("user_name", "What is your name?").await?;
        call.go_on_as_task()?;
        tokio::time::sleep(PAUSE).await;
        Ok(format!("Hello, {name}, from a task!"))
    }
}
