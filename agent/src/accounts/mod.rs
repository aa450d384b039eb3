//! The operations on users and groups: checked first, then one change of the database.

mod address;
mod check;
mod create;
mod delete;
mod filter;
mod find;
mod groups;
mod home_change;
mod home_state;
mod in_home;
pub mod key_set;
mod list;
mod members;
mod memberships;
mod new_home;
mod order;
mod plan;
mod repair;
mod retire;
mod show;
mod state;
mod sudo;
mod transfer_steps;
pub mod transfers;
mod update;

#[cfg(test)]
mod tests;
