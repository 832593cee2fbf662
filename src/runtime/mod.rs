//! Agents and what runs them.
//!
//! Runs on: each agent on the thread that its layout gives it.
//! Owns: the duty cycle, idle strategies, layouts, clocks, pinning, memory locking, stall tracking.
//! Never: knows what an agent does.

pub mod affinity;
pub mod agent;
pub mod clock;
pub mod composite;
pub mod fault;
pub mod idle;
pub mod invoker;
pub mod layout;
pub mod memory;
pub mod preflight;
pub mod runner;
pub mod stall;

pub use affinity::{AffinityError, CoreList, Cores, Placement, usable_cores};
pub use agent::Agent;
pub use clock::{Clock, ManualTime};
pub use composite::{Agents, Guard};
pub use fault::{Fault, FaultBoard, panic_message};
pub use idle::{Backoff, IdleStrategy, WakeHandle};
pub use invoker::{Invoker, InvokerError};
pub use layout::{Layout, LayoutChoice, Plan, PlanRequest, Profile, Role, ThreadPlan, plan};
pub use memory::{MemoryLock, lock_process_memory};
pub use preflight::{Check, Preflight, PreflightError, PreflightRequest, Verdict};
pub(crate) use runner::AGENT_STACK_BYTES;
pub use runner::{
    Runner, RunnerError, RunnerHandle, RunnerOutcome, RunnerReading, RunnerSettings, spawn_all,
};
pub use stall::CycleReading;
