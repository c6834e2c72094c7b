//! What a worker does with the incidents that come to it.

use irp::domain::id::IncidentId;
use irp::engine::{Engine, EngineError};

use super::schedule::{Port, Task};

/// What the worker does with an incident: each kind of work once at a time in one process, and again when
/// somebody came meanwhile.
pub(super) async fn effects(port: &Port, engine: &Engine, id: IncidentId, task: Task) -> Result<(), EngineError> {
    let key = (id, task);
    {
        let busy = &mut port.sim.state().replicas[port.replica].busy;
        if let Some(again) = busy.get_mut(&key) {
            *again = true;
            return Ok(());
        }
        busy.insert(key, false);
    }
    loop {
        let outcome = match task {
            Task::Act => engine.advance(id).await,
            Task::Watch => engine.watch(id).await,
            Task::Inform => engine.inform(id).await,
            Task::Reach => engine.reach(id).await,
            Task::Hunt => engine.hunt(id).await,
        };
        let state = &mut *port.sim.state();
        if let Err(error) = &outcome {
            state.say(format!("{id} {task:?} on replica {}: {error}", port.replica));
        }
        let busy = &mut state.replicas[port.replica].busy;
        match busy.get_mut(&key) {
            Some(again) if *again => *again = false,
            _ => {
                busy.remove(&key);
                return outcome;
            }
        }
    }
}
