//! Turns the gRPC interface into code, for builds with the embedding server. Needs no `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "serve")]
    interface()?;
    Ok(())
}

#[cfg(feature = "serve")]
fn interface() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    // With the comments: clients that ask the reflection service can show them.
    compiler.include_source_info(true).open_file("akidb/embedding/v1/embedding.proto")?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("embedding.binpb"), compiler.encode_file_descriptor_set())?;
    // What it generates is named after the package; `bytes` fields are handed on without a copy, and texts are counted first.
    let builder = tonic_prost_build::configure().bytes(".").codec_path("crate::serve::grpc::codec::BoundedCodec");
    builder.compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
