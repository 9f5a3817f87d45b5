//! The ownership texts by which a stack recognizes its resources.

use super::{Address, artifact::sha256_hex};

/// Tag key that carries the stack's name.
pub const STACK_TAG: &str = "akidb:stack";
/// Tag key that carries the address.
pub const ADDRESS_TAG: &str = "akidb:address";
/// Tag key that says of a thing with this stack's mark that it existed before: a lost journal does not make it deletable.
pub const ORIGIN_TAG: &str = "akidb:origin";
/// The value of [`ORIGIN_TAG`].
pub const IMPORTED: &str = "imported";
/// Metadata of an imported object, and the word in the mark of an imported thing without tags.
pub const IMPORTED_METADATA: &str = "akidb-origin";

/// The idempotency token of one generation of one resource: the same call twice makes one thing.
/// 32 hex digits of SHA-256 over stack, address and generation; fits the 64 characters of Route 53 references.
pub fn token(stack: &str, address: &Address, generation: u32) -> String {
    sha256_hex(format!("{stack}\n{address}\n{generation}").as_bytes())[..32].to_owned()
}

/// The mark for kinds without tags: a short sentence in a comment field.
pub fn comment(stack: &str, address: &Address) -> String {
    format!("akidb-edge {stack} {address}")
}

/// The text of a comment field with the mark behind it, in at most `limit` characters; none when the mark alone does
/// not fit. The mark is never cut: without it the thing would not be known again.
pub fn marked(stack: &str, address: &Address, text: &str, limit: usize) -> Option<String> {
    let mark = format!("({})", comment(stack, address));
    let room = limit.checked_sub(mark.chars().count())?;
    // One character of the room is the blank between them.
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    Some(if kept.is_empty() { mark } else { format!("{kept} {mark}") })
}
