//! Bodies about groups. Only `groupname` is required of a new one.

use accountd_protocol::agent::{GroupChange, NewGroup, SharedGid};
use accountd_protocol::name::NewGroupName;
use accountd_protocol::refusal::Field;

use super::error::Error;
use super::input::{Given, Input};
use super::output::GROUP_READ_ONLY;
use super::{limits, sudo};

pub fn new_group(mut input: Input) -> Result<NewGroup, Error> {
    input.require("groupname");
    let name = input.text("groupname");
    let name = input.parsed(Field::GroupName, name, NewGroupName::new);
    let (gid, shared_gid) = (input.number("gid").value(), shared_gid(&mut input));
    let sudo = sudo::of_new(&mut input);
    let limits = limits::change(&mut input);
    input.finish(&GROUP_READ_ONLY)?;
    // What is missing has been named.
    Ok(NewGroup { name: name.ok_or(Error::Internal)?, gid, shared_gid, sudo, limits })
}

pub fn group_change(mut input: Input) -> Result<GroupChange, Error> {
    ["groupname", "gid", "allow_shared_gid"].iter().for_each(|field| input.refuse_null(field));
    let groupname = input.text("groupname");
    let change = GroupChange {
        name: input.parsed(Field::GroupName, groupname, NewGroupName::new),
        gid: input.number("gid").value(),
        shared_gid: shared_gid(&mut input),
        sudo: sudo::change(&mut input),
        limits: limits::change(&mut input),
    };
    input.finish(&GROUP_READ_ONLY)?;
    Ok(change)
}

fn shared_gid(input: &mut Input) -> SharedGid {
    match input.boolean("allow_shared_gid") {
        Given::Value(true) => SharedGid::Allowed,
        Given::Value(false) | Given::Null | Given::Absent => SharedGid::Refused,
    }
}
