use super::*;
use crate::inference::ticket::PendingResult;

const BOUNDS: QueueBounds = QueueBounds { wait: Duration::from_secs(10), tokens: 100_000 };
const BUDGET: BatchBudget = BatchBudget { tokens: 64, rows: usize::MAX, overhead: 8 };

fn queue() -> Queue {
    Queue::new(BOUNDS, BUDGET, 1, 1000.0)
}

/// Puts a request of texts with these lengths in.
fn put(queue: &Queue, lengths: &[usize], limit: Duration) -> Result<PendingResult, EmbedFault> {
    let (ticket, waiting) = Ticket::open(lengths.len());
    let now = Instant::now();
    let deadline = now + limit;
    let item = |(place, length): (usize, &usize)| QueueItem {
        ids: vec![1; *length].into(),
        prompt: 0,
        wanted: RequestedVectors::Pooled,
        place,
        ticket: ticket.clone(),
        since: now,
        deadline,
    };
    queue.put(lengths.iter().enumerate().map(item).collect(), deadline)?;
    Ok(waiting)
}

/// A worker has run a text of five tokens.
fn done(queue: &Queue) {
    let run = BatchTimes { rows: 1, took: Duration::from_millis(1), all_cores: false };
    queue.done(&QueuedTokens::of(std::iter::once(5)), Some(run));
}

const LONG: Duration = Duration::from_secs(60);

fn lengths(work: &QueuedBatch) -> Vec<usize> {
    work.items.iter().map(|item| item.ids.len()).collect()
}

#[test]
fn like_lengths_share_a_batch_within_the_budget() {
    let queue = queue();
    let _first = put(&queue, &[10, 50, 10, 11, 9, 10], LONG).unwrap();
    assert_eq!(lengths(&queue.take().unwrap()), [9, 10, 10, 10, 11], "50 would pad the others");
    let last = queue.take().unwrap();
    assert_eq!((lengths(&last), last.alone), (vec![50], false));
    assert_eq!(queue.depth(), QueueDepth { texts: 0, tokens: 0, busy: 2 });
}

#[test]
fn a_batch_is_no_larger_than_the_time_of_its_texts_allows() {
    // Ten tokens a second: 2.5 s are 25 tokens, and this test has half a second before they are fewer than 20.
    let queue = Queue::new(BOUNDS, BUDGET, 1, 10.0);
    let _hurried = put(&queue, &[10], Duration::from_millis(2500)).unwrap();
    let _others = put(&queue, &[10; 5], LONG).unwrap();
    assert_eq!(lengths(&queue.take().unwrap()), [10, 10]);
    assert_eq!(lengths(&queue.take().unwrap()), [10, 10, 10, 10]);
}

#[test]
fn a_text_that_one_worker_cannot_run_in_time_is_refused_when_others_are_there() {
    let queue = Queue::new(BOUNDS, BUDGET, 4, 400.0);
    let limit = Duration::from_millis(1500);
    let _alone = put(&queue, &[200], limit).expect("alone it may have all cores: 500 ms");
    let fault = put(&queue, &[200], limit).expect_err("one worker needs 2 s for it");
    assert_eq!(fault.code, ErrorCode::Overloaded);
    put(&queue, &[10; 20], limit).expect("four workers share these");
}

#[test]
fn a_single_text_does_not_wait_for_a_large_request() {
    let queue = queue();
    let _bulk = put(&queue, &[60; 100], LONG).unwrap();
    let _single = put(&queue, &[60], LONG).unwrap();
    let positions: Vec<usize> = (0..101).filter(|_| queue.take().unwrap().items[0].ticket.same_count(1)).collect();
    assert_eq!(positions, [1], "behind what ran already, before the rest");
}

#[test]
fn a_request_that_would_come_too_late_is_refused_with_the_time_to_wait() {
    let queue = queue();
    let _bulk = put(&queue, &[100; 90], LONG).unwrap();
    let _second =
        put(&queue, &[100; 90], Duration::from_millis(1)).expect_err("9,000 tokens at 1,000 a second are before it");
    let fault = put(&queue, &[100; 2], Duration::from_secs(0)).expect_err("no time at all");
    assert_eq!(fault.code, ErrorCode::Overloaded);
    assert_eq!(fault.retry_after, Some(Duration::from_secs(9)));
}

#[test]
fn a_slow_machine_is_kept_busy() {
    // A token a second: whatever waits, waits longer than it may.
    let bounds = QueueBounds { wait: Duration::from_millis(400), ..BOUNDS };
    let queue = Queue::new(bounds, BUDGET, 2, 1.0);
    let far = Duration::from_secs(3600);
    let _running: Vec<_> = (0..2).map(|_| (put(&queue, &[60], far).unwrap(), queue.take().unwrap())).collect();
    let admitted = (0..20).filter_map(|_| put(&queue, &[60], far).ok()).collect::<Vec<_>>().len();
    // Two batches of 64 tokens for each of two workers, and the one with which they are more.
    assert_eq!(admitted, 5);
    assert_eq!(
        put(&queue, &[1], Duration::from_secs(30)).expect_err("its own time counts").code,
        ErrorCode::Overloaded
    );
}

#[test]
fn a_guess_refuses_what_has_no_chance_and_only_while_all_are_busy() {
    let queue = queue();
    let soon = || Instant::now() + Duration::from_secs(5);
    queue.check_deadline([10_000].into_iter(), soon()).expect("a worker is free: whoever has counted decides");
    let _first = put(&queue, &[60, 60], LONG).unwrap();
    let _running = queue.take().unwrap();
    queue.check_deadline([1000].into_iter(), soon()).expect("0.1 s wait, and it takes one");
    let fault = queue.check_deadline([6000].into_iter(), soon()).expect_err("it takes six");
    assert_eq!(fault.code, ErrorCode::Overloaded);
    let depth = queue.depth();
    assert_eq!((depth.texts, depth.tokens), (1, 60), "nothing came in");
}

#[test]
fn a_request_larger_than_its_time_is_told_so() {
    let fault = put(&queue(), &[1000], Duration::from_millis(100)).expect_err("a second of work");
    assert_eq!((fault.code, fault.retry_after), (ErrorCode::DeadlineExceeded, None), "waiting does not help");
    assert!(fault.message.contains("1.0 s"), "{fault}");
}

#[test]
fn an_idle_server_takes_what_an_estimate_alone_speaks_against() {
    let queue = queue();
    // Short queries, slowly: they say nothing of a queue of long texts.
    for _ in 0..4000 {
        let _one = put(&queue, &[10], LONG).unwrap();
        let work = queue.take().unwrap();
        let run = BatchTimes { rows: 1, took: Duration::from_secs(1), all_cores: false };
        queue.done(&work.load, Some(run));
    }
    // At a thousand tokens a second it would take four times as long as it may: whoever has never run it does not know.
    let _bulk = put(&queue, &[252; 500], Duration::from_secs(30)).expect("nothing else is there");
    let fault = put(&queue, &[252; 500], Duration::from_secs(30)).expect_err("now there is");
    assert_eq!(fault.code, ErrorCode::Overloaded);
    assert!(fault.retry_after.unwrap() > Duration::from_secs(60), "{fault:?}");
}

#[test]
fn a_batch_that_could_not_be_run_leaves_nothing_behind() {
    let queue = queue();
    let _first = put(&queue, &[40, 40], LONG).unwrap();
    let work = queue.take().unwrap();
    let speed = queue.speed();
    queue.done(&work.load, None);
    let _rest = queue.take().unwrap();
    queue.done(&work.load, None);
    assert_eq!((queue.depth(), queue.speed()), (QueueDepth::default(), speed));
    assert_eq!(queue.wait(), Duration::ZERO);
}

#[test]
fn nobody_s_texts_are_skipped() {
    let queue = queue();
    drop(put(&queue, &[5, 5], LONG).unwrap());
    let _kept = put(&queue, &[7], LONG).unwrap();
    let work = queue.take().unwrap();
    assert_eq!((lengths(&work), work.skipped), (vec![7], 2));
}

#[tokio::test]
async fn a_text_whose_time_ran_out_is_answered_with_that() {
    let queue = queue();
    let late = put(&queue, &[5], Duration::from_millis(300)).unwrap();
    tokio::time::sleep(Duration::from_millis(350)).await;
    let _other = put(&queue, &[6], LONG).unwrap();
    assert_eq!(lengths(&queue.take().unwrap()), [6]);
    assert_eq!(late.answer().await.unwrap_err().code, ErrorCode::DeadlineExceeded);
}

#[test]
fn a_stopped_queue_gives_what_it_has_and_takes_nothing() {
    let queue = queue();
    let _kept = put(&queue, &[5], LONG).unwrap();
    queue.stop();
    assert_eq!(put(&queue, &[5], LONG).unwrap_err().code, ErrorCode::ShuttingDown);
    assert_eq!(lengths(&queue.take().unwrap()), [5]);
    assert!(queue.take().is_none());
}

#[tokio::test]
async fn a_request_is_alone_when_none_was_beside_another_for_a_while() {
    let queue = queue();
    let _first = put(&queue, &[5], LONG).unwrap();
    assert!(queue.take().unwrap().alone);
    let crowded = Instant::now();
    let _beside = put(&queue, &[5], LONG).unwrap();
    assert!(!queue.take().unwrap().alone, "the first one still runs");
    done(&queue);
    done(&queue);
    let _soon = put(&queue, &[5], LONG).unwrap();
    let alone = queue.take().unwrap().alone;
    // On a busy machine that moment may have passed.
    assert!(!alone || crowded.elapsed() >= CALM, "two were there a moment ago");
    done(&queue);
    tokio::time::sleep(CALM * 2).await;
    let _later = put(&queue, &[5], LONG).unwrap();
    assert!(queue.take().unwrap().alone);
}

#[test]
fn a_text_that_must_be_alone_is_alone() {
    let queue = Queue::new(BOUNDS, BatchBudget { rows: 1, ..BUDGET }, 1, 1000.0);
    let _waiting = put(&queue, &[5, 5, 5], Duration::from_secs(60)).unwrap();
    for _ in 0..3 {
        assert_eq!(queue.take().unwrap().items.len(), 1);
    }
}
