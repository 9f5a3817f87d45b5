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
    if commands::complete::answer() {
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|panic| report::say(exit::panic_words(panic))));
    let (cli, typed) = match cli::parse(std::env::args_os()) {
        Ok(read) => read,
        Err(said) => return ExitCode::from(delivered(commands::usage(said))),
    };
    // Only tests ask for this, and only of a debug build: what is said then must hold no secret.
    assert!(!cfg!(debug_assertions) || std::env::var_os("AKIDB_EDGE_TEST_PANIC").is_none(), "a test asked for it");
    no_core_dumps();
    // -vv: the lines that the providers write for each request, as they are; -vvv: what the libraries say, too.
    let (level, plain) = match cli.global.verbose {
        0 | 1 => ("error", false),
        2 => ("error,akidb_edge::requests=debug", true),
        _ => ("debug", false),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_ansi(false)
        .with_level(!plain)
        .with_target(!plain)
        .with_writer(report::DebugLog::default)
        .without_time();
    // A closed stream ends the talk, never the work.
    log.log_internal_errors(false).init();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads(cores)).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(bad) => {
            report::say(exit::cannot_start(&bad));
            return ExitCode::from(exit::ERROR);
        }
    };
    let code = runtime.block_on(commands::run(cli, &typed));
    // What is still running (a question to an address that never answers) is not waited for.
    runtime.shutdown_background();
    ExitCode::from(delivered(code))
}

/// How many threads run tasks on a machine with so many cores. For a deploy two are enough: the engine is one task, the
/// other thread moves bytes and waits for the disk. `serve` reads HTTP and JSON on them and makes the tokens of short texts;
/// half of the cores is enough for that, since they mostly wait for a model, whose workers have a thread for each core.
fn threads(cores: usize) -> usize {
    (cores / 2).clamp(2, 16)
}

/// The memory holds keys, passwords and texts of clients: it is in no core dump. A limit alone does not hold for a kernel that pipes
/// dumps into a program (`core_pattern`, core(5)).
fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Neither can fail for a process's own; without them nothing else is different.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// The exit code, once it is clear that what was printed has arrived: half a document is not success.
fn delivered(code: u8) -> u8 {
    let Some(why) = report::lost() else { return code };
    report::say(exit::output_lost(why));
    exit::ERROR
}

#[cfg(test)]
mod tests {
    use super::threads;

    #[test]
    fn threads_are_half_of_the_cores_within_bounds() {
        for (cores, wanted) in [(1, 2), (2, 2), (4, 2), (5, 2), (6, 3), (16, 8), (32, 16), (128, 16)] {
            assert_eq!(threads(cores), wanted, "{cores} cores");
        }
    }
}
