//! A change on its way through the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;

use accountd_protocol::agent::Generation;
use accountd_protocol::refusal::Refusal;

use super::changed::Purpose;
use super::draft::Draft;
use super::error::DatabaseError;
use super::writer::Change;

/// With the way back to whoever has asked.
pub(super) struct Request<T, F> {
    pub purpose: Purpose,
    pub change: Option<F>,
    pub result: Option<Result<T, Refusal>>,
    pub answer: Sender<Result<(T, Generation), Refusal>>,
}

impl<T: Send, F: FnOnce(&mut Draft<'_>) -> Result<T, Refusal> + Send> Change for Request<T, F> {
    fn apply(&mut self, draft: &mut Draft<'_>) -> Result<(), ()> {
        let Some(change) = self.change.take() else { return Err(()) };
        // A change that panics is undone like one that is refused; the others go on.
        let result = catch_unwind(AssertUnwindSafe(|| change(draft)));
        let result = result.unwrap_or_else(|_| Err(Refusal::Internal("internal error".into())));
        let result = self.result.insert(draft.fault().map_or(result, Err));
        if result.is_ok() { Ok(()) } else { Err(()) }
    }

    fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    fn answer(self: Box<Self>, committed: Result<Generation, Refusal>) {
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(generation)) => Ok((value, generation)),
            (Some(Err(refusal)), _) | (_, Err(refusal)) => Err(refusal),
            (None, Ok(_)) => Err(DatabaseError::WriterGone.into_refusal()),
        };
        // Whoever asked may have given up waiting.
        let _ = self.answer.send(result);
    }
}
