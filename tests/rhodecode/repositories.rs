//! Repositories: what is said of them, the access control lists on disk, and what others change there.

use std::process::Command;

use serde_json::{Value, json};

use super::Server;
use crate::world::World;

const ROOT: &str = "mnt/tank/repositories";

impl Server {
    /// With alice, berta and the group devs, and a repository of alice's.
    fn with_repository(name: &str, kind: &str) -> Self {
        let server = Self::start();
        for user in ["alice", "berta"] {
            server.create_user(user);
        }
        server.does("create_users_group", &json!({"name": "devs"}));
        let new = json!({"name": name, "owner_name": "alice", "repo_type": kind});
        assert_eq!(server.does("create_repo", &new), Value::Null);
        server
    }

    fn uid(&self, name: &str) -> u32 {
        self.disk.field("etc/passwd", name, 2).parse().unwrap()
    }

    fn gid(&self, name: &str) -> u32 {
        self.disk.field("etc/group", name, 2).parse().unwrap()
    }

    /// The lines of getfacl(1) for the directory of a repository, with numbers for names.
    fn acl(&self, repository: &str) -> Vec<String> {
        let path = self.disk.path(&format!("{ROOT}/{repository}"));
        let output = Command::new("getfacl")
            .args(["--numeric", "--omit-header", "--absolute-names"])
            .arg(path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    #[track_caller]
    fn acl_has(&self, repository: &str, line: &str) {
        let acl = self.acl(repository);
        assert!(acl.iter().any(|one| one == line), "{line}: {acl:?}");
    }

    fn setfacl(&self, repository: &str, entry: &str) {
        let path = self.disk.path(&format!("{ROOT}/{repository}"));
        let status = Command::new("setfacl").args(["--recursive", "--modify", entry]).arg(path).status().unwrap();
        assert!(status.success());
    }

    /// Who may do what, in words.
    fn members(&self, repository: &str) -> Vec<String> {
        let repository = self.does("get_repo", &json!({"name": repository}));
        let members = repository["members"].as_array().unwrap().iter();
        members
            .map(|one| {
                let name = one.get("username").unwrap_or(&one["name"]).as_str().unwrap();
                format!("{} {}", name, one["permission"].as_str().unwrap())
            })
            .collect()
    }
}

#[test]
fn every_row_of_repositories_in_its_order() {
    let server = Server::start();
    server.create_user("alice");
    server.create_user("berta");
    server.does("create_users_group", &json!({"name": "devs"}));
    let new = |name: &str| json!({"name": name, "owner_name": "alice"});
    let with = |mut arguments: Value, more: Value| {
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let grant =
        |repository: &str, user: &str, perm: Value| json!({"repo_name": repository, "user_name": user, "perm": perm});
    let said = |text: &str| Err(text.to_owned());
    let rows: Vec<(&str, Value, Result<Value, String>)> = vec![
        ("get_repos", json!({}), Ok(json!([]))),
        ("get_repo", json!({"name": "r1"}), Ok(Value::Null)),
        ("create_repo", new("r1"), Ok(Value::Null)),
        ("create_repo", new("r1"), said("repo r1 already exist")),
        ("create_repo", with(new("g1"), json!({"repo_type": "git", "private": "true"})), Ok(Value::Null)),
        ("create_repo", new("foo/bar/qux"), Ok(Value::Null)),
        ("create_repo", new("foo/bar"), said("failed to create repository foo/bar")),
        ("create_repo", new("../escape"), said("failed to create repository ../escape")),
        ("create_repo", new(""), said("failed to create repository ")),
        ("create_repo", with(new("r2"), json!({"owner_name": "nobody-here"})), said("failed to create repository r2")),
        ("create_repo", with(new("r2"), json!({"repo_type": "svn"})), said("failed to create repository r2")),
        ("create_repo", json!({"name": "r2"}), said("Missing non optional `owner_name` arg in JSON DATA")),
        ("add_user_to_repo", grant("r1", "berta", json!("repository.write")), Ok(Value::Null)),
        ("add_user_to_repo", grant("r1", "berta", json!("repository.write")), Ok(Value::Null)),
        ("add_user_to_repo", grant("r1", "berta", Value::Null), Ok(Value::Null)),
        ("add_user_to_repo", grant("r1", "berta", Value::Null), Ok(Value::Null)),
        ("add_user_to_repo", grant("r1", "berta", json!("bad")), said("failed to edit permission r1 for berta")),
        (
            "add_user_to_repo",
            grant("x", "berta", json!("repository.read")),
            said("failed to edit permission x for berta"),
        ),
        ("add_user_to_repo", grant("r1", "x", json!("repository.read")), said("failed to edit permission r1 for x")),
        (
            "add_users_group_to_repo",
            json!({"repo_name": "r1", "group_name": "devs", "perm": "repository.read"}),
            Ok(Value::Null),
        ),
        (
            "add_users_group_to_repo",
            json!({"repo_name": "r1", "group_name": "x", "perm": "repository.read"}),
            said("failed to edit permission r1 for x"),
        ),
        ("pull", json!({"repo": "x"}), said("Unknown repo \"x\"")),
        ("pull", json!({"repo": "r1"}), said("Unable to pull changes from \"r1\"")),
        ("delete_repo", json!({"repo_name": "g1"}), Ok(json!({"msg": "Deleted repository g1"}))),
        ("delete_repo", json!({"repo_name": "g1"}), said("repo g1 does not exist")),
    ];
    for (method, arguments, expected) in rows {
        assert_eq!(server.call(method, &arguments), expected, "{method} {arguments}");
    }
    let listed = server.does("get_repos", &json!({}));
    let listed: Vec<(&str, &str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| ["name", "type", "description"].map(|key| one[key].as_str().unwrap()).into())
        .collect();
    assert_eq!(listed, [("r1", "hg", "r1"), ("foo/bar/qux", "hg", "qux")]);
    assert!(!server.disk.path("mnt/tank/escape").exists());
    let id = server.does("get_user", &json!({"username": "alice"}))["id"].clone();
    let owns = format!("failed to delete ID:{id} alice");
    assert_eq!(server.call("delete_user", &json!({"userid": "alice"})), Err(owns), "whose would they be?");
    assert!(server.disk.line("etc/passwd", "alice").is_some());
}

#[test]
fn what_is_given_is_in_the_access_control_list_and_the_other_way_round() {
    for kind in ["git", "hg"] {
        let server = Server::with_repository("acme/web", kind);
        let (alice, berta, devs) = (server.uid("alice"), server.uid("berta"), server.gid("devs"));
        assert_eq!(server.disk.owner_and_mode(&format!("{ROOT}/acme/web")).0, alice);
        assert_eq!(server.members("acme/web"), ["default repository.read", "alice repository.admin"]);
        let give = |user: &str, perm: &str| {
            server.does("add_user_to_repo", &json!({"repo_name": "acme/web", "user_name": user, "perm": perm}));
        };
        give("berta", "repository.write");
        server.does(
            "add_users_group_to_repo",
            &json!({"repo_name": "acme/web", "group_name": "devs", "perm": "repository.read"}),
        );
        server.acl_has("acme/web", &format!("user:{berta}:rwx"));
        server.acl_has("acme/web", &format!("default:user:{berta}:rwx"));
        server.acl_has("acme/web", &format!("group:{devs}:r-x"));
        server.acl_has("acme/web", "other::r-x");
        let expected =
            ["default repository.read", "alice repository.admin", "berta repository.write", "devs repository.read"];
        assert_eq!(server.members("acme/web"), expected);
        give("default", "repository.none");
        server.acl_has("acme/web", "other::---");
        give("berta", "");
        assert!(!server.acl("acme/web").iter().any(|line| line.contains(&format!("user:{berta}:"))));
        let expected = ["default repository.none", "alice repository.admin", "devs repository.read"];
        assert_eq!(server.members("acme/web"), expected);
        server.setfacl("acme/web", &format!("user:{berta}:rX,default:user:{berta}:rX"));
        server.setfacl("acme/web", &format!("group:{devs}:rwX,default:group:{devs}:rwX"));
        let expected =
            ["default repository.none", "alice repository.admin", "berta repository.read", "devs repository.write"];
        assert_eq!(server.members("acme/web"), expected, "by others");
    }
}

#[test]
fn whoever_may_read_a_repository_sees_it_and_its_owner_may_change_it() {
    let server = Server::with_repository("acme/web", "git");
    let (alice, berta) = (server.key_of("alice"), server.key_of("berta"));
    let names = |key: &str| {
        let listed = server.by(key, "get_repos", &json!({})).unwrap();
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    server
        .does("add_user_to_repo", &json!({"repo_name": "acme/web", "user_name": "default", "perm": "repository.none"}));
    assert_eq!((names(&alice), names(&berta)), (vec!["acme/web".to_owned()], vec![]));
    server.does("add_user_to_repo", &json!({"repo_name": "acme/web", "user_name": "berta", "perm": "repository.read"}));
    assert_eq!(names(&berta), ["acme/web"]);
    let seen = server.by(&berta, "get_repo", &json!({"name": "acme/web"})).unwrap();
    assert_eq!(seen["members"][2]["username"], "berta", "{seen}");
    let denied = Err("Access was denied to this resource.".to_owned());
    assert_eq!(server.by(&berta, "delete_repo", &json!({"repo_name": "acme/web"})), denied);
    assert_eq!(server.by(&berta, "pull", &json!({"repo": "acme/web"})), denied);
    assert_eq!(server.by(&berta, "create_repo", &json!({"name": "mine", "owner_name": "berta"})), denied);
    let open = json!({"repo_name": "acme/web", "user_name": "default", "perm": "repository.read"});
    assert_eq!(server.by(&berta, "add_user_to_repo", &open), denied);
    assert_eq!(server.by(&alice, "add_user_to_repo", &open), Ok(Value::Null));
    let write = json!({"repo_name": "acme/web", "user_name": "berta", "perm": "repository.write"});
    assert_eq!(server.by(&alice, "add_user_to_repo", &write), Ok(Value::Null), "whom she need not see else");
    server.acl_has("acme/web", &format!("user:{}:rwx", server.uid("berta")));
    let nobody = json!({"repo_name": "acme/web", "user_name": "nobody-here", "perm": "repository.write"});
    assert_eq!(
        server.by(&alice, "add_user_to_repo", &nobody),
        Err("failed to edit permission acme/web for nobody-here".into())
    );
    assert!(server.by(&alice, "delete_repo", &json!({"repo_name": "acme/web"})).is_ok());
    assert!(!server.disk.path(&format!("{ROOT}/acme/web")).exists());
}

#[test]
fn later_versions_say_more_of_a_repository() {
    let server = Server::of(World::start_with(&format!(
        "{}[rhodecode]\ndialect = \"1.4\"\n[repositories]\nroot = \"/{ROOT}\"\n",
        super::SANDBOX
    )));
    server.does("create_user", &json!({"username": "alice", "password": "pw", "email": "alice@example.org"}));
    let made = server.does("create_repo", &json!({"repo_name": "r1", "owner": "alice", "repo_type": "git"}));
    assert_eq!((&made["msg"], &made["repo"]["repo_name"]), (&json!("Created new repository `r1`"), &json!("r1")));
    let id = made["repo"]["repo_id"].clone();
    let perm = json!({"repoid": id, "userid": "default", "perm": "repository.none"});
    let granted = server.does("grant_user_permission", &perm);
    assert_eq!(granted["msg"], json!(format!("Granted perm: `repository.none` for user: `default` in repo: `{id}`")));
    assert_eq!(server.does("delete_repo", &json!({"repoid": id}))["success"], json!(true));
    let gone = server.call("get_repo", &json!({"repoid": "r1"}));
    assert_eq!(gone, Err("repository `r1` does not exist".into()));
}
