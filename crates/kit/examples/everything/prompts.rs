//! The prompts, and what is suggested for their arguments.

use kit::Call;
use rmcp::ErrorData;
use rmcp::RoleServer;
use rmcp::model::*;
use rmcp::service::RequestContext;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::changes::State;
use crate::content::{PNG, embedded};

const DYNAMIC: &str = "test_dynamic_prompt";
pub(crate) const WITH_ARGUMENTS: &str = "test_prompt_with_arguments";

#[derive(Deserialize, JsonSchema)]
struct UserContext {
    context: String,
}

/// The prompts there are at this moment.
pub(crate) fn list(state: State) -> Vec<Prompt> {
    let mut prompts = vec![
        Prompt::new("test_input_required_result_prompt", Some("Asks the user before it is made"), None),
        Prompt::new(
            WITH_ARGUMENTS,
            Some("Repeats its two arguments"),
            Some(vec![argument("arg1", "First test argument"), argument("arg2", "Second test argument")]),
        ),
        Prompt::new(
            "test_prompt_with_embedded_resource",
            Some("Holds a resource"),
            Some(vec![argument("resourceUri", "URI of the resource to embed")]),
        ),
        Prompt::new("test_prompt_with_image", Some("Holds an image"), None),
        Prompt::new("test_simple_prompt", Some("One sentence"), None),
    ];
    if state.extra_prompt {
        prompts.push(Prompt::new(DYNAMIC, Some("Comes and goes"), None));
    }
    prompts
}

/// Makes a prompt.
pub(crate) async fn get(
    request: &GetPromptRequestParams,
    context: &RequestContext<RoleServer>,
    state: State,
) -> Result<GetPromptResponse, ErrorData> {
    let messages = match &*request.name {
        "test_simple_prompt" => vec![says("This is a simple prompt for testing.")],
        WITH_ARGUMENTS => {
            let (arg1, arg2) = (given(request, "arg1")?, given(request, "arg2")?);
            vec![says(format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]
        }
        "test_prompt_with_embedded_resource" => vec![
            shows(embedded(
                given(request, "resourceUri")?,
                "text/plain",
                "Embedded resource content for testing.",
            )),
            says("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => {
            vec![shows(ContentBlock::image(PNG, "image/png")), says("Please analyze the image above.")]
        }
        "test_input_required_result_prompt" => {
            let question = "What context should the prompt use?";
            let UserContext { context } = Call::of(context).fill_in("user_context", question).await?;
            vec![says(format!("Consider this context: {context}"))]
        }
        DYNAMIC if state.extra_prompt => vec![says("Now I am here.")],
        name => {
            let message = format!("there is no prompt {}", kit::clip(name));
            return Err(ErrorData::invalid_params(message, None));
        }
    };
    Ok(GetPromptResult::new(messages).into())
}

/// Suggestions for an argument that begins with `typed`.
pub(crate) fn complete(typed: &str) -> Vec<String> {
    let known = ["paris", "park", "party", "test one", "test two"];
    known.into_iter().filter(|it| it.starts_with(typed)).map(str::to_owned).collect()
}

fn argument(name: &str, description: &str) -> PromptArgument {
    PromptArgument::new(name).with_description(description).with_required(true)
}

fn given<'a>(request: &'a GetPromptRequestParams, name: &str) -> Result<&'a str, ErrorData> {
    let value = request.arguments.as_ref().and_then(|arguments| arguments.get(name)?.as_str());
    value.ok_or_else(|| ErrorData::invalid_params(format!("the argument {name} is missing"), None))
}

fn says(text: impl Into<String>) -> PromptMessage {
    PromptMessage::new_text(Role::User, text)
}

fn shows(content: ContentBlock) -> PromptMessage {
    PromptMessage::new(Role::User, content)
}
