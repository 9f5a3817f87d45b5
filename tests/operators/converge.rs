//! A second run changes nothing, however the service writes what it was given.
