use std::time::Duration;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn old() -> Container {
    Container(json!({
        "Id": ID,
        "Name": "/web",
        "State": {"Running": true},
        "Config": {
            "Hostname": "0123456789ab",
            "Env": ["A=1"],
            "Image": "shop:1",
            "Labels": {"app": "shop", "io.gantry.replace.old": "earlier"},
            "FutureField": {"kept": true},
        },
        "HostConfig": {
            "NetworkMode": "front",
            "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
            "Binds": ["named:/data:rw", "/etc/conf:/conf:ro"],
            "Mounts": [{"Type": "volume", "Target": "/cache/"}, {"Type": "tmpfs", "Target": "/scratch"}],
            "Links": ["/db:/web/database"],
            "Memory": 67108864,
            "FutureLimit": 5,
        },
        "Mounts": [
            {"Type": "volume", "Name": "named", "Destination": "/data", "RW": true},
            {"Type": "bind", "Source": "/etc/conf", "Destination": "/conf", "RW": false},
            {"Type": "volume", "Name": "anon1", "Destination": "/cache", "RW": true},
            {"Type": "volume", "Name": "anon2", "Destination": "/var/lib", "RW": false},
        ],
        "NetworkSettings": {"Networks": {
            "front": {
                "NetworkID": "f", "EndpointID": "e", "IPAddress": "10.9.0.7", "MacAddress": "02:42:0a:09:00:07",
                "IPAMConfig": {"IPv4Address": "10.9.0.7"}, "Aliases": ["www", "0123456789ab"], "FutureOption": 1,
            },
            "back": {"NetworkID": "b", "IPAddress": "10.8.0.2", "MacAddress": "aa:bb:cc:00:00:01", "Aliases": null},
        }},
    }))
}

fn copy(old: &Container, many_networks: bool) -> Copy {
    let context =
        Context { env: vec!["A=2".into()], image: "shop:1", image_config: &Value::Null, many_networks };
    of(old, &Journal::new(old, 0, Duration::ZERO), context)
}

#[test]
fn fields_nobody_here_knows_survive() {
    let copy = copy(&old(), false);
    assert_eq!(copy.body["FutureField"], json!({"kept": true}));
    assert_eq!(copy.body["HostConfig"]["FutureLimit"], 5);
    assert_eq!(copy.body["HostConfig"]["Memory"], 67_108_864);
    assert_eq!(copy.body["NetworkingConfig"]["EndpointsConfig"]["front"]["FutureOption"], 1);
    assert_eq!(copy.body["Env"], json!(["A=2"]));
}

#[test]
fn what_the_engine_made_up_does_not() {
    let copy = copy(&old(), false);
    assert_eq!(copy.body.get("Hostname"), None);
    let front = &copy.body["NetworkingConfig"]["EndpointsConfig"]["front"];
    assert_eq!(
        *front,
        json!({"IPAMConfig": {"IPv4Address": "10.9.0.7"}, "Aliases": ["www"], "FutureOption": 1})
    );
    assert_eq!(copy.body["HostConfig"]["Links"], json!(["db:database"]));
}

#[test]
fn a_chosen_host_name_stays_and_a_borrowed_one_goes() {
    let mut chosen = old();
    chosen.0["Config"]["Hostname"] = "shop".into();
    assert_eq!(copy(&chosen, false).body["Hostname"], "shop");
    chosen.0["HostConfig"]["NetworkMode"] = format!("container:{ID}").into();
    assert_eq!(copy(&chosen, false).body.get("Hostname"), None);
}

#[test]
fn in_another_ones_network_no_ports_are_asked_for() {
    let mut old = old();
    old.0["Config"]["ExposedPorts"] = json!({"80/tcp": {}});
    assert_eq!(copy(&old, false).body["ExposedPorts"], json!({"80/tcp": {}}));
    old.0["HostConfig"]["NetworkMode"] = "container:abc".into();
    assert_eq!(copy(&old, false).body.get("ExposedPorts"), None);
}

#[test]
fn a_bind_of_a_path_alone_becomes_the_volume_it_made() {
    let mut old = old();
    old.0["HostConfig"]["Binds"] = json!(["named:/data:rw", "/cache"]);
    let copy = copy(&old, false);
    assert_eq!(copy.body["HostConfig"]["Binds"], json!(["named:/data:rw"]));
    assert_eq!(copy.body["HostConfig"]["Mounts"][0]["Source"], "anon1");
}

#[test]
fn volumes_without_a_name_are_reattached_by_the_one_they_have() {
    let mounts = copy(&old(), false).body["HostConfig"]["Mounts"].clone();
    let anonymous = |source: &str, target: &str, read_only: bool| json!({"Type": "volume", "Source": source, "Target": target, "ReadOnly": read_only, "VolumeOptions": {"NoCopy": true}});
    assert_eq!(
        mounts,
        json!([
            {"Type": "volume", "Target": "/cache/", "Source": "anon1", "VolumeOptions": {"NoCopy": true}},
            {"Type": "tmpfs", "Target": "/scratch"},
            anonymous("anon2", "/var/lib", true),
        ])
    );
}

#[test]
fn one_network_at_create_and_the_others_later_before_1_44() {
    let one = copy(&old(), false);
    assert_eq!(one.body["NetworkingConfig"]["EndpointsConfig"].as_object().unwrap().len(), 1);
    assert_eq!(one.later, [("back".to_owned(), json!({"Aliases": null}))]);
    let many = copy(&old(), true);
    let endpoints = &many.body["NetworkingConfig"]["EndpointsConfig"];
    assert_eq!(endpoints["back"]["MacAddress"], "aa:bb:cc:00:00:01");
    assert_eq!(endpoints["front"].get("MacAddress"), None, "made from the address");
    assert!(many.later.is_empty());
}

#[test]
fn the_network_of_the_mode_may_be_named_by_id_or_be_none() {
    let mut by_id = old();
    by_id.0["HostConfig"]["NetworkMode"] = "bbbbbbbbbbbbbbbb".into();
    by_id.0["NetworkSettings"]["Networks"]["back"]["NetworkID"] = "bbbbbbbbbbbbbbbb".into();
    assert_eq!(copy(&by_id, false).later[0].0, "front");
    for mode in ["host", "none"] {
        let mut bare = old();
        bare.0["HostConfig"]["NetworkMode"] = mode.into();
        bare.0["NetworkSettings"]["Networks"] = json!({mode: {"NetworkID": "x"}});
        let copy = copy(&bare, false);
        assert_eq!((copy.body.get("NetworkingConfig"), copy.later.len()), (None, 0));
    }
}

#[test]
fn a_reset_entry_point_does_not_come_back_from_the_image() {
    let image = json!({"Config": {"Entrypoint": ["/entry"]}});
    let (old, env) = (old(), Vec::new());
    let context = Context { env, image: "x", image_config: &image, many_networks: false };
    assert_eq!(of(&old, &Journal::new(&old, 0, Duration::ZERO), context).body["Entrypoint"], json!([""]));
}

#[test]
fn the_journal_takes_the_place_of_an_earlier_one() {
    let labels = copy(&old(), false).body["Labels"].clone();
    assert_eq!(labels["app"], "shop");
    assert_eq!(labels["io.gantry.replace.old"], ID);
    assert_eq!(labels.as_object().unwrap().len(), 6);
}

#[test]
fn the_platform_is_kept_where_the_engine_tells_it() {
    let mut arm = old();
    assert_eq!(copy(&arm, true).platform, None);
    arm.0["ImageManifestDescriptor"] =
        json!({"platform": {"os": "linux", "architecture": "arm", "variant": "v7"}});
    assert_eq!(copy(&arm, true).platform.as_deref(), Some("linux/arm/v7"));
}
