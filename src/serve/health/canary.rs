//! The canary check: the default model embeds a text with a known vector at intervals.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{CheckKind, CheckOutcome, HealthCheck};
use crate::inference::fault::{EmbedFault, ErrorCode};
use crate::serve::App;

/// Time for a canary.
const TIME: Duration = Duration::from_secs(10);
/// After that much more, no worker takes anything.
const GRACE: Duration = Duration::from_secs(5);
/// A look at a load that goes on.
const LOOK: Duration = Duration::from_secs(2);

/// Embeds and compares until it is dropped.
pub async fn watch(app: Arc<App>) {
    loop {
        let check = once(&app).await;
        let pause = match check.outcome {
            // The look itself waited for the load.
            CheckOutcome::Loading => Duration::from_millis(100),
            CheckOutcome::Failed => app.config.health_interval.min(LOOK),
            _ => app.config.health_interval,
        };
        app.health.put(CheckKind::ModelCache, check);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // Not ready at once; the next look asks the model again.
            () = lost(&app) => tokio::time::sleep(app.config.health_interval.min(LOOK)).await,
        }
    }
}

/// Waits until batch after batch of the default model gives nothing usable, and says so.
async fn lost(app: &App) {
    let registry = app.embedder.registry();
    let Some(engine) = registry.look(registry.default_model()).and_then(|listed| listed.engine) else {
        return std::future::pending().await;
    };
    loop {
        engine.lost().await;
        // A good batch may have come between.
        if let Some(why) = engine.unsound() {
            let detail = format!("{}: {why}", registry.default_model());
            return app.health.put(CheckKind::ModelCache, HealthCheck::failed(detail).mended_by_restart());
        }
    }
}

async fn once(app: &App) -> HealthCheck {
    let registry = app.embedder.registry();
    let name = registry.default_model();
    let engine = match registry.engine(name, Instant::now() + LOOK).await {
        Ok(engine) => engine,
        Err(fault) if fault.code == ErrorCode::ModelLoading => {
            return HealthCheck::new(CheckOutcome::Loading, fault.message);
        }
        Err(fault) if fault.code == ErrorCode::ModelNotFound => return absent(app, &fault),
        Err(fault) => return HealthCheck::new(CheckOutcome::Failed, fault.message),
    };
    let began = Instant::now();
    match tokio::time::timeout(TIME + GRACE, engine.probe(began + TIME)).await {
        Ok(Ok(alike)) => {
            let detail = format!("{name}: the canary's vector has a cosine of {alike:.6} to the one at load");
            HealthCheck::new(CheckOutcome::Ok, detail).since(began)
        }
        Ok(Err(fault)) if matches!(fault.code, ErrorCode::Overloaded | ErrorCode::DeadlineExceeded) => full(app, name),
        Ok(Err(fault)) if fault.code == ErrorCode::ShuttingDown => {
            HealthCheck::new(CheckOutcome::Loading, format!("{name} is being swapped"))
        }
        Ok(Err(fault)) => HealthCheck::failed(format!("{name}: {}", fault.message)).mended_by_restart().since(began),
        Err(_) => {
            let waited = (TIME + GRACE).as_secs();
            let detail = format!("{name}: no worker has started the canary for {waited} s");
            HealthCheck::failed(detail).mended_by_restart().since(began)
        }
    }
}

/// A full queue says nothing about the model: what was known last still holds. The load itself has embedded the canary.
fn full(app: &App, name: &str) -> HealthCheck {
    let last = app.health.last(CheckKind::ModelCache);
    if last.outcome == CheckOutcome::Loading {
        return HealthCheck::new(
            CheckOutcome::Ok,
            format!("{name}: the canary was embedded at load; the queue is full now"),
        );
    }
    last
}

/// The first look of model sync may still bring it.
fn absent(app: &App, fault: &EmbedFault) -> HealthCheck {
    match app.sync.as_ref().map(|sync| (sync.looked(), sync.told(app.embedder.registry().default_model()).error)) {
        Some((_, Some(why))) => HealthCheck::new(CheckOutcome::Failed, format!("model sync failed: {why}")),
        Some((Some(Err(why)), None)) => {
            HealthCheck::new(CheckOutcome::Failed, format!("{}; model sync: {why}", fault.message))
        }
        Some((_, None)) => HealthCheck::new(CheckOutcome::Loading, "waiting for model sync"),
        None => HealthCheck::new(CheckOutcome::Failed, fault.message.clone()),
    }
}
