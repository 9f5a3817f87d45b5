//! Parse, run, exit code.

// They end the process when nobody reads: `report::put` and `report::say` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use akidb_edge::{cli, commands, exit, report};

/// Memory that a burst of requests needed goes back to the system. What the C library's malloc is asked for, by ONNX Runtime,
/// comes from here, too.
#[cfg(feature = "serve")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| report::say(&exit::panic_words(panic))));
    let (cli, typed) = match cli::parse(std::env::args_os()) {
        Ok(read) => read,
        Err(said) => return ExitCode::from(commands::usage(&said)),
    };
    // Only tests ask for this, and only of a debug build: what is said then must hold no secret.
    assert!(!cfg!(debug_assertions) || std::env::var_os("AKIDB_EDGE_TEST_PANIC").is_none(), "a test asked for it");
    let level = if cli.global.verbose > 1 { "debug" } else { "error" };
    let log = tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_ansi(false)
        .with_writer(report::Log::default)
        .without_time();
    // A closed stream ends the talk, never the work.
    log.log_internal_errors(false).init();
    // Two threads: the engine is one task, the other thread moves bytes and waits for the disk.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(bad) => {
            report::say(&format!("error: the runtime cannot start: {bad}"));
            return ExitCode::from(exit::ERROR);
        }
    };
    let code = runtime.block_on(commands::run(cli, &typed));
    // What is still running (a question to an address that never answers) is not waited for.
    runtime.shutdown_background();
    ExitCode::from(delivered(code))
}

/// The exit code, once it is clear that what was printed has arrived: half a document is no success.
fn delivered(code: u8) -> u8 {
    let Some(why) = report::lost() else { return code };
    report::say(&format!(
        "error: standard output could not be written: {why}\n  next: free space there, or write elsewhere"
    ));
    exit::ERROR
}
