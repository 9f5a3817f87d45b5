//! Names: what others keep in a zone is theirs, and spellings make no difference.
