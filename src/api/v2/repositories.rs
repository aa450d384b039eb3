//! `/repositories`: repositories of git and Mercurial, who may do what with them, and pulls into them.

use std::convert::Infallible;

use accountd_core::Caller;
use accountd_protocol::audit::Moment;
use accountd_protocol::id::AccountRef;
use accountd_protocol::refusal::{Field, Problem};
use accountd_protocol::repository::{
    Access, CloneUri, Grantee, GranteeRef, NewRepository, Repository, RepositoryChange, RepositoryField,
    RepositoryGrant, RepositoryId, RepositoryKind, RepositoryName, RepositoryProblem, RepositoryRef,
};
use rocket::http::Status;
use rocket::request::FromParam;
use rocket::{delete, get, patch, post};
use serde_json::{Map, Value, json};

use super::error::Error;
use super::faults::Kind;
use super::idempotency::{Made, Once};
use super::input::{Given, Input};
use super::sent::{Bare, Sent};
use super::users::Signed;
use super::{BASE, answers, day, jobs};
use crate::caller::Authenticated;
use crate::reply::Reply;

/// A repository as a path has it: an id where it is all digits, else a name, in which `/` is `%2F`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called(RepositoryRef);

impl<'a> FromParam<'a> for Called {
    type Error = Infallible;

    fn from_param(text: &'a str) -> Result<Self, Infallible> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Ok(Called(match digits {
            // Nothing has an id that does not fit.
            true => RepositoryRef::Id(RepositoryId(text.parse().unwrap_or(u64::MAX))),
            false => RepositoryRef::Name(text.to_owned()),
        }))
    }
}

fn failed(error: accountd_core::Error) -> Error {
    Error::of(Kind::Repository, error)
}

#[get("/repositories")]
pub async fn list(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let all = caller.repositories().await.map_err(failed)?;
    let items: Vec<Map<String, Value>> = all.iter().map(shown).collect();
    Ok(answers::json(Status::Ok, &json!({"items": items, "next": null, "total": items.len()})))
}

#[post("/repositories", data = "<sent>")]
pub async fn create(once: Once<'_>, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let Sent { caller, body } = sent?;
    let made = async {
        let new = draft(Input::parse(Kind::Repository, &body)?)?;
        let repository = caller.create_repository(new).await.map_err(failed)?;
        let location = format!("{BASE}/repositories/{}", repository.id);
        Ok(Made::from(answers::json(Status::Created, &shown(&repository)).with("Location", location)))
    };
    once.answer((&caller, "/repositories"), &body, made).await
}

#[get("/repositories/<repository>")]
pub async fn show(caller: Signed, repository: Called) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let repository = caller.repository(repository.0).await.map_err(failed)?;
    Ok(answers::json(Status::Ok, &shown(&repository)))
}

#[patch("/repositories/<repository>", data = "<sent>")]
pub async fn change(repository: Called, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let Sent { caller, body } = sent?;
    let change = change_of(Input::parse(Kind::Repository, &body)?)?;
    let repository = caller.update_repository(repository.0, change).await.map_err(failed)?;
    Ok(answers::json(Status::Ok, &shown(&repository)))
}

#[delete("/repositories/<repository>")]
pub async fn delete(bare: Result<Bare, Error>, repository: Called) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    caller.delete_repository(repository.0).await.map_err(failed)?;
    Ok(answers::no_content())
}

#[get("/repositories/<repository>/grants")]
pub async fn grants(caller: Signed, repository: Called) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let repository = caller.repository(repository.0).await.map_err(failed)?;
    Ok(listed(&repository))
}

/// Gives one user, one group or all others what the body says, in place of what they had.
#[post("/repositories/<repository>/grants", data = "<sent>")]
pub async fn grant(repository: Called, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let Sent { caller, body } = sent?;
    let Grant { whom, access } = grant_of(Input::parse(Kind::Repository, &body)?)?;
    let grantee = whom.found(&caller, repository.0.clone()).await?;
    let repository = caller.grant_repository(repository.0, grantee, access).await.map_err(failed)?;
    Ok(listed(&repository))
}

/// Becomes a job; the answer is what came of it where that does not take long.
#[post("/repositories/<repository>/pull")]
pub async fn pull(bare: Result<Bare, Error>, repository: Called) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let job = caller.pull_repository(repository.0).await.map_err(failed)?;
    Ok(jobs::begun(&job)?.first)
}

pub fn draft(mut input: Input) -> Result<NewRepository, Error> {
    input.require("name");
    input.require("kind");
    let name = input.text("name");
    let name = input.parsed(Field::Repository(RepositoryField::Name), name, |text| {
        RepositoryName::new(text).map_err(RepositoryProblem::Name)
    });
    let kind = input.text("kind");
    let kind = input.parsed(Field::Repository(RepositoryField::Kind), kind, |text| {
        RepositoryKind::parse(&text).ok_or(Problem::NoSuch(text))
    });
    let owner = owner(&mut input);
    let description = input.text("description").value().unwrap_or_default();
    let private = input.boolean("private").value().unwrap_or_default();
    let clone_uri = clone_uri(&mut input).flatten();
    input.finish(&["id", "created", "access", "grants"])?;
    // What is missing has been named.
    let (Some(name), Some(kind)) = (name, kind) else { return Err(Error::Internal) };
    Ok(NewRepository { name, kind, owner, description, private, clone_uri })
}

/// Whoever asks, where nobody is named.
fn owner(input: &mut Input) -> AccountRef {
    match input.account("owner") {
        Given::Absent | Given::Null => AccountRef::Caller,
        Given::Value(AccountRef::Name(name)) if name == "~" => AccountRef::Caller,
        Given::Value(who) => who,
    }
}

fn clone_uri(input: &mut Input) -> Option<Option<CloneUri>> {
    match input.text("clone_uri") {
        Given::Absent => None,
        Given::Null => Some(None),
        given => {
            let uri = input.parsed(Field::Repository(RepositoryField::CloneUri), given, |text| {
                CloneUri::new(text).map_err(RepositoryProblem::CloneUri)
            });
            Some(uri)
        }
    }
}

pub fn change_of(mut input: Input) -> Result<RepositoryChange, Error> {
    input.refuse_null("description");
    input.refuse_null("private");
    let description = input.text("description").value();
    let private = input.boolean("private").value();
    let clone_uri = clone_uri(&mut input);
    input.finish(&["id", "name", "kind", "owner", "created", "access", "grants"])?;
    Ok(RepositoryChange { description, private, clone_uri })
}

pub struct Grant {
    whom: Whom,
    access: Access,
}

enum Whom {
    User(AccountRef),
    Group(AccountRef),
    Others,
}

impl Whom {
    async fn found(self, caller: &Caller, repository: RepositoryRef) -> Result<Grantee, Error> {
        let called = match self {
            Whom::User(who) => GranteeRef::User(who),
            Whom::Group(which) => GranteeRef::Group(which),
            Whom::Others => return Ok(Grantee::Others),
        };
        caller.grantee(repository, called).await.map_err(failed)
    }
}

pub fn grant_of(mut input: Input) -> Result<Grant, Error> {
    input.require("access");
    let access = input.text("access");
    let access = input.parsed(Field::Repository(RepositoryField::Access), access, |text| {
        Access::parse(&text).ok_or(Problem::NoSuch(text))
    });
    let user = input.account("user").value();
    let group = input.account("group").value();
    let others = input.boolean("others").value().unwrap_or_default();
    let whom = match (user, group, others) {
        (Some(user), None, false) => Some(Whom::User(user)),
        (None, Some(group), false) => Some(Whom::Group(group)),
        (None, None, true) => Some(Whom::Others),
        _ => {
            input.fault("user", "required", "or group, or others has to say whom: one of them");
            None
        }
    };
    input.finish(&[])?;
    let (Some(whom), Some(access)) = (whom, access) else { return Err(Error::Internal) };
    Ok(Grant { whom, access })
}

/// Every field that a repository is shown with.
pub fn shown(repository: &Repository) -> Map<String, Value> {
    let Repository { id, name, kind, description, owner, owner_name, private, clone_uri, created, access, grants: _ } =
        repository;
    let fields = [
        ("id", json!(id)),
        ("name", json!(name)),
        ("kind", json!(kind.name())),
        ("description", json!(description)),
        ("owner", json!({"id": owner, "username": owner_name})),
        ("private", json!(private)),
        ("clone_uri", json!(clone_uri)),
        ("created", json!(day::moment(Moment { seconds: *created, nanoseconds: 0 }))),
        ("access", json!(access.name())),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn listed(repository: &Repository) -> Reply {
    let items: Vec<Value> = repository.grants.iter().map(shown_grant).collect();
    answers::json(Status::Ok, &json!({"items": items, "next": null, "total": items.len()}))
}

fn shown_grant(RepositoryGrant { grantee, name, access }: &RepositoryGrant) -> Value {
    let (user, group, others) = match grantee {
        Grantee::User(id) => (Some(json!({"id": id, "username": name})), None, false),
        Grantee::Group(id) => (None, Some(json!({"id": id, "groupname": name})), false),
        Grantee::Others => (None, None, true),
    };
    json!({"user": user, "group": group, "others": others, "access": access.name()})
}
