//! `make bench-ssh`: `accountd ssh` beside OpenSSH's `sshd`, with the same clients, users and files.

mod idle;
mod listing;
mod logins;
mod parallel;
mod peers;
mod processes;
mod small_files;
mod sshd;
mod transfer;

use peers::Peers;

type Part = (&'static str, fn(&Peers));

/// Runs the parts that are wanted, in this order.
pub fn run(wants: &dyn Fn(&str) -> bool) {
    let parts: [Part; 6] = [
        ("transfer", transfer::run),
        ("parallel", parallel::run),
        ("small", small_files::run),
        ("listing", listing::run),
        ("logins", logins::run),
        ("idle", idle::run),
    ];
    if parts.iter().any(|(name, _)| wants(name)) {
        let peers = Peers::start();
        parts.iter().filter(|(name, _)| wants(name)).for_each(|(_, run)| run(&peers));
    }
}
