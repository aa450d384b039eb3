//! Many pieces of work by as many threads as there are processors: hashing passwords, making homes.

use std::sync::{Mutex, PoisonError};

/// Fewer pieces are not worth a thread.
const FEW: usize = 8;

/// The results in the order of the pieces.
pub fn in_parallel<T: Send, R: Send>(pieces: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let width = std::thread::available_parallelism().map_or(1, usize::from).min(pieces.len() / FEW + 1);
    if width == 1 {
        return pieces.into_iter().map(work).collect();
    }
    let count = pieces.len();
    let waiting = Mutex::new(pieces.into_iter().enumerate());
    let one_by_one = || {
        let mut done = Vec::new();
        loop {
            let piece = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, piece)) = piece else { return done };
            done.push((index, work(piece)));
        }
    };
    let mut done = Vec::with_capacity(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..width).map(|_| scope.spawn(one_by_one)).collect();
        done.extend(one_by_one());
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for count in [0, 1, 7, 8, 9, 1000] {
            let results = in_parallel((0..count).collect(), |number| number * 2);
            assert_eq!(results, (0..count).map(|number| number * 2).collect::<Vec<_>>());
        }
    }
}
