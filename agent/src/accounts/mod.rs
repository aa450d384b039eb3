//! The operations on users and groups: checked first, then one change of the database.

mod check;
mod create;
mod delete;
mod groups;
mod in_home;
mod list;
mod memberships;
mod new_home;
mod repair;
mod retire;
mod show;
mod update;
