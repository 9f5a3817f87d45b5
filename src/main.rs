//! Parse, run, exit code.

use std::process::ExitCode;

use akidb_edge::{cli, commands, exit};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| eprintln!("{}", exit::panic_words(panic))));
    let (cli, typed) = match cli::parse(std::env::args_os()) {
        Ok(read) => read,
        Err(said) => return ExitCode::from(commands::usage(&said)),
    };
    // Only tests ask for this, and only of a debug build: what is said then must hold no secret.
    assert!(!cfg!(debug_assertions) || std::env::var_os("AKIDB_EDGE_TEST_PANIC").is_none(), "a test asked for it");
    let level = if cli.global.verbose > 1 { "debug" } else { "error" };
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).without_time().init();
    // Two threads: the engine is one task, the other thread moves bytes and waits for the disk.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(bad) => {
            eprintln!("error: the runtime cannot start: {bad}");
            return ExitCode::from(exit::ERROR);
        }
    };
    let code = runtime.block_on(commands::run(cli, &typed));
    // What is still running (a question to an address that never answers) is not waited for.
    runtime.shutdown_background();
    ExitCode::from(code)
}
