//! Cursors: a place in the order of a list, and the list that it belongs to. As it is no count, it
//! stays right while accounts come and go.

use accountd_protocol::list::Position;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Content {
    /// Filters and sort keys, as the request had them.
    list: String,
    place: Position,
}

pub fn write(list: &str, place: &Position) -> String {
    // Texts and numbers are always JSON.
    let content = Content { list: list.to_owned(), place: place.clone() };
    Base64UrlUnpadded::encode_string(&serde_json::to_vec(&content).unwrap_or_default())
}

/// The place, if the cursor is one of this list, which has so many values to sort by.
pub fn read(cursor: &str, list: &str, values: usize) -> Option<Position> {
    let bytes = Base64UrlUnpadded::decode_vec(cursor).ok()?;
    let content: Content = serde_json::from_slice(&bytes).ok()?;
    (content.list == list && content.place.values.len() == values).then_some(content.place)
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::AccountId;
    use accountd_protocol::list::SortValue;

    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let values = vec![SortValue::Number(7), SortValue::Text("ä\"".into())];
        let place = Position { values, id: AccountId(9) };
        let cursor = write("sort=-uid,username", &place);
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{cursor}");
        assert_eq!(read(&cursor, "sort=-uid,username", 2), Some(place));
        assert_eq!(read(&cursor, "sort=uid,username", 2), None);
        assert_eq!(read(&cursor, "sort=-uid,username", 1), None);
        for cursor in ["", "x", "e30", "!!!!", &cursor[1..]] {
            assert_eq!(read(cursor, "sort=-uid,username", 2), None, "{cursor}");
        }
    }
}
