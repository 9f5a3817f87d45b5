//! Buckets, roles, functions: unset, foreign data, rollback.
