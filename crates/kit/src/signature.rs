//! Whose a result is: clients since 2026-07-28 are told with each, as there is no handshake to tell them.

use rmcp::RoleServer;
use rmcp::model::*;
use rmcp::service::RequestContext;
use serde_json::Value;

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The server's name and version, ready to be put on results.
pub(crate) struct Signature(Value);

impl Signature {
    pub(crate) fn new(server: &Implementation) -> anyhow::Result<Self> {
        Ok(Self(serde_json::to_value(server)?))
    }

    /// What puts the signature on the result of a request, if its client expects one.
    pub(crate) fn pen(&self, context: &RequestContext<RoleServer>) -> Pen {
        let expected = context.protocol_version().is_some_and(|version| !version.has_initialize());
        Pen(expected.then(|| self.0.clone()))
    }
}

/// Signs one result.
pub(crate) struct Pen(Option<Value>);

impl Pen {
    pub(crate) fn sign<R: Signed>(self, mut result: R) -> R {
        if let (Some(server), Some(meta)) = (self.0, result.meta()) {
            meta.get_or_insert_default().0.insert(SERVER_INFO.to_owned(), server);
        }
        result
    }
}

/// A result with a place for the signature.
pub(crate) trait Signed {
    fn meta(&mut self) -> Option<&mut Option<MetaObject>>;
}

macro_rules! signed {
    ($($result:ty),+ $(,)?) => {$(
        impl Signed for $result {
            fn meta(&mut self) -> Option<&mut Option<MetaObject>> {
                Some(&mut self.meta)
            }
        }
    )+};
    ($response:ident { $($variant:ident),+ }) => {
        impl Signed for $response {
            fn meta(&mut self) -> Option<&mut Option<MetaObject>> {
                match self {
                    $(Self::$variant(result) => Some(&mut result.meta),)+
                    _ => None,
                }
            }
        }
    };
}

signed!(
    CompleteResult,
    GetTaskResult,
    ListPromptsResult,
    ListResourceTemplatesResult,
    ListResourcesResult,
    ListToolsResult
);
signed!(CallToolResponse { Complete, InputRequired, Task });
signed!(GetPromptResponse { Complete, InputRequired });
signed!(ReadResourceResponse { Complete, InputRequired });
