//! Questions that come at the same time are asked in one go: a program that starts slowly starts once for all.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::resource::{Class, Fault};

/// What was answered to one question.
pub type Answer<A> = Result<A, Fault>;

/// Questions of one sort.
pub struct Together<Q, A> {
    open: Mutex<Vec<(Q, oneshot::Sender<Answer<A>>)>>,
    /// Who holds it asks for everybody who waits.
    turn: tokio::sync::Mutex<()>,
}

impl<Q, A> Default for Together<Q, A> {
    fn default() -> Self {
        Self { open: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<Q: Send, A: Send> Together<Q, A> {
    /// Asks; `all` gets every question that is open by then and gives an answer to each, in their order.
    ///
    /// # Errors
    /// What `all` said.
    pub async fn ask<F, T>(&self, question: Q, all: F) -> Answer<A>
    where
        F: FnOnce(Vec<Q>) -> T + Send,
        T: Future<Output = Answer<Vec<Answer<A>>>> + Send,
    {
        let (answer, mut answered) = oneshot::channel();
        self.open().push((question, answer));
        // Whoever is about to ask, too, comes to his line before ours goes on.
        tokio::task::yield_now().await;
        let turn = self.turn.lock().await;
        if let Ok(answer) = answered.try_recv() {
            return answer;
        }
        let (questions, answers): (Vec<Q>, Vec<_>) = std::mem::take(&mut *self.open()).into_iter().unzip();
        let said = all(questions).await;
        match said {
            Ok(said) => {
                for (answer, said) in answers.into_iter().zip(said) {
                    // Who asked is gone: nobody wants the answer.
                    let _ = answer.send(said);
                }
            }
            Err(fault) => {
                for answer in answers {
                    let _ = answer.send(Err(fault.clone()));
                }
            }
        }
        drop(turn);
        answered.await.unwrap_or_else(|_| {
            Err(Fault::new(Class::Internal, "kubectl", "look", "NoAnswer", "fewer answers came than questions"))
        })
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Vec<(Q, oneshot::Sender<Answer<A>>)>> {
        // Nothing can fail while it is held: what a poisoned list holds is whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_comes_together_is_asked_once() {
        let (line, rounds) = (Together::<u32, u32>::default(), AtomicUsize::new(0));
        let one = |number: u32| {
            line.ask(number, |all: Vec<u32>| {
                rounds.fetch_add(1, Ordering::Relaxed);
                async move { Ok(all.into_iter().map(|number| Ok(number * 2)).collect()) }
            })
        };
        let all = futures::future::join_all((0..20).map(one)).await;
        assert_eq!(all.into_iter().collect::<Result<Vec<_>, _>>().ok(), Some((0..20).map(|n| n * 2).collect()));
        assert_eq!(rounds.load(Ordering::Relaxed), 1);
    }
}
