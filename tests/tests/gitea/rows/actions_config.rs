//! Secrets and variables of Actions; what a secret holds cannot be read back from Gitea, that it is there can.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("actions_config_read", "list_repo_secrets", ["list_repo_action_secrets"], list_repo_secrets),
        row!("actions_config_read", "list_org_secrets", ["list_org_action_secrets"], list_org_secrets),
        row!(
            "actions_config_read",
            "list_repo_variables",
            ["list_repo_action_variables"],
            list_repo_variables
        ),
        row!("actions_config_read", "get_repo_variable", ["get_repo_action_variable"], get_repo_variable),
        row!("actions_config_read", "list_org_variables", ["list_org_action_variables"], list_org_variables),
        row!("actions_config_read", "get_org_variable", ["get_org_action_variable"], get_org_variable),
        row!("actions_config_write", "upsert_repo_secret", ["upsert_repo_action_secret"], upsert_repo_secret),
        row!("actions_config_write", "delete_repo_secret", ["delete_repo_action_secret"], delete_repo_secret),
        row!("actions_config_write", "upsert_org_secret", ["upsert_org_action_secret"], upsert_org_secret),
        row!("actions_config_write", "delete_org_secret", ["delete_org_action_secret"], delete_org_secret),
        row!(
            "actions_config_write",
            "create_repo_variable",
            ["create_repo_action_variable"],
            create_repo_variable
        ),
        row!(
            "actions_config_write",
            "update_repo_variable",
            ["update_repo_action_variable"],
            update_repo_variable
        ),
        row!(
            "actions_config_write",
            "delete_repo_variable",
            ["delete_repo_action_variable"],
            delete_repo_variable
        ),
        row!(
            "actions_config_write",
            "create_org_variable",
            ["create_org_action_variable"],
            create_org_variable
        ),
        row!(
            "actions_config_write",
            "update_org_variable",
            ["update_org_action_variable"],
            update_org_variable
        ),
        row!(
            "actions_config_write",
            "delete_org_variable",
            ["delete_org_action_variable"],
            delete_org_variable
        ),
    ]
}

const VALUE: &str = "hunter22-of-nobody";

/// Where something of Actions is kept, and the arguments that say whose.
struct Place {
    base: String,
    whose: Value,
}

impl Place {
    fn repo(lab: &Lab) -> Self {
        let whose = json!({"owner": "alice", "repo": lab.repo});
        Self { base: format!("/repos/alice/{}/actions", lab.repo), whose }
    }

    async fn org(lab: &Lab) -> Result<Self> {
        let name = format!("actions-{}", lab.number);
        lab.forge.post(&lab.alice().token, "/orgs", json!({"username": name})).await?;
        Ok(Self { base: format!("/orgs/{name}/actions"), whose: json!({"org": name}) })
    }

    fn with(&self, more: Value) -> Value {
        let objects = [&self.whose, &more].into_iter().filter_map(Value::as_object);
        Value::Object(objects.flat_map(Clone::clone).collect())
    }

    async fn get(&self, lab: &Lab, path: &str) -> Result<Value> {
        lab.forge.get(&lab.alice().token, &format!("{}{path}", self.base)).await
    }

    async fn secret(&self, lab: &Lab, name: &str) -> Result<()> {
        let path = format!("{}/secrets/{name}", self.base);
        lab.forge.put(&lab.alice().token, &path, json!({"data": VALUE, "description": "a key"})).await?;
        Ok(())
    }

    async fn variable(&self, lab: &Lab, name: &str) -> Result<()> {
        let path = format!("{}/variables/{name}", self.base);
        lab.forge.post(&lab.alice().token, &path, json!({"value": "one", "description": "a number"})).await?;
        Ok(())
    }
}

async fn list_secrets(lab: &Lab, place: Place) -> Result<()> {
    place.secret(lab, "TOKEN").await?;
    let list = lab.call(place.with(json!({}))).await?;
    assert_eq!(
        (&list["items"][0]["name"], &list["items"][0]["description"]),
        (&json!("TOKEN"), &json!("a key"))
    );
    ensure!(!list.to_string().contains(VALUE));
    Ok(())
}

async fn upsert_secret(lab: &Lab, place: Place) -> Result<()> {
    let new = json!({"name": "token", "data": VALUE, "description": "a key"});
    let mut dry = new.clone();
    dry["dry_run"] = true.into();
    let dry = lab.call(place.with(dry)).await?;
    assert_eq!((&dry["dry_run"], &dry["would"]["body"]["data"]), (&json!(true), &json!("***")), "{dry}");
    assert_eq!(place.get(lab, "/secrets").await?, json!([]));
    for _ in 0..2 {
        let made = lab.call(place.with(new.clone())).await?;
        assert_eq!(made["name"], "TOKEN");
        ensure!(!made.to_string().contains(VALUE), "{made}");
    }
    let there = place.get(lab, "/secrets").await?;
    assert_eq!((there.as_array().map(Vec::len), &there[0]["description"]), (Some(1), &json!("a key")));
    let error = lab.refused(place.with(json!({"name": "not a name", "data": VALUE}))).await?;
    ensure!(error["error"] == "VALIDATION_ERROR" && !error.to_string().contains(VALUE), "{error}");
    Ok(())
}

async fn delete_secret(lab: &Lab, place: Place) -> Result<()> {
    place.secret(lab, "TOKEN").await?;
    lab.call(place.with(json!({"name": "TOKEN"}))).await?;
    assert_eq!(place.get(lab, "/secrets").await?, json!([]));
    Ok(())
}

async fn list_variables(lab: &Lab, place: Place) -> Result<()> {
    place.variable(lab, "ONE").await?;
    let list = lab.call(place.with(json!({}))).await?;
    assert_eq!(list["items"], json!([{"name": "ONE", "value": "one", "description": "a number"}]));
    Ok(())
}

async fn get_variable(lab: &Lab, place: Place) -> Result<()> {
    place.variable(lab, "ONE").await?;
    assert_eq!(lab.call(place.with(json!({"name": "ONE"}))).await?["value"], "one");
    Ok(())
}

async fn create_variable(lab: &Lab, place: Place) -> Result<()> {
    let new = json!({"name": "ONE", "value": "two\nlines", "description": "d"});
    for _ in 0..2 {
        lab.call(place.with(new.clone())).await?;
    }
    let there = place.get(lab, "/variables/ONE").await?;
    assert_eq!((&there["data"], &there["description"]), (&json!("two\nlines"), &json!("d")));
    Ok(())
}

async fn update_variable(lab: &Lab, place: Place) -> Result<()> {
    place.variable(lab, "ONE").await?;
    let now = lab.call(place.with(json!({"name": "ONE", "value": "other"}))).await?;
    assert_eq!(now["value"], "other");
    let there = place.get(lab, "/variables/ONE").await?;
    assert_eq!((&there["data"], &there["description"]), (&json!("other"), &json!("a number")));
    Ok(())
}

async fn delete_variable(lab: &Lab, place: Place) -> Result<()> {
    place.variable(lab, "ONE").await?;
    lab.call(place.with(json!({"name": "ONE"}))).await?;
    assert_eq!(place.get(lab, "/variables").await?, json!([]));
    Ok(())
}

async fn list_repo_secrets(lab: &Lab) -> Result<()> {
    list_secrets(lab, Place::repo(lab)).await
}

async fn list_org_secrets(lab: &Lab) -> Result<()> {
    list_secrets(lab, Place::org(lab).await?).await
}

async fn upsert_repo_secret(lab: &Lab) -> Result<()> {
    upsert_secret(lab, Place::repo(lab)).await
}

async fn upsert_org_secret(lab: &Lab) -> Result<()> {
    let place = Place::org(lab).await?;
    let made = lab.call(place.with(json!({"name": "token", "data": VALUE}))).await?;
    ensure!(!made.to_string().contains(VALUE), "{made}");
    assert_eq!(place.get(lab, "/secrets").await?[0]["name"], "TOKEN");
    Ok(())
}

async fn delete_repo_secret(lab: &Lab) -> Result<()> {
    delete_secret(lab, Place::repo(lab)).await?;
    let error = lab.refused(json!({"name": "TOKEN"})).await?;
    assert_eq!(error["details"]["field"], "name", "{error}");
    Ok(())
}

async fn delete_org_secret(lab: &Lab) -> Result<()> {
    delete_secret(lab, Place::org(lab).await?).await
}

async fn list_repo_variables(lab: &Lab) -> Result<()> {
    list_variables(lab, Place::repo(lab)).await
}

async fn list_org_variables(lab: &Lab) -> Result<()> {
    list_variables(lab, Place::org(lab).await?).await
}

async fn get_repo_variable(lab: &Lab) -> Result<()> {
    get_variable(lab, Place::repo(lab)).await
}

async fn get_org_variable(lab: &Lab) -> Result<()> {
    get_variable(lab, Place::org(lab).await?).await
}

async fn create_repo_variable(lab: &Lab) -> Result<()> {
    create_variable(lab, Place::repo(lab)).await?;
    let error = lab.refused(json!({"name": "ONE", "value": "another"})).await?;
    assert_eq!(error["details"]["field"], "name", "{error}");
    Ok(())
}

async fn create_org_variable(lab: &Lab) -> Result<()> {
    create_variable(lab, Place::org(lab).await?).await
}

async fn update_repo_variable(lab: &Lab) -> Result<()> {
    update_variable(lab, Place::repo(lab)).await?;
    let error = lab.refused(json!({"name": "NONE", "value": "x"})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}

async fn update_org_variable(lab: &Lab) -> Result<()> {
    update_variable(lab, Place::org(lab).await?).await
}

async fn delete_repo_variable(lab: &Lab) -> Result<()> {
    delete_variable(lab, Place::repo(lab)).await?;
    let error = lab.refused(json!({"name": "ONE"})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}

async fn delete_org_variable(lab: &Lab) -> Result<()> {
    delete_variable(lab, Place::org(lab).await?).await
}
