//! The methods of repositories.

use accountd_protocol::dialects::RhodecodeWording;
use accountd_protocol::job::JobState;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::repository::{RepositoryFault, RepositoryField, RepositoryProblem};
use serde_json::{Value, json};

use super::{Script, World};

const ALL: [RhodecodeWording; 3] = [RhodecodeWording::Seed, RhodecodeWording::V1_3, RhodecodeWording::V1_4];

fn invalid(field: RepositoryField, problem: Problem) -> Refusal {
    Refusal::invalid(Field::Repository(field), problem)
}

#[test]
fn a_list_has_the_keys_of_every_version() {
    let (repositories, _) = World::new().call("get_repos", json!({}));
    let expected = json!({
        "id": 5, "repo_id": 5, "name": "acme/web", "repo_name": "acme/web", "type": "hg", "repo_type": "hg",
        "description": "d", "private": false, "clone_uri": null, "owner": "alice", "created_on": "1970-01-01T00:00:00",
    });
    assert_eq!((&repositories[0], &repositories[1]["id"]), (&expected, &json!(6)));
}

#[test]
fn members_are_what_the_access_control_list_has_and_the_owner_and_nobody() {
    for which in [json!("acme/web"), json!(5), json!("5")] {
        for name in ["name", "repoid", "repo_name", "repo"] {
            let (repository, _) = World::new().call("get_repo", json!({name: which}));
            let members = repository["members"].as_array().unwrap();
            let seen: Vec<String> = members
                .iter()
                .map(|one| {
                    let name = one.get("username").unwrap_or(&one["name"]).as_str().unwrap();
                    format!("{} {name} {}", one["type_"].as_str().unwrap(), one["permission"].as_str().unwrap())
                })
                .collect();
            let expected = [
                "user default repository.read",
                "user alice repository.admin",
                "user berta repository.admin",
                "users_group devs repository.write",
            ];
            assert_eq!(seen, expected);
            assert_eq!((&members[2]["active"], &members[3]["active"]), (&json!(true), &json!(true)));
        }
    }
    let (private, _) = World::new().call("get_repo", json!({"name": "private"}));
    assert_eq!(private["members"][0]["permission"], "repository.none");
    World::new().gives("get_repo", json!({"name": "x"}), Value::Null);
    World::speaking(RhodecodeWording::V1_3).fails("get_repo", json!({"repoid": "x"}), "unknown repository None");
    World::speaking(RhodecodeWording::V1_4).fails("get_repo", json!({"repoid": "x"}), "repository `x` does not exist");
}

#[test]
fn a_new_repository_is_mercurials_and_called_by_the_end_of_its_name_unless_it_is_said_otherwise() {
    let world = World::new();
    world.gives("create_repo", json!({"name": "a/b", "owner_name": "alice"}), Value::Null);
    let more = json!({"repo_name": "c", "owner_name": 8, "description": "D", "repo_type": "git", "private": "True"});
    world.gives("create_repo", more, Value::Null);
    let asked = world.asked();
    for part in [r#"RepositoryName("a/b")"#, "kind: Hg", "Id(AccountId(7))", r#"description: "b""#, "private: false"] {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
    for part in ["kind: Git", "Id(AccountId(8))", r#"description: "D""#, "private: true"] {
        assert!(asked[1].contains(part), "{part}: {}", asked[1]);
    }
    let world = World::speaking(RhodecodeWording::V1_4);
    let (made, _) = world.call("create_repo", json!({"repo_name": "c"}));
    assert_eq!((&made["msg"], &made["repo"]["repo_id"]), (&json!("Created new repository `c`"), &json!(9)));
    assert!(world.asked()[0].contains("owner: Caller"), "{:?}", world.asked());
    let made = json!({"id": 9, "msg": "Created new repository c"});
    World::speaking(RhodecodeWording::V1_3).gives(
        "create_repo",
        json!({"repo_name": "c", "owner_name": "alice"}),
        made,
    );
}

#[test]
fn a_repository_that_can_not_be_is_refused() {
    let world = World::new();
    for (arguments, expected) in [
        (json!({"name": "../x", "owner_name": "alice"}), "failed to create repository ../x"),
        (json!({"name": "", "owner_name": "alice"}), "failed to create repository "),
        (json!({"name": "r", "owner_name": "nobody"}), "failed to create repository r"),
        (json!({"name": "r", "owner_name": "default"}), "failed to create repository r"),
        (json!({"name": "r", "owner_name": "daemon"}), "failed to create repository r"),
        (json!({"name": "r", "owner_name": "alice", "repo_type": "svn"}), "failed to create repository r"),
        (json!({"name": "r", "owner_name": "alice", "private": "maybe"}), "failed to create repository r"),
        (json!({"name": "r", "owner_name": "alice", "clone_uri": "file:///etc"}), "failed to create repository r"),
        (json!({"name": "r", "owner_name": "alice", "clone_uri": "ext::sh -c id"}), "failed to create repository r"),
        (json!({"name": "r"}), "Missing non optional `owner_name` arg in JSON DATA"),
    ] {
        world.fails("create_repo", arguments, expected);
    }
    assert!(world.asked().is_empty(), "{:?}", world.asked());
    let new = json!({"name": "r", "owner_name": "alice"});
    for (refusal, expected) in [
        (invalid(RepositoryField::Name, Problem::Duplicate("r".into())), "repo r already exist"),
        (
            invalid(RepositoryField::Name, RepositoryProblem::Nested("r/x".into()).into()),
            "failed to create repository r",
        ),
        (RepositoryFault::NoProgram("hg".into()).into(), "failed to create repository r"),
        (Refusal::NotPermitted, "Access was denied to this resource."),
    ] {
        World::refusing(refusal).fails("create_repo", new.clone(), expected);
    }
    let unknown = json!({"repo_name": "r", "owner_name": "x"});
    World::speaking(RhodecodeWording::V1_3).fails("create_repo", unknown.clone(), "unknown user x");
    World::speaking(RhodecodeWording::V1_4).fails("create_repo", unknown, "user `x` does not exist");
}

#[test]
fn a_clone_that_brings_nothing_is_not_kept() {
    let new = json!({"name": "r", "owner_name": "alice", "clone_uri": "https://example.org/r"});
    let pulling = |pulls: &[JobState]| World::of(Script { pulls: pulls.to_vec(), ..Script::new() });
    let world = pulling(&[JobState::Done, JobState::Running, JobState::Waiting]);
    world.gives("create_repo", new.clone(), Value::Null);
    assert!(world.asked()[1].starts_with("PullRepository(Id(RepositoryId(9)"), "{:?}", world.asked());
    let world = pulling(&[JobState::Failed, JobState::Running]);
    world.fails("create_repo", new, "failed to create repository r");
    assert!(world.asked()[2].starts_with("DeleteRepository"), "{:?}", world.asked());
}

#[test]
fn a_pull_is_waited_for() {
    let pull = json!({"repo": "acme/web"});
    let pulling = |wording, pulls: &[JobState]| {
        World::of(Script { wording: Some(wording), pulls: pulls.to_vec(), ..Script::new() })
    };
    let slow = [JobState::Done, JobState::Running, JobState::Waiting];
    for wording in ALL {
        let shown = if wording == RhodecodeWording::V1_4 { "Pulled from `acme/web`" } else { "Pulled from acme/web" };
        pulling(wording, &slow).gives("pull", pull.clone(), json!(shown));
    }
    let failed = "Unable to pull changes from \"acme/web\"";
    for state in [JobState::Failed, JobState::Cancelled] {
        pulling(RhodecodeWording::Seed, &[state]).fails("pull", pull.clone(), failed);
    }
    World::refusing(RepositoryFault::NoCloneUri.into()).fails("pull", pull.clone(), failed);
    World::refusing(Refusal::NotPermitted).fails("pull", pull, "Access was denied to this resource.");
    World::new().fails("pull", json!({"repo": "x"}), "Unknown repo \"x\"");
    World::new().fails("pull", json!({}), "Missing non optional `repo` arg in JSON DATA");
}

#[test]
fn what_is_given_is_what_the_core_is_asked_to_give() {
    let rows = [
        (
            "add_user_to_repo",
            json!({"user_name": "berta", "perm": "repository.write"}),
            "User(AccountId(8)), access: Write",
        ),
        ("add_user_to_repo", json!({"user_name": "berta", "perm": null}), "User(AccountId(8)), access: None"),
        ("add_user_to_repo", json!({"user_name": "berta", "perm": ""}), "User(AccountId(8)), access: None"),
        ("add_user_to_repo", json!({"user_name": "berta", "perm": "None"}), "User(AccountId(8)), access: None"),
        ("add_user_to_repo", json!({"user_name": "default", "perm": "repository.none"}), "Others, access: None"),
        ("add_user_to_repo", json!({"user_name": 0, "perm": "repository.read"}), "Others, access: Read"),
        (
            "add_users_group_to_repo",
            json!({"group_name": "devs", "perm": "repository.read"}),
            "Group(AccountId(41)), access: Read",
        ),
        (
            "grant_user_permission",
            json!({"username": 8, "perm": "repository.admin"}),
            "User(AccountId(8)), access: Admin",
        ),
        ("revoke_user_permission", json!({"username": "berta"}), "User(AccountId(8)), access: None"),
        (
            "grant_user_group_permission",
            json!({"usergroupid": 41, "perm": "repository.write"}),
            "Group(AccountId(41)), access: Write",
        ),
        ("revoke_users_group_permission", json!({"group_name": "devs"}), "Group(AccountId(41)), access: None"),
    ];
    for (method, mut arguments, expected) in rows {
        let world = World::new();
        arguments["repo_name"] = json!("acme/web");
        let (_, error) = world.call(method, arguments.clone());
        assert_eq!(error, Value::Null, "{method} {arguments}");
        assert!(world.asked()[0].contains(expected), "{method} {arguments}: {:?}", world.asked());
    }
}

#[test]
fn what_was_given_is_said_as_the_version_says_it() {
    let user = json!({"repo_name": "acme/web", "username": "berta", "perm": "repository.write"});
    let group = json!({"repo_name": "acme/web", "group_name": "devs", "perm": "repository.read"});
    World::new().gives("add_user_to_repo", user.clone(), Value::Null);
    World::new().gives("add_users_group_to_repo", group.clone(), Value::Null);
    let rows = [
        (
            "grant_user_permission",
            &user,
            "Granted perm: repository.write for user: berta in repo: acme/web",
            "Granted perm: `repository.write` for user: `berta` in repo: `acme/web`",
        ),
        (
            "revoke_user_permission",
            &user,
            "Revoked perm for user: berta in repo: acme/web",
            "Revoked perm for user: `berta` in repo: `acme/web`",
        ),
        (
            "grant_users_group_permission",
            &group,
            "Granted perm: repository.read for group: devs in repo: acme/web",
            "Granted perm: `repository.read` for user group: `devs` in repo: `acme/web`",
        ),
        (
            "revoke_users_group_permission",
            &group,
            "Revoked perm for group: devs in repo: acme/web",
            "Revoked perm for user group: `devs` in repo: `acme/web`",
        ),
    ];
    for (method, arguments, seed, later) in rows {
        World::new().gives(method, arguments.clone(), json!({"msg": seed}));
        World::speaking(RhodecodeWording::V1_3).gives(method, arguments.clone(), json!({"msg": seed}));
        let expected = json!({"msg": later, "success": true});
        World::speaking(RhodecodeWording::V1_4).gives(method, arguments.clone(), expected);
    }
}

#[test]
fn what_can_not_be_given_is_refused() {
    let with =
        |repository: &str, user: &str, perm: Value| json!({"repo_name": repository, "user_name": user, "perm": perm});
    let rows = [
        (
            with("x", "berta", json!("repository.read")),
            "failed to edit permission x for berta",
            "repository `x` does not exist",
        ),
        (
            with("acme/web", "x", json!("repository.read")),
            "failed to edit permission acme/web for x",
            "user `x` does not exist",
        ),
        (
            with("acme/web", "daemon", json!("repository.read")),
            "failed to edit permission acme/web for daemon",
            "user `daemon` does not exist",
        ),
        (
            with("acme/web", "berta", json!("write")),
            "failed to edit permission acme/web for berta",
            "permission `write` does not exist",
        ),
        (
            with("acme/web", "berta", json!(["repository.read"])),
            "failed to edit permission acme/web for berta",
            "permission `[\"repository.read\"]` does not exist",
        ),
    ];
    for (arguments, seed, later) in rows {
        World::new().fails("add_user_to_repo", arguments.clone(), seed);
        World::speaking(RhodecodeWording::V1_4).fails("grant_user_permission", arguments, later);
    }
    let of_owner = || invalid(RepositoryField::Grantee, RepositoryProblem::IsOwner.into());
    World::refusing(of_owner()).gives(
        "add_user_to_repo",
        with("acme/web", "alice", json!("repository.admin")),
        Value::Null,
    );
    let less = with("acme/web", "alice", json!("repository.read"));
    World::refusing(of_owner()).fails("add_user_to_repo", less, "failed to edit permission acme/web for alice");
    let denied = with("acme/web", "berta", json!("repository.read"));
    World::refusing(Refusal::NotPermitted).fails("add_user_to_repo", denied, "Access was denied to this resource.");
}

#[test]
fn a_repository_is_deleted_by_its_id() {
    let world = World::new();
    world.gives("delete_repo", json!({"repo_name": "acme/web"}), json!({"msg": "Deleted repository acme/web"}));
    assert_eq!(world.asked(), ["DeleteRepository(Id(RepositoryId(5)))"]);
    world.fails("delete_repo", json!({"repo_name": "x"}), "repo x does not exist");
    let later = World::speaking(RhodecodeWording::V1_4);
    later.gives("delete_repo", json!({"repoid": 5}), json!({"msg": "Deleted repository `acme/web`", "success": true}));
    later.fails("delete_repo", json!({"repoid": "x"}), "repository `x` does not exist");
    World::refusing(Refusal::Busy).fails("delete_repo", json!({"repo_name": 5}), "failed to delete repository 5");
}
