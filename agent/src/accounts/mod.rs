//! The operations on users and groups: checked first, then one change of the database.

mod address;
mod ageing;
mod check;
mod checks;
mod create;
mod delete;
mod groups;
mod home_change;
mod home_state;
mod in_home;
mod list;
mod memberships;
mod new_home;
mod own_password;
mod plan;
mod repair;
mod retire;
mod show;
mod sudo;
mod transfer_steps;
pub mod transfers;
mod update;

pub use self::show::NO_HASH;

#[cfg(test)]
mod tests;
