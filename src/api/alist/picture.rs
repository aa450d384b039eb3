//! A QR code as browsers show it without asking anybody: a PNG in a `data:` URL.

use base64ct::{Base64, Encoding};
use qrcode::{Color, QrCode};

/// Its width and height in pixels; so much is what fits, in whole pixels for each square.
const SIZE: usize = 400;
/// Squares that stay empty around the code (ISO/IEC 18004).
const QUIET: usize = 4;

/// `None` for what is too long for a code.
pub fn of(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let width = code.width();
    let scale = SIZE / (width + 2 * QUIET);
    let margin = (SIZE - scale * width) / 2;
    let is_dark = |x: usize, y: usize| {
        let square = |pixel: usize| pixel.checked_sub(margin).map(|inside| inside / scale).filter(|one| *one < width);
        square(x).zip(square(y)).is_some_and(|at| code[at] == Color::Dark)
    };
    let mut pixels = Vec::with_capacity(SIZE * SIZE / 8);
    for y in 0..SIZE {
        for eight in 0..SIZE / 8 {
            pixels.push((0..8).fold(0, |byte: u8, bit| byte << 1 | u8::from(!is_dark(eight * 8 + bit, y))));
        }
    }
    let mut picture = Vec::new();
    let side = u32::try_from(SIZE).ok()?;
    let mut encoder = png::Encoder::new(&mut picture, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().ok()?.write_image_data(&pixels).ok()?;
    Some(format!("data:image/png;base64,{}", Base64::encode_string(&picture)))
}
