//! The two latency distributions as a picture: per time, the share of calls that took longer.

use std::path::Path;

use plotters::prelude::*;

use crate::Times;

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

/// Names and colours, in the order of [`Times`].
const ENGINES: [(&str, RGBColor); 2] =
    [("warpgrammar", RGBColor(0x1f, 0x5f, 0xbf)), ("llguidance 1.9.1", RGBColor(0xc0, 0x5a, 0x1a))];

/// Least and greatest time drawn, in µs.
const TIMES: std::ops::Range<f64> = 0.1..1e5;

/// Draws one panel for each named set of times as an SVG.
///
/// # Errors
/// If the file cannot be written.
pub fn draw(file: &Path, panels: &[(&str, &Times)]) -> Result {
    let root = SVGBackend::new(file, (460 * panels.len() as u32, 340)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (title, times)) in root.split_evenly((1, panels.len())).iter().zip(panels) {
        let n = times.0[0].len().max(2) as f64;
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 17))
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(58)
            .build_cartesian_2d(TIMES.log_scale(), (0.5 / n..1.0).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("µs")
            .y_desc("share that takes longer")
            .x_label_formatter(&|x| if *x < 1.0 { format!("{x}") } else { format!("{x:.0}") })
            .y_label_formatter(&|y| share(*y))
            .draw()?;
        for ((name, colour), times) in ENGINES.into_iter().zip(&times.0) {
            let line = ShapeStyle { color: colour.to_rgba(), filled: false, stroke_width: 2 };
            chart
                .draw_series(LineSeries::new(longer(times), line))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], line));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.9))
            .border_style(BLACK.mix(0.3))
            .draw()?;
    }
    root.present()?;
    Ok(())
}

fn share(y: f64) -> String {
    let percent = y * 100.0;
    if percent >= 1.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.4}").trim_end_matches('0').to_owned() + " %"
    }
}

/// Points of the curve, some hundred of them, evenly over the logarithm of the share.
fn longer(times: &[f64]) -> Vec<(f64, f64)> {
    const POINTS: usize = 400;
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 {
        return Vec::new();
    }
    let mut ranks: Vec<usize> =
        (0..=POINTS).map(|i| (n as f64).powf(1.0 - i as f64 / POINTS as f64).round() as usize).collect();
    ranks.dedup();
    ranks.into_iter().map(|longer| (sorted[n - longer.max(1)], longer as f64 / n as f64)).collect()
}
