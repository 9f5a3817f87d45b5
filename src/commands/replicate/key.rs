//! `replicate key`: a new key pair.

use std::path::PathBuf;

use crate::commands::{Context, write_private};
use crate::exit::{self, Failure, codes};
use crate::replica::SigningKey;
use crate::resource::shown;

/// Write a new key pair: the primary signs with it, readers verify with its public part.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File for the private key; the public key goes to FILE.pub. Existing files are never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes it.
///
/// # Errors
/// A file is there already, or cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let mut public = args.out.clone().into_os_string();
    public.push(".pub");
    let public = PathBuf::from(public);
    for file in [&args.out, &public] {
        if file.symlink_metadata().is_ok() {
            return Err(
                codes::ARGUMENT.refused(shown!("{} is there already", file.display()), "name another file with --out")
            );
        }
    }
    let failed =
        |bad: crate::replica::trust::KeyFault| codes::REPLICA.error(shown!("{}", bad), "run the same command again");
    let text = SigningKey::generate().map_err(failed)?;
    let key = SigningKey::from_pem(&text).map_err(failed)?;
    write_private(&args.out, text.as_bytes())?;
    std::fs::write(&public, key.public().to_pem())?;
    context.printer.data(shown!(
        "wrote {} (keep it on the primary alone) and {}",
        args.out.display(),
        public.display()
    ));
    Ok(exit::DONE)
}
