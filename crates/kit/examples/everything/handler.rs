//! What the server is besides its tools: prompts, resources, suggestions, log level, subscriptions.

use rmcp::handler::server::ServerHandler;
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};

use crate::{Everything, changes, prompts, resources};

impl ServerHandler for Everything {
    #[expect(deprecated, reason = "logging stays until 2027")]
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe();
        ServerConfig::new(capabilities.build())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list(*self.state.borrow())))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let state = *self.state.borrow();
        prompts::get(&request, &context, state).await
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::list()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(resources::read(&request.uri, *self.state.borrow())?.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let values = match &request.r#ref {
            Reference::Prompt(it) if it.name == prompts::WITH_ARGUMENTS => {
                prompts::complete(&request.argument.value)
            }
            Reference::Resource(it) if it.uri == resources::TEMPLATE => vec![],
            _ => return Err(ErrorData::invalid_params("nothing to complete by this name", None)),
        };
        let info = CompletionInfo::with_all_values(values)
            .map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(CompleteResult::new(info))
    }

    #[expect(deprecated, reason = "clients of 2025 still set the level")]
    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.welcome(&context);
        remembered(self.clients.set_level(&context.peer, request.level))
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        resources::read(&request.uri, *self.state.borrow())?;
        self.welcome(&context);
        remembered(self.clients.watch(&context.peer, request.uri))
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.clients.forget(&context.peer, &request.uri);
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.clients.welcome(context.peer);
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, listener: SubscriptionContext) -> Result<(), ErrorData> {
        changes::tell(&listener, self.state.subscribe()).await;
        Ok(())
    }
}

impl Everything {
    /// A client's first request may overtake its `initialized`.
    fn welcome(&self, context: &RequestContext<RoleServer>) {
        let parts = context.extensions.get::<http::request::Parts>();
        // On stdio and over SSE every client has a session; there is no header to say so.
        if parts.is_none_or(|parts| {
            parts.headers.contains_key("mcp-session-id") || parts.uri.path() == "/messages"
        }) {
            self.clients.welcome(context.peer.clone());
        }
    }
}

fn remembered(has_session: bool) -> Result<(), ErrorData> {
    if has_session {
        return Ok(());
    }
    Err(ErrorData::invalid_request("that is remembered for a session only; begin one with initialize", None))
}
