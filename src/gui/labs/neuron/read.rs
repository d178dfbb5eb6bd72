//! A student's own points from a table.

use std::path::Path;

use crate::data::{DataConfig, Dataset, Pixels, SplitName};
use crate::i18n::tr;
use crate::labs::neuron::points::Point;

/// Points of a table with two features and two classes, moved and scaled into sight.
pub fn read_points(source: &str, folder: &Path) -> Result<Vec<Point>, String> {
    const MOST: usize = 2000;
    let data = Dataset::open(&DataConfig::of(source), folder).map_err(|error| error.to_string())?;
    if data.shape().as_deref() != Some(&[2, 1, 1]) || data.classes().len() != 2 {
        return Err(tr(
            "the table must have two columns of numbers and a class of two values",
            "表格须有两列数值和一列取两个值的类别",
        )
        .to_owned());
    }
    let count = data.len(SplitName::Train).min(MOST);
    let read = |index: usize| {
        let example = data.example(SplitName::Train, index).ok()?;
        let Pixels::F32(values) = example.pixels else {
            return None;
        };
        let at = [f64::from(*values.first()?), f64::from(*values.get(1)?)];
        let class = *example.labels.first()?;
        Some(Point { at, class })
    };
    let mut points: Vec<Point> = (0..count).filter_map(read).collect();
    for axis in 0..2 {
        let values = || points.iter().map(|point| point.at[axis]);
        let (lo, hi) = (
            values().fold(f64::INFINITY, f64::min),
            values().fold(f64::NEG_INFINITY, f64::max),
        );
        let scale = 10.0 / (hi - lo).max(1e-12);
        for point in &mut points {
            point.at[axis] = (point.at[axis] - lo) * scale - 5.0;
        }
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_from_a_table() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("p.csv"),
            "x,y,label\n0,10,a\n1,20,b\n2,30,a\n",
        )
        .unwrap();
        let points = read_points("p.csv", folder.path()).unwrap();
        assert_eq!(
            points[1],
            Point {
                at: [0.0, 0.0],
                class: 1
            }
        );
        assert_eq!(
            points[2],
            Point {
                at: [5.0, 5.0],
                class: 0
            }
        );
        std::fs::write(folder.path().join("q.csv"), "x,label\n0,a\n1,b\n").unwrap();
        assert!(read_points("q.csv", folder.path()).is_err());
        assert!(read_points("none.csv", folder.path()).is_err());
    }
}
