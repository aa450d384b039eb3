//! Repositories on a plain directory: what lists and grants come to together, and what is said where the file system
//! or an account is not as it was.

mod grants;
mod ground;
mod pulls;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::agent::{GroupChange, NewGroup, NewUser, PrimaryGroup, Reply, SessionQuestion, SessionReply};
use accountd_protocol::audit::{Actor, AuditAction, AuditFilter};
use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP};
use accountd_protocol::id::{AccountId, AccountRef, Uid};
use accountd_protocol::job::JobResult;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::repository::{
    Access, CloneUri, Grantee, LONGEST_DESCRIPTION, MOST_GRANTS, NewRepository, Repository, RepositoryChange,
    RepositoryFault, RepositoryField, RepositoryKind, RepositoryName, RepositoryProblem, RepositoryRef,
};

use super::acl::{self, Acl, READ, SEARCH, Tag, WRITE, Which};
use super::ground::GroundError;
use super::work::{self, Rights};
use crate::agent::Agent;
use crate::database::{RepositoryRow, Stage};
use crate::identity::candidate::PasswordState;
use crate::identity::handles::{Caller, Way};
use crate::jobs::{Task, Work};
use crate::scratch;

const ROOT: Actor = Actor::Agent;
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\naccountd-api:x:990:990::/:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\naccountd-api:x:990:\n";

pub struct World {
    directory: tempfile::TempDir,
    pub agent: Arc<Agent>,
}

impl World {
    /// With `anna`, who owns what is made, `berta` and `carla`, and `carla` in the group `devs`.
    pub fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = format!("[repositories]\nroot = \"/tank/repositories\"\n{config}");
        scratch::write_etc(directory.path(), &[("passwd", PASSWD), ("group", GROUP), ("accountd.toml", &config)]);
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(directory.path().join("tank")).unwrap();
        let world = Self { agent: Arc::new(scratch::agent(directory.path())), directory };
        for name in ["anna", "berta", "carla"] {
            world.agent.create_user(&ROOT, scratch::new_user(name, "/nonexistent")).unwrap();
        }
        world.group("devs", None, &["carla"]);
        world
    }

    fn group(&self, name: &str, gid: Option<u32>, members: &[&str]) -> AccountId {
        let request = NewGroup { gid, ..scratch::new_group(name) };
        let id = self.agent.create_group(&ROOT, request).unwrap().id;
        for member in members {
            self.agent.set_memberships(&ROOT, self.user(member), &[name.to_owned()]).unwrap();
        }
        id
    }

    fn user(&self, name: &str) -> AccountId {
        self.agent.database.view().user_named(name).unwrap().id
    }

    fn uid(&self, name: &str) -> u32 {
        self.agent.database.view().user_named(name).unwrap().uid.0
    }

    fn devs(&self) -> Grantee {
        Grantee::Group(self.agent.database.view().group_named("devs").unwrap().id)
    }

    fn gid(&self, name: &str) -> u32 {
        self.agent.database.view().group_named(name).unwrap().gid.0
    }

    fn caller(&self, name: &str) -> Caller {
        let (account, uid) = (self.user(name), Uid(self.uid(name)));
        Caller { account, uid, password: PasswordState::Current, source: None, way: Way::Local }
    }

    pub fn create(&self, name: &str) -> Result<Repository, Refusal> {
        self.make(name, AccountRef::Name("anna".into()), "")
    }

    fn make(&self, name: &str, owner: AccountRef, description: &str) -> Result<Repository, Refusal> {
        let (name, kind) = (RepositoryName::new(name).unwrap(), RepositoryKind::Git);
        let new = NewRepository { name, kind, owner, description: description.into(), private: true, clone_uri: None };
        self.agent.create_repository((&ROOT, self.caller("root")), new)
    }

    fn grant(&self, by: &str, grantee: Grantee, access: Access) -> Result<Repository, Refusal> {
        self.agent.grant_repository((&ROOT, self.caller(by)), &named("r"), (grantee, access))
    }

    fn get(&self, by: &str) -> Result<Repository, Refusal> {
        self.agent.get_repository(self.caller(by), &named("r"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("tank/repositories").join(name)
    }

    /// What the list of a file in `r` has for somebody.
    fn entry(&self, name: &str, tag: Tag) -> Option<u8> {
        acl::of(&fs::File::open(self.path("r").join(name)).unwrap()).unwrap().0.get(tag)
    }

    fn follow(&self) {
        self.agent.follow_accounts(&self.agent.database.view());
    }
}

fn named(name: &str) -> RepositoryRef {
    RepositoryRef::Name(name.into())
}

fn grantee(problem: Problem) -> Refusal {
    Refusal::invalid(Field::Repository(RepositoryField::Grantee), problem)
}
