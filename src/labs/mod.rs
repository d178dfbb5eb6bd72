//! The concept benches: the course's ideas, each as something to play with.
//!
//! A bench is a simulation with controls, a text in both languages and a demonstration that
//! returns figures; one list, [`BENCHES`], registers them in the order of the course. Benches
//! know networks, data and training, but no window: what is drawn is up to whoever shows them.

mod bench;
pub mod contest;
mod control;
mod error;
mod figure;
pub mod trial;
pub mod variants;

pub mod approximation;
pub mod arena;
pub mod classical;
pub mod convolution;
pub mod depth;
pub mod descent;
pub mod losses;
pub mod neuron;
pub mod policies;
pub mod preprocessing;
pub mod regularity;
pub mod unroll;

pub use bench::{Bench, Chapter};
pub use control::{Control, Range, SHOW, Settings};
pub use error::LabError;
pub use figure::{Figure, FigureValue, figure};

use crate::i18n::Text;
use crate::layers;

/// Every bench, in the order of the course.
pub static BENCHES: &[&Bench] = &[
    &neuron::BENCH,
    &approximation::BENCH,
    &depth::BENCH,
    &convolution::BENCH,
    &descent::BENCH,
    &policies::BENCH,
    &losses::BENCH,
    &arena::BENCH,
    &regularity::BENCH,
    &preprocessing::BENCH,
    &unroll::BENCH,
    &classical::BENCH,
];

/// The bench of that id.
pub fn bench(id: &str) -> Result<&'static Bench, LabError> {
    let found = BENCHES.iter().find(|bench| bench.id == id);
    found.copied().ok_or_else(|| LabError::NoBench {
        name: id.to_owned(),
    })
}

/// The activations between which benches let one choose.
pub const ACTIVATIONS: &[(&str, Text)] = &[
    ("sigmoid", Text::new("Sigmoid", "Sigmoid")),
    ("tanh", Text::new("tanh", "tanh")),
    ("relu", Text::new("ReLU", "ReLU")),
    ("prelu", Text::new("PReLU", "PReLU")),
    ("elu", Text::new("ELU", "ELU")),
    ("maxout", Text::new("Maxout", "Maxout")),
];

/// The layer of an activation by its place in [`ACTIVATIONS`].
pub fn activation(place: usize) -> Box<dyn crate::graph::Layer> {
    match place {
        0 => Box::new(layers::Sigmoid::default()),
        1 => Box::new(layers::TanH::default()),
        3 => Box::new(layers::PReLU::default()),
        4 => Box::new(layers::ELU::default()),
        5 => Box::new(layers::Maxout::default()),
        _ => Box::new(layers::ReLU::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Example;

    #[test]
    fn benches_are_whole_and_lead_to_projects() {
        for bench in BENCHES {
            let texts = [
                bench.title,
                bench.about,
                bench.what_to_try,
                bench.what_to_notice,
                bench.takeaway,
                bench.project.1,
            ];
            for text in texts {
                assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}", bench.id);
            }
            let known = Example::find(bench.project.0).is_some();
            assert!(known, "{}: {}", bench.id, bench.project.0);
            assert!(!bench.formula.is_empty());
            let same = BENCHES.iter().filter(|other| other.id == bench.id);
            assert_eq!(same.count(), 1, "{}", bench.id);
        }
    }

    #[test]
    fn written_settings_are_read_back_and_others_refused() {
        for bench in BENCHES {
            let defaults = Settings::of(bench);
            let mut again = Settings::of(bench);
            for (key, value) in defaults.texts() {
                again.set_text(&format!("{key}={value}")).unwrap();
                for wrong in [format!("{key}=no such value"), key.to_owned()] {
                    assert!(again.set_text(&wrong).is_err(), "{wrong}");
                }
            }
            assert!(again == defaults, "{}", bench.id);
            assert!(again.set_text("nothing=1").is_err());
        }
        assert!(bench("nothing").is_err());
    }
}
