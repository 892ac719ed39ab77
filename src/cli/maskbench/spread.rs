//! Percentiles of measured times.

use serde_json::{Value, json};

/// The spread of a set of values, rounded to two decimals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p99_9: f64,
    /// The greatest value.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// How many values there are.
    pub n: usize,
}

impl Spread {
    /// The spread of `values`; nothing for no values.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let &max = values.last()?;
        let percentile = |q: f64| round(percentile(&values, q));
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Some(Spread {
            p50: percentile(50.0),
            p90: percentile(90.0),
            p99: percentile(99.0),
            p99_9: percentile(99.9),
            max: round(max),
            mean: round(mean),
            n: values.len(),
        })
    }

    /// `{"p50", "p90", "p99", "p99.9", "max", "mean", "n"}`.
    pub fn to_json(self) -> Value {
        json!({
            "p50": self.p50, "p90": self.p90, "p99": self.p99, "p99.9": self.p99_9,
            "max": self.max, "mean": self.mean, "n": self.n,
        })
    }
}

/// The q-th percentile of sorted values, between neighbours by linear interpolation as numpy does it.
fn percentile(sorted: &[f64], q: f64) -> f64 {
    let at = q / 100.0 * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * at.fract()
}

fn round(x: f64) -> f64 {
    (x * 100.0).round_ties_even() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([1, 2, 3, 4, 10], [50, 90, 99, 99.9]) = 3, 7.6, 9.76, 9.976
        let spread = Spread::of(vec![10.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        assert_eq!((spread.p50, spread.p90, spread.p99, spread.p99_9), (3.0, 7.6, 9.76, 9.98));
        assert_eq!((spread.max, spread.mean, spread.n), (10.0, 4.0, 5));
        assert_eq!(Spread::of(vec![2.0]).unwrap().p99, 2.0);
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
