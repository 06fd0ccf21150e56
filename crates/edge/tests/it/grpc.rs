//! gRPC through the edge, with tonic's client and the kit's servers.

use std::sync::Arc;
use std::time::Duration;

use proto::gantry::tool::v1::call_tool_request::Input;
use proto::gantry::tool::v1::call_tool_response::Message;
use proto::gantry::tool::v1::tool_service_client::ToolServiceClient;
use proto::gantry::tool::v1::{CallToolRequest, ListToolsRequest};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

use crate::edge::{Edge, LONG, eventually, replicas};
use crate::upstream::{serve, url};
use crate::who::who;

type Client = ToolServiceClient<Channel>;
type Messages = Streaming<proto::gantry::tool::v1::CallToolResponse>;

/// A client of the edge that names `authority`.
async fn client(edge: &Edge, authority: &str) -> Client {
    let endpoint = Endpoint::from_shared(edge.url()).unwrap().timeout(LONG);
    let origin = format!("http://{authority}:{}", edge.address.port()).parse().unwrap();
    ToolServiceClient::new(endpoint.origin(origin).connect().await.unwrap())
}

fn for_slug<T>(slug: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("gantry-slug", slug.parse().unwrap());
    request
}

fn tool(name: &str, arguments: &str) -> CallToolRequest {
    CallToolRequest { name: name.to_owned(), input: Some(Input::ArgumentsJson(arguments.to_owned())) }
}

/// Calls a tool of `who` to its end: its progress, and the JSON of its result.
async fn call(client: &mut Client, name: &str, arguments: &str) -> Result<(Vec<f64>, String), Status> {
    let mut messages = client.call_tool(for_slug("who", tool(name, arguments))).await?.into_inner();
    let mut progress = Vec::new();
    loop {
        match next(&mut messages).await? {
            Message::Progress(at) => progress.push(at.progress),
            Message::Result(result) => {
                assert!(messages.message().await?.is_none(), "the result is the last message");
                return Ok((progress, result.json));
            }
        }
    }
}

async fn next(messages: &mut Messages) -> Result<Message, Status> {
    let message = timeout(LONG, messages.message()).await.expect("a message")?;
    Ok(message.expect("another message").message.expect("a message says something"))
}

#[tokio::test]
async fn a_call_finds_its_server_by_metadata_or_by_authority() {
    let (one, two) = (who("one", &[]).await, who("two", &[]).await);
    let edge = Edge::start(&[("who", one.url.clone()), ("two", two.url.clone())]);
    let mut client = client(&edge, "localhost").await;
    let tools = client.list_tools(for_slug("who", ListToolsRequest::default())).await.unwrap().into_inner();
    assert!(tools.tools.iter().any(|tool| tool.name == "who"), "{tools:?}");
    assert_eq!(call(&mut client, "who", "{}").await.unwrap().1, r#"{"name":"one"}"#);
    let (progress, _) = call(&mut client, "count", r#"{"to": 5}"#).await.unwrap();
    assert_eq!(progress, [1.0, 2.0, 3.0, 4.0, 5.0]);
    let mut by_name = self::client(&edge, "two.localhost").await;
    let mut messages = by_name.call_tool(tool("who", "{}")).await.unwrap().into_inner();
    assert!(matches!(next(&mut messages).await.unwrap(), Message::Result(it) if it.json.contains("two")));
    // What is said outright beats the name.
    assert_eq!(call(&mut by_name, "who", "{}").await.unwrap().1, r#"{"name":"one"}"#);
}

#[tokio::test]
async fn a_call_for_nobody_is_told_who_there_is() {
    let edge = Edge::start(&[("alpha", "http://127.0.0.1:1".into()), ("beta", "http://127.0.0.1:1".into())]);
    let mut client = client(&edge, "localhost").await;
    let absent = client.list_tools(ListToolsRequest::default()).await.unwrap_err();
    let unknown = client.list_tools(for_slug("gamma", ListToolsRequest::default())).await.unwrap_err();
    for (status, part) in [(absent, "gantry-slug"), (unknown, "\"gamma\"")] {
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
        assert!(status.message().contains("alpha, beta") && status.message().contains(part), "{status:?}");
        let error = detail(&status);
        assert_eq!((error.code.as_str(), error.message.as_str()), ("NOT_FOUND", status.message()));
        assert!(error.details.unwrap().fields.contains_key("slugs"));
    }
    let down = client.list_tools(for_slug("alpha", ListToolsRequest::default())).await.unwrap_err();
    assert_eq!((down.code(), detail(&down).code.as_str()), (Code::Unavailable, "SERVICE_ERROR"), "{down:?}");
    let mut elsewhere = self::client(&edge, "evil.example").await;
    let refused = elsewhere.list_tools(for_slug("alpha", ListToolsRequest::default())).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this is a client of the tests")]
async fn a_call_stays_below_its_servers_base() {
    let edge = Edge::start(&[("alpha", "http://127.0.0.1:1/base".into())]);
    let knowing = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    for path in ["/..%2fadmin/Do", "/a/..%2f..%2fadmin/Do"] {
        let call = knowing.post(format!("{}{path}", edge.url())).header("gantry-slug", "alpha");
        let refused = call.header("content-type", "application/grpc").send().await.unwrap();
        assert_eq!(refused.headers()["grpc-status"], "3", "{path}: {refused:?}");
    }
}

/// The error in a status' details.
fn detail(status: &Status) -> proto::gantry::tool::v1::Error {
    use prost::Message;
    let whole = tonic_types::Status::decode(status.details()).unwrap();
    proto::gantry::tool::v1::Error::decode(whole.details[0].value.as_slice()).unwrap()
}

#[tokio::test]
async fn a_servers_error_arrives_whole() {
    let server = who("one", &[]).await;
    let edge = Edge::start(&[("who", server.url.clone())]);
    let mut client = client(&edge, "localhost").await;
    for (name, arguments, code) in
        [("nothing", "{}", Code::NotFound), ("count", r#"{"to": "x"}"#, Code::InvalidArgument)]
    {
        let status = call(&mut client, name, arguments).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert_eq!(detail(&status).message, status.message());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_at_once() {
    let server = who("one", &[]).await;
    let edge = Edge::start_with(&[("who", server.url.clone())], &["--threads", "2"]);
    let client = client(&edge, "localhost").await;
    let calls = (0..100).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { call(&mut client, "count", r#"{"to": 20}"#).await })
    });
    for one in calls.collect::<Vec<_>>() {
        let (progress, _) = one.await.unwrap().unwrap();
        assert_eq!(progress.last(), Some(&20.0), "{progress:?}");
    }
}

/// How many calls of `forever` run in the server.
async fn running(client: &mut Client) -> String {
    call(client, "running", "{}").await.unwrap().1
}

#[tokio::test]
async fn a_cancelled_call_stops_in_the_tool() {
    let server = who("one", &[]).await;
    let edge = Edge::start(&[("who", server.url.clone())]);
    let mut client = client(&edge, "localhost").await;
    let mut messages = client.call_tool(for_slug("who", tool("forever", "{}"))).await.unwrap().into_inner();
    assert!(matches!(next(&mut messages).await.unwrap(), Message::Progress(_)));
    assert_eq!(running(&mut client).await, r#"{"running":1}"#);
    drop(messages);
    let stopped = r#"{"running":0}"#;
    eventually("stopped", async || running(&mut client.clone()).await == stopped).await;
    // The same when the whole connection goes.
    let mut other = self::client(&edge, "localhost").await;
    let mut messages = other.call_tool(for_slug("who", tool("forever", "{}"))).await.unwrap().into_inner();
    next(&mut messages).await.unwrap();
    drop((other, messages));
    eventually("stopped", async || running(&mut client.clone()).await == stopped).await;
}

#[tokio::test]
async fn a_call_ends_with_a_status_when_its_server_dies() {
    let server = who("one", &[]).await;
    let address: std::net::SocketAddr = server.url.strip_prefix("http://").unwrap().parse().unwrap();
    let kill = Arc::new(Notify::new());
    let killed = kill.clone();
    // What lies between, and can be cut.
    let wire = serve(move |mut near, _| {
        let killed = killed.clone();
        async move {
            let mut far = TcpStream::connect(address).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                () = killed.notified() => near.set_zero_linger().unwrap(),
            }
        }
    })
    .await;
    let edge = Edge::start(&[("who", url(wire))]);
    let mut client = client(&edge, "localhost").await;
    let mut messages = client.call_tool(for_slug("who", tool("forever", "{}"))).await.unwrap().into_inner();
    next(&mut messages).await.unwrap();
    kill.notify_waiters();
    let status = loop {
        match next(&mut messages).await {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!((status.code(), detail(&status).code.as_str()), (Code::Unavailable, "SERVICE_ERROR"));
    assert!(status.message().contains("\"who\" broke off"), "{status:?}");
    // The next call goes over a new connection.
    assert_eq!(call(&mut client, "who", "{}").await.unwrap().1, r#"{"name":"one"}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_loses_no_call() {
    let (one, two) = (who("one", &[]).await, who("two", &[]).await);
    let edge = Edge::start_of(&replicas("who", &[one.url.clone(), two.url.clone()]), &["--threads", "2"]);
    let client = client(&edge, "localhost").await;
    let long = (0..10).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { call(&mut client, "count", r#"{"to": 50}"#).await })
    });
    let long: Vec<_> = long.collect();
    let short = tokio::spawn({
        let mut client = client.clone();
        async move {
            let mut names = Vec::new();
            for _ in 0..300 {
                names.push(call(&mut client, "who", "{}").await.unwrap().1);
            }
            names
        }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    timeout(LONG, one.stop()).await.unwrap().unwrap().unwrap();
    for call in long {
        assert_eq!(call.await.unwrap().unwrap().0.last(), Some(&50.0));
    }
    let names = short.await.unwrap();
    assert_eq!(names.last().unwrap(), r#"{"name":"two"}"#);
}
