//! Code generated from `proto/`.

/// The packages of `gantry`.
pub mod gantry {
    /// `gantry.tool`.
    pub mod tool {
        /// `gantry.tool.v1`: any tool over gRPC.
        #[expect(clippy::allow_attributes, reason = "generated")]
        pub mod v1 {
            tonic::include_proto!("gantry.tool.v1");
        }
    }
}

/// Every file of `proto/` and what they import, as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
