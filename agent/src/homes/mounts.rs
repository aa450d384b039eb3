//! Where something has to be mounted: what fstab(5) names. As long as nothing is, the directory there is one of the file
//! system above it, mostly the root file system, and no place for a home.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use accountd_protocol::text::FieldPath;
use nix::fcntl::OFlag;

use super::directory;

/// More than any fstab has.
const MAX_BYTES: u64 = 1 << 20;

/// The mount point of `fstab` above `path` on which nothing is mounted; `root` is the machine's root directory.
pub fn missing_above(root: &OwnedFd, path: &FieldPath) -> Option<FieldPath> {
    let mut points = mount_points(&fstab(root));
    points.retain(|point| path.is_within(point) && !is_mounted(root, point));
    // The outermost: those below it can't be there either.
    points.into_iter().min_by_key(|point| point.components().count())
}

/// Empty where there is none.
fn fstab(root: &OwnedFd) -> String {
    let mut text = Vec::new();
    if let Ok(file) = directory::open_below(root, c"etc/fstab", OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
        let _ = File::from(file).take(MAX_BYTES).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The second fields of its lines but for the root directory; swap has none.
fn mount_points(fstab: &str) -> Vec<FieldPath> {
    let lines = fstab.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    let points = lines.filter_map(|line| line.split_ascii_whitespace().nth(1));
    let points = points.filter_map(|point| FieldPath::new(plain(point)).ok());
    points.filter(|point| point.components().next().is_some()).collect()
}

/// Blanks and the like are written in octal there.
fn plain(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |field, (written, meant)| field.replace(written, meant))
}

/// Whether the directory is another mount than the one that it lies in.
fn is_mounted(root: &OwnedFd, point: &FieldPath) -> bool {
    let parts: Vec<&str> = point.components().collect();
    let Some((name, above)) = parts.split_last() else { return true };
    let above = if above.is_empty() { ".".to_owned() } else { above.join("/") };
    let Ok(parent) = directory::open_below(root, above.as_str(), OFlag::O_PATH | OFlag::O_DIRECTORY) else {
        return false;
    };
    directory::is_mount_point(&parent, name) == Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_the_second_fields_of_fstab() {
        let fstab = "# /dev/x /mnt/no ext4\n\nUUID=1 / ext4 defaults 0 1\n  LABEL=a\t/mnt/tank\text4 noauto\n\
                     /dev/b /mnt/a\\040pool/ xfs\nUUID=2 none swap sw 0 0\n/dev/c\n";
        let points: Vec<String> = mount_points(fstab).iter().map(FieldPath::to_string).collect();
        assert_eq!(points, ["/mnt/tank", "/mnt/a pool"]);
    }

    #[test]
    fn what_fstab_names_is_missing_until_something_is_mounted_there() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc")).unwrap();
        std::fs::create_dir_all(root.path().join("mnt/tank/home")).unwrap();
        std::fs::create_dir_all(root.path().join("mnt/pool")).unwrap();
        let opened: OwnedFd = File::open(root.path()).unwrap().into();
        let missing = |path: &str| missing_above(&opened, &FieldPath::new(path).unwrap()).map(|path| path.to_string());
        assert_eq!(missing("/mnt/tank/home/anna"), None);
        let fstab = "a /mnt/tank/home ext4\na /mnt/tank ext4\na /mnt/gone ext4\n";
        std::fs::write(root.path().join("etc/fstab"), fstab).unwrap();
        assert_eq!(missing("/mnt/tank/home/anna").as_deref(), Some("/mnt/tank"));
        assert_eq!(missing("/mnt/gone/anna").as_deref(), Some("/mnt/gone"));
        assert_eq!(missing("/mnt/pool/anna"), None);
        assert_eq!(missing("/mnt/tankard/anna"), None);
    }

    #[test]
    fn the_machines_own_mounts_are_seen() {
        let root: OwnedFd = File::open("/").unwrap().into();
        assert!(is_mounted(&root, &FieldPath::new("/proc").unwrap()));
        assert!(!is_mounted(&root, &FieldPath::new("/proc/self").unwrap()));
        assert!(!is_mounted(&root, &FieldPath::new("/no/such").unwrap()));
    }
}
