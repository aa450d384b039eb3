//! `/groups` and `/groups/{group}`

use accountd_protocol::agent::{Group, SortBy};
use accountd_protocol::id::AccountId;
use accountd_protocol::list::Filter;
use rocket::http::Status;
use rocket::{delete, get, patch, post};

use super::error::Error;
use super::faults::Kind;
use super::group_input::{group_change, new_group};
use super::idempotency::Once;
use super::input::Input;
use super::listing::{Query, Resource, boolean, number};
use super::only_if::OnlyIf;
use super::path::Named;
use super::sent::{Bare, Change, Sent};
use super::users::Signed;
use super::{BASE, answers, output};
use crate::caller::Authenticated;
use crate::reply::Reply;

pub const GROUPS: Resource = Resource {
    fields: &output::GROUP_FIELDS,
    sorts: &[
        ("id", SortBy::Id),
        ("gid", SortBy::Number),
        ("groupname", SortBy::Name),
        ("builtin", SortBy::Builtin),
        ("sudo", SortBy::Sudo),
    ],
    filters: &[
        ("id", |text| number(text).map(AccountId).map(Filter::Id)),
        ("gid", |text| number(text).map(Filter::Number)),
        ("groupname", |text| Some(Filter::Name(text.into()))),
        ("groupname~", |text| Some(Filter::NamePrefix(text.into()))),
        ("builtin", |text| boolean(text).map(Filter::Builtin)),
        ("sudo", |text| boolean(text).map(Filter::Sudo)),
        ("member", |text| Some(Filter::Member(text.into()))),
    ],
};

pub fn failed(error: accountd_core::Error) -> Error {
    Error::of(Kind::Group, error)
}

fn shown(status: Status, group: &Group) -> Reply {
    answers::tagged(status, &output::group(group), group.tag.as_ref())
}

#[get("/groups")]
pub async fn list(caller: Signed, query: Query) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let listing = query.listing(GROUPS)?;
    let page = caller.find_groups(listing.window()).await.map_err(failed)?;
    let items = page.items.iter().map(output::group).collect();
    Ok(answers::json(Status::Ok, &listing.page(items, page.total, page.next.as_ref())))
}

#[post("/groups", data = "<sent>")]
pub async fn create(once: Once<'_>, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let Sent { caller, body } = sent?;
    let made = async {
        let new = new_group(Input::parse(Kind::Group, &body)?)?;
        let group = caller.create_group(new).await.map_err(failed)?;
        Ok(shown(Status::Created, &group).with("Location", format!("{BASE}/groups/{}", group.id)))
    };
    once.answer((&caller, "/groups"), &body, made).await
}

#[get("/groups/<group>")]
pub async fn show(caller: Signed, group: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let group = caller.find_group(group.0).await.map_err(failed)?;
    Ok(shown(Status::Ok, &group))
}

#[patch("/groups/<group>", data = "<sent>")]
pub async fn change(group: Named, sent: Result<Change, Error>) -> Result<Reply, Error> {
    let (caller, only_if, input) = sent?.open(Kind::Group)?;
    let id = group.group(&caller).await?;
    let group = caller.update_group(id, group_change(input)?, only_if).await.map_err(failed)?;
    Ok(shown(Status::Ok, &group))
}

#[delete("/groups/<group>")]
pub async fn delete(bare: Result<Bare, Error>, group: Named, only_if: OnlyIf) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let only_if = only_if.precondition()?;
    let id = group.group(&caller).await?;
    caller.delete_group(id, only_if).await.map_err(failed)?;
    Ok(answers::no_content())
}
