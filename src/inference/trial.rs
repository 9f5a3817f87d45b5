//! What a model can do on this machine, timed before it is served: no figure of a processor is assumed.

use std::time::Instant;

use super::backend::{Backend, Output, Sessions};
use super::batch::Batch;
use super::engine::Settings;
use super::folder::ModelFolder;
use super::head::Head;
use super::queue::Budget;

/// Lengths of a text at which the session that uses all cores is tried against a worker's.
const LENGTHS: [usize; 5] = [8, 16, 32, 64, 128];
/// It has to be this much faster: while it runs, nobody else has a core.
const FASTER: f64 = 0.9;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// How large a batch pays.
    pub budget: Budget,
    /// Tokens a second of one worker.
    pub speed: f64,
    /// Tokens of a lone text from which the session that uses all cores is faster.
    pub alone_from: usize,
}

/// Runs every session, and times one: which batch size is fastest, and what a batch of its own costs.
///
/// # Errors
/// What the model said, and vectors of another length than the folder says.
pub(super) fn measure(
    sessions: &mut Sessions,
    folder: &ModelFolder,
    head: &Head,
    settings: &Settings,
    pad: u32,
) -> Result<Measured, String> {
    let mut trial = Trial { batch: Batch::default(), head, vectors: Vec::new(), pad };
    let width = folder.longest.min(128);
    for session in sessions.each.iter_mut().chain(&mut sessions.alone) {
        trial.time(session.as_mut(), 1, 8.min(width))?;
        trial.time(session.as_mut(), (512 / width).max(1), width)?;
    }
    let Some(session) = sessions.each.first_mut() else { return Err("there is no session".to_owned()) };
    let overhead = trial.overhead(session.as_mut(), 32.min(width))?;
    let (tokens, speed) = trial.batch(session.as_mut(), settings.candidates, width)?;
    let alone_from = match &mut sessions.alone {
        Some(alone) => trial.alone_from(session.as_mut(), alone.as_mut(), width)?,
        None => usize::MAX,
    };
    let tokens = settings.batch_tokens.unwrap_or(tokens).max(folder.longest);
    Ok(Measured { budget: Budget { tokens, overhead }, speed, alone_from })
}

struct Trial<'a> {
    batch: Batch,
    head: &'a Head,
    vectors: Vec<Vec<f32>>,
    pad: u32,
}

impl Trial<'_> {
    /// Seconds for a batch of so many rows of so many tokens.
    fn time(&mut self, session: &mut dyn Backend, rows: usize, width: usize) -> Result<f64, String> {
        let row = vec![self.pad; width];
        self.batch.fill(std::iter::repeat_n(row.as_slice(), rows), self.pad);
        let (mut made, mut width_of) = (Ok(()), 0);
        let begin = Instant::now();
        session.run(&self.batch, &mut |output| {
            width_of = match output {
                Output::Tokens(all) => all.len() / (rows * width),
                Output::Pooled(all) => all.len() / rows,
            };
            made = self.head.vectors(output, &self.batch, &mut self.vectors);
        })?;
        let took = begin.elapsed().as_secs_f64();
        let wrong = |_| format!("the graph gives vectors of {width_of} numbers, and config.json says another number");
        made.map(|()| took).map_err(wrong)
    }

    /// What a batch of its own costs, in tokens.
    fn overhead(&mut self, session: &mut dyn Backend, width: usize) -> Result<usize, String> {
        let (one, eight) = (self.time(session, 1, width)?, self.time(session, 8, width)?);
        let each = ((eight - one) / (7 * width) as f64).max(1e-9);
        Ok(((one / each) as usize).saturating_sub(width).clamp(8, 256))
    }

    /// The batch size in tokens that is fastest, and its tokens a second.
    fn batch(&mut self, session: &mut dyn Backend, candidates: &[usize], width: usize) -> Result<(usize, f64), String> {
        let (mut tokens, mut speed) = (0, 0.0);
        for candidate in candidates {
            let rows = (candidate / width).max(1);
            let measured = (rows * width) as f64 / self.time(session, rows, width)?;
            // A larger batch keeps others waiting: it has to be worth it.
            if measured > speed * 1.05 {
                (tokens, speed) = (rows * width, measured);
            }
        }
        Ok((tokens, speed))
    }

    /// The length of a text from which `alone` is the faster session.
    fn alone_from(
        &mut self,
        session: &mut dyn Backend,
        alone: &mut dyn Backend,
        longest: usize,
    ) -> Result<usize, String> {
        for length in LENGTHS.into_iter().filter(|length| *length <= longest) {
            let mut best = [f64::INFINITY; 2];
            for _ in 0..3 {
                best[0] = best[0].min(self.time(session, 1, length)?);
                best[1] = best[1].min(self.time(alone, 1, length)?);
            }
            if best[1] < best[0] * FASTER {
                return Ok(length);
            }
        }
        Ok(usize::MAX)
    }
}
