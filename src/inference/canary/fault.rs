//! Why a canary is not accepted, or does not match.

use std::io;

/// Why `canary.json` cannot be used, or what is wrong with the vector of its text.
#[derive(Debug, thiserror::Error)]
pub enum CanaryFault {
    /// The system does not give the file.
    #[error("{0}")]
    Unread(#[from] io::Error),
    /// The file is not what its maker is to write.
    #[error("not as expected: {0}")]
    Format(#[from] serde_json::Error),
    /// The vector in the file is a text, and not one in base64.
    #[error("its vector is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The bytes of the vector in the file are not those of 32-bit floats.
    #[error("its vector has {bytes} bytes, which are not a row of 32-bit floats")]
    Floats {
        /// How many there are.
        bytes: usize,
    },
    /// The vector in the file has another length than those of the model.
    #[error("its vector has {found} numbers, but those of the model have {wanted}")]
    Length {
        /// Numbers in the file.
        found: usize,
        /// Numbers of the model's vectors.
        wanted: usize,
    },
    /// The model gives numbers that are not finite.
    #[error("the model returns NaN or infinity for a plain text")]
    NotFinite,
    /// The model gives zeros alone.
    #[error("the model returns zeros for a plain text")]
    Zeros,
    /// The model gives another vector than the file has.
    #[error("the vector of its text has a cosine of {found:.4} to the one in the file; at least {wanted} is required")]
    Expected {
        /// How alike they are.
        found: f32,
        /// How alike they have to be.
        wanted: f32,
    },
    /// The model gives another vector than at load.
    #[error("the canary's vector has a cosine of {found:.4} to the one at load; at least {wanted} is required")]
    Changed {
        /// How alike they are.
        found: f32,
        /// How alike they have to be.
        wanted: f32,
    },
}
