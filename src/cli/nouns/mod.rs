//! The nouns, each with its verbs. A new one is a file here and a line in each of the two lists
//! below.

mod api_key;
mod audit;
mod backup;
mod backup_choices;
mod ban;
mod check;
mod completion;
mod group;
mod job;
mod key;
mod limit;
mod member;
mod metrics;
mod open_session;
mod policy;
mod quota;
mod repository;
mod role;
mod system;
mod two_factor;
mod user;
mod user_fields;
mod user_group;
mod user_import;

use crate::error::Error;
use crate::session::Session;

#[derive(Debug, clap::Subcommand)]
pub enum Noun {
    /// Users
    #[command(subcommand)]
    User(user::Verb),
    /// Groups
    #[command(subcommand)]
    Group(group::Verb),
    /// The members of a group
    #[command(subcommand)]
    Member(member::Verb),
    /// The public keys that let a user in
    #[command(subcommand)]
    Key(key::Verb),
    /// What programs show instead of a password
    #[command(subcommand)]
    ApiKey(api_key::Verb),
    /// A code that a password needs beside it
    #[command(subcommand)]
    TwoFactor(two_factor::Verb),
    /// Who may do what for others
    #[command(subcommand)]
    Role(role::Verb),
    /// What a user, or each member of a group, may use
    #[command(subcommand)]
    Limit(limit::Verb),
    /// What users store, and who counts it
    #[command(subcommand)]
    Quota(quota::Verb),
    /// Repositories of git and Mercurial
    #[command(subcommand)]
    Repository(repository::Verb),
    /// Who is logged in over SSH, and what is on its way
    #[command(subcommand)]
    Session(open_session::Verb),
    /// The rules for passwords
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Work that takes longer
    #[command(subcommand)]
    Job(job::Verb),
    /// Who is turned away for too many wrong passwords
    #[command(subcommand)]
    Ban(ban::Verb),
    /// What all programs have counted, in the text format of Prometheus
    Metrics,
    /// Who did what
    #[command(subcommand)]
    Audit(audit::Verb),
    /// All accounts in a file, to be taken over elsewhere
    #[command(subcommand)]
    Backup(backup::Verb),
    /// What is wrong with the accounts
    #[command(subcommand)]
    Check(check::Verb),
    /// What a shell completes of this command
    Completion(completion::Arguments),
    /// The machine as far as accounts go
    #[command(subcommand)]
    System(system::Verb),
}

impl Noun {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Noun::User(verb) => verb.run(session),
            Noun::Group(verb) => verb.run(session),
            Noun::Member(verb) => verb.run(session),
            Noun::Key(verb) => verb.run(session),
            Noun::ApiKey(verb) => verb.run(session),
            Noun::TwoFactor(verb) => verb.run(session),
            Noun::Role(verb) => verb.run(session),
            Noun::Limit(verb) => verb.run(session),
            Noun::Quota(verb) => verb.run(session),
            Noun::Repository(verb) => verb.run(session),
            Noun::Session(verb) => verb.run(session),
            Noun::Policy(verb) => verb.run(session),
            Noun::Job(verb) => verb.run(session),
            Noun::Ban(verb) => verb.run(session),
            Noun::Metrics => metrics::show(session),
            Noun::Audit(verb) => verb.run(session),
            Noun::Backup(verb) => verb.run(session),
            Noun::Check(verb) => verb.run(session),
            Noun::Completion(arguments) => completion::show(&arguments, session),
            Noun::System(verb) => verb.run(session),
        }
    }
}
