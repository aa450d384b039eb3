//! The operations on users and groups: checked first, then one change of the database.

mod address;
mod ageing;
mod alist_accounts;
mod api_keys;
mod backup;
mod bans;
mod batch;
pub mod check;
mod checks;
mod create;
mod delete;
mod disable;
mod filter;
pub mod find;
mod groups;
mod home_change;
mod home_state;
mod in_home;
mod key_set;
mod left_keys;
pub mod limits;
mod list;
mod login_tokens;
mod members;
mod memberships;
mod new_home;
mod order;
mod own_password;
mod parallel;
mod password_history;
mod plan;
mod policy;
mod random_password;
mod repair;
mod retire;
mod roles;
mod show;
mod ssh_keys;
mod state;
mod sudo;
mod suspended;
mod transfer_steps;
pub mod transfers;
mod two_factor;
mod update;
mod update_lines;
mod update_plan;
pub mod waiting_keys;
pub mod writers;

pub use self::create::SECONDS_A_DAY;
pub use self::show::NO_HASH;
pub use self::suspended::is_locked;

#[cfg(test)]
mod tests;
