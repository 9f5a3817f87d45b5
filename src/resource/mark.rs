//! The marks by which a stack knows its own things again.

use super::{Address, artefact::sha256_hex};

/// Tag key that carries the stack's name.
pub const STACK_TAG: &str = "akidb:stack";
/// Tag key that carries the address.
pub const ADDRESS_TAG: &str = "akidb:address";

/// The idempotency token of one generation of one resource: the same call twice makes one thing.
/// 32 hex digits of SHA-256 over stack, address and generation; fits the 64 characters of Route 53 references.
pub fn token(stack: &str, address: &Address, generation: u32) -> String {
    sha256_hex(format!("{stack}\n{address}\n{generation}").as_bytes())[..32].to_owned()
}

/// The mark for kinds without tags: a short sentence in a comment field.
pub fn comment(stack: &str, address: &Address) -> String {
    format!("akidb-edge {stack} {address}")
}
