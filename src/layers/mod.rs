//! The catalogue of layers: one list, one file per family.
//!
//! To add a layer, write its struct in its family's file and one line in [`CATALOGUE`]. Forms,
//! files, help, documentation and the tests that loop over the catalogue follow from that.

mod data;
// mod linear;
mod unknown;

pub use data::{Data, Input};
// pub use linear::InnerProduct;
pub use unknown::Unknown;

use serde::de::DeserializeOwned;

use crate::graph::{Layer, LayerSpec};

/// Every layer type, in the order of the palette.
pub static CATALOGUE: &[Entry] = &[
    Entry::of::<Data>(),
    Entry::of::<Input>(),
    // Entry::of::<InnerProduct>(),
];

/// One type of layer.
pub struct Entry {
    make: fn() -> Box<dyn Layer>,
    parse: fn(&str) -> Result<Box<dyn Layer>, ron::error::SpannedError>,
}

impl Entry {
    const fn of<T: Layer + Default + DeserializeOwned>() -> Self {
        Self {
            make: || Box::new(T::default()),
            parse: |text| Ok(Box::new(ron::from_str::<T>(text)?)),
        }
    }

    /// A layer with default parameters.
    pub fn make(&self) -> Box<dyn Layer> {
        (self.make)()
    }

    pub fn spec(&self) -> &'static LayerSpec {
        self.make().spec()
    }
}

/// The catalogue's entry for a layer type.
pub fn entry(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.spec().name == name)
}

/// A layer with default parameters by its type's name.
pub fn make(name: &str) -> Option<Box<dyn Layer>> {
    entry(name).map(Entry::make)
}

/// Reads a layer from RON, such as `InnerProduct(num_output: 10)`; parameters that are left out
/// take their defaults. A type that is not in the catalogue becomes [`Unknown`] and keeps its
/// text. The error's position is relative to `text`.
pub fn parse(text: &str) -> Result<Box<dyn Layer>, ron::error::SpannedError> {
    let name_end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let name = &text[..name_end];
    let Some(entry) = entry(name) else {
        // It must at least be a value, or the file around it could not be written again.
        ron::value::RawValue::from_ron(text)?;
        return Ok(Box::new(Unknown::new(name, text)));
    };
    if text[name_end..].trim().is_empty() {
        return Ok(entry.make());
    }
    (entry.parse)(text)
}
