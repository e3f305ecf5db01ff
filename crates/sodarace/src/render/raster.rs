//! From SVG text to pixels.

use std::sync::{Arc, LazyLock};

use resvg::{tiny_skia, usvg};

use super::RenderError;

/// The only fonts there are: a picture looks the same on every machine.
static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(include_bytes!("font/Roboto-Regular.ttf").to_vec());
    fonts.load_font_data(include_bytes!("font/Roboto-Medium.ttf").to_vec());
    fonts.set_sans_serif_family("Roboto");
    fonts.set_serif_family("Roboto");
    fonts.set_monospace_family("Roboto");
    Arc::new(fonts)
});

/// More pixels than this are refused: 256 MiB of them.
const MOST_PIXELS: f64 = 64e6;

/// The picture at `scale` pixels to one SVG unit, on its own background.
pub(super) fn pixels(svg: &str, scale: f32) -> Result<tiny_skia::Pixmap, RenderError> {
    let options = usvg::Options {
        font_family: "Roboto".into(),
        fontdb: FONTS.clone(),
        // Pictures are self-contained: nothing is read from disk.
        image_href_resolver: usvg::ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..Default::default()
    };
    let tree =
        usvg::Tree::from_str(svg, &options).map_err(|error| RenderError::Svg(error.to_string()))?;
    let size = |length: f32| f64::from(length * scale).round();
    let (width, height) = (size(tree.size().width()), size(tree.size().height()));
    if !(scale > 0.0 && width >= 1.0 && height >= 1.0 && width * height <= MOST_PIXELS) {
        return Err(RenderError::OutOfRange {
            what: "the picture's size",
            range: "from 1 to 64 million pixels",
            found: format!("{width} x {height}"),
        });
    }
    let mut pixels = tiny_skia::Pixmap::new(width as u32, height as u32)
        .ok_or_else(|| RenderError::Encode("no memory for the pixels".into()))?;
    resvg::render(
        &tree,
        tiny_skia::Transform::from_scale(scale, scale),
        &mut pixels.as_mut(),
    );
    Ok(pixels)
}

/// Draws any SVG as a PNG, `scale` pixels to one SVG unit.
///
/// Texts are set in Roboto, which is built in. Scripts, animations and images
/// in it are ignored.
///
/// # Errors
/// [`RenderError::Svg`] if it is not an SVG; [`RenderError::OutOfRange`] if the
/// scale is not above 0 or makes it larger than 64 million pixels.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, RenderError> {
    pixels(svg, scale)?
        .encode_png()
        .map_err(|error| RenderError::Encode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_leave_ink() {
        let svg = |text| {
            format!(
                "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'>\
                 <text x='2' y='15' font-family='system-ui,sans-serif'>{text}</text></svg>"
            )
        };
        let ink = |text| {
            pixels(&svg(text), 1.0)
                .unwrap()
                .data()
                .iter()
                .filter(|&&b| b > 0)
                .count()
        };
        assert_eq!(ink(""), 0);
        assert!(ink("Wμ") > 50);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert!(matches!(png("<svg", 1.0), Err(RenderError::Svg(_))));
        let svg = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'/>";
        for scale in [0.0, -1.0, f32::NAN, 1e6] {
            assert!(
                matches!(png(svg, scale), Err(RenderError::OutOfRange { .. })),
                "{scale}"
            );
        }
    }
}
