//! Volumes: the new container gets the very volumes of the old one, also those that have no name of their own.

use serde_json::{Map, Value, json};

/// Names every volume that the host configuration does not name: of `VOLUME`, of `-v /path`, of
/// `--mount type=volume` without a source and of `--volumes-from`. The engine would make empty ones.
pub(super) fn reattach(host: &mut Map<String, Value>, mounted: &[Value]) {
    let bound: Vec<String> =
        list(host.get("Binds")).iter().filter_map(Value::as_str).filter_map(target).collect();
    // A bind of a path alone asks for a volume without a name; it gets the one it has.
    if let Some(Value::Array(binds)) = host.get_mut("Binds") {
        binds.retain(|bind| bind.as_str().and_then(target).is_some());
    }
    let mut mounts = list(host.get("Mounts")).to_vec();
    for volume in mounted.iter().filter(|mount| mount["Type"] == "volume") {
        let (Some(name), Some(path)) = (volume["Name"].as_str(), volume["Destination"].as_str()) else {
            continue;
        };
        if bound.iter().any(|bound| bound == clean(path)) {
            continue;
        }
        match mounts.iter_mut().find(|mount| mount["Target"].as_str().map(clean) == Some(clean(path))) {
            Some(mount) => name_source(mount, name),
            None => mounts.push(json!({
                "Type": "volume",
                "Source": name,
                "Target": path,
                "ReadOnly": volume["RW"] == false,
                "VolumeOptions": {"NoCopy": true},
            })),
        }
    }
    if !mounts.is_empty() {
        host.insert("Mounts".into(), mounts.into());
    }
}

/// A volume that was once filled from the image must not be filled again when it has become empty.
fn name_source(mount: &mut Value, name: &str) {
    let anonymous = mount["Type"] == "volume" && mount["Source"].as_str().is_none_or(str::is_empty);
    if anonymous {
        mount["Source"] = name.into();
        if !mount["VolumeOptions"].is_object() {
            mount["VolumeOptions"] = json!({});
        }
        mount["VolumeOptions"]["NoCopy"] = true.into();
    }
}

fn target(bind: &str) -> Option<String> {
    bind.split(':').nth(1).map(|path| clean(path).to_owned())
}

fn clean(path: &str) -> &str {
    if path.len() > 1 { path.trim_end_matches('/') } else { path }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
