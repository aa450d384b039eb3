//! What a method takes: by which names it may come, and whether it has to.

use accountd_protocol::dialects::RhodecodeWording;

/// What an argument is about, whatever a version calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Argument {
    /// A user that there is.
    User,
    NewUserName,
    Password,
    FirstName,
    LastName,
    Email,
    Active,
    Admin,
    LdapDn,
    /// A users group that there is.
    Group,
    NewGroupName,
    /// A repository that there is.
    Repository,
    NewRepositoryName,
    Owner,
    Description,
    RepositoryType,
    Private,
    CloneUri,
    Permission,
}

/// In which versions a method can't do without an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    Always,
    InSeed,
    In1_3,
    Before1_4,
    Never,
}

/// An argument of one method.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub argument: Argument,
    /// What 1.2, 1.3 and 1.4 call it, in this order.
    pub called: [&'static str; 3],
    pub required: Required,
}

impl Parameter {
    pub fn is_required(&self, wording: RhodecodeWording) -> bool {
        match self.required {
            Required::Always => true,
            Required::InSeed => wording == RhodecodeWording::Seed,
            Required::In1_3 => wording == RhodecodeWording::V1_3,
            Required::Before1_4 => wording != RhodecodeWording::V1_4,
            Required::Never => false,
        }
    }

    pub fn name(&self, wording: RhodecodeWording) -> &'static str {
        let [seed, v1_3, v1_4] = self.called;
        match wording {
            RhodecodeWording::Seed => seed,
            RhodecodeWording::V1_3 => v1_3,
            RhodecodeWording::V1_4 => v1_4,
        }
    }

    /// Every name that it may come by: those of this method first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.called.into_iter().chain(self.argument.aliases().iter().copied())
    }
}

impl Argument {
    /// What other versions and other methods call the same.
    fn aliases(self) -> &'static [&'static str] {
        match self {
            Argument::User => &["userid", "username", "user_name", "user"],
            Argument::NewUserName => &["username", "user_name"],
            Argument::FirstName => &["firstname", "name"],
            Argument::LdapDn => &["ldap_dn", "extern_name"],
            Argument::Group => &["usersgroupid", "usergroupid", "group_name"],
            Argument::NewGroupName => &["name", "group_name"],
            Argument::Repository => &["repoid", "repo_name", "repo", "name"],
            Argument::NewRepositoryName => &["name", "repo_name"],
            Argument::Owner => &["owner", "owner_name"],
            Argument::Password
            | Argument::LastName
            | Argument::Email
            | Argument::Active
            | Argument::Admin
            | Argument::Description
            | Argument::RepositoryType
            | Argument::Private
            | Argument::CloneUri
            | Argument::Permission => &[],
        }
    }
}
