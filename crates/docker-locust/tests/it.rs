//! The contract of the server: what it lists, to the letter.

use gantry_docker_locust::DockerLocust;
use kit::testing::start;
use serde_json::Value;

/// All that a model is told of the tools must fit in this many bytes.
const BUDGET: usize = 20_000;

#[tokio::test]
async fn the_tools_are_listed_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let args = ["--docker-host", "unix:///nonexistent/docker.sock", "--state-dir", state];
    let server = start::<DockerLocust>(&args).await.unwrap();
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
