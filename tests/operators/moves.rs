//! Addresses change, things stay.
