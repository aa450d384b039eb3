//! accountd: the two network fronts and the sandbox, behind one command.

mod command;
mod front;
mod sandbox;
mod self_test;
mod version;

pub use command::run;
pub use version::VERSION;
