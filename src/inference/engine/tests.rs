//! An engine whose backend is held in the middle of a run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::inference::backend::{Backend, Output};
use crate::inference::batch::Batch;
use crate::inference::event::Silence;
use crate::inference::folder::{Arithmetic, Variant};

/// Answers at once until it is told to hang; then with the end of the channel.
struct Hanging {
    hangs: Arc<AtomicBool>,
    end: Receiver<()>,
}

impl Backend for Hanging {
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(Output<'_>)) -> Result<(), String> {
        if self.hangs.load(Ordering::Relaxed) {
            let _ = self.end.recv();
        }
        read(Output::Pooled(&vec![1.0; 8 * batch.rows]));
        Ok(())
    }
}

/// An engine with one worker, which hangs while the first is true and until the second is dropped.
fn hanging() -> (Engine, Arc<AtomicBool>, Sender<()>) {
    let (hangs, (begin, end)) = (Arc::new(AtomicBool::new(false)), channel());
    let each: Vec<Box<dyn Backend>> = vec![Box::new(Hanging { hangs: hangs.clone(), end })];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tiny");
    let settings = Settings {
        bounds: Bounds { wait: Duration::from_secs(60), tokens: 1 << 20 },
        batch_tokens: Some(512),
        candidates: &[64],
    };
    let sessions = Sessions { each, alone: None, arithmetic: Arithmetic::Exact, runs_on: "test".to_owned() };
    let folder = ModelFolder::open(&root, &Variant::Fp32.into()).unwrap();
    let engine = Engine::start("tiny", folder, "1".to_owned(), sessions, &settings, Arc::new(Silence)).unwrap();
    (engine, hangs, begin)
}

fn within(limit: Duration) -> Wish {
    Wish {
        normalise: true,
        truncate: false,
        side: None,
        prompt_name: None,
        dimensions: None,
        deadline: Instant::now() + limit,
    }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_worker_that_hangs_holds_nobody_beyond_the_requests_time() {
    let (engine, hangs, begin) = hanging();
    let ask = |limit| engine.embed(vec!["a text".to_owned()], within(limit));
    ask(LONG).await.expect("it works");
    hangs.store(true, Ordering::Relaxed);
    let fault = ask(Duration::from_secs(1)).await.expect_err("its worker hangs");
    assert_eq!(fault.code, Code::DeadlineExceeded, "{fault}");
    hangs.store(false, Ordering::Relaxed);
    drop(begin);
    ask(LONG).await.expect("it works again");
}

#[tokio::test]
async fn what_has_no_chance_is_refused_before_it_is_tokenised() {
    let (engine, hangs, begin) = hanging();
    // A tokeniser would find it too long.
    let endless = || vec!["a text ".repeat(1000)];
    engine.embed(vec!["a text ".repeat(3)], within(LONG)).await.expect("it works");
    let fault = engine.embed(endless(), within(LONG)).await.expect_err("it is too long");
    assert_eq!(fault.code, Code::InputTooLong, "{fault}");
    hangs.store(true, Ordering::Relaxed);
    let held = engine.embed(vec!["a text".to_owned()], within(LONG));
    let beside = async {
        while engine.depth().busy == 0 {
            tokio::task::yield_now().await;
        }
        let fault = engine.embed(endless(), within(Duration::ZERO)).await.expect_err("there is no time");
        drop(begin);
        fault
    };
    let (held, fault) = tokio::join!(held, beside);
    held.expect("it was admitted");
    assert_eq!(fault.code, Code::Overloaded, "{fault}");
}
