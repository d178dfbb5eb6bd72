//! Descent on the parabola f(x) = ½ f″ x².

/// Where a step of this rate leads.
pub fn step(curvature: f64, rate: f64, x: f64) -> f64 {
    x - rate * curvature * x
}

/// How far from the minimum a ball is that began at 1.
pub fn distance_after(curvature: f64, rate: f64, steps: usize) -> f64 {
    let mut x = 1.0;
    for _ in 0..steps {
        x = step(curvature, rate, x);
        if x.abs() > 1e100 {
            break;
        }
    }
    x.abs()
}

/// The rate that comes nearest in one step, found by trying: ever finer rows of rates around the
/// best one so far.
pub fn best_rate(curvature: f64) -> f64 {
    let (mut lo, mut hi) = (1e-4f64, 1e3f64);
    for _ in 0..12 {
        let tried: Vec<f64> = (0..=40)
            .map(|n| lo * (hi / lo).powf(f64::from(n) / 40.0))
            .collect();
        let best = (0..tried.len()).min_by(|a, b| {
            let of = |n: &usize| distance_after(curvature, tried[*n], 1);
            of(a).total_cmp(&of(b))
        });
        let best = best.unwrap_or(0);
        lo = tried[best.saturating_sub(1)];
        hi = tried[(best + 1).min(40)];
    }
    (lo * hi).sqrt()
}

/// The rate from which on the ball is farther away after many steps than it was, by halving.
pub fn divergence(curvature: f64) -> f64 {
    let (mut lo, mut hi) = (1e-4f64, 1e4f64);
    for _ in 0..60 {
        let middle = (lo * hi).sqrt();
        match distance_after(curvature, middle, 1000) > 1.0 {
            true => hi = middle,
            false => lo = middle,
        }
    }
    (lo * hi).sqrt()
}
