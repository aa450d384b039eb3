//! `account/users/`

use accountd_core::Caller;
use accountd_protocol::agent::{SortBy, User, Window};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::AccountId;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::text::FieldPath;
use rocket::http::Status;
use rocket::{delete, get, patch, post, put};

use super::error::Error;
use super::form::Form;
use super::new_user::new_user;
use super::output::{self, Object};
use super::paging::{self, Fields, Listing, Sorting};
use super::place::{Action, Place};
use super::reply::Reply;
use super::user_change::user_change;
use super::{BASE, fallback::Id};
use crate::body::Unread;
use crate::caller::{Basic, NoCaller};

pub type Signed = Result<Basic, NoCaller>;

/// Sortable by all but `bsdusr_sshpubkey`: for that, a file of every home would have to be read.
const FIELDS: Fields = Fields {
    all: &output::USER_FIELDS,
    sortable: &[
        ("id", Sorting::By(SortBy::Id)),
        ("bsdusr_uid", Sorting::By(SortBy::Number)),
        ("bsdusr_username", Sorting::By(SortBy::Name)),
        ("bsdusr_full_name", Sorting::By(SortBy::FullName)),
        ("bsdusr_home", Sorting::By(SortBy::Home)),
        ("bsdusr_shell", Sorting::By(SortBy::Shell)),
        ("bsdusr_builtin", Sorting::By(SortBy::Builtin)),
        ("bsdusr_locked", Sorting::By(SortBy::Locked)),
        ("bsdusr_group", Sorting::By(SortBy::PrimaryGroup)),
        ("bsdusr_email", Sorting::By(SortBy::Email)),
        ("bsdusr_password_disabled", Sorting::By(SortBy::PasswordDisabled)),
        ("bsdusr_microsoft_account", Sorting::By(SortBy::MicrosoftAccount)),
        ("bsdusr_unixhash", Sorting::By(SortBy::UnixHash)),
        ("bsdusr_smbhash", Sorting::By(SortBy::SmbHash)),
        ("bsdusr_attributes", Sorting::Same),
        ("bsdusr_sudo", Sorting::By(SortBy::AllSudo)),
    ],
};

#[get("/account/users")]
pub async fn list(caller: Signed, listing: Listing) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let window = listing.window(FIELDS)?;
    let offset = window.offset;
    let place = Place::user(Action::List);
    let page = caller.users(window).await.map_err(place.failed())?;
    let range = paging::content_range(offset, page.items.len(), page.total);
    Ok(paging::reply(&page, output::user).with("Content-Range", range))
}

/// The same objects as in [`list`], all of them.
#[get("/account/all_users")]
pub async fn list_all(caller: Signed) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let place = Place::user(Action::List);
    let page = caller.users(Window::all()).await.map_err(place.failed())?;
    Ok(paging::reply(&page, output::user))
}

#[get("/account/users/<id>")]
pub async fn show(caller: Signed, id: Id) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let place = Place::user(Action::Show);
    let user = caller.user(id.get()?).await.map_err(place.failed())?;
    Ok(Reply::json(Status::Ok, &output::user(&user)))
}

#[post("/account/users", data = "<body>")]
pub async fn create(caller: Signed, body: Unread<'_>) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let place = Place::user(Action::Create);
    let mut form = Form::read(body).await?;
    let new = new_user(&mut form).map_err(|faults| Error::Fields { place, faults })?;
    let user = caller.create_user(new).await.map_err(|error| Error::at(place, error, &form))?;
    let location = format!("{BASE}/account/users/{}/", user.id);
    Ok(Reply::json(Status::Created, &output::user(&user)).with("Location", location))
}

#[put("/account/users/<id>", data = "<body>")]
pub async fn change(caller: Signed, id: Id, body: Unread<'_>) -> Result<Reply, Error> {
    apply(caller, id, body).await.map(|user| Reply::json(Status::Ok, &user))
}

#[patch("/account/users/<id>", data = "<body>")]
pub async fn patch(caller: Signed, id: Id, body: Unread<'_>) -> Result<Reply, Error> {
    apply(caller, id, body).await.map(|user| Reply::json(Status::Accepted, &user))
}

async fn apply(caller: Signed, id: Id, body: Unread<'_>) -> Result<Object, Error> {
    let Basic(caller) = caller?;
    let id = id.get()?;
    let mut form = Form::read(body).await?;
    let place = Place::user(Action::Change);
    let shown = caller.user(id).await.map_err(|error| Error::at(place, error, &form))?;
    let same_home = form.text("bsdusr_home").is_some_and(|home| home.as_deref() == Ok(shown.home.as_str()));
    form.drop_unchanged(&output::user(&shown), &SENT_BACK);
    drop_shown_group(&caller, &shown, &mut form).await;
    let mut change = user_change(&mut form).map_err(|faults| Error::Fields { place, faults })?;
    if same_home {
        // The agent begins a transfer to it again that has failed.
        change.home = FieldPath::new(shown.home.as_str()).ok();
    }
    let user =
        caller.update_user(id, change, Precondition::None).await.map_err(|error| Error::at(place, error, &form))?;
    Ok(output::user(&user))
}

/// Texts and numbers that a client may send back as it got them, though they may not be chosen.
const SENT_BACK: [&str; 7] = [
    "bsdusr_username",
    "bsdusr_uid",
    "bsdusr_full_name",
    "bsdusr_email",
    "bsdusr_home",
    "bsdusr_shell",
    "bsdusr_sshpubkey",
];

/// Nobody chooses these: who sends them has sent back a whole object.
const READ_ONLY: [&str; 3] = ["id", "bsdusr_builtin", "bsdusr_unixhash"];

/// `bsdusr_group` is shown as a gid and taken as an id. In a whole object that is sent back it means
/// the present one; so it does where the gid that was shown is no group's id, or the group can't be
/// changed.
async fn drop_shown_group(caller: &Caller, shown: &User, form: &mut Form) {
    let number = u64::from(shown.gid.0);
    if form.id("bsdusr_group") != Some(Ok(number)) {
        return;
    }
    let whole = READ_ONLY.iter().all(|key| form.has(key));
    if whole || shown.builtin || caller.group(AccountId(number)).await.is_err() {
        form.drop_unchanged(&output::user(shown), &["bsdusr_group"]);
    }
}

/// That a user isn't there goes before what is wrong with the form for it.
pub async fn missing_first(caller: &Caller, id: AccountId, error: Error) -> Error {
    let Error::Fields { place, .. } = &error else { return error };
    match caller.user(id).await {
        Err(accountd_core::Error::Refused(Refusal::NotFound)) => Error::NotFound(*place),
        Ok(_) | Err(_) => error,
    }
}

/// The home stays, unless a body of JSON has `delete_home`. Another body is ignored, unless it is
/// one that a browser's form could have sent.
#[delete("/account/users/<id>", data = "<body>")]
pub async fn delete(caller: Signed, id: Id, body: Unread<'_>) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    body.no_browser_form()?;
    let id = id.get()?;
    let form = if body.says_json() { Form::read_if_any(body).await? } else { Form::default() };
    let home = match form.boolean("delete_home") {
        Some(true) => DeletedHome::Remove,
        Some(false) | None => DeletedHome::Keep,
    };
    let place = Place::user(Action::Delete);
    let deletion = (home, OtherProcesses::Left);
    caller.delete_user(id, deletion, Precondition::None).await.map_err(|error| Error::at(place, error, &form))?;
    Ok(Reply::no_content())
}
