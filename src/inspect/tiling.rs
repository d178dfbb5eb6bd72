//! Equal tiles in rows: where each one lies.

/// `count` tiles in rows of `columns`, without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tiling {
    pub count: usize,
    pub columns: usize,
    /// Width and height of a tile.
    pub tile: [usize; 2],
}

impl Tiling {
    /// The most of `count` tiles that fit into a square of `max_side`, nearly square;
    /// none when not even one fits.
    pub fn within(count: usize, tile: [usize; 2], max_side: usize) -> Self {
        let [width, height] = tile.map(|side| side.max(1));
        let (most_columns, most_rows) = (max_side / width, max_side / height);
        let count = count.min(most_columns.saturating_mul(most_rows));
        let even = ((count * height) as f64 / width as f64).sqrt().ceil() as usize;
        let fewest = count.div_ceil(most_rows.max(1));
        let columns = even.max(fewest).clamp(1, most_columns.max(1));
        Self {
            count,
            columns,
            tile: [width, height],
        }
    }

    /// The number of columns that shows all `count` tiles of a shape (width, height) as large
    /// as possible in a panel with `gap` between them, and the factor from the tile's own size to the shown one.
    pub fn columns_to_fill(
        count: usize,
        tile: [f32; 2],
        panel: [f32; 2],
        gap: f32,
    ) -> (usize, f32) {
        let mut best = (1, 0.0);
        for columns in 1..=count.max(1) {
            let rows = count.max(1).div_ceil(columns);
            let scale = |panel: f32, number: usize, side: f32| {
                (panel - gap * (number - 1) as f32) / (number as f32 * side.max(1e-3))
            };
            let fits = scale(panel[0], columns, tile[0]).min(scale(panel[1], rows, tile[1]));
            if fits > best.1 {
                best = (columns, fits);
            }
        }
        best
    }

    pub fn rows(&self) -> usize {
        self.count.div_ceil(self.columns.max(1))
    }

    /// Width and height of the whole.
    pub fn size(&self) -> [usize; 2] {
        let columns = self.columns.min(self.count);
        [columns * self.tile[0], self.rows() * self.tile[1]]
    }

    /// Left and top of a tile.
    pub fn origin(&self, index: usize) -> [usize; 2] {
        let columns = self.columns.max(1);
        [
            (index % columns) * self.tile[0],
            (index / columns) * self.tile[1],
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_in_rows() {
        let tiling = Tiling {
            count: 5,
            columns: 3,
            tile: [4, 2],
        };
        assert_eq!(tiling.rows(), 2);
        assert_eq!(tiling.size(), [12, 4]);
        assert_eq!(tiling.origin(0), [0, 0]);
        assert_eq!(tiling.origin(4), [4, 2]);
        assert_eq!(Tiling::default().size(), [0, 0]);
    }

    #[test]
    fn an_atlas_never_passes_its_limit() {
        for (count, tile, side) in [
            (20, [24, 24], 2048),
            (1, [2048, 3], 2048),
            (4096, [1, 1], 64),
            (5000, [1, 1], 64),
            (7, [100, 3], 110),
            (3, [70, 10], 64),
            (0, [5, 5], 64),
            (10, [0, 0], 64),
        ] {
            let tiling = Tiling::within(count, tile, side);
            let [width, height] = tiling.size();
            assert!(
                width <= side && height <= side,
                "{count} × {tile:?}: {tiling:?}"
            );
            assert!(tiling.count <= count);
        }
        assert_eq!(Tiling::within(20, [24, 24], 2048).columns, 5);
        assert_eq!(Tiling::within(20, [24, 24], 2048).count, 20);
        assert_eq!(Tiling::within(5000, [1, 1], 64).count, 4096);
        assert_eq!(Tiling::within(3, [70, 10], 64).count, 0);
    }

    #[test]
    fn columns_fill_the_panel() {
        assert_eq!(
            Tiling::columns_to_fill(4, [10.0, 10.0], [40.0, 40.0], 0.0),
            (2, 2.0)
        );
        assert_eq!(
            Tiling::columns_to_fill(4, [10.0, 10.0], [40.0, 10.0], 0.0),
            (4, 1.0)
        );
        assert_eq!(
            Tiling::columns_to_fill(3, [10.0, 10.0], [32.0, 90.0], 1.0),
            (1, 88.0 / 30.0)
        );
        let (columns, scale) = Tiling::columns_to_fill(0, [0.0, 0.0], [10.0, 10.0], 2.0);
        assert!(columns == 1 && scale.is_finite());
        assert_eq!(
            Tiling::columns_to_fill(4, [1.0, 1.0], [-5.0, 3.0], 1.0),
            (1, 0.0)
        );
    }
}
