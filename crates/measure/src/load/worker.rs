//! One thread that sends requests: a clock, seats, and a line for requests that are due while no seat is free.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::LocalOptions;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::clock::Alarm;
use crate::failure::{ConnectionFailure, FailureKind};
use crate::latencies::BadHistogram;
use crate::recording::Recording;

use super::control::Control;
use super::recorder::{Outcome, Recorder};
use super::schedule::Schedule;
use super::send_slot::{SendSlot, Shared};
use super::{Load, Model};

/// How long the clock sleeps at most before it asks whether it is to stop.
const NAP: Duration = Duration::from_millis(100);
/// How long a seat of the closed loop waits after it found no connection, so that a dead server is not flooded.
const PAUSE: Duration = Duration::from_millis(10);

/// What one worker has to do.
pub(super) struct Plan {
    pub client: Arc<Client>,
    pub load: Load,
    pub schedule: Schedule,
    /// How many connections this one has.
    pub connections: u32,
    pub recorder: Recorder,
    pub started_ms: i64,
    pub control: Control,
    /// Nobody waits for the result any more.
    pub abandoned: Arc<AtomicBool>,
}

/// A worker that could not work to the end.
#[derive(Debug, thiserror::Error)]
pub enum BadWorker {
    /// No runtime, thread or timer.
    #[error("a worker could not start: {0}")]
    Start(#[from] io::Error),
    /// A histogram could not be written.
    #[error(transparent)]
    Histogram(#[from] BadHistogram),
}

/// A seat that waits for a request.
struct Waiting {
    number: RefCell<Option<u64>>,
    woken: Notify,
}

/// The line of one worker: numbers from `first` to `due` are due and not sent. Nobody waits while there is a line.
struct Line {
    first: u64,
    due: u64,
    idle: Vec<Rc<Waiting>>,
    closed: bool,
}

struct Worker {
    client: Arc<Client>,
    load: Load,
    schedule: Schedule,
    recorder: RefCell<Recorder>,
    line: RefCell<Line>,
    /// Requests that the closed loop has left.
    left: RefCell<u64>,
    control: Control,
    abandoned: Arc<AtomicBool>,
}

/// Works to the end, on this thread.
pub(super) fn work(plan: Plan) -> Result<Recording, BadWorker> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let (connections, started_ms, end) = (plan.connections, plan.started_ms, plan.schedule.end());
    let worker = Rc::new(Worker {
        left: RefCell::new(plan.schedule.quota()),
        client: plan.client,
        load: plan.load,
        schedule: plan.schedule,
        recorder: RefCell::new(plan.recorder),
        line: RefCell::new(Line { first: 0, due: 0, idle: Vec::new(), closed: false }),
        control: plan.control,
        abandoned: plan.abandoned,
    });
    runtime.block_on(Rc::clone(&worker).whole(connections))?;
    drop(runtime);
    let stopped = worker.control.is_stopped();
    match Rc::try_unwrap(worker) {
        Ok(worker) => Ok(worker.recorder.into_inner().finish(started_ms, end, stopped)?),
        // Every task ended before the runtime did.
        Err(_) => Err(io::Error::other("a task of the worker goes on").into()),
    }
}

impl Worker {
    async fn whole(self: Rc<Self>, connections: u32) -> io::Result<()> {
        let mut seats = JoinSet::new();
        match self.load.model {
            Model::Open { .. } | Model::Bursts { .. } => self.open_model(&mut seats, connections).await?,
            Model::Closed => {
                // All workers begin together.
                Alarm::new()?.until(self.schedule.start()).await?;
                let (shared, streams) = (self.connections(connections), self.load.streams);
                for number in 0..connections * streams {
                    let seat = SendSlot::new(shared.get((number / streams) as usize).cloned(), self.load.reuse);
                    seats.spawn_local(Rc::clone(&self).loop_closed(seat));
                }
            }
        }
        while seats.join_next().await.is_some() {}
        self.never_sent();
        Ok(())
    }

    /// The connections that several streams share; none with HTTP/1.1.
    fn connections(&self, count: u32) -> Vec<Shared> {
        let count = if self.client.is_http2() { count } else { 0 };
        (0..count).map(|_| Rc::new(Mutex::new(None))).collect()
    }

    fn is_stopped(&self) -> bool {
        self.control.is_stopped() || self.abandoned.load(Ordering::Relaxed)
    }

    async fn open_model(self: &Rc<Self>, seats: &mut JoinSet<()>, connections: u32) -> io::Result<()> {
        let (shared, streams) = (self.connections(connections), self.load.streams);
        let most = connections as usize * streams as usize;
        let mut alarm = Alarm::new()?;
        let mut number = 0;
        'clock: while let Some(due) = self.schedule.due(number) {
            while Instant::now() < due {
                if self.is_stopped() {
                    break 'clock;
                }
                alarm.until(due.min(Instant::now() + NAP)).await?;
            }
            if self.is_stopped() {
                break;
            }
            number += 1;
            self.control.count_due();
            let waiting = {
                let mut line = self.line.borrow_mut();
                line.due = number;
                let waiting = line.idle.pop();
                if waiting.is_some() || seats.len() < most {
                    line.first = number;
                }
                waiting
            };
            if let Some(waiting) = waiting {
                waiting.number.replace(Some(number - 1));
                waiting.woken.notify_one();
            } else if seats.len() < most {
                let seat = SendSlot::new(shared.get(seats.len() / streams as usize).cloned(), self.load.reuse);
                seats.spawn_local(Rc::clone(self).loop_open(seat, number - 1));
            }
        }
        let idle = {
            let mut line = self.line.borrow_mut();
            line.closed = true;
            std::mem::take(&mut line.idle)
        };
        idle.iter().for_each(|waiting| waiting.woken.notify_one());
        Ok(())
    }

    async fn loop_open(self: Rc<Self>, mut seat: SendSlot, first: u64) {
        let waiting = Rc::new(Waiting { number: RefCell::new(None), woken: Notify::new() });
        let (mut number, mut was_free) = (first, true);
        loop {
            // A number is dealt out only when it is due.
            let due = self.schedule.due(number).unwrap_or_else(Instant::now);
            if was_free {
                self.recorder.borrow_mut().late(due, due.elapsed());
            }
            self.one(&mut seat, due).await;
            match self.next_in_line() {
                Some(next) => (number, was_free) = (next, false),
                None => {
                    if self.line.borrow().closed {
                        return;
                    }
                    self.line.borrow_mut().idle.push(Rc::clone(&waiting));
                    waiting.woken.notified().await;
                    let Some(next) = waiting.number.take() else { return };
                    (number, was_free) = (next, true);
                }
            }
        }
    }

    /// The request that waited longest; none when it is too late for all of them.
    fn next_in_line(&self) -> Option<u64> {
        let mut line = self.line.borrow_mut();
        let last = self.schedule.due(line.due.saturating_sub(1))?;
        let too_late = line.closed && last.elapsed() > self.load.timeout;
        if line.first >= line.due || too_late || self.is_stopped() {
            return None;
        }
        line.first += 1;
        Some(line.first - 1)
    }

    async fn loop_closed(self: Rc<Self>, mut seat: SendSlot) {
        loop {
            let due = Instant::now();
            if self.is_stopped() || self.schedule.end().is_some_and(|end| due >= end) {
                return;
            }
            if due >= self.schedule.measured() {
                let mut left = self.left.borrow_mut();
                if *left == 0 {
                    return;
                }
                *left -= 1;
            }
            self.control.count_due();
            let failed = self.one(&mut seat, due).await;
            if matches!(failed, Some(FailureKind::Dns | FailureKind::Connect | FailureKind::Tls)) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// One request that was due at an instant. How it failed, when it did.
    async fn one(&self, seat: &mut SendSlot, due: Instant) -> Option<FailureKind> {
        let answer = match tokio::time::timeout(self.load.timeout, seat.request(&self.client)).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                seat.give_up();
                Err(ConnectionFailure::new(FailureKind::Timeout, ""))
            }
        };
        let (outcome, done, failed) = match answer {
            Ok((seen, taken)) => match self.client.wrong(&seen) {
                None => {
                    let done = taken.done;
                    (Outcome::Answered(seen, taken), done, None)
                }
                Some(wrong) => (Outcome::Failed(wrong.kind, Some(seen.status)), taken.done, Some(wrong.kind)),
            },
            Err(broken) => (Outcome::Failed(broken.kind, None), Instant::now(), Some(broken.kind)),
        };
        self.control.count_over(failed.is_none());
        self.recorder.borrow_mut().over(due, done, outcome);
        failed
    }

    /// What was due and never sent has failed, after all the time that it waited. Whoever ends a run early cuts short only the wait
    /// of what would have had time left.
    fn never_sent(&self) {
        let (line, now, stopped) = (self.line.borrow(), Instant::now(), self.is_stopped());
        for number in line.first..line.due {
            let Some(due) = self.schedule.due(number) else { return };
            if stopped && now.duration_since(due) < self.load.timeout {
                return;
            }
            self.control.count_over(false);
            self.recorder.borrow_mut().over(due, now, Outcome::Failed(FailureKind::NotSent, None));
        }
    }
}
