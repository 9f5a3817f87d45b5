//! A recording HTTP/1.1 proxy between the binary and the local AWS. It tells the calls apart and can hurt them: delay them,
//! drop the connection before or after a call took effect, answer as a service in trouble does, make the world come late,
//! or hold a call until the caller dies.

mod act;
mod call;
mod chance;
mod late;
mod message;
mod refusal;
mod refusals;
mod serve;
mod throttle;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use act::ProxyRule;
use chance::Chance;
use throttle::Throttle;

pub use act::{CallSelector, ProxyAction};
pub use call::ProxyCall;
pub use refusal::{ServiceRefusal, broken, throttled};
pub use refusals::REFUSALS;

/// The runtime of the test process: proxies live on it, and SDK calls of tests run on it.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}

/// Waits for an asynchronous call of a test.
pub fn wait<T>(call: impl Future<Output = T>) -> T {
    runtime().block_on(call)
}

#[derive(Default)]
struct State {
    calls: Vec<ProxyCall>,
    rules: Vec<ProxyRule>,
    throttles: Vec<Throttle>,
    chance: Option<Chance>,
    /// Calls between the first byte sent on and the last byte of the answer.
    under_way: usize,
    /// A call is held: nothing is sent on any more.
    frozen: bool,
    /// Nobody listens any more.
    vanished: bool,
    /// Calls that wait for the next reset.
    paused: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    listening: OnceLock<AbortHandle>,
    resets: tokio::sync::watch::Sender<u64>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test thread broke it")
    }
}

/// The proxy; it ends with the test process.
pub struct FaultProxy {
    shared: Arc<Shared>,
    url: String,
}

impl FaultProxy {
    /// A proxy on a free port in front of `target` (`http://HOST:PORT`).
    pub fn start(target: &str) -> Self {
        let shared = Arc::<Shared>::default();
        let listener = wait(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let target = target.trim_start_matches("http://").to_owned();
        let listening = runtime().spawn(serve::listen(listener, target, Arc::clone(&shared)));
        shared.listening.set(listening.abort_handle()).expect("set once, here");
        Self { shared, url }
    }

    /// Its own endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on, `act` on these calls. Of several that fit, the last one counts.
    pub fn on(&self, matches: impl Fn(&ProxyCall) -> bool + Send + 'static, which: CallSelector, act: ProxyAction) {
        self.shared.state().rules.push(ProxyRule::new(matches, which, act));
    }

    /// From now on, the service refuses calls of the refusal's operation.
    pub fn refuse(&self, refusal: ServiceRefusal, which: CallSelector) {
        let fits = move |call: &ProxyCall| {
            call.service == refusal.service && (refusal.operation.is_empty() || call.operation == refusal.operation)
        };
        self.on(fits, which, ProxyAction::Refuse(refusal));
    }

    /// From now on, so many of a hundred calls fail in one way or another, decided by the seed.
    pub fn fail_by_chance(&self, seed: u64, percent: u64) {
        self.shared.state().chance = Some(Chance::new(seed, percent));
    }

    /// From now on, the service takes so many calls a second and throttles the others.
    pub fn throttle(&self, service: &'static str, per_second: f64) {
        self.shared.state().throttles.push(Throttle::new(service, per_second));
    }

    /// What chance did, with its seed: for the message of a test that fails.
    pub fn chance(&self) -> String {
        self.shared.state().chance.as_ref().map_or_else(|| "no chance".to_owned(), Chance::told)
    }

    /// Calls that a limit turned away.
    pub fn throttled(&self) -> usize {
        self.shared.state().throttles.iter().map(|throttle| throttle.refused).sum()
    }

    /// The calls so far; the record begins anew.
    pub fn take_calls(&self) -> Vec<ProxyCall> {
        std::mem::take(&mut self.shared.state().calls)
    }

    /// The calls so far that change something; the record begins anew.
    pub fn take_mutating(&self) -> Vec<ProxyCall> {
        self.take_calls().into_iter().filter(ProxyCall::mutates).collect()
    }

    /// How many calls came for each service since the record began.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for call in &self.shared.state().calls {
            *all.entry(call.service.clone()).or_default() += 1;
        }
        all
    }

    /// No rules, no limits, no chance, nothing held, nothing recorded.
    pub fn reset(&self) {
        let mut state = self.shared.state();
        state.rules.clear();
        state.throttles.clear();
        state.chance = None;
        state.calls.clear();
        state.frozen = false;
        self.shared.resets.send_modify(|resets| *resets += 1);
    }

    /// Waits until a call is paused; false when that does not happen in time.
    pub fn paused_within(&self, span: Duration) -> bool {
        let state = self.shared.state();
        let waiting = |state: &mut State| state.paused == 0;
        !self.shared.changed.wait_timeout_while(state, span, waiting).expect("no broken lock").1.timed_out()
    }

    /// Waits until a call is held and every other call has been answered; false when that does not happen in time.
    pub fn held_within(&self, span: Duration) -> bool {
        let state = self.shared.state();
        let waiting = |state: &mut State| !(state.frozen && state.under_way == 0);
        !self.shared.changed.wait_timeout_while(state, span, waiting).expect("no broken lock").1.timed_out()
    }

    /// Waits until calls are paused and every other call has been answered; false when that does not happen in time.
    pub fn rests_within(&self, span: Duration) -> bool {
        let state = self.shared.state();
        let waiting = |state: &mut State| state.paused == 0 || state.paused != state.under_way;
        !self.shared.changed.wait_timeout_while(state, span, waiting).expect("no broken lock").1.timed_out()
    }

    /// Waits until every call has been answered; false when that does not happen in time.
    pub fn answered_within(&self, span: Duration) -> bool {
        let state = self.shared.state();
        let waiting = |state: &mut State| state.under_way > 0;
        !self.shared.changed.wait_timeout_while(state, span, waiting).expect("no broken lock").1.timed_out()
    }

    /// Waits until a call that matches has come.
    pub fn seen_within(&self, span: Duration, matches: impl Fn(&ProxyCall) -> bool) -> bool {
        let state = self.shared.state();
        let waiting = |state: &mut State| !state.calls.iter().any(&matches);
        !self.shared.changed.wait_timeout_while(state, span, waiting).expect("no broken lock").1.timed_out()
    }
}
