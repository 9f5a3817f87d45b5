pub mod change;
pub mod execute;
pub mod ledger;
pub mod observe;
pub mod plan;
pub mod provider;
pub mod resource;
