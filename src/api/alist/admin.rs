//! `admin/user`: all accounts but those that the system was installed with.

use accountd_core::Caller;
use accountd_protocol::ageing::AgeingChange;
use accountd_protocol::agent::{
    Dialect, Direction, Echoes, NewPassword, NewUser, PrimaryGroup, SortBy, SortKey, User, UserChange, Window,
};
use accountd_protocol::alist::AlistWords;
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::list::{Filter, KeyTexts};
use accountd_protocol::name::NewUserName;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::sudo::SudoCommands;
use accountd_protocol::text::{Email, FieldPath, FullName, TextError};
use rocket::Data;

use super::caller::{ADMIN, Account, GENERAL, GUEST, role};
use super::error::{Error, NoUser, OfAdminOrGuest};
use super::meaning::{permissions, root, words};
use super::output::{Shown, is_ours};
use super::paging::{Page, Part};
use super::reply::Reply;
use super::request::Asked;
use super::user_form::Form;

/// So many users of one name can have left a home.
const MOST_HOMES: u32 = 50;
/// Lets nobody in but for files.
const SHELL: &str = "/usr/sbin/nologin";

pub async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { caller, .. } = Account::admin(asked).await?;
    let Page { content, total } = users(&caller, Part::of(asked)?).await?;
    let content: Vec<Shown> = content.into_iter().map(|user| Shown::of(user, &asked.settings)).collect();
    Ok(Reply::data(&Page { content, total }))
}

/// By their ids. Those of the built-in accounts that were made for this API are few, and stand between the others
/// wherever their ids have them.
async fn users(caller: &Caller, Part { offset, limit }: Part) -> Result<Page<User>, Error> {
    let builtin = window(true, 0, usize::MAX);
    let special: Vec<User> = found(caller, builtin).await?.0.into_iter().filter(is_ours).collect();
    let from = offset.saturating_sub(special.len());
    let (others, number) = found(caller, window(false, from, limit.saturating_add(special.len()))).await?;
    let total = number + special.len();
    // Where one stands, as far as that is in the part that was fetched.
    let before = |list: &[User], id: AccountId| list.iter().filter(|user| user.id < id).count();
    let special_places: Vec<usize> =
        special.iter().map(|user| from + before(&others, user.id) + before(&special, user.id)).collect();
    let other_places: Vec<usize> =
        others.iter().enumerate().map(|(index, user)| from + index + before(&special, user.id)).collect();
    let all = special_places.into_iter().zip(special).chain(other_places.into_iter().zip(others));
    let mut placed: Vec<(usize, User)> = all.filter(|(place, _)| *place >= offset && place - offset < limit).collect();
    placed.sort_by_key(|(place, _)| *place);
    Ok(Page { content: placed.into_iter().map(|(_, user)| user).collect(), total })
}

fn window(builtin: bool, offset: usize, limit: usize) -> Window {
    let sort = vec![SortKey { by: SortBy::Id, direction: Direction::Ascending }];
    let filters = vec![Filter::Builtin(builtin)];
    Window { filters, keys: KeyTexts::LeftOut, ..Window::part(offset, limit, sort) }
}

/// Users without their keys, got in parts, and how many there are in all.
async fn found(caller: &Caller, window: Window) -> Result<(Vec<User>, usize), Error> {
    let page = caller.users(window).await.map_err(Error::of)?;
    Ok((page.items, page.total))
}

pub async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { caller, .. } = Account::admin(asked).await?;
    let user = user(&caller, asked.id("id", None)?).await?;
    Ok(Reply::data(&Shown::of(user, &asked.settings)))
}

pub async fn create(asked: &Asked<'_>, data: Data<'_>) -> Result<Reply, Error> {
    let Account { caller, .. } = Account::admin(asked).await?;
    let form = Form::read(asked.request, data).await?;
    match form.role {
        GENERAL => {}
        GUEST | ADMIN => return Err(Error::OfAdminOrGuest(OfAdminOrGuest::Create)),
        other => return Err(Error::UnknownRole(other)),
    }
    let homes = asked.settings.homes.as_ref().ok_or(Error::NoPool)?;
    let username = form.username.clone();
    // Of somebody who was called so before, the files may be there still: they are not this user's.
    let others = (2..=MOST_HOMES).map(|number| format!("{homes}/{username}-{number}"));
    let mut created = Err(Error::Internal);
    for home in std::iter::once(format!("{homes}/{username}")).chain(others) {
        match caller.create_user(new_user(&form, &home)?).await {
            Err(error) if is_home_of_another(&error) => created = Err(Error::of(error)),
            result => {
                created = result.map_err(Error::of);
                break;
            }
        }
    }
    explained(&caller, &username, created).await?;
    Ok(Reply::success())
}

fn is_home_of_another(error: &accountd_core::Error) -> bool {
    let accountd_core::Error::Refused(Refusal::Invalid(invalid)) = error else { return false };
    matches!(invalid.as_slice(), [Invalid { field: Field::Home, problem: Problem::NotOwned | Problem::InUse(_) }])
}

fn new_user(form: &Form, home: &str) -> Result<NewUser, Error> {
    let name = name(&form.username)?;
    let Form { password, base_path, disabled, permission, sso_id, allow_ldap, .. } = form;
    let (permission, disabled) = (*permission, *disabled);
    let (base_path, sso_id, password) = (base_path.clone(), sso_id.clone(), password.clone());
    let text = |error: TextError| Error::Invalid(error.to_string());
    let words = AlistWords { permission, base_path, sso_id, allow_ldap: allow_ldap.unwrap_or(true) };
    Ok(NewUser {
        name,
        uid: None,
        full_name: FullName::new("").map_err(text)?,
        email: Email::new("").map_err(text)?,
        home: FieldPath::new(home).map_err(text)?,
        home_mode: None,
        shell: FieldPath::new(SHELL).map_err(text)?,
        password: if password.is_empty() { NewPassword::Disabled } else { NewPassword::Clear(password) },
        primary_group: PrimaryGroup::Private,
        groups: Vec::new(),
        ssh_keys: String::new(),
        locked: disabled,
        microsoft_account: false,
        sudo: SudoCommands::default(),
        ageing: AgeingChange::default(),
        limits: LimitsChange {
            permissions: Some(Some(permissions(words.permission))),
            root: Some(Some(root(&words.base_path))),
            ..LimitsChange::default()
        },
        echoes: Echoes::from([(Dialect::Alist, words.text())]),
    })
}

fn name(text: &str) -> Result<NewUserName, Error> {
    NewUserName::new(text).map_err(|error| Error::Invalid(format!("username {error}")))
}

/// The whole user anew; what a body says as it was shown changes nothing.
pub async fn update(asked: &Asked<'_>, data: Data<'_>) -> Result<Reply, Error> {
    let Account { caller, .. } = Account::admin(asked).await?;
    let form = Form::read(asked.request, data).await?;
    let user = user(&caller, form.id).await?;
    let role = role(&user, &asked.settings);
    if form.role != role {
        return Err(Error::OfAdminOrGuest(OfAdminOrGuest::Role));
    }
    if form.disabled && role == ADMIN {
        return Err(Error::OfAdminOrGuest(OfAdminOrGuest::Disable));
    }
    let name = form.username.clone();
    let (id, change) = (user.id, user_change(user, form)?);
    let updated = caller.update_user(id, change, Precondition::None).await.map_err(Error::of);
    explained(&caller, &name, updated).await?;
    Ok(Reply::success())
}

fn user_change(user: User, form: Form) -> Result<UserChange, Error> {
    let shown = words(&user);
    let allow_ldap = form.allow_ldap.unwrap_or(shown.allow_ldap);
    let Form { username, password, base_path, disabled, permission, sso_id, .. } = form;
    let limits = LimitsChange {
        permissions: (permission != shown.permission).then(|| Some(permissions(permission))),
        root: (base_path != shown.base_path).then(|| Some(root(&base_path))),
        ..LimitsChange::default()
    };
    let words = AlistWords { permission, base_path, sso_id, allow_ldap };
    Ok(UserChange {
        name: renamed(&user, &username)?,
        password: Some(password).filter(|password| !password.is_empty()),
        locked: (disabled != user.locked).then_some(disabled),
        limits,
        echoes: Echoes::from([(Dialect::Alist, words.text())]),
        ..UserChange::default()
    })
}

/// Another name, if it is one.
pub fn renamed(user: &User, username: &str) -> Result<Option<NewUserName>, Error> {
    if username == user.name { Ok(None) } else { name(username).map(Some) }
}

/// A name that is taken by an account that is not shown here is one that can't be had.
async fn explained(caller: &Caller, name: &str, result: Result<User, Error>) -> Result<User, Error> {
    if result.as_ref().err() != Some(&Error::NameTaken) {
        return result;
    }
    match caller.find_user(AccountRef::Name(name.to_owned())).await {
        Ok(user) if is_ours(&user) => result,
        Ok(_) => Err(Error::Invalid("username is that of an account of the system".into())),
        Err(_) => Err(Error::Invalid(
            "username is taken: it differs from another one only in case, or is known \
                                      elsewhere"
                .into(),
        )),
    }
}

pub async fn cancel_second_factor(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { caller, .. } = Account::admin(asked).await?;
    let user = user(&caller, asked.id("id", None)?).await?;
    caller.cancel_two_factor(user.id, Precondition::None).await.map_err(Error::of)?;
    Ok(Reply::success())
}

/// What is in the home stays there.
pub async fn delete(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { caller, .. } = Account::admin(asked).await?;
    let user = user(&caller, asked.id("id", None)?).await?;
    if role(&user, &asked.settings) != GENERAL {
        return Err(Error::OfAdminOrGuest(OfAdminOrGuest::Delete));
    }
    let left = (DeletedHome::Keep, OtherProcesses::Left);
    caller.delete_user(user.id, left, Precondition::None).await.map_err(Error::of)?;
    Ok(Reply::success())
}

/// Nothing is kept here that could be dropped: a look at an account reads what others have changed.
pub async fn drop_cache(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { caller, .. } = Account::admin(asked).await?;
    let name = asked.value("username");
    if name.is_empty() {
        return Err(Error::EmptyName);
    }
    match caller.find_user(AccountRef::Name(name)).await {
        Ok(user) if is_ours(&user) => Ok(Reply::success()),
        Ok(_) | Err(accountd_core::Error::Refused(Refusal::NotFound)) => Err(Error::NoUser(NoUser::Name)),
        Err(error) => Err(Error::of(error)),
    }
}

async fn user(caller: &Caller, id: i64) -> Result<User, Error> {
    let id = u64::try_from(id).map(AccountId).map_err(|_| Error::NoUser(NoUser::Id))?;
    let user = caller.find_user(AccountRef::Id(id)).await.map_err(Error::of)?;
    if is_ours(&user) { Ok(user) } else { Err(Error::NoUser(NoUser::Id)) }
}
