//! `account/groups/`

use accountd_protocol::agent::{SortBy, Window};
use accountd_protocol::precondition::Precondition;
use rocket::http::{ContentType, Status};
use rocket::{delete, get, patch, post, put};

use super::error::Error;
use super::form::Form;
use super::group_input::{group_change, new_group};
use super::output::{self, Object};
use super::paging::{self, Fields, Listing, Sorting};
use super::place::{Action, Place};
use super::reply::Reply;
use super::users::Signed;
use super::{BASE, fallback::Id};
use crate::body::{Unread, no_browser_form};
use crate::caller::Basic;

const FIELDS: Fields = Fields {
    all: &output::GROUP_FIELDS,
    sortable: &[
        ("id", Sorting::By(SortBy::Id)),
        ("bsdgrp_gid", Sorting::By(SortBy::Number)),
        ("bsdgrp_group", Sorting::By(SortBy::Name)),
        ("bsdgrp_builtin", Sorting::By(SortBy::Builtin)),
        ("bsdgrp_sudo", Sorting::By(SortBy::AllSudo)),
    ],
};

#[get("/account/groups")]
pub async fn list(caller: Signed, listing: Listing) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let window = listing.window(FIELDS)?;
    let offset = window.offset;
    let place = Place::group(Action::List);
    let page = caller.groups(window).await.map_err(place.failed())?;
    let range = paging::content_range(offset, page.items.len(), page.total);
    Ok(paging::reply(&page, output::group).with("Content-Range", range))
}

/// The same objects as in [`list`], all of them.
#[get("/account/all_groups")]
pub async fn list_all(caller: Signed) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let place = Place::group(Action::List);
    let page = caller.groups(Window::all()).await.map_err(place.failed())?;
    Ok(paging::reply(&page, output::group))
}

#[get("/account/groups/<id>")]
pub async fn show(caller: Signed, id: Id) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let place = Place::group(Action::Show);
    let group = caller.group(id.get()?).await.map_err(place.failed())?;
    Ok(Reply::json(Status::Ok, &output::group(&group)))
}

#[post("/account/groups", data = "<body>")]
pub async fn create(caller: Signed, body: Unread<'_>) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let place = Place::group(Action::Create);
    let form = Form::read(body).await?;
    let new = new_group(&form).map_err(|faults| Error::Fields { place, faults })?;
    let group = caller.create_group(new).await.map_err(|error| Error::at(place, error, &form))?;
    let location = format!("{BASE}/account/groups/{}/", group.id);
    Ok(Reply::json(Status::Created, &output::group(&group)).with("Location", location))
}

#[put("/account/groups/<id>", data = "<body>")]
pub async fn change(caller: Signed, id: Id, body: Unread<'_>) -> Result<Reply, Error> {
    apply(caller, id, body).await.map(|group| Reply::json(Status::Ok, &group))
}

#[patch("/account/groups/<id>", data = "<body>")]
pub async fn patch(caller: Signed, id: Id, body: Unread<'_>) -> Result<Reply, Error> {
    apply(caller, id, body).await.map(|group| Reply::json(Status::Accepted, &group))
}

async fn apply(caller: Signed, id: Id, body: Unread<'_>) -> Result<Object, Error> {
    let Basic(caller) = caller?;
    let id = id.get()?;
    let mut form = Form::read(body).await?;
    let place = Place::group(Action::Change);
    let shown = caller.group(id).await.map_err(|error| Error::at(place, error, &form))?;
    // Sent back as it is shown, a name stays, though it could not be chosen.
    form.drop_unchanged(&output::group(&shown), &["bsdgrp_group"]);
    let change = group_change(&form).map_err(|faults| Error::Fields { place, faults })?;
    let group =
        caller.update_group(id, change, Precondition::None).await.map_err(|error| Error::at(place, error, &form))?;
    Ok(output::group(&group))
}

/// A body is ignored, unless it is one that a browser's form could have sent.
#[delete("/account/groups/<id>")]
pub async fn delete(caller: Signed, id: Id, content_type: Option<&ContentType>) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    no_browser_form(content_type)?;
    let place = Place::group(Action::Delete);
    caller.delete_group(id.get()?, Precondition::None).await.map_err(place.failed())?;
    Ok(Reply::no_content())
}
