pub mod change;
pub mod check;
pub mod provider;
pub mod resource;
