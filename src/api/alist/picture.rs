//! A QR code as browsers show it without asking anybody: a PNG (RFC 2083) in a `data:` URL. It is small enough to
//! need no compression, so its data is stored as it is (RFC 1950, RFC 1951).

use base64ct::{Base64, Encoding};
use qrcode::{Color, QrCode};

/// Its width and height in pixels; so much is what fits, in whole pixels for each square.
const SIZE: usize = 400;
/// Squares that stay empty around the code (ISO/IEC 18004).
const QUIET: usize = 4;
/// Of a row: its filter, and a bit for each pixel.
const ROW_BYTES: usize = 1 + SIZE / 8;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// One bit of grey for each pixel, in rows from the top.
const DEPTH_AND_KIND: [u8; 5] = [1, 0, 0, 0, 0];
/// Deflate with a window of 32 KiB, and check bits.
const ZLIB: [u8; 2] = [0x78, 0x01];
/// The last block, and stored.
const STORED: u8 = 1;
const ADLER: u32 = 65_521;

/// `None` for what is too long for a code.
pub fn of(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    Some(format!("data:image/png;base64,{}", Base64::encode_string(&png(&rows(&code))?)))
}

/// Black on white.
fn rows(code: &QrCode) -> Vec<u8> {
    let width = code.width();
    let scale = (SIZE / (width + 2 * QUIET)).max(1);
    let margin = SIZE.saturating_sub(scale * width) / 2;
    let colors = code.to_colors();
    let square = |pixel: usize| pixel.checked_sub(margin).map(|inside| inside / scale).filter(|one| *one < width);
    let is_dark = |x, y| {
        let at = square(x).zip(square(y)).map(|(x, y)| y * width + x);
        at.and_then(|at| colors.get(at)) == Some(&Color::Dark)
    };
    let mut rows = Vec::with_capacity(SIZE * ROW_BYTES);
    for y in 0..SIZE {
        rows.push(0);
        for eight in 0..SIZE / 8 {
            rows.push((0..8).fold(0_u8, |byte, bit| byte << 1 | u8::from(!is_dark(eight * 8 + bit, y))));
        }
    }
    rows
}

fn png(rows: &[u8]) -> Option<Vec<u8>> {
    let side = u32::try_from(SIZE).ok()?.to_be_bytes();
    let length = u16::try_from(rows.len()).ok()?;
    let header = [&side[..], &side, &DEPTH_AND_KIND].concat();
    let stored = [&ZLIB[..], &[STORED], &length.to_le_bytes(), &(!length).to_le_bytes(), rows].concat();
    let data = [&stored[..], &adler(rows).to_be_bytes()].concat();
    let mut picture = SIGNATURE.to_vec();
    for (kind, content) in [(b"IHDR", &header[..]), (b"IDAT", &data), (b"IEND", &[])] {
        let checked = [&kind[..], content].concat();
        picture.extend(u32::try_from(content.len()).ok()?.to_be_bytes());
        picture.extend(&checked);
        picture.extend(crc(&checked).to_be_bytes());
    }
    Some(picture)
}

fn adler(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % ADLER;
        (low, (high + low) % ADLER)
    });
    high << 16 | low
}

fn crc(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_documents() {
        assert_eq!(crc(b"IEND"), 0xae42_6082, "as at the end of every PNG");
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn a_picture_has_400_rows_and_a_code_in_its_middle() {
        let code = QrCode::new("otpauth://totp/accountd:anna?secret=ABCDEFGHIJKLMNOP").unwrap();
        let rows = rows(&code);
        assert_eq!(rows.len(), SIZE * ROW_BYTES);
        assert!(rows[1..ROW_BYTES].iter().all(|byte| *byte == 0xff), "white above");
        assert!(rows.iter().filter(|byte| **byte == 0).count() > SIZE, "black, beside the filters of the rows");
        let url = of("x").unwrap();
        let picture = Base64::decode_vec(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        assert_eq!(picture.len(), 8 + 25 + 12 + (2 + 5 + rows.len() + 4) + 12);
        assert!(of(&"x".repeat(5000)).is_none());
    }
}
