//! Rules that protect branches.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("branch_protection_read", "list", [], list),
        row!("branch_protection_read", "get", [], get),
        row!("branch_protection_write", "create", [], create),
        row!("branch_protection_write", "edit", [], edit),
        row!("branch_protection_write", "delete", [], delete),
    ]
}

async fn rule(lab: &Lab, name: &str) -> Result<Value> {
    lab.post("/branch_protections", json!({"rule_name": name, "required_approvals": 1})).await
}

async fn list(lab: &Lab) -> Result<()> {
    for name in ["main", "release/*"] {
        rule(lab, name).await?;
    }
    let listed = lab.here(json!({})).await?;
    assert_eq!(
        (&listed["total_count"], &listed["items"][0]["rule_name"]),
        (&json!(2), &json!("main")),
        "{listed}"
    );
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    rule(lab, "release/*").await?;
    let got = lab.here(json!({"rule_name": "release/*"})).await?;
    assert_eq!((&got["rule_name"], &got["required_approvals"]), (&json!("release/*"), &json!(1)), "{got}");
    lab.refused(json!({"rule_name": "none"})).await?;
    Ok(())
}

async fn create(lab: &Lab) -> Result<()> {
    let new = json!({
        "rule_name": "release/*",
        "required_approvals": 2,
        "push_whitelist_usernames": ["alice"],
        "approvals_whitelist_usernames": ["alice"],
        "status_check_contexts": ["ci/build"],
        "block_on_rejected_reviews": true,
        "protected_file_patterns": "*.lock",
    });
    lab.here(new.clone()).await?;
    let there = lab.get("/branch_protections/release/*").await?;
    let is = |field: &str, value: Value| assert_eq!(there[field], value, "{field} of {there}");
    is("required_approvals", json!(2));
    is("enable_push", json!(true)); // or the list would let nobody push
    is("enable_push_whitelist", json!(true));
    is("push_whitelist_usernames", json!(["alice"]));
    is("enable_approvals_whitelist", json!(true));
    is("approvals_whitelist_username", json!(["alice"]));
    is("enable_status_check", json!(true));
    is("status_check_contexts", json!(["ci/build"]));
    is("block_on_rejected_reviews", json!(true));
    is("protected_file_patterns", json!("*.lock"));
    lab.here(new).await?;
    assert_eq!(
        lab.get("/branch_protections").await?.as_array().map(Vec::len),
        Some(1),
        "a retry makes no second one"
    );
    let error = lab.refused(json!({"rule_name": "release/*", "required_approvals": 3})).await?;
    assert_eq!(error["details"]["field"], "rule_name", "{error}");
    for field in ["push_whitelist_usernames", "merge_whitelist_usernames", "approvals_whitelist_usernames"] {
        let error = lab.refused(json!({"rule_name": "main", field: ["alice", "bob"]})).await?;
        assert_eq!(error["details"]["field"], field, "{error}");
        assert_eq!(lab.status("/branch_protections/main").await?, 404, "a list without bob is not made");
    }
    Ok(())
}

async fn edit(lab: &Lab) -> Result<()> {
    rule(lab, "main").await?;
    lab.here(json!({"rule_name": "main", "status_check_contexts": ["ci"], "dismiss_stale_approvals": true}))
        .await?;
    let there = lab.get("/branch_protections/main").await?;
    assert_eq!(
        (&there["enable_status_check"], &there["dismiss_stale_approvals"], &there["required_approvals"]),
        (&json!(true), &json!(true), &json!(1)),
        "{there}"
    );
    lab.here(json!({"rule_name": "main", "status_check_contexts": []})).await?;
    assert_eq!(lab.get("/branch_protections/main").await?["enable_status_check"], false);
    lab.here(json!({"rule_name": "main", "push_whitelist_usernames": ["alice"]})).await?;
    let error = lab.refused(json!({"rule_name": "main", "push_whitelist_usernames": ["bob"]})).await?;
    assert_eq!(error["details"]["field"], "push_whitelist_usernames", "{error}");
    let there = lab.get("/branch_protections/main").await?;
    assert_eq!(
        (&there["push_whitelist_usernames"], &there["enable_push"]),
        (&json!(["alice"]), &json!(true)),
        "{there}"
    );
    Ok(())
}

async fn delete(lab: &Lab) -> Result<()> {
    rule(lab, "main").await?;
    lab.here(json!({"rule_name": "main"})).await?;
    assert_eq!(lab.status("/branch_protections/main").await?, 404);
    lab.refused(json!({"rule_name": "main"})).await?;
    Ok(())
}
