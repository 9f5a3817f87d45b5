pub mod change;
pub mod provider;
pub mod resource;
