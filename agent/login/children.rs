//! Which children this process has.

use nix::unistd::Pid;

/// The direct children, among them what lost its parent (proc_pid_task_children(5)).
pub fn children() -> Vec<Pid> {
    let own = std::process::id();
    let text = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
    match text {
        Ok(text) => text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect(),
        // A kernel without CONFIG_PROC_CHILDREN: look at everybody's parent.
        Err(_) => children_by_status(own),
    }
}

fn children_by_status(own: u32) -> Vec<Pid> {
    let parent = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| parent(*pid) == Some(own)).map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_among_all_processes_where_the_kernel_has_no_list_of_them() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let found = children_by_status(std::process::id());
        let of_child = children_by_status(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&pid), "{found:?}");
        assert!(of_child.is_empty(), "{of_child:?}");
    }
}
