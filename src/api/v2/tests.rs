//! The description against what is there; the dialect against real programs is in `tests/v2`.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use accountd_core::Core;
use accountd_protocol::api_key::{ApiKey, ApiKeyId};
use accountd_protocol::ban::{Ban, BanId, Banned};
use accountd_protocol::repository::{Access, Repository, RepositoryFault, RepositoryId, RepositoryKind};
use serde_json::{Map, Value, json};

use super::error::Error;
use super::faults::{Fault, Kind};
use super::input::Input;
use super::listing::Resource;
use super::{
    BASE, api_keys, bans, fallback, group_input, groups, new_user, openapi, output, repositories, user_change, users,
};

fn document() -> Value {
    serde_json::from_str(openapi::DOCUMENT).unwrap()
}

fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let core = Core::new("/nonexistent").unwrap();
    let rocket = crate::rocket(core, SocketAddr::from(([127, 0, 0, 1], 0)));
    let routed: BTreeSet<(String, String)> = fallback::own(&rocket)
        .chain([("GET", "/healthz"), ("GET", "/readyz")])
        .map(|(method, path)| (method.to_lowercase(), path.replace('<', "{").replace('>', "}")))
        .collect();
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let described = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys().filter(|key| *key != "parameters");
        methods.map(move |method| (method.clone(), path.clone()))
    });
    assert_eq!(described.collect::<BTreeSet<_>>(), routed);
    assert!(routed.len() > 20 && routed.contains(&("patch".into(), format!("{BASE}/users/{{user}}"))));
}

#[test]
fn what_is_shown_is_described_field_by_field() {
    let schemas = &document()["components"]["schemas"];
    assert_eq!(names(&schemas["User"]["properties"]), set(&output::USER_FIELDS));
    assert_eq!(names(&schemas["Group"]["properties"]), set(&output::GROUP_FIELDS));
    let key = ApiKey { id: ApiKeyId(1), name: "k".into(), created: 1, expires: None, last_used: None };
    assert_eq!(names(&schemas["ApiKey"]["properties"]), names(&Value::Object(api_keys::shown(&key))));
    let repository = Repository {
        id: RepositoryId(1),
        name: "r".into(),
        kind: RepositoryKind::Git,
        description: String::new(),
        owner: None,
        owner_name: "3001".into(),
        private: true,
        clone_uri: None,
        created: 1,
        access: Access::Read,
        grants: vec![],
    };
    let shown = Value::Object(repositories::shown(&repository));
    assert_eq!(names(&schemas["Repository"]["properties"]), names(&shown));
    let ban = Ban { id: BanId(1), of: Banned::Source("::/64".into()), since: 1, until: 2 };
    assert_eq!(names(&schemas["Ban"]["properties"]), names(&Value::Object(bans::shown(&ban))));
}

#[test]
fn what_can_be_asked_of_a_list_is_described() {
    for (path, Resource { filters, .. }) in [("/api/v2/users", users::USERS), ("/api/v2/groups", groups::GROUPS)] {
        let document = document();
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap().clone();
        let described: BTreeSet<String> =
            parameters.iter().filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect();
        assert_eq!(described, filters.iter().map(|(name, _)| (*name).to_owned()).collect(), "{path}");
    }
}

/// Reads a body for what is wrong with it.
type Reader = fn(Input) -> Result<(), Error>;

/// The names in a body of all these fields that are not known.
fn unknown(kind: Kind, fields: &BTreeSet<String>, read: Reader) -> BTreeSet<String> {
    let body: Map<String, Value> = fields.iter().map(|field| (field.clone(), json!([[]]))).collect();
    let input = Input::parse(kind, Value::Object(body).to_string().as_bytes()).unwrap();
    let faults = match read(input) {
        Err(Error::Fields(faults)) => faults,
        other => panic!("{other:?}"),
    };
    let unknown = faults.into_iter().filter(|fault| matches!(&*fault.code, "unknown_field" | "read_only"));
    unknown.map(|fault| fault.field).collect()
}

#[test]
fn what_a_body_may_have_is_described() {
    let schemas = &document()["components"]["schemas"];
    let readers: [(&str, Kind, Reader); 8] = [
        ("NewRepository", Kind::Repository, |input| repositories::draft(input).map(drop)),
        ("RepositoryChange", Kind::Repository, |input| repositories::change_of(input).map(drop)),
        ("NewRepositoryGrant", Kind::Repository, |input| repositories::grant_of(input).map(drop)),
        ("NewUser", Kind::User, |input| new_user::draft(input).map(drop)),
        ("UserChange", Kind::User, |input| user_change::draft(input).map(drop)),
        ("NewApiKey", Kind::User, |input| api_keys::draft(input).map(drop)),
        ("NewGroup", Kind::Group, |input| group_input::new_group(input).map(drop)),
        ("GroupChange", Kind::Group, |input| group_input::group_change(input).map(drop)),
    ];
    let mut all: BTreeSet<String> = readers.iter().flat_map(|(name, ..)| names(&schemas[name]["properties"])).collect();
    all.extend(set(&output::USER_FIELDS));
    all.extend(set(&output::GROUP_FIELDS));
    all.insert("nonsense".into());
    for (name, kind, read) in readers {
        let described = names(&schemas[name]["properties"]);
        assert_eq!(&all - &unknown(kind, &all, read), described, "{name}");
    }
}

#[test]
fn every_type_of_problem_is_described() {
    let fault = |code| Fault::new("f", code, "m");
    let mut conflict = fault("duplicate");
    conflict.conflict = super::faults::Conflict::WithWhatExists;
    let errors = [
        Error::Unauthenticated,
        Error::CodeRequired,
        Error::WrongCode,
        Error::TooManyFailures("9".into()),
        Error::NotPermitted,
        Error::NotFound("user"),
        Error::Method("GET".into()),
        Error::Malformed("m".into()),
        Error::Format("text/plain".into()),
        Error::TooLarge,
        Error::Query(vec![fault("q")]),
        Error::Fields(vec![fault("f"), conflict.clone()]),
        Error::Fields(vec![conflict]),
        Error::Changed,
        Error::KeyReused,
        Error::KeyInUse,
        Error::ScanRunning,
        Error::Builtin,
        Error::PasswordExpired,
        Error::LastAdministrator,
        Error::Busy,
        Error::Unavailable,
        Error::NoSpace,
        Error::Internal,
        Error::Repository(RepositoryFault::NoAcls),
        Error::Repository(RepositoryFault::NotMade("m".into())),
        Error::Repository(RepositoryFault::BeingChanged),
        Error::Repository(RepositoryFault::Pulling),
        Error::Repository(RepositoryFault::NoCloneUri),
        Error::Repository(RepositoryFault::PullNotRun("m".into())),
        Error::Repository(RepositoryFault::PullFailed("m".into())),
        Error::Repository(RepositoryFault::PullTooLong(9)),
    ];
    let seen: Vec<(u16, String)> = errors
        .iter()
        .map(|error| {
            let reply = error.reply();
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!(body["status"], reply.status.code);
            (reply.status.code, body["type"].as_str().unwrap().to_owned())
        })
        .collect();
    let statuses: Vec<u16> = seen.iter().map(|(status, _)| *status).collect();
    let expected = [
        401, 401, 401, 429, 403, 404, 405, 400, 415, 413, 400, 422, 409, 412, 422, 409, 409, 409, 403, 409, 423, 503,
        507, 500, 503, 500, 409, 409, 409, 409, 502, 504,
    ];
    assert_eq!(statuses, expected);
    let described = &document()["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
    let described: BTreeSet<String> = serde_json::from_value(described.clone()).unwrap();
    assert_eq!(seen.into_iter().map(|(_, kind)| kind).collect::<BTreeSet<_>>(), described);
}
