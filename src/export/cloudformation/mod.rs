//! CloudFormation.
use super::Export;
use crate::resource::Remembered;
/// X.
pub fn export(_state: &Remembered) -> Export {
    Export::default()
}
