//! Calibration: times a model on this machine before it is served; nothing is assumed about the processor.

use std::time::Instant;

use super::backend::{Backend, RunFault, Sessions};
use super::batch::Batch;
use super::engine::EngineSettings;
use super::folder::ModelFolder;
use super::head::OutputHead;
use super::queue::BatchBudget;
use super::session_choice::SessionChoice;

/// Lengths of a text at which the session that uses all cores is tried against a worker's.
const LENGTHS: [usize; 5] = [8, 16, 32, 64, 128];
/// Runs of each kind, of which the fastest counts.
const SAMPLES: usize = 9;
/// Seconds after which a kind is not run again.
const ENOUGH: f64 = 0.1;

/// What was measured.
#[derive(Debug)]
pub(super) struct CalibrationResult {
    /// How large a batch pays.
    pub budget: BatchBudget,
    /// Tokens a second of one worker.
    pub speed: f64,
    /// Which session runs a lone text.
    pub session_choice: SessionChoice,
}

/// Runs every session, and times one: which batch size is fastest, and what a batch of its own costs.
///
/// # Errors
/// What the model said, and vectors of another length than the folder says.
pub(super) fn measure(
    sessions: &mut Sessions,
    folder: &ModelFolder,
    head: &OutputHead,
    settings: &EngineSettings,
    pad: u32,
) -> Result<CalibrationResult, RunFault> {
    let mut trial = CalibrationRun { batch: Batch::default(), head, vectors: Vec::new(), pad };
    let width = folder.longest.min(128);
    for session in sessions.each.iter_mut().chain(&mut sessions.alone) {
        trial.time(session.as_mut(), 1, 8.min(width))?;
        trial.time(session.as_mut(), (512 / width).max(1), width)?;
    }
    let Some(session) = sessions.each.first_mut() else { return Err(RunFault::NoSession) };
    let overhead = trial.overhead(session.as_mut(), 32.min(width))?;
    let (tokens, speed) = trial.batch(session.as_mut(), settings.candidates, width)?;
    let session_choice = match &mut sessions.alone {
        Some(alone) => trial.session_choice(session.as_mut(), alone.as_mut(), width)?,
        None => SessionChoice::never(),
    };
    let tokens = settings.batch_tokens.unwrap_or(tokens).max(folder.longest);
    Ok(CalibrationResult { budget: BatchBudget { tokens, rows: sessions.rows, overhead }, speed, session_choice })
}

struct CalibrationRun<'a> {
    batch: Batch,
    head: &'a OutputHead,
    vectors: Vec<Vec<f32>>,
    pad: u32,
}

impl CalibrationRun<'_> {
    /// Seconds for a batch of so many rows of so many tokens.
    fn time(&mut self, session: &mut dyn Backend, rows: usize, width: usize) -> Result<f64, RunFault> {
        let row = vec![self.pad; width];
        self.batch.fill(std::iter::repeat_n(row.as_slice(), rows), self.pad);
        let mut made = Ok(());
        let begin = Instant::now();
        session.run(&self.batch, &mut |output| {
            made = self.head.vectors(output, &self.batch, &mut self.vectors);
        })?;
        let took = begin.elapsed().as_secs_f64();
        made?;
        Ok(took)
    }

    /// The least seconds of several runs: what others do on the machine only ever makes a run longer. Long runs are not repeated.
    fn least(&mut self, session: &mut dyn Backend, rows: usize, width: usize) -> Result<f64, RunFault> {
        let (mut least, mut spent) = (f64::INFINITY, 0.0);
        for _ in 0..SAMPLES {
            let took = self.time(session, rows, width)?;
            (least, spent) = (least.min(took), spent + took);
            if spent > ENOUGH {
                break;
            }
        }
        Ok(least)
    }

    /// What a batch of its own costs, in tokens.
    fn overhead(&mut self, session: &mut dyn Backend, width: usize) -> Result<usize, RunFault> {
        let (one, eight) = (self.least(session, 1, width)?, self.least(session, 8, width)?);
        let each = ((eight - one) / (7 * width) as f64).max(1e-9);
        Ok(((one / each) as usize).saturating_sub(width).clamp(8, 256))
    }

    /// The batch size in tokens that is fastest, and its tokens a second.
    fn batch(
        &mut self,
        session: &mut dyn Backend,
        candidates: &[usize],
        width: usize,
    ) -> Result<(usize, f64), RunFault> {
        let (mut tokens, mut speed) = (0, 0.0);
        for candidate in candidates {
            let rows = (candidate / width).max(1);
            let measured = (rows * width) as f64 / self.least(session, rows, width)?;
            // A larger batch keeps others waiting: it has to be worth it.
            if measured > speed * 1.05 {
                (tokens, speed) = (rows * width, measured);
            }
        }
        Ok((tokens, speed))
    }

    /// Seconds of lone texts: of a worker's session, and of the one that uses all cores, in turn.
    fn session_choice(
        &mut self,
        session: &mut dyn Backend,
        alone: &mut dyn Backend,
        longest: usize,
    ) -> Result<SessionChoice, RunFault> {
        let mut times = Vec::new();
        for length in LENGTHS.into_iter().filter(|length| *length <= longest) {
            let (mut own, mut all, mut spent) = (f64::INFINITY, f64::INFINITY, 0.0);
            for _ in 0..SAMPLES {
                let pair = [self.time(session, 1, length)?, self.time(alone, 1, length)?];
                (own, all, spent) = (own.min(pair[0]), all.min(pair[1]), spent + pair[0] + pair[1]);
                if spent > ENOUGH {
                    break;
                }
            }
            times.push((length, own, all));
        }
        Ok(SessionChoice::measured(&times))
    }
}
