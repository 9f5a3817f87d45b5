//! Queues, each with its dead-letter queue.

use super::{Builder, as_name};
use crate::plan::queues::QueuesStep;
use crate::plan::{Step, StepConfig};
use crate::resource::{Address, Kind, Resource, link};

/// The queues of a step.
pub fn queues(builder: &mut Builder<'_>, step: &Step, plan: &QueuesStep) {
    for (name, queue) in &plan.queues {
        let mut spec = queue.clone();
        if let Some(to) = spec.dead_letter.as_mut().filter(|to| !is_written_out(&to.target)) {
            match of_the_plan(builder, &to.target) {
                Ok(address) => to.target = link(&address, "arn"),
                Err(known) => {
                    let problem =
                        format!("dead letters of queue {name} go to {:?}, which is not a queue of the plan", to.target);
                    let next = format!("use one of: {}; or the ARN of another queue", known.join(", "));
                    builder.unknown(step, &format!("queues.{name}.dead_letter.target"), problem, next);
                    continue;
                }
            }
        }
        builder.add(step, &format!("queues.{name}"), Resource::new(address(name), Kind::Queue, &spec));
    }
}

fn address(name: &str) -> Address {
    Address::new("queues", Kind::Queue, &as_name(name))
}

/// Whether it is an ARN, or leads to one, and not a name.
fn is_written_out(target: &str) -> bool {
    target.starts_with("arn:") || target.contains("${")
}

/// The address of a queue of the plan; else the names of all of them.
fn of_the_plan(builder: &Builder<'_>, wanted: &str) -> Result<Address, Vec<String>> {
    let steps = builder.plan.in_force(builder.requested);
    let all =
        steps.filter_map(|step| if let StepConfig::Queues(queues) = &step.work { Some(&queues.queues) } else { None });
    let names: Vec<String> = all.flat_map(|queues| queues.keys().cloned()).collect();
    if names.iter().any(|name| name == wanted) { Ok(address(wanted)) } else { Err(names) }
}
