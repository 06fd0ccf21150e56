//! Generates the services in `proto/`, and the descriptors that reflection shows. protox reads them, so that a build
//! needs no protoc.

use std::path::Path;

use prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo's word to a build script is no setting")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile([root.join("gantry/tool/v1/tool.proto")], [root])?;
    let file = Path::new(&std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?).join("descriptors.bin");
    std::fs::write(file, descriptors.encode_to_vec())?;
    // No connection of its own: whoever calls brings a channel.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names().type_name_domain(["."], "type.googleapis.com");
    tonic_prost_build::configure().build_transport(false).compile_fds_with_config(descriptors, config)?;
    Ok(())
}
