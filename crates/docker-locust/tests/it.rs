//! The contract of the server: what it lists, to the letter.

use gantry_docker_locust::DockerLocust;
use kit::testing::{Running, start};
use serde_json::{Value, json};
use tempfile::TempDir;

/// All that a model is told of the tools must fit in this many bytes.
const BUDGET: usize = 20_000;

async fn server(folder: &TempDir) -> Running {
    let state = folder.path().to_str().expect("a path in UTF-8");
    let args = ["--docker-host", "unix:///nonexistent/docker.sock", "--state-dir", state];
    start::<DockerLocust>(&args).await.expect("a server")
}

#[tokio::test]
async fn the_tools_are_listed_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let listed = reqwest::get(format!("{}/tools", server.url)).await.unwrap();
    let mut tools: Value = listed.json().await.unwrap();
    let size = tools.to_string().len();
    assert!(size <= BUDGET, "{size} bytes");
    for tool in tools["tools"].as_array_mut().unwrap() {
        for part in ["title", "description", "annotations", "inputSchema", "outputSchema"] {
            assert!(!tool[part].is_null(), "{part} of {tool}");
        }
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(kit::schema::faults(&tool[schema]), Vec::<String>::new(), "{}", tool["name"]);
        }
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&tools).unwrap());
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the client of the tests")]
async fn a_value_that_is_no_string_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    for (tool, container) in [("docker_update_env", "service_name"), ("update_configuration", "service")] {
        let arguments = json!({container: "web", "key": "PIN", "value": 123_456});
        let client = reqwest::Client::new();
        let answer =
            client.post(format!("{}/tools/{tool}", server.url)).json(&arguments).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{tool}");
        let error = answer.text().await.unwrap();
        assert!(error.contains("\"field\":\"value\"") && !error.contains("123456"), "{tool}: {error}");
    }
}
