//! Changes of one group, and of the rules for passwords.

use serde_json::json;

use super::signs::*;
use super::{Kind, Signs};
use crate::faults::stage::Subject;

pub const KINDS: &[Kind] = &[
    Kind {
        name: "policy set",
        prepare: |stage, _| {
            own(stage).json("PATCH", "/policy", r#"{"password": {"warn_days": null}}"#).status_is(200);
        },
        request: |stage, subject| {
            let change = json!({"password": {"warn_days": subject.number}});
            own(stage).json("PATCH", "/policy", &change.to_string())
        },
        signs: |stage, subject| {
            let shown = own(stage).get("/policy").object(200);
            vec![
                sign("number", shown["password"]["warn_days"] == subject.number),
                sign("source", shown["source"]["password"]["warn_days"] == "api"),
            ]
        },
    },
    Kind { name: "group created", prepare: |_, _| {}, request: create_group, signs: group_is_there },
    Kind {
        name: "group renamed",
        prepare: make_group,
        request: |stage, subject| put_group(stage, subject, json!({"bsdgrp_group": subject.new})),
        signs: |stage, subject| {
            let renamed = Subject { name: subject.new.clone(), ..subject.clone() };
            let mut signs = group_is_there(stage, &renamed);
            signs.extend(
                group_is_there(stage, subject).into_iter().map(|(what, there)| (format!("no old {what}"), !there)),
            );
            signs
        },
    },
    Kind {
        name: "gid changed",
        prepare: make_user_of_own_group,
        request: |stage, subject| put_group(stage, subject, json!({"bsdgrp_gid": subject.number + 1})),
        signs: |stage, subject| {
            let new = (subject.number + 1).to_string();
            let shown = stage.shown("groups", "bsdgrp_group", &subject.name).unwrap();
            vec![
                sign("group", field(stage, "/etc/group", &subject.name, 2) == new),
                sign("passwd", field(stage, "/etc/passwd", &subject.name, 3) == new),
                sign("rest", shown["bsdgrp_gid"] == subject.number + 1),
            ]
        },
    },
    Kind {
        name: "group deleted",
        prepare: make_user_of_own_group,
        request: |stage, subject| stage.nas.rest.delete(&format!("/account/groups/{}/", subject.id)),
        signs: |stage, subject| {
            let there = group_is_there(stage, subject).into_iter();
            let mut signs: Signs = there.map(|(what, there)| (format!("no {what}"), !there)).collect();
            let gid = field(stage, "/etc/passwd", &subject.name, 3);
            signs.push(sign("passwd", gid != subject.number.to_string()));
            signs
        },
    },
];
