//! The operations on users and groups: checked first, then one change of the database.

mod check;
mod create;
mod delete;
mod groups;
mod list;
mod memberships;
mod show;
mod update;
