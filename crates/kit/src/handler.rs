//! The MCP side of a server: tools are the chassis', everything else is the service's where it declares it.

use std::sync::Arc;

use rmcp::handler::server::ServerHandler;
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};

use crate::ask::{Raised, Turn};
use crate::auth::Role;
use crate::changes::{Changes, Full, MAX_WATCHED};
use crate::dispatch::Dispatch;
use crate::service::Service;
use crate::signature::{Pen, Signature, Signed};
use crate::structure::{self, TakesWritten};
use crate::tasks::Task;
use crate::telemetry::{Operation, Target};
use crate::text::clip;
use crate::{Code, ToolError, misread};

/// How long a client may keep a list, in milliseconds: it changes only with a restart.
const LIST_TTL_MS: u64 = 60_000;

/// Serves one connection, session or request; cheap to clone, as rmcp makes one for each.
pub(crate) struct Handler<S> {
    pub(crate) dispatch: Arc<Dispatch<S>>,
    info: Arc<ServerConfig>,
    signature: Arc<Signature>,
    news: Arc<Changes>,
    /// Lists depend on who asks.
    private: bool,
}

impl<S> Clone for Handler<S> {
    fn clone(&self) -> Self {
        Self {
            dispatch: self.dispatch.clone(),
            info: self.info.clone(),
            signature: self.signature.clone(),
            news: self.news.clone(),
            private: self.private,
        }
    }
}

impl<S: Service> Handler<S> {
    pub(crate) fn new(dispatch: Arc<Dispatch<S>>, private: bool, news: Arc<Changes>) -> anyhow::Result<Self> {
        let mut info = dispatch.service.get_info();
        info.capabilities.tools.get_or_insert_default();
        if !S::TASKS.is_empty() {
            let extensions = info.capabilities.extensions.get_or_insert_default();
            extensions.entry(TASKS_EXTENSION_ID.to_owned()).or_default();
        }
        info.server_info = Implementation::new(format!("gantry-{}", S::SLUG), crate::VERSION);
        info.instructions.get_or_insert_with(|| S::ABOUT.to_owned());
        let signature = Arc::new(Signature::new(&info.server_info)?);
        Ok(Self { dispatch, info: Arc::new(info), signature, news, private })
    }

    fn service(&self) -> &S {
        &self.dispatch.service
    }

    fn task(&self, id: &str, context: &RequestContext<RoleServer>) -> Result<Arc<Task>, ErrorData> {
        self.dispatch.tasks.find(id, &self.dispatch.caller(context)?)
    }

    /// Whether resources can be watched.
    fn watchable(&self) -> bool {
        self.info.capabilities.resources.as_ref().is_some_and(|it| it.subscribe == Some(true))
    }

    /// Remembers a client that has a session; its first request may overtake its `initialized`.
    fn welcome(&self, context: &RequestContext<RoleServer>) {
        let parts = context.extensions.get::<http::request::Parts>();
        // On stdio and over SSE every client has a session; there is no header to say so.
        if parts.is_none_or(|it| it.headers.contains_key("mcp-session-id") || it.uri.path() == "/messages") {
            self.news.welcome(&context.peer, &self.info.capabilities);
        }
    }

    /// Opens what came back with a request that is not a call of a tool.
    fn begin(
        &self,
        what: (&str, &str),
        arguments: Option<&JsonObject>,
        came: (Option<InputResponses>, Option<String>),
        context: &mut RequestContext<RoleServer>,
    ) -> Result<Turn, ErrorData> {
        let caller = self.dispatch.caller(context)?;
        self.dispatch.rounds.begin(&caller, what, arguments, came, context)
    }

    /// Its questions, where such a request asks back.
    fn or_again<R: From<InputRequiredResult>>(
        &self,
        turn: &Turn,
        result: Result<R, ErrorData>,
    ) -> Result<R, ErrorData> {
        result.or_else(|error| match Raised::questions(&error) {
            Some(questions) => Ok(self.dispatch.rounds.again(turn, questions)?.into()),
            None => Err(error),
        })
    }

    /// Begins to serve a request that is not a call of a tool.
    fn operation<M: ConstString>(
        &self,
        target: Target,
        context: &RequestContext<RoleServer>,
    ) -> Result<Operation<'_>, ErrorData> {
        let caller = self.dispatch.caller(context)?;
        Ok(self.dispatch.telemetry.begin(M::VALUE, target, &caller, context))
    }

    /// rmcp answers what nobody declared with an empty success; the truth is that there is no such method.
    fn declared<M: ConstString>(&self, declared: bool) -> Result<(), ErrorData> {
        if declared { Ok(()) } else { Err(ErrorData::method_not_found::<M>()) }
    }
}

impl<S: Service> ServerHandler for Handler<S> {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::clone(&self.info)
    }

    /// rmcp asks for it to compare arguments that travel as headers too.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        let entry = self.dispatch.catalog.get(name).filter(|entry| entry.arguments_in_headers)?;
        Some(entry.definition(Role::Admin))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("cursor: all tools are on one page, which has none", None));
        }
        let pen = self.signature.pen(&context);
        let role = self.dispatch.caller(&context)?.role;
        let operation = self.operation::<ListToolsRequestMethod>(Target::None, &context)?;
        let lists = async {
            let mut result = ListToolsResult::with_all_items(self.dispatch.catalog.tools(role));
            result.ttl_ms = Some(LIST_TTL_MS);
            result.cache_scope = Some(if self.private { CacheScope::Private } else { CacheScope::Public });
            Ok(pen.sign(result))
        };
        operation.serve(lists).await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let pen = self.signature.pen(&context);
        let takes_written = context.extensions.get::<TakesWritten>().is_some();
        let mut response = self.dispatch.call(request, context).await?;
        if let CallToolResponse::Complete(result) = &mut response
            && !takes_written
        {
            structure::read(result);
        }
        Ok(pen.sign(response))
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let pen = self.signature.pen(&context);
        Ok(pen.sign(GetTaskResult::new(self.task(&request.task_id, &context)?.look())))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.task(&request.task_id, &context)?.answer(request.input_responses);
        Ok(())
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.task(&request.task_id, &context)?.cancel();
        Ok(())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.declared::<CompleteRequestMethod>(self.info.capabilities.completions.is_some())?;
        let pen = self.signature.pen(&context);
        let operation = self.operation::<CompleteRequestMethod>(Target::None, &context)?;
        operation.serve(async { answer(pen, self.service().complete(request, context).await) }).await
    }

    async fn get_prompt(
        &self,
        mut request: GetPromptRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.declared::<GetPromptRequestMethod>(self.info.capabilities.prompts.is_some())?;
        let pen = self.signature.pen(&context);
        let target = Target::prompt(&request.name);
        let operation = self.operation::<GetPromptRequestMethod>(target, &context)?;
        let work = async {
            let came = (request.input_responses.take(), request.request_state.take());
            let what = (GetPromptRequestMethod::VALUE, &*request.name);
            let turn = self.begin(what, request.arguments.as_ref(), came, &mut context)?;
            answer(pen, self.or_again(&turn, self.service().get_prompt(request, context).await))
        };
        operation.serve(work).await
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        self.declared::<ListPromptsRequestMethod>(self.info.capabilities.prompts.is_some())?;
        let pen = self.signature.pen(&context);
        let operation = self.operation::<ListPromptsRequestMethod>(Target::None, &context)?;
        operation.serve(async { answer(pen, self.service().list_prompts(request, context).await) }).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.declared::<ListResourcesRequestMethod>(self.info.capabilities.resources.is_some())?;
        let pen = self.signature.pen(&context);
        let operation = self.operation::<ListResourcesRequestMethod>(Target::None, &context)?;
        operation.serve(async { answer(pen, self.service().list_resources(request, context).await) }).await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.declared::<ListResourceTemplatesRequestMethod>(self.info.capabilities.resources.is_some())?;
        let pen = self.signature.pen(&context);
        let operation = self.operation::<ListResourceTemplatesRequestMethod>(Target::None, &context)?;
        operation
            .serve(async { answer(pen, self.service().list_resource_templates(request, context).await) })
            .await
    }

    async fn read_resource(
        &self,
        mut request: ReadResourceRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.declared::<ReadResourceRequestMethod>(self.info.capabilities.resources.is_some())?;
        let pen = self.signature.pen(&context);
        let operation = self.operation::<ReadResourceRequestMethod>(Target::None, &context)?;
        let work = async {
            let came = (request.input_responses.take(), request.request_state.take());
            let what = (ReadResourceRequestMethod::VALUE, &*request.uri);
            let turn = self.begin(what, None, came, &mut context)?;
            answer(pen, self.or_again(&turn, self.service().read_resource(request, context).await))
        };
        operation.serve(work).await
    }

    #[expect(deprecated, reason = "clients of 2025 still set the level")]
    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.declared::<SetLevelRequestMethod>(self.info.capabilities.logging.is_some())?;
        self.welcome(&context);
        remembered(self.news.set_level(&context.peer, request.level))
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.declared::<SubscribeRequestMethod>(self.watchable())?;
        if !self.service().may_watch(&self.dispatch.caller(&context)?, &request.uri) {
            let message = format!("there is no resource {} to watch", clip(&request.uri));
            return Err(ErrorData::resource_not_found(message, None));
        }
        self.welcome(&context);
        remembered(self.news.watch(&context.peer, request.uri))
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.declared::<UnsubscribeRequestMethod>(self.watchable())?;
        self.news.forget(&context.peer, &request.uri);
        Ok(())
    }

    /// rmcp leaves of it what the server declares.
    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let (prompts, resources) = (&self.info.capabilities.prompts, &self.info.capabilities.resources);
        let lists = prompts.as_ref().is_some_and(|it| it.list_changed == Some(true))
            || resources.as_ref().is_some_and(|it| it.list_changed == Some(true));
        if !lists && !self.watchable() {
            return None;
        }
        let mut accepted = requested.clone();
        if let Some(watched) = &mut accepted.resource_subscriptions {
            watched.truncate(MAX_WATCHED);
        }
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let caller = self.dispatch.caller(context.request_context())?;
        let may_watch = |uri: &str| self.service().may_watch(&caller, uri);
        self.news.listen(&context, may_watch).await.map_err(|Full| {
            let error =
                ToolError::new(Code::RateLimited, "all streams are taken; close one or raise --max-sessions");
            outside_tools(error.with("retry_after", 60))
        })
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let later = context.protocol_version().is_some_and(|version| !version.has_initialize());
        Err(misread::refuse(&request.method, &self.info.capabilities, later))
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.news.welcome(&context.peer, &self.info.capabilities);
    }
}

fn remembered(has_session: bool) -> Result<(), ErrorData> {
    if has_session {
        return Ok(());
    }
    let message = format!("that is remembered for a session only, and for {MAX_WATCHED} resources at most");
    Err(ErrorData::invalid_request(message, None))
}

/// The answer to a request that is not a call of a tool, and so has no result that could say it failed.
fn answer<R: Signed>(pen: Pen, result: Result<R, ErrorData>) -> Result<R, ErrorData> {
    result.map(|result| pen.sign(result)).map_err(|error| match ToolError::from_protocol(&error) {
        Some(error) => outside_tools(error),
        None => error,
    })
}

fn outside_tools(error: ToolError) -> ErrorData {
    let (code, source, message) = (error.code.as_str(), error.source_chain(), &error.message);
    tracing::info!(code, source, "{message}");
    let kind = match error.code {
        Code::ValidationError => ErrorCode::INVALID_PARAMS,
        _ => ErrorCode::INTERNAL_ERROR,
    };
    ErrorData::new(kind, error.message.clone(), serde_json::to_value(&error).ok())
}
