//! `/users` and `/users/{user}`

use accountd_protocol::agent::{NewPassword, RandomPassword, SortBy, User};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::AccountId;
use accountd_protocol::list::Filter;
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::secret::Secret;
use rocket::http::Status;
use rocket::{delete, get, patch, post};
use serde_json::json;

use super::error::Error;
use super::faults::{Fault, Kind};
use super::idempotency::{Made, Once};
use super::input::Input;
use super::listing::{Query, Resource, boolean, number};
use super::only_if::OnlyIf;
use super::path::Named;
use super::sent::{Bare, Change, Sent};
use super::{BASE, answers, disable, new_user, output, user_change};
use crate::caller::{Authenticated, NoCaller};
use crate::reply::Reply;

/// Who asks. Another way to say so is added to [`crate::caller`], and is known here at once.
pub type Signed = Result<Authenticated, NoCaller>;

pub const USERS: Resource = Resource {
    fields: &output::USER_FIELDS,
    sorts: &[
        ("id", SortBy::Id),
        ("uid", SortBy::Number),
        ("gid", SortBy::PrimaryGroup),
        ("username", SortBy::Name),
        ("full_name", SortBy::FullName),
        ("email", SortBy::Email),
        ("home", SortBy::Home),
        ("shell", SortBy::Shell),
        ("locked", SortBy::Locked),
        ("password_disabled", SortBy::PasswordDisabled),
        ("builtin", SortBy::Builtin),
        ("sudo", SortBy::Sudo),
        ("microsoft_account", SortBy::MicrosoftAccount),
    ],
    filters: &[
        ("id", |text| number(text).map(AccountId).map(Filter::Id)),
        ("uid", |text| number(text).map(Filter::Number)),
        ("gid", |text| number(text).map(Filter::PrimaryGid)),
        ("username", |text| Some(Filter::Name(text.into()))),
        ("username~", |text| Some(Filter::NamePrefix(text.into()))),
        ("email", |text| Some(Filter::Email(text.into()))),
        ("shell", |text| Some(Filter::Shell(text.into()))),
        ("locked", |text| boolean(text).map(Filter::Locked)),
        ("password_disabled", |text| boolean(text).map(Filter::PasswordDisabled)),
        ("builtin", |text| boolean(text).map(Filter::Builtin)),
        ("sudo", |text| boolean(text).map(Filter::Sudo)),
        ("group", |text| Some(Filter::Group(text.into()))),
    ],
};

pub fn failed(error: accountd_core::Error) -> Error {
    Error::of(Kind::User, error)
}

/// With the password that was made for it; null where that was said before.
fn shown_with(status: Status, user: &User, password: Option<&Secret>) -> Reply {
    let mut object = output::user(user);
    object.insert("password".to_owned(), json!(password.map(Secret::reveal)));
    answers::tagged(status, &object, user.tag.as_ref())
}

fn shown(status: Status, user: &User) -> Reply {
    answers::tagged(status, &output::user(user), user.tag.as_ref())
}

#[get("/users")]
pub async fn list(caller: Signed, query: Query) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let listing = query.listing(USERS)?;
    let page = caller.find_users(listing.window()).await.map_err(failed)?;
    let items = page.items.iter().map(output::user).collect();
    Ok(answers::json(Status::Ok, &listing.page(items, page.total, page.next.as_ref())))
}

#[post("/users", data = "<sent>")]
pub async fn create(once: Once<'_>, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let Sent { caller, body } = sent?;
    let made = async {
        let new = new_user::draft(Input::parse(Kind::User, &body)?)?.resolved(&caller).await?;
        let (user, password) = match new.password {
            NewPassword::Random => {
                let (user, password) = caller.create_user_with_password(new).await.map_err(failed)?;
                (user, Some(password))
            }
            NewPassword::Clear(_) | NewPassword::Hashed(_) | NewPassword::Kept(_) | NewPassword::Disabled => {
                (caller.create_user(new).await.map_err(failed)?, None)
            }
        };
        let created = |reply: Reply| reply.with("Location", format!("{BASE}/users/{}", user.id));
        let Some(password) = password else { return Ok(Made::from(created(shown(Status::Created, &user)))) };
        // A password is said once: the same request gets null for it later.
        let [first, again] = [Some(&password), None].map(|it| created(shown_with(Status::Created, &user, it)));
        Ok(Made { first, again })
    };
    once.answer((&caller, "/users"), &body, made).await
}

#[get("/users/<user>")]
pub async fn show(caller: Signed, user: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let user = caller.find_user(user.0).await.map_err(failed)?;
    Ok(shown(Status::Ok, &user))
}

#[patch("/users/<user>", data = "<sent>")]
pub async fn change(user: Named, sent: Result<Change, Error>) -> Result<Reply, Error> {
    let (caller, only_if, input) = sent?.open(Kind::User)?;
    let id = user.user(&caller).await?;
    let change = user_change::draft(input)?.resolved(&caller).await?;
    if change.random_password == RandomPassword::Made {
        let made = caller.update_user_with_password(id, change, only_if).await;
        let (user, password) = made.map_err(failed)?;
        return Ok(shown_with(Status::Ok, &user, Some(&password)));
    }
    let user = caller.update_user(id, change, only_if).await.map_err(failed)?;
    Ok(shown(Status::Ok, &user))
}

#[delete("/users/<user>")]
pub async fn delete(bare: Result<Bare, Error>, user: Named, only_if: OnlyIf, query: Query) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let (only_if, Deletion { home, processes, report }) = (only_if.precondition()?, deletion(&query)?);
    let id = user.user(&caller).await?;
    let ended = caller.delete_user(id, (home, processes), only_if).await.map_err(failed)?;
    Ok(match report {
        Report::Shown => answers::json(Status::Ok, &disable::report(&ended)),
        Report::LeftOut => answers::no_content(),
    })
}

/// What a deletion takes along, and whether it says so.
struct Deletion {
    home: DeletedHome,
    processes: OtherProcesses,
    report: Report,
}

enum Report {
    Shown,
    LeftOut,
}

/// `?delete_home=true&end_processes=true&report=true`; what is not asked for stays.
fn deletion(query: &Query) -> Result<Deletion, Error> {
    let mut deletion = Deletion { home: DeletedHome::Keep, processes: OtherProcesses::Left, report: Report::LeftOut };
    for (name, value) in query.pairs() {
        let fault = |code, message| Err(Error::Query(vec![Fault::new(name.escape_debug().to_string(), code, message)]));
        match (name, boolean(value)) {
            ("delete_home", Some(true)) => deletion.home = DeletedHome::Remove,
            ("delete_home", Some(false)) => deletion.home = DeletedHome::Keep,
            ("end_processes", Some(end)) => deletion.processes = disable::other_processes(end),
            ("report", Some(true)) => deletion.report = Report::Shown,
            ("report", Some(false)) => deletion.report = Report::LeftOut,
            ("delete_home" | "end_processes" | "report", None) => {
                return fault("wrong_type", "has to be true or false");
            }
            _ => return fault("unknown_parameter", "is not known here"),
        }
    }
    Ok(deletion)
}
