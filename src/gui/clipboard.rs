//! The clipboard's picture, of which egui says nothing.

use crate::data::Picture;
use crate::i18n::tr_format;

/// `None` where the clipboard holds no picture.
///
/// # Errors
/// Where there is no clipboard, with its reason.
pub fn picture() -> Result<Option<Picture>, String> {
    let failed = |error: arboard::Error| {
        tr_format!(
            "the clipboard cannot be read: {error}",
            "无法读取剪贴板：{error}"
        )
    };
    let mut clipboard = arboard::Clipboard::new().map_err(failed)?;
    match clipboard.get_image() {
        Ok(image) => Ok(Picture::of_rgba(image.width, image.height, &image.bytes)),
        Err(arboard::Error::ContentNotAvailable) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
