//! `user` and `user/ID`.

use accountd_core::Caller;
use accountd_protocol::agent::{NewUser, PrimaryGroup, User, UserChange};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::removal::DeletedHome;
use rocket::http::Status;
use rocket::request::FromParam;
use rocket::{Data, delete, get, post, put};

use super::error::Error;
use super::form::Form;
use super::new_user::new_user;
use super::output::Shown;
use super::query::Query;
use super::reply::Reply;
use super::user_change::user_change;
use crate::caller::{Authenticated, NoCaller};

pub type Signed = Result<Authenticated, NoCaller>;

/// An id in a path, a number of 64 bits with a sign.
#[derive(Clone, Copy, Debug)]
pub struct UserId(Option<i64>);

impl<'a> FromParam<'a> for UserId {
    type Error = std::convert::Infallible;

    fn from_param(text: &'a str) -> Result<Self, Self::Error> {
        Ok(Self(text.parse().ok()))
    }
}

impl UserId {
    /// No user has a negative one.
    fn get(self) -> Result<AccountId, Error> {
        let number = self.0.ok_or_else(|| Error::Malformed("Invalid userID".into()))?;
        u64::try_from(number).map(AccountId).map_err(|_| Error::no_user_of_id(number))
    }
}

#[get("/user")]
pub async fn list(caller: Signed, query: Query) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let page = caller.users(query.window()?).await.map_err(Error::of)?;
    let mut shown = Vec::new();
    for user in page.items {
        shown.push(Shown::of(&caller, user).await);
    }
    Ok(Reply::object(&shown))
}

#[get("/user/<id>")]
pub async fn show(caller: Signed, id: UserId) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let id = id.get()?;
    let user = caller.find_user(AccountRef::Id(id)).await.map_err(Error::about(id)).and_then(of_ours)?;
    Ok(Reply::object(&Shown::of(&caller, user).await))
}

#[post("/user", data = "<data>")]
pub async fn create(caller: Signed, data: Data<'_>) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let (new, gid) = new_user(Form::read(data).await?).map_err(Error::Validation)?;
    let primary_group = match gid {
        Some(gid) => PrimaryGroup::Existing(group(&caller, gid).await?),
        None => PrimaryGroup::Private,
    };
    let user = caller.create_user(NewUser { primary_group, ..new }).await.map_err(Error::of)?;
    Ok(Reply::object(&Shown::of(&caller, user).await))
}

#[put("/user/<id>", data = "<data>")]
pub async fn change(caller: Signed, id: UserId, data: Data<'_>) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let id = id.get()?;
    let user = caller.user(id).await.map_err(Error::about(id)).and_then(of_ours)?;
    let form = Form::read(data).await?;
    if form.id.is_some_and(|other| u64::try_from(other) != Ok(id.0)) {
        return Err(Error::OtherId);
    }
    let (change, gid) = user_change(&user, form).map_err(Error::Validation)?;
    let primary_group = match gid {
        Some(gid) => Some(group(&caller, gid).await?),
        None => None,
    };
    let change = UserChange { primary_group, ..change };
    caller.update_user(id, change, Precondition::None).await.map_err(Error::about(id))?;
    Ok(Reply::message(Status::Ok, "User updated"))
}

#[delete("/user/<id>")]
pub async fn delete(caller: Signed, id: UserId) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let id = id.get()?;
    caller.find_user(AccountRef::Id(id)).await.map_err(Error::about(id)).and_then(of_ours)?;
    let left = (DeletedHome::Keep, OtherProcesses::Left);
    caller.delete_user(id, left, Precondition::None).await.map_err(Error::about(id))?;
    Ok(Reply::message(Status::Ok, "User deleted"))
}

/// What the system was installed with is no business of this API.
pub fn of_ours(user: User) -> Result<User, Error> {
    if user.builtin { Err(Error::no_user(user.id)) } else { Ok(user) }
}

/// The group that has this gid.
async fn group(caller: &Caller, gid: u32) -> Result<AccountId, Error> {
    match caller.find_group(AccountRef::Number(gid)).await {
        Ok(group) => Ok(group.id),
        Err(accountd_core::Error::Refused(Refusal::NotFound)) => {
            Err(Error::Validation(format!("gid does not exist: {gid}")))
        }
        Err(error) => Err(Error::of(error)),
    }
}
