//! What this server asks of the engine, by verb. The SDK where its types lose nothing, raw JSON where a
//! field it does not know must survive (inspect, create, connect).

pub(crate) mod container;
pub(crate) mod lines;
pub(crate) mod moment;

use std::time::Duration;

use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
    RestartContainerOptionsBuilder,
};
use http::{Method, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};

use self::container::Container;
use crate::engine::{CALL, Engine, bounded};
use crate::error::{Error, Result};

/// Starting may pull up networks and mounts; stopping adds the container's own patience.
const SLOW: Duration = Duration::from_secs(120);

/// The engine's verbs.
#[derive(Clone)]
pub(crate) struct Docker {
    engine: Engine,
    sdk: bollard::Docker,
}

/// Which engine it is.
pub(crate) struct Version {
    /// The engine's own.
    pub engine: String,
    /// Of its API.
    pub api: String,
}

impl Docker {
    /// A client for `DOCKER_HOST`; nothing is connected yet.
    pub(crate) fn new(host: &str) -> Result<Self> {
        let engine = Engine::new(host)?;
        let transport = engine.clone();
        let sdk = bollard::Docker::connect_with_custom_transport(
            move |request| {
                let engine = transport.clone();
                async move { engine.exchange(request).await }
            },
            Some("http://docker"),
            SLOW.as_secs() * 30,
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| engine.explain(error))?;
        Ok(Self { engine, sdk })
    }

    /// The engine's address and version handling.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Which engine answers.
    pub(crate) async fn version(&self) -> Result<Version> {
        let version = self.get(&["version"], &[]).await?;
        let text = |key: &str| version[key].as_str().unwrap_or_default().to_owned();
        Ok(Version { engine: text("Version"), api: text("ApiVersion") })
    }

    /// Where the engine keeps images, containers and volumes, on its machine.
    pub(crate) async fn root(&self) -> Result<String> {
        let info = self.get(&["info"], &[]).await?;
        Ok(info["DockerRootDir"].as_str().unwrap_or_default().to_owned())
    }

    /// Every container, running or not.
    pub(crate) async fn list(&self) -> Result<Vec<ContainerSummary>> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        self.sdk("list containers", CALL, self.sdk.list_containers(Some(options))).await
    }

    /// A container, whole.
    pub(crate) async fn inspect(&self, id: &str) -> Result<Container> {
        self.get(&["containers", id, "json"], &[]).await.map(Container)
    }

    /// A container, or `None` when there is none of this id.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<Container>> {
        match self.inspect(id).await {
            Ok(container) => Ok(Some(container)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An image, or `None` when there is none of this name or id.
    pub(crate) async fn image(&self, reference: &str) -> Result<Option<Value>> {
        match self.get(&["images", reference, "json"], &[]).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a container and returns its id.
    pub(crate) async fn create(&self, name: &str, platform: Option<&str>, body: &Value) -> Result<String> {
        let mut query = vec![("name", name)];
        query.extend(platform.map(|platform| ("platform", platform)));
        let answer =
            self.engine.call(Method::POST, &["containers", "create"], &query, Some(body), SLOW).await?;
        let id = answer["Id"].as_str().map(str::to_owned);
        id.ok_or_else(|| Error::Unexpected("a created container without an id".into()))
    }

    /// Connects a container to a network.
    pub(crate) async fn connect(&self, network: &str, id: &str, endpoint: &Value) -> Result<()> {
        let body = json!({"Container": id, "EndpointConfig": endpoint});
        self.post(&["networks", network, "connect"], &body).await
    }

    /// Disconnects a container from a network.
    pub(crate) async fn disconnect(&self, network: &str, id: &str) -> Result<()> {
        self.post(&["networks", network, "disconnect"], &json!({"Container": id, "Force": true})).await
    }

    /// Sets a container's restart policy and nothing else.
    pub(crate) async fn set_restart_policy(&self, id: &str, policy: &Value) -> Result<()> {
        self.post(&["containers", id, "update"], &json!({"RestartPolicy": policy})).await
    }

    /// Starts a container; one that runs already is fine.
    pub(crate) async fn start(&self, id: &str) -> Result<()> {
        self.sdk("start container", SLOW, self.sdk.start_container(id, None)).await
    }

    /// Stops a container, as gracefully as it asks for.
    pub(crate) async fn stop(&self, container: &Container) -> Result<()> {
        let patience = container.stop_timeout() + CALL;
        self.sdk("stop container", patience, self.sdk.stop_container(container.id(), None)).await
    }

    /// Restarts a container, giving it `timeout` to stop.
    pub(crate) async fn restart(&self, id: &str, timeout: Duration) -> Result<()> {
        let seconds = i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX);
        let options = RestartContainerOptionsBuilder::default().t(seconds).build();
        self.sdk("restart container", timeout + SLOW, self.sdk.restart_container(id, Some(options))).await
    }

    /// Gives a container another name.
    pub(crate) async fn rename(&self, id: &str, name: &str) -> Result<()> {
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        self.sdk("rename container", CALL, self.sdk.rename_container(id, options)).await
    }

    /// Removes a container, never its volumes. One that is gone already is fine.
    pub(crate) async fn remove(&self, id: &str, force: bool) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::default().v(false).force(force).build();
        match self.sdk("remove container", SLOW, self.sdk.remove_container(id, Some(options))).await {
            Err(error) if error.is_missing() => Ok(()),
            other => other,
        }
    }

    /// What a container changed in its writable layer, as `(kind, path)`.
    pub(crate) async fn changes(&self, id: &str) -> Result<Vec<(char, String)>> {
        let changes = self.get(&["containers", id, "changes"], &[]).await?;
        let changes = changes.as_array().cloned().unwrap_or_default();
        let kind = |change: &Value| match change["Kind"].as_u64() {
            Some(0) => 'C',
            Some(1) => 'A',
            _ => 'D',
        };
        Ok(changes
            .iter()
            .map(|change| (kind(change), change["Path"].as_str().unwrap_or("").to_owned()))
            .collect())
    }

    /// Opens a container's log.
    pub(crate) async fn logs(&self, id: &str, query: &[(&str, &str)]) -> Result<Response<Incoming>> {
        let path = ["containers", id, "logs"];
        bounded("open log", CALL, self.engine.open(Method::GET, &path, query, None)).await
    }

    async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value> {
        self.engine.call(Method::GET, path, query, None, CALL).await
    }

    async fn post(&self, path: &[&str], body: &Value) -> Result<()> {
        self.engine.call(Method::POST, path, &[], Some(body), CALL).await.map(drop)
    }

    async fn sdk<T>(
        &self,
        what: &str,
        patience: Duration,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T> {
        bounded(what, patience, async { call.await.map_err(|error| self.engine.explain(error)) }).await
    }
}
