//! A line about each request that the door or the gate refuses: it comes to no route, which would write one. No key is in it, and no
//! word of its client that nobody vouches for.

use std::sync::Arc;

use super::admission::Tenant;
use super::http::request::RequestId;
use super::log::{LogLevel, LogWriter};
use super::problem::{ApiProblem, grpc_status};

/// Writes a line about a refusal, when there is still room for one in this second. `tenant` is asked only then.
pub fn tell(log: &LogWriter, problem: &ApiProblem, id: &str, grpc: bool, tenant: impl FnOnce() -> Option<Tenant>) {
    // A server that stops says so to each one that asks whether it is ready.
    let told = problem.status.is_client_error();
    if !told || !log.wants(LogLevel::Info) || !log.admits_refusal() {
        return;
    }
    let mut fields = vec![("request_id", id.into()), ("status", problem.status.as_u16().into())];
    fields.extend(grpc.then(|| ("grpc_status", grpc_status(problem.status).into())));
    fields.push(("code", problem.code.into()));
    fields.extend(tenant().map(|tenant| ("tenant", (&*tenant.0).into())));
    log.say(LogLevel::Info, &format!("request refused: {}", problem.message), &fields);
}

/// What is known of a call of gRPC, for the lines about its messages that are refused.
#[derive(Clone, Debug)]
pub struct GrpcCall {
    /// Where lines go.
    pub log: Arc<LogWriter>,
    /// The id of the call.
    pub id: RequestId,
    /// Whose it is.
    pub tenant: Tenant,
}

impl GrpcCall {
    /// A line about a message that is refused.
    pub fn tell(&self, problem: &ApiProblem) {
        let tenant = || Some(self.tenant.clone()).filter(|tenant| !tenant.is_none());
        tell(&self.log, problem, self.id.as_str(), true, tenant);
    }
}
